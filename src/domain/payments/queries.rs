use std::collections::HashMap;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::model::{Payment, PaymentEvent, PaymentEventKind, PaymentRow};
use super::standing::Standing;
use crate::context::Tx;
use crate::kernel::column::{Id, Ts};
use crate::kernel::ids::{CheckoutId, PaymentEventId, PaymentId};
use crate::kernel::{Batch, Currency, Document, Param, Result, Timestamp};
use crate::schema::payments;
use crate::{on, params};

/// Records an intent.
pub fn insert(tx: &mut Tx<'_>, payment: &PaymentRow) -> Result<()> {
    on!(tx.conn, |c| diesel::insert_into(payments::table)
        .values(payment)
        .execute(c))?;
    Ok(())
}

/// Finds a payment with its events: two statements.
pub fn find(tx: &mut Tx<'_>, id: PaymentId) -> Result<Option<(PaymentRow, Vec<PaymentEvent>)>> {
    let row = on!(tx.conn, |c| payments::table
        .find(id)
        .select(PaymentRow::as_select())
        .first(c)
        .optional())?;
    let Some(row) = row else { return Ok(None) };
    tx.flush()?;
    let events = tx.conn.rows::<(Text, BigInt), PaymentEvent>(
        "SELECT kind, amount FROM payment_events WHERE payment_id = ? ORDER BY sequence, id",
        params![id],
    )?;
    Ok(Some((row, events)))
}

/// Records what happened to a payment; news that is known already changes nothing.
pub fn record(
    tx: &mut Tx<'_>,
    payment: PaymentId,
    kind: PaymentEventKind,
    amount: i64,
    reference: &str,
    data: &Document,
) -> Result<()> {
    let now = tx.now;
    tx.later(
        "INSERT INTO payment_events (id, payment_id, sequence, kind, amount, provider_reference, data, created_at)
         SELECT ?, ?, COALESCE((SELECT max(e.sequence) FROM payment_events e WHERE e.payment_id = ?), 0) + 1, ?, ?, ?, ?, ?
         WHERE true ON CONFLICT (payment_id, kind, provider_reference) DO NOTHING",
        params![PaymentEventId::new(), payment, payment, kind, amount, reference, Param::doc(data), now],
    )
}

/// Says when somebody must ask what became of a payment; never, where nothing is said.
pub fn check_later(tx: &mut Tx<'_>, payment: PaymentId, after: Option<Duration>) -> Result<()> {
    let at = after.map(|after| tx.now.plus(after));
    tx.conn.execute(
        "UPDATE payments SET next_check_at = ? WHERE id = ?",
        params![at, payment],
    )?;
    Ok(())
}

/// Payments that somebody must ask about now.
pub fn due(tx: &mut Tx<'_>) -> Result<Vec<(PaymentId, CheckoutId)>> {
    let now = tx.now;
    tx.conn.rows::<(Id, Id), _>(
        "SELECT id, checkout_id FROM payments WHERE next_check_at <= ? ORDER BY next_check_at LIMIT 100",
        params![now],
    )
}

type Joined = (
    CheckoutId,
    PaymentId,
    String,
    String,
    Currency,
    i64,
    Timestamp,
    Option<PaymentEventKind>,
    Option<i64>,
);

/// The payment that each of these checkouts was placed with, as clients see it: one statement for any number.
pub fn of_checkouts(
    tx: &mut Tx<'_>,
    checkouts: impl Iterator<Item = CheckoutId>,
) -> Result<HashMap<CheckoutId, Payment>> {
    tx.flush()?;
    let rows = tx.conn.rows::<(Id, Id, Text, Text, Text, BigInt, Ts, Nullable<Text>, Nullable<BigInt>), Joined>(
        "SELECT k.id, p.id, p.provider, p.method, p.currency, p.amount, p.created_at, e.kind, e.amount
         FROM ? AS x JOIN checkouts k ON k.id = x.id JOIN payments p ON p.id = k.payment_id
         LEFT JOIN payment_events e ON e.payment_id = p.id ORDER BY k.id, e.sequence, e.id",
        params![Batch::ids(checkouts.map(CheckoutId::uuid))],
    )?;
    let mut found: HashMap<CheckoutId, (PaymentRow, Vec<PaymentEvent>)> = HashMap::new();
    for (checkout_id, id, provider, method, currency, amount, created_at, kind, happened) in rows {
        let (_, events) = found.entry(checkout_id).or_insert_with(|| {
            let row = PaymentRow {
                id,
                checkout_id,
                provider,
                method,
                token: None,
                currency,
                amount,
                next_check_at: None,
                created_at,
            };
            (row, Vec::new())
        });
        events.extend(
            kind.zip(happened)
                .map(|(kind, amount)| PaymentEvent { kind, amount }),
        );
    }
    Ok(found
        .into_iter()
        .map(|(id, (row, events))| (id, Standing::of(&events).into_payment(row)))
        .collect())
}
