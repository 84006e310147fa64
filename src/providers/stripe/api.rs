//! Calls to Stripe, and what their answers mean before anything is known of payments.

use http::HeaderName;
use http::header::AUTHORIZATION;
use serde::de::DeserializeOwned;

use super::report::is_word;
use super::wire::{Failed, Intent};
use crate::kernel::Secret;
use crate::providers::http::{Answer, Base, Http, Request, query};

/// Why a call gave no object.
#[derive(Debug)]
pub enum Failure {
    /// Nobody knows whether Stripe acted.
    Unknown,
    /// Stripe refused it.
    Refused(String),
    /// There is no such object.
    Missing,
    /// A card was declined; the intent as it is now, and whether the answer was a repeated one.
    Declined(Box<Intent>, bool),
    /// The idempotency key was used with other fields: an earlier call was made, and this one was not.
    KeyReused,
}

/// An object, and whether the answer repeats that to an earlier call with the same key: then it is as old as that one.
pub struct Got<T> {
    /// The object.
    pub object: T,
    /// It is a repeated answer.
    pub replayed: bool,
}

/// Stripe with a key.
pub struct Api {
    /// How.
    pub http: Http,
    /// Where.
    pub base: Base,
    /// `sk_…` or `rk_…`.
    pub key: Secret,
    /// The connected account on whose behalf.
    pub account: Option<String>,
}

impl Api {
    /// Reads what is at `path`.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, String)],
    ) -> Result<T, Failure> {
        let url = self.base.at(&format!("{path}?{}", query(fields)));
        Ok(self.call(path, Request::get(url)).await?.object)
    }

    /// Does something, once per `key` within 24 hours.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        fields: &[(&str, String)],
    ) -> Result<Got<T>, Failure> {
        let request = Request::form(self.base.at(path), fields)
            .header(HeaderName::from_static("idempotency-key"), key);
        self.call(path, request).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        path: &str,
        request: Request,
    ) -> Result<Got<T>, Failure> {
        let mut request = request
            .header(AUTHORIZATION, format!("Bearer {}", self.key.reveal()))
            .header(HeaderName::from_static("stripe-version"), super::VERSION);
        if let Some(account) = &self.account {
            request = request.header(HeaderName::from_static("stripe-account"), account.as_str());
        }
        let answer = self.http.send(request).await.map_err(|lost| {
            tracing::warn!(provider = "stripe", path, %lost, "no answer");
            Failure::Unknown
        })?;
        understand(path, &answer)
    }
}

fn understand<T: DeserializeOwned>(path: &str, answer: &Answer) -> Result<Got<T>, Failure> {
    let replayed = answer.header("idempotent-replayed") == Some("true");
    let request_id = answer.header("request-id").unwrap_or_default();
    let status = answer.status;
    if (200..300).contains(&status) {
        let object = answer.json().ok_or_else(|| {
            tracing::error!(provider = "stripe", path, request_id, "not understood");
            Failure::Unknown
        })?;
        return Ok(Got { object, replayed });
    }
    let Some(Failed { error }) = answer.json::<Failed>() else {
        tracing::warn!(provider = "stripe", path, status, request_id, "no answer");
        return Err(Failure::Unknown);
    };
    let code = error.code.as_deref().filter(|c| is_word(c));
    let kind = error.kind.as_deref().filter(|k| is_word(k));
    let failure = match status {
        401 | 403 => {
            tracing::error!(
                provider = "stripe",
                path,
                status,
                request_id,
                code,
                "the key does not do"
            );
            return Err(Failure::Refused("provider_misconfigured".into()));
        }
        400 | 404 if kind == Some("idempotency_error") => {
            tracing::error!(
                provider = "stripe",
                path,
                request_id,
                "an idempotency key was used twice"
            );
            return Err(Failure::KeyReused);
        }
        400 | 402 | 404 => match (error.payment_intent, kind) {
            (Some(intent), Some("card_error")) => Failure::Declined(intent, replayed),
            _ => match other_mode(error.message.as_deref()) {
                Some(reason) => Failure::Refused(reason.into()),
                None if status == 404 => Failure::Missing,
                None => {
                    let bank = error.decline_code.as_deref().filter(|c| is_word(c));
                    let reason = bank.or(code).or(kind).unwrap_or("refused");
                    Failure::Refused(reason.into())
                }
            },
        },
        _ => Failure::Unknown,
    };
    tracing::warn!(
        provider = "stripe",
        path,
        status,
        request_id,
        code,
        kind,
        "refused"
    );
    Err(failure)
}

/// Stripe hides objects of the other mode and says so only in words.
fn other_mode(message: Option<&str>) -> Option<&'static str> {
    let message = message?;
    if message.contains("exists in test mode") {
        Some(TEST_IN_LIVE)
    } else if message.contains("exists in live mode") {
        Some(LIVE_IN_TEST)
    } else {
        None
    }
}

/// The reason to refuse something of test mode in live mode.
pub const TEST_IN_LIVE: &str = "test_mode_token_in_live_mode";
/// The reason to refuse something of live mode in test mode.
pub const LIVE_IN_TEST: &str = "live_mode_token_in_test_mode";
