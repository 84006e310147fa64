//! Payments: an intent, and what became of it.
//!
//! The intent is recorded before its provider hears of it. What happens to it is a list of events that only grows, unique
//! per kind and provider reference, so that news told twice counts once. Amounts and the status are derived from the
//! events by [`Standing::of`] and never stored beside them.

mod model;
mod queries;
mod standing;

pub use model::{NewPayment, Payment, PaymentEvent, PaymentEventKind, PaymentRow, PaymentStatus};
pub use queries::{check_later, due, find, insert, of_checkouts, record};
pub use standing::Standing;
