//! E-mail addresses in their one spelling.
//!
//! What must always hold: two spellings of one mailbox are equal. Letters are kept in lower case, as mail providers read them
//! (RFC 5321 lets a host tell `Ada@` from `ada@`; those that people use do not), so that who compares, limits or finds by an
//! address need not know how else it was written.
//!
//! What it does not do: know that a mailbox exists, or which addresses a provider delivers to the same one (`a.b`, `a+b`).

use std::convert::Infallible;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use icu_normalizer::ComposingNormalizerBorrowed;
use serde::{Deserialize, Serialize};
use utoipa::__dev::ComposeSchema;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// The form of an address as a regular expression; [`super::shape::is_email`] knows it better.
const FORM: &str = r#"^[^\s@<>(),;:\\"\[\]]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"#;

/// An e-mail address in lower case. Whether it has the form of one says [`super::shape::is_email`].
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    diesel::expression::AsExpression,
    diesel::deserialize::FromSqlRow,
)]
#[diesel(sql_type = diesel::sql_types::Text)]
#[serde(from = "String")]
pub struct Email(String);

impl Email {
    /// The address as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Email {
    fn from(text: &str) -> Self {
        const NFC: ComposingNormalizerBorrowed<'_> = ComposingNormalizerBorrowed::new_nfc();
        Self(NFC.normalize(&text.to_lowercase()).into_owned())
    }
}

impl From<String> for Email {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

impl FromStr for Email {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl Deref for Email {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl ComposeSchema for Email {
    fn compose(_: Vec<RefOr<Schema>>) -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("An e-mail address; it is kept in lower case."))
            .pattern(Some(FORM))
            .max_length(Some(254))
            .examples(["anna@example.com"])
            .into()
    }
}
impl ToSchema for Email {}
crate::text_column!(Email);
crate::graphql_text!(Email, "String");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_mailbox_are_equal() {
        let email = |text: &str| -> Email { text.parse().unwrap() };
        assert_eq!(email("Ada@Example.COM"), email("ada@example.com"));
        assert_eq!(email("ÜNAL@example.com").as_str(), "ünal@example.com");
        assert_eq!(
            email("jo\u{308}rg@example.com"),
            email("J\u{d6}RG@example.com")
        );
        assert_ne!(email("ada@example.com"), email("a.da@example.com"));
        let read: Email = serde_json::from_str(r#""ADA@EXAMPLE.COM""#).unwrap();
        assert_eq!(
            serde_json::to_string(&read).unwrap(),
            r#""ada@example.com""#
        );
    }
}
