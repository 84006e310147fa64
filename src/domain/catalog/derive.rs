//! Keeps what channels show in line with what it follows from: products, publications, prices and stock.
//!
//! A listing is what lists filter and sort by; its document is the product as a shop front gets it, ready to be sent.

use std::collections::HashMap;

use super::listings::{FORMAT, View, product};
use super::model::{Availability, Product, ProductRow, ProductStatus};
use super::queries::{self, VariantInChannel};
use crate::context::{Changed, Cx, Topic, Tx};
use crate::kernel::column::Id;
use crate::kernel::ids::{ChannelId, ProductId, VariantId};
use crate::kernel::{Batch, Currency, Kind, Rendered, Result};
use crate::params;

/// How many products are written anew in one transaction.
const CHUNK: usize = 100;

/// A product in a channel and currency.
struct Listing {
    channel: ChannelId,
    product: Product,
    currency: Currency,
    sort_title: String,
    search_text: String,
}

/// Brings listings in line with the products, prices and stock that a transaction changed. Six statements at most.
pub fn derive(tx: &mut Tx<'_>, changed: &Changed) -> Result<()> {
    let mut ids = changed.products.clone();
    if !changed.variants.is_empty() {
        let variants = Batch::ids(changed.variants.iter().copied().map(VariantId::uuid));
        ids.extend(tx.conn.rows::<Id, ProductId>(
            "SELECT DISTINCT v.product_id FROM product_variants v WHERE v.id IN (SELECT x.id FROM ? AS x)",
            params![variants],
        )?);
    }
    let products = queries::lock_many(tx, ids.iter().copied())?;
    let listings = listings(tx, products)?;
    write(tx, ids.into_iter(), &listings)?;
    tx.touch(Topic::Catalog);
    Ok(())
}

fn listings(tx: &mut Tx<'_>, products: Vec<ProductRow>) -> Result<Vec<Listing>> {
    let mut sold: HashMap<(ProductId, ChannelId, Currency), Vec<VariantInChannel>> = HashMap::new();
    for ((channel, currency), variant) in
        queries::variants_in_all_channels(tx, products.iter().map(|p| p.id))?
    {
        let key = (variant.0.product_id, channel, currency);
        sold.entry(key).or_default().push(variant);
    }
    let rows: HashMap<ProductId, ProductRow> = products
        .into_iter()
        .filter(|p| p.status == ProductStatus::Active)
        .map(|p| (p.id, p))
        .collect();
    let mut listings: Vec<Listing> = sold
        .into_iter()
        .filter_map(|((id, channel, currency), variants)| {
            let row = rows.get(&id).filter(|p| p.channel_ids.contains(&channel))?;
            let view = View {
                channel: Some((channel, currency)),
                staff: false,
            };
            Some(Listing {
                channel,
                currency,
                sort_title: row.sort_title.clone(),
                search_text: row.search_text.clone(),
                product: product(row.clone(), variants.into_iter(), view),
            })
        })
        .collect();
    // Everybody locks in the same order.
    listings.sort_by_key(|l| (l.channel, l.currency, l.product.id));
    Ok(listings)
}

fn write(
    tx: &mut Tx<'_>,
    products: impl Iterator<Item = ProductId>,
    listings: &[Listing],
) -> Result<()> {
    let prices = |l: &Listing| {
        let range = l.product.price_range.as_ref();
        range.map(|r| (r.min.amount, r.max.amount)).unzip()
    };
    let in_stock = |l: &Listing| {
        let mut variants = l.product.variants.iter();
        variants.any(|v| v.availability != Availability::OutOfStock)
    };
    let batch = Batch::new(
        &[
            ("channel_id", Kind::Id),
            ("currency", Kind::Text),
            ("product_id", Kind::Id),
            ("sort_title", Kind::Text),
            ("search_text", Kind::Text),
            ("min_price", Kind::Int),
            ("max_price", Kind::Int),
            ("in_stock", Kind::Bool),
        ],
        listings.iter().map(|l| {
            let (min, max) = prices(l);
            [
                l.channel.into(),
                l.currency.as_str().into(),
                l.product.id.into(),
                l.sort_title.as_str().into(),
                l.search_text.as_str().into(),
                min.into(),
                max.into(),
                in_stock(l).into(),
            ]
        }),
    );
    tx.conn.execute(
        "DELETE FROM listings WHERE product_id IN (SELECT x.id FROM ? AS x) AND NOT EXISTS
             (SELECT 1 FROM ? AS x WHERE x.channel_id = listings.channel_id AND x.currency = listings.currency
                  AND x.product_id = listings.product_id)",
        params![Batch::ids(products.map(ProductId::uuid)), batch.clone()],
    )?;
    if listings.is_empty() {
        return Ok(());
    }
    tx.conn.execute(
        "INSERT INTO listings (channel_id, currency, product_id, sort_title, search_text, min_price, max_price, in_stock,
             published_at)
         SELECT x.channel_id, x.currency, x.product_id, x.sort_title, x.search_text, x.min_price, x.max_price, x.in_stock,
             pub.published_at
         FROM ? AS x JOIN publications pub ON pub.product_id = x.product_id AND pub.channel_id = x.channel_id WHERE true
         ON CONFLICT (channel_id, currency, product_id) DO UPDATE SET sort_title = excluded.sort_title,
             search_text = excluded.search_text, min_price = excluded.min_price, max_price = excluded.max_price,
             in_stock = excluded.in_stock, published_at = excluded.published_at",
        params![batch],
    )?;
    write_documents(tx, listings)
}

fn write_documents(tx: &mut Tx<'_>, listings: &[Listing]) -> Result<()> {
    let documents: Vec<Rendered<Product>> = listings
        .iter()
        .map(|l| Rendered::of(&l.product, None))
        .collect::<Result<_>>()?;
    let batch = Batch::new(
        &[
            ("channel_id", Kind::Id),
            ("currency", Kind::Text),
            ("product_id", Kind::Id),
            ("version", Kind::Int),
            ("document", Kind::Text),
        ],
        listings.iter().zip(&documents).map(|(l, document)| {
            [
                l.channel.into(),
                l.currency.as_str().into(),
                l.product.id.into(),
                l.product.version.into(),
                document.json().into(),
            ]
        }),
    );
    tx.conn.execute(
        "INSERT INTO listing_documents (channel_id, currency, product_id, format, version, document)
         SELECT x.channel_id, x.currency, x.product_id, ?, x.version, x.document FROM ? AS x WHERE true
         ON CONFLICT (channel_id, currency, product_id) DO UPDATE SET format = excluded.format,
             version = excluded.version, document = excluded.document",
        params![FORMAT, batch],
    )?;
    Ok(())
}

/// Writes anew what an older Mercer wrote, some products at a time.
pub async fn refresh(cx: Cx) -> Result<()> {
    let again = |tx: &mut Tx<'_>| {
        let text =
            format!("SELECT product_id FROM listing_documents WHERE format < ? LIMIT {CHUNK}");
        let products = tx.conn.rows::<Id, ProductId>(&text, params![FORMAT])?;
        tx.changed().products.extend(&products);
        Ok(!products.is_empty())
    };
    while cx.write(again).await? {}
    Ok(())
}
