use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use clap::Args;
use mercer::api::server;
use mercer::app;
use mercer::config::Config;
use mercer::context::App;
use mercer::db::{Address, migrations};
use mercer::jobs::Worker;
use mercer::kernel::{Clock, Error, Result};

use super::log;

/// `mercer serve`
#[derive(Args)]
pub struct Serve {
    /// Apply pending migrations first, on PostgreSQL too
    #[arg(long)]
    migrate: bool,
    /// Leave background jobs to `mercer worker`
    #[arg(long)]
    no_worker: bool,
}

impl Serve {
    pub fn run(self, config: Config) -> Result<()> {
        let _log = log::start(&config)?;
        let listener = server::bind(&config)?;
        let address = Address::parse(&config.database_url);
        let _claim = address.claim()?;
        if self.migrate || matches!(address, Address::Sqlite(_)) {
            let done = migrations::apply(&address)?;
            tracing::info!(applied = done.len(), "migrations");
        }
        let app = app::open(config, Clock::default())?;
        super::block_on(serve(&app, listener, !self.no_worker, |_| {}))
    }
}

/// Serves until the process is told to stop; `ready` hears where as soon as requests are taken.
pub async fn serve(
    app: &App,
    listener: TcpListener,
    with_worker: bool,
    ready: impl FnOnce(SocketAddr),
) -> Result<()> {
    let running = server::start_on(listener, app, &app::registries())?;
    tracing::info!(address = %running.address, "listening");
    ready(running.address);
    let worker = with_worker.then(|| app::start_worker(app));
    let keeper = app::keep_versions(app);
    let stopper = running.stopper();
    tokio::task::spawn_local(async move {
        wait_for_signal().await;
        tracing::info!("stopping; requests in flight may finish");
        stopper.await;
    });
    running.server.await.map_err(Error::internal)?;
    keeper.abort();
    if let Some(worker) = worker {
        stop(app, worker).await;
    }
    app.db.checkpoint().await?;
    tracing::info!("stopped");
    Ok(())
}

/// `mercer worker`
pub fn worker(config: Config) -> Result<()> {
    let _log = log::start(&config)?;
    let app = app::open(config, Clock::default())?;
    super::block_on(async {
        let keeper = app::keep_versions(&app);
        let worker = app::start_worker(&app);
        tracing::info!("working");
        wait_for_signal().await;
        keeper.abort();
        stop(&app, worker).await;
        Ok(())
    })
}

/// Lets the jobs that are begun end, for a while; others take up what is not over then.
async fn stop(app: &App, worker: Worker) {
    let most = Duration::from_secs(app.config.drain_seconds);
    if tokio::time::timeout(most, worker.stop()).await.is_err() {
        tracing::warn!("jobs were not over in time; they are begun anew once their leases end");
    }
}

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
