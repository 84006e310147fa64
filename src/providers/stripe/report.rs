//! What a payment intent, its refunds and its disputes mean.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::amount::from_stripe;
use super::wire::{Charge, Dispute, Fault, Intent, Method, Named, Refund};
use crate::kernel::ids::PaymentAttemptId;
use crate::kernel::{Currency, Document, Money, Timestamp};
use crate::ports::payment::{Movement, MovementKind, Report, State};

/// Everything that was read of a payment.
pub struct Seen {
    /// The intent, with its charge where one is there.
    pub intent: Intent,
    /// All refunds of the charge.
    pub refunds: Vec<Refund>,
    /// All disputes of the charge.
    pub disputes: Vec<Dispute>,
}

/// What it means; nothing where the currency, an amount or the status is not understood, or where an amount or a charge that
/// must be there is not: nothing is taken for zero.
pub fn report(seen: &Seen) -> Option<Report> {
    let intent = &seen.intent;
    let currency: Currency = intent.currency.to_uppercase().parse().ok()?;
    let charge = charge(intent);
    let mut movements = match charge {
        Some(charge) => charge_moved(seen, charge, currency)?,
        // Money was reserved or taken, or may have been, and the charge that says so is missing.
        None if matches!(intent.status.as_str(), "requires_capture" | "succeeded") => return None,
        None if intent.status == "canceled" && intent.latest_charge.is_some() => return None,
        None => Vec::new(),
    };
    let mut facts = facts(intent, charge);
    for dispute in &seen.disputes {
        if is_chargeback(dispute) {
            movements.extend(charged_back(dispute, currency)?);
        } else {
            facts.insert("inquiry".into(), Value::Object(dispute_data(dispute)));
        }
    }
    Some(Report {
        reference: intent.id.clone(),
        money: Money {
            amount: from_stripe(intent.amount, currency)?,
            currency,
        },
        state: state(intent, charge)?,
        movements,
        facts: Document(facts),
    })
}

fn charge(intent: &Intent) -> Option<&Charge> {
    intent.latest_charge.as_ref().and_then(Named::whole)
}

fn state(intent: &Intent, charge: Option<&Charge>) -> Option<State> {
    let client_secret = intent.client_secret.clone();
    Some(match intent.status.as_str() {
        "requires_payment_method" => match &intent.last_payment_error {
            Some(fault) => State::Declined {
                reason: reason(fault),
            },
            None => State::Open { client_secret },
        },
        "requires_confirmation" => State::Open { client_secret },
        "requires_action" => State::ActionRequired {
            url: intent.next_action.as_ref().and_then(page),
            client_secret,
        },
        "processing" => State::Processing,
        "requires_capture" => State::Authorized {
            expires_at: charge.and_then(capture_before),
        },
        "succeeded" => State::Authorized { expires_at: None },
        "canceled" => State::Cancelled,
        _ => return None,
    })
}

/// Why a payment was declined: the bank's word where it says one.
pub fn reason(fault: &Fault) -> String {
    let word = fault.decline_code.as_deref().or(fault.code.as_deref());
    word.filter(|w| is_word(w)).unwrap_or("declined").to_owned()
}

/// Whether a text is a code and nothing else: it goes on to clients.
pub fn is_word(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed)
}

/// The page on which the shopper acts: `redirect_to_url.url`, or a hosted page as vouchers and transfers have one.
fn page(action: &Map<String, Value>) -> Option<String> {
    let kind = action.get("type")?.as_str()?;
    let details = action.get(kind)?.as_object()?;
    let (_, url) = details
        .iter()
        .find(|(name, _)| *name == "url" || name.starts_with("hosted_"))?;
    url.as_str()
        .filter(|url| url.starts_with("https://"))
        .map(str::to_owned)
}

fn details(method: &Method) -> Option<&Map<String, Value>> {
    method.rest.get(&method.kind)?.as_object()
}

fn capture_before(charge: &Charge) -> Option<Timestamp> {
    let details = details(charge.payment_method_details.as_ref()?)?;
    seconds(details.get("capture_before")?.as_i64()?)
}

fn seconds(since_1970: i64) -> Option<Timestamp> {
    Some(Timestamp::from_micros(since_1970.checked_mul(1_000_000)?))
}

fn attempt(metadata: Option<&HashMap<String, String>>) -> Option<PaymentAttemptId> {
    metadata?.get("attempt")?.parse().ok()
}

/// A charge is captured once, so its id names the capture, and the release of what was never captured.
fn charge_moved(seen: &Seen, charge: &Charge, currency: Currency) -> Option<Vec<Movement>> {
    let intent = &seen.intent;
    let movement = |kind, amount, attempt| {
        Some(Movement {
            kind,
            reference: charge.id.clone(),
            attempt,
            amount: from_stripe(amount, currency)?,
            data: Document::default(),
        })
    };
    let mut out = Vec::new();
    if intent.status == "succeeded" {
        let amount = intent.amount_received.filter(|amount| *amount > 0)?;
        let attempt = attempt(intent.metadata.as_ref());
        out.push(movement(MovementKind::Capture, amount, attempt)?);
    }
    if intent.status == "canceled" && !charge.captured && charge.status == "succeeded" {
        out.push(movement(MovementKind::Void, charge.amount, None)?);
    }
    if charge.captured {
        let left_over = charge.amount.checked_sub(charge.amount_captured?)?;
        for refund in refunds(left_over, &seen.refunds) {
            out.extend(refunded(refund, currency)?);
        }
    }
    Some(out)
}

/// The refunds of captured money. What a capture of a part leaves over Stripe also books as a refund; that is none.
fn refunds(left_over: i64, all: &[Refund]) -> impl Iterator<Item = &Refund> {
    let release = all
        .iter()
        .filter(|r| left_over > 0 && r.amount == left_over)
        .filter(|r| attempt(r.metadata.as_ref()).is_none())
        .min_by_key(|r| r.created)
        .map(|r| r.id.as_str());
    all.iter().filter(move |r| Some(r.id.as_str()) != release)
}

/// A refund that did not arrive is told as both, gone out and come back: then the sum is right whichever was booked before.
fn refunded(refund: &Refund, currency: Currency) -> Option<Vec<Movement>> {
    let amount = from_stripe(refund.amount, currency)?;
    let movement = |kind, data: Map<String, Value>| Movement {
        kind,
        reference: refund.id.clone(),
        attempt: attempt(refund.metadata.as_ref()),
        amount,
        data: Document(data),
    };
    let mut out = vec![movement(MovementKind::Refund, Map::new())];
    if let Some(status @ ("failed" | "canceled")) = refund.status.as_deref() {
        let why = refund.failure_reason.as_deref().unwrap_or(status);
        let data = Map::from_iter([("reason".to_owned(), why.into())]);
        out.push(movement(MovementKind::RefundReverse, data));
    }
    Some(out)
}

/// An inquiry (`warning_…`) and a dispute that was prevented took no money.
fn is_chargeback(dispute: &Dispute) -> bool {
    !dispute.status.starts_with("warning_") && dispute.status != "prevented"
}

fn charged_back(dispute: &Dispute, currency: Currency) -> Option<Vec<Movement>> {
    let amount = from_stripe(dispute.amount, currency)?;
    let movement = |kind| Movement {
        kind,
        reference: dispute.id.clone(),
        attempt: None,
        amount,
        data: Document(dispute_data(dispute)),
    };
    let mut out = vec![movement(MovementKind::Chargeback)];
    if dispute.status == "won" {
        out.push(movement(MovementKind::ChargebackReverse));
    }
    Some(out)
}

fn dispute_data(dispute: &Dispute) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("reference".into(), dispute.id.as_str().into());
    data.insert("status".into(), dispute.status.as_str().into());
    if let Some(reason) = &dispute.reason {
        data.insert("reason".into(), reason.as_str().into());
    }
    let due = dispute.evidence_details.as_ref().and_then(|e| e.due_by);
    if let Some(time) = due.and_then(seconds) {
        data.insert("respond_by".into(), time.to_string().into());
    }
    data
}

fn facts(intent: &Intent, charge: Option<&Charge>) -> Map<String, Value> {
    let mut facts = Map::new();
    let used = charge.and_then(|c| c.payment_method_details.as_ref());
    let failed = || intent.last_payment_error.as_ref()?.payment_method.as_ref();
    if let Some(method) = used.or_else(failed) {
        facts.insert("method".into(), method.kind.as_str().into());
        let is_card = method.kind == "card";
        if let Some(details) = details(method).filter(|_| is_card) {
            for (fact, name) in [
                ("card_brand", "brand"),
                ("card_last4", "last4"),
                ("card_country", "country"),
                ("card_fingerprint", "fingerprint"),
                ("card_funding", "funding"),
            ] {
                if let Some(text @ Value::String(_)) = details.get(name) {
                    facts.insert(fact.into(), text.clone());
                }
            }
            let inner =
                |outer: &str, name: &str| Some(details.get(outer)?.get(name)?.as_str()?.to_owned());
            if let Some(wallet) = inner("wallet", "type") {
                facts.insert("wallet".into(), wallet.into());
            }
            if inner("multicapture", "status").as_deref() == Some("available") {
                facts.insert("multicapture".into(), true.into());
            }
        }
    }
    if let Some(outcome) = charge.and_then(|c| c.outcome.as_ref()) {
        for (fact, text) in [
            ("risk_level", &outcome.risk_level),
            ("risk_outcome", &outcome.kind),
        ] {
            if let Some(text) = text {
                facts.insert(fact.into(), text.as_str().into());
            }
        }
        if let Some(score) = outcome.risk_score {
            facts.insert("risk_score".into(), score.into());
        }
    }
    facts
}
