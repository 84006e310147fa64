use diesel::prelude::*;

use crate::kernel::ids::{CheckoutId, PaymentId};
use crate::kernel::{Currency, Money, Timestamp};
use crate::schema::payments;
use crate::{choice, input, output};

choice! {
    /// Something that happened to a payment.
    PaymentEventKind {
        /// The provider was asked to reserve the money.
        AuthorizationRequest = "authorization_request",
        /// The money is reserved.
        AuthorizationSuccess = "authorization_success",
        /// The provider said no.
        AuthorizationFailure = "authorization_failure",
        /// The shopper must act.
        ActionRequired = "action_required",
        /// The money will come by itself.
        Awaited = "awaited",
        /// The money is here.
        ChargeSuccess = "charge_success",
        /// Reserved or awaited money was let go.
        CancelSuccess = "cancel_success",
        /// Money went back.
        RefundSuccess = "refund_success",
    }
}

choice! {
    /// Where a payment stands.
    PaymentStatus {
        /// Nothing has happened yet, or nobody knows.
        Open = "open",
        /// The shopper must act.
        ActionRequired = "action_required",
        /// The money will come by itself.
        Awaited = "awaited",
        /// The money is reserved.
        Authorized = "authorized",
        /// The money is here.
        Charged = "charged",
        /// All of it was let go or went back.
        Returned = "returned",
        /// The provider said no.
        Failed = "failed",
    }
}

/// A payment as the database has it.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = payments)]
#[diesel(treat_none_as_default_value = false)]
pub struct PaymentRow {
    /// Its id, and the key its provider knows it by.
    pub id: PaymentId,
    /// The checkout it is for.
    pub checkout_id: CheckoutId,
    /// Its provider.
    pub provider: String,
    /// Which of the provider's methods.
    pub method: String,
    /// What the client got from the provider.
    pub token: Option<String>,
    /// Its currency.
    pub currency: Currency,
    /// How much, in minor units.
    pub amount: i64,
    /// When somebody must ask the provider what became of it.
    pub next_check_at: Option<Timestamp>,
    /// When it was recorded.
    pub created_at: Timestamp,
}

/// An event as the database has it.
#[derive(Clone, Debug, Queryable)]
pub struct PaymentEvent {
    /// What happened.
    pub kind: PaymentEventKind,
    /// Minor units.
    pub amount: i64,
}

output! {
    /// A payment of an order.
    Payment {
        /// Its id.
        id: PaymentId,
        /// Its provider.
        provider: String,
        /// Which of the provider's methods.
        method: String,
        /// Where it stands.
        status: PaymentStatus,
        /// What was asked for.
        amount: Money,
        /// What is reserved or awaited and not yet charged.
        outstanding: Money,
        /// What is here.
        charged: Money,
        /// What went back.
        refunded: Money,
        /// When it was recorded.
        created_at: Timestamp,
    }
}

input! {
    /// How an order is paid.
    NewPayment {
        /// The provider: `manual`, or `test` where it is switched on.
        provider: String,
        /// Which of the provider's methods; its first when left out.
        method: Option<String>,
        /// What the client got from the provider for this payment.
        token: Option<String>,
    }
}
