//! One connection type for both databases.
//!
//! A plain enum and a macro that matches around each query: every query is written once, compiled for both back ends,
//! and typed on both. `diesel::MultiConnection` would cost 12 to 53 % a query and lacks upserts and batch inserts.

use diesel::connection::{
    AnsiTransactionManager, Connection, InstrumentationEvent, SimpleConnection, TransactionManager,
};
use diesel::deserialize::FromSqlRow;
use diesel::pg::{Pg, PgConnection};
use diesel::query_builder::{QueryFragment, QueryId};
use diesel::query_dsl::methods::LoadQuery;
use diesel::result::ConnectionResult;
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel::{QueryResult, RunQueryDsl};
use std::cell::Cell;

use super::session::{self, Session};
use super::sql::Sql;
use crate::kernel::{Error, Param, Result};

/// A connection to either database.
pub enum Conn {
    /// The embedded database.
    Lite(SqliteConnection),
    /// PostgreSQL, or an engine that speaks its protocol.
    Pg(PgConnection),
}

/// Runs one diesel query on whichever database it is: `on!(conn, |c| products::table.load(c))`.
#[macro_export]
macro_rules! on {
    ($conn:expr, |$c:ident| $body:expr) => {
        match $conn {
            $crate::db::Conn::Lite($c) => $body,
            $crate::db::Conn::Pg($c) => $body,
        }
    };
}

thread_local! {
    /// Statements this thread has sent, transaction control left out.
    static STATEMENTS: Cell<u64> = const { Cell::new(0) };
    /// Statements of this thread that PostgreSQL has refused.
    static REFUSED: Cell<u64> = const { Cell::new(0) };
}

/// How many statements this thread has sent so far; the difference of two readings is a transaction's count.
pub fn statements() -> u64 {
    STATEMENTS.get()
}

/// How many statements of this thread PostgreSQL has refused so far. After one, `COMMIT` rolls back and calls it success.
pub(super) fn refused() -> u64 {
    REFUSED.get()
}

#[expect(clippy::needless_pass_by_value, reason = "diesel passes it so")]
fn count(event: InstrumentationEvent<'_>) {
    match event {
        InstrumentationEvent::StartQuery { .. } => {
            STATEMENTS.set(STATEMENTS.get().wrapping_add(1));
        }
        InstrumentationEvent::FinishQuery { error: Some(_), .. } => {
            REFUSED.set(REFUSED.get().wrapping_add(1));
        }
        _ => {}
    }
}

impl Conn {
    /// Opens the embedded database at `path`: WAL, full durability, foreign keys. A reader keeps few pages, for the system
    /// keeps them too.
    pub fn open_sqlite(path: &str) -> ConnectionResult<SqliteConnection> {
        let mut conn = SqliteConnection::establish(path)?;
        conn.batch_execute(
            "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON; PRAGMA cache_size = -4000; PRAGMA temp_store = MEMORY;
             PRAGMA journal_size_limit = 67108864;",
        )
        .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
        conn.set_instrumentation(count as fn(InstrumentationEvent<'_>));
        Ok(conn)
    }

    /// Opens a PostgreSQL connection, as [`session`](super::session) has it.
    pub fn open_postgres(url: &str) -> ConnectionResult<(PgConnection, Session)> {
        let (mut conn, session) = session::open(url)?;
        conn.set_instrumentation(count as fn(InstrumentationEvent<'_>));
        Ok((conn, session))
    }

    /// Whether no transaction is open on it, as far as it was begun by diesel.
    pub(super) fn is_idle(&mut self) -> bool {
        on!(self, |c| matches!(
            AnsiTransactionManager::transaction_manager_status_mut(c).transaction_depth(),
            Ok(None)
        ))
    }

    /// Whether this is PostgreSQL, for the few statements that differ.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Pg(_))
    }

    /// Runs statements without parameters, as migrations are.
    pub fn batch(&mut self, statements: &str) -> QueryResult<()> {
        on!(self, |c| c.batch_execute(statements))
    }

    /// Runs a statement that begins or ends a transaction: prepared once, and not counted.
    pub fn control(&mut self, statement: &str) -> QueryResult<()> {
        let before = statements();
        let query = Sql::<()>::new(statement, Vec::new());
        let done = on!(self, |c| query.execute(c));
        STATEMENTS.set(before);
        done.map(drop)
    }

    /// Runs a text statement that returns rows.
    pub fn rows<ST, U>(&mut self, text: &str, params: Vec<Param>) -> Result<Vec<U>>
    where
        ST: 'static,
        U: FromSqlRow<ST, Pg> + FromSqlRow<ST, Sqlite>,
        for<'q> Sql<'q, ST>: LoadQuery<'q, PgConnection, U>
            + LoadQuery<'q, SqliteConnection, U>
            + QueryFragment<Pg>
            + QueryFragment<Sqlite>
            + QueryId,
    {
        let query = Sql::<ST>::new(text, params);
        on!(self, |c| query.load::<U>(c)).map_err(Error::from)
    }

    /// Runs a text statement and says how many rows it touched.
    pub fn execute(&mut self, text: &str, params: Vec<Param>) -> Result<usize> {
        let query = Sql::<()>::new(text, params);
        on!(self, |c| query.execute(c)).map_err(Error::from)
    }
}
