//! What whoever watches a process is told.

use serde_json::json;

both! {
    fn a_process_says_how_it_is_and_what_it_has_done(shop) {
        let anybody = shop.anonymous();
        assert_eq!(anybody.send("GET", "/health/live", None).ok().json, json!({ "status": "live" }));
        assert_eq!(anybody.send("GET", "/health/ready", None).ok().json, json!({ "status": "ready" }));
        shop.staff().get("/channels").ok();
        shop.staff().get("/channels/chn_01jq3h5s5vfkg8r4t0x2m6c9ze").refused(404, "NOT_FOUND");
        let metrics = anybody.send("GET", "/metrics", None).ok();
        let metrics = std::str::from_utf8(&metrics.body).unwrap();
        for line in ["mercer_operation_seconds_count{operation=\"ListChannels\"} ", "mercer_operation_errors_total{code=\"NOT_FOUND\",operation=\"GetChannel\"} "] {
            assert!(metrics.lines().any(|l| l.starts_with(line)), "{line} in {metrics}");
        }
    }
}
