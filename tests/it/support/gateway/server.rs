//! What happens to a request on its way.

use std::sync::{Mutex, MutexGuard};

use serde_json::Value;

use super::errors::{Error, Reply};
use super::idempotency::Begin;
use super::params::Params;
use super::records::Recorded;
use super::routes;
use super::state::{API_VERSION, State};
use crate::support::double::{Answer, Fault, Request, Running, lock};

/// What the threads share.
pub struct Shared(Mutex<State>);

impl Shared {
    /// A gateway that nobody talked to yet.
    pub fn new() -> Self {
        Self(Mutex::new(State::new()))
    }

    /// The state, for as long as it is held.
    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

/// Answers a request, or closes the connection without an answer.
pub fn respond(shared: &Shared, request: &Request, running: &Running) -> Option<Answer> {
    let key = request.header("idempotency-key").map(str::to_owned);
    let version = request.header("stripe-version").map(str::to_owned);
    let params = read(request);
    let (at, id, fault, sleep) = {
        let mut state = shared.state();
        let id = state.id("req");
        let fault = state.faults.take(&request.method, &request.path);
        state.requests.push(Recorded {
            id: id.clone(),
            method: request.method.clone(),
            path: request.path.clone(),
            params: params
                .as_ref()
                .map_or(Value::Null, |params| params.0.clone()),
            idempotency_key: key.clone(),
            version: version.clone(),
            fault,
            status: None,
            replayed: false,
        });
        (id.clone(), id, fault, state.sleep)
    };
    let (reply, kept) = match fault {
        Some(Fault::TimeoutBefore) => {
            running.sleep(sleep);
            return None;
        }
        Some(Fault::DropBefore) => return None,
        Some(Fault::RateLimited) => (Err(Error::rate_limited()), None),
        Some(Fault::LockTimeout) => (Err(Error::locked()), None),
        _ => match admit(request).and(params) {
            Ok(params) => execute(shared, request, &params, fault, &id, || {
                running.sleep(sleep);
            }),
            Err(error) => (Err(error), None),
        },
    };
    let replayed = kept.is_some();
    let (mut status, json) = kept.unwrap_or_else(|| settle(&reply));
    let mut body = format!("{json:#}\n").into_bytes();
    match fault {
        Some(Fault::DropAfter) => return None,
        Some(Fault::TimeoutAfter) => running.sleep(sleep),
        Some(Fault::Garbage) => {
            status = 200;
            body = b"<html><head><title>502 Bad Gateway</title></head></html>".to_vec();
        }
        _ => {}
    }
    {
        let mut state = shared.state();
        if let Some(recorded) = state
            .requests
            .iter_mut()
            .rev()
            .find(|recorded| recorded.id == at)
        {
            recorded.status = Some(status);
            recorded.replayed = replayed;
        }
    }
    let mut headers = vec![
        ("Request-Id", id),
        (
            "Stripe-Version",
            version.unwrap_or_else(|| API_VERSION.into()),
        ),
    ];
    if let Some(key) = key {
        headers.push(("Idempotency-Key", key));
    }
    if replayed {
        headers.push(("Idempotent-Replayed", "true".into()));
    }
    Some(Answer {
        status,
        headers,
        body,
    })
}

/// The parameters: of the query, or of the form in the body.
fn read(request: &Request) -> Result<Params, Error> {
    if request.method != "POST" {
        return Params::parse(&request.query);
    }
    let kind = request.header("content-type").unwrap_or_default();
    if !request.body.is_empty() && !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(Error::malformed(
            "Invalid request (check that your POST content type is application/x-www-form-urlencoded). \
             If you have any questions, we can help at https://support.stripe.com/.",
        ));
    }
    match std::str::from_utf8(&request.body) {
        Ok(body) => Params::parse(body),
        Err(_) => Err(Error::malformed("Invalid request: the body is not UTF-8.")),
    }
}

/// Checks the key.
fn admit(request: &Request) -> Result<(), Error> {
    let Some(key) = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
    else {
        return Err(Error::unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization \
             header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        ));
    };
    let known = ["sk_test_", "rk_test_"]
        .iter()
        .any(|prefix| key.starts_with(prefix));
    if !known {
        let shown: String = key.chars().take(8).collect();
        return Err(Error::unauthorized(format!(
            "Invalid API Key provided: {shown}****"
        )));
    }
    if key == "rk_test_readonly" && request.method != "GET" {
        return Err(Error::forbidden(
            "The provided key 'rk_test_********' does not have the required permissions for this \
             endpoint.",
        ));
    }
    Ok(())
}

type Kept = Option<(u16, Value)>;

fn execute(
    shared: &Shared,
    request: &Request,
    params: &Params,
    fault: Option<Fault>,
    id: &str,
    sleep: impl Fn(),
) -> (Reply, Kept) {
    let key = request
        .header("idempotency-key")
        .filter(|_| request.method == "POST");
    let mut state = shared.state();
    if let Some(key) = key {
        match state.keys.begin(key, &request.path, params) {
            Err(error) => return (Err(error), None),
            Ok(Begin::Replay(status, body)) => return (Ok(Value::Null), Some((status, body))),
            Ok(Begin::Fresh) => {}
        }
    }
    if fault == Some(Fault::Slow) {
        drop(state);
        sleep();
        state = shared.state();
    }
    let reply = if fault == Some(Fault::Error500Before) {
        Err(Error::internal())
    } else {
        state.request = Some((id.to_owned(), key.map(str::to_owned)));
        let reply = routes::call(&mut state, &request.method, &request.path, params);
        state.request = None;
        match fault {
            Some(Fault::Error500After) => Err(Error::internal()),
            _ => reply,
        }
    };
    if let Some(key) = key {
        let stored = reply.as_ref().err().is_none_or(|error| error.stored);
        let answer = stored.then(|| settle(&reply));
        state.keys.finish(key, answer);
    }
    (reply, None)
}

fn settle(reply: &Reply) -> (u16, Value) {
    match reply {
        Ok(object) => (200, object.clone()),
        Err(error) => (error.status, error.json()),
    }
}
