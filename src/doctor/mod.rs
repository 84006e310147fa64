//! `mercer doctor`: what must always hold, as SQL, checked on a live shop.
//!
//! Each invariant is a question for the rows that break it; a healthy shop has no answer to any. The questions only read,
//! and run while the shop is open: what is being written in one transaction is seen whole or not at all, because each
//! question is one statement.

mod invariants;

use diesel::sql_types::Text;

pub use invariants::{INVARIANTS, Invariant};

use crate::db::Conn;
use crate::kernel::Result;

/// How many broken rows of an invariant are shown.
const SHOWN: usize = 20;

/// What came of one invariant.
#[derive(Debug)]
pub struct Finding {
    /// The invariant.
    pub invariant: &'static Invariant,
    /// The first rows that break it, in words.
    pub broken: Vec<String>,
}

/// Checks every invariant.
pub fn examine(conn: &mut Conn) -> Result<Vec<Finding>> {
    INVARIANTS
        .iter()
        .map(|invariant| {
            Ok(Finding {
                invariant,
                broken: ask(conn, invariant.sql)?,
            })
        })
        .collect()
}

/// `id(x)` stands for an id as text, which the databases write differently.
fn ask(conn: &mut Conn, sql: &str) -> Result<Vec<String>> {
    let mut text = String::with_capacity(sql.len() + 64);
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once("id(") {
        let (column, behind) = after.split_once(')').unwrap_or((after, ""));
        text.push_str(before);
        text.push_str(&if conn.is_postgres() {
            format!("CAST({column} AS text)")
        } else {
            format!("lower(hex({column}))")
        });
        rest = behind;
    }
    text.push_str(rest);
    text.push_str(&format!(" LIMIT {SHOWN}"));
    conn.rows::<Text, String>(&text, Vec::new())
}
