use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::model::{ProductRow, StockPolicy, VariantRow};
use crate::context::Tx;
use crate::kernel::column::{Doc, Id, Ts};
use crate::kernel::ids::{CartId, CategoryId, ChannelId, ProductId, TaxClassId, VariantId};
use crate::kernel::{Batch, Code, Currency, Error, Kind, Param, Result};
use crate::schema::{product_variants, products};
use crate::{on, params};

/// The columns of a [`ProductRow`], for statements written as text.
pub const PRODUCT: &str = "p.id, p.handle, p.title, p.description, p.status, p.kind, p.options, p.attributes, p.media, \
    p.category_ids, p.channel_ids, p.tax_class_id, p.metadata, p.sort_title, p.search_text, p.version, p.created_at, p.updated_at, \
    p.vendor, p.product_type, p.tags, p.seo_title, p.seo_description";
/// Their SQL types.
pub type ProductSql = (
    Id,
    Text,
    Text,
    Text,
    Text,
    Text,
    Doc,
    Doc,
    Doc,
    Doc,
    Doc,
    Id,
    Doc,
    Text,
    Text,
    BigInt,
    Ts,
    Ts,
    Text,
    Text,
    Doc,
    Text,
    Text,
);

/// A variant with its price in a channel and what there is of it.
pub type VariantInChannel = (VariantRow, Option<i64>, Option<i64>, i64, i64);
type VariantInChannelSql = (
    VariantSql,
    Nullable<BigInt>,
    Nullable<BigInt>,
    BigInt,
    BigInt,
);

pub fn find(tx: &mut Tx<'_>, id: ProductId) -> Result<Option<ProductRow>> {
    Ok(on!(tx.conn, |c| products::table
        .find(id)
        .select(ProductRow::as_select())
        .first(c)
        .optional())?)
}

/// These products, in order.
pub fn find_many(tx: &mut Tx<'_>, ids: impl Iterator<Item = ProductId>) -> Result<Vec<ProductRow>> {
    select_many(tx, ids, "")
}

/// These products, in order, kept from others until the transaction ends.
pub fn lock_many(tx: &mut Tx<'_>, ids: impl Iterator<Item = ProductId>) -> Result<Vec<ProductRow>> {
    let lock = no_key_update(tx);
    select_many(tx, ids, lock)
}

/// What keeps rows from others; SQLite has one writer anyway.
fn no_key_update(tx: &Tx<'_>) -> &'static str {
    if tx.conn.is_postgres() {
        "FOR NO KEY UPDATE"
    } else {
        ""
    }
}

fn select_many(
    tx: &mut Tx<'_>,
    ids: impl Iterator<Item = ProductId>,
    lock: &str,
) -> Result<Vec<ProductRow>> {
    let text = format!(
        "SELECT {PRODUCT} FROM products p WHERE p.id IN (SELECT x.id FROM ? AS x) ORDER BY p.id {lock}"
    );
    tx.conn
        .rows::<ProductSql, ProductRow>(&text, params![Batch::ids(ids.map(ProductId::uuid))])
}

pub fn find_many_by_handle<'a>(
    tx: &mut Tx<'_>,
    handles: impl Iterator<Item = &'a str>,
) -> Result<Vec<ProductRow>> {
    select_by_handle(tx, handles, "")
}

/// The products with these handles, kept from others until the transaction ends.
pub fn lock_many_by_handle<'a>(
    tx: &mut Tx<'_>,
    handles: impl Iterator<Item = &'a str>,
) -> Result<Vec<ProductRow>> {
    let lock = no_key_update(tx);
    select_by_handle(tx, handles, lock)
}

fn select_by_handle<'a>(
    tx: &mut Tx<'_>,
    handles: impl Iterator<Item = &'a str>,
    lock: &str,
) -> Result<Vec<ProductRow>> {
    let text = format!(
        "SELECT {PRODUCT} FROM products p WHERE p.handle IN (SELECT x.text FROM ? AS x) ORDER BY p.id {lock}"
    );
    tx.conn
        .rows::<ProductSql, ProductRow>(&text, params![Batch::texts(handles)])
}

/// Products in the order of their handles.
pub fn list_by_handle(tx: &mut Tx<'_>, after: &str, limit: i64) -> Result<Vec<ProductRow>> {
    Ok(on!(tx.conn, |c| products::table
        .filter(products::handle.gt(after))
        .order(products::handle)
        .limit(limit)
        .select(ProductRow::as_select())
        .load(c))?)
}

pub fn find_variant(tx: &mut Tx<'_>, id: VariantId) -> Result<Option<VariantRow>> {
    Ok(on!(tx.conn, |c| product_variants::table
        .find(id)
        .select(VariantRow::as_select())
        .first(c)
        .optional())?)
}

const VARIANT: &str = "v.id, v.product_id, v.sku, v.barcode, v.title, v.option_values, v.position, v.weight_grams, \
    v.requires_shipping, v.stock_policy, v.backorder_limit, v.metadata, v.version, v.created_at, v.updated_at, v.status, v.media";
type VariantSql = (
    Id,
    Id,
    Text,
    Nullable<Text>,
    Text,
    Doc,
    BigInt,
    BigInt,
    Bool,
    Text,
    Nullable<BigInt>,
    Doc,
    BigInt,
    Ts,
    Ts,
    Text,
    Doc,
);

/// The variants of these products, in order.
pub fn variants_of(
    tx: &mut Tx<'_>,
    products: impl Iterator<Item = ProductId>,
) -> Result<Vec<VariantRow>> {
    let text = format!(
        "SELECT {VARIANT} FROM product_variants v WHERE v.product_id IN (SELECT x.id FROM ? AS x)
         ORDER BY v.product_id, v.position, v.id"
    );
    tx.conn
        .rows::<VariantSql, VariantRow>(&text, params![Batch::ids(products.map(ProductId::uuid))])
}

/// The variants with these SKUs, whichever product they are of.
pub fn variants_by_sku<'a>(
    tx: &mut Tx<'_>,
    skus: impl Iterator<Item = &'a str>,
) -> Result<Vec<VariantRow>> {
    let text = format!(
        "SELECT {VARIANT} FROM product_variants v WHERE v.sku IN (SELECT x.text FROM ? AS x)"
    );
    tx.conn
        .rows::<VariantSql, VariantRow>(&text, params![Batch::texts(skus)])
}

/// What is left to promise of variant `v`, at all active locations.
const STOCK: &str = "
    CAST(COALESCE((SELECT sum(l.on_hand + l.backorderable - l.held - l.allocated) FROM stock_levels l
        JOIN locations o ON o.id = l.location_id WHERE l.variant_id = v.id AND o.active), 0) AS bigint)";
/// What of that is on hand. A location that owes more than it has takes nothing from another.
const ON_HAND: &str = "
    CAST(COALESCE((SELECT sum(l.on_hand - l.held - l.allocated) FROM stock_levels l
        JOIN locations o ON o.id = l.location_id
        WHERE l.variant_id = v.id AND o.active AND l.on_hand > l.held + l.allocated), 0) AS bigint)";

/// The variants of these products with their price in a channel and their stock, in order. One statement for any number of
/// products.
pub fn variants_in_channel(
    tx: &mut Tx<'_>,
    products: impl Iterator<Item = ProductId>,
    channel: Option<(ChannelId, Currency)>,
) -> Result<Vec<VariantInChannel>> {
    let text = format!(
        "SELECT {VARIANT}, pr.amount, pr.compare_at_amount, {STOCK}, {ON_HAND}
         FROM ? AS x JOIN product_variants v ON v.product_id = x.id
         LEFT JOIN prices pr ON pr.variant_id = v.id AND pr.channel_id = ? AND pr.currency = ?
         ORDER BY v.product_id, v.position, v.id"
    );
    let (channel, currency) = channel.unzip();
    tx.conn.rows::<VariantInChannelSql, VariantInChannel>(
        &text,
        params![
            Batch::ids(products.map(ProductId::uuid)),
            channel,
            currency.map(|c| c.as_str().to_owned())
        ],
    )
}

/// The variants of these products with their stock, once for each price they have anywhere, in order. One statement for any
/// number of products.
pub fn variants_in_all_channels(
    tx: &mut Tx<'_>,
    products: impl Iterator<Item = ProductId>,
) -> Result<Vec<((ChannelId, Currency), VariantInChannel)>> {
    let text = format!(
        "SELECT pr.channel_id, pr.currency, {VARIANT}, pr.amount, pr.compare_at_amount, {STOCK}, {ON_HAND}
         FROM ? AS x JOIN product_variants v ON v.product_id = x.id JOIN prices pr ON pr.variant_id = v.id
         WHERE v.status = 'active'
         ORDER BY v.product_id, v.position, v.id"
    );
    tx.conn
        .rows::<((Id, Text), VariantInChannelSql), ((ChannelId, Currency), VariantInChannel)>(
            &text,
            params![Batch::ids(products.map(ProductId::uuid))],
        )
}

/// What a cart needs to know of a variant.
#[derive(Clone, Debug, Queryable)]
pub struct Sellable {
    /// The variant.
    pub variant_id: VariantId,
    /// Its product.
    pub product_id: ProductId,
    /// Its SKU.
    pub sku: String,
    /// The product's title.
    pub product_title: String,
    /// Its own title: the option values.
    pub variant_title: String,
    /// Decides its tax.
    pub tax_class_id: TaxClassId,
    /// Grams.
    pub weight_grams: i64,
    /// Whether it must be sent.
    pub requires_shipping: bool,
    /// What happens when there is no more.
    pub stock_policy: StockPolicy,
    /// Its price in the channel and currency.
    pub price: Option<i64>,
    /// Whether it is sold and the channel shows its product.
    pub shown: bool,
    /// How many can be promised.
    pub available: i64,
}

impl Sellable {
    /// The title of a cart's or an order's line: `Trail mug, Fern`.
    pub fn title(&self) -> String {
        match self.variant_title.as_str() {
            "" => self.product_title.clone(),
            variant => format!("{}, {variant}", self.product_title),
        }
    }
}

type SellableSql = (
    Id,
    Id,
    Text,
    Text,
    Text,
    Id,
    BigInt,
    Bool,
    Text,
    Nullable<BigInt>,
    Bool,
    BigInt,
);

/// What a cart needs to know of these variants; what is held for the cart already counts as available to it. One statement
/// for any number.
pub fn sellables(
    tx: &mut Tx<'_>,
    variants: impl Iterator<Item = VariantId>,
    cart: CartId,
    channel: ChannelId,
    currency: Currency,
) -> Result<HashMap<VariantId, Sellable>> {
    let text = format!(
        "SELECT v.id, v.product_id, v.sku, p.title, v.title, p.tax_class_id, v.weight_grams, v.requires_shipping,
                v.stock_policy, pr.amount, (p.status = 'active' AND v.status = 'active' AND pub.product_id IS NOT NULL), {STOCK}
                + CAST(COALESCE((SELECT sum(h.quantity) FROM stock_holds h
                                 WHERE h.reference = ? AND h.variant_id = v.id), 0) AS bigint)
         FROM ? AS x JOIN product_variants v ON v.id = x.id JOIN products p ON p.id = v.product_id
         LEFT JOIN publications pub ON pub.product_id = p.id AND pub.channel_id = ?
         LEFT JOIN prices pr ON pr.variant_id = v.id AND pr.channel_id = ? AND pr.currency = ?"
    );
    let ids = Batch::ids(variants.map(VariantId::uuid));
    let rows = tx.conn.rows::<SellableSql, Sellable>(
        &text,
        params![cart, ids, channel, channel, currency.as_str()],
    )?;
    Ok(rows.into_iter().map(|s| (s.variant_id, s)).collect())
}

/// The variants that have these SKUs.
pub fn find_by_skus<'a>(
    tx: &mut Tx<'_>,
    skus: impl Iterator<Item = &'a str>,
) -> Result<HashMap<String, VariantId>> {
    let rows = tx.conn.rows::<(Text, Id), (String, VariantId)>(
        "SELECT v.sku, v.id FROM product_variants v WHERE v.sku IN (SELECT x.text FROM ? AS x)",
        params![Batch::texts(skus)],
    )?;
    Ok(rows.into_iter().collect())
}

/// Writes products, new or changed, in one statement.
pub fn save_products(tx: &mut Tx<'_>, rows: &[ProductRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let batch = Batch::new(
        &[
            ("id", Kind::Id),
            ("handle", Kind::Text),
            ("title", Kind::Text),
            ("description", Kind::Text),
            ("status", Kind::Text),
            ("kind", Kind::Text),
            ("options", Kind::Doc),
            ("attributes", Kind::Doc),
            ("media", Kind::Doc),
            ("category_ids", Kind::Doc),
            ("channel_ids", Kind::Doc),
            ("tax_class_id", Kind::Id),
            ("metadata", Kind::Doc),
            ("sort_title", Kind::Text),
            ("search_text", Kind::Text),
            ("version", Kind::Int),
            ("created_at", Kind::Time),
            ("updated_at", Kind::Time),
            ("vendor", Kind::Text),
            ("product_type", Kind::Text),
            ("tags", Kind::Doc),
            ("seo_title", Kind::Text),
            ("seo_description", Kind::Text),
        ],
        rows.iter().map(|p| {
            [
                p.id.into(),
                p.handle.as_str().into(),
                p.title.as_str().into(),
                p.description.as_str().into(),
                p.status.into(),
                p.kind.into(),
                Param::doc(&p.options),
                Param::doc(&p.attributes),
                Param::doc(&p.media),
                Param::doc(&p.category_ids),
                Param::doc(&p.channel_ids),
                p.tax_class_id.into(),
                Param::doc(&p.metadata),
                p.sort_title.as_str().into(),
                p.search_text.as_str().into(),
                p.version.into(),
                p.created_at.into(),
                p.updated_at.into(),
                p.vendor.as_str().into(),
                p.product_type.as_str().into(),
                Param::doc(&p.tags),
                p.seo_title.as_str().into(),
                p.seo_description.as_str().into(),
            ]
        }),
    );
    let saved = tx.conn.execute(
        "INSERT INTO products (id, handle, title, description, status, kind, options, attributes, media, category_ids,
             channel_ids, tax_class_id, metadata, sort_title, search_text, version, created_at, updated_at,
             vendor, product_type, tags, seo_title, seo_description)
         SELECT x.id, x.handle, x.title, x.description, x.status, x.kind, x.options, x.attributes, x.media,
             x.category_ids, x.channel_ids, x.tax_class_id, x.metadata, x.sort_title, x.search_text, x.version,
             x.created_at, x.updated_at, x.vendor, x.product_type, x.tags, x.seo_title, x.seo_description
         FROM ? AS x WHERE true
         ON CONFLICT (id) DO UPDATE SET handle = excluded.handle, title = excluded.title,
             description = excluded.description, status = excluded.status, options = excluded.options,
             attributes = excluded.attributes, media = excluded.media, category_ids = excluded.category_ids,
             channel_ids = excluded.channel_ids, tax_class_id = excluded.tax_class_id, metadata = excluded.metadata,
             sort_title = excluded.sort_title, search_text = excluded.search_text, version = excluded.version,
             updated_at = excluded.updated_at, vendor = excluded.vendor, product_type = excluded.product_type,
             tags = excluded.tags, seo_title = excluded.seo_title, seo_description = excluded.seo_description",
        params![batch],
    );
    saved
        .map(drop)
        .map_err(|error| taken(error, "/handle", "handle"))
}

/// Writes variants, new or changed, in one statement.
pub fn save_variants(tx: &mut Tx<'_>, rows: &[VariantRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let batch = Batch::new(
        &[
            ("id", Kind::Id),
            ("product_id", Kind::Id),
            ("sku", Kind::Text),
            ("barcode", Kind::Text),
            ("title", Kind::Text),
            ("option_values", Kind::Doc),
            ("position", Kind::Int),
            ("weight_grams", Kind::Int),
            ("requires_shipping", Kind::Bool),
            ("stock_policy", Kind::Text),
            ("backorder_limit", Kind::Int),
            ("metadata", Kind::Doc),
            ("version", Kind::Int),
            ("created_at", Kind::Time),
            ("updated_at", Kind::Time),
            ("status", Kind::Text),
            ("media", Kind::Doc),
        ],
        rows.iter().map(|v| {
            [
                v.id.into(),
                v.product_id.into(),
                v.sku.as_str().into(),
                v.barcode.as_deref().into(),
                v.title.as_str().into(),
                Param::doc(&v.option_values),
                v.position.into(),
                v.weight_grams.into(),
                v.requires_shipping.into(),
                v.stock_policy.into(),
                v.backorder_limit.into(),
                Param::doc(&v.metadata),
                v.version.into(),
                v.created_at.into(),
                v.updated_at.into(),
                v.status.into(),
                Param::doc(&v.media),
            ]
        }),
    );
    let saved = tx.conn.execute(
        "INSERT INTO product_variants (id, product_id, sku, barcode, title, option_values, position, weight_grams,
             requires_shipping, stock_policy, backorder_limit, metadata, version, created_at, updated_at, status, media)
         SELECT x.id, x.product_id, x.sku, x.barcode, x.title, x.option_values, x.position, x.weight_grams,
             x.requires_shipping, x.stock_policy, x.backorder_limit, x.metadata, x.version, x.created_at, x.updated_at,
             x.status, x.media
         FROM ? AS x WHERE true
         ON CONFLICT (id) DO UPDATE SET sku = excluded.sku, barcode = excluded.barcode, title = excluded.title,
             option_values = excluded.option_values, position = excluded.position, weight_grams = excluded.weight_grams,
             requires_shipping = excluded.requires_shipping, stock_policy = excluded.stock_policy,
             backorder_limit = excluded.backorder_limit, metadata = excluded.metadata, version = excluded.version,
             updated_at = excluded.updated_at, status = excluded.status, media = excluded.media",
        params![batch],
    );
    saved.map(drop).map_err(|error| taken(error, "/sku", "SKU"))
}

/// Raises the version of a product that is about to be changed, unless somebody else has changed it meanwhile.
pub fn raise_version(tx: &mut Tx<'_>, product: &ProductRow) -> Result<()> {
    let changed = tx.conn.execute(
        "UPDATE products SET version = version + 1 WHERE id = ? AND version = ?",
        params![product.id, product.version],
    )?;
    if changed == 0 {
        Err(Error::version_conflict(product.version))
    } else {
        Ok(())
    }
}

/// Puts products into their categories, and into what stands above those. Two statements for any number.
pub fn set_categories(tx: &mut Tx<'_>, rows: &[(ProductId, Vec<CategoryId>)]) -> Result<()> {
    let ids = Batch::ids(rows.iter().map(|(p, _)| p.uuid()));
    tx.conn.execute(
        "DELETE FROM product_categories WHERE product_id IN (SELECT x.id FROM ? AS x)",
        params![ids],
    )?;
    let batch = Batch::new(
        &[("product_id", Kind::Id), ("category_id", Kind::Id)],
        rows.iter()
            .flat_map(|(p, categories)| categories.iter().map(|c| [(*p).into(), (*c).into()])),
    );
    tx.conn.execute(
        "WITH RECURSIVE up (product_id, category_id, own) AS (
             SELECT x.product_id, x.category_id, 1 FROM ? AS x
             UNION
             SELECT up.product_id, c.parent_id, 0 FROM up JOIN categories c ON c.id = up.category_id
             WHERE c.parent_id IS NOT NULL)
         INSERT INTO product_categories (category_id, product_id, direct)
         SELECT up.category_id, up.product_id, max(up.own) = 1 FROM up GROUP BY up.category_id, up.product_id",
        params![batch],
    )?;
    Ok(())
}

/// Publishes products in exactly these channels. Two statements for any number.
pub fn set_publications(tx: &mut Tx<'_>, rows: &[(ProductId, Vec<ChannelId>)]) -> Result<()> {
    let batch = || {
        Batch::new(
            &[("product_id", Kind::Id), ("channel_id", Kind::Id)],
            rows.iter()
                .flat_map(|(p, channels)| channels.iter().map(|c| [(*p).into(), (*c).into()])),
        )
    };
    let ids = Batch::ids(rows.iter().map(|(p, _)| p.uuid()));
    tx.conn.execute(
        "DELETE FROM publications WHERE product_id IN (SELECT x.id FROM ? AS x) AND NOT EXISTS
             (SELECT 1 FROM ? AS x WHERE x.product_id = publications.product_id AND x.channel_id = publications.channel_id)",
        params![ids, batch()],
    )?;
    let now = tx.now;
    tx.conn.execute(
        "INSERT INTO publications (product_id, channel_id, published_at)
         SELECT x.product_id, x.channel_id, ? FROM ? AS x WHERE true ON CONFLICT (product_id, channel_id) DO NOTHING",
        params![now, batch()],
    )?;
    Ok(())
}

fn taken(error: Error, pointer: &str, what: &str) -> Error {
    match error.code {
        Code::AlreadyExists => Error::field(
            Code::AlreadyExists,
            pointer,
            "taken",
            format!("This {what} is taken already."),
        ),
        _ => error,
    }
}
