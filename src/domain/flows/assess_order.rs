//! What follows from an order's risk. A job assesses it after it was placed: it goes on, is put on hold, or is called off on
//! the same way as by hand. Asked twice, an order is assessed once.

use std::time::Duration;

use serde::Deserialize;

use super::cancel_order::cancel_whole;
use crate::context::{Cx, Tx, read_data};
use crate::domain::orders::{self, HoldReason, OrderStatus};
use crate::domain::risk::{self, RiskAssessment, RiskDecision, RiskLevel};
use crate::input;
use crate::kernel::ids::OrderId;
use crate::kernel::{Document, Result};
use crate::operation::Mutation;

/// The job's kind.
pub const JOB: &str = "orders.assess";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    order_id: OrderId,
}

input! {
    /// Says no to an order that is on hold for its risk.
    DeclineOrder {
        /// The order.
        id: OrderId,
        /// Why, for the timeline; shop fronts do not see it.
        note: Option<String>,
    }
}

/// Has an order assessed once this transaction is committed.
pub fn enqueue(tx: &mut Tx<'_>, order: OrderId) {
    let payload = serde_json::json!({ "orderId": order });
    tx.enqueue(JOB, &payload, Duration::ZERO);
}

/// The job.
pub async fn run(cx: Cx, payload: Document) -> Result<()> {
    let Payload { order_id } = read_data(payload)?;
    cx.write(move |tx| assess(tx, order_id)).await
}

fn assess(tx: &mut Tx<'_>, id: OrderId) -> Result<()> {
    let order = orders::find(tx, id)?;
    let Some(level) = risk::assess(tx, &order)? else {
        return Ok(());
    };
    if level == RiskLevel::Accept || order.status != OrderStatus::Open {
        return Ok(());
    }
    if level == RiskLevel::Cancel {
        return cancel_whole(tx, id, "risk");
    }
    let order = orders::lock(tx, id, None)?;
    orders::place_hold(tx, &order, HoldReason::Risk, None)
}

impl Mutation for DeclineOrder {
    fn run(&self, tx: &mut Tx<'_>) -> Result<RiskAssessment> {
        risk::decide(tx, self.id, RiskDecision::Declined, self.note.as_deref())?;
        cancel_whole(tx, self.id, "risk")?;
        risk::get(tx, self.id)
    }
}
