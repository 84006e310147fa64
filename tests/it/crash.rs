//! The real binary, killed with SIGKILL again and again in the middle of checkouts: what was answered survives, once. Told to
//! stop, it answers what is on its way first, and leaves a file that is whole. Transactions that panic take nothing with them.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::database::Database;
use crate::support::{Answer, Client, Kind, Shop, Store, concurrently, within};

/// How often the server is killed on each database, where `KILLS` does not say otherwise.
const KILLS: usize = 5;

fn kills() -> usize {
    let said = std::env::var("KILLS").ok();
    said.and_then(|n| n.parse().ok()).unwrap_or(KILLS)
}

/// How many orders must have been placed since the last time before it is killed again.
const ORDERS_BETWEEN: usize = 12;
const SHOPPERS: usize = 8;

/// `mercer` with these arguments.
fn mercer(database_url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mercer"));
    command
        .args(["--database-url", database_url])
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null());
    command
}

fn serve(database_url: &str, address: SocketAddr, log: &str) -> Command {
    let mut command = mercer(database_url, &["serve", "--bind", &address.to_string()]);
    command.envs([
        ("MERCER_TEST_PAYMENTS", "true"),
        ("MERCER_LOG", log),
        ("MERCER_WORKERS", "2"),
    ]);
    command
}

/// What a command said, and whether it ended well.
fn said(command: &mut Command) -> (bool, String) {
    let done = command.output().unwrap();
    let text = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8(text).unwrap())
}

/// Waits until a server at this address takes requests.
fn until_ready(address: SocketAddr) {
    let anybody = Client::new(address);
    within(60, "the server is ready", || {
        anybody
            .attempt("GET", "/health/ready", None)
            .is_ok_and(|answer| answer.status == 200)
    });
}

/// `mercer serve`, in a process of its own.
struct Mercer(Child);

impl Mercer {
    fn start(database_url: &str, address: SocketAddr) -> Self {
        let server = Self(serve(database_url, address, "error").spawn().unwrap());
        until_ready(address);
        server
    }

    /// SIGTERM: it is asked to end; says how it did.
    fn stop(mut self) -> std::process::ExitStatus {
        let pid = self.0.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(told.unwrap().success());
        let mut ended = None;
        within(20, "the server has stopped", || {
            ended = self.0.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap()
    }

    /// SIGKILL: nothing is flushed, nothing is said goodbye to.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Mercer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Repeats a request, with its key, until there is an answer that is not the server's own trouble.
fn insist(client: &Client, path: &str, body: &Value) -> Answer {
    let client = client.once().with("content-type", "application/json");
    let body = body.to_string();
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        match client.attempt("POST", &format!("/v1{path}"), Some(body.as_bytes())) {
            Ok(answer) if answer.status < 500 => return answer,
            other => assert!(Instant::now() < until, "for a minute: {other:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An address that nobody listens at.
fn free_address() -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap()
}

/// A cart whose checkout is started: its id and its shopper.
fn check_out(front: &Client, cart: &Value, provider: &str) -> (String, Client) {
    let made = insist(front, "/carts", cart).created();
    let id = made.text("/cart/id").to_owned();
    let client = front.with("x-cart-token", made.text("/token"));
    let payment = json!({ "payment": { "provider": provider, "token": "approve" } });
    insist(&client, &format!("/carts/{id}/checkout"), &payment).created();
    (id, client)
}

/// One shopper's whole way, and the order's cart, id and number.
fn shop_once(front: &Client, cart: &Value, provider: &str) -> (String, (String, String)) {
    let (id, client) = check_out(front, cart, provider);
    let placed = insist(&client, &format!("/carts/{id}/place-order"), &json!({})).ok();
    assert_eq!(placed.text("/outcome"), "placed", "{placed}");
    (
        id,
        (
            placed.text("/order/id").to_owned(),
            placed.text("/order/number").to_owned(),
        ),
    )
}

fn what_was_answered_survives(kind: Kind) {
    let shop = Shop::open(kind);
    let store = Store::open(&shop);
    store.sell(&[("MUG", 1_500, 100_000), ("CUP", 900, 100_000)]);
    let carts = [
        store.ready(&[("MUG", 2), ("CUP", 1)]),
        store.ready(&[("CUP", 3), ("MUG", 1)]),
    ];
    let address = free_address();
    let front = store.front.at(address);
    let closed = shop.close();

    let (enough, placed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let acknowledged = Mutex::new(BTreeMap::new());
    let mut server = Mercer::start(closed.url(), address);
    std::thread::scope(|scope| {
        for i in 0..SHOPPERS {
            let (front, cart, enough, placed, acknowledged) =
                (&front, &carts[i % 2], &enough, &placed, &acknowledged);
            let provider = if i % 4 == 3 { "test_remote" } else { "test" };
            scope.spawn(move || {
                while !enough.load(Ordering::Relaxed) {
                    let (cart, order) = shop_once(front, cart, provider);
                    acknowledged.lock().unwrap().insert(cart, order);
                    placed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..kills() {
            let before = placed.load(Ordering::Relaxed);
            within(60, "orders are placed", || {
                placed.load(Ordering::Relaxed) >= before + ORDERS_BETWEEN
            });
            server.kill();
            server = Mercer::start(closed.url(), address);
        }
        enough.store(true, Ordering::Relaxed);
    });
    server.kill();

    let shop = closed.open();
    let staff = shop.staff();
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() >= kills() * ORDERS_BETWEEN);
    for (cart, (order, number)) in &acknowledged {
        let seen = staff.get(&format!("/orders/{order}")).ok();
        assert_eq!(
            (seen.text("/cartId"), seen.text("/number")),
            (cart.as_str(), number.as_str())
        );
    }
    assert_eq!(
        usize::try_from(shop.count("orders")).unwrap(),
        acknowledged.len(),
        "every shopper came to an end, so no order is unknown"
    );
    // What was left behind is finished: nothing stays held, nobody waits for a payment.
    shop.wait(Duration::from_hours(1));
    shop.work();
    shop.check();
    assert_eq!(shop.count("stock_holds"), 0);
}

#[test]
fn what_was_answered_survives_a_kill_on_sqlite() {
    what_was_answered_survives(Kind::Sqlite);
}

#[test]
fn what_was_answered_survives_a_kill_on_postgres() {
    crate::support::shop::if_postgres(|| what_was_answered_survives(Kind::Postgres));
}

fn what_is_on_its_way_is_answered_before_the_server_stops(kind: Kind) {
    let shop = Shop::open(kind);
    let store = Store::open(&shop);
    store.sell(&[("MUG", 1_500, 100)]);
    let cart = store.ready(&[("MUG", 1)]);
    let address = free_address();
    let front = store.front.at(address);
    let closed = shop.close();
    let server = Mercer::start(closed.url(), address);
    let (id, client) = check_out(&front, &cart, "test_remote");
    let placed = std::thread::scope(|scope| {
        let placing = scope.spawn(|| {
            let client = client.once().with("content-type", "application/json");
            client.attempt("POST", &format!("/v1/carts/{id}/place-order"), Some(b"{}"))
        });
        // The provider takes 50 ms to answer; the server is told to stop meanwhile.
        let checkout = format!("/carts/{id}/checkout");
        while client.get(&checkout).ok().text("/status") == "open" {}
        assert!(server.stop().success());
        placing.join().unwrap()
    });
    assert_eq!(placed.unwrap().ok().text("/outcome"), "placed");
    let anybody = Client::new(address);
    assert!(anybody.attempt("GET", "/health/live", None).is_err());
    closed.open().check();
}

#[test]
fn what_is_on_its_way_is_answered_on_sqlite() {
    what_is_on_its_way_is_answered_before_the_server_stops(Kind::Sqlite);
}

#[test]
fn what_is_on_its_way_is_answered_on_postgres() {
    crate::support::shop::if_postgres(|| {
        what_is_on_its_way_is_answered_before_the_server_stops(Kind::Postgres);
    });
}

/// A server that says very much: it answers and stops when it is told to, whatever `reader` does with its log.
fn a_log_stops_nothing<T>(reader: impl FnOnce(Option<ChildStderr>) -> T) {
    let shop = Shop::open(Kind::Sqlite);
    let front = shop.storefront();
    let closed = shop.close();
    let address = free_address();
    let mut command = serve(closed.url(), address, "trace");
    let mut server = Mercer(command.stderr(Stdio::piped()).spawn().unwrap());
    let log = reader(server.0.stderr.take());
    let front = front.at(address);
    until_ready(address);
    for _ in 0..300 {
        front.get("/products").ok();
    }
    assert!(server.stop().success());
    drop(log);
}

/// Whoever reads the log goes away.
#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    a_log_stops_nothing(drop);
}

/// The reader is there, and reads nothing: the pipe fills up, and nobody waits for it.
#[test]
fn a_log_that_is_not_read_holds_nobody_up() {
    a_log_stops_nothing(|log| log);
}

/// After a clean stop the database's file has everything by itself.
#[test]
fn what_a_server_leaves_is_whole_without_its_log() {
    let shop = Shop::open(Kind::Sqlite);
    let store = Store::open(&shop);
    store.sell(&[("MUG", 1_500, 100)]);
    let cart = store.ready(&[("MUG", 1)]);
    let address = free_address();
    let front = store.front.at(address);
    let closed = shop.close();
    let server = Mercer::start(closed.url(), address);
    let (_, (order, _)) = shop_once(&front, &cart, "test");
    assert!(server.stop().success());
    let alone = tempfile::tempdir().unwrap();
    let copy = alone.path().join("copy.db").display().to_string();
    std::fs::copy(closed.url(), &copy).unwrap();
    let (sound, says) = said(&mut mercer(&copy, &["doctor"]));
    assert!(
        sound && says.contains("1 products, 0 open carts, 1 orders, the newest of 20"),
        "{says}"
    );
    closed.open().staff().get(&format!("/orders/{order}")).ok();
}

/// A backup of an open shop is the shop at one moment; what comes later is not in it, and what was there is kept.
#[test]
fn a_backup_of_an_open_shop_is_restored() {
    let shop = Shop::open(Kind::Sqlite);
    let store = Store::open(&shop);
    store.sell(&[("MUG", 1_500, 100)]);
    let cart = store.ready(&[("MUG", 1)]);
    let address = free_address();
    let front = store.front.at(address);
    let closed = shop.close();
    let server = Mercer::start(closed.url(), address);
    let before = shop_once(&front, &cart, "test").1.0;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("monday.db").display().to_string();
    let (done, says) = said(&mut mercer(closed.url(), &["backup", &file]));
    assert!(
        done && says.contains("1 products, 0 open carts, 1 orders"),
        "{says}"
    );
    let after = shop_once(&front, &cart, "test").1.0;

    let (done, says) = said(&mut mercer(closed.url(), &["restore", &file]));
    assert!(
        !done && says.contains("is in use by another mercer"),
        "{says}"
    );
    assert!(server.stop().success());
    let (done, says) = said(&mut mercer(closed.url(), &["restore", &file]));
    assert!(
        done && says.contains("1 orders") && says.contains(".replaced"),
        "{says}"
    );
    let replaced = format!("{}.replaced", closed.url());
    let (sound, says) = said(&mut mercer(&replaced, &["doctor"]));
    assert!(sound && says.contains("2 orders"), "{says}");

    // A second restore keeps what the first has put there, and what the first has kept; a copy needs its log.
    let conn = mercer::db::Address::parse(closed.url()).open().unwrap();
    let (done, says) = said(&mut mercer(closed.url(), &["restore", &file]));
    assert!(
        !done && says.contains("is in use by another mercer"),
        "{says}"
    );
    drop(conn);
    let with_log = folder.path().join("with-log.db").display().to_string();
    std::fs::copy(&replaced, &with_log).unwrap();
    let mut open = mercer::db::Address::parse(&with_log).open().unwrap();
    open.batch("PRAGMA wal_autocheckpoint = 0; UPDATE orders SET reference = 'in the log'")
        .unwrap();
    let (done, says) = said(&mut mercer(closed.url(), &["restore", &with_log]));
    assert!(
        done && says.contains("2 orders") && says.contains(".replaced-2."),
        "{says}"
    );
    drop(open);
    let mut restored = mercer::db::Address::parse(closed.url()).open().unwrap();
    let count = "SELECT count(*) FROM orders WHERE reference = 'in the log'";
    assert_eq!(
        restored
            .rows::<diesel::sql_types::BigInt, i64>(count, vec![])
            .unwrap(),
        [2]
    );
    drop(restored);
    assert!(
        said(&mut mercer(&replaced, &["doctor"]))
            .1
            .contains("2 orders")
    );
    let (done, says) = said(&mut mercer(closed.url(), &["restore", &file]));
    assert!(done && says.contains(".replaced-3."), "{says}");

    // A backup is as confidential as the shop.
    let private = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
    std::fs::set_permissions(closed.url(), private.clone()).unwrap();
    let secret = folder.path().join("secret.db");
    let (done, says) = said(&mut mercer(
        closed.url(),
        &["backup", &secret.display().to_string()],
    ));
    assert!(done, "{says}");
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&secret.metadata().unwrap().permissions()) & 0o777,
        0o600
    );

    // Nothing else is taken for a backup, and nothing is lost by trying.
    std::fs::write(
        &file,
        "not a database at all, but long enough to be looked at",
    )
    .unwrap();
    let (done, says) = said(&mut mercer(closed.url(), &["restore", &file]));
    assert!(
        !done && says.contains("is not a backup that can be used"),
        "{says}"
    );
    let (done, says) = said(&mut mercer(closed.url(), &["backup", closed.url()]));
    assert!(!done && says.contains("is the database itself"), "{says}");

    let shop = closed.open();
    shop.staff().get(&format!("/orders/{before}")).ok();
    shop.staff()
        .get(&format!("/orders/{after}"))
        .refused(404, "NOT_FOUND");
    shop.check();
}

/// A database that is not there is named, and not made by looking for it.
#[test]
fn a_tool_makes_no_database_by_looking_at_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.db").display().to_string();
    for arguments in [&["doctor"][..], &["backup", "copy.db"]] {
        let (done, says) = said(&mut mercer(&path, arguments));
        assert!(!done && says.contains("There is no database"), "{says}");
    }
    assert!(!std::path::Path::new(&path).exists());
}

/// One server a file: the second is told so, and the first keeps its shop, whichever of the two is a demo.
#[test]
fn a_second_server_leaves_the_first_one_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.db").display().to_string();
    let address = free_address();
    let demo = |address: SocketAddr| mercer(&path, &["demo", "--bind", &address.to_string()]);
    let first = Mercer(
        demo(address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    until_ready(address);
    let (done, says) = said(&mut demo(address));
    assert!(!done && says.contains("Cannot listen on"), "{says}");
    for mut second in [demo(free_address()), serve(&path, free_address(), "error")] {
        let (done, says) = said(&mut second);
        assert!(
            !done && says.contains("is in use by another mercer"),
            "{says}"
        );
    }
    let (sound, says) = said(&mut mercer(&path, &["doctor"]));
    assert!(sound && !says.contains(" 0 products"), "{says}");
    assert!(first.stop().success());
}

fn who_migrates_at_once_finds_it_done(kind: Kind) {
    let database = Database::empty(kind);
    let said = concurrently(4, |_| said(&mut mercer(&database.url, &["migrate"])));
    assert!(said.iter().all(|(done, _)| *done), "{said:?}");
    let text = "INSERT INTO __diesel_schema_migrations (version) VALUES ('20990101000001')";
    database.connect().batch(text).unwrap();
    for arguments in [
        &["migrate"][..],
        &["doctor"],
        &["serve", "--bind", "127.0.0.1:0"],
    ] {
        let (done, says) = crate::crash::said(&mut mercer(&database.url, arguments));
        assert!(
            !done && says.contains("it is newer"),
            "{arguments:?}: {says}"
        );
    }
}

#[test]
fn who_migrates_at_once_finds_it_done_on_sqlite() {
    who_migrates_at_once_finds_it_done(Kind::Sqlite);
}

#[test]
fn who_migrates_at_once_finds_it_done_on_postgres() {
    crate::support::shop::if_postgres(|| who_migrates_at_once_finds_it_done(Kind::Postgres));
}

/// Transactions panic on every connection there is; then orders are placed, and all that were answered are there when the
/// server has stopped.
#[cfg(feature = "sabotage")]
fn panics_take_nothing_with_them(kind: Kind, guard: Option<mercer::sabotage::Guard>) -> usize {
    let shop = Shop::open(kind);
    let store = Store::open(&shop);
    store.sell(&[("MUG", 1_500, 100_000)]);
    let cart = store.ready(&[("MUG", 1)]);
    let (front, closed) = (store.front.clone(), shop.close());
    // One connection, so that what comes next comes on it.
    let shop = closed.open_with(&[("connections", "1")]);
    let front = front.at(shop.anonymous().address());
    let sabotage = shop.app().sabotage.clone();
    if let Some(guard) = guard {
        sabotage.remove(guard);
    }
    sabotage.panic_next(i64::MAX);
    for answer in concurrently(8, |_| front.once().post("/carts", cart.clone())) {
        answer.refused(500, "INTERNAL");
    }
    sabotage.panic_next(0);
    let mut acknowledged = Vec::new();
    for _ in 0..12 {
        // Where a guard is missing, a cart may be nowhere to be found.
        let made = front.once().post("/carts", cart.clone());
        let (Some(id), Some(token)) = (
            made.json["cart"]["id"].as_str(),
            made.json["token"].as_str(),
        ) else {
            continue;
        };
        let client = front.once().with("x-cart-token", token);
        let payment = json!({ "payment": { "provider": "test", "token": "approve" } });
        client.post(&format!("/carts/{id}/checkout"), payment);
        let placed = client.post(&format!("/carts/{id}/place-order"), json!({}));
        if let Some(order) = placed.json["order"]["id"].as_str() {
            acknowledged.push(order.to_owned());
        }
    }
    let shop = shop.close().open();
    shop.check();
    if guard.is_none() {
        assert_eq!(acknowledged.len(), 12);
    }
    let staff = shop.staff();
    let lost = |order: &&String| staff.get(&format!("/orders/{order}")).status != 200;
    acknowledged.iter().filter(lost).count()
}

#[cfg(feature = "sabotage")]
#[test]
fn panics_take_nothing_with_them_on_sqlite() {
    assert_eq!(panics_take_nothing_with_them(Kind::Sqlite, None), 0);
}

#[cfg(feature = "sabotage")]
#[test]
fn panics_take_nothing_with_them_on_postgres() {
    use mercer::sabotage::Guard::CleanConnections;
    crate::support::shop::if_postgres(|| {
        assert_eq!(panics_take_nothing_with_them(Kind::Postgres, None), 0);
        let lost = panics_take_nothing_with_them(Kind::Postgres, Some(CleanConnections));
        assert!(lost > 0, "without the guard nothing was noticed");
    });
}

/// One of the server's processes is killed, upon which it drops all of them with what they had in memory and recovers from
/// its log. Mercer lives on, and has answered for nothing that was not in the log on disk.
fn what_was_answered_survives_crashes_of_postgres(shop: &Shop) {
    let store = Store::open(shop);
    store.sell(&[("MUG", 1_500, 100_000), ("CUP", 900, 100_000)]);
    let cart = store.ready(&[("MUG", 2), ("CUP", 1)]);
    let crash = "CREATE TEMP TABLE nothing (line text); COPY nothing FROM PROGRAM 'kill -9 $PPID'";

    let (enough, placed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let acknowledged = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..SHOPPERS {
            scope.spawn(|| {
                let _last = Last(&enough);
                while !enough.load(Ordering::Relaxed) {
                    let (_, order) = shop_once(&store.front, &cart, "test");
                    acknowledged.lock().unwrap().push(order);
                    placed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..kills() {
            let before = placed.load(Ordering::Relaxed);
            within(60, "orders are placed", || {
                enough.load(Ordering::Relaxed)
                    || placed.load(Ordering::Relaxed) >= before + ORDERS_BETWEEN
            });
            let mut conn = None;
            within(30, "the database takes connections", || {
                conn = shop.try_connect().ok();
                conn.is_some()
            });
            assert!(conn.unwrap().batch(crash).is_err(), "the server survived");
        }
        enough.store(true, Ordering::Relaxed);
    });

    let staff = shop.staff();
    within(30, "the database has recovered", || {
        staff
            .attempt("GET", "/health/ready", None)
            .is_ok_and(|answer| answer.status == 200)
    });
    for (order, number) in &acknowledged.into_inner().unwrap() {
        let seen = staff.get(&format!("/orders/{order}")).ok();
        assert_eq!(seen.text("/number"), number);
    }
    shop.wait(Duration::from_hours(1));
    shop.work();
    shop.check();
}

/// Whoever panics ends the load for all.
struct Last<'a>(&'a AtomicBool);

impl Drop for Last<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A shop on a server that may be crashed, where there is one.
fn shop_to_crash() -> Option<Shop> {
    let database = Database::to_crash();
    if database.is_none() {
        println!("left out: MERCER_TEST_CRASH_POSTGRES_URL names no server that may be crashed");
    }
    database.map(Shop::on)
}

#[test]
fn what_was_answered_survives_a_crash_of_postgres() {
    let Some(shop) = shop_to_crash() else { return };
    what_was_answered_survives_crashes_of_postgres(&shop);
    #[cfg(feature = "sabotage")]
    without_the_wait_for_the_log_the_same_notices();
}

/// A checkout or an order that was answered is gone.
#[cfg(feature = "sabotage")]
fn without_the_wait_for_the_log_the_same_notices() {
    let Some(shop) = shop_to_crash() else { return };
    shop.app().db.answer_before_the_flush();
    let story = std::panic::AssertUnwindSafe(|| {
        what_was_answered_survives_crashes_of_postgres(&shop);
    });
    assert!(std::panic::catch_unwind(story).is_err());
}
