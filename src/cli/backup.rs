use std::path::PathBuf;

use clap::Args;
use mercer::config::Config;
use mercer::db::{Address, Conn};
use mercer::doctor;
use mercer::kernel::Result;

/// `mercer backup`
#[derive(Args)]
pub struct Backup {
    /// The file to write; one that is there is replaced once the new one is whole
    file: PathBuf,
}

impl Backup {
    pub fn run(self, config: &Config) -> Result<()> {
        let mut copy = Address::parse(&config.database_url).back_up(&self.file)?;
        println!(
            "{} is whole: {}.",
            self.file.display(),
            contents(&mut copy)?
        );
        Ok(())
    }
}

/// `mercer restore`
#[derive(Args)]
pub struct Restore {
    /// The backup to restore
    file: PathBuf,
}

impl Restore {
    pub fn run(self, config: &Config) -> Result<()> {
        let address = Address::parse(&config.database_url);
        let replaced = address.restore(&self.file)?;
        let there = address.file()?.display();
        println!("{there} is restored: {}.", contents(&mut address.open()?)?);
        if let Some(replaced) = replaced {
            println!("What was there is {}.", replaced.display());
        }
        Ok(())
    }
}

/// What is in a database, in words.
pub fn contents(conn: &mut Conn) -> Result<String> {
    let found = doctor::contents(conn)?;
    let newest = found
        .newest_order
        .map_or(String::new(), |at| format!(", the newest of {at}"));
    Ok(format!(
        "{} products, {} open carts, {} orders{newest}",
        found.products, found.carts, found.orders
    ))
}
