use std::collections::HashMap;

use super::model::{Cart, CartStatus, CreateCart, NewCart, OrderSource, UpdateCart};
use super::queries::{self, CartLineRow, CartRow};
use super::quote::{Basis, Quote};
use super::{Address, GetCart, lines};
use crate::auth::{Caller, Scope};
use crate::context::Tx;
use crate::domain::catalog::{self, Sellable};
use crate::domain::channels::Channels;
use crate::domain::coupons;
use crate::domain::identity::keys;
use crate::domain::shipping::Shipping;
use crate::domain::tax::Taxes;
use crate::kernel::ids::{CartId, VariantId};
use crate::kernel::{Checks, Code, Error, Json, Metadata, Result, patch};
use crate::operation::{Mutation, Query};
use crate::ports::address::{AddressValidation, PostalAddress};
use crate::sabotage::Guard;

/// Characters of a cart's token: 256 random bits.
const TOKEN_CHARS: usize = 43;

impl Query for GetCart {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Cart> {
        let cart = queries::find(tx, self.id)?;
        let lines = queries::lines_of(tx, cart.id)?;
        Ok(quote_of(tx, &cart, &lines)?.0.into_cart(cart, tx.actor()))
    }
}

impl Mutation for CreateCart {
    fn run(&self, tx: &mut Tx<'_>) -> Result<NewCart> {
        may_write_private(tx, self.private_metadata.is_some())?;
        let channel = Channels::of_caller(tx, self.channel_id, "/channelId")?;
        let currency = channel.currency_or_default(self.currency, "/currency")?;
        let token = keys::random(TOKEN_CHARS)?;
        let source = source_of(&tx.actor().caller, self.source)?;
        let cart = CartRow {
            id: CartId::new(),
            channel_id: channel.id,
            currency,
            token_hash: keys::token_hash(&token).to_vec(),
            status: CartStatus::Open,
            source,
            email: self.email.clone(),
            shipping_address: normal(tx, self.shipping_address.clone())?,
            billing_address: normal(tx, self.billing_address.clone())?,
            shipping_method_id: self.shipping_method_id,
            reference: self.reference.clone(),
            metadata: Metadata::new(self.metadata.as_ref(), self.private_metadata.as_ref()),
            version: 1,
            created_at: tx.now,
            updated_at: tx.now,
            coupons: Json::default(),
        };
        check(tx, &cart)?;
        if !self.lines.is_empty() {
            lines::check_count(self.lines.len(), "/lines")?;
        }
        let variants = lines::resolve(tx, &self.lines)?;
        let mut rows = Vec::with_capacity(variants.len());
        lines::merge(&mut rows, &self.lines, &variants)?;
        let (quote, sellables) = quote_of(tx, &cart, &rows)?;
        lines::refuse_unknown(&variants, |v| sellables.contains_key(v))?;
        queries::insert(tx, &cart)?;
        if !rows.is_empty() {
            queries::save_lines(tx, cart.id, rows.iter())?;
        }
        Ok(NewCart {
            token,
            cart: quote.into_cart(cart, tx.actor()),
        })
    }
}

/// Where the order comes from. A shop front may not say that somebody stood at the counter: its key is known to everybody.
fn source_of(caller: &Caller, claimed: Option<OrderSource>) -> Result<OrderSource> {
    match (caller, claimed) {
        (_, Some(source @ (OrderSource::Web | OrderSource::App))) => Ok(source),
        (Caller::Storefront { .. }, None) => Ok(OrderSource::Web),
        (Caller::Storefront { .. }, Some(_)) => Err(Error::field(
            Code::Forbidden,
            "/source",
            "not_allowed",
            "A publishable key may say `web` or `app`; for any other source use a secret key.",
        )),
        (_, claimed) => Ok(claimed.unwrap_or(OrderSource::Api)),
    }
}

impl Mutation for UpdateCart {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Cart> {
        may_write_private(tx, !self.private_metadata.is_undefined())?;
        let old = queries::lock_open(tx, self.id, self.expected_version)?;
        let address = |patch: &crate::kernel::Patch<Address>, current: &Option<Json<Address>>| {
            normal(
                tx,
                patch::optional(patch, current.as_ref().map(|a| a.0.clone())),
            )
        };
        let mut cart = CartRow {
            email: patch::optional(&self.email, old.email.clone()),
            shipping_address: address(&self.shipping_address, &old.shipping_address)?,
            billing_address: address(&self.billing_address, &old.billing_address)?,
            shipping_method_id: patch::optional(&self.shipping_method_id, old.shipping_method_id),
            reference: patch::optional(&self.reference, old.reference.clone()),
            metadata: old
                .metadata
                .patched(&self.metadata, &self.private_metadata)?,
            ..old.clone()
        };
        if cart != old {
            check(tx, &cart)?;
            queries::save(tx, &mut cart)?;
        }
        let lines = queries::lines_of(tx, cart.id)?;
        Ok(quote_of(tx, &cart, &lines)?.0.into_cart(cart, tx.actor()))
    }
}

/// An address as a cart keeps it.
fn normal(tx: &Tx<'_>, address: Option<Address>) -> Result<Option<Json<Address>>> {
    let validation = tx.app().part::<AddressValidation>()?;
    Ok(address.map(|address| Json(address.normal(&*validation.0))))
}

/// Refuses a shop front that would write what it may not see.
fn may_write_private(tx: &Tx<'_>, written: bool) -> Result<()> {
    if written {
        tx.actor().require(Scope::CartsWrite, "/privateMetadata")?;
    }
    Ok(())
}

fn check(tx: &Tx<'_>, cart: &CartRow) -> Result<()> {
    let mut checks = Checks::new();
    checks.email("/email", cart.email.as_ref());
    if let Some(address) = &cart.shipping_address {
        address.check(&mut checks, "/shippingAddress");
    }
    if let Some(address) = &cart.billing_address {
        address.check(&mut checks, "/billingAddress");
    }
    if let Some(reference) = &cart.reference {
        checks.text("/reference", reference, 200);
    }
    if let Some(method) = cart.shipping_method_id {
        let known = tx
            .app()
            .kept::<Shipping>()?
            .method(method)
            .is_some_and(|m| m.channel_id == cart.channel_id);
        checks.that(
            known,
            "/shippingMethodId",
            "unknown_method",
            "There is no such way of delivery in this channel.",
        );
    }
    checks.done()
}

/// Prices a cart: one statement for what there is to know of its variants, and two for its coupons where it has any.
pub fn quote_of(
    tx: &mut Tx<'_>,
    cart: &CartRow,
    lines: &[CartLineRow],
) -> Result<(Quote, HashMap<VariantId, Sellable>)> {
    let channel = Channels::get(tx, cart.channel_id)?;
    let mut sellables = if lines.is_empty() {
        HashMap::new()
    } else {
        catalog::sellables(
            tx,
            lines.iter().map(|l| l.variant_id),
            cart.id,
            cart.channel_id,
            cart.currency,
        )?
    };
    if tx.app().sabotage.removed(Guard::Stock) {
        for sellable in sellables.values_mut() {
            sellable.available = i64::MAX;
        }
    }
    let coupons = coupons::presented(tx, &cart.coupons, cart.email.as_ref())?;
    let (taxes, shipping) = (tx.app().kept::<Taxes>()?, tx.app().kept::<Shipping>()?);
    let validation = tx.app().part::<AddressValidation>()?;
    let examine = |address: &Option<Json<Address>>| {
        let address = address.as_ref()?;
        Some(validation.0.examine(&PostalAddress::from(&address.0)))
    };
    let basis = Basis {
        cart,
        lines,
        sellables: &sellables,
        coupons: &coupons,
        channel: &channel,
        taxes: &taxes,
        shipping: &shipping,
        ship_to: examine(&cart.shipping_address),
        bill_to: examine(&cart.billing_address),
        now: tx.now,
    };
    let quote = Quote::new(&basis)?;
    Ok((quote, sellables))
}
