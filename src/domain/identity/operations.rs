use std::sync::Arc;
use std::time::Duration;

use super::keys::KeyText;
use super::model::{ApiKeyKind, ApiKeyRow, CreateApiKey, NewApiKey, RevokeApiKey};
use super::{ApiKey, ListApiKeys, queries};
use crate::auth::Scope;
use crate::context::Tx;
use crate::domain::channels::{ChannelRow, Channels};
use crate::kernel::ids::ApiKeyId;
use crate::kernel::page::{PageRequest, Position, SortKey};
use crate::kernel::{Checks, Error, Json, Page, Result};
use crate::operation::{Mutation, Query};

impl Query for ListApiKeys {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<ApiKey>> {
        let page = PageRequest::new(
            &tx.app().cursors,
            "api_keys",
            self.first,
            self.after.as_deref(),
        )?;
        let rows = queries::list(tx, &page)?;
        page.page(
            rows,
            |key| Position {
                key: SortKey::Id,
                id: key.id.uuid(),
            },
            |rows| Ok(rows.into_iter().map(ApiKey::from).collect()),
        )
    }
}

impl Mutation for CreateApiKey {
    fn run(&self, tx: &mut Tx<'_>) -> Result<NewApiKey> {
        self.check(tx)?;
        let key = KeyText::generate()?;
        let days = self
            .expires_in_days
            .or((self.kind == ApiKeyKind::Secret).then_some(365));
        let row = ApiKeyRow {
            id: ApiKeyId::new(),
            public_id: key.public_id.clone(),
            kind: self.kind,
            name: self.name.clone(),
            channel_id: self.channel_id,
            scopes: Json(self.scopes.clone()),
            secret_hash: key.hash(),
            created_at: tx.now,
            expires_at: days.map(|d| tx.now.plus(Duration::from_hours(24 * d.unsigned_abs()))),
            revoked_at: None,
            last_used_at: None,
        };
        queries::insert(tx, &row)?;
        Ok(NewApiKey {
            key: key.print(self.kind),
            api_key: row.into(),
        })
    }
}

impl CreateApiKey {
    fn check(&self, tx: &Tx<'_>) -> Result<()> {
        let mut checks = Checks::new();
        let publishable = self.kind == ApiKeyKind::Publishable;
        checks
            .text("/name", &self.name, 200)
            .range("/expiresInDays", self.expires_in_days.unwrap_or(1), 1, 3650)
            .that(
                publishable == self.channel_id.is_some(),
                "/channelId",
                "channel",
                "A publishable key has a channel, a secret key has none.",
            )
            .that(
                publishable == self.scopes.is_empty(),
                "/scopes",
                "scopes",
                "A secret key has scopes, a publishable key has none.",
            );
        for (i, text) in self.scopes.iter().enumerate() {
            let pointer = format!("/scopes/{i}");
            match text.parse::<Scope>() {
                Err(message) => checks.that(false, pointer, "unknown_scope", message),
                Ok(scope) => checks.that(
                    tx.actor().has(scope),
                    pointer,
                    "scope_not_held",
                    format!("You cannot give the scope {scope}, which you do not have."),
                ),
            };
        }
        checks.done()?;
        self.channel_id
            .map_or(Ok(()), |id| Channels::get(tx, id).map(drop))
            .map_err(|_| {
                if !tx.actor().has(Scope::ChannelsRead) {
                    let message = "There is no such channel.";
                    return Error::invalid("/channelId", "unknown_channel", message);
                }
                let known = Channels::all(tx).unwrap_or_default();
                let named = |c: &Arc<ChannelRow>| format!("{} ({})", c.id, c.handle);
                let known: Vec<String> = known.iter().map(named).collect();
                let message = format!("There is no such channel; there are: {}.", known.join(", "));
                Error::invalid("/channelId", "unknown_channel", message)
            })
    }
}

impl Mutation for RevokeApiKey {
    fn run(&self, tx: &mut Tx<'_>) -> Result<ApiKey> {
        queries::revoke(tx, self.id)?;
        let row = queries::find(tx, self.id)?.ok_or_else(|| Error::not_found("API key"))?;
        Ok(row.into())
    }
}
