//! Changing what is in a cart. Each is four statements, however many lines there are: lock, read, write, and what a quote
//! needs to know of the variants.

use super::model::{Cart, NewCartLine};
use super::operations::quote_of;
use super::queries::{self, CartLineRow};
use crate::auth::Scope;
use crate::context::Tx;
use crate::domain::catalog;
use crate::domain::pricing;
use crate::input;
use crate::kernel::ids::{CartId, CartLineId, VariantId};
use crate::kernel::{Checks, Error, FieldError, Result};
use crate::operation::Mutation;

/// The most units of a line.
const MAX_QUANTITY: i64 = 100_000;
/// The most lines of a cart.
const MAX_LINES: usize = 1000;
/// The most lines of a request.
const MAX_CHANGES: usize = 500;

input! {
    /// Units to be added to a cart.
    AddCartLines {
        /// The cart.
        cart_id: CartId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// 1 to 500 lines.
        lines: Vec<NewCartLine>,
    }
    /// Quantities of a cart's lines.
    UpdateCartLines {
        /// The cart.
        cart_id: CartId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// 1 to 500 lines.
        lines: Vec<CartLineQuantity>,
    }
    /// The quantity of a line.
    CartLineQuantity {
        /// The line.
        line_id: CartLineId,
        /// Units, 1 to 100000.
        quantity: i64,
    }
    /// Lines to be taken out of a cart.
    RemoveCartLines {
        /// The cart.
        cart_id: CartId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// 1 to 500 lines.
        line_ids: Vec<CartLineId>,
    }
}

impl Mutation for AddCartLines {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Cart> {
        check_count(self.lines.len(), "/lines")?;
        let variants = resolve(tx, &self.lines)?;
        let cart = queries::raise_open(tx, self.cart_id, self.expected_version)?;
        let mut lines = queries::lines_of(tx, cart.id)?;
        let changed = merge(&mut lines, &self.lines, &variants)?;
        let (quote, sellables) = quote_of(tx, &cart, &lines)?;
        refuse_unknown(&variants, |v| sellables.contains_key(v))?;
        queries::save_lines(
            tx,
            cart.id,
            lines.iter().filter(|l| changed.contains(&l.id)),
        )?;
        Ok(quote.into_cart(cart, tx.actor()))
    }
}

impl Mutation for UpdateCartLines {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Cart> {
        check_count(self.lines.len(), "/lines")?;
        let mut checks = Checks::new();
        for (i, line) in self.lines.iter().enumerate() {
            checks.range(
                format!("/lines/{i}/quantity"),
                line.quantity,
                1,
                MAX_QUANTITY,
            );
        }
        checks.done()?;
        let mut cart = queries::lock_open(tx, self.cart_id, self.expected_version)?;
        let mut lines = queries::lines_of(tx, cart.id)?;
        let old = lines.clone();
        for (i, change) in self.lines.iter().enumerate() {
            match lines.iter_mut().find(|l| l.id == change.line_id) {
                Some(line) => line.quantity = change.quantity,
                None => {
                    checks.that(
                        false,
                        format!("/lines/{i}/lineId"),
                        "unknown_line",
                        "There is no such line.",
                    );
                }
            }
        }
        checks.done()?;
        if lines != old {
            let changed = lines.iter().zip(&old).filter(|(new, old)| new != old);
            queries::save_lines(tx, cart.id, changed.map(|(new, _)| new))?;
            queries::save(tx, &mut cart)?;
        }
        Ok(quote_of(tx, &cart, &lines)?.0.into_cart(cart, tx.actor()))
    }
}

impl Mutation for RemoveCartLines {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Cart> {
        check_count(self.line_ids.len(), "/lineIds")?;
        let cart = queries::raise_open(tx, self.cart_id, self.expected_version)?;
        let mut lines = queries::lines_of(tx, cart.id)?;
        let mut checks = Checks::new();
        for (i, id) in self.line_ids.iter().enumerate() {
            let known = lines.iter().any(|l| l.id == *id);
            checks.that(
                known,
                format!("/lineIds/{i}"),
                "unknown_line",
                "There is no such line.",
            );
        }
        checks.done()?;
        queries::remove_lines(tx, cart.id, &self.line_ids)?;
        lines.retain(|l| !self.line_ids.contains(&l.id));
        Ok(quote_of(tx, &cart, &lines)?.0.into_cart(cart, tx.actor()))
    }
}

/// A request names at least one line, and no more than it may.
pub fn check_count(count: usize, pointer: &str) -> Result<()> {
    Checks::new().count(pointer, count, MAX_CHANGES).done()
}

/// The variants that lines name, by id or by SKU, and everything that can be wrong with a line on its own.
pub fn resolve(tx: &mut Tx<'_>, lines: &[NewCartLine]) -> Result<Vec<VariantId>> {
    let mut checks = Checks::new();
    for (i, line) in lines.iter().enumerate() {
        checks
            .range(
                format!("/lines/{i}/quantity"),
                line.quantity,
                1,
                MAX_QUANTITY,
            )
            .that(
                line.variant_id.is_some() != line.sku.is_some(),
                format!("/lines/{i}/variantId"),
                "required",
                "Name the variant by its id or by its SKU.",
            );
        if let Some(price) = line.unit_price {
            let pointer = format!("/lines/{i}/unitPrice");
            tx.actor().require(Scope::PricesOverride, &pointer)?;
            checks.range(pointer, price.0, 0, pricing::MAX_PRICE);
        }
    }
    checks.done()?;
    let skus: Vec<&str> = lines.iter().filter_map(|l| l.sku.as_deref()).collect();
    let by_sku = if skus.is_empty() {
        std::collections::HashMap::new()
    } else {
        catalog::find_by_skus(tx, skus.into_iter())?
    };
    let mut variants = Vec::with_capacity(lines.len());
    for (i, line) in lines.iter().enumerate() {
        let found = line
            .variant_id
            .or_else(|| by_sku.get(line.sku.as_deref()?).copied());
        let sku = line.sku.as_deref().unwrap_or_default();
        checks.that(
            found.is_some(),
            format!("/lines/{i}/sku"),
            "unknown_sku",
            format!("There is no variant with the SKU {sku}."),
        );
        variants.extend(found);
    }
    checks.done()?;
    Ok(variants)
}

/// Adds new lines to those that are there; says which ones changed.
pub fn merge(
    lines: &mut Vec<CartLineRow>,
    new: &[NewCartLine],
    variants: &[VariantId],
) -> Result<Vec<CartLineId>> {
    let mut changed = Vec::with_capacity(new.len());
    let mut checks = Checks::new();
    for (i, (line, &variant_id)) in new.iter().zip(variants).enumerate() {
        let own = lines.iter_mut().find(|l| {
            l.variant_id == variant_id && l.unit_price.is_none() && line.unit_price.is_none()
        });
        if let Some(own) = own {
            own.quantity += line.quantity;
            let message = format!(
                "With those in the cart there would be {}; at most {MAX_QUANTITY}.",
                own.quantity
            );
            checks.that(
                own.quantity <= MAX_QUANTITY,
                format!("/lines/{i}/quantity"),
                "out_of_range",
                message,
            );
            changed.push(own.id);
        } else {
            let id = CartLineId::new();
            let unit_price = line.unit_price.map(|p| p.0);
            lines.push(CartLineRow {
                id,
                variant_id,
                quantity: line.quantity,
                unit_price,
            });
            changed.push(id);
        }
    }
    let message = format!("A cart has at most {MAX_LINES} lines.");
    checks.that(lines.len() <= MAX_LINES, "/lines", "too_many", message);
    checks.done()?;
    Ok(changed)
}

/// A variant that does not exist cannot be in a cart.
pub fn refuse_unknown(variants: &[VariantId], known: impl Fn(&VariantId) -> bool) -> Result<()> {
    let unknown: Vec<FieldError> = variants
        .iter()
        .enumerate()
        .filter(|(_, variant)| !known(variant))
        .map(|(i, _)| {
            FieldError::new(
                format!("/lines/{i}/variantId"),
                "unknown_variant",
                "There is no such variant.",
            )
        })
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        crate::kernel::Code::ValidationFailed,
        "There is no such variant.",
    )
    .with(unknown))
}
