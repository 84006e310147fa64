//! From a cart to an order: startCheckout, placeOrder, and what a payment provider may answer.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Shop, Store, concurrently};

fn with_mugs(shop: &Shop) -> Store<'_> {
    let store = Store::open(shop);
    store.sell(&[("MUG", 1_500, 10)]);
    store
}

fn mutation(body: &str) -> String {
    format!("mutation ($id: ID!) {{ {body} }}")
}

both! {
    fn a_checkout_holds_its_stock_and_freezes_its_total(shop) {
        let store = with_mugs(shop);
        let cart = store.cart(&[("MUG", 3)]);
        let checkout = cart.checkout("approve").created();
        assert_eq!(checkout.text("/status"), "open");
        assert_eq!(checkout.at("/total"), &json!({ "amount": 4_990, "currency": "EUR" }));
        assert_eq!(checkout.text("/payment/status"), "pending");
        assert_eq!(store.stock("MUG"), (10, 3, 0));
        let time = |field: &str| checkout.text(field).parse::<mercer::kernel::Timestamp>().unwrap().micros();
        assert_eq!(time("/expiresAt") - time("/createdAt"), 15 * 60_000_000);
        shop.check();
    }

    fn a_checkout_that_is_placed_is_an_order(shop) {
        let store = with_mugs(shop);
        let cart = store.checkout(&[("MUG", 3)], "approve");
        let placed = cart.place().ok();
        assert_eq!(placed.text("/outcome"), "placed");
        assert_eq!(placed.text("/order/number"), "1");
        assert_eq!(placed.text("/order/status"), "open");
        assert_eq!(placed.text("/order/payments/0/status"), "authorized");
        assert_eq!(placed.at("/order/payments/0/outstanding/amount"), 4_990);
        assert_eq!(store.stock("MUG"), (10, 0, 3));
        assert_eq!(cart.checkout_status(), "ordered");
        assert_eq!(cart.get().text("/status"), "ordered");
        shop.check();
    }

    fn an_order_by_bank_transfer_awaits_its_money(shop) {
        let store = with_mugs(shop);
        let cart = store.cart(&[("MUG", 1)]);
        cart.pay_by(&json!({ "provider": "manual", "method": "bank_transfer" })).created();
        let placed = cart.place().ok();
        assert_eq!(placed.text("/order/payments/0/status"), "awaited");
        assert_eq!(placed.text("/order/payments/0/method"), "bank_transfer");
        shop.check();
    }

    fn placed_again_it_is_the_same_order(shop) {
        let store = with_mugs(shop);
        let cart = store.checkout(&[("MUG", 1)], "approve");
        let first = cart.place().ok();
        // The answer is kept for its new key; nothing else is written.
        let rows = || -> Vec<_> { shop.rows().into_iter().filter(|(table, _)| table != "idempotency_keys").collect() };
        let before = rows();
        let again = cart.place().ok();
        assert_eq!(rows(), before);
        assert_eq!(again.json, first.json);
    }

    fn a_declined_payment_keeps_the_stock_and_a_second_card_pays(shop) {
        let store = with_mugs(shop);
        let cart = store.checkout(&[("MUG", 3)], "decline");
        cart.place().refused(402, "PAYMENT_DECLINED").about("/payment", "declined");
        assert_eq!(store.stock("MUG"), (10, 3, 0));
        assert_eq!(cart.client.get(&cart.path("/checkout")).ok().text("/payment/status"), "failed");
        cart.checkout("approve").created();
        assert_eq!(store.stock("MUG"), (10, 3, 0));
        assert_eq!(cart.place().ok().text("/outcome"), "placed");
        shop.check();
    }

    fn a_shopper_who_must_act_is_told_where(shop) {
        let store = with_mugs(shop);
        let cart = store.checkout(&[("MUG", 1)], "action");
        let answer = cart.place().ok();
        assert_eq!((answer.text("/outcome"), answer.at("/order")), ("action_required", &Value::Null));
        assert!(answer.text("/actionUrl").starts_with("https://pay.example/"));
        assert_eq!(cart.checkout_status(), "open");
        shop.check();
    }

    fn a_payment_that_nobody_knows_of_keeps_its_stock_and_is_placed_once_it_is_known(shop) {
        let store = with_mugs(shop);
        for provider in ["test", "test_remote"] {
            let cart = store.cart(&[("MUG", 2)]);
            cart.pay_by(&json!({ "provider": provider, "token": "timeout" })).created();
            assert_eq!(cart.place().ok().text("/outcome"), "processing");
            assert_eq!(cart.checkout_status(), "paying");
            // Longer than any checkout lives: what is being paid does not expire.
            shop.wait(Duration::from_hours(1));
            shop.work();
            assert_eq!(cart.checkout_status(), "ordered", "{provider}");
            assert_eq!(cart.place().ok().text("/outcome"), "placed");
            shop.check();
        }
        assert_eq!(store.stock("MUG"), (10, 0, 4));
    }

    fn a_cart_that_changes_while_it_is_paid_is_sold_as_it_was(shop) {
        let store = with_mugs(shop);
        for provider in ["test", "test_remote"] {
            let cart = store.cart(&[("MUG", 2)]);
            cart.pay_by(&json!({ "provider": provider, "token": "timeout" })).created();
            assert_eq!(cart.place().ok().text("/outcome"), "processing");
            let elsewhere = json!({ "email": "eve@example.com", "shippingAddress": { "name": "Eve", "line1": "2 Low Street",
                "city": "Wien", "postcode": "1010", "country": "AT" } });
            cart.client.patch(&cart.path(""), elsewhere).ok();
            cart.client.post(&cart.path("/lines"), json!({ "lines": store.lines(&[("MUG", 1)]) })).ok();
            assert_eq!(cart.place().ok().text("/outcome"), "processing");
            shop.wait(Duration::from_hours(1));
            shop.work();
            let placed = cart.place().ok();
            let order = |field: &str| placed.at(&format!("/order/{field}")).clone();
            assert_eq!((order("email"), order("shippingAddress/country")), (json!("ada@example.com"), json!("DE")));
            assert_eq!((order("lines/0/quantity"), order("totals/total/amount")), (json!(2), placed.at("/order/payments/0/amount/amount").clone()));
        }
        shop.check();
    }

    fn a_payment_that_never_arrived_frees_the_cart_for_another(shop) {
        let store = with_mugs(shop);
        let cart = store.cart(&[("MUG", 2)]);
        cart.pay_by(&json!({ "provider": "test_remote", "token": "timeout_lost" })).created();
        assert_eq!(cart.place().ok().text("/outcome"), "processing");
        shop.unchanged(|| cart.checkout("approve").refused(409, "INVALID_STATE"));
        shop.wait(Duration::from_mins(3));
        shop.work();
        assert_eq!(cart.checkout_status(), "open");
        cart.checkout("approve").created();
        assert_eq!(cart.place().ok().text("/outcome"), "placed");
        assert_eq!(store.stock("MUG"), (10, 0, 2));
        shop.check();
    }

    fn news_that_comes_late_takes_nothing_back(shop) {
        let store = with_mugs(shop);
        let cart = store.cart(&[("MUG", 2)]);
        cart.pay_by(&json!({ "provider": "test_remote", "token": "timeout" })).created();
        assert_eq!(cart.place().ok().text("/outcome"), "processing");
        shop.wait(Duration::from_mins(3));
        // The reconciler learns that the money is there while the shopper's second try, begun a little later, is still
        // waiting for an answer that never comes.
        concurrently(2, |i| {
            if i == 0 {
                shop.work();
            } else {
                std::thread::sleep(Duration::from_millis(20));
                cart.place().ok();
            }
        });
        shop.wait(Duration::from_mins(3));
        shop.work();
        assert_eq!(cart.checkout_status(), "ordered");
        assert_eq!(cart.place().ok().text("/outcome"), "placed");
        shop.check();
    }

    fn a_provider_far_away_places_orders_too(shop) {
        let store = with_mugs(shop);
        let cart = store.cart(&[("MUG", 2)]);
        cart.pay_by(&json!({ "provider": "test_remote", "token": "approve" })).created();
        assert_eq!(cart.place().ok().text("/order/payments/0/status"), "authorized");
        let declined = store.cart(&[("MUG", 2)]);
        declined.pay_by(&json!({ "provider": "test_remote", "token": "decline" })).created();
        declined.place().refused(402, "PAYMENT_DECLINED");
        assert_eq!(declined.checkout_status(), "open");
        assert_eq!(store.stock("MUG"), (10, 2, 2));
        shop.check();
    }

    fn a_cart_that_is_not_ready_says_what_is_missing_field_by_field(shop) {
        let store = with_mugs(shop);
        let cart = store.cart_of(&json!({ "lines": store.lines(&[("MUG", 11)]) }));
        shop.unchanged(|| {
            let refused = cart.checkout("approve").refused(409, "CART_NOT_READY");
            refused.about("/email", "email_missing").about("/shippingAddress", "address_missing")
                .about("/shippingMethodId", "delivery_missing").about("/lines/0", "insufficient_stock");
        });
    }

    fn more_than_there_is_names_the_line_and_what_is_left(shop) {
        let store = with_mugs(shop);
        store.sell(&[("CUP", 900, 10)]);
        store.checkout(&[("MUG", 8)], "approve");
        let cart = store.cart(&[("CUP", 1), ("MUG", 3)]);
        shop.unchanged(|| {
            let refused = cart.checkout("approve").refused(409, "INSUFFICIENT_STOCK").about("/lines/1", "insufficient_stock");
            assert_eq!(refused.at("/errors/0/available"), 2);
        });
        assert_eq!(store.stock("CUP"), (10, 0, 0));
    }

    fn a_checkout_started_again_takes_the_place_of_the_one_before(shop) {
        let store = with_mugs(shop);
        let cart = store.checkout(&[("MUG", 6)], "approve");
        let line = cart.get().text("/lines/0/id").to_owned();
        cart.client.patch(&cart.path("/lines"), json!({ "lines": [{ "lineId": line, "quantity": 9 }] })).ok();
        cart.checkout("approve").created();
        assert_eq!(store.stock("MUG"), (10, 9, 0));
        assert_eq!(cart.place().ok().at("/order/lines/0/quantity"), 9);
        shop.check();
    }

    fn a_checkout_that_ran_out_is_started_again(shop) {
        let store = with_mugs(shop);
        let cart = store.checkout(&[("MUG", 6)], "approve");
        shop.wait(Duration::from_mins(16));
        shop.unchanged(|| cart.place().refused(409, "CHECKOUT_EXPIRED"));
        cart.checkout("approve").created();
        cart.place().ok();
        assert_eq!(store.stock("MUG"), (10, 0, 6));
        shop.check();
    }

    fn without_a_checkout_there_is_nothing_to_place(shop) {
        let store = with_mugs(shop);
        let cart = store.cart(&[("MUG", 1)]);
        shop.unchanged(|| cart.place().refused(409, "CHECKOUT_NOT_STARTED"));
        cart.client.get(&cart.path("/checkout")).refused(404, "NOT_FOUND");
    }

    fn what_was_ordered_is_neither_changed_nor_checked_out_again(shop) {
        let store = with_mugs(shop);
        let cart = store.checkout(&[("MUG", 1)], "approve");
        cart.place().ok();
        shop.unchanged(|| {
            cart.checkout("approve").refused(409, "INVALID_STATE");
            cart.client.post(&cart.path("/lines"), json!({ "lines": store.lines(&[("MUG", 1)]) })).refused(409, "INVALID_STATE");
            cart.client.patch(&cart.path(""), json!({ "email": "eve@example.com" })).refused(409, "INVALID_STATE");
        });
    }

    fn a_checkout_is_for_the_version_that_was_seen(shop) {
        let store = with_mugs(shop);
        let cart = store.cart(&[("MUG", 1)]);
        let etag = cart.get().etag().to_owned();
        cart.client.patch(&cart.path(""), json!({ "email": "other@example.com" })).ok();
        let input = json!({ "payment": { "provider": "manual" } });
        let start = |etag: &str| cart.client.once().if_match(etag).post(&cart.path("/checkout"), input.clone());
        shop.unchanged(|| start(&etag).refused(412, "VERSION_CONFLICT"));
        start(cart.get().etag()).created();
    }

    fn a_provider_and_a_method_must_be_offered(shop) {
        let store = with_mugs(shop);
        let cart = store.cart(&[("MUG", 1)]);
        let cases = [
            (json!({ "provider": "stripe" }), "/payment/provider", "unknown_provider"),
            (json!({ "provider": "manual", "method": "card" }), "/payment/method", "unknown_method"),
            (json!({ "provider": "test", "token": "x".repeat(501) }), "/payment/token", "too_long"),
        ];
        shop.unchanged(|| for (payment, pointer, code) in cases {
            cart.pay_by(&payment).refused(422, "VALIDATION_FAILED").about(pointer, code);
        });
    }

    fn the_test_provider_is_off_in_production(shop) {
        let store = with_mugs(shop);
        let cart = store.cart(&[("MUG", 1)]);
        let peer = shop.peer(&[("environment", "production")]);
        let input = json!({ "payment": { "provider": "test" } });
        let refused = peer.client(&cart.client).once().post(&cart.path("/checkout"), input);
        refused.refused(422, "VALIDATION_FAILED").about("/payment/provider", "unknown_provider");
    }

    fn one_variant_on_two_lines_is_one_demand(shop) {
        let store = with_mugs(shop);
        let staff = shop.staff();
        let mut input = store.ready(&[("MUG", 6)]);
        input["channelId"] = json!(store.channel);
        input["lines"].as_array_mut().unwrap().push(json!({ "sku": "MUG", "quantity": 5, "unitPrice": 1_000 }));
        let id = staff.post("/carts", input.clone()).created().text("/cart/id").to_owned();
        let start = |id: &str| staff.once().post(&format!("/carts/{id}/checkout"), json!({ "payment": { "provider": "test" } }));
        shop.unchanged(|| start(&id).refused(409, "INSUFFICIENT_STOCK").about("/lines/0", "insufficient_stock").about("/lines/1", "insufficient_stock"));
        input["lines"][1]["quantity"] = json!(4);
        let id = staff.post("/carts", input).created().text("/cart/id").to_owned();
        start(&id).created();
        let placed = staff.once().post(&format!("/carts/{id}/place-order"), json!({})).ok();
        assert_eq!(placed.at("/order/totals/goods/amount"), 13_000);
        assert_eq!(store.stock("MUG"), (10, 0, 10));
        shop.check();
    }

    fn an_order_for_nothing_is_placed_and_nobody_is_asked_for_money(shop) {
        let store = Store::delivering_for_nothing(shop);
        store.sell(&[("GIFT", 0, 10)]);
        for payment in [Value::Null, json!({ "provider": "test", "token": "decline" })] {
            let cart = store.cart(&[("GIFT", 2)]);
            let started = cart.pay_by(&payment).created();
            assert_eq!((started.at("/payment"), started.at("/total/amount")), (&Value::Null, &json!(0)));
            assert_eq!(cart.client.get(&cart.path("/checkout")).ok().at("/payment"), &Value::Null);
            let placed = cart.place().ok();
            assert_eq!((placed.text("/outcome"), placed.text("/order/paymentStatus")), ("placed", "paid"));
            assert_eq!(placed.at("/order/payments"), &json!([]));
            assert_eq!(cart.place().ok().text("/order/id"), placed.text("/order/id"));
        }
        let order = shop.orders()[0]["id"].as_str().unwrap().to_owned();
        shop.staff().once().post(&format!("/orders/{order}/cancel"), json!({})).ok();
        assert_eq!(store.stock("GIFT"), (10, 0, 2));
        shop.check();
    }

    fn the_whole_way_can_be_gone_in_graphql(shop) {
        let store = with_mugs(shop);
        let variables = json!({ "input": store.ready(&[("MUG", 2)]) });
        let made = store.front.graphql("mutation ($input: CreateCartInput!) { createCart(input: $input) { token cart { id ready } } }", variables).ok();
        assert_eq!(made.at("/data/createCart/cart/ready"), true);
        let client = store.front.with("x-cart-token", made.text("/data/createCart/token"));
        let id = json!({ "id": made.at("/data/createCart/cart/id") });
        let checkout = mutation("startCheckout(input: { cartId: $id, payment: { provider: \"test\" } }) { status total { amount } }");
        let checkout = client.once().graphql(&checkout, id.clone()).ok();
        assert_eq!(checkout.at("/data/startCheckout/total/amount"), 3_490);
        let place = mutation("placeOrder(input: { cartId: $id }) { outcome order { number lines { product { title } } } }");
        let placed = client.once().graphql(&place, id).ok();
        assert_eq!(placed.at("/data/placeOrder/outcome"), "placed");
        assert_eq!(placed.at("/data/placeOrder/order/lines/0/product/title"), "The MUG");
        shop.check();
    }
}
