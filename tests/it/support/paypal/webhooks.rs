//! Events, how a delivery is signed, and how PayPal verifies that for whoever asks. PayPal signs with a certificate; only it
//! can check what the double signs with a secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::bodies::{Question, read};
use super::calls::Refusal;
use super::state::{State, link, now};
use super::{SECRET, WEBHOOK_ID};

const ALGORITHM: &str = "SHA256withRSA";
const CERTIFICATE: &str = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42";

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// `WH-…`
    pub id: String,
    /// `PAYMENT.CAPTURE.COMPLETED` and its like.
    pub kind: String,
    /// The whole event. `resource` is how things stood at that moment.
    pub json: Value,
    /// Whether a delivery was answered with 2xx.
    pub delivered: bool,
}

impl State {
    /// Writes down that something happened to the object at `path`.
    pub fn event(&mut self, kind: &str, resource_type: &str, path: &str) {
        let resource = self.object(path).unwrap_or_default();
        self.tell(kind, resource_type, &resource);
    }

    /// The same of an object that is not at a path.
    pub fn tell(&mut self, kind: &str, resource_type: &str, resource: &Value) {
        let id = self.id("WH-");
        let own = link(&format!("/v1/notifications/webhooks-events/{id}"), "self");
        let json = json!({
            "id": id, "event_version": "1.0", "create_time": now(self), "resource_type": resource_type,
            "resource_version": "2.0", "event_type": kind, "summary": kind, "resource": resource,
            "links": [own],
        });
        self.events.push(Event {
            id,
            kind: kind.to_owned(),
            json,
            delivered: false,
        });
    }
}

/// The headers of a delivery.
pub fn headers(id: &str, sent: &str, webhook: &str, body: &str) -> Vec<(&'static str, String)> {
    vec![
        ("paypal-auth-algo", ALGORITHM.into()),
        ("paypal-cert-url", CERTIFICATE.into()),
        ("paypal-transmission-id", id.into()),
        ("paypal-transmission-sig", sign(id, sent, webhook, body)),
        ("paypal-transmission-time", sent.into()),
    ]
}

fn sign(id: &str, sent: &str, webhook: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("HMAC takes any key");
    let checksum = crc32fast::hash(body.as_bytes());
    mac.update(format!("{id}|{sent}|{webhook}|{checksum}").as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Whether a delivery is PayPal's.
pub fn verify(body: &[u8]) -> Result<(u16, Value), Refusal> {
    let asked: Question = read(body)?;
    let (id, sent) = (&asked.transmission_id, &asked.transmission_time);
    let good = asked.webhook_id == WEBHOOK_ID
        && asked.auth_algo == ALGORITHM
        && asked.cert_url == CERTIFICATE
        && asked.transmission_sig == sign(id, sent, WEBHOOK_ID, asked.webhook_event.get());
    let status = if good { "SUCCESS" } else { "FAILURE" };
    Ok((200, json!({"verification_status": status})))
}
