//! Carts: live totals, problems per line, and whose they are.

use serde_json::{Value, json};

use crate::support::{Cart, Store, store};

const ABSENT: &str = "crt_01jq3h5s5vfkg8r4t0x2m6c9ze";

fn shop_with_mugs(shop: &crate::support::Shop) -> Store<'_> {
    let store = Store::open(shop);
    store.sell(&[("MUG", 1_500, 10), ("CUP", 900, 10)]);
    store
}

both! {
    fn a_shop_front_may_not_claim_another_source_than_its_own(shop) {
        let store = shop_with_mugs(shop);
        let cart = |source: &str| json!({ "source": source, "lines": [{ "sku": "MUG", "quantity": 1 }] });
        shop.unchanged(|| for source in ["in_person", "phone", "marketplace", "api"] {
            store.front.once().post("/carts", cart(source)).refused(403, "FORBIDDEN").about("/source", "not_allowed");
        });
        let query = "mutation ($source: OrderSource!) { createCart(input: { source: $source }) { cart { id } } }";
        let refused = store.front.once().graphql(query, json!({ "source": "in_person" }));
        refused.denied("FORBIDDEN").about("/source", "not_allowed");
        for source in ["web", "app"] {
            store.front.once().post("/carts", cart(source)).created();
        }
        let counter = json!({ "source": "in_person", "channelId": shop.channel.to_string() });
        shop.staff().once().post("/carts", counter).created();
    }

    fn the_totals_are_sums_of_lines_and_delivery(shop) {
        let store = shop_with_mugs(shop);
        let cart = store.cart(&[("MUG", 2), ("CUP", 3)]).get();
        let totals = ["goods", "discount", "shipping", "tax", "total"]
            .map(|field| cart.at(&format!("/totals/{field}/amount")).as_i64().unwrap());
        // 3000 and 2700 and 490 with 19 % inside: 479 + 431 + 78.
        assert_eq!(totals, [5_700, 0, 490, 988, 6_190]);
        assert_eq!(cart.at("/ready"), true);
        assert_eq!(cart.at("/shippingOptions/0/amount/amount"), 490);
    }

    fn what_is_there_already_gets_more(shop) {
        let store = shop_with_mugs(shop);
        let cart = store.cart(&[("MUG", 2)]);
        let more = json!({ "lines": [{ "variantId": store.variant("MUG"), "quantity": 3 }, { "sku": "CUP", "quantity": 1 }] });
        let after = cart.client.post(&cart.path("/lines"), more).ok();
        assert_eq!((after.at("/lines/0/quantity"), after.at("/lines/1/quantity")), (&json!(5), &json!(1)));
        assert_eq!(after.at("/version"), 2);
        assert_eq!(after.at("/lines").as_array().unwrap().len(), 2);
    }

    fn a_line_is_changed_and_taken_out(shop) {
        let store = shop_with_mugs(shop);
        let cart = store.cart(&[("MUG", 2), ("CUP", 1)]);
        let line = cart.get().text("/lines/0/id").to_owned();
        let change = json!({ "lines": [{ "lineId": line, "quantity": 7 }] });
        assert_eq!(cart.client.patch(&cart.path("/lines"), change).ok().at("/lines/0/quantity"), 7);
        let left = cart.client.post(&cart.path("/lines/remove"), json!({ "lineIds": [line] })).ok();
        assert_eq!(left.at("/lines").as_array().unwrap().len(), 1);
        assert_eq!(left.text("/lines/0/sku"), "CUP");
        let again = cart.client.post(&cart.path("/lines/remove"), json!({ "lineIds": [line] }));
        again.refused(422, "VALIDATION_FAILED").about("/lineIds/0", "unknown_line");
    }

    fn quantities_that_make_no_sense_are_pointed_at(shop) {
        let store = shop_with_mugs(shop);
        let cart = store.cart(&[("MUG", 2)]);
        let line = cart.get().text("/lines/0/id").to_owned();
        shop.unchanged(|| for quantity in [0_i64, -1, 100_001, 1_000_000_000_000] {
            let lines = json!({ "lines": [{ "sku": "CUP", "quantity": 1 }, { "sku": "MUG", "quantity": quantity }] });
            cart.client.post(&cart.path("/lines"), lines.clone()).refused(422, "VALIDATION_FAILED").about("/lines/1/quantity", "out_of_range");
            store.front.post("/carts", lines).refused(422, "VALIDATION_FAILED").about("/lines/1/quantity", "out_of_range");
            let change = json!({ "lines": [{ "lineId": line, "quantity": quantity }] });
            cart.client.patch(&cart.path("/lines"), change).refused(422, "VALIDATION_FAILED").about("/lines/0/quantity", "out_of_range");
        });
        assert_eq!(cart.get().at("/version"), 1);
    }

    fn more_and_more_of_one_line_ends_at_its_limit(shop) {
        let store = shop_with_mugs(shop);
        let cart = store.cart(&[("MUG", 100_000)]);
        let one = json!({ "lines": store.lines(&[("MUG", 1)]) });
        cart.client.post(&cart.path("/lines"), one).refused(422, "VALIDATION_FAILED").about("/lines/0/quantity", "out_of_range");
        assert_eq!(cart.get().at("/lines/0/quantity"), 100_000);
    }

    fn what_nobody_sells_cannot_be_put_in(shop) {
        let store = shop_with_mugs(shop);
        let cart = store.cart(&[("MUG", 1)]);
        let cases = [
            (json!({ "sku": "NOPE", "quantity": 1 }), "/lines/1/sku", "unknown_sku"),
            (json!({ "variantId": "var_01jq3h5s5vfkg8r4t0x2m6c9ze", "quantity": 1 }), "/lines/1/variantId", "unknown_variant"),
            (json!({ "quantity": 1 }), "/lines/1/variantId", "required"),
        ];
        shop.unchanged(|| for (line, pointer, code) in cases {
            let lines = json!({ "lines": [{ "sku": "MUG", "quantity": 1 }, line] });
            cart.client.post(&cart.path("/lines"), lines.clone()).refused(422, "VALIDATION_FAILED").about(pointer, code);
            store.front.post("/carts", lines).refused(422, "VALIDATION_FAILED").about(pointer, code);
        });
        assert_eq!(cart.get().at("/lines/0/quantity"), 1);
    }

    fn a_currency_that_the_channel_does_not_sell_in_is_refused(shop) {
        let store = shop_with_mugs(shop);
        shop.unchanged(|| store.front.post("/carts", json!({ "currency": "JPY" })).refused(422, "CURRENCY_NOT_SOLD").about("/currency", "currency_not_sold"));
    }

    fn a_cart_has_at_most_a_thousand_lines_and_a_request_500(shop) {
        let store = Store::open(shop);
        let staff = shop.staff();
        store.sell(&[("MUG", 1_500, 10)]);
        let line = json!({ "sku": "MUG", "quantity": 1, "unitPrice": 100 });
        let lines = |n: usize| json!({ "lines": vec![line.clone(); n] });
        let made = staff.post("/carts", json!({ "channelId": store.channel, "lines": vec![line.clone(); 500] })).created();
        let path = format!("/carts/{}/lines", made.text("/cart/id"));
        staff.post(&path, lines(501)).refused(422, "VALIDATION_FAILED").about("/lines", "wrong_count");
        staff.post(&path, lines(0)).refused(422, "VALIDATION_FAILED").about("/lines", "wrong_count");
        staff.post(&path, lines(499)).ok();
        shop.unchanged(|| staff.post(&path, lines(2)).refused(422, "VALIDATION_FAILED").about("/lines", "too_many"));
        assert_eq!(staff.post(&path, lines(1)).ok().at("/lines").as_array().unwrap().len(), 1_000);
    }

    fn a_new_cart_takes_no_more_lines_than_any_request(shop) {
        let store = shop_with_mugs(shop);
        let lines: Vec<Value> = vec![json!({ "sku": "MUG", "quantity": 1 }); 501];
        shop.unchanged(|| store.front.post("/carts", json!({ "lines": lines })).refused(422, "VALIDATION_FAILED").about("/lines", "wrong_count"));
    }

    fn whose_cart_it_is_nobody_else_learns(shop) {
        let store = shop_with_mugs(shop);
        let cart = store.cart(&[("MUG", 1)]);
        let other = shop.another_channel("other");
        let token = cart.client.clone();
        let elsewhere = shop.storefront_of(other["id"].as_str().unwrap());
        let somebody = store.cart(&[("CUP", 1)]).client;
        let foreign = [
            ("another token", somebody),
            ("no token", store.front.clone()),
            ("an empty token", store.front.with("x-cart-token", "")),
            ("another channel", elsewhere),
        ];
        let requests = [
            ("GET", "", Value::Null),
            ("GET", "/checkout", Value::Null),
            ("PATCH", "", json!({ "email": "eve@example.com" })),
            ("POST", "/lines", json!({ "lines": [{ "sku": "MUG", "quantity": 1 }] })),
            ("POST", "/checkout", json!({ "payment": { "provider": "manual" } })),
            ("POST", "/place-order", json!({})),
        ];
        cart.checkout("approve").created();
        assert_eq!(token.get(&format!("/carts/{ABSENT}")).status, 404);
        shop.unchanged(|| for (who, client) in foreign {
            // Whoever sends no token is told to; beyond that, what is another's is told as what is not there.
            let absent = client.get(&format!("/carts/{ABSENT}")).refused(404, "NOT_FOUND").detail().to_owned();
            for (method, rest, body) in &requests {
                let body = (*method != "GET").then(|| body.to_string().into_bytes());
                let client = client.once().with("content-type", "application/json");
                let refused = client.send(method, &format!("/v1{}", cart.path(rest)), body.as_deref());
                assert_eq!(refused.status, 404, "{who}: {refused}");
                assert_eq!(refused.detail(), absent, "{who}: {refused}");
            }
        });
        assert_eq!(cart.checkout_status(), "open");
        cart.place().ok();
    }

    fn a_price_by_hand_needs_its_scope_and_stands_for_itself(shop) {
        let store = shop_with_mugs(shop);
        let line = json!({ "sku": "MUG", "quantity": 1, "unitPrice": 1 });
        let input = json!({ "channelId": store.channel, "lines": [{ "sku": "MUG", "quantity": 1 }, line] });
        let partner = shop.partner(&["carts:write"]);
        shop.unchanged(|| {
            partner.post("/carts", input.clone()).refused(403, "FORBIDDEN");
            store.front.post("/carts", json!({ "lines": [line] })).refused(403, "FORBIDDEN");
        });
        let made = shop.partner(&["carts:write", "prices:override"]).post("/carts", input).created();
        assert_eq!(made.at("/cart/lines").as_array().unwrap().len(), 2);
        assert_eq!(made.at("/cart/lines/1/priceOverridden"), true);
        assert_eq!(made.at("/cart/totals/goods/amount"), 1_501);
    }

    fn an_address_is_checked_field_by_field(shop) {
        let store = shop_with_mugs(shop);
        let cart = store.cart(&[("MUG", 1)]);
        let cases = [
            ("name", json!("Ada\u{0}Lovelace"), "/shippingAddress/name"),
            ("line1", json!("  "), "/shippingAddress/line1"),
            ("city", json!("x".repeat(101)), "/shippingAddress/city"),
            ("country", json!("Germany"), "/shippingAddress/country"),
            ("postcode", json!("1\u{0}"), "/shippingAddress/postcode"),
            ("phone", json!("030 123456"), "/shippingAddress/phone"),
        ];
        shop.unchanged(|| for (field, value, pointer) in cases {
            let mut address = store::address();
            address[field] = value;
            let refused = cart.client.patch(&cart.path(""), json!({ "shippingAddress": address }));
            assert_eq!((refused.status, refused.code()), (422, "VALIDATION_FAILED"), "{refused}");
            assert_eq!(refused.fields()[0].0, pointer, "{refused}");
        });
        assert_eq!(cart.get().at("/version"), 1);
    }

    fn a_stale_version_changes_nothing(shop) {
        let store = shop_with_mugs(shop);
        let cart = store.cart(&[("MUG", 1)]);
        let etag = cart.get().etag().to_owned();
        let one = json!({ "lines": store.lines(&[("CUP", 1)]) });
        cart.client.if_match(&etag).post(&cart.path("/lines"), one.clone()).ok();
        cart.client.if_match(&etag).post(&cart.path("/lines"), one).refused(412, "VERSION_CONFLICT");
        assert_eq!(cart.get().at("/lines/1/quantity"), 1);
    }

    fn what_stands_in_the_way_is_said_per_line(shop) {
        let store = shop_with_mugs(shop);
        let cart = store.cart(&[("MUG", 11), ("CUP", 1)]);
        let seen = cart.get();
        assert_eq!(seen.text("/lines/0/problems/0/code"), "insufficient_stock");
        assert_eq!(seen.at("/lines/0/problems/0/available"), 10);
        assert_eq!(seen.at("/lines/1/problems"), &json!([]));
        assert_eq!(seen.at("/ready"), false);
        let product = store.product("CUP");
        shop.staff().post(&format!("/products/{}/archive", product["id"].as_str().unwrap()), json!({})).ok();
        assert_eq!(cart.get().text("/lines/1/problems/0/code"), "not_available");
    }

    fn what_is_missing_is_said_of_the_cart(shop) {
        let store = Store::with(shop, &json!({ "countries": ["DE", "AT"] }), &[("VAT", "19")]);
        store.sell(&[("MUG", 1_500, 10)]);
        let made = store.front.post("/carts", json!({})).created();
        let cart = Cart::new(&store.front, &made);
        let problems = || -> Vec<String> {
            let seen = cart.get();
            seen.at("/problems").as_array().unwrap().iter().map(|p| p["code"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(problems(), ["empty", "email_missing"]);
        cart.client.post(&cart.path("/lines"), json!({ "lines": store.lines(&[("MUG", 1)]) })).ok();
        assert_eq!(problems(), ["email_missing", "address_missing", "delivery_missing"]);
        let mut address = store::address();
        address["country"] = json!("FR");
        let change = json!({ "email": "ada@example.com", "shippingAddress": address, "shippingMethodId": store.method });
        cart.client.patch(&cart.path(""), change).ok();
        assert_eq!(problems(), ["country_not_served", "delivery_not_available"]);
        address["country"] = json!("AT");
        address["postcode"] = json!("1010");
        cart.client.patch(&cart.path(""), json!({ "shippingAddress": address })).ok();
        assert_eq!(problems(), ["delivery_not_available"]);
        cart.client.patch(&cart.path(""), json!({ "shippingAddress": store::address() })).ok();
        assert_eq!(problems(), [""; 0]);
        cart.client.patch(&cart.path(""), json!({ "email": null })).ok();
        assert_eq!(problems(), ["email_missing"]);
    }

    fn a_way_of_delivery_of_another_channel_is_unknown(shop) {
        let store = shop_with_mugs(shop);
        let other = shop.another_channel("other");
        let front = shop.storefront_of(other["id"].as_str().unwrap());
        shop.unchanged(|| {
            let refused = front.post("/carts", json!({ "shippingMethodId": store.method }));
            refused.refused(422, "VALIDATION_FAILED").about("/shippingMethodId", "unknown_method");
        });
    }
}
