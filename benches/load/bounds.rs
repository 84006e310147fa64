//! The two upper bounds: the same bytes without work, and the same statements without HTTP. And the statements, counted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use mercer::auth::{Actor, Caller};
use mercer::config::Config;
use mercer::context::{App as Mercer, Cx};
use mercer::domain::catalog::ListProducts;
use mercer::domain::flows::PlaceOrder;
use mercer::kernel::Clock;
use mercer::kernel::ids::ApiKeyId;
use mercer::operation::{Operation, dispatch};
use serde_json::{Value, json};

use crate::jobs::{self, Job};
use crate::shop::Shop;
use crate::support::Result;
use crate::support::database::{Database, said};
use crate::support::http::{Http, request};
use crate::support::server::{first_answer, free_address};

/// A process that answers everything with the same bytes; it is killed when it is dropped.
pub struct Fixed {
    pub address: SocketAddr,
    process: Child,
}

impl Fixed {
    pub fn start(file: &Path) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--serve-fixed").arg(file);
        command.args(["--port", &address.port().to_string()]);
        let process = command.spawn()?;
        let fixed = Self { address, process };
        first_answer(address, &request("GET", "/", &[], ""), Instant::now())?;
        Ok(fixed)
    }
}

impl Drop for Fixed {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the process of [`Fixed`] does.
pub fn serve_fixed(file: &Path, port: u16) -> Result<()> {
    let bytes = web::Bytes::from(std::fs::read(file)?);
    let app = move || {
        let bytes = bytes.clone();
        let answer = move || {
            let answer = HttpResponse::Ok()
                .content_type("application/json")
                .body(bytes.clone());
            async move { answer }
        };
        App::new().default_service(web::to(answer))
    };
    let server = HttpServer::new(app).workers(threads());
    actix_web::rt::System::new().block_on(server.bind(("127.0.0.1", port))?.run())?;
    Ok(())
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// Opens the application on the shop's database, as the server does.
pub fn open(database: &Database) -> Result<Mercer> {
    let settings = [
        ("database_url", database.url.as_str()),
        ("test_payments", "true"),
        ("bind", "127.0.0.1:0"),
    ];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let own = |name: &str| {
        let mut settings = database.settings.iter();
        let found = settings.find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    };
    let config = Config::read(&BTreeMap::from(settings), own).map_err(said)?;
    mercer::app::open(config, Clock::default()).map_err(said)
}

/// An operation that is sent past the doors, as often as there is one.
type Source<'a, O> = dyn Fn() -> Option<O> + Sync + 'a;

/// Lists a second, with filters that are never the same.
pub fn lists(app: &Mercer, shop: &Shop, tasks: usize, time: Duration) -> Result<f64> {
    let shop_front = Actor::new(Caller::Storefront {
        key: ApiKeyId::new(),
        channel: shop.channel.parse()?,
    });
    let cx = Cx::new(app.clone(), shop_front, mercer::kernel::id::fresh());
    rate(&cx, tasks, time, &|| {
        let n = shop.number();
        input::<ListProducts>(json!({
            "limit": 20, "inStock": true, "minPrice": n % 500, "maxPrice": 100_000 + n,
        }))
    })
}

/// Orders a second, of carts whose checkout was started beforehand.
pub fn orders(
    app: &Mercer,
    shop: &Shop,
    tasks: usize,
    time: Duration,
    count: usize,
) -> Result<f64> {
    let prepare = |_| jobs::checkouts(shop, &mut Http::connect(shop.address)?, count / tasks);
    let carts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..tasks)
            .map(|i| scope.spawn(move || prepare(i)))
            .collect();
        let joined = threads
            .into_iter()
            .map(|t| t.join().map_err(|_| "a thread panicked")?);
        joined.collect::<Result<Vec<_>>>()
    })?
    .into_iter()
    .flatten()
    .collect();
    let carts = Mutex::new(carts);
    rate(&app.system(), tasks, time, &|| {
        let cart = carts.lock().ok()?.pop()?;
        input::<PlaceOrder>(json!({ "cartId": cart.id }))
    })
}

fn input<O: Operation>(fields: Value) -> Option<O> {
    serde_json::from_value(fields).ok()
}

/// As many threads as the server has workers, with the tasks spread over them.
fn rate<O: Operation>(
    cx: &Cx,
    tasks: usize,
    time: Duration,
    source: &Source<'_, O>,
) -> Result<f64> {
    let done = AtomicUsize::new(0);
    let start = Instant::now();
    let connections = usize::try_from(cx.app.config.connection_count())?;
    let work = || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(connections.div_ceil(threads()).max(2))
            .build()?;
        runtime.block_on(async {
            let cx = Rc::new(cx.clone());
            let tasks = (0..tasks.div_ceil(threads()))
                .map(|_| repeat(cx.clone(), start + time, source, &done));
            futures_util::future::try_join_all(tasks).await.map(drop)
        })
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads()).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|t| t.join().map_err(|_| "a thread panicked")?)
    })?;
    let done = u32::try_from(done.into_inner())?;
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}

async fn repeat<O: Operation>(
    cx: Rc<Cx>,
    end: Instant,
    source: &Source<'_, O>,
    done: &AtomicUsize,
) -> Result<()> {
    while Instant::now() < end
        && let Some(operation) = source()
    {
        let mut cx = Cx::clone(&cx);
        cx.idempotency_key = Some(mercer::kernel::id::fresh().to_string().into());
        dispatch(&cx, operation).await.map_err(said)?;
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// The statements of each job, counted in a server within this process when everything it keeps is warm.
pub fn statements(app: &Mercer, shop: &Shop, jobs: &[&Job]) -> Result<Vec<u64>> {
    let (tell, told) = std::sync::mpsc::channel();
    let served = app.clone();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let running = mercer::api::server::start(&served, &mercer::app::registries());
            let running = running.map_err(said)?;
            tell.send(running.address)?;
            running.server.await?;
            Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        })
    });
    let mut shop = shop.clone();
    shop.address = told.recv()?;
    jobs.iter().map(|job| count(app, &shop, job)).collect()
}

fn count(app: &Mercer, shop: &Shop, job: &Job) -> Result<u64> {
    let mut http = Http::connect(shop.address)?;
    let mut work = (job.prepare)(shop, 8)?;
    work(&mut http)?;
    // A key is looked at again after some seconds, and its use is noted when the answer has left.
    let mut before = None;
    while before != Some(app.db.statements()) {
        before = Some(app.db.statements());
        http.expect(&shop.ask("GET", jobs::LIST_TARGET, &[], ""), 200)?;
        std::thread::sleep(Duration::from_millis(50));
    }
    work(&mut http)?;
    Ok(app.db.statements() - before.unwrap_or_default())
}
