use diesel::prelude::*;

use crate::kernel::ids::{
    CheckoutId, OrderLineId, PaymentAttemptId, PaymentEventId, PaymentId, SavedPaymentMethodId,
};
use crate::kernel::money::Minor;
use crate::kernel::{Currency, Document, Json, Money, Timestamp};
use crate::operation::Output;
use crate::ports::payment::Authorize;
use crate::schema::{payment_attempts, payments};
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
        /// The provider was asked to take the money.
        ChargeRequest = "charge_request",
        /// The money is here.
        ChargeSuccess = "charge_success",
        /// The money was not taken.
        ChargeFailure = "charge_failure",
        /// The provider was asked to let reserved money go.
        CancelRequest = "cancel_request",
        /// Reserved or awaited money was let go.
        CancelSuccess = "cancel_success",
        /// Reserved money was not let go.
        CancelFailure = "cancel_failure",
        /// Its time was over: the shopper's to pay, or that of reserved money.
        Expired = "expired",
        /// The provider was asked to send money back.
        RefundRequest = "refund_request",
        /// Money went back.
        RefundSuccess = "refund_success",
        /// The money did not go back.
        RefundFailure = "refund_failure",
        /// A refund did not arrive, and the money is here again.
        RefundReverse = "refund_reverse",
        /// The shopper's bank took the money back.
        Chargeback = "chargeback",
        /// A chargeback was won, and the money is here again.
        ChargebackReverse = "chargeback_reverse",
        /// Something to know, without money.
        Info = "info",
    }
}

choice! {
    /// Where a payment stands.
    PaymentStatus {
        /// Nothing has happened yet, or nobody knows.
        Pending = "pending",
        /// The shopper must act.
        RequiresAction = "requires_action",
        /// The money will come by itself.
        Awaited = "awaited",
        /// The money is reserved.
        Authorized = "authorized",
        /// The money is here.
        Captured = "captured",
        /// All that was here went back.
        Refunded = "refunded",
        /// The provider said no.
        Failed = "failed",
        /// It was let go before it was captured.
        Cancelled = "cancelled",
        /// Its time was over before it was captured.
        Expired = "expired",
    }
}

choice! {
    /// What a provider is asked for after the authorisation.
    PaymentAttemptKind {
        /// To take reserved money.
        Capture = "capture",
        /// To let reserved money go.
        Void = "void",
        /// To send money back.
        Refund = "refund",
    }
}

choice! {
    /// Where an attempt stands.
    PaymentAttemptStatus {
        /// The provider was or will be asked, and nobody knows yet. It counts as done until that is known.
        Pending = "pending",
        /// The money has moved.
        Succeeded = "succeeded",
        /// No money has moved, or what moved has come back.
        Failed = "failed",
    }
}

/// A payment as the database has it.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = payments)]
#[diesel(treat_none_as_default_value = false)]
pub struct PaymentRow {
    /// Its id, from which the keys follow that its provider knows its requests by.
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
    /// What the provider calls it.
    pub reference: Option<String>,
    /// What the client needs to confirm it.
    pub session: Option<Json<Session>>,
    /// Facts about the instrument and the provider's view of the risk.
    pub facts: Option<Json<Document>>,
    /// Until when reserved money must be captured.
    pub expires_at: Option<Timestamp>,
    /// The payment whose reserved money it takes the place of.
    pub replaces_id: Option<PaymentId>,
}

/// What the client needs to confirm a payment with its provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Session {
    /// For the provider's own client library.
    pub client_secret: Option<String>,
    /// A page where the shopper must act.
    pub action_url: Option<String>,
}

impl PaymentRow {
    /// A payment that nothing has happened to.
    pub fn new(
        checkout_id: CheckoutId,
        provider: String,
        method: String,
        money: Money,
        now: Timestamp,
    ) -> Self {
        Self {
            id: PaymentId::new(),
            checkout_id,
            provider,
            method,
            token: None,
            currency: money.currency,
            amount: money.amount,
            next_check_at: None,
            created_at: now,
            reference: None,
            session: None,
            facts: None,
            expires_at: None,
            replaces_id: None,
        }
    }

    /// How much it is.
    pub fn money(&self) -> Money {
        self.of(self.amount)
    }

    /// So much in its currency.
    pub fn of(&self, amount: i64) -> Money {
        Money {
            amount,
            currency: self.currency,
        }
    }

    /// What its provider is asked for.
    pub fn authorize(&self, capture: bool) -> Authorize {
        Authorize {
            payment: self.id,
            amount: self.money(),
            method: self.method.clone(),
            token: self.token.clone(),
            reference: self.reference.clone(),
            capture,
            return_url: None,
            email: None,
            keeper: None,
        }
    }
}

/// An event, as amounts follow from it.
#[derive(Clone, Copy, Debug, Queryable)]
pub struct PaymentEvent {
    /// What happened.
    pub kind: PaymentEventKind,
    /// Minor units.
    pub amount: i64,
}

/// An attempt as the database has it.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = payment_attempts)]
#[diesel(treat_none_as_default_value = false)]
#[allow(missing_docs)]
pub struct AttemptRow {
    pub id: PaymentAttemptId,
    pub payment_id: PaymentId,
    pub kind: PaymentAttemptKind,
    pub amount: i64,
    pub last: bool,
    pub status: PaymentAttemptStatus,
    pub reason: Option<String>,
    pub failure: Option<String>,
    pub next_check_at: Option<Timestamp>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub claim: Option<String>,
    pub claim_fingerprint: Option<Vec<u8>>,
    pub shipment: Option<String>,
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
        /// What is reserved or awaited and not yet captured.
        outstanding: Money,
        /// What is here, and may have gone back since.
        captured: Money,
        /// What went back.
        refunded: Money,
        /// What the shopper's bank took back.
        charged_back: Money,
        /// What the provider calls it; null until it is known.
        #[schema(required = true)]
        reference: Option<String>,
        /// With which the client confirms it through the provider's own library; null when there is nothing to confirm.
        #[schema(required = true)]
        client_secret: Option<String>,
        /// Where the shopper must act; null when there is nothing to do.
        #[schema(required = true)]
        action_url: Option<String>,
        /// Until when reserved money must be captured; null when it is not reserved or the provider does not say.
        #[schema(required = true)]
        expires_at: Option<Timestamp>,
        /// When it was recorded.
        created_at: Timestamp,
    }
    /// A payment with everything that happened to it.
    PaymentDetails {
        /// The payment.
        payment: Payment,
        /// The checkout it is for.
        checkout_id: CheckoutId,
        /// What is known of the instrument and the risk: `card_brand`, `card_last4`, `card_fingerprint`, `risk_level`.
        facts: Document,
        /// What happened, in the order in which it became known.
        events: Vec<PaymentEventEntry>,
        /// What its provider was asked for after the authorisation, oldest first.
        attempts: Vec<PaymentAttempt>,
    }
    /// Something that happened to a payment.
    PaymentEventEntry {
        /// Its id.
        id: PaymentEventId,
        /// What happened.
        kind: PaymentEventKind,
        /// How much it is about.
        amount: Money,
        /// What the provider calls it.
        reference: String,
        /// What there is to know about it.
        data: Document,
        /// When it became known.
        at: Timestamp,
    }
    /// Something a payment's provider was asked for.
    PaymentAttempt {
        /// Its id.
        id: PaymentAttemptId,
        /// What it was asked for.
        kind: PaymentAttemptKind,
        /// How much.
        amount: Money,
        /// Where it stands.
        status: PaymentAttemptStatus,
        /// Of a capture or refund: the units it is for; none where it is for an amount.
        lines: Vec<PaymentAttemptLine>,
        /// Why it was asked for.
        #[schema(required = true)]
        reason: Option<String>,
        /// Of a capture: the shipment it is for, in the words of whoever asked for it.
        #[schema(required = true)]
        shipment: Option<String>,
        /// Why it failed, for a program; null unless it did.
        #[schema(required = true)]
        failure: Option<String>,
        /// When it was recorded.
        created_at: Timestamp,
        /// When it became known what came of it.
        #[schema(required = true)]
        finished_at: Option<Timestamp>,
    }
    /// Units of an order's line that a capture or refund is for.
    PaymentAttemptLine {
        /// The line.
        line_id: OrderLineId,
        /// Units.
        quantity: i64,
        /// What they come to.
        amount: Money,
    }
    /// What is in an account of the ledger.
    AccountBalance {
        /// The account: a provider, `customer`, `disputes`.
        account: String,
        /// The currency.
        currency: crate::kernel::Currency,
        /// Debits less credits of what was posted, in minor units. All accounts of a currency sum to zero.
        balance: Minor,
        /// The same of what is reserved or awaited.
        pending: Minor,
    }
    /// Where the money is.
    LedgerBalances {
        /// One entry an account and currency, by name.
        accounts: Vec<AccountBalance>,
    }
}

impl Payment {
    /// What is here and has not gone back, in minor units.
    pub fn kept(&self) -> i64 {
        let gone = self
            .refunded
            .amount
            .saturating_add(self.charged_back.amount);
        self.captured.amount.saturating_sub(gone).max(0)
    }
}

impl Output for Payment {}
impl Output for PaymentDetails {}
impl Output for LedgerBalances {}

input! {
    /// How an order is paid.
    NewPayment {
        /// The provider: `manual`, `stripe`, `paypal` where they are configured, or `test` where it is switched on.
        provider: String,
        /// Which of the provider's methods; its first when left out.
        method: Option<String>,
        /// What the client got from the provider for this payment. Left out where the client confirms the payment with the
        /// provider, with the `clientSecret` or at the `actionUrl` of the checkout's payment.
        token: Option<String>,
        /// Where the provider sends the shopper back to after an action: an https address.
        return_url: Option<String>,
        /// A payment method that the provider keeps for the buyer's e-mail address, instead of a token. Needs the scope
        /// `payments:write`.
        saved_payment_method_id: Option<SavedPaymentMethodId>,
        /// Whether the shopper is away: then a saved method is declined where the shopper's bank wants to ask them.
        off_session: Option<bool>,
        /// Whether the provider is to keep the instrument, to be charged later for the cart's e-mail address. Needs the scope
        /// `payments:write`, and is for a checkout, not for a payment link.
        save_payment_method: Option<bool>,
    }
}
