//! Reserved money whose time runs out: the shop is told a day before, the money is reserved anew where it can be, and the
//! provider is asked when it is over.

use std::time::Duration;

use serde::Deserialize;

use super::{move_money, reauthorize, reconcile};
use crate::context::{Cx, Tx, read_data};
use crate::domain::orders;
use crate::domain::payments::{self, PaymentRow, Standing};
use crate::kernel::ids::PaymentId;
use crate::kernel::{Document, Result, Timestamp};

/// The job's kind.
pub const JOB: &str = "payments.expiring";

/// How long before the end the shop is told.
const NOTICE: Duration = Duration::from_hours(24);

/// How long after the end the provider is asked.
const AFTER: Duration = Duration::from_mins(10);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    payment_id: PaymentId,
    expires_at: Timestamp,
}

/// Has a payment looked at before its time is over.
pub fn enqueue(tx: &mut Tx<'_>, payment: PaymentId, expires_at: Timestamp) {
    at(tx, payment, expires_at, expires_at.minus(NOTICE));
}

fn at(tx: &mut Tx<'_>, payment: PaymentId, expires_at: Timestamp, time: Timestamp) {
    let payload = serde_json::json!({ "paymentId": payment, "expiresAt": expires_at });
    tx.enqueue(JOB, &payload, time.since(tx.now));
}

/// The job.
pub async fn run(cx: Cx, payload: Document) -> Result<()> {
    let Payload {
        payment_id,
        expires_at,
    } = read_data(payload)?;
    let is_over = cx
        .write(move |tx| remind(tx, payment_id, expires_at))
        .await?;
    if is_over {
        reconcile::look_up(&cx, payment_id, |_| Ok(())).await?;
    }
    Ok(())
}

/// Tells the shop, where money is still reserved until then; says whether that time is over.
fn remind(tx: &mut Tx<'_>, id: PaymentId, expires_at: Timestamp) -> Result<bool> {
    let Some((payment, events)) = payments::find(tx, id)? else {
        return Ok(false);
    };
    let left = Standing::of(&events).outstanding;
    if left == 0 || payment.expires_at != Some(expires_at) {
        return Ok(false);
    }
    if expires_at <= tx.now {
        return Ok(true);
    }
    tell(tx, &payment, left)?;
    if payment.created_at.plus(NOTICE) < tx.now {
        reauthorize::enqueue(tx, id);
    }
    at(tx, id, expires_at, expires_at.plus(AFTER));
    Ok(false)
}

fn tell(tx: &mut Tx<'_>, payment: &PaymentRow, left: i64) -> Result<()> {
    let order = orders::id_for_checkout(tx, payment.checkout_id)?;
    let facts = serde_json::json!({
        "paymentId": payment.id, "orderId": order, "expiresAt": payment.expires_at, "amount": payment.of(left),
    });
    let (entry, event) = ("authorization_expiring", "payment.authorization_expiring");
    move_money::tell(tx, payment, order, entry, event, &facts)
}
