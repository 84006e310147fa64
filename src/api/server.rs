//! The HTTP server: limits, headers, routes, and stopping without dropping anybody.

use std::any::Any;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::{Extensions, ServerHandle};
use actix_web::http::header;
use actix_web::rt::net::TcpStream;
use actix_web::{App as Actix, HttpRequest, HttpResponse, HttpServer, middleware, web};

use super::cache::Cache;
use super::edge::{MetricsAddress, edge};
use super::graphql::{self, Door};
use super::inbound::{self, Ready};
use super::rest::{self, Rest};
use super::{answer, docs, metrics, openapi, pictures, request};
use crate::config::Config;
use crate::context::App;
use crate::kernel::{Code, Error, Result};
use crate::operation::metrics::Connection;
use crate::operation::{List, Registry};

/// For how long the other end of a connection may take nothing of what is sent (Linux: `TCP_USER_TIMEOUT`).
#[cfg(target_os = "linux")]
const UNREAD: Duration = Duration::from_secs(15);

/// A running server.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it serves metrics, if that is an address of their own.
    pub metrics: Option<SocketAddr>,
    /// Ends when the server has stopped.
    pub server: actix_web::dev::Server,
    handle: ServerHandle,
    ready: web::Data<Ready>,
}

/// Every operation, as a door sees it. `app.rs` knows which domains there are and passes this in.
pub struct Registries {
    /// For REST: called once a worker.
    pub rest: fn() -> Registry<Rest>,
    /// The bare list.
    pub list: fn() -> Registry<List>,
}

/// Takes the address, before anything else is begun that another process may be doing.
pub fn bind(config: &Config) -> Result<TcpListener> {
    listen(config.bind, "--bind")
}

fn listen(address: SocketAddr, setting: &str) -> Result<TcpListener> {
    TcpListener::bind(address).map_err(|e| {
        let detail = format!("Cannot listen on {address}: {e}. Choose another with {setting}.");
        Error::new(Code::Unavailable, detail)
    })
}

/// Binds the address and starts to serve.
pub fn start(app: &App, registries: &Registries) -> Result<Running> {
    start_on(bind(&app.config)?, app, registries)
}

/// Starts to serve on a bound address.
pub fn start_on(listener: TcpListener, app: &App, registries: &Registries) -> Result<Running> {
    let config = &app.config;
    let address = listener.local_addr().map_err(Error::internal)?;
    let metrics_listener = match config.metrics_bind.0 {
        Some(address) => Some(listen(address, "MERCER_METRICS_BIND")?),
        None => None,
    };
    let metrics = metrics_listener.as_ref().map(TcpListener::local_addr);
    let metrics = metrics.transpose().map_err(Error::internal)?;
    let metrics_address = web::Data::new(MetricsAddress(metrics));
    let data = web::Data::new(app.clone());
    let cache = web::Data::new(Cache::new(config.cache_mib.saturating_mul(1024 * 1024)));
    let door = web::Data::new(Door::new(config)?);
    let ready = web::Data::new(Ready(AtomicBool::new(true)));
    let ready_for_factory = ready.clone();
    let show_docs = config.is_on(config.docs);
    let workers = config.worker_count();
    // What a worker may block on is the database; more threads than connections only wait for each other.
    let threads = usize::try_from(config.connection_count())
        .unwrap_or(4)
        .div_ceil(workers)
        .max(2);
    let document = openapi::document(&(registries.list)());
    let rest_registry = registries.rest;
    let mut server = HttpServer::new(move || {
        let mut actix = Actix::new()
            .app_data(data.clone())
            .app_data(cache.clone())
            .app_data(door.clone())
            .app_data(ready_for_factory.clone())
            .app_data(metrics_address.clone())
            .wrap(middleware::from_fn(super::compress::gzip))
            .wrap(middleware::from_fn(edge))
            .wrap(headers())
            .configure(|c| rest::configure(c, rest_registry()))
            .configure(inbound::configure)
            .route("/graphql", web::to(graphql::serve))
            .default_service(web::to(not_found));
        if show_docs {
            let document = document.clone();
            actix = actix
                .configure(move |c| docs::configure(c, document))
                .configure(pictures::configure);
        }
        actix
    })
    .workers(workers)
    .worker_max_blocking_threads(threads)
    .keep_alive(Duration::from_secs(15))
    .client_request_timeout(Duration::from_secs(5))
    .client_disconnect_timeout(Duration::from_secs(5))
    .shutdown_timeout(config.drain_seconds)
    .max_connections(most_connections(config).div_ceil(workers))
    .on_connect(on_connect)
    .disable_signals()
    .listen(listener)
    .map_err(Error::internal)?;
    if let Some(listener) = metrics_listener {
        server = server.listen(listener).map_err(Error::internal)?;
    }
    let server = server.run();
    Ok(Running {
        address,
        metrics,
        handle: server.handle(),
        server,
        ready,
    })
}

/// How many connections there may be: some files must be left for the database and for calling out.
fn most_connections(config: &Config) -> usize {
    let files = metrics::max_files().and_then(|most| usize::try_from(most).ok());
    let files = files.map_or(usize::MAX, |most| most.saturating_sub(128).max(16));
    config.http_connections.min(files).max(1)
}

/// Counts a connection, has it send the end of an answer without waiting until its beginning has arrived, which may take the
/// other end 40 ms to say, and sees to it that one whose other end takes nothing is cut off: HTTP alone would wait for ever
/// with an answer that nobody reads.
fn on_connect(connection: &dyn Any, extensions: &mut Extensions) {
    extensions.insert(Connection::open());
    if let Some(stream) = connection.downcast_ref::<TcpStream>() {
        // Without these the connection lives on as it would have; there is nothing better to do.
        let _ = stream.set_nodelay(true);
        #[cfg(target_os = "linux")]
        let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(UNREAD));
    }
}

impl Running {
    /// Lets requests in flight finish and takes no new ones.
    pub async fn stop(&self) {
        self.ready.0.store(false, Ordering::Release);
        self.handle.stop(true).await;
    }

    /// A handle that stops the server from elsewhere.
    pub fn stopper(&self) -> impl Future<Output = ()> + use<> {
        let (handle, ready) = (self.handle.clone(), self.ready.clone());
        async move {
            ready.0.store(false, Ordering::Release);
            handle.stop(true).await;
        }
    }
}

/// The headers of every answer (OWASP Secure Headers Project).
fn headers() -> middleware::DefaultHeaders {
    middleware::DefaultHeaders::new()
        .add((
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=63072000; includeSubDomains",
        ))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add(("cross-origin-resource-policy", "same-site"))
}

async fn not_found(request: HttpRequest) -> HttpResponse {
    let error = Error::new(
        Code::NotFound,
        "There is nothing at this path; see the OpenAPI document.",
    );
    answer::problem(&error, request::request_id(request.headers()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_sent_to_its_end_at_once() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            stream.set_nonblocking(true).unwrap();
            let stream = TcpStream::from_std(stream).unwrap();
            assert!(!stream.nodelay().unwrap());
            let mut extensions = Extensions::new();
            on_connect(&stream, &mut extensions);
            assert!(stream.nodelay().unwrap());
        });
    }
}
