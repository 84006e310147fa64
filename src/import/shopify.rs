//! Shopify's product CSV, as its admin exports it, with the old column names and with those of the newer template.
//!
//! - The rows of a handle are one product: the first has its title, every row with a SKU, an option value or a price is a
//!   variant, every row with a picture adds one. `Default Title` stands for a product without options.
//! - A variant without a SKU gets one of the handle and its option values. Apostrophes that spreadsheets put before numbers
//!   are taken away. A compare-at price that is not higher than the price says nothing and is left out.
//! - `Continue selling` becomes backorder up to the highest limit; a variant whose inventory nobody tracks is untracked.
//!   Stock is read with `--location`; Shopify's counts below zero are sold backorders and become 0.
//! - The description is text: tags are taken out, paragraphs, lines and list items begin new lines.
//! - Vendor and type become attributes, tags metadata. Collections are no part of the file.

use std::io::Read;

use serde_json::{Value, json};

use super::Report;
use super::amount::minor;
use super::products::Products;
use super::settings::Settings;
use super::table::{Column, Row, Table};
use crate::context::Cx;
use crate::domain::catalog::{
    NewMedia, NewOption, ProductKind, ProductStatus, StockPolicy, UpsertPrice, UpsertProduct,
    UpsertStock, UpsertVariant,
};
use crate::kernel::money::Minor;
use crate::kernel::{Code, Currency, Document, Error, Result};

const fn needed(names: &'static [&'static str]) -> Column {
    Column {
        names,
        needed: true,
    }
}

const fn welcome(names: &'static [&'static str]) -> Column {
    Column {
        names,
        needed: false,
    }
}

macro_rules! columns {
    ($($name:ident = $column:expr;)+) => {
        #[derive(Clone, Copy)]
        enum Field { $($name),+ }
        const COLUMNS: &[Column] = &[$($column),+];
    };
}

columns! {
    Handle = needed(&["handle", "url handle"]);
    Title = needed(&["title"]);
    Body = welcome(&["body (html)", "body html", "description"]);
    Vendor = welcome(&["vendor"]);
    Type = welcome(&["type"]);
    Tags = welcome(&["tags"]);
    Published = welcome(&["published", "published on online store"]);
    Status = welcome(&["status"]);
    Option1 = welcome(&["option1 name"]);
    Value1 = needed(&["option1 value"]);
    Option2 = welcome(&["option2 name"]);
    Value2 = welcome(&["option2 value"]);
    Option3 = welcome(&["option3 name"]);
    Value3 = welcome(&["option3 value"]);
    Sku = needed(&["variant sku", "sku"]);
    Barcode = welcome(&["variant barcode", "barcode"]);
    Grams = welcome(&["variant grams", "weight value (grams)"]);
    Tracker = welcome(&["variant inventory tracker", "inventory tracker"]);
    Quantity = welcome(&["variant inventory qty", "inventory quantity"]);
    Policy = welcome(&["variant inventory policy", "continue selling when out of stock"]);
    Price = needed(&["variant price", "price"]);
    CompareAt = welcome(&["variant compare at price", "compare-at price"]);
    Shipping = welcome(&["variant requires shipping", "requires shipping"]);
    Image = welcome(&["image src", "product image url"]);
    ImagePosition = welcome(&["image position"]);
    ImageAlt = welcome(&["image alt text"]);
    GiftCard = welcome(&["gift card"]);
}

/// The highest backorder limit.
const NO_LIMIT: i64 = 1_000_000;

/// Where the goods go.
pub struct Options {
    /// The handle of the channel.
    pub channel: String,
    /// The handle of the location whose stock the file has.
    pub location: Option<String>,
}

/// Reads `input` into the shop.
pub async fn import(
    cx: &Cx,
    input: impl Read,
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    let settings = Settings::load(cx).await?;
    let Some(channel) = settings.channels.get(&options.channel) else {
        return Err(Error::new(
            Code::NotFound,
            format!("There is no channel {}.", options.channel),
        ));
    };
    if let Some(location) = options
        .location
        .as_ref()
        .filter(|l| !settings.locations.contains_key(*l))
    {
        return Err(Error::new(
            Code::NotFound,
            format!("There is no location {location}."),
        ));
    }
    let mut table = Table::open(input, COLUMNS)?;
    let reader = Reader {
        options,
        currency: channel.currency,
        tracked: table.has(Field::Tracker as usize),
    };
    if options.location.is_none() && table.has(Field::Quantity as usize) {
        report.note("The stock in the file is left out; say with --location whose it is.");
    }
    let mut products = Products::new(cx);
    let mut current: Option<Draft> = None;
    while let Some(row) = table.next()? {
        let handle = row.get(Field::Handle as usize);
        if !handle.is_empty() && current.as_ref().is_none_or(|d| d.product.handle != handle) {
            if let Some(draft) = current.take() {
                draft.send(&mut products, report).await?;
            }
            current = Some(reader.begin(&row));
        }
        let read = match (&row.problem, &mut current) {
            (Some(problem), _) => Err(problem.clone()),
            (None, Some(draft)) if !handle.is_empty() => reader.add(draft, &row, report),
            (None, _) => Err("There is no handle.".to_owned()),
        };
        if let Err(message) = read {
            report.refuse(row.line, "", &message);
            // A row without a handle is most likely the current product's, which is not whole then.
            if let Some(draft) = &mut current {
                draft.broken = true;
            }
        }
    }
    if let Some(draft) = current.take() {
        draft.send(&mut products, report).await?;
    }
    products.flush(report).await
}

/// A product whose rows are being read.
struct Draft {
    line: u64,
    bytes: usize,
    product: UpsertProduct,
    options: Vec<NewOption>,
    media: Vec<(i64, NewMedia)>,
    /// One of its rows cannot be used, so that the whole product cannot.
    broken: bool,
}

impl Draft {
    async fn send(mut self, products: &mut Products, report: &mut Report) -> Result<()> {
        if self.broken {
            report.refuse(
                self.line,
                "",
                &format!(
                    "{} is left out: not all of its rows can be used.",
                    self.product.handle
                ),
            );
            return Ok(());
        }
        self.media.sort_by_key(|(position, _)| *position);
        self.product.media = Some(self.media.into_iter().map(|(_, medium)| medium).collect());
        self.product.options = Some(self.options);
        products
            .add(report, self.line, self.bytes, self.product)
            .await
    }
}

struct Reader<'a> {
    options: &'a Options,
    currency: Currency,
    /// Whether the file says who tracks the inventory.
    tracked: bool,
}

impl Reader<'_> {
    fn begin(&self, row: &Row<'_>) -> Draft {
        let get = |field: Field| row.get(field as usize);
        let filled = |field: Field| Some(get(field)).filter(|text| !text.is_empty());
        let published = filled(Field::Published).is_none_or(is_true);
        let status = match get(Field::Status).to_lowercase().as_str() {
            "draft" => ProductStatus::Draft,
            "archived" => ProductStatus::Archived,
            _ => ProductStatus::Active,
        };
        let mut attributes = serde_json::Map::new();
        for (name, field) in [("vendor", Field::Vendor), ("type", Field::Type)] {
            attributes.extend(filled(field).map(|text| (name.to_owned(), Value::from(text))));
        }
        let tags: Vec<&str> = get(Field::Tags)
            .split(',')
            .map(str::trim)
            .filter(|t| !t.is_empty())
            .collect();
        let mut metadata = serde_json::Map::new();
        if !tags.is_empty() {
            metadata.insert("tags".to_owned(), json!(tags));
        }
        let gift_card = is_true(get(Field::GiftCard));
        Draft {
            line: row.line,
            bytes: 0,
            product: UpsertProduct {
                handle: get(Field::Handle).to_owned(),
                title: filled(Field::Title).map(ToOwned::to_owned),
                description: filled(Field::Body).map(plain),
                status: Some(status),
                kind: Some(if gift_card {
                    ProductKind::GiftCard
                } else {
                    ProductKind::Physical
                }),
                options: None,
                attributes: Some(Document(attributes)),
                media: None,
                categories: None,
                tax_class: None,
                metadata: Some(Document(metadata)),
                private_metadata: None,
                channels: Some(if published {
                    vec![self.options.channel.clone()]
                } else {
                    Vec::new()
                }),
                variants: Vec::new(),
            },
            options: Vec::new(),
            media: Vec::new(),
            broken: false,
        }
    }

    fn add(&self, draft: &mut Draft, row: &Row<'_>, report: &mut Report) -> Result<(), String> {
        draft.bytes += row.bytes;
        let get = |field: Field| row.get(field as usize);
        if !get(Field::Image).is_empty()
            && draft.media.iter().all(|(_, m)| m.url != get(Field::Image))
        {
            let position = get(Field::ImagePosition).parse().unwrap_or(i64::MAX);
            let medium = NewMedia {
                url: get(Field::Image).to_owned(),
                alt: get(Field::ImageAlt).to_owned(),
            };
            draft.media.push((position, medium));
        }
        if [Field::Sku, Field::Value1, Field::Price]
            .into_iter()
            .all(|field| get(field).is_empty())
        {
            return Ok(());
        }
        let values = option_values(draft, row);
        let variant = self.variant(&draft.product.handle, values, row, report)?;
        draft.product.variants.push(variant);
        Ok(())
    }

    fn variant(
        &self,
        handle: &str,
        values: Vec<(String, String)>,
        row: &Row<'_>,
        report: &mut Report,
    ) -> Result<UpsertVariant, String> {
        let get = |field: Field| row.get(field as usize);
        let filled = |field: Field| {
            Some(get(field).trim_start_matches('\'')).filter(|text| !text.is_empty())
        };
        let sku =
            filled(Field::Sku).map_or_else(|| made_up_sku(handle, &values), ToOwned::to_owned);
        let policy = if self.tracked && get(Field::Tracker).is_empty() {
            StockPolicy::Untracked
        } else if get(Field::Policy).eq_ignore_ascii_case("continue") || is_true(get(Field::Policy))
        {
            StockPolicy::Backorder
        } else {
            StockPolicy::Deny
        };
        let mut stock = Vec::new();
        if let (Some(location), Some(text)) = (&self.options.location, filled(Field::Quantity))
            && policy != StockPolicy::Untracked
        {
            let count: i64 = text
                .parse()
                .map_err(|_| format!("The quantity {text:?} is not a whole number."))?;
            if count < 0 {
                report.note(&format!(
                    "line {}: {sku}: a stock of {count} is taken as 0.",
                    row.line
                ));
            }
            stock.push(UpsertStock {
                location: location.clone(),
                on_hand: count.max(0),
            });
        }
        let mut prices = Vec::new();
        if let Some(text) = filled(Field::Price) {
            let amount = minor(text, self.currency)?;
            let compare_at = filled(Field::CompareAt)
                .map(|text| minor(text, self.currency))
                .transpose()?;
            prices.push(UpsertPrice {
                channel: self.options.channel.clone(),
                currency: None,
                amount: Minor(amount),
                compare_at_amount: compare_at.filter(|higher| *higher > amount).map(Minor),
            });
        }
        Ok(UpsertVariant {
            sku,
            barcode: filled(Field::Barcode).map(ToOwned::to_owned),
            options: Some(Document(
                values
                    .into_iter()
                    .map(|(name, value)| (name, Value::from(value)))
                    .collect(),
            )),
            weight_grams: filled(Field::Grams).map(grams).transpose()?,
            requires_shipping: filled(Field::Shipping).map(is_true),
            stock_policy: Some(policy),
            backorder_limit: (policy == StockPolicy::Backorder).then_some(NO_LIMIT),
            metadata: None,
            private_metadata: None,
            prices,
            stock,
        })
    }
}

/// The row's values of the product's options, whose names stand in its first row and whose values come as they come.
fn option_values(draft: &mut Draft, row: &Row<'_>) -> Vec<(String, String)> {
    let columns = [
        (Field::Option1, Field::Value1),
        (Field::Option2, Field::Value2),
        (Field::Option3, Field::Value3),
    ];
    let mut out = Vec::new();
    for (i, (name, value)) in columns.into_iter().enumerate() {
        let (name, value) = (row.get(name as usize), row.get(value as usize));
        if value.is_empty() || (i == 0 && value == "Default Title") {
            break;
        }
        if draft.options.len() <= i {
            let name = if name.is_empty() {
                format!("Option {}", i + 1)
            } else {
                name.to_owned()
            };
            draft.options.push(NewOption {
                name,
                values: Vec::new(),
            });
        }
        if let Some(option) = draft.options.get_mut(i) {
            if !option.values.iter().any(|v| v == value) {
                option.values.push(value.to_owned());
            }
            out.push((option.name.clone(), value.to_owned()));
        }
    }
    out
}

fn made_up_sku(handle: &str, values: &[(String, String)]) -> String {
    let mut sku = handle.to_owned();
    for (_, value) in values {
        sku.push('-');
        sku.push_str(&super::retail::slug(value));
    }
    sku
}

fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("yes")
}

/// `500` or `500.0`; a fraction of a gram is rounded up.
fn grams(text: &str) -> Result<i64, String> {
    let wrong = || format!("The weight {text:?} is not a number of grams.");
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    if !part.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let whole: i64 = whole.parse().map_err(|_| wrong())?;
    Ok(whole.saturating_add(i64::from(part.bytes().any(|b| b != b'0'))))
}

/// HTML as plain text.
fn plain(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(place) = rest.find(['<', '&']) {
        out.push_str(&rest[..place]);
        rest = &rest[place..];
        if let Some((tag, after)) = rest
            .strip_prefix('<')
            .and_then(|inner| inner.split_once('>'))
        {
            let name: String = tag
                .trim_start_matches('/')
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect::<String>()
                .to_lowercase();
            match name.as_str() {
                "li" if !tag.starts_with('/') => out.push_str("\n- "),
                "br" | "p" | "div" | "ul" | "ol" | "tr" | "h1" | "h2" | "h3" | "h4" | "h5"
                | "h6" => out.push('\n'),
                _ => {}
            }
            rest = after;
        } else if let Some((text, after)) = entity(rest) {
            out.push_str(text);
            rest = after;
        } else {
            out.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    let lines: Vec<&str> = out
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && *line != "-")
        .collect();
    lines.join("\n")
}

fn entity(text: &str) -> Option<(&'static str, &str)> {
    let known = [
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&nbsp;", " "),
        ("&ndash;", "–"),
        ("&mdash;", "—"),
        ("&rsquo;", "’"),
        ("&eacute;", "é"),
        ("&deg;", "°"),
        ("&times;", "×"),
    ];
    known
        .iter()
        .find_map(|(name, plain)| Some((*plain, text.strip_prefix(name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drafts(text: &str, location: Option<&str>) -> (Vec<Draft>, Vec<String>) {
        let options = Options {
            channel: "eu".into(),
            location: location.map(ToOwned::to_owned),
        };
        let mut table = Table::open(text.as_bytes(), COLUMNS).unwrap();
        let reader = Reader {
            options: &options,
            currency: "EUR".parse().unwrap(),
            tracked: table.has(Field::Tracker as usize),
        };
        let mut report = Report::to(|_| {});
        let (mut out, mut problems): (Vec<Draft>, _) = (Vec::new(), Vec::new());
        while let Some(row) = table.next().unwrap() {
            if out.last().is_none_or(|d| d.product.handle != row.get(0)) {
                out.push(reader.begin(&row));
            }
            if let Err(message) = reader.add(out.last_mut().unwrap(), &row, &mut report) {
                problems.push(format!("{}: {message}", row.line));
            }
        }
        (out, problems)
    }

    #[test]
    fn rows_of_a_handle_are_one_product_in_any_order_of_columns() {
        let (drafts, problems) = drafts(
            "Variant SKU,Handle,Title,Body (HTML),Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant Price,\
             Variant Compare At Price,Variant Grams,Variant Inventory Qty,Variant Inventory Policy,Image Src,Image Position,\
             Status,Tags,Ignored\n\
             'A-1,tee,Tee,\"<p>Soft &amp; warm.</p>\n<ul><li>Cotton</li></ul>\",Size,S,Colour,Red,19.99,25.00,180.0,3,deny,\
             https://x/2.jpg,2,active,\"new, soft\",x\n\
             A-2,tee,,,,M,,Red,19.99,10,180,-2,continue,https://x/1.jpg,1,,,\n\
             ,tee,,,,,,,,,,,,https://x/3.jpg,3,,,\n\
             ,gift,Gift,,Title,Default Title,,,10,,,,,,,draft,,\n",
            Some("berlin"),
        );
        assert!(problems.is_empty(), "{problems:?}");
        let tee = &drafts[0];
        assert_eq!(
            tee.product.description.as_deref(),
            Some("Soft & warm.\n- Cotton")
        );
        assert_eq!(tee.options[0].values, ["S", "M"]);
        assert_eq!(tee.options[1].values, ["Red"]);
        assert_eq!(tee.media.len(), 3);
        let [small, medium] = tee.product.variants.as_slice() else {
            panic!("two variants")
        };
        assert_eq!(
            (small.sku.as_str(), small.prices[0].amount.0),
            ("A-1", 1999)
        );
        assert_eq!(small.prices[0].compare_at_amount, Some(Minor(2500)));
        assert_eq!((small.weight_grams, small.stock[0].on_hand), (Some(180), 3));
        assert_eq!(medium.prices[0].compare_at_amount, None);
        assert_eq!(
            (medium.stock_policy, medium.stock[0].on_hand),
            (Some(StockPolicy::Backorder), 0)
        );
        let gift = &drafts[1].product;
        assert_eq!(
            (gift.variants[0].sku.as_str(), gift.status),
            ("gift", Some(ProductStatus::Draft))
        );
        assert!(drafts[1].options.is_empty());
    }

    #[test]
    fn the_newer_header_is_read_too() {
        let (drafts, problems) = drafts(
            "Title,URL handle,Description,SKU,Option1 name,Option1 value,Price,Inventory tracker,Inventory quantity,\
             Continue selling when out of stock,Weight value (grams),Requires shipping,Product image URL,Published on online store\n\
             Mug,mug,Nice,M-1,,,4,,9,FALSE,300,TRUE,https://x/m.jpg,FALSE\n",
            Some("berlin"),
        );
        assert!(problems.is_empty());
        let product = &drafts[0].product;
        assert_eq!(product.channels, Some(Vec::new()));
        assert_eq!(
            product.variants[0].stock_policy,
            Some(StockPolicy::Untracked)
        );
        assert!(product.variants[0].stock.is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let head = "Handle,Title,Option1 Value,Variant SKU,Variant Price,Variant Grams,Variant Inventory Qty\n";
        let rows = "a,A,,A,1.999,,\nb,B,,B,1,heavy,\nc,C,,C,1,,lots\nd,D,,D,€5,,\n";
        let (_, problems) = drafts(&format!("{head}{rows}"), Some("berlin"));
        assert_eq!(
            problems,
            [
                "2: \"1.999\" has more decimals than EUR has (2).",
                "3: The weight \"heavy\" is not a number of grams.",
                "4: The quantity \"lots\" is not a whole number.",
                "5: \"€5\" is not an amount; write it as 12.50.",
            ]
        );
        let missing = Table::open(&b"Handle,Vendor\n"[..], COLUMNS).err().unwrap();
        assert_eq!(missing.fields.len(), 4);
    }

    #[test]
    fn html_becomes_text() {
        assert_eq!(
            plain("<h1>Mug</h1><p>350&nbsp;ml &lt; 1 l<br/>ok</p> a < b & c"),
            "Mug\n350 ml < 1 l\nok\na < b & c"
        );
        assert_eq!(plain("<script"), "<script");
        assert_eq!(plain(""), "");
    }
}
