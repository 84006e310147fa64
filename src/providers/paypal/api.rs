//! Calls to PayPal, and what their answers mean before anything is known of payments.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use http::header::AUTHORIZATION;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;

use super::wire::{Failed, Token};
use crate::kernel::Secret;
use crate::kernel::{Clock, Timestamp};
use crate::providers::http::{Answer, Base, Http, Request};

/// Why a call gave no object.
#[derive(Debug)]
pub enum Failure {
    /// Nobody knows whether PayPal acted.
    Unknown,
    /// PayPal refused it.
    Refused(String),
    /// There is no such object.
    Missing,
}

/// The reason where the client id, the secret or a permission does not do.
pub const MISCONFIGURED: &str = "provider_misconfigured";

/// A token is given up so long before it ends.
const MARGIN: Duration = Duration::from_mins(1);

/// PayPal with a client's credentials.
pub struct Api {
    /// How.
    pub http: Http,
    /// Where.
    pub base: Base,
    /// The REST app's client id.
    pub client_id: String,
    /// Its secret.
    pub secret: Secret,
    /// For the end of a token.
    pub clock: Clock,
    /// The token in use and its end; who needs a new one fetches it while the others wait.
    pub token: Mutex<Option<(Secret, Timestamp)>>,
}

impl Api {
    /// Reads what is at `path`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let answer = self.call(path, || Request::get(self.base.at(path))).await?;
        parse(path, &answer)
    }

    /// Does something, once per `key`. PayPal keeps keys of orders for 6 hours, of payments for 45 days.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Result<Answer, Failure> {
        let make = || {
            Request::json(self.base.at(path), body.to_string())
                .header(HeaderName::from_static("paypal-request-id"), key)
                .header(HeaderName::from_static("prefer"), "return=representation")
        };
        self.call(path, make).await
    }

    /// Asks with a body; nothing is done by it.
    pub async fn ask<T: DeserializeOwned>(&self, path: &str, body: String) -> Result<T, Failure> {
        let make = || Request::json(self.base.at(path), body.clone());
        parse(path, &self.call(path, make).await?)
    }

    async fn call(&self, path: &str, make: impl Fn() -> Request) -> Result<Answer, Failure> {
        for again in [true, false] {
            let token = self.token().await?;
            let request = make().header(AUTHORIZATION, format!("Bearer {}", token.reveal()));
            let answer = self.send(path, request).await?;
            if answer.status == 401 && again {
                // The token was taken back before its time; nothing was done.
                let mut held = self.token.lock().await;
                if held.as_ref().is_some_and(|(old, _)| *old == token) {
                    *held = None;
                }
                continue;
            }
            return understand(path, answer);
        }
        Err(Failure::Unknown)
    }

    async fn send(&self, path: &str, request: Request) -> Result<Answer, Failure> {
        self.http.send(request).await.map_err(|lost| {
            tracing::warn!(provider = "paypal", path, %lost, "no answer");
            Failure::Unknown
        })
    }

    async fn token(&self) -> Result<Secret, Failure> {
        let mut held = self.token.lock().await;
        let now = self.clock.now();
        if let Some((token, end)) = held.as_ref().filter(|(_, end)| now < *end) {
            let _ = end;
            return Ok(token.clone());
        }
        let path = "/v1/oauth2/token";
        let login = STANDARD.encode(format!("{}:{}", self.client_id, self.secret.reveal()));
        let fields = [("grant_type", "client_credentials".to_owned())];
        let request = Request::form(self.base.at(path), &fields)
            .header(AUTHORIZATION, format!("Basic {login}"));
        let answer = understand(path, self.send(path, request).await?).map_err(|f| match f {
            Failure::Unknown => Failure::Unknown,
            _ => Failure::Refused(MISCONFIGURED.into()),
        })?;
        let new: Token = parse(path, &answer)?;
        let lasts = Duration::from_secs(new.expires_in).saturating_sub(MARGIN);
        let token = Secret::new(new.access_token);
        *held = Some((token.clone(), now.plus(lasts)));
        Ok(token)
    }
}

fn parse<T: DeserializeOwned>(path: &str, answer: &Answer) -> Result<T, Failure> {
    answer.json().ok_or_else(|| {
        tracing::error!(provider = "paypal", path, "not understood");
        Failure::Unknown
    })
}

fn understand(path: &str, answer: Answer) -> Result<Answer, Failure> {
    let status = answer.status;
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    let debug_id = answer.header("paypal-debug-id").unwrap_or_default();
    let failed = answer.json::<Failed>();
    let issue = failed.as_ref().and_then(|f| {
        let exact = f.details.iter().find_map(|d| d.issue.as_deref());
        word(exact.or(f.name.as_deref())?)
    });
    if matches!(status, 401 | 403) {
        tracing::error!(
            provider = "paypal",
            path,
            status,
            debug_id,
            issue,
            "the credentials do not do"
        );
        return Err(Failure::Refused(MISCONFIGURED.into()));
    }
    tracing::warn!(
        provider = "paypal",
        path,
        status,
        debug_id,
        issue,
        "refused"
    );
    Err(match (status, failed) {
        (404, Some(_)) => Failure::Missing,
        (400 | 422, Some(_)) => Failure::Refused(issue.unwrap_or_else(|| "refused".into())),
        _ => Failure::Unknown,
    })
}

/// A code of PayPal's in lower case, if it is a code and nothing else: it goes on to clients.
pub fn word(text: &str) -> Option<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let fits = !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed);
    fits.then(|| text.to_ascii_lowercase())
}
