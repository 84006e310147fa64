//! Payment providers.
//!
//! Talking to one has three beats: the intent is on disk → the call → the outcome is written. The intent's id is the key the
//! provider knows it by, so a call may be repeated; a call whose answer is lost is [`Outcome::Unknown`], never a decline,
//! and [`PaymentProvider::look_up`] finds out later.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use crate::kernel::ids::PaymentId;
use crate::kernel::{Error, Money, Result};

/// A call on its way.
pub type Call<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// What is to be authorised.
#[derive(Clone, Debug)]
pub struct Authorize {
    /// The intent, and the key that makes the call repeatable.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
    /// Which of the provider's methods, as `card` or `bank_transfer`.
    pub method: String,
    /// What the client got from the provider for this payment.
    pub token: Option<String>,
}

/// What became of an authorisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The money is reserved.
    Authorized {
        /// The provider's name for it.
        reference: String,
    },
    /// The money will come by itself; the order may be placed.
    Pending {
        /// The provider's name for it.
        reference: String,
    },
    /// The shopper must do something first.
    ActionRequired {
        /// The provider's name for it.
        reference: String,
        /// Where they do it.
        url: String,
    },
    /// No.
    Declined {
        /// The provider's name for it.
        reference: String,
        /// Why, for a program: `card_declined`.
        reason: String,
    },
    /// Nobody knows yet; ask again with the same key.
    Unknown,
}

/// Where a provider decides.
pub enum Reach<'a> {
    /// In this process, at once, and the same for the same question: it may decide inside a transaction.
    Local(&'a (dyn LocalPayments + 'a)),
    /// Over a network.
    Remote,
}

/// A provider that decides in this process.
pub trait LocalPayments {
    /// Decides.
    fn decide(&self, request: &Authorize) -> Outcome;
}

/// A payment provider.
pub trait PaymentProvider: Send + Sync {
    /// Its name in the API: `manual`.
    fn name(&self) -> &'static str;

    /// The methods it offers; the first is the default.
    fn methods(&self) -> &'static [&'static str];

    /// Where it decides.
    fn reach(&self) -> Reach<'_>;

    /// Reserves money.
    fn authorize<'a>(&'a self, request: &'a Authorize) -> Call<'a>;

    /// Finds out what became of an intent; [`Outcome::Declined`] where the provider never heard of it.
    fn look_up<'a>(&'a self, request: &'a Authorize) -> Call<'a>;
}

/// The providers of this shop.
pub struct PaymentProviders(HashMap<&'static str, Arc<dyn PaymentProvider>>);

impl PaymentProviders {
    /// These providers.
    pub fn new(providers: impl IntoIterator<Item = Arc<dyn PaymentProvider>>) -> Self {
        Self(providers.into_iter().map(|p| (p.name(), p)).collect())
    }

    /// The provider with this name; refuses a field that names another.
    pub fn get(&self, name: &str, pointer: &str) -> Result<&Arc<dyn PaymentProvider>> {
        self.0.get(name).ok_or_else(|| {
            let mut names: Vec<&str> = self.0.keys().copied().collect();
            names.sort_unstable();
            let message = format!(
                "There is no payment provider {name}; there are: {}.",
                names.join(", ")
            );
            Error::invalid(pointer, "unknown_provider", message)
        })
    }
}
