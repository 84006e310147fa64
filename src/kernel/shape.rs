//! How small values look from outside: OpenAPI schemas, GraphQL scalars, and the form of common texts.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

/// The OpenAPI schema of a text with a form, of at most so many characters.
pub fn text(pattern: &str, max_length: usize, example: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .max_length(Some(max_length))
        .examples([example])
        .into()
}

/// The most characters of an instant: nanoseconds and an offset.
pub const DATE_TIME_LENGTH: usize = 35;

/// The OpenAPI schema of an instant.
pub fn date_time() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .max_length(Some(DATE_TIME_LENGTH))
        .examples(["2026-03-01T09:30:00.000000Z"])
        .into()
}

/// The countries of ISO 3166-1: 249 alpha-2 codes, sorted.
const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ \
    BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM \
    DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS \
    GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN \
    KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ \
    MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM \
    PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV \
    SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI \
    VN VU WF WS YE YT ZA ZM ZW";

/// Whether `text` is an ISO 3166-1 alpha-2 country code.
pub fn is_country(text: &str) -> bool {
    text.len() == 2 && COUNTRIES.split(' ').any(|country| country == text)
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
    ($name:ident, $scalar:literal, $description:literal, $specified_by:literal) => {
        #[doc = $description]
        #[async_graphql::Scalar(name = $scalar, specified_by_url = $specified_by)]
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
    ($name:ident, "String") => {
        $crate::graphql_text!(@io $name, "String", |r: &mut async_graphql::registry::Registry| {
            <String as async_graphql::InputType>::create_type_info(r)
        });
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
    fn countries() {
        assert_eq!(COUNTRIES.split(' ').count(), 249);
        assert!(is_country("DE") && is_country("AD") && is_country("ZW"));
        for bad in ["", "D", "de", "XX", "UK", "D ", " D", "DEU"] {
            assert!(!is_country(bad), "{bad}");
        }
    }

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
