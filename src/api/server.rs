//! The HTTP server: limits, headers, routes, and stopping without dropping anybody.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::header;
use actix_web::{App as Actix, HttpRequest, HttpResponse, HttpServer, middleware, web};

use super::cache::Cache;
use super::graphql::{self, Door};
use super::inbound::{self, Ready};
use super::rest::{self, Rest};
use super::{answer, docs, openapi, request};
use crate::config::Config;
use crate::context::App;
use crate::kernel::{Code, Error, Result};
use crate::operation::{List, Registry};

/// A running server.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
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
    TcpListener::bind(config.bind).map_err(|e| {
        Error::new(
            Code::Unavailable,
            format!(
                "Cannot listen on {}: {e}. Choose another with --bind.",
                config.bind
            ),
        )
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
    let server = HttpServer::new(move || {
        let mut actix = Actix::new()
            .app_data(data.clone())
            .app_data(cache.clone())
            .app_data(door.clone())
            .app_data(ready_for_factory.clone())
            .wrap(headers())
            .configure(|c| rest::configure(c, rest_registry()))
            .configure(inbound::configure)
            .route("/graphql", web::to(graphql::serve))
            .default_service(web::to(not_found));
        if show_docs {
            let document = document.clone();
            actix = actix.configure(move |c| docs::configure(c, document));
        }
        actix
    })
    .workers(workers)
    .worker_max_blocking_threads(threads)
    .keep_alive(Duration::from_secs(15))
    .client_request_timeout(Duration::from_secs(5))
    .client_disconnect_timeout(Duration::from_secs(5))
    .shutdown_timeout(config.drain_seconds)
    .disable_signals()
    .listen(listener)
    .map_err(Error::internal)?
    .run();
    Ok(Running {
        address,
        handle: server.handle(),
        server,
        ready,
    })
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
