//! Paying by PayPal: the real adapter against a strict double of PayPal's API, with its events and its faults. The double's
//! books are compared with Mercer's after every story.

use std::time::Duration;

use diesel::sql_types::BigInt;
use serde_json::{Value, json};

use crate::support::paypal::{CLIENT_ID, Fault, Instrument, Paypal, SECRET, WEBHOOK_ID};
use crate::support::{Answer, Cart, Kind, Shop, Store};

const MUG: i64 = 1_500;
const TOTAL: i64 = MUG + 490;

/// A shop that sells mugs, and its PayPal.
struct World<'a> {
    shop: &'a Shop,
    paypal: &'a Paypal,
    store: Store<'a>,
}

fn tell(kind: Kind, narrate: fn(&World<'_>)) {
    let shop = Shop::open(kind);
    let paypal = Paypal::start(&shop.clock);
    paypal.set_sleep(Duration::from_millis(1_500));
    let shop = shop.close().open_with(&[
        ("paypal_client_id", CLIENT_ID),
        ("paypal_secret", SECRET),
        ("paypal_webhook_id", WEBHOOK_ID),
        ("paypal_url", &paypal.url()),
        ("provider_seconds", "1"),
    ]);
    let store = Store::open(&shop);
    store.sell(&[("MUG", MUG, 100)]);
    let world = World {
        shop: &shop,
        paypal: &paypal,
        store,
    };
    narrate(&world);
    world.agree();
    shop.check();
}

impl World<'_> {
    /// A cart of one mug that is to be paid by PayPal, and PayPal's order.
    fn checkout(&self) -> (Cart, String) {
        let cart = self.store.cart(&[("MUG", 1)]);
        let payment = json!({ "provider": "paypal", "returnUrl": "https://shop.example/back" });
        let started = cart.pay_by(&payment).created();
        assert_eq!(started.text("/payment/status"), "requires_action");
        let order = order_at(started.text("/payment/actionUrl"));
        (cart, order)
    }

    /// The same, approved by the shopper.
    fn approved(&self, instrument: Instrument) -> (Cart, String) {
        let (cart, order) = self.checkout();
        self.paypal.approve(&order, instrument);
        (cart, order)
    }

    /// An order whose money is reserved, and PayPal's order.
    fn order(&self) -> (Answer, String) {
        let (cart, order) = self.approved(Instrument::Good);
        let placed = cart.place().ok();
        assert_eq!(placed.text("/outcome"), "placed", "{placed}");
        assert_eq!(placed.text("/order/payments/0/reference"), order);
        (placed, order)
    }

    /// An order whose money is here.
    fn captured(&self) -> (Answer, String) {
        let (placed, order) = self.order();
        self.shop.move_money(&placed, "capture", json!({})).ok();
        (placed, order)
    }

    /// Has the money taken with the order.
    fn capture_at_once(&self) {
        let path = format!("/channels/{}", self.shop.channel);
        let channel = json!({ "capture": "placement" });
        self.shop.staff().patch(&path, channel).ok();
    }

    /// The webhook endpoint.
    fn webhooks(&self) -> String {
        let address = self.shop.anonymous().address();
        format!("http://{address}/webhooks/payments/paypal")
    }

    /// Sends what has happened at PayPal, and does the jobs that follow.
    fn news(&self) {
        for (kind, status) in self.paypal.deliver_all(&self.webhooks()) {
            assert_eq!(status, 200, "{kind}");
        }
        self.shop.work();
    }

    fn count(&self, text: &str) -> i64 {
        self.shop
            .connect()
            .rows::<BigInt, i64>(text, vec![])
            .unwrap()[0]
    }

    /// PayPal's books and Mercer's say the same of every payment.
    fn agree(&self) {
        for (order, books) in self.paypal.money() {
            assert_eq!(
                self.shop.books(&books.custom_id),
                (books.capturable, books.captured, books.refunded),
                "{order} ({})",
                books.status
            );
        }
    }
}

/// The order whose page this is.
fn order_at(page: &str) -> String {
    let (before, order) = page.split_once("?token=").unwrap();
    assert_eq!(before, "https://www.sandbox.paypal.com/checkoutnow");
    order.to_owned()
}

stories! {
    fn an_approved_order_is_authorised_captured_and_refunded(w) {
        let (cart, order) = w.checkout();
        let opened = w.paypal.requests().remove(1);
        assert_eq!((opened.path.as_str(), &opened.body["intent"]), ("/v2/checkout/orders", &json!("AUTHORIZE")));
        let early = cart.place().ok();
        assert_eq!((early.text("/outcome"), order_at(early.text("/actionUrl"))), ("action_required", order.clone()));
        w.paypal.approve(&order, Instrument::Good);
        let placed = cart.place().ok();
        assert_eq!((placed.text("/outcome"), placed.text("/order/paymentStatus")), ("placed", "authorized"));
        let id = placed.text("/order/payments/0/id");
        assert_eq!(opened.request_id, Some(format!("{id}:authorize")));
        assert_eq!(opened.body["purchase_units"][0]["custom_id"], id);

        let captured = w.shop.move_money(&placed, "capture", json!({ "amount": 1_000, "last": true })).ok();
        assert_eq!(captured.at("/payment/captured/amount"), 1_000);
        assert_eq!(captured.at("/payment/outstanding/amount"), 0, "the last capture lets go of the rest");
        assert_eq!(captured.text("/facts/payer_country"), "DE");
        w.shop.move_money(&placed, "capture", json!({})).refused(409, "INVALID_STATE");
        w.shop.move_money(&placed, "refund", json!({ "amount": 300 })).ok();
        w.shop.move_money(&placed, "refund", json!({ "amount": 701 })).refused(422, "VALIDATION_FAILED");
        w.shop.move_money(&placed, "refund", json!({})).ok();
        let order = placed.text("/order/id");
        assert_eq!(w.shop.timeline(order), ["placed", "payment_captured", "payment_refunded", "payment_refunded"]);
        w.news();
        assert_eq!(w.shop.timeline(order).len(), 4, "the webhooks have nothing new");
    }

    fn a_payment_is_captured_in_parts_and_the_rest_let_go(w) {
        let (placed, order) = w.order();
        w.shop.move_money(&placed, "capture", json!({ "amount": 500 })).ok();
        w.shop.move_money(&placed, "capture", json!({ "amount": 700 })).ok();
        let voided = w.shop.move_money(&placed, "void", json!({})).ok();
        assert_eq!(voided.at("/payment/outstanding/amount"), 0);
        assert_eq!(w.paypal.money()[&order].captured, 1_200);
        w.shop.move_money(&placed, "refund", json!({ "amount": 600 })).ok();
        w.shop.move_money(&placed, "refund", json!({ "amount": 601 })).refused(422, "VALIDATION_FAILED");
        // Of the first capture 500 are left, of the second 100.
        w.shop.move_money(&placed, "refund", json!({ "amount": 600 })).ok();
        assert_eq!(w.paypal.money()[&order].refunded, 1_200);
    }

    fn a_void_lets_all_of_it_go_once(w) {
        let (placed, order) = w.order();
        let voided = w.shop.move_money(&placed, "void", json!({ "reason": "sold out" })).ok();
        assert_eq!(voided.text("/payment/status"), "cancelled");
        w.shop.move_money(&placed, "void", json!({})).refused(409, "INVALID_STATE");
        w.shop.move_money(&placed, "capture", json!({})).refused(409, "INVALID_STATE");
        assert_eq!(w.paypal.money()[&order].status, "VOIDED");
        w.news();
        assert_eq!(w.shop.timeline(placed.text("/order/id")), ["placed", "payment_voided"]);
    }

    fn money_is_taken_with_the_order_where_the_channel_wants_it(w) {
        w.capture_at_once();
        let (placed, _) = w.order();
        assert_eq!(placed.text("/order/paymentStatus"), "paid");
        assert_eq!(placed.at("/order/payments/0/captured/amount"), TOTAL);
        w.shop.move_money(&placed, "refund", json!({ "amount": 990 })).ok();
    }

    fn an_order_is_placed_by_the_webhook_where_the_answer_was_lost(w) {
        for fault in [Fault::TimeoutAfter, Fault::DropAfter, Fault::Error500After, Fault::Garbage] {
            let (cart, _) = w.approved(Instrument::Good);
            w.paypal.fault("POST", "/v2/checkout/orders/*/authorize", fault);
            // Where the answer alone was unreadable, the order is read again at once.
            let asked = cart.place().ok();
            let outcome = if fault == Fault::Garbage { "placed" } else { "processing" };
            assert_eq!(asked.text("/outcome"), outcome, "{fault:?}");
            w.news();
            assert_eq!(cart.checkout_status(), "ordered", "{fault:?}");
            assert_eq!(cart.place().ok().text("/outcome"), "placed", "{fault:?}");
        }
        assert_eq!((w.paypal.money().len(), w.shop.orders().len()), (4, 4));
    }

    fn an_order_is_placed_by_the_webhook_where_the_shopper_never_comes_back(w) {
        let (cart, _) = w.approved(Instrument::Good);
        assert_eq!(w.shop.orders().len(), 0);
        w.news();
        assert_eq!(w.shop.orders().len(), 1);
        w.news();
        assert_eq!(cart.place().ok().text("/outcome"), "placed");
        assert_eq!(w.shop.orders().len(), 1);
    }

    fn a_link_is_paid_by_the_webhook_where_the_shopper_never_comes_back_unless_it_was_taken_back(w) {
        for taken_back in [false, true] {
            let cart = w.store.cart(&[("MUG", 1)]);
            cart.pay_by(&json!({ "provider": "manual" })).created();
            let order = cart.place().ok().text("/order/id").to_owned();
            let link = w.shop.staff().once().post(&format!("/orders/{order}/payment-links"), json!({})).created();
            let path = format!("/payment-links/{}/pay", link.text("/token"));
            let payment = json!({ "provider": "paypal", "returnUrl": "https://shop.example/back" });
            let asked = w.store.front.once().post(&path, json!({ "payment": payment })).ok();
            assert_eq!(asked.text("/outcome"), "action_required");
            let name = order_at(asked.text("/actionUrl"));
            if taken_back {
                w.shop.staff().post(&format!("/payment-links/{}/disable", link.text("/link/id")), json!({})).ok();
            }
            w.paypal.approve(&name, Instrument::Good);
            w.news();
            w.news();
            let books = &w.paypal.money()[&name];
            let expected = if taken_back { (0, 0) } else { (0, TOTAL) };
            assert_eq!((books.capturable, books.captured), expected);
            let status = w.shop.staff().get(&format!("/orders/{order}")).ok().text("/paymentStatus").to_owned();
            assert_eq!(status, if taken_back { "awaited" } else { "paid" });
        }
    }

    fn an_approval_of_a_checkout_that_was_replaced_takes_nothing(w) {
        let (cart, first) = w.checkout();
        let again = cart.pay_by(&json!({ "provider": "paypal" })).created();
        let second = order_at(again.text("/payment/actionUrl"));
        w.paypal.approve(&first, Instrument::Good);
        w.news();
        assert_eq!((w.shop.orders().len(), w.paypal.money()[&first].capturable), (0, 0));
        w.paypal.approve(&second, Instrument::Good);
        w.news();
        assert_eq!((w.shop.orders().len(), w.paypal.money()[&second].capturable), (1, TOTAL));
    }

    fn what_never_arrived_is_asked_again(w) {
        for fault in [Fault::TimeoutBefore, Fault::DropBefore, Fault::RateLimited, Fault::Error500Before] {
            let (cart, _) = w.approved(Instrument::Good);
            w.paypal.fault("POST", "/v2/checkout/orders/*/authorize", fault);
            assert_eq!(cart.place().ok().text("/outcome"), "processing", "{fault:?}");
            // Nobody comes back and no webhook arrives: the shop asks, and goes on.
            w.shop.reconcile();
            assert_eq!(cart.checkout_status(), "ordered", "{fault:?}");
        }
        assert_eq!(w.shop.orders().len(), 4);
        let (cart, _) = w.approved(Instrument::Good);
        w.paypal.fault("POST", "/v2/checkout/orders/*/authorize", Fault::TimeoutBefore);
        assert_eq!(cart.place().ok().text("/outcome"), "processing");
        assert_eq!(cart.place().ok().text("/outcome"), "placed", "the shopper asks again, with the same key");
    }

    fn an_order_that_could_not_be_opened_is_opened_by_asking_again(w) {
        for (fault, orders) in [(Fault::TimeoutAfter, 1), (Fault::DropBefore, 2), (Fault::RateLimited, 3)] {
            let cart = w.store.cart(&[("MUG", 1)]);
            w.paypal.fault("POST", "/v2/checkout/orders$", fault);
            let started = cart.pay_by(&json!({ "provider": "paypal" })).created();
            assert_eq!(started.text("/payment/status"), "pending", "{fault:?}");
            assert!(started.at("/payment/actionUrl").is_null());
            let asked = cart.place().ok();
            assert_eq!(asked.text("/outcome"), "action_required", "{fault:?}");
            w.paypal.approve(&order_at(asked.text("/actionUrl")), Instrument::Good);
            assert_eq!(cart.place().ok().text("/outcome"), "placed", "{fault:?}");
            assert_eq!(w.paypal.money().len(), orders, "{fault:?}");
        }
    }

    fn a_capture_whose_answer_is_lost_moves_money_once(w) {
        for fault in [Fault::TimeoutAfter, Fault::DropAfter, Fault::Error500After, Fault::Error500Before, Fault::DropBefore, Fault::RateLimited] {
            let (placed, order) = w.order();
            w.paypal.fault("POST", "/v2/payments/authorizations/*/capture", fault);
            w.shop.move_money(&placed, "capture", json!({})).ok();
            w.shop.reconcile();
            let seen = w.shop.payment(&placed);
            assert_eq!(seen.at("/payment/captured/amount"), TOTAL, "{fault:?}: {seen}");
            assert_eq!(w.paypal.money()[&order].captured, TOTAL, "{fault:?}");
        }
    }

    fn a_refund_whose_answer_is_lost_moves_money_once(w) {
        for fault in [Fault::TimeoutAfter, Fault::DropAfter, Fault::Error500After, Fault::Error500Before, Fault::DropBefore, Fault::RateLimited] {
            let (placed, order) = w.captured();
            w.paypal.fault("POST", "/v2/payments/captures/*/refund", fault);
            let asked = w.shop.move_money(&placed, "refund", json!({ "amount": 500 })).ok();
            assert_eq!(asked.text("/attempts/1/status"), "pending", "{fault:?}: {asked}");
            let more = w.shop.move_money(&placed, "refund", json!({ "amount": TOTAL - 499 }));
            more.refused(422, "VALIDATION_FAILED").about("/amount", "out_of_range");
            w.shop.reconcile();
            assert_eq!(w.shop.payment(&placed).text("/attempts/1/status"), "succeeded", "{fault:?}");
            assert_eq!(w.paypal.money()[&order].refunded, 500, "{fault:?}");
        }
    }

    fn a_void_whose_answer_is_lost_is_found_out(w) {
        for fault in [Fault::TimeoutAfter, Fault::DropAfter, Fault::Error500After, Fault::DropBefore, Fault::RateLimited] {
            let (placed, order) = w.order();
            w.paypal.fault("POST", "/v2/payments/authorizations/*/void", fault);
            w.shop.move_money(&placed, "void", json!({})).ok();
            w.shop.reconcile();
            assert_eq!(w.shop.payment(&placed).text("/attempts/0/status"), "succeeded", "{fault:?}");
            assert_eq!(w.paypal.money()[&order].status, "VOIDED", "{fault:?}");
        }
    }

    fn a_declined_instrument_leaves_the_stock_and_another_pays(w) {
        let (cart, order) = w.approved(Instrument::Declined);
        let said = cart.place().refused(402, "PAYMENT_DECLINED").about("/payment", "declined");
        assert!(said.detail().contains("instrument_declined"), "{said}");
        assert_eq!((w.store.stock("MUG"), w.paypal.money()[&order].capturable), ((100, 1, 0), 0));
        w.news();
        assert_eq!(w.shop.orders().len(), 0);
        // The shopper goes back to the same page and takes another card there.
        w.paypal.approve(&order, Instrument::Good);
        assert_eq!(cart.place().ok().text("/outcome"), "placed");

        let (cart, _) = w.approved(Instrument::Declined);
        cart.place().refused(402, "PAYMENT_DECLINED");
        let again = cart.pay_by(&json!({ "provider": "paypal" })).created();
        w.paypal.approve(&order_at(again.text("/payment/actionUrl")), Instrument::Good);
        assert_eq!(cart.place().ok().text("/outcome"), "placed");
        assert_eq!(w.store.stock("MUG"), (100, 0, 2));
        w.shop.work();
    }

    fn an_order_about_another_amount_is_not_taken(w) {
        let (cart, order) = w.approved(Instrument::Good);
        w.paypal.raise(&order);
        cart.place().refused(409, "PAYMENT_MISMATCH");
        w.news();
        w.shop.reconcile();
        assert_eq!((w.shop.orders().len(), w.store.stock("MUG")), (0, (100, 0, 0)));
        assert_eq!(w.paypal.money()[&order].status, "APPROVED", "nothing was reserved");
    }

    fn a_page_that_is_left_lets_go_of_the_stock_and_late_approval_takes_nothing(w) {
        let (cart, order) = w.checkout();
        assert_eq!(w.store.stock("MUG"), (100, 1, 0));
        w.shop.later(Duration::from_mins(31));
        w.shop.work();
        assert_eq!((cart.checkout_status().as_str(), w.store.stock("MUG")), ("expired", (100, 0, 0)));
        w.paypal.approve(&order, Instrument::Good);
        w.news();
        cart.place().refused(409, "CHECKOUT_EXPIRED");
        assert_eq!((w.shop.orders().len(), w.paypal.money()[&order].capturable), (0, 0));
    }

    fn what_paypal_looks_into_is_processing(w) {
        for (at_once, ok) in [(false, true), (false, false), (true, true), (true, false)] {
            if at_once {
                w.capture_at_once();
            }
            let before = w.shop.orders().len();
            let (cart, order) = w.approved(Instrument::Reviewed);
            assert_eq!(cart.place().ok().text("/outcome"), "processing");
            w.news();
            assert_eq!(w.shop.orders().len(), before);
            w.paypal.settle(&order, ok);
            w.news();
            assert_eq!(w.shop.orders().len() - before, usize::from(ok), "{at_once} {ok}");
        }
    }

    fn webhooks_are_believed_only_when_paypal_says_so(w) {
        let (placed, _) = w.order();
        let body = w.paypal.events().last().unwrap().json.to_string();
        let deliver = |body: &str, headers: &[(&'static str, String)]| Paypal::deliver_raw(&w.webhooks(), body, headers);
        let forged = |name: &str, value: &str| {
            let mut headers = w.paypal.signed(&body);
            headers.retain(|(known, _)| *known != name || !value.is_empty());
            for header in headers.iter_mut().filter(|(known, _)| *known == name) {
                value.clone_into(&mut header.1);
            }
            headers
        };
        w.shop.unchanged(|| {
            assert_eq!(deliver(&body, &[]), 400);
            for name in ["auth-algo", "cert-url", "transmission-id", "transmission-sig", "transmission-time"] {
                let name = format!("paypal-{name}");
                assert_eq!(deliver(&body, &forged(&name, "")), 400, "{name}");
                assert_eq!(deliver(&body, &forged(&name, "other")), 400, "{name}");
            }
            let time = w.shop.app().clock.now().minus(Duration::from_hours(74)).to_string();
            assert_eq!(deliver(&body, &forged("paypal-transmission-time", &time)), 400);
            assert_eq!(deliver(&body.replace("CREATED", "VOIDED"), &w.paypal.signed(&body)), 400);
            let large = " ".repeat(1024 * 1024);
            assert_eq!(deliver(&large, &w.paypal.signed(&large)), 413);
            // Nobody knows: PayPal is to send it again.
            w.paypal.fault("POST", "/v1/notifications", Fault::Error500Before);
            assert_eq!(deliver(&body, &w.paypal.signed(&body)), 503);
        });
        assert_eq!(deliver(&body, &w.paypal.signed(&body)), 200);
        assert_eq!(deliver(&body, &w.paypal.signed(&body)), 200, "the same event, signed anew");
        w.shop.work();
        assert_eq!(w.count("SELECT count(*) FROM payment_notices"), 1);
        assert_eq!(w.shop.timeline(placed.text("/order/id")), ["placed"]);
    }

    fn a_webhook_about_what_is_not_known_is_kept_and_tried_again(w) {
        let (placed, _) = w.order();
        let event = w.paypal.events().pop().unwrap();
        let known = placed.text("/order/payments/0/id");
        let body = event.json.to_string();
        let foreign = body.replace(known, "pay_01jq3h5s5vfkg8r4t0x2m6c9ze");
        let strange = json!({"id": "WH-strange", "event_type": "OF.TOMORROW", "resource": {}}).to_string();
        for body in [&foreign, &strange] {
            assert_eq!(Paypal::deliver_raw(&w.webhooks(), body, &w.paypal.signed(body)), 200);
        }
        w.shop.work();
        let waiting = "SELECT count(*) FROM jobs WHERE kind = 'payments.notice' AND status = 'ready' AND attempts > 0";
        assert_eq!(w.count(waiting), 1, "the payment may become known yet");
        assert_eq!(w.count("SELECT count(*) FROM payment_notices"), 2);
        assert_eq!(w.count("SELECT count(*) FROM payment_notices WHERE processed_at IS NULL"), 1);
    }

    fn events_of_another_system_on_the_account_are_ignored(w) {
        let event = |id: &str, kind: &str, of: &str, resource: Value| {
            json!({ "id": id, "event_type": kind, "resource_type": of, "resource": resource }).to_string()
        };
        let unit = json!([{ "custom_id": "order 7", "amount": { "currency_code": "EUR", "value": "1.00" } }]);
        let order = json!({ "id": "ORDER-ELSE", "purchase_units": unit });
        let capture = json!({ "id": "CAPTURE-ELSE", "custom_id": "order 7",
            "supplementary_data": { "related_ids": { "order_id": "ORDER-ELSE" } } });
        for body in [
            event("WH-else-1", "CHECKOUT.ORDER.APPROVED", "checkout-order", order),
            event("WH-else-2", "PAYMENT.CAPTURE.COMPLETED", "capture", capture),
        ] {
            assert_eq!(Paypal::deliver_raw(&w.webhooks(), &body, &w.paypal.signed(&body)), 200);
        }
        w.shop.work();
        assert_eq!(w.count("SELECT count(*) FROM payment_notices"), 1, "what says so itself is not kept");
        assert_eq!(w.count("SELECT count(*) FROM payment_notices WHERE processed_at IS NULL"), 0);
    }

    fn an_amount_that_paypal_cannot_take_is_refused_before_anything_is_recorded(w) {
        w.store.sell_in("HUF", "MUG", 120_050);
        w.store.sell_in("KWD", "MUG", 1_250);
        for (currency, code) in [("HUF", "amount_not_representable"), ("KWD", "currency_not_supported")] {
            let cart = w.store.cart_in(currency, &[("MUG", 1)]);
            w.shop.unchanged(|| {
                cart.pay_by(&json!({ "provider": "paypal" })).refused(422, "VALIDATION_FAILED")
                    .about("/payment/provider", code);
            });
        }
        let cart = w.store.cart_in("HUF", &[("MUG", 2)]);
        cart.pay_by(&json!({ "provider": "paypal" })).created();
    }

    fn webhooks_may_come_twice_late_and_in_any_order(w) {
        let (placed, _) = w.captured();
        w.shop.move_money(&placed, "refund", json!({ "amount": 500 })).ok();
        w.shop.wait(Duration::from_hours(48));
        let mut events = w.paypal.events();
        events.reverse();
        for event in events.iter().chain(&events) {
            assert_eq!(w.paypal.deliver(&w.webhooks(), event), 200);
            w.shop.work();
        }
        let notices = w.count("SELECT count(*) FROM payment_notices");
        assert_eq!(usize::try_from(notices).unwrap(), events.len());
        assert_eq!(w.shop.timeline(placed.text("/order/id")), ["placed", "payment_captured", "payment_refunded"]);
    }

    fn what_is_done_at_paypal_is_booked(w) {
        let (placed, order) = w.order();
        w.paypal.capture_by_hand(&order).unwrap();
        w.news();
        w.paypal.refund_by_hand(&order, "4.00").unwrap();
        // Mercer does not know of it yet; PayPal's books are read before anything is sent back.
        w.shop.move_money(&placed, "refund", json!({})).refused(402, "PAYMENT_DECLINED");
        w.news();
        w.shop.move_money(&placed, "refund", json!({ "amount": TOTAL - 399 })).refused(422, "VALIDATION_FAILED");
        assert_eq!(
            w.shop.timeline(placed.text("/order/id")),
            ["placed", "payment_captured", "refund_failed", "payment_refunded"]
        );
        let (placed, order) = w.order();
        w.paypal.void_by_hand(&order).unwrap();
        w.shop.move_money(&placed, "capture", json!({})).refused(402, "PAYMENT_DECLINED");
        w.news();
        assert_eq!(w.shop.payment(&placed).text("/payment/status"), "cancelled");
    }

    fn a_refund_that_does_not_arrive_is_here_again(w) {
        let (placed, order) = w.captured();
        w.paypal.hold_refunds(true);
        for (ok, kept) in [(false, 0), (true, 500)] {
            w.shop.move_money(&placed, "refund", json!({ "amount": 500 })).ok();
            w.news();
            w.paypal.settle_refund(&order, ok);
            w.news();
            assert_eq!(w.shop.payment(&placed).at("/payment/refunded/amount"), kept);
        }
        assert_eq!(
            w.shop.timeline(placed.text("/order/id")),
            ["placed", "payment_captured", "payment_refunded", "refund_returned", "payment_refunded"]
        );
    }

    fn a_dispute_is_told_with_its_deadline_once_paypal_is_to_decide(w) {
        for (outcome, ends, back) in [("RESOLVED_SELLER_FAVOUR", vec!["payment_disputed", "dispute_won"], 0), ("RESOLVED_BUYER_FAVOUR", vec!["payment_disputed"], TOTAL)] {
            let (placed, order) = w.captured();
            let events = || w.shop.timeline(placed.text("/order/id"))[2..].to_vec();
            w.news();
            w.paypal.dispute(&order, "MERCHANDISE_OR_SERVICE_NOT_RECEIVED");
            w.news();
            assert_eq!(events(), [""; 0], "they talk; no money has moved");
            w.paypal.escalate_dispute();
            w.news();
            assert_eq!(events(), ["payment_disputed"]);
            let timeline = w.shop.staff().get(&format!("/orders/{}/timeline", placed.text("/order/id"))).ok();
            let told = &timeline.at("/entries/2/data");
            assert_eq!(told["amount"]["amount"], TOTAL);
            assert_eq!(told["data"]["reason"], "merchandise_or_service_not_received");
            let due: mercer::kernel::Timestamp = told["data"]["respond_by"].as_str().unwrap().parse().unwrap();
            assert!(due > w.shop.clock.now());
            assert_eq!(w.shop.payment(&placed).at("/payment/chargedBack/amount"), TOTAL);
            w.shop.move_money(&placed, "refund", json!({})).refused(409, "INVALID_STATE");
            w.paypal.close_dispute(outcome);
            w.news();
            assert_eq!(events(), ends);
            assert_eq!(w.shop.payment(&placed).at("/payment/chargedBack/amount"), back);
        }
        let all = w.count("SELECT count(*) FROM payment_notices WHERE kind LIKE 'CUSTOMER.DISPUTE.%'");
        let processed = w.count("SELECT count(*) FROM payment_notices WHERE kind LIKE 'CUSTOMER.DISPUTE.%' AND processed_at IS NOT NULL");
        assert_eq!((all, processed), (6, 6));
    }

    fn a_refund_takes_from_as_many_captures_as_it_needs(w) {
        let (placed, order) = w.order();
        for amount in [700, 700, TOTAL - 1_400] {
            w.shop.move_money(&placed, "capture", json!({ "amount": amount })).ok();
        }
        let refund = |body| w.shop.move_money(&placed, "refund", body);
        let sent = |n: usize| w.paypal.requests().iter().filter(|r| r.method == "POST" && r.path.ends_with("/refund")).count() == n;
        // One capture has enough, and is asked alone.
        refund(json!({ "amount": 200 })).ok();
        assert!(sent(1));
        // Then it takes two; the answer about the second is lost, and the same request goes on.
        for _ in 0..2 {
            w.paypal.fault("GET", "/v2/checkout/orders/*", Fault::DropBefore);
        }
        let lost = refund(json!({ "amount": 1_000 })).ok();
        assert_eq!(lost.text("/attempts/4/status"), "pending");
        w.shop.reconcile();
        w.shop.reconcile();
        let seen = w.shop.payment(&placed);
        assert_eq!((seen.text("/attempts/4/status"), seen.at("/payment/refunded/amount")), ("succeeded", &json!(1_200)));
        w.paypal.fault("POST", "/v2/payments/captures/*/refund", Fault::DropAfter);
        refund(json!({})).ok();
        w.shop.reconcile();
        assert_eq!(w.paypal.money()[&order].refunded, TOTAL);
        assert_eq!(w.shop.payment(&placed).text("/payment/status"), "refunded");
        assert_eq!(w.shop.timeline(placed.text("/order/id"))[4..], ["payment_refunded", "payment_refunded", "payment_refunded"]);
    }

    fn a_token_that_ends_or_is_taken_back_is_fetched_anew(w) {
        let tokens = || w.paypal.requests().iter().filter(|r| r.path == "/v1/oauth2/token").count();
        let (placed, _) = w.order();
        assert_eq!(tokens(), 1);
        w.paypal.revoke_tokens();
        w.shop.move_money(&placed, "capture", json!({})).ok();
        assert_eq!(tokens(), 2);
        w.shop.wait(Duration::from_hours(10));
        w.shop.move_money(&placed, "refund", json!({})).ok();
        assert_eq!(tokens(), 3);
        let stale = w.paypal.requests().iter().filter(|r| r.status == Some(401)).count();
        assert_eq!(stale, 1, "one that has ended is not tried");
    }

    fn an_order_that_is_called_off_is_refunded_at_paypal(w) {
        for captured in [false, true] {
            let (placed, order) = if captured { w.captured() } else { w.order() };
            let path = format!("/orders/{}/cancel", placed.text("/order/id"));
            w.shop.staff().once().post(&path, json!({})).ok();
            w.shop.reconcile();
            let left = &w.paypal.money()[&order];
            assert_eq!((left.capturable, left.captured - left.refunded), (0, 0));
        }
    }

    fn a_refund_of_which_only_a_part_could_be_sent_is_that_part(w) {
        let (placed, order) = w.order();
        for amount in [700, 700, TOTAL - 1_400] {
            w.shop.move_money(&placed, "capture", json!({ "amount": amount })).ok();
        }
        // The first of two captures is sent back, and then nobody answers.
        w.paypal.fault("POST", "/v2/payments/captures/*/refund", Fault::DropAfter);
        let asked = w.shop.move_money(&placed, "refund", json!({ "amount": 1_000 })).ok();
        assert_eq!(asked.text("/attempts/3/status"), "pending");
        // Meanwhile somebody sends the rest at PayPal.
        w.paypal.refund_by_hand(&order, "5.90").unwrap();
        w.paypal.refund_of(&order, 1, "7.00").unwrap();
        for _ in 0..4 {
            w.shop.later(Duration::from_mins(12));
        }
        let seen = w.shop.payment(&placed);
        let attempt = seen.at("/attempts/3");
        assert_eq!((&attempt["status"], &attempt["amount"]["amount"]), (&json!("succeeded"), &json!(700)));
        assert_eq!(seen.at("/payment/refunded/amount"), TOTAL);
    }

    fn an_approval_that_cannot_become_an_order_is_over(w) {
        let over = || {
            w.news();
            w.shop.reconcile();
            w.shop.reconcile();
            assert_eq!(w.shop.orders().len(), 0);
            assert_eq!(w.count("SELECT count(*) FROM payment_notices WHERE processed_at IS NULL"), 0);
            w.paypal.requests().iter().filter(|r| r.method == "POST" && r.path.ends_with("/authorize")).count()
        };
        // The instrument is declined once the money is to be reserved: that is asked for once.
        w.approved(Instrument::Declined);
        assert_eq!(over(), 1);
        // What was approved is not what is in the cart by now: it is not asked for at all.
        let (cart, order) = w.checkout();
        cart.client.post(&cart.path("/lines"), json!({ "lines": [{ "sku": "MUG", "quantity": 1 }] })).ok();
        w.paypal.approve(&order, Instrument::Good);
        assert_eq!(over(), 1);
        assert_eq!(cart.checkout_status(), "expired");
        assert_eq!(w.store.stock("MUG").1, 1, "what the first shopper may still pay otherwise");
    }
}
