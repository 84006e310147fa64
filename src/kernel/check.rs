//! Collects everything that is wrong with an input, so that a caller sees all of it at once.

use super::{Code, Email, Error, FieldError, Result};

/// A list of complaints; [`Checks::done`] turns it into one error.
#[derive(Debug, Default)]
pub struct Checks {
    fields: Vec<FieldError>,
}

impl Checks {
    /// Nothing wrong so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Complains about `pointer` unless `holds`.
    pub fn that(
        &mut self,
        holds: bool,
        pointer: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) -> &mut Self {
        if !holds {
            self.fields.push(FieldError::new(pointer, code, message));
        }
        self
    }

    /// Text that is not blank and has at most `max` characters.
    pub fn text(&mut self, pointer: impl Into<String>, text: &str, max: usize) -> &mut Self {
        let pointer = pointer.into();
        let length = text.chars().count();
        self.that(
            !text.trim().is_empty(),
            pointer.clone(),
            "blank",
            "Must not be blank.",
        )
        .that(
            length <= max,
            pointer,
            "too_long",
            format!("Has {length} characters; at most {max} are allowed."),
        )
    }

    /// A handle: lower-case letters, digits and inner hyphens, as it stands in a URL.
    pub fn handle(&mut self, pointer: impl Into<String>, handle: &str) -> &mut Self {
        let good = !handle.is_empty()
            && handle.len() <= 100
            && !handle.starts_with('-')
            && !handle.ends_with('-')
            && handle
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        self.that(
            good,
            pointer,
            "invalid_handle",
            "A handle has 1 to 100 lower-case letters, digits and inner hyphens.",
        )
    }

    /// A whole number from `low` to `high`.
    pub fn range(
        &mut self,
        pointer: impl Into<String>,
        value: i64,
        low: i64,
        high: i64,
    ) -> &mut Self {
        self.that(
            (low..=high).contains(&value),
            pointer,
            "out_of_range",
            format!("Must be from {low} to {high}, not {value}."),
        )
    }

    /// A list of at least one and at most `max` elements.
    pub fn count(&mut self, pointer: impl Into<String>, length: usize, max: usize) -> &mut Self {
        self.that(
            (1..=max).contains(&length),
            pointer,
            "wrong_count",
            format!("Must have 1 to {max} elements, not {length}."),
        )
    }

    /// An e-mail address, where there is one.
    pub fn email<'a>(
        &mut self,
        pointer: impl Into<String>,
        email: impl Into<Option<&'a Email>>,
    ) -> &mut Self {
        self.that(
            email
                .into()
                .is_none_or(|email| super::shape::is_email(email)),
            pointer,
            "invalid_email",
            "Must be an e-mail address.",
        )
    }

    /// A country: two upper-case letters of ISO 3166-1.
    pub fn country(&mut self, pointer: impl Into<String>, country: &str) -> &mut Self {
        self.that(
            super::shape::is_country(country),
            pointer,
            "invalid_country",
            "Must be an ISO 3166-1 alpha-2 code, as DE.",
        )
    }

    /// Fine, or one error with every complaint.
    pub fn done(&mut self) -> Result<()> {
        match self.fields.len() {
            0 => Ok(()),
            1 => Err(self.error(self.fields[0].message.clone())),
            n => Err(self.error(format!("{n} fields are not allowed as they are."))),
        }
    }

    fn error(&mut self, detail: String) -> Error {
        Error::new(Code::ValidationFailed, detail).with(std::mem::take(&mut self.fields))
    }
}
