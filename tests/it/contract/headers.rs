//! What every answer carries, and the pages that are for development alone.

use serde_json::json;

use crate::support::client::{Answer, Client};
use crate::support::{Kind, Shop};

const EVERY_ANSWER: [(&str, &str); 4] = [
    (
        "strict-transport-security",
        "max-age=63072000; includeSubDomains",
    ),
    ("x-content-type-options", "nosniff"),
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "no-referrer"),
];

const PAGES: [&str; 4] = [
    "/docs",
    "/docs/graphiql/",
    "/docs/openapi/",
    "/docs/openapi.json",
];

/// Answers of every kind: from both doors and from neither, good and bad.
fn answers(shop: &Shop, with: &dyn Fn(Client) -> Client) -> Vec<(&'static str, Answer)> {
    let (staff, anonymous) = (with(shop.staff()), with(shop.anonymous()));
    vec![
        ("a list", staff.get("/channels")),
        (
            "an object",
            staff.get(&format!("/channels/{}", shop.channel)),
        ),
        (
            "not modified",
            staff
                .with("if-none-match", "*")
                .get(&format!("/channels/{}", shop.channel)),
        ),
        ("401", anonymous.get("/channels")),
        ("a bad key", with(shop.bearer("nonsense")).get("/channels")),
        ("404", staff.get("/channels/chn_01jq3h5s5vfkg8r4t0x2m6c9ze")),
        ("no such path", staff.get("/nothing/here")),
        ("no such path outside", staff.send("GET", "/nothing", None)),
        ("405", staff.send("DELETE", "/v1/channels", None)),
        ("400", staff.bytes("POST", "/channels", b"{")),
        (
            "413",
            staff.bytes("POST", "/channels", &vec![b' '; 300_000]),
        ),
        (
            "GraphQL",
            staff.graphql("{ channels { nodes { id } } }", json!({})),
        ),
        (
            "GraphQL refused",
            anonymous.graphql("{ channels { nodes { id } } }", json!({})),
        ),
        ("GraphQL invalid", staff.graphql("{ nonsense }", json!({}))),
        ("GraphQL 405", staff.send("DELETE", "/graphql", None)),
        (
            "GraphQL 406",
            staff
                .with("accept", "text/html")
                .graphql("{ __typename }", json!({})),
        ),
    ]
}

#[test]
fn every_answer_has_the_security_headers_and_says_nothing_of_the_server() {
    let shop = Shop::open(Kind::Sqlite);
    for (what, answer) in answers(&shop, &|client| client) {
        for (name, value) in EVERY_ANSWER {
            assert_eq!(answer.header(name), value, "{name} of {what}: {answer}");
        }
        assert_eq!(answer.header("server"), "", "{what}");
        assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    }
}

#[test]
fn every_answer_carries_a_request_id_and_the_caller_s_own_comes_back() {
    let shop = Shop::open(Kind::Sqlite);
    for (what, answer) in answers(&shop, &|client| client) {
        let id: Option<uuid::Uuid> = answer.header("x-request-id").parse().ok();
        assert!(id.is_some(), "{what}: {answer}");
    }
    let own = "0190a5c2-7b1d-7e2f-8a3b-4c5d6e7f8091";
    for (what, answer) in answers(&shop, &|client| client.with("x-request-id", own)) {
        assert_eq!(answer.header("x-request-id"), own, "{what}: {answer}");
        let told = answer
            .json
            .get("requestId")
            .or_else(|| answer.json.pointer("/errors/0/extensions/requestId"));
        assert!(told.is_none_or(|id| id == own), "{what}: {answer}");
        assert!(told.is_some() || answer.status < 400, "{what}: {answer}");
    }
    let nonsense = shop
        .staff()
        .with("x-request-id", "../../etc/passwd")
        .get("/channels")
        .ok();
    assert!(
        nonsense
            .header("x-request-id")
            .parse::<uuid::Uuid>()
            .is_ok()
    );
}

#[test]
fn the_pages_below_docs_are_for_development() {
    let shop = Shop::open(Kind::Sqlite);
    let anonymous = shop.anonymous();
    for page in PAGES {
        anonymous.send("GET", page, None).status(200);
    }
    let production = shop.peer(&[("environment", "production")]);
    for page in PAGES {
        production
            .client(&anonymous)
            .send("GET", page, None)
            .refused(404, "NOT_FOUND");
    }
    let switched_on = shop.peer(&[("environment", "production"), ("docs", "true")]);
    switched_on
        .client(&anonymous)
        .send("GET", "/docs/graphiql/", None)
        .status(200);
}

#[test]
fn the_pages_below_docs_load_nothing_from_elsewhere() {
    let shop = Shop::open(Kind::Sqlite);
    let anonymous = shop.anonymous();
    let mut files = 0;
    for page in ["/docs", "/docs/graphiql/", "/docs/openapi/"] {
        let html = String::from_utf8(anonymous.send("GET", page, None).body).unwrap();
        assert!(
            !html.contains("http://") && !html.contains("https://") && !html.contains("src=\"//"),
            "{page}: {html}"
        );
        for part in html.split("src=\"").skip(1).chain(
            html.split("<link")
                .skip(1)
                .filter_map(|l| l.split_once("href=\"").map(|l| l.1)),
        ) {
            let file = part.split('"').next().unwrap();
            if file.starts_with("data:") {
                continue;
            }
            let target = format!("{page}{}", file.trim_start_matches("./"));
            let answer = anonymous.send("GET", &target, None);
            assert!(answer.status == 200 && !answer.body.is_empty(), "{answer}");
            files += 1;
        }
    }
    assert!(files >= 8, "only {files} files were found");
}

#[test]
fn the_openapi_document_is_served_as_it_is_committed() {
    let shop = Shop::open(Kind::Sqlite);
    let served = shop.anonymous().send("GET", "/docs/openapi.json", None);
    assert_eq!(
        served.json,
        crate::support::contract::Contract::load().openapi
    );
}

fn unpacked(answer: &Answer) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut gzip = flate2::read::GzDecoder::new(&answer.body[..]);
    std::io::Read::read_to_end(&mut gzip, &mut plain).unwrap();
    plain
}

both! {
    fn an_answer_over_1_kib_is_compressed_for_who_asks(shop) {
        for i in 0..9 {
            shop.another_channel(&format!("channel-{i}"));
        }
        let (staff, gzip) = (shop.staff(), shop.staff().with("accept-encoding", "br, gzip"));
        let query = "{ channels { nodes { id handle name currency countries } } }";
        let doors: [&dyn Fn(&Client) -> Answer; 2] =
            [&|c| c.get("/channels"), &|c| c.graphql(query, json!({}))];
        for ask in doors {
            let (plain, packed) = (ask(&staff).ok(), ask(&gzip));
            assert!(plain.body.len() > 1024 && packed.body.len() * 2 < plain.body.len());
            assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "Accept-Encoding"));
            assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "Accept-Encoding"));
            assert_eq!(packed.header("content-length"), packed.body.len().to_string());
            assert_eq!(unpacked(&packed), plain.body);
            let refused = ask(&shop.staff().with("accept-encoding", "gzip;q=0, *")).ok();
            assert_eq!(refused.header("content-encoding"), "");
        }
        // One that is written to the connection in pieces.
        let path = format!("/channels/{}", shop.channel);
        staff.patch(&path, json!({ "metadata": { "note": "x".repeat(100_000) } })).ok();
        let large = gzip.get(&path);
        assert!(large.header("content-encoding") == "gzip" && large.body.len() < 1024);
        assert!(unpacked(&large).len() > 100_000);
        staff.patch(&path, json!({ "metadata": {} })).ok();
        let small = gzip.get(&format!("/channels/{}", shop.channel)).ok();
        assert!(small.body.len() < 1024);
        assert_eq!((small.header("content-encoding"), small.header("vary")), ("", ""));
    }

    fn a_compressed_answer_has_an_etag_of_its_own_that_serves_like_the_other(shop) {
        let note = "x".repeat(2_000);
        let path = format!("/channels/{}", shop.channel);
        let plain = shop.staff().patch(&path, json!({ "metadata": { "note": note } })).ok();
        let gzip = shop.staff().with("accept-encoding", "gzip");
        let packed = gzip.get(&path).status(200).clone();
        let (tag, own) = (plain.header("etag"), packed.header("etag"));
        assert_eq!(own, format!("{}-gzip\"", tag.trim_end_matches('"')));
        for known in [tag, own] {
            let same = gzip.with("if-none-match", known).get(&path);
            same.status(304);
            assert_eq!(same.header("etag"), known);
        }
        shop.staff().with("if-none-match", "\"0-0-gzip\"").get(&path).ok();
        shop.staff().if_match(own).patch(&path, json!({ "name": "Renamed" })).ok();
        shop.staff().if_match(own).patch(&path, json!({ "name": "Again" })).refused(412, "VERSION_CONFLICT");
    }
}
