//! What whoever watches a process is told.

use std::time::Duration;

use serde_json::json;

use crate::support::client::Client;
use crate::support::{Kind, Shop, Store};

const ABSENT: &str = "/channels/chn_01jq3h5s5vfkg8r4t0x2m6c9ze";

/// The value of a line of `/metrics`; nothing where there is no such line.
fn metric<T: std::str::FromStr>(client: &Client, line: &str) -> Option<T> {
    let answer = client.send("GET", "/metrics", None).ok();
    let text = std::str::from_utf8(&answer.body).unwrap().to_owned();
    let found = text
        .lines()
        .find_map(|l| l.strip_prefix(line)?.strip_prefix(' '));
    found.and_then(|value| value.parse().ok())
}

both! {
    fn a_process_says_how_it_is_and_what_it_has_done(shop) {
        let anybody = shop.anonymous();
        assert_eq!(anybody.send("GET", "/health/live", None).ok().json, json!({ "status": "live" }));
        assert_eq!(anybody.send("GET", "/health/ready", None).ok().json, json!({ "status": "ready" }));
        shop.staff().get("/channels").ok();
        shop.staff().get(ABSENT).refused(404, "NOT_FOUND");
        let metrics = anybody.send("GET", "/metrics", None).ok();
        let metrics = std::str::from_utf8(&metrics.body).unwrap();
        for line in ["mercer_operation_seconds_count{operation=\"ListChannels\"} ", "mercer_operation_errors_total{code=\"NOT_FOUND\",operation=\"GetChannel\"} "] {
            assert!(metrics.lines().any(|l| l.starts_with(line)), "{line} in {metrics}");
        }
    }

    fn what_no_operation_sees_is_counted_too(shop) {
        let (anybody, staff) = (shop.anonymous(), shop.staff());
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        // Other tests of the same process count as well, so differences at least.
        let counts = |lines: &[&str]| -> Vec<f64> {
            lines.iter().map(|line| metric(&anybody, line).unwrap_or_default()).collect()
        };
        let lines = [
            "mercer_http_requests_total{method=\"GET\",route=\"/v1/products\",status=\"401\"}",
            "mercer_http_requests_total{method=\"GET\",route=\"-\",status=\"404\"}",
            "mercer_http_requests_total{method=\"GET\",route=\"/v1/channels/{id}\",status=\"404\"}",
            "mercer_http_requests_total{method=\"OTHER\",route=\"/v1/channels\",status=\"405\"}",
            "mercer_cached_reads_total{result=\"miss\"}",
            "mercer_cached_reads_total{result=\"hit\"}",
            "mercer_webhooks_total{outcome=\"refused\",provider=\"manual\"}",
        ];
        let before = counts(&lines);
        anybody.get("/products").refused(401, "UNAUTHENTICATED");
        anybody.send("GET", "/nothing", None).refused(404, "NOT_FOUND");
        staff.get(ABSENT).refused(404, "NOT_FOUND");
        staff.send("BREW", "/v1/channels", None).refused(405, "METHOD_NOT_ALLOWED");
        for _ in 0..2 {
            store.front.get("/products").ok();
        }
        let webhook = anybody.send("POST", "/webhooks/payments/manual", Some(b"{}"));
        assert!((400..500).contains(&webhook.status), "{webhook}");
        anybody.send("POST", "/webhooks/payments/nobody", Some(b"{}")).refused(404, "NOT_FOUND");
        for ((line, before), after) in lines.iter().zip(before).zip(counts(&lines)) {
            assert!(after > before, "{line}: {before}, {after}");
        }
        let unknown = metric(&anybody, "mercer_webhooks_total{outcome=\"refused\",provider=\"nobody\"}");
        assert_eq!(unknown, None::<f64>, "whoever comes may not make up labels");
    }

    fn jobs_connections_and_the_process_are_measured(shop) {
        let anybody = shop.anonymous();
        assert_eq!(metric(&anybody, "mercer_db_up"), Some(1.0));
        assert_eq!(metric(&anybody, "mercer_jobs{state=\"dead\"}"), Some(0.0));
        let count = |state: &str| metric(&anybody, &format!("mercer_jobs{{state=\"{state}\"}}"));
        shop.work();
        let waiting = count("ready").unwrap();
        assert!(waiting >= 1.0, "the scheduled jobs");
        shop.wait(Duration::from_mins(24 * 60 + 10));
        let oldest = metric(&anybody, "mercer_job_oldest_due_seconds").unwrap();
        assert!((86_400.0..88_000.0).contains(&oldest), "{oldest}");
        shop.connect().batch("UPDATE jobs SET status = 'dead'").unwrap();
        assert_eq!((count("ready"), count("dead")), (Some(0.0), Some(waiting)));
        assert_eq!(metric(&anybody, "mercer_job_oldest_due_seconds"), Some(0.0));
        let version = format!("mercer_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
        assert_eq!(metric(&anybody, &version), Some(1.0));
        let idle: i64 = metric(&anybody, "mercer_db_connections{state=\"idle\"}").unwrap();
        let busy: i64 = metric(&anybody, "mercer_db_connections{state=\"busy\"}").unwrap();
        assert!((1..=4).contains(&(idle + busy)), "{idle} and {busy}");
        let open = || metric::<i64>(&anybody, "mercer_http_connections").unwrap();
        let before = open();
        let more: Vec<_> = (0..20).map(|_| std::net::TcpStream::connect(anybody.address()).unwrap()).collect();
        crate::support::within(5, "the connections are counted", || open() >= before + 20);
        drop(more);
        crate::support::within(5, "they are gone", || open() < before + 20);
        if cfg!(target_os = "linux") {
            for (line, least, most) in [
                ("process_resident_memory_bytes", 10e6, 10e9), ("process_threads", 3.0, 1e4), ("process_open_fds", 10.0, 1e5),
                ("process_max_fds", 64.0, 1e10), ("process_start_time_seconds", 1.7e9, 1e10), ("process_cpu_seconds_total", 0.0, 1e6),
            ] {
                let value = metric(&anybody, line).unwrap();
                assert!((least..most).contains(&value), "{line} {value}");
            }
        }
    }
}

#[test]
fn metrics_may_have_an_address_of_their_own() {
    let shop = Shop::open(Kind::Sqlite);
    let peer = shop.peer(&[("metrics_bind", "127.0.0.1:0")]);
    let public = peer.client(&shop.staff());
    let private = public.at(peer.metrics.unwrap());
    for target in ["/metrics", "/%6detrics", "/metric%73", "//metrics"] {
        public.send("GET", target, None).refused(404, "NOT_FOUND");
    }
    public.get("/channels").ok();
    assert_eq!(metric(&private, "mercer_db_up"), Some(1.0));
    private.send("GET", "/health/ready", None).ok();
    for target in [
        "/v1/channels",
        "/graphql?query=%7B__typename%7D",
        "/docs",
        "/webhooks/payments/manual",
    ] {
        private.send("GET", target, None).refused(404, "NOT_FOUND");
    }
}
