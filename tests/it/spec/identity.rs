//! API keys: who may come in.

use serde_json::{Value, json};

both! {
    fn a_key_is_shown_once_and_never_again(shop) {
        let input = json!({ "kind": "secret", "name": "Back office", "scopes": ["orders:read", "channels:read"] });
        let made = shop.staff().post("/api-keys", input).created();
        let key = made.text("/key");
        assert!(key.starts_with("mrc_sk_") && key.starts_with(made.text("/apiKey/prefix")), "{key}");
        let listed = shop.staff().get("/api-keys").ok();
        assert_eq!(listed.at("/items/0"), made.at("/apiKey"));
        let secret = key.split('_').nth(3).unwrap();
        assert_eq!(secret.len(), 43);
        assert!(!String::from_utf8(listed.body).unwrap().contains(secret));
        shop.bearer(key).get("/channels").ok();
    }

    fn a_secret_key_lives_a_year_and_a_publishable_one_for_ever(shop) {
        let secret = json!({ "kind": "secret", "name": "Partner", "scopes": ["channels:read"] });
        let secret = shop.staff().post("/api-keys", secret).created();
        let days = |answer: &crate::support::Answer| {
            let time = |field: &str| answer.text(field).parse::<mercer::kernel::Timestamp>().unwrap().micros();
            (time("/apiKey/expiresAt") - time("/apiKey/createdAt")) / 86_400_000_000
        };
        assert_eq!(days(&secret), 365);
        let publishable = json!({ "kind": "publishable", "name": "Shop front", "channelId": shop.channel.to_string() });
        let publishable = shop.staff().post("/api-keys", publishable).created();
        assert_eq!(publishable.at("/apiKey/expiresAt"), &Value::Null);
        assert_eq!(publishable.text("/apiKey/channelId"), shop.channel.to_string());
    }

    fn a_key_of_either_kind_has_what_belongs_to_it(shop) {
        let channel = shop.channel.to_string();
        let cases = [
            (json!({ "kind": "secret", "name": "N" }), "/scopes", "scopes"),
            (json!({ "kind": "secret", "name": "N", "scopes": ["orders:read"], "channelId": channel }), "/channelId", "channel"),
            (json!({ "kind": "publishable", "name": "N" }), "/channelId", "channel"),
            (json!({ "kind": "publishable", "name": "N", "channelId": channel, "scopes": ["orders:read"] }), "/scopes", "scopes"),
            (json!({ "kind": "publishable", "name": "N", "channelId": "chn_01jq3h5s5vfkg8r4t0x2m6c9ze" }), "/channelId", "unknown_channel"),
            (json!({ "kind": "secret", "name": "N", "scopes": ["orders:fly"] }), "/scopes/0", "unknown_scope"),
            (json!({ "kind": "secret", "name": "N", "scopes": ["orders:read"], "expiresInDays": 0 }), "/expiresInDays", "out_of_range"),
            (json!({ "kind": "secret", "name": " ", "scopes": ["orders:read"] }), "/name", "blank"),
        ];
        shop.unchanged(|| {
            for (input, pointer, code) in cases {
                shop.staff().post("/api-keys", input).refused(422, "VALIDATION_FAILED").about(pointer, code);
            }
        });
    }

    fn nobody_gives_more_than_they_have(shop) {
        let partner = shop.partner(&["api_keys:write", "channels:read"]);
        let give = |scope: &str| json!({ "kind": "secret", "name": "N", "scopes": ["channels:read", scope] });
        let refused = partner.post("/api-keys", give("orders:write"));
        refused.refused(422, "VALIDATION_FAILED").about("/scopes/1", "scope_not_held");
        partner.post("/api-keys", give("api_keys:write")).created();
    }

    fn revoking_twice_is_the_same_as_once(shop) {
        let input = json!({ "kind": "secret", "name": "Leaked", "scopes": ["channels:read"] });
        let id = shop.staff().post("/api-keys", input).created().text("/apiKey/id").to_owned();
        let path = format!("/api-keys/{id}/revoke");
        let first = shop.staff().post(&path, json!({})).ok();
        assert_ne!(first.at("/revokedAt"), &Value::Null);
        shop.wait(std::time::Duration::from_hours(1));
        assert_eq!(shop.staff().post(&path, json!({})).ok().json, first.json);
        let absent = "/api-keys/key_01jq3h5s5vfkg8r4t0x2m6c9ze/revoke";
        shop.staff().post(absent, json!({})).refused(404, "NOT_FOUND");
    }

    fn the_last_use_of_a_key_is_noted_to_the_minute(shop) {
        let input = json!({ "kind": "secret", "name": "Used", "scopes": ["channels:read"] });
        let key = shop.staff().post("/api-keys", input).created().text("/key").to_owned();
        let last_use = || shop.staff().get("/api-keys?limit=1").ok().at("/items/0/lastUsedAt").clone();
        assert_eq!(last_use(), Value::Null);
        shop.bearer(&key).get("/channels").ok();
        crate::support::within(2, "the use is noted", || last_use() != Value::Null);
    }
}
