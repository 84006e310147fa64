//! The SQL types that both databases know under different names.
//!
//! | here | PostgreSQL | SQLite (STRICT) |
//! |---|---|---|
//! | [`Id`] | uuid | BLOB of 16 bytes |
//! | [`Ts`] | timestamptz | INTEGER, microseconds since 1970 |
//! | [`Doc`] | jsonb | TEXT |

use diesel::query_builder::QueryId;
use diesel::sql_types::SqlType;

/// An identifier: uuid or BLOB(16).
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951))]
#[diesel(sqlite_type(name = "Binary"))]
pub struct Id;

/// An instant: timestamptz or microseconds.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185))]
#[diesel(sqlite_type(name = "Long"))]
pub struct Ts;

/// A JSON document: jsonb or TEXT.
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 3802, array_oid = 3807))]
#[diesel(sqlite_type(name = "Text"))]
pub struct Doc;
