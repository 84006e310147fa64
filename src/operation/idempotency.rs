//! The same request twice, one effect: answers stored in the transaction that has the effect.
//!
//! A key belongs to a caller and an operation. The same key with the same request repeats the stored answer; with another
//! request it is refused. Two at once: the second waits for the first's commit (on SQLite for the writer, on PostgreSQL at
//! the unique key), is run again, finds the answer and repeats it. A refusal stores nothing, so it may be tried again.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use diesel::sql_types::{Binary, Text};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{Answer, Meta, Mode, Trait};
use crate::context::{Cx, Tx};
use crate::kernel::{Code, Error, Result, hex};
use crate::params;

/// How long an answer is kept.
pub const KEPT: Duration = Duration::from_hours(7 * 24);

/// A caller's wish that this request takes effect once.
pub struct Claim {
    principal: String,
    operation: &'static str,
    key: Arc<str>,
    fingerprint: Vec<u8>,
}

impl Claim {
    /// The claim of a request that came with a key; an error where one is needed and missing.
    pub fn new(cx: &Cx, meta: &Meta, wire: &[u8]) -> Result<Option<Arc<Self>>> {
        if meta.mode == Mode::Query || meta.is(Trait::Secret) {
            return Ok(None);
        }
        let Some(key) = cx.idempotency_key.clone() else {
            if meta.is(Trait::Keyed) {
                return Err(Error::new(
                    Code::IdempotencyKeyRequired,
                    "Send the header Idempotency-Key with a value of your own, as a UUID, and the same again when you repeat the request.",
                ));
            }
            return Ok(None);
        };
        if !(1..=255).contains(&key.len()) || !key.bytes().all(|b| (0x21..=0x7e).contains(&b)) {
            let message = "An Idempotency-Key has 1 to 255 visible ASCII characters.";
            return Err(Error::invalid("/idempotencyKey", "invalid_key", message));
        }
        let mut principal = cx.actor.name();
        if let Some(token) = cx.actor.cart_token {
            // Shoppers share their shop front's key; what sets them apart is their cart.
            principal.push_str(&hex(&token[..8]));
        }
        let fingerprint = Sha256::digest(wire).to_vec();
        Ok(Some(Arc::new(Self {
            principal,
            operation: meta.name,
            key,
            fingerprint,
        })))
    }

    /// Who asks, for what, with which key; the same for no other request.
    pub fn name(&self) -> String {
        format!("{}:{}:{}", self.principal, self.operation, self.key)
    }

    /// The hash of the request.
    pub fn fingerprint(&self) -> &[u8] {
        &self.fingerprint
    }

    fn find<T: DeserializeOwned>(&self, tx: &mut Tx<'_>) -> Result<Option<T>> {
        let rows = tx.conn.rows::<(Binary, Text), (Vec<u8>, String)>(
            "SELECT fingerprint, answer FROM idempotency_keys WHERE principal = ? AND operation = ? AND key = ?",
            params![self.principal.as_str(), self.operation, &*self.key],
        )?;
        let Some((fingerprint, answer)) = rows.into_iter().next() else {
            return Ok(None);
        };
        if fingerprint != self.fingerprint {
            return Err(Error::key_reused());
        }
        serde_json::from_str(&answer)
            .map(Some)
            .map_err(Error::internal)
    }

    fn store(&self, tx: &mut Tx<'_>, answer: &impl Serialize) -> Result<()> {
        let answer = serde_json::to_string(answer).map_err(Error::internal)?;
        let now = tx.now;
        tx.later(
            "INSERT INTO idempotency_keys (principal, operation, key, fingerprint, answer, created_at)
             VALUES (?, ?, ?, ?, ?, ?)",
            params![
                self.principal.as_str(),
                self.operation,
                &*self.key,
                self.fingerprint.clone(),
                answer,
                now
            ],
        )
    }
}

impl Cx {
    /// The last transaction of an operation: what `work` does and the answer to repeat are committed together.
    ///
    /// It begins without looking for an earlier answer, which hardly any request has. Where there is one, either `work` is
    /// refused (the object is no longer as it was) or the second answer cannot be stored; both roll back, and only then is
    /// the first answer looked for.
    pub async fn settle<T, F>(&self, mut work: F) -> Result<Answer<T>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        match self
            .settle_or(move |tx| work(tx).map(ControlFlow::<T, Infallible>::Break))
            .await?
        {
            ControlFlow::Break(answer) => Ok(answer),
            ControlFlow::Continue(never) => match never {},
        }
    }

    /// A transaction that may be the last: `Break` is the answer, stored to be repeated; `Continue` is committed and the
    /// operation goes on.
    pub async fn settle_or<T, N, F>(&self, mut work: F) -> Result<ControlFlow<Answer<T>, N>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        N: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<ControlFlow<T, N>> + Send + 'static,
    {
        let claim = self.claim.clone();
        let result = self
            .write(move |tx| {
                let step = work(tx)?;
                if let (Some(claim), ControlFlow::Break(value)) = (&claim, &step) {
                    claim.store(tx, value)?;
                }
                Ok(step)
            })
            .await;
        match result {
            Ok(ControlFlow::Break(value)) => Ok(ControlFlow::Break(Answer::fresh(value))),
            Ok(ControlFlow::Continue(next)) => Ok(ControlFlow::Continue(next)),
            Err(error) => self.settled().await?.map(ControlFlow::Break).ok_or(error),
        }
    }

    /// The answer this request got before, if it did.
    pub async fn settled<T>(&self) -> Result<Option<Answer<T>>>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let Some(claim) = self.claim.clone() else {
            return Ok(None);
        };
        let found = self.read(move |tx| claim.find(tx)).await?;
        Ok(found.map(|value| Answer {
            value,
            replayed: true,
        }))
    }
}

/// Forgets answers older than [`KEPT`].
pub fn sweep(tx: &mut Tx<'_>) -> Result<usize> {
    let before = tx.now.minus(KEPT);
    tx.conn.execute(
        "DELETE FROM idempotency_keys WHERE created_at < ?",
        params![before],
    )
}
