//! Pages of other origins: preflights, what may be sent and read, and whose keys.

use serde_json::json;

use crate::support::client::{Answer, Client};
use crate::support::{Kind, Shop};

const PAGE: &str = "https://shop.example.com";
const OFFICE: &str = "https://office.example.com";
const ABSENT: &str = "/channels/chn_01jq3h5s5vfkg8r4t0x2m6c9ze";

fn preflight(client: &Client, target: &str, method: &str, headers: &str) -> Answer {
    client
        .with("access-control-request-method", method)
        .with("access-control-request-headers", headers)
        .send("OPTIONS", target, None)
}

/// A header that is a list, in small letters.
fn list(answer: &Answer, name: &str) -> Vec<String> {
    let items = answer.header(name).split(',');
    items.map(|item| item.trim().to_ascii_lowercase()).collect()
}

both! {
    fn a_page_of_any_origin_may_call_with_a_publishable_key(shop) {
        let page = shop.storefront().with("origin", PAGE);
        for target in ["/v1/carts", "/v1/carts/crt_x/lines", "/graphql", "/v1/nothing"] {
            let answer = preflight(&shop.anonymous().with("origin", PAGE), target, "PATCH", "authorization,x-cart-token");
            answer.status(204);
            assert_eq!(answer.header("access-control-allow-origin"), "*", "{answer}");
            assert_eq!(answer.header("access-control-allow-credentials"), "");
            assert_eq!(answer.header("access-control-max-age"), "86400");
            assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin");
            assert!(answer.body.is_empty());
            let methods = list(&answer, "access-control-allow-methods");
            assert_eq!(methods, ["get", "head", "post", "put", "patch", "delete"]);
            let headers = list(&answer, "access-control-allow-headers");
            for name in ["authorization", "content-type", "idempotency-key", "x-cart-token", "if-match", "if-none-match",
                "x-request-id", "traceparent", "*"] {
                assert!(headers.contains(&name.to_owned()), "{name}: {answer}");
            }
        }
        let big = vec![b' '; 300_000];
        let answers = [
            (200, page.get("/channels?limit=1")),
            (304, page.with("if-none-match", "*").get("/products")),
            (400, page.bytes("POST", "/carts", b"{")),
            (401, shop.anonymous().with("origin", PAGE).get("/channels")),
            (403, page.get("/orders")),
            (404, page.get(ABSENT)),
            (404, page.get("/nothing")),
            (405, page.send("DELETE", "/v1/channels", None)),
            (413, page.bytes("POST", "/carts", &big)),
            (422, page.once().post("/carts", json!({ "lines": [{ "sku": "NONE", "quantity": 1 }] }))),
            (200, page.graphql("{ channels(first: 1) { nodes { id } } }", json!({}))),
            (405, page.send("DELETE", "/graphql", None)),
            (414, page.get(&format!("/channels?limit={}", "1".repeat(9_000)))),
            (431, page.with("x-much", "m".repeat(17_000)).get("/channels")),
        ];
        for (status, answer) in answers {
            let answer = answer.status(status);
            assert_eq!(answer.header("access-control-allow-origin"), "*", "{answer}");
            assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin", "{answer}");
            let exposed = list(answer, "access-control-expose-headers");
            for name in ["etag", "link", "x-request-id", "retry-after", "idempotent-replayed"] {
                assert!(exposed.contains(&name.to_owned()), "{name}: {answer}");
            }
            assert!(!list(answer, "vary").contains(&"origin".to_owned()), "{answer}");
        }
    }

    fn a_secret_key_is_refused_in_a_page_before_anything_is_done(shop) {
        let staff = shop.staff().with("origin", PAGE);
        let make = json!({ "handle": "page", "name": "Page", "currency": "EUR", "countries": ["DE"] });
        shop.unchanged(|| {
            let refused = staff.post("/channels", make.clone()).refused(403, "ORIGIN_NOT_ALLOWED");
            assert_eq!(refused.header("access-control-allow-origin"), "*");
            staff.graphql("{ channels { nodes { id } } }", json!({})).denied("ORIGIN_NOT_ALLOWED");
            shop.staff().with("origin", "null").get("/channels").refused(403, "ORIGIN_NOT_ALLOWED");
        });
        // A page of this server, as /docs is, and what is no page.
        let own = format!("http://{}", shop.staff().address());
        shop.staff().with("origin", own).get("/channels").ok();
        staff.with("sec-fetch-site", "same-origin").get("/channels").ok();
        shop.staff().get("/channels").ok();
    }
}

#[test]
fn a_list_of_origins_lets_them_alone_read_and_use_secret_keys() {
    let shop = Shop::open(Kind::Sqlite);
    let peer = shop.peer(&[("cors_origins", OFFICE)]);
    let (staff, front) = (peer.client(&shop.staff()), peer.client(&shop.storefront()));
    let anybody = peer.client(&shop.anonymous());
    let listed = staff.with("origin", OFFICE).get("/channels").ok();
    assert_eq!(listed.header("access-control-allow-origin"), OFFICE);
    let asked = preflight(
        &anybody.with("origin", OFFICE),
        "/v1/carts",
        "POST",
        "authorization",
    );
    assert_eq!(asked.header("access-control-allow-origin"), OFFICE);
    assert_eq!(list(&asked, "vary"), ["origin"]);
    let refused = preflight(
        &anybody.with("origin", PAGE),
        "/v1/carts",
        "POST",
        "authorization",
    );
    refused.status(204);
    for answer in [refused, front.with("origin", PAGE).get("/channels").ok()] {
        assert_eq!(answer.header("access-control-allow-origin"), "", "{answer}");
        assert_eq!(
            answer.header("access-control-allow-methods"),
            "",
            "{answer}"
        );
        assert_eq!(
            answer.header("cross-origin-resource-policy"),
            "same-site",
            "{answer}"
        );
        assert!(
            list(&answer, "vary").contains(&"origin".to_owned()),
            "{answer}"
        );
    }
    staff
        .with("origin", PAGE)
        .get("/channels")
        .refused(403, "ORIGIN_NOT_ALLOWED");
    // Answers that no page asked for differ by origin all the same.
    assert!(list(&front.get("/channels").ok(), "vary").contains(&"origin".to_owned()));

    let both = shop.peer(&[("cors_origins", &format!("*,{OFFICE}"))]);
    let at = |client: Client, origin: &str| both.client(&client).with("origin", origin);
    at(shop.staff(), OFFICE).get("/channels").ok();
    at(shop.storefront(), PAGE).get("/channels").ok();
    at(shop.staff(), PAGE)
        .get("/channels")
        .refused(403, "ORIGIN_NOT_ALLOWED");

    let closed = shop.peer(&[("cors_origins", "")]);
    let closed = closed.client(&shop.storefront()).with("origin", PAGE);
    assert_eq!(
        closed
            .get("/channels")
            .ok()
            .header("access-control-allow-origin"),
        ""
    );
}

#[test]
fn what_is_no_api_is_not_for_pages() {
    let shop = Shop::open(Kind::Sqlite);
    let page = shop.anonymous().with("origin", PAGE);
    let answers = [
        preflight(&page, "/webhooks/payments/manual", "POST", "content-type"),
        preflight(&page, "/metrics", "GET", "authorization"),
        page.send("GET", "/metrics", None),
        page.send("POST", "/webhooks/payments/manual", Some(b"{}")),
        page.send("GET", "/health/live", None),
        page.send("GET", "/docs/openapi.json", None),
        page.send("GET", "/v1x", None),
    ];
    for answer in answers {
        for name in [
            "access-control-allow-origin",
            "access-control-allow-methods",
            "access-control-allow-headers",
        ] {
            assert_eq!(answer.header(name), "", "{name}: {answer}");
        }
        assert_eq!(
            answer.header("cross-origin-resource-policy"),
            "same-site",
            "{answer}"
        );
    }
}

both! {
    fn head_answers_as_get_without_the_body(shop) {
        let (staff, front) = (shop.staff(), shop.storefront());
        let channel = format!("/v1/channels/{}", shop.channel);
        for (client, target) in [
            (&staff, "/v1/channels?limit=1"), (&staff, channel.as_str()), (&staff, "/v1/orders/none"), (&front, "/v1/products"),
            (&front, "/v1/orders"), (&front, "/graphql?query=%7B__typename%7D"), (&front, "/health/live"), (&front, "/health/ready"),
            (&front, "/docs"), (&front, "/docs/openapi.json"), (&front, "/nothing"),
        ] {
            let (get, head) = (client.send("GET", target, None), client.send("HEAD", target, None));
            assert!(head.body.is_empty(), "{head}");
            assert_eq!((head.status, head.header("etag")), (get.status, get.header("etag")), "{head}");
            for name in ["content-type", "content-length", "cache-control", "vary", "link"] {
                assert_eq!(head.header(name), get.header(name), "{name} of {head}");
            }
            assert_eq!(get.header("content-length"), get.body.len().to_string(), "{get}");
        }
        assert_eq!(staff.with("if-none-match", "*").send("HEAD", &channel, None).status, 304);
        shop.unchanged(|| {
            let mutation = "/graphql?query=mutation%7BcreateCart(input:%7B%7D)%7Btoken%7D%7D";
            assert_eq!(front.send("HEAD", mutation, None).status, 405);
            let no_read = front.send("HEAD", "/v1/carts/crt_x/place-order", None);
            assert_eq!((no_read.status, no_read.header("allow")), (405, "POST"));
        });
    }
}
