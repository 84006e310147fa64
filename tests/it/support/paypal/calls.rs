//! Which call is which, and refusals in PayPal's shape.

use serde_json::{Value, json};

use super::bodies::Intent;
use super::disputes;
use super::payments;
use super::state::{State, Used};
use crate::support::double::Request;

/// What a call comes to: a status, and the path of the object that is answered.
pub type Reply = Result<(u16, String), Refusal>;

/// A refusal.
#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub body: Value,
}

impl Refusal {
    fn new(status: u16, name: &str, issue: &str) -> Self {
        let body = json!({
            "name": name, "message": "The request was refused.", "debug_id": "90957fca61718",
            "details": [{"issue": issue, "description": issue}],
        });
        Self { status, body }
    }

    /// A request that is not well-formed.
    pub fn invalid(issue: &str) -> Self {
        Self::new(400, "INVALID_REQUEST", issue)
    }

    /// A request that cannot be done.
    pub fn unprocessable(issue: &str) -> Self {
        Self::new(422, "UNPROCESSABLE_ENTITY", issue)
    }

    /// No such object.
    pub fn missing() -> Self {
        Self::new(404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")
    }

    /// Too many requests.
    pub fn rate_limited() -> Self {
        Self::new(429, "RATE_LIMIT_REACHED", "RATE_LIMIT_REACHED")
    }

    /// PayPal's own trouble.
    pub fn internal() -> Self {
        Self::new(500, "INTERNAL_SERVER_ERROR", "INTERNAL_SERVICE_ERROR")
    }

    /// What the double does not play.
    pub fn not_simulated(what: &str) -> Self {
        Self::new(500, "NOT_SIMULATED", what)
    }

    /// Credentials or a token that do not do.
    pub fn unauthorized(error: &str) -> Self {
        let body = json!({"error": error, "error_description": "…"});
        Self { status: 401, body }
    }
}

/// What somebody at PayPal's own site is told.
pub fn plain(reply: Reply) -> Result<Value, Value> {
    reply
        .map(|(status, path)| json!([status, path]))
        .map_err(|refusal| refusal.body)
}

/// Answers a call that was let in: a status and a body.
pub fn call(state: &mut State, request: &Request) -> Result<(u16, Value), Refusal> {
    if request.method == "GET" && request.path.starts_with("/v1/customer/disputes") {
        return disputes::read(state, request).map(|object| (200, object));
    }
    let (status, path) = match request.method.as_str() {
        "GET" => (200, request.path.clone()),
        "POST" => once(state, request)?,
        _ => return Err(Refusal::not_simulated(&request.method)),
    };
    let object = state.object(&path).ok_or_else(Refusal::missing)?;
    let whole = request.header("prefer") == Some("return=representation");
    if whole || request.method == "GET" {
        return Ok((status, object));
    }
    let short = json!({"id": object["id"], "status": object["status"], "links": object["links"]});
    Ok((status, short))
}

/// Acts, unless the `PayPal-Request-Id` says that this was done: then what it came to is answered as it is now.
fn once(state: &mut State, request: &Request) -> Reply {
    let Some(key) = request.header("paypal-request-id") else {
        return Err(Refusal::invalid("PAYPAL_REQUEST_ID_REQUIRED"));
    };
    if key.len() > 108 {
        return Err(Refusal::invalid("INVALID_STRING_LENGTH"));
    }
    if let Some(used) = state.used.get(key) {
        if used.path == request.path && used.body == request.body {
            return Ok((200, used.object.clone()));
        }
        return Err(Refusal::unprocessable("DUPLICATE_REQUEST_ID"));
    }
    let done = act(state, request)?;
    let used = Used {
        path: request.path.clone(),
        body: request.body.clone(),
        object: done.1.clone(),
    };
    state.used.insert(key.to_owned(), used);
    Ok(done)
}

fn act(state: &mut State, request: &Request) -> Reply {
    let names: Vec<&str> = request.path.split('/').skip(1).collect();
    let body = &request.body;
    match names.as_slice() {
        ["v2", "checkout", "orders"] => payments::open(state, body),
        ["v2", "checkout", "orders", id, "authorize"] => {
            payments::complete(state, id, Intent::Authorize, body)
        }
        ["v2", "checkout", "orders", id, "capture"] => {
            payments::complete(state, id, Intent::Capture, body)
        }
        ["v2", "payments", "authorizations", id, "capture"] => payments::capture(state, id, body),
        ["v2", "payments", "authorizations", id, "void"] => payments::void(state, id),
        ["v2", "payments", "captures", id, "refund"] => payments::refund(state, id, body),
        _ => Err(Refusal::missing()),
    }
}
