//! The text of an API key, and finding the actor behind one.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::model::ApiKeyKind;
use super::queries;
use crate::auth::{Actor, Caller, TokenHash};
use crate::context::App;
use crate::kernel::{Error, Result};

/// How long a process believes what it read about a key.
pub const BELIEVED: Duration = Duration::from_secs(3);

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PUBLIC_CHARS: usize = 8;
const SECRET_CHARS: usize = 43;

/// A key in its parts.
pub struct KeyText {
    /// The part that finds the row.
    pub public_id: String,
    /// The part that proves it.
    pub secret: String,
}

impl KeyText {
    /// A fresh key.
    pub fn generate() -> Result<Self> {
        Ok(Self {
            public_id: random(PUBLIC_CHARS)?,
            secret: random(SECRET_CHARS)?,
        })
    }

    /// The key as its owner keeps it.
    pub fn print(&self, kind: ApiKeyKind) -> String {
        let body = format!("mrc_{}_{}_{}", kind_word(kind), self.public_id, self.secret);
        format!("{body}_{:08x}", crc32fast::hash(body.as_bytes()))
    }

    /// Reads a key; a wrong checksum is a typing mistake and costs no look-up.
    pub fn parse(text: &str) -> Option<Self> {
        let (body, checksum) = text.rsplit_once('_')?;
        if format!("{:08x}", crc32fast::hash(body.as_bytes())) != checksum {
            return None;
        }
        let rest = body
            .strip_prefix("mrc_pk_")
            .or_else(|| body.strip_prefix("mrc_sk_"))?;
        let (public_id, secret) = rest.split_once('_')?;
        let good = public_id.len() == PUBLIC_CHARS && secret.len() == SECRET_CHARS;
        good.then(|| Self {
            public_id: public_id.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// What the database keeps of the secret.
    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.secret.as_bytes()).to_vec()
    }
}

/// `pk` or `sk`.
pub fn kind_word(kind: ApiKeyKind) -> &'static str {
    match kind {
        ApiKeyKind::Publishable => "pk",
        ApiKeyKind::Secret => "sk",
    }
}

/// `length` random characters of base 62, each equally likely.
pub fn random(length: usize) -> Result<String> {
    let mut out = String::with_capacity(length);
    let mut bytes = [0_u8; 64];
    while out.len() < length {
        getrandom::fill(&mut bytes).map_err(|e| Error::internal(e.to_string()))?;
        let fair = bytes.iter().filter(|byte| **byte < 248); // 248 = 4 · 62
        out.extend(
            fair.take(length - out.len())
                .map(|byte| char::from(BASE62[usize::from(byte % 62)])),
        );
    }
    Ok(out)
}

/// The hash of a token that proves the ownership of a cart.
pub fn token_hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// What this process knows of the keys it has seen.
#[derive(Default)]
pub struct Keys {
    known: RwLock<HashMap<String, (Arc<Actor>, Instant)>>,
}

/// The actor behind an `Authorization` header and a cart token.
pub async fn authenticate(
    app: &App,
    bearer: Option<&str>,
    cart_token: Option<&str>,
) -> Result<Arc<Actor>> {
    let actor = match bearer {
        None => Arc::new(Actor::new(Caller::Anonymous)),
        Some(key) => actor_of(app, key).await?,
    };
    // An empty token is no token.
    match cart_token.filter(|token| !token.is_empty()) {
        None => Ok(actor),
        Some(token) => Ok(Arc::new(Actor {
            cart_token: Some(token_hash(token)),
            ..Actor::clone(&actor)
        })),
    }
}

async fn actor_of(app: &App, key: &str) -> Result<Arc<Actor>> {
    let keys = app.part::<Keys>()?;
    let poisoned = || Error::internal("poisoned");
    if let Some((actor, read_at)) = keys.known.read().map_err(|_| poisoned())?.get(key)
        && read_at.elapsed() < BELIEVED
    {
        return Ok(actor.clone());
    }
    let invalid = || {
        Error::new(
            crate::kernel::Code::Unauthenticated,
            "This API key is not valid.",
        )
    };
    let parsed = KeyText::parse(key).ok_or_else(invalid)?;
    let public_id = parsed.public_id.clone();
    let row = app
        .system()
        .read(move |tx| queries::find_by_public_id(tx, &public_id))
        .await?;
    // The hash is compared even where there is no row, so that the two take the same time.
    let hash = parsed.hash();
    let stored = row
        .as_ref()
        .map_or_else(|| vec![0; hash.len()], |row| row.secret_hash.clone());
    let proven: bool = hash.as_slice().ct_eq(&stored).into();
    let now = app.clock.now();
    let live = row.filter(|row| {
        proven && row.revoked_at.is_none() && row.expires_at.is_none_or(|expires| expires > now)
    });
    let mut known = keys.known.write().map_err(|_| poisoned())?;
    let Some(row) = live else {
        known.remove(key);
        return Err(invalid());
    };
    let caller = match row.channel_id {
        Some(channel) => Caller::Storefront {
            key: row.id,
            channel,
        },
        None => Caller::Partner {
            key: row.id,
            scopes: row
                .scopes
                .iter()
                .filter_map(|scope| scope.parse().ok())
                .collect(),
        },
    };
    let actor = Arc::new(Actor::new(caller));
    if known.len() > 10_000 {
        known.clear();
    }
    known.insert(key.to_owned(), (actor.clone(), Instant::now()));
    drop(known);
    note_use(app, row.id, row.last_used_at);
    Ok(actor)
}

/// Notes that a key was used, at most once a minute, without making the request wait.
fn note_use(app: &App, id: crate::kernel::ids::ApiKeyId, last: Option<crate::kernel::Timestamp>) {
    let recent = app.clock.now().minus(Duration::from_mins(1));
    if last.is_none_or(|last| last < recent) {
        let cx = app.system();
        tokio::task::spawn_local(async move {
            if let Err(error) = cx.write(move |tx| queries::note_use(tx, id)).await {
                tracing::warn!(%error, "the use of a key was not noted");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_it_was_printed() {
        let key = KeyText::generate().unwrap();
        let text = key.print(ApiKeyKind::Secret);
        assert!(text.starts_with("mrc_sk_"));
        let read = KeyText::parse(&text).unwrap();
        assert_eq!((read.public_id, read.secret), (key.public_id, key.secret));
    }

    #[test]
    fn a_typing_mistake_is_no_key() {
        let text = KeyText::generate().unwrap().print(ApiKeyKind::Publishable);
        let wrong = text.replace("mrc_pk_", "mrc_sk_");
        assert!(KeyText::parse(&wrong).is_none());
        assert!(KeyText::parse(&text[..text.len() - 1]).is_none());
        assert!(KeyText::parse("").is_none());
    }
}
