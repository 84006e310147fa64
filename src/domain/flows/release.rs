//! Money that no order is for: authorised after its checkout was over, for the wrong amount, for stock or a coupon's use that is
//! gone, or by a link for what is paid already. It is let go, or sent back where it was taken already. The job that does it is
//! written with the reason, and tried until it is done; each call carries the same key however often it is made.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::checkouts::{self, CheckoutStatus};
use super::move_money;
use crate::context::{Cx, Tx, read_data};
use crate::domain::payments::{self, News, PaymentEvent, PaymentEventKind, PaymentRow, Standing};
use crate::kernel::ids::{PaymentAttemptId, PaymentId};
use crate::kernel::{Code, Document, Error, Result};
use crate::ports::payment::{Move, Outcome, PaymentProvider, PaymentProviders, Reach, Report};
use crate::sabotage::Guard;

/// The job's kind.
pub const JOB: &str = "payments.release";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    payment_id: PaymentId,
}

/// Has a payment released once this transaction is committed.
pub fn enqueue(tx: &mut Tx<'_>, payment: PaymentId) {
    if tx.app().sabotage.removed(Guard::Release) {
        return;
    }
    let payload = serde_json::json!({ "paymentId": payment });
    tx.enqueue(JOB, &payload, Duration::ZERO);
}

/// The same, said at once: from now on no order is paid with it.
pub fn order(tx: &mut Tx<'_>, payment: &PaymentRow) -> Result<()> {
    say(tx, payment)?;
    enqueue(tx, payment.id);
    Ok(())
}

fn say(tx: &mut Tx<'_>, payment: &PaymentRow) -> Result<()> {
    let request = News::new(PaymentEventKind::CancelRequest, payment.amount, "release");
    payments::record(tx, payment.id, &[request])
}

/// Whether an order that is refused so can never be.
pub const fn gives_up_on(code: Code) -> bool {
    matches!(
        code,
        Code::InsufficientStock
            | Code::InsufficientCredit
            | Code::CouponUsedUp
            | Code::PaymentMismatch
            | Code::VersionConflict
    )
}

/// The order cannot be, and the money may be there: ends the checkout, has the money released, and hands the error on.
pub async fn give_up(cx: &Cx, payment: PaymentId, error: Error) -> Error {
    if !gives_up_on(error.code) {
        return error;
    }
    let reason = error.code.as_str();
    let done = cx
        .write(move |tx| {
            let id = payments::checkout_of(tx, payment)?;
            let Some(checkout) = checkouts::lock(tx, id)? else {
                return Ok(());
            };
            if checkout.status == CheckoutStatus::Ordered && checkout.payment_id == payment {
                return Ok(());
            }
            let news = News::new(PaymentEventKind::Info, 0, format!("release:{reason}"));
            payments::record(tx, payment, &[news.with("reason", reason)])?;
            if matches!(
                checkout.status,
                CheckoutStatus::Open | CheckoutStatus::Paying
            ) {
                checkouts::set_status(tx, id, CheckoutStatus::Expired)?;
                crate::domain::inventory::release(tx, checkout.cart_id.uuid())?;
            }
            payments::check_later(tx, payment, None)?;
            enqueue(tx, payment);
            Ok(())
        })
        .await;
    match done {
        Ok(()) => error,
        Err(worse) => worse,
    }
}

/// Whether a payment's release has begun, so that no order may be placed with it any more.
pub fn has_begun(events: &[PaymentEvent]) -> bool {
    events
        .iter()
        .any(|event| event.kind == PaymentEventKind::CancelRequest)
}

/// Says that a payment is being released, unless an order was placed with it in the meantime.
fn begin(tx: &mut Tx<'_>, id: PaymentId) -> Result<Option<(PaymentRow, Vec<PaymentEvent>)>> {
    let checkout = payments::checkout_of(tx, id)?;
    let checkout = checkouts::lock(tx, checkout)?.ok_or_else(|| Error::not_found("checkout"))?;
    if checkout.status == CheckoutStatus::Ordered && checkout.payment_id == id {
        return Ok(None);
    }
    let (payment, events) = payments::lock(tx, id)?;
    say(tx, &payment)?;
    Ok(Some((payment, events)))
}

/// The job.
pub async fn run(cx: Cx, payload: Document) -> Result<()> {
    let Payload { payment_id } = read_data(payload)?;
    let Some((payment, events)) = cx.write(move |tx| begin(tx, payment_id)).await? else {
        return Ok(());
    };
    let providers = cx.app.part::<PaymentProviders>()?;
    let provider = providers.get(&payment.provider, "/provider")?;
    if matches!(provider.reach(), Reach::Local(_)) {
        return Ok(());
    }
    let was_asked = events
        .iter()
        .any(|event| event.kind == PaymentEventKind::AuthorizationRequest);
    let reference = match &payment.reference {
        Some(reference) => reference.clone(),
        // Nobody far away knows of it.
        None if !was_asked => return Ok(()),
        // What the provider said of it went with the order that could not be.
        None => match look_up(provider, &payment).await? {
            Some(report) => report.reference,
            None => return Ok(()),
        },
    };
    let standing = Standing::of(&events);
    // Stable names, and one for each call: a key is for one request.
    let request = |amount: i64, name: uuid::Uuid| Move {
        payment: payment.id,
        attempt: PaymentAttemptId::from_uuid(name),
        reference: reference.clone(),
        amount: payment.of(amount),
        of: payment.money(),
        last: true,
    };
    let outcome = if standing.kept() > 0 {
        let name = payment.checkout_id.uuid();
        provider.refund(&request(standing.kept(), name)).await
    } else {
        let name = payment.id.uuid();
        provider.void(&request(payment.amount, name)).await
    };
    let report = match outcome {
        Outcome::Known(report) => report,
        // Taken in the meantime, or released before: its own words decide.
        Outcome::Refused { .. } => match look_up(provider, &payment).await? {
            Some(report) => report,
            None => return Ok(()),
        },
        Outcome::Unknown => return Err(no_answer()),
    };
    let left = cx
        .write(move |tx| {
            let (mut payment, events) = payments::lock(tx, payment_id)?;
            match move_money::absorb(tx, &mut payment, &events, &report) {
                // It is not what was asked for, but the provider has let go of it.
                Err(error) if error.code == Code::PaymentMismatch => Ok(0),
                other => other.map(|now| now.standing.kept() + now.standing.outstanding),
            }
        })
        .await?;
    if left > 0 {
        return Err(Error::unavailable("the money is not released yet"));
    }
    Ok(())
}

/// What the provider knows of a payment; nothing where it never heard of it.
async fn look_up(
    provider: &Arc<dyn PaymentProvider>,
    payment: &PaymentRow,
) -> Result<Option<Box<Report>>> {
    match provider.look_up(&payment.authorize(false)).await {
        Outcome::Known(report) => Ok(Some(report)),
        Outcome::Refused { .. } => Ok(None),
        Outcome::Unknown => Err(no_answer()),
    }
}

fn no_answer() -> Error {
    Error::unavailable("the provider does not answer")
}
