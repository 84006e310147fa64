//! Both databases behind one door: connections, pools, the group-commit writer, migrations.
//!
//! Reads run in parallel on pooled connections; writes run in a transaction each, on SQLite through the one
//! [`writer`], on PostgreSQL on a pooled connection at READ COMMITTED with guarded updates, and are [`durable`] before
//! anybody hears of them. A transaction that lost to another (serialisation failure, deadlock, busy) is run again as a whole,
//! at most five times. A connection is used again only where it is known to be clean, whatever unwound meanwhile.

mod backup;
mod claim;
mod conn;
mod durable;
pub mod migrations;
mod session;
mod sql;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use durable::{Durable, Marks, Ticket, Wal};
use session::Session;

pub use claim::Claim;
pub use conn::{Conn, statements};

pub use crate::config::Address;
use crate::kernel::{Code, Error, Failure, Result};
use crate::sabotage::{Guard, Sabotage};

/// How often a transaction that lost to another is run again.
const RETRIES: u32 = 5;
/// How long a request waits for a connection, and how long a transaction is run again.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a database that refused a transaction is not called ready.
const HOLD: Duration = Duration::from_secs(3);
/// How long a request waits for its turn while others get on.
const QUEUE: Duration = Duration::from_secs(10);

impl Address {
    fn connect(&self) -> Result<(Conn, Option<Session>), diesel::ConnectionError> {
        match self {
            Self::Sqlite(path) => Ok((Conn::Lite(Conn::open_sqlite(path)?), None)),
            Self::Postgres(url) => {
                let (conn, session) = Conn::open_postgres(url)?;
                Ok((Conn::Pg(conn), Some(session)))
            }
        }
    }

    /// A connection of one's own, and what stands behind it on PostgreSQL.
    fn open_session(&self) -> Result<(Conn, Option<Session>)> {
        self.connect()
            .map_err(|error| Error::unavailable(error).detail("The database cannot be opened."))
    }

    /// A connection of one's own, for migrations and tools.
    pub fn open(&self) -> Result<Conn> {
        self.open_session().map(|(conn, _)| conn)
    }
}

/// What is to be done once a transaction is on disk and before its caller hears of it.
#[derive(Default)]
pub struct AfterCommit(Vec<Box<dyn FnOnce() + Send>>);

impl AfterCommit {
    /// Adds something to be done.
    pub fn push(&mut self, action: impl FnOnce() + Send + 'static) {
        self.0.push(Box::new(action));
    }

    fn run(self) {
        self.0.into_iter().for_each(|action| action());
    }
}

/// The shop's database.
#[derive(Clone)]
pub struct Db {
    pool: r2d2::Pool<Manager>,
    writer: Option<writer::Writer>,
    durable: Durable,
    address: Address,
    statements: Arc<AtomicU64>,
    progress: Arc<Progress>,
    refused: Arc<Progress>,
    writable: Arc<AtomicBool>,
    sabotage: Arc<Sabotage>,
}

impl Db {
    /// Opens the database with a pool of `connections`.
    pub fn open(address: &Address, connections: u32) -> Result<Self> {
        let (writer, durable) = match address {
            Address::Sqlite(path) => {
                let durable = Durable::start(Wal::of(path))?;
                let writer = writer::Writer::start(address.open()?, durable.clone())?;
                (Some(writer), durable)
            }
            Address::Postgres(_) => (None, Durable::start(Marks::on(address.clone()))?),
        };
        let sabotage = Arc::<Sabotage>::default();
        let pool = r2d2::Pool::builder()
            .max_size(connections)
            .min_idle(Some(1))
            .test_on_check_out(false)
            .connection_timeout(PATIENCE)
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .build_unchecked(Manager {
                address: address.clone(),
                sabotage: sabotage.clone(),
            });
        Ok(Self {
            pool,
            writer,
            durable,
            address: address.clone(),
            statements: Arc::default(),
            progress: Arc::default(),
            refused: Arc::default(),
            writable: Arc::new(AtomicBool::new(true)),
            sabotage,
        })
    }

    /// For tests only: does not wait for the disk any more.
    #[cfg(feature = "sabotage")]
    pub fn answer_before_the_flush(&self) {
        self.durable.give_up();
    }

    /// How many statements were sent through this handle and its clones, transaction control left out.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// The same work, with its statements counted whichever thread it runs in.
    fn counted<T, F>(&self, mut work: F) -> impl FnMut(&mut Conn) -> Result<T> + Send + 'static
    where
        F: FnMut(&mut Conn) -> Result<T> + Send + 'static,
    {
        let total = self.statements.clone();
        move |conn| {
            let before = statements();
            let result = work(conn);
            total.fetch_add(statements().wrapping_sub(before), Ordering::Relaxed);
            result
        }
    }

    /// How many pooled connections are in use, and how many are not.
    pub fn connections(&self) -> (u32, u32) {
        let state = self.pool.state();
        let idle = state.idle_connections;
        (state.connections.saturating_sub(idle), idle)
    }

    /// Runs a read on the blocking pool. A connection that turns out to be dead is replaced.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Conn) -> Result<T> + Send + 'static,
    {
        let pool = self.pool.clone();
        let mut work = self.counted(work);
        self.blocking(move |tries| {
            loop {
                match on_pooled(&pool, tries, |pooled| pooled.read(&mut work)) {
                    Err(error) if tries.again(error.failure) => {}
                    done => return done,
                }
            }
        })
        .await
    }

    /// Runs a transaction; what it returns was on disk before.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Conn) -> Result<(T, AfterCommit)> + Send + 'static,
    {
        let work = self.counted(work);
        let done = match &self.writer {
            Some(writer) => writer.run(work).await,
            None => self.write_on_pooled(work).await,
        };
        // One that lost to others says nothing about the database.
        let refused = matches!(&done, Err(error)
            if error.code == Code::Unavailable && error.failure != Some(Failure::Race));
        self.writable.store(!refused, Ordering::Relaxed);
        if refused {
            self.refused.made();
        }
        done
    }

    async fn write_on_pooled<T, F>(&self, mut work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Conn) -> Result<(T, AfterCommit)> + Send + 'static,
    {
        let (pool, durable, sabotage) = (
            self.pool.clone(),
            self.durable.clone(),
            self.sabotage.clone(),
        );
        let (answer, answered) = oneshot::channel();
        self.blocking(move |tries| {
            loop {
                let ticket = durable.ticket()?;
                let done = on_pooled(&pool, tries, |pooled| {
                    let careless = sabotage.removed(Guard::CleanConnections);
                    if !pooled.fits(&ticket) && !sabotage.removed(Guard::OneServer) {
                        durable.distrust(&ticket);
                        return Ok(None);
                    }
                    pooled.transaction(careless, &mut work)
                });
                match done {
                    Ok(Some((value, after))) => {
                        durable.take(ticket, move |on_disk| {
                            // Whoever asked may be gone.
                            let _ = answer.send(on_disk.map(|()| {
                                after.run();
                                value
                            }));
                        });
                        return Ok(());
                    }
                    Ok(None) if tries.again(Some(Failure::Connection)) => {}
                    Ok(None) => return Err(Error::unavailable("no connection can be used")),
                    Err(error)
                        if error.failure == Some(Failure::Race) && tries.again(error.failure) => {}
                    Err(mut error) => {
                        // What loses each time at once has not lost: there is no disk, or something of that kind.
                        if tries.races == RETRIES && tries.begun.elapsed() < PATIENCE {
                            error.failure = None;
                        }
                        return Err(error);
                    }
                }
            }
        })
        .await?;
        answered.await.map_err(Error::unavailable)?
    }

    /// Whether the database answers and takes what is written. Where it did not the last time, some seconds pass before
    /// something small is tried, which may fit where an order does not.
    pub async fn ping(&self) -> Result<()> {
        self.read(|conn| Ok(conn.batch("SELECT 1")?)).await?;
        if self.refused.within(HOLD) {
            return Err(Error::unavailable("the database takes nothing"));
        }
        if self.writable.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.write(|conn| {
            let text = "UPDATE versions SET value = value WHERE name = 'catalog'";
            conn.execute(text, vec![])
                .map(|_| ((), AfterCommit::default()))
        })
        .await
    }

    /// What a test has broken.
    pub fn sabotage(&self) -> &Arc<Sabotage> {
        &self.sabotage
    }

    /// Brings everything into the file of an embedded database, so that it is whole without its log.
    pub async fn checkpoint(&self) -> Result<()> {
        if self.writer.is_none() {
            return Ok(());
        }
        let address = self.address.clone();
        self.blocking(move |_| Ok(address.open()?.batch("PRAGMA wal_checkpoint(TRUNCATE)")?))
            .await
    }

    /// Runs `work` on a thread that may block. Where none becomes free in time it is not begun, and the caller is told to come
    /// again: at once when nobody gets on, as while the database is away.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tries) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let asked = Instant::now();
        // Taken by whoever comes first: the thread that begins, or the caller who gives up.
        let turn = Arc::new(AtomicBool::new(true));
        let take = |turn: &AtomicBool| turn.swap(false, Ordering::AcqRel);
        let busy = || Error::unavailable("every thread waits for the database");
        let (mine, progress) = (turn.clone(), self.progress.clone());
        let mut task = tokio::task::spawn_blocking(move || {
            if !take(&mine) {
                return Err(busy());
            }
            let done = work(&mut Tries::new(asked));
            if !matches!(&done, Err(error) if error.code == Code::Unavailable) {
                progress.made();
            }
            done
        });
        loop {
            match tokio::time::timeout(PATIENCE, &mut task).await {
                Ok(done) => return done.map_err(Error::internal)?,
                Err(_) if self.progress.within(PATIENCE) && asked.elapsed() < QUEUE => {}
                Err(_) if take(&turn) => return Err(busy()),
                Err(_) => return task.await.map_err(Error::internal)?,
            }
        }
    }
}

/// When something happened last: milliseconds, of which 0 is never.
struct Progress {
    begun: Instant,
    last: AtomicU64,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            last: AtomicU64::new(0),
        }
    }
}

impl Progress {
    fn now(&self) -> u64 {
        let passed = u64::try_from(self.begun.elapsed().as_millis());
        passed.unwrap_or(u64::MAX).saturating_add(1)
    }

    fn made(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    fn within(&self, time: Duration) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        last > 0 && u128::from(self.now().saturating_sub(last)) < time.as_millis()
    }
}

/// How long and how often a piece of work is tried.
struct Tries {
    asked: Instant,
    begun: Instant,
    races: u32,
}

impl Tries {
    fn new(asked: Instant) -> Self {
        Self {
            asked,
            begun: Instant::now(),
            races: 0,
        }
    }

    /// How long to wait for a connection still.
    fn patience(&self) -> Duration {
        PATIENCE.saturating_sub(self.asked.elapsed())
    }

    /// Whether to try once more after this; a transaction that lost pauses first.
    fn again(&mut self, failure: Option<Failure>) -> bool {
        match failure {
            Some(Failure::Connection) => !self.patience().is_zero(),
            Some(Failure::Race) if self.races < RETRIES && self.begun.elapsed() < PATIENCE => {
                self.races += 1;
                std::thread::sleep(backoff(self.races));
                true
            }
            _ => false,
        }
    }
}

/// Lends a connection to `work`, which says whether it is clean afterwards.
fn on_pooled<T>(
    pool: &r2d2::Pool<Manager>,
    tries: &Tries,
    work: impl FnOnce(&mut Pooled) -> Result<T>,
) -> Result<T> {
    let mut pooled = pool
        .get_timeout(tries.patience())
        .map_err(Error::unavailable)?;
    // Until it is known to be clean; nothing says so when a panic unwinds.
    pooled.clean = false;
    work(&mut pooled)
}

impl Pooled {
    /// Whether what is committed here is flushed with the log of this ticket.
    fn fits(&self, ticket: &Ticket) -> bool {
        let server = self.session.as_ref().and_then(|s| s.server.as_ref());
        server == ticket.log.as_ref()
    }

    /// Reads; behind a pooler in a transaction, which is what keeps its settings together.
    fn read<T>(&mut self, work: &mut impl FnMut(&mut Conn) -> Result<T>) -> Result<T> {
        if self.session.as_ref().is_some_and(|s| s.pooled) {
            return self.transaction(false, work)?.ok_or_else(|| Error {
                failure: Some(Failure::Connection),
                ..Error::unavailable("the connection is dead")
            });
        }
        let result = work(&mut self.conn).map_err(|error| self.judge(error));
        let lost = matches!(&result, Err(e) if e.failure == Some(Failure::Connection));
        self.clean = !lost && self.conn.is_idle();
        result
    }

    fn judge(&self, error: Error) -> Error {
        if self.conn.is_postgres() {
            error.of_postgres()
        } else {
            error
        }
    }

    /// Runs a transaction; nothing where it could not begin. `careless` is for tests: it trusts a connection as it comes.
    fn transaction<T>(
        &mut self,
        careless: bool,
        work: &mut impl FnMut(&mut Conn) -> Result<T>,
    ) -> Result<Option<T>> {
        let (Conn::Pg(pg), Some(session)) = (&mut self.conn, &self.session) else {
            return Err(Error::internal("a pooled SQLite connection only reads"));
        };
        let begun = if careless {
            session::begin_or_nest(pg)
        } else {
            session.begin(pg)
        };
        if begun.is_err() {
            return Ok(None);
        }
        let refused = conn::refused();
        let mut result = work(&mut self.conn).map_err(|error| self.judge(error));
        if result.is_ok() && conn::refused() != refused {
            result = Err(Error::internal("a refused statement was passed over"));
        }
        let Conn::Pg(pg) = &mut self.conn else {
            return result.map(Some);
        };
        match result {
            Ok(value) => {
                session::commit(pg).map_err(not_committed)?;
                if !self.conn.is_idle() && !careless {
                    return Err(Error::internal("a commit left its transaction open"));
                }
                self.clean = true;
                Ok(Some(value))
            }
            Err(error) => {
                // A connection that cannot roll back is replaced; the first error is the one to tell.
                self.clean = session::roll_back(pg).is_ok()
                    && self.conn.is_idle()
                    && error.failure != Some(Failure::Connection);
                Err(error)
            }
        }
    }
}

fn backoff(attempt: u32) -> Duration {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    Duration::from_millis(u64::from(attempt) * 2 + u64::from(byte[0] % 8))
}

/// Opens connections for the pool.
struct Manager {
    address: Address,
    sabotage: Arc<Sabotage>,
}

struct Pooled {
    conn: Conn,
    session: Option<Session>,
    clean: bool,
}

impl r2d2::ManageConnection for Manager {
    type Connection = Pooled;
    type Error = diesel::ConnectionError;

    fn connect(&self) -> Result<Pooled, Self::Error> {
        let (conn, session) = self.address.connect()?;
        Ok(Pooled {
            conn,
            session,
            clean: true,
        })
    }

    fn is_valid(&self, _: &mut Pooled) -> Result<(), Self::Error> {
        Ok(())
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        !pooled.clean && !self.sabotage.removed(Guard::CleanConnections)
    }
}

/// Why a commit failed. Only one that lost against another is run again: of any other it may not be known what came of it.
fn not_committed(error: diesel::result::Error) -> Error {
    let error = Error::from(error);
    if error.failure.is_some() {
        return error;
    }
    Error {
        failure: None,
        ..error.of_postgres()
    }
}
