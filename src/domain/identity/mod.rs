//! API keys and who stands behind a request.
//!
//! A key is `mrc_pk_<id>_<secret>_<checksum>` (publishable: of one channel, for shop fronts) or `mrc_sk_…` (secret: with
//! scopes). The database holds the SHA-256 of the secret, which has 256 random bits and needs no slower hash; the key itself
//! is shown once. A process believes what it knows of a key for at most [`keys::BELIEVED`], so a revoked key is dead
//! everywhere within that time.

pub mod keys;
mod model;
mod operations;
mod queries;

pub use keys::{Keys, authenticate};
pub use model::{ApiKey, ApiKeyKind, CreateApiKey, NewApiKey, RevokeApiKey};

use crate::auth::{Access, Scope};
use crate::kernel::Page;

crate::operations! {
    queries IdentityQueries {
        /// Lists the API keys, newest first, without their secrets.
        api_keys(#[serde(rename = "limit")] first: Option<i64>, after: Option<String>): ListApiKeys => Page<ApiKey>,
            GET "/api-keys", Access::scope(Scope::ApiKeysRead);
    }
    mutations IdentityMutations {
        /// Creates an API key. Only the same request with the same `Idempotency-Key` shows the whole key again.
        create_api_key: CreateApiKey => NewApiKey, POST "/api-keys", Access::scope(Scope::ApiKeysWrite), [Created, Secret];
        /// Revokes an API key; it stops working in every process within five seconds.
        revoke_api_key: RevokeApiKey => ApiKey, POST "/api-keys/{id}/revoke", Access::scope(Scope::ApiKeysWrite);
    }
}
