//! Bad input at both doors: a refusal that says what is wrong and where, and nothing is written.

use serde_json::{Value, json};

use crate::support::client::{Answer, Client};
use crate::support::concurrently;

const ABSENT: &str = "chn_01jq3h5s5vfkg8r4t0x2m6c9ze";
const CREATE: &str =
    "mutation($input: CreateChannelInput!) { createChannel(input: $input) { id version } }";
const UPDATE: &str =
    "mutation($input: UpdateChannelInput!) { updateChannel(input: $input) { id version } }";

/// A channel that may be opened.
fn channel(handle: &str) -> Value {
    json!({ "handle": handle, "name": "Channel", "currency": "EUR", "countries": ["DE"] })
}

/// The same with one field set to something else.
fn with(mut input: Value, field: &str, value: Value) -> Value {
    input[field] = value;
    input
}

/// The body of a refusal, without what differs from request to request.
fn body(answer: &Answer) -> Value {
    let mut json = answer.json.clone();
    json["requestId"] = Value::Null;
    json["instance"] = Value::Null;
    json
}

both! {
    fn a_body_that_is_not_readable_is_400(shop) {
        let staff = shop.staff();
        let deep = format!("{{\"metadata\":{}1{}}}", "[".repeat(40), "]".repeat(40));
        let twice = format!("{} {{}}", channel("twice"));
        let bodies: [&[u8]; 6] = [b"{", b"not json", twice.as_bytes(), b"{\"name\": \"\xff\xfe\"}", b"\xef\xbb\xbf{}", deep.as_bytes()];
        shop.unchanged(|| {
            for bytes in bodies {
                let said = String::from_utf8_lossy(bytes).into_owned();
                let rest = staff.bytes("POST", "/channels", bytes);
                assert_eq!((rest.status, rest.code()), (400, "MALFORMED_REQUEST"), "{said}: {rest}");
                let graphql = staff.with("content-type", "application/json").send("POST", "/graphql", Some(bytes));
                assert_eq!((graphql.status, graphql.code()), (400, "MALFORMED_REQUEST"), "{said}: {graphql}");
            }
            staff.bytes("POST", "/channels", b"[]").refused(400, "INVALID_INPUT");
            staff.bytes("POST", "/channels", b"").refused(400, "INVALID_INPUT").about("/handle", "missing_field");
            staff.with("content-type", "application/json").send("POST", "/graphql", Some(b"")).refused(400, "MALFORMED_REQUEST");
        });
    }

    fn a_body_that_is_too_large_is_413(shop) {
        let staff = shop.staff();
        let large = with(channel("large"), "name", json!("x".repeat(256 * 1024)));
        shop.unchanged(|| {
            staff.post("/channels", large.clone()).refused(413, "PAYLOAD_TOO_LARGE");
            staff.graphql(CREATE, json!({ "input": large })).refused(413, "PAYLOAD_TOO_LARGE");
        });
        let mut fits = channel("fits").to_string().into_bytes();
        fits.resize(256 * 1024, b' ');
        staff.bytes("POST", "/channels", &fits).created();
    }

    fn a_body_that_is_not_called_json_is_415(shop) {
        let staff = shop.staff();
        let bytes = channel("plain").to_string().into_bytes();
        let query = json!({ "query": "{ __typename }" }).to_string().into_bytes();
        shop.unchanged(|| {
            for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "multipart/form-data"] {
                let client = staff.with("content-type", kind);
                client.bytes("POST", "/channels", &bytes).refused(415, "UNSUPPORTED_MEDIA_TYPE");
                client.send("POST", "/graphql", Some(&query)).refused(415, "UNSUPPORTED_MEDIA_TYPE");
            }
            staff.send("POST", "/v1/channels", Some(&bytes)).refused(415, "UNSUPPORTED_MEDIA_TYPE");
        });
    }

    fn an_answer_that_the_client_cannot_read_is_406(shop) {
        let query = "{ __typename }";
        for accept in ["text/html", "application/json;q=0", "image/*"] {
            shop.staff().with("accept", accept).graphql(query, json!({})).status(406);
        }
        let new = shop.staff().with("accept", "application/graphql-response+json").graphql(query, json!({})).ok();
        assert_eq!(new.header("content-type"), "application/graphql-response+json; charset=utf-8");
        let old = shop.staff().with("accept", "application/json").graphql(query, json!({})).ok();
        assert_eq!(old.header("content-type"), "application/json; charset=utf-8");
    }

    fn a_field_that_does_not_fit_is_pointed_at(shop) {
        let staff = shop.staff();
        let fine = channel("fine");
        let cases = [
            (with(fine.clone(), "colour", json!("red")), "/colour", "unknown_field"),
            (with(fine.clone(), "name", json!(7)), "/name", "invalid_type"),
            (with(fine.clone(), "name", Value::Null), "/name", "invalid_type"),
            (with(fine.clone(), "countries", json!("DE")), "/countries", "invalid_type"),
            (with(fine.clone(), "countries", json!(["DE", 5])), "/countries/1", "invalid_type"),
            (with(fine.clone(), "holdMinutes", json!("15")), "/holdMinutes", "invalid_type"),
            (with(fine.clone(), "holdMinutes", json!(1.5)), "/holdMinutes", "invalid_type"),
            (with(fine.clone(), "orderNumbers", json!("random")), "/orderNumbers", "unknown_value"),
            (json!({ "handle": "fine" }), "/name", "missing_field"),
        ];
        shop.unchanged(|| {
            for (input, pointer, code) in cases {
                staff.post("/channels", input.clone()).refused(400, "INVALID_INPUT").about(pointer, code);
                if input["countries"] == "DE" {
                    continue; // GraphQL takes one for a list of one
                }
                let graphql = staff.graphql(CREATE, json!({ "input": input }));
                assert_eq!(graphql.code(), "GRAPHQL_INVALID", "{input}: {graphql}");
            }
        });
    }

    fn a_value_that_is_not_allowed_is_pointed_at_alike_at_both_doors(shop) {
        let staff = shop.staff();
        let fine = channel("fine");
        let cases = [
            (with(fine.clone(), "name", json!(" ")), "/name", "blank"),
            (with(fine.clone(), "name", json!("a\0b")), "/name", "nul"),
            (with(fine.clone(), "metadata", json!({ "note": { "deep": ["a\0"] } })), "/metadata/note/deep/0", "nul"),
            (with(fine.clone(), "handle", json!("No Handle")), "/handle", "invalid_handle"),
            (with(fine.clone(), "countries", json!([])), "/countries", "wrong_count"),
            (with(fine.clone(), "countries", json!(["DE", "Germany"])), "/countries/1", "invalid_country"),
            (with(fine.clone(), "holdMinutes", json!(0)), "/holdMinutes", "out_of_range"),
            (with(fine.clone(), "holdMinutes", json!(-1)), "/holdMinutes", "out_of_range"),
            (with(fine.clone(), "holdMinutes", json!(1_000_000_000_000_i64)), "/holdMinutes", "out_of_range"),
        ];
        shop.unchanged(|| {
            for (input, pointer, code) in cases {
                let rest = staff.post("/channels", input.clone()).refused(422, "VALIDATION_FAILED").about(pointer, code);
                let graphql = staff.graphql(CREATE, json!({ "input": input })).denied("VALIDATION_FAILED").about(pointer, code);
                assert_eq!(rest.at("/errors"), graphql.at("/errors/0/extensions/errors"));
                assert_eq!(rest.detail(), graphql.detail());
            }
        });
    }

    fn a_field_that_stands_twice_is_refused(shop) {
        let staff = shop.staff();
        let twice = br#"{"handle":"twice","name":"A","name":"B","currency":"EUR","countries":["DE"]}"#;
        shop.unchanged(|| {
            staff.bytes("POST", "/channels", twice).refused(400, "INVALID_INPUT").about("/name", "duplicate_field");
            let path = format!("/channels/{}", shop.channel);
            staff.patch(&path, json!({ "id": ABSENT, "name": "B" })).refused(400, "INVALID_INPUT").about("/id", "duplicate_field");
            staff.get(&format!("{path}?id={ABSENT}")).refused(400, "INVALID_INPUT").about("/id", "duplicate");
            staff.get("/channels?limit=1&limit=2").refused(400, "INVALID_INPUT").about("/limit", "invalid_type");
        });
    }

    fn a_parameter_without_a_value_is_refused(shop) {
        let staff = shop.staff();
        for query in ["limit=", "limit", "after=", "limit=2&after=", "sort=", "text=", "inStock="] {
            let field = query.trim_start_matches("limit=2&").trim_end_matches('=');
            staff.get(&format!("/products?{query}")).refused(400, "INVALID_INPUT").about(&format!("/{field}"), "empty");
        }
        let long = "x".repeat(4_001);
        staff.get(&format!("/orders?reference={long}")).refused(422, "VALIDATION_FAILED").about("/reference", "too_long");
    }

    fn a_document_is_sent_once_and_named_from_then_on(shop) {
        use sha2::{Digest, Sha256};
        let staff = shop.staff().with("content-type", "application/json");
        let query = "{ channels(first: 1) { nodes { handle } } }";
        let hash: String = mercer::kernel::hex(&Sha256::digest(query));
        let named = |version: i64, hash: &str| json!({ "persistedQuery": { "version": version, "sha256Hash": hash } });
        let send = |body: Value| staff.send("POST", "/graphql", Some(body.to_string().as_bytes()));
        let by_name = json!({ "extensions": named(1, &hash) });
        let unknown = send(by_name.clone()).denied("PERSISTED_QUERY_NOT_FOUND");
        assert_eq!((unknown.status, unknown.detail()), (200, "PersistedQueryNotFound"));
        send(json!({ "query": "{ __typename }", "extensions": named(1, &hash) })).denied("GRAPHQL_INVALID");
        send(json!({ "extensions": named(2, &hash) })).denied("PERSISTED_QUERY_NOT_SUPPORTED");
        send(json!({ "extensions": { "persistedQuery": "nonsense" } })).denied("GRAPHQL_INVALID");
        send(json!({ "extensions": {} })).denied("GRAPHQL_INVALID");
        send(by_name.clone()).denied("PERSISTED_QUERY_NOT_FOUND");

        let answer = send(json!({ "query": query, "extensions": named(1, &hash) })).ok();
        assert_eq!(answer.json["data"]["channels"]["nodes"], json!([{ "handle": "main" }]));
        assert_eq!(send(by_name).ok().json, answer.json);
        let encoded: String = named(1, &hash).to_string().bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}"));
        assert_eq!(staff.send("GET", &format!("/graphql?extensions={encoded}"), None).ok().json, answer.json);

        // Who reads the new media type is told by the status too.
        let other = named(1, &"0".repeat(64));
        let new = staff.with("accept", "application/graphql-response+json");
        new.send("POST", "/graphql", Some(json!({ "extensions": other }).to_string().as_bytes())).refused(400, "PERSISTED_QUERY_NOT_FOUND");

        // A named mutation is still no query.
        let write = "mutation { __typename }";
        let hash: String = mercer::kernel::hex(&Sha256::digest(write));
        send(json!({ "query": write, "extensions": named(1, &hash) })).ok();
        let encoded: String = named(1, &hash).to_string().bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}"));
        staff.send("GET", &format!("/graphql?extensions={encoded}"), None).refused(405, "METHOD_NOT_ALLOWED");
    }

    fn a_malformed_id_is_pointed_at(shop) {
        let staff = shop.staff();
        let ids = ["nonsense", "chn_", "chn_01JQ3H5S5VFKG8R4T0X2M6C9ZE", "chn_81jq3h5s5vfkg8r4t0x2m6c9ze", "prd_01jq3h5s5vfkg8r4t0x2m6c9ze", "%00"];
        for id in ids {
            staff.get(&format!("/channels/{id}")).refused(400, "INVALID_INPUT").about("/id", "invalid_type");
            let query = "query($id: ID!) { channel(id: $id) { id } }";
            staff.graphql(query, json!({ "id": id })).denied("INVALID_INPUT");
        }
    }

    fn what_is_absent_and_what_is_another_s_are_the_same_404(shop) {
        let other = shop.another_channel("other");
        let other = other["id"].as_str().unwrap();
        let storefront = shop.storefront();
        storefront.get(&format!("/channels/{}", shop.channel)).ok();
        let absent = storefront.get(&format!("/channels/{ABSENT}")).refused(404, "NOT_FOUND");
        let foreign = storefront.get(&format!("/channels/{other}")).refused(404, "NOT_FOUND");
        assert_eq!(body(&absent), body(&foreign));
        let query = "query($id: ID!) { channel(id: $id) { id } }";
        let ask = |id: &str| storefront.graphql(query, json!({ "id": id })).denied("NOT_FOUND");
        assert_eq!(ask(ABSENT).detail(), ask(other).detail());
    }

    fn a_cursor_that_was_not_given_for_this_list_is_refused(shop) {
        let staff = shop.staff();
        shop.another_channel("second");
        let cursor = staff.get("/channels?limit=1").ok().text("/page/nextCursor").to_owned();
        let of_keys = staff.get("/api-keys?limit=1").ok().text("/page/nextCursor").to_owned();
        let tampered = format!("{}{}", if cursor.starts_with('A') { 'B' } else { 'A' }, &cursor[1..]);
        staff.get(&format!("/channels?after={cursor}")).ok();
        for bad in [tampered.as_str(), of_keys.as_str(), "nonsense", "AAAA", &cursor[..cursor.len() - 1]] {
            staff.get(&format!("/channels?after={bad}")).refused(400, "INVALID_CURSOR").about("/after", "invalid_cursor");
            let query = "query($after: String) { channels(after: $after) { nodes { id } } }";
            staff.graphql(query, json!({ "after": bad })).denied("INVALID_CURSOR").about("/after", "invalid_cursor");
        }
    }

    fn a_page_has_from_1_to_100_items(shop) {
        let staff = shop.staff();
        for limit in ["1", "100"] {
            staff.get(&format!("/channels?limit={limit}")).ok();
        }
        let query = "query($first: Int) { channels(first: $first) { nodes { id } } }";
        for limit in [0, 101, -1] {
            let rest = staff.get(&format!("/channels?limit={limit}"));
            let rest = rest.refused(422, "VALIDATION_FAILED").about("/limit", "out_of_range");
            let graphql = staff.graphql(query, json!({ "first": limit }));
            let graphql = graphql.denied("VALIDATION_FAILED").about("/limit", "out_of_range");
            assert_eq!(rest.detail(), graphql.detail());
        }
        for limit in ["abc", "1.5", "99999999999999999999"] {
            staff.get(&format!("/channels?limit={limit}")).refused(400, "INVALID_INPUT").about("/limit", "invalid_type");
        }
        staff.get("/channels?colour=red").refused(400, "INVALID_INPUT").about("/colour", "unknown_field");
        staff.get("/channels?after=%ff").refused(400, "MALFORMED_REQUEST");
    }

    fn a_wrong_method_is_405_and_names_the_right_ones(shop) {
        let staff = shop.staff();
        let list = staff.send("DELETE", "/v1/channels", None).refused(405, "METHOD_NOT_ALLOWED");
        assert_eq!(list.header("allow"), "GET, HEAD, POST");
        let one = staff.send("PUT", &format!("/v1/channels/{ABSENT}"), None).refused(405, "METHOD_NOT_ALLOWED");
        assert_eq!(one.header("allow"), "GET, HEAD, PATCH");
        let graphql = staff.send("DELETE", "/graphql", None).refused(405, "METHOD_NOT_ALLOWED");
        assert_eq!(graphql.header("allow"), "GET, HEAD, POST");
        shop.unchanged(|| {
            let target = "/graphql?query=mutation%20%7BcreateChannel(input:%7Bhandle:%22a%22,name:%22a%22,currency:%22EUR%22,countries:%5B%22DE%22%5D%7D)%7Bid%7D%7D";
            let mutation = staff.send("GET", target, None).refused(405, "METHOD_NOT_ALLOWED");
            assert_eq!(mutation.header("allow"), "GET, HEAD, POST");
        });
        for method in ["TRACE", "BREW"] {
            assert!([404, 405].contains(&staff.send(method, "/v1/channels", None).status), "{method}");
        }
    }

    fn an_unknown_path_is_a_404_problem(shop) {
        for target in ["/", "/v1", "/v1/nothing", "/v1/channels/a/b/c", "/v2/channels", "/v1//channels", "/v1/channels/", "/.env"] {
            shop.staff().send("GET", target, None).refused(404, "NOT_FOUND");
        }
    }

    fn a_request_has_one_effect_for_one_idempotency_key(shop) {
        let staff = shop.staff().keyed("open-once");
        let first = staff.post("/channels", channel("once")).created();
        assert_eq!(first.header("idempotent-replayed"), "");
        let (again, graphql) = shop.unchanged(|| {
            let again = staff.post("/channels", channel("once")).created();
            let key = json!({ "input": channel("once"), "key": "open-once" });
            let mutation = "mutation($input: CreateChannelInput!, $key: String) { createChannel(input: $input, idempotencyKey: $key) { id } }";
            (again, shop.staff().graphql(mutation, key).ok())
        });
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.body, first.body);
        assert_eq!(again.etag(), first.etag());
        assert_eq!(graphql.at("/data/createChannel/id"), first.at("/id"));
        shop.unchanged(|| staff.post("/channels", channel("other")).refused(422, "IDEMPOTENCY_KEY_REUSED"));
        // Another caller's key, and another operation's, are other keys.
        shop.partner(&["channels:write"]).keyed("open-once").post("/channels", channel("partner")).created();
        staff.patch(&format!("/channels/{}", shop.channel), json!({ "name": "Renamed" })).ok();
    }

    fn a_refused_request_does_not_use_up_its_key(shop) {
        let staff = shop.staff().keyed("try-again");
        shop.unchanged(|| staff.post("/channels", channel("main")).refused(409, "ALREADY_EXISTS"));
        staff.post("/channels", channel("free")).created();
    }

    fn a_key_is_forgotten_after_seven_days(shop) {
        let staff = shop.staff().keyed("week");
        staff.post("/channels", channel("week")).created();
        shop.wait(std::time::Duration::from_hours(7 * 24 + 2));
        shop.work();
        staff.post("/channels", channel("next")).created();
    }

    fn many_at_once_with_one_key_have_one_effect(shop) {
        let staff = shop.staff().keyed("at-once");
        let before = shop.count("channels");
        let answers = concurrently(8, |_| staff.post("/channels", channel("at-once")).created());
        assert!(answers.iter().all(|answer| answer.body == answers[0].body));
        let fresh = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_empty());
        assert_eq!(fresh.count(), 1);
        assert_eq!(shop.count("channels"), before + 1);
    }

    fn a_key_has_1_to_255_visible_characters(shop) {
        let staff = shop.staff();
        shop.unchanged(|| {
            for key in [&b""[..], b"two words", &[b'x'; 256], "größe".as_bytes()] {
                let client = staff.with("idempotency-key", key);
                let said = String::from_utf8_lossy(key).into_owned();
                let answer = client.post("/channels", channel("keyed"));
                assert_eq!((answer.status, answer.code()), (422, "VALIDATION_FAILED"), "{said:?}: {answer}");
                client.graphql(CREATE, json!({ "input": channel("keyed") })).denied("VALIDATION_FAILED").about("/idempotencyKey", "invalid_key");
            }
        });
        staff.keyed(&"x".repeat(255)).post("/channels", channel("keyed")).created();
    }

    fn a_change_needs_the_version_it_was_made_for(shop) {
        let staff = shop.staff();
        let path = format!("/channels/{}", shop.channel);
        let etag = staff.get(&path).ok().etag().to_owned();
        let changed = staff.if_match(&etag).patch(&path, json!({ "name": "Second" })).ok();
        assert_eq!(changed.at("/version"), &json!(2));
        assert_ne!(changed.etag(), etag);
        let stale = staff.if_match(&etag).patch(&path, json!({ "name": "Third" })).refused(412, "VERSION_CONFLICT");
        assert_eq!(stale.detail(), "The current version is 2.");
        let input = json!({ "id": shop.channel.to_string(), "name": "Third", "expectedVersion": 1 });
        staff.graphql(UPDATE, json!({ "input": input })).denied("VERSION_CONFLICT");
        for garbage in ["1", "\"abc\"", "\"\"", "W/\"1-0\"", "\"1-0\", \"2-0\""] {
            let answer = staff.if_match(garbage).patch(&path, json!({ "name": "Third" }));
            assert_eq!((answer.status, answer.code()), (400, "INVALID_INPUT"), "{garbage}: {answer}");
        }
        staff.patch(&path, json!({ "expectedVersion": 2, "name": "Third" })).ok();
        assert_eq!(staff.get(&path).ok().at("/version"), &json!(3));
        staff.if_match("*").patch(&path, json!({ "name": "Fourth" })).ok();
    }

    fn what_the_client_has_already_is_304(shop) {
        let staff = shop.staff();
        let path = format!("/channels/{}", shop.channel);
        let etag = staff.get(&path).ok().etag().to_owned();
        for known in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
            let answer = staff.with("if-none-match", &known).get(&path);
            answer.status(304);
            assert!(answer.body.is_empty());
            assert_eq!(answer.etag(), etag);
        }
        staff.with("if-none-match", "\"1-0000000000000000\"").get(&path).ok();
        staff.patch(&path, json!({ "name": "Changed" })).ok();
        staff.with("if-none-match", &etag).get(&path).ok();
    }

    fn both_doors_understand_the_same_keys(shop) {
        let ask = |client: &Client| client.graphql("{ channels { nodes { id } } }", json!({})).status;
        assert_eq!((ask(&shop.anonymous()), ask(&shop.bearer("nonsense"))), (200, 401));
    }
}
