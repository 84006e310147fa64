//! Who is asking and what kind of thing they may do. Pure: no SQL, no HTTP.
//!
//! Permission has two steps. [`Access`] stands in the table of operations and says what kind of caller may do this kind of
//! thing; which rows a caller sees is decided by the operation's own query.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::kernel::ids::{ApiKeyId, ChannelId};
use crate::kernel::{Code, Error, Result};

macro_rules! scopes {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $text:literal ),+ $(,)?) => {
        /// What a secret key may be allowed to do, written `resource:read` or `resource:write`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Scope { $( $(#[doc = $doc])+ $variant ),+ }

        impl Scope {
            /// Every scope there is.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The scope as it is written.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $text),+ } }

            /// What it allows.
            pub const fn doc(self) -> &'static str { match self { $(Self::$variant => concat!($($doc),+).trim_ascii()),+ } }
        }
    };
}

scopes! {
    /// See the settings of all channels.
    ChannelsRead = "channels:read",
    /// Create and change channels.
    ChannelsWrite = "channels:write",
    /// See products of every status, with all their prices.
    CatalogRead = "catalog:read",
    /// Create and change products, variants and categories.
    CatalogWrite = "catalog:write",
    /// Set prices.
    PricesWrite = "prices:write",
    /// Give a cart's line a price by hand.
    PricesOverride = "prices:override",
    /// See tax classes, zones and rates.
    TaxRead = "tax:read",
    /// Change tax classes, zones and rates.
    TaxWrite = "tax:write",
    /// See locations, stock levels and movements.
    InventoryRead = "inventory:read",
    /// Change locations and stock.
    InventoryWrite = "inventory:write",
    /// See shipping zones and methods.
    ShippingRead = "shipping:read",
    /// Change shipping zones and methods.
    ShippingWrite = "shipping:write",
    /// See coupons.
    CouponsRead = "coupons:read",
    /// Create and change coupons.
    CouponsWrite = "coupons:write",
    /// See any cart.
    CartsRead = "carts:read",
    /// Fill and check out any cart.
    CartsWrite = "carts:write",
    /// See all orders and their payments.
    OrdersRead = "orders:read",
    /// Cancel and change orders.
    OrdersWrite = "orders:write",
    /// See payments with all that happened to them, and the ledger.
    PaymentsRead = "payments:read",
    /// Capture, void, refund and record payments.
    PaymentsWrite = "payments:write",
    /// See gift cards and store credit.
    CreditsRead = "credits:read",
    /// Issue and change gift cards and store credit, and pay with store credit.
    CreditsWrite = "credits:write",
    /// See how risky orders are, what waits for a decision, and the block list.
    RiskRead = "risk:read",
    /// Approve and decline orders, change the block list.
    RiskWrite = "risk:write",
    /// See credit terms and overdue invoices.
    CreditTermsRead = "credit_terms:read",
    /// Give and change credit terms.
    CreditTermsWrite = "credit_terms:write",
    /// See API keys, never their secrets.
    ApiKeysRead = "api_keys:read",
    /// Create and revoke API keys.
    ApiKeysWrite = "api_keys:write",
    /// See events and jobs.
    EventsRead = "events:read",
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| {
                let all: Vec<&str> = Self::ALL.iter().map(|scope| scope.as_str()).collect();
                format!("There is no scope {text}; there are: {}.", all.join(", "))
            })
    }
}

/// The SHA-256 of a cart's token; the token itself is never kept.
pub type TokenHash = [u8; 32];

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody without a key.
    Anonymous,
    /// A shop front with a publishable key, for a shopper nobody knows.
    Storefront {
        /// The key.
        key: ApiKeyId,
        /// The channel it sells in.
        channel: ChannelId,
    },
    /// A partner or a back office with a secret key.
    Partner {
        /// The key.
        key: ApiKeyId,
        /// What it may do.
        scopes: BTreeSet<Scope>,
    },
    /// Mercer itself: its jobs and its command line.
    System,
}

/// Who is asking, and which cart they can prove is theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who it is.
    pub caller: Caller,
    /// The hash of the cart token that came along.
    pub cart_token: Option<TokenHash>,
}

impl Actor {
    /// An actor without a cart.
    pub fn new(caller: Caller) -> Self {
        Self {
            caller,
            cart_token: None,
        }
    }

    /// Mercer itself.
    pub fn system() -> Self {
        Self::new(Caller::System)
    }

    /// Whether the actor's key has this scope.
    pub fn has(&self, scope: Scope) -> bool {
        match &self.caller {
            Caller::Partner { scopes, .. } => scopes.contains(&scope),
            Caller::System => true,
            Caller::Anonymous | Caller::Storefront { .. } => false,
        }
    }

    /// Refuses an actor whose key lacks this scope, about the field at `pointer`.
    pub fn require(&self, scope: Scope, pointer: &str) -> Result<()> {
        if self.has(scope) {
            return Ok(());
        }
        let message = format!("Needs the scope {scope}.");
        Err(Error::field(
            Code::Forbidden,
            pointer,
            "missing_scope",
            message,
        ))
    }

    /// What is for everybody but shop fronts.
    pub fn private<T>(&self, value: T) -> Option<T> {
        self.channel().is_none().then_some(value)
    }

    /// The channel a shop front sells in.
    pub fn channel(&self) -> Option<ChannelId> {
        match self.caller {
            Caller::Storefront { channel, .. } => Some(channel),
            _ => None,
        }
    }

    /// The actor in timelines and ledgers: the id of its key, or `system`.
    pub fn name(&self) -> String {
        match &self.caller {
            Caller::Anonymous => "anonymous".to_owned(),
            Caller::Storefront { key, .. } | Caller::Partner { key, .. } => key.to_string(),
            Caller::System => "system".to_owned(),
        }
    }
}

/// What kind of caller an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A shop front, or a secret key with this scope.
    Storefront(Scope),
    /// A secret key with this scope.
    Scope(Scope),
}

impl Access {
    /// For shop fronts, and for secret keys with `scope`.
    pub const fn storefront_or(scope: Scope) -> Self {
        Self::Storefront(scope)
    }

    /// For secret keys with `scope`.
    pub const fn scope(scope: Scope) -> Self {
        Self::Scope(scope)
    }

    /// The scope that a secret key needs.
    pub const fn needed(self) -> Scope {
        match self {
            Self::Storefront(scope) | Self::Scope(scope) => scope,
        }
    }

    /// Whether shop fronts may come in.
    pub const fn admits_storefront(self) -> bool {
        matches!(self, Self::Storefront(_))
    }

    /// Refuses who may not do this kind of thing.
    pub fn check(self, actor: &Actor) -> Result<()> {
        match &actor.caller {
            Caller::Anonymous => Err(Error::new(
                Code::Unauthenticated,
                "Send an API key: Authorization: Bearer mrc_…",
            )),
            Caller::Storefront { .. } if self.admits_storefront() => Ok(()),
            _ if actor.has(self.needed()) => Ok(()),
            _ => Err(Error::new(
                Code::Forbidden,
                format!("Needs a secret key with the scope {}.", self.needed()),
            )),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storefront(scope) => {
                write!(f, "a publishable key, or a secret key with `{scope}`")
            }
            Self::Scope(scope) => write!(f, "a secret key with `{scope}`"),
        }
    }
}
