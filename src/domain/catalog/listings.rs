//! What a channel shows, and what staff sees of it.
//!
//! A shop front is answered with the documents that [`derive`](super::derive) keeps; for staff, products are made of their
//! rows.

use std::collections::HashMap;

use diesel::sql_types::{BigInt, Text};

use super::ListProducts;
use super::model::{
    Availability, PriceRange, Product, ProductRow, ProductSort, ProductVariant, StockPolicy,
    VariantStatus,
};
use super::queries::{PRODUCT, ProductSql, VariantInChannel, find_many, variants_in_channel};
use crate::context::Tx;
use crate::domain::pricing;
use crate::kernel::column::Id;
use crate::kernel::ids::{ChannelId, ProductId, VariantId};
use crate::kernel::money::Minor;
use crate::kernel::page::{PageRequest, Position, SortKey};
use crate::kernel::{Batch, Checks, Currency, Error, Money, Page, Param, Rendered, Result};
use crate::params;

/// The shape of documents. Raise it with every change of what a shop front sees of a product: documents of another format
/// are not shown, and a job writes them anew.
pub const FORMAT: i64 = 2;

const DOCUMENT: &str = "d.product_id, d.format, d.version, d.document";
type DocumentSql = (Id, BigInt, BigInt, Text);
type DocumentRow = (ProductId, i64, i64, String);

/// Through whose eyes a product is seen.
#[derive(Clone, Copy)]
pub struct View {
    /// The channel and currency of its prices.
    pub channel: Option<(ChannelId, Currency)>,
    /// Whether the caller may know what is none of a shopper's business.
    pub staff: bool,
}

impl View {
    /// The channel and currency whose documents answer the caller.
    fn shop_front(self) -> Option<(ChannelId, Currency)> {
        self.channel.filter(|_| !self.staff)
    }
}

/// Finds a product in `view` by a column that is unique.
pub fn find(
    tx: &mut Tx<'_>,
    view: View,
    column: &str,
    value: impl Into<Param>,
) -> Result<Option<Rendered<Product>>> {
    let value = value.into();
    if let Some((channel, currency)) = view.shop_front() {
        let text = format!(
            "SELECT {DOCUMENT} FROM products p JOIN listing_documents d ON d.product_id = p.id
             WHERE p.{column} = ? AND d.channel_id = ? AND d.currency = ?"
        );
        let rows = tx
            .conn
            .rows::<DocumentSql, DocumentRow>(&text, params![value, channel, currency.as_str()])?;
        return Ok(read(tx, view, rows)?.pop());
    }
    let text = format!("SELECT {PRODUCT} FROM products p WHERE p.{column} = ?");
    let rows = tx
        .conn
        .rows::<ProductSql, ProductRow>(&text, params![value])?;
    Ok(render(&assemble(tx, rows, view)?)?.pop())
}

/// What staff sees of a product they just wrote.
pub fn written(tx: &mut Tx<'_>, row: ProductRow) -> Result<Product> {
    let view = View {
        channel: None,
        staff: true,
    };
    let product = assemble(tx, vec![row], view)?.pop();
    product.ok_or_else(|| Error::not_found("product"))
}

/// These products, as far as the caller may know of them. One statement for a shop front, else two.
pub fn products_by_id(tx: &mut Tx<'_>, ids: &[ProductId]) -> Result<HashMap<ProductId, Product>> {
    let view = super::operations::view(tx, None, None)?;
    let products = if let Some((channel, currency)) = view.shop_front() {
        let text = format!(
            "SELECT {DOCUMENT} FROM ? AS x JOIN listing_documents d ON d.product_id = x.id
             WHERE d.channel_id = ? AND d.currency = ?"
        );
        let ids = Batch::ids(ids.iter().map(|id| id.uuid()));
        let rows = tx
            .conn
            .rows::<DocumentSql, DocumentRow>(&text, params![ids, channel, currency.as_str()])?;
        read(tx, view, rows)?
            .iter()
            .map(Rendered::read)
            .collect::<Result<Vec<_>>>()?
    } else {
        let rows = find_many(tx, ids.iter().copied())?;
        assemble(tx, rows, view)?
    };
    Ok(products.into_iter().map(|p| (p.id, p)).collect())
}

/// The products of these variants, as far as the caller may know of them. One statement more than [`products_by_id`].
pub fn products_by_variant(
    tx: &mut Tx<'_>,
    ids: &[VariantId],
) -> Result<HashMap<VariantId, Product>> {
    let owners = tx.conn.rows::<(Id, Id), (VariantId, ProductId)>(
        "SELECT v.id, v.product_id FROM product_variants v WHERE v.id IN (SELECT x.id FROM ? AS x)",
        params![Batch::ids(ids.iter().map(|id| id.uuid()))],
    )?;
    let wanted: Vec<ProductId> = owners.iter().map(|(_, product)| *product).collect();
    let products = products_by_id(tx, &wanted)?;
    Ok(owners
        .into_iter()
        .filter_map(|(variant, product)| Some((variant, products.get(&product)?.clone())))
        .collect())
}

/// Lists products: one statement for a shop front and two for staff, however many there are.
pub fn list(tx: &mut Tx<'_>, view: View, wishes: &ListProducts) -> Result<Page<Rendered<Product>>> {
    let sort = wishes.sort.unwrap_or(ProductSort::Newest);
    let listed = view
        .channel
        .filter(|_| !view.staff || wishes.channel_id.is_some());
    check(wishes, listed.is_some(), view.staff)?;
    let by = Order::of(sort, listed.is_some());
    let owner = listed.map_or_else(String::new, |(channel, currency)| {
        format!("{channel}{currency}")
    });
    let name = format!("products:{owner}:{}", by.text);
    let page = PageRequest::new(
        &tx.app().cursors,
        name,
        wishes.first,
        wishes.after.as_deref(),
    )?;
    let documents = view.shop_front().is_some();
    let statement = Statement::new(wishes, listed, documents, &by, &page, tx.conn.is_postgres());
    let position = |id: ProductId, price: i64, title: &str| Position {
        key: match by.key {
            Key::Price => SortKey::Int(price),
            Key::Title => SortKey::Text(title.to_owned()),
            Key::Id => SortKey::Id,
        },
        id: id.uuid(),
    };
    if documents {
        let rows = tx
            .conn
            .rows::<(DocumentSql, BigInt, Text), (DocumentRow, i64, String)>(
                &statement.text,
                statement.params,
            )?;
        return page.page(
            rows,
            |(row, price, title)| position(row.0, *price, title),
            |rows| read(tx, view, rows.into_iter().map(|(row, ..)| row).collect()),
        );
    }
    let rows = tx
        .conn
        .rows::<(ProductSql, BigInt, Text), (ProductRow, i64, String)>(
            &statement.text,
            statement.params,
        )?;
    page.page(
        rows,
        |(product, price, title)| position(product.id, *price, title),
        |rows| {
            let rows = rows.into_iter().map(|(product, ..)| product).collect();
            render(&assemble(tx, rows, view)?)
        },
    )
}

fn check(wishes: &ListProducts, listed: bool, staff: bool) -> Result<()> {
    let priced = wishes.min_price.is_some()
        || wishes.max_price.is_some()
        || wishes.in_stock.is_some()
        || matches!(
            wishes.sort,
            Some(ProductSort::Price | ProductSort::PriceDescending)
        );
    let mut checks = Checks::new();
    checks
        .that(
            listed || !priced,
            "/channelId",
            "required",
            "Prices and stock are a channel's; name one to filter or sort by them.",
        )
        .that(
            wishes
                .min_price
                .zip(wishes.max_price)
                .is_none_or(|(min, max)| min <= max),
            "/maxPrice",
            "less_than_min",
            "Must not be less than minPrice.",
        )
        .that(
            wishes.status.is_none() || (staff && !listed),
            "/status",
            "not_here",
            "What a channel shows is always active; only staff may ask for a status, and without a channel.",
        )
        .that(
            wishes.text.as_ref().is_none_or(|t| (1..=200).contains(&t.trim().chars().count())),
            "/text",
            "invalid_text",
            "Must have 1 to 200 characters.",
        )
        .that(
            wishes.attribute.as_ref().is_none_or(|a| a.len() <= 10),
            "/attribute",
            "too_many",
            "At most 10 attributes.",
        );
    for (pointer, price) in [
        ("/minPrice", wishes.min_price),
        ("/maxPrice", wishes.max_price),
    ] {
        checks.range(
            pointer,
            price.map_or(0, |price| price.0),
            0,
            pricing::MAX_PRICE,
        );
    }
    if let Some(vendor) = &wishes.vendor {
        checks.text("/vendor", vendor, 200);
    }
    if let Some(tag) = &wishes.tag {
        checks.text("/tag", tag, 255);
    }
    for (i, attribute) in wishes.attribute.iter().flatten().enumerate() {
        let good = attribute
            .split_once(':')
            .is_some_and(|(name, _)| !name.is_empty() && !name.contains('"'));
        checks.that(
            good,
            format!("/attribute/{i}"),
            "invalid_attribute",
            "Must be name:value.",
        );
    }
    checks.done()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Id,
    Title,
    Price,
}

struct Order {
    key: Key,
    column: &'static str,
    descending: bool,
    text: String,
}

impl Order {
    fn of(sort: ProductSort, listed: bool) -> Self {
        let id = if listed { "l.product_id" } else { "p.id" };
        let title = if listed {
            "l.sort_title"
        } else {
            "p.sort_title"
        };
        let (key, column, descending) = match sort {
            ProductSort::Newest => (Key::Id, id, true),
            ProductSort::Oldest => (Key::Id, id, false),
            ProductSort::Title => (Key::Title, title, false),
            ProductSort::TitleDescending => (Key::Title, title, true),
            ProductSort::Price => (Key::Price, "l.min_price", false),
            ProductSort::PriceDescending => (Key::Price, "l.min_price", true),
        };
        let direction = if descending { "DESC" } else { "ASC" };
        let text = match key {
            Key::Id => format!("{id} {direction}"),
            _ => format!("{column} {direction}, {id} {direction}"),
        };
        Self {
            key,
            column,
            descending,
            text,
        }
    }

    /// A column in a condition. With a plus it is not looked up by an index of its own: a page comes from the index it is
    /// sorted by, whose walk ends with the page, where a range of prices would be half of the shop, to be sorted.
    fn beside(&self, column: &'static str) -> String {
        let plus = if self.column == column { "" } else { "+" };
        format!("{plus}{column}")
    }
}

struct Statement {
    text: String,
    params: Vec<Param>,
}

impl Statement {
    fn new(
        wishes: &ListProducts,
        listed: Option<(ChannelId, Currency)>,
        documents: bool,
        by: &Order,
        page: &PageRequest,
        postgres: bool,
    ) -> Self {
        let described = wishes.attribute.as_ref().is_some_and(|a| !a.is_empty())
            || wishes.vendor.is_some()
            || wishes.tag.is_some();
        let (mut from, id) = match listed {
            Some(_) => ("listings l".to_owned(), "l.product_id"),
            None => ("products p".to_owned(), "p.id"),
        };
        if listed.is_some() && (!documents || described) {
            from.push_str(" JOIN products p ON p.id = l.product_id");
        }
        let (price, title) = if listed.is_some() {
            ("l.min_price", "l.sort_title")
        } else {
            ("0", "p.sort_title")
        };
        let columns = if documents {
            "l.channel_id, l.currency, l.product_id, l.min_price, l.sort_title".to_owned()
        } else {
            format!("{PRODUCT}, CAST({price} AS bigint), {title}")
        };
        let mut it = Self {
            text: format!("SELECT {columns} FROM {from} WHERE true"),
            params: Vec::new(),
        };
        if let Some((channel, currency)) = listed {
            it.and(
                "l.channel_id = ? AND l.currency = ?",
                params![channel, currency.as_str()],
            );
        }
        if let Some(status) = wishes.status {
            it.and("p.status = ?", params![status]);
        }
        if let Some(vendor) = &wishes.vendor {
            it.and("p.vendor = ?", params![vendor.as_str()]);
        }
        if let Some(tag) = &wishes.tag {
            it.tag(tag, postgres);
        }
        if let Some(category) = wishes.category {
            let text = format!(
                "EXISTS (SELECT 1 FROM product_categories c WHERE c.category_id = ? AND c.product_id = {id})"
            );
            it.and(&text, params![category]);
        }
        it.price(wishes, by);
        if let Some(in_stock) = wishes.in_stock {
            it.and("l.in_stock = ?", params![in_stock]);
        }
        for word in wishes
            .text
            .as_deref()
            .unwrap_or_default()
            .to_lowercase()
            .split_whitespace()
        {
            let escaped = word
                .replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_");
            let text = if listed.is_some() {
                "l.search_text LIKE ? ESCAPE '\\'"
            } else {
                "p.search_text LIKE ? ESCAPE '\\'"
            };
            it.and(text, params![format!("%{escaped}%")]);
        }
        for (name, value) in wishes
            .attribute
            .iter()
            .flatten()
            .filter_map(|a| a.split_once(':'))
        {
            it.attribute(name, value, postgres);
        }
        it.after(by, id, page);
        // As a number in the text: PostgreSQL plans for a tenth of the table where it does not know the limit.
        it.text
            .push_str(&format!(" ORDER BY {} LIMIT {}", by.text, page.fetch()));
        if documents {
            // Outside the limit, so that no document is read that is not shown.
            it.text = format!(
                "SELECT {DOCUMENT}, CAST({price} AS bigint), {title} FROM ({}) AS l JOIN listing_documents d
                 ON d.channel_id = l.channel_id AND d.currency = l.currency AND d.product_id = l.product_id
                 ORDER BY {}",
                it.text, by.text
            );
        }
        it
    }

    fn and(&mut self, condition: &str, params: Vec<Param>) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
        self.params.extend(params);
    }

    fn tag(&mut self, tag: &str, postgres: bool) {
        if postgres {
            let wanted = serde_json::json!([tag]).to_string();
            return self.and("p.tags @> CAST(? AS jsonb)", params![wanted]);
        }
        self.and(
            "EXISTS (SELECT 1 FROM json_each(p.tags) t WHERE t.value = ?)",
            params![tag],
        );
    }

    /// Whatever the attribute is, its text is this: `042` is no 42.
    fn attribute(&mut self, name: &str, value: &str, postgres: bool) {
        if postgres {
            return self.and("p.attributes ->> ? = ?", params![name, value]);
        }
        let path = format!("$.\"{name}\"");
        self.and(
            "CASE json_type(p.attributes, ?) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false'
             ELSE CAST(json_extract(p.attributes, ?) AS TEXT) END = ?",
            params![path.as_str(), path.as_str(), value],
        );
    }

    /// Products of which one variant costs as much as is wanted and, where that is asked for, is in stock. Where all of them cost
    /// so much, the product tells; where the range lies between its prices, its variants are looked at.
    fn price(&mut self, wishes: &ListProducts, by: &Order) {
        let (min, max) = (wishes.min_price, wishes.max_price);
        if let Some(Minor(min)) = min {
            self.and("l.max_price >= ?", params![min]);
        }
        if let Some(Minor(max)) = max {
            let cheapest = by.beside("l.min_price");
            self.and(&format!("{cheapest} <= ?"), params![max]);
        }
        let in_stock = wishes.in_stock == Some(true);
        if !(min.is_some() && max.is_some() || in_stock && (min.is_some() || max.is_some())) {
            return;
        }
        let (Minor(min), Minor(max)) = (min.unwrap_or(Minor(0)), max.unwrap_or(Minor(i64::MAX)));
        let (some, there) = if in_stock {
            (
                "l.min_price >= ? AND l.max_price <= ?",
                "AND (v.stock_policy = 'untracked' OR EXISTS (
                     SELECT 1 FROM stock_levels s JOIN locations o ON o.id = s.location_id
                     WHERE s.variant_id = v.id AND o.active
                       AND s.on_hand + s.backorderable - s.held - s.allocated > 0))",
            )
        } else {
            ("l.min_price >= ? OR l.max_price <= ?", "")
        };
        let text = format!(
            "({some} OR EXISTS (
                 SELECT 1 FROM product_variants v JOIN prices x ON x.variant_id = v.id
                 WHERE v.product_id = l.product_id AND v.status = 'active' AND x.channel_id = l.channel_id
                   AND x.currency = l.currency AND x.amount BETWEEN ? AND ? {there}))"
        );
        self.and(&text, params![min, max, min, max]);
    }

    fn after(&mut self, by: &Order, id: &str, page: &PageRequest) {
        let Some(after) = &page.after else { return };
        let sign = if by.descending { "<" } else { ">" };
        let key: Param = match &after.key {
            SortKey::Int(value) => (*value).into(),
            SortKey::Text(value) => value.as_str().into(),
            SortKey::Id => return self.and(&format!("{id} {sign} ?"), params![after.id]),
        };
        self.and(
            &format!("({}, {id}) {sign} (?, ?)", by.column),
            vec![key, after.id.into()],
        );
    }
}

fn render(products: &[Product]) -> Result<Vec<Rendered<Product>>> {
    products
        .iter()
        .map(|product| Rendered::of(product, Some(product.version)))
        .collect()
}

/// The products of these documents. Those that an older Mercer wrote are made of their rows, until a job has written them
/// anew.
fn read(tx: &mut Tx<'_>, view: View, rows: Vec<DocumentRow>) -> Result<Vec<Rendered<Product>>> {
    let old: Vec<ProductId> = rows
        .iter()
        .filter(|(_, format, ..)| *format != FORMAT)
        .map(|(id, ..)| *id)
        .collect();
    let mut anew = HashMap::new();
    if !old.is_empty() {
        let products = find_many(tx, old.into_iter())?;
        let products = assemble(tx, products, view)?;
        let rendered = render(&products)?;
        anew.extend(products.iter().map(|p| p.id).zip(rendered));
    }
    Ok(rows
        .into_iter()
        .filter_map(|(id, format, version, json)| {
            if format == FORMAT {
                Some(Rendered::kept(json, version))
            } else {
                anew.remove(&id)
            }
        })
        .collect())
}

/// Makes products of their rows, with their variants, prices and stock. One statement, however many there are.
pub fn assemble(tx: &mut Tx<'_>, rows: Vec<ProductRow>, view: View) -> Result<Vec<Product>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut variants = variants_in_channel(tx, rows.iter().map(|p| p.id), view.channel)?;
    let mut products: Vec<Product> = Vec::with_capacity(rows.len());
    for row in rows {
        // Sorted by product, so that a product's variants stand together.
        let start = variants.partition_point(|v| v.0.product_id < row.id);
        let end = variants.partition_point(|v| v.0.product_id <= row.id);
        products.push(product(row, variants.drain(start..end), view));
    }
    Ok(products)
}

/// A product of its row and its variants.
pub fn product(
    row: ProductRow,
    variants: impl Iterator<Item = VariantInChannel>,
    view: View,
) -> Product {
    let currency = view.channel.map(|(_, currency)| currency);
    let mut range: Option<(i64, i64)> = None;
    let variants: Vec<ProductVariant> = variants
        // What has no price in a channel is not sold there.
        .filter(|v| view.staff || (v.1.is_some() && v.0.status == VariantStatus::Active))
        .map(|(row, price, compare_at, promisable, on_hand)| {
            if let Some(price) = price
                && row.status == VariantStatus::Active
            {
                range = Some(range.map_or((price, price), |(min, max)| {
                    (min.min(price), max.max(price))
                }));
            }
            let money = |amount: Option<i64>| {
                Some(Money {
                    amount: amount?,
                    currency: currency?,
                })
            };
            let tracked = row.stock_policy != StockPolicy::Untracked;
            ProductVariant {
                id: row.id,
                product_id: row.product_id,
                sku: row.sku,
                barcode: row.barcode,
                title: row.title,
                option_values: row.option_values.0,
                status: row.status,
                media: row.media.0,
                weight_grams: row.weight_grams,
                requires_shipping: row.requires_shipping,
                stock_policy: row.stock_policy,
                backorder_limit: row.backorder_limit,
                price: money(price),
                compare_at_price: money(compare_at),
                availability: match row.status {
                    VariantStatus::Active => availability(tracked, promisable, on_hand),
                    VariantStatus::Archived => Availability::OutOfStock,
                },
                available_quantity: (view.staff && tracked).then_some(promisable),
                private_metadata: view.staff.then_some(row.metadata.0.private),
                metadata: row.metadata.0.public,
            }
        })
        .collect();
    let own = view.channel.map(|(channel, _)| channel);
    Product {
        id: row.id,
        handle: row.handle,
        title: row.title,
        description: row.description,
        status: row.status,
        kind: row.kind,
        options: row.options.0,
        attributes: row.attributes.0,
        media: row.media.0,
        category_ids: row.category_ids.0,
        channel_ids: row
            .channel_ids
            .0
            .into_iter()
            .filter(|c| view.staff || Some(*c) == own)
            .collect(),
        tax_class_id: row.tax_class_id,
        vendor: row.vendor,
        product_type: row.product_type,
        tags: row.tags.0,
        seo_title: row.seo_title,
        seo_description: row.seo_description,
        private_metadata: view.staff.then_some(row.metadata.0.private),
        metadata: row.metadata.0.public,
        price_range: range
            .zip(currency)
            .map(|((min, max), currency)| PriceRange {
                min: Money {
                    amount: min,
                    currency,
                },
                max: Money {
                    amount: max,
                    currency,
                },
            }),
        variants,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

fn availability(tracked: bool, promisable: i64, on_hand: i64) -> Availability {
    match (tracked, promisable, on_hand) {
        (false, ..) => Availability::InStock,
        (true, _, on_hand) if on_hand > 0 => Availability::InStock,
        (true, promisable, _) if promisable > 0 => Availability::Backorder,
        _ => Availability::OutOfStock,
    }
}
