//! What is counted of every operation, for `/metrics`.

use std::sync::LazyLock;
use std::time::Instant;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use super::{Answer, Meta};
use crate::kernel::Result;

struct Metrics {
    registry: Registry,
    seconds: HistogramVec,
    refusals: IntCounterVec,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let buckets = vec![
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
    ];
    let seconds =
        HistogramOpts::new("mercer_operation_seconds", "Time of an operation").buckets(buckets);
    let refusals = Opts::new(
        "mercer_operation_errors_total",
        "Operations that ended in an error, by code",
    );
    let registry = Registry::new();
    // Names and labels are constants; they are valid or no test passes.
    let metrics = Metrics {
        registry,
        seconds: HistogramVec::new(seconds, &["operation"]).unwrap_or_else(|e| unreachable!("{e}")),
        refusals: IntCounterVec::new(refusals, &["operation", "code"])
            .unwrap_or_else(|e| unreachable!("{e}")),
    };
    let _ = metrics.registry.register(Box::new(metrics.seconds.clone()));
    let _ = metrics
        .registry
        .register(Box::new(metrics.refusals.clone()));
    metrics
});

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

/// All metrics in Prometheus' text format.
pub fn print() -> String {
    prometheus::TextEncoder::new()
        .encode_to_string(&METRICS.registry.gather())
        .unwrap_or_default()
}
