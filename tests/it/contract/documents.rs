//! The table of operations, the OpenAPI document and the GraphQL schema are three views of one thing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mercer::operation::Mode;
use serde_json::Value;

use crate::support::contract::{Contract, rest_name};
use crate::support::sdl::Ty;

#[test]
fn the_committed_documents_are_what_the_binary_writes() {
    let contract = Contract::load();
    let openapi = serde_json::to_string_pretty(&contract.openapi).unwrap() + "\n";
    for (name, fresh) in [
        ("schema.graphql", &contract.sdl_text),
        ("openapi/openapi.json", &openapi),
    ] {
        let committed = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
            .unwrap_or_default();
        let line = committed
            .lines()
            .zip(fresh.lines())
            .position(|(old, new)| old != new);
        assert!(
            committed == *fresh,
            "{name} is stale (first at line {}); run `cargo run -- schema` and commit what it writes",
            line.unwrap_or_else(|| committed.lines().count().min(fresh.lines().count())) + 1,
        );
    }
}

#[test]
fn rest_has_every_operation_and_nothing_else() {
    let contract = Contract::load();
    let mut documented = BTreeMap::new();
    for (path, verbs) in contract.openapi["paths"].as_object().unwrap() {
        for (verb, entry) in verbs.as_object().unwrap() {
            let id = entry["operationId"].as_str().unwrap().to_owned();
            let old = documented.insert(id, format!("{} {path}", verb.to_ascii_uppercase()));
            assert_eq!(old, None, "two operations have one operationId");
        }
    }
    let table: BTreeMap<String, String> = contract
        .operations
        .iter()
        .map(|meta| {
            (
                meta.operation_id(),
                format!("{} /v1{}", meta.verb.as_str(), meta.path),
            )
        })
        .collect();
    assert_eq!(
        table.len(),
        contract.operations.len(),
        "two operations have one name"
    );
    assert_eq!(documented, table);
}

#[test]
fn graphql_has_every_operation_and_nothing_else() {
    let contract = Contract::load();
    for (root, reads) in [("Query", true), ("Mutation", false)] {
        let fields: BTreeSet<String> = contract.sdl.object(root).unwrap().keys().cloned().collect();
        let rows = contract
            .operations
            .iter()
            .filter(|meta| (meta.mode == Mode::Query) == reads);
        let table: BTreeSet<String> = rows.map(mercer::operation::Meta::graphql_field).collect();
        assert_eq!(fields, table, "{root}");
    }
}

/// `createChannel` is `createChannel`, `getChannel` is `channel`, `listChannels` is `channels`; and only queries are `GET`.
#[test]
fn an_operation_has_the_same_name_at_both_doors() {
    for meta in Contract::load().operations {
        let (rest, graphql) = (meta.operation_id(), meta.graphql_field());
        let reads = meta.mode == Mode::Query;
        assert_eq!(reads, meta.verb.as_str() == "GET", "{rest}");
        let noun = ["get", "list"]
            .iter()
            .filter(|_| reads)
            .find_map(|verb| rest.strip_prefix(verb));
        let expected = noun.map_or(rest.clone(), |noun| {
            let (first, tail) = noun.split_at(1);
            first.to_ascii_lowercase() + tail
        });
        assert_eq!(graphql, expected, "{rest}");
    }
}

#[test]
fn an_operation_takes_the_same_fields_at_both_doors() {
    let contract = Contract::load();
    for meta in &contract.operations {
        let rest: Fields = contract.rest_input(meta).into_iter().collect();
        let field = contract.field(meta);
        if meta.mode == Mode::Query {
            compare(&contract, meta.name, &rest, &field.args);
            continue;
        }
        let names: Vec<&str> = field.args.keys().map(String::as_str).collect();
        assert_eq!(names, ["idempotencyKey", "input"], "{}", meta.name);
        let input = &field.args["input"];
        assert_eq!(input.base, format!("{}Input", meta.name));
        compare(
            &contract,
            meta.name,
            &rest,
            contract.sdl.input(&input.base).unwrap(),
        );
    }
}

#[test]
fn every_field_of_a_path_is_a_field_of_the_input() {
    let contract = Contract::load();
    for meta in &contract.operations {
        let parameters = contract.entry(meta)["parameters"].as_array().unwrap();
        for name in meta.path_fields() {
            let parameter = parameters
                .iter()
                .find(|p| p["name"] == name && p["in"] == "path");
            assert!(
                parameter.is_some_and(|p| p["schema"].is_object()),
                "{}: {name}",
                meta.name
            );
        }
    }
}

#[test]
fn every_reference_in_the_openapi_document_leads_somewhere() {
    fn walk(document: &Value, value: &Value) {
        if let Some(target) = value["$ref"].as_str() {
            assert!(document.pointer(&target[1..]).is_some(), "{target}");
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| walk(document, item)),
            Value::Object(fields) => fields.values().for_each(|field| walk(document, field)),
            _ => {}
        }
    }
    let document = Contract::load().openapi;
    walk(&document, &document);
}

/// Both documents say who may do what, and both say the same of what it is.
#[test]
fn every_operation_is_described_with_the_scope_it_needs() {
    let contract = Contract::load();
    for meta in &contract.operations {
        let text = contract.entry(meta)["description"].as_str().unwrap();
        let needed = meta.access.needed().as_str();
        assert!(
            text.contains(meta.doc.trim()) && text.contains(needed),
            "{}",
            meta.name
        );
    }
}

/// What may be absent is null at the root of GraphQL, so that it empties nothing beside it; a list is always there.
#[test]
fn a_root_field_whose_object_may_be_absent_is_nullable() {
    let contract = Contract::load();
    for meta in &contract.operations {
        let nullable = !contract.field(meta).ty.text.ends_with('!');
        let reads = meta.mode == Mode::Query;
        let may_be_absent = reads && meta.path_fields().next().is_some();
        assert_eq!(nullable, may_be_absent, "{}", meta.name);
    }
}

#[test]
fn an_enumeration_has_the_same_values_at_both_doors() {
    let contract = Contract::load();
    let mut compared = 0;
    for (name, values) in &contract.sdl.enums {
        let schema = &contract.openapi["components"]["schemas"][name];
        if let Some(rest) = schema["enum"].as_array() {
            let rest: BTreeSet<&str> = rest.iter().filter_map(Value::as_str).collect();
            assert_eq!(rest, values.iter().map(String::as_str).collect(), "{name}");
            compared += 1;
        }
    }
    assert!(
        contract.sdl.enums.contains_key("ProductSort") && compared > 20,
        "{compared}"
    );
}

#[test]
fn every_scalar_of_ours_is_described_and_says_where_it_is_specified() {
    let contract = Contract::load();
    let ours: Vec<&str> = contract
        .sdl_text
        .lines()
        .filter_map(|line| line.strip_prefix("scalar "))
        .collect();
    let names: Vec<&str> = ours
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(names, ["Currency", "DateTime", "JSON", "Long", "Percent"]);
    for line in ours {
        assert!(line.contains("@specifiedBy(url: \"https://"), "{line}");
        let described = format!("\"\"\"\nscalar {line}");
        assert!(contract.sdl_text.contains(&described), "{line}");
    }
}

/// Generators make a type of an enumeration that stands inside an object, and name it by object and field.
#[test]
fn no_name_that_generators_make_is_taken() {
    fn pascal(name: &str) -> String {
        let mut chars = name.chars();
        chars
            .next()
            .map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
    }
    let contract = Contract::load();
    let schemas = contract.openapi["components"]["schemas"]
        .as_object()
        .unwrap();
    for (owner, schema) in schemas {
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            let inside = schema["enum"].is_array() || schema["properties"].is_object();
            let name = format!("{owner}{}", pascal(field));
            assert!(!inside || !schemas.contains_key(&name), "{name}");
        }
    }
}

/// More codes may come, so the document does not close the list; and clients can send any metadata.
#[test]
fn codes_are_open_and_free_objects_are_free() {
    let contract = Contract::load();
    let schemas = &contract.openapi["components"]["schemas"];
    let code = &schemas["Problem"]["properties"]["code"];
    assert!(code["enum"].is_null());
    let known: Vec<&str> = mercer::kernel::Code::ALL
        .iter()
        .map(|code| code.as_str())
        .collect();
    assert_eq!(code["x-extensible-enum"], serde_json::json!(known));
    assert_eq!(schemas["Document"]["additionalProperties"], true);
}

/// OpenAPI has no null where a list or a text belongs; many tools refuse the whole document for one.
#[test]
fn nothing_in_the_document_is_null_itself() {
    fn walk(value: &Value, at: &str) {
        assert!(!value.is_null(), "{at}");
        match value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(i, v)| walk(v, &format!("{at}/{i}"))),
            Value::Object(fields) => fields
                .iter()
                .for_each(|(k, v)| walk(v, &format!("{at}/{k}"))),
            _ => {}
        }
    }
    walk(&Contract::load().openapi, "");
}

type Fields<'a> = BTreeMap<String, (&'a Value, bool)>;

fn compare(contract: &Contract, what: &str, rest: &Fields, graphql: &BTreeMap<String, Ty>) {
    let required = |required: bool| if required { "required" } else { "optional" };
    // GraphQL has no word for what must be said and may be null.
    let must = |schema: &Value, needed: bool| required(needed && !is_nullable(schema));
    let rest_names: BTreeMap<&str, &str> = rest
        .iter()
        .map(|(name, (schema, needed))| (name.as_str(), must(schema, *needed)))
        .collect();
    let graphql_names: BTreeMap<&str, &str> = graphql
        .iter()
        .map(|(name, ty)| (rest_name(name), required(ty.is_required)))
        .collect();
    assert_eq!(
        rest_names, graphql_names,
        "REST and GraphQL differ in {what}"
    );
    for (name, ty) in graphql {
        let Some(inner) = contract.sdl.input(&ty.base) else {
            continue;
        };
        let mut schema = contract.resolve(rest[rest_name(name)].0);
        while schema["items"].is_object() {
            schema = contract.resolve(&schema["items"]);
        }
        let properties = schema["properties"].as_object().into_iter().flatten();
        let needed = |name: &str| {
            schema["required"]
                .as_array()
                .is_some_and(|r| r.iter().any(|r| r == name))
        };
        let fields: Fields = properties
            .map(|(n, s)| (n.clone(), (s, needed(n))))
            .collect();
        compare(contract, &format!("{what}.{name}"), &fields, inner);
    }
}

fn is_nullable(schema: &Value) -> bool {
    let in_any = |list: &Value, null: &dyn Fn(&Value) -> bool| {
        list.as_array().is_some_and(|list| list.iter().any(null))
    };
    in_any(&schema["type"], &|ty| ty == "null")
        || in_any(&schema["oneOf"], &|one| one["type"] == "null")
}
