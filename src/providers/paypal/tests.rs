//! The adapter against a double that answers in PayPal's published shapes.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::kernel::Timestamp;
use crate::kernel::ids::PaymentAttemptId;
use crate::ports::payment::Notice;
use crate::providers::http::HttpSettings;
use crate::providers::http::double::{Double, Reply, json as say, run};

const PAYMENT: &str = "pay_01jq3h5s5vfkg8r4t0x2m6c9ze";
const ATTEMPT: &str = "pat_01jq3h5s5vfkg8r4t0x2m6c9ze";

fn settings(livemode: bool, base_url: Option<&str>) -> PaypalSettings {
    PaypalSettings {
        client_id: "client".into(),
        secret: Secret::new("canary"),
        webhook_id: Some("WH1".into()),
        livemode,
        base_url: base_url.map(str::to_owned),
    }
}

fn paypal(double: &Double) -> Paypal {
    let http = Http::new(HttpSettings::default()).unwrap();
    Paypal::new(settings(false, Some(&double.url)), http, Clock::default()).unwrap()
}

fn money(amount: i64, code: &str) -> Money {
    Money {
        amount,
        currency: code.parse().unwrap(),
    }
}

fn authorize(reference: Option<&str>) -> Authorize {
    Authorize {
        payment: PAYMENT.parse().unwrap(),
        amount: money(3_000, "EUR"),
        method: "paypal".into(),
        token: None,
        reference: reference.map(str::to_owned),
        capture: false,
        return_url: Some("https://shop.example/back".into()),
        email: None,
        keeper: None,
    }
}

fn shift(amount: i64) -> Move {
    Move {
        payment: PAYMENT.parse().unwrap(),
        attempt: ATTEMPT.parse().unwrap(),
        reference: "5O1".into(),
        amount: money(amount, "EUR"),
        of: money(3_000, "EUR"),
        last: true,
    }
}

fn token() -> Reply {
    say(
        200,
        json!({"scope": "https://uri.paypal.com/services/payments/payment/authcapture",
            "access_token": "A21AA", "token_type": "Bearer", "app_id": "APP-1", "expires_in": 31668, "nonce": "n"}),
    )
}

/// A double whose first answer is a token.
fn double_of(replies: impl IntoIterator<Item = Reply>) -> Double {
    Double::start(std::iter::once(token()).chain(replies).collect())
}

fn order(status: &str, intent: &str, payments: Value) -> Value {
    let mut unit = json!({
        "reference_id": "default", "custom_id": PAYMENT, "amount": {"currency_code": "EUR", "value": "30.00"},
        "payee": {"email_address": "payee@example.com", "merchant_id": "M1"}
    });
    if !payments.is_null() {
        unit["payments"] = payments;
    }
    json!({
        "id": "5O1", "intent": intent, "status": status, "purchase_units": [unit],
        "payment_source": {"paypal": {"account_id": "Q1", "account_status": "VERIFIED",
            "email_address": "payer@example.com", "address": {"country_code": "DE"}}},
        "create_time": "2026-02-03T15:57:17Z",
        "links": [
            {"href": "https://api-m.sandbox.paypal.com/v2/checkout/orders/5O1", "rel": "self", "method": "GET"},
            {"href": "https://www.sandbox.paypal.com/checkoutnow?token=5O1", "rel": "payer-action", "method": "GET"}
        ]
    })
}

fn authorization(status: &str) -> Value {
    json!({
        "id": "66P", "status": status, "amount": {"currency_code": "EUR", "value": "30.00"},
        "custom_id": PAYMENT, "expiration_time": "2026-03-04T15:57:51Z",
        "seller_protection": {"status": "ELIGIBLE", "dispute_categories": ["ITEM_NOT_RECEIVED"]}
    })
}

fn capture(id: &str, value: &str, status: &str, ours: bool) -> Value {
    let mut capture = json!({
        "id": id, "status": status, "amount": {"currency_code": "EUR", "value": value}, "custom_id": PAYMENT,
        "final_capture": false
    });
    if ours {
        capture["invoice_id"] = ATTEMPT.into();
    }
    capture
}

fn refund(id: &str, of: &str, value: &str, status: &str, ours: bool) -> Value {
    let custom_id = if ours {
        format!("{PAYMENT}.{ATTEMPT}")
    } else {
        String::new()
    };
    json!({
        "id": id, "status": status, "amount": {"currency_code": "EUR", "value": value}, "custom_id": custom_id,
        "links": [{"href": format!("https://api-m.sandbox.paypal.com/v2/payments/captures/{of}"), "rel": "up", "method": "GET"}]
    })
}

fn reserved() -> Value {
    order(
        "COMPLETED",
        "AUTHORIZE",
        json!({"authorizations": [authorization("CREATED")]}),
    )
}

fn fault(status: u16, issue: &str) -> Reply {
    let details = json!([{"issue": issue, "description": "…"}]);
    say(
        status,
        json!({"name": "UNPROCESSABLE_ENTITY", "details": details, "debug_id": "d1"}),
    )
}

fn known(outcome: Outcome) -> Report {
    match outcome {
        Outcome::Known(report) => *report,
        other => panic!("{other:?}"),
    }
}

fn refused(reason: &str) -> Outcome {
    Outcome::Refused {
        reason: reason.into(),
    }
}

fn mapped(order: &Value) -> Option<Report> {
    report(&serde_json::from_value(order.clone()).unwrap())
}

fn moved(report: &Report) -> Vec<(MovementKind, &str, i64, bool)> {
    let ours: PaymentAttemptId = ATTEMPT.parse().unwrap();
    let movements = report.movements.iter();
    movements
        .map(|m| {
            (
                m.kind,
                m.reference.as_str(),
                m.amount,
                m.attempt == Some(ours),
            )
        })
        .collect()
}

#[test]
fn every_status_has_its_state() {
    let action = State::ActionRequired {
        url: Some("https://www.sandbox.paypal.com/checkoutnow?token=5O1".into()),
        client_secret: None,
    };
    let until = State::Authorized {
        expires_at: Some("2026-03-04T15:57:51Z".parse().unwrap()),
    };
    let taken = State::Authorized { expires_at: None };
    let declined = |reason: &str| State::Declined {
        reason: reason.into(),
    };
    let auth = |status: &str| json!({"authorizations": [authorization(status)]});
    let captured = |status: &str| json!({"captures": [capture("3C6", "30.00", status, false)]});
    let mut why = capture("3C6", "30.00", "DECLINED", false);
    why["status_details"] = json!({"reason": "BUYER_COMPLAINT"});
    for (status, payments, state) in [
        ("CREATED", Value::Null, action.clone()),
        ("PAYER_ACTION_REQUIRED", Value::Null, action),
        ("APPROVED", Value::Null, State::Approved),
        ("VOIDED", Value::Null, State::Cancelled),
        ("COMPLETED", Value::Null, State::Processing),
        ("COMPLETED", auth("CREATED"), until.clone()),
        ("COMPLETED", auth("PARTIALLY_CAPTURED"), until.clone()),
        ("COMPLETED", auth("CAPTURED"), until),
        ("COMPLETED", auth("PENDING"), State::Processing),
        ("COMPLETED", auth("DENIED"), declined("declined")),
        ("COMPLETED", auth("VOIDED"), State::Cancelled),
        ("COMPLETED", captured("COMPLETED"), taken.clone()),
        ("COMPLETED", captured("REFUNDED"), taken),
        ("COMPLETED", captured("PENDING"), State::Processing),
        ("COMPLETED", captured("FAILED"), declined("declined")),
        (
            "COMPLETED",
            json!({"captures": [why]}),
            declined("buyer_complaint"),
        ),
    ] {
        let order = order(status, "AUTHORIZE", payments);
        let report = mapped(&order).unwrap();
        assert_eq!(report.state, state, "{order}");
        assert_eq!(
            (report.reference.as_str(), report.money),
            ("5O1", money(3_000, "EUR"))
        );
    }
    assert_eq!(mapped(&order("NEW", "CAPTURE", Value::Null)), None);
    assert_eq!(mapped(&order("COMPLETED", "CAPTURE", auth("NEW"))), None);
    let mut odd = order("APPROVED", "CAPTURE", Value::Null);
    odd["purchase_units"][0]["amount"]["value"] = "30.001".into();
    assert_eq!(mapped(&odd), None);
}

#[test]
fn facts_are_of_the_payer_without_a_name() {
    let facts = Value::Object(mapped(&reserved()).unwrap().facts.0);
    let expected = json!({"payer_id": "Q1", "payer_status": "VERIFIED", "payer_country": "DE", "seller_protection": "eligible"});
    assert_eq!(facts, expected);
}

#[test]
fn money_moves_as_paypal_says() {
    use MovementKind::{Capture, Refund, RefundReverse, Void};
    let two = || {
        json!([
            capture("C1", "10.00", "COMPLETED", true),
            capture("C2", "5.00", "REFUNDED", false)
        ])
    };
    for (payments, movements) in [
        (
            json!({"authorizations": [authorization("CREATED")]}),
            vec![],
        ),
        (
            json!({"authorizations": [authorization("PARTIALLY_CAPTURED")], "captures": two(),
                "refunds": [refund("R1", "C2", "5.00", "COMPLETED", true), refund("R2", "C1", "1.00", "FAILED", false)]}),
            vec![
                (Capture, "C1", 1_000, true),
                (Capture, "C2", 500, false),
                (Refund, "R1", 500, true),
                (Refund, "R2", 100, false),
                (RefundReverse, "R2", 100, false),
            ],
        ),
        (
            json!({"authorizations": [authorization("VOIDED")], "captures": two()}),
            vec![
                (Capture, "C1", 1_000, true),
                (Capture, "C2", 500, false),
                (Void, "66P", 1_500, false),
            ],
        ),
        (
            json!({"authorizations": [authorization("VOIDED")]}),
            vec![(Void, "66P", 3_000, false)],
        ),
        (
            json!({"captures": [capture("C1", "30.00", "PENDING", false)]}),
            vec![],
        ),
    ] {
        let report = mapped(&order("COMPLETED", "AUTHORIZE", payments)).unwrap();
        assert_eq!(moved(&report), movements);
    }
}

#[test]
fn an_order_is_opened_and_the_shopper_sent_to_approve_it() {
    let double = double_of([say(
        200,
        order("PAYER_ACTION_REQUIRED", "AUTHORIZE", Value::Null),
    )]);
    let report = known(run(paypal(&double).authorize(&authorize(None))));
    assert!(matches!(
        report.state,
        State::ActionRequired { url: Some(_), .. }
    ));
    let asked = double.asked();
    assert!(asked[0].starts_with("POST /v1/oauth2/token HTTP"));
    assert!(asked[0].contains("authorization: Basic Y2xpZW50OmNhbmFyeQ==\r\n"));
    assert!(asked[0].ends_with("grant_type=client_credentials"));
    let (head, body) = asked[1].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v2/checkout/orders HTTP"));
    assert!(head.contains("authorization: Bearer A21AA"));
    assert!(head.contains(&format!("paypal-request-id: {PAYMENT}:authorize")));
    assert!(head.contains("prefer: return=representation"));
    let body: Value = serde_json::from_str(body).unwrap();
    let expected = json!({
        "intent": "AUTHORIZE",
        "purchase_units": [{"custom_id": PAYMENT, "amount": {"currency_code": "EUR", "value": "30.00"}}],
        "payment_source": {"paypal": {"experience_context": {
            "shipping_preference": "NO_SHIPPING", "user_action": "PAY_NOW",
            "return_url": "https://shop.example/back", "cancel_url": "https://shop.example/back"}}}
    });
    assert_eq!(body, expected);
}

#[test]
fn a_token_is_fetched_once_and_again_when_it_ends() {
    let approved = || {
        say(
            200,
            order("PAYER_ACTION_REQUIRED", "AUTHORIZE", Value::Null),
        )
    };
    let double = double_of([
        approved(),
        approved(),
        token(),
        approved(),
        say(401, "{}"),
        token(),
        approved(),
    ]);
    let paypal = paypal(&double);
    let look = || known(run(paypal.look_up(&authorize(Some("5O1")))));
    look();
    look();
    paypal.api.clock.advance(Duration::from_secs(31_668 - 59));
    look();
    // Taken back before its time.
    look();
    let lines = double.lines();
    let tokens = lines.iter().filter(|l| l.contains("oauth2"));
    assert_eq!((tokens.count(), lines.len()), (3, 8));
}

#[test]
fn many_calls_wait_for_one_token() {
    let approved = || {
        say(
            200,
            order("PAYER_ACTION_REQUIRED", "AUTHORIZE", Value::Null),
        )
    };
    let double = double_of([approved(), approved(), approved()]);
    let (paypal, request) = (paypal(&double), authorize(Some("5O1")));
    let look = || paypal.look_up(&request);
    run(async { tokio::join!(look(), look(), look()) });
    let lines = double.lines();
    assert_eq!(lines.iter().filter(|l| l.contains("oauth2")).count(), 1);
}

#[test]
fn an_approved_order_is_taken() {
    for (intent, act) in [("AUTHORIZE", "authorize"), ("CAPTURE", "capture")] {
        let double = double_of([
            say(200, order("APPROVED", intent, Value::Null)),
            say(201, "{}"),
            say(200, reserved()),
        ]);
        let report = known(run(paypal(&double).authorize(&authorize(Some("5O1")))));
        assert!(matches!(report.state, State::Authorized { .. }));
        assert_eq!(
            double.lines()[2],
            format!("POST /v2/checkout/orders/5O1/{act}")
        );
        let key = format!("paypal-request-id: {PAYMENT}:authorize:{act}\r\n");
        assert!(double.asked()[2].contains(&key));
    }
    // Not approved, or taken already: nothing is asked for.
    for order in [order("CREATED", "AUTHORIZE", Value::Null), reserved()] {
        let double = double_of([say(200, order)]);
        known(run(paypal(&double).authorize(&authorize(Some("5O1")))));
        assert_eq!(double.lines().len(), 2);
    }
}

#[test]
fn a_look_up_takes_nothing() {
    let double = double_of([
        say(200, order("APPROVED", "AUTHORIZE", Value::Null)),
        fault(404, "INVALID_RESOURCE_ID"),
    ]);
    let paypal = paypal(&double);
    let report = known(run(paypal.look_up(&authorize(Some("5O1")))));
    assert_eq!(report.state, State::Approved);
    assert_eq!(
        run(paypal.look_up(&authorize(Some("5O1")))),
        refused("not_found")
    );
    assert_eq!(run(paypal.look_up(&authorize(None))), refused("not_found"));
    assert!(
        double.lines()[1..]
            .iter()
            .all(|l| l == "GET /v2/checkout/orders/5O1")
    );
}

#[test]
fn an_order_of_another_payment_is_not_touched() {
    let mut foreign = order("APPROVED", "AUTHORIZE", Value::Null);
    foreign["purchase_units"][0]["custom_id"] = "pay_01jq3h5s5vfkg8r4t0x2m6c9zf".into();
    let double = double_of([say(200, &foreign), say(200, &foreign)]);
    let paypal = paypal(&double);
    let reason = refused("reference_of_another_payment");
    assert_eq!(run(paypal.authorize(&authorize(Some("5O1")))), reason);
    assert_eq!(run(paypal.refund(&shift(100))), reason);
}

#[test]
fn a_declined_instrument_is_a_decline() {
    let approved = || say(200, order("APPROVED", "AUTHORIZE", Value::Null));
    let double = double_of([approved(), fault(422, "INSTRUMENT_DECLINED"), approved()]);
    let report = known(run(paypal(&double).authorize(&authorize(Some("5O1")))));
    let reason = "instrument_declined".to_owned();
    assert_eq!(report.state, State::Declined { reason });
    let again = || {
        say(
            200,
            order("PAYER_ACTION_REQUIRED", "AUTHORIZE", Value::Null),
        )
    };
    let double = double_of([approved(), fault(422, "PAYER_ACTION_REQUIRED"), again()]);
    let report = known(run(paypal(&double).authorize(&authorize(Some("5O1")))));
    assert!(matches!(report.state, State::ActionRequired { .. }));
}

#[test]
fn an_order_that_was_taken_before_is_no_decline() {
    let approved = say(200, order("APPROVED", "AUTHORIZE", Value::Null));
    let double = double_of([
        approved,
        fault(422, "ORDER_ALREADY_AUTHORIZED"),
        say(200, reserved()),
    ]);
    let report = known(run(paypal(&double).authorize(&authorize(Some("5O1")))));
    assert!(matches!(report.state, State::Authorized { .. }));
}

#[test]
fn a_refusal_is_told_apart_from_not_knowing() {
    for (reply, outcome) in [
        (fault(422, "AMOUNT_TOO_LARGE"), refused("amount_too_large")),
        (
            fault(400, "CURRENCY_NOT_SUPPORTED"),
            refused("currency_not_supported"),
        ),
        (
            say(400, json!({"name": "INVALID_REQUEST"})),
            refused("invalid_request"),
        ),
        (
            fault(403, "PERMISSION_DENIED"),
            refused("provider_misconfigured"),
        ),
        (fault(409, "PREVIOUS_REQUEST_IN_PROGRESS"), Outcome::Unknown),
        (fault(429, "RATE_LIMIT_REACHED"), Outcome::Unknown),
        (fault(500, "INTERNAL_SERVICE_ERROR"), Outcome::Unknown),
        (say(400, "<html>"), Outcome::Unknown),
        (say(200, "<html>"), Outcome::Unknown),
        (Reply::Hang, Outcome::Unknown),
    ] {
        let double = double_of([reply]);
        assert_eq!(run(paypal(&double).authorize(&authorize(None))), outcome);
        assert_eq!(double.asked().len(), 2, "nothing is repeated by itself");
    }
    let login = say(
        401,
        json!({"error": "invalid_client", "error_description": "…"}),
    );
    let double = Double::start(vec![login]);
    let outcome = run(paypal(&double).authorize(&authorize(None)));
    assert_eq!(outcome, refused("provider_misconfigured"));
    let forints = Authorize {
        amount: money(1_050, "HUF"),
        ..authorize(None)
    };
    let outcome = run(paypal(&double).authorize(&forints));
    assert_eq!(outcome, refused("amount_not_representable"));
}

#[test]
fn a_capture_is_of_the_authorisation() {
    let mut done = order(
        "COMPLETED",
        "AUTHORIZE",
        json!({"authorizations": [authorization("PARTIALLY_CAPTURED")],
        "captures": [capture("C1", "12.50", "COMPLETED", true)]}),
    );
    done["purchase_units"][0]["payments"]["captures"][0]["final_capture"] = true.into();
    let double = double_of([
        say(200, reserved()),
        say(201, "{}"),
        say(200, &done),
        say(200, &done),
    ]);
    let paypal = paypal(&double);
    let report = known(run(paypal.capture(&shift(1_250))));
    // The last capture lets go of the rest.
    let rest = (MovementKind::Void, "66P", 1_750, false);
    assert_eq!(
        moved(&report),
        [(MovementKind::Capture, "C1", 1_250, true), rest]
    );
    let asked = &double.asked()[2];
    assert!(asked.starts_with("POST /v2/payments/authorizations/66P/capture "));
    assert!(asked.contains(&format!("paypal-request-id: {PAYMENT}:{ATTEMPT}\r\n")));
    let body: Value = serde_json::from_str(asked.split_once("\r\n\r\n").unwrap().1).unwrap();
    let amount = json!({"currency_code": "EUR", "value": "12.50"});
    assert_eq!(
        body,
        json!({"amount": amount, "final_capture": true, "invoice_id": ATTEMPT})
    );
    // Asked again, it is done already.
    assert_eq!(known(run(paypal.capture(&shift(1_250)))), report);
    assert_eq!(double.lines().len(), 5);
}

#[test]
fn what_is_not_reserved_is_not_captured() {
    let double = double_of([say(200, order("APPROVED", "AUTHORIZE", Value::Null))]);
    assert_eq!(
        run(paypal(&double).capture(&shift(100))),
        refused("not_authorized")
    );
}

#[test]
fn a_void_lets_the_authorisation_go() {
    let voided = || {
        say(
            200,
            order(
                "COMPLETED",
                "AUTHORIZE",
                json!({"authorizations": [authorization("VOIDED")]}),
            ),
        )
    };
    let double = double_of([
        say(200, reserved()),
        Reply::Say(204, "", String::new()),
        voided(),
    ]);
    let report = known(run(paypal(&double).void(&shift(3_000))));
    assert_eq!(report.state, State::Cancelled);
    assert_eq!(moved(&report), [(MovementKind::Void, "66P", 3_000, true)]);
    assert_eq!(
        double.lines()[2],
        "POST /v2/payments/authorizations/66P/void"
    );
}

#[test]
fn an_order_that_was_never_taken_is_let_go_by_leaving_it() {
    let double = double_of([say(200, order("APPROVED", "AUTHORIZE", Value::Null))]);
    let report = known(run(paypal(&double).void(&shift(3_000))));
    assert_eq!(
        (report.state, report.movements.len()),
        (State::Cancelled, 0)
    );
    assert_eq!(double.lines().len(), 2);
}

#[test]
fn a_refund_is_of_the_first_capture_with_enough_left() {
    let captures = json!([
        capture("C1", "10.00", "PARTIALLY_REFUNDED", false),
        capture("C2", "20.00", "COMPLETED", false)
    ]);
    let before = order(
        "COMPLETED",
        "CAPTURE",
        json!({"captures": captures,
        "refunds": [refund("R1", "C1", "4.00", "COMPLETED", false), refund("R0", "C1", "6.00", "FAILED", false)]}),
    );
    let after = |of: &str, value: &str| {
        let refunds = json!([refund("R2", of, value, "PENDING", true)]);
        order(
            "COMPLETED",
            "CAPTURE",
            json!({"captures": captures, "refunds": refunds}),
        )
    };
    for (amount, of, value, path) in [
        (600, "C1", "6.00", "POST /v2/payments/captures/C1/refund"),
        (601, "C2", "6.01", "POST /v2/payments/captures/C2/refund"),
    ] {
        let after = after(of, value);
        let double = double_of([say(200, &before), say(201, "{}"), say(200, &after)]);
        let report = known(run(paypal(&double).refund(&shift(amount))));
        assert!(moved(&report).contains(&(MovementKind::Refund, "R2", amount, true)));
        assert_eq!(double.lines()[2], path);
        assert!(double.asked()[2].contains(&format!(r#""custom_id":"{PAYMENT}.{ATTEMPT}""#)));
    }
    let all = double_of([say(200, &before)]);
    assert_eq!(
        run(paypal(&all).refund(&shift(2_601))),
        refused("amount_too_large")
    );
    let again = double_of([say(200, after("C1", "6.00"))]);
    known(run(paypal(&again).refund(&shift(600))));
    assert_eq!(again.lines().len(), 2);
}

#[test]
fn a_refund_that_no_capture_has_enough_for_takes_from_several() {
    let captures = json!([
        capture("C1", "10.00", "COMPLETED", false),
        capture("C2", "20.00", "COMPLETED", false)
    ]);
    let now = |refunds: Value| {
        order(
            "COMPLETED",
            "CAPTURE",
            json!({"captures": captures, "refunds": refunds}),
        )
    };
    let first = refund("R1", "C1", "10.00", "COMPLETED", true);
    let second = refund("R2", "C2", "15.00", "COMPLETED", true);
    let (before, half) = (now(json!([])), now(json!([first])));
    let double = double_of([
        say(200, &before),
        say(201, "{}"),
        say(200, &half),
        say(201, "{}"),
        say(200, now(json!([first, second]))),
    ]);
    let report = known(run(paypal(&double).refund(&shift(2_500))));
    let sent = |id, amount| (MovementKind::Refund, id, amount, true);
    let both = moved(&report);
    assert!(both.contains(&sent("R1", 1_000)) && both.contains(&sent("R2", 1_500)));
    for (line, of) in [(2, "C1"), (4, "C2")] {
        let asked = &double.asked()[line];
        assert!(asked.starts_with(&format!("POST /v2/payments/captures/{of}/refund ")));
        let key = format!("paypal-request-id: {PAYMENT}:{ATTEMPT}:{of}\r\n");
        assert!(asked.contains(&key));
    }
    // A part that is on its way is told, whatever PayPal says to the rest; what is not to be seen yet is not asked for again.
    for answer in [fault(422, "X"), say(201, "{}")] {
        let double = double_of([say(200, &half), answer, say(200, &half)]);
        let report = known(run(paypal(&double).refund(&shift(2_500))));
        assert!(moved(&report).contains(&sent("R1", 1_000)));
        assert_eq!(double.lines().len(), 4);
    }
}

#[test]
fn a_movement_whose_end_was_not_seen_is_unknown() {
    let taken = || {
        say(
            200,
            order(
                "COMPLETED",
                "CAPTURE",
                json!({"captures": [capture("C1", "30.00", "COMPLETED", false)]}),
            ),
        )
    };
    for replies in [
        vec![Reply::Hang],
        vec![fault(500, "X")],
        vec![taken(), fault(500, "X")],
        vec![taken(), Reply::Hang],
        vec![taken(), say(201, "{}"), Reply::Hang],
        vec![taken(), fault(422, "CAPTURE_FULLY_REFUNDED"), Reply::Hang],
    ] {
        let double = double_of(replies);
        assert_eq!(run(paypal(&double).refund(&shift(100))), Outcome::Unknown);
    }
    let double = double_of([taken(), fault(422, "CAPTURE_FULLY_REFUNDED"), taken()]);
    assert_eq!(
        run(paypal(&double).refund(&shift(100))),
        refused("capture_fully_refunded")
    );
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let http = Http::new(HttpSettings::default()).unwrap();
    for (livemode, url, fits) in [
        (true, None, true),
        (false, None, true),
        (false, Some("http://127.0.0.1:1"), true),
        (true, Some("https://api-m.sandbox.paypal.com"), false),
        (false, Some("http://example.com"), false),
    ] {
        let made = Paypal::new(settings(livemode, url), http.clone(), Clock::default());
        assert_eq!(made.is_ok(), fits, "{url:?}");
    }
    let empty = PaypalSettings {
        secret: Secret::new(""),
        ..settings(false, None)
    };
    assert!(Paypal::new(empty, http, Clock::default()).is_err());
    assert!(!format!("{:?}", settings(false, None)).contains("canary"));
}

const EVENT: &str = r#"{"id":"WH-2WR","event_version":"1.0","create_time":"2026-03-01T09:30:00.000Z", "resource_type":"capture",
    "event_type":"PAYMENT.CAPTURE.COMPLETED","resource":{"id":"C1","status":"COMPLETED",
    "custom_id":"pay_01jq3h5s5vfkg8r4t0x2m6c9ze","supplementary_data":{"related_ids":{"order_id":"5O1","authorization_id":"66P"}}}}"#;

fn notice(paypal: &Paypal, body: &str, sent: &str, without: &str) -> Result<Notice> {
    let headers: HashMap<String, String> = [
        ("paypal-auth-algo", "SHA256withRSA"),
        (
            "paypal-cert-url",
            "https://api.paypal.com/v1/notifications/certs/CERT-1",
        ),
        (
            "paypal-transmission-id",
            "69cd13f0-d67a-11e5-baa3-778b53f4ae55",
        ),
        (
            "paypal-transmission-sig",
            "lmI95Jx3Y9nhR5SJWlHVIWpg4AgFk7n9bCHSRxbrd8A=",
        ),
        ("paypal-transmission-time", sent),
    ]
    .into_iter()
    .filter(|(name, _)| *name != without)
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let now: Timestamp = "2026-03-01T09:30:05Z".parse().unwrap();
    let raw = RawNotice {
        headers: &headers,
        body: body.as_bytes(),
        now,
    };
    run(paypal.read_notice(&raw))
}

#[test]
fn a_webhook_is_verified_by_paypal() {
    let double = double_of([say(200, json!({"verification_status": "SUCCESS"}))]);
    let read = notice(&paypal(&double), EVENT, "2026-03-01T09:30:00Z", "").unwrap();
    assert_eq!(
        (read.id.as_str(), read.kind.as_str()),
        ("WH-2WR", "PAYMENT.CAPTURE.COMPLETED")
    );
    assert_eq!(read.reference.as_deref(), Some("5O1"));
    assert_eq!(read.payment.unwrap().to_string(), PAYMENT);
    let asked = &double.asked()[1];
    assert!(asked.starts_with("POST /v1/notifications/verify-webhook-signature "));
    assert!(asked.contains(EVENT), "the body goes there byte for byte");
    assert!(asked.contains(r#""webhook_id":"WH1""#));
}

#[test]
fn the_order_and_the_payment_are_found_in_every_kind_of_event() {
    for (kind, resource, payment, reference) in [
        (
            "checkout-order",
            json!({"id": "5O1", "purchase_units": [{"custom_id": PAYMENT}]}),
            true,
            Some("5O1"),
        ),
        (
            "refund",
            json!({"id": "R1", "custom_id": format!("{PAYMENT}.{ATTEMPT}")}),
            true,
            None,
        ),
        ("dispute", json!({"dispute_id": "PP-D-1"}), false, None),
    ] {
        let double = double_of([say(200, json!({"verification_status": "SUCCESS"}))]);
        let body =
            json!({"id": "WH-1", "event_type": "X", "resource_type": kind, "resource": resource});
        let read = notice(
            &paypal(&double),
            &body.to_string(),
            "2026-03-01T09:30:00Z",
            "",
        )
        .unwrap();
        assert_eq!(
            (read.payment.is_some(), read.reference.as_deref()),
            (payment, reference),
            "{kind}"
        );
    }
}

#[test]
fn a_refund_that_names_its_capture_alone_is_found_by_it() {
    let body = json!({"id": "WH-1", "event_type": "X", "resource_type": "refund",
        "resource": refund("R1", "C1", "1.00", "COMPLETED", false)});
    let body = body.to_string();
    let genuine = || say(200, json!({"verification_status": "SUCCESS"}));
    for (capture, payment) in [
        (say(200, capture("C1", "9.00", "REFUNDED", false)), true),
        (fault(404, "INVALID_RESOURCE_ID"), false),
    ] {
        let double = double_of([genuine(), capture]);
        let read = notice(&paypal(&double), &body, "2026-03-01T09:30:00Z", "").unwrap();
        assert_eq!(read.payment.is_some(), payment);
        assert_eq!(double.lines()[2], "GET /v2/payments/captures/C1");
    }
    let double = double_of([genuine(), Reply::Hang]);
    let lost = notice(&paypal(&double), &body, "2026-03-01T09:30:00Z", "");
    assert_eq!(lost.unwrap_err().code.status(), 503);
}

#[test]
fn what_paypal_did_not_send_is_refused() {
    let code = |error: Error| (error.code.status(), error.fields.first().map(|f| f.code));
    let quiet = double_of([]);
    let adapter = paypal(&quiet);
    for header in [
        "auth-algo",
        "cert-url",
        "transmission-id",
        "transmission-sig",
        "transmission-time",
    ] {
        let error = notice(
            &adapter,
            EVENT,
            "2026-03-01T09:30:00Z",
            &format!("paypal-{header}"),
        );
        assert_eq!(code(error.unwrap_err()), (400, Some("signature_missing")));
    }
    for sent in ["2026-02-26T08:30:00Z", "2026-03-01T09:35:06Z", "yesterday"] {
        let error = notice(&adapter, EVENT, sent, "").unwrap_err();
        assert_eq!(code(error), (400, Some("signature_old")), "{sent}");
    }
    for body in ["", "[]", "{}", "{\"id\":\"1\"}"] {
        let error = notice(&adapter, body, "2026-03-01T09:30:00Z", "").unwrap_err();
        assert_eq!(code(error), (400, Some("unreadable")));
    }
    assert!(quiet.asked().is_empty());
    let told = |reply: Reply| {
        let double = double_of([reply]);
        code(notice(&paypal(&double), EVENT, "2026-02-26T09:30:05Z", "").unwrap_err())
    };
    let failure = say(200, json!({"verification_status": "FAILURE"}));
    assert_eq!(told(failure), (400, Some("signature_wrong")));
    assert_eq!(
        told(fault(400, "VALIDATION_ERROR")),
        (400, Some("signature_wrong"))
    );
    // Nobody knows: PayPal is to send it again.
    assert_eq!(told(Reply::Hang), (503, None));
    assert_eq!(told(fault(403, "X")), (503, None));
}
