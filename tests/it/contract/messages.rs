//! What people are told: in words of a shop, not of the language, the libraries or the database that Mercer is made with.

use mercer::operation::Mode;
use serde_json::{Value, json};

use crate::support::client::{Answer, Client};
use crate::support::contract::{Contract, Ids, Input};

/// What stands in no message.
const INNER: &[&str] = &[
    "i64",
    "i32",
    "u64",
    "u32",
    "u16",
    "u8",
    "usize",
    "f64",
    "Option<",
    "struct ",
    "enum ",
    "tuple",
    "serde",
    "Deserialize",
    "digit found",
    "invalid type",
    "Invalid type",
    "invalid value:",
    "nknown variant",
    "variant `",
    "expected one of",
    "a map",
    "a sequence",
    "borrowed",
    "SELECT",
    "INSERT",
    "UPDATE",
    "SQL",
    "constraint",
    "relation \"",
    "syntax error",
    "panicked",
    "`null`",
];

/// Every text of a refusal for a person.
fn texts(answer: &Answer) -> Vec<String> {
    let mut found = Vec::new();
    collect(&answer.json, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if ["detail", "message", "title"].contains(&name.as_str()) => {
                        found.push(text.to_owned());
                    }
                    _ => collect(value, found),
                }
            }
        }
        _ => {}
    }
}

/// Values that hardly any field takes.
fn bad() -> Vec<Value> {
    vec![
        json!("made up"),
        json!(""),
        json!(-7),
        json!(1.5),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(true),
        json!(null),
        json!([]),
        json!([1]),
        json!(["x"]),
        json!({}),
        json!({ "made": "up" }),
        json!([{}]),
        json!([{ "made": "up" }]),
    ]
}

fn judge(what: &str, answer: &Answer, wrong: &mut Vec<String>) {
    if answer.status >= 500 {
        wrong.push(format!("{what}: {answer}"));
    }
    for text in texts(answer) {
        if let Some(word) = INNER.iter().find(|word| text.contains(**word)) {
            wrong.push(format!("{what}: {word:?} in {text:?}"));
        }
    }
}

fn tell_all(contract: &Contract, client: &Client) -> (usize, Vec<String>) {
    let (mut asked, mut wrong) = (0, Vec::new());
    for meta in &contract.operations {
        let least = contract.least_input(meta, &Ids::default());
        let typename = contract.typename(&contract.field(meta).ty);
        let paths: Vec<&str> = meta.path_fields().collect();
        let mut inputs: Vec<(String, Input)> = Vec::new();
        for (field, _) in contract.rest_input(meta) {
            for value in bad() {
                if field == "expectedVersion"
                    || (paths.contains(&field.as_str()) && !value.is_string())
                    || value == json!("")
                {
                    continue;
                }
                let mut input = least.clone();
                input.insert(field.clone(), value.clone());
                inputs.push((format!("{field} = {value}"), input));
            }
            let mut input = least.clone();
            if !paths.contains(&field.as_str()) && input.remove(&field).is_some() {
                inputs.push((format!("without {field}"), input));
            }
        }
        if meta.mode != Mode::Query {
            let mut input = least.clone();
            input.insert("madeUp".to_owned(), json!(1));
            inputs.push(("an unknown field".to_owned(), input));
        }
        for (what, input) in inputs {
            let rest = Contract::rest(client, meta, &input);
            judge(&format!("{} {what}", meta.name), &rest, &mut wrong);
            if meta.mode != Mode::Query {
                let graphql = contract.graphql(client, meta, &input, typename);
                judge(
                    &format!("{} {what} in GraphQL", meta.name),
                    &graphql,
                    &mut wrong,
                );
            }
            asked += 1;
        }
    }
    (asked, wrong)
}

both! {
    fn no_message_speaks_of_what_mercer_is_made_with(shop) {
        let (asked, wrong) = tell_all(&Contract::load(), &shop.staff());
        assert!(asked > 1_500, "{asked}");
        assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    }

    fn a_refusal_says_what_to_do(shop) {
        let (staff, front) = (shop.staff(), shop.storefront());
        let says = |answer: Answer, status: u16, text: &str| {
            assert_eq!((answer.status, answer.detail()), (status, text), "{answer}");
        };
        let cart = front.post("/carts", json!({})).created();
        let (path, token) = (format!("/carts/{}", cart.text("/cart/id")), cart.text("/token"));
        let missing = "There is no such cart, or it is not yours: send the token that createCart gave as X-Cart-Token.";
        says(front.get(&path), 404, missing);
        says(front.with("x-cart-token", "other").get(&path), 404, "There is no such cart, or X-Cart-Token is not its token.");
        let query = "query ($id: ID!) { cart(id: $id) { id } }";
        assert_eq!(front.graphql(query, json!({ "id": cart.at("/cart/id") })).detail(), missing);

        let mine = front.with("x-cart-token", token);
        let not_started = mine.once().post(&format!("{path}/place-order"), json!({})).refused(409, "CHECKOUT_NOT_STARTED");
        says(not_started, 409, "No checkout was started for this cart; start one.");

        says(staff.get("/products?limit=five"), 400, "Must be a whole number.");
        says(staff.post("/carts", json!({ "colour": 1, "channelId": shop.channel })).refused(400, "INVALID_INPUT").about("/colour", "unknown_field"), 400,
            "There is no field colour here; there are: channelId, currency, lines, email, shippingAddress, billingAddress, \
             shippingMethodId, source, reference, metadata, privateMetadata.");
        says(mine.post(&format!("{path}/lines"), json!({ "lines": [{ "sku": "X", "quantity": "2" }] })), 400,
            "Must be a whole number, not a text.");
        says(staff.post("/api-keys", json!({ "kind": "golden", "name": "N" })), 400,
            "There is no value golden here; there are: publishable, secret.");
        let unknown = staff.post("/api-keys", json!({ "kind": "secret", "name": "N", "scopes": ["orders:fly"] })).refused(422, "VALIDATION_FAILED");
        assert!(unknown.detail().starts_with("There is no scope orders:fly; there are: "), "{unknown}");
        assert!(unknown.detail().contains("orders:read, orders:write"), "{unknown}");
        let channel = json!({ "kind": "publishable", "name": "N", "channelId": "chn_01jq3h5s5vfkg8r4t0x2m6c9ze" });
        says(staff.post("/api-keys", channel), 422, &format!("There is no such channel; there are: {} (main).", shop.channel));

        let address = json!({ "shippingAddress": { "country": "Germany", "phone": "1" } });
        let told = mine.patch(&path, address).refused(422, "VALIDATION_FAILED");
        let about: Vec<_> = ["name", "line1", "city"].map(|f| (format!("/shippingAddress/{f}"), "blank".to_owned())).into();
        let rest = [("country", "invalid_country"), ("phone", "invalid_phone")];
        let rest = rest.map(|(f, code)| (format!("/shippingAddress/{f}"), code.to_owned()));
        assert_eq!(told.fields(), [about, rest.into()].concat());
    }

    fn amounts_and_what_is_left_are_told_as_people_write_them(shop) {
        let store = crate::support::Store::open(shop);
        store.sell(&[("MUG", 1_500, 2), ("LAST", 1_500, 1)]);
        let message = |sku: &str| {
            let cart = store.cart(&[(sku, 3)]).get();
            cart.text("/lines/0/problems/0/message").to_owned()
        };
        assert_eq!(message("MUG"), "There are 2 left, and 3 are wanted.");
        assert_eq!(message("LAST"), "There is 1 left, and 3 are wanted.");
        let cart = store.cart(&[("MUG", 1)]);
        let unpaid = cart.client.once().post(&cart.path("/checkout"), json!({})).refused(422, "VALIDATION_FAILED");
        assert_eq!(unpaid.detail(), "19.90 EUR is left to be paid: say how.");
        // Nobody is asked to choose where there is nothing to choose from.
        shop.staff().patch(&format!("/channels/{}", store.channel), json!({ "countries": ["DE", "FR"] })).ok();
        let mut far = store.ready(&[("MUG", 1)]);
        far["shippingAddress"]["country"] = json!("FR");
        far["shippingAddress"]["postcode"] = json!("75001");
        far.as_object_mut().unwrap().remove("shippingMethodId");
        let cart = store.cart_of(&far).get();
        let problems: Vec<_> = cart.at("/problems").as_array().unwrap().iter().map(|p| p["message"].as_str().unwrap()).collect();
        assert_eq!(problems, ["Nothing is delivered there: no way of delivery takes this cart."]);
    }
}
