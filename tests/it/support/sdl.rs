//! The GraphQL schema, as its definition language has it.

use std::collections::BTreeMap;

use async_graphql::parser::types::{
    BaseType, InputValueDefinition, Type, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Positioned, parser};

/// The types of a schema, by name.
#[derive(Default)]
pub struct Sdl {
    pub types: BTreeMap<String, Kind>,
    /// The values of each enumeration.
    pub enums: BTreeMap<String, Vec<String>>,
}

/// What a type is.
pub enum Kind {
    Scalar,
    Enum,
    Object(BTreeMap<String, Field>),
    Input(BTreeMap<String, Ty>),
    Union(Vec<String>),
}

/// A field of an object.
pub struct Field {
    pub args: BTreeMap<String, Ty>,
    pub ty: Ty,
}

/// A use of a type.
#[derive(Clone, Debug)]
pub struct Ty {
    /// As it is written: `[Channel!]!`.
    pub text: String,
    /// The type without lists and marks.
    pub base: String,
    /// It must be given: not null, and without a default.
    pub is_required: bool,
}

impl Sdl {
    /// Reads a schema.
    pub fn parse(text: &str) -> Self {
        let mut sdl = Self::default();
        for name in ["ID", "Int", "String", "Boolean", "Float"] {
            sdl.types.insert(name.to_owned(), Kind::Scalar);
        }
        for definition in parser::parse_schema(text).unwrap().definitions {
            let TypeSystemDefinition::Type(definition) = definition else {
                continue;
            };
            let kind = match definition.node.kind {
                TypeKind::Scalar => Kind::Scalar,
                TypeKind::Enum(it) => {
                    let values = it.values.iter().map(|v| v.node.value.to_string());
                    sdl.enums
                        .insert(definition.node.name.to_string(), values.collect());
                    Kind::Enum
                }
                TypeKind::Union(it) => {
                    Kind::Union(it.members.iter().map(ToString::to_string).collect())
                }
                TypeKind::InputObject(it) => Kind::Input(inputs(&it.fields)),
                TypeKind::Object(it) => Kind::Object(fields(&it.fields)),
                TypeKind::Interface(it) => Kind::Object(fields(&it.fields)),
            };
            sdl.types.insert(definition.node.name.to_string(), kind);
        }
        sdl
    }

    /// The fields of an object, nothing where the type is none.
    pub fn object(&self, name: &str) -> Option<&BTreeMap<String, Field>> {
        match self.types.get(name)? {
            Kind::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// The fields of an input object.
    pub fn input(&self, name: &str) -> Option<&BTreeMap<String, Ty>> {
        match self.types.get(name)? {
            Kind::Input(fields) => Some(fields),
            _ => None,
        }
    }

    /// Whether a field of this type takes no selection.
    pub fn is_leaf(&self, name: &str) -> bool {
        matches!(self.types[name], Kind::Scalar | Kind::Enum)
    }
}

fn fields(
    list: &[Positioned<async_graphql::parser::types::FieldDefinition>],
) -> BTreeMap<String, Field> {
    let field = |field: &Positioned<async_graphql::parser::types::FieldDefinition>| {
        let node = &field.node;
        (
            node.name.to_string(),
            Field {
                args: inputs(&node.arguments),
                ty: ty(&node.ty.node, false),
            },
        )
    };
    list.iter().map(field).collect()
}

fn inputs(list: &[Positioned<InputValueDefinition>]) -> BTreeMap<String, Ty> {
    let input = |input: &Positioned<InputValueDefinition>| {
        let node = &input.node;
        (
            node.name.to_string(),
            ty(&node.ty.node, node.default_value.is_some()),
        )
    };
    list.iter().map(input).collect()
}

fn ty(ty: &Type, has_default: bool) -> Ty {
    let mut base = &ty.base;
    while let BaseType::List(inner) = base {
        base = &inner.base;
    }
    let BaseType::Named(name) = base else {
        unreachable!()
    };
    Ty {
        text: ty.to_string(),
        base: name.to_string(),
        is_required: !ty.nullable && !has_default,
    }
}
