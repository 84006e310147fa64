//! A server on a port of its own, in this process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use mercer::api::server;
use mercer::app;
use mercer::config::Config;
use mercer::context::App;
use mercer::kernel::Clock;
use tokio::sync::oneshot;

/// A running server; it stops when it is dropped.
pub struct Server {
    pub app: App,
    pub address: SocketAddr,
    /// Where it serves metrics, if that is an address of their own.
    pub metrics: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The settings of a test, with some of its own.
pub fn config(database_url: &str, settings: &[(&str, &str)]) -> Config {
    let usual = [
        ("database_url", database_url),
        ("bind", "127.0.0.1:0"),
        ("environment", "development"),
        ("workers", "2"),
        ("connections", "4"),
        ("drain_seconds", "0"),
    ];
    let settings = usual
        .iter()
        .chain(settings)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Config::read(&settings.collect::<BTreeMap<_, _>>(), |_| None).unwrap()
}

impl Server {
    /// Opens the application and serves it. Neither the job worker nor the keeper of versions runs: what happens between two
    /// requests is what the story says.
    pub fn start(config: Config, clock: Clock) -> Self {
        let app = app::open(config, clock).unwrap();
        let (stop, told_to_stop) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let served = app.clone();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let running = server::start(&served, &app::registries()).unwrap();
                tell.send((running.address, running.metrics)).unwrap();
                let stopper = running.stopper();
                actix_web::rt::spawn(async move {
                    let _ = told_to_stop.await;
                    stopper.await;
                });
                running.server.await.unwrap();
            });
        });
        let (address, metrics) = told.recv().expect("the server started");
        Self {
            app,
            address,
            metrics,
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
