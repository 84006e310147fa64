//! The replay: the transactions of a real shop, sent through the public API by many workers, and counted to the penny.
//! See `benches/README.md`.

#[path = "retail.rs"]
mod retail;

use std::path::PathBuf;

use clap::Parser;

/// Sends every invoice of a retail file through the API as cart, checkout and order, and every cancellation that matches.
#[derive(Parser)]
struct Options {
    /// The file: `InvoiceNo`, `StockCode`, `Description`, `Quantity`, `InvoiceDate`, `UnitPrice`, `CustomerID`, `Country`
    #[arg(required_if_eq("bench", "true"))]
    file: Option<PathBuf>,
    /// A PostgreSQL server on which a database may be made; SQLite when left out
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// How many invoices are on their way at once
    #[arg(long, default_value_t = 8)]
    workers: usize,
    /// Given by `cargo bench`; without it nothing is done, so that `cargo test` is not held up
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> retail::Result<()> {
    let options = Options::parse();
    let Some(path) = options.file.filter(|_| options.bench) else {
        println!("cargo bench --bench replay -- --help");
        return Ok(());
    };
    retail::replay(&path, options.postgres.as_deref(), options.workers)
}
