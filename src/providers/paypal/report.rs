//! What an order and its payments mean.

use serde_json::{Map, Value};

use super::amount::from_text;
use super::api::word;
use super::wire::{Amount, Dispute, Order, Payments, Piece};
use crate::kernel::ids::{PaymentAttemptId, PaymentId};
use crate::kernel::{Currency, Document, Money, Timestamp};
use crate::ports::payment::{Movement, MovementKind, Report, State};

/// What it means; nothing where a currency, an amount or a status is not understood.
pub fn report(order: &Order) -> Option<Report> {
    let unit = order.purchase_units.first()?;
    let total = unit.amount.as_ref()?;
    let currency: Currency = total.currency_code.parse().ok()?;
    let empty = Payments::default();
    let payments = unit.payments.as_ref().unwrap_or(&empty);
    Some(Report {
        reference: order.id.clone(),
        money: Money {
            amount: amount(Some(total), currency)?,
            currency,
        },
        state: state(order, payments)?,
        movements: movements(payments, currency)?,
        facts: Document(facts(order, payments)),
    })
}

fn amount(amount: Option<&Amount>, currency: Currency) -> Option<i64> {
    let amount = amount.filter(|a| a.currency_code == currency.as_str())?;
    from_text(&amount.value, currency)
}

fn state(order: &Order, payments: &Payments) -> Option<State> {
    let declined = |piece: &Piece| State::Declined {
        reason: detail(piece).unwrap_or_else(|| "declined".into()),
    };
    if let Some(authorization) = payments.authorizations.last() {
        return Some(match authorization.status.as_str() {
            "CREATED" | "PARTIALLY_CAPTURED" | "CAPTURED" => State::Authorized {
                expires_at: authorization
                    .expiration_time
                    .as_ref()
                    .and_then(|t| t.parse().ok()),
            },
            "PENDING" => State::Processing,
            "DENIED" => declined(authorization),
            "VOIDED" if payments.captures.iter().any(is_taken) => {
                State::Authorized { expires_at: None }
            }
            "VOIDED" => State::Cancelled,
            _ => return None,
        });
    }
    if let Some(capture) = payments.captures.last() {
        return Some(match capture.status.as_str() {
            _ if is_taken(capture) => State::Authorized { expires_at: None },
            "PENDING" => State::Processing,
            "DECLINED" | "FAILED" => declined(capture),
            _ => return None,
        });
    }
    Some(match order.status.as_str() {
        "CREATED" | "SAVED" | "PAYER_ACTION_REQUIRED" => State::ActionRequired {
            url: page(order),
            client_secret: None,
        },
        "APPROVED" => State::Approved,
        "VOIDED" => State::Cancelled,
        "COMPLETED" => State::Processing,
        _ => return None,
    })
}

/// Where the shopper approves.
fn page(order: &Order) -> Option<String> {
    let mut links = order.links.iter();
    let link = links.find(|l| l.rel == "payer-action" || l.rel == "approve")?;
    link.href.starts_with("https://").then(|| link.href.clone())
}

fn detail(piece: &Piece) -> Option<String> {
    word(piece.status_details.as_ref()?.reason.as_deref()?)
}

/// Whether a capture took money, whatever became of it later.
pub fn is_taken(capture: &Piece) -> bool {
    matches!(
        capture.status.as_str(),
        "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED"
    )
}

/// The attempt behind a capture (its invoice id) or a refund (in its custom id, after the payment's).
pub fn attempt(piece: &Piece) -> Option<PaymentAttemptId> {
    let of_refund = || piece.custom_id.as_deref()?.split_once('.')?.1.parse().ok();
    let of_capture = || piece.invoice_id.as_deref()?.parse().ok();
    of_refund().or_else(of_capture)
}

/// A payment's id as it stands in a custom id.
pub fn payment(custom_id: &str) -> Option<PaymentId> {
    custom_id.split('.').next()?.parse().ok()
}

fn movements(payments: &Payments, currency: Currency) -> Option<Vec<Movement>> {
    let mut out = Vec::new();
    let movement = |kind, piece: &Piece, amount, data| Movement {
        kind,
        reference: piece.id.clone(),
        attempt: attempt(piece),
        amount,
        data: Document(data),
    };
    // What is captured, or will be once PayPal has looked into it.
    let (mut captured, mut is_over) = (0_i64, false);
    for capture in &payments.captures {
        if !is_taken(capture) && capture.status != "PENDING" {
            continue;
        }
        let amount = amount(capture.amount.as_ref(), currency)?;
        captured = captured.checked_add(amount)?;
        is_over |= capture.final_capture == Some(true);
        if is_taken(capture) {
            out.push(movement(MovementKind::Capture, capture, amount, Map::new()));
        }
    }
    // What was voided, or is not to be captured any more, is let go.
    for piece in &payments.authorizations {
        let rest = amount(piece.amount.as_ref(), currency)?.checked_sub(captured)?;
        let let_go = is_over || matches!(piece.status.as_str(), "VOIDED" | "CAPTURED");
        if let_go && rest > 0 {
            out.push(movement(MovementKind::Void, piece, rest, Map::new()));
        }
    }
    for refund in &payments.refunds {
        let amount = amount(refund.amount.as_ref(), currency)?;
        out.push(movement(MovementKind::Refund, refund, amount, Map::new()));
        // One that did not arrive is told as both, gone out and come back: the sum is right whichever was booked before.
        if matches!(refund.status.as_str(), "FAILED" | "CANCELLED") {
            let why = detail(refund).unwrap_or_else(|| refund.status.to_lowercase());
            let data = Map::from_iter([("reason".to_owned(), why.into())]);
            out.push(movement(MovementKind::RefundReverse, refund, amount, data));
        }
    }
    Some(out)
}

/// What a dispute has moved: nothing while shopper and shop only talk.
pub fn charged_back(dispute: &Dispute, currency: Currency) -> Option<Vec<Movement>> {
    if dispute.stage.as_deref() == Some("INQUIRY") {
        return Some(Vec::new());
    }
    let amount = amount(dispute.amount.as_ref(), currency)?;
    let mut data = Map::from_iter([("reference".to_owned(), dispute.id.as_str().into())]);
    let texts = [("status", &dispute.status), ("reason", &dispute.reason)];
    for (name, text) in texts {
        if let Some(code) = text.as_deref().and_then(word) {
            data.insert(name.into(), code.into());
        }
    }
    let due = dispute.seller_response_due_date.as_deref();
    if let Some(time) = due.and_then(|t| t.parse::<Timestamp>().ok()) {
        data.insert("respond_by".into(), time.to_string().into());
    }
    let movement = |kind| Movement {
        kind,
        reference: dispute.id.clone(),
        attempt: None,
        amount,
        data: Document(data.clone()),
    };
    let mut out = vec![movement(MovementKind::Chargeback)];
    if is_won(dispute) {
        out.push(movement(MovementKind::ChargebackReverse));
    }
    Some(out)
}

/// Whether the money of a dispute is the shop's again: it has won, the shopper has given up, or PayPal has paid.
fn is_won(dispute: &Dispute) -> bool {
    let outcome = dispute.outcome.as_ref();
    let code = outcome.and_then(|o| o.code.as_deref());
    let won = [
        "RESOLVED_SELLER_FAVOUR",
        "CANCELED_BY_BUYER",
        "DENIED",
        "RESOLVED_WITH_PAYOUT",
    ];
    code.is_some_and(|code| won.contains(&code))
}

fn facts(order: &Order, payments: &Payments) -> Map<String, Value> {
    let mut facts = Map::new();
    let payer = order.payment_source.as_ref().and_then(|s| s.get("paypal"));
    for (fact, path) in [
        ("payer_id", "/account_id"),
        ("payer_status", "/account_status"),
        ("payer_country", "/address/country_code"),
    ] {
        if let Some(text @ Value::String(_)) = payer.and_then(|p| p.pointer(path)) {
            facts.insert(fact.into(), text.clone());
        }
    }
    let mut pieces = payments.captures.iter().chain(&payments.authorizations);
    if let Some(status) = pieces.find_map(|p| p.seller_protection.as_ref()?.status.as_deref()) {
        facts.insert("seller_protection".into(), status.to_lowercase().into());
    }
    facts
}
