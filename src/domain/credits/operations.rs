use super::codes::{self, CodeKey};
use super::model::{
    AccountRow, AdjustGiftCard, AdjustStoreCredit, CreditEntryKind, CreditStatus, DisableGiftCard,
    EnableGiftCard, GiftCardBalance, GiftCardFunds, IssueGiftCard, IssueGiftCards, IssuedGiftCard,
    IssuedGiftCards,
};
use super::queries::{self, MOST, NewCards, NewEntry};
use super::{
    CreditEntry, GUESSES, GetGiftCard, GetStoreCredit, GiftCard, ListCreditEntries, ListGiftCards,
    StoreCredit,
};
use crate::context::{Cx, Tx};
use crate::kernel::ids::CreditAccountId;
use crate::kernel::page::{PageRequest, Position, SortKey};
use crate::kernel::{Checks, Error, Money, Page, Result, Timestamp};
use crate::operation::guesses::Guesses;
use crate::operation::{Answer, Flow, Mutation, Query};

impl Query for GetGiftCard {
    fn run(&self, tx: &mut Tx<'_>) -> Result<GiftCard> {
        queries::find_card(tx, self.id).map(Into::into)
    }
}

impl Query for ListGiftCards {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<GiftCard>> {
        Checks::new().email("/email", self.email.as_ref()).done()?;
        let page = PageRequest::new(
            &tx.app().cursors,
            "gift_cards",
            self.first,
            self.after.as_deref(),
        )?;
        let rows = queries::list_cards(tx, self, &page)?;
        page.page(
            rows,
            |card| Position {
                key: SortKey::Id,
                id: card.id.uuid(),
            },
            |rows| Ok(rows.into_iter().map(Into::into).collect()),
        )
    }
}

impl Query for GetStoreCredit {
    fn run(&self, tx: &mut Tx<'_>) -> Result<StoreCredit> {
        Checks::new().email("/email", &self.email).done()?;
        queries::store_credit(tx, &self.email, self.currency)?
            .map(Into::into)
            .ok_or_else(|| Error::not_found("store credit"))
    }
}

impl Query for ListCreditEntries {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<CreditEntry>> {
        let page = PageRequest::new(
            &tx.app().cursors,
            "credit_entries",
            self.first,
            self.after.as_deref(),
        )?;
        let currency = queries::currency_of(tx, self.account_id)?;
        let rows = queries::list_entries(tx, self.account_id, &page)?;
        page.page(
            rows,
            |entry| Position {
                key: SortKey::Id,
                id: entry.id.uuid(),
            },
            |rows| {
                let seen = |row: super::model::EntryRow| CreditEntry {
                    id: row.id,
                    account_id: row.account_id,
                    kind: row.kind,
                    amount: Money {
                        amount: row.amount,
                        currency,
                    },
                    reason: row.reason,
                    payment_id: row.payment_id,
                    actor: row.actor,
                    created_at: row.created_at,
                };
                Ok(rows.into_iter().map(seen).collect())
            },
        )
    }
}

impl Mutation for IssueGiftCard {
    fn run(&self, tx: &mut Tx<'_>) -> Result<IssuedGiftCard> {
        let mut checks = Checks::new();
        checks.email("/email", self.email.as_ref());
        let new = NewCards {
            amount: self.amount.0,
            currency: self.currency,
            email: self.email.clone(),
            expires_at: self.expires_at,
            note: self.note.as_deref(),
            metadata: &self.metadata.clone().unwrap_or_default(),
        };
        check_new(tx, &mut checks, &new);
        checks.done()?;
        issue(tx, &new, 1)?
            .pop()
            .ok_or_else(|| Error::internal("no card was issued"))
    }
}

impl Mutation for IssueGiftCards {
    fn run(&self, tx: &mut Tx<'_>) -> Result<IssuedGiftCards> {
        let new = NewCards {
            amount: self.amount.0,
            currency: self.currency,
            email: None,
            expires_at: self.expires_at,
            note: self.note.as_deref(),
            metadata: &self.metadata.clone().unwrap_or_default(),
        };
        let mut checks = Checks::new();
        checks.range("/count", self.count, 1, 1_000);
        check_new(tx, &mut checks, &new);
        checks.done()?;
        let cards = issue(tx, &new, self.count)?;
        Ok(IssuedGiftCards { cards })
    }
}

fn check_new(tx: &Tx<'_>, checks: &mut Checks, new: &NewCards<'_>) {
    checks.range("/amount", new.amount, 1, MOST);
    if let Some(note) = new.note {
        checks.text("/note", note, 500);
    }
    check_until(tx, checks, new.expires_at);
}

fn check_until(tx: &Tx<'_>, checks: &mut Checks, expires_at: Option<Timestamp>) {
    checks.that(
        expires_at.is_none_or(|at| at > tx.now),
        "/expiresAt",
        "past",
        "Must be in the future.",
    );
}

/// Issues cards: two statements for any number.
fn issue(tx: &mut Tx<'_>, new: &NewCards<'_>, count: i64) -> Result<Vec<IssuedGiftCard>> {
    let key = tx.app().part::<CodeKey>()?;
    let mut issued = Vec::new();
    let mut cards = Vec::new();
    for _ in 0..count {
        let code = codes::generate()?;
        let gift_card = GiftCard {
            id: CreditAccountId::new(),
            last4: codes::last4(&code),
            balance: Money {
                amount: new.amount,
                currency: new.currency,
            },
            status: CreditStatus::Active,
            expires_at: new.expires_at,
            email: new.email.clone(),
            note: new.note.map(ToOwned::to_owned),
            metadata: new.metadata.clone(),
            version: 1,
            created_at: tx.now,
            updated_at: tx.now,
        };
        cards.push((gift_card.id, key.hash(&code), gift_card.last4.clone()));
        issued.push(IssuedGiftCard { code, gift_card });
    }
    queries::insert_cards(tx, new, &cards)?;
    let entries = cards
        .iter()
        .map(|(id, ..)| NewEntry::new(*id, CreditEntryKind::Issue, new.amount));
    queries::write_entries(tx, entries)?;
    Ok(issued)
}

impl Mutation for DisableGiftCard {
    fn run(&self, tx: &mut Tx<'_>) -> Result<GiftCard> {
        set_status(
            tx,
            self.id,
            self.expected_version,
            CreditStatus::Disabled,
            None,
        )
    }
}

impl Mutation for EnableGiftCard {
    fn run(&self, tx: &mut Tx<'_>) -> Result<GiftCard> {
        let mut checks = Checks::new();
        check_until(tx, &mut checks, self.expires_at);
        checks.done()?;
        let (expected, until) = (self.expected_version, self.expires_at);
        set_status(tx, self.id, expected, CreditStatus::Active, until)
    }
}

/// Sets whether a gift card may be spent, and until when where that is said.
fn set_status(
    tx: &mut Tx<'_>,
    id: CreditAccountId,
    expected: Option<i64>,
    status: CreditStatus,
    until: Option<Timestamp>,
) -> Result<GiftCard> {
    let mut card = queries::lock_card(tx, id)?;
    Error::unless_version(expected, card.version)?;
    let until = until.or(card.expires_at);
    if (card.status, card.expires_at) != (status, until) {
        (card.status, card.expires_at) = (status, until);
        queries::set_status(tx, &mut card)?;
    }
    Ok(card.into())
}

impl Mutation for AdjustGiftCard {
    fn run(&self, tx: &mut Tx<'_>) -> Result<GiftCard> {
        let mut checks = Checks::new();
        check_change(&mut checks, self.amount.0, &self.reason);
        checks.done()?;
        let card = queries::find_card(tx, self.id)?;
        adjust(tx, &card, self.amount.0, &self.reason).map(Into::into)
    }
}

impl Mutation for AdjustStoreCredit {
    fn run(&self, tx: &mut Tx<'_>) -> Result<StoreCredit> {
        let mut checks = Checks::new();
        checks.email("/email", &self.email);
        check_change(&mut checks, self.amount.0, &self.reason);
        checks.done()?;
        queries::ensure_store_credit(tx, &self.email, self.currency)?;
        let account = queries::store_credit(tx, &self.email, self.currency)?
            .ok_or_else(|| Error::internal("the store credit vanished"))?;
        adjust(tx, &account, self.amount.0, &self.reason).map(Into::into)
    }
}

fn check_change(checks: &mut Checks, amount: i64, reason: &str) {
    checks
        .that(
            amount != 0 && (-MOST..=MOST).contains(&amount),
            "/amount",
            "out_of_range",
            "Not zero, and at most 10^12 minor units.",
        )
        .text("/reason", reason, 500);
}

fn adjust(tx: &mut Tx<'_>, account: &AccountRow, amount: i64, reason: &str) -> Result<AccountRow> {
    let Some(row) = queries::shift(tx, account.id, amount, MOST)? else {
        let message = format!(
            "The balance is {}, and must not be less than nothing or more than {MOST} minor units.",
            account.money()
        );
        return Err(Error::invalid("/amount", "out_of_range", message));
    };
    let entry = NewEntry {
        reason: Some(reason),
        ..NewEntry::new(account.id, CreditEntryKind::Adjust, amount)
    };
    queries::write_entries(tx, std::iter::once(entry))?;
    Ok(row)
}

impl Flow for GiftCardBalance {
    async fn run(self, cx: &Cx) -> Result<Answer<GiftCardFunds>> {
        if let Some(answer) = cx.settled().await? {
            return Ok(answer);
        }
        let guesses = cx.app.part::<Guesses>()?;
        guesses.check(cx, &GUESSES, None).await?;
        let hash = cx.app.part::<CodeKey>()?.hash(&self.code);
        let found = cx
            .read(move |tx| {
                let row = queries::by_hashes(tx, std::slice::from_ref(&hash))?.pop();
                Ok(row.map(|row| GiftCardFunds {
                    standing: row.standing(tx.now),
                    balance: row.money(),
                    last4: row.last4.unwrap_or_default(),
                    expires_at: row.expires_at,
                }))
            })
            .await?;
        let Some(funds) = found else {
            guesses.wrong(cx, &GUESSES, None, 1)?;
            return Err(Error::not_found("gift card"));
        };
        cx.keep(funds).await
    }
}
