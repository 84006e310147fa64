//! What every request has, whichever door it comes to: an id, an actor, an idempotency key, a body of bounded size.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, web};
use futures_util::StreamExt;
use uuid::Uuid;

use super::cors;
use crate::context::{App, Cx};
use crate::domain::identity;
use crate::kernel::{Code, Error, Result, net};

/// The most a JSON body may have.
pub const MAX_BODY: usize = 256 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The id of a request: the caller's, where it is a UUID, else a fresh one.
pub fn request_id(headers: &HeaderMap) -> Uuid {
    text(headers, "x-request-id")
        .and_then(|id| id.parse().ok())
        .unwrap_or_else(crate::kernel::id::fresh)
}

/// The context of a request, with the actor behind its key.
pub async fn context(app: &App, request: &HttpRequest, id: Uuid) -> Result<Cx> {
    let headers = request.headers();
    let bearer = match text(headers, header::AUTHORIZATION.as_str()) {
        None => None,
        Some(value) => Some(bearer(value).ok_or_else(|| {
            Error::new(
                Code::Unauthenticated,
                "Authorization must be: Bearer, a space, and an API key.",
            )
        })?),
    };
    if let Some(key) = bearer {
        cors::refuse_secret_key(&app.config.cors_origins, headers, key)?;
    }
    let actor = identity::authenticate(app, bearer, text(headers, "x-cart-token")).await?;
    let key = match headers.get("idempotency-key").map(|value| value.to_str()) {
        None => None,
        Some(Ok(key)) => Some(key.into()),
        Some(Err(_)) => Some("\u{fffd}".into()), // refused by name, with its rules, when it is used
    };
    Ok(Cx {
        app: app.clone(),
        actor,
        request_id: id,
        address: client(app, request),
        idempotency_key: key,
        claim: None,
    })
}

/// Whose request this is.
fn client(app: &App, request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let forwarded: Vec<&str> = request
        .headers()
        .get_all("x-forwarded-for")
        .map(|line| line.to_str().unwrap_or_default())
        .collect();
    let client = app
        .config
        .trusted_proxies
        .client(peer, forwarded.into_iter());
    Some(net::subscriber(client))
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Reads a body of at most [`MAX_BODY`] bytes.
pub async fn body(mut payload: web::Payload) -> Result<web::Bytes> {
    let read = async {
        let mut whole: Option<web::BytesMut> = None;
        let mut single = web::Bytes::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|e| {
                Error::new(
                    Code::MalformedRequest,
                    format!("The body could not be read: {e}."),
                )
            })?;
            let length = whole.as_ref().map_or(single.len(), web::BytesMut::len) + chunk.len();
            if length > MAX_BODY {
                let detail = format!("The body has more than {MAX_BODY} bytes.");
                return Err(Error::new(Code::PayloadTooLarge, detail));
            }
            // Nearly every body arrives in one piece and is not copied.
            match &mut whole {
                Some(buffer) => buffer.extend_from_slice(&chunk),
                None if single.is_empty() => single = chunk,
                None => {
                    let mut buffer = web::BytesMut::from(&single[..]);
                    buffer.extend_from_slice(&chunk);
                    whole = Some(buffer);
                }
            }
        }
        Ok(whole.map_or(single, web::BytesMut::freeze))
    };
    tokio::time::timeout(BODY_TIMEOUT, read)
        .await
        .map_err(|_| {
            let detail = format!(
                "The body did not arrive within {} seconds.",
                BODY_TIMEOUT.as_secs()
            );
            Error::new(Code::RequestTimeout, detail)
        })?
}

/// Whether the request says that its body is JSON.
pub fn is_json(request: &HttpRequest) -> bool {
    let media_type = text(request.headers(), header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let mut parts = media_type.split(';').map(str::trim);
    parts
        .next()
        .is_some_and(|t| t.eq_ignore_ascii_case("application/json"))
        && parts.all(|p| {
            !p.to_ascii_lowercase().starts_with("charset=")
                || p.to_ascii_lowercase().contains("utf-8")
        })
}
