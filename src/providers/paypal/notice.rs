//! PayPal's webhooks: who sent it, and what it is about.
//!
//! PayPal itself is asked whether the signature is its own; the body goes there byte for byte. PayPal sends a webhook up to 25
//! times over three days and does not say whether each sending is signed anew, so a time of three days and an hour is still
//! good. A repetition does no harm: the event's id is the same, and the order is read anew. PayPal answers `FAILURE` for
//! events of its simulator.

use std::time::Duration;

use serde::{Deserialize as _, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::api::{Api, Failure};
use super::report::payment;
use super::wire::{Event, Link, Piece, Verified};
use crate::kernel::{Code, Error, Result, Timestamp};
use crate::ports::payment::{Notice, RawNotice};
use crate::providers::http::escape;

/// How old a webhook may be: PayPal tries for three days.
const OLDEST: Duration = Duration::from_hours(73);
/// How far ahead its clock may be.
const AHEAD: Duration = Duration::from_mins(5);

/// What PayPal is asked.
#[derive(Serialize)]
struct Question<'a> {
    auth_algo: String,
    cert_url: String,
    transmission_id: String,
    transmission_sig: String,
    transmission_time: String,
    webhook_id: &'a str,
    webhook_event: &'a RawValue,
}

fn refuse(code: Code, field_code: &'static str, message: &str) -> Error {
    Error::field(code, "", field_code, message)
}

/// What to ask PayPal about a webhook, what it says if it is genuine, and the capture that it is a part of.
pub fn read(
    raw: &RawNotice<'_>,
    webhook_id: Option<&str>,
) -> Result<(String, Notice, Option<String>)> {
    let header = |name: &str| {
        let value = raw.headers.get(name).cloned();
        let value = value.filter(|v| !v.is_empty() && v.len() <= 1000);
        let missing = || {
            refuse(
                Code::InvalidSignature,
                "signature_missing",
                "There is no signature.",
            )
        };
        value.ok_or_else(missing)
    };
    let sent = header("paypal-transmission-time")?;
    let old = |message: &str| refuse(Code::InvalidSignature, "signature_old", message);
    let time: Timestamp = sent
        .parse()
        .map_err(|_| old("The time of sending is none."))?;
    if time < raw.now.minus(OLDEST) || time > raw.now.plus(AHEAD) {
        return Err(old("The signature is too old."));
    }
    let unreadable = || {
        refuse(
            Code::MalformedRequest,
            "unreadable",
            "This is no event of PayPal.",
        )
    };
    let event: Event = serde_json::from_slice(raw.body).map_err(|_| unreadable())?;
    let question = Question {
        auth_algo: header("paypal-auth-algo")?,
        cert_url: header("paypal-cert-url")?,
        transmission_id: header("paypal-transmission-id")?,
        transmission_sig: header("paypal-transmission-sig")?,
        transmission_time: sent,
        webhook_id: webhook_id.ok_or_else(|| {
            let message = "No webhook of PayPal is configured here.";
            refuse(Code::InvalidSignature, "signature_wrong", message)
        })?,
        webhook_event: serde_json::from_slice(raw.body).map_err(|_| unreadable())?,
    };
    let question = serde_json::to_string(&question).map_err(Error::internal)?;
    let capture = capture(&event.resource);
    let payment = custom_id(&event.resource).and_then(payment);
    // Every order of ours carries its payment from the beginning.
    let whole = event.resource_type.as_deref() == Some("checkout-order")
        && event.resource.contains_key("purchase_units");
    let notice = Notice {
        foreign: whole && payment.is_none(),
        payment,
        reference: order(&event),
        customer: None,
        id: event.id,
        kind: event.kind,
    };
    Ok((question, notice, capture))
}

/// Asks PayPal whether a webhook is its own. No answer is 503, so that PayPal sends it again.
pub async fn verify(api: &Api, question: String) -> Result<()> {
    let path = "/v1/notifications/verify-webhook-signature";
    let wrong = || {
        refuse(
            Code::InvalidSignature,
            "signature_wrong",
            "The signature is not right.",
        )
    };
    match api.ask::<Verified>(path, question).await {
        Ok(answer) if answer.verification_status == "SUCCESS" => Ok(()),
        Ok(_) => Err(wrong()),
        Err(Failure::Refused(reason)) if reason != super::api::MISCONFIGURED => Err(wrong()),
        Err(_) => Err(Error::unavailable("PayPal did not verify a webhook")),
    }
}

/// A refund that was made at PayPal names its capture alone, as a dispute does; the capture knows the payment.
pub async fn of_capture(api: &Api, notice: Notice, capture: Option<String>) -> Result<Notice> {
    let named = notice.payment.is_some() || notice.reference.is_some();
    let Some(capture) = capture.filter(|_| !named) else {
        return Ok(notice);
    };
    let path = format!("/v2/payments/captures/{}", escape(&capture));
    let payment = match api.get::<Piece>(&path).await {
        Ok(piece) => piece.custom_id.as_deref().and_then(payment),
        Err(Failure::Missing) => None,
        Err(_) => return Err(Error::unavailable("PayPal did not show a capture")),
    };
    Ok(Notice { payment, ..notice })
}

/// The capture that a refund is a part of, or that a dispute is about.
fn capture(resource: &Map<String, Value>) -> Option<String> {
    if let Some(disputed) = resource.get("disputed_transactions") {
        let id = disputed.get(0)?.get("seller_transaction_id")?.as_str()?;
        return Some(id.to_owned());
    }
    let links = Vec::<Link>::deserialize(resource.get("links")?).ok()?;
    let up = links.iter().find(|link| link.rel == "up")?;
    let (_, id) = up.href.split_once("/v2/payments/captures/")?;
    Some(id.to_owned())
}

fn custom_id(resource: &Map<String, Value>) -> Option<&str> {
    let own = || resource.get("custom_id")?.as_str();
    let of_unit = || {
        resource
            .get("purchase_units")?
            .get(0)?
            .get("custom_id")?
            .as_str()
    };
    own().or_else(of_unit)
}

/// The order an event belongs to; a refund's does not say.
fn order(event: &Event) -> Option<String> {
    let resource = &event.resource;
    let id = if event.resource_type.as_deref() == Some("checkout-order") {
        resource.get("id")
    } else {
        let related = || {
            resource
                .get("supplementary_data")?
                .get("related_ids")?
                .get("order_id")
        };
        related()
    };
    id?.as_str().map(str::to_owned)
}
