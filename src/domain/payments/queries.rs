use std::collections::{HashMap, HashSet};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::model::{Payment, PaymentEvent, PaymentEventKind, PaymentRow, Session};
use super::standing::Standing;
use crate::context::Tx;
use crate::kernel::column::{Doc, Id, Ts};
use crate::kernel::ids::{CheckoutId, PaymentEventId, PaymentId};
use crate::kernel::{Batch, Currency, Document, Error, Json, Kind, Param, Result, Timestamp};
use crate::ports::payment::Authorize;
use crate::sabotage::Guard;
use crate::schema::payments;
use crate::{on, params};

/// The last payment that is to take the place of another's reserved money.
pub fn replacement_of(tx: &mut Tx<'_>, id: PaymentId) -> Result<Option<PaymentId>> {
    let rows = tx.conn.rows::<Id, PaymentId>(
        "SELECT id FROM payments WHERE replaces_id = ? ORDER BY id DESC LIMIT 1",
        params![id],
    )?;
    Ok(rows.into_iter().next())
}

/// How many payments of a checkout took the place of others, or were to.
pub fn replacements(tx: &mut Tx<'_>, checkout: CheckoutId) -> Result<i64> {
    let rows = tx.conn.rows::<BigInt, i64>(
        "SELECT count(*) FROM payments WHERE checkout_id = ? AND replaces_id IS NOT NULL",
        params![checkout],
    )?;
    Ok(rows.into_iter().sum())
}

/// Records intents, in one statement.
pub fn insert(tx: &mut Tx<'_>, rows: &[PaymentRow]) -> Result<()> {
    on!(tx.conn, |c| diesel::insert_into(payments::table)
        .values(rows)
        .execute(c))?;
    Ok(())
}

/// Finds a payment with its events: two statements.
pub fn find(tx: &mut Tx<'_>, id: PaymentId) -> Result<Option<(PaymentRow, Vec<PaymentEvent>)>> {
    let Some(row) = row(tx, id)? else {
        return Ok(None);
    };
    let events = events_of(tx, id)?;
    Ok(Some((row, events)))
}

/// A payment without its events.
pub fn row(tx: &mut Tx<'_>, id: PaymentId) -> Result<Option<PaymentRow>> {
    let row = on!(tx.conn, |c| payments::table
        .find(id)
        .select(PaymentRow::as_select())
        .first(c)
        .optional())?;
    Ok(row)
}

/// Finds a payment and keeps others from moving its money until the transaction ends.
pub fn lock(tx: &mut Tx<'_>, id: PaymentId) -> Result<(PaymentRow, Vec<PaymentEvent>)> {
    if tx.conn.is_postgres() && !tx.app().sabotage.removed(Guard::Money) {
        tx.conn.rows::<Id, PaymentId>(
            "SELECT id FROM payments WHERE id = ? FOR UPDATE",
            params![id],
        )?;
    }
    find(tx, id)?.ok_or_else(|| Error::not_found("payment"))
}

/// The checkout that a payment is for.
pub fn checkout_of(tx: &mut Tx<'_>, id: PaymentId) -> Result<CheckoutId> {
    let rows = tx
        .conn
        .rows::<Id, CheckoutId>("SELECT checkout_id FROM payments WHERE id = ?", params![id])?;
    rows.into_iter()
        .next()
        .ok_or_else(|| Error::not_found("payment"))
}

/// The payments of a checkout, oldest first.
pub fn ids_of(tx: &mut Tx<'_>, checkout: CheckoutId) -> Result<Vec<PaymentId>> {
    tx.conn.rows::<Id, PaymentId>(
        "SELECT id FROM payments WHERE checkout_id = ? ORDER BY id",
        params![checkout],
    )
}

fn events_of(tx: &mut Tx<'_>, id: PaymentId) -> Result<Vec<PaymentEvent>> {
    tx.flush()?;
    tx.conn.rows::<(Text, BigInt), PaymentEvent>(
        "SELECT kind, amount FROM payment_events WHERE payment_id = ? ORDER BY sequence, id",
        params![id],
    )
}

/// The payment, if there is one.
pub fn known(tx: &mut Tx<'_>, id: PaymentId) -> Result<Option<PaymentId>> {
    let text = "SELECT id FROM payments WHERE id = ?";
    let rows = tx.conn.rows::<Id, PaymentId>(text, params![id])?;
    Ok(rows.into_iter().next())
}

/// The payment that its provider calls this.
pub fn by_reference(tx: &mut Tx<'_>, provider: &str, reference: &str) -> Result<Option<PaymentId>> {
    let rows = tx.conn.rows::<Id, PaymentId>(
        "SELECT id FROM payments WHERE provider = ? AND reference = ? ORDER BY id LIMIT 1",
        params![provider, reference],
    )?;
    Ok(rows.into_iter().next())
}

/// Something that became known of a payment.
#[derive(Clone, Debug)]
pub struct News {
    /// What happened.
    pub kind: PaymentEventKind,
    /// How much it is about, in minor units.
    pub amount: i64,
    /// What the provider calls it.
    pub reference: String,
    /// What there is to know about it.
    pub data: Document,
}

impl News {
    /// News without anything more to know.
    pub fn new(kind: PaymentEventKind, amount: i64, reference: impl Into<String>) -> Self {
        Self {
            kind,
            amount,
            reference: reference.into(),
            data: Document::default(),
        }
    }

    /// The provider is asked to reserve so much, with this key.
    pub fn asked(request: &Authorize) -> Self {
        let kind = PaymentEventKind::AuthorizationRequest;
        Self::new(kind, request.amount.amount, request.key())
    }

    /// The time of so much reserved money is over; or of nothing yet, that of the shopper.
    pub fn expired(payment: PaymentId, amount: i64) -> Self {
        let reference = format!("{payment}:expired:{amount}");
        Self::new(PaymentEventKind::Expired, amount, reference)
    }

    /// The provider refused to reserve so much. Each reason is news of its own.
    pub fn refused(payment: PaymentId, amount: i64, reason: &str) -> Self {
        let kind = PaymentEventKind::AuthorizationFailure;
        Self::new(kind, amount, format!("{payment}:{reason}")).with("reason", reason)
    }

    /// With a fact.
    #[must_use]
    pub fn with(mut self, name: &str, fact: &str) -> Self {
        self.data.0.insert(name.to_owned(), fact.into());
        self
    }
}

/// Records what happened to a payment, in one statement; news that is known already changes nothing.
pub fn record(tx: &mut Tx<'_>, payment: PaymentId, news: &[News]) -> Result<()> {
    if news.is_empty() {
        return Ok(());
    }
    let batch = Batch::new(
        &[
            ("id", Kind::Id),
            ("place", Kind::Int),
            ("kind", Kind::Text),
            ("amount", Kind::Int),
            ("reference", Kind::Text),
            ("data", Kind::Doc),
        ],
        news.iter().zip(1_i64..).map(|(news, place)| {
            [
                PaymentEventId::new().into(),
                place.into(),
                news.kind.into(),
                news.amount.into(),
                news.reference.as_str().into(),
                Param::doc(&news.data),
            ]
        }),
    );
    let now = tx.now;
    tx.later(
        "INSERT INTO payment_events (id, payment_id, sequence, kind, amount, provider_reference, data, created_at)
         SELECT x.id, ?, COALESCE((SELECT max(e.sequence) FROM payment_events e WHERE e.payment_id = ?), 0) + x.place,
             x.kind, x.amount, x.reference, x.data, ?
         FROM ? AS x WHERE true ON CONFLICT (payment_id, kind, provider_reference) DO NOTHING",
        params![payment, payment, now, batch],
    )
}

/// Records what happened to several payments that nothing has happened to before, in one statement.
pub fn record_first(tx: &mut Tx<'_>, news: &[(PaymentId, Vec<News>)]) -> Result<()> {
    let rows = news.iter().flat_map(|(payment, news)| {
        news.iter().zip(1_i64..).map(|(news, place)| {
            [
                PaymentEventId::new().into(),
                (*payment).into(),
                place.into(),
                news.kind.into(),
                news.amount.into(),
                news.reference.as_str().into(),
                Param::doc(&news.data),
            ]
        })
    });
    let batch = Batch::new(
        &[
            ("id", Kind::Id),
            ("payment_id", Kind::Id),
            ("place", Kind::Int),
            ("kind", Kind::Text),
            ("amount", Kind::Int),
            ("reference", Kind::Text),
            ("data", Kind::Doc),
        ],
        rows,
    );
    let now = tx.now;
    tx.later(
        "INSERT INTO payment_events (id, payment_id, sequence, kind, amount, provider_reference, data, created_at)
         SELECT x.id, x.payment_id, x.place, x.kind, x.amount, x.reference, x.data, ? FROM ? AS x",
        params![now, batch],
    )
}

/// Keeps what a provider says of a payment besides money: its name for it, what the client needs, facts, and until when
/// reserved money must be captured.
pub fn describe(tx: &mut Tx<'_>, payment: &PaymentRow) -> Result<()> {
    on!(tx.conn, |c| diesel::update(
        payments::table.find(payment.id)
    )
    .set((
        payments::reference.eq(&payment.reference),
        payments::session.eq(&payment.session),
        payments::facts.eq(&payment.facts),
        payments::expires_at.eq(payment.expires_at),
    ))
    .execute(c))?;
    Ok(())
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

type JoinedSql = (
    Id,
    Id,
    Text,
    Text,
    Text,
    BigInt,
    Ts,
    Nullable<Text>,
    Nullable<Doc>,
    Nullable<Ts>,
    Nullable<Text>,
    Nullable<BigInt>,
);
type Joined = (
    CheckoutId,
    PaymentId,
    String,
    String,
    Currency,
    i64,
    Timestamp,
    Option<String>,
    Option<Json<Session>>,
    Option<Timestamp>,
    Option<PaymentEventKind>,
    Option<i64>,
);

/// The payments of each of these checkouts, oldest first, as clients see them: one statement for any number.
pub fn of_checkouts(
    tx: &mut Tx<'_>,
    checkouts: impl Iterator<Item = CheckoutId>,
) -> Result<HashMap<CheckoutId, Vec<Payment>>> {
    tx.flush()?;
    let rows = tx.conn.rows::<JoinedSql, Joined>(
        "SELECT p.checkout_id, p.id, p.provider, p.method, p.currency, p.amount, p.created_at, p.reference, p.session,
             p.expires_at, e.kind, e.amount
         FROM ? AS x JOIN payments p ON p.checkout_id = x.id
         LEFT JOIN payment_events e ON e.payment_id = p.id ORDER BY p.id, e.sequence, e.id",
        params![Batch::ids(checkouts.map(CheckoutId::uuid))],
    )?;
    let mut found: HashMap<CheckoutId, Vec<(PaymentRow, Vec<PaymentEvent>)>> = HashMap::new();
    for row in rows {
        let (
            checkout_id,
            id,
            provider,
            method,
            currency,
            amount,
            created_at,
            reference,
            session,
            expires_at,
            kind,
            happened,
        ) = row;
        let of_checkout = found.entry(checkout_id).or_default();
        if of_checkout.last().is_none_or(|(last, _)| last.id != id) {
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
                reference,
                session,
                facts: None,
                expires_at,
                replaces_id: None,
            };
            of_checkout.push((row, Vec::new()));
        }
        if let (Some((_, events)), Some((kind, amount))) =
            (of_checkout.last_mut(), kind.zip(happened))
        {
            events.push(PaymentEvent { kind, amount });
        }
    }
    let seen =
        |(row, events): (PaymentRow, Vec<PaymentEvent>)| Standing::of(&events).into_payment(row);
    Ok(found
        .into_iter()
        .map(|(id, payments)| (id, payments.into_iter().map(seen).collect()))
        .collect())
}

/// The kinds and references of a payment's events.
pub fn references(tx: &mut Tx<'_>, payment: PaymentId) -> Result<HashSet<(String, String)>> {
    let rows = tx.conn.rows::<(Text, Text), (String, String)>(
        "SELECT kind, provider_reference FROM payment_events WHERE payment_id = ?",
        params![payment],
    )?;
    Ok(rows.into_iter().collect())
}

/// The amount that is known to have happened to a payment under this reference.
pub fn known_amount(
    tx: &mut Tx<'_>,
    payment: PaymentId,
    kind: PaymentEventKind,
    reference: &str,
) -> Result<Option<i64>> {
    let found = tx.conn.rows::<BigInt, i64>(
        "SELECT amount FROM payment_events WHERE payment_id = ? AND kind = ? AND provider_reference = ?",
        params![payment, kind, reference],
    )?;
    Ok(found.into_iter().next())
}

/// Payments as clients see them, in the order they were given in: one statement more for any number.
pub fn complete(tx: &mut Tx<'_>, rows: Vec<PaymentRow>) -> Result<Vec<Payment>> {
    let found = tx.conn.rows::<(Id, Text, BigInt), (PaymentId, PaymentEventKind, i64)>(
        "SELECT e.payment_id, e.kind, e.amount FROM ? AS x JOIN payment_events e ON e.payment_id = x.id
         ORDER BY e.payment_id, e.sequence, e.id",
        params![Batch::ids(rows.iter().map(|row| row.id.uuid()))],
    )?;
    let mut events: HashMap<PaymentId, Vec<PaymentEvent>> = HashMap::new();
    for (id, kind, amount) in found {
        events
            .entry(id)
            .or_default()
            .push(PaymentEvent { kind, amount });
    }
    Ok(rows
        .into_iter()
        .map(|row| {
            let own = events.remove(&row.id).unwrap_or_default();
            Standing::of(&own).into_payment(row)
        })
        .collect())
}

/// What is known of the instruments that a checkout is paid with, and of their risk, payment by payment.
pub fn facts_of(tx: &mut Tx<'_>, checkout: CheckoutId) -> Result<Vec<Document>> {
    let rows = tx.conn.rows::<Doc, Json<Document>>(
        "SELECT facts FROM payments WHERE checkout_id = ? AND facts IS NOT NULL ORDER BY id",
        params![checkout],
    )?;
    Ok(rows.into_iter().map(|facts| facts.0).collect())
}

/// What a payment's provider called it when it was authorised.
pub fn reference_of(tx: &mut Tx<'_>, payment: PaymentId) -> Result<String> {
    let rows = tx.conn.rows::<Text, String>(
        "SELECT provider_reference FROM payment_events
         WHERE payment_id = ? AND kind = 'authorization_success' ORDER BY sequence LIMIT 1",
        params![payment],
    )?;
    Ok(rows.into_iter().next().unwrap_or_default())
}
