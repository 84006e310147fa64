//! For tests only: takes a guard of an application away, so that a test can show that it would notice; and has a transaction
//! panic, so that a test can show that nothing is lost by it.
//!
//! Without the feature `sabotage` no guard can be taken away: what asks here is told "no" by a constant, and the compiler
//! removes the question.

#[cfg(feature = "sabotage")]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

/// Something that keeps a promise of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// What is held must be there: the plan, the guarded update, the problems of a quote.
    Stock,
    /// The level that a hold was planned on is locked until it is changed. (SQLite has one writer and needs no lock.)
    StockLock,
    /// A checkout and a cart leave `open` once.
    Once,
    /// No more money moves than there is: the payment is locked, and what is pending counts as gone.
    Money,
    /// An attempt has the same key however often its provider is asked.
    Keys,
    /// Money that no order is for is let go.
    Release,
    /// No more is spent of a gift card than is on it.
    Credit,
    /// A coupon is used no more often than it may be, by all and by each customer.
    Coupon,
    /// An order by invoice is checked against the customer's credit once more when it is placed.
    CreditLimit,
    /// The terms are locked while an order is checked against them. (SQLite has one writer and needs no lock.)
    CreditLimitLock,
    /// A number is taken in the transaction that writes its order, and given back with it.
    Numbers,
    /// A connection is used again only where it is known to be clean. (SQLite's writer catches what unwinds.)
    CleanConnections,
    /// A commit and the flush that makes it durable are of one server. (SQLite has one file.)
    OneServer,
}

/// The guard that an application has lost, if any.
#[derive(Default)]
pub struct Sabotage {
    #[cfg(feature = "sabotage")]
    removed: OnceLock<Guard>,
    #[cfg(feature = "sabotage")]
    panics: AtomicI64,
    last_number: AtomicI64,
}

impl Sabotage {
    /// Takes a guard away for good.
    #[cfg(feature = "sabotage")]
    pub fn remove(&self, guard: Guard) {
        let _ = self.removed.set(guard);
    }

    /// Whether the guard was taken away.
    #[cfg(feature = "sabotage")]
    pub fn removed(&self, guard: Guard) -> bool {
        self.removed.get() == Some(&guard)
    }

    /// Whether the guard was taken away: never.
    #[cfg(not(feature = "sabotage"))]
    pub const fn removed(&self, _: Guard) -> bool {
        false
    }

    /// Has so many of the next transactions panic before their end.
    #[cfg(feature = "sabotage")]
    pub fn panic_next(&self, transactions: i64) {
        self.panics.store(transactions, Ordering::Relaxed);
    }

    /// Unwinds where a test asked for it.
    pub fn panic_if_asked(&self) {
        #[cfg(feature = "sabotage")]
        if self.panics.load(Ordering::Relaxed) > 0
            && self.panics.fetch_sub(1, Ordering::Relaxed) > 0
        {
            std::panic::resume_unwind(Box::new("a test asked for it"));
        }
    }

    /// A number that nothing gives back, as a database's own sequences give them.
    pub fn next_number(&self) -> i64 {
        self.last_number.fetch_add(1, Ordering::Relaxed) + 1
    }
}
