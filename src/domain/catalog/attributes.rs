//! Attributes: named facts of a product, each a text, a whole number or a truth value.

use serde_json::Value;

use crate::kernel::{Checks, Document};

/// The most attributes a product may have.
const MAX: usize = 100;

/// Complains about attributes that are none.
pub fn check(checks: &mut Checks, at: &str, attributes: &Document) {
    let count = attributes.0.len();
    checks.that(
        count <= MAX,
        at,
        "too_many",
        format!("At most {MAX} attributes, not {count}."),
    );
    for (name, value) in &attributes.0 {
        let plain = match value {
            Value::String(text) => text.chars().count() <= 500,
            Value::Number(number) => number.is_i64(),
            Value::Bool(_) => true,
            _ => false,
        };
        let named =
            !name.is_empty() && name.len() <= 64 && !name.contains(':') && !name.contains('"');
        checks
            .that(
                plain,
                format!("{at}/{name}"),
                "invalid_attribute",
                "An attribute is a text of at most 500 characters, a whole number, or true or false.",
            )
            .that(
                named,
                format!("{at}/{name}"),
                "invalid_name",
                "An attribute's name has 1 to 64 bytes, without colons and quotation marks.",
            );
    }
}
