//! Products on their way in: gathered into requests of the bulk upsert, each row answered for by its line.

use std::collections::HashSet;

use crate::context::Cx;
use crate::domain::catalog::{BulkUpsertProducts, MAX_ROWS, Outcome, UpsertProduct, UpsertReport};
use crate::kernel::{Code, Result};
use crate::operation::dispatch;

use super::Report;

/// The most variants of a request: a hundred products of a hundred variants would hold the one writer for seconds.
const MAX_VARIANTS: usize = 1000;
/// The most bytes that the lines of a request may have had.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Products that wait to be written.
pub struct Products {
    cx: Cx,
    rows: Vec<(u64, UpsertProduct)>,
    handles: HashSet<String>,
    variants: usize,
    bytes: usize,
    /// Whether a refusal is one sentence about the product, not one about each field.
    brief: bool,
}

impl Products {
    /// None so far.
    pub fn new(cx: &Cx) -> Self {
        Self {
            cx: cx.clone(),
            rows: Vec::new(),
            handles: HashSet::new(),
            variants: 0,
            bytes: 0,
            brief: false,
        }
    }

    /// None so far; a refusal is one sentence.
    pub fn briefly(cx: &Cx) -> Self {
        Self {
            brief: true,
            ..Self::new(cx)
        }
    }

    /// Adds the product that stands in `line`; writes what waits when that is enough.
    pub async fn add(
        &mut self,
        report: &mut Report,
        line: u64,
        bytes: usize,
        product: UpsertProduct,
    ) -> Result<()> {
        let full = self.rows.len() >= MAX_ROWS
            || self.variants + product.variants.len() > MAX_VARIANTS
            || self.bytes + bytes > MAX_BYTES
            // A later line of the same product changes what an earlier one created.
            || self.handles.contains(&product.handle);
        if full {
            self.flush(report).await?;
        }
        self.handles.insert(product.handle.clone());
        self.variants += product.variants.len();
        self.bytes += bytes;
        self.rows.push((line, product));
        Ok(())
    }

    /// Writes what waits. Fails only when the database cannot be reached.
    pub async fn flush(&mut self, report: &mut Report) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        self.handles.clear();
        (self.variants, self.bytes) = (0, 0);
        if rows.is_empty() {
            return Ok(());
        }
        let (lines, products): (Vec<u64>, Vec<UpsertProduct>) = rows.into_iter().unzip();
        match self.send(products.clone()).await {
            Ok(answer) => self.tell(report, &lines, &answer),
            Err(error) if error.code == Code::Unavailable => return Err(error),
            Err(error) => {
                if lines.len() > 1 {
                    let range = (lines.first().unwrap_or(&0), lines.last().unwrap_or(&0));
                    report.note(&format!(
                        "lines {} to {}: refused as a whole ({}); each is tried by itself",
                        range.0, range.1, error.detail
                    ));
                }
                for (line, product) in lines.into_iter().zip(products) {
                    match self.send(vec![product]).await {
                        Ok(answer) => self.tell(report, &[line], &answer),
                        Err(error) if error.code == Code::Unavailable => return Err(error),
                        Err(error) => report.refuse_error(line, &error, "/products/0"),
                    }
                }
            }
        }
        Ok(())
    }

    async fn send(&self, products: Vec<UpsertProduct>) -> Result<UpsertReport> {
        Ok(dispatch(&self.cx, BulkUpsertProducts { products })
            .await?
            .value)
    }

    fn tell(&self, report: &mut Report, lines: &[u64], answer: &UpsertReport) {
        for (i, (line, row)) in lines.iter().zip(&answer.rows).enumerate() {
            if row.outcome != Outcome::Refused {
                report.count(row.outcome);
            } else if self.brief {
                let first = row.errors.first().map_or("", |e| e.message.as_str());
                let more = match row.errors.len() {
                    0 | 1 => String::new(),
                    count => format!(" ({} more like it)", count - 1),
                };
                report.refuse(*line, "", &format!("{}: {first}{more}", row.handle));
            } else {
                let reasons = row
                    .errors
                    .iter()
                    .map(|e| (e.pointer.as_str(), e.message.as_str()));
                report.refuse_for(*line, reasons, &format!("/products/{i}"));
            }
        }
    }
}
