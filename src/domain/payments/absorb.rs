//! One function that takes up what a provider knows, whoever brings it: the answer to a call, a webhook, the reconciler.
//! Reading the same report again changes nothing.

use std::collections::HashSet;

use super::attempts;
use super::model::{
    PaymentAttemptKind, PaymentAttemptStatus, PaymentEventKind as Kind, PaymentStatus, Session,
};
use super::queries::{self, News, record};
use super::{PaymentEvent, PaymentRow, Standing};
use crate::context::Tx;
use crate::kernel::ids::PaymentAttemptId;
use crate::kernel::{Code, Error, Json, Money, Result};
use crate::ports::payment::{Abilities, Captures, Movement, MovementKind, Report, State};

/// What a report has changed.
#[derive(Debug)]
pub struct Absorbed {
    /// Where the payment stands now.
    pub standing: Standing,
    /// What was not known before.
    pub fresh: Vec<News>,
    /// The attempts that have ended with it.
    pub ended: Vec<PaymentAttemptId>,
}

/// Writes what a report says of a payment that the caller has locked; `events` are its events so far.
pub fn absorb(
    tx: &mut Tx<'_>,
    payment: &mut PaymentRow,
    events: &[PaymentEvent],
    abilities: Abilities,
    report: &Report,
) -> Result<Absorbed> {
    refuse_mismatch(payment.money(), report)?;
    describe(tx, payment, report)?;
    let known = if events.is_empty() {
        HashSet::new()
    } else {
        queries::references(tx, payment.id)?
    };
    let is_new = |n: &News| !known.contains(&(n.kind.as_str().to_owned(), n.reference.clone()));
    let after = |fresh: &[News]| {
        let more = fresh.iter().map(|n| PaymentEvent {
            kind: n.kind,
            amount: n.amount,
        });
        Standing::of(&events.iter().copied().chain(more).collect::<Vec<_>>())
    };
    let mut fresh: Vec<News> = Vec::new();
    for mut news in news_of(payment.amount, report).into_iter().filter(is_new) {
        if news.kind == Kind::CancelSuccess {
            // What was called off here is let go in our books already.
            news.amount = news.amount.min(after(&fresh).outstanding);
        }
        fresh.push(news);
    }
    let mut standing = after(&fresh);
    // What the provider let go, or will not capture any more, is nobody's.
    let over = report.state == State::Cancelled
        || (abilities.captures == Captures::Once && standing.captured > 0);
    if over && standing.outstanding > 0 {
        fresh.push(News::new(
            Kind::CancelSuccess,
            standing.outstanding,
            format!("{}:rest", report.reference),
        ));
        standing = after(&fresh);
    }
    let in_vain = report.state == State::Cancelled && standing.captured == 0;
    let was_reserved = Standing::of(events).outstanding;
    let mut movements = report.movements.iter();
    let asked_for = movements.any(|m| m.kind == MovementKind::Void && m.attempt.is_some());
    let ran_out = was_reserved > 0 && payment.expires_at.is_some_and(|at| at <= tx.now);
    if in_vain && ran_out && !asked_for {
        fresh.push(News::expired(payment.id, was_reserved));
        standing = after(&fresh);
    }
    let is_over = matches!(
        standing.status,
        PaymentStatus::Cancelled | PaymentStatus::Expired
    );
    if in_vain && !is_over {
        let reference = format!("{}:never", report.reference);
        fresh.push(News::new(Kind::CancelSuccess, 0, reference));
        standing = after(&fresh);
    }
    record(tx, payment.id, &fresh)?;
    let once = abilities.captures == Captures::Once;
    let ended = end_attempts(tx, payment, report, standing, once)?;
    Ok(Absorbed {
        standing,
        fresh,
        ended,
    })
}

/// A provider that has another amount or currency than is due stops the order.
pub fn refuse_mismatch(due: Money, report: &Report) -> Result<()> {
    if report.money == due {
        return Ok(());
    }
    let (is, should) = (report.money, due);
    let detail = format!(
        "The provider has {} {} where {} {} are due; nothing is placed with it.",
        is.amount, is.currency, should.amount, should.currency
    );
    Err(Error::new(Code::PaymentMismatch, detail))
}

/// Where a payment stands of which nothing but this is known.
pub fn standing_after(news: &[News]) -> Standing {
    let event = |n: &News| PaymentEvent {
        kind: n.kind,
        amount: n.amount,
    };
    Standing::of(&news.iter().map(event).collect::<Vec<_>>())
}

fn describe(tx: &mut Tx<'_>, payment: &mut PaymentRow, report: &Report) -> Result<()> {
    let session = match &report.state {
        State::Open { client_secret } => Some(Session {
            client_secret: client_secret.clone(),
            action_url: None,
        }),
        State::ActionRequired { url, client_secret } => Some(Session {
            client_secret: client_secret.clone(),
            action_url: url.clone(),
        }),
        _ => None,
    };
    let expires_at = match report.state {
        State::Authorized { expires_at } => expires_at,
        _ => payment.expires_at,
    };
    let before = payment.clone();
    payment.reference = Some(report.reference.clone());
    payment.session = session.map(Json).or(payment.session.take());
    if !report.facts.0.is_empty() {
        payment.facts = Some(Json(report.facts.clone()));
    }
    payment.expires_at = expires_at;
    let same = before.reference == payment.reference
        && before.session == payment.session
        && before.facts == payment.facts
        && before.expires_at == payment.expires_at;
    if same {
        return Ok(());
    }
    queries::describe(tx, payment)
}

/// The events that a report tells of a payment of `amount` minor units.
pub fn news_of(amount: i64, report: &Report) -> Vec<News> {
    let movements = report.movements.iter().map(|m| movement(amount, m));
    authorization(amount, report)
        .into_iter()
        .chain(movements)
        .collect()
}

fn authorization(amount: i64, report: &Report) -> Option<News> {
    let news = |kind| News::new(kind, amount, report.reference.clone());
    match &report.state {
        State::Authorized { .. } => Some(news(Kind::AuthorizationSuccess)),
        State::Awaited => Some(news(Kind::Awaited)),
        State::ActionRequired { .. } => Some(news(Kind::ActionRequired)),
        State::Declined { reason } => {
            let mut news = news(Kind::AuthorizationFailure).with("reason", reason);
            // Each reason is news of its own: a second card may be declined for another.
            news.reference = format!("{}:{reason}", report.reference);
            Some(news)
        }
        // What was let go or taken was reserved before, whether anybody told us then or not.
        State::Cancelled if !report.movements.is_empty() => Some(news(Kind::AuthorizationSuccess)),
        State::Open { .. } | State::Approved | State::Processing | State::Cancelled => None,
    }
}

fn movement(most: i64, movement: &Movement) -> News {
    let kind = match movement.kind {
        MovementKind::Capture => Kind::ChargeSuccess,
        MovementKind::Void => Kind::CancelSuccess,
        MovementKind::Refund => Kind::RefundSuccess,
        MovementKind::RefundReverse => Kind::RefundReverse,
        MovementKind::RefundFailure => Kind::RefundFailure,
        MovementKind::Chargeback => Kind::Chargeback,
        MovementKind::ChargebackReverse => Kind::ChargebackReverse,
    };
    News {
        kind,
        amount: movement.amount.clamp(0, most),
        reference: movement.reference.clone(),
        data: movement.data.clone(),
    }
}

/// Ends the attempts that the report answers.
fn end_attempts(
    tx: &mut Tx<'_>,
    payment: &PaymentRow,
    report: &Report,
    standing: Standing,
    once: bool,
) -> Result<Vec<PaymentAttemptId>> {
    let mut ended = Vec::new();
    let attempts = attempts::of_payment(tx, payment.id)?;
    for attempt in attempts
        .iter()
        .filter(|a| a.status == PaymentAttemptStatus::Pending)
    {
        let own = || {
            let movements = report.movements.iter();
            movements.filter(|m| m.attempt == Some(attempt.id))
        };
        let failed = own().find(|m| m.kind == MovementKind::RefundFailure);
        let done = match attempt.kind {
            PaymentAttemptKind::Void => standing.outstanding == 0,
            // An intent that is captured once does not say by which attempt.
            PaymentAttemptKind::Capture => {
                own().next().is_some()
                    || (once && standing.outstanding == 0 && standing.captured > 0)
            }
            // A refund may be sent in parts.
            PaymentAttemptKind::Refund => {
                report.moved(MovementKind::Refund, attempt.id) >= attempt.amount
            }
        };
        let cancelled =
            report.state == State::Cancelled && attempt.kind == PaymentAttemptKind::Capture;
        if let Some(movement) = failed {
            let reason = movement.data.0.get("reason").and_then(|r| r.as_str());
            attempts::end(tx, attempt.id, Some(reason.unwrap_or("failed")))?;
        } else if done {
            attempts::end(tx, attempt.id, None)?;
        } else if cancelled {
            attempts::end(tx, attempt.id, Some("payment_cancelled"))?;
        } else {
            continue;
        }
        ended.push(attempt.id);
    }
    Ok(ended)
}
