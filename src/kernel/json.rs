//! Typed JSON in a column, and free JSON on the wire.

use std::borrow::Cow;
use std::ops::Deref;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sqlite::{Sqlite, SqliteValue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema};

use super::column::Doc;
use super::{Error, Patch, Rendered, patch};

/// A value that a column keeps as JSON (jsonb or TEXT) and that looks like itself everywhere else.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, AsExpression, FromSqlRow,
)]
#[diesel(sql_type = Doc)]
#[serde(transparent)]
pub struct Json<T>(pub T);

impl<T> Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Serialize + std::fmt::Debug> ToSql<Doc, Pg> for Json<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        std::io::Write::write_all(out, &[1])?; // the version of jsonb's wire format
        serde_json::to_writer(out, &self.0)?;
        Ok(IsNull::No)
    }
}
impl<T: DeserializeOwned> FromSql<Doc, Pg> for Json<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(serde_json::from_slice(
            value.as_bytes().get(1..).unwrap_or_default(),
        )?))
    }
}
impl<T: Serialize + std::fmt::Debug> ToSql<Doc, Sqlite> for Json<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(serde_json::to_string(&self.0)?);
        Ok(IsNull::No)
    }
}
impl<T: DeserializeOwned> FromSql<Doc, Sqlite> for Json<T> {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(serde_json::from_str(value.read_text())?))
    }
}

/// JSON that is written already, on its way into a column.
#[derive(Clone, Debug, AsExpression)]
#[diesel(sql_type = Doc)]
pub struct Written(pub String);

impl ToSql<Doc, Pg> for Written {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        std::io::Write::write_all(out, &[1])?;
        std::io::Write::write_all(out, self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}
impl ToSql<Doc, Sqlite> for Written {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_str());
        Ok(IsNull::No)
    }
}

impl<T: OutputType> OutputType for Json<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        self.0.resolve(ctx, field).await
    }
}

macro_rules! schema_of_its_content {
    ($($wrapper:ident),+) => { $(
        impl<T: utoipa::__dev::ComposeSchema> utoipa::__dev::ComposeSchema for $wrapper<T> {
            fn compose(generics: Vec<RefOr<Schema>>) -> RefOr<Schema> {
                generics
                    .into_iter()
                    .next()
                    .unwrap_or_else(|| T::compose(Vec::new()))
            }
        }
        impl<T: utoipa::ToSchema + utoipa::__dev::ComposeSchema> utoipa::ToSchema for $wrapper<T> {
            fn name() -> Cow<'static, str> {
                T::name()
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                T::schemas(schemas);
            }
        }
    )+ };
}
schema_of_its_content!(Json, Rendered);

/// A free JSON object, as `metadata` is one: keys in order, values as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document(pub serde_json::Map<String, serde_json::Value>);

/// A free JSON object.
#[async_graphql::Scalar(
    name = "JSON",
    specified_by_url = "https://datatracker.ietf.org/doc/html/rfc8259"
)]
impl async_graphql::ScalarType for Document {
    fn parse(value: Value) -> async_graphql::InputValueResult<Self> {
        match value.into_json()? {
            serde_json::Value::Object(map) => Ok(Self(map)),
            _ => Err(async_graphql::InputValueError::custom(
                "must be a JSON object",
            )),
        }
    }

    fn to_value(&self) -> Value {
        Value::from_json(serde_json::Value::Object(self.0.clone())).unwrap_or_default()
    }
}

/// The free data of an object, as one column keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Document")]
pub struct Metadata {
    /// What shop fronts see.
    pub public: Document,
    /// What they do not.
    pub private: Document,
}

/// What was written before there were two kinds is what shop fronts see.
impl From<Document> for Metadata {
    fn from(mut written: Document) -> Self {
        use serde_json::Value::Object;
        let kinds = (written.0.get("public"), written.0.get("private"));
        if written.0.len() != 2 || !matches!(kinds, (Some(Object(_)), Some(Object(_)))) {
            return Self {
                public: written,
                private: Document::default(),
            };
        }
        let mut take = |kind: &str| match written.0.remove(kind) {
            Some(Object(map)) => Document(map),
            _ => Document::default(),
        };
        Self {
            public: take("public"),
            private: take("private"),
        }
    }
}

impl Metadata {
    /// That of a new object.
    pub fn new(public: Option<&Document>, private: Option<&Document>) -> Json<Self> {
        Json(Self {
            public: public.cloned().unwrap_or_default(),
            private: private.cloned().unwrap_or_default(),
        })
    }

    /// The same with either replaced where something is said.
    pub fn patched(
        &self,
        public: &Patch<Document>,
        private: &Patch<Document>,
    ) -> Result<Json<Self>, Error> {
        let (old, new) = (self.clone(), patch::required);
        Ok(Json(Self {
            public: new(public, old.public, "/metadata")?,
            private: new(private, old.private, "/privateMetadata")?,
        }))
    }
}

impl utoipa::__dev::ComposeSchema for Document {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        ObjectBuilder::new()
            .description(Some("A free JSON object."))
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .into()
    }
}
impl utoipa::ToSchema for Document {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_data_of_before_there_were_two_kinds_is_public() {
        let read = |text: &str| -> Metadata { serde_json::from_str(text).unwrap() };
        let both = read(r#"{"public":{"a":1},"private":{"b":2}}"#);
        assert_eq!(
            (both.public.0["a"].as_i64(), both.private.0["b"].as_i64()),
            (Some(1), Some(2))
        );
        assert_eq!(
            serde_json::to_string(&both).unwrap(),
            r#"{"public":{"a":1},"private":{"b":2}}"#
        );
        for old in [
            "{}",
            r#"{"a":1}"#,
            r#"{"public":{}}"#,
            r#"{"public":1,"private":{}}"#,
            r#"{"public":{},"private":{},"c":1}"#,
        ] {
            let read = read(old);
            assert_eq!(read.public, serde_json::from_str(old).unwrap());
            assert_eq!(read.private, Document::default());
        }
    }
}
