//! How money looks from outside: GraphQL types, OpenAPI schemas, columns.

use async_graphql::{InputValueError, InputValueResult, Object, Scalar, ScalarType, Value};
use serde::{Deserialize, Serialize};
use utoipa::__dev::ComposeSchema;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::{Currency, Money, Rate, Rounding, TaxPer};

/// A whole number of 64 bits, as amounts in minor units are. GraphQL's own `Int` ends at 2^31, which is 21 million euros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Minor(pub i64);

/// A whole number of 64 bits, as amounts in minor units are. `Int` ends at 2^31.
#[Scalar(
    name = "Long",
    specified_by_url = "https://scalars.graphql.org/jakobmerrild/long.html"
)]
impl ScalarType for Minor {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => number
                .as_i64()
                .map(Self)
                .ok_or_else(|| InputValueError::custom("must be a whole number of 64 bits")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// An amount of money.
#[Object]
impl Money {
    /// Minor units of the currency: cents, pence, yen.
    async fn amount(&self) -> Minor {
        Minor(self.amount)
    }

    /// ISO 4217 code.
    async fn currency(&self) -> Currency {
        self.currency
    }
}

impl ComposeSchema for Money {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        let amount = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .description(Some("Minor units of the currency: cents, pence, yen."));
        ObjectBuilder::new()
            .description(Some("An amount of money."))
            .property("amount", amount)
            .property("currency", Currency::compose(Vec::new()))
            .required("amount")
            .required("currency")
            .into()
    }
}
impl ToSchema for Money {}

impl ComposeSchema for Currency {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        crate::kernel::shape::text("^[A-Z]{3}$", 3, "EUR")
    }
}
impl ToSchema for Currency {}
crate::text_column!(Currency);
crate::graphql_text!(
    Currency,
    "Currency",
    "A currency's ISO 4217 code, as `EUR`.",
    "https://www.iso.org/iso-4217-currency-codes.html"
);

impl ComposeSchema for Rate {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        crate::kernel::shape::text(r"^\d{1,3}(\.\d{1,4})?$", 8, "19.5")
    }
}
impl ToSchema for Rate {}
crate::graphql_text!(
    Rate,
    "Percent",
    "An exact percentage of at most four decimals, as a text: `19.5`.",
    "https://www.w3.org/TR/xmlschema-2/#decimal"
);

crate::wire_choice!(Rounding { HalfUp = "half_up", HalfEven = "half_even", HalfDown = "half_down" });
crate::wire_choice!(TaxPer { Line = "line", Unit = "unit" });
