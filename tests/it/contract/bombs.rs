//! GraphQL documents that would cost too much are refused before anything of them is executed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Kind;
use crate::support::client::Client;
use crate::support::shop::Shop;

const INTROSPECTION: &str = "{ __schema { types { name } } }";

/// A document, and the code it is refused with.
fn bombs() -> Vec<(&'static str, String, &'static str)> {
    let nest =
        |n: usize, open: &str| format!("{{ {} __typename {} }}", open.repeat(n), "}} ".repeat(n));
    let aliases = |n: usize| {
        (0..n)
            .map(|i| format!("a{i}: __typename"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let doubling = (0..22).fold(String::from("{ ...f0 }"), |text, i| {
        format!(
            "{text} fragment f{i} on Query {{ ...f{} ...f{} }}",
            i + 1,
            i + 1
        )
    });
    vec![
        ("depth", nest(12, "channels { nodes { "), "QUERY_TOO_DEEP"),
        ("brackets", "{ a ".repeat(5_000), "QUERY_TOO_DEEP"),
        (
            "aliases",
            format!("{{ {} }}", aliases(500)),
            "TOO_MANY_ROOT_FIELDS",
        ),
        (
            "directives",
            format!("{{ __typename {} }}", "@skip(if: false) ".repeat(200)),
            "TOO_MANY_DIRECTIVES",
        ),
        (
            "doubling fragments",
            format!("{doubling} fragment f22 on Query {{ __typename }}"),
            "QUERY_TOO_COMPLEX",
        ),
        (
            "circle",
            "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".to_owned(),
            "FRAGMENT_CYCLE",
        ),
        (
            "lists",
            "{ channels(first: 5000) { nodes { id name handle } } }".to_owned(),
            "QUERY_TOO_COMPLEX",
        ),
        (
            "length",
            format!("{{ __typename #{} \n}}", "x".repeat(20_000)),
            "QUERY_TOO_LONG",
        ),
    ]
}

#[test]
fn bombs_are_refused_at_once_and_nothing_of_them_is_executed() {
    let shop = Shop::open(Kind::Sqlite);
    let staff = shop.staff();
    for (name, mut text, code) in bombs() {
        if name == "brackets" {
            text.push_str(&"}".repeat(5_000));
            text.truncate(16_000);
        }
        let (answer, statements) = shop.statements(&staff, |staff| {
            let began = Instant::now();
            let answer = staff.graphql(&text, json!({}));
            assert!(
                began.elapsed() < Duration::from_secs(1),
                "{name} took {:?}",
                began.elapsed()
            );
            answer
        });
        assert_eq!(answer.code(), code, "{name}: {answer}");
        assert!(answer.json.get("data").is_none_or(Value::is_null), "{name}");
        assert_eq!(statements, 0, "{name}");
    }
}

#[test]
fn a_bomb_of_mutations_does_nothing() {
    let shop = Shop::open(Kind::Sqlite);
    let one = |i: usize| {
        format!(
            "a{i}: createChannel(input: {{ handle: \"c{i}\", name: \"C\", currency: \"EUR\", countries: [\"DE\"] }}) {{ id }} "
        )
    };
    let text = format!("mutation {{ {} }}", (0..60).map(one).collect::<String>());
    shop.unchanged(|| {
        shop.staff()
            .graphql(&text, json!({}))
            .denied("TOO_MANY_ROOT_FIELDS")
    });
}

#[test]
fn introspection_is_for_development() {
    let shop = Shop::open(Kind::Sqlite);
    let ask = |client: &Client| client.graphql(INTROSPECTION, json!({}));
    ask(&shop.anonymous()).ok();
    let production = shop.peer(&[("environment", "production")]);
    ask(&production.client(&shop.anonymous())).denied("INTROSPECTION_DISABLED");
    production
        .client(&shop.staff())
        .graphql("{ __type(name: \"Channel\") { name } }", json!({}))
        .denied("INTROSPECTION_DISABLED");
    production
        .client(&shop.staff())
        .graphql(
            "{ __typename channels { nodes { __typename } } }",
            json!({}),
        )
        .ok();
    let switched_on = shop.peer(&[("environment", "production"), ("introspection", "true")]);
    ask(&switched_on.client(&shop.anonymous())).ok();
}
