use diesel::prelude::*;

use crate::kernel::ids::{CreditAccountId, CreditEntryId, PaymentId};
use crate::kernel::money::Minor;
use crate::kernel::{Currency, Document, Email, Json, Money, Timestamp};
use crate::operation::Output;
use crate::schema::{credit_accounts, credit_entries};
use crate::{choice, input, output};

choice! {
    /// What kind of credit. The same word names the payment provider.
    CreditKind {
        /// For whoever has its code.
        GiftCard = "gift_card",
        /// For an e-mail address.
        StoreCredit = "store_credit",
    }
}

choice! {
    /// Whether a gift card may be spent.
    CreditStatus {
        /// It may, until it expires.
        Active = "active",
        /// Somebody has stopped it.
        Disabled = "disabled",
    }
}

choice! {
    /// What becomes of a card that is entered now.
    CreditStanding {
        /// It can be spent.
        Usable = "usable",
        /// Somebody has stopped it.
        Disabled = "disabled",
        /// Its time is over.
        Expired = "expired",
        /// Nothing is on it.
        Empty = "empty",
    }
}

choice! {
    /// Why a balance has changed.
    CreditEntryKind {
        /// It was issued.
        Issue = "issue",
        /// A payment spent it.
        Redeem = "redeem",
        /// A refund or a cancellation gave it back.
        GiveBack = "give_back",
        /// Somebody changed it by hand.
        Adjust = "adjust",
        /// It expired.
        Expire = "expire",
    }
}

/// An account as the database has it.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = credit_accounts)]
#[allow(missing_docs)]
pub struct AccountRow {
    pub id: CreditAccountId,
    pub kind: CreditKind,
    pub code_hash: Option<String>,
    pub last4: Option<String>,
    pub email: Option<Email>,
    pub currency: Currency,
    pub balance: i64,
    pub status: CreditStatus,
    pub expires_at: Option<Timestamp>,
    pub note: Option<String>,
    pub metadata: Json<Document>,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// An entry as the database has it.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = credit_entries)]
#[allow(missing_docs)]
pub struct EntryRow {
    pub id: CreditEntryId,
    pub account_id: CreditAccountId,
    pub kind: CreditEntryKind,
    pub amount: i64,
    pub reason: Option<String>,
    pub payment_id: Option<PaymentId>,
    pub actor: String,
    pub created_at: Timestamp,
}

output! {
    /// A gift card, without its code.
    GiftCard {
        /// Its id.
        id: CreditAccountId,
        /// The last characters of its code.
        last4: String,
        /// What is on it.
        balance: Money,
        /// Whether it may be spent.
        status: CreditStatus,
        /// Until when it may be spent; null where it does not expire.
        #[schema(required = true)]
        expires_at: Option<Timestamp>,
        /// Whom it is for.
        #[schema(required = true)]
        email: Option<Email>,
        /// A note for the shop's own people.
        #[schema(required = true)]
        note: Option<String>,
        /// Free data of the shop's own.
        metadata: Document,
        /// Raised by every change.
        version: i64,
        /// When it was issued.
        created_at: Timestamp,
        /// When it last changed.
        updated_at: Timestamp,
    }
    /// A gift card that was just issued.
    IssuedGiftCard {
        /// Its code. It is shown here and nowhere else.
        code: String,
        /// The card.
        gift_card: GiftCard,
    }
    /// Gift cards that were just issued.
    IssuedGiftCards {
        /// The cards with their codes, which are shown here and nowhere else.
        cards: Vec<IssuedGiftCard>,
    }
    /// What somebody who has a gift card's code may know of it.
    GiftCardFunds {
        /// The last characters of its code.
        last4: String,
        /// What is on it.
        balance: Money,
        /// Whether it can be spent now, and if not, why.
        standing: CreditStanding,
        /// Until when it may be spent; null where it does not expire.
        #[schema(required = true)]
        expires_at: Option<Timestamp>,
    }
    /// What the shop owes to an e-mail address in a currency.
    StoreCredit {
        /// Its id.
        id: CreditAccountId,
        /// Whose it is.
        email: Email,
        /// How much.
        balance: Money,
        /// Raised by every change.
        version: i64,
        /// When it began.
        created_at: Timestamp,
        /// When it last changed.
        updated_at: Timestamp,
    }
    /// A change of a balance.
    CreditEntry {
        /// Its id.
        id: CreditEntryId,
        /// The gift card or store credit.
        account_id: CreditAccountId,
        /// Why it changed.
        kind: CreditEntryKind,
        /// What came, or less than zero where it went.
        amount: Money,
        /// Why, in words.
        #[schema(required = true)]
        reason: Option<String>,
        /// The payment that spent it, or whose refund gave it back.
        #[schema(required = true)]
        payment_id: Option<PaymentId>,
        /// Who did it.
        actor: String,
        /// When.
        created_at: Timestamp,
    }
}

input! {
    /// Issues a gift card.
    IssueGiftCard {
        /// What is on it, in minor units.
        amount: Minor,
        /// Its currency.
        currency: Currency,
        /// Until when it may be spent; for ever when left out.
        expires_at: Option<Timestamp>,
        /// Whom it is for.
        email: Option<Email>,
        /// A note for the shop's own people.
        note: Option<String>,
        /// Free data of the shop's own.
        metadata: Option<Document>,
    }
    /// Issues gift cards that are alike.
    IssueGiftCards {
        /// How many, 1 to 1000.
        count: i64,
        /// What is on each, in minor units.
        amount: Minor,
        /// Their currency.
        currency: Currency,
        /// Until when they may be spent; for ever when left out.
        expires_at: Option<Timestamp>,
        /// A note for the shop's own people.
        note: Option<String>,
        /// Free data of the shop's own.
        metadata: Option<Document>,
    }
    /// Stops a gift card.
    DisableGiftCard {
        /// The card.
        id: CreditAccountId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
    }
    /// Lets a gift card be spent again.
    EnableGiftCard {
        /// The card.
        id: CreditAccountId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// Until when it may be spent from now on; as before when left out.
        expires_at: Option<Timestamp>,
    }
    /// Changes what is on a gift card.
    AdjustGiftCard {
        /// The card.
        id: CreditAccountId,
        /// What is added, in minor units; less than zero to take it away.
        amount: Minor,
        /// Why.
        reason: String,
    }
    /// Asks what is on a gift card.
    GiftCardBalance {
        /// Its code, as it was typed.
        code: String,
    }
    /// Changes what the shop owes to an e-mail address.
    AdjustStoreCredit {
        /// Whose it is.
        email: Email,
        /// The currency.
        currency: Currency,
        /// What is added, in minor units; less than zero to take it away.
        amount: Minor,
        /// Why.
        reason: String,
    }
}

impl Output for GiftCard {
    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

impl Output for StoreCredit {
    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

impl Output for IssuedGiftCard {}
impl Output for IssuedGiftCards {}
impl Output for GiftCardFunds {}
impl Output for CreditEntry {}

impl AccountRow {
    /// What is in it.
    pub fn money(&self) -> Money {
        Money {
            amount: self.balance,
            currency: self.currency,
        }
    }

    /// What becomes of it when it is entered at `now`.
    pub fn standing(&self, now: Timestamp) -> CreditStanding {
        if self.status == CreditStatus::Disabled {
            CreditStanding::Disabled
        } else if self.expires_at.is_some_and(|at| at <= now) {
            CreditStanding::Expired
        } else if self.balance == 0 {
            CreditStanding::Empty
        } else {
            CreditStanding::Usable
        }
    }
}

impl From<AccountRow> for GiftCard {
    fn from(row: AccountRow) -> Self {
        Self {
            id: row.id,
            balance: row.money(),
            last4: row.last4.unwrap_or_default(),
            status: row.status,
            expires_at: row.expires_at,
            email: row.email,
            note: row.note,
            metadata: row.metadata.0,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl From<AccountRow> for StoreCredit {
    fn from(row: AccountRow) -> Self {
        Self {
            id: row.id,
            balance: row.money(),
            email: row.email.unwrap_or_default(),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
