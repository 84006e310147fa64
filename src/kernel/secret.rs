//! Texts that must not be seen: keys of providers, signing secrets.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A text that must not be seen: it prints as `***`, or as nothing where it is empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The secrets that a list separated by commas has.
    pub fn split(&self) -> Vec<Self> {
        let parts = self.0.split(',').map(str::trim);
        parts.filter(|p| !p.is_empty()).map(Self::new).collect()
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "" } else { "***" })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("whsec_1, whsec_2");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(Secret::default().to_string(), "");
        let parts = secret.split();
        assert_eq!(parts, [Secret::new("whsec_1"), Secret::new("whsec_2")]);
    }
}
