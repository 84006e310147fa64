use diesel::prelude::*;

use crate::kernel::ids::{PaymentCustomerId, SavedPaymentMethodId};
use crate::kernel::{Email, Timestamp};
use crate::operation::Output;
use crate::{input, output};

/// Whom a provider keeps payment methods for, as the database has it.
#[derive(Clone, Debug, Queryable)]
pub struct CustomerRow {
    /// Our id.
    pub id: PaymentCustomerId,
    /// The provider.
    pub provider: String,
    /// The e-mail address.
    pub email: Email,
    /// The provider's name for them, once it is known.
    pub reference: Option<String>,
    /// Raised by every change of their methods.
    pub version: i64,
}

/// A saved payment method as the database has it, with what its customer adds.
#[derive(Clone, Debug, Queryable)]
#[allow(missing_docs)]
pub struct MethodRow {
    pub id: SavedPaymentMethodId,
    pub provider: String,
    pub email: Email,
    pub customer: Option<String>,
    pub reference: String,
    pub kind: String,
    pub brand: Option<String>,
    pub last4: Option<String>,
    pub expiry_month: Option<i64>,
    pub expiry_year: Option<i64>,
    pub is_default: bool,
    pub forgotten_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

output! {
    /// A payment method that a provider keeps for a shopper.
    SavedPaymentMethod {
        /// Its id.
        id: SavedPaymentMethodId,
        /// Who keeps it.
        provider: String,
        /// Whose it is, in lower case.
        email: Email,
        /// What it is: `card` and so on, in the provider's words.
        kind: String,
        /// As `visa`; null where it has none.
        #[schema(required = true)]
        brand: Option<String>,
        /// Its last four digits; null where it has none.
        #[schema(required = true)]
        last4: Option<String>,
        /// The month it ends in, 1 to 12; null where it does not end.
        #[schema(required = true)]
        expiry_month: Option<i64>,
        /// The year it ends in; null where it does not end.
        #[schema(required = true)]
        expiry_year: Option<i64>,
        /// Whether it is the one to be offered first.
        is_default: bool,
        /// When it was first seen.
        created_at: Timestamp,
    }
    /// The payment methods that providers keep for an e-mail address.
    SavedPaymentMethods {
        /// The default first, then the newest.
        methods: Vec<SavedPaymentMethod>,
    }
    /// A payment method on its way to be saved.
    PaymentMethodSetup {
        /// With which the client has the provider keep a method, through the provider's own library; null where nothing is
        /// needed of the shopper.
        #[schema(required = true)]
        client_secret: Option<String>,
        /// What is kept for the e-mail address now.
        methods: Vec<SavedPaymentMethod>,
    }
}

impl Output for SavedPaymentMethod {}
impl Output for SavedPaymentMethods {}
impl Output for PaymentMethodSetup {}

impl From<MethodRow> for SavedPaymentMethod {
    fn from(row: MethodRow) -> Self {
        Self {
            id: row.id,
            provider: row.provider,
            email: row.email,
            kind: row.kind,
            brand: row.brand,
            last4: row.last4,
            expiry_month: row.expiry_month,
            expiry_year: row.expiry_year,
            is_default: row.is_default,
            created_at: row.created_at,
        }
    }
}

input! {
    /// A payment method to be saved.
    SetUpPaymentMethod {
        /// The provider that is to keep it.
        provider: String,
        /// Whose it is.
        email: Email,
    }
    /// Reads what is kept for an e-mail address.
    RefreshPaymentMethods {
        /// The e-mail address.
        email: Email,
    }
    /// Makes a method the default.
    SetDefaultPaymentMethod {
        /// The method.
        id: SavedPaymentMethodId,
    }
    /// Forgets a method.
    DeletePaymentMethod {
        /// The method.
        id: SavedPaymentMethodId,
    }
}
