//! A line for each request, which says what was done with whose key and nothing about anybody.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::client::Client;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const ID: &str = "0190a5c2-7b1d-7e2f-8a3b-4c5d6e7f8091";

/// Starts a demo shop with these settings, does something, stops it, and gives what `work` gave and what stood in the log.
fn logged<T>(settings: &[(&str, &str)], work: impl FnOnce(Client, &str) -> T) -> (T, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("demo.db");
    let mut server = Command::new(env!("CARGO_BIN_EXE_mercer"))
        .args(["demo", "--bind", "127.0.0.1:0", "--database-url"])
        .arg(&database)
        .env_clear()
        .env("MERCER_LOG_FORMAT", "json")
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = server.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).unwrap();
        text
    });
    let (mut address, mut key) = (None, None);
    // Kept until the end: who prints to nobody ends.
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
    for line in said.by_ref() {
        let line = line.unwrap();
        let value = |name: &str| Some(line.split_once(name)?.1.trim_matches('"').to_owned());
        address = address.or_else(|| value("MERCER_URL=http://"));
        key = key.or_else(|| value("MERCER_PK="));
        if address.is_some() && key.is_some() {
            break;
        }
    }
    let (address, key) = (address.unwrap(), key.unwrap());
    let done = work(Client::new(address.parse().unwrap()), &key);
    let pid = server.id().to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(told.success() && server.wait().unwrap().success());
    let log = log.join().unwrap();
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    (done, log.lines().map(read).collect())
}

fn requests(log: &[Value]) -> Vec<&Value> {
    let ours = log.iter().filter(|line| line["target"] == "mercer::access");
    ours.map(|line| &line["fields"]).collect()
}

#[test]
fn every_request_has_its_line_and_nothing_in_it_is_personal() {
    let ((key, sizes), log) = logged(&[], |anybody, key| {
        let front = anybody.with("authorization", format!("Bearer {key}"));
        let traced = front
            .with("x-request-id", ID)
            .with("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
        let list = traced.get("/products?text=canary-words").ok();
        let cart = json!({ "email": "canary@example.com" });
        let cart = front
            .once()
            .with("user-agent", "canary-agent")
            .post("/carts", cart)
            .created();
        let path = format!("/v1/carts/{}", cart.text("/cart/id"));
        let own = front.with("x-cart-token", cart.text("/token"));
        let head = own.send("HEAD", &path, None).ok();
        front
            .graphql("{ products(first: 1) { nodes { id } } }", json!({}))
            .ok();
        anybody.get("/products").refused(401, "UNAUTHENTICATED");
        anybody
            .send("GET", "/canary/path", None)
            .refused(404, "NOT_FOUND");
        let wrong = anybody.with("authorization", "Bearer canary-secret");
        wrong.get("/products").refused(401, "UNAUTHENTICATED");
        anybody.send("GET", "/health/live", None).ok();
        anybody.send("GET", "/metrics", None).status(200);
        let sizes = [list.body.len(), cart.body.len(), head.body.len()];
        (key.to_owned(), sizes)
    });
    let lines = requests(&log);
    let seen: Vec<Value> = lines
        .iter()
        .map(|line| json!([line["method"], line["route"], line["status"], line["key"]]))
        .collect();
    let public = &key[..15];
    let expected = [
        json!(["GET", "/v1/products", 200, public]),
        json!(["POST", "/v1/carts", 201, public]),
        json!(["HEAD", "/v1/carts/{id}", 200, public]),
        json!(["POST", "/graphql", 200, public]),
        json!(["GET", "/v1/products", 401, null]),
        json!(["GET", "-", 404, null]),
        json!(["GET", "/v1/products", 401, null]),
    ];
    assert_eq!(seen, expected);
    for (line, size) in lines.iter().zip(sizes) {
        assert_eq!(line["bytes"], size, "{line}");
    }
    assert_eq!(
        (&lines[0]["request_id"], &lines[0]["trace_id"]),
        (&json!(ID), &json!(TRACE))
    );
    for line in &lines {
        let ms = line["ms"].as_f64().unwrap();
        assert!((0.0..30_000.0).contains(&ms), "{line}");
        assert!(
            line["request_id"]
                .as_str()
                .unwrap()
                .parse::<uuid::Uuid>()
                .is_ok(),
            "{line}"
        );
    }
    let text = format!("{log:?}");
    for secret in ["canary", "127.0.0.1:1", &key[16..]] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn the_lines_can_be_left_out() {
    let settings = [("MERCER_LOG", "info,mercer::access=off")];
    let ((), log) = logged(&settings, |anybody, _| {
        anybody.get("/products").refused(401, "UNAUTHENTICATED");
    });
    assert_eq!(requests(&log), Vec::<&Value>::new());
    assert!(log.iter().any(|line| line["target"] != "mercer::access"));
}
