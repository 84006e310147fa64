use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mercer::config::Config;
use mercer::import::{Report, export, jsonl, retail, shopify};
use mercer::kernel::{Code, Error, Result};

/// `mercer import`
#[derive(Subcommand)]
pub enum Import {
    /// Read Mercer's own format: a JSON object a line
    ///
    /// Each line has a `type`: channel, taxClass, taxZone, location, shippingZone, shippingMethod, category, product. What is
    /// referred to is named by its handle and stands further up. Reading a file again changes nothing.
    Jsonl {
        /// The file; `-` is standard input
        #[arg(required_unless_present = "example")]
        file: Option<PathBuf>,
        /// Read nothing; print a small shop in this format
        #[arg(long, conflicts_with = "file")]
        example: bool,
    },
    /// Read a product CSV as Shopify exports it
    ///
    /// What a cell does not say stays as it is; a price without one to compare with has none. Reading a file again changes nothing.
    Shopify {
        /// The file; `-` is standard input
        file: PathBuf,
        /// The handle of the channel whose prices they are
        #[arg(long)]
        channel: String,
        /// The handle of the location whose stock it is; without it stock is left out
        #[arg(long)]
        location: Option<String>,
        /// Set the stock of variants that have been counted before, too
        #[arg(long, requires = "location")]
        set_stock: bool,
        /// Archive variants that are not in the file; sell those again that are
        #[arg(long)]
        archive_missing_variants: bool,
    },
    /// Read the transactions of a retail shop: products from stock codes, stock that covers the sales
    ///
    /// POST, C2 and M become services without stock, D is left out, a price of 0 is no price. Opening stock is set when a
    /// product is new. Reading a file again changes nothing.
    Retail {
        /// The file; `-` is standard input
        file: PathBuf,
        /// The handle of the channel that sells
        #[arg(long)]
        channel: String,
        /// The handle of the location that has the stock; may be left out where there is only one
        #[arg(long)]
        location: Option<String>,
        /// Make the channel (GBP, prices with tax), its location, tax class and free collection where they are missing
        #[arg(long)]
        create_channel: bool,
        /// Read everything, write nothing
        #[arg(long)]
        dry_run: bool,
    },
}

impl Import {
    pub fn run(self, config: Config) -> Result<()> {
        if let Self::Jsonl { example: true, .. } = self {
            print!("{}", jsonl::EXAMPLE);
            return Ok(());
        }
        let app = super::open(config)?;
        let cx = app.system();
        super::block_on(async move {
            let mut report;
            match self {
                Self::Jsonl { file, .. } => {
                    let (input, total) = open(&file.unwrap_or_else(|| "-".into()))?;
                    report = Report::on_terminal(total);
                    jsonl::import(&cx, report.watch(input), &mut report).await?;
                }
                Self::Shopify {
                    file,
                    channel,
                    location,
                    set_stock,
                    archive_missing_variants,
                } => {
                    let (input, total) = open(&file)?;
                    report = Report::on_terminal(total);
                    let options = shopify::Options {
                        channel,
                        location,
                        set_stock,
                        archive_missing_variants,
                    };
                    shopify::import(&cx, report.watch(input), &options, &mut report).await?;
                }
                Self::Retail {
                    file,
                    channel,
                    location,
                    create_channel,
                    dry_run,
                } => {
                    let (input, total) = open(&file)?;
                    report = Report::on_terminal(total);
                    let options = retail::Options {
                        channel,
                        location,
                        create_channel,
                        dry_run,
                    };
                    let summary =
                        retail::import(&cx, report.watch(input), &options, &mut report).await?;
                    print(&summary);
                }
            }
            println!("{}", report.finish());
            match report.refused {
                0 => Ok(()),
                n => Err(Error::new(
                    Code::ValidationFailed,
                    format!("{n} lines were refused; everything else is in."),
                )),
            }
        })
    }
}

fn print(summary: &retail::Summary) {
    let sum = |(rows, amount): (u64, i64)| format!("{rows} rows, {amount} minor units");
    println!("sales            {}", sum(summary.sales));
    println!("cancellations    {}", sum(summary.cancellations));
    println!("unusable sales   {}", sum(summary.unusable_sales));
    println!("unusable cancel. {}", sum(summary.unusable_cancellations));
    println!(
        "unreadable       {} of {} rows",
        summary.unreadable, summary.rows
    );
    println!(
        "products         {}, of these {} services",
        summary.products, summary.services
    );
    println!("opening stock    {} units", summary.units);
    println!("countries        {}", summary.countries.join(" "));
}

/// The stream, and its length where it is known.
fn open(path: &Path) -> Result<(Box<dyn Read>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(std::io::stdin().lock()), None));
    }
    let failed = |e: std::io::Error| {
        let detail = format!(
            "{} cannot be read ({e}); name a file, or - for standard input.",
            path.display()
        );
        Error::new(Code::NotFound, detail)
    };
    let file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    Ok((Box::new(file), about.is_file().then_some(about.len())))
}

/// `mercer export`
#[derive(Subcommand)]
pub enum Export {
    /// Write channels, taxes, locations, shipping, categories and products in Mercer's own format
    Catalog(ExportCatalog),
}

/// `mercer export catalog`
#[derive(Args)]
pub struct ExportCatalog {
    /// The file to write; standard output when left out
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Export {
    pub fn run(self, config: Config) -> Result<()> {
        let Self::Catalog(ExportCatalog { out }) = self;
        let app = super::open(config)?;
        let cx = app.system();
        super::block_on(async move {
            let Some(path) = out else {
                let mut stdout = BufWriter::new(std::io::stdout().lock());
                export::export(&cx, &mut stdout).await?;
                return Ok(());
            };
            // What is at the path is whole at any moment.
            let mut part = path.clone().into_os_string();
            part.push(".part");
            let failed = |e: std::io::Error| {
                Error::new(Code::Unavailable, format!("{}: {e}", path.display()))
            };
            let mut file = BufWriter::new(File::create(&part).map_err(failed)?);
            let count = export::export(&cx, &mut file).await?;
            file.flush().map_err(failed)?;
            file.get_ref().sync_all().map_err(failed)?;
            std::fs::rename(&part, &path).map_err(failed)?;
            eprintln!("{count} lines in {}.", path.display());
            Ok(())
        })
    }
}
