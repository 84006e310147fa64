//! The file as products: what each of them says of itself, wherever its rows stand. An empty cell says nothing,
//! but for the price to compare with: it is told with the price.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use super::Options;
use crate::domain::catalog::{self, NewMedia, ProductStatus};
use crate::import::Report;
use crate::import::amount::minor;
use crate::import::html::plain;
use crate::import::table::{Column, Row, Table};
use crate::kernel::{Code, Currency, Error, Result};

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
    Title = welcome(&["title"]);
    Body = welcome(&["body (html)", "body html", "body", "description"]);
    Vendor = welcome(&["vendor"]);
    Type = welcome(&["type", "custom product type"]);
    Tags = welcome(&["tags"]);
    Published = welcome(&["published", "published on online store"]);
    Status = welcome(&["status"]);
    Option1 = welcome(&["option1 name"]);
    Value1 = welcome(&["option1 value"]);
    Option2 = welcome(&["option2 name"]);
    Value2 = welcome(&["option2 value"]);
    Option3 = welcome(&["option3 name"]);
    Value3 = welcome(&["option3 value"]);
    Sku = welcome(&["variant sku", "sku"]);
    Barcode = welcome(&["variant barcode", "variant barcodes", "barcode"]);
    Grams = welcome(&["variant grams", "weight value (grams)"]);
    Tracker = welcome(&["variant inventory tracker", "inventory tracker"]);
    Quantity = welcome(&["variant inventory qty", "variant inventory quantity", "inventory quantity"]);
    Policy = welcome(&["variant inventory policy", "continue selling when out of stock"]);
    Price = welcome(&["variant price", "price"]);
    CompareAt = welcome(&["variant compare at price", "compare-at price"]);
    Shipping = welcome(&["variant requires shipping", "requires shipping"]);
    Taxable = welcome(&["variant taxable", "charge tax"]);
    Image = welcome(&["image src", "product image url"]);
    ImagePosition = welcome(&["image position"]);
    ImageAlt = welcome(&["image alt text"]);
    VariantImage = welcome(&["variant image", "variant image url"]);
    GiftCard = welcome(&["gift card"]);
    SeoTitle = welcome(&["seo title"]);
    SeoDescription = welcome(&["seo description"]);
}

const OPTIONS: [(Field, Field); 3] = [
    (Field::Option1, Field::Value1),
    (Field::Option2, Field::Value2),
    (Field::Option3, Field::Value3),
];

/// What a product's rows say of it.
#[derive(Default)]
pub struct Product {
    /// The line of its first row.
    pub line: u64,
    pub bytes: usize,
    pub handle: String,
    pub title: Option<String>,
    pub description: Option<String>,
    pub vendor: Option<String>,
    #[expect(clippy::struct_field_names, reason = "the column's name")]
    pub product_type: Option<String>,
    pub tags: Option<Vec<String>>,
    pub seo_title: Option<String>,
    pub seo_description: Option<String>,
    pub status: Option<ProductStatus>,
    pub published: Option<bool>,
    pub gift_card: Option<bool>,
    pub option_names: [Option<String>; 3],
    /// By their positions.
    pub media: Vec<(i64, NewMedia)>,
    pub variants: Vec<Variant>,
    /// Its first row as a variant, for a product that has none.
    pub first: Variant,
    /// Why it cannot be used, and the line that says so.
    pub problem: Option<(u64, String)>,
}

/// What a row says of a variant.
#[derive(Clone, Default)]
pub struct Variant {
    pub line: u64,
    pub sku: Option<String>,
    pub values: [Option<String>; 3],
    pub barcode: Option<String>,
    pub grams: Option<i64>,
    /// Whether anybody counts it. Where the file tells that at all, an empty cell says that nobody does.
    pub tracked: Option<bool>,
    pub oversold: Option<bool>,
    pub quantity: Option<i64>,
    pub price: Option<i64>,
    /// The higher price, where the file has a column for it.
    #[expect(clippy::option_option, reason = "no column and an empty cell differ")]
    pub compare_at: Option<Option<i64>>,
    pub requires_shipping: Option<bool>,
    pub taxable: Option<bool>,
    pub image: Option<String>,
}

/// Reads a file to its end.
pub fn read(
    input: impl Read,
    currency: Currency,
    options: &Options,
    report: &mut Report,
) -> Result<Vec<Product>> {
    let mut table = Table::open(input, COLUMNS)?;
    let unused = table.unused().join(", ");
    if !unused.is_empty() {
        report.note(&format!("Columns that are not used: {unused}."));
    }
    if options.location.is_none() && table.has(Field::Quantity as usize) {
        report.note("The stock in the file is left out; say with --location whose it is.");
    }
    let mut reader = Reader {
        currency,
        tracker: table.has(Field::Tracker as usize),
        compare_at: table.has(Field::CompareAt as usize),
        told: HashSet::new(),
        report,
    };
    let mut products: Vec<Product> = Vec::new();
    // Where each handle stands, and how it was written first.
    let mut places: HashMap<String, (usize, String)> = HashMap::new();
    let mut last = None;
    while let Some(row) = table.next()? {
        let cell = row.get(Field::Handle as usize);
        let Some(handle) = handle(cell) else {
            let message = match (&row.problem, cell) {
                (Some(problem), _) => problem.clone(),
                (None, "") => "There is no handle.".to_owned(),
                (None, cell) => format!("The handle {cell:?} has neither letters nor digits."),
            };
            // It is most likely a row of the product above it, which is not whole then.
            match last.and_then(|place: usize| products.get_mut(place)) {
                Some(product) => product.broken(row.line, message),
                None => reader.report.refuse(row.line, "", &message),
            }
            continue;
        };
        let written = cell.to_lowercase();
        let (place, first) = places.entry(handle.clone()).or_insert_with(|| {
            products.push(Product {
                line: row.line,
                handle: handle.clone(),
                ..Product::default()
            });
            (products.len() - 1, written.clone())
        });
        let two = (*first != written)
            .then(|| format!("Its handle {handle} would be that of {first:?} and of {cell:?}."));
        last = Some(*place);
        if let Some(product) = products.get_mut(*place) {
            product.bytes += row.bytes;
            let problem = row.problem.clone().or(two);
            let read = problem.map_or_else(|| reader.add(product, &row), Err);
            if let Err(message) = read {
                product.broken(row.line, message);
            }
        }
    }
    if products.is_empty() && reader.report.refused == 0 {
        return Err(Error::new(
            Code::ValidationFailed,
            "There is no row after the header.",
        ));
    }
    Ok(products)
}

impl Product {
    fn broken(&mut self, line: u64, message: String) {
        self.problem.get_or_insert((line, message));
    }
}

struct Reader<'a> {
    currency: Currency,
    /// Whether the file says who counts the stock.
    tracker: bool,
    /// Whether the file has prices to compare with.
    compare_at: bool,
    /// What has been said of words that are not known.
    told: HashSet<String>,
    report: &'a mut Report,
}

impl Reader<'_> {
    fn add(&mut self, product: &mut Product, row: &Row<'_>) -> Result<(), String> {
        let cell = |field: Field| Some(row.get(field as usize)).filter(|text| !text.is_empty());
        let text = |slot: &mut Option<String>, field: Field| {
            if slot.is_none() {
                *slot = cell(field).map(ToOwned::to_owned);
            }
        };
        text(&mut product.title, Field::Title);
        text(&mut product.vendor, Field::Vendor);
        text(&mut product.product_type, Field::Type);
        text(&mut product.seo_title, Field::SeoTitle);
        text(&mut product.seo_description, Field::SeoDescription);
        for (slot, (name, _)) in product.option_names.iter_mut().zip(OPTIONS) {
            text(slot, name);
        }
        if product.description.is_none() {
            product.description = cell(Field::Body).map(plain).filter(|text| !text.is_empty());
        }
        if product.tags.is_none() {
            product.tags = cell(Field::Tags).map(tags).filter(|tags| !tags.is_empty());
        }
        if product.status.is_none() {
            product.status = cell(Field::Status).map(|word| self.status(word, row.line));
        }
        if product.published.is_none() {
            product.published = cell(Field::Published)
                .and_then(|word| self.truth("Published", word, row.line, Some(false)));
        }
        if product.gift_card.is_none() {
            product.gift_card = cell(Field::GiftCard)
                .and_then(|word| self.truth("Gift Card", word, row.line, None));
        }
        let image = cell(Field::Image).and_then(|url| self.url(url, row.line));
        if let Some(url) = image
            && product.media.iter().all(|(_, m)| m.url != url)
        {
            let position = row.get(Field::ImagePosition as usize).parse();
            let alt = row.get(Field::ImageAlt as usize).to_owned();
            let medium = NewMedia { url, alt };
            product.media.push((position.unwrap_or(i64::MAX), medium));
        }
        let first = product.first.line == 0;
        let sold = [Field::Sku, Field::Value1, Field::Price, Field::Quantity]
            .into_iter()
            .any(|field| cell(field).is_some());
        if !first && !sold {
            return Ok(());
        }
        let variant = self.variant(row)?;
        if first {
            product.first = variant.clone();
        }
        if sold {
            add_variant(product, variant)?;
        }
        Ok(())
    }

    fn variant(&mut self, row: &Row<'_>) -> Result<Variant, String> {
        let line = row.line;
        // Spreadsheets put an apostrophe before numbers that are texts.
        let cell = |field: Field| {
            Some(row.get(field as usize).trim_start_matches('\'')).filter(|t| !t.is_empty())
        };
        let owned = |field: Field| cell(field).map(ToOwned::to_owned);
        let amount = |field| {
            cell(field)
                .map(|text| minor(text, self.currency))
                .transpose()
        };
        let (price, compare_at) = (amount(Field::Price)?, amount(Field::CompareAt)?);
        Ok(Variant {
            line,
            sku: owned(Field::Sku),
            values: OPTIONS.map(|(_, value)| {
                Some(row.get(value as usize))
                    .filter(|t| !t.is_empty())
                    .map(ToOwned::to_owned)
            }),
            barcode: self.barcode(cell(Field::Barcode), line),
            grams: cell(Field::Grams).map(grams).transpose()?,
            tracked: self.tracker.then(|| cell(Field::Tracker).is_some()),
            oversold: cell(Field::Policy).and_then(|word| match word.to_lowercase().as_str() {
                "continue" => Some(true),
                "deny" => Some(false),
                _ => self.truth("Variant Inventory Policy", word, line, Some(false)),
            }),
            quantity: cell(Field::Quantity).map(whole).transpose()?,
            price,
            // A price that is told without a higher one beside it is compared with none.
            compare_at: self
                .compare_at
                .then(|| compare_at.filter(|higher| price.is_some_and(|price| *higher > price))),
            requires_shipping: cell(Field::Shipping)
                .and_then(|word| self.truth("Variant Requires Shipping", word, line, None)),
            taxable: cell(Field::Taxable)
                .and_then(|word| self.truth("Variant Taxable", word, line, Some(true))),
            image: cell(Field::VariantImage).and_then(|url| self.url(url, line)),
        })
    }

    /// A barcode; one that a spreadsheet rounded, as `3.65275E+11`, is no barcode any more.
    fn barcode(&mut self, text: Option<&str>, line: u64) -> Option<String> {
        let text = text?;
        let rounded = text.split_once(['E', 'e']).is_some_and(|(digits, power)| {
            digits.contains(['.', ','])
                && digits
                    .bytes()
                    .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b','))
                && power
                    .strip_prefix('+')
                    .is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()))
        });
        if rounded {
            self.report.note(&format!(
                "line {line}: The barcode {text} was rounded by a spreadsheet; it is left out."
            ));
        }
        (!rounded).then(|| text.to_owned())
    }

    fn status(&mut self, word: &str, line: u64) -> ProductStatus {
        match word.to_lowercase().as_str() {
            "active" => ProductStatus::Active,
            "draft" => ProductStatus::Draft,
            "archived" => ProductStatus::Archived,
            _ => {
                self.unknown("Status", word, line, "taken as draft");
                ProductStatus::Draft
            }
        }
    }

    /// A truth value, or `otherwise` for a word that is none.
    fn truth(
        &mut self,
        column: &str,
        word: &str,
        line: u64,
        otherwise: Option<bool>,
    ) -> Option<bool> {
        match word.to_lowercase().as_str() {
            "true" | "yes" | "y" | "t" | "1" => Some(true),
            "false" | "no" | "n" | "f" | "0" => Some(false),
            _ => {
                let taken = match otherwise {
                    Some(true) => "taken as true",
                    Some(false) => "taken as false",
                    None => "left out",
                };
                self.unknown(column, word, line, taken);
                otherwise
            }
        }
    }

    /// The address of a picture; one that can be none is reported and left out.
    fn url(&mut self, text: &str, line: u64) -> Option<String> {
        let text = match text.strip_prefix("//") {
            Some(rest) => format!("https://{rest}"),
            None => text.replace(' ', "%20"),
        };
        let good =
            (text.starts_with("https://") || text.starts_with("http://")) && text.len() <= 2000;
        if !good {
            self.report.note(&format!(
                "line {line}: The picture {text:?} is no web address; it is left out."
            ));
        }
        good.then_some(text)
    }

    /// Says once what becomes of a word.
    fn unknown(&mut self, column: &str, word: &str, line: u64, taken: &str) {
        if self.told.insert(format!("{column}:{word}")) {
            self.report.note(&format!(
                "line {line}: {column} {word:?} is not known and {taken}, here and wherever it stands."
            ));
        }
    }
}

/// Adds a variant; a row that says one again is passed over.
fn add_variant(product: &mut Product, variant: Variant) -> Result<(), String> {
    let again = product
        .variants
        .iter()
        .find(|v| v.sku == variant.sku && v.values == variant.values);
    let Some(again) = again else {
        product.variants.push(variant);
        return Ok(());
    };
    if variant.price.is_none() || variant.price == again.price {
        return Ok(());
    }
    Err(format!(
        "The variant of line {} stands here again, with another price.",
        again.line
    ))
}

/// A handle as Mercer takes it: lower-case, with hyphens for what cannot be in one. `None` where nothing is left.
fn handle(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    if catalog::is_handle(&lower) {
        return Some(lower);
    }
    let mut handle = String::with_capacity(lower.len());
    for c in lower.chars() {
        if catalog::is_handle(c.encode_utf8(&mut [0; 4])) || matches!(c, '.' | '_') {
            handle.push(c);
        } else if !handle.ends_with('-') {
            handle.push('-');
        }
    }
    let handle = handle.trim_matches(['-', '.']);
    if handle.chars().count() > 255 {
        let begin: String = handle.chars().take(240).collect();
        return Some(format!("{begin}-{}", super::fingerprint(&[handle])));
    }
    Some(handle.to_owned()).filter(|handle| !handle.is_empty())
}

fn tags(text: &str) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        if tags.iter().all(|t| t != tag) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

/// `3` or `3.0`
fn whole(text: &str) -> Result<i64, String> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    match whole.parse() {
        Ok(count) if part.bytes().all(|b| b == b'0') => Ok(count),
        _ => Err(format!("The quantity {text:?} is not a whole number.")),
    }
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// The products of a file, and what is said of it.
    fn products(text: &str) -> (Vec<Product>, Vec<String>) {
        let options = Options {
            channel: "eu".into(),
            location: Some("berlin".into()),
            set_stock: false,
            archive_missing_variants: false,
        };
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = told.clone();
        let mut report = Report::to(move |text| sink.lock().unwrap().push(text.to_owned()));
        let products = read(
            text.as_bytes(),
            "EUR".parse().unwrap(),
            &options,
            &mut report,
        )
        .unwrap();
        let told = told.lock().unwrap().clone();
        (products, told)
    }

    #[test]
    fn rows_of_a_handle_are_one_product_wherever_they_stand() {
        let (products, told) = products(
            "Variant SKU,Handle,Title,Body (HTML),Option1 Name,Option1 Value,Variant Price,Variant Compare At Price,\
             Variant Grams,Image Src,Image Position,Status,Tags,Cost per item\n\
             'A-1,tee,Tee,<p>Soft</p>,Size,S,19.99,25.00,180.5,https://x/2.jpg,2,draft,\"new, soft, new\",3\n\
             ,gift,Gift,,Title,Default Title,10,,,,,,,\n\
             A-2,tee,,,,M,19.99,10,180,//x/1.jpg,1,,,\n\
             ,tee,,,,,,,,https://x/3.jpg,,,,\n",
        );
        assert_eq!(told, ["Columns that are not used: Cost per item."]);
        let [tee, gift] = products.as_slice() else {
            panic!("two products")
        };
        assert_eq!((tee.line, tee.status), (2, Some(ProductStatus::Draft)));
        assert_eq!(
            tee.tags.as_deref(),
            Some(&["new".to_owned(), "soft".to_owned()][..])
        );
        let media: Vec<_> = tee
            .media
            .iter()
            .map(|(at, m)| (*at, m.url.as_str()))
            .collect();
        assert_eq!(
            media,
            [
                (2, "https://x/2.jpg"),
                (1, "https://x/1.jpg"),
                (i64::MAX, "https://x/3.jpg")
            ]
        );
        let [small, medium] = tee.variants.as_slice() else {
            panic!("two variants")
        };
        assert_eq!(
            (small.sku.as_deref(), small.price),
            (Some("A-1"), Some(1999))
        );
        assert_eq!(
            (small.compare_at, small.grams),
            (Some(Some(2500)), Some(181))
        );
        assert_eq!((medium.line, medium.compare_at), (4, Some(None)));
        assert_eq!(
            (medium.tracked, medium.quantity, medium.taxable),
            (None, None, None)
        );
        assert_eq!(
            (gift.variants.len(), gift.status, gift.published),
            (1, None, None)
        );
    }

    #[test]
    fn the_newer_header_is_read_too() {
        let (products, told) = products(
            "Title,URL handle,Description,SKU,Option1 name,Option1 value,Price,Inventory tracker,Inventory quantity,\
             Continue selling when out of stock,Weight value (grams),Requires shipping,Charge tax,Product image URL,\
             Variant image URL,Published on online store\n\
             Mug,mug,Nice,M-1,,,4,,9,FALSE,300,TRUE,FALSE,https://x/m.jpg,https://x/v.jpg,FALSE\n",
        );
        assert!(told.is_empty(), "{told:?}");
        let variant = &products[0].variants[0];
        assert_eq!(
            (products[0].published, variant.taxable),
            (Some(false), Some(false))
        );
        assert_eq!(
            (variant.tracked, variant.oversold, variant.quantity),
            (Some(false), Some(false), Some(9))
        );
        assert_eq!(
            (variant.requires_shipping, variant.image.as_deref()),
            (Some(true), Some("https://x/v.jpg"))
        );
    }

    #[test]
    fn what_is_not_known_falls_to_the_safe_side_and_is_told_once() {
        let (products, told) = products(
            "Handle,Title,Variant Price,Status,Published,Variant Taxable,Variant Inventory Policy,Gift Card\n\
             a,A,1,unlisted,maybe,perhaps,never,hm\n\
             b,B,1,unlisted,maybe,perhaps,never,hm\n",
        );
        for product in &products {
            assert_eq!(
                (product.status, product.published),
                (Some(ProductStatus::Draft), Some(false))
            );
            let variant = &product.variants[0];
            assert_eq!(
                (variant.taxable, variant.oversold, product.gift_card),
                (Some(true), Some(false), None)
            );
        }
        assert_eq!(
            told,
            [
                "line 2: Status \"unlisted\" is not known and taken as draft, here and wherever it stands.",
                "line 2: Published \"maybe\" is not known and taken as false, here and wherever it stands.",
                "line 2: Gift Card \"hm\" is not known and left out, here and wherever it stands.",
                "line 2: Variant Inventory Policy \"never\" is not known and taken as false, here and wherever it stands.",
                "line 2: Variant Taxable \"perhaps\" is not known and taken as true, here and wherever it stands.",
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_said_of_its_product() {
        let head = "Handle,Title,Option1 Value,Variant SKU,Variant Price,Variant Grams,Variant Inventory Qty\n";
        let rows = "a,A,,A,1.999,,\nb,B,,B,1,heavy,\nc,C,,C,1,,lots\nd,D,,D,€5,,\ne,E,,E,1,,\ne,,,E,2,,\nf,F,,F,1,,\n,,,x,,,\n--,,,,,,\n";
        let (products, _) = products(&format!("{head}{rows}"));
        let problems: Vec<String> = products
            .iter()
            .filter_map(|p| p.problem.as_ref())
            .map(|(line, problem)| format!("{line}: {problem}"))
            .collect();
        assert_eq!(
            problems,
            [
                "2: \"1.999\" has more decimals than EUR has (2).",
                "3: The weight \"heavy\" is not a number of grams.",
                "4: The quantity \"lots\" is not a whole number.",
                "5: \"€5\" is not an amount; write it as 12.50.",
                "7: The variant of line 6 stands here again, with another price.",
                "9: There is no handle.",
            ]
        );
        let missing = Table::open(&b"Vendor\n"[..], COLUMNS).err().unwrap();
        assert_eq!(missing.fields.len(), 1);
    }

    #[test]
    fn a_barcode_that_a_spreadsheet_rounded_is_left_out() {
        let (products, told) = products(
            "Handle,Title,Variant SKU,Variant Price,Variant Barcode\n\
             a,A,A,1,3.65275E+11\nb,B,B,1,'0850064060010\nc,C,C,1,12E45\nd,D,D,1,X1.E+5\n",
        );
        let barcodes: Vec<_> = products
            .iter()
            .map(|p| p.variants[0].barcode.as_deref())
            .collect();
        assert_eq!(
            barcodes,
            [None, Some("0850064060010"), Some("12E45"), Some("X1.E+5")]
        );
        assert_eq!(
            told,
            ["line 2: The barcode 3.65275E+11 was rounded by a spreadsheet; it is left out."]
        );
    }

    #[test]
    fn handles_of_any_script_and_length_are_taken() {
        let cases = [
            ("Blue Shirt", Some("blue-shirt")),
            ("crème-brûlée", Some("crème-brûlée")),
            ("чашка", Some("чашка")),
            ("a__b.c--d", Some("a__b.c--d")),
            ("3/4\" pipe (10%)", Some("3-4-pipe-10")),
            ("-x-", Some("x")),
            ("---", None),
            ("", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(handle(text).as_deref(), wanted, "{text}");
        }
        let (long, other) = ("é".repeat(300), format!("{}x", "é".repeat(300)));
        let (long, other) = (handle(&long).unwrap(), handle(&other).unwrap());
        assert!(catalog::is_handle(&long) && catalog::is_handle(&other) && long != other);
    }
}
