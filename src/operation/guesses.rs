//! Slows down who tries codes out: after so many wrong ones of a kind within a quarter of an hour a key is refused, by each
//! process for itself. Requests that are on their way together are all answered. Who may see all codes need not guess, and is
//! not counted.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::auth::Scope;
use crate::context::Cx;
use crate::kernel::{Code, Error, Result, Timestamp};

const WINDOW: Duration = Duration::from_mins(15);

/// How many codes of a kind may be wrong.
pub struct Limit {
    /// What they are codes of.
    pub kind: &'static str,
    /// How many, of a key.
    pub most: usize,
    /// The scope with which all of them can be seen.
    pub exempt: Scope,
}

/// When each key was wrong about codes of each kind.
#[derive(Default)]
pub struct Guesses(Mutex<HashMap<(&'static str, String), Vec<Timestamp>>>);

impl Guesses {
    /// Refuses a key that was wrong too often.
    pub fn check(&self, cx: &Cx, limit: &Limit) -> Result<()> {
        if cx.actor.has(limit.exempt) {
            return Ok(());
        }
        let since = cx.app.clock.now().minus(WINDOW);
        let wrong = self.0.lock().map_err(|_| Error::internal("poisoned"))?;
        let count = wrong
            .get(&(limit.kind, cx.actor.name()))
            .map_or(0, |times| times.iter().filter(|at| **at > since).count());
        if count < limit.most {
            return Ok(());
        }
        let detail = "Too many wrong codes; try again in a quarter of an hour.";
        Err(Error::new(Code::TooManyAttempts, detail))
    }

    /// Remembers so many wrong codes.
    pub fn wrong(&self, cx: &Cx, limit: &Limit, codes: usize) -> Result<()> {
        if codes == 0 || cx.actor.has(limit.exempt) {
            return Ok(());
        }
        let now = cx.app.clock.now();
        let since = now.minus(WINDOW);
        let mut wrong = self.0.lock().map_err(|_| Error::internal("poisoned"))?;
        let times = wrong.entry((limit.kind, cx.actor.name())).or_default();
        times.retain(|at| *at > since);
        times.extend(std::iter::repeat_n(now, codes));
        Ok(())
    }
}
