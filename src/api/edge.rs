//! What happens to every request before it is routed and to every answer before it leaves.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::HttpMessage as _;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};
use tracing::Instrument as _;

use super::{answer, cors, request, rest};
use crate::context::App;
use crate::kernel::{Code, Error};
use crate::operation::metrics;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The most a request's target may have, in bytes.
pub const MAX_TARGET: usize = 8 * 1024;
/// The most that all headers of a request may have together, in bytes, with four more for each as HTTP writes it.
pub const MAX_HEADERS: usize = 16 * 1024;
/// How much of a body is copied for the connection at a time.
const PIECE: usize = 32 * 1024;
/// The target of the access log.
const LOG: &str = "mercer::access";

/// Where metrics alone are served, if they have an address of their own.
pub struct MetricsAddress(pub Option<SocketAddr>);

/// Gives the request its id, refuses what is too large, answers a preflight, serves HEAD as GET, lets pages of other origins
/// read the answer, counts and logs.
pub async fn edge(
    app: web::Data<App>,
    metrics_address: web::Data<MetricsAddress>,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> actix_web::Result<ServiceResponse> {
    let started = Instant::now();
    let id = request::request_id(request.headers());
    let id_text = HeaderValue::from_str(&id.to_string())?;
    request.headers_mut().insert(REQUEST_ID, id_text.clone());
    let origins = &app.config.cors_origins;
    let open = cors::is_open(request.path());
    let method = request.method().clone();
    let trace = trace_id(request.headers()).map(str::to_owned);

    let asks_first = open && cors::is_preflight(&method, request.headers());
    let mut answer = if let Some(error) = refuse(&request, metrics_address.0) {
        request.into_response(answer::problem(&error, id))
    } else if asks_first {
        let answer = cors::preflight(origins, request.headers());
        request.into_response(answer)
    } else {
        // The answer to HEAD has the headers of GET; the server leaves its body out.
        if method == Method::HEAD {
            request.head_mut().method = Method::GET;
        }
        match &trace {
            None => next.call(request).await?,
            Some(trace) => {
                let span = tracing::info_span!("request", trace_id = trace);
                next.call(request).instrument(span).await?
            }
        }
    };
    if open && !asks_first {
        let request = answer.request().clone();
        cors::share(origins, request.headers(), answer.headers_mut());
    }
    answer.headers_mut().insert(REQUEST_ID, id_text);
    note(&answer, &method, started.elapsed(), trace.as_deref());
    Ok(answer.map_body(|_, body| in_pieces(body)))
}

/// Refuses what is larger than it may be, and whatever is not served at this address.
fn refuse(request: &ServiceRequest, metrics: Option<SocketAddr>) -> Option<Error> {
    // As the router reads it: `/%6detrics` is the same path.
    let path = request.match_info().as_str();
    if let Some(metrics) = metrics {
        let here = request.app_config().local_addr() == metrics;
        let is_metrics = path == "/metrics";
        if here != is_metrics && !(here && path.starts_with("/health/")) {
            let detail = "There is nothing at this path of this address.";
            return Some(Error::new(Code::NotFound, detail));
        }
    }
    let target = request
        .uri()
        .path_and_query()
        .map_or(0, |t| t.as_str().len());
    if target > MAX_TARGET {
        let detail = format!("The path and the query string have more than {MAX_TARGET} bytes.");
        return Some(Error::new(Code::UriTooLong, detail));
    }
    let size = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    if request.headers().iter().map(size).sum::<usize>() > MAX_HEADERS {
        let detail = format!("The headers have more than {MAX_HEADERS} bytes.");
        return Some(Error::new(Code::HeadersTooLarge, detail));
    }
    None
}

/// Counts a request, and writes its line into the access log: what was asked by whose key and what came of it, nothing of the
/// path's values, the query string, the body or the caller's address. `ms` is the time until the answer was made.
fn note(answer: &ServiceResponse, method: &Method, elapsed: Duration, trace: Option<&str>) {
    let request = answer.request();
    let route = request
        .extensions()
        .get::<rest::Route>()
        .map(rest::Route::path);
    let route = route.or_else(|| request.match_pattern());
    let route = route.as_deref().unwrap_or("-");
    let status = answer.status().as_u16();
    metrics::request(method.as_str(), route, answer.status().as_str(), elapsed);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: LOG,
                method = method.as_str(),
                route,
                status,
                ms = milliseconds(elapsed),
                bytes = match answer.response().body().size() {
                    BodySize::Sized(bytes) if method != Method::HEAD => bytes,
                    _ => 0,
                },
                request_id = answer.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()),
                key = public_key(request.headers()),
                trace_id = trace,
            )
        };
    }
    // Probes come every few seconds and say nothing while all is well.
    if route.starts_with("/health/") || route == "/metrics" {
        line!(debug);
    } else {
        line!(info);
    }
}

/// Milliseconds with three decimals.
fn milliseconds(time: Duration) -> f64 {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Duration::from_millis(micros).as_secs_f64()
}

/// The part of an API key that everybody may see: `mrc_pk_` or `mrc_sk_` and its id. What is not written like a key is not
/// shown.
fn public_key(headers: &HeaderMap) -> Option<&str> {
    const LENGTH: usize = "mrc_pk_".len() + 8;
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let key = value.split_once(' ')?.1.trim();
    let prefix = key.get(..LENGTH)?;
    let id = prefix
        .strip_prefix("mrc_pk_")
        .or(prefix.strip_prefix("mrc_sk_"))?;
    let whole = id.chars().all(|c| c.is_ascii_alphanumeric())
        && key.get(LENGTH..)?.starts_with('_')
        && key.split('_').count() == 5;
    whole.then_some(prefix)
}

/// The trace that the caller's request belongs to (W3C Trace Context, `traceparent`); what is not well formed is passed over.
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    let parts: Vec<&str> = value.split('-').collect();
    let &[version, trace, parent, flags, ..] = parts.as_slice() else {
        return None;
    };
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let id = |text: &str, length: usize| hex(text, length) && text.bytes().any(|b| b != b'0');
    let good = hex(version, 2)
        && version != "ff"
        && (version != "00" || parts.len() == 4)
        && id(trace, 32)
        && id(parent, 16)
        && hex(flags, 2);
    good.then_some(trace)
}

/// Hands a large body to the connection piece by piece: what a slow reader has not taken yet stays where it is, in the cache's
/// memory if it is from there, and is not copied.
fn in_pieces(body: BoxBody) -> BoxBody {
    match body.size() {
        BodySize::Sized(size) if size > PIECE as u64 => match body.try_into_bytes() {
            Ok(bytes) => Pieces(bytes).boxed(),
            Err(body) => body,
        },
        _ => body,
    }
}

struct Pieces(Bytes);

impl MessageBody for Pieces {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let length = self.0.len().min(PIECE);
        Poll::Ready((length > 0).then(|| Ok(self.0.split_to(length))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let name = HeaderName::try_from(name).unwrap();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn a_trace_is_taken_up_when_it_is_well_formed() {
        let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        for good in [
            format!("00-{trace}-{parent}-01"),
            format!("cc-{trace}-{parent}-01-what-comes-later"),
        ] {
            assert_eq!(
                trace_id(&headers("traceparent", &good)),
                Some(trace),
                "{good}"
            );
        }
        let zero = "0".repeat(32);
        for bad in [
            format!("00-{trace}-{parent}-01-more"),
            format!("ff-{trace}-{parent}-01"),
            format!("00-{}-{parent}-01", trace.to_uppercase()),
            format!("00-{zero}-{parent}-01"),
            format!("00-{trace}-0000000000000000-01"),
            format!("00-{trace}-{parent}"),
            "x".to_owned(),
        ] {
            assert_eq!(trace_id(&headers("traceparent", &bad)), None, "{bad}");
        }
    }

    #[test]
    fn nothing_of_a_secret_is_shown() {
        let shown = |value: &str| public_key(&headers("authorization", value)).map(str::to_owned);
        let secret = "S".repeat(43);
        let key = format!("mrc_sk_AbC12345_{secret}_0123abcd");
        assert_eq!(
            shown(&format!("Bearer {key}")).as_deref(),
            Some("mrc_sk_AbC12345")
        );
        for no in [
            &key,
            &format!("Bearer {secret}"),
            &format!("Bearer mrc_sk_{secret}"),
        ] {
            assert_eq!(shown(no), None, "{no}");
        }
    }

    #[test]
    fn milliseconds_have_three_decimals() {
        let time = Duration::from_nanos(1_234_567);
        assert_eq!(milliseconds(time).to_string(), "1.234");
    }
}
