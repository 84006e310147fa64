//! The transactions of a retail shop, and which sale a cancellation takes back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use serde::Deserialize;

use super::support::Result;

/// A row as the file has it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    invoice_no: String,
    stock_code: String,
    quantity: i64,
    unit_price: String,
    #[serde(rename = "CustomerID")]
    customer_id: String,
    country: String,
}

/// A sale, or a cancellation whose quantities are positive.
pub struct Invoice {
    /// Its place in the file, which is sorted by time.
    at: usize,
    pub number: String,
    pub customer: String,
    pub country: String,
    pub lines: Vec<Line>,
}

/// A line of an invoice.
#[derive(Clone)]
pub struct Line {
    pub code: String,
    pub quantity: i64,
    /// Pence.
    pub price: i64,
}

/// Units of one sale that one cancellation takes back.
pub struct Return {
    pub cancellation: usize,
    pub sale: usize,
    /// Units by the place of the line.
    pub units: BTreeMap<usize, i64>,
}

/// What the file says.
#[derive(Default)]
pub struct File {
    pub sales: Vec<Invoice>,
    pub cancellations: Vec<Invoice>,
    /// What all sales and all cancellations come to, usable or not.
    pub sums: (i64, i64),
    /// Lines of sales whose code the shop does not sell.
    pub unusable: Vec<(String, Line)>,
    pub returns: Vec<Return>,
    /// Units of cancellations for which there is no sale.
    pub unmatched: Vec<(String, Line)>,
}

impl Line {
    pub fn amount(&self) -> i64 {
        self.quantity * self.price
    }
}

impl Invoice {
    pub fn amount(&self) -> i64 {
        self.lines.iter().map(Line::amount).sum()
    }
}

impl File {
    /// Reads the file; a sale of a code that is not in `sold` is unusable.
    pub fn read(path: &Path, sold: &HashSet<String>) -> Result<Self> {
        let mut file = Self::default();
        for (at, row) in csv::Reader::from_path(path)?.into_deserialize().enumerate() {
            file.add(at, row?, sold)?;
        }
        file.match_returns();
        Ok(file)
    }

    fn add(&mut self, at: usize, row: Row, sold: &HashSet<String>) -> Result<()> {
        let cancelled = row.invoice_no.starts_with('C');
        if cancelled != (row.quantity < 0) || row.quantity == 0 {
            return Err(format!("{} units in {}", row.quantity, row.invoice_no).into());
        }
        let line = Line {
            price: pence(&row.unit_price)?,
            quantity: row.quantity.abs(),
            code: row.stock_code,
        };
        let (sum, invoices) = if cancelled {
            (&mut self.sums.1, &mut self.cancellations)
        } else {
            (&mut self.sums.0, &mut self.sales)
        };
        *sum += line.amount();
        if !cancelled && !sold.contains(&line.code) {
            self.unusable.push((row.invoice_no, line));
            return Ok(());
        }
        match invoices.iter_mut().rfind(|i| i.number == row.invoice_no) {
            Some(invoice) => invoice.lines.push(line),
            None => invoices.push(Invoice {
                at,
                number: row.invoice_no,
                customer: row.customer_id,
                country: row.country,
                lines: vec![line],
            }),
        }
        Ok(())
    }

    /// What is taken back, in pence.
    pub fn worth(&self, back: &Return) -> i64 {
        let lines = &self.sales[back.sale].lines;
        let units = back.units.iter();
        units.map(|(place, n)| lines[*place].price * n).sum()
    }

    /// A cancelled line takes back units that the same customer bought with the same stock code at the same price: of the
    /// latest sale before it first, then of the one before that, until there are enough or no more.
    fn match_returns(&mut self) {
        let mut left: HashMap<_, Vec<(usize, usize, i64)>> = HashMap::new();
        for (sale, invoice) in self.sales.iter().enumerate() {
            for (place, line) in invoice.lines.iter().enumerate() {
                let key = (&invoice.customer, &line.code, line.price);
                let there = (sale, place, line.quantity);
                left.entry(key).or_default().push(there);
            }
        }
        for (cancellation, invoice) in self.cancellations.iter().enumerate() {
            let mut found: BTreeMap<usize, BTreeMap<usize, i64>> = BTreeMap::new();
            for line in &invoice.lines {
                let key = (&invoice.customer, &line.code, line.price);
                let bought = left.entry(key).or_default().iter_mut().rev();
                let mut wanted = line.quantity;
                for (sale, place, there) in bought.filter(|b| self.sales[b.0].at < invoice.at) {
                    let units = wanted.min(*there);
                    if units > 0 {
                        *found.entry(*sale).or_default().entry(*place).or_default() += units;
                        *there -= units;
                        wanted -= units;
                    }
                }
                if wanted > 0 {
                    let line = Line {
                        quantity: wanted,
                        ..line.clone()
                    };
                    self.unmatched.push((invoice.number.clone(), line));
                }
            }
            let returns = found.into_iter().map(|(sale, units)| Return {
                cancellation,
                sale,
                units,
            });
            self.returns.extend(returns);
        }
    }
}

/// `1.7` as 170: exactly, or not at all.
fn pence(text: &str) -> Result<i64> {
    let (pounds, pence) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if pounds.is_empty() || pence.len() > 2 || !digits(pounds) || !digits(pence) {
        return Err(format!("{text:?} is not a price in pounds").into());
    }
    Ok(format!("{pounds}{pence:0<2}").parse()?)
}
