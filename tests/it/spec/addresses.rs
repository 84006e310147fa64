//! What is known of addresses, and what cannot be one.

use serde_json::{Value, json};

use crate::support::store::address;
use crate::support::{Answer, Client, Store};

fn with(field: &str, value: Value) -> Value {
    let mut address = address();
    address[field] = value;
    address
}

fn validate(client: &Client, address: &Value) -> Answer {
    client.post("/addresses/validate", json!({ "address": address }))
}

/// The verdict, and each message's pointer and code.
fn thought(client: &Client, address: &Value) -> (String, Vec<(String, String)>) {
    let said = validate(client, address).ok();
    let messages = said.at("/messages").as_array().unwrap().iter();
    let text = |m: &Value, name: &str| m[name].as_str().unwrap().to_owned();
    let all = messages
        .map(|m| (text(m, "pointer"), text(m, "code")))
        .collect();
    (said.text("/verdict").to_owned(), all)
}

both! {
    fn an_address_is_valid_correctable_or_invalid_and_nothing_is_kept(shop) {
        let (front, staff) = (shop.storefront(), shop.staff());
        let one = |pointer: &str, code: &str| vec![(pointer.to_owned(), code.to_owned())];
        shop.unchanged(|| {
            for client in [&front, &staff] {
                assert_eq!(thought(client, &address()), ("valid".into(), vec![]));
                assert_eq!(thought(client, &with("postcode", json!("D-10117"))), ("correctable".into(), one("/address/postcode", "reformatted")));
                assert_eq!(thought(client, &with("postcode", json!("1011"))), ("invalid".into(), one("/address/postcode", "invalid_format")));
                assert_eq!(thought(client, &with("postcode", Value::Null)), ("invalid".into(), one("/address/postcode", "missing")));
                assert_eq!(thought(client, &with("city", json!(" "))).0, "invalid");
                assert_eq!(thought(client, &with("country", json!("Germany"))).0, "invalid");
            }
        });
        let said = validate(&front, &json!({ "name": "A", "line1": "1 Main  St", "city": "New York", "region": "ny", "postcode": "10001", "country": "us" })).ok();
        assert_eq!(said.at("/address"), &json!({ "name": "A", "company": null, "line1": "1 Main St", "line2": null,
            "postcode": "10001", "city": "New York", "region": "US-NY", "country": "US", "phone": null }));
        let query = "mutation($input: ValidateAddressInput!) { validateAddress(input: $input) { verdict address { postcode } messages { code severity } } }";
        let said = front.graphql(query, json!({ "input": { "address": with("postcode", json!("DE 10117")) } })).ok();
        assert_eq!(said.at("/data/validateAddress"), &json!({ "verdict": "correctable", "address": { "postcode": "10117" },
            "messages": [{ "code": "reformatted", "severity": "info" }] }));
    }

    fn what_is_no_address_is_refused(shop) {
        let front = shop.storefront();
        validate(&front, &json!("Berlin")).refused(400, "INVALID_INPUT");
        // All that is missing is told at once.
        let half = validate(&front, &json!({ "name": "A" })).ok();
        let missing: Vec<_> = half.at("/messages").as_array().unwrap().iter().map(|m| m["pointer"].as_str().unwrap()).collect();
        assert_eq!((half.text("/verdict"), missing), ("invalid", vec!["/address/line1", "/address/city", "/address/country"]));
        validate(&front, &with("planet", json!("Earth"))).refused(400, "INVALID_INPUT").about("/address/planet", "unknown_field");
        validate(&front, &with("city", json!("x".repeat(201)))).refused(422, "VALIDATION_FAILED").about("/address/city", "too_long");
        validate(&shop.anonymous(), &address()).refused(401, "UNAUTHENTICATED");
    }

    fn a_cart_whose_postcode_cannot_be_is_not_checked_out(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let mut input = store.ready(&[("MUG", 1)]);
        input["shippingAddress"] = with("postcode", json!("1011"));
        input["billingAddress"] = json!({ "name": "A", "line1": "Rue 1", "postcode": "ABC", "city": "Paris", "country": "FR" });
        let cart = store.cart_of(&input);
        let codes = |seen: &Answer| seen.at("/problems").as_array().unwrap().iter().map(|p| p["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(codes(&cart.get()), ["address_invalid", "billing_address_invalid"]);
        shop.unchanged(|| {
            cart.checkout("approve").refused(409, "CART_NOT_READY")
                .about("/shippingAddress/postcode", "address_invalid").about("/billingAddress/postcode", "billing_address_invalid");
        });
        let better = json!({ "shippingAddress": address(), "billingAddress": null });
        assert_eq!(cart.client.patch(&cart.path(""), better).ok().at("/ready"), true);
        cart.checkout("approve").created();
        cart.place().ok();
        shop.check();
    }
}
