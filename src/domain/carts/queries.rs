use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

use super::Address;
use super::model::{CartStatus, OrderSource};
use crate::auth::{Actor, Caller};
use crate::context::Tx;
use crate::kernel::column::{Doc, Id, Ts};
use crate::kernel::ids::{CartId, CartLineId, ChannelId, CouponId, ShippingMethodId, VariantId};
use crate::kernel::{
    Batch, Code, Currency, Email, Error, Json, Kind, Metadata, Param, Result, Timestamp,
};
use crate::params;
use crate::sabotage::Guard;

/// A cart as the database has it.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct CartRow {
    /// Its id.
    pub id: CartId,
    /// Its channel.
    pub channel_id: ChannelId,
    /// Its currency.
    pub currency: Currency,
    /// The SHA-256 of its token.
    pub token_hash: Vec<u8>,
    /// Where it stands.
    pub status: CartStatus,
    /// Where the order will come from.
    pub source: OrderSource,
    /// The shopper's e-mail address.
    pub email: Option<Email>,
    /// Where it goes.
    pub shipping_address: Option<Json<Address>>,
    /// Who pays.
    pub billing_address: Option<Json<Address>>,
    /// The chosen way of delivery.
    pub shipping_method_id: Option<ShippingMethodId>,
    /// The caller's own reference.
    pub reference: Option<String>,
    /// Free data.
    pub metadata: Json<Metadata>,
    /// Raised by every change.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The coupons that were entered.
    pub coupons: Json<Vec<CouponId>>,
}

/// A line as the database has it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct CartLineRow {
    /// Its id.
    pub id: CartLineId,
    /// The variant.
    pub variant_id: VariantId,
    /// Units.
    pub quantity: i64,
    /// A price given by hand.
    pub unit_price: Option<i64>,
}

const CART: &str = "id, channel_id, currency, token_hash, status, source, email, shipping_address, billing_address, \
    shipping_method_id, reference, metadata, version, created_at, updated_at, coupons";
type CartSql = (
    Id,
    Id,
    Text,
    Binary,
    Text,
    Text,
    Nullable<Text>,
    Nullable<Doc>,
    Nullable<Doc>,
    Nullable<Id>,
    Nullable<Text>,
    Doc,
    BigInt,
    Ts,
    Ts,
    Doc,
);

/// The condition under which the caller may know of a cart: it has the token, or the scope (which `dispatch` has checked).
fn owned(tx: &Tx<'_>) -> (&'static str, Vec<Param>) {
    match &tx.actor().caller {
        Caller::Storefront { channel, .. } => {
            let token = tx.actor().cart_token.map(|hash| hash.to_vec());
            (
                " AND channel_id = ? AND token_hash = ?",
                params![*channel, token],
            )
        }
        _ => ("", Vec::new()),
    }
}

/// Finds a cart that the caller may know of.
pub fn find(tx: &mut Tx<'_>, id: CartId) -> Result<CartRow> {
    select(tx, id, "")
}

/// Finds a cart and keeps others from changing it until the transaction ends.
pub fn lock(tx: &mut Tx<'_>, id: CartId) -> Result<CartRow> {
    let lock = if tx.conn.is_postgres() {
        "FOR UPDATE"
    } else {
        ""
    };
    select(tx, id, lock)
}

fn select(tx: &mut Tx<'_>, id: CartId, lock: &str) -> Result<CartRow> {
    let (owned, more) = owned(tx);
    let mut params = params![id];
    params.extend(more);
    let text = format!("SELECT {CART} FROM carts WHERE id = ?{owned} {lock}");
    tx.conn
        .rows::<CartSql, CartRow>(&text, params)?
        .pop()
        .ok_or_else(|| unknown(tx.actor()))
}

/// A cart of somebody else is none, and what proves that it is the caller's may have been forgotten.
fn unknown(actor: &Actor) -> Error {
    let error = Error::not_found("cart");
    match (&actor.caller, actor.cart_token) {
        (Caller::Storefront { .. }, None) => error.detail(
            "There is no such cart, or it is not yours: send the token that createCart gave as X-Cart-Token.",
        ),
        (Caller::Storefront { .. }, Some(_)) => {
            error.detail("There is no such cart, or X-Cart-Token is not its token.")
        }
        _ => error,
    }
}

/// An open cart, which nobody else changes until the transaction ends.
pub fn lock_open(tx: &mut Tx<'_>, id: CartId, expected: Option<i64>) -> Result<CartRow> {
    let cart = lock(tx, id)?;
    refuse_ordered(&cart)?;
    Error::unless_version(expected, cart.version)?;
    Ok(cart)
}

/// The same for what changes the cart in any case: its version is raised already, which saves a statement.
pub fn raise_open(tx: &mut Tx<'_>, id: CartId, expected: Option<i64>) -> Result<CartRow> {
    let (owned, more) = owned(tx);
    let now = tx.now;
    let mut params = params![now, id];
    params.extend(more);
    let version = match expected {
        Some(expected) => {
            params.extend(params![expected]);
            " AND version = ?"
        }
        None => "",
    };
    let text = format!(
        "UPDATE carts SET version = version + 1, updated_at = ?
         WHERE id = ?{owned} AND status = 'open'{version} RETURNING {CART}"
    );
    if let Some(cart) = tx.conn.rows::<CartSql, CartRow>(&text, params)?.pop() {
        return Ok(cart);
    }
    let cart = find(tx, id)?;
    refuse_ordered(&cart)?;
    Err(Error::version_conflict(cart.version))
}

fn refuse_ordered(cart: &CartRow) -> Result<()> {
    match cart.status {
        CartStatus::Open => Ok(()),
        CartStatus::Ordered => Err(Error::new(
            Code::InvalidState,
            "The cart became an order and cannot be changed.",
        )),
    }
}

pub fn insert(tx: &mut Tx<'_>, cart: &CartRow) -> Result<()> {
    tx.later(
        &format!(
            "INSERT INTO carts ({CART}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        ),
        params![
            cart.id,
            cart.channel_id,
            cart.currency.as_str(),
            cart.token_hash.clone(),
            cart.status,
            cart.source,
            cart.email.as_ref(),
            Param::doc_or_null(cart.shipping_address.as_ref()),
            Param::doc_or_null(cart.billing_address.as_ref()),
            cart.shipping_method_id,
            cart.reference.as_deref(),
            Param::doc(&cart.metadata),
            cart.version,
            cart.created_at,
            cart.updated_at,
            Param::doc(&cart.coupons)
        ],
    )
}

/// Writes what is not a line of a cart that was changed, and raises its version.
pub fn save(tx: &mut Tx<'_>, cart: &mut CartRow) -> Result<()> {
    cart.version += 1;
    cart.updated_at = tx.now;
    tx.later(
        "UPDATE carts SET email = ?, shipping_address = ?, billing_address = ?, shipping_method_id = ?, reference = ?,
             metadata = ?, coupons = ?, version = ?, updated_at = ? WHERE id = ?",
        params![
            cart.email.as_ref(),
            Param::doc_or_null(cart.shipping_address.as_ref()),
            Param::doc_or_null(cart.billing_address.as_ref()),
            cart.shipping_method_id,
            cart.reference.as_deref(),
            Param::doc(&cart.metadata),
            Param::doc(&cart.coupons),
            cart.version,
            cart.updated_at,
            cart.id
        ],
    )
}

/// Closes a cart that becomes an order, and answers with it; nothing where it was closed already, or is not the caller's.
pub fn mark_ordered(tx: &mut Tx<'_>, id: CartId) -> Result<Option<CartRow>> {
    let (owned, more) = owned(tx);
    let now = tx.now;
    let mut params = params![now, id];
    params.extend(more);
    let open = if tx.app().sabotage.removed(Guard::Once) {
        ""
    } else {
        " AND status = 'open'"
    };
    let text = format!(
        "UPDATE carts SET status = 'ordered', updated_at = ? WHERE id = ?{owned}{open} RETURNING {CART}"
    );
    Ok(tx.conn.rows::<CartSql, CartRow>(&text, params)?.pop())
}

/// A cart's lines, in the order in which they were added.
pub fn lines_of(tx: &mut Tx<'_>, cart: CartId) -> Result<Vec<CartLineRow>> {
    tx.conn.rows::<(Id, Id, BigInt, Nullable<BigInt>), CartLineRow>(
        "SELECT id, variant_id, quantity, unit_price FROM cart_lines WHERE cart_id = ? ORDER BY id",
        params![cart],
    )
}

/// Writes lines, new or changed, in one statement.
pub fn save_lines<'a>(
    tx: &mut Tx<'_>,
    cart: CartId,
    lines: impl Iterator<Item = &'a CartLineRow>,
) -> Result<()> {
    let batch = Batch::new(
        &[
            ("id", Kind::Id),
            ("variant_id", Kind::Id),
            ("quantity", Kind::Int),
            ("unit_price", Kind::Int),
        ],
        lines.map(|l| {
            [
                l.id.into(),
                l.variant_id.into(),
                l.quantity.into(),
                l.unit_price.into(),
            ]
        }),
    );
    tx.later(
        "INSERT INTO cart_lines (id, cart_id, variant_id, quantity, unit_price)
         SELECT x.id, ?, x.variant_id, x.quantity, x.unit_price FROM ? AS x WHERE true
         ON CONFLICT (id) DO UPDATE SET quantity = excluded.quantity",
        params![cart, batch],
    )
}

/// Takes lines out.
pub fn remove_lines(tx: &mut Tx<'_>, cart: CartId, lines: &[CartLineId]) -> Result<()> {
    tx.conn.execute(
        "DELETE FROM cart_lines WHERE cart_id = ? AND id IN (SELECT x.id FROM ? AS x)",
        params![cart, Batch::ids(lines.iter().map(|l| l.uuid()))],
    )?;
    Ok(())
}
