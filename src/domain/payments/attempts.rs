//! What a provider is asked for after the authorisation. An attempt is recorded before the call, and what is pending counts
//! as done until it is known, so that no two of them together move more than there is.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::model::{AttemptRow, PaymentAttemptKind, PaymentAttemptStatus, PaymentEventKind};
use super::queries::{News, record};
use super::{PaymentRow, Standing};
use crate::context::Tx;
use crate::kernel::column::Id;
use crate::kernel::ids::{CheckoutId, OrderLineId, PaymentAttemptId, PaymentId};
use crate::kernel::money::sum;
use crate::kernel::{Batch, Code, Error, Kind, Result, Timestamp};
use crate::ports::payment::{Abilities, Captures, Move};
use crate::sabotage::Guard;
use crate::schema::payment_attempts;
use crate::{on, params};

/// What is asked for.
pub struct Wish {
    /// What.
    pub kind: PaymentAttemptKind,
    /// How much; all that can be had where nothing is said.
    pub amount: Option<i64>,
    /// Of a capture: whether the rest is to be let go.
    pub last: bool,
    /// Why.
    pub reason: Option<String>,
    /// Of a capture or refund: the units it is for.
    pub lines: Vec<AttemptLine>,
    /// Of a capture: the shipment it is for, which is captured once.
    pub shipment: Option<String>,
    /// The request it is made for, where that came with an idempotency key.
    pub claim: Option<Claimed>,
}

impl Wish {
    /// All that can be had.
    pub const fn new(kind: PaymentAttemptKind) -> Self {
        Self {
            kind,
            amount: None,
            last: false,
            reason: None,
            lines: Vec::new(),
            shipment: None,
            claim: None,
        }
    }
}

/// What a request with an idempotency key is known by: repeated, it goes on with the attempt that it made.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Who asks, for what, with which key.
    pub name: String,
    /// The hash of the request.
    pub fingerprint: Vec<u8>,
}

/// The attempt that a request has made before.
pub fn of_claim(tx: &mut Tx<'_>, claim: &Claimed) -> Result<Option<AttemptRow>> {
    let made: Option<AttemptRow> = on!(tx.conn, |c| payment_attempts::table
        .filter(payment_attempts::claim.eq(&claim.name))
        .select(AttemptRow::as_select())
        .first(c)
        .optional())?;
    if made
        .as_ref()
        .is_some_and(|a| a.claim_fingerprint.as_ref() != Some(&claim.fingerprint))
    {
        return Err(Error::key_reused());
    }
    Ok(made)
}

/// Units of an order's line that a capture or refund is for.
#[derive(Clone, Debug, Queryable)]
pub struct AttemptLine {
    /// The line.
    pub line_id: OrderLineId,
    /// Units.
    pub quantity: i64,
    /// What they come to, in minor units.
    pub amount: i64,
}

/// How much of a payment is still to be had, in minor units; what is pending counts as done.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    /// Reserved: to be captured or voided.
    pub reserved: i64,
    /// Here: to be sent back.
    pub here: i64,
    /// Of what is reserved, asked to be captured or voided by attempts of which nobody knows yet.
    pub moving: i64,
}

/// How much of a payment is still to be had.
pub fn left(tx: &mut Tx<'_>, payment: PaymentId, standing: &Standing) -> Result<Left> {
    let rows = tx.conn.rows::<(Text, BigInt), (PaymentAttemptKind, i64)>(
        "SELECT kind, amount FROM payment_attempts WHERE payment_id = ? AND status = 'pending'",
        params![payment],
    )?;
    let pending = |refund: bool| -> i64 {
        let counts = rows
            .iter()
            .filter(|(kind, _)| (*kind == PaymentAttemptKind::Refund) == refund);
        counts.map(|(_, amount)| amount).sum()
    };
    let moving = pending(false);
    Ok(Left {
        reserved: standing.outstanding.saturating_sub(moving).max(0),
        here: standing.kept().saturating_sub(pending(true)).max(0),
        moving,
    })
}

/// Records an attempt, or refuses what cannot be. The payment is locked.
pub fn begin(
    tx: &mut Tx<'_>,
    payment: &PaymentRow,
    standing: &Standing,
    abilities: Abilities,
    wish: Wish,
    check_at: Timestamp,
) -> Result<AttemptRow> {
    if let Some(claim) = &wish.claim
        && of_claim(tx, claim)?.is_some()
    {
        let detail = "The same request is being carried out; repeat it in a moment.";
        return Err(Error::new(Code::IdempotencyInProgress, detail));
    }
    let Left { reserved, here, .. } = left(tx, payment.id, standing)?;
    let captured_before = standing.captured > 0 || standing.outstanding > reserved;
    let refused = |detail: String| Err(Error::new(Code::InvalidState, detail));
    let (left, able, done) = match wish.kind {
        PaymentAttemptKind::Capture => (
            reserved,
            abilities.captures != Captures::None,
            "captured by the provider",
        ),
        PaymentAttemptKind::Void => (reserved, abilities.voids, "voided"),
        PaymentAttemptKind::Refund => (here, abilities.refunds, "refunded by the provider"),
    };
    if !able {
        return refused(format!(
            "A payment by {} cannot be {done}; record what happened with recordManualPayment.",
            payment.provider
        ));
    }
    if wish.kind == PaymentAttemptKind::Capture
        && abilities.captures == Captures::Once
        && captured_before
    {
        return refused("The provider captures a payment once, which has happened.".into());
    }
    if left == 0 {
        let nothing = match wish.kind {
            PaymentAttemptKind::Refund => "Nothing is captured that has not gone back",
            _ => "Nothing is reserved that could be captured or voided",
        };
        return refused(format!("{nothing}: the payment is {}.", standing.status));
    }
    let amount = wish.amount.unwrap_or(left);
    let too_much = amount > left && !tx.app().sabotage.removed(Guard::Money);
    if amount <= 0 || too_much {
        let most = payment.of(left);
        let message =
            format!("More than nothing, and at most {most}, what is left of the payment.");
        return Err(Error::field(
            Code::ValidationFailed,
            "/amount",
            "out_of_range",
            message,
        ));
    }
    let attempt = AttemptRow {
        last: wish.last,
        reason: wish.reason,
        next_check_at: Some(check_at),
        claim: wish.claim.as_ref().map(|claim| claim.name.clone()),
        claim_fingerprint: wish.claim.map(|claim| claim.fingerprint),
        shipment: wish.shipment,
        ..blank(tx, payment.id, wish.kind, amount)
    };
    let inserted = on!(tx.conn, |c| diesel::insert_into(payment_attempts::table)
        .values(&attempt)
        .execute(c));
    inserted.map_err(|error| match (error.into(), &attempt.shipment) {
        (
            Error {
                code: Code::AlreadyExists,
                ..
            },
            Some(shipment),
        ) => captured_already(shipment),
        (error, _) => error,
    })?;
    insert_lines(tx, attempt.id, &wish.lines)?;
    let kind = match wish.kind {
        PaymentAttemptKind::Capture => PaymentEventKind::ChargeRequest,
        PaymentAttemptKind::Void => PaymentEventKind::CancelRequest,
        PaymentAttemptKind::Refund => PaymentEventKind::RefundRequest,
    };
    record(
        tx,
        payment.id,
        &[News::new(kind, amount, attempt.id.to_string())],
    )?;
    Ok(attempt)
}

/// A new attempt, of which nobody knows yet.
fn blank(tx: &Tx<'_>, payment: PaymentId, kind: PaymentAttemptKind, amount: i64) -> AttemptRow {
    AttemptRow {
        id: PaymentAttemptId::new(),
        payment_id: payment,
        kind,
        amount,
        last: false,
        status: PaymentAttemptStatus::Pending,
        reason: None,
        failure: None,
        next_check_at: None,
        created_by: tx.actor().name(),
        created_at: tx.now,
        finished_at: None,
        claim: None,
        claim_fingerprint: None,
        shipment: None,
    }
}

/// Records a refund that people have made, for units of lines.
pub fn refunded_by_hand(
    tx: &mut Tx<'_>,
    payment: PaymentId,
    amount: i64,
    lines: &[AttemptLine],
) -> Result<()> {
    let made = AttemptRow {
        status: PaymentAttemptStatus::Succeeded,
        finished_at: Some(tx.now),
        ..blank(tx, payment, PaymentAttemptKind::Refund, amount)
    };
    on!(tx.conn, |c| diesel::insert_into(payment_attempts::table)
        .values(&made)
        .execute(c))?;
    insert_lines(tx, made.id, lines)
}

fn insert_lines(tx: &mut Tx<'_>, attempt: PaymentAttemptId, lines: &[AttemptLine]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let batch = Batch::new(
        &[
            ("line_id", Kind::Id),
            ("quantity", Kind::Int),
            ("amount", Kind::Int),
        ],
        lines
            .iter()
            .map(|l| [l.line_id.into(), l.quantity.into(), l.amount.into()]),
    );
    tx.conn.execute(
        "INSERT INTO payment_attempt_lines (attempt_id, line_id, quantity, amount)
         SELECT ?, x.line_id, x.quantity, x.amount FROM ? AS x",
        params![attempt, batch],
    )?;
    Ok(())
}

/// The units that each of a payment's attempts is for.
pub fn lines_of_payment(
    tx: &mut Tx<'_>,
    payment: PaymentId,
) -> Result<HashMap<PaymentAttemptId, Vec<AttemptLine>>> {
    let rows = tx.conn.rows::<(Id, (Id, BigInt, BigInt)), (PaymentAttemptId, AttemptLine)>(
        "SELECT l.attempt_id, l.line_id, l.quantity, l.amount FROM payment_attempts a
         JOIN payment_attempt_lines l ON l.attempt_id = a.id WHERE a.payment_id = ? ORDER BY l.line_id",
        params![payment],
    )?;
    let mut found: HashMap<PaymentAttemptId, Vec<AttemptLine>> = HashMap::new();
    for (attempt, line) in rows {
        found.entry(attempt).or_default().push(line);
    }
    Ok(found)
}

/// Units of an order's lines that were captured, and what they came to; what is pending counts as done.
pub fn captured_units(
    tx: &mut Tx<'_>,
    checkout: CheckoutId,
) -> Result<BTreeMap<OrderLineId, AttemptLine>> {
    let rows = tx.conn.rows::<(Id, BigInt, BigInt), AttemptLine>(
        "SELECT l.line_id, CAST(sum(l.quantity) AS bigint), CAST(sum(l.amount) AS bigint) FROM payments p
         JOIN payment_attempts a ON a.payment_id = p.id AND a.kind = 'capture' AND a.status <> 'failed'
         JOIN payment_attempt_lines l ON l.attempt_id = a.id WHERE p.checkout_id = ? GROUP BY l.line_id",
        params![checkout],
    )?;
    Ok(rows.into_iter().map(|line| (line.line_id, line)).collect())
}

/// What is being captured of a payment, and nobody knows yet.
pub fn capturing(tx: &mut Tx<'_>, payment: PaymentId) -> Result<i64> {
    let rows = tx.conn.rows::<BigInt, i64>(
        "SELECT amount FROM payment_attempts WHERE payment_id = ? AND kind = 'capture' AND status = 'pending'",
        params![payment],
    )?;
    Ok(rows.into_iter().sum())
}

/// What goes back of a checkout's payments for this reason; what is pending counts as done.
pub fn given_back(tx: &mut Tx<'_>, checkout: CheckoutId, reason: &str) -> Result<i64> {
    let rows = tx.conn.rows::<BigInt, i64>(
        "SELECT a.amount FROM payments p JOIN payment_attempts a ON a.payment_id = p.id
         WHERE p.checkout_id = ? AND a.kind = 'refund' AND a.reason = ? AND a.status <> 'failed'",
        params![checkout, reason],
    )?;
    Ok(rows.into_iter().sum())
}

/// Refunds of a checkout's payments that have not failed, in minor units.
#[derive(Clone, Copy, Debug)]
pub struct Refunds {
    /// Of these, on their way.
    pub pending: i64,
    /// Of these, for units of lines.
    pub of_units: i64,
}

/// What goes back of a checkout's payments.
pub fn refunds_of(tx: &mut Tx<'_>, checkout: CheckoutId) -> Result<Refunds> {
    let rows = tx.conn.rows::<(BigInt, BigInt), (i64, i64)>(
        "SELECT CASE WHEN a.status = 'pending' THEN a.amount ELSE 0 END,
             CASE WHEN EXISTS (SELECT 1 FROM payment_attempt_lines l WHERE l.attempt_id = a.id) THEN a.amount ELSE 0 END
         FROM payments p JOIN payment_attempts a ON a.payment_id = p.id
         WHERE p.checkout_id = ? AND a.kind = 'refund' AND a.status <> 'failed'",
        params![checkout],
    )?;
    Ok(Refunds {
        pending: sum(rows.iter().map(|(pending, _)| *pending))?,
        of_units: sum(rows.iter().map(|(_, of_units)| *of_units))?,
    })
}

/// Refuses a shipment that was captured before, or may have been.
pub fn refuse_captured(tx: &mut Tx<'_>, payment: PaymentId, shipment: &str) -> Result<()> {
    let found = tx.conn.rows::<Id, PaymentAttemptId>(
        "SELECT id FROM payment_attempts WHERE payment_id = ? AND shipment = ? AND status <> 'failed'",
        params![payment, shipment],
    )?;
    if found.is_empty() {
        return Ok(());
    }
    Err(captured_already(shipment))
}

fn captured_already(shipment: &str) -> Error {
    let message = format!("The shipment {shipment} was captured already.");
    Error::field(
        Code::AlreadyExists,
        "/shipment",
        "captured_already",
        message,
    )
}

/// The units that an attempt is for.
pub fn lines_of(tx: &mut Tx<'_>, id: PaymentAttemptId) -> Result<Vec<AttemptLine>> {
    tx.conn.rows::<(Id, BigInt, BigInt), AttemptLine>(
        "SELECT line_id, quantity, amount FROM payment_attempt_lines WHERE attempt_id = ? ORDER BY line_id",
        params![id],
    )
}

impl AttemptRow {
    /// What the provider is asked for.
    pub fn request(&self, payment: &PaymentRow) -> Move {
        Move {
            payment: payment.id,
            attempt: self.id,
            reference: payment.reference.clone().unwrap_or_default(),
            amount: payment.of(self.amount),
            of: payment.money(),
            last: self.last,
        }
    }
}

/// Finds an attempt.
pub fn find(tx: &mut Tx<'_>, id: PaymentAttemptId) -> Result<AttemptRow> {
    on!(tx.conn, |c| payment_attempts::table
        .find(id)
        .select(AttemptRow::as_select())
        .first(c)
        .optional())?
    .ok_or_else(|| Error::not_found("payment attempt"))
}

/// A payment's attempts, oldest first.
pub fn of_payment(tx: &mut Tx<'_>, payment: PaymentId) -> Result<Vec<AttemptRow>> {
    Ok(on!(tx.conn, |c| payment_attempts::table
        .filter(payment_attempts::payment_id.eq(payment))
        .order(payment_attempts::id)
        .select(AttemptRow::as_select())
        .load(c))?)
}

/// Ends an attempt; one that has ended stays as it is.
pub fn end(tx: &mut Tx<'_>, id: PaymentAttemptId, failure: Option<&str>) -> Result<()> {
    let now = tx.now;
    let status = if failure.is_some() {
        PaymentAttemptStatus::Failed
    } else {
        PaymentAttemptStatus::Succeeded
    };
    tx.conn.execute(
        "UPDATE payment_attempts SET status = ?, failure = ?, next_check_at = NULL, finished_at = ?
         WHERE id = ? AND status = 'pending'",
        params![status, failure, now, id],
    )?;
    Ok(())
}

/// Less was moved than an attempt was for, and no more will be.
pub fn cut(tx: &mut Tx<'_>, id: PaymentAttemptId, amount: i64) -> Result<()> {
    tx.conn.execute(
        "UPDATE payment_attempts SET amount = ? WHERE id = ? AND status = 'pending'",
        params![amount, id],
    )?;
    Ok(())
}

/// What an attempt had moved has come back: it has failed after all. Says whether that is news.
pub fn come_back(tx: &mut Tx<'_>, payment: PaymentId, id: PaymentAttemptId) -> Result<bool> {
    let ended = tx.conn.execute(
        "UPDATE payment_attempts SET status = 'failed', failure = 'returned'
         WHERE id = ? AND payment_id = ? AND status = 'succeeded'",
        params![id, payment],
    )?;
    Ok(ended == 1)
}

/// Says when somebody must ask what became of a pending attempt.
pub fn check_at(tx: &mut Tx<'_>, id: PaymentAttemptId, at: Timestamp) -> Result<()> {
    tx.conn.execute(
        "UPDATE payment_attempts SET next_check_at = ? WHERE id = ? AND status = 'pending'",
        params![at, id],
    )?;
    Ok(())
}

/// Attempts that somebody must ask about now.
pub fn due(tx: &mut Tx<'_>) -> Result<Vec<PaymentAttemptId>> {
    let now = tx.now;
    tx.conn.rows::<Id, PaymentAttemptId>(
        "SELECT id FROM payment_attempts WHERE next_check_at <= ? ORDER BY next_check_at LIMIT 100",
        params![now],
    )
}
