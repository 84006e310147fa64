//! Idempotency keys.

use std::collections::HashMap;

use serde_json::Value;

use super::errors::Error;
use super::params::Params;

/// What a key says about a request.
pub enum Begin {
    /// It was not used yet; it is taken now.
    Fresh,
    /// It was used for the same request: the answer from then.
    Replay(u16, Value),
}

struct Entry {
    path: String,
    params: Params,
    answer: Option<(u16, Value)>,
}

/// Every key that was used.
#[derive(Default)]
pub struct Keys(HashMap<String, Entry>);

impl Keys {
    /// Takes a key for a request, or says what became of the first one.
    pub fn begin(&mut self, key: &str, path: &str, params: &Params) -> Result<Begin, Error> {
        if key.len() > 255 {
            return Err(Error::malformed(
                "Invalid idempotency key: it may have at most 255 characters.",
            ));
        }
        let Some(entry) = self.0.get(key) else {
            let entry = Entry {
                path: path.into(),
                params: params.clone(),
                answer: None,
            };
            self.0.insert(key.into(), entry);
            return Ok(Begin::Fresh);
        };
        if entry.path != path {
            return Err(Error::idempotency(format!(
                "Keys for idempotent requests can only be used for the same endpoint they were \
                 first used for ('{path}' vs '{}'). Try using a key other than '{key}' if you \
                 meant to execute a different request.",
                entry.path
            )));
        }
        if entry.params != *params {
            return Err(Error::idempotency(format!(
                "Keys for idempotent requests can only be used with the same parameters they were \
                 first used with. Try using a key other than '{key}' if you meant to execute a \
                 different request."
            )));
        }
        match &entry.answer {
            Some((status, body)) => Ok(Begin::Replay(*status, body.clone())),
            None => Err(Error::in_progress(key)),
        }
    }

    /// Keeps the answer, or frees the key where there is none to keep.
    pub fn finish(&mut self, key: &str, answer: Option<(u16, Value)>) {
        match answer {
            None => {
                self.0.remove(key);
            }
            Some(answer) => {
                if let Some(entry) = self.0.get_mut(key) {
                    entry.answer = Some(answer);
                }
            }
        }
    }

    /// Forgets every finished key, as Stripe does after a day or more.
    pub fn prune(&mut self) {
        self.0.retain(|_, entry| entry.answer.is_none());
    }
}
