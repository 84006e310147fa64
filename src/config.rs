//! The settings: one table of keys. Each comes from the environment, else from the TOML file, else from its default; all
//! mistakes are reported at once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;

use crate::kernel::net::Networks;
use crate::kernel::{Checks, Code, Error, Result, Secret};

macro_rules! config {
    ($( $(#[doc = $doc:literal])+ $key:ident: $ty:ty = $env:literal, $default:expr; )+) => {
        /// The settings of a process.
        #[derive(Clone, Debug)]
        pub struct Config { $( $(#[doc = $doc])+ pub $key: $ty ),+ }

        impl Config {
            /// Reads the settings from `file` (a TOML document) and `env` (environment variables).
            pub fn read(file: &BTreeMap<String, String>, env: impl Fn(&str) -> Option<String>) -> Result<Self> {
                let mut checks = Checks::new();
                let known = [$(stringify!($key)),+];
                for key in file.keys().filter(|key| !known.contains(&key.as_str())) {
                    checks.that(false, key, "unknown", format!("There is no setting {key}; there are: {}.", known.join(", ")));
                }
                $( let $key = parse::<$ty>(&mut checks, stringify!($key), $env, file, &env, $default); )+
                checks.done().map_err(|e| Error { detail: "The settings are not usable.".into(), ..e })?;
                match ($($key,)+) {
                    ($(Some($key),)+) => Ok(Self { $($key),+ }),
                    _ => Err(Error::new(Code::ValidationFailed, "The settings are not usable.")),
                }
            }

            /// The effective values as TOML, each with what it means; secrets are masked.
            pub fn print(&self) -> String {
                let mut out = String::new();
                $(
                    for line in [$($doc),+] { let _ = writeln!(out, "#{line}"); }
                    let _ = writeln!(out, "# environment: {}\n{} = {:?}\n", $env, stringify!($key), mask(&self.$key.to_string()));
                )+
                out
            }
        }
    };
}

config! {
    /// The database: a file (`mercer.db`, `sqlite://shop.db`) or `postgres://user:password@host/name`.
    database_url: String = "DATABASE_URL", "mercer.db";
    /// Where the server listens.
    bind: SocketAddr = "MERCER_BIND", "127.0.0.1:8080";
    /// The proxies in front, as addresses and networks separated by commas (`10.0.0.0/8, fd00::/8`): of a request from one of
    /// them `X-Forwarded-For` says whose it is. Without them every client of a proxy counts as the same one.
    trusted_proxies: Networks = "MERCER_TRUSTED_PROXIES", "";
    /// `development` or `production`. In production the pages under /docs and introspection are off unless switched on.
    environment: Environment = "MERCER_ENVIRONMENT", "production";
    /// Whether /docs shows GraphiQL and Swagger UI: `true`, `false` or `auto` (only in development).
    docs: Switch = "MERCER_DOCS", "auto";
    /// Whether GraphQL clients may ask for the schema: `true`, `false` or `auto` (only in development).
    introspection: Switch = "MERCER_INTROSPECTION", "auto";
    /// Which web pages of other origins may call the API, separated by commas: `*` is every page, with a publishable key; an
    /// origin as `https://admin.example.com` may use secret keys too; empty is none. Programs that are no web pages are not restricted.
    cors_origins: Origins = "MERCER_CORS_ORIGINS", "*";
    /// HTTP worker threads; 0 is one a core.
    workers: usize = "MERCER_WORKERS", "0";
    /// Database connections (and threads that use them); 0 is two a worker on SQLite and four on PostgreSQL.
    connections: u32 = "MERCER_CONNECTIONS", "0";
    /// The most HTTP connections that are open at a time; further ones wait. Fewer where the system allows fewer open files.
    http_connections: usize = "MERCER_HTTP_CONNECTIONS", "4096";
    /// Where `/metrics` is served, and there alone; empty is where everything else is, which the proxy in front should hide.
    metrics_bind: MetricsBind = "MERCER_METRICS_BIND", "";
    /// What is logged: a level, or directives as `info,mercer=debug`; `info,mercer::access=off` is without a line for each
    /// request.
    log: String = "MERCER_LOG", "info";
    /// How it is logged: `text` or `json`.
    log_format: LogFormat = "MERCER_LOG_FORMAT", "text";
    /// Seconds that requests in flight may take when the server is told to stop.
    drain_seconds: u64 = "MERCER_DRAIN_SECONDS", "25";
    /// Memory for answers of the published catalogue, in MiB; 0 switches the cache off.
    cache_mib: usize = "MERCER_CACHE_MIB", "16";
    /// Whether the payment provider `test`, which approves without money, may be used: `true`, `false` or `auto`
    /// (only in development).
    test_payments: Switch = "MERCER_TEST_PAYMENTS", "auto";
    /// Whether real money moves: `true` wants live keys of every provider and `false` test keys; the two never mix.
    live_payments: bool = "MERCER_LIVE_PAYMENTS", "false";
    /// Stripe's secret or restricted key (`sk_…`, `rk_…`); without one there is no provider `stripe`. A restricted key needs to
    /// write payment intents, charges and refunds, and to read disputes.
    stripe_key: Secret = "MERCER_STRIPE_KEY", "";
    /// Signing secrets of Stripe's webhook endpoint `/webhooks/payments/stripe` (`whsec_…`), separated by commas while one
    /// replaces another.
    stripe_webhook_secrets: Secret = "MERCER_STRIPE_WEBHOOK_SECRETS", "";
    /// The connected account that Stripe is asked for, `acct_…`.
    stripe_account: String = "MERCER_STRIPE_ACCOUNT", "";
    /// Where Stripe is, for a double of it on this machine; empty is Stripe itself.
    stripe_url: String = "MERCER_STRIPE_URL", "";
    /// The client id of PayPal's REST app; without one there is no provider `paypal`.
    paypal_client_id: String = "MERCER_PAYPAL_CLIENT_ID", "";
    /// The secret of PayPal's REST app.
    paypal_secret: Secret = "MERCER_PAYPAL_SECRET", "";
    /// The id of PayPal's webhook `/webhooks/payments/paypal`, with which what it sends is verified.
    paypal_webhook_id: String = "MERCER_PAYPAL_WEBHOOK_ID", "";
    /// Where PayPal is, for a double of it on this machine; empty is PayPal itself, or its sandbox without live payments.
    paypal_url: String = "MERCER_PAYPAL_URL", "";
    /// How many seconds a payment provider may take to answer before its answer counts as lost.
    provider_seconds: u64 = "MERCER_PROVIDER_SECONDS", "20";
}

fn parse<T: FromStr>(
    checks: &mut Checks,
    key: &str,
    env_name: &str,
    file: &BTreeMap<String, String>,
    env: &impl Fn(&str) -> Option<String>,
    default: &str,
) -> Option<T> {
    let (source, text) = match (env(env_name), file.get(key)) {
        (Some(text), _) => (env_name, text),
        (None, Some(text)) => (key, text.clone()),
        (None, None) => (key, default.to_owned()),
    };
    let value = text.parse().ok();
    checks.that(
        value.is_some(),
        source,
        "invalid",
        format!("{text:?} is not a value for {key}."),
    );
    value
}

/// Hides the password of a URL.
fn mask(value: &str) -> String {
    let value = match value.split_once("password=") {
        Some((before, after)) => {
            let rest = after.find(['&', ' ']).map_or("", |end| &after[end..]);
            format!("{before}password=***{rest}")
        }
        None => value.to_owned(),
    };
    match value
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)))
    {
        Some((scheme, (login, rest))) => {
            let user = login.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{rest}")
        }
        None => value,
    }
}

impl Config {
    /// Reads the settings: `flags` win over the environment, the environment over the TOML file. `environment` is the
    /// default of the setting of that name.
    pub fn load(
        path: Option<&Path>,
        flags: impl Fn(&str) -> Option<String>,
        environment: Environment,
    ) -> Result<Self> {
        let mut file: BTreeMap<String, String> = match path {
            None => BTreeMap::new(),
            Some(path) => {
                let read = |e: String| {
                    Error::new(Code::ValidationFailed, format!("{}: {e}", path.display()))
                };
                let text = std::fs::read_to_string(path).map_err(|e| read(e.to_string()))?;
                let table: toml::Table = text
                    .parse()
                    .map_err(|e: toml::de::Error| read(e.to_string()))?;
                table
                    .into_iter()
                    .map(|(key, value)| (key, plain(value)))
                    .collect()
            }
        };
        file.entry("environment".to_owned())
            .or_insert_with(|| environment.to_string());
        Self::read(&file, |name| {
            flags(name).or_else(|| std::env::var(name).ok())
        })
    }

    /// Whether a switch is on.
    pub fn is_on(&self, switch: Switch) -> bool {
        match switch {
            Switch::On => true,
            Switch::Off => false,
            Switch::Auto => self.environment == Environment::Development,
        }
    }

    /// The number of HTTP workers.
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            n => n,
        }
    }

    /// The number of database connections.
    pub fn connection_count(&self) -> u32 {
        let workers = u32::try_from(self.worker_count()).unwrap_or(2);
        match (self.connections, Address::parse(&self.database_url)) {
            (0, Address::Sqlite(_)) => workers.saturating_mul(2),
            (0, Address::Postgres(_)) => workers.saturating_mul(4),
            (n, _) => n,
        }
    }
}

fn plain(value: toml::Value) -> String {
    match value {
        toml::Value::String(text) => text,
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(truth) => truth.to_string(),
        other => format!("{other:?}"),
    }
}

/// Which database, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A file of the embedded database.
    Sqlite(String),
    /// A libpq connection string or URL.
    Postgres(String),
}

impl Address {
    /// Reads `DATABASE_URL`: `postgres://…`, `sqlite://path` or the path of a file.
    pub fn parse(url: &str) -> Self {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Self::Postgres(url.to_owned());
        }
        Self::Sqlite(
            url.strip_prefix("sqlite://")
                .or(url.strip_prefix("sqlite:"))
                .unwrap_or(url)
                .to_owned(),
        )
    }
}

/// An address for metrics, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricsBind(pub Option<SocketAddr>);

impl FromStr for MetricsBind {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse().map(|address| Self(Some(address)))
    }
}

impl std::fmt::Display for MetricsBind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |address| address.fmt(f))
    }
}

/// The origins whose pages may call the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    /// Every page may, with a publishable key.
    pub any: bool,
    /// Pages of these origins may, with any key.
    listed: Vec<String>,
}

impl Origins {
    /// Whether this origin is listed by name.
    pub fn names(&self, origin: &str) -> bool {
        self.listed.iter().any(|listed| listed == origin)
    }
}

impl FromStr for Origins {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut origins = Self::default();
        for origin in text.split(',').map(str::trim).filter(|o| !o.is_empty()) {
            if origin == "*" {
                origins.any = true;
                continue;
            }
            // As browsers write it: a scheme, a host and perhaps a port, all small, and no slash at the end.
            let (scheme, host) = origin.split_once("://").ok_or(())?;
            let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            let good = !scheme.is_empty()
                && scheme.chars().all(|c| known(c) || "+-.".contains(c))
                && !host.is_empty()
                && host.chars().all(|c| known(c) || "-.:[]".contains(c));
            if !good {
                return Err(());
            }
            origins.listed.push(origin.to_owned());
        }
        Ok(origins)
    }
}

impl std::fmt::Display for Origins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let any = self.any.then_some("*");
        let listed = self.listed.iter().map(String::as_str);
        f.write_str(&any.into_iter().chain(listed).collect::<Vec<_>>().join(","))
    }
}

macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident { $( $(#[doc = $vdoc:literal])+ $variant:ident = $text:literal ),+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $( $(#[doc = $vdoc])+ $variant ),+ }
        impl FromStr for $name {
            type Err = ();
            fn from_str(text: &str) -> Result<Self, ()> { match text { $($text => Ok(Self::$variant),)+ _ => Err(()) } }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $text),+ })
            }
        }
    };
}

words! {
    /// Where a process runs.
    Environment {
        /// On somebody's desk.
        Development = "development",
        /// In front of customers.
        Production = "production"
    }
}
words! {
    /// On, off, or as the environment says.
    Switch {
        /// On.
        On = "true",
        /// Off.
        Off = "false",
        /// On in development only.
        Auto = "auto"
    }
}
words! {
    /// The form of a log line.
    LogFormat {
        /// For people.
        Text = "text",
        /// For machines.
        Json = "json"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
        let file = BTreeMap::from([
            ("workers".into(), "3".into()),
            ("log".into(), "warn".into()),
        ]);
        let env = |name: &str| (name == "MERCER_WORKERS").then(|| "5".to_owned());
        let config = Config::read(&file, env).unwrap();
        assert_eq!(
            (config.workers, config.log.as_str(), config.drain_seconds),
            (5, "warn", 25)
        );
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let file = BTreeMap::from([
            ("wrokers".into(), "3".into()),
            ("bind".into(), "here".into()),
        ]);
        let env = |name: &str| (name == "MERCER_WORKERS").then(|| "many".to_owned());
        let error = Config::read(&file, env).unwrap_err();
        let about: Vec<&str> = error.fields.iter().map(|f| f.pointer.as_str()).collect();
        assert_eq!(about, ["wrokers", "bind", "MERCER_WORKERS"]);
    }

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        let text = "*, https://shop.example.com,http://127.0.0.1:3000";
        let origins: Origins = text.parse().unwrap();
        assert!(origins.any && origins.names("https://shop.example.com"));
        assert!(!origins.names("https://shop.example.com.evil.example"));
        assert_eq!(origins.to_string(), text.replace(' ', ""));
        assert_eq!("".parse(), Ok(Origins::default()));
        for wrong in [
            "shop.example.com",
            "https://shop.example.com/",
            "https://Shop.example.com",
            "https://*.example.com",
            "https://",
        ] {
            assert_eq!(wrong.parse::<Origins>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let file = BTreeMap::from([(
            "database_url".into(),
            "postgres://shop:s3cret@db/shop".into(),
        )]);
        let config = Config::read(&file, |_| None).unwrap();
        assert!(config.print().contains("postgres://shop:***@db/shop"));
        assert!(!config.print().contains("s3cret"));
    }
}
