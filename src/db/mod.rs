//! Both databases behind one door: connections, pools, the group-commit writer, migrations.
//!
//! Reads run in parallel on pooled connections; writes run in a transaction each, on SQLite through the one
//! [`writer`], on PostgreSQL on a pooled connection at READ COMMITTED with guarded updates, and are [`durable`] before
//! anybody hears of them. A transaction that lost to another (serialisation failure, deadlock, busy) is run again as a whole,
//! at most five times.

mod conn;
mod durable;
pub mod migrations;
mod sql;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::connection::TransactionManager;
use diesel::pg::PgConnection;
use tokio::sync::oneshot;

use durable::{Durable, Marks, Wal};

pub use conn::{Conn, statements};

pub use crate::config::Address;
use crate::kernel::{Error, Result};

/// How often a transaction that lost to another is run again.
const RETRIES: u32 = 5;
/// How long a request waits for a connection.
const PATIENCE: Duration = Duration::from_secs(2);

impl Address {
    fn connect(&self) -> Result<Conn, diesel::ConnectionError> {
        match self {
            Self::Sqlite(path) => Conn::open_sqlite(path).map(Conn::Lite),
            Self::Postgres(url) => Conn::open_postgres(url).map(Conn::Pg),
        }
    }

    /// A connection of one's own, for migrations and tools.
    pub fn open(&self) -> Result<Conn> {
        self.connect()
            .map_err(|error| Error::unavailable(error).detail("The database cannot be opened."))
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
    statements: Arc<AtomicU64>,
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
        let pool = r2d2::Pool::builder()
            .max_size(connections)
            .min_idle(Some(1))
            .test_on_check_out(false)
            .connection_timeout(PATIENCE)
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .build_unchecked(Manager(address.clone()));
        Ok(Self {
            pool,
            writer,
            durable,
            statements: Arc::default(),
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

    /// Runs a read on the blocking pool. A connection that turns out to be dead is replaced once.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Conn) -> Result<T> + Send + 'static,
    {
        let pool = self.pool.clone();
        let mut work = self.counted(work);
        blocking(move || {
            let first = on_pooled(&pool, &mut work);
            match first {
                Err(Lost::Connection(_)) => on_pooled(&pool, &mut work).map_err(Lost::into_error),
                other => other.map_err(Lost::into_error),
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
        let mut work = self.counted(work);
        if let Some(writer) = &self.writer {
            return writer.run(work).await;
        }
        let (pool, durable) = (self.pool.clone(), self.durable.clone());
        let (answer, answered) = oneshot::channel();
        blocking(move || {
            let ticket = durable.ticket();
            let mut attempt = 0;
            loop {
                match on_pooled(&pool, &mut |conn| transaction(conn, &mut work)) {
                    Err(Lost::Race(_)) if attempt < RETRIES => {
                        attempt += 1;
                        std::thread::sleep(backoff(attempt));
                    }
                    done => {
                        let (value, after) = done.map_err(Lost::into_error)?;
                        durable.take(ticket, move |on_disk| {
                            // Whoever asked may be gone.
                            let _ = answer.send(on_disk.map(|()| {
                                after.run();
                                value
                            }));
                        });
                        return Ok(());
                    }
                }
            }
        })
        .await?;
        answered.await.map_err(Error::unavailable)?
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.read(|conn| Ok(conn.batch("SELECT 1")?)).await
    }
}

/// Runs `work` on a thread that may block.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(Error::internal)?
}

/// Why a piece of work did not end well.
enum Lost {
    /// It lost to another transaction and may be run again.
    Race(Error),
    /// The connection is gone.
    Connection(Error),
    /// It said no.
    Refused(Error),
}

impl Lost {
    fn into_error(self) -> Error {
        match self {
            Self::Race(error) | Self::Connection(error) | Self::Refused(error) => error,
        }
    }
}

fn on_pooled<T>(
    pool: &r2d2::Pool<Manager>,
    work: &mut impl FnMut(&mut Conn) -> Result<T>,
) -> Result<T, Lost> {
    let mut pooled = pool
        .get()
        .map_err(|error| Lost::Refused(Error::unavailable(error)))?;
    let result = work(&mut pooled.conn);
    result.map_err(|error| {
        if error.retry {
            Lost::Race(error)
        } else if error.code == crate::kernel::Code::Unavailable {
            pooled.broken = true;
            Lost::Connection(error)
        } else {
            Lost::Refused(error)
        }
    })
}

fn transaction<T>(conn: &mut Conn, work: &mut impl FnMut(&mut Conn) -> Result<T>) -> Result<T> {
    type Manager = <PgConnection as diesel::Connection>::TransactionManager;
    let Conn::Pg(pg) = conn else {
        return Err(Error::internal("a pooled SQLite connection only reads"));
    };
    Manager::begin_transaction(pg)?;
    let result = work(conn);
    let Conn::Pg(pg) = conn else { return result };
    match result {
        Ok(value) => {
            Manager::commit_transaction(pg)?;
            Ok(value)
        }
        Err(error) => {
            // A connection that cannot roll back is replaced; the first error is the one to tell.
            let _ = Manager::rollback_transaction(pg);
            Err(error)
        }
    }
}

fn backoff(attempt: u32) -> Duration {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    Duration::from_millis(u64::from(attempt) * 2 + u64::from(byte[0] % 8))
}

/// Opens connections for the pool.
struct Manager(Address);

struct Pooled {
    conn: Conn,
    broken: bool,
}

impl r2d2::ManageConnection for Manager {
    type Connection = Pooled;
    type Error = diesel::ConnectionError;

    fn connect(&self) -> Result<Pooled, Self::Error> {
        let mut conn = self.0.connect()?;
        if conn.is_postgres() {
            durable::relax(&mut conn)
                .map_err(|error| diesel::ConnectionError::BadConnection(error.to_string()))?;
        }
        Ok(Pooled {
            conn,
            broken: false,
        })
    }

    fn is_valid(&self, _: &mut Pooled) -> Result<(), Self::Error> {
        Ok(())
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        pooled.broken
    }
}
