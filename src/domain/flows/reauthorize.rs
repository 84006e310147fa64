//! Money that is reserved anew with a saved payment method, because its reservation runs out or has run out: when somebody asks
//! for it, and by itself a day before, where the payment was made with a method that is still kept.
//!
//! The new reservation is a payment of its own. The old one is let go once the new one stands, and stays where the provider
//! says no.

use std::ops::ControlFlow;
use std::time::Duration;

use serde::Deserialize;

use super::later_payments::{self, Answer as Said};
use super::move_money::order_paid_by;
use super::place_order::declined;
use super::{ASK_AFTER, move_money, release};
use crate::context::{Cx, Tx, read_data};
use crate::domain::orders::{OrderRow, OrderStatus};
use crate::domain::payments::{
    self, News, PaymentDetails, PaymentEvent, PaymentRow, PaymentStatus, Standing,
};
use crate::domain::saved_methods;
use crate::input;
use crate::kernel::ids::{PaymentId, SavedPaymentMethodId};
use crate::kernel::{Code, Document, Error, Money, Result, Timestamp};
use crate::operation::{Answer, Flow};
use crate::ports::payment::{Authorize, Keeper, Outcome, PaymentProviders, Reach, State};

input! {
    /// Reserves money anew.
    ReauthorizePayment {
        /// The payment whose reservation runs out, or has run out.
        id: PaymentId,
        /// The payment method that its provider keeps for the order's e-mail address; the one that the payment was made with
        /// when left out.
        saved_payment_method_id: Option<SavedPaymentMethodId>,
    }
}

const POINTER: &str = "/savedPaymentMethodId";

/// The reason where the shopper would have to act, who is away.
const AWAY: &str = "authentication_required";

impl Flow for ReauthorizePayment {
    async fn run(self, cx: &Cx) -> Result<Answer<PaymentDetails>> {
        let begun = cx.settle_or(move |tx| self.begin(tx)).await?;
        let (payment, request) = match begun {
            ControlFlow::Break(answer) => return Ok(answer),
            ControlFlow::Continue(Ok(asked)) => asked,
            ControlFlow::Continue(Err(error)) => return Err(error),
        };
        let providers = cx.app.part::<PaymentProviders>()?;
        let provider = providers.get(&payment.provider, "/provider")?;
        let outcome = provider.authorize(&request).await;
        let id = payment.id;
        let done = cx.settle_or(move |tx| finish(tx, id, &outcome)).await;
        match done {
            Ok(ControlFlow::Break(answer)) => Ok(answer),
            Ok(ControlFlow::Continue(error)) => Err(error),
            Err(error) => Err(release::give_up(cx, id, error).await),
        }
    }
}

/// The job's kind.
pub const JOB: &str = "payments.reauthorize";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    payment_id: PaymentId,
}

/// Has a payment's money reserved anew, where it was made with a method that is still kept.
pub fn enqueue(tx: &mut Tx<'_>, payment: PaymentId) {
    let payload = serde_json::json!({ "paymentId": payment });
    tx.enqueue(JOB, &payload, Duration::ZERO);
}

/// The job.
pub async fn run(cx: Cx, payload: Document) -> Result<()> {
    let Payload { payment_id: id } = read_data(payload)?;
    let kept = cx
        .read(move |tx| {
            let (order, _) = order_paid_by(tx, id)?;
            let (payment, _) = payments::lock(tx, id)?;
            made_with(tx, &payment, &order)
        })
        .await?;
    if kept.is_none() {
        return Ok(());
    }
    let anew = ReauthorizePayment {
        id,
        saved_payment_method_id: kept,
    };
    match anew.run(&cx).await {
        // A no is told in the order's timeline; what is due no more needs nothing.
        Err(error) if !matches!(error.code, Code::PaymentDeclined | Code::InvalidState) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// The kept method that a payment was made with.
fn made_with(
    tx: &mut Tx<'_>,
    payment: &PaymentRow,
    order: &OrderRow,
) -> Result<Option<SavedPaymentMethodId>> {
    match &payment.token {
        Some(token) => saved_methods::named_by(tx, &payment.provider, token, &order.email),
        None => Ok(None),
    }
}

/// A provider far away and what it is asked, or that one here said no.
type Asked = Result<(PaymentRow, Authorize)>;

impl ReauthorizePayment {
    fn begin(&self, tx: &mut Tx<'_>) -> Result<ControlFlow<PaymentDetails, Asked>> {
        let (order, _) = order_paid_by(tx, self.id)?;
        let refused = |detail: &str| Err(Error::new(Code::InvalidState, detail));
        if order.status == OrderStatus::Cancelled {
            return refused("The order was called off.");
        }
        let (old, events) = payments::lock(tx, self.id)?;
        if payments::left(tx, old.id, &Standing::of(&events))?.moving > 0 {
            return refused("A capture or release of the payment is on its way.");
        }
        let due = later_payments::due(tx, &order, None, Some(old.id))?;
        if due == 0 {
            return refused("Nothing is due that could be reserved.");
        }
        let (token, keeper) = self.method(tx, &old, &order)?;
        let payment = match replacement(tx, &old)? {
            Some(open) if open.token.as_ref() == Some(&token) && open.amount == due => open,
            Some(_) => return refused("The money is being reserved anew, or was already."),
            None => {
                let new = anew(&old, token, due, tx.now);
                payments::insert(tx, std::slice::from_ref(&new))?;
                new
            }
        };
        let request = Authorize {
            keeper: Some(keeper),
            ..payment.authorize(false)
        };
        payments::check_later(tx, payment.id, Some(ASK_AFTER))?;
        payments::record(tx, payment.id, &[News::asked(&request)])?;
        let providers = tx.app().part::<PaymentProviders>()?;
        let provider = providers.get(&payment.provider, "/provider")?.clone();
        Ok(match provider.reach() {
            Reach::Local(local) => match finish(tx, payment.id, &local.decide(&request))? {
                ControlFlow::Break(details) => ControlFlow::Break(details),
                ControlFlow::Continue(error) => ControlFlow::Continue(Err(error)),
            },
            Reach::Remote => ControlFlow::Continue(Ok((payment, request))),
        })
    }

    fn method(
        &self,
        tx: &mut Tx<'_>,
        old: &PaymentRow,
        order: &OrderRow,
    ) -> Result<(String, Keeper)> {
        let method = match self.saved_payment_method_id {
            Some(method) => Some(method),
            None => made_with(tx, old, order)?,
        };
        let method = method.ok_or_else(|| {
            let message = "The payment was not made with a saved payment method; name one.";
            Error::invalid(POINTER, "required", message)
        })?;
        saved_methods::charge(tx, method, &old.provider, &order.email, true, POINTER)
    }
}

/// What takes the place of a payment, unless the provider said no to it.
fn replacement(tx: &mut Tx<'_>, old: &PaymentRow) -> Result<Option<PaymentRow>> {
    let Some(id) = payments::replacement_of(tx, old.id)? else {
        return Ok(None);
    };
    let (payment, events) = payments::lock(tx, id)?;
    let over = matches!(
        Standing::of(&events).status,
        PaymentStatus::Failed | PaymentStatus::Cancelled
    );
    Ok((!over && !release::has_begun(&events)).then_some(payment))
}

fn anew(old: &PaymentRow, token: String, due: i64, now: Timestamp) -> PaymentRow {
    let money = Money {
        amount: due,
        currency: old.currency,
    };
    PaymentRow {
        token: Some(token),
        replaces_id: Some(old.id),
        ..PaymentRow::new(
            old.checkout_id,
            old.provider.clone(),
            old.method.clone(),
            money,
            now,
        )
    }
}

/// Writes what the provider says; what it refused is recorded and told as an error.
fn finish(
    tx: &mut Tx<'_>,
    id: PaymentId,
    outcome: &Outcome,
) -> Result<ControlFlow<PaymentDetails, Error>> {
    let (order, _) = order_paid_by(tx, id)?;
    let taken = later_payments::take(tx, &order, id, outcome)?;
    let reason = match taken.answer {
        Said::Come | Said::Processing => return payments::details(tx, id).map(ControlFlow::Break),
        Said::CalledOff => {
            let detail = "The payment was called off meanwhile; what was reserved is let go.";
            let error = Error::new(Code::InvalidState, detail);
            return Ok(ControlFlow::Continue(error));
        }
        Said::Action => AWAY.to_owned(),
        Said::Declined(reason) | Said::Over(reason) => reason,
    };
    fail(tx, &order, &taken.row, &reason)?;
    Ok(ControlFlow::Continue(declined(&reason)))
}

/// The provider said no, and nobody is there to act or to try another card: the payment is over, and the shop is told.
fn fail(tx: &mut Tx<'_>, order: &OrderRow, payment: &PaymentRow, reason: &str) -> Result<()> {
    release::order(tx, payment)?;
    let facts = serde_json::json!({
        "paymentId": payment.id, "orderId": order.id, "replaces": payment.replaces_id, "reason": reason,
    });
    let (entry, event) = ("reauthorization_failed", "payment.reauthorization_failed");
    move_money::tell(tx, payment, Some(order.id), entry, event, &facts)
}

/// The same, where that is learned later.
pub fn failed_later(
    tx: &mut Tx<'_>,
    order: &OrderRow,
    payment: &PaymentRow,
    before: &[PaymentEvent],
    outcome: &Outcome,
) -> Result<()> {
    let reason = match outcome {
        Outcome::Refused { reason } => reason,
        Outcome::Known(report) => match &report.state {
            State::Declined { reason } => reason,
            State::Open { .. } | State::ActionRequired { .. } => AWAY,
            State::Cancelled => "cancelled",
            _ => return Ok(()),
        },
        Outcome::Unknown => return Ok(()),
    };
    if payment.replaces_id.is_none() || release::has_begun(before) {
        return Ok(());
    }
    fail(tx, order, payment, reason)
}
