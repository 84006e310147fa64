//! Stripe's webhooks: who sent it, and what it is about.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

use super::wire::{Event, EventData};
use crate::kernel::Secret;
use crate::kernel::ids::PaymentId;
use crate::kernel::{Code, Error, Result, Timestamp};
use crate::ports::payment::{Notice, RawNotice};

/// How far the time of a signature may be from ours, both ways, in seconds.
const TOLERANCE: u64 = 300;

/// Reads a webhook. Refuses one whose signature is missing, wrong or old, or that is of the other mode.
pub fn read(raw: &RawNotice<'_>, secrets: &[Secret], livemode: bool) -> Result<Notice> {
    let header = raw.headers.get("stripe-signature");
    let header = header.map(String::as_str).unwrap_or_default();
    check(header, raw.body, secrets, raw.now)?;
    let event: Event = serde_json::from_slice(raw.body).map_err(|_| {
        refuse(
            Code::MalformedRequest,
            "unreadable",
            "This is no event of Stripe.",
        )
    })?;
    if event.livemode != livemode {
        let message = "The event is of the other mode, test or live.";
        return Err(refuse(Code::InvalidSignature, "wrong_mode", message));
    }
    let object = &event.data.object;
    let payment: Option<PaymentId> = payment(object);
    // Every intent of ours carries its payment from the beginning.
    let whole = object.get("object").and_then(Value::as_str) == Some("payment_intent");
    Ok(Notice {
        foreign: whole && payment.is_none(),
        payment,
        reference: reference(object),
        customer: keeper(&event.kind, &event.data),
        id: event.id,
        kind: event.kind,
    })
}

fn refuse(code: Code, field_code: &'static str, message: &str) -> Error {
    Error::field(code, "", field_code, message)
}

fn payment(object: &Map<String, Value>) -> Option<PaymentId> {
    object
        .get("metadata")?
        .get("payment")?
        .as_str()?
        .parse()
        .ok()
}

/// The intent an object belongs to; it is named by its id, or stands there whole.
fn reference(object: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let id = if text("object") == Some("payment_intent") {
        text("id")
    } else {
        text("payment_intent").or_else(|| object.get("payment_intent")?.get("id")?.as_str())
    };
    id.map(str::to_owned)
}

/// The customer, of an event about what Stripe keeps for one. A method that was detached has none any more; the event says whose
/// it was.
fn keeper(kind: &str, data: &EventData) -> Option<String> {
    if !kind.starts_with("payment_method.") && kind != "setup_intent.succeeded" {
        return None;
    }
    let now = data.object.get("customer");
    let before = data.previous_attributes.as_ref();
    let customer = now.filter(|customer| customer.is_string());
    let customer = customer.or_else(|| before?.get("customer"))?;
    customer.as_str().map(str::to_owned)
}

/// Checks `t=…,v1=…,v1=…`: one signature must be that of `t.body` under one secret, compared in constant time.
fn check(header: &str, body: &[u8], secrets: &[Secret], now: Timestamp) -> Result<()> {
    let wrong = |code, message: &str| refuse(Code::InvalidSignature, code, message);
    let fields = || {
        header
            .split(',')
            .filter_map(|field| field.trim().split_once('='))
    };
    let signed_at = fields().find(|(name, _)| *name == "t").map(|(_, t)| t);
    let signatures: Vec<[u8; 32]> = fields()
        .filter(|(name, _)| *name == "v1")
        .filter_map(|(_, text)| from_hex(text))
        .take(16)
        .collect();
    let Some((text, time)) = signed_at.and_then(|t| Some((t, t.parse::<i64>().ok()?))) else {
        return Err(wrong("signature_missing", "There is no signature."));
    };
    let genuine = secrets.iter().any(|secret| {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()) else {
            return false;
        };
        mac.update(text.as_bytes());
        mac.update(b".");
        mac.update(body);
        signatures
            .iter()
            .any(|s| mac.clone().verify_slice(s).is_ok())
    });
    if !genuine {
        return Err(wrong("signature_wrong", "The signature is not right."));
    }
    if (now.micros() / 1_000_000).abs_diff(time) > TOLERANCE {
        return Err(wrong("signature_old", "The signature is too old."));
    }
    Ok(())
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut out = [0; 32];
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kernel::hex;

    const BODY: &str = r#"{"id":"evt_1","object":"event","type":"payment_intent.succeeded","livemode":false,"created":1790000000,
        "data":{"object":{"id":"pi_1","object":"payment_intent","metadata":{"payment":"pay_01jq3h5s5vfkg8r4t0x2m6c9ze"}}}}"#;
    const NOW: i64 = 1_790_000_000;

    /// A signature as Stripe makes it.
    pub fn sign(body: &str, secret: &str, time: i64) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{time}.{body}").as_bytes());
        hex(&mac.finalize().into_bytes())
    }

    fn given(header: Option<String>, body: &str, live: bool) -> Result<Notice> {
        let secrets = [Secret::new("whsec_old"), Secret::new("whsec_new")];
        let headers = header.map(|h| ("stripe-signature".to_owned(), h));
        let headers = headers.into_iter().collect();
        let raw = RawNotice {
            headers: &headers,
            body: body.as_bytes(),
            now: Timestamp::from_micros(NOW * 1_000_000).plus(Duration::from_millis(400)),
        };
        read(&raw, &secrets, live)
    }

    fn refused(header: Option<String>, body: &str, live: bool) -> &'static str {
        let error = given(header, body, live).unwrap_err();
        assert_eq!(error.code.status(), 400);
        error.fields[0].code
    }

    fn header(secret: &str, time: i64) -> String {
        format!("t={time},v1={}", sign(BODY, secret, time))
    }

    #[test]
    fn a_webhook_of_stripe_is_read() {
        for secret in ["whsec_old", "whsec_new"] {
            for time in [NOW, NOW - 300, NOW + 300] {
                let notice = given(Some(header(secret, time)), BODY, false).unwrap();
                assert_eq!(notice.id, "evt_1");
                assert_eq!(notice.kind, "payment_intent.succeeded");
                assert_eq!(notice.reference.as_deref(), Some("pi_1"));
                let payment = notice.payment.unwrap().to_string();
                assert_eq!(payment, "pay_01jq3h5s5vfkg8r4t0x2m6c9ze");
            }
        }
        let good = sign(BODY, "whsec_new", NOW);
        let several = format!("t={NOW},v1={},v0={good}, v1={good}", "0".repeat(64));
        assert!(given(Some(several), BODY, false).is_ok());
    }

    #[test]
    fn what_is_not_signed_by_stripe_just_now_is_refused() {
        let good = sign(BODY, "whsec_new", NOW);
        assert_eq!(refused(None, BODY, false), "signature_missing");
        assert_eq!(
            refused(Some(good.clone()), BODY, false),
            "signature_missing"
        );
        assert_eq!(
            refused(Some(format!("v1={good}")), BODY, false),
            "signature_missing"
        );
        for wrong in [
            format!("t={NOW}"),
            format!("t={NOW},v0={good}"),
            format!("t={NOW},v1={}", &good[1..]),
            format!("t={NOW},v1=é{}", &good[2..]),
            format!("t={},v1={good}", NOW + 1),
            header("whsec_else", NOW),
        ] {
            assert_eq!(refused(Some(wrong), BODY, false), "signature_wrong");
        }
        assert_eq!(
            refused(Some(header("whsec_new", NOW)), &format!("{BODY} "), false),
            "signature_wrong"
        );
        for time in [NOW - 301, NOW + 301, 0, i64::MIN] {
            assert_eq!(
                refused(Some(header("whsec_new", time)), BODY, false),
                "signature_old"
            );
        }
        assert_eq!(
            refused(Some(header("whsec_new", NOW)), BODY, true),
            "wrong_mode"
        );
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"id":"evt_1","type":"x","livemode":false,"data":{"object":[]}}"#,
        ] {
            let header = format!("t={NOW},v1={}", sign(body, "whsec_new", NOW));
            assert_eq!(refused(Some(header), body, false), "unreadable");
        }
    }

    #[test]
    fn the_intent_is_found_in_every_kind_of_object() {
        for (object, id) in [
            (
                r#"{"id":"ch_1","object":"charge","payment_intent":"pi_2"}"#,
                Some("pi_2"),
            ),
            (
                r#"{"id":"re_1","object":"refund","payment_intent":"pi_3"}"#,
                Some("pi_3"),
            ),
            (
                r#"{"id":"du_1","object":"dispute","payment_intent":{"id":"pi_4"}}"#,
                Some("pi_4"),
            ),
            (r#"{"id":"cus_1","object":"customer"}"#, None),
        ] {
            let object: Map<String, Value> = serde_json::from_str(object).unwrap();
            assert_eq!(reference(&object).as_deref(), id);
        }
    }
}
