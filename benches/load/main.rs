//! The load: what a shop is asked for, how often a second that is answered, and how far that is from what is possible.
//! See `benches/README.md`.

#![allow(
    missing_docs,
    clippy::cast_possible_wrap,
    clippy::manual_is_multiple_of,
    clippy::unnecessary_wraps,
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss
)]

mod bounds;
mod jobs;
mod shop;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod webhooks;

use std::path::PathBuf;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use clap::Parser;
use serde::Serialize;

use bounds::Fixed;
use jobs::{JOBS, Job};
use shop::Shop;
use support::database::Database;
use support::http::Http;
use support::server::{Server, set_up};
use support::{Result, median, millis, quantile};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long each job runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(500);
/// How many times a connection's job is prepared for, a second, where each may be done once.
const PREPARED: usize = 400;
const ROUNDS: usize = 3;

/// Loads a fresh shop over HTTP and prints a table.
#[derive(Parser)]
struct Options {
    /// A PostgreSQL server on which a database may be made; without it SQLite alone is measured
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// How long each job is measured in each of three rounds
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// How many connections ask at once
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Only jobs whose name contains this; may be repeated
    #[arg(long)]
    only: Vec<String>,
    /// How many products the shop has
    #[arg(long, default_value_t = 1_000)]
    products: usize,
    /// Compare 1,000,000 products with 1,000 instead, asked by one connection
    #[arg(long)]
    million: bool,
    /// Write the figures to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Given by `cargo bench`; without it nothing is measured, so that `cargo test` is not held up
    #[arg(long, hide = true)]
    bench: bool,
    #[arg(long, hide = true, value_name = "FILE", requires = "port")]
    serve_fixed: Option<PathBuf>,
    #[arg(long, hide = true)]
    port: Option<u16>,
}

/// What was found on one database.
#[derive(Serialize)]
pub struct Findings {
    pub database: &'static str,
    pub products: usize,
    pub start_ms: f64,
    pub idle_kb: i64,
    pub loaded_kb: i64,
    pub most_kb: i64,
    pub jobs: Vec<Finding>,
    /// Webhooks a second, from the first that was received to the last that was processed.
    pub webhooks: f64,
}

/// What was found of one job: medians of the rounds.
#[derive(Serialize)]
pub struct Finding {
    pub name: &'static str,
    pub statements: u64,
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Percent of what fixed bytes reached in the same round.
    pub of_fixed: Option<f64>,
    /// The same operation a second without HTTP.
    pub without_http: Option<f64>,
}

/// One job in one round.
struct Measure {
    per_second: f64,
    /// Microseconds, sorted.
    latencies: Vec<u32>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let (Some(file), Some(port)) = (&options.serve_fixed, options.port) {
        return bounds::serve_fixed(file, port);
    }
    if !options.bench {
        println!("cargo bench --bench load -- --help");
        return Ok(());
    }
    let mut found = Vec::new();
    let servers = [None, options.postgres.as_deref()];
    for server in &servers[..servers.len() - usize::from(options.postgres.is_none())] {
        if options.million {
            found.extend([
                measure(&options, *server, 1_000)?,
                measure(&options, *server, 1_000_000)?,
            ]);
        } else {
            found.push(measure(&options, *server, options.products)?);
        }
    }
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&found)?)?;
    }
    if options.million {
        table::growth(&found);
    } else {
        table::print(&found);
    }
    Ok(())
}

impl Options {
    fn jobs(&self) -> Vec<&'static Job> {
        let million = [jobs::LIST, jobs::DETAIL, jobs::ADD, "search"];
        let asked = |job: &&Job| {
            (self.only.is_empty() || self.only.iter().any(|part| job.name.contains(part)))
                && (!self.million || million.contains(&job.name))
        };
        let bound = |job: &&Job| job.name == jobs::FIXED && !self.million;
        JOBS.iter().filter(|j| bound(j) || asked(j)).collect()
    }
}

fn measure(options: &Options, server: Option<&str>, products: usize) -> Result<Findings> {
    let mut database = Database::fresh(server)?;
    database.settings = webhooks::start_stripe()?;
    let kind = if server.is_some() {
        "PostgreSQL"
    } else {
        "SQLite"
    };
    eprintln!("{kind}: filling a shop of {products} products");
    let secret = set_up(&database)?;
    let health = support::http::request("GET", "/health/live", &[], "");
    let (server, _) = Server::start(&database, &health)?;
    let mut shop = Shop::fill(server.address, &secret, products)?;
    server.stop()?;
    database.settle()?;

    let list = shop.ask("GET", jobs::LIST_TARGET, &[], "");
    let mut starts = Vec::new();
    for _ in 0..5 {
        let (server, took) = Server::start(&database, &list)?;
        starts.push(took.as_secs_f64() * 1000.0);
        server.stop()?;
    }
    let (server, _) = Server::start(&database, &list)?;
    shop.address = server.address;
    let answer = Http::connect(shop.address)?.expect(&list, 200)?.to_vec();
    let file = database.folder.path().join("list.json");
    std::fs::write(&file, answer)?;
    let fixed = Fixed::start(&file)?;
    shop.fixed = fixed.address;
    std::thread::sleep(Duration::from_secs(1));
    let (idle_kb, _) = server.memory()?;

    let jobs = options.jobs();
    let app = bounds::open(&database)?;
    let mut rounds: Vec<Vec<Measure>> = jobs.iter().map(|_| Vec::new()).collect();
    let mut without_http: Vec<Vec<f64>> = jobs.iter().map(|_| Vec::new()).collect();
    let mut processed = Vec::new();
    for round in 1..=ROUNDS {
        for (i, job) in jobs.iter().enumerate() {
            let connections = if options.million {
                1
            } else {
                options.connections
            };
            let before = webhooks::kept(&database)?;
            let measure = load(&shop, job, connections, options.seconds)?;
            eprintln!(
                "{kind}, round {round}: {} {:.0}/s",
                job.name, measure.per_second
            );
            rounds[i].push(measure);
            let time = Duration::from_secs(options.seconds);
            let count = options.seconds as usize * PREPARED * connections;
            match job.name {
                jobs::LIST if !options.million => {
                    without_http[i].push(bounds::lists(&app, &shop, connections, time)?);
                }
                jobs::PLACE => {
                    without_http[i].push(bounds::orders(&app, &shop, connections, time, count)?);
                }
                jobs::WEBHOOK => {
                    let count = webhooks::kept(&database)? - before;
                    let took = WARM_UP + time + webhooks::process(&database)?;
                    processed.push(count as f64 / took.as_secs_f64());
                }
                _ => {}
            }
        }
    }
    let (loaded_kb, most_kb) = server.memory()?;
    server.stop()?;
    let statements = bounds::statements(&app, &shop, &jobs)?;
    let fixed: Vec<f64> = rounds[0].iter().map(|m| m.per_second).collect();
    let findings = jobs.iter().zip(&rounds).zip(statements).zip(without_http);
    Ok(Findings {
        database: kind,
        products,
        start_ms: median(starts),
        idle_kb,
        loaded_kb,
        most_kb,
        webhooks: median(processed),
        jobs: findings
            .map(|(((job, rounds), statements), without)| {
                let of = |value: fn(&Measure) -> f64| median(rounds.iter().map(value).collect());
                let shares = rounds
                    .iter()
                    .zip(&fixed)
                    .map(|(m, f)| 100.0 * m.per_second / f);
                Finding {
                    name: job.name,
                    statements,
                    per_second: of(|m| m.per_second),
                    p50_ms: of(|m| millis(quantile(&m.latencies, 500))),
                    p99_ms: of(|m| millis(quantile(&m.latencies, 990))),
                    of_fixed: (!options.million).then(|| median(shares.collect())),
                    without_http: (!without.is_empty()).then(|| median(without)),
                }
            })
            .collect(),
    })
}

/// Does a job over so many connections at once, each in a thread of its own, all beginning at the same moment.
fn load(shop: &Shop, job: &Job, connections: usize, seconds: u64) -> Result<Measure> {
    let ready = Barrier::new(connections);
    let measured = Duration::from_secs(seconds);
    let times = (WARM_UP + measured).as_millis() as usize * PREPARED / 1000;
    let connection = || -> Result<(f64, Vec<u32>)> {
        let prepared = (job.prepare)(shop, times);
        ready.wait();
        let mut work = prepared?;
        let mut http = Http::connect(shop.address)?;
        let mut latencies = Vec::with_capacity(1 << 16);
        let begin = Instant::now() + WARM_UP;
        let (mut start, mut more) = (Instant::now(), true);
        while more && start < begin + measured {
            more = work(&mut http)?;
            let end = Instant::now();
            if more && start >= begin {
                latencies.push(u32::try_from((end - start).as_micros())?);
            }
            start = end;
        }
        // What was prepared may be used up before the time is.
        let took = start.saturating_duration_since(begin).as_secs_f64();
        Ok((latencies.len() as f64 / took, latencies))
    };
    let mut whole = Measure {
        per_second: 0.0,
        latencies: Vec::new(),
    };
    std::thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(connection)).collect();
        for thread in threads {
            let (per_second, latencies) = thread.join().map_err(|_| "a thread panicked")??;
            whole.per_second += per_second;
            whole.latencies.extend(latencies);
        }
        Ok(())
    })?;
    whole.latencies.sort_unstable();
    Ok(whole)
}
