//! Mercer's own format: one JSON object a line, its `type` first among equals.
//!
//! `channel`, `taxClass`, `taxZone`, `location`, `shippingZone`, `shippingMethod`, `category` are the lines of
//! [`settings`](super::settings); `product` is a row of the bulk upsert. A line may refer to what stands above it, by handle.

use std::io::Read;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::lines::{Line, Lines, MAX_LINE};
use super::products::Products;
use super::settings::{Setting, Settings};
use super::{Report, table};
use crate::context::Cx;
use crate::domain::catalog::UpsertProduct;
use crate::kernel::{Code, Error, Result};

/// A small shop, every kind of line once.
pub const EXAMPLE: &str = include_str!("example.jsonl");

/// Everything that a line may be, for the message about one that is not.
const TYPES: &str =
    "channel, taxClass, taxZone, location, shippingZone, shippingMethod, category, product";

/// Reads `input` into the shop.
pub async fn import(cx: &Cx, input: impl Read, report: &mut Report) -> Result<()> {
    let mut settings = Settings::load(cx).await?;
    let mut products = Products::new(cx);
    let mut lines = Lines::new(input);
    while let Some((number, line)) = lines.next().map_err(table::unreadable)? {
        let text = match line {
            Line::Text(text) if text.trim().is_empty() => continue,
            Line::Text(text) => text,
            Line::NotUtf8(at) => {
                report.refuse(
                    number,
                    "",
                    &format!("Is not UTF-8 (byte {at}); save the file as UTF-8."),
                );
                continue;
            }
            Line::TooLong => {
                report.refuse(number, "", &format!("Is longer than {MAX_LINE} bytes."));
                continue;
            }
        };
        match read(text) {
            Err(problem) => report.refuse(number, &problem.0, &problem.1),
            Ok(Parsed::Product(product)) => {
                products.add(report, number, text.len(), *product).await?;
            }
            Ok(Parsed::Setting(setting)) => {
                products.flush(report).await?;
                match settings.apply(*setting).await {
                    Ok(outcome) => report.count(outcome),
                    Err(error) if error.code == Code::Unavailable => return Err(error),
                    Err(error) => report.refuse_error(number, &error, ""),
                }
            }
        }
    }
    products.flush(report).await
}

enum Parsed {
    Setting(Box<Setting>),
    Product(Box<UpsertProduct>),
}

/// Where in a line something is wrong, and what.
type Problem = (String, String);

fn read(text: &str) -> Result<Parsed, Problem> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let what = if error.is_eof() {
            "Is cut off"
        } else {
            "Is not JSON"
        };
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default();
        (
            String::new(),
            format!("{what}: {reason} (column {}).", error.column()),
        )
    })?;
    let Value::Object(mut fields) = value else {
        return Err((String::new(), "Is no JSON object.".to_owned()));
    };
    let kind = match fields.remove("type") {
        Some(Value::String(kind)) => kind,
        Some(_) => {
            return Err((
                "/type".to_owned(),
                format!("Must be a text, one of: {TYPES}."),
            ));
        }
        None => {
            return Err((
                "/type".to_owned(),
                format!("Is missing; it is one of: {TYPES}."),
            ));
        }
    };
    let value = Value::Object(fields);
    Ok(match kind.as_str() {
        "product" => Parsed::Product(Box::new(fields_of(value)?)),
        "category" => Parsed::Setting(Box::new(Setting::Category(fields_of(value)?))),
        "channel" => Parsed::Setting(Box::new(Setting::Channel(fields_of(value)?))),
        "taxClass" => Parsed::Setting(Box::new(Setting::TaxClass(fields_of(value)?))),
        "taxZone" => Parsed::Setting(Box::new(Setting::TaxZone(fields_of(value)?))),
        "location" => Parsed::Setting(Box::new(Setting::Location(fields_of(value)?))),
        "shippingZone" => Parsed::Setting(Box::new(Setting::ShippingZone(fields_of(value)?))),
        "shippingMethod" => Parsed::Setting(Box::new(Setting::ShippingMethod(fields_of(value)?))),
        _ => {
            return Err((
                "/type".to_owned(),
                format!("There is no type {kind:?}; there are: {TYPES}."),
            ));
        }
    })
}

fn fields_of<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        use serde_path_to_error::Segment;
        let mut pointer = String::new();
        for segment in error.path() {
            match segment {
                Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
                Segment::Map { key } | Segment::Enum { variant: key } => {
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                }
                Segment::Unknown => {}
            }
        }
        let message = error.into_inner().to_string();
        (pointer, format!("{message}."))
    })
}

impl From<Problem> for Error {
    fn from((pointer, message): Problem) -> Self {
        Self::invalid(pointer, "invalid", message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        match read(text) {
            Ok(_) => "fine".to_owned(),
            Err((pointer, message)) => format!("{pointer}: {message}"),
        }
    }

    #[test]
    fn a_line_says_what_it_is() {
        assert_eq!(
            problem(r#"{"type":"taxClass","handle":"food","name":"Food"}"#),
            "fine"
        );
        assert_eq!(
            problem(r#"{"handle":"mug","variants":[],"type":"product"}"#),
            "fine"
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let cases = [
            ("[1]", ": Is no JSON object."),
            (
                "{\"type\":\"pro",
                ": Is cut off: EOF while parsing a string (column 12).",
            ),
            ("{type}", ": Is not JSON: key must be a string (column 2)."),
            (r#"{"handle":"mug"}"#, "/type: Is missing"),
            (r#"{"type":"order"}"#, "/type: There is no type \"order\""),
            (r#"{"type":7}"#, "/type: Must be a text"),
            (
                r#"{"type":"taxClass","handle":"a","name":"A","rate":1}"#,
                "/rate: unknown field `rate`",
            ),
            (
                r#"{"type":"product","handle":"a","variants":[{"sku":7}]}"#,
                "/variants/0/sku: invalid type: integer",
            ),
            (
                r#"{"type":"product","handle":"a","variants":[{"sku":"a","weightGrams":1.5}]}"#,
                "/variants/0/weightGrams: ",
            ),
            (
                r#"{"type":"product","handle":"a"}"#,
                ": missing field `variants`.",
            ),
        ];
        for (text, wanted) in cases {
            let got = problem(text);
            assert!(got.starts_with(wanted), "{text}: {got}");
        }
    }

    #[test]
    fn json_that_is_nested_too_deeply_is_refused() {
        let text = format!(
            "{{\"type\":\"product\",\"metadata\":{}",
            "[".repeat(100_000)
        );
        assert!(problem(&text).contains("recursion limit"));
    }
}
