//! A database of a benchmark's own, which goes when it ends.

use mercer::db::{Address, Conn};
use tempfile::TempDir;

use super::Result;

/// A fresh database.
pub struct Database {
    pub url: String,
    /// Has the embedded database and whatever else a run writes.
    pub folder: TempDir,
    /// What a server on it is told beside the usual.
    pub settings: Vec<(&'static str, String)>,
    server: Option<(String, String)>,
}

impl Database {
    /// A file; or, given the URL of a server, a database there.
    pub fn fresh(server: Option<&str>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("mercer-bench-").tempdir()?;
        let Some(server) = server else {
            let path = folder.path().join("shop.db");
            let url = path.to_str().ok_or("a folder that is no text")?.to_owned();
            return Ok(Self {
                url,
                folder,
                settings: Vec::new(),
                server: None,
            });
        };
        let name = format!("mercer_bench_{}", mercer::kernel::id::fresh().simple());
        patient(server)?.batch(&format!("CREATE DATABASE {name} TEMPLATE template0"))?;
        let (before, options) = server.split_once('?').unwrap_or((server, ""));
        let (host, _) = before.rsplit_once('/').ok_or("a URL without a database")?;
        let mark = if options.is_empty() { "" } else { "?" };
        Ok(Self {
            url: format!("{host}/{name}{mark}{options}"),
            folder,
            settings: Vec::new(),
            server: Some((server.to_owned(), name)),
        })
    }

    /// Tells PostgreSQL's planner what is there, as autovacuum would within minutes.
    pub fn settle(&self) -> Result<()> {
        if self.server.is_some() {
            patient(&self.url)?.batch("VACUUM ANALYZE")?;
        }
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.server {
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            let dropped = patient(server).and_then(|mut conn| Ok(conn.batch(&drop)?));
            if let Err(error) = dropped {
                eprintln!("{name} is left behind: {error}");
            }
        }
    }
}

fn patient(server: &str) -> Result<Conn> {
    let mut conn = Address::parse(server).open().map_err(said)?;
    conn.batch("SET statement_timeout = 0; SET lock_timeout = 0")?;
    Ok(conn)
}

/// Mercer's errors, with what caused them.
pub fn said(error: mercer::kernel::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match error.source {
        Some(source) => format!("{} {source}", error.detail).into(),
        None => error.detail.into(),
    }
}
