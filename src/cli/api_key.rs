use clap::Subcommand;
use mercer::app;
use mercer::auth::Scope;
use mercer::config::Config;
use mercer::domain::channels::Channels;
use mercer::domain::identity::{ApiKeyKind, CreateApiKey, ListApiKeys, RevokeApiKey};
use mercer::kernel::{Clock, Error, Result};
use mercer::operation::dispatch;

/// `mercer api-key`
#[derive(Subcommand)]
pub enum ApiKey {
    /// Create a key and print it; it is never shown again
    ///
    /// With --channel a publishable key for a shop front, else a secret key with --scope.
    Create {
        /// What the key is called
        #[arg(long)]
        name: String,
        /// The handle of the channel that a publishable key opens
        #[arg(long, conflicts_with = "scope")]
        channel: Option<String>,
        /// What a secret key may do, as orders:read; may be repeated; `all` is every scope
        #[arg(long, required_unless_present = "channel")]
        scope: Vec<String>,
        /// Days until it stops working
        #[arg(long, value_name = "DAYS")]
        expires_in: Option<i64>,
    },
    /// List the keys, newest first
    List,
    /// Revoke a key; it stops working everywhere within five seconds
    Revoke {
        /// The id, as `mercer api-key list` prints it
        id: String,
    },
}

impl ApiKey {
    pub fn run(self, config: Config) -> Result<()> {
        let app = app::open(config, Clock::default())?;
        super::block_on(async move {
            let cx = app.system();
            match self {
                Self::Create {
                    name,
                    channel,
                    scope,
                    expires_in,
                } => {
                    let channel_id = match channel {
                        None => None,
                        Some(handle) => {
                            app.refresh_snapshots().await?;
                            let channels = cx.read(|tx| Channels::all(tx)).await?;
                            let found = channels.iter().find(|c| c.handle == handle);
                            Some(found.ok_or_else(|| Error::not_found("channel"))?.id)
                        }
                    };
                    let scopes = match scope.first() {
                        Some(all) if all == "all" => {
                            Scope::ALL.iter().map(ToString::to_string).collect()
                        }
                        _ => scope,
                    };
                    let kind = if channel_id.is_some() {
                        ApiKeyKind::Publishable
                    } else {
                        ApiKeyKind::Secret
                    };
                    let create = CreateApiKey {
                        kind,
                        name,
                        channel_id,
                        scopes,
                        expires_in_days: expires_in,
                    };
                    println!("{}", dispatch(&cx, create).await?.value.key);
                }
                Self::List => list(&cx).await?,
                Self::Revoke { id } => {
                    let id = id
                        .parse()
                        .map_err(|e| Error::invalid("id", "invalid_id", e))?;
                    let key = dispatch(&cx, RevokeApiKey { id }).await?.value;
                    println!("{} ({}) is revoked.", key.prefix, key.name);
                }
            }
            Ok(())
        })
    }
}

async fn list(cx: &mercer::context::Cx) -> Result<()> {
    let mut after = None;
    loop {
        let page = dispatch(
            cx,
            ListApiKeys {
                first: Some(100),
                after,
            },
        )
        .await?
        .value;
        for key in &page.items {
            let state = if key.revoked_at.is_some() {
                "revoked"
            } else {
                "live"
            };
            println!(
                "{}  {}…  {state:7}  {}  {}",
                key.id,
                key.prefix,
                key.name,
                key.scopes.join(",")
            );
        }
        after = page.page.next_cursor;
        if after.is_none() {
            return Ok(());
        }
    }
}
