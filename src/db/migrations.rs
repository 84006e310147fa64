//! Schema changes: two folders, one list of names. A migration once merged is never edited.
//!
//! No binary starts on a database that is newer than it, because it does not know what it would have to keep true. Processes of
//! an older one are stopped before a database is migrated.

use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::sql_types::Bool;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Address, Conn};
use crate::kernel::{Code, Error, Result};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The advisory lock of whoever migrates a PostgreSQL database.
const LOCK: i64 = 0x6d65_7263_6572;

/// The migrations that have not been applied yet, by name.
pub fn pending(conn: &mut Conn) -> Result<Vec<String>> {
    let list = match conn {
        Conn::Lite(c) => c
            .pending_migrations(SQLITE)
            .map(|m| m.iter().map(|m| m.name().to_string()).collect()),
        Conn::Pg(c) => c
            .pending_migrations(POSTGRES)
            .map(|m| m.iter().map(|m| m.name().to_string()).collect()),
    };
    list.map_err(Error::internal)
}

/// Refuses a database that this binary does not fit: one with migrations that it does not know, or without some that it needs.
pub fn check(conn: &mut Conn) -> Result<()> {
    refuse_newer(conn)?;
    match pending(conn)?.len() {
        0 => Ok(()),
        n => {
            let detail = format!("{n} migrations are pending; run `mercer migrate` first.");
            Err(Error::new(Code::InvalidState, detail))
        }
    }
}

pub(super) fn refuse_newer(conn: &mut Conn) -> Result<()> {
    let applied: Vec<String> = match conn {
        Conn::Lite(c) => c.applied_migrations().map(|list| versions(&list)),
        Conn::Pg(c) => c.applied_migrations().map(|list| versions(&list)),
    }
    .map_err(Error::internal)?;
    let known = match conn {
        Conn::Lite(_) => known::<diesel::sqlite::Sqlite>(&SQLITE)?,
        Conn::Pg(_) => known::<diesel::pg::Pg>(&POSTGRES)?,
    };
    match applied.iter().find(|version| !known.contains(version)) {
        None => Ok(()),
        Some(version) => {
            let detail = format!(
                "The database has migration {version}, which this mercer ({}) does not know: it is newer. \
                 Start the newer mercer, or restore a backup made before the upgrade.",
                env!("CARGO_PKG_VERSION")
            );
            Err(Error::new(Code::InvalidState, detail))
        }
    }
}

fn versions(list: &[MigrationVersion<'static>]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn known<DB: diesel::backend::Backend>(source: &EmbeddedMigrations) -> Result<Vec<String>>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let list: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(Error::internal)?;
    Ok(list
        .iter()
        .map(|m| m.name().version().to_string())
        .collect())
}

/// Applies what is pending in this database and returns the names; who comes at the same time waits, and then finds nothing to
/// do. A database that is newer than this binary is refused.
pub fn apply(address: &Address) -> Result<Vec<String>> {
    let mut conn = address.open()?;
    let mut lock = None;
    if conn.is_postgres() {
        let lock = lock.insert(address.open()?);
        lock.batch(&format!(
            "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;
             SET LOCAL idle_in_transaction_session_timeout = 0; SELECT pg_advisory_xact_lock({LOCK})"
        ))?;
    }
    refuse_newer(&mut conn)?;
    let mut done = Vec::new();
    loop {
        let waiting = pending(&mut conn)?.len();
        match up(&mut conn) {
            Ok(names) => {
                done.extend(names);
                return Ok(done);
            }
            // SQLite: somebody else was faster, and may have left something.
            Err(error) => match pending(&mut conn)?.len() {
                now if now < waiting && !conn.is_postgres() => {}
                _ => return Err(error),
            },
        }
    }
}

/// Applies what is pending and returns the names.
pub fn up(conn: &mut Conn) -> Result<Vec<String>> {
    without_time_limit(conn)?;
    let done = match conn {
        Conn::Lite(c) => c
            .run_pending_migrations(SQLITE)
            .map(|m| m.iter().map(ToString::to_string).collect()),
        Conn::Pg(c) => c
            .run_pending_migrations(POSTGRES)
            .map(|m| m.iter().map(ToString::to_string).collect()),
    };
    done.map_err(Error::internal)
}

/// Lets the statements of this session take their time; a session that a pooler lends is left as it is.
pub fn without_time_limit(conn: &mut Conn) -> Result<()> {
    if conn.is_postgres() {
        conn.rows::<Bool, bool>(
            "SELECT set_config('statement_timeout', '0', false) IS NOT NULL
             WHERE current_setting('mercer.session', true) = '1'",
            vec![],
        )?;
    }
    Ok(())
}

/// Takes every migration back; for the test that compares the two folders.
pub fn down(conn: &mut Conn) -> Result<()> {
    match conn {
        Conn::Lite(c) => c.revert_all_migrations(SQLITE).map(drop),
        Conn::Pg(c) => c.revert_all_migrations(POSTGRES).map(drop),
    }
    .map_err(Error::internal)
}
