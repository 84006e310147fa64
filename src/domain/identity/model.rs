use diesel::prelude::*;

use crate::kernel::ids::{ApiKeyId, ChannelId};
use crate::kernel::{Json, Timestamp};
use crate::operation::Output;
use crate::schema::api_keys;
use crate::{choice, input, output};

choice! {
    /// For whom a key is.
    ApiKeyKind {
        /// For a shop front: may be seen by anybody, opens one channel.
        Publishable = "publishable",
        /// For a partner or a back office: opens what its scopes say.
        Secret = "secret",
    }
}

/// A key as the database has it.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
pub struct ApiKeyRow {
    pub id: ApiKeyId,
    pub public_id: String,
    pub kind: ApiKeyKind,
    pub name: String,
    pub channel_id: Option<ChannelId>,
    pub scopes: Json<Vec<String>>,
    pub secret_hash: Vec<u8>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

output! {
    /// An API key, without its secret.
    ApiKey {
        /// Its id.
        id: ApiKeyId,
        /// What it begins with, to tell it from others.
        prefix: String,
        /// For whom it is.
        kind: ApiKeyKind,
        /// What it is called.
        name: String,
        /// The channel a publishable key opens.
        #[schema(required = true)]
        channel_id: Option<ChannelId>,
        /// What a secret key may do.
        scopes: Vec<String>,
        /// When it was created.
        created_at: Timestamp,
        /// When it stops working.
        #[schema(required = true)]
        expires_at: Option<Timestamp>,
        /// When it was revoked.
        #[schema(required = true)]
        revoked_at: Option<Timestamp>,
        /// When it was last used, to the minute or so.
        #[schema(required = true)]
        last_used_at: Option<Timestamp>,
    }
    /// A key that was just created.
    NewApiKey {
        /// The key, to be sent as `Authorization: Bearer …`. Only the same request with
        /// the same `Idempotency-Key` shows it again.
        key: String,
        /// What is known of it from now on.
        api_key: ApiKey,
    }
}

input! {
    /// A new API key.
    CreateApiKey {
        /// For whom it is.
        kind: ApiKeyKind,
        /// What it is called.
        name: String,
        /// The channel of a publishable key.
        channel_id: Option<ChannelId>,
        /// The scopes of a secret key; no more than the caller has.
        #[serde(default)]
        #[graphql(default)]
        scopes: Vec<String>,
        /// Days until it stops working, 1 to 3650; a secret key lives 365 when left out, a publishable one for ever.
        expires_in_days: Option<i64>,
    }
    /// Revokes an API key.
    RevokeApiKey {
        /// The key.
        id: ApiKeyId,
    }
}

impl Output for ApiKey {}
impl Output for NewApiKey {}

impl From<ApiKeyRow> for ApiKey {
    fn from(row: ApiKeyRow) -> Self {
        let kind = super::keys::kind_word(row.kind);
        Self {
            id: row.id,
            prefix: format!("mrc_{kind}_{}", row.public_id),
            kind: row.kind,
            name: row.name,
            channel_id: row.channel_id,
            scopes: row.scopes.0,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
        }
    }
}
