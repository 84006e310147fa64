//! Payment providers.
//!
//! Talking to one has three beats: what is wanted is on disk → the call → what came of it is written. Every call carries a
//! [`key`](Authorize::key) that follows from what was recorded, so that it may be repeated; a call whose answer is lost is
//! [`Outcome::Unknown`], never a decline, and [`PaymentProvider::look_up`] finds out later.
//!
//! A provider always answers with a [`Report`]: everything it knows about the payment now, each movement of money with the
//! provider's own name for it. An answer, a webhook and a look-up all end in the same report, and a report that is read
//! twice changes nothing.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::wallet::Wallet;
use crate::kernel::ids::{PaymentAttemptId, PaymentId};
use crate::kernel::{Code, Document, Error, Money, Result, Timestamp};

/// A call on its way.
pub type Call<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// What is to be authorised.
#[derive(Clone, Debug)]
pub struct Authorize {
    /// The payment as it was recorded.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
    /// Which of the provider's methods, as `card` or `bank_transfer`.
    pub method: String,
    /// What the client got from the provider for this payment; nothing where the client is to confirm it with the provider.
    pub token: Option<String>,
    /// The provider's name for the payment, once it is known.
    pub reference: Option<String>,
    /// Whether the money is to be taken at once, instead of reserved.
    pub capture: bool,
    /// Where the provider sends the shopper back to after an action.
    pub return_url: Option<String>,
    /// The shopper's e-mail address, for the provider's receipt.
    pub email: Option<String>,
    /// Whose the token is, where it names a method that the provider keeps; for whom it is to be kept, where it does not.
    pub keeper: Option<Keeper>,
}

/// For whom a provider keeps the method that is charged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeper {
    /// The provider's name for the customer.
    pub customer: String,
    /// Whether the shopper is away, so that nobody can act.
    #[serde(default)]
    pub off_session: bool,
    /// Whether the instrument is to be kept for them.
    #[serde(default)]
    pub keep: bool,
}

impl Authorize {
    /// Makes the call repeatable.
    pub fn key(&self) -> String {
        format!("{}:authorize", self.payment)
    }

    /// Whether the shopper is away, so that nobody can act.
    pub fn off_session(&self) -> bool {
        self.keeper
            .as_ref()
            .is_some_and(|keeper| keeper.off_session)
    }
}

/// A movement of money of a payment that was authorised: a capture, a release or a refund.
#[derive(Clone, Debug)]
pub struct Move {
    /// The payment.
    pub payment: PaymentId,
    /// The attempt as it was recorded.
    pub attempt: PaymentAttemptId,
    /// The provider's name for the payment.
    pub reference: String,
    /// How much.
    pub amount: Money,
    /// How much the whole payment was asked for.
    pub of: Money,
    /// Of a capture: whether nothing is to be captured after it, so that the rest is released.
    pub last: bool,
}

impl Move {
    /// Makes the call repeatable.
    pub fn key(&self) -> String {
        format!("{}:{}", self.payment, self.attempt)
    }
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What the provider knows now.
    Known(Box<Report>),
    /// The provider refused this very request, and no money has moved because of it.
    Refused {
        /// Why, for a program: `card_declined`, `amount_too_large`.
        reason: String,
    },
    /// Nobody knows; ask again with the same key, or look it up.
    Unknown,
}

impl Outcome {
    /// The provider cannot do that.
    pub fn not_supported() -> Self {
        Self::Refused {
            reason: "not_supported".into(),
        }
    }
}

/// Everything a provider knows about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The provider's name for the payment.
    pub reference: String,
    /// What it was asked to take. Another amount or currency than the payment's stops the order.
    pub money: Money,
    /// Where the authorisation stands.
    pub state: State,
    /// What has moved since, as far as the provider tells; told again it changes nothing.
    pub movements: Vec<Movement>,
    /// Facts about the instrument and the provider's view of the risk: `card_brand`, `card_last4`, `card_fingerprint`,
    /// `card_country`, `risk_level`, `risk_score`. Never a whole card number.
    pub facts: Document,
}

impl Report {
    /// How much of this kind has moved for an attempt, in minor units.
    pub fn moved(&self, kind: MovementKind, attempt: PaymentAttemptId) -> i64 {
        let movements = self.movements.iter();
        let own = movements.filter(|m| m.kind == kind && m.attempt == Some(attempt));
        own.map(|m| m.amount).sum()
    }
}

/// Where an authorisation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The client is to confirm the payment with the provider, with this secret.
    Open {
        /// For the provider's own client library.
        client_secret: Option<String>,
    },
    /// The shopper must do something first.
    ActionRequired {
        /// Where they do it, if that is a page.
        url: Option<String>,
        /// For the provider's own client library.
        client_secret: Option<String>,
    },
    /// The shopper has done their part, and the provider waits to be asked: authorising goes on with it.
    Approved,
    /// The provider is at it; news will come.
    Processing,
    /// The money is reserved, or taken already: then a movement says so.
    Authorized {
        /// Until when it must be captured.
        expires_at: Option<Timestamp>,
    },
    /// The money will come by itself; the order may be placed.
    Awaited,
    /// No; another instrument may be tried.
    Declined {
        /// Why, for a program: `card_declined`.
        reason: String,
    },
    /// It is over: let go, or never confirmed.
    Cancelled,
}

/// Money that has moved, or has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// What moved.
    pub kind: MovementKind,
    /// The provider's name for it, unique in its kind.
    pub reference: String,
    /// The attempt that asked for it; nothing where it was done at the provider.
    pub attempt: Option<PaymentAttemptId>,
    /// How much, in minor units of the payment's currency.
    pub amount: i64,
    /// What is to be known: the reason of a failure or of a dispute, `respond_by` of a dispute.
    pub data: Document,
}

/// What moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MovementKind {
    /// Reserved money was taken.
    Capture,
    /// Reserved money was let go.
    Void,
    /// Money went back.
    Refund,
    /// A refund did not arrive, and the money is here again.
    RefundReverse,
    /// A refund was refused.
    RefundFailure,
    /// The shopper's bank took the money back.
    Chargeback,
    /// A chargeback was won.
    ChargebackReverse,
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
    /// Decides about an authorisation.
    fn decide(&self, request: &Authorize) -> Outcome;

    /// Decides about a capture, a void or a refund, and reports it.
    fn shift(&self, kind: MovementKind, request: &Move) -> Outcome;
}

/// What a provider can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// It opens a session that the client confirms with the provider, when a payment comes without a token.
    pub opens: bool,
    /// Captures a payment takes: none where the money comes by itself.
    pub captures: Captures,
    /// It can let reserved money go.
    pub voids: bool,
    /// It can send money back.
    pub refunds: bool,
}

/// Why a provider cannot take an amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannotTake {
    /// What it is, for a program: `amount_not_representable`, `currency_not_supported`.
    pub code: &'static str,
    /// What it is, for a person.
    pub message: String,
}

impl CannotTake {
    /// The provider counts the currency in steps of so many minor units, and this is none of them.
    pub fn step(provider: &str, money: Money, step: i64) -> Self {
        let currency = money.currency;
        let step = Money {
            amount: step,
            currency,
        };
        let message = format!(
            "{provider} takes {currency} in steps of {step}, and {money} is none; choose another way \
             to pay, or prices that come to one."
        );
        Self {
            code: "amount_not_representable",
            message,
        }
    }

    /// As an error about a field.
    pub fn into_error(self, pointer: &str) -> Error {
        Error::invalid(pointer, self.code, self.message)
    }
}

/// How often a payment can be captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captures {
    /// Never: somebody says when the money has come.
    None,
    /// Once; what is not captured then is released.
    Once,
    /// In parts.
    Many,
}

/// What a provider's webhook is about. It is not believed: the object is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The provider's id of the event, the same however often it is sent.
    pub id: String,
    /// What kind of event.
    pub kind: String,
    /// The payment, where the provider carries our id.
    pub payment: Option<PaymentId>,
    /// The provider's name for the payment, where it says it.
    pub reference: Option<String>,
    /// The provider's name for the customer, where it is about what the provider keeps for one.
    pub customer: Option<String>,
    /// Whether it is about a payment of another system on the same account: whole in the event, and without our id.
    pub foreign: bool,
}

/// A webhook as it came in.
pub struct RawNotice<'a> {
    /// The headers, by lower-case name.
    pub headers: &'a HashMap<String, String>,
    /// The body, byte for byte.
    pub body: &'a [u8],
    /// When it came in.
    pub now: Timestamp,
}

/// What comes of reading a webhook.
pub type Reading<'a> = Pin<Box<dyn Future<Output = Result<Notice>> + Send + 'a>>;

/// Which payment of ours an object of the provider's is for.
pub type Owner<'a> = Pin<Box<dyn Future<Output = Result<Option<PaymentId>>> + Send + 'a>>;

/// A payment provider. One that decides in this process says so with [`Reach::Local`], which answers every call.
pub trait PaymentProvider: Send + Sync {
    /// Its name in the API: `manual`.
    fn name(&self) -> &'static str;

    /// The methods it offers; the first is the default.
    fn methods(&self) -> &'static [&'static str];

    /// What it can do.
    fn abilities(&self) -> Abilities;

    /// Where it decides.
    fn reach(&self) -> Reach<'_>;

    /// Why it cannot take exactly this amount of this currency, if so. It is asked before anything is recorded.
    fn cannot_take(&self, _: Money) -> Option<CannotTake> {
        None
    }

    /// Reserves money; without a token, opens a session that the client confirms.
    fn authorize<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        here(&self.reach(), |local| local.decide(request))
    }

    /// Finds out what became of a payment; [`Outcome::Refused`] where the provider never heard of it.
    fn look_up<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        here(&self.reach(), |local| local.decide(request))
    }

    /// Takes reserved money.
    fn capture<'a>(&'a self, request: &'a Move) -> Call<'a> {
        here(&self.reach(), |local| {
            local.shift(MovementKind::Capture, request)
        })
    }

    /// Lets reserved money go.
    fn void<'a>(&'a self, request: &'a Move) -> Call<'a> {
        here(&self.reach(), |local| {
            local.shift(MovementKind::Void, request)
        })
    }

    /// Sends money back.
    fn refund<'a>(&'a self, request: &'a Move) -> Call<'a> {
        here(&self.reach(), |local| {
            local.shift(MovementKind::Refund, request)
        })
    }

    /// Where it keeps payment methods for shoppers; nothing where it keeps none.
    fn wallet(&self) -> Option<&dyn Wallet> {
        None
    }

    /// Asks which payment of ours the provider calls so; nothing where it is of another system on the same account.
    fn owner<'a>(&'a self, _reference: &'a str) -> Owner<'a> {
        Box::pin(async { Ok(None) })
    }

    /// Reads a webhook after checking who sent it; refuses one with a wrong, old or missing signature.
    fn read_notice<'a>(&'a self, _: &'a RawNotice<'a>) -> Reading<'a> {
        let message = format!("{} has no webhooks.", self.name());
        Box::pin(async { Err(Error::new(Code::NotFound, message)) })
    }
}

/// What a provider in this process says to a call; one far away has a way of its own for every call it can answer.
fn here<'a>(reach: &Reach<'_>, asked: impl FnOnce(&dyn LocalPayments) -> Outcome) -> Call<'a> {
    let outcome = match reach {
        Reach::Local(local) => asked(*local),
        Reach::Remote => Outcome::not_supported(),
    };
    Box::pin(std::future::ready(outcome))
}

/// The providers of this shop.
pub struct PaymentProviders(HashMap<&'static str, Arc<dyn PaymentProvider>>);

impl PaymentProviders {
    /// These providers.
    pub fn new(providers: impl IntoIterator<Item = Arc<dyn PaymentProvider>>) -> Self {
        Self(providers.into_iter().map(|p| (p.name(), p)).collect())
    }

    /// The provider with this name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Arc<dyn PaymentProvider>> {
        self.0.get(name)
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
