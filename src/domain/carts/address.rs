//! Postal addresses.

use async_graphql::{InputObject, SimpleObject};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kernel::Checks;
use crate::ports::address::{AddressValidator, PostalAddress};

/// A postal address. What is missing is empty, so that all that is wrong with one is told at once.
#[derive(
    Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, SimpleObject, InputObject,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[graphql(input_name = "AddressInput")]
pub struct Address {
    /// Who receives.
    #[serde(default)]
    #[schema(required = true)]
    pub name: String,
    /// Their company.
    pub company: Option<String>,
    /// Street and number.
    #[serde(default)]
    #[schema(required = true)]
    pub line1: String,
    /// What else it takes to find the door.
    pub line2: Option<String>,
    /// Postcode, where the country has them; kept as it is usually written there.
    pub postcode: Option<String>,
    /// City.
    #[serde(default)]
    #[schema(required = true)]
    pub city: String,
    /// Region or state, where it matters, as ISO 3166-2: `US-NY`. `NY`, `us-ny` and `New York` become that.
    pub region: Option<String>,
    /// Country (ISO 3166-1 alpha-2); lower case becomes upper case.
    #[serde(default)]
    #[schema(required = true)]
    pub country: String,
    /// Phone number (E.164).
    pub phone: Option<String>,
}

impl Address {
    /// The address as it is usually written, so that who compares it need not know how else it is.
    #[must_use]
    pub fn normal(self, validator: &dyn AddressValidator) -> Self {
        let usual = validator.examine(&PostalAddress::from(&self)).address;
        Self {
            name: usual.name,
            company: usual.company,
            line1: usual.line1,
            line2: usual.line2,
            postcode: usual.postcode,
            city: usual.city,
            region: usual.region,
            country: usual.country,
            phone: self.phone,
        }
    }

    /// Complains about an address that no parcel would reach.
    pub fn check(&self, checks: &mut Checks, at: &str) {
        let optional = |checks: &mut Checks, field: &str, text: &Option<String>, max: usize| {
            if let Some(text) = text {
                checks.text(format!("{at}/{field}"), text, max);
            }
        };
        checks
            .text(format!("{at}/name"), &self.name, 200)
            .text(format!("{at}/line1"), &self.line1, 200)
            .text(format!("{at}/city"), &self.city, 100)
            .country(format!("{at}/country"), &self.country);
        optional(checks, "company", &self.company, 200);
        optional(checks, "line2", &self.line2, 200);
        optional(checks, "postcode", &self.postcode, 20);
        optional(checks, "region", &self.region, 100);
        let phone = self.phone.as_deref().unwrap_or("+4930123456");
        let digits = phone.strip_prefix('+').unwrap_or_default();
        checks.that(
            (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()),
            format!("{at}/phone"),
            "invalid_phone",
            "Must be E.164, as +4930123456.",
        );
    }
}
