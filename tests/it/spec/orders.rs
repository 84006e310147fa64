//! Orders: reading them, calling them off, and what happened to them.

use serde_json::{Value, json};

use crate::support::{Answer, Shop, Store};

fn with_mugs(shop: &Shop) -> Store<'_> {
    let store = Store::open(shop);
    store.sell(&[("MUG", 1_500, 10), ("CUP", 333, 10)]);
    store
}

fn cancel(shop: &Shop, order: &Value, body: &Value) -> Answer {
    shop.staff().once().post(
        &format!("/orders/{}/cancel", order["id"].as_str().unwrap()),
        body.clone(),
    )
}

fn units(order: &Value, line: usize, quantity: i64) -> Value {
    json!({ "lines": [{ "lineId": order["lines"][line]["id"], "quantity": quantity }] })
}

fn cancelled(answer: &Answer) -> i64 {
    answer.at("/totals/cancelled/amount").as_i64().unwrap()
}

both! {
    fn an_order_is_found_by_who_has_its_cart_s_token_and_by_nobody_else(shop) {
        let store = with_mugs(shop);
        let cart = store.checkout(&[("MUG", 1)], "approve");
        let order = cart.place().ok().at("/order").clone();
        let path = format!("/orders/{}", order["id"].as_str().unwrap());
        assert_eq!(cart.client.get(&path).ok().json, order);
        let mut seen = shop.partner(&["orders:read"]).get(&path).ok().json;
        assert_eq!(std::mem::take(&mut seen["privateMetadata"]), json!({}));
        assert_eq!(seen, order);
        let absent = cart.client.get("/orders/ord_01jq3h5s5vfkg8r4t0x2m6c9ze").refused(404, "NOT_FOUND");
        let other = store.cart(&[("CUP", 1)]);
        let elsewhere = shop.another_channel("other");
        let elsewhere = shop.storefront_of(elsewhere["id"].as_str().unwrap());
        for who in [&store.front, &other.client, &elsewhere] {
            for path in [path.clone(), format!("{path}/timeline")] {
                let refused = who.get(&path).refused(404, "NOT_FOUND");
                assert_eq!(refused.detail(), absent.detail());
            }
        }
        shop.partner(&["carts:read"]).get(&path).refused(403, "FORBIDDEN");
    }

    fn orders_are_listed_newest_first_and_found_by_what_is_known_of_them(shop) {
        let store = with_mugs(shop);
        for i in 0..3 {
            let mut input = store.ready(&[("MUG", 1)]);
            input["email"] = json!(format!("{}@example.com", if i == 1 { "bob" } else { "ada" }));
            input["reference"] = json!(format!("R{i}"));
            let cart = store.cart_of(&input);
            cart.checkout("approve").created();
            cart.place().ok();
        }
        let numbers = |query: &str| -> Vec<String> {
            let list = shop.staff().get(&format!("/orders{query}")).ok();
            list.at("/items").as_array().unwrap().iter().map(|o| o["number"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(numbers(""), ["3", "2", "1"]);
        assert_eq!(numbers("?email=ada@example.com"), ["3", "1"]);
        assert_eq!(numbers("?reference=R1"), ["2"]);
        assert_eq!(numbers("?number=3"), ["3"]);
        assert_eq!(numbers("?status=cancelled"), [""; 0]);
        assert_eq!(numbers(&format!("?channelId={}", store.channel)), ["3", "2", "1"]);
        let page = shop.staff().get("/orders?limit=2").ok();
        assert_eq!(numbers(&format!("?limit=2&after={}", page.text("/page/nextCursor"))), ["1"]);
    }

    fn calling_off_everything_gives_everything_back(shop) {
        let store = with_mugs(shop);
        let order = store.order(&[("MUG", 2), ("CUP", 3)]);
        let after = cancel(shop, &order, &json!({ "reason": "changed their mind" })).ok();
        assert_eq!((after.text("/status"), cancelled(&after)), ("cancelled", 3_000 + 999 + 490));
        assert_eq!(after.text("/payments/0/status"), "cancelled");
        assert_eq!(after.at("/payments/0/outstanding/amount"), 0);
        assert_eq!(after.at("/allowedActions"), &json!([]));
        assert_eq!((store.stock("MUG"), store.stock("CUP")), ((10, 0, 0), (10, 0, 0)));
        shop.unchanged(|| cancel(shop, &order, &json!({})).refused(409, "INVALID_STATE"));
        shop.check();
    }

    fn one_by_one_gives_back_exactly_what_was_charged(shop) {
        let store = Store::with(shop, &json!({ "pricesIncludeTax": false }), &[("VAT", "19")]);
        store.sell(&[("PEN", 108, 10)]);
        let order = store.order(&[("PEN", 3)]);
        assert_eq!(order["lines"][0]["total"]["amount"], 386);
        let mut before = 0;
        let given: Vec<i64> = (0..3).map(|_| {
            let now = cancelled(&cancel(shop, &order, &units(&order, 0, 1)).ok());
            let given = now - before;
            before = now;
            given
        }).collect();
        // 386 in three: 129, 128, 129, by cumulative shares; the delivery (490 and 93 tax) goes with the last.
        assert_eq!(given, [129, 128, 129 + 583]);
        assert_eq!(before, order["totals"]["total"]["amount"].as_i64().unwrap());
        shop.check();
    }

    fn units_are_given_back_to_where_they_came_from(shop) {
        let store = with_mugs(shop);
        let order = store.order(&[("MUG", 5)]);
        let after = cancel(shop, &order, &units(&order, 0, 2)).ok();
        assert_eq!((after.text("/status"), cancelled(&after), after.at("/lines/0/quantityCancelled")), ("open", 3_000, &json!(2)));
        assert_eq!(after.text("/payments/0/status"), "authorized");
        assert_eq!(after.at("/payments/0/outstanding/amount"), 5 * 1_500 + 490 - 3_000);
        assert_eq!(store.stock("MUG"), (10, 0, 3));
        shop.check();
    }

    fn what_cannot_be_called_off_is_pointed_at(shop) {
        let store = with_mugs(shop);
        let order = store.order(&[("MUG", 2)]);
        let other = store.order(&[("CUP", 1)]);
        let twice = json!({ "lines": [units(&order, 0, 1)["lines"][0], units(&order, 0, 1)["lines"][0]] });
        let cases = [
            (units(&order, 0, 3), "/lines/0/quantity", "out_of_range"),
            (units(&order, 0, 0), "/lines/0/quantity", "out_of_range"),
            (units(&order, 0, -1), "/lines/0/quantity", "out_of_range"),
            (units(&order, 0, 1_000_000_000_000), "/lines/0/quantity", "out_of_range"),
            (units(&order, 1, 1), "/lines/0/lineId", "unknown_line"),
            (units(&other, 0, 1), "/lines/0/lineId", "unknown_line"),
            (twice, "/lines/1", "duplicate"),
            (json!({ "lines": [] }), "/lines", "wrong_count"),
            (json!({ "reason": "a\u{0}b" }), "/reason", "nul"),
        ];
        shop.unchanged(|| for (body, pointer, code) in cases {
            cancel(shop, &order, &body).refused(422, "VALIDATION_FAILED").about(pointer, code);
        });
        let path = format!("/orders/{}", order["id"].as_str().unwrap());
        assert_eq!(shop.staff().get(&path).ok().at("/version"), 1);
    }

    fn an_order_that_has_changed_since_it_was_seen_is_not_called_off(shop) {
        let store = with_mugs(shop);
        let order = store.order(&[("MUG", 3)]);
        let path = format!("/orders/{}", order["id"].as_str().unwrap());
        let etag = shop.staff().get(&path).ok().etag().to_owned();
        cancel(shop, &order, &units(&order, 0, 1)).ok();
        let stale = || shop.staff().once().if_match(&etag).post(&format!("{path}/cancel"), json!({}));
        shop.unchanged(|| stale().refused(412, "VERSION_CONFLICT"));
        assert_eq!(shop.staff().get(&path).ok().at("/version"), 2);
    }

    fn the_timeline_tells_what_happened_and_staff_who_did_it(shop) {
        let store = with_mugs(shop);
        let cart = store.checkout(&[("MUG", 3)], "approve");
        let order = cart.place().ok().at("/order").clone();
        cancel(shop, &order, &units(&order, 0, 1)).ok();
        cancel(shop, &order, &json!({ "reason": "lost in the warehouse" })).ok();
        let path = format!("/orders/{}/timeline", order["id"].as_str().unwrap());
        let kinds = |answer: &Answer| -> Vec<String> {
            answer.at("/entries").as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap().to_owned()).collect()
        };
        let (staff, shopper) = (shop.staff().get(&path).ok(), cart.client.get(&path).ok());
        assert_eq!(kinds(&staff), ["placed", "lines_cancelled", "cancelled"]);
        assert_eq!(kinds(&shopper), kinds(&staff));
        assert_eq!(staff.at("/entries/1/data/amount"), 1_500);
        assert_eq!(staff.at("/entries/2/data/reason"), "lost in the warehouse");
        assert!(staff.text("/entries/0/actor").len() > 3 && staff.text("/entries/1/actor").len() > 3);
        assert_eq!(shopper.at("/entries/1/actor"), &Value::Null);
    }

    fn numbers_follow_the_channel_s_setting(shop) {
        let store = Store::with(shop, &json!({ "orderNumberPrefix": "S-" }), &[("VAT", "19")]);
        store.sell(&[("MUG", 1_500, 10)]);
        assert_eq!((store.order(&[("MUG", 1)])["number"].clone(), store.order(&[("MUG", 1)])["number"].clone()), (json!("S-1"), json!("S-2")));
        let path = format!("/channels/{}", store.channel);
        shop.staff().patch(&path, json!({ "orderNumbers": "scattered" })).ok();
        let scattered = store.order(&[("MUG", 1)])["number"].as_str().unwrap().to_owned();
        assert_eq!((&scattered[..2], scattered.len()), ("S-", 10), "{scattered}");
        shop.staff().patch(&path, json!({ "orderNumbers": "sequential" })).ok();
        assert_eq!(store.order(&[("MUG", 1)])["number"], "S-3");
        shop.check();
    }

    fn a_line_keeps_what_it_was_called_and_cost(shop) {
        let store = with_mugs(shop);
        let order = store.order(&[("MUG", 2)]);
        let mug = store.product("MUG");
        shop.staff().patch(&format!("/products/{}", mug["id"].as_str().unwrap()), json!({ "title": "Another" })).ok();
        shop.staff().post(&format!("/products/{}/archive", mug["id"].as_str().unwrap()), json!({})).ok();
        let mut seen = shop.staff().get(&format!("/orders/{}", order["id"].as_str().unwrap())).ok();
        assert_eq!(std::mem::take(&mut seen.json["privateMetadata"]), json!({}));
        assert_eq!(seen.json, order);
        assert_eq!(seen.text("/lines/0/title"), "The MUG");
    }
}
