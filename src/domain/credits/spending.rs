//! Paying with credit: what a checkout counts on, what an order takes, what comes back.

use serde::{Deserialize, Serialize};

use super::codes::CodeKey;
use super::model::{AccountRow, CreditEntryKind, CreditKind, CreditStanding};
use super::queries::{self, NewEntry};
use crate::context::Tx;
use crate::kernel::ids::{CreditAccountId, PaymentAttemptId, PaymentId};
use crate::kernel::{Checks, Code, Currency, Email, Error, FieldError, Result};

/// What is wrong with a code that no card has.
pub const UNKNOWN: &str = "unknown_code";
/// How many gift cards pay for one cart at most.
const MOST_CARDS: usize = 5;

/// What one account is to pay of a checkout. It is kept with the checkout, so it has no code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Share {
    /// The account.
    pub account_id: CreditAccountId,
    /// What kind it is.
    pub kind: CreditKind,
    /// The payment that will stand for it.
    pub payment_id: PaymentId,
    /// How much, in minor units.
    pub amount: i64,
    /// Where the checkout's input named it.
    pub pointer: String,
}

/// Whether a payment provider's name is a kind of credit.
pub fn is_credit(provider: &str) -> bool {
    CreditKind::ALL.iter().any(|kind| kind.as_str() == provider)
}

/// What each gift card, in the order of the codes, and then the store credit (an e-mail address and the most it may pay)
/// pays of a total: as much as is there and left to pay. One that has nothing left to pay is no part of it. Refuses what
/// cannot pay at all, by field.
pub fn plan(
    tx: &mut Tx<'_>,
    codes: &[String],
    store_credit: Option<(Email, i64)>,
    currency: Currency,
    total: i64,
) -> Result<Vec<Share>> {
    let mut shares = Vec::new();
    let mut left = total;
    let mut checks = Checks::new();
    if codes.len() > MOST_CARDS {
        checks.count("/giftCards", codes.len(), MOST_CARDS).done()?;
    }
    let mut pay = |account: &AccountRow, most: i64, pointer: String| {
        let amount = account.balance.min(most).min(left).max(0);
        left -= amount;
        if amount > 0 {
            shares.push(Share {
                account_id: account.id,
                kind: account.kind,
                payment_id: PaymentId::new(),
                amount,
                pointer,
            });
        }
    };
    if !codes.is_empty() {
        let key = tx.app().part::<CodeKey>()?;
        let hashes: Vec<String> = codes.iter().map(|code| key.hash(code)).collect();
        let found = queries::by_hashes(tx, &hashes)?;
        for (i, hash) in hashes.iter().enumerate() {
            let pointer = format!("/giftCards/{i}");
            let twice = hashes.iter().take(i).any(|other| other == hash);
            let account = found
                .iter()
                .find(|account| account.code_hash.as_ref() == Some(hash));
            let Some(account) = account else {
                let message = "There is no gift card with this code.";
                checks.that(false, pointer, UNKNOWN, message);
                continue;
            };
            match complaint(tx, account, currency, twice) {
                None => pay(account, i64::MAX, pointer),
                Some((code, message)) => {
                    checks.that(false, pointer, code, message);
                }
            }
        }
    }
    if let Some((email, most)) = store_credit {
        let account = queries::store_credit(tx, &email, currency)?;
        let balance = account.as_ref().map_or(0, |account| account.balance);
        if balance > 0 {
            checks.range("/storeCredit", most, 1, balance);
        } else {
            let message = "There is no store credit in this currency.";
            checks.that(false, "/storeCredit", "empty", message);
        }
        if let Some(account) = account {
            pay(&account, most, "/storeCredit".into());
        }
    }
    checks.done()?;
    Ok(shares)
}

/// Why an account that is known cannot pay.
fn complaint(
    tx: &Tx<'_>,
    account: &AccountRow,
    currency: Currency,
    twice: bool,
) -> Option<(&'static str, String)> {
    if twice {
        return Some(("duplicate", "This gift card stands here twice.".into()));
    }
    if account.currency != currency {
        let is = account.currency;
        return Some((
            "currency",
            format!("The gift card is in {is}, the cart in {currency}."),
        ));
    }
    match account.standing(tx.now) {
        CreditStanding::Usable => None,
        CreditStanding::Disabled => Some(("disabled", "The gift card was stopped.".into())),
        CreditStanding::Expired => Some(("expired", "The gift card has expired.".into())),
        CreditStanding::Empty => Some(("empty", "Nothing is left on the gift card.".into())),
    }
}

/// Takes what every account is to pay, or refuses and leaves it to the caller that nothing is kept. Three statements, two on
/// SQLite.
pub fn redeem(tx: &mut Tx<'_>, shares: &[Share]) -> Result<()> {
    queries::lock(tx, shares.iter().map(|share| share.account_id))?;
    let paid = queries::take(tx, shares)?;
    refuse_others(shares, &paid)?;
    let entries = shares.iter().map(|share| NewEntry {
        payment: Some(share.payment_id),
        ..NewEntry::new(share.account_id, CreditEntryKind::Redeem, -share.amount)
    });
    queries::write_entries(tx, entries)
}

/// Refuses when an account has less than it is to pay, before anybody else is asked for the rest.
pub fn refuse_short(tx: &mut Tx<'_>, shares: &[Share]) -> Result<()> {
    if shares.is_empty() {
        return Ok(());
    }
    let able = queries::able(tx, shares)?;
    refuse_others(shares, &able)
}

fn refuse_others(shares: &[Share], able: &[CreditAccountId]) -> Result<()> {
    let fields: Vec<FieldError> = shares
        .iter()
        .filter(|share| !able.contains(&share.account_id))
        .map(|share| {
            let message = "It has less than the checkout counts on, or can no longer be spent.";
            FieldError::new(share.pointer.clone(), "insufficient_credit", message)
        })
        .collect();
    if fields.is_empty() {
        return Ok(());
    }
    let detail =
        "A gift card or the store credit has less than the checkout counts on; start it again.";
    Err(Error::new(Code::InsufficientCredit, detail).with(fields))
}

/// Gives back what an attempt refunds of a payment, to the account it came from, whatever became of that; answers how the
/// account stands.
pub fn give_back(
    tx: &mut Tx<'_>,
    account: CreditAccountId,
    payment: PaymentId,
    attempt: PaymentAttemptId,
    amount: i64,
) -> Result<CreditStanding> {
    let row = queries::shift(tx, account, amount, i64::MAX)?
        .ok_or_else(|| Error::internal("an account cannot take what it paid"))?;
    let entry = NewEntry {
        payment: Some(payment),
        attempt: Some(attempt),
        ..NewEntry::new(account, CreditEntryKind::GiveBack, amount)
    };
    queries::write_entries(tx, std::iter::once(entry))?;
    Ok(row.standing(tx.now))
}
