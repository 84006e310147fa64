//! The double is as strict as it says.

use mercer::kernel::Clock;
use serde_json::{Value, json};

use super::{CLIENT_ID, Instrument, Paypal, SECRET};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Posts JSON; the status, and the issue or the status of the object.
fn post(url: &str, path: &str, token: &str, key: &str, body: &Value) -> (u16, String) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false);
    let mut answer = agent
        .build()
        .new_agent()
        .post(format!("{url}{path}"))
        .header("authorization", format!("Bearer {token}"))
        .header("paypal-request-id", key)
        .header("prefer", "return=representation")
        .content_type("application/json")
        .send(body.to_string())
        .unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let said = json.pointer("/details/0/issue").or(json.get("status"));
    let said = said.and_then(Value::as_str).unwrap_or_default().to_owned();
    (answer.status().as_u16(), said)
}

fn token(url: &str) -> String {
    let login = STANDARD.encode(format!("{CLIENT_ID}:{SECRET}"));
    let mut answer = ureq::post(format!("{url}/v1/oauth2/token"))
        .header("authorization", format!("Basic {login}"))
        .send("grant_type=client_credentials")
        .unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    json["access_token"].as_str().unwrap().to_owned()
}

fn order(value: &Value) -> Value {
    json!({
        "intent": "AUTHORIZE",
        "purchase_units": [{"custom_id": "pay_1", "amount": {"currency_code": "EUR", "value": value}}],
        "payment_source": {"paypal": {"experience_context": {"shipping_preference": "NO_SHIPPING", "user_action": "PAY_NOW"}}},
    })
}

#[test]
fn what_is_not_as_paypal_wants_it_is_refused() {
    let paypal = Paypal::start(&Clock::default());
    let (url, orders) = (paypal.url(), "/v2/checkout/orders");
    let token = token(&url);
    let good = order(&json!("12.30"));
    assert_eq!(post(&url, orders, "stale", "k", &good).0, 401);
    for (value, status, issue) in [
        (json!("12.345"), 422, "DECIMAL_PRECISION"),
        (json!("0.00"), 422, "CANNOT_BE_ZERO_OR_NEGATIVE"),
        (json!("1e3"), 400, "INVALID_PARAMETER_SYNTAX"),
        (json!("-1"), 400, "INVALID_PARAMETER_SYNTAX"),
    ] {
        let said = post(&url, orders, &token, "k", &order(&value));
        assert_eq!(said, (status, issue.into()), "{value}");
    }
    assert_eq!(post(&url, orders, &token, "k", &order(&json!(12.3))).0, 400);
    let mut strange = good.clone();
    strange["invented"] = 1.into();
    assert_eq!(post(&url, orders, &token, "k", &strange).0, 400);

    let opened = (200, "PAYER_ACTION_REQUIRED".to_owned());
    assert_eq!(post(&url, orders, &token, "k", &good), opened);
    assert_eq!(post(&url, orders, &token, "k", &good), opened);
    assert_eq!(paypal.money().len(), 1, "the same key is the same order");
    let other = post(&url, orders, &token, "k", &order(&json!("1.00")));
    assert_eq!(other.1, "DUPLICATE_REQUEST_ID");
}

#[test]
fn no_more_money_moves_than_there_is() {
    let paypal = Paypal::start(&Clock::default());
    let url = paypal.url();
    let token = token(&url);
    let ask = |path: &str, key: &str, body: &Value| post(&url, path, &token, key, body);
    ask("/v2/checkout/orders", "open", &order(&json!("10.00")));
    let id = paypal.money().into_keys().next().unwrap();
    let authorize = format!("/v2/checkout/orders/{id}/authorize");
    assert_eq!(ask(&authorize, "a", &json!({})).1, "ORDER_NOT_APPROVED");
    paypal.approve(&id, Instrument::Good);
    assert_eq!(ask(&authorize, "a", &json!({})), (201, "COMPLETED".into()));
    assert_eq!(
        ask(&authorize, "b", &json!({})).1,
        "ORDER_ALREADY_AUTHORIZED"
    );

    let euro = |value: &str| json!({"amount": {"currency_code": "EUR", "value": value}});
    let held = paypal.state().piece_of(&id, "authorizations");
    let capture = format!("/v2/payments/authorizations/{held}/capture");
    assert_eq!(
        ask(&capture, "c", &euro("10.01")).1,
        "MAX_CAPTURE_AMOUNT_EXCEEDED"
    );
    let mut last = euro("6.00");
    last["final_capture"] = true.into();
    assert_eq!(ask(&capture, "c", &last), (201, "COMPLETED".into()));
    assert_eq!(ask(&capture, "c", &last), (200, "COMPLETED".into()));
    assert_eq!(
        ask(&capture, "d", &euro("1.00")).1,
        "AUTHORIZATION_ALREADY_CAPTURED"
    );
    let void = format!("/v2/payments/authorizations/{held}/void");
    assert_eq!(ask(&void, "v", &json!({})).1, "PREVIOUSLY_CAPTURED");

    let captured = paypal.state().piece_of(&id, "captures");
    let refund = format!("/v2/payments/captures/{captured}/refund");
    assert_eq!(ask(&refund, "r", &euro("5.00")), (201, "COMPLETED".into()));
    assert_eq!(ask(&refund, "s", &euro("1.01")).1, "REFUND_AMOUNT_EXCEEDED");
    assert_eq!(ask(&refund, "s", &euro("1.00")), (201, "COMPLETED".into()));
    assert_eq!(ask(&refund, "t", &euro("1.00")).1, "CAPTURE_FULLY_REFUNDED");
    let books = &paypal.money()[&id];
    assert_eq!(
        (books.capturable, books.captured, books.refunded),
        (0, 600, 600)
    );
}
