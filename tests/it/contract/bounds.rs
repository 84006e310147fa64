//! What the OpenAPI document says that a field may hold is what the server takes.

use std::collections::BTreeSet;

use mercer::operation::{Meta, Mode};
use serde_json::{Value, json};

use crate::support::Shop;
use crate::support::client::Client;
use crate::support::contract::{Contract, Ids, Input};

/// A place in an input, and its schema.
struct Place {
    pointer: String,
    schema: Value,
}

/// Every field of the operation's input, however deep, with the pointer to it; in a list the first element.
fn places(contract: &Contract, meta: &Meta) -> Vec<Place> {
    fn walk(
        contract: &Contract,
        pointer: &str,
        schema: &Value,
        depth: usize,
        found: &mut Vec<Place>,
    ) {
        let schema = contract.resolve(schema);
        found.push(Place {
            pointer: pointer.to_owned(),
            schema: schema.clone(),
        });
        if depth == 0 {
            return;
        }
        if schema["items"].is_object() {
            walk(
                contract,
                &format!("{pointer}/0"),
                &schema["items"],
                depth - 1,
                found,
            );
        }
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            walk(
                contract,
                &format!("{pointer}/{name}"),
                inner,
                depth - 1,
                found,
            );
        }
    }
    let mut found = Vec::new();
    for (name, (schema, _)) in contract.rest_input(meta) {
        if name != "expectedVersion" {
            walk(contract, &format!("/{name}"), schema, 6, &mut found);
        }
    }
    found
}

fn is(schema: &Value, kind: &str) -> bool {
    let ty = &schema["type"];
    ty == kind
        || ty
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == kind))
}

#[test]
fn everything_that_goes_in_has_bounds() {
    let contract = Contract::load();
    let mut unbounded = BTreeSet::new();
    for meta in &contract.operations {
        for Place { pointer, schema } in places(&contract, meta) {
            let has = |key: &str| !schema[key].is_null();
            let bounded = match () {
                () if has("enum") => true,
                () if is(&schema, "string") => has("maxLength"),
                () if is(&schema, "integer") => has("minimum") && has("maximum"),
                () if is(&schema, "array") => has("maxItems"),
                () => true,
            };
            if !bounded {
                unbounded.insert(format!("{}{pointer}", meta.name));
            }
        }
    }
    assert!(
        unbounded.is_empty(),
        "src/api/bounds.rs lacks {unbounded:#?}"
    );
}

#[test]
fn every_parameter_is_described() {
    let contract = Contract::load();
    for meta in &contract.operations {
        for parameter in contract.entry(meta)["parameters"].as_array().unwrap() {
            let name = &parameter["name"];
            assert!(
                parameter["description"]
                    .as_str()
                    .is_some_and(|d| d.ends_with('.')),
                "{}: {name}",
                meta.name
            );
            assert!(
                !is(&parameter["schema"], "null"),
                "{}: {name} may be null",
                meta.name
            );
        }
    }
    for tag in contract.openapi["tags"].as_array().unwrap() {
        assert!(tag["description"].is_string(), "{tag}");
    }
}

/// Values just beyond what the schema allows.
fn beyond(schema: &Value) -> Vec<Value> {
    let mut values = Vec::new();
    let number = |key: &str| schema[key].as_i64();
    if let Some(most) = number("maxLength") {
        values.push(json!("x".repeat(usize::try_from(most).unwrap() + 1)));
    }
    if number("minLength").is_some_and(|least| least > 0) {
        values.push(json!(""));
    }
    if let Some(least) = number("minimum") {
        values.push(json!(least - 1));
    }
    if let Some(most) = number("maximum") {
        values.push(json!(most + 1));
    }
    if schema["enum"].is_array() {
        values.push(json!("no such value"));
    }
    if number("minItems").is_some_and(|least| least > 0) {
        values.push(json!([]));
    }
    values
}

/// What a place is set to; false where the input has no such place.
fn set(input: &mut Input, pointer: &str, value: Value) -> bool {
    let mut whole = Value::Object(std::mem::take(input));
    let found = whole
        .pointer_mut(pointer)
        .map(|place| *place = value)
        .is_some();
    if let Value::Object(fields) = whole {
        *input = fields;
    }
    found
}

both! {
    fn what_is_beyond_its_bound_is_refused(shop) {
        let contract = Contract::load();
        let staff = shop.staff();
        let known = known(&contract, shop, &staff);
        let (mut pointed, mut others, mut taken) = (0, BTreeSet::new(), BTreeSet::new());
        for meta in &contract.operations {
            // Nothing but the one field and what must be there: filters of a list exclude each other.
            let least = contract.least_input(meta, &known);
            let full = contract.full_input(meta, &known);
            for Place { pointer, schema } in places(&contract, meta) {
                let in_path = meta.path_fields().any(|name| pointer == format!("/{name}"));
                for value in beyond(&schema) {
                    let mut input = full.clone();
                    if (in_path && value == "") || !set(&mut input, &pointer, value.clone()) {
                        continue;
                    }
                    if meta.mode == Mode::Query {
                        let name = pointer.split('/').nth(1).unwrap_or_default();
                        input.retain(|field, _| field == name || least.contains_key(field));
                    }
                    let answer = Contract::rest(&staff, meta, &input);
                    let about = format!("{}{pointer} = {}", meta.name, value.to_string().chars().take(30).collect::<String>());
                    assert!(answer.status < 500, "{about}: {answer}");
                    // Rows of a table are refused one by one.
                    let rows = answer.json["rows"].as_array().into_iter().flatten();
                    let of_rows = rows.filter_map(|row| row["errors"].as_array()).flatten();
                    let at = |error: &Value| error["pointer"].as_str().unwrap_or_default().to_owned();
                    let mut pointers = of_rows.map(at).chain(answer.fields().into_iter().map(|(at, _)| at));
                    match answer.status {
                        _ if pointers.any(|at| !at.is_empty() && pointer.starts_with(&at)) => pointed += 1,
                        200..300 if answer.json["rows"][0]["outcome"] == "refused" => {
                            others.insert(format!("{about}: {}", answer.json["rows"][0]["errors"]));
                        }
                        200..300 => { taken.insert(about); }
                        _ => { others.insert(format!("{about}: {} {:?}", answer.code(), answer.fields())); }
                    }
                }
            }
        }
        println!("{pointed} pointed at; refused for another reason: {others:#?}");
        assert!(taken.is_empty(), "the document forbids what is taken: {taken:#?}");
        assert!(pointed > 200, "{pointed}");
    }
}

both! {
    /// The id of an example is made up, and an input may need what only a person knows; but what the document shows of a field
    /// is never what is wrong with an input.
    fn what_is_shown_of_a_field_is_taken(shop) {
        let contract = Contract::load();
        let staff = shop.staff();
        let known = known(&contract, shop, &staff);
        let (mut sent, mut wrong) = (0, BTreeSet::new());
        for meta in &contract.operations {
            for Place { pointer, schema } in places(&contract, meta) {
                for example in schema["examples"].as_array().into_iter().flatten() {
                    let is_id = schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("_[0-7]"));
                    let mut input = contract.full_input(meta, &known);
                    if is_id || !set(&mut input, &pointer, example.clone()) {
                        continue;
                    }
                    sent += 1;
                    let answer = Contract::rest(&staff, meta, &input);
                    for (at, code) in answer.fields() {
                        let form = code.starts_with("invalid_") || ["blank", "too_long", "empty"].contains(&code.as_str());
                        if at == pointer && form {
                            wrong.insert(format!("{}{pointer} = {example}: {code}", meta.name));
                        }
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(sent > 100, "{sent}");
    }
}

/// The ids of one of everything that a made-up input can make.
fn known(contract: &Contract, shop: &Shop, staff: &Client) -> Ids {
    let mut known = Ids::default();
    known.learn(&shop.staff().get("/channels").ok().json);
    let writes = contract
        .operations
        .iter()
        .filter(|meta| meta.verb.as_str() == "POST");
    for meta in writes {
        let made = Contract::rest(staff, meta, &contract.least_input(meta, &known));
        known.learn(&made.json);
    }
    known
}
