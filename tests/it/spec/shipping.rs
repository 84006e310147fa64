//! Delivery: what a parcel costs, and where it goes.

use serde_json::{Value, json};

use crate::support::{Store, store};

fn options(store: &Store<'_>, lines: &[(&str, i64)]) -> Vec<(String, i64)> {
    let input = json!({ "lines": store.lines(lines), "shippingAddress": store::address() });
    let cart = store.front.post("/carts", input).created();
    let option = |o: &Value| {
        (
            o["handle"].as_str().unwrap().to_owned(),
            o["amount"]["amount"].as_i64().unwrap(),
        )
    };
    cart.at("/cart/shippingOptions")
        .as_array()
        .unwrap()
        .iter()
        .map(option)
        .collect()
}

fn zone(store: &Store<'_>) -> String {
    store
        .shop
        .staff()
        .get("/shipping-zones")
        .ok()
        .text("/items/0/id")
        .to_owned()
}

fn method(store: &Store<'_>, handle: &str, rate_by: &str, rates: &Value) -> Value {
    json!({
        "zoneId": zone(store), "channelId": store.channel, "handle": handle, "name": handle, "taxClassId": store.tax_class,
        "rateBy": rate_by, "rates": rates, "minDays": 1, "maxDays": 2,
    })
}

both! {
    fn a_rate_by_value_holds_from_its_lower_bound_and_below_its_upper_one(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 2_500, 10)]);
        let rates = json!([
            { "currency": "EUR", "from": 0, "upTo": 5_000, "amount": 490 }, { "currency": "EUR", "from": 5_000, "amount": 0 },
        ]);
        shop.staff().patch(&format!("/shipping-methods/{}", store.method), json!({ "rates": rates })).ok();
        assert_eq!(options(&store, &[("MUG", 1)]), [("parcel".to_owned(), 490)]);
        assert_eq!(options(&store, &[("MUG", 2)]), [("parcel".to_owned(), 0)]);
    }

    fn a_rate_by_weight_weighs_every_unit(shop) {
        let store = Store::open(shop);
        let mut row = store.row("MUG", 2_500, 10);
        row["variants"][0]["weightGrams"] = json!(400);
        store.upsert(&[row]);
        let rates = json!([
            { "currency": "EUR", "from": 0, "upTo": 1_000, "amount": 300 },
            { "currency": "EUR", "from": 1_000, "upTo": 2_000, "amount": 700 },
        ]);
        shop.staff().post("/shipping-methods", method(&store, "letter", "weight", &rates)).created();
        let letter = |units| options(&store, &[("MUG", units)]).into_iter().find(|(handle, _)| handle == "letter").map(|(_, amount)| amount);
        assert_eq!((letter(2), letter(3), letter(4), letter(5)), (Some(300), Some(700), Some(700), None));
    }

    fn the_options_are_those_of_the_country_cheapest_first(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 2_500, 10)]);
        let rates = json!([{ "currency": "EUR", "from": 0, "amount": 190 }]);
        shop.staff().post("/shipping-methods", method(&store, "bike", "value", &rates)).created();
        let asleep = { let mut m = method(&store, "asleep", "value", &rates); m["active"] = json!(false); m };
        shop.staff().post("/shipping-methods", asleep).created();
        assert_eq!(options(&store, &[("MUG", 1)]), [("bike".to_owned(), 190), ("parcel".to_owned(), 490)]);
    }

    fn rates_that_overlap_or_run_backwards_are_refused(shop) {
        let store = Store::open(shop);
        let bad = [
            json!([]),
            json!([{ "currency": "EUR", "from": 0, "amount": -1 }]),
            json!([{ "currency": "EUR", "from": 500, "upTo": 500, "amount": 1 }]),
            json!([{ "currency": "EUR", "from": 0, "upTo": 500, "amount": 1 }, { "currency": "EUR", "from": 400, "amount": 1 }]),
            json!([{ "currency": "USD", "from": 0, "amount": 1 }]),
        ];
        shop.unchanged(|| for rates in bad {
            let refused = shop.staff().post("/shipping-methods", method(&store, "bad", "value", &rates));
            assert!([409, 422].contains(&refused.status), "{rates}: {refused}");
            assert!(refused.fields()[0].0.starts_with("/rates"), "{refused}");
        });
    }

    fn the_order_keeps_what_its_delivery_was_called_and_cost(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 2_500, 10)]);
        let order = store.order(&[("MUG", 1)]);
        let rates = json!([{ "currency": "EUR", "from": 0, "amount": 9_900 }]);
        shop.staff().patch(&format!("/shipping-methods/{}", store.method), json!({ "name": "Dear", "rates": rates })).ok();
        let seen = shop.staff().get(&format!("/orders/{}", order["id"].as_str().unwrap())).ok();
        // The shopper who placed it does not see what the shop keeps for itself.
        let mut as_placed = order.clone();
        as_placed["privateMetadata"] = json!({});
        assert_eq!(seen.json, as_placed);
        assert_eq!(seen.text("/shippingMethod/name"), "Parcel");
        assert_eq!(seen.at("/lines/1/kind"), "shipping");
        assert_eq!(seen.at("/totals/shipping/amount"), 490);
    }
}
