use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::ListGiftCards;
use super::codes;
use super::model::{AccountRow, CreditEntryKind, CreditKind, EntryRow};
use super::spending::Share;
use crate::context::Tx;
use crate::kernel::column::{Id, Ts};
use crate::kernel::ids::{CreditAccountId, CreditEntryId, PaymentAttemptId, PaymentId};
use crate::kernel::page::PageRequest;
use crate::kernel::{Batch, Currency, Document, Email, Error, Kind, Param, Result, Timestamp};
use crate::sabotage::Guard;
use crate::schema::{credit_accounts, credit_entries};
use crate::{on, params};

/// Nobody puts more on an account, in minor units: far from where numbers end.
pub const MOST: i64 = 1_000_000_000_000;

/// Finds an account.
pub fn find(tx: &mut Tx<'_>, id: CreditAccountId) -> Result<Option<AccountRow>> {
    Ok(on!(tx.conn, |c| credit_accounts::table
        .find(id)
        .select(AccountRow::as_select())
        .first(c)
        .optional())?)
}

/// Finds a gift card; store credit is none.
pub fn find_card(tx: &mut Tx<'_>, id: CreditAccountId) -> Result<AccountRow> {
    find(tx, id)?
        .filter(|row| row.kind == CreditKind::GiftCard)
        .ok_or_else(|| Error::not_found("gift card"))
}

/// The accounts with these hashes of codes.
pub fn by_hashes(tx: &mut Tx<'_>, hashes: &[String]) -> Result<Vec<AccountRow>> {
    Ok(on!(tx.conn, |c| credit_accounts::table
        .filter(credit_accounts::code_hash.eq_any(hashes))
        .select(AccountRow::as_select())
        .load(c))?)
}

/// The store credit of an e-mail address.
pub fn store_credit(
    tx: &mut Tx<'_>,
    email: &Email,
    currency: Currency,
) -> Result<Option<AccountRow>> {
    Ok(on!(tx.conn, |c| credit_accounts::table
        .filter(credit_accounts::kind.eq(CreditKind::StoreCredit))
        .filter(credit_accounts::email.eq(email))
        .filter(credit_accounts::currency.eq(currency))
        .select(AccountRow::as_select())
        .first(c)
        .optional())?)
}

pub fn list_cards(
    tx: &mut Tx<'_>,
    wanted: &ListGiftCards,
    page: &PageRequest,
) -> Result<Vec<AccountRow>> {
    Ok(on!(tx.conn, |c| {
        let mut query = credit_accounts::table
            .filter(credit_accounts::kind.eq(CreditKind::GiftCard))
            .order(credit_accounts::id.desc())
            .limit(page.fetch())
            .select(AccountRow::as_select())
            .into_boxed();
        if let Some(status) = wanted.status {
            query = query.filter(credit_accounts::status.eq(status));
        }
        if let Some(last4) = &wanted.last4 {
            query = query.filter(credit_accounts::last4.eq(codes::normalise(last4)));
        }
        if let Some(email) = &wanted.email {
            query = query.filter(credit_accounts::email.eq(email));
        }
        if let Some(after) = &page.after {
            query = query.filter(credit_accounts::id.lt(CreditAccountId::from_uuid(after.id)));
        }
        query.load(c)
    })?)
}

pub fn list_entries(
    tx: &mut Tx<'_>,
    account: CreditAccountId,
    page: &PageRequest,
) -> Result<Vec<EntryRow>> {
    Ok(on!(tx.conn, |c| {
        let mut query = credit_entries::table
            .filter(credit_entries::account_id.eq(account))
            .order(credit_entries::id.desc())
            .limit(page.fetch())
            .select(EntryRow::as_select())
            .into_boxed();
        if let Some(after) = &page.after {
            query = query.filter(credit_entries::id.lt(CreditEntryId::from_uuid(after.id)));
        }
        query.load(c)
    })?)
}

/// What new gift cards have in common.
pub struct NewCards<'a> {
    pub amount: i64,
    pub currency: Currency,
    pub email: Option<Email>,
    pub expires_at: Option<Timestamp>,
    pub note: Option<&'a str>,
    pub metadata: &'a Document,
}

/// Writes new gift cards, each with the hash and the last characters of its code: one statement for any number.
pub fn insert_cards(
    tx: &mut Tx<'_>,
    new: &NewCards<'_>,
    cards: &[(CreditAccountId, String, String)],
) -> Result<()> {
    let batch = Batch::new(
        &[
            ("id", Kind::Id),
            ("code_hash", Kind::Text),
            ("last4", Kind::Text),
        ],
        cards
            .iter()
            .map(|(id, hash, last4)| [(*id).into(), hash.as_str().into(), last4.as_str().into()]),
    );
    let now = tx.now;
    tx.conn.execute(
        "INSERT INTO credit_accounts (id, kind, code_hash, last4, email, currency, balance, status, expires_at, note,
             metadata, version, created_at, updated_at)
         SELECT x.id, 'gift_card', x.code_hash, x.last4, ?, ?, ?, 'active', ?, ?, ?, 1, ?, ? FROM ? AS x",
        params![
            new.email.as_ref(),
            new.currency.as_str(),
            new.amount,
            new.expires_at,
            new.note,
            Param::doc(new.metadata),
            now,
            now,
            batch
        ],
    )?;
    Ok(())
}

/// Sees to it that an e-mail address has store credit in a currency, be it nothing.
pub fn ensure_store_credit(tx: &mut Tx<'_>, email: &Email, currency: Currency) -> Result<()> {
    let now = tx.now;
    tx.conn.execute(
        "INSERT INTO credit_accounts (id, kind, email, currency, balance, status, metadata, version, created_at, updated_at)
         VALUES (?, 'store_credit', ?, ?, 0, 'active', ?, 1, ?, ?)
         ON CONFLICT (email, currency) WHERE kind = 'store_credit' DO NOTHING",
        params![
            CreditAccountId::new(),
            email,
            currency.as_str(),
            Param::doc(&Document::default()),
            now,
            now
        ],
    )?;
    Ok(())
}

/// Adds to a balance, or takes from it, between nothing and `most`; does nothing where it would leave that.
pub fn shift(
    tx: &mut Tx<'_>,
    id: CreditAccountId,
    amount: i64,
    most: i64,
) -> Result<Option<AccountRow>> {
    let now = tx.now;
    Ok(on!(tx.conn, |c| diesel::update(
        credit_accounts::table
            .find(id)
            .filter(credit_accounts::balance.ge(-amount))
            .filter(credit_accounts::balance.le(most - amount)),
    )
    .set((
        credit_accounts::balance.eq(credit_accounts::balance + amount),
        credit_accounts::version.eq(credit_accounts::version + 1),
        credit_accounts::updated_at.eq(now),
    ))
    .returning(AccountRow::as_returning())
    .get_result(c)
    .optional())?)
}

/// A gift card, which nobody else changes or spends until the transaction ends.
pub fn lock_card(tx: &mut Tx<'_>, id: CreditAccountId) -> Result<AccountRow> {
    let row: Option<AccountRow> = on!(tx.conn, |c| diesel::update(
        credit_accounts::table
            .find(id)
            .filter(credit_accounts::kind.eq(CreditKind::GiftCard)),
    )
    .set(credit_accounts::status.eq(credit_accounts::status))
    .returning(AccountRow::as_returning())
    .get_result(c)
    .optional())?;
    row.ok_or_else(|| Error::not_found("gift card"))
}

/// Writes whether a gift card that is locked may be spent, and until when, and raises its version.
pub fn set_status(tx: &mut Tx<'_>, card: &mut AccountRow) -> Result<()> {
    card.version += 1;
    card.updated_at = tx.now;
    on!(tx.conn, |c| diesel::update(
        credit_accounts::table.find(card.id)
    )
    .set((
        credit_accounts::status.eq(card.status),
        credit_accounts::expires_at.eq(card.expires_at),
        credit_accounts::version.eq(card.version),
        credit_accounts::updated_at.eq(card.updated_at),
    ))
    .execute(c))?;
    Ok(())
}

/// A change of a balance, to be written.
pub struct NewEntry<'a> {
    pub account: CreditAccountId,
    pub kind: CreditEntryKind,
    pub amount: i64,
    pub reason: Option<&'a str>,
    pub payment: Option<PaymentId>,
    pub attempt: Option<PaymentAttemptId>,
}

impl NewEntry<'_> {
    pub fn new(account: CreditAccountId, kind: CreditEntryKind, amount: i64) -> Self {
        Self {
            account,
            kind,
            amount,
            reason: None,
            payment: None,
            attempt: None,
        }
    }
}

/// Writes entries in one statement.
pub fn write_entries<'a>(
    tx: &mut Tx<'_>,
    entries: impl Iterator<Item = NewEntry<'a>>,
) -> Result<()> {
    let batch = Batch::new(
        &[
            ("id", Kind::Id),
            ("account_id", Kind::Id),
            ("kind", Kind::Text),
            ("amount", Kind::Int),
            ("reason", Kind::Text),
            ("payment_id", Kind::Id),
            ("attempt_id", Kind::Id),
        ],
        entries.map(|entry| {
            [
                CreditEntryId::new().into(),
                entry.account.into(),
                entry.kind.into(),
                entry.amount.into(),
                entry.reason.into(),
                entry.payment.into(),
                entry.attempt.into(),
            ]
        }),
    );
    let (actor, now) = (tx.actor().name(), tx.now);
    tx.later(
        "INSERT INTO credit_entries (id, account_id, kind, amount, reason, payment_id, attempt_id, actor, created_at)
         SELECT x.id, x.account_id, x.kind, x.amount, x.reason, x.payment_id, x.attempt_id, ?, ? FROM ? AS x",
        params![actor, now, batch],
    )
}

/// Keeps others from changing accounts until the transaction ends, always in the order of their ids.
pub fn lock(tx: &mut Tx<'_>, ids: impl Iterator<Item = CreditAccountId>) -> Result<()> {
    if tx.conn.is_postgres() {
        tx.conn.rows::<Id, CreditAccountId>(
            "SELECT a.id FROM credit_accounts a JOIN ? AS x ON x.id = a.id ORDER BY a.id FOR UPDATE OF a",
            params![Batch::ids(ids.map(CreditAccountId::uuid))],
        )?;
    }
    Ok(())
}

fn shares_batch(shares: &[Share]) -> Batch {
    Batch::new(
        &[("account_id", Kind::Id), ("amount", Kind::Int)],
        shares
            .iter()
            .map(|share| [share.account_id.into(), share.amount.into()]),
    )
}

/// Takes from each account what it is to pay, where it can; answers which could.
pub fn take(tx: &mut Tx<'_>, shares: &[Share]) -> Result<Vec<CreditAccountId>> {
    let now = tx.now;
    let guard = if tx.app().sabotage.removed(Guard::Credit) {
        ""
    } else {
        "AND balance >= x.amount"
    };
    let text = format!(
        "UPDATE credit_accounts SET balance = balance - x.amount, version = version + 1, updated_at = ?
         FROM ? AS x
         WHERE id = x.account_id {guard} AND status = 'active' AND (expires_at IS NULL OR expires_at > ?)
         RETURNING id"
    );
    tx.conn
        .rows::<Id, CreditAccountId>(&text, params![now, shares_batch(shares), now])
}

/// The accounts that can pay what they are to, as far as can be seen without a lock.
pub fn able(tx: &mut Tx<'_>, shares: &[Share]) -> Result<Vec<CreditAccountId>> {
    let now = tx.now;
    tx.conn.rows::<Id, CreditAccountId>(
        "SELECT a.id FROM ? AS x JOIN credit_accounts a ON a.id = x.account_id
         WHERE a.balance >= x.amount AND a.status = 'active' AND (a.expires_at IS NULL OR a.expires_at > ?)",
        params![shares_batch(shares), now],
    )
}

/// What is still on an account of what was there when it expired: all entries up to then, and what left it since.
const LEFT_AT_EXPIRY: &str = "(SELECT COALESCE(sum(e.amount), 0) FROM credit_entries e
     WHERE e.account_id = a.id AND (e.created_at <= a.expires_at OR e.amount < 0))";

/// Some accounts that have something to expire, locked, with how much it is.
pub fn lock_expired(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<(CreditAccountId, i64)>> {
    let now = tx.now;
    let found = format!(
        "SELECT a.id FROM credit_accounts a
         WHERE a.expires_at <= ? AND a.balance > 0 AND {LEFT_AT_EXPIRY} > 0 ORDER BY a.id LIMIT ?"
    );
    let ids = tx
        .conn
        .rows::<Id, CreditAccountId>(&found, params![now, limit])?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    lock(tx, ids.iter().copied())?;
    // Once more, now that nobody changes them.
    let amounts = format!(
        "SELECT a.id, a.balance, CAST({LEFT_AT_EXPIRY} AS bigint), a.expires_at
         FROM ? AS x JOIN credit_accounts a ON a.id = x.id"
    );
    let rows = tx
        .conn
        .rows::<(Id, BigInt, BigInt, Nullable<Ts>), (CreditAccountId, i64, i64, Option<Timestamp>)>(
            &amounts,
            params![Batch::ids(ids.into_iter().map(CreditAccountId::uuid))],
        )?;
    Ok(rows
        .into_iter()
        .filter(|(.., until)| until.is_some_and(|at| at <= now))
        .map(|(id, balance, left, _)| (id, left.min(balance)))
        .filter(|(_, amount)| *amount > 0)
        .collect())
}

/// Takes from locked accounts what has expired: two statements.
pub fn expire(tx: &mut Tx<'_>, expired: &[(CreditAccountId, i64)]) -> Result<()> {
    let batch = Batch::new(
        &[("account_id", Kind::Id), ("amount", Kind::Int)],
        expired
            .iter()
            .map(|(id, amount)| [(*id).into(), (*amount).into()]),
    );
    let now = tx.now;
    tx.conn.execute(
        "UPDATE credit_accounts SET balance = balance - x.amount, version = version + 1, updated_at = ?
         FROM ? AS x WHERE id = x.account_id",
        params![now, batch],
    )?;
    write_entries(
        tx,
        expired
            .iter()
            .map(|(id, amount)| NewEntry::new(*id, CreditEntryKind::Expire, -amount)),
    )
}

/// The currency of an account, by which its entries are amounts of money.
pub fn currency_of(tx: &mut Tx<'_>, id: CreditAccountId) -> Result<Currency> {
    let rows = tx.conn.rows::<Text, Currency>(
        "SELECT currency FROM credit_accounts WHERE id = ?",
        params![id],
    )?;
    rows.into_iter()
        .next()
        .ok_or_else(|| Error::not_found("gift card or store credit"))
}
