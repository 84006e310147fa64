//! Answers over 1 KiB as gzip, for who can read it.

use std::io::Write as _;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// What is smaller fits into one packet as it is.
const LEAST: u64 = 1024;
/// What a compressed answer's `ETag` ends in: a strong one must not be the same for other bytes.
const SUFFIX: &str = "-gzip\"";

/// Compresses an answer that is a whole text of more than [`LEAST`] bytes, where `Accept-Encoding` allows it.
pub async fn gzip(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let accepted = accepts_gzip(request.headers());
    let answer = next.call(request).await?;
    Ok(compressed(answer, accepted))
}

fn compressed(mut answer: ServiceResponse<BoxBody>, accepted: bool) -> ServiceResponse<BoxBody> {
    if answer.status() == StatusCode::NOT_MODIFIED {
        let known = text(answer.request().headers(), header::IF_NONE_MATCH).contains(SUFFIX);
        vary(answer.headers_mut());
        if known && accepted {
            rename(answer.headers_mut());
        }
        return answer;
    }
    let headers = answer.headers();
    let kind = text(headers, header::CONTENT_TYPE);
    let is_text = kind.contains("json") || kind.starts_with("text/");
    let is_large = matches!(answer.response().body().size(), BodySize::Sized(n) if n > LEAST);
    if !is_text || !is_large || headers.contains_key(header::CONTENT_ENCODING) {
        return answer;
    }
    vary(answer.headers_mut());
    if !accepted {
        return answer;
    }
    answer.map_body(|head, body| {
        let bytes = match body.try_into_bytes() {
            Ok(bytes) => bytes,
            Err(body) => return body,
        };
        match encode(&bytes) {
            Some(small) => {
                let gzip = HeaderValue::from_static("gzip");
                head.headers.insert(header::CONTENT_ENCODING, gzip);
                rename(&mut head.headers);
                BoxBody::new(Bytes::from(small))
            }
            None => BoxBody::new(bytes),
        }
    })
}

fn encode(bytes: &[u8]) -> Option<Vec<u8>> {
    let room = Vec::with_capacity(bytes.len() / 4);
    let mut encoder = GzEncoder::new(room, Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

fn vary(headers: &mut HeaderMap) {
    headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
}

/// Gives the compressed form an `ETag` of its own.
fn rename(headers: &mut HeaderMap) {
    let tag = text(headers, header::ETAG)
        .strip_suffix('"')
        .map(|tag| format!("{tag}{SUFFIX}"));
    if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
        headers.insert(header::ETAG, tag);
    }
}

/// An `ETag` as it is without compression.
pub fn plain(tag: &str) -> std::borrow::Cow<'_, str> {
    match tag.strip_suffix(SUFFIX) {
        Some(start) => format!("{start}\"").into(),
        None => tag.into(),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// `gzip` or `*` with a weight other than zero; what is said of `gzip` itself counts first (RFC 9110, 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut any = false;
    for part in text(headers, header::ACCEPT_ENCODING).split(',') {
        let mut words = part.split(';').map(str::trim);
        let coding = words.next().unwrap_or_default();
        let refused = words.any(|word| {
            let weight = word.strip_prefix("q=").unwrap_or("1");
            !weight.bytes().any(|digit| (b'1'..=b'9').contains(&digit))
        });
        if coding.eq_ignore_ascii_case("gzip") {
            return !refused;
        }
        any |= coding == "*" && !refused;
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_read_gzip() {
        let accepts = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            accepts_gzip(&headers)
        };
        for yes in [
            "gzip",
            "br, GZIP;q=0.5",
            "*",
            "deflate, *;q=0.1",
            "gzip;q=1.0, *;q=0",
        ] {
            assert!(accepts(yes), "{yes}");
        }
        for no in [
            "",
            "br",
            "identity",
            "gzip;q=0",
            "gzip; q=0.000, *",
            "*;q=0",
        ] {
            assert!(!accepts(no), "{no}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
