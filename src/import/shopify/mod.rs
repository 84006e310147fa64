//! Shopify's product CSV, as its admin exports it, with the old column names and with those of the newer template.
//!
//! - What a file does not say is no value: an empty cell or a column that is not there leaves what the shop has. The report
//!   names every column that is not used, and every word of a status, a tax or a publication that is not known: such a product
//!   is a draft, such a variant taxed, such a stock not oversold.
//! - The rows of a handle are one product, wherever they stand; every row with a SKU, an option value, a price or a quantity is
//!   a variant, every row with a picture adds one. `Default Title` stands for a product without options. A product is written
//!   or refused as a whole, with one sentence.
//! - A new product is shown in the channel where the file says that it is published or active and nothing against it; where it
//!   says neither, it is a draft. Other channels are left as they are.
//! - What is not taxed, and every gift card, gets the tax class `exempt`, which is made where it is missing and may have no
//!   rates.
//! - Stock is read with `--location`, and opened once: what has been counted there stays, unless `--set-stock` says otherwise.
//!   Counts below zero are sold backorders and become 0. `Continue selling` becomes backorder up to the highest limit; a new
//!   variant whose inventory nobody tracks is untracked.
//! - A variant without a SKU is found by its option values, and gets a SKU of the handle and those values where it is new; so
//!   does one whose SKU stands on others too. Apostrophes that spreadsheets put before numbers are taken away.
//! - A variant that is no longer in the file stays on sale, which is said; with `--archive-missing-variants` it is archived, and
//!   archived variants that are in the file are sold again.
//! - A price without a higher compare-at price beside it is compared with none, where the file has that column.
//! - The description becomes text. Collections are no part of the file.
//!
//! The file is held in memory: the rows of a product may stand anywhere in it.

mod file;
mod product;

use std::io::Read;

use sha2::{Digest as _, Sha256};

use self::product::{Reader, Skus};
use super::Report;
use super::products::Products;
use super::settings::{Setting, Settings, TaxClassLine};
use crate::context::Cx;
use crate::domain::catalog::{self, MAX_ROWS};
use crate::kernel::{Code, Error, Result, hex};

/// The tax class of what is not taxed.
const EXEMPT: &str = "exempt";

/// Where the goods go.
pub struct Options {
    /// The handle of the channel.
    pub channel: String,
    /// The handle of the location whose stock the file has.
    pub location: Option<String>,
    /// Whether the file's stock replaces what has been counted.
    pub set_stock: bool,
    /// Whether variants that are not in the file are archived.
    pub archive_missing_variants: bool,
}

/// Reads `input` into the shop.
pub async fn import(
    cx: &Cx,
    input: impl Read,
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    let mut settings = Settings::load(cx).await?;
    let missing = |what: &str, handle: &str| {
        Error::new(Code::NotFound, format!("There is no {what} {handle}."))
    };
    let channel = settings.channels.get(&options.channel);
    let currency = channel
        .ok_or_else(|| missing("channel", &options.channel))?
        .currency;
    if let Some(location) = &options.location
        && !settings.locations.contains_key(location)
    {
        return Err(missing("location", location));
    }
    let mut found = file::read(input, currency, options, report)?;
    let untaxed = |p: &file::Product| {
        p.gift_card == Some(true) || p.variants.iter().any(|v| v.taxable == Some(false))
    };
    if found.iter().any(untaxed) {
        exempt(&mut settings, report).await?;
    }
    let skus = Skus::of(&found);
    let mut products = Products::briefly(cx);
    let (mut stock_kept, mut drafts, mut unstocked) = (0, 0, 0);
    while !found.is_empty() {
        let chunk: Vec<file::Product> = found.drain(..found.len().min(MAX_ROWS)).collect();
        let handles: Vec<String> = chunk.iter().map(|p| p.handle.clone()).collect();
        cx.app.refresh_snapshots().await?;
        let old = cx
            .read(move |tx| catalog::export_named(tx, &handles))
            .await?;
        for product in chunk {
            let (line, bytes, handle) = (product.line, product.bytes, product.handle.clone());
            if let Some((line, problem)) = &product.problem {
                report.refuse(*line, "", &format!("{handle}: {problem}"));
                continue;
            }
            let mut reader = Reader {
                options,
                currency,
                skus: &skus,
                stock_kept: 0,
                drafts: 0,
                unstocked: 0,
                report,
            };
            let row = reader.row(product, old.get(&handle));
            stock_kept += reader.stock_kept;
            let new = (reader.drafts, reader.unstocked);
            match row {
                Ok(row) => {
                    (drafts, unstocked) = (drafts + new.0, unstocked + new.1);
                    products.add(report, line, bytes, row).await?;
                }
                Err(problem) => report.refuse(line, "", &format!("{handle}: {problem}")),
            }
        }
    }
    products.flush(report).await?;
    if drafts > 0 {
        report.note(&format!(
            "New products without a Status and a Published: {drafts}; they are drafts, to be shown in {} once they are active.",
            options.channel
        ));
    }
    if unstocked > 0 {
        report.note(&format!(
            "New variants that are counted and have no stock: {unstocked}; nobody can buy them until it is set."
        ));
    }
    if stock_kept > 0 {
        report.note(&format!(
            "Variants that keep the stock they have, which is not the file's: {stock_kept}; --set-stock takes the file's."
        ));
    }
    Ok(())
}

/// Makes sure that there is a tax class of what is not taxed.
async fn exempt(settings: &mut Settings, report: &mut Report) -> Result<()> {
    let Some(class) = settings.tax_classes.get(EXEMPT) else {
        report.note("The tax class exempt is new, for what is not taxed.");
        let line = TaxClassLine {
            handle: EXEMPT.to_owned(),
            name: "Not taxed".to_owned(),
        };
        return settings.apply(Setting::TaxClass(line)).await.map(drop);
    };
    let taxed = settings.tax_zones.values().find(|zone| {
        let mut rates = zone.rates.iter();
        rates.any(|r| r.class_id == class.id && r.rate.parts_per_million() > 0)
    });
    match taxed {
        None => Ok(()),
        Some(zone) => Err(Error::new(
            Code::InvalidState,
            format!(
                "The tax class exempt is for what is not taxed, but the tax zone {} charges a rate on it; take that rate away.",
                zone.handle
            ),
        )),
    }
}

/// Eight characters that stand for these texts.
fn fingerprint(parts: &[&str]) -> String {
    let hash = Sha256::digest(parts.join("\0"));
    hex(&hash[..4])
}
