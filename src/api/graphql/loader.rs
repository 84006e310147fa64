//! Batches the look-ups of one request: however many objects ask, there is one statement for each kind of thing.
//!
//! A loader lives as long as its request. (One that is shared by requests was twenty times slower, and would have to know
//! who may see what.) Whoever asks puts a key down. The first to do so waits until no more keys come, because everybody
//! else is waiting too, and then fetches all of them together.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::oneshot;

use crate::context::Cx;
use crate::kernel::{Error, Result};

/// How many things of a kind are fetched, for any number of keys in one go.
pub trait Fetch: Copy + Eq + Hash + Send + Sync + 'static {
    /// What belongs to a key.
    type Value: Clone + Send + 'static;

    /// Fetches what belongs to these keys; a key without anything is left out.
    fn fetch(
        cx: &Cx,
        keys: Vec<Self>,
    ) -> impl Future<Output = Result<HashMap<Self, Self::Value>>> + Send;
}

/// The look-ups of one kind in one request.
pub struct Loader<K: Fetch> {
    state: Mutex<State<K>>,
}

struct State<K: Fetch> {
    known: HashMap<K, Option<K::Value>>,
    waiting: Vec<Waiting<K>>,
}

struct Waiting<K: Fetch> {
    key: K,
    answer: oneshot::Sender<Result<Option<K::Value>, String>>,
}

impl<K: Fetch> Default for Loader<K> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                known: HashMap::new(),
                waiting: Vec::new(),
            }),
        }
    }
}

impl<K: Fetch> Loader<K> {
    /// What belongs to `key`.
    pub async fn load(&self, cx: &Cx, key: K) -> Result<Option<K::Value>> {
        let (answer, answered) = oneshot::channel();
        let mut waiting = {
            let mut state = self.state()?;
            if let Some(value) = state.known.get(&key) {
                return Ok(value.clone());
            }
            state.waiting.push(Waiting { key, answer });
            state.waiting.len()
        };
        if waiting == 1 {
            loop {
                tokio::task::yield_now().await;
                let now = self.state()?.waiting.len();
                if now == waiting {
                    break;
                }
                waiting = now;
            }
            let batch = std::mem::take(&mut self.state()?.waiting);
            self.answer(cx, batch).await?;
        }
        // Not counted against the task's time: its many look-ups would be let in some at a time, and fetch in as many goes.
        tokio::task::unconstrained(answered)
            .await
            .map_err(Error::internal)?
            .map_err(Error::internal)
    }

    fn state(&self) -> Result<MutexGuard<'_, State<K>>> {
        self.state.lock().map_err(|_| Error::internal("poisoned"))
    }

    async fn answer(&self, cx: &Cx, batch: Vec<Waiting<K>>) -> Result<()> {
        let mut keys: Vec<K> = Vec::with_capacity(batch.len());
        let mut seen = std::collections::HashSet::with_capacity(batch.len());
        keys.extend(
            batch
                .iter()
                .map(|waiting| waiting.key)
                .filter(|key| seen.insert(*key)),
        );
        let found = K::fetch(cx, keys).await;
        let mut state = self.state()?;
        for Waiting { key, answer } in batch {
            let value = found
                .as_ref()
                .map(|found| found.get(&key).cloned())
                .map_err(ToString::to_string);
            if let Ok(value) = &value {
                state.known.insert(key, value.clone());
            }
            let _ = answer.send(value);
        }
        drop(state);
        found.map(drop)
    }
}
