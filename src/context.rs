//! The context of a request ([`Cx`]) and of a transaction ([`Tx`]), and the application they stand in ([`App`]).
//!
//! `cx.read` and `cx.write` are the only ways to the database. Their closures are synchronous, so nothing can wait for a
//! network inside a transaction, and they may run more than once, so they must change nothing outside it. Domain functions
//! take a `Tx` and never commit; what they announce ([`Tx::publish`], [`Tx::enqueue`], [`Tx::touch`]) is written in the same
//! transaction, in one statement each, at its end.

use std::any::{Any, TypeId};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use diesel::sql_types::{BigInt, Text};
use serde::Serialize;
use uuid::Uuid;

use crate::auth::Actor;
use crate::config::Config;
use crate::db::{AfterCommit, Conn, Db};
use crate::kernel::ids::{EventId, JobId, ProductId, VariantId};
use crate::kernel::page::CursorKey;
use crate::kernel::{Batch, Clock, Document, Error, Kind, Param, Result, Timestamp};
use crate::params;
use crate::sabotage::Sabotage;

/// Everything a process of Mercer has: its settings, its database, its clock, its caches. Clones share it.
#[derive(Clone)]
pub struct App(Arc<AppState>);

/// What is in an [`App`].
pub struct AppState {
    /// The settings.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
    /// Signs cursors.
    pub cursors: CursorKey,
    /// What is kept in memory, and how old it is.
    pub versions: Versions,
    /// Wakes the job worker of this process.
    pub wake: tokio::sync::Notify,
    /// What a test has broken.
    pub sabotage: Arc<Sabotage>,
    snapshots: Vec<Snapshot>,
    derivations: Vec<Derivation>,
    by_type: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
}

impl Deref for App {
    type Target = AppState;

    fn deref(&self) -> &AppState {
        &self.0
    }
}

/// What [`App::new`] is made of besides the database; domains add to it in `app.rs`.
#[derive(Default)]
pub struct Parts {
    snapshots: Vec<Snapshot>,
    derivations: Vec<Derivation>,
    by_type: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
}

impl Parts {
    /// Adds something that there is one of in a process, as the payment providers are; [`AppState::part`] finds it by type.
    pub fn add<T: Any + Send + Sync>(&mut self, part: T) {
        self.by_type.insert(TypeId::of::<T>(), Box::new(part));
    }

    /// Adds rows that follow from others, as listings follow from products, prices and stock: `derive` brings them up to date
    /// at the end of every transaction that said [`Tx::changed`].
    pub fn derive(&mut self, derive: Derivation) {
        self.derivations.push(derive);
    }

    /// Adds rows that are small, change rarely and are needed all the time, as channels and tax rates are.
    pub fn keep<T: Kept>(&mut self) {
        self.snapshots.push(Snapshot {
            kind: TypeId::of::<T>(),
            load: |conn| Ok(Arc::new(T::load(conn)?)),
            current: RwLock::new(None),
        });
    }
}

/// Brings derived rows up to date.
pub type Derivation = fn(&mut Tx<'_>, &Changed) -> Result<()>;

/// What a transaction changed that other rows follow from.
#[derive(Default)]
pub struct Changed {
    /// Products, or something of theirs.
    pub products: BTreeSet<ProductId>,
    /// Variants: their price, or whether they are in stock.
    pub variants: BTreeSet<VariantId>,
}

/// Rows kept in memory as a whole, loaded anew when the settings' version has changed.
pub trait Kept: Any + Send + Sync {
    /// Loads all of them.
    fn load(conn: &mut Conn) -> Result<Self>
    where
        Self: Sized;
}

type AnyArc = Arc<dyn Any + Send + Sync>;

struct Snapshot {
    kind: TypeId,
    load: fn(&mut Conn) -> Result<AnyArc>,
    current: RwLock<Option<(u64, AnyArc)>>,
}

impl App {
    /// An application on this database.
    pub fn new(config: Config, db: Db, clock: Clock, cursors: CursorKey, parts: Parts) -> Self {
        Self(Arc::new(AppState {
            config,
            sabotage: db.sabotage().clone(),
            db,
            clock,
            cursors,
            versions: Versions::default(),
            wake: tokio::sync::Notify::new(),
            snapshots: parts.snapshots,
            derivations: parts.derivations,
            by_type: parts.by_type,
        }))
    }

    /// A context for Mercer's own work.
    pub fn system(&self) -> Cx {
        Cx::new(self.clone(), Actor::system(), crate::kernel::id::fresh())
    }

    /// Reads the versions that other processes may have raised.
    pub async fn refresh_versions(&self) -> Result<()> {
        let rows = self
            .db
            .read(|conn| {
                conn.rows::<(Text, BigInt), (String, i64)>(
                    "SELECT name, value FROM versions",
                    vec![],
                )
            })
            .await?;
        for topic in [Topic::Catalog, Topic::Settings] {
            if let Some((_, value)) = rows.iter().find(|(name, _)| name == topic.as_str()) {
                self.versions.raise(topic, *value);
            }
        }
        Ok(())
    }

    /// Loads anew what is kept in memory and out of date.
    pub async fn refresh_snapshots(&self) -> Result<()> {
        if self.versions.get(Topic::Settings) == 0 {
            self.refresh_versions().await?;
        }
        let version = self.versions.get(Topic::Settings);
        if self.snapshots.iter().all(|s| s.version() == Some(version)) {
            return Ok(());
        }
        let app = self.clone();
        self.db
            .read(move |conn| {
                for snapshot in app
                    .snapshots
                    .iter()
                    .filter(|s| s.version() != Some(version))
                {
                    let loaded = (snapshot.load)(conn)?;
                    *snapshot
                        .current
                        .write()
                        .map_err(|_| Error::internal("poisoned"))? = Some((version, loaded));
                }
                Ok(())
            })
            .await
    }
}

impl Snapshot {
    fn version(&self) -> Option<u64> {
        self.current
            .read()
            .ok()?
            .as_ref()
            .map(|(version, _)| *version)
    }
}

impl AppState {
    /// The part of this type; [`Parts::add`] put it there.
    pub fn part<T: Any>(&self) -> Result<&T> {
        self.by_type
            .get(&TypeId::of::<T>())
            .and_then(|part| part.downcast_ref())
            .ok_or_else(|| {
                Error::internal(format!("app.rs adds no {}", std::any::type_name::<T>()))
            })
    }

    /// The kept rows of this type, as they were when the operation began.
    pub fn kept<T: Kept>(&self) -> Result<Arc<T>> {
        let missing = || Error::internal(format!("app.rs keeps no {}", std::any::type_name::<T>()));
        let snapshot = self
            .snapshots
            .iter()
            .find(|s| s.kind == TypeId::of::<T>())
            .ok_or_else(missing)?;
        let current = snapshot.current.read().map_err(|_| missing())?;
        let (_, value) = current.as_ref().ok_or_else(missing)?;
        value.clone().downcast().map_err(|_| missing())
    }
}

/// What caches depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// What a shop front sees: products, prices, whether they are in stock.
    Catalog,
    /// Channels, taxes, locations, shipping.
    Settings,
}

impl Topic {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Settings => "settings",
        }
    }
}

/// The newest version of each [`Topic`] that this process knows of.
#[derive(Default)]
pub struct Versions {
    catalog: AtomicU64,
    settings: AtomicU64,
}

impl Versions {
    /// The version now.
    pub fn get(&self, topic: Topic) -> u64 {
        self.of(topic).load(Ordering::Acquire)
    }

    fn raise(&self, topic: Topic, to: i64) {
        self.of(topic)
            .fetch_max(u64::try_from(to).unwrap_or_default(), Ordering::AcqRel);
    }

    fn of(&self, topic: Topic) -> &AtomicU64 {
        match topic {
            Topic::Catalog => &self.catalog,
            Topic::Settings => &self.settings,
        }
    }
}

/// One request: who asks for what, and everything needed to answer. Cheap to clone.
#[derive(Clone)]
pub struct Cx {
    /// The application.
    pub app: App,
    /// Who is asking.
    pub actor: Arc<Actor>,
    /// In every log line and answer of this request.
    pub request_id: Uuid,
    /// The client's address, of IPv6 its /64; nothing for Mercer's own work.
    pub address: Option<IpAddr>,
    /// The idempotency key that came with the request.
    pub idempotency_key: Option<Arc<str>>,
    /// The claim that the operation's last transaction settles; set by `dispatch`.
    pub(crate) claim: Option<Arc<crate::operation::idempotency::Claim>>,
}

impl Cx {
    /// The context of a request.
    pub fn new(app: App, actor: Actor, request_id: Uuid) -> Self {
        Self {
            app,
            actor: Arc::new(actor),
            request_id,
            address: None,
            idempotency_key: None,
            claim: None,
        }
    }

    /// Reads. Several statements may see different moments; what must fit together belongs into one statement or a write.
    pub async fn read<T, F>(&self, mut work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let cx = self.clone();
        self.app
            .db
            .read(move |conn| work(&mut Tx::new(conn, &cx)))
            .await
    }

    /// Runs a transaction: all of it happens, or nothing.
    pub async fn write<T, F>(&self, mut work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let cx = self.clone();
        self.app
            .db
            .write(move |conn| {
                let mut tx = Tx::new(conn, &cx);
                let value = work(&mut tx)?;
                cx.app.sabotage.panic_if_asked();
                Ok((value, tx.finish()?))
            })
            .await
    }
}

/// One transaction (or a run of reads): the connection, who is asking, and the time it began.
pub struct Tx<'a> {
    /// The connection.
    pub conn: &'a mut Conn,
    /// The request.
    pub cx: &'a Cx,
    /// The time, the same for everything this transaction writes.
    pub now: Timestamp,
    after: AfterCommit,
    changed: Changed,
    touched: BTreeSet<Topic>,
    events: Vec<PendingEvent>,
    jobs: Vec<PendingJob>,
    later: Vec<(String, Vec<Param>)>,
}

struct PendingEvent {
    kind: &'static str,
    subject: Uuid,
    data: Param,
}

struct PendingJob {
    kind: &'static str,
    payload: Param,
    run_at: Timestamp,
}

impl<'a> Tx<'a> {
    fn new(conn: &'a mut Conn, cx: &'a Cx) -> Self {
        Self {
            conn,
            cx,
            now: cx.app.clock.now(),
            after: AfterCommit::default(),
            changed: Changed::default(),
            touched: BTreeSet::new(),
            events: Vec::new(),
            jobs: Vec::new(),
            later: Vec::new(),
        }
    }

    /// Who is asking.
    pub fn actor(&self) -> &'a Actor {
        &self.cx.actor
    }

    /// The application.
    pub fn app(&self) -> &'a App {
        &self.cx.app
    }

    /// Writes rows that nothing in this transaction reads before [`Tx::flush`]. On PostgreSQL they wait for others, and all of
    /// them cost one round trip; on SQLite, where there is none, they are written at once.
    pub fn later(&mut self, text: &str, params: Vec<Param>) -> Result<()> {
        if self.conn.is_postgres() {
            self.later.push((text.to_owned(), params));
        } else {
            self.conn.execute(text, params)?;
        }
        Ok(())
    }

    /// Writes what waits.
    pub fn flush(&mut self) -> Result<()> {
        let Some((last, params)) = self.later.pop() else {
            return Ok(());
        };
        let mut text = String::new();
        let mut all = Vec::new();
        for (i, (statement, params)) in std::mem::take(&mut self.later).into_iter().enumerate() {
            text.push_str(if i == 0 { "WITH " } else { ", " });
            text.push_str(&format!("later{i} AS ({statement})"));
            all.extend(params);
        }
        text.push(' ');
        text.push_str(&last);
        all.extend(params);
        self.conn.execute(&text, all)?;
        Ok(())
    }

    /// Says that what is cached about this topic is out of date.
    pub fn touch(&mut self, topic: Topic) {
        self.touched.insert(topic);
    }

    /// What this transaction has changed so far that other rows follow from; whoever changes such a thing adds to it.
    pub fn changed(&mut self) -> &mut Changed {
        &mut self.changed
    }

    /// Announces an event about `subject`. `kind` and the shape of `data` are public.
    pub fn publish(&mut self, kind: &'static str, subject: Uuid, data: &impl Serialize) {
        self.events.push(PendingEvent {
            kind,
            subject,
            data: Param::doc(data),
        });
    }

    /// Causes later work, not before `delay` has passed.
    pub fn enqueue(&mut self, kind: &'static str, payload: &impl Serialize, delay: Duration) {
        let run_at = self.now.plus(delay);
        self.jobs.push(PendingJob {
            kind,
            payload: Param::doc(payload),
            run_at,
        });
    }

    /// Writes what was announced. The versions come last: theirs are the rows that most transactions want.
    fn finish(mut self) -> Result<AfterCommit> {
        let changed = std::mem::take(&mut self.changed);
        if !changed.products.is_empty() || !changed.variants.is_empty() {
            self.flush()?;
            for derive in &self.cx.app.derivations {
                derive(&mut self, &changed)?;
            }
        }
        self.write_events()?;
        self.write_jobs()?;
        self.flush()?;
        for topic in std::mem::take(&mut self.touched) {
            let text = "UPDATE versions SET value = value + 1 WHERE name = ? RETURNING value";
            let rows = self
                .conn
                .rows::<BigInt, i64>(text, params![topic.as_str()])?;
            let app = self.cx.app.clone();
            let value = rows.first().copied().unwrap_or_default();
            self.after.push(move || app.versions.raise(topic, value));
        }
        Ok(self.after)
    }

    fn write_events(&mut self) -> Result<()> {
        if self.events.is_empty() {
            return Ok(());
        }
        let mut counts: HashMap<Uuid, i64> = HashMap::new();
        let rows = std::mem::take(&mut self.events).into_iter().map(|event| {
            let count = counts.entry(event.subject).or_insert(0);
            *count += 1;
            [
                EventId::new().into(),
                event.kind.into(),
                event.subject.into(),
                (*count).into(),
                event.data,
                self.now.into(),
            ]
        });
        let batch = Batch::new(
            &[
                ("id", Kind::Id),
                ("kind", Kind::Text),
                ("subject", Kind::Id),
                ("nth", Kind::Int),
                ("data", Kind::Doc),
                ("occurred_at", Kind::Time),
            ],
            rows,
        );
        self.later(
            "INSERT INTO events (id, kind, subject, sequence, data, occurred_at)
             SELECT x.id, x.kind, x.subject,
                    x.nth + COALESCE((SELECT max(e.sequence) FROM events e WHERE e.subject = x.subject), 0),
                    x.data, x.occurred_at
             FROM ? AS x",
            params![batch],
        )?;
        Ok(())
    }

    fn write_jobs(&mut self) -> Result<()> {
        if self.jobs.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.jobs).into_iter().map(|job| {
            [
                JobId::new().into(),
                job.kind.into(),
                job.payload,
                job.run_at.into(),
                self.now.into(),
            ]
        });
        let batch = Batch::new(
            &[
                ("id", Kind::Id),
                ("kind", Kind::Text),
                ("payload", Kind::Doc),
                ("run_at", Kind::Time),
                ("created_at", Kind::Time),
            ],
            rows,
        );
        self.later(
            "INSERT INTO jobs (id, kind, payload, status, run_at, created_at)
             SELECT x.id, x.kind, x.payload, 'ready', x.run_at, x.created_at FROM ? AS x",
            params![batch],
        )?;
        let app = self.cx.app.clone();
        self.after.push(move || app.wake.notify_one());
        Ok(())
    }
}

/// The data of a job or event, read back.
pub fn read_data<T: serde::de::DeserializeOwned>(data: Document) -> Result<T> {
    serde_json::from_value(serde_json::Value::Object(data.0)).map_err(Error::internal)
}
