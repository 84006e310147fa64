//! A shop for one test: its database, its server, its clock, its keys.

use std::ops::Deref;
use std::time::Duration;

use mercer::auth::Scope;
use mercer::context::App;
use mercer::domain::channels::CreateChannel;
use mercer::domain::identity::{ApiKeyKind, CreateApiKey};
use mercer::kernel::Clock;
use mercer::kernel::ids::ChannelId;
use mercer::operation::{Operation, dispatch};
use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::database::{Database, Kind, postgres_url, row_counts};
use super::server::{Server, config};

/// A shop with one channel (handle `main`, EUR, Germany, prices with tax) and a key for each kind of caller.
pub struct Shop {
    /// The channel's id.
    pub channel: ChannelId,
    /// Moves the time of the shop and of all its peers.
    pub clock: Clock,
    staff: String,
    storefront: String,
    server: Server,
    database: Database,
}

/// A shop whose server has stopped; its database and its keys are still there.
pub struct Closed {
    channel: ChannelId,
    clock: Clock,
    staff: String,
    storefront: String,
    database: Database,
}

/// Another process on the same database, as far as that can be told from inside one.
pub struct Peer(Server);

impl Shop {
    /// Opens a shop.
    pub fn open(kind: Kind) -> Self {
        Self::on(Database::migrated(kind))
    }

    /// Opens a shop on a database.
    pub fn on(database: Database) -> Self {
        let url = database.url.clone();
        Self::on_through(database, &url)
    }

    /// The same, with a server that reaches the database at another address.
    pub fn on_through(database: Database, url: &str) -> Self {
        let clock = Clock::default();
        let server = Server::start(config(url, &[]), clock.clone());
        let input =
            json!({ "handle": "main", "name": "Main", "currency": "EUR", "countries": ["DE"] });
        let input: CreateChannel = serde_json::from_value(input).unwrap();
        let channel = run(&server.app, input).id;
        let scopes: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        let staff = secret_key(&server.app, &scopes);
        let storefront = publishable_key(&server.app, channel);
        Self {
            channel,
            clock,
            staff,
            storefront,
            server,
            database,
        }
    }

    /// Stops the server.
    pub fn close(self) -> Closed {
        let Self {
            channel,
            clock,
            staff,
            storefront,
            server,
            database,
        } = self;
        drop(server);
        Closed {
            channel,
            clock,
            staff,
            storefront,
            database,
        }
    }

    /// The application behind the server.
    pub fn app(&self) -> &App {
        &self.server.app
    }

    /// Somebody without a key.
    pub fn anonymous(&self) -> Client {
        Client::new(self.server.address)
    }

    /// A back office that may do everything.
    pub fn staff(&self) -> Client {
        self.bearer(&self.staff)
    }

    /// The shop front of the shop's channel.
    pub fn storefront(&self) -> Client {
        self.bearer(&self.storefront)
    }

    /// The shop front of another channel.
    pub fn storefront_of(&self, channel: &str) -> Client {
        self.bearer(&publishable_key(self.app(), channel.parse().unwrap()))
    }

    /// A partner with these scopes alone.
    pub fn partner(&self, scopes: &[&str]) -> Client {
        self.bearer(&secret_key(self.app(), scopes))
    }

    /// Whoever has this key.
    pub fn bearer(&self, key: &str) -> Client {
        self.anonymous()
            .with("authorization", format!("Bearer {key}"))
    }

    /// Another server on the same database and clock, with settings of its own: `[("environment", "production")]`.
    pub fn peer(&self, settings: &[(&str, &str)]) -> Peer {
        Peer(Server::start(
            config(&self.database.url, settings),
            self.clock.clone(),
        ))
    }

    /// Lets time pass.
    pub fn wait(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Does the jobs that are due, until there are none.
    pub fn work(&self) {
        block_on(async {
            let jobs = mercer::app::jobs();
            while mercer::jobs::work_once(self.app(), &jobs).await.unwrap() > 0 {}
        });
    }

    /// What `ask` answers, and how many SQL statements it sent. The client's key and the settings are known to the server by
    /// then, as they are to one that has been running for a while.
    pub fn statements<T>(&self, client: &Client, ask: impl FnOnce(&Client) -> T) -> (T, u64) {
        let count = || self.app().db.statements();
        self.staff().get("/channels?limit=1").ok();
        client.get("/channels?limit=1");
        // The use of a key is noted after the answer has left; let that come to rest.
        let mut before = count();
        loop {
            std::thread::sleep(Duration::from_millis(30));
            if count() == before {
                break;
            }
            before = count();
        }
        let answer = ask(client);
        (answer, count() - before)
    }

    /// A connection to the shop's database, for a look behind the scenes.
    pub fn connect(&self) -> mercer::db::Conn {
        self.database.connect()
    }

    /// The same on a server that may be recovering.
    pub fn try_connect(&self) -> mercer::kernel::Result<mercer::db::Conn> {
        mercer::db::Address::parse(&self.database.url).open()
    }

    /// A connection for more than rows: tables and triggers may be changed.
    pub fn alter(&self) -> mercer::db::Conn {
        self.database.spoil();
        self.connect()
    }

    /// Insists that everything adds up.
    #[track_caller]
    pub fn check(&self) {
        self.sound().unwrap();
    }

    /// What `mercer doctor` finds.
    pub fn sound(&self) -> Result<(), String> {
        let found = mercer::doctor::examine(&mut self.connect()).unwrap();
        let broken: Vec<String> = found
            .iter()
            .filter(|finding| !finding.broken.is_empty())
            .map(|finding| format!("{}: {:?}", finding.invariant.name, finding.broken))
            .collect();
        if broken.is_empty() {
            Ok(())
        } else {
            Err(broken.join("; "))
        }
    }

    /// The rows of every table, by name.
    pub fn rows(&self) -> Vec<(String, i64)> {
        row_counts(&mut self.database.connect())
    }

    /// The rows of one table.
    pub fn count(&self, table: &str) -> i64 {
        let found = self.rows().into_iter().find(|(name, _)| name == table);
        found.unwrap_or_else(|| panic!("no table {table}")).1
    }

    /// Runs `story` and insists that it has added and removed no row.
    pub fn unchanged<T>(&self, story: impl FnOnce() -> T) -> T {
        let before = self.rows();
        let value = story();
        assert_eq!(
            self.rows(),
            before,
            "nothing may be written by what is refused"
        );
        value
    }

    /// Lets time pass and does the jobs that are due then.
    pub fn later(&self, time: Duration) {
        self.wait(time);
        self.work();
    }

    /// Lets the time pass after which somebody asks about what nobody knows, and does the jobs.
    pub fn reconcile(&self) {
        self.later(Duration::from_secs(150));
    }

    /// The latest orders.
    pub fn orders(&self) -> Vec<Value> {
        let seen = self.staff().get("/orders").ok();
        seen.at("/items").as_array().unwrap().clone()
    }

    /// What has happened to an order, by kind.
    pub fn timeline(&self, order: &str) -> Vec<String> {
        let seen = self.staff().get(&format!("/orders/{order}/timeline")).ok();
        let kind = |e: &Value| e["kind"].as_str().unwrap().to_owned();
        seen.at("/entries")
            .as_array()
            .unwrap()
            .iter()
            .map(kind)
            .collect()
    }

    /// The payment of an order that was just placed.
    pub fn payment(&self, placed: &Answer) -> Answer {
        let path = format!("/payments/{}", placed.text("/order/payments/0/id"));
        self.staff().get(&path).ok()
    }

    /// Captures, voids or refunds the payment of an order that was just placed.
    pub fn move_money(&self, placed: &Answer, what: &str, body: Value) -> Answer {
        let path = format!("/payments/{}/{what}", placed.text("/order/payments/0/id"));
        self.staff().once().post(&path, body)
    }

    /// What Mercer's books say of a payment: outstanding, captured, refunded.
    pub fn books(&self, payment: &str) -> (i64, i64, i64) {
        let seen = self.staff().get(&format!("/payments/{payment}")).ok();
        let amount = |field: &str| {
            let amount = seen.at(&format!("/payment/{field}/amount"));
            amount.as_i64().unwrap()
        };
        (
            amount("outstanding"),
            amount("captured"),
            amount("refunded"),
        )
    }

    /// A category; its id.
    pub fn category(&self, handle: &str, parent: Option<&str>) -> String {
        let input = json!({ "handle": handle, "title": handle, "parentId": parent });
        let made = self.staff().post("/categories", input).created();
        made.text("/id").to_owned()
    }

    /// A channel more.
    pub fn another_channel(&self, handle: &str) -> Value {
        let input =
            json!({ "handle": handle, "name": handle, "currency": "EUR", "countries": ["DE"] });
        self.staff().post("/channels", input).created().json
    }
}

impl Closed {
    /// Where the database is.
    pub fn url(&self) -> &str {
        &self.database.url
    }

    /// Starts a server again.
    pub fn open(self) -> Shop {
        self.open_with(&[])
    }

    /// Starts a server with settings of its own.
    pub fn open_with(self, settings: &[(&str, &str)]) -> Shop {
        let Self {
            channel,
            clock,
            staff,
            storefront,
            database,
        } = self;
        let server = Server::start(config(&database.url, settings), clock.clone());
        Shop {
            channel,
            clock,
            staff,
            storefront,
            server,
            database,
        }
    }
}

impl Peer {
    /// Whoever has these headers, at this server.
    pub fn client(&self, like: &Client) -> Client {
        like.at(self.0.address)
    }
}

impl Deref for Peer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

/// Tells a story on PostgreSQL, unless PostgreSQL is left out on purpose.
pub fn on_postgres(story: fn(&Shop)) {
    if postgres_url().is_some() {
        story(&Shop::open(Kind::Postgres));
    }
}

/// Does something on PostgreSQL, unless PostgreSQL is left out on purpose.
pub fn if_postgres(work: impl FnOnce()) {
    if postgres_url().is_some() {
        work();
    }
}

/// The databases that tests of the data layer are run on.
pub fn kinds() -> Vec<Kind> {
    if postgres_url().is_some() {
        vec![Kind::Sqlite, Kind::Postgres]
    } else {
        vec![Kind::Sqlite]
    }
}

/// Runs asynchronous work to its end.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    actix_web::rt::System::new().block_on(work)
}

fn run<O: Operation>(app: &App, operation: O) -> O::Output {
    let mut cx = app.system();
    cx.idempotency_key = Some(mercer::kernel::id::fresh().to_string().into());
    block_on(dispatch(&cx, operation)).unwrap().value
}

fn secret_key(app: &App, scopes: &[&str]) -> String {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    key(app, ApiKeyKind::Secret, None, scopes)
}

fn publishable_key(app: &App, channel: ChannelId) -> String {
    key(app, ApiKeyKind::Publishable, Some(channel), Vec::new())
}

fn key(app: &App, kind: ApiKeyKind, channel_id: Option<ChannelId>, scopes: Vec<String>) -> String {
    let name = "a story's".to_owned();
    run(
        app,
        CreateApiKey {
            kind,
            name,
            channel_id,
            scopes,
            expires_in_days: None,
        },
    )
    .key
}
