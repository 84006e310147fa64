use std::net::SocketAddr;

use clap::Args;
use mercer::api::server;
use mercer::app;
use mercer::auth::Scope;
use mercer::config::Config;
use mercer::context::{App, Cx};
use mercer::db::{Address, migrations};
use mercer::domain::channels::Channels;
use mercer::domain::identity::{ApiKeyKind, CreateApiKey};
use mercer::import::Report;
use mercer::import::demo::{self, Found};
use mercer::kernel::ids::ChannelId;
use mercer::kernel::{Clock, Code, Error, Result};
use mercer::operation::dispatch;

use super::log;

/// `mercer demo`
#[derive(Args)]
pub struct Demo {
    /// Further products to make up, the same ones every time
    #[arg(long, value_name = "N", default_value_t = 0)]
    products: u64,
    /// Keep the demo shop that is there, with its orders
    #[arg(long)]
    keep: bool,
}

impl Demo {
    pub fn run(self, mut config: Config, chosen: bool) -> Result<()> {
        let _log = log::start(&config)?;
        if !chosen {
            "mercer-demo.db".clone_into(&mut config.database_url);
        }
        // Before anything is touched: the shop of a demo that runs is not this one's to empty.
        let listener = server::bind(&config)?;
        let address = Address::parse(&config.database_url);
        let _claim = address.claim()?;
        let fresh = self.prepare(&address)?;
        let app = app::open(config, Clock::default())?;
        super::block_on(async {
            let cx = app.system();
            if fresh {
                demo::shop(&cx).await?;
            }
            if self.products > 0 {
                self.make_up(&cx).await?;
            }
            let keys = Keys::create(&app).await?;
            super::serve::serve(&app, listener, true, |address| keys.print(address)).await
        })
    }

    /// Makes the database ready, and says whether it has to be filled.
    fn prepare(&self, address: &Address) -> Result<bool> {
        migrations::apply(address)?;
        let mut conn = address.open()?;
        let found = demo::look(&mut conn)?;
        drop(conn);
        match found {
            Found::Nothing => Ok(true),
            Found::Demo if self.keep => Ok(false),
            Found::Demo => {
                demo::wipe(address)?;
                migrations::apply(address)?;
                Ok(true)
            }
            Found::Shop => Err(Error::new(
                Code::InvalidState,
                "There is a shop in this database that is no demo; it is left alone. Name another with --database-url.",
            )),
        }
    }

    async fn make_up(&self, cx: &Cx) -> Result<()> {
        let mut report = Report::of_things(self.products);
        let begun = std::time::Instant::now();
        demo::products(cx, self.products, &mut report).await?;
        let took = begun.elapsed();
        let rate = u128::from(self.products) * 1000 / took.as_millis().max(1);
        eprintln!(
            "{} {} products in {} s, {rate} a second.",
            report.finish(),
            self.products,
            took.as_secs()
        );
        Ok(())
    }
}

/// The keys to the shop.
struct Keys {
    eu: String,
    uk: String,
    secret: String,
    gift_card: String,
}

impl Keys {
    async fn create(app: &App) -> Result<Self> {
        app.refresh_snapshots().await?;
        let cx = app.system();
        let channels = cx.read(|tx| Channels::all(tx)).await?;
        let id = |handle: &str| channels.iter().find(|c| c.handle == handle).map(|c| c.id);
        Ok(Self {
            eu: create(&cx, "demo eu", id("eu")).await?,
            uk: create(&cx, "demo uk", id("uk")).await?,
            secret: create(&cx, "demo", None).await?,
            gift_card: demo::gift_card(&cx).await?,
        })
    }

    fn print(&self, address: SocketAddr) {
        let Self {
            eu,
            uk,
            secret,
            gift_card,
        } = self;
        let coupon = demo::COUPON;
        println!(
            "\nThe demo shop is open.\n\n\
             REST      http://{address}/v1\n\
             GraphQL   http://{address}/graphql\n\
             Try them  http://{address}/docs\n\
             Coupon    {coupon} (10 % off)\n\
             Gift card {gift_card} (50 EUR)\n\n\
             export MERCER_URL=http://{address}\n\
             export MERCER_PK={eu}\n\
             export MERCER_PK_UK={uk}\n\
             export MERCER_SK={secret}\n"
        );
    }
}

async fn create(cx: &Cx, name: &str, channel_id: Option<ChannelId>) -> Result<String> {
    let kind = if channel_id.is_some() {
        ApiKeyKind::Publishable
    } else {
        ApiKeyKind::Secret
    };
    let scopes = if channel_id.is_some() {
        Vec::new()
    } else {
        Scope::ALL.iter().map(ToString::to_string).collect()
    };
    let create = CreateApiKey {
        kind,
        name: name.to_owned(),
        channel_id,
        scopes,
        expires_in_days: None,
    };
    Ok(dispatch(cx, create).await?.value.key)
}
