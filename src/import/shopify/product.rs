//! A product of the file beside the one the shop has, as a row of the bulk upsert.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::file::{Product, Variant};
use super::{EXEMPT, Options, fingerprint};
use crate::domain::catalog::{
    NewMedia, NewOption, ProductKind, ProductStatus, StockPolicy, UpsertPrice, UpsertProduct,
    UpsertStock, UpsertVariant, VariantStatus,
};
use crate::import::Report;
use crate::import::retail::slug;
use crate::kernel::money::Minor;
use crate::kernel::{Currency, Document};

/// The highest backorder limit.
const NO_LIMIT: i64 = 1_000_000;
/// The longest SKU.
const MAX_SKU: usize = 100;

/// The SKUs of a file: which of them stand on how many variants, and on how many products.
#[derive(Default)]
pub struct Skus(HashMap<String, (usize, HashSet<String>)>);

impl Skus {
    pub fn of(products: &[Product]) -> Self {
        let mut skus = Self::default();
        for product in products {
            for sku in product.variants.iter().filter_map(|v| v.sku.as_ref()) {
                let (count, handles) = skus.0.entry(sku.clone()).or_default();
                *count += 1;
                handles.insert(product.handle.clone());
            }
        }
        skus
    }
}

/// What a product is read beside.
pub struct Reader<'a> {
    pub options: &'a Options,
    pub currency: Currency,
    pub skus: &'a Skus,
    /// How many variants keep the stock they have.
    pub stock_kept: u64,
    /// How many new products say neither whether they are published nor their status.
    pub drafts: u64,
    /// How many new variants are counted and have no stock.
    pub unstocked: u64,
    pub report: &'a mut Report,
}

impl Reader<'_> {
    /// The row for a product, `old` as the shop has it. What the file does not say is not in it.
    pub fn row(
        &mut self,
        mut product: Product,
        old: Option<&UpsertProduct>,
    ) -> Result<UpsertProduct, String> {
        if product.variants.is_empty() && old.is_none() {
            product.variants.push(std::mem::take(&mut product.first));
        }
        let mut names = option_names(&product, old);
        // A file without options: what is meant is told by the SKU.
        let known = old
            .and_then(|old| old.options.as_deref())
            .unwrap_or_default();
        let silent = product
            .variants
            .iter()
            .all(|v| v.values.iter().all(Option::is_none));
        let by_sku = names.is_empty() && silent && !known.is_empty();
        if by_sku {
            let shop = known.iter().map(|option| option.name.clone());
            names = shop.enumerate().collect();
        }
        let (mut variants, mut renamed) = (Vec::with_capacity(product.variants.len()), Vec::new());
        for said in &product.variants {
            let values = if by_sku {
                shop_values(old, said)?
            } else {
                values(&names, said)?
            };
            let same = old
                .into_iter()
                .flat_map(|old| &old.variants)
                .filter(|v| v.options.as_ref() == Some(&values))
                .min_by_key(|v| v.status == Some(VariantStatus::Archived));
            let sku = self.sku(&product, said, &values, same);
            if said.sku.as_ref().is_some_and(|s| *s != sku) {
                renamed.push(sku.clone());
            }
            let old = old.and_then(|old| old.variants.iter().find(|v| v.sku == sku));
            variants.push(self.variant(sku, said, values, old));
        }
        if !renamed.is_empty() {
            self.report.note(&format!(
                "line {}: {}: Its SKUs stand on several variants; here they are {}.",
                product.line,
                product.handle,
                renamed.join(", ")
            ));
        }
        let options = options(&names, &variants, old, &product);
        let archive = self.options.archive_missing_variants && !variants.is_empty();
        self.missing(&product, &names, &variants, old)?;
        let unsaid = old.is_none() && product.status.is_none() && product.published.is_none();
        self.drafts += u64::from(unsaid);
        Ok(UpsertProduct {
            kind: (product.gift_card == Some(true)).then_some(ProductKind::GiftCard),
            tax_class: self.tax_class(&product, &variants, old),
            channels: self.channels(product.published, old),
            media: media(&product, old),
            options,
            handle: product.handle,
            title: product.title,
            description: product.description,
            vendor: product.vendor,
            product_type: product.product_type,
            tags: product.tags,
            seo_title: product.seo_title,
            seo_description: product.seo_description,
            status: product.status.or(unsaid.then_some(ProductStatus::Draft)),
            variants,
            archive_missing_variants: archive.then_some(true),
            ..UpsertProduct::default()
        })
    }

    /// The channels it is published in: only the one that is imported into is touched. A new product that says nothing is
    /// put there, to be shown once it is active.
    fn channels(
        &self,
        published: Option<bool>,
        old: Option<&UpsertProduct>,
    ) -> Option<Vec<String>> {
        let own = &self.options.channel;
        let mut channels = old.and_then(|old| old.channels.clone()).unwrap_or_default();
        let shown = match (published, old) {
            (Some(shown), _) => shown,
            (None, Some(_)) => return None,
            (None, None) => true,
        };
        if !shown {
            channels.retain(|channel| channel != own);
        } else if !channels.contains(own) {
            channels.push(own.clone());
        }
        Some(channels)
    }

    /// The class of what is not taxed, or of what is again; else nothing.
    fn tax_class(
        &mut self,
        product: &Product,
        variants: &[UpsertVariant],
        old: Option<&UpsertProduct>,
    ) -> Option<String> {
        let said: Vec<bool> = product.variants.iter().filter_map(|v| v.taxable).collect();
        let exempt = Some(EXEMPT.to_owned());
        let of_all = said.len() == product.variants.len() && unnamed(variants, old).is_empty();
        let is_exempt = old.is_some_and(|old| old.tax_class == exempt);
        let all_false = !said.is_empty() && !said.contains(&true);
        if product.gift_card == Some(true) || (all_false && (of_all || is_exempt)) {
            return exempt;
        }
        if said.contains(&false) {
            self.report.note(&format!(
                "line {}: {}: Not all of its variants are said to be untaxed; all of them are taxed.",
                product.line, product.handle
            ));
        }
        let was_exempt = old
            .is_some_and(|old| old.tax_class == exempt && old.kind != Some(ProductKind::GiftCard));
        (was_exempt && !said.is_empty()).then(|| "standard".to_owned())
    }

    /// Variants that are sold and not in the file: they stay on sale, which is said, unless they cannot.
    fn missing(
        &mut self,
        product: &Product,
        names: &[(usize, String)],
        variants: &[UpsertVariant],
        old: Option<&UpsertProduct>,
    ) -> Result<(), String> {
        if variants.is_empty() || self.options.archive_missing_variants {
            return Ok(());
        }
        let missing = unnamed(variants, old);
        let list = |variants: &[&UpsertVariant]| {
            let skus: Vec<&str> = variants.iter().map(|v| v.sku.as_str()).collect();
            skus.join(", ")
        };
        let has = |variant: &UpsertVariant| {
            variant.options.as_ref().is_some_and(|values| {
                values.0.len() == names.len()
                    && names.iter().all(|(_, name)| values.0.contains_key(name))
                    && variants
                        .iter()
                        .all(|named| named.options.as_ref() != Some(values))
            })
        };
        let misfits: Vec<&UpsertVariant> = missing.iter().filter(|v| !has(v)).copied().collect();
        if !misfits.is_empty() {
            return Err(format!(
                "On sale and not in the file: {}, with option values of another variant or other options; \
                 --archive-missing-variants takes what is not in the file out of sale.",
                list(&misfits)
            ));
        }
        if !missing.is_empty() {
            self.report.note(&format!(
                "line {}: {}: Not in the file and still on sale: {}; --archive-missing-variants takes it out of sale.",
                product.line,
                product.handle,
                list(&missing)
            ));
        }
        Ok(())
    }

    /// The SKU of a variant: the file's, that of the shop's variant with these option values, or one made of the handle and
    /// the values. What stands on several variants is made different by the same rule.
    fn sku(
        &self,
        product: &Product,
        said: &Variant,
        values: &Document,
        same: Option<&UpsertVariant>,
    ) -> String {
        let texts = values.0.values().filter_map(Value::as_str);
        let Some(sku) = &said.sku else {
            if let Some(same) = same {
                return same.sku.clone();
            }
            let alone = values.0.is_empty()
                && product.handle.chars().count() <= MAX_SKU
                && !self.skus.0.contains_key(&product.handle);
            return if alone {
                product.handle.clone()
            } else {
                made_up(&product.handle, texts)
            };
        };
        let shared = self.skus.0.get(sku).filter(|(count, _)| *count > 1);
        match shared {
            Some((_, handles)) if same.is_none_or(|same| same.sku != *sku) => {
                let handle = (handles.len() > 1).then_some(product.handle.as_str());
                made_up(sku, handle.into_iter().chain(texts))
            }
            _ => sku.clone(),
        }
    }

    fn variant(
        &mut self,
        sku: String,
        said: &Variant,
        values: Document,
        old: Option<&UpsertVariant>,
    ) -> UpsertVariant {
        let archived = old.is_some_and(|old| old.status == Some(VariantStatus::Archived));
        if archived && !self.options.archive_missing_variants {
            self.report.note(&format!(
                "line {}: {sku} is archived and stays so.",
                said.line
            ));
        }
        let policy = policy(said, old.and_then(|old| old.stock_policy));
        let was = old.and_then(|old| old.stock_policy);
        let stock = self.stock(&sku, said, policy.or(was), old);
        self.unstocked += u64::from(
            old.is_none()
                && stock.is_none()
                && policy.is_none_or(|policy| policy == StockPolicy::Deny),
        );
        UpsertVariant {
            status: self
                .options
                .archive_missing_variants
                .then_some(VariantStatus::Active),
            barcode: said.barcode.clone(),
            options: Some(values),
            weight_grams: said.grams,
            requires_shipping: said.requires_shipping,
            stock_policy: policy,
            backorder_limit: (policy == Some(StockPolicy::Backorder)
                && was != Some(StockPolicy::Backorder))
            .then_some(NO_LIMIT),
            media: said.image.as_ref().map(|url| {
                vec![NewMedia {
                    url: url.clone(),
                    alt: String::new(),
                }]
            }),
            prices: self.price(said, old).into_iter().collect(),
            stock: stock.into_iter().collect(),
            sku,
            ..UpsertVariant::default()
        }
    }

    fn price(&self, said: &Variant, old: Option<&UpsertVariant>) -> Option<UpsertPrice> {
        let amount = said.price?;
        let kept = || {
            let mut prices = old.into_iter().flat_map(|old| &old.prices);
            prices
                .find(|p| {
                    p.channel == self.options.channel
                        && p.currency.is_none_or(|c| c == self.currency)
                })?
                .compare_at_amount
                .filter(|higher| higher.0 > amount)
        };
        Some(UpsertPrice {
            channel: self.options.channel.clone(),
            currency: None,
            amount: Minor(amount),
            compare_at_amount: match said.compare_at {
                Some(compare_at) => compare_at.map(Minor),
                None => kept(),
            },
        })
    }

    /// The opening stock; what has been counted at the location stays, unless the file is to replace it.
    fn stock(
        &mut self,
        sku: &str,
        said: &Variant,
        policy: Option<StockPolicy>,
        old: Option<&UpsertVariant>,
    ) -> Option<UpsertStock> {
        let (location, count) = (self.options.location.as_ref()?, said.quantity?);
        if policy == Some(StockPolicy::Untracked) {
            return None;
        }
        let now = old
            .into_iter()
            .flat_map(|old| &old.stock)
            .find(|s| s.location == *location);
        if let Some(now) = now
            && !self.options.set_stock
        {
            self.stock_kept += u64::from(now.on_hand != count.max(0));
            return None;
        }
        if count < 0 {
            self.report.note(&format!(
                "line {}: {sku}: a stock of {count} is taken as 0.",
                said.line
            ));
        }
        Some(UpsertStock {
            location: location.clone(),
            on_hand: count.max(0),
        })
    }
}

/// What happens when there is no more, as far as the row says so.
fn policy(said: &Variant, was: Option<StockPolicy>) -> Option<StockPolicy> {
    match (said.tracked, said.oversold, was) {
        // An empty cell takes nothing away from what is counted.
        (Some(false), _, None) => Some(StockPolicy::Untracked),
        (None | Some(false), _, Some(StockPolicy::Untracked)) => None,
        (_, Some(true), _) => Some(StockPolicy::Backorder),
        (_, Some(false), _) | (Some(true), None, None | Some(StockPolicy::Untracked)) => {
            Some(StockPolicy::Deny)
        }
        _ => None,
    }
}

/// The columns that are options, with their names: the file's, or the shop's where the file has none.
fn option_names(product: &Product, old: Option<&UpsertProduct>) -> Vec<(usize, String)> {
    let known = old
        .and_then(|old| old.options.as_deref())
        .unwrap_or_default();
    let mut names = Vec::new();
    for (i, said) in product.option_names.iter().enumerate() {
        let mut values = product
            .variants
            .iter()
            .filter_map(|v| v.values.get(i)?.as_deref());
        let has_name = said.as_deref().is_some_and(|name| i > 0 || name != "Title");
        // `Default Title` stands for a product without options.
        let any = values.any(|value| has_name || i > 0 || value != "Default Title");
        if any {
            let name = said.clone().or_else(|| Some(known.get(i)?.name.clone()));
            names.push((i, name.unwrap_or_else(|| format!("Option {}", i + 1))));
        }
    }
    names
}

/// The shop's variants that are sold and not among these.
fn unnamed<'a>(
    variants: &[UpsertVariant],
    old: Option<&'a UpsertProduct>,
) -> Vec<&'a UpsertVariant> {
    old.into_iter()
        .flat_map(|old| &old.variants)
        .filter(|v| v.status != Some(VariantStatus::Archived))
        .filter(|v| variants.iter().all(|named| named.sku != v.sku))
        .collect()
}

/// The option values that the shop's variant of this SKU has.
fn shop_values(old: Option<&UpsertProduct>, said: &Variant) -> Result<Document, String> {
    old.into_iter()
        .flat_map(|old| &old.variants)
        .find(|variant| Some(&variant.sku) == said.sku.as_ref())
        .and_then(|variant| variant.options.clone())
        .ok_or_else(|| {
            format!(
                "Line {} has no option values, and no SKU of a variant that the shop has.",
                said.line
            )
        })
}

/// A variant's value of each option.
fn values(names: &[(usize, String)], said: &Variant) -> Result<Document, String> {
    let mut values = serde_json::Map::new();
    for (i, name) in names {
        let Some(value) = said.values.get(*i).and_then(Option::as_deref) else {
            return Err(format!(
                "Line {} has no value of the option {name}.",
                said.line
            ));
        };
        if values.insert(name.clone(), Value::from(value)).is_some() {
            return Err(format!("Two of its options are called {name}."));
        }
    }
    Ok(Document(values))
}

/// The options with the values that its variants have, in the order of the file, after those of the shop where the file does
/// not name the options.
fn options(
    names: &[(usize, String)],
    variants: &[UpsertVariant],
    old: Option<&UpsertProduct>,
    product: &Product,
) -> Option<Vec<NewOption>> {
    if variants.is_empty() {
        return None;
    }
    let known = old
        .and_then(|old| old.options.as_deref())
        .unwrap_or_default();
    let option = |(i, name): &(usize, String)| {
        let said = product.option_names.get(*i).is_some_and(Option::is_some);
        let mut values: Vec<String> = known
            .iter()
            .find(|o| o.name == *name && !said)
            .map_or_else(Vec::new, |o| o.values.clone());
        for variant in variants {
            let value = variant
                .options
                .as_ref()
                .and_then(|v| v.0.get(name)?.as_str());
            if let Some(value) = value
                && values.iter().all(|v| v != value)
            {
                values.push(value.to_owned());
            }
        }
        NewOption {
            name: name.clone(),
            values,
        }
    };
    Some(names.iter().map(option).collect())
}

/// The product's pictures by their positions, then those of its variants; nothing where the file has none.
fn media(product: &Product, old: Option<&UpsertProduct>) -> Option<Vec<NewMedia>> {
    if product.media.is_empty() && old.is_some() {
        return None;
    }
    let mut media = product.media.clone();
    media.sort_by_key(|(position, _)| *position);
    let mut media: Vec<NewMedia> = media.into_iter().map(|(_, medium)| medium).collect();
    for url in product.variants.iter().filter_map(|v| v.image.as_ref()) {
        if media.iter().all(|m| m.url != *url) {
            media.push(NewMedia {
                url: url.clone(),
                alt: String::new(),
            });
        }
    }
    Some(media)
}

/// A SKU that no other product or variant gets: readable, at most 100 characters, the same in every run.
fn made_up<'a>(base: &'a str, parts: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = std::iter::once(base).chain(parts).collect();
    let readable: Vec<String> = all
        .iter()
        .enumerate()
        .map(|(i, part)| {
            if i == 0 {
                (*part).to_owned()
            } else {
                slug(part)
            }
        })
        .filter(|part| !part.is_empty())
        .collect();
    let readable: String = readable.join("-").chars().take(MAX_SKU - 9).collect();
    format!("{}-{}", readable.trim_end_matches('-'), fingerprint(&all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_skus_differ_and_are_never_too_long() {
        let cases: &[(&str, &[&str])] = &[
            ("tee", &["Красный"]),
            ("tee", &["Синий"]),
            ("glasses", &["+1.00"]),
            ("glasses", &["-1.00"]),
            ("a", &["b-c"]),
            ("a", &["b", "c"]),
            ("a-b", &["c"]),
            ("чашка", &[]),
        ];
        let long = "x".repeat(255);
        let mut skus: Vec<String> = cases
            .iter()
            .map(|(base, parts)| made_up(base, parts.iter().copied()))
            .chain([
                made_up(&long, ["S"].into_iter()),
                made_up(&long, ["M"].into_iter()),
            ])
            .collect();
        assert!(
            skus.iter().all(|sku| sku.chars().count() <= MAX_SKU),
            "{skus:?}"
        );
        assert_eq!(skus[0], made_up("tee", ["Красный"].into_iter()));
        assert!(skus[4].starts_with("a-b-c-"));
        skus.sort();
        skus.dedup();
        assert_eq!(skus.len(), cases.len() + 2);
    }

    #[test]
    fn a_stock_policy_is_what_the_row_says_of_it() {
        use StockPolicy::{Backorder, Deny, Untracked};
        let cases = [
            ((None, None, None), None),
            ((Some(false), Some(false), None), Some(Untracked)),
            ((Some(false), None, Some(Deny)), None),
            ((Some(false), Some(true), Some(Untracked)), None),
            ((Some(true), None, Some(Untracked)), Some(Deny)),
            ((Some(true), None, Some(Backorder)), None),
            ((Some(true), Some(true), None), Some(Backorder)),
            ((None, Some(false), Some(Backorder)), Some(Deny)),
            ((None, Some(false), None), Some(Deny)),
        ];
        for ((tracked, oversold, was), wanted) in cases {
            let said = Variant {
                tracked,
                oversold,
                ..Variant::default()
            };
            assert_eq!(
                policy(&said, was),
                wanted,
                "{tracked:?} {oversold:?} {was:?}"
            );
        }
    }
}
