//! Lifecycles: an enumeration, the table of its transitions, and the refusal of any other.

use std::fmt::Display;

use super::{Code, Error, Result};

/// A narrow lifecycle. Which step follows which is one table, and nothing else decides.
pub trait Lifecycle: Copy + PartialEq + Display + 'static {
    /// What has this lifecycle, for the refusal: "order".
    const SUBJECT: &str;
    /// Every allowed step.
    const TRANSITIONS: &[(Self, Self)];

    /// Whether this state may become `to`.
    fn allows(self, to: Self) -> bool {
        Self::TRANSITIONS.contains(&(self, to))
    }

    /// Refuses a step that the table does not have.
    fn check(self, to: Self) -> Result<()> {
        if self.allows(to) {
            return Ok(());
        }
        let detail = format!("The {} is {self} and cannot become {to}.", Self::SUBJECT);
        Err(Error::new(Code::InvalidState, detail))
    }
}
