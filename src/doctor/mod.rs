//! `mercer doctor`: what must always hold, as SQL, checked on a live shop.
//!
//! Each invariant is a question for the rows that break it; a healthy shop has no answer to any. The questions only read,
//! and run while the shop is open: what is being written in one transaction is seen whole or not at all, because each
//! question is one statement.

mod invariants;

use diesel::sql_types::{BigInt, Text};

pub use invariants::{INVARIANTS, Invariant};

use crate::db::Conn;
use crate::kernel::column::Ts;
use crate::kernel::{Result, Timestamp};

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

/// What is in a shop, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Products.
    pub products: i64,
    /// Carts that may still become orders.
    pub carts: i64,
    /// Orders.
    pub orders: i64,
    /// When the newest of them was placed.
    pub newest_order: Option<Timestamp>,
}

/// Counts what is in a shop, so that whoever looks sees whether it is the right one and how far it goes.
pub fn contents(conn: &mut Conn) -> Result<Contents> {
    let rows = conn.rows::<(BigInt, BigInt, BigInt), (i64, i64, i64)>(
        "SELECT (SELECT count(*) FROM products), (SELECT count(*) FROM carts WHERE status = 'open'),
                (SELECT count(*) FROM orders)",
        vec![],
    )?;
    let (products, carts, orders) = rows.into_iter().next().unwrap_or_default();
    let newest = conn.rows::<Ts, Timestamp>(
        "SELECT placed_at FROM orders ORDER BY placed_at DESC LIMIT 1",
        vec![],
    )?;
    Ok(Contents {
        products,
        carts,
        orders,
        newest_order: newest.into_iter().next(),
    })
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
