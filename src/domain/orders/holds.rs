//! Holds: what keeps an order from going on. An order on hold is not captured; each reason holds it once at a time.

use std::collections::HashMap;

use diesel::sql_types::{Nullable, Text};
use uuid::Uuid;

use super::model::{Order, OrderRow, OrderStatus};
use super::queries;
use crate::context::Tx;
use crate::kernel::column::{Id, Ts};
use crate::kernel::ids::{CheckoutId, OrderHoldId, OrderId};
use crate::kernel::page::PageRequest;
use crate::kernel::{Batch, Checks, Code, Error, Result, Timestamp};
use crate::operation::Mutation;
use crate::{choice, input, output, params};

choice! {
    /// Why an order is on hold.
    HoldReason {
        /// Its risk is to be looked into: `approveOrder` or `declineOrder` ends it.
        Risk = "risk",
        /// Somebody wants it so.
        Manual = "manual",
        /// The credit of its customer.
        Credit = "credit",
    }
}

output! {
    /// What keeps an order from going on, or did.
    OrderHold {
        /// Its id.
        id: OrderHoldId,
        /// Why.
        reason: HoldReason,
        /// What was said about it; null where the caller may not know.
        #[schema(required = true)]
        note: Option<String>,
        /// Who placed it; null where the caller may not know.
        #[schema(required = true)]
        placed_by: Option<String>,
        /// When it was placed.
        placed_at: Timestamp,
        /// Who released it; null where the caller may not know, or nobody has.
        #[schema(required = true)]
        released_by: Option<String>,
        /// When it was released; null while it holds.
        #[schema(required = true)]
        released_at: Option<Timestamp>,
    }
}

input! {
    /// Puts an order on hold.
    HoldOrder {
        /// The order.
        id: OrderId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// Why, for the timeline; shop fronts do not see it.
        note: Option<String>,
    }
    /// Releases an order that somebody put on hold.
    ReleaseOrder {
        /// The order.
        id: OrderId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
    }
}

impl Mutation for HoldOrder {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Order> {
        let mut checks = Checks::new();
        if let Some(note) = &self.note {
            checks.text("/note", note, 500);
        }
        checks.done()?;
        let order = queries::lock(tx, self.id, self.expected_version)?;
        place(tx, &order, HoldReason::Manual, self.note.as_deref())?;
        queries::get(tx, self.id)
    }
}

impl Mutation for ReleaseOrder {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Order> {
        let order = queries::lock(tx, self.id, self.expected_version)?;
        if release(tx, &order, Some(HoldReason::Manual))? == 0 {
            let detail = "Nobody has put the order on hold; what is held for its risk is approved or declined.";
            return Err(Error::new(Code::InvalidState, detail));
        }
        queries::get(tx, self.id)
    }
}

/// Puts an open order on hold; the caller has locked it.
pub fn place(
    tx: &mut Tx<'_>,
    order: &OrderRow,
    reason: HoldReason,
    note: Option<&str>,
) -> Result<()> {
    if order.status != OrderStatus::Open {
        let detail = format!("The order is {} and cannot be held.", order.status);
        return Err(Error::new(Code::InvalidState, detail));
    }
    let (now, actor) = (tx.now, tx.actor().name());
    let placed = tx.conn.execute(
        "INSERT INTO order_holds (id, order_id, reason, note, placed_by, placed_at) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (order_id, reason) WHERE released_at IS NULL DO NOTHING",
        params![OrderHoldId::new(), order.id, reason, note, actor, now],
    )?;
    if placed == 0 {
        return Err(Error::new(
            Code::InvalidState,
            "The order is on hold already.",
        ));
    }
    let facts = serde_json::json!({ "reason": reason, "note": note });
    queries::note(tx, order.id, "hold_placed", &facts)?;
    announce(tx, order, "order.hold_placed", reason);
    Ok(())
}

/// Releases an order from the holds for `reason`, or from all; says how many there were. The caller has locked it.
pub fn release(tx: &mut Tx<'_>, order: &OrderRow, reason: Option<HoldReason>) -> Result<usize> {
    let (now, actor) = (tx.now, tx.actor().name());
    let only = reason.map(HoldReason::as_str);
    let released = tx.conn.rows::<Text, HoldReason>(
        "UPDATE order_holds SET released_by = ?, released_at = ?
         WHERE order_id = ? AND released_at IS NULL AND reason = COALESCE(?, reason) RETURNING reason",
        params![actor, now, order.id, only],
    )?;
    for reason in &released {
        let facts = serde_json::json!({ "reason": reason });
        queries::note(tx, order.id, "hold_released", &facts)?;
        announce(tx, order, "order.hold_released", *reason);
    }
    Ok(released.len())
}

fn announce(tx: &mut Tx<'_>, order: &OrderRow, event: &'static str, reason: HoldReason) {
    let facts =
        serde_json::json!({ "orderId": order.id, "number": order.number, "reason": reason });
    tx.publish(event, order.id.uuid(), &facts);
}

/// Refuses to go on with the order of a checkout while it is on hold.
pub fn refuse_held(tx: &mut Tx<'_>, checkout: CheckoutId) -> Result<()> {
    let reasons = tx.conn.rows::<Text, HoldReason>(
        "SELECT h.reason FROM orders o JOIN order_holds h ON h.order_id = o.id
         WHERE o.checkout_id = ? AND h.released_at IS NULL ORDER BY h.id",
        params![checkout],
    )?;
    let Some(reason) = reasons.first() else {
        return Ok(());
    };
    let detail = format!("The order is on hold ({reason}); nothing is captured until that ends.");
    Err(Error::new(Code::InvalidState, detail))
}

/// Orders that are on hold for `reason`, the longest first.
pub fn waiting(
    tx: &mut Tx<'_>,
    reason: HoldReason,
    page: &PageRequest,
) -> Result<Vec<(OrderHoldId, OrderId)>> {
    // Ids grow with time; the nil id stands before all.
    let after = page
        .after
        .as_ref()
        .map_or(Uuid::nil(), |position| position.id);
    tx.conn.rows::<(Id, Id), (OrderHoldId, OrderId)>(
        "SELECT id, order_id FROM order_holds WHERE reason = ? AND released_at IS NULL AND id > ? ORDER BY id LIMIT ?",
        params![reason, after, page.fetch()],
    )
}

type HoldSql = (
    Id,
    Id,
    Text,
    Nullable<Text>,
    Text,
    Ts,
    Nullable<Text>,
    Nullable<Ts>,
);
type HoldTuple = (
    OrderId,
    OrderHoldId,
    HoldReason,
    Option<String>,
    String,
    Timestamp,
    Option<String>,
    Option<Timestamp>,
);

/// The holds of each of these orders, oldest first: one statement. Shop fronts do not learn who placed them and what was said.
pub fn of_orders(
    tx: &mut Tx<'_>,
    orders: impl Iterator<Item = OrderId>,
) -> Result<HashMap<OrderId, Vec<OrderHold>>> {
    let staff = tx.actor().channel().is_none();
    let rows = tx.conn.rows::<HoldSql, HoldTuple>(
        "SELECT h.order_id, h.id, h.reason, h.note, h.placed_by, h.placed_at, h.released_by, h.released_at
         FROM ? AS x JOIN order_holds h ON h.order_id = x.id ORDER BY h.id",
        params![Batch::ids(orders.map(OrderId::uuid))],
    )?;
    let mut found: HashMap<OrderId, Vec<OrderHold>> = HashMap::new();
    for (order, id, reason, note, placed_by, placed_at, released_by, released_at) in rows {
        found.entry(order).or_default().push(OrderHold {
            id,
            reason,
            note: note.filter(|_| staff),
            placed_by: staff.then_some(placed_by),
            placed_at,
            released_by: released_by.filter(|_| staff),
            released_at,
        });
    }
    Ok(found)
}
