//! A version counts changes: what changes nothing leaves the version, the time of the last change and every row as they are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::contract::{Contract, Input};
use crate::support::store::address;
use crate::support::{Answer, Client, Shop, Store};

/// What changes something whenever it is accepted.
const ALWAYS: [&str; 8] = [
    "addCartLines",
    "cancelOrder",
    "createVariant",
    "holdOrder",
    "releaseOrder",
    "removeCartLines",
    "removeCoupon",
    "startCheckout",
];

struct World<'a> {
    shop: &'a Shop,
    contract: Contract,
    tried: BTreeSet<String>,
}

impl World<'_> {
    /// Sends an object its own values, and whatever `input` says besides: at either door, with and without its version.
    fn stays(&mut self, operation: &str, object: &Value, input: Value) {
        let meta = self.contract.operation(operation);
        let staff = self.shop.staff();
        let fields = self.contract.rest_input(meta);
        let mut own: Input = fields
            .keys()
            .filter(|name| *name != "expectedVersion")
            .filter_map(|name| Some((name.clone(), as_input(object.get(name)?))))
            .collect();
        let Value::Object(more) = input else {
            panic!("{input}")
        };
        own.extend(more);
        let mut versioned = own.clone();
        if fields.contains_key("expectedVersion") {
            versioned.insert("expectedVersion".to_owned(), object["version"].clone());
        }
        for input in [own, versioned] {
            self.shop.unchanged(|| {
                let answer = Contract::rest_as(&staff, meta, &input);
                assert!(answer.status < 300, "{operation} {input:?}: {answer}");
                if let Some(version) = object["version"].as_i64() {
                    assert_eq!(answer.json, *object, "{operation}");
                    assert!(
                        answer.etag().starts_with(&format!("\"{version}")),
                        "{operation}: {answer}"
                    );
                }
                let schema = self.contract.rest_output(meta);
                let selection = self
                    .contract
                    .selection(&self.contract.field(meta).ty.base, schema);
                let asked = self.contract.graphql_as(&staff, meta, &input, &selection);
                assert!(
                    asked.json["errors"].is_null(),
                    "{operation} {input:?}: {asked}"
                );
                if object["version"].is_i64() {
                    assert_eq!(
                        asked.data(&meta.graphql_field())["version"],
                        object["version"]
                    );
                    assert_eq!(
                        asked.data(&meta.graphql_field())["updatedAt"],
                        object["updatedAt"]
                    );
                }
            });
        }
        self.tried.insert(operation.to_owned());
    }
}

/// A value as an input has it: of money, the minor units.
fn as_input(value: &Value) -> Value {
    match value.as_object() {
        Some(money) if money.len() == 2 && money.contains_key("currency") => {
            money["amount"].clone()
        }
        _ => value.clone(),
    }
}

fn made(client: &Client, path: &str, body: Value) -> Value {
    client.post(path, body).created().json
}

both! {
    fn what_changes_nothing_leaves_the_version(shop) {
        let mut w = World { shop, contract: Contract::load(), tried: BTreeSet::new() };
        let store = Store::open(shop);
        let staff = shop.staff();
        store.sell(&[("MUG", 1_500, 1_000)]);

        let channel = staff.get(&format!("/channels/{}", store.channel)).ok().json;
        w.stays("updateChannel", &channel, json!({}));
        let location = staff.get(&format!("/locations/{}", store.location)).ok().json;
        w.stays("updateLocation", &location, json!({}));
        let top = made(&staff, "/categories", json!({ "handle": "top", "title": "Top" }));
        let category = json!({ "handle": "in", "title": "In", "parentId": top["id"], "description": "<b>", "position": 3 });
        w.stays("updateCategory", &made(&staff, "/categories", category), json!({}));

        let new = json!({
            "handle": "shirt", "title": "Shirt", "taxClassId": store.tax_class, "channelIds": [store.channel],
            "categoryIds": [top["id"]], "attributes": { "size": "042", "weight": 42, "new": true }, "tags": ["b", "a"],
            "media": [{ "url": "https://example.com/1.png", "alt": "One" }], "metadata": { "a": { "b": null } },
            "privateMetadata": { "cost": "3" }, "options": [{ "name": "Size", "values": ["S", "M"] }],
            "variants": [{ "sku": "S", "optionValues": [{ "name": "Size", "value": "S" }], "stockPolicy": "backorder",
                           "backorderLimit": 5, "weightGrams": 7, "metadata": { "x": 1 } }],
        });
        let product = made(&staff, "/products", new);
        w.stays("updateProduct", &product, json!({}));
        let variant = &product["variants"][0];
        let own = ["id", "sku", "barcode", "weightGrams", "status", "stockPolicy", "backorderLimit", "media", "metadata", "privateMetadata"];
        let own: Input = own.iter().map(|name| ((*name).to_owned(), variant[*name].clone())).collect();
        w.stays("updateVariant", &product, Value::Object(own));
        let gone = staff.post(&format!("/products/{}/archive", product["id"].as_str().unwrap()), json!({})).ok();
        w.stays("archiveProduct", &gone.json, json!({}));

        let zone = staff.get("/tax-zones").ok().json["items"][0].clone();
        let rates: Vec<Value> = zone["rates"].as_array().unwrap().iter().cloned().map(|mut rate| {
            rate.as_object_mut().unwrap().remove("id");
            rate
        }).collect();
        assert!(!rates.is_empty());
        w.stays("updateTaxZone", &zone, json!({ "rates": rates }));
        assert_eq!(staff.get("/tax-zones").ok().json["items"][0], zone, "rates keep their ids");
        let methods = staff.get("/shipping-methods").ok().json;
        w.stays("updateShippingMethod", &methods["items"][0], json!({}));
        assert_eq!(staff.get("/shipping-methods").ok().json, methods);
        let price = json!([{ "variantId": store.variant("MUG"), "channelId": store.channel, "amount": 1_500 }]);
        let before = store.product("MUG");
        w.stays("setPrices", &json!({}), json!({ "prices": price }));
        assert_eq!(store.product("MUG"), before);

        let coupon = made(&staff, "/coupons", json!({ "code": "TENTH", "basisPoints": 1_000, "maxAmount": 500, "currency": "EUR",
            "minimum": 100, "channelIds": [store.channel], "usageLimit": 7, "endsAt": "2099-01-01T00:00:00Z" }));
        w.stays("updateCoupon", &coupon, json!({}));
        let issued = made(&staff, "/gift-cards", json!({ "amount": 700, "currency": "EUR", "expiresAt": "2099-01-01T00:00:00Z" }));
        let gift = &issued["giftCard"];
        w.stays("enableGiftCard", gift, json!({}));
        let off = staff.post(&format!("/gift-cards/{}/disable", gift["id"].as_str().unwrap()), json!({})).ok();
        assert_eq!(off.json["version"], 2);
        w.stays("disableGiftCard", &off.json, json!({}));
        let terms = json!({ "email": "a@example.com", "currency": "EUR", "limit": 5_000, "netDays": 14, "note": "n" });
        let terms = staff.post("/credit-terms", terms).ok().json;
        w.stays("setCreditTerms", &terms, json!({}));

        let new = json!({ "channelId": store.channel, "email": "ada@example.com", "shippingAddress": address(),
            "billingAddress": address(), "shippingMethodId": store.method, "reference": "r", "metadata": { "a": 1 },
            "privateMetadata": { "b": 2 }, "lines": [{ "sku": "MUG", "quantity": 2 }] });
        let cart = made(&staff, "/carts", new)["cart"].clone();
        w.stays("updateCart", &cart, json!({}));
        let lines = json!([{ "lineId": cart["lines"][0]["id"], "quantity": 2 }]);
        w.stays("updateCartLines", &cart, json!({ "cartId": cart["id"], "lines": lines }));
        let cart = staff.post(&format!("/carts/{}/coupons", cart["id"].as_str().unwrap()), json!({ "code": "TENTH" })).ok().json;
        assert_eq!(cart["version"], 2);
        w.stays("applyCoupon", &cart, json!({ "cartId": cart["id"], "code": "tenth" }));

        let versioned = w.contract.operations.iter().filter(|meta| {
            ["PATCH", "PUT"].contains(&meta.verb.as_str()) || w.contract.rest_input(meta).contains_key("expectedVersion")
        });
        let all: BTreeSet<String> = versioned.map(mercer::operation::Meta::operation_id).collect();
        let always = ALWAYS.map(ToOwned::to_owned).into();
        let done: BTreeSet<String> = w.tried.union(&always).cloned().collect();
        assert_eq!(done, all);
        shop.check();
    }

    fn a_change_raises_the_version_by_one(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 1_000)]);
        let product = store.product("MUG");
        let version = product["version"].as_i64().unwrap();
        let path = format!("/products/{}", product["id"].as_str().unwrap());
        let staff = shop.staff();
        let answer = staff.patch(&path, json!({ "title": "Cup" })).ok();
        assert_eq!(answer.at("/version"), version + 1);
        let stale = staff.if_match(&format!("\"{version}\""));
        stale.patch(&path, json!({ "title": "Cup" })).refused(412, "VERSION_CONFLICT");
        stale.patch(&path, json!({ "title": "Mug" })).refused(412, "VERSION_CONFLICT");
        let answer = staff.patch(&path, json!({ "title": "Cup" })).ok();
        assert_eq!(answer.at("/version"), version + 1);
    }

    fn a_note_on_a_cart_keeps_its_checkout_and_a_change_does_not(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let address = |city: &str| {
            let mut address = address();
            address["city"] = json!(city);
            json!({ "shippingAddress": address })
        };
        for (change, keeps) in [
            (json!({ "metadata": { "utm": "x" } }), true),
            (json!({ "reference": "r-1" }), true),
            (address(" Berlin "), true),
            (json!({ "email": "other@example.com" }), false),
            (address("Potsdam"), false),
        ] {
            let cart = store.checkout(&[("MUG", 1)], "approve");
            cart.client.patch(&cart.path(""), change.clone()).ok();
            let placed = cart.place();
            if keeps {
                assert_eq!(placed.ok().text("/outcome"), "placed", "{change}");
            } else {
                placed.refused(412, "VERSION_CONFLICT");
            }
        }
        let cart = store.checkout(&[("MUG", 1)], "approve");
        let line = json!({ "lineId": cart.get().text("/lines/0/id"), "quantity": 2 });
        cart.client.patch(&cart.path("/lines"), json!({ "lines": [line] })).ok();
        cart.place().refused(412, "VERSION_CONFLICT");
        shop.check();
    }

    fn an_order_that_hears_the_same_twice_changes_once(shop) {
        let store = Store::open(shop);
        let staff = shop.staff();
        store.sell(&[("MUG", 1_500, 10)]);
        let cart = store.cart(&[("MUG", 1)]);
        cart.pay_by(&json!({ "provider": "manual", "method": "bank_transfer" })).created();
        let order = cart.place().ok().text("/order/id").to_owned();
        let version = || staff.get(&format!("/orders/{order}")).ok().at("/version").as_i64().unwrap();
        let pay = || staff.once().post(&format!("/orders/{order}/payments"), json!({ "amount": 100, "reference": "T-1" })).ok();
        let placed = version();
        pay();
        assert_eq!(version(), placed + 1);
        pay();
        assert_eq!(version(), placed + 1);
        let link = staff.post(&format!("/orders/{order}/payment-links"), json!({})).created();
        let before = version();
        for _ in 0..2 {
            staff.post(&format!("/payment-links/{}/disable", link.text("/link/id")), json!({})).ok();
            assert_eq!(version(), before + 1);
        }
        shop.check();
    }

    fn a_patch_that_changes_nothing_keeps_the_checkout(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let cart = store.checkout(&[("MUG", 1)], "approve");
        let known = cart.get().ok();
        let line = json!({ "lineId": known.text("/lines/0/id"), "quantity": known.at("/lines/0/quantity") });
        cart.client.patch(&cart.path(""), json!({ "email": known.text("/email") })).ok();
        cart.client.patch(&cart.path(""), json!({ "shippingAddress": known.at("/shippingAddress") })).ok();
        cart.client.patch(&cart.path("/lines"), json!({ "lines": [line] })).ok();
        let placed: Answer = cart.place().ok();
        assert_eq!(placed.text("/outcome"), "placed");
    }
}
