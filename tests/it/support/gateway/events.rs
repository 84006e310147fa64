//! Events, and how a webhook is signed.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `evt_…`
    pub id: String,
    /// `payment_intent.succeeded` and its like.
    pub kind: String,
    /// The whole object. `data.object` is how things stood at that moment.
    pub json: Value,
    /// Whether a delivery was answered with 2xx.
    pub delivered: bool,
}

impl Event {
    /// An event that nobody was told of yet.
    pub fn new(id: String, kind: &str, json: Value) -> Self {
        Self {
            id,
            kind: kind.to_owned(),
            json,
            delivered: false,
        }
    }

    /// The id of the object that it is about.
    pub fn object(&self) -> &str {
        self.json["data"]["object"]["id"]
            .as_str()
            .unwrap_or_default()
    }

    /// The body of a delivery. Stripe indents it.
    pub fn body(&self) -> String {
        format!("{:#}", self.json)
    }
}

/// The `Stripe-Signature` header: a `v1` for each secret, as while a secret is being changed.
pub fn signature(secrets: &[&str], timestamp: i64, body: &[u8]) -> String {
    let mut header = format!("t={timestamp}");
    for secret in secrets {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes any key");
        mac.update(timestamp.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        header.push_str(",v1=");
        header.push_str(&mercer::kernel::hex(&mac.finalize().into_bytes()));
    }
    header
}
