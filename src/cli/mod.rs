//! What `mercer` can be told to do. Every command reads the same settings and ends with a sentence about what came of it.

mod api_key;
mod backup;
mod demo;
mod doctor;
mod import;
mod log;
mod schema;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use mercer::config::{Config, Environment};
use mercer::context::App;
use mercer::db::{Address, migrations};
use mercer::kernel::{Clock, Error, Result};

/// Mercer, a headless commerce server: one binary, REST and GraphQL, from the first look at a product to the last refund.
#[derive(Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Try it: `mercer demo` starts a shop with products, prices and stock on an embedded database.\n\
    Settings come from flags, then the environment, then the TOML file; `mercer config` prints them all."
)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
#[expect(clippy::doc_markdown, reason = "help for a terminal")]
struct Settings {
    /// A TOML file with settings
    #[arg(long, global = true, env = "MERCER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database: a file of the embedded one, or postgres://user@host/name [environment: DATABASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// Where the server listens [environment: MERCER_BIND]
    #[arg(long, global = true, value_name = "ADDRESS")]
    bind: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the shop over HTTP
    ///
    /// Applies pending migrations on the embedded database; on PostgreSQL only with --migrate, so that many processes can be
    /// started at once. Runs the job worker inside.
    Serve(serve::Serve),
    /// Run background jobs without serving
    Worker,
    /// Make a demo shop and serve it: products, prices, stock, taxes, shipping, keys
    ///
    /// In mercer-demo.db of this folder, or in the database that is named; one that has a shop which is no demo is left
    /// alone. Each start makes a fresh shop unless --keep is given.
    Demo(demo::Demo),
    /// Read a catalogue from a file
    ///
    /// Lines that cannot be used are reported and left out; then the exit code is 1.
    #[command(subcommand)]
    Import(import::Import),
    /// Write a catalogue to a file
    #[command(subcommand)]
    Export(import::Export),
    /// Apply pending migrations
    Migrate,
    /// Copy the embedded database into a file, while the shop is open
    Backup(backup::Backup),
    /// Put a backup in the place of the embedded database; what was there is kept beside it
    Restore(backup::Restore),
    /// Write schema.graphql and openapi/openapi.json
    Schema(schema::Schema),
    /// Create, list and revoke API keys
    #[command(subcommand)]
    ApiKey(api_key::ApiKey),
    /// Check that everything holds that must always hold, and say what is off
    ///
    /// Only reads, and may run while the shop is open. Ends with a failure when something is off.
    Doctor,
    /// Print the effective settings, secrets masked
    Config,
}

/// Where a shop is when nothing is said; a demo is somewhere else.
const DEFAULT_DATABASE: &str = "mercer.db";

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mercer: {}", print(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let settings = &cli.settings;
    let config = || settings.load(Environment::Production);
    match cli.command {
        Command::Serve(serve) => serve.run(config()?),
        Command::Worker => serve::worker(config()?),
        Command::Demo(demo) => {
            let config = settings.load(Environment::Development)?;
            let chosen = settings.database_url.is_some() || config.database_url != DEFAULT_DATABASE;
            demo.run(config, chosen)
        }
        Command::Import(import) => import.run(config()?),
        Command::Export(export) => export.run(config()?),
        Command::Migrate => migrate(&config()?),
        Command::Backup(backup) => backup.run(&config()?),
        Command::Restore(restore) => restore.run(&config()?),
        Command::Schema(schema) => schema.run(),
        Command::ApiKey(command) => command.run(config()?),
        Command::Doctor => doctor::run(&config()?),
        Command::Config => {
            print!("{}", config()?.print());
            Ok(())
        }
    }
}

impl Settings {
    /// The settings, with what the flags say; `environment` holds where nothing is said.
    fn load(&self, environment: Environment) -> Result<Config> {
        Config::load(
            self.config.as_deref(),
            |name| match name {
                "DATABASE_URL" => self.database_url.clone(),
                "MERCER_BIND" => self.bind.clone(),
                _ => None,
            },
            environment,
        )
    }
}

/// Opens the application for a command that is run by hand; the embedded database is made when it is not there.
fn open(config: Config) -> Result<App> {
    let address = Address::parse(&config.database_url);
    if matches!(address, Address::Sqlite(_)) {
        migrations::apply(&address)?;
    }
    mercer::app::open(config, Clock::default())
}

fn migrate(config: &Config) -> Result<()> {
    let done = migrations::apply(&Address::parse(&config.database_url))?;
    for name in &done {
        println!("applied {name}");
    }
    println!(
        "The database is up to date; {} migrations were pending.",
        done.len()
    );
    Ok(())
}

/// Runs asynchronous work to its end.
pub fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    actix_web::rt::System::new()
        .block_on(async { tokio::task::LocalSet::new().run_until(work).await })
}

fn print(error: &Error) -> String {
    let mut out = error.detail.clone();
    for field in &error.fields {
        out.push_str(&format!("\n  {}: {}", field.pointer, field.message));
    }
    if let Some(source) = &error.source {
        out.push_str(&format!("\n  {source}"));
    }
    out
}
