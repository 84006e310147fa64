//! Statements as text, for what a query builder says worse: batches, upserts, aggregates, updates from a list.
//!
//! One text serves both databases. `?` is a parameter. A [`Param::Batch`] stands for a derived table of as many rows as
//! there are, so that a statement costs one round trip whatever the number of lines, and is prepared once:
//!
//! ```text
//! UPDATE stock_levels SET held = held + x.quantity FROM ? AS x WHERE stock_levels.variant_id = x.variant_id
//! ```

use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Binary, Bool, HasSqlType, Nullable, Text};
use diesel::sqlite::Sqlite;
use diesel::{QueryResult, RunQueryDsl};

use crate::kernel::Timestamp;
use crate::kernel::column;
use crate::kernel::json::Written;
use crate::kernel::param::{AnyId, Batch, Kind, MAX_COLUMNS, Param};

/// A text statement whose rows have the SQL type `ST`.
#[derive(Debug)]
pub struct Sql<'a, ST> {
    text: &'a str,
    params: Vec<Param>,
    row: PhantomData<ST>,
}

impl<'a, ST> Sql<'a, ST> {
    /// The statement `text` with `params` for its question marks.
    pub fn new(text: &'a str, params: Vec<Param>) -> Self {
        Self {
            text,
            params,
            row: PhantomData,
        }
    }
}

/// What differs between the databases in the text of a statement.
trait Dialect: Backend {
    /// What stands before and after a batch's list of columns, and at its end.
    const BATCH: [&'static str; 3];
    /// How a column is read: what stands before and after its place in the row.
    fn cell(kind: Kind) -> [&'static str; 2];
}

/// Every row is an array; that this is asked makes the planner expect one row instead of a hundred, and look up each by an
/// index instead of reading whole tables.
impl Dialect for Pg {
    const BATCH: [&'static str; 3] = [
        "(SELECT ",
        " FROM jsonb_array_elements(CAST(",
        " AS jsonb)) AS e WHERE jsonb_typeof(e) = 'array')",
    ];

    fn cell(kind: Kind) -> [&'static str; 2] {
        match kind {
            Kind::Id => ["(e->>", ")::uuid AS "],
            Kind::Int => ["(e->>", ")::bigint AS "],
            Kind::Text => ["(e->>", ") AS "],
            Kind::Bool => ["(e->>", ")::boolean AS "],
            Kind::Time => [
                "timestamptz 'epoch' + (e->>",
                ")::bigint * interval '1 microsecond' AS ",
            ],
            Kind::Doc => ["(e->>", ")::jsonb AS "],
        }
    }
}

impl Dialect for Sqlite {
    const BATCH: [&'static str; 3] = ["(SELECT ", " FROM json_each(", "))"];

    fn cell(kind: Kind) -> [&'static str; 2] {
        match kind {
            Kind::Id => ["unhex(value->>", ", '-') AS "],
            _ => ["value->>", " AS "],
        }
    }
}

/// The places of a batch's columns.
const PLACES: [&str; MAX_COLUMNS] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31",
];

fn push_batch<'b, DB: Dialect + HasSqlType<Text>>(
    out: &mut AstPass<'_, 'b, DB>,
    batch: &'b Batch,
) -> QueryResult<()>
where
    String: ToSql<Text, DB>,
{
    let [head, from, tail] = DB::BATCH;
    out.push_sql(head);
    for (place, (name, kind)) in PLACES.iter().zip(batch.columns) {
        if *place != "0" {
            out.push_sql(", ");
        }
        let [before, after] = DB::cell(*kind);
        for part in [before, place, after, name] {
            out.push_sql(part);
        }
    }
    out.push_sql(from);
    out.push_bind_param::<Text, _>(&batch.json)?;
    out.push_sql(tail);
    Ok(())
}

impl<DB, ST> QueryFragment<DB> for Sql<'_, ST>
where
    DB: Dialect + HasSqlType<column::Id> + HasSqlType<column::Ts> + HasSqlType<column::Doc>,
    DB: HasSqlType<BigInt> + HasSqlType<Text> + HasSqlType<Bool> + HasSqlType<Binary>,
    AnyId: ToSql<column::Id, DB>,
    i64: ToSql<BigInt, DB>,
    String: ToSql<Text, DB>,
    bool: ToSql<Bool, DB>,
    Timestamp: ToSql<column::Ts, DB>,
    Written: ToSql<column::Doc, DB>,
    Vec<u8>: ToSql<Binary, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let mut params = self.params.iter();
        let mut parts = self.text.split('?');
        out.push_sql(parts.next().unwrap_or_default());
        for part in parts {
            match params.next() {
                Some(Param::Id(v)) => out.push_bind_param::<Nullable<column::Id>, _>(v)?,
                Some(Param::Int(v)) => out.push_bind_param::<Nullable<BigInt>, _>(v)?,
                Some(Param::Text(v)) => out.push_bind_param::<Nullable<Text>, _>(v)?,
                Some(Param::Bool(v)) => out.push_bind_param::<Nullable<Bool>, _>(v)?,
                Some(Param::Time(v)) => out.push_bind_param::<Nullable<column::Ts>, _>(v)?,
                Some(Param::Doc(v)) => out.push_bind_param::<Nullable<column::Doc>, _>(v)?,
                Some(Param::Bytes(v)) => out.push_bind_param::<Nullable<Binary>, _>(v)?,
                Some(Param::Batch(batch)) => push_batch(&mut out, batch)?,
                None => {
                    return Err(diesel::result::Error::QueryBuilderError(
                        format!("too few parameters for: {}", self.text).into(),
                    ));
                }
            }
            out.push_sql(part);
        }
        match params.next() {
            Some(_) => Err(diesel::result::Error::QueryBuilderError(
                format!("too many parameters for: {}", self.text).into(),
            )),
            None => Ok(()),
        }
    }
}

// Prepared statements are cached by their text.
impl<ST> QueryId for Sql<'_, ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<ST> Query for Sql<'_, ST> {
    type SqlType = ST;
}

impl<ST, Conn> RunQueryDsl<Conn> for Sql<'_, ST> {}
