//! PostgreSQL in trouble: a server that speaks another language, one that is replaced by another, one that vanishes without a
//! word, and a pooler in between. Nothing that was answered is lost, and what cannot be answered is said within seconds.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use diesel::sql_types::Text;
use mercer::app;
use mercer::context::App;
use mercer::db::{Address, Conn};
use mercer::kernel::{Clock, Result};
use mercer::params;
use serde_json::json;

use crate::support::database::Database;
use crate::support::server::config;
use crate::support::shop::{block_on, if_postgres};
use crate::support::{Answer, Kind, Shop, Store, concurrently, within};

/// A shop on the server that may be crashed, whose messages are in German where that language is installed.
fn shop_in_german() -> Option<Shop> {
    let shop = Shop::on(Database::to_crash()?);
    let said = ask(&mut shop.connect(), "SHOW lc_messages");
    println!("the server speaks {said}");
    Some(shop)
}

fn ask(conn: &mut Conn, text: &str) -> String {
    conn.rows::<Text, String>(text, vec![]).unwrap().remove(0)
}

#[test]
fn a_lock_that_is_not_given_is_told_in_any_language() {
    let Some(shop) = shop_in_german() else { return };
    let store = Store::open(&shop);
    store.sell(&[("MUG", 1_500, 100)]);
    let cart = store.cart(&[("MUG", 1)]);
    let mut holder = shop.connect();
    holder
        .batch("BEGIN; SELECT id FROM carts FOR UPDATE")
        .unwrap();
    let refused = [
        cart.client
            .patch(&cart.path(""), json!({ "reference": "R1" })),
        cart.client.graphql(
            &format!(
                r#"mutation {{ updateCart(input: {{ id: "{}", reference: "R1" }}) {{ id }} }}"#,
                cart.id
            ),
            json!({}),
        ),
    ];
    assert_eq!(refused[0].status, 503, "{}", refused[0]);
    assert_eq!(refused[0].code(), "UNAVAILABLE");
    assert_eq!(refused[1].text("/errors/0/extensions/code"), "UNAVAILABLE");
    assert!(
        refused
            .iter()
            .all(|answer| answer.header("retry-after") == "1")
    );
    holder.batch("ROLLBACK").unwrap();
    cart.client
        .patch(&cart.path(""), json!({ "reference": "R1" }))
        .ok();
}

#[test]
fn who_loses_a_deadlock_is_run_again_in_any_language() {
    let Some(shop) = shop_in_german() else { return };
    let mut conn = shop.connect();
    conn.batch("INSERT INTO secrets (name, value) VALUES ('a', ''), ('b', '')")
        .unwrap();
    let (both_have_one, runs) = (Barrier::new(2), AtomicUsize::new(0));
    let app = shop.app();
    let (both_have_one, runs) = (Arc::new(both_have_one), Arc::new(runs));
    let done = concurrently(2, |i| {
        let (barrier, runs, first) = (both_have_one.clone(), runs.clone(), AtomicBool::new(true));
        block_on(app.system().write(move |tx| {
            let mut lock = |name: &str| {
                let text = "UPDATE secrets SET value = value || 'x' WHERE name = ?";
                tx.conn.execute(text, params![name])
            };
            runs.fetch_add(1, Ordering::Relaxed);
            lock(["a", "b"][i])?;
            if first.swap(false, Ordering::Relaxed) {
                barrier.wait();
            }
            lock(["b", "a"][i]).map(drop)
        }))
    });
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    assert_eq!(runs.load(Ordering::Relaxed), 3, "one of the two ran twice");
    let text = "SELECT convert_from(value, 'UTF8') FROM secrets WHERE name IN ('a', 'b')";
    let values = conn.rows::<Text, String>(text, vec![]).unwrap();
    assert_eq!(values, ["xx", "xx"]);
}

/// An address whose connections go where it is told, as those of a name that is moved to another server.
struct Switch {
    address: SocketAddr,
    to: Arc<Mutex<SocketAddr>>,
}

impl Switch {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let to = Arc::new(Mutex::new(server));
        let target = to.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) =
                    (client, TcpStream::connect(*target.lock().unwrap()))
                else {
                    continue;
                };
                for (mut from, mut to) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (server, client),
                ] {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self { address, to }
    }

    fn switch(&self, server: SocketAddr) {
        *self.to.lock().unwrap() = server;
    }
}

/// Where the server of a URL is, and the URL with another one.
fn server_of(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once('@').unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

fn at(url: &str, server: SocketAddr) -> String {
    url.replace(&server_of(url).to_string(), &server.to_string())
}

/// Two servers with the same database, and an application on an address that leads to the first. Once the address leads to
/// the second, what is acknowledged is there; gives back how many are not.
fn lost_in_a_switch(break_it: impl Fn(&App)) -> Option<usize> {
    let second = Database::to_crash()?;
    let first = Database::twin_of(&second);
    let switch = Switch::to(server_of(&first.url));
    let url = at(&first.url, switch.address);
    let app = app::open(config(&url, &[("connections", "2")]), Clock::default()).unwrap();
    break_it(&app);
    let write = |name: String| {
        let text = "INSERT INTO secrets (name, value) VALUES (?, '')";
        block_on(
            app.system()
                .write(move |tx| tx.conn.execute(text, params![name.as_str()]).map(drop)),
        )
    };
    write("before".to_owned()).unwrap();
    switch.switch(server_of(&second.url));
    // The connection that marks the log breaks; the one that commits lives on at the first server.
    let mark = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE '%pg_logical_emit_message%' AND pid <> pg_backend_pid()";
    assert_eq!(ask(&mut first.connect(), mark), "true");
    let mut acknowledged = Vec::new();
    for i in 0..20 {
        if write(format!("after {i}")).is_ok() {
            acknowledged.push(format!("after {i}"));
        }
    }
    assert!(
        acknowledged.len() >= 18,
        "it does not get over it: {acknowledged:?}"
    );
    let text = "SELECT name FROM secrets";
    let kept = second.connect().rows::<Text, String>(text, vec![]).unwrap();
    Some(
        acknowledged
            .iter()
            .filter(|name| !kept.contains(name))
            .count(),
    )
}

#[test]
fn what_is_committed_on_one_server_is_not_made_durable_on_another() {
    if let Some(lost) = lost_in_a_switch(|_| {}) {
        assert_eq!(lost, 0);
    }
    #[cfg(feature = "sabotage")]
    if let Some(lost) =
        lost_in_a_switch(|app| app.sabotage.remove(mercer::sabotage::Guard::OneServer))
    {
        assert!(lost > 0, "without the guard nothing was noticed");
    }
}

/// The poolers that tests/run has started: one that refuses startup options, and one that drops them.
fn poolers() -> Vec<SocketAddr> {
    let said = std::env::var("MERCER_TEST_PGBOUNCERS").unwrap_or_default();
    let found: Vec<SocketAddr> = said
        .split_whitespace()
        .map(|a| a.parse().unwrap())
        .collect();
    if found.is_empty() {
        println!("left out: MERCER_TEST_PGBOUNCERS names no pooler");
    }
    found
}

/// Two server connections for a pool of four and a neighbour, lent out for a transaction each.
#[test]
fn a_pooler_lends_connections_and_nothing_goes_astray() {
    if_postgres(|| {
        for pooler in poolers() {
            let database = Database::migrated(Kind::Postgres);
            let through = at(&database.url, pooler);
            let shop = Shop::on_through(database, &through);
            let store = Store::open(&shop);
            store.sell(&[("MUG", 1_500, 30)]);
            let cart = store.ready(&[("MUG", 1)]);
            let placed = concurrently(12, |_| {
                let cart = store.cart_of(&cart);
                cart.checkout("approve").created();
                cart.place().ok().text("/order/id").to_owned()
            });
            let staff = shop.staff();
            for order in &placed {
                assert_eq!(
                    staff.get(&format!("/orders/{order}")).ok().text("/id"),
                    order
                );
            }
            assert_eq!(store.stock("MUG"), (30, 0, 12));
            shop.work();
            shop.check();
            // Whoever else uses the pooler finds a server's own settings.
            let mut neighbour = Neighbour::at(&through);
            for (name, value) in [
                ("synchronous_commit", "on"),
                ("statement_timeout", "0"),
                ("lock_timeout", "0"),
                ("plan_cache_mode", "auto"),
                ("jit", "on"),
            ] {
                assert_eq!(neighbour.setting(name), value, "{name} of a neighbour");
            }
        }
    });
}

/// Somebody else at the same pooler, with no settings of their own.
struct Neighbour(String);

impl Neighbour {
    fn at(url: &str) -> Self {
        Self(url.to_owned())
    }

    fn setting(&mut self, name: &str) -> String {
        let shown = Command::new("psql")
            .args([&self.0, "-X", "-A", "-t", "-c", &format!("SHOW {name}")])
            .output()
            .unwrap();
        String::from_utf8(shown.stdout).unwrap().trim().to_owned()
    }
}

/// A server in a network of its own, whose cable can be pulled.
struct Far {
    url: String,
    network: String,
}

impl Far {
    fn find() -> Option<Self> {
        let url = std::env::var("MERCER_TEST_FAR_POSTGRES_URL").ok();
        let network = std::env::var("MERCER_TEST_FAR_NETWORK").ok();
        if url.is_none() {
            println!(
                "left out: MERCER_TEST_FAR_POSTGRES_URL names no server in a network of its own"
            );
        }
        Some(Self {
            url: url?,
            network: network?,
        })
    }

    fn set(&self, state: &str) {
        let cable = ["-n", &self.network, "link", "set", "far", state];
        assert!(Command::new("ip").args(cable).status().unwrap().success());
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.set("up");
    }
}

/// The slowest answer of 64 clients at once, and what they were answered.
fn ask_at_once(ask: impl Fn() -> Answer + Sync) -> (Duration, Vec<Answer>) {
    let answers = concurrently(64, |_| {
        let begun = Instant::now();
        (begun.elapsed(), ask(), begun.elapsed())
    });
    let slowest = answers.iter().map(|(_, _, took)| *took).max().unwrap();
    (
        slowest,
        answers.into_iter().map(|(_, answer, _)| answer).collect(),
    )
}

/// The host vanishes without a word: everybody is told so within seconds, and when it is back the shop goes on by itself.
#[test]
fn a_host_that_vanishes_holds_nobody_up() {
    let Some(far) = Far::find() else { return };
    let database = Database::on(&far.url);
    let shop = Shop::on(database);
    let store = Store::open(&shop);
    store.sell(&[("MUG", 1_500, 100)]);
    let cart = store.ready(&[("MUG", 1)]);
    let read = || shop.staff().get("/orders");
    let write = || store.front.once().post("/carts", cart.clone());
    read().ok();
    write().created();
    far.set("down");
    // The first to ask find connections that seem alive.
    for (name, ask) in [
        ("read", &read as &(dyn Fn() -> Answer + Sync)),
        ("write", &write),
    ] {
        let (slowest, answers) = ask_at_once(ask);
        println!("{name}: the slowest of 64 was told after {slowest:?}");
        assert!(
            answers
                .iter()
                .all(|a| a.status == 503 && a.header("retry-after") == "1")
        );
        assert!(slowest < Duration::from_secs(8), "{name}: {slowest:?}");
    }
    let (slowest, _) = ask_at_once(read);
    println!("then: {slowest:?}");
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    assert_eq!(
        shop.anonymous().send("GET", "/health/ready", None).status,
        503
    );
    far.set("up");
    within(10, "the shop is open again", || {
        write().status == 201 && read().status == 200
    });
}

/// The first host of two vanishes: the other is found by itself.
#[test]
fn the_second_host_is_found() {
    let Some(far) = Far::find() else { return };
    let Some(near) = Database::to_crash() else {
        return;
    };
    let (far_at, near_at) = (server_of(&far.url), server_of(&near.url));
    let name = near.url.rsplit('/').next().unwrap();
    far.set("down");
    let url =
        format!("postgres://mercer@{far_at},{near_at}/{name}?target_session_attrs=read-write");
    let begun = Instant::now();
    let mut conn = Address::parse(&url).open().unwrap();
    println!("the second host was found after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(6));
    assert_eq!(ask(&mut conn, "SELECT current_database()::text"), name);
}

/// A disk that is full: nothing more is sold, everything can be looked at, the load balancer is told, and it passes by itself.
#[test]
fn a_full_disk_sells_nothing_and_loses_nothing() {
    let Ok(disk) = std::env::var("MERCER_TEST_SMALL_DISK") else {
        return println!("left out: MERCER_TEST_SMALL_DISK names no disk that may be filled");
    };
    let shop = Shop::on(Database::at(&format!("{disk}/shop.db")));
    let store = Store::open(&shop);
    store.sell(&[("MUG", 1_500, 1_000)]);
    let cart = store.ready(&[("MUG", 1)]);
    let (front, staff) = (&store.front, shop.staff());
    let ready = || shop.anonymous().send("GET", "/health/ready", None).status;
    let placed = store.order(&[("MUG", 1)]);
    assert_eq!(ready(), 200);

    let rest = format!("{disk}/rest");
    // Until not even a little fits.
    for size in [1 << 20, 1 << 12, 1] {
        while Command::new("sh")
            .args(["-c", &format!("head -c {size} /dev/zero >> {rest}")])
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap()
            .success()
        {}
    }
    let refused = front.once().post("/carts", cart.clone());
    assert_eq!((refused.status, refused.code()), (503, "UNAVAILABLE"));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(staff.get("/orders").ok().at("/items/0/id"), &placed["id"]);
    assert_eq!(ready(), 503);

    std::fs::remove_file(rest).unwrap();
    within(10, "the shop is open again", || ready() == 200);
    front.once().post("/carts", cart).created();
    shop.check();
}
