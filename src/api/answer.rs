//! Answers as HTTP has them: JSON with its headers, and problems (RFC 9457).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use serde::Serialize;
use uuid::Uuid;

use crate::kernel::{Code, Error, FieldError};

/// What the type of a problem begins with; the code in kebab-case follows.
const PROBLEM_TYPES: &str = "urn:mercer:problem:";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: String,
    code: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    request_id: String,
}

/// An error as an answer.
pub fn problem(error: &Error, request_id: Uuid) -> HttpResponse {
    let status =
        StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let problem = Problem {
        r#type: format!(
            "{PROBLEM_TYPES}{}",
            error.code.as_str().to_ascii_lowercase().replace('_', "-")
        ),
        title: error.code.title(),
        status: status.as_u16(),
        detail: &error.detail,
        instance: format!("urn:uuid:{request_id}"),
        code: error.code.as_str(),
        errors: &error.fields,
        request_id: request_id.to_string(),
    };
    let mut answer = HttpResponse::build(status);
    answer
        .content_type("application/problem+json")
        .insert_header(no_store())
        .insert_header(("x-request-id", request_id.to_string()));
    match error.code {
        Code::Unauthenticated => {
            answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        code => {
            if let Some(seconds) = retry_after(code) {
                answer.insert_header((header::RETRY_AFTER, seconds));
            }
        }
    }
    answer.body(serde_json::to_vec(&problem).unwrap_or_default())
}

/// In how many seconds a request that ended with this code may be sent again.
pub fn retry_after(code: Code) -> Option<&'static str> {
    match code {
        Code::Unavailable => Some("1"),
        Code::TooManyAttempts => Some("900"),
        _ => None,
    }
}

/// The header that keeps an answer out of every cache.
pub fn no_store() -> (header::HeaderName, HeaderValue) {
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
