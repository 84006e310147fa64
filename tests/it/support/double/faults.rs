//! Faults by script.

use std::collections::VecDeque;

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Sleeps past the client's patience, does nothing, and closes the connection. The key stays unused.
    TimeoutBefore,
    /// Acts and keeps the answer, then sleeps before it sends it.
    TimeoutAfter,
    /// Takes the key, sleeps, then acts and answers. A second request with the key meanwhile is told 409.
    Slow,
    /// Closes the connection without having acted.
    DropBefore,
    /// Acts, and closes the connection without an answer.
    DropAfter,
    /// Answers 500 without having acted. The answer is kept for the key.
    Error500Before,
    /// Acts, and answers 500. The answer is kept for the key.
    Error500After,
    /// Answers 429 without having acted. Nothing is kept.
    RateLimited,
    /// Answers 429 `lock_timeout` without having acted. Nothing is kept.
    LockTimeout,
    /// Acts and keeps the answer, and sends 200 with a body that is not JSON.
    Garbage,
}

/// The faults that are still to come, in order.
#[derive(Default)]
pub struct Faults(VecDeque<(String, String, Fault)>);

impl Faults {
    /// Adds one for the next request whose method and path fit.
    pub fn add(&mut self, method: &str, path: &str, fault: Fault) {
        self.0.push_back((method.into(), path.into(), fault));
    }

    /// Takes the first that fits.
    pub fn take(&mut self, method: &str, path: &str) -> Option<Fault> {
        let at = self
            .0
            .iter()
            .position(|(verb, pattern, _)| verb == method && fits(pattern, path))?;
        self.0.remove(at).map(|(_, _, fault)| fault)
    }

    /// How many are still to come.
    pub fn left(&self) -> usize {
        self.0.len()
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Whether a path begins with a pattern, name by name. `*` stands for any name; a `$` at the end allows nothing behind it.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, whole) = match pattern.strip_suffix('$') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut names = path.split('/');
    let begins = pattern
        .trim_end_matches('/')
        .split('/')
        .all(|part| names.next().is_some_and(|name| part == "*" || part == name));
    begins && (!whole || names.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_fit_name_by_name() {
        assert!(fits(
            "/v1/payment_intents",
            "/v1/payment_intents/pi_1/capture"
        ));
        assert!(fits(
            "/v1/payment_intents/*/capture",
            "/v1/payment_intents/pi_1/capture"
        ));
        assert!(!fits(
            "/v1/payment_intents/*/capture",
            "/v1/payment_intents/pi_1/cancel"
        ));
        assert!(!fits("/v1/payment_intents$", "/v1/payment_intents/pi_1"));
        assert!(!fits("/v1/pay", "/v1/payment_intents"));
    }
}
