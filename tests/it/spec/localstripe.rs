//! Paying by Stripe at localstripe, a stateful server of Stripe's API that others wrote: what Mercer's own double and its
//! adapter might both have wrong. `tests/run` starts it (`tests/serve_localstripe.py`) and names its address; without one the
//! stories are left out.
//!
//! It knows no idempotency keys and no search, so lost answers are not told here; no facts about cards on a charge, no
//! disputes, and no payment intent in a refusal, so that a decline is known by its code alone.

use diesel::sql_types::BigInt;
use serde_json::{Value, json};

use crate::support::{Answer, Cart, Kind, Shop, Store, within};

const MUG: i64 = 1_500;
const SIGNED_BY: &str = "whsec_of_localstripe";

/// A shop that sells mugs, and the address of its Stripe.
struct World<'a> {
    shop: &'a Shop,
    stripe: &'a str,
    store: Store<'a>,
}

fn tell(kind: Kind, narrate: fn(&World<'_>)) {
    let Ok(stripe) = std::env::var("MERCER_TEST_LOCALSTRIPE_URL") else {
        println!("left out: MERCER_TEST_LOCALSTRIPE_URL names no localstripe");
        return;
    };
    let shop = Shop::open(kind).close().open_with(&[
        ("stripe_key", "sk_test_12345"),
        ("stripe_url", &stripe),
        ("stripe_webhook_secrets", SIGNED_BY),
    ]);
    let store = Store::open(&shop);
    store.sell(&[("MUG", MUG, 100)]);
    narrate(&World {
        shop: &shop,
        stripe: &stripe,
        store,
    });
    shop.check();
}

impl World<'_> {
    /// A cart of one mug that is to be paid with this card.
    fn checkout(&self, instrument: &str) -> Cart {
        let cart = self.store.cart(&[("MUG", 1)]);
        pay(&cart, instrument);
        cart
    }

    /// An order paid with a card that is good.
    fn order(&self) -> Answer {
        let placed = self.checkout("pm_card_visa").place().ok();
        assert_eq!(placed.text("/outcome"), "placed", "{placed}");
        placed
    }

    /// Sends fields to localstripe, or asks it.
    fn ask(&self, path: &str, fields: &[(&str, &str)]) -> Value {
        let url = format!("{}{path}", self.stripe);
        let bearer = "Bearer sk_test_12345";
        let answer = if fields.is_empty() {
            ureq::get(url).header("authorization", bearer).call()
        } else {
            let fields = fields.iter().copied();
            let post = ureq::post(url).header("authorization", bearer);
            post.send_form(fields)
        };
        let text = answer.unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

fn pay(cart: &Cart, instrument: &str) {
    let payment = json!({ "provider": "stripe", "method": "card", "token": instrument });
    cart.pay_by(&payment).created();
}

stories! {
    fn a_card_is_authorised_captured_in_part_and_refunded(w) {
        let placed = w.order();
        assert_eq!(placed.text("/order/paymentStatus"), "authorized");
        let captured = w.shop.move_money(&placed, "capture", json!({ "amount": 1_000 })).ok();
        assert_eq!(captured.at("/payment/outstanding/amount"), 0);
        w.shop.move_money(&placed, "refund", json!({ "amount": 300 })).ok();
        w.shop.move_money(&placed, "refund", json!({ "amount": 701 })).refused(422, "VALIDATION_FAILED");
        w.shop.move_money(&placed, "refund", json!({ "amount": 200 })).ok();
        w.shop.reconcile();

        let intent = placed.text("/order/payments/0/reference");
        let theirs = w.ask(&format!("/v1/payment_intents/{intent}"), &[]);
        let list = w.ask(&format!("/v1/refunds?payment_intent={intent}"), &[]);
        let refunds = list["data"].as_array().unwrap();
        let asked = refunds.iter().filter(|refund| refund["metadata"]["attempt"].is_string());
        let refunded: i64 = asked.map(|refund| refund["amount"].as_i64().unwrap()).sum();
        assert_eq!(refunds.len(), 3, "the rest of the authorisation stands there as a refund");
        let books = w.shop.books(placed.text("/order/payments/0/id"));
        assert_eq!(books, (0, theirs["amount_received"].as_i64().unwrap(), refunded));
        assert_eq!(books, (0, 1_000, 500));
    }

    fn a_declined_card_leaves_the_stock_and_a_second_pays(w) {
        let cart = w.checkout("pm_card_chargeCustomerFail");
        let said = cart.place().refused(402, "PAYMENT_DECLINED").about("/payment", "declined");
        assert!(said.detail().contains("card_declined"), "{said}");
        assert_eq!(w.store.stock("MUG"), (100, 1, 0));
        pay(&cart, "pm_card_visa");
        assert_eq!(cart.place().ok().text("/outcome"), "placed");
        assert_eq!(w.store.stock("MUG"), (100, 0, 1));
    }

    fn a_bank_s_page_stands_in_between(w) {
        let fields = [
            ("type", "card"), ("card[number]", "4000002500003155"), ("card[exp_month]", "12"), ("card[exp_year]", "2030"),
            ("card[cvc]", "123"),
        ];
        let made = w.ask("/v1/payment_methods", &fields);
        let cart = w.checkout(made["id"].as_str().unwrap());
        let asked = cart.place().ok();
        assert_eq!(asked.text("/outcome"), "action_required");
        let secret = asked.text("/clientSecret");
        assert_eq!(cart.place().ok().text("/clientSecret"), secret);
        let intent = secret.split("_secret_").next().unwrap();
        w.ask(&format!("/v1/payment_intents/{intent}/_authenticate"), &[("client_secret", secret), ("success", "true")]);
        let placed = cart.place().ok();
        assert_eq!((placed.text("/outcome"), placed.text("/order/paymentStatus")), ("placed", "authorized"));
        assert_eq!(placed.text("/order/payments/0/reference"), intent);
    }

    fn a_void_lets_go_once_whoever_does_it(w) {
        for by_hand in [false, true] {
            let placed = w.order();
            let intent = format!("/v1/payment_intents/{}", placed.text("/order/payments/0/reference"));
            if by_hand {
                let name = [("expand[]", "latest_charge")];
                assert_eq!(w.ask(&format!("{intent}/cancel"), &name)["status"], "canceled");
            }
            // What localstripe refuses as done already is found done.
            let voided = w.shop.move_money(&placed, "void", json!({})).ok();
            assert_eq!(voided.text("/payment/status"), "cancelled");
            assert_eq!(voided.text("/attempts/0/status"), "succeeded");
            w.shop.move_money(&placed, "void", json!({})).refused(409, "INVALID_STATE");
            assert_eq!(w.ask(&intent, &[])["status"], "canceled");
        }
    }

    fn its_webhooks_are_believed(w) {
        let address = w.shop.anonymous().address();
        let url = format!("http://{address}/webhooks/payments/stripe");
        let endpoint = [("url", url.as_str()), ("secret", SIGNED_BY), ("events[]", "payment_intent.succeeded")];
        w.ask(&format!("/_config/webhooks/{}", address.port()), &endpoint);
        let placed = w.order();
        let intent = placed.text("/order/payments/0/reference");
        // Captured without Mercer.
        w.ask(&format!("/v1/payment_intents/{intent}/capture"), &[("amount_to_capture", "1500")]);
        // Those of other shops come too; their payments are not known here.
        let known = format!("SELECT count(*) FROM payment_notices WHERE reference = '{intent}'");
        within(20, "a webhook", || w.shop.connect().rows::<BigInt, i64>(&known, vec![]).unwrap()[0] > 0);
        w.shop.work();
        assert_eq!(w.shop.books(placed.text("/order/payments/0/id")), (0, 1_500, 0));
        assert_eq!(w.shop.timeline(placed.text("/order/id")), ["placed", "payment_captured"]);
    }
}
