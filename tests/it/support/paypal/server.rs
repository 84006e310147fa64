//! What happens to a request on its way: its faults, and whether it is let in.

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::calls::{self, Refusal};
use super::state::{Recorded, State};
use super::{CLIENT_ID, SECRET, webhooks};
use crate::support::double::{Answer, Fault, Request, Running, lock};

/// How long an access token is good.
const TOKEN: Duration = Duration::from_hours(9);

/// Answers a request, or closes the connection without an answer.
pub fn respond(state: &Mutex<State>, request: &Request, running: &Running) -> Option<Answer> {
    let (place, fault, sleep) = record(&mut lock(state), request);
    match fault {
        Some(Fault::TimeoutBefore) => {
            running.sleep(sleep);
            return None;
        }
        Some(Fault::DropBefore) => return None,
        _ => {}
    }
    let result = match fault {
        Some(Fault::RateLimited) => Err(Refusal::rate_limited()),
        Some(Fault::Error500Before) => Err(Refusal::internal()),
        Some(Fault::Slow | Fault::LockTimeout) => Err(Refusal::not_simulated("this fault")),
        _ => answer(&mut lock(state), request),
    };
    let (status, json) = match (fault, result) {
        (Some(Fault::DropAfter), _) => return None,
        (Some(Fault::TimeoutAfter), _) => {
            running.sleep(sleep);
            return None;
        }
        (Some(Fault::Error500After), _) => (500, Refusal::internal().body),
        (Some(Fault::Garbage), _) => (200, Value::Null),
        (_, Ok(answer)) => answer,
        (_, Err(refusal)) => (refusal.status, refusal.body),
    };
    lock(state).requests[place].status = Some(status);
    let body = match fault {
        Some(Fault::Garbage) => b"<html>502 Bad Gateway</html>".to_vec(),
        _ => json.to_string().into_bytes(),
    };
    Some(Answer {
        status,
        headers: vec![("Paypal-Debug-Id", "90957fca61718".into())],
        body,
    })
}

fn record(state: &mut State, request: &Request) -> (usize, Option<Fault>, Duration) {
    state.requests.push(Recorded {
        method: request.method.clone(),
        path: request.path.clone(),
        body: serde_json::from_slice(&request.body).unwrap_or_default(),
        request_id: request.header("paypal-request-id").map(str::to_owned),
        status: None,
    });
    let fault = state.faults.take(&request.method, &request.path);
    (state.requests.len() - 1, fault, state.sleep)
}

fn answer(state: &mut State, request: &Request) -> Result<(u16, Value), Refusal> {
    if request.path == "/v1/oauth2/token" {
        return token(state, request);
    }
    admit(state, request)?;
    let json = request.header("content-type") == Some("application/json");
    if request.method == "POST" && !json {
        return Err(Refusal::invalid("MALFORMED_REQUEST_JSON"));
    }
    match request.path.as_str() {
        "/v1/notifications/verify-webhook-signature" => webhooks::verify(&request.body),
        _ => calls::call(state, request),
    }
}

fn token(state: &mut State, request: &Request) -> Result<(u16, Value), Refusal> {
    let login = STANDARD.encode(format!("{CLIENT_ID}:{SECRET}"));
    if request.header("authorization") != Some(&format!("Basic {login}")) {
        return Err(Refusal::unauthorized("invalid_client"));
    }
    if request.body != b"grant_type=client_credentials" {
        return Err(Refusal::invalid("unsupported_grant_type"));
    }
    let token = state.id("A21AA");
    let end = state.clock.now().plus(TOKEN);
    state.tokens.insert(token.clone(), end);
    let body = json!({
        "scope": "https://uri.paypal.com/services/payments/payment/authcapture",
        "access_token": token, "token_type": "Bearer", "app_id": "APP-80W284485P519543T",
        "expires_in": TOKEN.as_secs(), "nonce": "2026-01-01T00:00:00Z",
    });
    Ok((200, body))
}

/// Checks the access token.
fn admit(state: &State, request: &Request) -> Result<(), Refusal> {
    let header = request.header("authorization").unwrap_or_default();
    let end = header
        .strip_prefix("Bearer ")
        .and_then(|token| state.tokens.get(token));
    match end {
        Some(end) if state.clock.now() < *end => Ok(()),
        _ => Err(Refusal::unauthorized("invalid_token")),
    }
}
