//! Money that is reserved anew with a saved payment method, because its reservation runs out or has run out: when somebody asks
//! for it, and by itself a day before, where the payment was made with a method that is still kept.
//!
//! The new reservation is a payment of its own. The old one is let go once the new one stands, and stays where the provider
//! says no.

use std::ops::ControlFlow;
use std::time::Duration;

use serde::Deserialize;

use super::later_payments::{self, Asked, Said};
use super::move_money::{self, order_paid_by};
use super::place_order::declined;
use super::release;
use crate::context::{Cx, Tx, read_data};
use crate::domain::orders::{OrderRow, OrderStatus};
use crate::domain::payments::{
    self, PaymentDetails, PaymentEvent, PaymentEventKind, PaymentRow, PaymentStatus, Standing,
};
use crate::domain::saved_methods;
use crate::input;
use crate::kernel::ids::{PaymentId, SavedPaymentMethodId};
use crate::kernel::{Code, Document, Error, Result, Timestamp};
use crate::operation::{Answer, Flow};
use crate::ports::payment::{Authorize, Keeper, Outcome, State};

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

/// After how long a session that the provider has opened and not confirmed is given up.
const CONFIRMED_WITHIN: Duration = Duration::from_mins(10);

/// How often the money of an order is reserved anew by itself: a month, with cards that hold it for a week.
const BY_ITSELF: i64 = 4;

impl Flow for ReauthorizePayment {
    async fn run(self, cx: &Cx) -> Result<Answer<PaymentDetails>> {
        later_payments::make(cx, move |tx| self.begin(tx), finish).await
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

/// The job. A payment is tried once, however often the job is run.
pub async fn run(cx: Cx, payload: Document) -> Result<()> {
    let Payload { payment_id: id } = read_data(payload)?;
    let may = cx
        .read(move |tx| {
            let Some((payment, _)) = payments::find(tx, id)? else {
                return Ok(false);
            };
            let tried = payments::replacement_of(tx, id)?.is_some();
            let so_often = payments::replacements(tx, payment.checkout_id)?;
            Ok(so_often < BY_ITSELF && (!tried || replacement(tx, &payment)?.is_some()))
        })
        .await?;
    if !may {
        return Ok(());
    }
    let anew = ReauthorizePayment {
        id,
        saved_payment_method_id: None,
    };
    match anew.run(&cx).await {
        Ok(_) => Ok(()),
        Err(error) => match error.code {
            // A no is told in the order's timeline. Where nothing is due, or no method is kept, there is nothing to do.
            Code::PaymentDeclined | Code::InvalidState | Code::ValidationFailed => Ok(()),
            _ => Err(error),
        },
    }
}

impl ReauthorizePayment {
    fn begin(&self, tx: &mut Tx<'_>) -> Result<ControlFlow<PaymentDetails, Asked>> {
        let order = order_paid_by(tx, self.id)?;
        let refused = |detail: &str| Err(Error::new(Code::InvalidState, detail));
        if order.status == OrderStatus::Cancelled {
            return refused("The order was called off.");
        }
        let (old, events) = payments::lock(tx, self.id)?;
        if !events.iter().any(reserved) {
            return refused("The payment has never reserved money; have the order paid by a link.");
        }
        let before = replacement(tx, &old)?;
        // Asked before, and answered since.
        let stands = before
            .as_ref()
            .filter(|(standing, _)| later_payments::has_come(standing))
            .map(|(_, payment)| payment.id);
        if let Some(stands) = stands.filter(|_| self.saved_payment_method_id.is_none()) {
            return payments::details(tx, stands).map(ControlFlow::Break);
        }
        let (token, keeper) = self.method(tx, &old, &order)?;
        let other = |(_, payment): &(_, PaymentRow)| payment.token.as_ref() != Some(&token);
        if before.as_ref().is_some_and(other) {
            let detail =
                "The money is being reserved anew with another payment method, or was already.";
            return refused(detail);
        }
        if let Some(stands) = stands {
            return payments::details(tx, stands).map(ControlFlow::Break);
        }
        if payments::left(tx, old.id, &Standing::of(&events))?.moving > 0 {
            return refused("A capture or release of the payment is on its way.");
        }
        let due = later_payments::due(tx, &order, None, Some(old.id))?;
        let payment = match before {
            Some((_, payment)) if payment.amount == due => payment,
            Some(_) => return refused("The money is being reserved anew, and less is due by now."),
            None if due == 0 => return refused("Nothing is due that could be reserved."),
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
        later_payments::ask(tx, payment, request, finish)
    }

    /// The token of the method that is charged, and for whom it is kept.
    fn method(
        &self,
        tx: &mut Tx<'_>,
        old: &PaymentRow,
        order: &OrderRow,
    ) -> Result<(String, Keeper)> {
        let method = match (self.saved_payment_method_id, &old.token) {
            (Some(method), _) => Some(method),
            (None, Some(token)) => saved_methods::named_by(tx, &old.provider, token, &order.email)?,
            (None, None) => None,
        };
        let method = method.ok_or_else(|| {
            let message = "The payment was not made with a saved payment method; name one.";
            Error::invalid(POINTER, "required", message)
        })?;
        saved_methods::charge(tx, method, &old.provider, &order.email, true, POINTER)
    }
}

fn reserved(event: &PaymentEvent) -> bool {
    event.kind == PaymentEventKind::AuthorizationSuccess
}

/// What takes the place of a payment, unless it is over.
fn replacement(tx: &mut Tx<'_>, old: &PaymentRow) -> Result<Option<(Standing, PaymentRow)>> {
    let Some(id) = payments::replacement_of(tx, old.id)? else {
        return Ok(None);
    };
    let (payment, events) =
        payments::find(tx, id)?.ok_or_else(|| Error::internal("a payment that is not there"))?;
    let standing = Standing::of(&events);
    let over = matches!(
        standing.status,
        PaymentStatus::Failed | PaymentStatus::Cancelled | PaymentStatus::Expired
    );
    Ok((!over && !release::has_begun(&events)).then_some((standing, payment)))
}

fn anew(old: &PaymentRow, token: String, due: i64, now: Timestamp) -> PaymentRow {
    PaymentRow {
        token: Some(token),
        replaces_id: Some(old.id),
        ..PaymentRow::new(
            old.checkout_id,
            old.provider.clone(),
            old.method.clone(),
            old.of(due),
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
    let order = order_paid_by(tx, id)?;
    let now = later_payments::take(tx, &order, id, outcome)?;
    let reason = match now.said {
        Said::Come | Said::Processing => return payments::details(tx, id).map(ControlFlow::Break),
        Said::CalledOff => {
            let detail = "What is due has changed meanwhile; what was reserved is let go.";
            let error = Error::new(Code::InvalidState, detail);
            return Ok(ControlFlow::Continue(error));
        }
        Said::Action => AWAY.to_owned(),
        Said::Declined(reason) | Said::Over(reason) => reason,
    };
    if !now.was_over {
        fail(tx, &order, &now.row, &reason)?;
    }
    Ok(ControlFlow::Continue(declined(POINTER, &reason)))
}

/// The payment cannot take the other's place, and nobody is there to act or to try another card: it is over, and the shop is
/// told.
pub fn fail(tx: &mut Tx<'_>, order: &OrderRow, payment: &PaymentRow, reason: &str) -> Result<()> {
    release::order(tx, payment)?;
    let facts = serde_json::json!({
        "paymentId": payment.id, "orderId": order.id, "replaces": payment.replaces_id, "reason": reason,
    });
    let (entry, event) = ("reauthorization_failed", "payment.reauthorization_failed");
    move_money::tell(tx, payment, Some(order.id), entry, event, &facts)
}

/// Whether a provider has begun, and has not charged the method yet.
pub fn is_open(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Known(report) if matches!(report.state, State::Open { .. }))
}

/// The same, where that is learned later, of a payment by which no money has come.
pub fn failed_later(
    tx: &mut Tx<'_>,
    order: &OrderRow,
    payment: &PaymentRow,
    before: &[PaymentEvent],
    outcome: &Outcome,
) -> Result<()> {
    // A session that is open may be confirmed in this moment.
    let open = is_open(outcome) && payment.created_at.plus(CONFIRMED_WITHIN) > tx.now;
    let came = before.iter().any(reserved);
    if payment.replaces_id.is_none() || release::has_begun(before) || came || open {
        return Ok(());
    }
    match Said::from(outcome) {
        Said::Action => fail(tx, order, payment, AWAY),
        Said::Declined(reason) | Said::Over(reason) => fail(tx, order, payment, &reason),
        _ => Ok(()),
    }
}
