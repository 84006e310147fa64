//! Schema changes: two folders, one list of names. A migration once merged is never edited.

use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::Conn;
use crate::kernel::{Error, Result};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

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

/// Applies what is pending and returns the names.
pub fn up(conn: &mut Conn) -> Result<Vec<String>> {
    if conn.is_postgres() {
        // Long locks would stop a shop that is open; a statement may take its time.
        conn.batch("SET statement_timeout = 0")?;
    }
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

/// Takes every migration back; for the test that compares the two folders.
pub fn down(conn: &mut Conn) -> Result<()> {
    match conn {
        Conn::Lite(c) => c.revert_all_migrations(SQLITE).map(drop),
        Conn::Pg(c) => c.revert_all_migrations(POSTGRES).map(drop),
    }
    .map_err(Error::internal)
}
