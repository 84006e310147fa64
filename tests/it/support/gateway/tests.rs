//! The double's own tests.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Fault, Gateway, SECRET_KEY, signature};

struct Answer {
    status: u16,
    json: Value,
    replayed: bool,
}

impl Answer {
    fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{:#}", self.json);
        self.json
    }

    fn refused(self, status: u16, code: &str) -> Value {
        let error = &self.json["error"];
        assert_eq!(
            (self.status, error["code"].as_str().unwrap_or("")),
            (status, code),
            "{error:#}"
        );
        self.json["error"].clone()
    }
}

fn send(
    gateway: &Gateway,
    method: &str,
    path: &str,
    body: &str,
    key: Option<&str>,
    secret: &str,
) -> Result<Answer, ureq::Error> {
    let patience = Duration::from_secs(20);
    send_within(patience, gateway, method, path, body, key, secret)
}

fn send_within(
    patience: Duration,
    gateway: &Gateway,
    method: &str,
    path: &str,
    body: &str,
    key: Option<&str>,
    secret: &str,
) -> Result<Answer, ureq::Error> {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(patience))
        .build()
        .new_agent();
    let mut request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{}{path}", gateway.url()))
        .header("authorization", format!("Bearer {secret}"))
        .header("stripe-version", super::API_VERSION);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let sent = if method == "POST" {
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        agent.run(request.body(body.to_owned()).unwrap())
    } else {
        agent.run(request.body(()).unwrap())
    };
    let mut answer = sent?;
    assert!(
        answer.headers()["request-id"]
            .to_str()
            .unwrap()
            .starts_with("req_")
    );
    let replayed = answer.headers().contains_key("idempotent-replayed");
    let text = answer.body_mut().read_to_string()?;
    Ok(Answer {
        status: answer.status().as_u16(),
        json: serde_json::from_str(&text).unwrap_or(Value::Null),
        replayed,
    })
}

fn post(gateway: &Gateway, path: &str, body: &str) -> Answer {
    send(gateway, "POST", path, body, None, SECRET_KEY).unwrap()
}

fn keyed(gateway: &Gateway, path: &str, body: &str, key: &str) -> Answer {
    send(gateway, "POST", path, body, Some(key), SECRET_KEY).unwrap()
}

fn get(gateway: &Gateway, path: &str) -> Answer {
    send(gateway, "GET", path, "", None, SECRET_KEY).unwrap()
}

fn id(object: &Value) -> String {
    object["id"].as_str().unwrap().to_owned()
}

/// A payment of 1000 that a card was given for.
fn paid(gateway: &Gateway, card: &str, more: &str) -> Value {
    let body = format!(
        "amount=1000&currency=eur&confirm=true&payment_method={card}&payment_method_types[]=card{more}"
    );
    post(gateway, "/v1/payment_intents", &body).ok()
}

fn kinds(gateway: &Gateway) -> Vec<String> {
    gateway
        .events()
        .into_iter()
        .map(|event| event.kind)
        .collect()
}

#[test]
fn a_payment_is_made_by_server_and_browser() {
    let gateway = Gateway::start();
    let made = post(
        &gateway,
        "/v1/payment_intents",
        "amount=1999&currency=eur&automatic_payment_methods[enabled]=true&metadata%5Bpayment%5D=pay_1%20%2B",
    )
    .ok();
    assert_eq!(made["status"], "requires_payment_method");
    assert_eq!(made["metadata"]["payment"], "pay_1 +");
    let secret = made["client_secret"].as_str().unwrap();
    assert!(secret.starts_with(&format!("{}_secret_", id(&made))));

    let done = gateway.confirm_by_client(secret, "pm_card_visa").unwrap();
    assert_eq!(done["status"], "succeeded");
    assert_eq!(done["amount_received"], 1999);
    assert!(done["latest_charge"].as_str().unwrap().starts_with("ch_"));
    assert_eq!(
        kinds(&gateway),
        [
            "payment_intent.created",
            "charge.succeeded",
            "payment_intent.succeeded"
        ]
    );

    let path = format!("/v1/payment_intents/{}", id(&made));
    let whole = get(
        &gateway,
        &format!("{path}?expand[]=latest_charge.refunds&expand[]=latest_charge.dispute"),
    )
    .ok();
    let charge = &whole["latest_charge"];
    assert_eq!(charge["refunds"]["object"], "list");
    assert_eq!(charge["outcome"]["network_status"], "approved_by_network");
    assert_eq!(charge["payment_method_details"]["card"]["last4"], "4242");
    get(&gateway, &format!("{path}?expand[]=nonsense")).refused(400, "");

    let found = get(
        &gateway,
        "/v1/payment_intents/search?query=metadata['payment']:'pay_1%20%2B'",
    )
    .ok();
    assert_eq!(found["data"][0]["id"], made["id"]);
    let none = get(&gateway, "/v1/payment_intents/search?query=metadata%5B%22payment%22%5D%3A%22x%22%20AND%20status:'succeeded'").ok();
    assert_eq!(none["data"], serde_json::json!([]));

    let money = &gateway.money()[&id(&made)];
    assert_eq!(
        (money.authorized, money.captured, money.refunded),
        (1999, 1999, 0)
    );
    let first = &gateway.requests()[0];
    assert_eq!(first.params["automatic_payment_methods"]["enabled"], "true");
    assert_eq!(first.version.as_deref(), Some(super::API_VERSION));
    assert_eq!(first.status, Some(200));
}

#[test]
fn parameters_are_held_to_the_list() {
    let gateway = Gateway::start();
    let intents = "/v1/payment_intents";
    let unknown = post(&gateway, intents, "amount=1&currency=eur&colour=red");
    assert_eq!(unknown.refused(400, "parameter_unknown")["param"], "colour");
    let unknown = post(
        &gateway,
        intents,
        "amount=1&currency=eur&payment_method_options[card][x]=y",
    );
    assert_eq!(
        unknown.refused(400, "parameter_unknown")["param"],
        "payment_method_options[card][x]"
    );
    post(&gateway, intents, "currency=eur").refused(400, "parameter_missing");
    post(&gateway, intents, "amount=0&currency=eur").refused(400, "parameter_invalid_integer");
    post(&gateway, intents, "amount=1.5&currency=eur").refused(400, "parameter_invalid_integer");
    post(&gateway, intents, "amount=100000000&currency=eur").refused(400, "amount_too_large");
    post(&gateway, intents, "amount=1&currency=EUR").refused(400, "");
    post(&gateway, intents, "amount=1&currency=xxx").refused(400, "");
    post(&gateway, intents, "amount=1&currency=eur&customer=")
        .refused(400, "parameter_invalid_empty");
    post(&gateway, intents, "amount=1&currency=eur&customer=cus_1")
        .refused(400, "resource_missing");
    post(
        &gateway,
        intents,
        "amount=1&currency=eur&capture_method=later",
    )
    .refused(400, "");
    post(&gateway, intents, "amount=1&currency=jpy&description=").ok();
    post(
        &gateway,
        intents,
        "amount=1&currency=eur&confirm=true&payment_method=pm_card_visa",
    )
    .refused(400, "");
    get(&gateway, "/v1/payment_intents/pi_1").refused(404, "resource_missing");
    get(&gateway, "/v1/nothing").refused(404, "");
}

#[test]
fn keys_are_checked() {
    let gateway = Gateway::start();
    let as_key = |secret| send(&gateway, "POST", "/v1/customers", "name=x", None, secret).unwrap();
    assert_eq!(as_key("sk_live_1").status, 401);
    assert_eq!(as_key("nonsense").status, 401);
    assert_eq!(as_key("rk_test_readonly").status, 403);
    assert_eq!(as_key("rk_test_1").status, 200);
    let read = send(&gateway, "GET", "/v1/account", "", None, "rk_test_readonly").unwrap();
    assert_eq!(read.ok()["object"], "account");
}

#[test]
fn a_key_replays_what_began_and_nothing_else() {
    let gateway = Gateway::start();
    let (path, body) = ("/v1/payment_intents", "amount=1000&currency=eur");
    let first = keyed(&gateway, path, body, "k1");
    let again = keyed(&gateway, path, "currency=eur&amount=1000", "k1");
    assert!(!first.replayed && again.replayed);
    assert_eq!(first.json, again.json);
    assert_eq!(gateway.money().len(), 1);

    let other = keyed(&gateway, path, "amount=1001&currency=eur", "k1");
    assert_eq!(other.json["error"]["type"], "idempotency_error");
    assert_eq!(other.status, 400);
    let other = keyed(&gateway, "/v1/refunds", body, "k1");
    assert_eq!(other.json["error"]["type"], "idempotency_error");

    keyed(&gateway, path, "amount=0&currency=eur", "k2").refused(400, "parameter_invalid_integer");
    keyed(&gateway, path, body, "k2").ok();

    let declined = "amount=1000&currency=eur&confirm=true&off_session=true&payment_method=pm_card_visa_chargeDeclined";
    let first = keyed(&gateway, path, declined, "k3");
    let again = keyed(&gateway, path, declined, "k3");
    assert_eq!(
        (first.status, again.status, again.replayed),
        (402, 402, true)
    );
    assert_eq!(first.json, again.json);

    gateway.fault("POST", path, Fault::RateLimited);
    keyed(&gateway, path, body, "k4").refused(429, "rate_limit");
    assert!(!keyed(&gateway, path, body, "k4").replayed);
    gateway.forget_keys();
    assert!(!keyed(&gateway, path, body, "k1").replayed);
}

#[test]
fn a_key_that_is_running_is_a_conflict() {
    let gateway = Gateway::start();
    gateway.set_sleep(Duration::from_millis(1500));
    let (path, body) = ("/v1/payment_intents", "amount=1000&currency=eur");
    gateway.fault("POST", path, Fault::Slow);
    thread::scope(|scope| {
        let slow = scope.spawn(|| keyed(&gateway, path, body, "k"));
        while gateway.requests().is_empty() {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(300));
        keyed(&gateway, path, body, "k").refused(409, "idempotency_key_in_use");
        slow.join().unwrap().ok();
    });
    assert!(keyed(&gateway, path, body, "k").replayed);
    assert_eq!(gateway.money().len(), 1);
}

#[test]
fn a_card_is_captured_once() {
    let gateway = Gateway::start();
    let held = paid(&gateway, "pm_card_visa", "&capture_method=manual");
    assert_eq!(held["status"], "requires_capture");
    assert_eq!(held["amount_capturable"], 1000);
    let capture = format!("/v1/payment_intents/{}/capture", id(&held));
    post(&gateway, &capture, "amount_to_capture=1001").refused(400, "amount_too_large");
    post(&gateway, &capture, "amount_to_capture=0").refused(400, "parameter_invalid_integer");
    post(
        &gateway,
        &capture,
        "amount_to_capture=300&final_capture=false",
    )
    .refused(400, "");
    let done = post(
        &gateway,
        &capture,
        "amount_to_capture=300&expand[]=latest_charge.refunds",
    )
    .ok();
    assert_eq!(
        (&done["status"], &done["amount_received"]),
        (&"succeeded".into(), &300.into())
    );
    // Stripe writes what it releases down as a refund of the charge.
    let charge = &done["latest_charge"];
    assert_eq!(
        (&charge["amount_captured"], &charge["amount_refunded"]),
        (&300.into(), &700.into())
    );
    assert_eq!(charge["refunds"]["data"][0]["amount"], 700);
    let late = post(&gateway, &capture, "").refused(400, "payment_intent_unexpected_state");
    assert_eq!(late["payment_intent"]["id"], held["id"]);
    let money = &gateway.money()[&id(&held)];
    assert_eq!(
        (money.authorized, money.captured, money.refunded),
        (1000, 300, 0)
    );
    let refund = format!("payment_intent={}&amount=301", id(&held));
    post(&gateway, "/v1/refunds", &refund).refused(400, "");
}

#[test]
fn multicapture_has_to_be_asked_for_and_granted() {
    let gateway = Gateway::start();
    let ask =
        "&capture_method=manual&payment_method_options[card][request_multicapture]=if_available";
    for (card, more) in [
        ("pm_card_visa", ask),
        ("pm_card_multicapture", "&capture_method=manual"),
    ] {
        let held = paid(&gateway, card, more);
        let capture = format!("/v1/payment_intents/{}/capture", id(&held));
        assert_eq!(
            post(
                &gateway,
                &capture,
                "amount_to_capture=1&final_capture=false"
            )
            .status,
            400
        );
    }
    let held = paid(
        &gateway,
        "pm_card_multicapture",
        &format!("{ask}&expand[]=latest_charge"),
    );
    let card = &held["latest_charge"]["payment_method_details"]["card"];
    assert_eq!(card["multicapture"]["status"], "available");
    let capture = format!("/v1/payment_intents/{}/capture", id(&held));
    let part = post(
        &gateway,
        &capture,
        "amount_to_capture=300&final_capture=false",
    )
    .ok();
    assert_eq!(
        (&part["status"], &part["amount_capturable"]),
        (&"requires_capture".into(), &700.into())
    );
    let part = post(
        &gateway,
        &capture,
        "amount_to_capture=500&final_capture=false",
    )
    .ok();
    assert_eq!(part["amount_received"], 800);
    post(&gateway, &capture, "amount_to_capture=201").refused(400, "amount_too_large");
    let done = post(&gateway, &capture, "amount_to_capture=0&final_capture=true").ok();
    assert_eq!(
        (&done["status"], &done["amount_received"]),
        (&"succeeded".into(), &800.into())
    );
    assert_eq!(gateway.money()[&id(&held)].captured, 800);
}

#[test]
fn what_is_paid_is_not_canceled() {
    let gateway = Gateway::start();
    let done = paid(&gateway, "pm_card_visa", "");
    let cancel = |intent: &Value| {
        post(
            &gateway,
            &format!("/v1/payment_intents/{}/cancel", id(intent)),
            "",
        )
    };
    cancel(&done).refused(400, "payment_intent_unexpected_state");
    let held = paid(&gateway, "pm_card_visa", "&capture_method=manual");
    let canceled = cancel(&held).ok();
    assert_eq!(
        (&canceled["status"], &canceled["amount_capturable"]),
        (&"canceled".into(), &0.into())
    );
    cancel(&held).refused(400, "payment_intent_unexpected_state");
    let confirm = format!("/v1/payment_intents/{}/confirm", id(&held));
    post(&gateway, &confirm, "payment_method=pm_card_visa")
        .refused(400, "payment_intent_unexpected_state");
    let held = paid(&gateway, "pm_card_visa", "&capture_method=manual");
    let expired = gateway.expire_authorization(&id(&held));
    assert_eq!(expired["cancellation_reason"], "automatic");
}

#[test]
fn no_more_goes_back_than_came() {
    let gateway = Gateway::start();
    let done = paid(&gateway, "pm_card_visa", "");
    let intent = id(&done);
    let refund = |more: &str| {
        post(
            &gateway,
            "/v1/refunds",
            &format!("payment_intent={intent}{more}"),
        )
    };
    refund("&amount=1001").refused(400, "");
    let part = refund("&amount=400&metadata[refund]=rfd_1").ok();
    assert_eq!(
        (&part["status"], &part["charge"]),
        (&"succeeded".into(), &done["latest_charge"])
    );
    refund("&amount=601").refused(400, "");
    refund("&amount=0").refused(400, "parameter_invalid_integer");
    refund("&reason=mood").refused(400, "");
    gateway.refund_at_dashboard(&intent, 100).unwrap();
    assert_eq!(refund("").ok()["amount"], 500);
    refund("").refused(400, "charge_already_refunded");
    let list = get(
        &gateway,
        &format!("/v1/refunds?payment_intent={intent}&limit=2"),
    )
    .ok();
    assert_eq!(
        (list["data"].as_array().unwrap().len(), &list["has_more"]),
        (2, &true.into())
    );
    let tail = id(&list["data"][1]);
    let rest = get(
        &gateway,
        &format!("/v1/refunds?payment_intent={intent}&starting_after={tail}"),
    )
    .ok();
    assert_eq!(rest["data"][0]["id"], part["id"]);
    let charge = get(
        &gateway,
        &format!("/v1/charges/{}", done["latest_charge"].as_str().unwrap()),
    )
    .ok();
    assert_eq!(charge["refunded"], true);

    gateway.settle_refund(&id(&part), false);
    assert_eq!(gateway.money()[&intent].refunded, 600);
    assert_eq!(refund("").ok()["amount"], 400);
    assert!(kinds(&gateway).contains(&"refund.failed".to_owned()));

    let held = paid(&gateway, "pm_card_visa", "&capture_method=manual");
    assert_eq!(
        post(
            &gateway,
            "/v1/refunds",
            &format!("payment_intent={}", id(&held))
        )
        .status,
        400
    );
    let pending = paid(&gateway, "pm_card_pendingRefund", "");
    let pending = post(
        &gateway,
        "/v1/refunds",
        &format!("payment_intent={}", id(&pending)),
    )
    .ok();
    assert_eq!(pending["status"], "pending");
    assert_eq!(
        gateway.settle_refund(&id(&pending), true)["status"],
        "succeeded"
    );
}

#[test]
fn disputed_money_is_not_refunded() {
    let gateway = Gateway::start();
    let done = paid(&gateway, "pm_card_createDispute", "");
    let refund = || {
        post(
            &gateway,
            "/v1/refunds",
            &format!("payment_intent={}", id(&done)),
        )
    };
    refund().refused(400, "charge_disputed");
    assert_eq!(gateway.money()[&id(&done)].disputed, 1000);
    let list = get(
        &gateway,
        &format!("/v1/disputes?payment_intent={}", id(&done)),
    )
    .ok();
    assert_eq!(list["data"][0]["reason"], "fraudulent");
    gateway.close_dispute(&id(&done), true);
    refund().ok();
}

#[test]
fn cards_are_refused_as_they_say() {
    let gateway = Gateway::start();
    let made = post(&gateway, "/v1/payment_intents", "amount=1000&currency=eur").ok();
    let secret = made["client_secret"].as_str().unwrap();
    for (card, code, decline) in [
        (
            "pm_card_visa_chargeDeclined",
            "card_declined",
            "generic_decline",
        ),
        (
            "pm_card_chargeDeclinedInsufficientFunds",
            "card_declined",
            "insufficient_funds",
        ),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", ""),
        ("pm_card_riskLevelHighest", "card_declined", "fraudulent"),
    ] {
        let error = gateway.confirm_by_client(secret, card).unwrap_err()["error"].clone();
        assert_eq!(error["type"], "card_error");
        assert_eq!(error["code"], code);
        assert_eq!(error["decline_code"].as_str().unwrap_or(""), decline);
        let intent = &error["payment_intent"];
        assert_eq!(intent["status"], "requires_payment_method");
        assert_eq!(intent["last_payment_error"]["code"], code);
        assert_eq!(intent["latest_charge"], error["charge"]);
    }
    let done = gateway
        .confirm_by_client(secret, "pm_card_riskLevelElevated")
        .unwrap();
    assert_eq!(done["last_payment_error"], Value::Null);
    let charge = gateway
        .object(done["latest_charge"].as_str().unwrap())
        .unwrap();
    assert_eq!(charge["outcome"]["risk_level"], "elevated");
    assert!(gateway.confirm_by_client(secret, "pm_card_visa").is_err());
}

#[test]
fn three_d_secure_is_stood_or_not() {
    let gateway = Gateway::start();
    let made = post(
        &gateway,
        "/v1/payment_intents",
        "amount=1000&currency=eur&capture_method=manual",
    )
    .ok();
    let secret = made["client_secret"].as_str().unwrap();
    let asked = gateway
        .confirm_by_client(secret, "pm_card_threeDSecure2Required")
        .unwrap();
    assert_eq!(asked["status"], "requires_action");
    assert_eq!(asked["next_action"]["type"], "use_stripe_sdk");
    assert_eq!(asked["latest_charge"], Value::Null);
    let failed = gateway.complete_action(&id(&made), false);
    assert_eq!(failed["status"], "requires_payment_method");
    assert_eq!(
        failed["last_payment_error"]["code"],
        "payment_intent_authentication_failure"
    );
    let card = "pm_card_authenticationRequired";
    let asked = gateway
        .confirm_by_client_at(secret, card, "https://shop.example/back")
        .unwrap();
    assert_eq!(
        asked["next_action"]["redirect_to_url"]["return_url"],
        "https://shop.example/back"
    );
    assert_eq!(
        gateway.complete_action(&id(&made), true)["status"],
        "requires_capture"
    );

    let off = "amount=1000&currency=eur&confirm=true&off_session=true&payment_method=pm_card_authenticationRequired";
    let error = post(&gateway, "/v1/payment_intents", off).refused(402, "authentication_required");
    assert_eq!(error["payment_intent"]["status"], "requires_payment_method");
}

#[test]
fn cards_are_kept_for_customers() {
    let gateway = Gateway::start();
    let customer = id(&post(
        &gateway,
        "/v1/customers",
        "email=a@shop.example&metadata[a]=b",
    )
    .ok());
    let setup = post(
        &gateway,
        "/v1/setup_intents",
        &format!("customer={customer}"),
    )
    .ok();
    let secret = setup["client_secret"].as_str().unwrap();
    let asked = gateway
        .confirm_by_client(secret, "pm_card_authenticationRequiredOnSetup")
        .unwrap();
    assert_eq!(asked["status"], "requires_action");
    let done = gateway.complete_action(&id(&setup), true);
    let method = done["payment_method"].as_str().unwrap();
    let list = get(
        &gateway,
        &format!("/v1/payment_methods?customer={customer}&type=card"),
    )
    .ok();
    assert_eq!(list["data"][0]["id"], method);

    let off = |customer: &str| {
        let body = format!(
            "amount=1&currency=eur&confirm=true&off_session=true&payment_method={method}{customer}"
        );
        post(&gateway, "/v1/payment_intents", &body)
    };
    assert_eq!(
        off(&format!("&customer={customer}")).ok()["status"],
        "succeeded"
    );
    assert_eq!(off("").status, 400);
    post(
        &gateway,
        &format!("/v1/payment_methods/{method}/detach"),
        "",
    )
    .ok();
    assert_eq!(off(&format!("&customer={customer}")).status, 400);
    let attached = post(
        &gateway,
        "/v1/payment_methods/pm_card_visa/attach",
        &format!("customer={customer}"),
    )
    .ok();
    assert_eq!(attached["customer"], customer);
    let gone = send(
        &gateway,
        "DELETE",
        &format!("/v1/customers/{customer}"),
        "",
        None,
        SECRET_KEY,
    )
    .unwrap();
    assert_eq!(gone.ok()["deleted"], true);
    assert_eq!(
        get(&gateway, &format!("/v1/customers/{customer}")).ok()["deleted"],
        true
    );
    // Without a customer a payment method pays once.
    let done = paid(&gateway, "pm_card_visa", "");
    let spent = done["payment_method"].as_str().unwrap();
    let again = format!("amount=1&currency=eur&payment_method={spent}");
    assert_eq!(post(&gateway, "/v1/payment_intents", &again).status, 400);
}

#[test]
fn faults_do_what_they_say() {
    let gateway = Gateway::start();
    gateway.set_sleep(Duration::from_secs(30));
    let (path, body) = ("/v1/payment_intents", "amount=1000&currency=eur");
    let patience = Duration::from_millis(700);
    let tries = |key: &str| {
        send_within(
            patience,
            &gateway,
            "POST",
            path,
            body,
            Some(key),
            SECRET_KEY,
        )
    };
    for (fault, acts) in [
        (Fault::TimeoutBefore, false),
        (Fault::TimeoutAfter, true),
        (Fault::DropBefore, false),
        (Fault::DropAfter, true),
    ] {
        let key = format!("{fault:?}");
        let before = gateway.money().len();
        gateway.fault("POST", "/v1/payment_intents$", fault);
        assert!(tries(&key).is_err(), "{fault:?} answered");
        assert_eq!(
            gateway.money().len() - before,
            usize::from(acts),
            "{fault:?}"
        );
        let again = tries(&key).unwrap();
        assert_eq!(again.replayed, acts, "{fault:?}");
        again.ok();
        assert_eq!(gateway.money().len() - before, 1);
    }
    for (fault, acts) in [(Fault::Error500Before, false), (Fault::Error500After, true)] {
        let key = format!("{fault:?}");
        let before = gateway.money().len();
        gateway.fault("POST", path, fault);
        assert_eq!(tries(&key).unwrap().status, 500);
        assert_eq!(gateway.money().len() - before, usize::from(acts));
        let again = tries(&key).unwrap();
        assert_eq!((again.status, again.replayed), (500, true));
        assert_eq!(gateway.money().len() - before, usize::from(acts));
    }
    gateway.fault("POST", path, Fault::Garbage);
    let garbage = tries("g").unwrap();
    assert_eq!((garbage.status, garbage.json), (200, Value::Null));
    assert!(tries("g").unwrap().replayed);
    gateway.fault("POST", path, Fault::LockTimeout);
    tries("l").unwrap().refused(429, "lock_timeout");
    assert_eq!(gateway.faults_left(), 0);
    let requests = gateway.requests();
    assert_eq!(
        (requests[0].fault, requests[0].status),
        (Some(Fault::TimeoutBefore), None)
    );

    let began = Instant::now();
    drop(gateway);
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "a sleeper held the gateway up"
    );
}

#[test]
fn a_signature_is_made_as_documented() {
    let header = signature(&["whsec_test"], 1_700_000_000, b"{\"id\":1}");
    // printf '1700000000.{"id":1}' | openssl dgst -sha256 -hmac whsec_test
    assert_eq!(
        header,
        "t=1700000000,v1=2f441ba4b3b2d50d28a9ab9d9fd8880376ecd1eb5d0435401553f5d8d0a5dcf8"
    );
    let two = signature(&["a", "b"], 1, b"");
    assert_eq!(two.matches("v1=").count(), 2);
}

#[test]
fn events_wait_until_they_are_delivered() {
    let gateway = Gateway::start();
    gateway.set_now(Some(1_700_000_000));
    paid(&gateway, "pm_card_visa", "");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        ["500", "200", "200", "200"].map(|status| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = String::new();
            let mut bytes = [0; 8192];
            while !text.ends_with("\n}") {
                let read = stream.read(&mut bytes).unwrap();
                text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
            }
            write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            .unwrap();
            text
        })
    });
    let events = gateway.pending_events();
    assert_eq!(events.len(), 3);
    assert_eq!(gateway.deliver(&url, &events[2], "whsec_test"), 500);
    assert_eq!(gateway.pending_events().len(), 3);
    assert_eq!(gateway.deliver(&url, &events[2], "whsec_test"), 200);
    assert_eq!(gateway.pending_events().len(), 2);
    let statuses: Vec<u16> = gateway
        .deliver_all(&url, "whsec_test")
        .into_iter()
        .map(|(_, status)| status)
        .collect();
    assert_eq!(statuses, [200, 200]);
    assert!(gateway.pending_events().is_empty());
    let sent = server.join().unwrap();
    let (head, body) = sent[0].split_once("\r\n\r\n").unwrap();
    let header = signature(&["whsec_test"], 1_700_000_000, body.as_bytes());
    assert!(head.contains(&header), "{head}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), events[2].json);
    let fetched = get(&gateway, &format!("/v1/events/{}", events[2].id)).ok();
    assert_eq!(fetched, events[2].json);
    assert_eq!(gateway.deliver("http://127.0.0.1:1/", &events[0], "s"), 0);
}

#[test]
fn a_payment_may_take_its_time() {
    let gateway = Gateway::start();
    let slow = paid(&gateway, "pm_card_processing", "");
    assert_eq!(slow["status"], "processing");
    assert_eq!(
        gateway.settle_payment(&id(&slow), true)["status"],
        "succeeded"
    );
    gateway.hold_search(true);
    let held = paid(&gateway, "pm_card_visa", "&metadata[payment]=p");
    let search = || {
        get(
            &gateway,
            "/v1/payment_intents/search?query=metadata['payment']:'p'",
        )
        .ok()
    };
    assert_eq!(search()["data"], serde_json::json!([]));
    gateway.hold_search(false);
    assert_eq!(search()["data"][0]["id"], held["id"]);
}
