//! Which web pages may call the API (the CORS protocol of the Fetch standard).
//!
//! Keys travel in `Authorization` and never in cookies, so a page of another origin can do no more than whoever holds its
//! key: publishable keys may be used from anywhere by default. A secret key does not belong into a page; it is refused there
//! unless the page's origin is named in the settings, as that of a back office is.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::config::Origins;
use crate::kernel::{Code, Error, Result};

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// The API's own headers, and by `*` any other: clients add some (`baggage`, `apollographql-client-name`), and none of
/// them grants anything. `Authorization` must be named, because `*` leaves it out.
const REQUEST_HEADERS: &str = "authorization, content-type, idempotency-key, x-cart-token, \
    if-match, if-none-match, x-request-id, traceparent, tracestate, *";
/// What a page may read of an answer, beyond what it always may.
const ANSWER_HEADERS: &str =
    "etag, link, x-request-id, retry-after, idempotent-replayed, allow, www-authenticate";
/// A day in seconds; browsers that keep it for less do so.
const MAX_AGE: &str = "86400";

/// Whether pages of other origins may call this path at all.
pub fn is_open(path: &str) -> bool {
    path == "/graphql" || path == "/v1" || path.starts_with("/v1/")
}

/// Whether a browser asks what it may send.
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight; without permission it has no `Access-Control-Allow-Origin`.
pub fn preflight(origins: &Origins, request: &HeaderMap) -> HttpResponse {
    let mut answer = HttpResponse::NoContent().finish();
    let headers = answer.headers_mut();
    if allow(origins, request, headers) {
        insert(headers, header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        insert(
            headers,
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            REQUEST_HEADERS,
        );
        insert(headers, header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
    answer
}

/// Lets the page that asked read the answer, if it may.
pub fn share(origins: &Origins, request: &HeaderMap, answer: &mut HeaderMap) {
    if allow(origins, request, answer) {
        insert(
            answer,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            ANSWER_HEADERS,
        );
    }
}

/// Names the origin that may read the answer. `*` stands in every answer alike; a list makes answers differ by origin.
fn allow(origins: &Origins, request: &HeaderMap, answer: &mut HeaderMap) -> bool {
    if origins.any {
        insert(answer, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        insert(answer, header::CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin");
        return true;
    }
    answer.append(header::VARY, HeaderValue::from_static("Origin"));
    let origin = request.get(header::ORIGIN);
    match origin.filter(|origin| origin.to_str().is_ok_and(|text| origins.names(text))) {
        Some(origin) => {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            true
        }
        None => false,
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

/// Refuses a secret key that comes from a page of another origin, before anything is done. A page cannot forge `Origin`,
/// `Host` or `Sec-Fetch-Site`; what is no page need not send `Origin`.
pub fn refuse_secret_key(origins: &Origins, headers: &HeaderMap, key: &str) -> Result<()> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN).filter(|_| key.starts_with("mrc_sk_")) else {
        return Ok(());
    };
    let host = origin.split_once("://").map(|(_, host)| host);
    let own = text(HeaderName::from_static("sec-fetch-site")) == Some("same-origin")
        || host.is_some() && host == text(header::HOST);
    if own || origins.names(origin) {
        return Ok(());
    }
    Err(Error::new(
        Code::OriginNotAllowed,
        "A secret key may not be used in a web page of another origin: whoever opens the page can read it. Use a \
         publishable key there, or keep the secret key on a server; the origin of a back office may be named in \
         MERCER_CORS_ORIGINS.",
    ))
}
