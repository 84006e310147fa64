//! Wires the application: the only place that knows all domains and providers.

use std::sync::Arc;
use std::time::Duration;

use diesel::sql_types::Binary;

use crate::api::server::Registries;
use crate::config::Config;
use crate::context::{App, Parts};
use crate::db::{Address, Conn, Db, migrations};
use crate::domain::{
    carts, catalog, channels, coupons, credit_terms, credits, flows, identity, inventory, orders,
    payments, pricing, risk, saved_methods, shipping, tax,
};
use crate::jobs::{Jobs, Worker, relay};
use crate::kernel::page::CursorKey;
use crate::kernel::{Clock, Error, Result};
use crate::operation::guesses::Guesses;
use crate::operation::idempotency::{self, AnswerKey};
use crate::operation::{Door, List, Registry};
use crate::params;
use crate::ports::address::AddressValidation;
use crate::ports::payment::{PaymentProvider, PaymentProviders};
use crate::providers::http::{Http, HttpSettings};
use crate::providers::paypal::{Paypal, PaypalSettings};
use crate::providers::stripe::{Stripe, StripeSettings};
use crate::providers::{BuiltInAddresses, Credit, Manual, TestPayments};

/// Every operation, in the order of the domains.
pub fn registry<D: Door>() -> Registry<D> {
    let mut registry = Registry::default();
    channels::register(&mut registry);
    identity::register(&mut registry);
    tax::register(&mut registry);
    pricing::register(&mut registry);
    inventory::register(&mut registry);
    shipping::register(&mut registry);
    catalog::register(&mut registry);
    coupons::register(&mut registry);
    carts::register(&mut registry);
    payments::register(&mut registry);
    saved_methods::register(&mut registry);
    credits::register(&mut registry);
    orders::register(&mut registry);
    risk::register(&mut registry);
    credit_terms::register(&mut registry);
    flows::register(&mut registry);
    registry
}

/// What the server makes its doors of.
pub fn registries() -> Registries {
    Registries {
        rest: registry,
        list: registry::<List>,
    }
}

/// Opens the application on an existing database.
pub fn open(config: Config, clock: Clock) -> Result<App> {
    let providers = payment_providers(&config, &clock)?;
    open_with(config, clock, providers)
}

/// The same with these payment providers, for whoever brings some of their own.
pub fn open_with(
    config: Config,
    clock: Clock,
    providers: Vec<Arc<dyn PaymentProvider>>,
) -> Result<App> {
    let address = Address::parse(&config.database_url);
    let mut conn = address.open()?;
    migrations::check(&mut conn)?;
    let db = Db::open(&address, config.connection_count())?;
    open_on(db, &mut conn, config, clock, providers)
}

/// The same on a database that is open; `conn` is a connection to it.
pub fn open_on(
    db: Db,
    conn: &mut Conn,
    config: Config,
    clock: Clock,
    providers: Vec<Arc<dyn PaymentProvider>>,
) -> Result<App> {
    let cursors = CursorKey::new(&secret(conn, "cursors")?);
    let codes = credits::CodeKey::new(secret(conn, "gift_cards")?);
    let mut parts = Parts::default();
    parts.add(identity::Keys::default());
    parts.add(PaymentProviders::new(providers));
    parts.add(codes);
    parts.add(Guesses::default());
    parts.add(AnswerKey::new(secret(conn, "answers")?));
    parts.add(AddressValidation(Arc::new(BuiltInAddresses)));
    parts.keep::<channels::Channels>();
    parts.keep::<inventory::Locations>();
    parts.derive(catalog::derive::derive);
    parts.keep::<tax::Taxes>();
    parts.keep::<shipping::Shipping>();
    Ok(App::new(config, db, clock, cursors, parts))
}

fn payment_providers(config: &Config, clock: &Clock) -> Result<Vec<Arc<dyn PaymentProvider>>> {
    let mut providers: Vec<Arc<dyn PaymentProvider>> = vec![
        Arc::new(Manual),
        Arc::new(Credit::GiftCard),
        Arc::new(Credit::StoreCredit),
    ];
    if config.is_on(config.test_payments) {
        providers.push(Arc::new(TestPayments::local()));
        providers.push(Arc::new(TestPayments::remote(Duration::from_millis(50))));
    }
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let http = Http::new(HttpSettings {
        total: Duration::from_secs(config.provider_seconds),
        ..HttpSettings::default()
    })?;
    if !config.stripe_key.is_empty() {
        let settings = StripeSettings {
            key: config.stripe_key.clone(),
            webhook_secrets: config.stripe_webhook_secrets.split(),
            livemode: config.live_payments,
            base_url: given(&config.stripe_url),
            account: given(&config.stripe_account),
        };
        providers.push(Arc::new(Stripe::new(
            settings,
            http.clone(),
            clock.clone(),
        )?));
    }
    if let Some(client_id) = given(&config.paypal_client_id) {
        let settings = PaypalSettings {
            client_id,
            secret: config.paypal_secret.clone(),
            webhook_id: given(&config.paypal_webhook_id),
            livemode: config.live_payments,
            base_url: given(&config.paypal_url),
        };
        providers.push(Arc::new(Paypal::new(settings, http, clock.clone())?));
    }
    Ok(providers)
}

/// All background work.
pub fn jobs() -> Jobs {
    let mut jobs = Jobs::default();
    jobs.every(
        Duration::from_hours(1),
        "idempotency.sweep",
        |cx| async move { cx.write(idempotency::sweep).await.map(drop) },
    );
    jobs.every(
        Duration::from_mins(1),
        "listings.refresh",
        catalog::derive::refresh,
    );
    jobs.every(Duration::from_secs(15), "checkouts.expire", flows::expire);
    jobs.every(
        Duration::from_secs(15),
        "payments.reconcile",
        flows::reconcile,
    );
    jobs.every(Duration::from_hours(24), "credits.expire", credits::expire);
    jobs.every(
        Duration::from_hours(1),
        "credit_terms.hold_overdue",
        credit_terms::hold_overdue,
    );
    jobs.on(flows::NOTICE, flows::notice);
    jobs.on(flows::RELEASE, flows::release);
    jobs.on(flows::ASSESS, flows::assess);
    jobs.on(flows::UNPAID, flows::unpaid);
    jobs.on(flows::EXPIRING, flows::expiring);
    jobs.on(flows::REAUTHORIZE, flows::reauthorize);
    jobs.on(saved_methods::READ, saved_methods::read);
    jobs.every(Duration::from_secs(5), "events.relay", |cx| async move {
        relay(&cx, |_, event| {
            // Nobody subscribes yet; the log says what was announced.
            tracing::debug!(event = %event.id, kind = event.kind, sequence = event.sequence, "event");
            Ok(())
        })
        .await
    });
    jobs
}

/// Starts the job worker in this thread's local tasks.
pub fn start_worker(app: &App) -> Worker {
    Worker::start(app, jobs())
}

/// Learns twice a second what other processes have changed.
pub fn keep_versions(app: &App) -> tokio::task::JoinHandle<()> {
    let app = app.clone();
    tokio::task::spawn_local(async move {
        loop {
            if let Err(error) = app.refresh_versions().await {
                tracing::warn!(%error, "the versions cannot be read");
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    })
}

/// The shop's secret of this name, which all its processes share; made by whoever comes first.
fn secret(conn: &mut Conn, name: &str) -> Result<Vec<u8>> {
    let mut fresh = vec![0_u8; 32];
    getrandom::fill(&mut fresh).map_err(|e| Error::internal(e.to_string()))?;
    conn.execute(
        "INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        params![name, fresh],
    )?;
    let rows =
        conn.rows::<Binary, Vec<u8>>("SELECT value FROM secrets WHERE name = ?", params![name])?;
    rows.into_iter()
        .next()
        .ok_or_else(|| Error::internal("the secret vanished"))
}
