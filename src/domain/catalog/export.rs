//! The catalogue as rows of a bulk upsert: what comes out here can go in there and changes nothing.

use std::collections::HashMap;

use super::model::{Media, NewMedia, NewOption, ProductRow, StockPolicy, VariantRow};
use super::{UpsertPrice, UpsertProduct, UpsertStock, UpsertVariant, categories, queries};
use crate::context::Tx;
use crate::domain::channels::Channels;
use crate::domain::inventory::{self, Locations};
use crate::domain::pricing;
use crate::domain::tax::Taxes;
use crate::kernel::ids::{CategoryId, ChannelId, LocationId, VariantId};
use crate::kernel::money::Minor;
use crate::kernel::{Document, Result};

/// Up to `limit` products whose handles come after `after`, in the order of their handles. Five statements.
pub fn export(tx: &mut Tx<'_>, after: &str, limit: i64) -> Result<Vec<UpsertProduct>> {
    let products = queries::list_by_handle(tx, after, limit)?;
    lines(tx, products)
}

/// Those of these products that there are, by their handles.
pub fn export_named(tx: &mut Tx<'_>, handles: &[String]) -> Result<HashMap<String, UpsertProduct>> {
    let products = queries::find_many_by_handle(tx, handles.iter().map(String::as_str))?;
    let lines = lines(tx, products)?;
    Ok(lines.into_iter().map(|p| (p.handle.clone(), p)).collect())
}

fn lines(tx: &mut Tx<'_>, products: Vec<ProductRow>) -> Result<Vec<UpsertProduct>> {
    if products.is_empty() {
        return Ok(Vec::new());
    }
    let variants = queries::variants_of(tx, products.iter().map(|p| p.id))?;
    let names = Names::load(tx)?;
    let mut parts: HashMap<VariantId, (Vec<UpsertPrice>, Vec<UpsertStock>)> = HashMap::new();
    for price in pricing::of_variants(tx, variants.iter().map(|v| v.id))? {
        let price_line = UpsertPrice {
            channel: name(&names.channels, &price.channel_id),
            currency: Some(price.currency),
            amount: Minor(price.amount),
            compare_at_amount: price.compare_at.map(Minor),
        };
        parts
            .entry(price.variant_id)
            .or_default()
            .0
            .push(price_line);
    }
    for (variant, location, on_hand) in inventory::levels_of(tx, variants.iter().map(|v| v.id))? {
        let location = name(&names.locations, &location);
        parts
            .entry(variant)
            .or_default()
            .1
            .push(UpsertStock { location, on_hand });
    }
    let mut rows: HashMap<_, Vec<UpsertVariant>> = HashMap::new();
    for variant in variants {
        let (mut prices, mut stock) = parts.remove(&variant.id).unwrap_or_default();
        prices.sort_by(|a, b| (&a.channel, a.currency).cmp(&(&b.channel, b.currency)));
        stock.sort_by(|a, b| a.location.cmp(&b.location));
        rows.entry(variant.product_id)
            .or_default()
            .push(variant_line(variant, prices, stock));
    }
    Ok(products
        .into_iter()
        .map(|product| {
            let variants = rows.remove(&product.id).unwrap_or_default();
            product_line(product, variants, &names)
        })
        .collect())
}

/// The handles of what products refer to.
struct Names {
    channels: HashMap<ChannelId, String>,
    locations: HashMap<LocationId, String>,
    categories: HashMap<CategoryId, String>,
    taxes: std::sync::Arc<Taxes>,
}

impl Names {
    fn load(tx: &mut Tx<'_>) -> Result<Self> {
        Ok(Self {
            channels: Channels::all(tx)?
                .iter()
                .map(|c| (c.id, c.handle.clone()))
                .collect(),
            locations: Locations::all(tx)?
                .iter()
                .map(|l| (l.id, l.handle.clone()))
                .collect(),
            categories: categories::by_handle(tx)?
                .into_iter()
                .map(|(handle, id)| (id, handle))
                .collect(),
            taxes: tx.app().kept::<Taxes>()?,
        })
    }
}

/// The database forbids that there is none.
fn name<K: std::hash::Hash + Eq>(names: &HashMap<K, String>, id: &K) -> String {
    names.get(id).cloned().unwrap_or_default()
}

fn product_line(product: ProductRow, variants: Vec<UpsertVariant>, names: &Names) -> UpsertProduct {
    let option = |o: super::ProductOption| NewOption {
        name: o.name,
        values: o.values,
    };
    UpsertProduct {
        handle: product.handle,
        title: Some(product.title),
        description: Some(product.description),
        status: Some(product.status),
        kind: Some(product.kind),
        options: Some(product.options.0.into_iter().map(option).collect()),
        attributes: Some(product.attributes.0),
        media: Some(media(product.media.0)),
        categories: Some(
            product
                .category_ids
                .iter()
                .map(|id| name(&names.categories, id))
                .collect(),
        ),
        tax_class: names
            .taxes
            .handle(product.tax_class_id)
            .map(ToOwned::to_owned),
        vendor: Some(product.vendor),
        product_type: Some(product.product_type),
        tags: Some(product.tags.0),
        seo_title: Some(product.seo_title),
        seo_description: Some(product.seo_description),
        private_metadata: Some(product.metadata.0.private),
        metadata: Some(product.metadata.0.public),
        channels: Some(
            product
                .channel_ids
                .iter()
                .map(|id| name(&names.channels, id))
                .collect(),
        ),
        variants,
        archive_missing_variants: None,
    }
}

fn media(media: Vec<Media>) -> Vec<NewMedia> {
    let new = |Media { url, alt }| NewMedia { url, alt };
    media.into_iter().map(new).collect()
}

fn variant_line(
    variant: VariantRow,
    prices: Vec<UpsertPrice>,
    stock: Vec<UpsertStock>,
) -> UpsertVariant {
    let values = variant
        .option_values
        .0
        .into_iter()
        .map(|v| (v.name, v.value.into()));
    UpsertVariant {
        sku: variant.sku,
        barcode: variant.barcode,
        options: Some(Document(values.collect())),
        weight_grams: Some(variant.weight_grams),
        requires_shipping: Some(variant.requires_shipping),
        stock_policy: Some(variant.stock_policy),
        backorder_limit: variant.backorder_limit,
        status: Some(variant.status),
        media: Some(media(variant.media.0)),
        private_metadata: Some(variant.metadata.0.private),
        metadata: Some(variant.metadata.0.public),
        prices,
        // What is left of a time when its stock was tracked is not to be counted.
        stock: if variant.stock_policy == StockPolicy::Untracked {
            Vec::new()
        } else {
            stock
        },
    }
}
