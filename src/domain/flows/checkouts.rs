//! The checkout: a quote frozen while its stock is held and its payment is made.

use diesel::sql_types::{BigInt, Bool, Text};
use serde::{Deserialize, Serialize};

use crate::context::Tx;
use crate::domain::carts::{self, Address, CartLineRow, CartRow, Quote, QuoteLine};
use crate::domain::credits::Share;
use crate::domain::payments::{self, Payment, PaymentRow, Standing};
use crate::kernel::column::{Doc, Id, Ts};
use crate::kernel::ids::{CartId, CheckoutId, PaymentId};
use crate::kernel::{Currency, Email, Error, Json, Money, Param, Result, Timestamp};
use crate::operation::{Output, Query};
use crate::ports::payment::{Authorize, Keeper};
use crate::sabotage::Guard;
use crate::{choice, output, params};

choice! {
    /// Where a checkout stands.
    CheckoutStatus {
        /// Its stock is held; it can be placed.
        Open = "open",
        /// Its provider was asked, and nobody knows yet.
        Paying = "paying",
        /// It became an order.
        Ordered = "ordered",
        /// Another checkout of the cart took its place.
        Replaced = "replaced",
        /// It ran out, and its stock was given back.
        Expired = "expired",
    }
}

output! {
    /// A cart on its way to an order.
    Checkout {
        /// Its id.
        id: CheckoutId,
        /// The cart.
        cart_id: CartId,
        /// The cart's version it was frozen at.
        cart_version: i64,
        /// Where it stands.
        status: CheckoutStatus,
        /// What is to be paid.
        total: Money,
        /// How what gift cards and store credit leave is paid; null where nothing is left.
        #[schema(required = true)]
        payment: Option<Payment>,
        /// What gift cards and store credit pay, in the order in which they were given.
        credits: Vec<Payment>,
        /// Until when its stock is held.
        expires_at: Timestamp,
        /// When it was started.
        created_at: Timestamp,
    }
}

impl Output for Checkout {}

/// A checkout as the database has it.
#[derive(Clone, Debug)]
pub struct CheckoutRow {
    pub id: CheckoutId,
    pub cart_id: CartId,
    pub cart_version: i64,
    pub status: CheckoutStatus,
    pub remote: bool,
    pub quote: Quote,
    pub currency: Currency,
    pub total: i64,
    pub payment_id: PaymentId,
    pub payment: Chosen,
    pub expires_at: Timestamp,
    pub created_at: Timestamp,
}

/// How a checkout is paid, as it was asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Chosen {
    pub provider: String,
    pub method: String,
    pub token: Option<String>,
    /// Where the provider sends the shopper back to.
    #[serde(default)]
    pub return_url: Option<String>,
    /// Whose the token is, where it names a method that the provider keeps; for whom it is to be kept, where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeper: Option<Keeper>,
    /// Who buys, as it was when the quote was frozen: the money may come after the cart has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buyer: Option<Buyer>,
    /// Whether the money is taken with the order, as its channel wanted when the checkout was started.
    #[serde(default)]
    pub capture: bool,
    /// What gift cards and store credit pay of the total.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credits: Vec<Share>,
    /// Whether it is an invoice on credit terms.
    #[serde(default)]
    pub on_terms: bool,
}

/// Who buys, and where it goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Buyer {
    email: Option<Email>,
    shipping_address: Option<Json<Address>>,
    billing_address: Option<Json<Address>>,
}

impl Buyer {
    /// The buyer of a cart.
    pub fn of(cart: &CartRow) -> Self {
        Self {
            email: cart.email.clone(),
            shipping_address: cart.shipping_address.clone(),
            billing_address: cart.billing_address.clone(),
        }
    }
}

const COLUMNS: &str = "id, cart_id, cart_version, status, remote, quote, currency, total, payment_id, payment, expires_at, created_at";
type CheckoutSql = (
    Id,
    Id,
    BigInt,
    Text,
    Bool,
    Doc,
    Text,
    BigInt,
    Id,
    Doc,
    Ts,
    Ts,
);
type CheckoutTuple = (
    CheckoutId,
    CartId,
    i64,
    CheckoutStatus,
    bool,
    Json<Quote>,
    Currency,
    i64,
    PaymentId,
    Json<Chosen>,
    Timestamp,
    Timestamp,
);

impl From<CheckoutTuple> for CheckoutRow {
    fn from(row: CheckoutTuple) -> Self {
        let (
            id,
            cart_id,
            cart_version,
            status,
            remote,
            quote,
            currency,
            total,
            payment_id,
            payment,
            expires_at,
            created_at,
        ) = row;
        Self {
            id,
            cart_id,
            cart_version,
            status,
            remote,
            quote: quote.0,
            currency,
            total,
            payment_id,
            payment: payment.0,
            expires_at,
            created_at,
        }
    }
}

impl CheckoutRow {
    /// What gift cards and store credit leave to be paid.
    pub fn due(&self) -> Money {
        let credit: i64 = self.payment.credits.iter().map(|share| share.amount).sum();
        Money {
            amount: self.total - credit,
            currency: self.currency,
        }
    }

    /// Whether nothing is left to be paid, so that nobody is asked for money. The payment of the checkout is then that of the
    /// first gift card or store credit, or none.
    pub fn is_covered(&self) -> bool {
        self.due().amount == 0
    }

    /// The payments that stand for gift cards and store credit, as they were recorded when the checkout was started.
    pub fn credit_rows(&self) -> impl Iterator<Item = PaymentRow> {
        self.payment.credits.iter().map(|share| PaymentRow {
            id: share.payment_id,
            provider: share.kind.as_str().to_owned(),
            method: share.kind.as_str().to_owned(),
            token: None,
            amount: share.amount,
            reference: Some(share.account_id.to_string()),
            ..self.payment_row()
        })
    }

    /// The payment as it was recorded when the checkout was started.
    pub fn payment_row(&self) -> PaymentRow {
        let Chosen {
            provider, method, ..
        } = &self.payment;
        PaymentRow {
            id: self.payment_id,
            token: self.payment.token.clone(),
            ..PaymentRow::new(
                self.id,
                provider.clone(),
                method.clone(),
                self.due(),
                self.created_at,
            )
        }
    }

    /// What is to be authorised, of a payment that the provider has not heard of.
    pub fn authorize(&self) -> Authorize {
        self.ask(&self.payment_row())
    }

    /// What is to be authorised.
    pub fn ask(&self, payment: &PaymentRow) -> Authorize {
        Authorize {
            return_url: self.payment.return_url.clone(),
            keeper: self.payment.keeper.clone(),
            ..payment.authorize(self.payment.capture)
        }
    }

    /// Whether a cart is still what was frozen: its buyer, its lines, its delivery and its coupons.
    pub fn is_of(&self, cart: &CartRow, lines: &[CartLineRow]) -> bool {
        let quote = &self.quote;
        let coupons = quote.coupons.iter().map(|coupon| coupon.id);
        let same = |(frozen, line): (&QuoteLine, &CartLineRow)| {
            let by_hand = frozen.price_overridden.then_some(frozen.unit_price);
            (frozen.id, frozen.variant_id, frozen.quantity, by_hand)
                == (line.id, line.variant_id, line.quantity, line.unit_price)
        };
        self.payment.buyer.as_ref() == Some(&Buyer::of(cart))
            && quote.shipping.as_ref().map(|way| way.method_id) == cart.shipping_method_id
            && coupons.eq(cart.coupons.iter().copied())
            && quote.lines.len() == lines.len()
            && quote.lines.iter().zip(lines).all(same)
    }

    /// The cart with the buyer as it was frozen.
    pub fn frozen(&self, cart: CartRow) -> CartRow {
        match self.payment.buyer.clone() {
            Some(Buyer {
                email,
                shipping_address,
                billing_address,
            }) => CartRow {
                email,
                shipping_address,
                billing_address,
                ..cart
            },
            None => cart,
        }
    }

    /// The checkout as clients see it, with what is known of its own payment and of those by credit.
    pub fn into_checkout(self, payment: Option<Payment>, credits: Vec<Payment>) -> Checkout {
        Checkout {
            id: self.id,
            cart_id: self.cart_id,
            cart_version: self.cart_version,
            status: self.status,
            total: Money {
                amount: self.total,
                currency: self.currency,
            },
            payment,
            credits,
            expires_at: self.expires_at,
            created_at: self.created_at,
        }
    }

    /// The checkout as clients see it before anything was redeemed.
    pub fn into_started(self, payment: Option<Payment>) -> Checkout {
        let none = Standing::of(&[]);
        let credits = self.credit_rows().map(|row| none.into_payment(row));
        let credits = credits.collect();
        self.into_checkout(payment, credits)
    }
}

impl Query for super::GetCheckout {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Checkout> {
        carts::find(tx, self.cart_id)?;
        let text =
            format!("SELECT {COLUMNS} FROM checkouts WHERE cart_id = ? ORDER BY id DESC LIMIT 1");
        let row =
            one(tx, &text, params![self.cart_id])?.ok_or_else(|| Error::not_found("checkout"))?;
        if row.payment.credits.is_empty() && !row.is_covered() {
            let (payment, events) = payments::find(tx, row.payment_id)?
                .ok_or_else(|| Error::internal("a checkout without a payment"))?;
            let payment = Standing::of(&events).into_payment(payment);
            return Ok(row.into_checkout(Some(payment), Vec::new()));
        }
        let mut found = payments::of_checkouts(tx, std::iter::once(row.id))?;
        let all = found.remove(&row.id).unwrap_or_default();
        let (credits, others): (Vec<Payment>, Vec<Payment>) = all
            .into_iter()
            .partition(|p| row.payment.credits.iter().any(|s| s.payment_id == p.id));
        let payment = others.into_iter().find(|p| p.id == row.payment_id);
        Ok(row.into_checkout(payment, credits))
    }
}

fn one(tx: &mut Tx<'_>, text: &str, params: Vec<Param>) -> Result<Option<CheckoutRow>> {
    Ok(tx
        .conn
        .rows::<CheckoutSql, CheckoutTuple>(text, params)?
        .pop()
        .map(CheckoutRow::from))
}

pub fn insert(tx: &mut Tx<'_>, row: &CheckoutRow) -> Result<()> {
    tx.later(
        "INSERT INTO checkouts (id, cart_id, cart_version, status, remote, quote, currency, total, payment_id, payment,
             expires_at, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            row.id,
            row.cart_id,
            row.cart_version,
            row.status,
            row.remote,
            Param::doc(&row.quote),
            row.currency.as_str(),
            row.total,
            row.payment_id,
            Param::doc(&row.payment),
            row.expires_at,
            row.created_at
        ],
    )
}

/// Takes the live checkout of a cart in hand: it is then `ordered`, or `paying` where its provider is far away. The one who
/// gets the row is the only one.
pub fn take(tx: &mut Tx<'_>, cart: CartId) -> Result<Option<CheckoutRow>> {
    let again = if tx.app().sabotage.removed(Guard::Once) {
        " OR status = 'ordered'"
    } else {
        ""
    };
    let text = format!(
        "UPDATE checkouts SET status = CASE WHEN remote THEN 'paying' ELSE 'ordered' END
         WHERE cart_id = ? AND (status = 'paying' OR (status = 'open' AND expires_at > ?){again}) RETURNING {COLUMNS}"
    );
    let now = tx.now;
    one(tx, &text, params![cart, now])
}

/// Whether a checkout of the cart was ever started.
pub fn any(tx: &mut Tx<'_>, cart: CartId) -> Result<bool> {
    let text = "SELECT id FROM checkouts WHERE cart_id = ? LIMIT 1";
    Ok(!tx
        .conn
        .rows::<Id, CheckoutId>(text, params![cart])?
        .is_empty())
}

/// Finds a checkout.
pub fn find(tx: &mut Tx<'_>, id: CheckoutId) -> Result<Option<CheckoutRow>> {
    one(
        tx,
        &format!("SELECT {COLUMNS} FROM checkouts WHERE id = ?"),
        params![id],
    )
}

/// Keeps others from a checkout until the transaction ends.
pub fn lock(tx: &mut Tx<'_>, id: CheckoutId) -> Result<Option<CheckoutRow>> {
    let lock = if tx.conn.is_postgres() {
        "FOR UPDATE"
    } else {
        ""
    };
    one(
        tx,
        &format!("SELECT {COLUMNS} FROM checkouts WHERE id = ? {lock}"),
        params![id],
    )
}

/// Sets where a checkout stands.
pub fn set_status(tx: &mut Tx<'_>, id: CheckoutId, status: CheckoutStatus) -> Result<()> {
    tx.conn.execute(
        "UPDATE checkouts SET status = ? WHERE id = ?",
        params![status, id],
    )?;
    Ok(())
}

/// A checkout that another took the place of.
pub struct Replaced {
    pub payment_id: PaymentId,
    pub remote: bool,
}

/// Makes room for another checkout of the cart; says what was there, and refuses while it is being paid.
pub fn replace(tx: &mut Tx<'_>, cart: CartId) -> Result<Option<Replaced>> {
    let rows = tx
        .conn
        .rows::<(Text, Id, Bool), (CheckoutStatus, PaymentId, bool)>(
        "UPDATE checkouts SET status = CASE WHEN status = 'open' THEN 'replaced' ELSE status END
         WHERE cart_id = ? AND status IN ('open', 'paying') RETURNING status, payment_id, remote",
        params![cart],
    )?;
    match rows.into_iter().next() {
        Some((CheckoutStatus::Paying, ..)) => {
            let detail = "A payment of this cart is on its way; ask placeOrder what became of it.";
            Err(Error::new(crate::kernel::Code::InvalidState, detail))
        }
        found => Ok(found.map(|(_, payment_id, remote)| Replaced { payment_id, remote })),
    }
}

/// Open checkouts that have run out.
pub fn expired(tx: &mut Tx<'_>) -> Result<Vec<CheckoutId>> {
    let now = tx.now;
    tx.conn.rows::<Id, CheckoutId>(
        "SELECT id FROM checkouts WHERE status = 'open' AND expires_at <= ? ORDER BY expires_at LIMIT 100",
        params![now],
    )
}
