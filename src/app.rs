//! Wires the application: the only place that knows all domains and providers.

use std::time::Duration;

use diesel::sql_types::Binary;

use crate::api::server::Registries;
use crate::config::Config;
use crate::context::{App, Parts};
use crate::db::{Address, Conn, Db, migrations};
use crate::domain::{catalog, channels, identity, inventory, pricing, shipping, tax};
use crate::jobs::{Jobs, Worker};
use crate::kernel::page::CursorKey;
use crate::kernel::{Clock, Code, Error, Result};
use crate::operation::{Door, List, Registry, idempotency};
use crate::params;

/// Every operation, in the order of the domains.
pub fn registry<D: Door>() -> Registry<D> {
    let mut registry = Registry::default();
    channels::register(&mut registry);
    identity::register(&mut registry);
    tax::register(&mut registry);
    pricing::register(&mut registry);
    inventory::register(&mut registry);
    shipping::register(&mut registry);
    catalog::register(&mut registry);
    registry
}

/// What the server makes its doors of.
pub fn registries() -> Registries {
    Registries { rest: registry, list: registry::<List> }
}

/// Opens the application on an existing database.
pub fn open(config: Config, clock: Clock) -> Result<App> {
    let address = Address::parse(&config.database_url);
    let mut conn = address.open()?;
    let waiting = migrations::pending(&mut conn)?;
    if !waiting.is_empty() {
        let detail = format!("{} migrations are pending; run `mercer migrate` first.", waiting.len());
        return Err(Error::new(Code::Unavailable, detail));
    }
    let cursors = CursorKey::new(&secret(&mut conn, "cursors")?);
    drop(conn);
    let db = Db::open(&address, config.connection_count())?;
    let mut parts = Parts::default();
    parts.add(identity::Keys::default());
    parts.keep::<channels::Channels>();
    parts.keep::<inventory::Locations>();
    parts.derive(catalog::listings::derive);
    parts.keep::<tax::Taxes>();
    parts.keep::<shipping::Shipping>();
    Ok(App::new(config, db, clock, cursors, parts))
}

/// All background work.
pub fn jobs() -> Jobs {
    let mut jobs = Jobs::default();
    jobs.every(Duration::from_hours(1), "idempotency.sweep", |cx| async move {
        cx.write(idempotency::sweep).await.map(drop)
    });
    jobs
}

/// Starts the job worker in this thread's local tasks.
pub fn start_worker(app: &App) -> Worker {
    Worker::start(app, jobs())
}

/// Learns twice a second what other processes have changed.
pub fn keep_versions(app: &App) -> tokio::task::JoinHandle<()> {
    let app = app.clone();
    tokio::task::spawn_local(async move {
        loop {
            if let Err(error) = app.refresh_versions().await {
                tracing::warn!(%error, "the versions cannot be read");
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    })
}

/// The shop's secret of this name, which all its processes share; made by whoever comes first.
fn secret(conn: &mut Conn, name: &str) -> Result<Vec<u8>> {
    let mut fresh = vec![0_u8; 32];
    getrandom::fill(&mut fresh).map_err(|e| Error::internal(e.to_string()))?;
    conn.execute(
        "INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        params![name, fresh],
    )?;
    let rows = conn.rows::<Binary, Vec<u8>>("SELECT value FROM secrets WHERE name = ?", params![name])?;
    rows.into_iter().next().ok_or_else(|| Error::internal("the secret vanished"))
}
