//! An API key opens what it says, for as long as it says, in every process.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::{Shop, within};

both! {
    fn a_revoked_key_stops_working_in_every_process_within_five_seconds(shop) {
        let (key, id) = partner(shop);
        let here = shop.bearer(&key);
        let peer = shop.peer(&[]);
        let there = peer.client(&here);
        here.get("/channels").ok();
        there.get("/channels").ok();
        let began = Instant::now();
        shop.staff().post(&format!("/api-keys/{id}/revoke"), json!({})).ok();
        let dead = |client: &Client| client.get("/channels").code() == "UNAUTHENTICATED";
        within(5, "the key is dead in both processes", || dead(&here) && dead(&there));
        assert!(began.elapsed() < Duration::from_secs(5));
        here.graphql("{ channels { nodes { id } } }", json!({})).denied("UNAUTHENTICATED");
    }

    fn an_expired_key_does_not_work(shop) {
        let input = json!({ "kind": "secret", "name": "short", "scopes": ["channels:read"], "expiresInDays": 1 });
        let made = shop.staff().post("/api-keys", input).created();
        let key = made.text("/key").to_owned();
        shop.wait(Duration::from_hours(25));
        shop.bearer(&key).get("/channels").refused(401, "UNAUTHENTICATED");
    }

    fn an_unknown_a_mistyped_and_an_altered_key_are_refused_alike(shop) {
        let (key, _) = partner(shop);
        let unknown = { let (mut other, _) = partner(shop); other.replace_range(17..20, "xyz"); other };
        let altered = key.replace("mrc_sk_", "mrc_pk_");
        let mut answers = Vec::new();
        for bad in [unknown.as_str(), altered.as_str(), "mrc_sk_nonsense"] {
            let mut answer = shop.bearer(bad).get("/channels").refused(401, "UNAUTHENTICATED");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            answer.json["requestId"] = Value::Null;
            answer.json["instance"] = Value::Null;
            answers.push(answer.json);
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
        let basic = shop.anonymous().with("authorization", "Basic YTpi").get("/channels");
        basic.refused(401, "UNAUTHENTICATED");
        shop.bearer("mrc_sk_nonsense").graphql("{ channels { nodes { id } } }", json!({})).status(401);
    }
}

fn partner(shop: &Shop) -> (String, String) {
    let input = json!({ "kind": "secret", "name": "partner", "scopes": ["channels:read"] });
    let made = shop.staff().post("/api-keys", input).created();
    (
        made.text("/key").to_owned(),
        made.text("/apiKey/id").to_owned(),
    )
}
