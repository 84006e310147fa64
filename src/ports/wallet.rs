//! Providers that keep payment methods for shoppers, to be charged later.

use std::pin::Pin;

use crate::kernel::ids::PaymentCustomerId;

/// A question on its way.
pub type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, WalletError>> + Send + 'a>>;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalletError {
    /// The provider refused, for this reason.
    Refused(String),
    /// The provider has no such customer any more.
    Missing,
    /// Nobody knows; ask again.
    Unknown,
}

/// A payment method that a provider keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptMethod {
    /// The provider's name for it; a payment names it as its token.
    pub reference: String,
    /// `card` and so on.
    pub kind: String,
    /// As `visa`.
    pub brand: Option<String>,
    /// The last four digits.
    pub last4: Option<String>,
    /// The month a card ends in, 1 to 12.
    pub expiry_month: Option<i64>,
    /// The year a card ends in.
    pub expiry_year: Option<i64>,
}

/// What keeping a method needs of the shopper.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// With which the client has the provider keep a method; nothing where nothing is needed.
    pub client_secret: Option<String>,
}

/// A provider that keeps payment methods.
pub trait Wallet: Send + Sync {
    /// Makes a customer, once for each of ours and each version of it. Gives the provider's name for it.
    fn create_customer<'a>(
        &'a self,
        customer: PaymentCustomerId,
        version: i64,
        email: &'a str,
    ) -> Asked<'a, String>;

    /// Begins to keep a method of a customer that may be charged while the shopper is away; with the same key, once.
    fn set_up<'a>(&'a self, customer: &'a str, key: &'a str) -> Asked<'a, Setup>;

    /// All that it keeps for a customer, the newest first.
    fn list<'a>(&'a self, customer: &'a str) -> Asked<'a, Vec<KeptMethod>>;

    /// Forgets a method. One that is not there is forgotten already.
    fn forget<'a>(&'a self, method: &'a str) -> Asked<'a, ()>;
}
