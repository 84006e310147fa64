//! Money that is kept of an order beyond what is due: paid twice or too much, come after the order was called off, or not gone
//! back. It follows from the payments and the order alone, so that whoever asks is told the same.

use crate::context::Tx;
use crate::domain::orders::{self, OrderRow};
use crate::domain::payments;
use crate::kernel::money::{MoneyError, sum};
use crate::kernel::{Money, Result};

/// How much is to go back of an order, in minor units: what is here, less refunds that are on their way, less what the order
/// comes to. What was called off is not due, nor is what went back for units.
pub fn excess(tx: &mut Tx<'_>, order: &OrderRow) -> Result<i64> {
    let checkout = order.checkout_id;
    let mut found = payments::of_checkouts(tx, std::iter::once(checkout))?;
    let payments = found.remove(&checkout).unwrap_or_default();
    let kept = sum(payments.iter().map(payments::Payment::kept))?;
    let refunds = payments::refunds_of(tx, checkout)?;
    let due = order
        .grand_total
        .checked_sub(order.cancelled_total)
        .and_then(|due| due.checked_sub(refunds.of_units));
    let excess = due
        .and_then(|due| kept.checked_sub(refunds.pending)?.checked_sub(due))
        .ok_or(MoneyError::Overflow)?;
    Ok(excess.max(0))
}

/// Says in an order's timeline what is to go back, where something is.
pub fn tell(tx: &mut Tx<'_>, order: &OrderRow) -> Result<()> {
    let amount = excess(tx, order)?;
    if amount == 0 {
        return Ok(());
    }
    let currency = order.currency;
    let facts = serde_json::json!({ "orderId": order.id, "amount": Money { amount, currency } });
    orders::note(tx, order.id, "refund_due", &facts)?;
    tx.publish("order.refund_due", order.id.uuid(), &facts);
    Ok(())
}
