//! How small values look from outside: OpenAPI schemas, GraphQL scalars, and the form of common texts.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

/// The OpenAPI schema of a text with a form.
pub fn text(pattern: Option<&str>, example: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(pattern)
        .examples([example])
        .into()
}

/// The OpenAPI schema of an instant.
pub fn date_time() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .examples(["2026-03-01T09:30:00.000000Z"])
        .into()
}

/// Whether `text` has the form of an ISO 3166-1 alpha-2 country code.
pub fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())
}

/// Whether `text` has the form of an e-mail address that mail servers accept: one `@`, a dotted domain, no spaces or
/// control characters, at most 254 bytes (RFC 5321).
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.len() <= 254
        && (1..=64).contains(&local.len())
        && !local.contains('@')
        && local
            .chars()
            .all(|c| !c.is_whitespace() && !c.is_control() && !"<>(),;:\\\"[]".contains(c))
        && domain.contains('.')
        && domain.split('.').all(label)
}

/// Gives a type that is a text (`Display` and `FromStr`) its place in GraphQL: as the scalar `ID`, or as one of its own.
#[macro_export]
macro_rules! graphql_text {
    ($name:ident, "ID") => {
        $crate::graphql_text!(@io $name, "ID", |r: &mut async_graphql::registry::Registry| {
            <async_graphql::ID as async_graphql::InputType>::create_type_info(r)
        });
    };
    ($name:ident, $scalar:literal, $description:literal) => {
        #[async_graphql::Scalar(name = $scalar)]
        impl async_graphql::ScalarType for $name {
            fn parse(value: async_graphql::Value) -> async_graphql::InputValueResult<Self> {
                match value {
                    async_graphql::Value::String(text) => text.parse().map_err(|e| async_graphql::InputValueError::custom(e)),
                    other => Err(async_graphql::InputValueError::expected_type(other)),
                }
            }
            fn to_value(&self) -> async_graphql::Value { async_graphql::Value::String(self.to_string()) }
        }
    };
    (@io $name:ident, $scalar:literal, $info:expr) => {
        impl async_graphql::InputType for $name {
            type RawValueType = Self;
            fn type_name() -> std::borrow::Cow<'static, str> { $scalar.into() }
            fn create_type_info(r: &mut async_graphql::registry::Registry) -> String { ($info)(r) }
            fn parse(value: Option<async_graphql::Value>) -> async_graphql::InputValueResult<Self> {
                match value.unwrap_or_default() {
                    async_graphql::Value::String(text) => text.parse().map_err(async_graphql::InputValueError::custom),
                    other => Err(async_graphql::InputValueError::expected_type(other)),
                }
            }
            fn to_value(&self) -> async_graphql::Value { async_graphql::Value::String(self.to_string()) }
            fn as_raw_value(&self) -> Option<&Self> { Some(self) }
        }
        impl async_graphql::OutputType for $name {
            fn type_name() -> std::borrow::Cow<'static, str> { $scalar.into() }
            fn create_type_info(r: &mut async_graphql::registry::Registry) -> String { ($info)(r) }
            async fn resolve(
                &self,
                _: &async_graphql::ContextSelectionSet<'_>,
                _: &async_graphql::Positioned<async_graphql::parser::types::Field>,
            ) -> async_graphql::ServerResult<async_graphql::Value> {
                Ok(async_graphql::Value::String(self.to_string()))
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_mail_addresses() {
        for good in ["a@b.co", "anna.m+shop@mail.example.org", "ünal@example.com"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "", "a", "a@b", "@b.co", "a b@c.de", "a@b..co", "a@-b.co", "a@b@c.de", "a@b.co\n",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
