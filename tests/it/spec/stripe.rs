//! Paying by Stripe: the real adapter against a strict double of Stripe's API, with its events and its faults. The double's
//! books are compared with Mercer's after every story.

use std::time::Duration;

use diesel::sql_types::BigInt;
use serde_json::{Value, json};

use crate::support::gateway::{Event, Fault, Gateway, Money, SECRET_KEY, signature};
use crate::support::{Answer, Cart, Kind, Shop, Store, concurrently};

const MUG: i64 = 1_500;
const TOTAL: i64 = MUG + 490;
const SIGNED_BY: &str = "whsec_test_0123456789";

/// A shop that sells mugs, and its Stripe.
struct World<'a> {
    shop: &'a Shop,
    gateway: &'a Gateway,
    store: Store<'a>,
}

fn tell(kind: Kind, narrate: fn(&World<'_>)) {
    let gateway = Gateway::start();
    gateway.set_sleep(Duration::from_millis(1_500));
    let shop = Shop::open(kind).close().open_with(&[
        ("stripe_key", SECRET_KEY),
        ("stripe_url", &gateway.url()),
        ("stripe_webhook_secrets", &format!("whsec_next,{SIGNED_BY}")),
        ("provider_seconds", "1"),
    ]);
    let store = Store::open(&shop);
    store.sell(&[("MUG", MUG, 100)]);
    let world = World {
        shop: &shop,
        gateway: &gateway,
        store,
    };
    narrate(&world);
    world.agree();
    shop.check();
}

impl World<'_> {
    /// What Stripe has taken and sent back in all.
    fn taken(&self) -> (i64, i64) {
        let books = self.gateway.money();
        let sum = |(taken, back), m: &Money| (taken + m.captured, back + m.refunded);
        books.values().fold((0, 0), sum)
    }

    /// A cart of one mug whose checkout is to be paid with this instrument, or by the client where there is none.
    fn checkout(&self, token: Option<&str>) -> (Cart, Answer) {
        let cart = self.store.cart(&[("MUG", 1)]);
        let payment = json!({ "provider": "stripe", "method": "card", "token": token });
        let started = cart.pay_by(&payment).created();
        (cart, started)
    }

    /// An order paid with this card.
    fn order(&self, instrument: &str) -> Answer {
        let (cart, _) = self.checkout(Some(instrument));
        let placed = cart.place().ok();
        assert_eq!(placed.text("/outcome"), "placed", "{placed}");
        placed
    }

    /// The webhook endpoint.
    fn webhooks(&self) -> String {
        let address = self.shop.anonymous().address();
        format!("http://{address}/webhooks/payments/stripe")
    }

    /// Sends what has happened at Stripe, and does the jobs that follow.
    fn news(&self) {
        self.now();
        for (event, status) in self.gateway.deliver_all(&self.webhooks(), SIGNED_BY) {
            assert_eq!(status, 200, "{event}");
        }
        self.shop.work();
    }

    /// Stripe's clock is the shop's.
    fn now(&self) {
        let micros = self.shop.app().clock.now().micros();
        self.gateway.set_now(Some(micros / 1_000_000));
    }

    fn events(&self, kind: &str) -> Vec<Event> {
        let mut events = self.gateway.events();
        events.retain(|e| e.kind == kind);
        events
    }

    /// Stripe's books and Mercer's say the same of every payment.
    fn agree(&self) {
        for (intent, books) in self.gateway.money() {
            let id = books.metadata["payment"].as_str().unwrap();
            assert_eq!(
                self.shop.books(id),
                (books.capturable, books.captured, books.refunded),
                "{intent} ({})",
                books.status
            );
        }
    }
}

/// An order whose money was to come by transfer, and a link to pay it with.
struct Linked<'a> {
    w: &'a World<'a>,
    order: String,
    link: String,
    token: String,
}

impl<'a> Linked<'a> {
    fn new(w: &'a World<'a>) -> Self {
        let cart = w.store.cart(&[("MUG", 1)]);
        cart.pay_by(&json!({ "provider": "manual" })).created();
        let order = cart.place().ok().text("/order/id").to_owned();
        let path = format!("/orders/{order}/payment-links");
        let made = w.shop.staff().once().post(&path, json!({})).created();
        Self {
            w,
            order,
            link: made.text("/link/id").to_owned(),
            token: made.text("/token").to_owned(),
        }
    }

    fn pay(&self, instrument: Option<&str>) -> Answer {
        let payment = json!({ "provider": "stripe", "method": "card", "token": instrument });
        let path = format!("/payment-links/{}/pay", self.token);
        let client = self.w.store.front.once();
        client.post(&path, json!({ "payment": payment }))
    }

    fn payments(&self) -> Vec<String> {
        let path = format!("/orders/{}", self.order);
        let seen = self.w.shop.staff().get(&path).ok();
        let status = |p: &Value| p["status"].as_str().unwrap().to_owned();
        let payments = seen.at("/payments").as_array().unwrap();
        payments.iter().map(status).collect()
    }
}

/// Ada's saved payment methods.
const SAVED: &str = "/saved-payment-methods";

impl World<'_> {
    /// Ada's card is kept by Stripe, after she has stood what her bank asks; gives the id of the saved method.
    fn saved(&self, card: &str) -> String {
        let wanted = json!({ "provider": "stripe", "email": "Ada@Example.com" });
        let setup = self.shop.staff().post(SAVED, wanted).created();
        let secret = setup.text("/clientSecret");
        let done = self.gateway.confirm_by_client(secret, card).unwrap();
        if done["status"] == "requires_action" {
            self.gateway
                .complete_action(done["id"].as_str().unwrap(), true);
        }
        self.news();
        self.kept()[0]["id"].as_str().unwrap().to_owned()
    }

    fn kept(&self) -> Vec<Value> {
        let path = format!("{SAVED}?email=ada@example.com");
        let answer = self.shop.staff().get(&path).ok();
        answer.at("/methods").as_array().unwrap().clone()
    }

    /// A checkout of Ada's cart with a saved method, started by somebody who may.
    fn charge(&self, method: &str, off_session: bool) -> (Cart, Answer) {
        let cart = self.store.cart(&[("MUG", 1)]);
        let payment = json!({ "provider": "stripe", "savedPaymentMethodId": method, "offSession": off_session });
        let staff = self.shop.staff().once();
        let started = staff.post(&cart.path("/checkout"), json!({ "payment": payment }));
        (cart, started)
    }
}

/// What Stripe calls the order's payment.
fn intent_of(placed: &Answer) -> String {
    placed.text("/order/payments/0/reference").to_owned()
}

stories! {
    fn a_card_is_authorised_captured_and_refunded(w) {
        let placed = w.order("pm_card_visa");
        assert_eq!(placed.text("/order/paymentStatus"), "authorized");
        let asked = w.gateway.requests();
        assert_eq!(asked[0].params["capture_method"], "manual");
        assert_eq!(asked[0].version.as_deref(), Some("2025-09-30.clover"));
        let key = format!("{}:authorize", placed.text("/order/payments/0/id"));
        assert_eq!(asked[0].idempotency_key.as_ref(), Some(&key));

        let captured = w.shop.move_money(&placed, "capture", json!({ "amount": 1_000 })).ok();
        assert_eq!(captured.at("/payment/captured/amount"), 1_000);
        assert_eq!(captured.at("/payment/outstanding/amount"), 0, "a card is captured once; the rest is let go");
        assert_eq!(captured.text("/facts/card_last4"), "4242");
        w.shop.move_money(&placed, "capture", json!({})).refused(409, "INVALID_STATE");
        w.shop.move_money(&placed, "refund", json!({ "amount": 300 })).ok();
        w.shop.move_money(&placed, "refund", json!({ "amount": 701 })).refused(422, "VALIDATION_FAILED");
        w.shop.move_money(&placed, "refund", json!({})).ok();
        let order = placed.text("/order/id");
        assert_eq!(w.shop.timeline(order), ["placed", "payment_captured", "payment_refunded", "payment_refunded"]);
        w.news();
        assert_eq!(w.shop.timeline(order).len(), 4, "the webhooks have nothing new");
    }

    fn the_client_confirms_with_stripe_and_the_order_follows(w) {
        let (cart, started) = w.checkout(None);
        assert_eq!(started.text("/payment/status"), "pending");
        let secret = started.text("/payment/clientSecret");
        let early = cart.place().ok();
        assert_eq!((early.text("/outcome"), early.text("/clientSecret")), ("action_required", secret));
        w.gateway.confirm_by_client(secret, "pm_card_visa").unwrap();
        let placed = cart.place().ok();
        assert_eq!(placed.text("/outcome"), "placed");
        assert!(placed.at("/order/payments/0/clientSecret").is_null());
        assert_eq!(w.gateway.money().len(), 1);
    }

    fn a_payment_is_processed_after_the_shopper_has_acted_and_asks_for_nothing(w) {
        let process = |cart: &Cart| cart.client.once().post(&cart.path("/process-payment"), json!({}));
        let (cart, _) = w.checkout(Some("pm_card_visa"));
        process(&cart).refused(409, "INVALID_STATE");
        assert_eq!(w.gateway.money().len(), 0, "Stripe has not heard of it");

        let (cart, started) = w.checkout(None);
        let early = process(&cart).ok();
        assert_eq!((early.text("/outcome"), early.text("/clientSecret")), ("action_required", started.text("/payment/clientSecret")));
        w.gateway.confirm_by_client(started.text("/payment/clientSecret"), "pm_card_visa").unwrap();
        let placed = process(&cart).ok();
        assert_eq!(placed.text("/outcome"), "placed");
        assert_eq!(process(&cart).ok().text("/order/id"), placed.text("/order/id"));
        assert_eq!(w.shop.orders().len(), 1);
    }

    fn an_order_is_placed_by_the_webhook_where_the_client_never_comes_back(w) {
        let (cart, started) = w.checkout(None);
        w.gateway.confirm_by_client(started.text("/payment/clientSecret"), "pm_card_visa").unwrap();
        assert_eq!(w.shop.orders().len(), 0);
        w.news();
        assert_eq!(w.shop.orders().len(), 1);
        assert_eq!(cart.place().ok().text("/outcome"), "placed");
        assert_eq!(w.shop.orders().len(), 1);
    }

    fn a_bank_s_page_stands_in_between(w) {
        let (cart, _) = w.checkout(Some("pm_card_threeDSecure2Required"));
        let asked = cart.place().ok();
        assert_eq!(asked.text("/outcome"), "action_required");
        let secret = asked.text("/clientSecret");
        let intent = secret.split("_secret_").next().unwrap();
        assert_eq!(cart.place().ok().text("/outcome"), "action_required");
        w.gateway.complete_action(intent, true);
        assert_eq!(cart.place().ok().text("/outcome"), "placed");

        let (cart, _) = w.checkout(Some("pm_card_threeDSecure2Required"));
        let asked = cart.place().ok();
        let intent = asked.text("/clientSecret").split("_secret_").next().unwrap().to_owned();
        w.gateway.complete_action(&intent, false);
        // Placed again, the same card is asked anew.
        assert_eq!(cart.place().ok().text("/outcome"), "action_required");
        w.gateway.complete_action(&intent, true);
        assert_eq!(cart.place().ok().text("/outcome"), "placed");
    }

    fn a_page_that_is_left_lets_go_of_stock_and_intent(w) {
        let (cart, _) = w.checkout(Some("pm_card_threeDSecure2Required"));
        let asked = cart.place().ok();
        let intent = asked.text("/clientSecret").split("_secret_").next().unwrap().to_owned();
        assert_eq!(w.store.stock("MUG"), (100, 1, 0));
        w.shop.later(Duration::from_mins(31));
        w.shop.work();
        assert_eq!(w.store.stock("MUG"), (100, 0, 0));
        assert_eq!(w.gateway.money()[&intent].status, "canceled");
        let seen = w.shop.staff().get(&cart.path("/checkout")).ok();
        assert_eq!((seen.text("/status"), seen.text("/payment/status")), ("expired", "expired"));
    }

    fn a_declined_card_leaves_the_stock_and_a_second_pays(w) {
        let (cart, _) = w.checkout(Some("pm_card_chargeDeclinedInsufficientFunds"));
        let said = cart.place().refused(402, "PAYMENT_DECLINED").about("/payment", "declined");
        assert!(said.detail().contains("insufficient_funds"), "{said}");
        assert_eq!(w.store.stock("MUG"), (100, 1, 0));
        cart.pay_by(&json!({ "provider": "stripe", "method": "card", "token": "pm_card_visa" })).created();
        assert_eq!(cart.place().ok().text("/outcome"), "placed");
        assert_eq!(w.store.stock("MUG"), (100, 0, 1));
        w.shop.work();
    }

    fn money_is_taken_with_the_order_where_the_channel_wants_it(w) {
        let channel = json!({ "capture": "placement" });
        w.shop.staff().patch(&format!("/channels/{}", w.shop.channel), channel).ok();
        let placed = w.order("pm_card_visa");
        assert_eq!(placed.text("/order/paymentStatus"), "paid");
        assert_eq!(placed.at("/order/payments/0/captured/amount"), TOTAL);
    }

    fn a_lost_answer_is_no_decline_and_no_second_charge(w) {
        for fault in [Fault::TimeoutAfter, Fault::DropAfter, Fault::Error500After, Fault::Garbage] {
            let (cart, _) = w.checkout(Some("pm_card_visa"));
            w.gateway.fault("POST", "/v1/payment_intents", fault);
            let asked = cart.place().ok();
            assert_eq!(asked.text("/outcome"), "processing", "{fault:?}");
            w.gateway.hold_search(false);
            w.shop.reconcile();
            let placed = cart.place().ok();
            assert_eq!(placed.text("/outcome"), "placed", "{fault:?}");
        }
        assert_eq!((w.gateway.money().len(), w.shop.orders().len()), (4, 4));
    }

    fn what_never_arrived_is_found_out_and_asked_again(w) {
        for fault in [Fault::TimeoutBefore, Fault::DropBefore, Fault::RateLimited] {
            let (cart, _) = w.checkout(Some("pm_card_visa"));
            w.gateway.fault("POST", "/v1/payment_intents", fault);
            assert_eq!(cart.place().ok().text("/outcome"), "processing", "{fault:?}");
            // Placing again asks again, with the same key.
            assert_eq!(cart.place().ok().text("/outcome"), "placed", "{fault:?}");
        }
        let (cart, _) = w.checkout(Some("pm_card_visa"));
        w.gateway.fault("POST", "/v1/payment_intents", Fault::TimeoutBefore);
        assert_eq!(cart.place().ok().text("/outcome"), "processing");
        // Nobody comes back: the shop asks, and Stripe never heard of it.
        w.shop.reconcile();
        w.shop.reconcile();
        assert_eq!(w.gateway.money().len(), 3);
        assert_eq!(w.shop.orders().len(), 3);
    }

    fn a_refund_whose_answer_is_lost_moves_money_once(w) {
        for fault in [Fault::TimeoutAfter, Fault::DropAfter, Fault::Error500After, Fault::DropBefore, Fault::RateLimited] {
            let placed = w.order("pm_card_visa");
            w.shop.move_money(&placed, "capture", json!({})).ok();
            w.gateway.fault("POST", "/v1/refunds", fault);
            let asked = w.shop.move_money(&placed, "refund", json!({ "amount": 500 })).ok();
            let status = asked.text("/attempts/1/status");
            assert!(["pending", "succeeded"].contains(&status), "{fault:?}: {asked}");
            let more = w.shop.move_money(&placed, "refund", json!({ "amount": TOTAL - 499 }));
            more.refused(422, "VALIDATION_FAILED").about("/amount", "out_of_range");
            w.shop.reconcile();
            let seen = w.shop.payment(&placed);
            assert_eq!(seen.text("/attempts/1/status"), "succeeded", "{fault:?}: {seen}");
            assert_eq!(seen.at("/payment/refunded/amount"), 500, "{fault:?}");
            assert_eq!(w.gateway.money()[&intent_of(&placed)].refunded, 500);
        }
    }

    fn a_capture_whose_answer_is_lost_moves_money_once(w) {
        for fault in [Fault::TimeoutAfter, Fault::DropAfter, Fault::Error500After, Fault::DropBefore] {
            let placed = w.order("pm_card_visa");
            w.gateway.fault("POST", "/v1/payment_intents", fault);
            w.shop.move_money(&placed, "capture", json!({})).ok();
            w.shop.reconcile();
            let seen = w.shop.payment(&placed);
            assert_eq!(seen.at("/payment/captured/amount"), TOTAL, "{fault:?}: {seen}");
        }
    }

    fn a_key_that_stripe_answers_with_its_own_failure_is_given_up_and_a_new_attempt_refunds(w) {
        let placed = w.order("pm_card_visa");
        w.shop.move_money(&placed, "capture", json!({})).ok();
        w.gateway.fault("POST", "/v1/refunds", Fault::Error500Before);
        let mug = json!([{ "lineId": placed.at("/order/lines/0/id"), "quantity": 1 }]);
        w.shop.move_money(&placed, "refund", json!({ "amount": 500, "lines": mug })).ok();
        w.shop.move_money(&placed, "refund", json!({ "lines": mug })).refused(422, "VALIDATION_FAILED").about("/lines/0/quantity", "out_of_range");
        w.shop.reconcile();
        let seen = || w.shop.payment(&placed);
        assert_eq!(seen().text("/attempts/1/status"), "pending", "the same key is answered with the same failure");
        w.shop.later(Duration::from_mins(31));
        assert_eq!((seen().text("/attempts/1/status"), seen().text("/attempts/1/failure")), ("failed", "provider_error"));
        w.shop.move_money(&placed, "refund", json!({ "amount": 500, "lines": mug })).ok();
        assert_eq!(w.gateway.money()[&intent_of(&placed)].refunded, 500);
    }

    fn webhooks_are_believed_only_when_they_are_signed(w) {
        let placed = w.order("pm_card_visa");
        w.now();
        let now = w.shop.app().clock.now().micros() / 1_000_000;
        let event = w.events("payment_intent.amount_capturable_updated").remove(0);
        let body = event.body();
        let deliver = |header: Option<&str>, body: &str| Gateway::deliver_raw(&w.webhooks(), body, header.unwrap_or_default());
        let signed = |by: &str, at: i64| signature(&[by], at, body.as_bytes());
        w.shop.unchanged(|| {
            assert_eq!(deliver(None, &body), 400);
            assert_eq!(deliver(Some(&signed("whsec_other", now)), &body), 400);
            assert_eq!(deliver(Some(&signed(SIGNED_BY, now - 301)), &body), 400);
            assert_eq!(deliver(Some(&signed(SIGNED_BY, now + 301)), &body), 400);
            assert_eq!(deliver(Some(&signed(SIGNED_BY, now)), &body.replace("requires_capture", "succeeded")), 400);
            let large = " ".repeat(1024 * 1024);
            assert_eq!(deliver(Some(&signature(&[SIGNED_BY], now, large.as_bytes())), &large), 413);
        });
        assert_eq!(deliver(Some(&signed(SIGNED_BY, now - 299)), &body), 200);
        assert_eq!(deliver(Some(&signed("whsec_next", now)), &body), 200, "the secret that replaces it, and the same event");
        w.shop.work();
        assert_eq!(w.shop.timeline(placed.text("/order/id")), ["placed"]);
    }

    fn a_webhook_about_what_is_not_known_is_kept_and_tried_again(w) {
        let placed = w.order("pm_card_visa");
        w.now();
        let now = w.shop.app().clock.now().micros() / 1_000_000;
        let event = w.events("payment_intent.amount_capturable_updated").remove(0);
        let known = placed.text("/order/payments/0/id");
        let foreign = event.body().replace(known, "pay_01jq3h5s5vfkg8r4t0x2m6c9ze");
        let strange = event.body().replace(&event.kind, "radar.of_tomorrow").replace(&event.id, "evt_strange");
        for body in [&foreign, &strange] {
            let header = signature(&[SIGNED_BY], now, body.as_bytes());
            assert_eq!(Gateway::deliver_raw(&w.webhooks(), body, &header), 200);
        }
        w.shop.work();
        let rows = |text: &str| {
            let rows = w.shop.connect().rows::<BigInt, i64>(text, vec![]).unwrap();
            rows[0]
        };
        let waiting = "SELECT count(*) FROM jobs WHERE kind = 'payments.notice' AND status = 'ready' AND attempts > 0";
        assert_eq!(rows(waiting), 1, "the payment may become known yet");
        assert_eq!(rows("SELECT count(*) FROM payment_notices WHERE processed_at IS NULL"), 1);
    }

    fn webhooks_may_come_twice_late_and_in_any_order(w) {
        let placed = w.order("pm_card_visa");
        w.shop.move_money(&placed, "capture", json!({})).ok();
        w.shop.move_money(&placed, "refund", json!({ "amount": 500 })).ok();
        w.now();
        let mut events = w.gateway.events();
        events.reverse();
        for event in events.iter().chain(&events) {
            assert_eq!(w.gateway.deliver(&w.webhooks(), event, SIGNED_BY), 200);
            w.shop.work();
        }
        assert_eq!(usize::try_from(w.shop.count("payment_notices")).unwrap(), events.len());
        assert_eq!(w.shop.timeline(placed.text("/order/id")), ["placed", "payment_captured", "payment_refunded"]);
    }

    fn what_is_done_at_stripe_is_booked(w) {
        let placed = w.order("pm_card_visa");
        let (order, intent) = (placed.text("/order/id"), intent_of(&placed));
        w.gateway.capture_at_dashboard(&intent, None).unwrap();
        w.news();
        w.gateway.refund_at_dashboard(&intent, 400).unwrap();
        w.news();
        let left = TOTAL - 400;
        w.shop.move_money(&placed, "refund", json!({ "amount": left + 1 })).refused(422, "VALIDATION_FAILED");
        assert_eq!(w.shop.timeline(order), ["placed", "payment_captured", "payment_refunded"]);
    }

    fn reserved_money_whose_time_runs_out_is_told_before_and_after(w) {
        let placed = w.order("pm_card_visa");
        let order = placed.text("/order/id");
        w.shop.later(Duration::from_hours(24 * 5));
        assert_eq!(w.shop.timeline(order), ["placed"]);
        w.shop.later(Duration::from_hours(25));
        assert_eq!(w.shop.timeline(order), ["placed", "authorization_expiring"]);
        w.gateway.expire_authorization(&intent_of(&placed));
        w.gateway.discard_events();
        w.shop.later(Duration::from_hours(24));
        assert_eq!(w.shop.timeline(order), ["placed", "authorization_expiring", "authorization_expired"]);
        let seen = w.shop.staff().get(&format!("/payments/{}", placed.text("/order/payments/0/id"))).ok();
        assert_eq!(seen.text("/payment/status"), "expired");
        w.shop.move_money(&placed, "capture", json!({})).refused(409, "INVALID_STATE");
    }

    fn what_is_captured_in_time_is_not_told_of(w) {
        let placed = w.order("pm_card_visa");
        w.shop.move_money(&placed, "capture", json!({})).ok();
        w.shop.later(Duration::from_hours(24 * 8));
        assert_eq!(w.shop.timeline(placed.text("/order/id")), ["placed", "payment_captured"]);
    }

    fn one_key_refunds_once_however_often_and_however_soon_it_is_sent(w) {
        let placed = w.order("pm_card_visa");
        w.shop.move_money(&placed, "capture", json!({})).ok();
        let path = format!("/payments/{}/refund", placed.text("/order/payments/0/id"));
        let refund = |amount: i64| w.shop.staff().keyed("refund-1").post(&path, json!({ "amount": amount }));
        w.gateway.fault("POST", "/v1/refunds", Fault::TimeoutAfter);
        let answers = concurrently(3, |_| refund(300));
        for answer in &answers {
            assert!(answer.status == 200 || answer.code() == "IDEMPOTENCY_IN_PROGRESS", "{answer}");
        }
        w.shop.reconcile();
        refund(300).ok();
        refund(301).refused(422, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(w.gateway.money()[&intent_of(&placed)].refunded, 300);
    }

    fn what_was_called_off_in_parts_is_let_go_once(w) {
        let cart = w.store.cart(&[("MUG", 3)]);
        cart.pay_by(&json!({ "provider": "stripe", "method": "card", "token": "pm_card_visa" })).created();
        let placed = cart.place().ok();
        let cancel = |body: Value| w.shop.staff().once().post(&format!("/orders/{}/cancel", placed.text("/order/id")), body).ok();
        cancel(json!({ "lines": [{ "lineId": placed.at("/order/lines/0/id"), "quantity": 1 }] }));
        cancel(json!({}));
        w.shop.reconcile();
        assert_eq!(w.shop.payment(&placed).text("/payment/status"), "cancelled");
        assert_eq!(w.gateway.money()[&intent_of(&placed)].capturable, 0);
    }

    fn a_link_that_is_taken_back_takes_no_money_though_its_page_is_still_open(w) {
        let sold = Linked::new(w);
        let asked = sold.pay(None).ok();
        w.shop.staff().post(&format!("/payment-links/{}/disable", sold.link), json!({})).ok();
        w.gateway.confirm_by_client(asked.text("/clientSecret"), "pm_card_visa").unwrap();
        w.news();
        w.shop.reconcile();
        assert_eq!(w.taken(), (TOTAL, TOTAL));
        assert_eq!(sold.payments(), ["awaited", "refunded"]);
    }

    fn more_than_is_due_by_then_goes_back(w) {
        let sold = Linked::new(w);
        let asked = sold.pay(None).ok();
        let body = json!({ "amount": 500, "reference": "transfer-1" });
        w.shop.staff().once().post(&format!("/orders/{}/payments", sold.order), body).ok();
        w.gateway.confirm_by_client(asked.text("/clientSecret"), "pm_card_visa").unwrap();
        w.news();
        w.shop.reconcile();
        assert_eq!(w.taken(), (TOTAL, 500));
        assert_eq!(sold.payments(), ["captured", "captured"]);
    }

    fn a_link_takes_another_card_after_one_that_was_declined(w) {
        let sold = Linked::new(w);
        let secret = sold.pay(None).ok().text("/clientSecret").to_owned();
        w.gateway.confirm_by_client(&secret, "pm_card_chargeDeclined").unwrap_err();
        let again = || {
            let said = sold.pay(None).ok();
            assert_eq!((said.text("/outcome"), said.text("/link/status")), ("action_required", "open"), "{said}");
            assert_eq!(said.text("/clientSecret"), secret);
        };
        again();
        w.news();
        again();
        sold.pay(Some("pm_card_chargeDeclined")).refused(402, "PAYMENT_DECLINED");
        again();
        w.gateway.confirm_by_client(&secret, "pm_card_visa").unwrap();
        w.news();
        assert_eq!(sold.payments(), ["cancelled", "captured"]);
        assert_eq!(w.taken(), (TOTAL, 0));
    }

    fn an_amount_that_stripe_cannot_take_is_refused_before_anything_is_recorded(w) {
        w.store.sell_in("KWD", "MUG", 1_255);
        let by = |provider: &str| json!({ "provider": provider, "token": (provider == "stripe").then_some("pm_card_visa") });
        let cart = w.store.cart_in("KWD", &[("MUG", 3)]);
        w.shop.unchanged(|| {
            let refused = cart.pay_by(&by("stripe")).refused(422, "VALIDATION_FAILED");
            assert!(refused.detail().contains("KWD in steps of 0.010 KWD, and 3.765 KWD is none"), "{refused}");
            refused.about("/payment/provider", "amount_not_representable");
        });
        cart.pay_by(&by("manual")).created();
        let order = cart.place().ok().text("/order/id").to_owned();
        let link = w.shop.staff().once().post(&format!("/orders/{order}/payment-links"), json!({})).created();
        let path = format!("/payment-links/{}/pay", link.text("/token"));
        w.store.front.once().post(&path, json!({ "payment": by("stripe") })).refused(422, "VALIDATION_FAILED")
            .about("/payment/provider", "amount_not_representable");
        assert!(w.gateway.money().is_empty(), "nothing was asked of Stripe");

        let cart = w.store.cart_in("KWD", &[("MUG", 2)]);
        cart.pay_by(&by("stripe")).created();
        let placed = cart.place().ok();
        assert_eq!(placed.at("/order/totals/total/amount"), 2_510);
        w.shop.move_money(&placed, "capture", json!({})).ok();
        w.shop.move_money(&placed, "refund", json!({ "amount": 1_255 })).refused(422, "VALIDATION_FAILED")
            .about("/amount", "amount_not_representable");
        w.shop.move_money(&placed, "refund", json!({ "amount": 1_250 })).ok();
    }

    fn events_of_another_system_on_the_account_are_counted_and_ignored(w) {
        let placed = w.order("pm_card_visa");
        w.now();
        let now = w.shop.app().clock.now().micros() / 1_000_000;
        let send = |body: &str| {
            let header = signature(&[SIGNED_BY], now, body.as_bytes());
            assert_eq!(Gateway::deliver_raw(&w.webhooks(), body, &header), 200, "{body}");
            w.shop.work();
        };
        let counted = || {
            let text = String::from_utf8(w.shop.anonymous().send("GET", "/metrics", None).body).unwrap();
            let name = "mercer_webhooks_total{outcome=\"foreign\",provider=\"stripe\"} ";
            text.lines().find_map(|line| line.strip_prefix(name)?.parse::<u64>().ok()).unwrap_or(0)
        };
        let before = counted();
        let event = |id: &str, kind: &str, object: Value| {
            let data = json!({ "object": object });
            json!({ "id": id, "object": "event", "type": kind, "livemode": false, "data": data }).to_string()
        };
        // It says itself that it is not ours: it is not even kept.
        let intent = json!({ "id": "pi_else", "object": "payment_intent", "metadata": { "order_id": "7" } });
        w.shop.work();
        w.shop.unchanged(|| send(&event("evt_f1", "payment_intent.succeeded", intent)));
        assert_eq!(counted(), before + 1);
        // It names an intent; Stripe has none of ours that is called so.
        let dispute = json!({ "id": "du_else", "object": "dispute", "payment_intent": "pi_else" });
        send(&event("evt_f2", "charge.dispute.created", dispute));
        assert_eq!(counted(), before + 2);
        // It names an intent of ours, of which the answer was lost.
        let intent = intent_of(&placed);
        w.shop.connect().batch("UPDATE payments SET reference = NULL").unwrap();
        let charge = json!({ "id": "ch_own", "object": "charge", "payment_intent": intent });
        send(&event("evt_own", "charge.captured", charge));
        assert_eq!(counted(), before + 2);
        assert_eq!(intent_of(&placed), w.shop.payment(&placed).text("/payment/reference"));
        let mut conn = w.shop.connect();
        let open = "SELECT count(*) FROM payment_notices WHERE processed_at IS NULL";
        assert_eq!(conn.rows::<BigInt, i64>(open, vec![]).unwrap(), [0]);
    }

    fn a_link_whose_intent_is_gone_begins_another(w) {
        let sold = Linked::new(w);
        sold.pay(None).ok();
        let intent = w.gateway.money().keys().next().unwrap().clone();
        w.gateway.cancel_at_dashboard(&intent).unwrap();
        sold.pay(Some("pm_card_visa")).refused(402, "PAYMENT_DECLINED");
        assert_eq!(sold.pay(Some("pm_card_visa")).ok().text("/outcome"), "paid");
        assert_eq!(w.taken(), (TOTAL, 0));
    }

    fn two_who_pay_by_one_link_at_once_are_charged_once(w) {
        let sold = Linked::new(w);
        w.gateway.fault("POST", "/v1/payment_intents", Fault::TimeoutAfter);
        concurrently(3, |_| sold.pay(Some("pm_card_visa")));
        w.shop.reconcile();
        assert_eq!(w.taken(), (TOTAL, 0));
        assert_eq!(w.gateway.money().len(), 1);
    }

    fn an_order_is_paid_by_link_though_every_answer_is_lost(w) {
        let sold = Linked::new(w);
        assert_eq!(sold.pay(None).ok().text("/outcome"), "action_required");
        w.gateway.fault("POST", "/v1/payment_intents", Fault::TimeoutAfter);
        assert_eq!(sold.pay(Some("pm_card_visa")).ok().text("/outcome"), "processing");
        w.shop.reconcile();
        assert_eq!(sold.payments(), ["cancelled", "captured"]);
        assert_eq!(w.gateway.money().len(), 1);
        sold.pay(Some("pm_card_visa")).refused(409, "INVALID_STATE");
    }

    fn money_by_link_for_an_order_that_was_called_off_goes_back(w) {
        let sold = Linked::new(w);
        let asked = sold.pay(None).ok();
        w.shop.staff().once().post(&format!("/orders/{}/cancel", sold.order), json!({})).ok();
        w.gateway.confirm_by_client(asked.text("/clientSecret"), "pm_card_visa").unwrap();
        w.news();
        assert_eq!(w.taken(), (TOTAL, TOTAL));
        assert_eq!(w.shop.orders()[0]["status"], "cancelled");
    }

    fn a_dispute_is_told_with_its_deadline(w) {
        let placed = w.order("pm_card_visa");
        w.shop.move_money(&placed, "capture", json!({})).ok();
        let (order, intent) = (placed.text("/order/id"), intent_of(&placed));
        w.gateway.dispute(&intent, "product_not_received");
        w.news();
        let timeline = w.shop.staff().get(&format!("/orders/{order}/timeline")).ok();
        let disputed = timeline.at("/entries").as_array().unwrap().last().unwrap().clone();
        assert_eq!(disputed["kind"], "payment_disputed");
        assert_eq!(disputed["data"]["data"]["reason"], "product_not_received");
        assert!(disputed["data"]["data"]["respond_by"].as_str().unwrap().ends_with('Z'));
        let seen = w.shop.payment(&placed);
        assert_eq!(seen.at("/payment/chargedBack/amount"), TOTAL);
        w.shop.move_money(&placed, "refund", json!({})).refused(409, "INVALID_STATE");
        w.gateway.close_dispute(&intent, true);
        w.news();
        assert_eq!(w.shop.timeline(order).last().unwrap(), "dispute_won");
        w.shop.move_money(&placed, "refund", json!({ "amount": 100 })).ok();
    }

    fn a_dispute_that_is_won_after_the_order_was_called_off_leaves_money_to_go_back(w) {
        let placed = w.order("pm_card_visa");
        w.shop.move_money(&placed, "capture", json!({})).ok();
        let (order, intent) = (placed.text("/order/id"), intent_of(&placed));
        w.gateway.dispute(&intent, "fraudulent");
        w.news();
        w.shop.staff().once().post(&format!("/orders/{order}/cancel"), json!({})).ok();
        w.gateway.close_dispute(&intent, true);
        w.news();
        let timeline = w.shop.timeline(order);
        assert_eq!(timeline[timeline.len() - 2..], ["dispute_won", "refund_due"]);
        let suggested = w.shop.staff().post(&format!("/orders/{order}/suggest-refund"), json!({})).ok();
        assert_eq!((suggested.at("/excess/amount"), suggested.at("/refundable/amount")), (&json!(TOTAL), &json!(TOTAL)));
        w.shop.move_money(&placed, "refund", json!({})).ok();
    }

    fn money_for_an_order_that_cannot_be_is_let_go(w) {
        let (cart, _) = w.checkout(Some("pm_card_threeDSecure2Required"));
        let asked = cart.place().ok();
        let intent = asked.text("/clientSecret").split("_secret_").next().unwrap().to_owned();
        // The checkout runs out, and somebody else buys the rest of the stock before the shopper's bank says yes.
        w.shop.wait(Duration::from_mins(16));
        w.gateway.fault("POST", "/v1/payment_intents", Fault::DropBefore);
        w.shop.work();
        let rest = w.store.cart(&[("MUG", 100)]);
        rest.checkout("approve").created();
        rest.place().ok();
        if w.gateway.money()[&intent].status == "requires_action" {
            w.gateway.complete_action(&intent, true);
        }
        w.news();
        for _ in 0..4 {
            w.shop.later(Duration::from_mins(5));
        }
        let books = w.gateway.money();
        assert_eq!((books[&intent].capturable, books[&intent].captured - books[&intent].refunded), (0, 0));
        assert_eq!(w.shop.orders().len(), 1);
    }

    fn an_order_that_is_called_off_is_refunded_at_stripe(w) {
        for captured in [false, true] {
            let placed = w.order("pm_card_visa");
            if captured {
                w.shop.move_money(&placed, "capture", json!({})).ok();
            }
            let path = format!("/orders/{}/cancel", placed.text("/order/id"));
            w.shop.staff().once().post(&path, json!({})).ok();
            w.shop.reconcile();
            let books = w.gateway.money();
            let left = &books[&intent_of(&placed)];
            assert_eq!((left.capturable, left.captured - left.refunded), (0, 0));
        }
    }

    fn a_card_is_kept_and_charged_while_the_shopper_is_away(w) {
        let method = w.saved("pm_card_visa");
        let kept = w.kept();
        assert_eq!(kept.len(), 1);
        assert_eq!((&kept[0]["brand"], &kept[0]["last4"], &kept[0]["email"]), (&json!("visa"), &json!("4242"), &json!("ada@example.com")));
        assert_eq!(kept[0]["isDefault"], false);
        w.gateway.clear_requests();
        let (cart, started) = w.charge(&method, true);
        assert_eq!(started.created().text("/payment/status"), "pending");
        let placed = cart.place().ok();
        assert_eq!((placed.text("/outcome"), placed.text("/order/paymentStatus")), ("placed", "authorized"));
        let asked = &w.gateway.requests()[0];
        assert_eq!((&asked.params["off_session"], &asked.params["confirm"]), (&json!("true"), &json!("true")));
        w.shop.move_money(&placed, "capture", json!({})).ok();
    }

    fn a_second_card_does_not_make_a_second_customer(w) {
        let first = w.saved("pm_card_visa");
        let second = w.saved("pm_card_mastercard");
        assert_ne!(first, second);
        let kept = w.kept();
        let brands: Vec<_> = kept.iter().map(|m| m["brand"].as_str().unwrap()).collect();
        assert_eq!(brands, ["mastercard", "visa"], "the newest first");
        let customers = w.gateway.requests().iter().filter(|r| r.path == "/v1/customers").count();
        assert_eq!(customers, 1);

        let staff = w.shop.staff();
        for chosen in [&first, &second, &first] {
            let set = staff.post(&format!("{SAVED}/{chosen}/set-default"), json!({})).ok();
            assert_eq!(set.at("/isDefault"), true);
            let defaults: Vec<_> = w.kept().iter().filter(|m| m["isDefault"] == true).map(|m| m["id"].clone()).collect();
            assert_eq!(defaults, [json!(chosen)]);
        }
        assert_eq!(w.kept()[0]["id"], json!(first), "the default stands first");
    }

    fn a_bank_that_wants_the_shopper_declines_while_they_are_away(w) {
        let method = w.saved("pm_card_authenticationRequired");
        let (cart, started) = w.charge(&method, true);
        started.created();
        let declined = cart.place().refused(402, "PAYMENT_DECLINED");
        assert!(declined.detail().contains("authentication_required"), "{declined}");
        let again = cart.place().refused(402, "PAYMENT_DECLINED");
        assert!(again.detail().contains("authentication_required"), "{again}");
        // With the shopper there it goes on.
        let (cart, started) = w.charge(&method, false);
        started.created();
        let asked = cart.place().ok();
        assert_eq!(asked.text("/outcome"), "action_required");
        let intent = asked.text("/clientSecret").split("_secret_").next().unwrap().to_owned();
        w.gateway.complete_action(&intent, true);
        w.news();
        assert_eq!(cart.place().ok().text("/outcome"), "placed");
    }

    fn a_card_that_is_forgotten_is_charged_no_more(w) {
        let method = w.saved("pm_card_visa");
        let path = format!("{SAVED}/{method}");
        let staff = w.shop.staff();
        staff.post(&format!("{path}/set-default"), json!({})).ok();
        // An answer that is lost leaves it; asked again, it is forgotten.
        w.gateway.fault("POST", "/v1/payment_methods", Fault::DropAfter);
        staff.json("DELETE", &path, &json!({})).refused(503, "UNAVAILABLE");
        assert_eq!(w.kept().len(), 1);
        for _ in 0..2 {
            let left = staff.json("DELETE", &path, &json!({})).ok();
            assert_eq!(left.at("/methods"), &json!([]));
        }
        w.news();
        let left = staff.post(&format!("{SAVED}/refresh"), json!({ "email": "ADA@example.com" })).ok();
        assert_eq!(left.at("/methods"), &json!([]));
        let (_, refused) = w.charge(&method, true);
        refused.refused(422, "VALIDATION_FAILED").about("/payment/savedPaymentMethodId", "unknown_payment_method");
        staff.post(&format!("{path}/set-default"), json!({})).refused(404, "NOT_FOUND");
    }

    fn a_card_that_is_taken_away_at_stripe_is_gone_here(w) {
        w.saved("pm_card_visa");
        let name = w.gateway.requests();
        let setup = name.iter().find(|r| r.path == "/v1/setup_intents").unwrap();
        assert_eq!(setup.params["usage"], "off_session");
        let attached = w.events("payment_method.attached");
        let card = attached[0].json["data"]["object"]["id"].as_str().unwrap();
        w.gateway.detach_at_dashboard(card).unwrap();
        w.news();
        assert_eq!(w.kept(), Vec::<Value>::new());
    }

    fn a_customer_that_is_deleted_at_stripe_is_made_anew(w) {
        w.saved("pm_card_visa");
        let customer = |n: usize| w.events("customer.created")[n].json["data"]["object"]["id"].as_str().unwrap().to_owned();
        w.gateway.delete_customer_at_dashboard(&customer(0)).unwrap();
        let left = w.shop.staff().post(&format!("{SAVED}/refresh"), json!({ "email": "ada@example.com" })).ok();
        assert_eq!(left.at("/methods"), &json!([]));
        w.saved("pm_card_mastercard");
        // And once more, without anybody having noticed.
        w.gateway.delete_customer_at_dashboard(&customer(1)).unwrap();
        let method = w.saved("pm_card_visa");
        assert_eq!(w.kept().len(), 1);
        let (cart, started) = w.charge(&method, true);
        started.created();
        cart.place().ok();
        assert_eq!(w.events("customer.created").len(), 3);
    }

    fn stripe_may_not_answer_while_a_card_is_saved(w) {
        let wanted = json!({ "provider": "stripe", "email": "ada@example.com" });
        for path in ["/v1/customers", "/v1/setup_intents"] {
            w.gateway.fault("POST", path, Fault::DropAfter);
            w.shop.staff().post(SAVED, wanted.clone()).refused(503, "UNAVAILABLE");
            let setup = w.shop.staff().post(SAVED, wanted.clone()).created();
            w.gateway.confirm_by_client(setup.text("/clientSecret"), "pm_card_visa").unwrap();
            // The shopper is back before the webhook.
            let kept = w.shop.staff().post(&format!("{SAVED}/refresh"), json!({ "email": "ada@example.com" })).ok();
            assert!(!kept.at("/methods").as_array().unwrap().is_empty());
            let made: std::collections::BTreeSet<_> = w.gateway.events().iter().filter(|e| e.kind == "customer.created").map(|e| e.id.clone()).collect();
            assert_eq!(made.len(), 1);
        }
    }

    fn the_first_shipment_takes_its_part_and_the_rest_is_let_go(w) {
        let cart = w.store.cart(&[("MUG", 3)]);
        cart.pay_by(&json!({ "provider": "stripe", "method": "card", "token": "pm_card_visa" })).created();
        let placed = cart.place().ok();
        let units = |n: i64| json!([{ "lineId": placed.text("/order/lines/0/id"), "quantity": n }]);
        w.shop.unchanged(|| {
            let not_last = w.shop.move_money(&placed, "capture", json!({ "shipment": "S1", "lines": units(1) }));
            not_last.refused(409, "INVALID_STATE").about("/last", "captured_once");
        });
        let first = w.shop.move_money(&placed, "capture", json!({ "shipment": "S1", "lines": units(1), "last": true })).ok();
        assert_eq!(first.at("/payment/captured/amount"), TOTAL);
        assert_eq!(first.at("/payment/outstanding/amount"), 0);
        w.shop.move_money(&placed, "capture", json!({ "shipment": "S2", "lines": units(2), "last": true })).refused(409, "INVALID_STATE");
        // What was let go is asked for by a link.
        let path = format!("/orders/{}/payment-links", placed.text("/order/id"));
        let link = w.shop.staff().once().post(&path, json!({})).created();
        assert_eq!(link.at("/link/due/amount"), 2 * MUG);
    }

    fn an_order_whose_money_may_be_on_its_way_is_not_called_off_as_unpaid(w) {
        let channel = format!("/channels/{}", w.store.channel);
        w.shop.staff().patch(&channel, json!({ "cancelUnpaidAfter": 1 })).ok();
        let linked = Linked::new(w);
        w.gateway.fault("POST", "/v1/payment_intents", Fault::DropAfter);
        assert_eq!(linked.pay(Some("pm_card_visa")).ok().text("/outcome"), "processing");
        for _ in 0..10 {
            w.gateway.fault("GET", "/v1/payment_intents/search", Fault::DropBefore);
        }
        w.shop.wait(Duration::from_hours(2));
        w.shop.work();
        let order = || w.shop.staff().get(&format!("/orders/{}", linked.order)).ok();
        assert_eq!(order().text("/status"), "open");
        w.gateway.clear_faults();
        for _ in 0..4 {
            w.shop.later(Duration::from_mins(5));
        }
        assert_eq!((order().text("/status"), order().text("/paymentStatus")), ("open", "paid"));
        assert_eq!(w.taken(), (TOTAL, 0));
    }

    fn a_card_is_kept_along_with_a_payment(w) {
        for by_client in [false, true] {
            let cart = w.store.cart(&[("MUG", 1)]);
            let token = (!by_client).then_some("pm_card_visa");
            let payment = json!({ "provider": "stripe", "method": "card", "token": token, "savePaymentMethod": true });
            let staff = w.shop.staff().once();
            let started = staff.post(&cart.path("/checkout"), json!({ "payment": payment })).created();
            if by_client {
                w.gateway.confirm_by_client(started.text("/payment/clientSecret"), "pm_card_mastercard").unwrap();
            }
            assert_eq!(cart.place().ok().text("/outcome"), "placed");
            // No webhook has come; what is kept is read all the same.
            w.shop.work();
        }
        let kept = w.kept();
        let brands: Vec<_> = kept.iter().map(|m| m["brand"].as_str().unwrap()).collect();
        assert_eq!(brands, ["mastercard", "visa"]);
        assert_eq!(w.events("customer.created").len(), 1);
        let (cart, started) = w.charge(kept[1]["id"].as_str().unwrap(), true);
        started.created();
        assert_eq!(cart.place().ok().text("/outcome"), "placed");
        w.news();
        assert_eq!(w.kept().len(), 2);
    }

    fn an_order_that_is_placed_is_paid_with_a_saved_card(w) {
        let method = w.saved("pm_card_visa");
        let sold = Linked::new(w);
        let path = format!("/payment-links/{}/pay", sold.token);
        let charge = json!({ "payment": { "provider": "stripe", "method": "card", "savedPaymentMethodId": method, "offSession": true } });
        let by_front = w.store.front.once().post(&path, charge.clone());
        by_front.refused(403, "FORBIDDEN").about("/payment/savedPaymentMethodId", "missing_scope");
        // A page that somebody has open makes room.
        assert_eq!(sold.pay(None).ok().text("/outcome"), "action_required");
        w.gateway.fault("POST", "/v1/payment_intents", Fault::TimeoutAfter);
        let staff = || w.shop.staff().once().post(&path, charge.clone()).ok();
        assert_eq!(staff().text("/outcome"), "processing");
        assert_eq!(staff().text("/outcome"), "paid");
        w.shop.reconcile();
        assert_eq!(w.taken(), (TOTAL, 0));
        assert_eq!(sold.payments(), ["cancelled", "cancelled", "captured"]);
    }

    fn reserved_money_of_a_saved_card_is_reserved_anew_before_its_time_runs_out(w) {
        let method = w.saved("pm_card_visa");
        let (cart, started) = w.charge(&method, true);
        started.created();
        let placed = cart.place().ok();
        let order = placed.text("/order/id");
        for renewed in 1..=2 {
            w.shop.wait(Duration::from_hours(24 * 6 + 1));
            w.now();
            w.shop.work();
            w.shop.reconcile();
            let timeline = w.shop.timeline(order);
            assert_eq!(timeline[1..], ["authorization_expiring", "payment_reauthorized", "payment_voided"].repeat(renewed));
        }
        let seen = w.shop.staff().get(&format!("/orders/{order}")).ok();
        let status: Vec<_> = seen.at("/payments").as_array().unwrap().iter().map(|p| p["status"].as_str().unwrap()).collect();
        assert_eq!((status, seen.text("/paymentStatus")), (vec!["cancelled", "cancelled", "authorized"], "authorized"));
        let reserved: i64 = w.gateway.money().values().map(|m| m.capturable).sum();
        assert_eq!(reserved, TOTAL);
        let path = format!("/payments/{}/capture", seen.text("/payments/2/id"));
        w.shop.staff().once().post(&path, json!({})).ok();
        assert_eq!(w.taken(), (TOTAL, 0));
    }

    fn money_that_ran_out_is_reserved_anew_by_whoever_asks_once(w) {
        let method = w.saved("pm_card_visa");
        let placed = w.order("pm_card_mastercard");
        w.gateway.expire_authorization(&intent_of(&placed));
        w.news();
        assert_eq!(w.shop.payment(&placed).text("/payment/status"), "cancelled");
        w.shop.unchanged(|| {
            let unnamed = w.shop.move_money(&placed, "reauthorize", json!({}));
            unnamed.refused(422, "VALIDATION_FAILED").about("/savedPaymentMethodId", "required");
        });
        let ask = || w.shop.move_money(&placed, "reauthorize", json!({ "savedPaymentMethodId": method }));
        for fault in [Fault::DropBefore, Fault::TimeoutAfter] {
            w.gateway.fault("POST", "/v1/payment_intents", fault);
            assert_eq!(ask().ok().text("/payment/status"), "pending", "{fault:?}");
        }
        w.shop.reconcile();
        assert_eq!(w.shop.timeline(placed.text("/order/id")).last().unwrap(), "payment_reauthorized");
        assert_eq!(ask().ok().text("/payment/status"), "authorized");
        assert_eq!(w.gateway.money().len(), 2, "one that ran out, and one in its place");
        let reserved: i64 = w.gateway.money().values().map(|m| m.capturable).sum();
        assert_eq!(reserved, TOTAL);
    }

    fn what_cannot_be_reserved_anew_is_told_and_the_old_stays(w) {
        let wary = w.saved("pm_card_authenticationRequired");
        let placed = w.order("pm_card_visa");
        let ask = || w.shop.move_money(&placed, "reauthorize", json!({ "savedPaymentMethodId": wary }));
        for _ in 0..2 {
            let declined = ask().refused(402, "PAYMENT_DECLINED");
            assert!(declined.detail().contains("authentication_required"), "{declined}");
        }
        // Nobody is there to hear that one never arrived.
        w.gateway.fault("POST", "/v1/payment_intents", Fault::DropBefore);
        assert_eq!(ask().ok().text("/payment/status"), "pending");
        w.shop.reconcile();
        assert_eq!(w.shop.timeline(placed.text("/order/id")), ["placed", "reauthorization_failed", "reauthorization_failed", "reauthorization_failed"]);
        assert_eq!(w.gateway.money()[&intent_of(&placed)].capturable, TOTAL);
        w.shop.move_money(&placed, "capture", json!({})).ok();
    }

    fn units_whose_refund_came_back_may_be_refunded_again(w) {
        let placed = w.order("pm_card_visa");
        w.shop.move_money(&placed, "capture", json!({})).ok();
        let refund = || w.shop.move_money(&placed, "refund", json!({ "lines": [{ "lineId": placed.text("/order/lines/0/id"), "quantity": 1 }] }));
        let order = || w.shop.staff().get(&format!("/orders/{}", placed.text("/order/id"))).ok();
        for _ in 0..2 {
            refund().ok();
            refund().refused(422, "VALIDATION_FAILED").about("/lines/0/quantity", "out_of_range");
            let sent = w.events("refund.created").pop().unwrap();
            w.gateway.settle_refund(sent.object(), false);
            w.news();
            assert_eq!(order().at("/lines/0/quantityRefunded"), 0);
        }
        let seen = w.shop.payment(&placed);
        assert_eq!((seen.text("/attempts/1/status"), seen.text("/attempts/1/failure")), ("failed", "returned"));
        refund().ok();
        w.news();
        assert_eq!((order().at("/lines/0/quantityRefunded"), w.taken()), (&json!(1), (TOTAL, MUG)));
    }

    fn an_attempt_is_given_up_only_after_stripe_was_read(w) {
        let placed = w.order("pm_card_visa");
        w.shop.move_money(&placed, "capture", json!({})).ok();
        // Stripe keeps its 500 for the key, whatever is asked with it.
        w.gateway.fault("POST", "/v1/refunds", Fault::Error500Before);
        let asked = w.shop.move_money(&placed, "refund", json!({ "amount": 500 })).ok();
        assert_eq!(asked.text("/attempts/1/status"), "pending");
        let status = || w.shop.payment(&placed).text("/attempts/1/status").to_owned();
        for _ in 0..20 {
            w.gateway.fault("GET", "/v1/payment_intents/*", Fault::DropBefore);
        }
        for _ in 0..4 {
            w.shop.later(Duration::from_mins(15));
            assert_eq!(status(), "pending", "it may have been done");
        }
        w.gateway.clear_faults();
        w.shop.reconcile();
        assert_eq!(status(), "failed");
        assert_eq!(w.shop.payment(&placed).text("/attempts/1/failure"), "provider_error");
        assert_eq!(w.shop.timeline(placed.text("/order/id")).last().unwrap(), "refund_failed");
        w.shop.move_money(&placed, "refund", json!({})).ok();
        assert_eq!(w.taken(), (TOTAL, TOTAL));
    }

    fn what_is_captured_or_called_off_meanwhile_is_not_reserved_twice(w) {
        let method = w.saved("pm_card_visa");
        for called_off in [false, true] {
            let cart = w.store.cart(&[("MUG", 2)]);
            cart.pay_by(&json!({ "provider": "stripe", "method": "card", "token": "pm_card_visa" })).created();
            let placed = cart.place().ok();
            w.gateway.fault("POST", "/v1/payment_intents", Fault::TimeoutAfter);
            let asked = w.shop.move_money(&placed, "reauthorize", json!({ "savedPaymentMethodId": method })).ok();
            assert_eq!(asked.text("/payment/status"), "pending");
            if called_off {
                let path = format!("/orders/{}/cancel", placed.text("/order/id"));
                let one = json!({ "lines": [{ "lineId": placed.at("/order/lines/0/id"), "quantity": 1 }] });
                w.shop.staff().once().post(&path, one).ok();
            } else {
                // Nobody knows of the capture yet when the news of the other payment comes.
                w.gateway.fault("POST", "/v1/payment_intents/*/capture", Fault::TimeoutAfter);
                w.shop.move_money(&placed, "capture", json!({})).ok();
            }
            w.news();
            w.shop.reconcile();
            w.shop.reconcile();
            let timeline = w.shop.timeline(placed.text("/order/id"));
            assert!(timeline.contains(&"reauthorization_failed".to_owned()), "{timeline:?}");
            if called_off {
                w.shop.move_money(&placed, "capture", json!({})).ok();
            }
            let order = w.shop.staff().get(&format!("/orders/{}", placed.text("/order/id"))).ok();
            assert_eq!(order.text("/paymentStatus"), "paid");
            let money = w.gateway.money();
            let new = money.values().find(|m| m.metadata["payment"] == asked.at("/payment/id").as_str().unwrap()).unwrap();
            assert_eq!((new.capturable, new.captured), (0, 0), "the new one is let go");
        }
    }

    fn what_was_reserved_anew_and_is_let_go_later_has_not_failed(w) {
        let method = w.saved("pm_card_visa");
        let placed = w.order("pm_card_visa");
        let ask = || w.shop.move_money(&placed, "reauthorize", json!({ "savedPaymentMethodId": method })).ok();
        let anew = ask();
        assert_eq!(ask().at("/payment/id"), anew.at("/payment/id"), "asked again, it is done already");
        w.shop.reconcile();
        w.gateway.cancel_at_dashboard(anew.text("/payment/reference")).unwrap();
        w.news();
        assert_eq!(w.shop.timeline(placed.text("/order/id")), ["placed", "payment_reauthorized", "payment_voided", "payment_voided"]);
    }

    fn a_customer_who_is_gone_at_stripe_is_made_anew_when_a_card_is_saved_with_a_payment(w) {
        w.saved("pm_card_visa");
        let gone = w.events("customer.created")[0].json["data"]["object"]["id"].as_str().unwrap().to_owned();
        w.gateway.delete_customer_at_dashboard(&gone).unwrap();
        let cart = w.store.cart(&[("MUG", 1)]);
        let payment = json!({ "provider": "stripe", "method": "card", "token": "pm_card_mastercard", "savePaymentMethod": true });
        w.shop.staff().once().post(&cart.path("/checkout"), json!({ "payment": payment })).created();
        assert_eq!(cart.place().ok().text("/outcome"), "placed");
        w.shop.work();
        assert_eq!(w.kept().len(), 1);
    }

    fn an_order_that_is_called_off_lets_go_of_a_reservation_that_would_not_go(w) {
        let method = w.saved("pm_card_visa");
        let placed = w.order("pm_card_visa");
        w.gateway.fault("POST", "/v1/payment_intents/*/cancel", Fault::Error500Before);
        w.shop.move_money(&placed, "reauthorize", json!({ "savedPaymentMethodId": method })).ok();
        for _ in 0..4 {
            w.shop.later(Duration::from_mins(15));
        }
        assert_eq!(w.shop.timeline(placed.text("/order/id")), ["placed", "payment_reauthorized", "void_failed"]);
        let path = format!("/orders/{}/cancel", placed.text("/order/id"));
        w.shop.staff().once().post(&path, json!({})).ok();
        w.shop.reconcile();
        let reserved: i64 = w.gateway.money().values().map(|m| m.capturable).sum();
        assert_eq!(reserved, 0);
    }
}
