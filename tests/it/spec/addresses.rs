//! What is known of addresses, and what cannot be one.

use serde_json::{Value, json};

use crate::support::store::address;
use crate::support::{Answer, Cart, Client, Shop, Store};

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

    fn a_region_is_taxed_however_it_is_written(shop) {
        let store = american(shop);
        for region in ["US-NY", "NY", "us-ny", "New York", " new  york ", "ＮＹ"] {
            let cart = buyer(&store, &in_new_york("region", json!(region)));
            let seen = cart.get();
            assert_eq!((seen.at("/totals/tax/amount"), seen.at("/ready")), (&json!(932), &json!(true)), "{region}: {seen}");
            assert_eq!(seen.text("/shippingAddress/region"), "US-NY");
            cart.checkout("approve").created();
            let order = cart.place().ok();
            assert_eq!((order.at("/order/totals/tax/amount"), order.at("/order/totals/total/amount")), (&json!(932), &json!(11_432)));
            assert_eq!(order.text("/order/shippingAddress/region"), "US-NY");
        }
        // A state without a tax of its own has none; that is known and no guess.
        let oregon = json!({ "name": "B", "line1": "1 Main", "postcode": "97201", "city": "Portland", "region": "oregon", "country": "us" });
        let seen = buyer(&store, &oregon).get();
        assert_eq!((seen.at("/totals/tax/amount"), seen.at("/ready"), seen.text("/shippingAddress/country")), (&json!(0), &json!(true), "US"));
        shop.check();
    }

    fn what_the_tax_needs_to_know_is_asked_before_an_order(shop) {
        let store = american(shop);
        for (field, value, code) in [
            ("region", Value::Null, "region"),
            ("region", json!("Elsewhere"), "region"),
            ("region", json!("US-ZZ"), "region"),
            ("region", json!("CA-ON"), "region"),
            ("postcode", Value::Null, "postcode"),
            ("postcode", json!("1234"), "postcode"),
        ] {
            let address = in_new_york(field, value);
            let cart = buyer(&store, &address);
            let seen = cart.get();
            let problem = seen.at("/problems/0");
            assert_eq!((seen.at("/ready"), &problem["code"], &problem["field"]), (&json!(false), &json!("address_invalid"), &json!(code)), "{seen}");
            let verdict = thought(&store.front, &address).0;
            assert!(verdict == "invalid" || field == "region", "{verdict}");
            shop.unchanged(|| {
                let pointer = format!("/shippingAddress/{code}");
                cart.checkout("approve").refused(409, "CART_NOT_READY").about(&pointer, "address_invalid");
            });
            let query = "query($id: ID!) { cart(id: $id) { ready problems { code field } } }";
            let same = cart.client.graphql(query, json!({ "id": cart.id })).ok();
            assert_eq!(same.at("/data/cart/problems/0"), &json!({ "code": "address_invalid", "field": code }));
            // Told rightly, it goes on.
            let better = json!({ "shippingAddress": in_new_york("region", json!("ny")) });
            assert_eq!(cart.client.patch(&cart.path(""), better).ok().at("/ready"), true);
        }
    }

    fn goods_that_are_not_sent_are_taxed_by_the_address_too(shop) {
        let store = american(shop);
        let mut row = store.row("EBOOK", 10_000, 0);
        row["kind"] = json!("digital");
        row["variants"][0]["stockPolicy"] = json!("untracked");
        row["variants"][0]["requiresShipping"] = json!(false);
        row["variants"][0].as_object_mut().unwrap().remove("stock");
        store.upsert(&[row]).ok();
        let bare = json!({ "channelId": store.channel, "email": "ada@example.com", "lines": store.lines(&[("EBOOK", 1)]) });
        for (to, region, ready, tax) in [
            ("shippingAddress", Value::Null, false, 0),
            ("shippingAddress", json!("Elsewhere"), false, 0),
            ("shippingAddress", json!("ny"), true, 888),
            ("billingAddress", Value::Null, false, 0),
            ("billingAddress", json!("New York"), true, 888),
        ] {
            let mut input = bare.clone();
            input[to] = in_new_york("region", region.clone());
            let seen = store.cart_of(&input).get();
            assert_eq!((seen.at("/ready"), seen.at("/totals/tax/amount")), (&json!(ready), &json!(tax)), "{to} {region}: {seen}");
        }
        let seen = store.cart_of(&bare).get();
        assert_eq!((seen.at("/ready"), seen.text("/problems/0/code")), (&json!(false), "address_missing"), "{seen}");
    }

    fn a_zone_has_regions_as_addresses_have_them(shop) {
        let store = american(shop);
        let staff = shop.staff();
        let zone = |region: &str| json!({ "handle": format!("z-{}", region.to_lowercase()), "name": "Z", "countries": [&region[..2]],
            "regions": [region], "rates": [{ "classId": store.tax_class, "name": "T", "rate": "5" }] });
        assert_eq!(staff.post("/tax-zones", zone("IN-OR")).created().at("/regions/0"), "IN-OD");
        assert_eq!(staff.post("/tax-zones", zone("CN-BJ")).created().at("/regions/0"), "CN-BJ");
        assert_eq!(staff.post("/tax-zones", zone("FR-75")).created().at("/regions/0"), "FR-75");
        staff.post("/tax-zones", zone("US-ZZ")).refused(422, "VALIDATION_FAILED").about("/regions/0", "unknown_region");
        staff.post("/tax-zones", zone("US-ny")).refused(422, "VALIDATION_FAILED").about("/regions/0", "invalid_region");
    }

    fn postcodes_are_kept_as_they_are_usually_written(shop) {
        let store = american(shop);
        for (given, kept) in [("100011234", "10001-1234"), ("10001 1234", "10001-1234"), ("１０００１", "10001"), (" 10001 ", "10001")] {
            let seen = buyer(&store, &in_new_york("postcode", json!(given))).get();
            assert_eq!((seen.text("/shippingAddress/postcode"), seen.at("/ready")), (kept, &json!(true)), "{given}");
        }
    }
}

/// A shop that sells to the United States, and has to tax in New York.
fn american(shop: &Shop) -> Store<'_> {
    let store = Store::with(
        shop,
        &json!({ "currency": "USD", "countries": ["US", "DE"], "pricesIncludeTax": false }),
        &[("VAT", "19")],
    );
    let staff = shop.staff();
    let rate = json!([{ "classId": store.tax_class, "name": "Sales tax", "rate": "8.875" }]);
    let zone = json!({ "handle": "ny", "name": "New York", "countries": ["US"], "regions": ["US-NY"], "rates": rate });
    staff.post("/tax-zones", zone).created();
    let zone = staff
        .post(
            "/shipping-zones",
            json!({ "handle": "us", "name": "US", "countries": ["US"] }),
        )
        .created();
    let method = json!({
        "zoneId": zone.text("/id"), "channelId": store.channel, "handle": "mail", "name": "Mail", "taxClassId": store.tax_class,
        "rateBy": "value", "rates": [{ "currency": "USD", "from": 0, "amount": 500 }], "minDays": 1, "maxDays": 3,
    });
    let method = staff
        .post("/shipping-methods", method)
        .created()
        .text("/id")
        .to_owned();
    store.sell(&[("W", 10_000, 50)]);
    Store { method, ..store }
}

fn in_new_york(field: &str, value: Value) -> Value {
    let mut address = json!({ "name": "B", "line1": "1 Main", "postcode": "10001", "city": "New York", "region": "US-NY", "country": "US" });
    address[field] = value;
    address
}

fn buyer(store: &Store<'_>, address: &Value) -> Cart {
    let mut input = store.ready(&[("W", 1)]);
    input["shippingAddress"] = address.clone();
    store.cart_of(&input)
}
