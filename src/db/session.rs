//! A session of PostgreSQL: what it is told when it begins, what stands behind it, how its transactions begin and end.
//!
//! The settings travel with the request for the connection (libpq's `options`), so that they cost no round trip and belong to
//! this session alone. Where a pooler stands in between and keeps them back (PgBouncer refuses them, or drops them when told
//! to), a session may be another's the next moment. Then every transaction brings its settings along, reads run in one too,
//! no statement is prepared by name, and each commit waits for the disk by itself.

use std::sync::Arc;

use diesel::connection::{AnsiTransactionManager, CacheSize, Connection, TransactionManager};
use diesel::pg::PgConnection;
use diesel::result::ConnectionResult;
use diesel::sql_types::{Bool, Text};
use diesel::{ConnectionError, QueryResult, RunQueryDsl};

use super::sql::Sql;

/// Generic plans save more than half of the time of a short statement (measured); what a page costs at random says that the
/// shop is in memory, so that a page of a list comes from the index it is sorted by (a list with filters is 25 times as fast
/// with it as without); the limits keep one bad statement from holding up the shop.
const SETTINGS: [(&str, &str); 7] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("random_page_cost", "1.1"),
    ("statement_timeout", "5s"),
    ("lock_timeout", "3s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("timezone", "UTC"),
    ("jit", "off"),
];

/// Tells a session that got its settings from one that did not.
const ARRIVED: &str = "mercer.session";

/// How soon a host that vanished without a word is noticed: seconds to connect, seconds between the questions whether it is
/// there, milliseconds until what was sent must have been received. The URL may say otherwise.
const NETWORK: [(&str, &str); 5] = [
    ("connect_timeout", "2"),
    ("keepalives_idle", "2"),
    ("keepalives_interval", "1"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "3000"),
];

/// Whether the engine can write a marker into its log. One that cannot waits for the disk at every commit.
const MARKS: &str = "EXISTS (SELECT 1 FROM pg_proc WHERE proname = 'pg_logical_emit_message')";

/// One life of a server: its data, its timeline, and when it was started. A commit and a flush belong together only where
/// these are the same.
const SERVER: &str = "SELECT concat_ws(' ', system_identifier, pg_postmaster_start_time(),
        CASE WHEN pg_is_in_recovery() THEN 'recovering'
             ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END)
     FROM pg_control_system()";

/// What stands behind a connection.
#[derive(Clone, Debug)]
pub struct Session {
    /// A pooler hands out server connections as it likes.
    pub pooled: bool,
    /// The server whose log can be marked; nothing where commits wait for the disk by themselves.
    pub server: Option<Arc<str>>,
}

/// Opens a connection.
pub fn open(url: &str) -> ConnectionResult<(PgConnection, Session)> {
    let conn = match PgConnection::establish(&with_settings(url)) {
        // PgBouncer's own words, which it has in one language.
        Err(ConnectionError::BadConnection(text)) if text.contains("unsupported startup param") => {
            PgConnection::establish(&with_network(url))
        }
        other => other,
    };
    let mut conn = conn?;
    let session = look(&mut conn).map_err(ConnectionError::CouldntSetupConfiguration)?;
    if session.pooled {
        conn.set_prepared_statement_cache_size(CacheSize::Disabled);
    }
    Ok((conn, session))
}

fn look(conn: &mut PgConnection) -> QueryResult<Session> {
    // What is asked before it is known whether a pooler is there must not be prepared by name.
    conn.set_prepared_statement_cache_size(CacheSize::Disabled);
    let text =
        format!("SELECT current_setting('{ARRIVED}', true) IS NOT DISTINCT FROM '1', {MARKS}");
    let query = Sql::<(Bool, Bool)>::new(&text, Vec::new());
    let (arrived, marks) = query.get_result::<(bool, bool)>(conn)?;
    let server = if arrived && marks {
        let name: String = Sql::<Text>::new(SERVER, Vec::new()).get_result(conn)?;
        Some(name.into())
    } else {
        None
    };
    conn.set_prepared_statement_cache_size(CacheSize::Unbounded);
    Ok(Session {
        pooled: !arrived,
        server,
    })
}

/// The URL with what it does not say about the network.
fn with_network(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in NETWORK {
        if parameter(&url, name).is_none() {
            add(&mut url, name, value);
        }
    }
    url
}

/// The same with the settings in `options`; those that the URL has there come later and win.
fn with_settings(url: &str) -> String {
    let mut url = with_network(url);
    let mut options = String::new();
    for (name, value) in SETTINGS.iter().chain([&(ARRIVED, "1")]) {
        options.push_str(&format!("-c%20{name}%3D{value}%20"));
    }
    match parameter(&url, "options") {
        Some(start) => url.insert_str(start, &options),
        None => add(&mut url, "options", &options),
    }
    url
}

/// Where the value of a URL's parameter begins.
fn parameter(url: &str, name: &str) -> Option<usize> {
    let query = url.find('?')?;
    let mut at = query + 1;
    for pair in url.get(at..)?.split('&') {
        if pair.split('=').next() == Some(name) {
            return Some(at + name.len() + 1);
        }
        at += pair.len() + 1;
    }
    None
}

fn add(url: &mut String, name: &str, value: &str) {
    let mark = if url.contains('?') { '&' } else { '?' };
    url.push_str(&format!("{mark}{name}={value}"));
}

impl Session {
    /// Begins a transaction. One that is open already is an error, never a savepoint.
    pub fn begin(&self, conn: &mut PgConnection) -> QueryResult<()> {
        let mut text = String::from("BEGIN");
        if self.pooled {
            for (name, value) in SETTINGS {
                text.push_str(&format!("; SET LOCAL {name} = '{value}'"));
            }
        }
        if self.server.is_some() {
            text.push_str("; SET LOCAL synchronous_commit = off");
        }
        AnsiTransactionManager::begin_transaction_sql(conn, &text)
    }
}

/// Begins a transaction, or a savepoint in one that is open: for the tests that show what comes of that.
pub fn begin_or_nest(conn: &mut PgConnection) -> QueryResult<()> {
    AnsiTransactionManager::begin_transaction(conn)
}

/// Commits.
pub fn commit(conn: &mut PgConnection) -> QueryResult<()> {
    AnsiTransactionManager::commit_transaction(conn)
}

/// Rolls back.
pub fn roll_back(conn: &mut PgConnection) -> QueryResult<()> {
    AnsiTransactionManager::rollback_transaction(conn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_wins_over_the_defaults() {
        let url = with_network("postgres://a,b/shop?connect_timeout=9&x=1");
        assert_eq!(
            url,
            "postgres://a,b/shop?connect_timeout=9&x=1&keepalives_idle=2&keepalives_interval=1\
             &keepalives_count=3&tcp_user_timeout=3000"
        );
        let url = with_settings("postgres://a/shop?options=-c%20jit%3Don&sslmode=require");
        let (_, options) = url.split_once("options=").unwrap();
        let (options, rest) = options.split_once('&').unwrap();
        assert!(options.starts_with("-c%20plan_cache_mode%3Dforce_generic_plan%20"));
        assert!(options.ends_with("-c%20mercer.session%3D1%20-c%20jit%3Don"));
        assert!(rest.starts_with("sslmode=require&connect_timeout=2&"));
    }
}
