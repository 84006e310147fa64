//! The transactions of a retail shop (`InvoiceNo`, `StockCode`, Description, Quantity, `InvoiceDate`, `UnitPrice`, `CustomerID`,
//! Country) as a catalogue that those transactions can be sold from.
//!
//! - A stock code is a product with one variant; its SKU is the code. Its title is its most frequent description, its price
//!   its most frequent positive unit price in sales, the lower of two that are as frequent.
//! - Opening stock is all units that are ever sold, so that the sales can be replayed in any order; cancellations bring
//!   nothing back here. It is set when a variant is new and never again: a shop that sells is not counted anew by a rerun.
//! - `POST` (postage), `C2` (carriage) and `M` (manual) are services: products whose variant has no stock and is not sent, so
//!   that the lines of an invoice sum to the penny. A replay gives them their invoiced price.
//! - `D` (discount) is no goods and occurs in cancellations alone: its rows are reported and left out.
//! - A row with the price 0 is goods given away: its units count, its price does not. A code that is never sold at a price is
//!   reported row by row and left out.
//! - Customers are references in the file and are left to the orders.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;

use super::Report;
use super::amount::minor;
use super::products::Products;
use super::settings::{
    ChannelLine, LocationLine, Setting, Settings, ShippingMethodLine, ShippingRateLine,
    ShippingZoneLine, TaxClassLine,
};
use super::table::{Column, Row, Table};
use crate::context::Cx;
use crate::domain::catalog::{
    self, MAX_ROWS, ProductKind, StockPolicy, UpsertPrice, UpsertProduct, UpsertStock,
    UpsertVariant,
};
use crate::domain::shipping::ShippingRateBy;
use crate::kernel::money::Minor;
use crate::kernel::{Code, Currency, Document, Error, Patch, Result};

const INVOICE: usize = 0;
const CODE: usize = 1;
const DESCRIPTION: usize = 2;
const QUANTITY: usize = 3;
const PRICE: usize = 4;
const COUNTRY: usize = 5;
const COLUMNS: &[Column] = &[
    Column {
        names: &["invoiceno", "invoice"],
        needed: true,
    },
    Column {
        names: &["stockcode"],
        needed: true,
    },
    Column {
        names: &["description"],
        needed: true,
    },
    Column {
        names: &["quantity"],
        needed: true,
    },
    Column {
        names: &["unitprice", "price"],
        needed: true,
    },
    Column {
        names: &["country"],
        needed: true,
    },
    Column {
        names: &["invoicedate"],
        needed: true,
    },
    Column {
        names: &["customerid", "customer id"],
        needed: true,
    },
];

/// Stock codes that are services.
const SERVICES: &[&str] = &["POST", "C2", "M"];
/// The stock code of a discount.
const DISCOUNT: &str = "D";

/// Where the goods go.
pub struct Options {
    /// The handle of the channel.
    pub channel: String,
    /// The handle of the location that has the opening stock.
    pub location: Option<String>,
    /// Whether what is missing of channel, tax class, location and free delivery is made.
    pub create_channel: bool,
    /// Whether everything is read and nothing written.
    pub dry_run: bool,
}

/// What the file says, in numbers; amounts are minor units.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows, without the header.
    pub rows: u64,
    /// Rows of sales that can be used, and their sum.
    pub sales: (u64, i64),
    /// Rows of cancellations that can be used, and their sum.
    pub cancellations: (u64, i64),
    /// Rows of sales that cannot be used, and their sum as far as it is known.
    pub unusable_sales: (u64, i64),
    /// Rows of cancellations that cannot be used, and their sum as far as it is known.
    pub unusable_cancellations: (u64, i64),
    /// Rows that are neither: what cannot be read.
    pub unreadable: u64,
    /// Products.
    pub products: u64,
    /// Of these, services.
    pub services: u64,
    /// Units of opening stock.
    pub units: i64,
    /// The countries that are sold to, the shop's own first.
    pub countries: Vec<&'static str>,
}

/// Reads `input` into the shop.
pub async fn import(
    cx: &Cx,
    input: impl Read,
    options: &Options,
    report: &mut Report,
) -> Result<Summary> {
    let mut settings = Settings::load(cx).await?;
    let missing = !settings.channels.contains_key(&options.channel);
    if missing && !options.create_channel {
        let detail = format!(
            "There is no channel {0}; add --create-channel, which makes it, or `mercer import jsonl` one with a line of the type channel.",
            options.channel
        );
        return Err(Error::new(Code::NotFound, detail));
    }
    let currency = match settings.channels.get(&options.channel) {
        Some(channel) => channel.currency,
        None => "GBP".parse()?,
    };
    let mut file = File::default();
    file.read(input, currency, report)?;
    let (goods, summary) = file.settle(report);
    if options.dry_run {
        return Ok(summary);
    }
    let location = match (&options.location, options.create_channel) {
        (Some(handle), _) => handle.clone(),
        (None, true) => "warehouse".to_owned(),
        (None, false) => only_location(&settings)?,
    };
    if options.create_channel {
        create(
            &mut settings,
            &options.channel,
            &location,
            &summary.countries,
            currency,
        )
        .await?;
    }
    if !settings.locations.contains_key(&location) {
        return Err(Error::new(
            Code::NotFound,
            format!("There is no location {location}."),
        ));
    }
    write(cx, &goods, options, &location, report).await?;
    Ok(summary)
}

async fn write(
    cx: &Cx,
    goods: &[(String, Goods)],
    options: &Options,
    location: &str,
    report: &mut Report,
) -> Result<()> {
    let mut products = Products::new(cx);
    for chunk in goods.chunks(MAX_ROWS) {
        let skus: Vec<String> = chunk.iter().map(|(code, _)| code.clone()).collect();
        let known = cx
            .read(move |tx| catalog::find_by_skus(tx, skus.iter().map(String::as_str)))
            .await?;
        for (code, goods) in chunk {
            let stock = (!goods.is_service() && !known.contains_key(code)).then_some(location);
            products
                .add(
                    report,
                    goods.line,
                    0,
                    goods.product(code, &options.channel, stock),
                )
                .await?;
        }
    }
    products.flush(report).await
}

fn only_location(settings: &Settings) -> Result<String> {
    let mut handles = settings.locations.keys();
    match (handles.next(), handles.next()) {
        (Some(only), None) => Ok(only.clone()),
        (None, _) => Err(Error::new(
            Code::NotFound,
            "There is no location; add --create-channel, which makes one.",
        )),
        _ => Err(Error::new(
            Code::ValidationFailed,
            "There are several locations; say with --location which has the stock.",
        )),
    }
}

/// Makes what is missing: the tax class, the location, the channel, and free collection for every country. Its prices
/// contain the tax, so that a total is the sum of what was invoiced whatever tax zones the shop has.
async fn create(
    settings: &mut Settings,
    channel: &str,
    location: &str,
    countries: &[&'static str],
    currency: Currency,
) -> Result<()> {
    let countries: Vec<String> = countries.iter().map(ToString::to_string).collect();
    if !settings.tax_classes.contains_key("standard") {
        let line = TaxClassLine {
            handle: "standard".into(),
            name: "Standard".into(),
        };
        settings.apply(Setting::TaxClass(line)).await?;
    }
    if !settings.locations.contains_key(location) {
        let line = LocationLine {
            handle: location.into(),
            name: "Warehouse".into(),
            country: "GB".into(),
            active: None,
            priority: None,
        };
        settings.apply(Setting::Location(line)).await?;
    }
    if !settings.channels.contains_key(channel) {
        let line = ChannelLine {
            handle: channel.into(),
            name: "Retail".into(),
            status: None,
            currency,
            currencies: None,
            countries: countries.clone(),
            prices_include_tax: Some(true),
            rounding: None,
            tax_per: None,
            order_numbers: None,
            order_number_prefix: None,
            hold_minutes: None,
            capture: None,
            risk_checks: None,
            risk_investigate_from: None,
            risk_cancel_from: None,
            risk_first_order_from: Patch::Undefined,
            invoice_needs_terms: None,
            cancel_unpaid_after: Patch::Undefined,
            metadata: None,
            private_metadata: None,
        };
        settings.apply(Setting::Channel(line)).await?;
    }
    let zone = format!("{channel}-world");
    if !settings.shipping_zones.contains_key(&zone) {
        let line = ShippingZoneLine {
            handle: zone.clone(),
            name: "Everywhere".into(),
            countries,
        };
        settings.apply(Setting::ShippingZone(line)).await?;
    }
    let ids = (
        settings.shipping_zones.get(&zone).map(|z| z.id),
        settings.channels.get(channel).map(|c| c.id),
    );
    if let (Some(zone_id), Some(channel_id)) = ids
        && !settings
            .shipping_methods
            .contains_key(&(zone_id, channel_id, "collection".to_owned()))
    {
        let line = ShippingMethodLine {
            handle: "collection".into(),
            zone,
            channel: channel.into(),
            name: "Collection".into(),
            tax_class: "standard".into(),
            rate_by: ShippingRateBy::Value,
            rates: vec![ShippingRateLine {
                currency,
                from: Minor(0),
                up_to: None,
                amount: Minor(0),
            }],
            min_days: 0,
            max_days: 0,
            active: None,
        };
        settings.apply(Setting::ShippingMethod(line)).await?;
    }
    Ok(())
}

/// What the rows of a stock code add up to.
#[derive(Default)]
struct Goods {
    /// The line that named it first.
    line: u64,
    service: bool,
    descriptions: BTreeMap<String, u64>,
    prices: BTreeMap<i64, u64>,
    units: i64,
    /// Its lines with their amounts, as long as it has no price.
    waiting: Vec<(u64, i64)>,
    sales: (u64, i64),
    cancellations: (u64, i64),
}

impl Goods {
    fn is_service(&self) -> bool {
        self.service
    }

    fn product(&self, code: &str, channel: &str, location: Option<&str>) -> UpsertProduct {
        let stock = location.map(|location| UpsertStock {
            location: location.to_owned(),
            on_hand: self.units,
        });
        UpsertProduct {
            handle: slug(code),
            title: Some(
                most_frequent(&self.descriptions)
                    .cloned()
                    .unwrap_or_else(|| code.to_owned()),
            ),
            kind: Some(if self.service {
                ProductKind::Digital
            } else {
                ProductKind::Physical
            }),
            tax_class: Some("standard".to_owned()),
            channels: Some(vec![channel.to_owned()]),
            variants: vec![UpsertVariant {
                sku: code.to_owned(),
                options: Some(Document::default()),
                requires_shipping: Some(!self.service),
                stock_policy: Some(if self.service {
                    StockPolicy::Untracked
                } else {
                    StockPolicy::Deny
                }),
                prices: vec![UpsertPrice {
                    channel: channel.to_owned(),
                    currency: None,
                    amount: Minor(most_frequent(&self.prices).copied().unwrap_or_default()),
                    compare_at_amount: None,
                }],
                stock: stock.into_iter().collect(),
                ..UpsertVariant::default()
            }],
            ..UpsertProduct::default()
        }
    }
}

/// The most frequent; of two that are as frequent, the first in order.
fn most_frequent<T: Ord>(counts: &BTreeMap<T, u64>) -> Option<&T> {
    counts
        .iter()
        .rev()
        .max_by_key(|(_, count)| **count)
        .map(|(value, _)| value)
}

/// What has been read of the file.
#[derive(Default)]
struct File {
    goods: BTreeMap<String, Goods>,
    countries: BTreeSet<&'static str>,
    unknown: BTreeSet<String>,
    summary: Summary,
}

impl File {
    fn read(&mut self, input: impl Read, currency: Currency, report: &mut Report) -> Result<()> {
        let mut table = Table::open(input, COLUMNS)?;
        while let Some(row) = table.next()? {
            self.summary.rows += 1;
            let read = match &row.problem {
                None => self.row(&row, currency),
                Some(problem) => Err(problem.clone()),
            };
            if let Err(message) = read {
                self.summary.unreadable += 1;
                report.refuse(row.line, "", &message);
            }
        }
        for country in &self.unknown {
            report.note(&format!(
                "The country {country:?} is not known here; orders to it would go to GB."
            ));
        }
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>, currency: Currency) -> Result<(), String> {
        let code = row.get(CODE);
        if code.is_empty() || slug(code).is_empty() {
            return Err(format!("{code:?} is not a stock code."));
        }
        let quantity: i64 = row.get(QUANTITY).parse().map_err(|_| {
            format!(
                "The quantity {:?} is not a whole number.",
                row.get(QUANTITY)
            )
        })?;
        let price = minor(row.get(PRICE), currency)?;
        if price < 0 {
            return Err(format!("The price {} is negative.", row.get(PRICE)));
        }
        let invoice = row.get(INVOICE);
        let cancelled = invoice.starts_with(['C', 'c']);
        if invoice.is_empty() || quantity == 0 || (quantity < 0) != cancelled {
            return Err(format!(
                "A quantity of {quantity} does not go with the invoice {invoice:?}."
            ));
        }
        let amount = quantity
            .checked_mul(price)
            .ok_or("The amount is too large.")?;
        let goods = self.goods.entry(code.to_owned()).or_insert_with(|| Goods {
            line: row.line,
            service: SERVICES.contains(&code),
            ..Goods::default()
        });
        let sum = if cancelled {
            &mut goods.cancellations
        } else {
            &mut goods.sales
        };
        let total = sum
            .1
            .checked_add(amount)
            .ok_or("The sum of this code is too large.")?;
        let units = if cancelled {
            Some(goods.units)
        } else {
            goods.units.checked_add(quantity)
        };
        goods.units = units.ok_or("There are too many units of this code.")?;
        *sum = (sum.0 + 1, total);
        if !row.get(DESCRIPTION).is_empty() {
            *goods
                .descriptions
                .entry(row.get(DESCRIPTION).to_owned())
                .or_default() += 1;
        }
        if !cancelled && price > 0 && code != DISCOUNT {
            *goods.prices.entry(price).or_default() += 1;
            goods.waiting = Vec::new();
        }
        if goods.prices.is_empty() {
            goods.waiting.push((row.line, amount));
        }
        match country(row.get(COUNTRY)) {
            Some(country) => drop(self.countries.insert(country)),
            None => drop(self.unknown.insert(row.get(COUNTRY).to_owned())),
        }
        Ok(())
    }

    /// The goods that can be sold; the rows of the others are reported. Discounts and what was never sold at a price are
    /// well and left out; two codes of one handle are refused.
    fn settle(self, report: &mut Report) -> (Vec<(String, Goods)>, Summary) {
        let mut summary = self.summary;
        let mut handles: HashMap<String, String> = HashMap::new();
        let mut kept = Vec::new();
        let mut lines: Vec<(u64, bool, String)> = Vec::new();
        let add = |sum: &mut (u64, i64), more: (u64, i64)| {
            *sum = (sum.0 + more.0, sum.1.saturating_add(more.1));
        };
        // A code of which no row could be read is no code.
        for (code, goods) in self
            .goods
            .into_iter()
            .filter(|(_, g)| g.sales.0 + g.cancellations.0 > 0)
        {
            let reason = if code == DISCOUNT {
                Some((false, "A discount is no goods.".to_owned()))
            } else if goods.prices.is_empty() {
                Some((false, format!("{code} is never sold at a price.")))
            } else {
                let other = handles.get(&slug(&code));
                other.map(|other| {
                    let reason = format!("{code} would have the handle that {other} has.");
                    (true, reason)
                })
            };
            let Some((wrong, reason)) = reason else {
                handles.insert(slug(&code), code.clone());
                add(&mut summary.sales, goods.sales);
                add(&mut summary.cancellations, goods.cancellations);
                summary.products += 1;
                if goods.service {
                    summary.services += 1;
                } else {
                    summary.units = summary.units.saturating_add(goods.units);
                }
                kept.push((code, goods));
                continue;
            };
            add(&mut summary.unusable_sales, goods.sales);
            add(&mut summary.unusable_cancellations, goods.cancellations);
            if goods.waiting.is_empty() {
                lines.push((
                    goods.line,
                    wrong,
                    format!(
                        "{reason} (and {} more rows)",
                        goods.sales.0 + goods.cancellations.0 - 1
                    ),
                ));
            }
            lines.extend(
                goods
                    .waiting
                    .iter()
                    .map(|(line, _)| (*line, wrong, reason.clone())),
            );
        }
        lines.sort();
        for (line, wrong, reason) in lines {
            if wrong {
                report.refuse(line, "", &reason);
            } else {
                report.leave_out(line, &reason);
            }
        }
        summary.countries = vec!["GB"];
        summary
            .countries
            .extend(self.countries.into_iter().filter(|c| *c != "GB"));
        (kept, summary)
    }
}

/// A stock code as a handle.
pub fn slug(code: &str) -> String {
    let lower = code.to_lowercase();
    let parts = lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-")
}

/// The ISO 3166-1 code of a country as the file writes it. Where none is specified it is the shop's own.
pub fn country(name: &str) -> Option<&'static str> {
    Some(match name {
        "United Kingdom" | "Unspecified" | "" => "GB",
        "Australia" => "AU",
        "Austria" => "AT",
        "Bahrain" => "BH",
        "Belgium" | "European Community" => "BE",
        "Bermuda" => "BM",
        "Brazil" => "BR",
        "Canada" => "CA",
        "Channel Islands" => "JE",
        "Cyprus" => "CY",
        "Czech Republic" => "CZ",
        "Denmark" => "DK",
        "EIRE" | "Ireland" => "IE",
        "Finland" => "FI",
        "France" => "FR",
        "Germany" => "DE",
        "Greece" => "GR",
        "Hong Kong" => "HK",
        "Iceland" => "IS",
        "Israel" => "IL",
        "Italy" => "IT",
        "Japan" => "JP",
        "Korea" => "KR",
        "Lebanon" => "LB",
        "Lithuania" => "LT",
        "Malta" => "MT",
        "Netherlands" => "NL",
        "Nigeria" => "NG",
        "Norway" => "NO",
        "Poland" => "PL",
        "Portugal" => "PT",
        "RSA" => "ZA",
        "Saudi Arabia" => "SA",
        "Singapore" => "SG",
        "Spain" => "ES",
        "Sweden" => "SE",
        "Switzerland" => "CH",
        "Thailand" => "TH",
        "USA" => "US",
        "United Arab Emirates" => "AE",
        "West Indies" => "BB",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const HEAD: &str =
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

    fn read(rows: &str) -> (Vec<(String, Goods)>, Summary, Vec<String>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = told.clone();
        let mut report = Report::to(move |text| sink.lock().unwrap().push(text.to_owned()));
        let mut file = File::default();
        file.read(
            format!("{HEAD}{rows}").as_bytes(),
            "GBP".parse().unwrap(),
            &mut report,
        )
        .unwrap();
        let (goods, summary) = file.settle(&mut report);
        let told = told.lock().unwrap().clone();
        (goods, summary, told)
    }

    #[test]
    fn a_code_becomes_a_product_with_its_usual_words_and_price_and_all_it_sells() {
        let (goods, summary, told) = read(
            "1,85123A,HOLDER,6,2010-12-01T08:34:00Z,2.55,1,United Kingdom\n\
             2,85123A,WHITE HOLDER,2,2010-12-01T08:34:00Z,2.95,1,Germany\n\
             2,85123A,WHITE HOLDER,1,2010-12-01T08:34:00Z,2.55,1,Germany\n\
             3,85123A,,4,2010-12-01T08:34:00Z,0,1,EIRE\n\
             C4,85123A,WHITE HOLDER,-6,2010-12-01T08:34:00Z,2.55,1,Germany\n\
             5,POST,POSTAGE,1,2010-12-01T08:34:00Z,18,1,Atlantis\n",
        );
        assert_eq!(
            told,
            ["The country \"Atlantis\" is not known here; orders to it would go to GB."]
        );
        let product = goods[0].1.product(&goods[0].0, "retail", Some("leeds"));
        let variant = &product.variants[0];
        assert_eq!(
            (product.handle.as_str(), product.title.as_deref()),
            ("85123a", Some("WHITE HOLDER"))
        );
        assert_eq!(
            (variant.prices[0].amount.0, variant.stock[0].on_hand),
            (255, 13)
        );
        let post = goods[1].1.product(&goods[1].0, "retail", None);
        assert_eq!(post.variants[0].stock_policy, Some(StockPolicy::Untracked));
        assert_eq!(post.variants[0].requires_shipping, Some(false));
        assert_eq!(
            (summary.products, summary.services, summary.units),
            (2, 1, 13)
        );
        assert_eq!(
            (summary.sales, summary.cancellations),
            ((5, 4175), (1, -1530))
        );
        assert_eq!(summary.countries, ["GB", "DE", "IE"]);
    }

    #[test]
    fn rows_that_cannot_be_used_are_reported_by_line_and_counted() {
        let (goods, summary, told) = read(
            "1,A,ONE,6,2010-12-01T08:34:00Z,2.555,1,Germany\n\
             1,A,ONE,many,2010-12-01T08:34:00Z,2.55,1,Germany\n\
             1,,ONE,1,2010-12-01T08:34:00Z,2.55,1,Germany\n\
             1,A,ONE,-1,2010-12-01T08:34:00Z,2.55,1,Germany\n\
             C1,A,ONE,1,2010-12-01T08:34:00Z,2.55,1,Germany\n\
             C1,D,Discount,-240,2010-12-01T08:34:00Z,0.03,1,Germany\n\
             C1,OLD,OLD,-2,2010-12-01T08:34:00Z,1,1,Germany\n\
             1,FREE,FREE,3,2010-12-01T08:34:00Z,0,1,Germany\n\
             1,A,ONE,99999999999999999999,2010-12-01T08:34:00Z,1,1,Germany\n\
             1,A,ONE,9999999999,2010-12-01T08:34:00Z,9999999999,1,Germany\n\
             1,A,\"ONE,1,2010",
        );
        assert!(goods.is_empty());
        let lines: Vec<&str> = told.iter().map(|t| t.split(':').next().unwrap()).collect();
        let wanted =
            ["2", "3", "4", "5", "6", "10", "11", "12", "7", "8", "9"].map(|n| format!("line {n}"));
        assert_eq!(lines, wanted);
        assert_eq!(
            told[0],
            "line 2: \"2.555\" has more decimals than GBP has (2)."
        );
        assert_eq!((summary.rows, summary.unreadable), (11, 8));
        assert_eq!(
            (summary.unusable_sales, summary.unusable_cancellations),
            ((1, 0), (2, -920))
        );
    }

    #[test]
    fn every_missing_column_is_named() {
        let mut report = Report::to(|_| {});
        let currency = "GBP".parse().unwrap();
        let error = File::default()
            .read(&b"InvoiceNo,Description\n"[..], currency, &mut report)
            .unwrap_err();
        assert_eq!(error.fields.len(), 6);
    }
}
