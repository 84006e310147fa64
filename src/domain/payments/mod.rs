//! Payments: what is to be paid, and what became of it.
//!
//! A payment is recorded before its provider hears of it. What happens to it is a list of events that only grows, unique
//! per kind and provider reference, so that news told twice counts once. Amounts and the status are derived from the
//! events by [`Standing::of`] and never stored beside them.
//!
//! ```text
//! recorded ─▶ the provider is asked ─▶ authorised or awaited ─▶ captured, in parts or whole ─▶ refunded, in parts or whole
//!                    └▶ declined, or the shopper must act        └▶ let go
//! ```
//!
//! What is asked for after the authorisation is an [attempt](AttemptRow), recorded before the call too. Every answer is a
//! report of all that the provider knows, and [`absorb`] takes it up, whoever brings it.
//!
//! Under the events is the ledger: the database writes a transfer for each event that moves money, from one account to
//! another, so that every posting sums to zero and "where is the money" is one query. An authorisation is a pending transfer,
//! a capture posts it, a release voids it.

// Amounts come from outside: what would overflow is an error or the most there is, never a panic.
#![warn(clippy::arithmetic_side_effects)]

mod absorb;
mod attempts;
mod model;
mod notices;
mod operations;
mod queries;
mod standing;

pub use absorb::{Absorbed, absorb, news_of, refuse_mismatch, standing_after};
pub use attempts::{
    AttemptLine, Claimed, Left, Wish, begin, captured_units, capturing, check_at, come_back, cut,
    due as due_attempts, end, find as find_attempt, given_back, left, lines_of as lines_of_attempt,
    of_claim, refunded_by_hand, refunds_of, refuse_captured,
};
pub use model::{
    AttemptRow, NewPayment, Payment, PaymentAttempt, PaymentAttemptKind, PaymentAttemptStatus,
    PaymentDetails, PaymentEvent, PaymentEventEntry, PaymentEventKind, PaymentRow, PaymentStatus,
    Session,
};
pub use notices::{Received, processed, receive, waiting};
pub use operations::details;
pub use queries::{
    News, by_reference, check_later, checkout_of, describe, due, facts_of, find, ids_of, insert,
    known, known_amount, lock, of_checkouts, record, record_first, reference_of, replacement_of,
    replacements,
};
pub use standing::Standing;

use crate::auth::{Access, Scope};
use crate::kernel::ids::{CheckoutId, PaymentId};
use model::LedgerBalances;

crate::operations! {
    queries PaymentQueries {
        /// Finds a payment with everything that happened to it.
        payment(id: PaymentId): GetPayment => Option<PaymentDetails>, GET "/payments/{id}", Access::scope(Scope::PaymentsRead);
        /// Lists payments, newest first.
        payments(checkout_id: Option<CheckoutId>, provider: Option<String>, #[serde(rename = "limit")] first: Option<i64>,
                 after: Option<String>): ListPayments => crate::kernel::Page<Payment>,
            GET "/payments", Access::scope(Scope::PaymentsRead);
        /// Says where the money is: the balance of every account of the ledger.
        ledger_balances(): GetLedgerBalances => LedgerBalances, GET "/ledger/balances", Access::scope(Scope::PaymentsRead);
    }
}
