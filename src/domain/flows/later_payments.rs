//! Money for an order that was placed before: by a payment link, or in place of money whose reservation runs out.

use super::{move_money, release};
use crate::context::Tx;
use crate::domain::orders::{OrderRow, OrderStatus};
use crate::domain::payments::{
    self, News, Payment, PaymentAttemptKind, PaymentEvent, PaymentEventKind, PaymentRow, Standing,
    Wish,
};
use crate::kernel::Result;
use crate::kernel::ids::PaymentId;
use crate::ports::payment::{Outcome, State};

/// What is still to be paid of an order, what people were to send aside. `but` is not counted, and neither is what is reserved
/// by the payment that is to be `replaced`.
pub fn due(
    tx: &mut Tx<'_>,
    order: &OrderRow,
    but: Option<PaymentId>,
    replaced: Option<PaymentId>,
) -> Result<i64> {
    if order.status == OrderStatus::Cancelled {
        return Ok(0);
    }
    let checkout = order.checkout_id;
    let mut found = payments::of_checkouts(tx, std::iter::once(checkout))?;
    let covers = |payment: &Payment| {
        if payment.provider == "manual" || Some(payment.id) == replaced {
            payment.captured.amount
        } else {
            payment.captured.amount + payment.outstanding.amount
        }
    };
    let payments = found.remove(&checkout).unwrap_or_default();
    let others = payments.iter().filter(|p| Some(p.id) != but);
    let covered: i64 = others.map(covers).sum();
    Ok((order.grand_total - order.cancelled_total - covered).max(0))
}

/// What a provider's answer means for such a payment.
pub enum Answer {
    /// The money is here or reserved.
    Come,
    /// The shopper must act.
    Action,
    /// Nobody knows yet.
    Processing,
    /// The provider said no; another instrument may be tried.
    Declined(String),
    /// The provider said no, and the payment cannot be made any more.
    Over(String),
    /// It was called off meanwhile; what was taken goes back.
    CalledOff,
}

/// A payment after its provider has answered.
pub struct Taken {
    /// What the answer means.
    pub answer: Answer,
    /// The payment.
    pub row: PaymentRow,
    /// Where it stands.
    pub standing: Standing,
}

/// Writes what a provider says of a payment for an order, which is locked.
pub fn take(tx: &mut Tx<'_>, order: &OrderRow, id: PaymentId, outcome: &Outcome) -> Result<Taken> {
    let (mut row, events) = payments::lock(tx, id)?;
    let mut standing = Standing::of(&events);
    let answer = match outcome {
        Outcome::Unknown => Answer::Processing,
        Outcome::Refused { reason } => {
            payments::record(tx, id, &[News::refused(id, row.amount, reason)])?;
            payments::check_later(tx, id, None)?;
            Answer::Over(reason.clone())
        }
        Outcome::Known(report) => {
            standing = move_money::absorb(tx, &mut row, &events, report)?.standing;
            settle(tx, order, &row, &events, &standing)?;
            if report.state != State::Processing {
                payments::check_later(tx, id, None)?;
            }
            match &report.state {
                _ if release::has_begun(&events) => Answer::CalledOff,
                State::Authorized { .. } | State::Awaited => Answer::Come,
                State::Open { .. } | State::ActionRequired { .. } => Answer::Action,
                State::Approved | State::Processing => Answer::Processing,
                State::Declined { reason } => Answer::Declined(reason.clone()),
                State::Cancelled => Answer::Over("cancelled".into()),
            }
        }
    };
    Ok(Taken {
        answer,
        row,
        standing,
    })
}

/// When money comes first for an order that was placed before, what it takes the place of is let go: what people were to send,
/// or what another payment has reserved. What nothing is due for is sent back.
pub fn settle(
    tx: &mut Tx<'_>,
    order: &OrderRow,
    payment: &PaymentRow,
    before: &[PaymentEvent],
    now: &Standing,
) -> Result<()> {
    let has_come = |standing: &Standing| standing.outstanding + standing.captured > 0;
    if has_come(&Standing::of(before)) || !has_come(now) {
        return Ok(());
    }
    tx.flush()?;
    let due = due(tx, order, Some(payment.id), payment.replaces_id)?;
    if due == 0 || release::has_begun(before) {
        release::enqueue(tx, payment.id);
        return Ok(());
    }
    let mut come = now.outstanding + now.kept();
    if come > due && now.kept() >= come - due {
        // Less is due than when the payment was begun.
        let wish = Wish {
            amount: Some(come - due),
            reason: Some("overpaid".into()),
            ..Wish::new(PaymentAttemptKind::Refund)
        };
        let at = tx.now;
        move_money::begin(tx, payment, now, wish, at)?;
        come = due;
    }
    if let Some(replaced) = payment.replaces_id {
        return replace(tx, order, payment, replaced);
    }
    for id in payments::ids_of(tx, order.checkout_id)? {
        let (promised, events) = payments::lock(tx, id)?;
        let awaited = Standing::of(&events).outstanding.min(come);
        if promised.provider == "manual" && awaited > 0 {
            let news = News::new(
                PaymentEventKind::CancelSuccess,
                awaited,
                payment.id.to_string(),
            );
            payments::record(tx, id, &[news])?;
            come -= awaited;
        }
    }
    Ok(())
}

/// Lets go of what another payment has reserved, now that this one stands.
fn replace(
    tx: &mut Tx<'_>,
    order: &OrderRow,
    payment: &PaymentRow,
    replaced: PaymentId,
) -> Result<()> {
    let (old, events) = payments::lock(tx, replaced)?;
    let standing = Standing::of(&events);
    if payments::left(tx, replaced, &standing)?.reserved > 0 {
        let wish = Wish {
            last: true,
            reason: Some("reauthorized".into()),
            ..Wish::new(PaymentAttemptKind::Void)
        };
        let at = tx.now;
        move_money::begin(tx, &old, &standing, wish, at)?;
    }
    let facts = serde_json::json!({
        "paymentId": payment.id, "orderId": order.id, "replaces": replaced, "amount": payment.money(),
    });
    let (entry, event) = ("payment_reauthorized", "payment.reauthorized");
    move_money::tell(tx, payment, Some(order.id), entry, event, &facts)
}
