//! Money that goes back for units of an order: suggested, sent, refused.

use serde_json::{Value, json};

use crate::support::{Answer, Shop, Store};

/// Three mugs of 3.33 net at 19 %: net 9.99, tax 1.90, and a parcel of 4.90 net, tax 0.93.
const MUGS: i64 = 999 + 190;
const PARCEL: i64 = 490 + 93;

/// An order of three mugs in a shop whose prices are net.
struct Sold<'a> {
    shop: &'a Shop,
    order: Value,
}

fn sold<'a>(shop: &'a Shop, token: &str) -> Sold<'a> {
    let store = Store::with(
        shop,
        &json!({ "pricesIncludeTax": false }),
        &[("VAT", "19")],
    );
    store.sell(&[("MUG", 333, 100)]);
    let placed = store.checkout(&[("MUG", 3)], token).place().ok();
    let sold = Sold {
        shop,
        order: placed.at("/order").clone(),
    };
    assert_eq!(sold.order["totals"]["total"]["amount"], MUGS + PARCEL);
    sold
}

/// The same, with its money taken.
fn paid<'a>(shop: &'a Shop, token: &str) -> Sold<'a> {
    let sold = sold(shop, token);
    sold.ask("capture", json!({})).ok();
    sold
}

impl Sold<'_> {
    fn id(&self) -> &str {
        self.order["id"].as_str().unwrap()
    }

    fn mugs(&self, quantity: i64) -> Value {
        json!({ "lineId": self.order["lines"][0]["id"], "quantity": quantity })
    }

    fn parcel(&self) -> Value {
        json!({ "lineId": self.order["lines"][1]["id"], "quantity": 1 })
    }

    fn ask(&self, what: &str, body: Value) -> Answer {
        let payment = self.order["payments"][0]["id"].as_str().unwrap();
        self.shop
            .staff()
            .once()
            .post(&format!("/payments/{payment}/{what}"), body)
    }

    fn refund(&self, lines: &Value) -> Answer {
        self.ask("refund", json!({ "lines": lines }))
    }

    fn cancel(&self, lines: &Value) -> Answer {
        let path = format!("/orders/{}/cancel", self.id());
        self.shop
            .staff()
            .once()
            .post(&path, json!({ "lines": lines }))
    }

    fn suggest(&self, lines: &Value) -> Answer {
        let path = format!("/orders/{}/suggest-refund", self.id());
        self.shop.staff().post(&path, json!({ "lines": lines }))
    }

    /// What is suggested for these lines: what they come to, and what can go back of it.
    fn worth(&self, lines: &Value) -> (i64, i64) {
        let seen = self.suggest(lines).ok();
        let amount = |field: &str| seen.at(&format!("/{field}/amount")).as_i64().unwrap();
        (amount("amount"), amount("refundable"))
    }

    fn seen(&self) -> Answer {
        self.shop
            .staff()
            .get(&format!("/orders/{}", self.id()))
            .ok()
    }
}

/// What the latest attempt of a payment asked for, how it stands, and its units.
fn latest(payment: &Answer) -> (i64, String, Vec<i64>) {
    let attempt = payment
        .at("/attempts")
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    let units = attempt["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["quantity"].as_i64().unwrap());
    (
        attempt["amount"]["amount"].as_i64().unwrap(),
        attempt["status"].as_str().unwrap().to_owned(),
        units.collect(),
    )
}

/// An order of 100.00 whose money comes by transfer.
struct ByTransfer<'a> {
    shop: &'a Shop,
    order: String,
    line: Value,
}

impl<'a> ByTransfer<'a> {
    fn new(shop: &'a Shop) -> Self {
        let store = Store::delivering_for_nothing(shop);
        store.sell(&[("LAMP", 10_000, 10)]);
        let cart = store.cart(&[("LAMP", 1)]);
        cart.pay_by(&json!({ "provider": "manual" })).created();
        let placed = cart.place().ok();
        Self {
            shop,
            order: placed.text("/order/id").to_owned(),
            line: placed.at("/order/lines/0/id").clone(),
        }
    }

    fn ask(&self, what: &str, body: Value) -> Answer {
        let path = format!("/orders/{}/{what}", self.order);
        self.shop.staff().once().post(&path, body)
    }

    /// Money that has come, or with a minus gone back.
    fn came(&self, amount: i64, reference: &str) {
        let body = json!({ "amount": amount, "reference": reference });
        self.ask("payments", body).ok();
    }

    /// What can go back as both doors suggest it: in all, and beyond what is due.
    fn suggested(&self) -> (i64, i64) {
        let rest = self.ask("suggest-refund", json!({})).ok();
        let query = "mutation($id: ID!) { suggestRefund(input: { id: $id }) {
            amount { amount } refundable { amount } excess { amount } } }";
        let staff = self.shop.staff().once();
        let graphql = staff.graphql(query, json!({ "id": self.order })).ok();
        let told = graphql.data("suggestRefund");
        for field in ["amount", "refundable", "excess"] {
            assert_eq!(
                told[field]["amount"],
                rest.at(&format!("/{field}"))["amount"]
            );
        }
        let amount = |field: &str| rest.at(&format!("/{field}/amount")).as_i64().unwrap();
        (amount("refundable"), amount("excess"))
    }

    /// What the timeline says is to go back, oldest first.
    fn told(&self) -> Vec<i64> {
        let path = format!("/orders/{}/timeline", self.order);
        let timeline = self.shop.staff().get(&path).ok();
        let entries = timeline.at("/entries").as_array().unwrap().iter();
        let due = entries.filter(|entry| entry["kind"] == "refund_due");
        due.map(|entry| entry["data"]["amount"]["amount"].as_i64().unwrap())
            .collect()
    }
}

both! {
    fn a_unit_is_worth_what_was_paid_for_it(shop) {
        let store = Store::delivering_for_nothing(shop);
        store.sell(&[("DESK", 10_000, 100), ("PEN", 110, 100)]);
        let staff = shop.staff();
        let unit = |order: &Value| json!({ "lines": [{ "lineId": order["lines"][0]["id"], "quantity": 1 }] });
        let suggested = |order: &Value| {
            let path = format!("/orders/{}/suggest-refund", order["id"].as_str().unwrap());
            staff.post(&path, unit(order)).ok().at("/amount/amount").as_i64().unwrap()
        };
        // 200.00 with 31.93 of tax inside: half is 100.00, however net and tax are rounded.
        let two = store.order(&[("DESK", 2)]);
        assert_eq!((&two["totals"]["total"]["amount"], suggested(&two)), (&json!(20_000), 10_000));
        let cancelled = staff.once().post(&format!("/orders/{}/cancel", two["id"].as_str().unwrap()), unit(&two)).ok();
        assert_eq!(cancelled.at("/totals/cancelled/amount"), 10_000);
        let five = store.order(&[("PEN", 5)]);
        assert_eq!((&five["totals"]["total"]["amount"], suggested(&five)), (&json!(550), 110));
        shop.check();
    }

    fn unit_by_unit_gives_back_exactly_what_was_charged(shop) {
        let sold = paid(shop, "approve");
        assert_eq!(sold.worth(&Value::Null), (MUGS + PARCEL, MUGS + PARCEL));
        let suggested = sold.suggest(&json!([sold.mugs(1)])).ok();
        assert_eq!(suggested.at("/lines/0/amount/amount"), 396);
        assert_eq!(suggested.at("/lines/0/tax/amount"), 63);
        assert_eq!(suggested.text("/payments/0/paymentId"), sold.order["payments"][0]["id"]);
        assert_eq!(suggested.at("/payments/0/refundable/amount"), MUGS + PARCEL);

        for share in [396, 397, 396] {
            let back = sold.refund(&json!([sold.mugs(1)])).ok();
            assert_eq!(latest(&back), (share, "succeeded".into(), vec![1]));
        }
        assert_eq!(sold.seen().at("/lines/0/quantityRefunded"), 3);
        assert_eq!(sold.worth(&Value::Null), (PARCEL, PARCEL));
        sold.refund(&json!([sold.parcel()])).ok();
        assert_eq!(sold.seen().text("/paymentStatus"), "refunded");
        assert_eq!(sold.worth(&Value::Null), (0, 0));
        sold.refund(&json!([sold.mugs(1)])).refused(422, "VALIDATION_FAILED").about("/lines/0/quantity", "out_of_range");
    }

    fn units_that_are_called_off_and_units_that_are_refunded_share_one_line(shop) {
        let sold = paid(shop, "approve");
        sold.cancel(&json!([sold.mugs(1)])).ok();
        sold.refund(&json!([sold.mugs(1)])).ok();
        sold.cancel(&json!([sold.mugs(2)])).refused(422, "VALIDATION_FAILED").about("/lines/0/quantity", "out_of_range");
        sold.refund(&json!([sold.mugs(2)])).refused(422, "VALIDATION_FAILED").about("/lines/0/quantity", "out_of_range");
        sold.refund(&json!([sold.mugs(1), sold.parcel()])).ok();
        assert_eq!(sold.seen().text("/paymentStatus"), "refunded");
    }

    fn an_order_of_which_units_were_refunded_is_called_off_whole(shop) {
        let sold = paid(shop, "approve");
        sold.refund(&json!([sold.mugs(1)])).ok();
        let gone = sold.cancel(&Value::Null).ok();
        assert_eq!((gone.text("/status"), gone.text("/paymentStatus")), ("cancelled", "refunded"));
        assert_eq!(gone.at("/totals/cancelled/amount"), MUGS + PARCEL - 396);
        shop.check();
    }

    fn what_the_provider_refuses_leaves_the_units_unrefunded(shop) {
        let sold = paid(shop, "no_refund");
        sold.refund(&json!([sold.mugs(2)])).refused(402, "PAYMENT_DECLINED");
        assert_eq!(sold.worth(&Value::Null), (MUGS + PARCEL, MUGS + PARCEL));
    }

    fn a_fee_is_kept_and_no_more_than_the_units_goes_back(shop) {
        let sold = paid(shop, "approve");
        let body = |amount: i64| json!({ "lines": [sold.mugs(1)], "amount": amount });
        sold.ask("refund", body(397)).refused(422, "VALIDATION_FAILED").about("/amount", "out_of_range");
        let back = sold.ask("refund", body(300)).ok();
        assert_eq!(latest(&back), (300, "succeeded".into(), vec![1]));
        assert_eq!(sold.worth(&json!([sold.mugs(1)])), (397, 397));
    }

    fn what_has_not_come_cannot_go_back(shop) {
        let sold = sold(shop, "approve");
        assert_eq!(sold.worth(&Value::Null), (MUGS + PARCEL, 0));
        sold.refund(&json!([sold.mugs(1)])).refused(409, "INVALID_STATE");
        assert_eq!(sold.worth(&Value::Null), (MUGS + PARCEL, 0), "nothing is counted as refunded");
    }

    fn lines_are_checked_one_by_one(shop) {
        let sold = paid(shop, "approve");
        let other = "oln_01jq3h5s5vfkg8r4t0x2m6c9ze";
        let cases = [
            (json!([]), "/lines", "wrong_count"),
            (json!([sold.mugs(0)]), "/lines/0/quantity", "out_of_range"),
            (json!([sold.mugs(4)]), "/lines/0/quantity", "out_of_range"),
            (json!([sold.mugs(1), sold.mugs(1)]), "/lines/1", "duplicate"),
            (json!([{ "lineId": other, "quantity": 1 }]), "/lines/0/lineId", "unknown_line"),
        ];
        shop.unchanged(|| {
            for (lines, pointer, code) in &cases {
                sold.suggest(lines).refused(422, "VALIDATION_FAILED").about(pointer, code);
                sold.refund(lines).refused(422, "VALIDATION_FAILED").about(pointer, code);
            }
        });
        shop.staff().post("/orders/ord_01jq3h5s5vfkg8r4t0x2m6c9ze/suggest-refund", json!({})).refused(404, "NOT_FOUND");
    }

    fn a_transfer_after_the_order_was_called_off_is_to_go_back(shop) {
        let order = ByTransfer::new(shop);
        order.ask("cancel", json!({})).ok();
        assert_eq!((order.suggested(), order.told()), ((0, 0), vec![]));
        order.came(10_000, "late");
        order.came(10_000, "late");
        assert_eq!((order.suggested(), order.told()), ((10_000, 10_000), vec![10_000]));
        shop.check();
        order.came(-4_000, "back-1");
        assert_eq!(order.suggested(), (6_000, 6_000));
        order.came(-6_000, "back-2");
        assert_eq!((order.suggested(), order.told()), ((0, 0), vec![10_000]));
    }

    fn what_was_transferred_twice_is_to_go_back(shop) {
        let order = ByTransfer::new(shop);
        order.came(10_000, "first");
        assert_eq!((order.suggested(), order.told()), ((10_000, 0), vec![]));
        order.came(10_000, "second");
        assert_eq!((order.suggested(), order.told()), ((20_000, 10_000), vec![10_000]));
        let units = json!({ "lines": [{ "lineId": order.line, "quantity": 1 }] });
        let named = order.ask("suggest-refund", units).ok();
        assert_eq!((named.at("/amount/amount"), named.at("/excess/amount")), (&json!(10_000), &json!(10_000)));
        order.ask("cancel", json!({})).ok();
        assert_eq!((order.suggested(), order.told()), ((20_000, 20_000), vec![10_000, 20_000]));
        shop.check();
    }

    fn a_transfer_of_too_much_is_told_and_the_books_are_sound(shop) {
        let order = ByTransfer::new(shop);
        order.came(10_001, "too much");
        assert_eq!((order.suggested(), order.told()), ((10_001, 1), vec![1]));
        shop.check();
        order.came(-1, "back");
        assert_eq!(order.suggested(), (10_000, 0));
        order.came(1, "and again");
        assert_eq!((order.suggested(), order.told()), ((10_001, 1), vec![1, 1]));
        shop.check();
    }

    fn money_that_is_kept_and_told_to_nobody_is_noticed(shop) {
        let order = ByTransfer::new(shop);
        order.came(10_000, "first");
        shop.check();
        shop.connect().batch("UPDATE orders SET cancelled_total = 1").unwrap();
        let broken = shop.sound().unwrap_err();
        assert!(broken.contains("what is kept beyond what is due is told"), "{broken}");
    }

    fn a_fee_that_is_kept_for_units_is_not_to_go_back(shop) {
        let sold = paid(shop, "approve");
        sold.ask("refund", json!({ "lines": [sold.mugs(1)], "amount": 300 })).ok();
        sold.cancel(&Value::Null).ok();
        assert!(!shop.timeline(sold.id()).contains(&"refund_due".to_owned()));
        assert_eq!(sold.worth(&Value::Null), (0, 0));
        shop.check();
    }

    fn no_amount_of_a_transfer_is_too_large_to_be_refused(shop) {
        let order = ByTransfer::new(shop);
        shop.unchanged(|| {
            for amount in [0, i64::MIN, i64::MIN + 1, i64::MAX, 1_000_000_000_000_001, -1_000_000_000_000_001] {
                let body = json!({ "amount": amount, "reference": "r" });
                order.ask("payments", body).refused(422, "VALIDATION_FAILED").about("/amount", "out_of_range");
            }
        });
        order.came(1_000_000_000_000_000, "the most");
        assert_eq!(order.suggested().1, 1_000_000_000_000_000 - 10_000);
    }
}
