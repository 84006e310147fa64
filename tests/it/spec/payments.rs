//! Money after the order: captured, let go, sent back, recorded by hand; and where it is.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Cart, Shop, Store, concurrently};

const MUG: i64 = 1_500;
const PARCEL: i64 = 490;
const TOTAL: i64 = MUG + PARCEL;

/// An order of one mug, paid by this provider with this token.
struct Sold<'a> {
    shop: &'a Shop,
    cart: Cart,
    order: String,
    payment: String,
}

fn sold<'a>(shop: &'a Shop, provider: &str, token: &str) -> Sold<'a> {
    let store = Store::open(shop);
    store.sell(&[("MUG", MUG, 100)]);
    sell(&store, provider, token)
}

fn sell<'a>(store: &Store<'a>, provider: &str, token: &str) -> Sold<'a> {
    let cart = store.cart(&[("MUG", 1)]);
    let payment = match provider {
        "manual" => json!({ "provider": "manual" }),
        _ => json!({ "provider": provider, "token": token }),
    };
    cart.pay_by(&payment).created();
    let placed = cart.place().ok();
    Sold {
        shop: store.shop,
        cart,
        order: placed.text("/order/id").to_owned(),
        payment: placed.text("/order/payments/0/id").to_owned(),
    }
}

impl Sold<'_> {
    fn ask(&self, what: &str, body: Value) -> Answer {
        let path = format!("/payments/{}/{what}", self.payment);
        self.shop.staff().once().post(&path, body)
    }

    fn capture(&self, amount: Option<i64>) -> Answer {
        self.ask("capture", json!({ "amount": amount }))
    }

    fn refund(&self, amount: Option<i64>) -> Answer {
        self.ask("refund", json!({ "amount": amount, "reason": "broken" }))
    }

    fn void(&self) -> Answer {
        self.ask("void", json!({}))
    }

    fn record(&self, amount: i64, reference: &str) -> Answer {
        let body = json!({ "amount": amount, "reference": reference });
        let path = format!("/orders/{}/payments", self.order);
        self.shop.staff().once().post(&path, body)
    }

    /// Outstanding, captured and refunded.
    fn money(&self) -> (i64, i64, i64) {
        let path = format!("/payments/{}", self.payment);
        let seen = self.shop.staff().get(&path).ok();
        let amount = |field: &str| {
            let path = format!("/payment/{field}/amount");
            seen.at(&path).as_i64().unwrap()
        };
        (
            amount("outstanding"),
            amount("captured"),
            amount("refunded"),
        )
    }

    fn status(&self) -> String {
        let seen = self.shop.staff().get(&format!("/orders/{}", self.order));
        seen.ok().text("/paymentStatus").to_owned()
    }

    /// The kinds of the order's timeline.
    fn story(&self) -> Vec<String> {
        let path = format!("/orders/{}/timeline", self.order);
        let seen = self.shop.staff().get(&path).ok();
        let entries = seen.at("/entries").as_array().unwrap();
        let kind = |entry: &Value| entry["kind"].as_str().unwrap().to_owned();
        entries.iter().map(kind).collect()
    }
}

/// Balance and pending of each account in euro.
fn ledger(shop: &Shop) -> Vec<(String, i64, i64)> {
    let seen = shop.staff().get("/ledger/balances").ok();
    let accounts = seen.at("/accounts").as_array().unwrap();
    let entry = |a: &Value| {
        assert_eq!(a["currency"], "EUR");
        let minor = |field: &str| a[field].as_i64().unwrap();
        (
            a["account"].as_str().unwrap().to_owned(),
            minor("balance"),
            minor("pending"),
        )
    };
    accounts.iter().map(entry).collect()
}

fn account(name: &str, balance: i64, pending: i64) -> (String, i64, i64) {
    (name.to_owned(), balance, pending)
}

both! {
    fn each_shipment_is_captured_once_to_the_cent(shop) {
        let store = Store::with(shop, &json!({ "pricesIncludeTax": false, "capture": "shipment" }), &[("VAT", "19")]);
        // 9.99 net and 1.90 tax for three mugs, 2.50 and 0.48 for a pen, 4.90 and 0.93 for the parcel.
        store.sell(&[("MUG", 333, 100), ("PEN", 250, 100)]);
        let placed = store.checkout(&[("MUG", 3), ("PEN", 1)], "approve").place().ok();
        assert_eq!(placed.text("/order/paymentStatus"), "authorized");
        let line = |i: usize, units: i64| json!({ "lineId": placed.text(&format!("/order/lines/{i}/id")), "quantity": units });
        let ship = |name: &str, lines: &[Value]| shop.move_money(&placed, "capture", json!({ "shipment": name, "lines": lines }));

        let first = ship("S1", &[line(0, 1)]).ok();
        // A third of the mugs, and the parcel with the first of them.
        assert_eq!(first.at("/payment/captured/amount"), 333 + 63 + 490 + 93);
        assert_eq!(first.text("/attempts/0/shipment"), "S1");
        assert_eq!(first.at("/attempts/0/lines").as_array().unwrap().len(), 2);
        shop.unchanged(|| {
            ship("S1", &[line(0, 1)]).refused(409, "ALREADY_EXISTS").about("/shipment", "captured_already");
            ship("S2", &[line(0, 3)]).refused(422, "VALIDATION_FAILED").about("/lines/0/quantity", "out_of_range");
            ship("S2", &[line(2, 1)]).refused(422, "VALIDATION_FAILED").about("/lines/0/lineId", "unknown_line");
            ship("", &[line(0, 1)]).refused(422, "VALIDATION_FAILED").about("/shipment", "blank");
            let both = json!({ "lines": [line(0, 1)], "amount": 100 });
            shop.move_money(&placed, "capture", both).refused(422, "VALIDATION_FAILED").about("/amount", "both_kinds");
        });
        let path = format!("/orders/{}/cancel", placed.text("/order/id"));
        shop.staff().once().post(&path, json!({ "lines": [line(0, 1)] })).ok();
        let second = ship("S2", &[line(0, 1), line(1, 1)]).ok();
        let paid = 999 + 190 + 250 + 48 + 490 + 93 - (333 + 63);
        assert_eq!(second.at("/payment/captured/amount"), paid);
        assert_eq!(second.at("/payment/outstanding/amount"), 0, "nothing stays reserved after the last shipment");
        ship("S3", &[line(0, 1)]).refused(422, "VALIDATION_FAILED");
        ship("S2", &[line(0, 1), line(1, 1)]).refused(409, "ALREADY_EXISTS").about("/shipment", "captured_already");
        let order = shop.staff().get(&format!("/orders/{}", placed.text("/order/id"))).ok();
        assert_eq!(order.text("/paymentStatus"), "paid");
    }

    fn what_is_called_off_between_shipments_leaves_no_cent_behind(shop) {
        let store = Store::delivering_for_nothing(shop);
        // Five pens for 1.03 in all, by a coupon: no unit costs a whole number of cents.
        store.sell(&[("PEN", 21, 100)]);
        shop.staff().post("/coupons", json!({ "code": "TWO", "amount": 2, "currency": "EUR" })).created();
        for (first, shipped, then) in [(1, 3, 1), (0, 4, 1), (2, 1, 2), (0, 5, 0)] {
            let cart = store.cart(&[("PEN", 5)]);
            cart.client.post(&cart.path("/coupons"), json!({ "code": "TWO" })).ok();
            cart.checkout("approve").created();
            let placed = cart.place().ok();
            assert_eq!(placed.at("/order/totals/total/amount"), 103);
            let line = |units: i64| json!([{ "lineId": placed.text("/order/lines/0/id"), "quantity": units }]);
            let path = format!("/orders/{}", placed.text("/order/id"));
            let call_off = |units: i64| {
                if units > 0 {
                    let path = format!("{path}/cancel");
                    shop.staff().once().post(&path, json!({ "lines": line(units) })).ok();
                }
            };
            call_off(first);
            shop.move_money(&placed, "capture", json!({ "lines": line(shipped) })).ok();
            call_off(then);
            let order = shop.staff().get(&path).ok();
            let amount = |at: &str| order.at(at).as_i64().unwrap();
            assert_eq!(amount("/payments/0/captured/amount"), amount("/totals/total/amount") - amount("/totals/cancelled/amount"));
            assert_eq!((amount("/payments/0/outstanding/amount"), amount("/payments/0/refunded/amount")), (0, 0));
            assert_eq!(order.text("/paymentStatus"), "paid");
        }
        shop.check();
    }

    fn ten_shipments_of_the_same_unit_capture_it_once(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", MUG, 100)]);
        let placed = store.checkout(&[("MUG", 2)], "approve").place().ok();
        let line = json!({ "lineId": placed.text("/order/lines/0/id"), "quantity": 1 });
        let answers = concurrently(10, |i| {
            let name = format!("S{}", i % 5);
            shop.move_money(&placed, "capture", json!({ "shipment": name, "lines": [line] })).status
        });
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 2, "{answers:?}");
        assert_eq!(shop.payment(&placed).at("/payment/captured/amount"), 2 * MUG + PARCEL);
    }

    fn money_is_captured_in_parts_and_sent_back_in_parts(shop) {
        let sold = sold(shop, "test", "approve");
        assert_eq!((sold.money(), sold.status().as_str()), ((TOTAL, 0, 0), "authorized"));
        assert_eq!(ledger(shop), [account("customer", 0, -TOTAL), account("test", 0, TOTAL)]);

        sold.capture(Some(1_000)).ok();
        assert_eq!((sold.money(), sold.status().as_str()), ((990, 1_000, 0), "partially_paid"));
        assert_eq!(ledger(shop), [account("customer", -1_000, -990), account("test", 1_000, 990)]);
        let rest = sold.capture(None).ok();
        assert_eq!(rest.text("/payment/status"), "captured");
        assert_eq!((sold.money(), sold.status().as_str()), ((0, TOTAL, 0), "paid"));

        sold.refund(Some(700)).ok();
        assert_eq!((sold.money(), sold.status().as_str()), ((0, TOTAL, 700), "partially_refunded"));
        let all = sold.refund(None).ok();
        assert_eq!(all.text("/payment/status"), "refunded");
        assert_eq!((sold.money(), sold.status().as_str()), ((0, TOTAL, TOTAL), "refunded"));
        assert_eq!(ledger(shop), [account("customer", 0, 0), account("test", 0, 0)]);

        let attempts = all.at("/attempts").as_array().unwrap();
        let told: Vec<_> = attempts.iter().map(|a| (a["kind"].as_str().unwrap(), a["status"].as_str().unwrap())).collect();
        assert_eq!(told, [("capture", "succeeded"), ("capture", "succeeded"), ("refund", "succeeded"), ("refund", "succeeded")]);
        assert_eq!(sold.story(), ["placed", "payment_captured", "payment_captured", "payment_refunded", "payment_refunded"]);
        shop.check();
    }

    fn reserved_money_is_let_go(shop) {
        let sold = sold(shop, "test", "approve");
        sold.capture(Some(500)).ok();
        let after = sold.void().ok();
        assert_eq!(sold.money(), (0, 500, 0));
        assert_eq!(after.text("/payment/status"), "captured");
        shop.unchanged(|| {
            sold.void().refused(409, "INVALID_STATE");
            sold.capture(Some(1)).refused(409, "INVALID_STATE");
        });
        shop.check();
    }

    fn no_more_moves_than_there_is(shop) {
        let sold = sold(shop, "test", "approve");
        shop.unchanged(|| {
            sold.refund(Some(1)).refused(409, "INVALID_STATE");
            for amount in [0, -1, TOTAL + 1, i64::MAX] {
                sold.capture(Some(amount)).refused(422, "VALIDATION_FAILED").about("/amount", "out_of_range");
            }
        });
        sold.capture(None).ok();
        let partner = shop.partner(&["payments:read"]);
        shop.unchanged(|| {
            sold.capture(None).refused(409, "INVALID_STATE");
            for amount in [0, -1, TOTAL + 1] {
                sold.refund(Some(amount)).refused(422, "VALIDATION_FAILED").about("/amount", "out_of_range");
            }
            sold.ask("refund", json!({ "amount": 10.5 })).refused(400, "INVALID_INPUT");
            let keyless = shop.staff().post(&format!("/payments/{}/refund", sold.payment), json!({}));
            keyless.refused(400, "IDEMPOTENCY_KEY_REQUIRED");
            let absent = shop.staff().once().post("/payments/pay_01jq3h5s5vfkg8r4t0x2m6c9ze/refund", json!({}));
            absent.refused(404, "NOT_FOUND");
            let partner = partner.once();
            partner.post(&format!("/payments/{}/refund", sold.payment), json!({})).refused(403, "FORBIDDEN");
            sold.cart.client.once().post(&format!("/payments/{}/refund", sold.payment), json!({})).refused(403, "FORBIDDEN");
        });
        shop.check();
    }

    fn a_key_repeats_a_refund_s_answer_and_moves_money_once(shop) {
        let sold = sold(shop, "test", "approve");
        sold.capture(None).ok();
        let staff = shop.staff().keyed("refund-4711");
        let path = format!("/payments/{}/refund", sold.payment);
        let first = staff.post(&path, json!({ "amount": 300 })).ok();
        let again = staff.post(&path, json!({ "amount": 300 })).ok();
        assert_eq!(first.json, again.json);
        assert_eq!(again.header("idempotent-replayed"), "true");
        staff.post(&path, json!({ "amount": 301 })).refused(422, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(sold.money(), (0, TOTAL, 300));
    }

    fn a_provider_far_away_moves_money_too(shop) {
        let sold = sold(shop, "test_remote", "approve");
        let captured = sold.capture(None).ok();
        assert_eq!(captured.text("/payment/status"), "captured");
        sold.refund(Some(400)).ok();
        assert_eq!(sold.money(), (0, TOTAL, 400));
        shop.check();
    }

    fn what_a_provider_refuses_is_told_and_moves_nothing(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", MUG, 100)]);
        for provider in ["test", "test_remote"] {
            let stuck = sell(&store, provider, "no_capture");
            let said = stuck.capture(None).refused(402, "PAYMENT_DECLINED").about("/amount", "declined");
            assert!(said.detail().contains("capture_declined"), "{said}");
            assert_eq!((stuck.money(), stuck.status().as_str()), ((TOTAL, 0, 0), "authorized"));
            let kept = sell(&store, provider, "no_refund");
            kept.capture(None).ok();
            kept.refund(Some(100)).refused(402, "PAYMENT_DECLINED");
            assert_eq!((kept.money(), kept.status().as_str()), ((0, TOTAL, 0), "paid"));
            if provider == "test_remote" {
                assert_eq!(kept.story(), ["placed", "payment_captured", "refund_failed"]);
            }
        }
        shop.check();
    }

    fn a_channel_may_take_the_money_with_the_order(shop) {
        let channel = json!({ "capture": "placement" });
        shop.staff().patch(&format!("/channels/{}", shop.channel), channel).ok();
        let store = Store::open(shop);
        store.sell(&[("MUG", MUG, 100)]);
        for provider in ["test", "test_remote"] {
            let sold = sell(&store, provider, "approve");
            assert_eq!((sold.money(), sold.status().as_str()), ((0, TOTAL, 0), "paid"));
        }
        shop.check();
    }

    fn money_that_people_bring_is_recorded(shop) {
        let sold = sold(shop, "manual", "");
        assert_eq!(sold.status(), "awaited");
        sold.capture(None).refused(409, "INVALID_STATE");
        sold.void().refused(409, "INVALID_STATE");
        let part = sold.record(1_000, "transfer-1").ok();
        assert_eq!(part.text("/paymentStatus"), "partially_paid");
        sold.record(1_000, "transfer-1").ok();
        assert_eq!(sold.money(), (990, 1_000, 0), "the same transfer counts once");
        assert_eq!(sold.record(990, "transfer-2").ok().text("/paymentStatus"), "paid");
        shop.unchanged(|| {
            for amount in [0, -TOTAL - 1] {
                sold.record(amount, "x").refused(422, "VALIDATION_FAILED").about("/amount", "out_of_range");
            }
            sold.record(1, "").refused(422, "VALIDATION_FAILED").about("/reference", "blank");
        });
        assert_eq!(sold.record(-500, "back-1").ok().text("/paymentStatus"), "partially_refunded");
        assert_eq!(sold.money(), (0, TOTAL, 500));
        let told = sold.story();
        sold.record(-500, "back-1").ok();
        assert_eq!(told, sold.story(), "the same is told once");
        shop.check();
    }

    fn units_whose_money_people_send_back_are_counted_as_refunded(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", MUG, 100)]);
        let cart = store.cart(&[("MUG", 2)]);
        cart.pay_by(&json!({ "provider": "manual" })).created();
        let order = cart.place().ok().at("/order").clone();
        let record = |amount: i64, reference: &str, lines: Value| {
            let body = json!({ "amount": amount, "reference": reference, "lines": lines });
            shop.staff().once().post(&format!("/orders/{}/payments", order["id"].as_str().unwrap()), body)
        };
        let mugs = |quantity: i64| json!([{ "lineId": order["lines"][0]["id"], "quantity": quantity }]);
        record(2 * MUG + PARCEL, "transfer-1", Value::Null).ok();
        shop.unchanged(|| {
            record(1, "x", mugs(1)).refused(422, "VALIDATION_FAILED").about("/lines", "not_a_refund");
            record(-MUG, "x", mugs(3)).refused(422, "VALIDATION_FAILED").about("/lines/0/quantity", "out_of_range");
            // Half of what two cost, to the cent.
            record(-MUG - 1, "x", mugs(1)).refused(422, "VALIDATION_FAILED").about("/amount", "out_of_range");
        });
        // What is told again is told alike; a space does not make it another.
        shop.unchanged(|| {
            record(1, "transfer-1", Value::Null).refused(409, "ALREADY_EXISTS").about("/reference", "other_amount");
        });
        let again = record(2 * MUG + PARCEL, " transfer-1 ", Value::Null).ok();
        assert_eq!(again.at("/payments/0/captured/amount"), 2 * MUG + PARCEL);
        for _ in 0..2 {
            assert_eq!(record(-MUG, "back-1", mugs(1)).ok().at("/lines/0/quantityRefunded"), 1);
        }
        let left = shop.staff().post(&format!("/orders/{}/suggest-refund", order["id"].as_str().unwrap()), json!({})).ok();
        assert_eq!(left.at("/amount/amount"), MUG + PARCEL);
        assert_eq!(record(-MUG, "back-2", mugs(1)).ok().at("/lines/0/quantityRefunded"), 2);
        record(-PARCEL, "back-3", mugs(1)).refused(422, "VALIDATION_FAILED").about("/lines/0/quantity", "out_of_range");
        shop.check();
    }

    fn an_order_that_is_called_off_gives_the_money_back_by_its_provider(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", MUG, 100)]);
        for (provider, captured) in [("test", false), ("test", true), ("test_remote", false), ("test_remote", true)] {
            let sold = sell(&store, provider, "approve");
            if captured {
                sold.capture(None).ok();
            }
            shop.staff().once().post(&format!("/orders/{}/cancel", sold.order), json!({})).ok();
            shop.wait(std::time::Duration::from_mins(1));
            shop.work();
            let back = if captured { (0, TOTAL, TOTAL) } else { (0, 0, 0) };
            assert_eq!(sold.money(), back, "{provider} {captured}");
            assert_eq!(sold.status(), if captured { "refunded" } else { "cancelled" });
        }
        shop.check();
    }

    fn a_provider_that_has_another_amount_stops_the_order_and_lets_the_money_go(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", MUG, 100)]);
        for provider in ["test", "test_remote"] {
            let cart = store.cart(&[("MUG", 1)]);
            cart.pay_by(&json!({ "provider": provider, "token": "wrong_amount" })).created();
            cart.place().refused(409, "PAYMENT_MISMATCH");
        }
        shop.work();
        assert_eq!(shop.staff().get("/orders").ok().at("/items"), &json!([]));
        shop.check();
    }

    fn payments_are_listed_newest_first(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", MUG, 100)]);
        let all: Vec<_> = (0..3).map(|_| sell(&store, "test", "approve").payment).collect();
        let seen = shop.staff().get("/payments?limit=2").ok();
        assert_eq!([seen.text("/items/0/id"), seen.text("/items/1/id")], [all[2].as_str(), &all[1]]);
        let next = seen.text("/page/nextCursor");
        let rest = shop.staff().get(&format!("/payments?limit=2&after={next}")).ok();
        assert_eq!(rest.text("/items/0/id"), all[0]);
        let manual = shop.staff().get("/payments?provider=manual").ok();
        assert_eq!(manual.at("/items"), &json!([]));
    }

    fn an_order_that_nobody_pays_is_called_off_when_its_time_is_over(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", MUG, 100)]);
        let channel = format!("/channels/{}", store.channel);
        let before = sell(&store, "manual", "");
        shop.staff().patch(&channel, json!({ "cancelUnpaidAfter": 72 })).ok();
        let unpaid = sell(&store, "manual", "");
        let part = sell(&store, "manual", "");
        let by_card = sell(&store, "test", "approve");
        let cart = store.cart(&[("MUG", 1)]);
        cart.pay_by(&json!({ "provider": "manual", "method": "cash_on_delivery" })).created();
        let at_the_door = cart.place().ok();

        part.record(1, "transfer-1").ok();
        shop.wait(Duration::from_hours(71));
        shop.work();
        assert_eq!(unpaid.status(), "awaited");
        shop.wait(Duration::from_hours(2));
        shop.work();
        let status = |order: &str| shop.staff().get(&format!("/orders/{order}")).ok().text("/status").to_owned();
        assert_eq!(status(&unpaid.order), "cancelled");
        assert_eq!(unpaid.story(), ["placed", "cancelled"]);
        for kept in [&before.order, &part.order, &by_card.order, at_the_door.text("/order/id")] {
            assert_eq!(status(kept), "open");
        }
        assert_eq!(store.stock("MUG"), (100, 0, 4));
    }

    fn a_channel_that_waits_for_ever_again_calls_nothing_off(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", MUG, 100)]);
        let channel = format!("/channels/{}", store.channel);
        for hours in [0, -1, 8_761] {
            shop.staff().patch(&channel, json!({ "cancelUnpaidAfter": hours })).refused(422, "VALIDATION_FAILED").about("/cancelUnpaidAfter", "out_of_range");
        }
        shop.staff().patch(&channel, json!({ "cancelUnpaidAfter": 1 })).ok();
        let sold = sell(&store, "manual", "");
        shop.staff().patch(&channel, json!({ "cancelUnpaidAfter": null })).ok();
        shop.wait(Duration::from_hours(2));
        shop.work();
        assert_eq!(sold.story(), ["placed"]);
    }

    fn money_is_reserved_anew_with_a_saved_method(shop) {
        let sold = sold(shop, "test", "card_ada");
        let saved = shop.staff().post("/saved-payment-methods", json!({ "provider": "test", "email": "ada@example.com" })).created();
        let other = shop.staff().post("/saved-payment-methods", json!({ "provider": "test", "email": "eve@example.com" })).created();
        let ask = |method: &Value| sold.ask("reauthorize", json!({ "savedPaymentMethodId": method }));
        shop.unchanged(|| {
            ask(&Value::Null).refused(422, "VALIDATION_FAILED").about("/savedPaymentMethodId", "required");
            ask(other.at("/methods/0/id")).refused(422, "VALIDATION_FAILED").about("/savedPaymentMethodId", "unknown_payment_method");
            let unknown = shop.staff().once().post("/payments/pay_01jq3h5s5vfkg8r4t0x2m6c9ze/reauthorize", json!({}));
            unknown.refused(404, "NOT_FOUND");
            let front = shop.storefront().once().post(&format!("/payments/{}/reauthorize", sold.payment), json!({}));
            front.refused(403, "FORBIDDEN");
        });
        let query = "mutation ($input: ReauthorizePaymentInput!) { reauthorizePayment(input: $input) { payment { id status outstanding { amount } } } }";
        let input = json!({ "input": { "id": sold.payment, "savedPaymentMethodId": saved.at("/methods/0/id") } });
        let anew = shop.staff().once().graphql(query, input).ok();
        let anew = anew.at("/data/reauthorizePayment/payment");
        assert_eq!((&anew["status"], &anew["outstanding"]["amount"]), (&json!("authorized"), &json!(TOTAL)));
        assert_eq!(sold.money(), (0, 0, 0), "the old reservation is let go");
        assert_eq!((sold.story(), sold.status()), (["placed", "payment_voided", "payment_reauthorized"].map(str::to_owned).to_vec(), "authorized".to_owned()));
        let again = ask(saved.at("/methods/0/id")).ok();
        assert_eq!(again.at("/payment/id"), &anew["id"], "asked again, it is done already");

        let capture = format!("/payments/{}/capture", anew["id"].as_str().unwrap());
        shop.staff().once().post(&capture, json!({})).ok();
        let again = format!("/payments/{}/reauthorize", anew["id"].as_str().unwrap());
        shop.unchanged(|| shop.staff().once().post(&again, json!({})).refused(409, "INVALID_STATE"));
        shop.check();
    }

    fn nothing_is_reserved_anew_for_an_order_that_was_called_off(shop) {
        let sold = sold(shop, "test", "approve");
        let saved = shop.staff().post("/saved-payment-methods", json!({ "provider": "test", "email": "ada@example.com" })).created();
        shop.staff().once().post(&format!("/orders/{}/cancel", sold.order), json!({})).ok();
        shop.unchanged(|| {
            let asked = sold.ask("reauthorize", json!({ "savedPaymentMethodId": saved.at("/methods/0/id") }));
            asked.refused(409, "INVALID_STATE");
        });
    }

    fn what_never_reserved_money_is_not_reserved_anew(shop) {
        let sold = sold(shop, "manual", "");
        let saved = shop.staff().post("/saved-payment-methods", json!({ "provider": "test", "email": "ada@example.com" })).created();
        let link = shop.staff().once().post(&format!("/orders/{}/payment-links", sold.order), json!({})).created();
        let path = format!("/payment-links/{}/pay", link.text("/token"));
        shop.storefront().once().post(&path, json!({ "payment": { "provider": "test", "token": "decline" } })).refused(402, "PAYMENT_DECLINED");
        let order = shop.staff().get(&format!("/orders/{}", sold.order)).ok();
        for payment in order.at("/payments").as_array().unwrap() {
            let path = format!("/payments/{}/reauthorize", payment["id"].as_str().unwrap());
            let body = json!({ "savedPaymentMethodId": saved.at("/methods/0/id") });
            shop.unchanged(|| shop.staff().once().post(&path, body).refused(409, "INVALID_STATE"));
        }
    }
}
