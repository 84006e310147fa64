//! Objects that are kept as the JSON they are answered with.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::registry::{MetaTypeName, Registry};
use async_graphql::{ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Error, Result};

/// A `T` that is kept as JSON: REST hands it on as it stands, and GraphQL picks from it what was asked for.
#[derive(Clone, Debug)]
pub struct Rendered<T> {
    json: String,
    version: Option<i64>,
    of: PhantomData<fn() -> T>,
}

impl<T> Rendered<T> {
    /// A text that was written by [`Rendered::of`], and the object's version.
    pub fn kept(json: String, version: i64) -> Self {
        Self {
            json,
            version: Some(version),
            of: PhantomData,
        }
    }

    /// The object's version, where it has one.
    pub fn version(&self) -> Option<i64> {
        self.version
    }

    /// The text.
    pub fn json(&self) -> &str {
        &self.json
    }
}

impl<T: Serialize> Rendered<T> {
    /// Writes an object.
    pub fn of(value: &T, version: Option<i64>) -> Result<Self> {
        Ok(Self {
            json: serde_json::to_string(value).map_err(Error::internal)?,
            version,
            of: PhantomData,
        })
    }
}

impl<T: DeserializeOwned> Rendered<T> {
    /// Reads the object.
    pub fn read(&self) -> Result<T> {
        serde_json::from_str(&self.json).map_err(Error::internal)
    }
}

impl<T> Serialize for Rendered<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.json).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Rendered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self {
            json: String::from(Box::<str>::from(raw)),
            version: None,
            of: PhantomData,
        })
    }
}

impl<T: OutputType + DeserializeOwned> OutputType for Rendered<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    /// Both doors answer the same JSON, so what was asked for is picked from the text, without making the object.
    /// What the text does not have (a relation), and what is asked for in an unusual way, makes the object itself answer.
    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let pick = Pick {
            selection: &ctx.item.node,
            type_name: &T::type_name(),
            registry: &ctx.schema_env.registry,
        };
        let mut text = serde_json::Deserializer::from_str(&self.json);
        if is_plain(pick.selection)
            && let Ok(value) = pick.deserialize(&mut text)
        {
            return Ok(value);
        }
        let value = self
            .read()
            .map_err(|error| async_graphql::ServerError::new(error.detail, Some(field.pos)))?;
        value.resolve(ctx, field).await
    }
}

fn fields(selection: &SelectionSet) -> impl Iterator<Item = &Field> {
    selection.items.iter().filter_map(|item| match &item.node {
        Selection::Field(field) => Some(&field.node),
        _ => None,
    })
}

/// Whether a selection is of fields alone, each once and without arguments.
fn is_plain(selection: &SelectionSet) -> bool {
    fields(selection).count() == selection.items.len()
        && fields(selection).enumerate().all(|(i, field)| {
            let mut earlier = fields(selection).take(i);
            field.arguments.is_empty()
                && field.directives.is_empty()
                && is_plain(&field.selection_set.node)
                && !earlier.any(|earlier| earlier.name.node == field.name.node)
        })
}

/// Reads from JSON what a plain selection asks for.
#[derive(Clone, Copy)]
struct Pick<'a> {
    selection: &'a SelectionSet,
    type_name: &'a str,
    registry: &'a Registry,
}

impl<'a> Pick<'a> {
    fn of(self, field: &'a Field) -> Option<Self> {
        let selection = &field.selection_set.node;
        let type_name = if selection.items.is_empty() {
            ""
        } else {
            let owner = self.registry.types.get(self.type_name)?;
            MetaTypeName::concrete_typename(&owner.field_by_name(&field.name.node)?.ty)
        };
        Some(Self {
            selection,
            type_name,
            registry: self.registry,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Pick<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.selection.items.is_empty() {
            Value::deserialize(deserializer)
        } else {
            deserializer.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Pick<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("objects, where fields are asked for")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        // In the order of the question, as the specification wants.
        let mut object: IndexMap<Name, Option<Value>> = fields(self.selection)
            .map(|field| {
                let own = field.name.node == "__typename";
                let name = own.then(|| Value::from(self.type_name));
                (field.response_key().node.clone(), name)
            })
            .collect();
        while let Some(name) = entries.next_key::<&str>()? {
            let asked = fields(self.selection).find(|field| field.name.node == name);
            let Some(field) = asked else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            let pick = self.of(field).ok_or_else(|| A::Error::custom("unknown"))?;
            let value = entries.next_value_seed(pick)?;
            object.insert(field.response_key().node.clone(), Some(value));
        }
        let found = object.into_iter().map(|(key, value)| {
            let value = value.ok_or_else(|| A::Error::custom("not in the text"))?;
            Ok((key, value))
        });
        Ok(Value::Object(found.collect::<Result<_, A::Error>>()?))
    }
}
