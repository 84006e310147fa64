use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use uuid::Uuid;

use super::model::CreditTermsStatus;
use super::{ListCreditTerms, ListOverdueInvoices};
use crate::context::Tx;
use crate::kernel::column::{Id, Ts};
use crate::kernel::ids::{CreditTermsId, OrderId};
use crate::kernel::page::PageRequest;
use crate::kernel::{Batch, Currency, Email, Result, Timestamp};
use crate::params;
use crate::sabotage::Guard;

/// Terms as the database has them.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct TermsRow {
    pub id: CreditTermsId,
    pub email: Email,
    pub company: Option<String>,
    pub currency: Currency,
    pub limit: i64,
    pub net_days: i64,
    pub status: CreditTermsStatus,
    pub hold_after_days: Option<i64>,
    pub note: Option<String>,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

const COLUMNS: &str = "id, email, company, currency, credit_limit, net_days, status, hold_after_days, note, version, created_at, updated_at";
type TermsSql = (
    Id,
    Text,
    Nullable<Text>,
    Text,
    BigInt,
    BigInt,
    Text,
    Nullable<BigInt>,
    Nullable<Text>,
    BigInt,
    Ts,
    Ts,
);
fn rows(tx: &mut Tx<'_>, text: &str, params: Vec<crate::kernel::Param>) -> Result<Vec<TermsRow>> {
    tx.conn.rows::<TermsSql, TermsRow>(text, params)
}

/// The terms with this id.
pub fn find(tx: &mut Tx<'_>, id: CreditTermsId) -> Result<Option<TermsRow>> {
    let text = format!("SELECT {COLUMNS} FROM credit_terms WHERE id = ?");
    Ok(rows(tx, &text, params![id])?.pop())
}

/// The terms of a customer.
pub fn of(tx: &mut Tx<'_>, email: &Email, currency: Currency) -> Result<Option<TermsRow>> {
    let text = format!("SELECT {COLUMNS} FROM credit_terms WHERE email = ? AND currency = ?");
    Ok(rows(tx, &text, params![email, currency.as_str()])?.pop())
}

/// The terms of a customer, kept from others until the transaction ends.
pub fn lock(tx: &mut Tx<'_>, email: &Email, currency: Currency) -> Result<Option<TermsRow>> {
    if tx.conn.is_postgres() && !tx.app().sabotage.removed(Guard::CreditLimitLock) {
        tx.conn.rows::<Id, CreditTermsId>(
            "SELECT id FROM credit_terms WHERE email = ? AND currency = ? FOR UPDATE",
            params![email, currency.as_str()],
        )?;
    }
    of(tx, email, currency)
}

pub fn insert(tx: &mut Tx<'_>, row: &TermsRow) -> Result<()> {
    tx.conn.execute(
        &format!(
            "INSERT INTO credit_terms ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        ),
        params![
            row.id,
            &row.email,
            row.company.as_deref(),
            row.currency.as_str(),
            row.limit,
            row.net_days,
            row.status,
            row.hold_after_days,
            row.note.as_deref(),
            row.version,
            row.created_at,
            row.updated_at
        ],
    )?;
    Ok(())
}

pub fn update(tx: &mut Tx<'_>, row: &TermsRow) -> Result<()> {
    tx.conn.execute(
        "UPDATE credit_terms SET company = ?, credit_limit = ?, net_days = ?, status = ?, hold_after_days = ?, note = ?,
             version = ?, updated_at = ? WHERE id = ?",
        params![
            row.company.as_deref(),
            row.limit,
            row.net_days,
            row.status,
            row.hold_after_days,
            row.note.as_deref(),
            row.version,
            row.updated_at,
            row.id
        ],
    )?;
    Ok(())
}

pub fn list(
    tx: &mut Tx<'_>,
    wishes: &ListCreditTerms,
    page: &PageRequest,
) -> Result<Vec<TermsRow>> {
    let before = page
        .after
        .as_ref()
        .map_or(Uuid::max(), |position| position.id);
    let text = format!(
        "SELECT {COLUMNS} FROM credit_terms WHERE id < ? AND email = COALESCE(?, email)
             AND status = COALESCE(?, status) ORDER BY id DESC LIMIT ?"
    );
    let status = wishes.status.map(CreditTermsStatus::as_str);
    rows(
        tx,
        &text,
        params![before, wishes.email.as_ref(), status, page.fetch()],
    )
}

// What is owed follows from tables of orders and payments, which are only read here: one statement, whatever there is.

/// What the payment `p` still awaits.
const OWED: &str = "(SELECT COALESCE(sum(CASE WHEN e.kind = 'awaited' THEN e.amount
         WHEN e.kind IN ('charge_success', 'cancel_success') THEN -e.amount ELSE 0 END), 0)
     FROM payment_events e WHERE e.payment_id = p.id)";

/// What is owed on each of these terms, in minor units.
pub fn exposures(
    tx: &mut Tx<'_>,
    terms: impl Iterator<Item = CreditTermsId>,
) -> Result<HashMap<CreditTermsId, i64>> {
    let text = format!(
        "SELECT d.id, CAST(COALESCE(sum(CASE WHEN d.owed > 0 THEN d.owed ELSE 0 END), 0) AS bigint)
         FROM (SELECT t.id, {OWED} AS owed FROM ? AS w JOIN credit_terms t ON t.id = w.id
               JOIN orders o ON o.email = t.email AND o.currency = t.currency AND o.due_at IS NOT NULL
               JOIN payments p ON p.checkout_id = o.checkout_id AND p.provider = 'manual'
               WHERE o.status <> 'cancelled') AS d GROUP BY d.id"
    );
    let found = tx.conn.rows::<(Id, BigInt), (CreditTermsId, i64)>(
        &text,
        params![Batch::ids(terms.map(CreditTermsId::uuid))],
    )?;
    Ok(found.into_iter().collect())
}

/// An unpaid invoice.
pub type Overdue = (OrderId, String, Email, Currency, Timestamp, i64);

/// Invoices that should have been paid by now, the longest overdue first.
pub fn overdue(
    tx: &mut Tx<'_>,
    wishes: &ListOverdueInvoices,
    page: &PageRequest,
) -> Result<Vec<Overdue>> {
    let after = page.after.as_ref();
    let since = Timestamp::from_micros(after.and_then(|a| a.key.int()).unwrap_or_default());
    let id = after.map_or(Uuid::nil(), |a| a.id);
    let text = format!(
        "SELECT d.id, d.number, d.email, d.currency, d.due_at, CAST(d.owed AS bigint)
         FROM (SELECT o.id, o.number, o.email, o.currency, o.due_at, {OWED} AS owed FROM orders o
               JOIN payments p ON p.checkout_id = o.checkout_id AND p.provider = 'manual'
               WHERE o.due_at IS NOT NULL AND o.due_at < ? AND (o.due_at, o.id) > (?, ?) AND o.status <> 'cancelled'
                 AND o.email = COALESCE(?, o.email)) AS d
         WHERE d.owed > 0 ORDER BY d.due_at, d.id LIMIT ?"
    );
    let now = tx.now;
    tx.conn.rows::<(Id, Text, Text, Text, Ts, BigInt), Overdue>(
        &text,
        params![now, since, id, wishes.email.as_ref(), page.fetch()],
    )
}

/// Puts terms on hold on which something has been overdue for too long; says which.
pub fn hold_overdue(tx: &mut Tx<'_>) -> Result<Vec<(CreditTermsId, String)>> {
    let ago = if tx.conn.is_postgres() {
        "CAST(? AS timestamptz) - credit_terms.hold_after_days * interval '1 day'"
    } else {
        "? - credit_terms.hold_after_days * 86400000000"
    };
    let text = format!(
        "UPDATE credit_terms SET status = 'hold', version = version + 1, updated_at = ?
         WHERE status = 'active' AND hold_after_days IS NOT NULL AND EXISTS (
             SELECT 1 FROM orders o JOIN payments p ON p.checkout_id = o.checkout_id AND p.provider = 'manual'
             WHERE o.email = credit_terms.email AND o.currency = credit_terms.currency
               AND o.due_at IS NOT NULL AND o.due_at < {ago} AND o.status <> 'cancelled' AND {OWED} > 0)
         RETURNING id, email"
    );
    let now = tx.now;
    tx.conn
        .rows::<(Id, Text), (CreditTermsId, String)>(&text, params![now, now])
}
