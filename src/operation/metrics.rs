//! What is counted, for `/metrics`.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};

use super::{Answer, Meta};
use crate::kernel::Result;

struct Metrics {
    registry: Registry,
    seconds: HistogramVec,
    refusals: IntCounterVec,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    cached: IntCounterVec,
    connections: IntGauge,
    webhooks: IntCounterVec,
}

// Names and labels are constants; they are valid or no test passes.
static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let registry = Registry::new();
    let connections = IntGauge::new("mercer_http_connections", "Connections that are open")
        .unwrap_or_else(|e| unreachable!("{e}"));
    Metrics {
        seconds: histogram(
            &registry,
            "mercer_operation_seconds",
            "Time of an operation",
            &["operation"],
        ),
        refusals: counter(
            &registry,
            "mercer_operation_errors_total",
            "Operations that ended in an error, by code",
            &["operation", "code"],
        ),
        requests: counter(
            &registry,
            "mercer_http_requests_total",
            "Requests by the pattern of their path and the status of their answer",
            &["method", "route", "status"],
        ),
        request_seconds: histogram(
            &registry,
            "mercer_http_request_seconds",
            "Time until the answer to a request was made",
            &["route"],
        ),
        cached: counter(
            &registry,
            "mercer_cached_reads_total",
            "Reads of the published catalogue: from memory (hit) or from the database (miss)",
            &["result"],
        ),
        webhooks: counter(
            &registry,
            "mercer_webhooks_total",
            "Webhooks of payment providers: accepted, refused, failed when they came; processed by the job that follows; \
             foreign where they are about payments of other systems",
            &["provider", "outcome"],
        ),
        connections: registered(&registry, connections),
        registry,
    }
});

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> C {
    let _ = registry.register(Box::new(collector.clone()));
    collector
}

fn counter(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    let made = IntCounterVec::new(Opts::new(name, help), labels);
    registered(registry, made.unwrap_or_else(|e| unreachable!("{e}")))
}

fn histogram(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
    let buckets = vec![
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
    ];
    let made = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), labels);
    registered(registry, made.unwrap_or_else(|e| unreachable!("{e}")))
}

/// A running operation.
pub struct Watch {
    name: &'static str,
    started: Instant,
}

/// Begins to time an operation.
pub fn start(meta: &Meta) -> Watch {
    Watch {
        name: meta.name,
        started: Instant::now(),
    }
}

impl Watch {
    /// Records how it ended.
    pub fn stop<T>(self, result: &Result<Answer<T>>) {
        let elapsed = self.started.elapsed();
        METRICS
            .seconds
            .with_label_values(&[self.name])
            .observe(elapsed.as_secs_f64());
        if let Err(error) = result {
            METRICS
                .refusals
                .with_label_values(&[self.name, error.code.as_str()])
                .inc();
        }
    }
}

/// A request was answered. `route` is the pattern of its path; methods that HTTP does not define count as `OTHER`.
pub fn request(method: &str, route: &str, status: &str, elapsed: Duration) {
    let method = match method {
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => method,
        _ => "OTHER",
    };
    METRICS
        .requests
        .with_label_values(&[method, route, status])
        .inc();
    METRICS
        .request_seconds
        .with_label_values(&[route])
        .observe(elapsed.as_secs_f64());
}

/// A read of the published catalogue was answered, from memory or not.
pub fn cached_read(hit: bool) {
    METRICS
        .cached
        .with_label_values(&[if hit { "hit" } else { "miss" }])
        .inc();
}

/// A webhook came, or was processed. `provider` is the name of one that there is.
pub fn webhook(provider: &str, outcome: &str) {
    METRICS
        .webhooks
        .with_label_values(&[provider, outcome])
        .inc();
}

/// A connection that is open for as long as this lives.
pub struct Connection(());

impl Connection {
    /// Counts a connection.
    pub fn open() -> Self {
        METRICS.connections.inc();
        Self(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        METRICS.connections.dec();
    }
}

/// All that was counted, in Prometheus' text format.
pub fn print() -> String {
    prometheus::TextEncoder::new()
        .encode_to_string(&METRICS.registry.gather())
        .unwrap_or_default()
}
