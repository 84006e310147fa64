//! Money for an order that was placed before: by a payment link, or in place of money whose reservation runs out.

use std::ops::ControlFlow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ASK_AFTER, move_money, reauthorize, release};
use crate::context::{Cx, Tx};
use crate::domain::orders::{OrderRow, OrderStatus};
use crate::domain::payments::{
    self, News, Payment, PaymentAttemptKind, PaymentEvent, PaymentEventKind, PaymentRow, Standing,
    Wish,
};
use crate::kernel::ids::PaymentId;
use crate::kernel::money::sum;
use crate::kernel::{Error, Result};
use crate::operation::Answer;
use crate::ports::payment::{Authorize, Outcome, PaymentProviders, Reach, State};

/// The reason of a refund because units of an order were called off.
pub const CALLED_OFF: &str = "order_cancelled";

/// What is still to be paid of an order, what people were to send aside. `but` is not counted; of the payment that is to be
/// `replaced` and that the caller has locked, what is captured counts or may be, and not what is reserved.
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
            payment
                .captured
                .amount
                .saturating_add(payment.outstanding.amount)
        }
    };
    let payments = found.remove(&checkout).unwrap_or_default();
    let others = payments.iter().filter(|p| Some(p.id) != but);
    let mut covered = sum(others.map(covers))?;
    // What went back because units were called off is not due, and covers nothing.
    covered -= payments::given_back(tx, checkout, CALLED_OFF)?;
    if let Some(replaced) = replaced {
        covered += payments::capturing(tx, replaced)?;
    }
    Ok((order.grand_total - order.cancelled_total - covered).max(0))
}

/// A provider far away is to be asked this about a payment; or one here said no.
pub type Asked = Result<(PaymentRow, Authorize)>;

/// Makes a payment: `begin` records it and answers, or has a provider far away asked, whose answer goes to `finish`.
pub async fn make<T, B, F>(cx: &Cx, begin: B, finish: F) -> Result<Answer<T>>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    B: Fn(&mut Tx<'_>) -> Result<ControlFlow<T, Asked>> + Send + 'static,
    F: Fn(&mut Tx<'_>, PaymentId, &Outcome) -> Result<ControlFlow<T, Error>> + Send + 'static,
{
    let (payment, request) = match cx.settle_or(begin).await? {
        ControlFlow::Break(answer) => return Ok(answer),
        ControlFlow::Continue(asked) => asked?,
    };
    let providers = cx.app.part::<PaymentProviders>()?;
    let provider = providers.get(&payment.provider, "/payment/provider")?;
    let outcome = provider.authorize(&request).await;
    let id = payment.id;
    match cx.settle_or(move |tx| finish(tx, id, &outcome)).await {
        Ok(ControlFlow::Break(answer)) => Ok(answer),
        Ok(ControlFlow::Continue(error)) => Err(error),
        Err(error) => Err(release::give_up(cx, id, error).await),
    }
}

/// Records that a payment is asked for; a provider in this process decides at once.
pub fn ask<T>(
    tx: &mut Tx<'_>,
    payment: PaymentRow,
    request: Authorize,
    finish: impl FnOnce(&mut Tx<'_>, PaymentId, &Outcome) -> Result<ControlFlow<T, Error>>,
) -> Result<ControlFlow<T, Asked>> {
    payments::check_later(tx, payment.id, Some(ASK_AFTER))?;
    payments::record(tx, payment.id, &[News::asked(&request)])?;
    let providers = tx.app().part::<PaymentProviders>()?;
    let provider = providers
        .get(&payment.provider, "/payment/provider")?
        .clone();
    Ok(match provider.reach() {
        Reach::Local(local) => match finish(tx, payment.id, &local.decide(&request))? {
            ControlFlow::Break(answer) => ControlFlow::Break(answer),
            ControlFlow::Continue(error) => ControlFlow::Continue(Err(error)),
        },
        Reach::Remote => ControlFlow::Continue(Ok((payment, request))),
    })
}

/// What a provider's answer means for such a payment.
pub enum Said {
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
    /// It was called off, or is not due any more; what was taken goes back.
    CalledOff,
}

impl From<&Outcome> for Said {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Unknown => Self::Processing,
            Outcome::Refused { reason } => Self::Over(reason.clone()),
            Outcome::Known(report) => match &report.state {
                State::Authorized { .. } | State::Awaited => Self::Come,
                State::Open { .. } | State::ActionRequired { .. } => Self::Action,
                State::Approved | State::Processing => Self::Processing,
                State::Declined { reason } => Self::Declined(reason.clone()),
                State::Cancelled => Self::Over("cancelled".into()),
            },
        }
    }
}

/// A payment after its provider has answered.
pub struct Taken {
    /// What the answer means.
    pub said: Said,
    /// The payment.
    pub row: PaymentRow,
    /// Where it stands.
    pub standing: Standing,
    /// Whether it was called off before.
    pub was_over: bool,
}

/// Writes what a provider says of a payment for an order, which is locked.
pub fn take(tx: &mut Tx<'_>, order: &OrderRow, id: PaymentId, outcome: &Outcome) -> Result<Taken> {
    let (mut row, events) = payments::lock(tx, id)?;
    let mut standing = Standing::of(&events);
    let was_over = release::has_begun(&events);
    let mut said = Said::from(outcome);
    match outcome {
        Outcome::Unknown => {}
        Outcome::Refused { reason } => {
            payments::record(tx, id, &[News::refused(id, row.amount, reason)])?;
            payments::check_later(tx, id, None)?;
        }
        Outcome::Known(report) => {
            standing = move_money::absorb(tx, &mut row, &events, report)?.standing;
            let kept = settle(tx, order, &row, &events, &standing)?;
            if report.state != State::Processing {
                payments::check_later(tx, id, None)?;
            }
            let no = matches!(said, Said::Declined(_) | Said::Over(_));
            if !no && (was_over || !kept) {
                said = Said::CalledOff;
            }
        }
    }
    Ok(Taken {
        said,
        row,
        standing,
        was_over,
    })
}

/// When money comes first for an order that was placed before, what it takes the place of is let go: what people were to send,
/// or what another payment has reserved. What nothing is due for is sent back. Says whether the money may stay. The order is
/// locked, so that of two such payments one sees the other.
pub fn settle(
    tx: &mut Tx<'_>,
    order: &OrderRow,
    payment: &PaymentRow,
    before: &[PaymentEvent],
    now: &Standing,
) -> Result<bool> {
    if has_come(&Standing::of(before)) || !has_come(now) {
        return Ok(true);
    }
    tx.flush()?;
    if release::has_begun(before) {
        release::enqueue(tx, payment.id);
        return Ok(false);
    }
    let mut come = now.outstanding + now.kept();
    if let Some(replaced) = payment.replaces_id {
        return replace(tx, order, payment, come, replaced);
    }
    let due = due(tx, order, Some(payment.id), None)?;
    if due == 0 {
        release::enqueue(tx, payment.id);
        return Ok(false);
    }
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
    Ok(true)
}

/// Whether money was reserved or taken.
pub fn has_come(standing: &Standing) -> bool {
    standing.outstanding + standing.captured > 0
}

/// Lets go of what another payment has reserved, now that this one stands; or of this one, where less is due than it was begun
/// for: some of the other was captured meanwhile, or the order was called off.
fn replace(
    tx: &mut Tx<'_>,
    order: &OrderRow,
    payment: &PaymentRow,
    come: i64,
    replaced: PaymentId,
) -> Result<bool> {
    let (old, events) = payments::lock(tx, replaced)?;
    if come > due(tx, order, Some(payment.id), Some(replaced))? {
        reauthorize::fail(tx, order, payment, "amount_changed")?;
        return Ok(false);
    }
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
    move_money::tell(tx, payment, Some(order.id), entry, event, &facts)?;
    Ok(true)
}
