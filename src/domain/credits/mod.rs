//! Credit: gift cards and store credit, money that the shop owes.
//!
//! An account is a gift card, for whoever has its code, or store credit, for an e-mail address and a currency, the same in
//! all channels. Its balance follows from its entries, which only grow, and is never negative. Of a code only an HMAC and the
//! last characters are kept.
//!
//! A checkout freezes what each account is to pay ([`plan`]) without reserving it. The order's transaction takes it
//! ([`redeem`]), whole or not at all, and is refused where an account has less by then. What a refund or a cancellation sends
//! back goes to the account it came from ([`give_back`]), even to one that is disabled or expired: it is the shopper's.
//!
//! What is on a card when it expires is taken off by a job ([`expire`]); what is given back afterwards stays, for somebody to
//! decide about (`enableGiftCard` takes a new date).

mod codes;
mod jobs;
mod model;
mod operations;
mod queries;
mod spending;

pub use codes::CodeKey;
pub use jobs::expire;
pub use model::{
    AdjustGiftCard, AdjustStoreCredit, CreditEntry, CreditEntryKind, CreditKind, CreditStanding,
    CreditStatus, DisableGiftCard, EnableGiftCard, GiftCard, GiftCardBalance, GiftCardFunds,
    IssueGiftCard, IssueGiftCards, IssuedGiftCard, IssuedGiftCards, StoreCredit,
};
pub use queries::lock;
pub use spending::{Share, UNKNOWN, give_back, is_credit, plan, redeem, refuse_short};

use crate::auth::{Access, Scope};
use crate::kernel::ids::CreditAccountId;
use crate::kernel::{Currency, Email, Page};
use crate::operation::guesses::Limit;

/// How many codes of a cart may be wrong, or of an address that asks for a balance.
pub const GUESSES: Limit = Limit {
    kind: "gift_card",
    most: 10,
    exempt: Scope::CreditsRead,
};

crate::operations! {
    queries CreditQueries {
        /// Finds a gift card.
        gift_card(id: CreditAccountId): GetGiftCard => Option<GiftCard>, GET "/gift-cards/{id}", Access::scope(Scope::CreditsRead);
        /// Lists gift cards, newest first: all, or those of a status, with these last characters, or for an e-mail address.
        gift_cards(status: Option<CreditStatus>, last4: Option<String>, email: Option<Email>,
                   #[serde(rename = "limit")] first: Option<i64>, after: Option<String>): ListGiftCards => Page<GiftCard>,
            GET "/gift-cards", Access::scope(Scope::CreditsRead);
        /// Finds what the shop owes to an e-mail address in a currency.
        store_credit(email: Email, currency: Currency): GetStoreCredit => StoreCredit,
            GET "/store-credit", Access::scope(Scope::CreditsRead);
        /// Lists what came to a gift card or to store credit and what left it, newest first.
        credit_entries(account_id: CreditAccountId, #[serde(rename = "limit")] first: Option<i64>, after: Option<String>):
            ListCreditEntries => Option<Page<CreditEntry>>,
            GET "/credit-accounts/{accountId}/entries", Access::scope(Scope::CreditsRead);
    }
    mutations CreditMutations {
        /// Issues a gift card. Only the same request with the same `Idempotency-Key` shows its code again.
        issue_gift_card: IssueGiftCard => IssuedGiftCard,
            POST "/gift-cards", Access::scope(Scope::CreditsWrite), [Created, Secret];
        /// Issues gift cards that are alike. Only the same request with the same `Idempotency-Key` shows their codes again.
        issue_gift_cards: IssueGiftCards => IssuedGiftCards,
            POST "/gift-cards/bulk-issue", Access::scope(Scope::CreditsWrite), [Created, Secret];
        /// Stops a gift card: it cannot be spent, and keeps its balance.
        disable_gift_card: DisableGiftCard => GiftCard,
            POST "/gift-cards/{id}/disable", Access::scope(Scope::CreditsWrite);
        /// Lets a gift card be spent again, until a new date if one is given.
        enable_gift_card: EnableGiftCard => GiftCard,
            POST "/gift-cards/{id}/enable", Access::scope(Scope::CreditsWrite);
        /// Adds to what is on a gift card, or takes from it.
        adjust_gift_card: AdjustGiftCard => GiftCard,
            POST "/gift-cards/{id}/adjust", Access::scope(Scope::CreditsWrite), [Keyed];
        /// Adds to what the shop owes to an e-mail address, or takes from it.
        adjust_store_credit: AdjustStoreCredit => StoreCredit,
            POST "/store-credit/adjust", Access::scope(Scope::CreditsWrite), [Keyed];
    }
    flows CreditFlows {
        /// Says what is on the gift card with this code, and whether it can be spent. A code that is none is not found; after
        /// ten of them a client's address waits for a quarter of an hour.
        gift_card_balance: GiftCardBalance => GiftCardFunds,
            POST "/gift-cards/balance", Access::storefront_or(Scope::CreditsRead);
    }
}
