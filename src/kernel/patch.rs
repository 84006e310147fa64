//! A field of a partial update, which tells "leave it" from "empty it".

use super::{Code, Error, Result};

/// Absent (leave it), null (empty it) or a value. In a struct it goes with
/// `#[serde(default, skip_serializing_if = "Patch::is_undefined")]`.
pub type Patch<T> = async_graphql::MaybeUndefined<T>;

/// The new value of a field that may be empty.
pub fn optional<T>(patch: &Patch<T>, current: Option<T>) -> Option<T>
where
    T: Clone,
{
    match patch {
        Patch::Undefined => current,
        Patch::Null => None,
        Patch::Value(value) => Some(value.clone()),
    }
}

/// The new value of a field that may not be empty.
pub fn required<T: Clone>(patch: &Patch<T>, current: T, pointer: &str) -> Result<T> {
    match patch {
        Patch::Undefined => Ok(current),
        Patch::Null => Err(Error::field(
            Code::ValidationFailed,
            pointer,
            "null",
            "May be left out, but may not be null.",
        )),
        Patch::Value(value) => Ok(value.clone()),
    }
}
