//! Links by which orders are paid that were placed before.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Shop, Store, concurrently};

const MUG: i64 = 1_500;
const TOTAL: i64 = MUG + 490;

/// An order whose money was to come by transfer.
struct Sold<'a> {
    store: &'a Store<'a>,
    order: String,
}

fn mugs(shop: &Shop) -> Store<'_> {
    let store = Store::open(shop);
    store.sell(&[("MUG", MUG, 100)]);
    store
}

fn sold<'a>(store: &'a Store<'a>) -> Sold<'a> {
    let cart = store.cart(&[("MUG", 1)]);
    cart.pay_by(&json!({ "provider": "manual" })).created();
    let order = cart.place().ok().text("/order/id").to_owned();
    Sold { store, order }
}

impl Sold<'_> {
    fn ask(&self, what: &str, body: Value) -> Answer {
        let path = format!("/orders/{}/{what}", self.order);
        self.store.shop.staff().once().post(&path, body)
    }

    /// A new link's token.
    fn link(&self) -> String {
        let made = self.ask("payment-links", json!({})).created();
        assert_eq!(made.text("/link/status"), "open");
        made.text("/token").to_owned()
    }

    fn pay(&self, token: &str, instrument: &str) -> Answer {
        let payment = json!({ "provider": "test", "token": instrument });
        let path = format!("/payment-links/{token}/pay");
        self.store
            .front
            .once()
            .post(&path, json!({ "payment": payment }))
    }

    fn seen(&self) -> Answer {
        let path = format!("/orders/{}", self.order);
        self.store.shop.staff().get(&path).ok()
    }

    /// Provider, status, captured and outstanding of its payments.
    fn payments(&self) -> Vec<(String, String, i64, i64)> {
        let seen = self.seen();
        let text = |p: &Value, field: &str| p[field].as_str().unwrap().to_owned();
        let amount = |p: &Value, field: &str| p[field]["amount"].as_i64().unwrap();
        let payments = seen.at("/payments").as_array().unwrap().iter();
        let one = |p: &Value| {
            (
                text(p, "provider"),
                text(p, "status"),
                amount(p, "captured"),
                amount(p, "outstanding"),
            )
        };
        payments.map(one).collect()
    }
}

fn status(store: &Store<'_>, token: &str) -> (String, i64) {
    let seen = store.front.get(&format!("/payment-links/{token}")).ok();
    (
        seen.text("/status").to_owned(),
        seen.at("/due/amount").as_i64().unwrap(),
    )
}

fn payment(
    provider: &str,
    status: &str,
    captured: i64,
    outstanding: i64,
) -> (String, String, i64, i64) {
    (
        provider.to_owned(),
        status.to_owned(),
        captured,
        outstanding,
    )
}

both! {
    fn an_order_is_paid_by_link_and_the_transfer_is_awaited_no_longer(shop) {
        let store = mugs(shop);
        let sold = sold(&store);
        let token = sold.link();
        assert_eq!(status(&store, &token), ("open".into(), TOTAL));
        let paid = sold.pay(&token, "approve").ok();
        assert_eq!((paid.text("/outcome"), paid.text("/link/status")), ("paid", "paid"));
        assert_eq!(sold.payments(), [payment("manual", "cancelled", 0, 0), payment("test", "captured", TOTAL, 0)]);
        assert_eq!(sold.seen().text("/paymentStatus"), "paid");
        sold.pay(&token, "approve").refused(409, "INVALID_STATE");
        sold.ask("payment-links", json!({})).refused(409, "INVALID_STATE");

        sold.ask("cancel", json!({})).ok();
        assert_eq!(sold.seen().text("/paymentStatus"), "refunded");
        assert_eq!(status(&store, &token), ("cancelled".into(), 0));
        shop.check();
    }

    fn a_link_asks_for_what_is_still_due(shop) {
        let store = mugs(shop);
        let sold = sold(&store);
        let token = sold.link();
        sold.ask("payments", json!({ "amount": 990, "reference": "transfer-1" })).ok();
        assert_eq!(status(&store, &token), ("open".into(), TOTAL - 990));
        sold.pay(&token, "approve").ok();
        assert_eq!(sold.payments(), [payment("manual", "captured", 990, 0), payment("test", "captured", TOTAL - 990, 0)]);
        assert_eq!(sold.seen().text("/paymentStatus"), "paid");
        shop.check();
    }

    fn a_declined_card_may_be_followed_by_another(shop) {
        let store = mugs(shop);
        let sold = sold(&store);
        let token = sold.link();
        sold.pay(&token, "decline").refused(402, "PAYMENT_DECLINED");
        assert_eq!(status(&store, &token), ("open".into(), TOTAL));
        let acting = sold.pay(&token, "action").ok();
        assert_eq!(acting.text("/outcome"), "action_required");
        assert!(acting.text("/actionUrl").starts_with("https://"));
        sold.pay(&token, "approve").ok();
        assert_eq!(sold.payments().len(), 2, "one payment, asked for until it was made");
        shop.check();
    }

    fn a_link_that_is_paid_by_many_at_once_is_paid_once(shop) {
        let store = mugs(shop);
        let sold = sold(&store);
        let token = sold.link();
        let answers = concurrently(8, |_| sold.pay(&token, "approve").status);
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1);
        assert_eq!(sold.payments(), [payment("manual", "cancelled", 0, 0), payment("test", "captured", TOTAL, 0)]);
        shop.check();
    }

    fn a_link_ends_with_its_time_by_hand_and_with_its_order(shop) {
        let store = mugs(shop);
        let (late, back, gone) = (sold(&store), sold(&store), sold(&store));
        let late_link = late.link();
        let made = back.ask("payment-links", json!({ "hours": 1_000 })).created();
        let gone_link = gone.ask("payment-links", json!({ "hours": 1_000 })).created().text("/token").to_owned();
        let disable = format!("/payment-links/{}/disable", made.text("/link/id"));
        for _ in 0..2 {
            assert_eq!(shop.staff().post(&disable, json!({})).ok().text("/status"), "disabled");
        }
        gone.ask("cancel", json!({})).ok();
        shop.wait(Duration::from_hours(169));
        let token = made.text("/token");
        for (sold, token, is) in [(&late, late_link.as_str(), "expired"), (&back, token, "disabled"), (&gone, &gone_link, "cancelled")] {
            assert_eq!(status(&store, token).0, is);
            sold.pay(token, "approve").refused(409, "INVALID_STATE");
        }
    }

    fn an_order_on_hold_is_not_paid(shop) {
        let store = mugs(shop);
        let sold = sold(&store);
        let token = sold.link();
        sold.ask("hold", json!({})).ok();
        sold.pay(&token, "approve").refused(409, "INVALID_STATE");
        sold.ask("release", json!({})).ok();
        sold.pay(&token, "approve").ok();
    }

    fn what_is_wrong_with_a_link_is_said(shop) {
        let store = mugs(shop);
        let sold = sold(&store);
        let token = sold.link();
        shop.unchanged(|| {
            for hours in [0, 8_761] {
                sold.ask("payment-links", json!({ "hours": hours })).refused(422, "VALIDATION_FAILED").about("/hours", "out_of_range");
            }
            store.front.get("/payment-links/guess").refused(404, "NOT_FOUND");
            sold.pay("guess", "approve").refused(404, "NOT_FOUND");
            let by = |provider: &str| store.front.once().post(&format!("/payment-links/{token}/pay"), json!({ "payment": { "provider": provider } }));
            by("manual").refused(422, "VALIDATION_FAILED").about("/payment/provider", "not_by_link");
            by("gift_card").refused(422, "VALIDATION_FAILED").about("/payment/provider", "unknown_provider");
            shop.staff().post("/payment-links/plk_01jq3h5s5vfkg8r4t0x2m6c9ze/disable", json!({})).refused(404, "NOT_FOUND");
            shop.staff().once().post("/orders/ord_01jq3h5s5vfkg8r4t0x2m6c9ze/payment-links", json!({})).refused(404, "NOT_FOUND");
        });
    }
}
