//! The same request twice, one effect: answers stored in the transaction that has the effect.
//!
//! A key belongs to a caller and an operation. The same key with the same request repeats the stored answer; with another
//! request it is refused. Two at once: the second waits for the first's commit (on SQLite for the writer, on PostgreSQL at
//! the unique key), is run again, finds the answer and repeats it. A refusal stores nothing, so it may be tried again.
//!
//! An answer with a secret ([`Trait::Secret`]) is stored encrypted, and of its idempotency key only a hash is kept. The
//! encryption key follows from both the shop's secret and the idempotency key, so the database alone does not open it: who
//! repeats the request does.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use diesel::sql_types::{Binary, Text};
use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{Answer, Meta, Mode, Trait};
use crate::auth::Caller;
use crate::context::{Cx, Tx};
use crate::kernel::{Code, Error, Result, hex};
use crate::params;

/// How long an answer is kept.
pub const KEPT: Duration = Duration::from_hours(7 * 24);

/// A caller's wish that this request takes effect once.
pub struct Claim {
    principal: String,
    operation: &'static str,
    /// As it is stored: the caller's, or a hash of it where the answer is sealed.
    key: Arc<str>,
    fingerprint: Vec<u8>,
    seal: Option<Seal>,
}

impl Claim {
    /// The claim of a request that came with a key; an error where one is needed and missing.
    pub fn new(cx: &Cx, meta: &Meta, wire: &[u8]) -> Result<Option<Arc<Self>>> {
        if meta.mode == Mode::Query {
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
        } else if let (true, Some(address)) = (meta.is(Trait::Secret), cx.address) {
            // Without a cart it is their address: who comes upon another's key does not get their cart.
            if matches!(cx.actor.caller, Caller::Storefront { .. }) {
                let shop = cx.app.part::<AnswerKey>()?;
                principal.push_str(&hex(&shop.derive("address", &[&address.to_string()])[..8]));
            }
        }
        let fingerprint = Sha256::digest(wire).to_vec();
        let mut claim = Self {
            principal,
            operation: meta.name,
            key,
            fingerprint,
            seal: None,
        };
        if meta.is(Trait::Secret) {
            claim.seal(cx.app.part::<AnswerKey>()?);
        }
        Ok(Some(Arc::new(claim)))
    }

    /// Has the answer sealed, and of the caller's key no more kept than a hash.
    fn seal(&mut self, shop: &AnswerKey) {
        let parts = [self.principal.as_str(), self.operation, &*self.key];
        self.seal = Some(Seal(shop.derive("seal", &parts)));
        self.key = hex(&shop.derive("name", &parts)).into();
    }

    /// Who asks, for what, with which key; the same for no other request.
    pub fn name(&self) -> String {
        format!("{}:{}:{}", self.principal, self.operation, self.key)
    }

    /// A key of the same meaning for a provider, the same for this request alone.
    pub fn for_provider(&self) -> String {
        let name = Sha256::new().chain_update(self.name());
        hex(&name.chain_update(&self.fingerprint).finalize())
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
        let answer = match &self.seal {
            Some(seal) => seal.open(&answer)?,
            None => answer.into_bytes(),
        };
        serde_json::from_slice(&answer).map(Some).map_err(|error| {
            let detail = "The request had its effect; an older Mercer has kept its answer, which cannot be repeated. \
                 Read the object.";
            Error {
                source: Some(Box::new(error)),
                ..Error::new(Code::InvalidState, detail)
            }
        })
    }

    fn store(&self, tx: &mut Tx<'_>, answer: &impl Serialize) -> Result<()> {
        let mut answer = serde_json::to_string(answer).map_err(Error::internal)?;
        if let Some(seal) = &self.seal {
            answer = seal.close(answer)?;
        }
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

/// The shop's secret, from which follow the keys that answers are sealed with.
pub struct AnswerKey(Vec<u8>);

impl AnswerKey {
    /// The key of the shop that has this secret.
    pub fn new(secret: Vec<u8>) -> Self {
        Self(secret)
    }

    /// The key of this use for a claim of these parts.
    fn derive(&self, purpose: &str, parts: &[&str]) -> [u8; 32] {
        // An HMAC takes a key of any length.
        Hmac::<Sha256>::new_from_slice(&self.0).map_or([0; 32], |mut mac| {
            mac.update(purpose.as_bytes());
            for part in parts {
                mac.update(&[0]);
                mac.update(part.as_bytes());
            }
            mac.finalize().into_bytes().into()
        })
    }
}

/// Encrypts an answer: a nonce, the ciphertext and its tag, in base64.
struct Seal([u8; 32]);

impl Seal {
    fn key(&self) -> Result<LessSafeKey> {
        UnboundKey::new(&CHACHA20_POLY1305, &self.0)
            .map(LessSafeKey::new)
            .map_err(|e| Error::internal(e.to_string()))
    }

    fn close(&self, answer: String) -> Result<String> {
        let mut nonce = [0_u8; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|e| Error::internal(e.to_string()))?;
        let mut sealed = answer.into_bytes();
        let used = Nonce::assume_unique_for_key(nonce);
        self.key()?
            .seal_in_place_append_tag(used, Aad::empty(), &mut sealed)
            .map_err(|e| Error::internal(e.to_string()))?;
        Ok(BASE64.encode([nonce.as_slice(), &sealed].concat()))
    }

    fn open(&self, answer: &str) -> Result<Vec<u8>> {
        let broken = || Error::internal("a stored answer cannot be opened");
        let mut bytes = BASE64.decode(answer).map_err(|_| broken())?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN).ok_or_else(broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
        let open = self.key()?;
        let opened = open.open_in_place(nonce, Aad::empty(), sealed);
        opened.map(|answer| answer.to_vec()).map_err(|_| broken())
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

    /// The answer of an operation without an effect of ours, stored to be repeated where the caller sent a key.
    pub async fn keep<T>(&self, answer: T) -> Result<Answer<T>>
    where
        T: Clone + Serialize + DeserializeOwned + Send + 'static,
    {
        if self.claim.is_none() {
            return Ok(Answer::fresh(answer));
        }
        self.settle(move |_| Ok(answer.clone())).await
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
        if found.is_some() {
            // It can be seen before it is on disk; it is repeated once it is.
            self.write(|_| Ok(())).await?;
        }
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
