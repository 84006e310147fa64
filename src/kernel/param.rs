//! Parameters of text statements: any kernel value, and whole tables of them.

use serde::Serialize;
use uuid::Uuid;

use super::json::Written;
use super::{Email, Timestamp};

crate::id!(
    /// Any id, when only its bits matter.
    AnyId, "id"
);

/// A parameter of a text statement.
#[derive(Clone, Debug)]
pub enum Param {
    /// A uuid / BLOB(16).
    Id(Option<AnyId>),
    /// A whole number.
    Int(Option<i64>),
    /// A text.
    Text(Option<String>),
    /// A truth value.
    Bool(Option<bool>),
    /// An instant.
    Time(Option<Timestamp>),
    /// A JSON document, written.
    Doc(Option<Written>),
    /// Bytes: bytea / BLOB.
    Bytes(Option<Vec<u8>>),
    /// A derived table.
    Batch(Batch),
}

/// The type of a batch's column.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// uuid / BLOB(16).
    Id,
    /// bigint / INTEGER.
    Int,
    /// text.
    Text,
    /// boolean / INTEGER.
    Bool,
    /// timestamptz / INTEGER.
    Time,
    /// jsonb / TEXT.
    Doc,
}

/// The most columns of a batch.
pub const MAX_COLUMNS: usize = 32;

/// Rows that travel as one parameter (a JSON array) and are a table on the other side.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The columns' names and types.
    pub columns: &'static [(&'static str, Kind)],
    /// The rows, as a JSON array of arrays.
    pub json: String,
}

impl Batch {
    /// A batch of `columns`; every row has a parameter for each.
    pub fn new<const N: usize>(
        columns: &'static [(&'static str, Kind); N],
        rows: impl IntoIterator<Item = [Param; N]>,
    ) -> Self {
        const { assert!(N <= MAX_COLUMNS) }
        let mut json = String::from("[");
        for row in rows {
            json.push_str(if json.len() > 1 { ",[" } else { "[" });
            for (i, cell) in row.iter().enumerate() {
                if i > 0 {
                    json.push(',');
                }
                cell.write_json(&mut json);
            }
            json.push(']');
        }
        json.push(']');
        Self { columns, json }
    }

    /// A batch of one column of ids, named `id`.
    pub fn ids(ids: impl IntoIterator<Item = Uuid>) -> Self {
        Self::new(&[("id", Kind::Id)], ids.into_iter().map(|id| [id.into()]))
    }

    /// A batch of one column of texts, named `text`.
    pub fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(
            &[("text", Kind::Text)],
            texts.into_iter().map(|text| [text.into()]),
        )
    }
}

impl Param {
    fn write_json(&self, out: &mut String) {
        fn json<T: Serialize>(value: &T) -> String {
            serde_json::to_string(value).unwrap_or_default()
        }
        match self {
            Self::Id(id) => out.push_str(&json(&id.map(|id| id.uuid().hyphenated().to_string()))),
            Self::Int(value) => out.push_str(&json(value)),
            Self::Text(value) => out.push_str(&json(value)),
            // SQLite's truth values are numbers, and PostgreSQL reads '1' as true.
            Self::Bool(value) => out.push_str(&json(&value.map(i64::from))),
            Self::Time(value) => out.push_str(&json(&value.map(Timestamp::micros))),
            Self::Doc(value) => out.push_str(&json(&value.as_ref().map(|Written(text)| text))),
            Self::Bytes(_) | Self::Batch(_) => out.push_str("null"),
        }
    }
}

macro_rules! into_param {
    ($($ty:ty => $variant:ident),+) => { $(
        impl From<$ty> for Param { fn from(value: $ty) -> Self { Self::$variant(Some(value)) } }
        impl From<Option<$ty>> for Param { fn from(value: Option<$ty>) -> Self { Self::$variant(value) } }
    )+ };
}
into_param!(i64 => Int, String => Text, bool => Bool, Timestamp => Time, Vec<u8> => Bytes);

impl From<Uuid> for Param {
    fn from(id: Uuid) -> Self {
        Self::Id(Some(AnyId::from_uuid(id)))
    }
}

impl From<&str> for Param {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}
impl From<Option<&str>> for Param {
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(str::to_owned))
    }
}
impl From<&Email> for Param {
    fn from(email: &Email) -> Self {
        email.as_str().into()
    }
}
impl From<Option<&Email>> for Param {
    fn from(email: Option<&Email>) -> Self {
        email.map(Email::as_str).into()
    }
}
impl From<Batch> for Param {
    fn from(batch: Batch) -> Self {
        Self::Batch(batch)
    }
}
impl Param {
    /// A JSON document of anything that serialises.
    pub fn doc(value: &impl Serialize) -> Self {
        Self::doc_or_null(Some(value))
    }

    /// A JSON document, where there is one.
    pub fn doc_or_null(value: Option<&impl Serialize>) -> Self {
        let written = |value| Written(serde_json::to_string(value).unwrap_or_default());
        Self::Doc(value.map(written))
    }
}

/// The parameters of a text statement: `params![cart.id, quantity]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { vec![$($crate::kernel::Param::from($value)),*] };
}
