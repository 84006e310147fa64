//! The adapter against a double that answers in Stripe's published shapes.

use serde_json::{Value, json};

use super::wire::{Dispute, Refund};
use super::*;
use crate::kernel::Money;
use crate::kernel::ids::PaymentAttemptId;
use crate::ports::payment::{Keeper, Movement};
use crate::ports::wallet::Wallet;
use crate::providers::http::HttpSettings;
use crate::providers::http::double::{Double, Reply, json as say, run};

const ATTEMPT: &str = "pat_01jq3h5s5vfkg8r4t0x2m6c9ze";

fn payment() -> PaymentId {
    "pay_01jq3h5s5vfkg8r4t0x2m6c9ze".parse().unwrap()
}

fn settings(key: &str, livemode: bool, base_url: Option<&str>) -> StripeSettings {
    StripeSettings {
        key: Secret::new(key),
        webhook_secrets: vec![Secret::new("whsec_1")],
        livemode,
        base_url: base_url.map(str::to_owned),
        account: None,
    }
}

fn stripe(double: &Double) -> Stripe {
    let http = Http::new(HttpSettings::default()).unwrap();
    let settings = settings("sk_test_canary", false, Some(&double.url));
    Stripe::new(settings, http, Clock::default()).unwrap()
}

fn money(amount: i64, code: &str) -> Money {
    Money {
        amount,
        currency: code.parse().unwrap(),
    }
}

fn authorize(token: Option<&str>, reference: Option<&str>) -> Authorize {
    Authorize {
        payment: payment(),
        amount: money(1_099, "EUR"),
        method: "automatic".into(),
        token: token.map(str::to_owned),
        reference: reference.map(str::to_owned),
        capture: false,
        return_url: None,
        email: None,
        keeper: None,
    }
}

fn shift(amount: i64) -> Move {
    Move {
        payment: payment(),
        attempt: ATTEMPT.parse().unwrap(),
        reference: "pi_1".into(),
        amount: money(amount, "EUR"),
        of: money(1_099, "EUR"),
        last: true,
    }
}

/// An object with some fields changed.
fn with(mut object: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else {
        panic!("changes are an object")
    };
    object.as_object_mut().unwrap().extend(changes);
    object
}

fn intent(status: &str, changes: Value) -> Value {
    let intent = json!({
        "id": "pi_1", "object": "payment_intent", "amount": 1099, "amount_capturable": 0, "amount_received": 0,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": true}, "canceled_at": null,
        "cancellation_reason": null, "capture_method": "manual", "client_secret": "pi_1_secret_x",
        "confirmation_method": "automatic", "created": 1_790_000_000, "currency": "eur", "customer": null,
        "last_payment_error": null, "latest_charge": null, "livemode": false,
        "metadata": {"payment": payment().to_string()}, "next_action": null, "payment_method": null,
        "payment_method_types": ["card", "link"], "processing": null, "status": status
    });
    with(intent, changes)
}

fn card() -> Value {
    json!({"type": "card", "card": {
        "amount_authorized": 1099, "brand": "visa", "capture_before": 1_790_604_800, "country": "US",
        "exp_month": 8, "exp_year": 2030, "fingerprint": "fp_1", "funding": "credit", "last4": "4242",
        "multicapture": {"status": "available"}, "network": "visa", "wallet": {"type": "apple_pay"}
    }})
}

fn charge(captured: i64, changes: Value) -> Value {
    let charge = json!({
        "id": "ch_1", "object": "charge", "amount": 1099, "amount_captured": captured, "amount_refunded": 0,
        "captured": captured > 0, "currency": "eur", "disputed": false, "livemode": false, "paid": true,
        "outcome": {"network_status": "approved_by_network", "reason": null, "risk_level": "normal",
            "risk_score": 17, "seller_message": "Payment complete.", "type": "authorized"},
        "payment_intent": "pi_1", "payment_method_details": card(), "refunded": false, "status": "succeeded",
        "refunds": {"object": "list", "data": [], "has_more": false, "url": "/v1/charges/ch_1/refunds"}
    });
    with(charge, changes)
}

fn taken(charge: &Value) -> Value {
    let amount = charge["amount_captured"].clone();
    let metadata = json!({"payment": payment().to_string(), "attempt": ATTEMPT});
    let changes = json!({"amount_received": amount, "latest_charge": charge, "metadata": metadata});
    intent("succeeded", changes)
}

fn reserved() -> Value {
    intent(
        "requires_capture",
        json!({"amount_capturable": 1099, "latest_charge": charge(0, json!({}))}),
    )
}

fn refund(id: &str, amount: i64, status: &str, ours: bool) -> Value {
    let metadata = if ours {
        json!({"attempt": ATTEMPT})
    } else {
        json!({})
    };
    json!({
        "id": id, "object": "refund", "amount": amount, "charge": "ch_1", "created": 1_790_000_100,
        "currency": "eur", "metadata": metadata, "payment_intent": "pi_1", "reason": null, "status": status,
        "balance_transaction": "txn_1"
    })
}

fn refunded(captured: i64, refunds: &[Value]) -> Value {
    let list = json!({"object": "list", "data": refunds, "has_more": false});
    taken(&charge(captured, json!({"refunds": list})))
}

#[expect(clippy::needless_pass_by_value, reason = "it reads better")]
fn fault(status: u16, error: Value) -> Reply {
    say(status, json!({"error": error}))
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

fn mapped(intent: Value) -> Report {
    let intent: Intent = serde_json::from_value(intent).unwrap();
    let charge = intent.latest_charge.as_ref().and_then(Named::whole);
    let refunds: Vec<Refund> = charge
        .and_then(|c| c.refunds.as_ref())
        .map_or_else(Vec::new, |list| list.data.clone());
    let disputes = Vec::new();
    report(&Seen {
        intent,
        refunds,
        disputes,
    })
    .unwrap()
}

fn moved(report: &Report) -> Vec<(MovementKind, &str, i64, bool)> {
    let ours: PaymentAttemptId = ATTEMPT.parse().unwrap();
    let short = |m: &'_ Movement| m.attempt == Some(ours);
    report
        .movements
        .iter()
        .map(|m| (m.kind, m.reference.as_str(), m.amount, short(m)))
        .collect()
}

#[test]
fn every_status_has_its_state() {
    let client_secret = Some("pi_1_secret_x".to_owned());
    let open = State::Open {
        client_secret: client_secret.clone(),
    };
    let error = |error: Value| json!({"last_payment_error": error});
    let declined = |reason: &str| State::Declined {
        reason: reason.into(),
    };
    let action = |url: Option<&str>| State::ActionRequired {
        url: url.map(str::to_owned),
        client_secret: client_secret.clone(),
    };
    for (intent, state) in [
        (intent("requires_payment_method", json!({})), open.clone()),
        (intent("requires_confirmation", json!({})), open),
        (
            intent(
                "requires_payment_method",
                error(json!({
                "type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"})),
            ),
            declined("insufficient_funds"),
        ),
        (
            intent(
                "requires_payment_method",
                error(json!({
                "type": "invalid_request_error", "code": "payment_intent_authentication_failure"})),
            ),
            declined("payment_intent_authentication_failure"),
        ),
        (
            intent("requires_payment_method", error(json!({"code": "<b>"}))),
            declined("declined"),
        ),
        (
            intent(
                "requires_action",
                json!({"next_action": {"type": "redirect_to_url",
                "redirect_to_url": {"return_url": "https://shop.example/", "url": "https://hooks.stripe.com/r/1"}}}),
            ),
            action(Some("https://hooks.stripe.com/r/1")),
        ),
        (
            intent(
                "requires_action",
                json!({"next_action": {"type": "oxxo_display_details",
                "oxxo_display_details": {"expires_after": 1, "hosted_voucher_url": "https://payments.stripe.com/v/1"}}}),
            ),
            action(Some("https://payments.stripe.com/v/1")),
        ),
        (
            intent(
                "requires_action",
                json!({"next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "x"}}}),
            ),
            action(None),
        ),
        (intent("processing", json!({})), State::Processing),
        (
            reserved(),
            State::Authorized {
                expires_at: Some(Timestamp::from_micros(1_790_604_800_000_000)),
            },
        ),
        (
            taken(&charge(1_099, json!({}))),
            State::Authorized { expires_at: None },
        ),
        (intent("canceled", json!({})), State::Cancelled),
    ] {
        let status = intent["status"].to_string();
        let report = mapped(intent);
        assert_eq!(report.state, state, "{status}");
        assert_eq!(
            (report.reference.as_str(), report.money),
            ("pi_1", money(1_099, "EUR"))
        );
    }
}

#[test]
fn what_is_not_understood_is_no_report() {
    for changes in [
        json!({"status": "succeeded"}),
        json!({"status": "succeeded", "latest_charge": charge(1_099, json!({})), "amount_received": null}),
        json!({"latest_charge": "ch_1"}),
        json!({"latest_charge": null}),
        json!({"status": "canceled", "latest_charge": "ch_1"}),
        json!({"status": "new"}),
        json!({"currency": "xyz"}),
        json!({"currency": "isk"}),
    ] {
        let intent = serde_json::from_value(with(reserved(), changes)).unwrap();
        let (refunds, disputes) = (Vec::new(), Vec::new());
        assert_eq!(
            report(&Seen {
                intent,
                refunds,
                disputes
            }),
            None
        );
    }
}

#[test]
fn facts_are_of_the_card_and_of_radar() {
    let facts = json!({
        "method": "card", "card_brand": "visa", "card_last4": "4242", "card_country": "US", "card_fingerprint": "fp_1",
        "card_funding": "credit", "wallet": "apple_pay", "multicapture": true, "risk_level": "normal",
        "risk_score": 17, "risk_outcome": "authorized"
    });
    assert_eq!(Value::Object(mapped(reserved()).facts.0), facts);
    let declined = json!({"last_payment_error": {"code": "card_declined", "payment_method": with(card(), json!({"id": "pm_1"}))},
        "latest_charge": "ch_1"});
    let facts = mapped(intent("requires_payment_method", declined)).facts.0;
    assert_eq!(facts["card_fingerprint"], "fp_1");
    assert!(!facts.contains_key("risk_level"));
}

#[test]
fn money_moves_as_stripe_says() {
    use MovementKind::{Capture, Refund, RefundReverse, Void};
    let let_go = json!({"refunded": true, "amount_refunded": 1099, "refunds": {"data": [refund("re_0", 1099, "succeeded", false)]}});
    let cancelled = |charge: Value| intent("canceled", json!({"latest_charge": charge}));
    for (intent, movements) in [
        (reserved(), vec![]),
        (
            taken(&charge(1_099, json!({}))),
            vec![(Capture, "ch_1", 1_099, true)],
        ),
        (
            with(taken(&charge(1_099, json!({}))), json!({"metadata": {}})),
            vec![(Capture, "ch_1", 1_099, false)],
        ),
        // Of a capture of 600, Stripe books the 499 that it lets go as a refund.
        (
            refunded(
                600,
                &[
                    refund("re_2", 499, "succeeded", true),
                    refund("re_0", 499, "succeeded", false),
                ],
            ),
            vec![(Capture, "ch_1", 600, true), (Refund, "re_2", 499, true)],
        ),
        (
            refunded(
                1_099,
                &[
                    refund("re_1", 99, "succeeded", true),
                    refund("re_2", 100, "pending", false),
                ],
            ),
            vec![
                (Capture, "ch_1", 1_099, true),
                (Refund, "re_1", 99, true),
                (Refund, "re_2", 100, false),
            ],
        ),
        (
            refunded(
                1_099,
                &[with(
                    refund("re_1", 99, "failed", true),
                    json!({"failure_reason": "lost_or_stolen_card"}),
                )],
            ),
            vec![
                (Capture, "ch_1", 1_099, true),
                (Refund, "re_1", 99, true),
                (RefundReverse, "re_1", 99, true),
            ],
        ),
        (
            cancelled(charge(0, let_go)),
            vec![(Void, "ch_1", 1_099, false)],
        ),
        (cancelled(charge(0, json!({"status": "failed"}))), vec![]),
        (cancelled(Value::Null), vec![]),
    ] {
        assert_eq!(moved(&mapped(intent.clone())), movements, "{intent}");
    }
    let failed = with(
        refund("re_1", 99, "failed", true),
        json!({"failure_reason": "lost_or_stolen_card"}),
    );
    let report = mapped(refunded(1_099, &[failed]));
    assert_eq!(report.movements[2].data.0["reason"], "lost_or_stolen_card");
}

#[test]
fn a_dispute_takes_money_and_a_won_one_brings_it_back() {
    use MovementKind::{Capture, Chargeback, ChargebackReverse};
    let dispute = |status: &str| -> Vec<Dispute> {
        let dispute = json!({"id": "du_1", "object": "dispute", "amount": 1099, "charge": "ch_1", "currency": "eur",
            "evidence_details": {"due_by": 1_790_604_800, "has_evidence": false}, "payment_intent": "pi_1",
            "reason": "fraudulent", "status": status});
        vec![serde_json::from_value(dispute).unwrap()]
    };
    for (status, kinds) in [
        ("needs_response", vec![Capture, Chargeback]),
        ("under_review", vec![Capture, Chargeback]),
        ("lost", vec![Capture, Chargeback]),
        ("won", vec![Capture, Chargeback, ChargebackReverse]),
        ("warning_needs_response", vec![Capture]),
        ("prevented", vec![Capture]),
    ] {
        let seen = Seen {
            intent: serde_json::from_value(taken(&charge(1_099, json!({})))).unwrap(),
            refunds: Vec::new(),
            disputes: dispute(status),
        };
        let report = report(&seen).unwrap();
        let told: Vec<_> = report.movements.iter().map(|m| m.kind).collect();
        assert_eq!(told, kinds, "{status}");
        let due = json!("2026-09-28T14:13:20.000000Z");
        match report.movements.get(1) {
            Some(movement) => {
                assert_eq!(
                    (movement.reference.as_str(), movement.amount),
                    ("du_1", 1_099)
                );
                assert_eq!(movement.data.0["respond_by"], due);
                assert_eq!(movement.data.0["reason"], "fraudulent");
                assert_eq!(movement.data.0["status"], status);
            }
            None => assert_eq!(report.facts.0["inquiry"]["respond_by"], due),
        }
    }
}

#[test]
fn disputes_and_many_refunds_are_fetched() {
    let first: Vec<Value> = (0..10)
        .map(|n| refund(&format!("re_{n}"), 1, "succeeded", false))
        .collect();
    let list = json!({"data": first, "has_more": true});
    let disputed = charge(1_099, json!({"disputed": true, "refunds": list}));
    let dispute = json!({"id": "du_1", "amount": 1099, "reason": "fraudulent", "status": "lost",
        "evidence_details": {"due_by": null}});
    let double = Double::start(vec![
        say(200, taken(&disputed)),
        say(200, json!({"data": first, "has_more": true})),
        say(
            200,
            json!({"data": [refund("re_x", 1, "succeeded", false)], "has_more": false}),
        ),
        say(200, json!({"data": [dispute], "has_more": false})),
    ]);
    let report = known(run(stripe(&double).look_up(&authorize(None, Some("pi_1")))));
    assert_eq!(report.movements.len(), 1 + 11 + 1);
    assert_eq!(
        double.lines(),
        [
            "GET /v1/payment_intents/pi_1?expand%5B%5D=latest_charge.refunds",
            "GET /v1/refunds?payment_intent=pi_1&limit=100",
            "GET /v1/refunds?payment_intent=pi_1&limit=100&starting_after=re_9",
            "GET /v1/disputes?payment_intent=pi_1&limit=100",
        ]
    );
}

#[test]
fn without_a_token_an_intent_is_opened() {
    let double = Double::start(vec![say(200, intent("requires_payment_method", json!({})))]);
    let request = Authorize {
        capture: true,
        email: Some("shopper@example.com".into()),
        return_url: Some("https://shop.example/back".into()),
        ..authorize(None, None)
    };
    let report = known(run(stripe(&double).authorize(&request)));
    let client_secret = Some("pi_1_secret_x".into());
    assert_eq!(report.state, State::Open { client_secret });
    let asked = double.asked().remove(0);
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    for line in [
        "POST /v1/payment_intents HTTP/1.1".to_owned(),
        "authorization: Bearer sk_test_canary".into(),
        format!("stripe-version: {VERSION}"),
        format!("idempotency-key: {}:authorize", payment()),
        "content-type: application/x-www-form-urlencoded".into(),
    ] {
        assert!(head.contains(&line), "{line} in {head}");
    }
    assert_eq!(
        body,
        format!(
            "amount=1099&currency=eur&capture_method=automatic&metadata%5Bpayment%5D={0}&description=Payment%20{0}\
         &expand%5B%5D=latest_charge.refunds&receipt_email=shopper%40example.com\
         &automatic_payment_methods%5Benabled%5D=true",
            payment()
        )
    );
}

#[test]
fn with_a_token_an_intent_is_confirmed_at_once() {
    for (token, method, back, fields) in [
        (
            "pm_1",
            "automatic",
            None,
            "&automatic_payment_methods%5Benabled%5D=true\
            &automatic_payment_methods%5Ballow_redirects%5D=never&confirm=true&payment_method=pm_1",
        ),
        (
            "ctoken_1",
            "automatic",
            Some("https://a.example"),
            "&automatic_payment_methods%5Benabled%5D=true\
            &confirm=true&confirmation_token=ctoken_1&return_url=https%3A%2F%2Fa.example",
        ),
        (
            "pm_card_visa",
            "card",
            None,
            "&payment_method_types%5B%5D=card&confirm=true&payment_method=pm_card_visa",
        ),
    ] {
        let double = Double::start(vec![say(200, reserved())]);
        let request = Authorize {
            method: method.into(),
            return_url: back.map(str::to_owned),
            ..authorize(Some(token), None)
        };
        let report = known(run(stripe(&double).authorize(&request)));
        assert!(matches!(
            report.state,
            State::Authorized {
                expires_at: Some(_)
            }
        ));
        let asked = double.asked().remove(0);
        assert!(asked.contains("capture_method=manual"));
        assert!(asked.ends_with(fields), "{asked}");
    }
}

#[test]
fn what_stripe_cannot_take_is_not_sent() {
    let double = Double::start(vec![]);
    let stripe = stripe(&double);
    for token in [
        "tok_1",
        "4242424242424242",
        "pm_1&amount=1",
        "",
        &format!("pm_{}", "1".repeat(200)),
    ] {
        let outcome = run(stripe.authorize(&authorize(Some(token), None)));
        assert_eq!(outcome, refused("invalid_token"), "{token}");
    }
    let dinars = Authorize {
        amount: money(1_234, "KWD"),
        ..authorize(None, None)
    };
    assert_eq!(
        run(stripe.authorize(&dinars)),
        refused("amount_not_representable")
    );
    assert_eq!(
        run(stripe.refund(&shift(0))),
        refused("amount_not_representable")
    );
    assert!(double.asked().is_empty());
}

#[test]
fn a_decline_is_told_with_the_intent() {
    let error = json!({"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds", "message": "…",
        "payment_method": with(card(), json!({"id": "pm_1"}))});
    let intent = intent(
        "requires_payment_method",
        json!({"last_payment_error": error, "latest_charge": "ch_1"}),
    );
    let body = with(error.clone(), json!({"payment_intent": intent}));
    let double = Double::start(vec![fault(402, body), fault(402, error)]);
    let stripe = stripe(&double);
    let report = known(run(stripe.authorize(&authorize(Some("pm_1"), None))));
    let reason = "insufficient_funds".to_owned();
    assert_eq!(report.state, State::Declined { reason });
    assert_eq!(report.reference, "pi_1");
    assert_eq!(report.facts.0["card_last4"], "4242");
    let bare = run(stripe.authorize(&authorize(Some("pm_1"), None)));
    assert_eq!(bare, refused("insufficient_funds"));
}

#[test]
fn a_refusal_is_told_apart_from_not_knowing() {
    let invalid =
        |code: &str| json!({"type": "invalid_request_error", "code": code, "message": "…"});
    let hint = "No such PaymentMethod: 'pm_1'; a similar object exists in test mode, but a live mode key was used to make this request.";
    for (reply, outcome) in [
        (
            fault(400, invalid("amount_too_large")),
            refused("amount_too_large"),
        ),
        (
            fault(400, json!({"type": "invalid_request_error"})),
            refused("invalid_request_error"),
        ),
        (
            fault(404, invalid("resource_missing")),
            refused("not_found"),
        ),
        (
            fault(
                400,
                with(invalid("resource_missing"), json!({"message": hint})),
            ),
            refused(TEST_IN_LIVE),
        ),
        (
            fault(401, json!({"type": "invalid_request_error"})),
            refused("provider_misconfigured"),
        ),
        (
            fault(403, json!({"type": "invalid_request_error"})),
            refused("provider_misconfigured"),
        ),
        (
            fault(409, invalid("idempotency_key_in_use")),
            Outcome::Unknown,
        ),
        (fault(429, invalid("rate_limit")), Outcome::Unknown),
        (fault(424, json!({"type": "api_error"})), Outcome::Unknown),
        (fault(500, json!({"type": "api_error"})), Outcome::Unknown),
        (say(503, "<html>"), Outcome::Unknown),
        (say(400, "<html>"), Outcome::Unknown),
        (say(200, "<html>"), Outcome::Unknown),
        (say(200, "x".repeat(1_100_000)), Outcome::Unknown),
        (
            Reply::Say(302, "location: https://example.com/\r\n", String::new()),
            Outcome::Unknown,
        ),
        (Reply::Hang, Outcome::Unknown),
    ] {
        let double = Double::start(vec![reply]);
        assert_eq!(
            run(stripe(&double).authorize(&authorize(Some("pm_1"), None))),
            outcome
        );
        assert_eq!(double.asked().len(), 1, "nothing is repeated by itself");
    }
}

#[test]
fn an_intent_of_the_other_mode_is_refused() {
    let double = Double::start(vec![say(200, with(reserved(), json!({"livemode": true})))]);
    let outcome = run(stripe(&double).authorize(&authorize(Some("pm_1"), None)));
    assert_eq!(outcome, refused(LIVE_IN_TEST));
    let http = Http::new(HttpSettings::default()).unwrap();
    let live = Stripe::new(settings("rk_live_1", true, None), http, Clock::default()).unwrap();
    let outcome = run(live.authorize(&authorize(Some("pm_card_visa"), None)));
    assert_eq!(outcome, refused(TEST_IN_LIVE));
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let http = Http::new(HttpSettings::default()).unwrap();
    for (key, live, url, fits) in [
        ("sk_test_1", false, None, true),
        ("rk_test_1", false, Some("http://localhost:1"), true),
        ("sk_live_1", true, None, true),
        ("sk_live_1", true, Some("http://localhost:1"), false),
        ("sk_test_1", true, None, false),
        ("sk_live_1", false, None, false),
        ("pk_test_1", false, None, false),
        ("sk_test_", false, None, false),
        ("sk_test_1\n", false, None, false),
        ("", false, None, false),
    ] {
        let made = Stripe::new(settings(key, live, url), http.clone(), Clock::default());
        assert_eq!(made.is_ok(), fits, "{key}");
    }
    let wrong = Stripe::new(
        settings("sk_live_canary", false, None),
        http,
        Clock::default(),
    );
    let error = wrong.err().unwrap();
    assert!(!format!("{error} {error:?}").contains("canary"));
    assert!(!format!("{:?}", settings("sk_test_canary", false, None)).contains("canary"));
}

#[test]
fn a_repeated_answer_is_not_believed() {
    let old = Reply::Say(
        200,
        "idempotent-replayed: true\r\n",
        intent("requires_action", json!({})).to_string(),
    );
    let double = Double::start(vec![old, say(200, reserved())]);
    let report = known(run(
        stripe(&double).authorize(&authorize(Some("pm_1"), None))
    ));
    assert!(matches!(report.state, State::Authorized { .. }));
    assert_eq!(double.lines().len(), 2);
}

#[test]
fn a_key_used_with_other_fields_ends_in_what_became_of_the_first_call() {
    let reused = || fault(400, json!({"type": "idempotency_error", "message": "…"}));
    let found = json!({"object": "search_result", "data": [intent("requires_action", json!({}))], "has_more": false});
    let double = Double::start(vec![reused(), say(200, found), say(200, reserved())]);
    let report = known(run(
        stripe(&double).authorize(&authorize(Some("pm_1"), None))
    ));
    assert!(matches!(report.state, State::Authorized { .. }));
    let double = Double::start(vec![reused(), say(200, reserved())]);
    assert_eq!(
        run(stripe(&double).capture(&shift(1_099))),
        refused("idempotency_key_reused")
    );
}

#[test]
fn an_opened_intent_is_gone_on_with() {
    let opened = intent("requires_payment_method", json!({}));
    let double = Double::start(vec![say(200, &opened), say(200, reserved())]);
    let report = known(run(
        stripe(&double).authorize(&authorize(Some("pm_2"), Some("pi_1")))
    ));
    assert!(matches!(report.state, State::Authorized { .. }));
    assert_eq!(double.lines()[1], "POST /v1/payment_intents/pi_1/confirm");
    let key = format!("idempotency-key: {}:authorize:pm_2\r\n", payment());
    assert!(double.asked()[1].contains(&key));

    // The client has confirmed it already: nothing is confirmed twice.
    let double = Double::start(vec![say(200, reserved())]);
    known(run(
        stripe(&double).authorize(&authorize(Some("pm_2"), Some("pi_1")))
    ));
    assert_eq!(double.lines().len(), 1);

    let foreign = with(
        opened,
        json!({"metadata": {"payment": "pay_01jq3h5s5vfkg8r4t0x2m6c9zf"}}),
    );
    let double = Double::start(vec![say(200, foreign)]);
    let outcome = run(stripe(&double).authorize(&authorize(Some("pm_2"), Some("pi_1"))));
    assert_eq!(outcome, refused("reference_of_another_payment"));
}

#[test]
fn a_look_up_finds_the_intent_or_says_so() {
    let nothing = || {
        say(
            200,
            json!({"object": "search_result", "data": [], "has_more": false}),
        )
    };
    let cancelled = intent("canceled", json!({"id": "pi_0", "created": 1_790_000_009}));
    let found =
        json!({"data": [cancelled, intent("requires_capture", json!({}))], "has_more": false});
    let double = Double::start(vec![say(200, found), say(200, reserved()), nothing()]);
    let adapter = stripe(&double);
    known(run(adapter.look_up(&authorize(None, None))));
    let query = "GET /v1/payment_intents/search?query=metadata%5B%27payment%27%5D%3A%27";
    assert!(double.lines()[0].starts_with(query));
    assert!(double.lines()[1].starts_with("GET /v1/payment_intents/pi_1?"));
    assert_eq!(
        run(adapter.look_up(&authorize(None, None))),
        refused("not_found")
    );

    // A payment of this moment may not be in the search yet.
    let double = Double::start(vec![nothing(), nothing()]);
    let adapter = stripe(&double);
    let fresh = Authorize {
        payment: PaymentId::new(),
        ..authorize(None, None)
    };
    assert_eq!(run(adapter.look_up(&fresh)), Outcome::Unknown);
    adapter.clock.advance(Duration::from_secs(121));
    assert_eq!(run(adapter.look_up(&fresh)), refused("not_found"));
}

#[test]
fn a_look_up_that_is_refused_says_nothing() {
    let missing = || {
        fault(
            404,
            json!({"type": "invalid_request_error", "code": "resource_missing"}),
        )
    };
    for (reply, reference, outcome) in [
        (missing(), Some("pi_1"), refused("not_found")),
        (missing(), None, Outcome::Unknown),
        (fault(401, json!({})), Some("pi_1"), Outcome::Unknown),
        (fault(400, json!({})), None, Outcome::Unknown),
        (fault(500, json!({})), Some("pi_1"), Outcome::Unknown),
    ] {
        let double = Double::start(vec![reply]);
        assert_eq!(
            run(stripe(&double).look_up(&authorize(None, reference))),
            outcome
        );
    }
}

#[test]
fn a_capture_is_read_anew() {
    let done = taken(&charge(600, json!({})));
    let double = Double::start(vec![say(200, "{}"), say(200, done)]);
    let report = known(run(stripe(&double).capture(&shift(600))));
    assert_eq!(moved(&report), [(MovementKind::Capture, "ch_1", 600, true)]);
    let asked = double.asked();
    assert!(asked[0].starts_with("POST /v1/payment_intents/pi_1/capture "));
    assert!(asked[0].ends_with(&format!(
        "amount_to_capture=600&metadata%5Battempt%5D={ATTEMPT}"
    )));
    assert!(asked[0].contains(&format!("idempotency-key: {}:{ATTEMPT}\r\n", payment())));
}

#[test]
fn a_refusal_of_what_was_done_before_is_no_refusal() {
    let state = || {
        fault(
            400,
            json!({"type": "invalid_request_error", "code": "payment_intent_unexpected_state"}),
        )
    };
    let again = || {
        fault(
            400,
            json!({"type": "invalid_request_error", "code": "charge_already_refunded"}),
        )
    };
    let mine = refunded(1_099, &[refund("re_1", 1_099, "succeeded", true)]);
    let theirs = refunded(1_099, &[refund("re_1", 1_099, "succeeded", false)]);
    let captured = taken(&charge(1_099, json!({})));
    let foreign = with(
        captured.clone(),
        json!({"metadata": {"payment": payment().to_string()}}),
    );
    let cancelled = intent("canceled", json!({"latest_charge": charge(0, json!({}))}));

    let after = |first: Reply, second: &Value| Double::start(vec![first, say(200, second)]);
    known(run(
        stripe(&after(state(), &captured)).capture(&shift(1_099))
    ));
    known(run(stripe(&after(again(), &mine)).refund(&shift(1_099))));
    let report = known(run(stripe(&after(state(), &cancelled)).void(&shift(1_099))));
    assert_eq!(moved(&report), [(MovementKind::Void, "ch_1", 1_099, true)]);

    let unexpected = refused("payment_intent_unexpected_state");
    assert_eq!(
        run(stripe(&after(state(), &foreign)).capture(&shift(1_099))),
        unexpected
    );
    assert_eq!(
        run(stripe(&after(state(), &captured)).void(&shift(1_099))),
        unexpected
    );
    assert_eq!(
        run(stripe(&after(again(), &theirs)).refund(&shift(1_099))),
        refused("charge_already_refunded")
    );
}

#[test]
fn a_movement_whose_end_was_not_seen_is_unknown() {
    for replies in [
        vec![fault(500, json!({"type": "api_error"}))],
        vec![Reply::Hang],
        vec![say(200, "{}"), Reply::Hang],
        vec![say(200, "{}"), fault(401, json!({}))],
        vec![
            fault(400, json!({"code": "charge_already_refunded"})),
            Reply::Hang,
        ],
    ] {
        let double = Double::start(replies);
        assert_eq!(run(stripe(&double).refund(&shift(100))), Outcome::Unknown);
    }
    let misconfigured = Double::start(vec![fault(401, json!({})), fault(401, json!({}))]);
    let outcome = run(stripe(&misconfigured).refund(&shift(100)));
    assert_eq!(outcome, refused("provider_misconfigured"));
}

#[test]
fn a_refund_names_payment_and_attempt() {
    let done = refunded(1_099, &[refund("re_1", 100, "pending", true)]);
    let double = Double::start(vec![
        say(200, refund("re_1", 100, "pending", true)),
        say(200, done),
    ]);
    let report = known(run(stripe(&double).refund(&shift(100))));
    assert!(moved(&report).contains(&(MovementKind::Refund, "re_1", 100, true)));
    assert!(double.asked()[0].ends_with(&format!(
        "payment_intent=pi_1&amount=100&metadata%5Battempt%5D={ATTEMPT}&metadata%5Bpayment%5D={}",
        payment()
    )));
}

#[test]
fn saved_instruments() {
    let list = json!({"data": [with(card(), json!({"id": "pm_1", "customer": "cus_1"}))], "has_more": false});
    let missing = fault(404, json!({"code": "resource_missing"}));
    let required = json!({"type": "card_error", "code": "authentication_required",
        "payment_intent": intent("requires_payment_method", json!({"last_payment_error": {"code": "authentication_required"}}))});
    let double = Double::start(vec![
        say(200, json!({"id": "cus_1", "object": "customer"})),
        say(
            200,
            json!({"id": "seti_1", "client_secret": "seti_1_secret"}),
        ),
        say(200, list),
        missing,
        fault(402, required),
    ]);
    let stripe = stripe(&double);
    let customer = "pcu_01jq3h5s5vfkg8r4t0x2m6c9ze".parse().unwrap();
    assert_eq!(
        run(stripe.create_customer(customer, 1, "a@example.com")),
        Ok("cus_1".into())
    );
    let setup = run(stripe.set_up("cus_1", "k1")).unwrap();
    assert_eq!(setup.client_secret.as_deref(), Some("seti_1_secret"));
    let saved = run(stripe.list("cus_1")).unwrap();
    assert_eq!(
        (saved[0].brand.as_deref(), saved[0].expiry_year),
        (Some("visa"), Some(2030))
    );
    assert_eq!(run(stripe.forget("pm_1")), Ok(()));
    let keeper = Some(Keeper {
        customer: "cus_1".into(),
        off_session: true,
        keep: false,
    });
    let request = Authorize {
        keeper,
        ..authorize(Some("pm_1"), None)
    };
    let report = known(run(stripe.authorize(&request)));
    let reason = "authentication_required".to_owned();
    assert_eq!(report.state, State::Declined { reason });
    assert!(double.asked()[4].contains("customer=cus_1&off_session=true&confirm=true"));
}

#[test]
fn calls_may_run_on_any_thread() {
    fn send<T: Send>(_: T) {}
    let double = Double::start(vec![]);
    let (stripe, request) = (stripe(&double), authorize(None, None));
    send(stripe.authorize(&request));
    send(stripe.refund(&shift(1)));
}
