use std::collections::HashSet;

use super::model::SetPrices;
use super::queries::{self, PriceRow};
use super::{ListPrices, Price, PricesSet};
use crate::context::Tx;
use crate::domain::channels::Channels;
use crate::kernel::page::{PageRequest, Position, SortKey};
use crate::kernel::{Checks, Error, Page, Patch, Result};
use crate::operation::{Mutation, Query};

/// The highest price, in minor units: far from any overflow in a cart's arithmetic.
pub const MAX_PRICE: i64 = 1_000_000_000_000;

impl Query for ListPrices {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<Price>> {
        let page = PageRequest::new(
            &tx.app().cursors,
            "prices",
            self.first,
            self.after.as_deref(),
        )?;
        let rows = queries::list(tx, self.variant_id, self.channel_id, &page)?;
        page.page(
            rows,
            |price| Position {
                key: SortKey::Text(format!("{}{}", price.channel_id, price.currency)),
                id: price.variant_id.uuid(),
            },
            Ok,
        )
    }
}

impl Mutation for SetPrices {
    fn run(&self, tx: &mut Tx<'_>) -> Result<PricesSet> {
        let mut checks = Checks::new();
        checks.count("/prices", self.prices.len(), 500);
        let (mut set, mut removed) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        for (i, price) in self.prices.iter().enumerate() {
            let at = format!("/prices/{i}");
            let channel = Channels::get(tx, price.channel_id).map_err(|_| {
                Error::invalid(
                    format!("{at}/channelId"),
                    "unknown_channel",
                    "There is no such channel.",
                )
            })?;
            let currency =
                channel.currency_or_default(price.currency, &format!("{at}/currency"))?;
            checks.that(
                seen.insert((price.variant_id, price.channel_id, currency)),
                &at,
                "duplicate",
                "This price is named twice.",
            );
            let amount = match price.amount {
                Patch::Value(amount) => amount,
                Patch::Null => {
                    removed.push((price.variant_id, price.channel_id, currency));
                    continue;
                }
                Patch::Undefined => {
                    checks.that(
                        false,
                        format!("{at}/amount"),
                        "required",
                        "Give an amount, or null.",
                    );
                    continue;
                }
            };
            let compare_at = price.compare_at_amount.map(|a| a.0);
            check_price(&mut checks, &at, amount.0, compare_at);
            set.push(PriceRow {
                variant_id: price.variant_id,
                channel_id: price.channel_id,
                currency,
                amount: amount.0,
                compare_at,
            });
        }
        checks.done()?;
        let variants: Vec<_> = self.prices.iter().map(|p| p.variant_id).collect();
        let known = queries::known_variants(tx, &variants)?;
        for (i, variant) in variants.iter().enumerate() {
            let pointer = format!("/prices/{i}/variantId");
            checks.that(
                known.contains(variant),
                pointer,
                "unknown_variant",
                "There is no such variant.",
            );
        }
        checks.done()?;
        let gone = queries::remove(tx, &removed)?;
        let mut changed = queries::upsert(tx, &set)?;
        changed.extend(removed.iter().map(|(variant, ..)| *variant));
        tx.changed().variants.extend(changed);
        Ok(PricesSet {
            set: count(set.len()),
            removed: count(gone),
        })
    }
}

/// Complains about a price that cannot be.
pub fn check_price(checks: &mut Checks, at: &str, amount: i64, compare_at: Option<i64>) {
    checks
        .range(format!("{at}/amount"), amount, 0, MAX_PRICE)
        .that(
            compare_at.is_none_or(|c| c > amount && c <= MAX_PRICE),
            format!("{at}/compareAtAmount"),
            "not_higher",
            "The price to compare with must be higher than the price.",
        );
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
