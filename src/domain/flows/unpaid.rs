//! Orders whose money was to come by itself and has not: a job calls them off, once the time has passed that their channel gives
//! them.

use std::time::Duration;

use serde::Deserialize;

use super::ASK_AFTER;
use super::cancel_order::cancel_whole;
use crate::context::{Cx, Tx, read_data};
use crate::domain::channels::Channels;
use crate::domain::credits;
use crate::domain::orders::{self, OrderRow, OrderStatus};
use crate::domain::payments::{self, Payment};
use crate::kernel::ids::OrderId;
use crate::kernel::{Document, Result};

/// The job's kind.
pub const JOB: &str = "orders.unpaid";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    order_id: OrderId,
}

/// Has an order that was just placed looked at when its time is over, where its channel gives it one.
pub fn enqueue(tx: &mut Tx<'_>, order: &OrderRow, payments: &[Payment]) -> Result<()> {
    let after = Channels::get(tx, order.channel_id)?.cancel_unpaid_after;
    let Some(hours) = after.filter(|_| order.due_at.is_none() && is_unpaid(payments)) else {
        return Ok(());
    };
    look_after(tx, order.id, Duration::from_hours(hours.unsigned_abs()));
    Ok(())
}

fn look_after(tx: &mut Tx<'_>, order: OrderId, pause: Duration) {
    tx.enqueue(JOB, &serde_json::json!({ "orderId": order }), pause);
}

/// Whether a transfer is awaited, and nothing but credit is here or reserved.
fn is_unpaid(payments: &[Payment]) -> bool {
    let money = || payments.iter().filter(|p| !credits::is_credit(&p.provider));
    let is_transfer = |p: &Payment| p.provider == "manual" && p.method != "cash_on_delivery";
    money().any(|p| is_transfer(p) && p.outstanding.amount > 0)
        && money().all(|p| {
            p.captured.amount == 0 && (p.provider == "manual" || p.outstanding.amount == 0)
        })
}

/// The job.
pub async fn run(cx: Cx, payload: Document) -> Result<()> {
    let Payload { order_id } = read_data(payload)?;
    cx.write(move |tx| call_off(tx, order_id)).await
}

fn call_off(tx: &mut Tx<'_>, id: OrderId) -> Result<()> {
    let order = orders::hold_back(tx, id)?;
    let still_wanted = Channels::get(tx, order.channel_id)?
        .cancel_unpaid_after
        .is_some();
    let checkout = order.checkout_id;
    let mut is_asked = false;
    for payment in payments::ids_of(tx, checkout)? {
        is_asked |= payments::lock(tx, payment)?.0.next_check_at.is_some();
    }
    let payments = payments::of_checkouts(tx, std::iter::once(checkout))?.remove(&checkout);
    if order.status != OrderStatus::Open
        || order.due_at.is_some()
        || !still_wanted
        || !is_unpaid(&payments.unwrap_or_default())
    {
        return Ok(());
    }
    if is_asked {
        // A provider was asked for the money, by a link, and nobody knows yet.
        look_after(tx, id, ASK_AFTER);
        return Ok(());
    }
    cancel_whole(tx, id, "unpaid")
}
