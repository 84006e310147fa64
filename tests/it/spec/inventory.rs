//! Stock: levels and the ledger they follow from.

use serde_json::{Value, json};

use crate::support::{Answer, Store, concurrently};

fn adjust(store: &Store<'_>, changes: &[Value]) -> Answer {
    store
        .shop
        .staff()
        .once()
        .post("/stock-levels/adjust", json!({ "changes": changes }))
}

fn change(store: &Store<'_>, sku: &str, delta: i64) -> Value {
    json!({ "variantId": store.variant(sku), "locationId": store.location, "delta": delta, "reason": "received" })
}

/// A second warehouse, from which stock is taken after the first.
fn second(store: &Store<'_>, stock: &[(&str, i64)]) -> String {
    let input = json!({ "handle": "hamburg", "name": "Hamburg", "country": "DE", "priority": 200 });
    let id = store
        .shop
        .staff()
        .post("/locations", input)
        .created()
        .text("/id")
        .to_owned();
    let counts: Vec<Value> = stock
        .iter()
        .map(|(sku, units)| json!({ "variantId": store.variant(sku), "locationId": id, "onHand": units }))
        .collect();
    store
        .shop
        .staff()
        .once()
        .post("/stock-levels/set", json!({ "counts": counts }))
        .ok();
    id
}

/// What each warehouse has promised to orders: first, second.
fn allocated(store: &Store<'_>, sku: &str) -> Vec<i64> {
    let path = format!("/stock-levels?variantId={}", store.variant(sku));
    let levels = store.shop.staff().get(&path).ok();
    let mut found: Vec<(bool, i64)> = levels
        .at("/items")
        .as_array()
        .unwrap()
        .iter()
        .map(|l| {
            (
                l["locationId"] != store.location,
                l["allocated"].as_i64().unwrap(),
            )
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, units)| units).collect()
}

both! {
    fn an_adjustment_changes_the_level_and_says_so_in_the_ledger(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let answer = adjust(&store, &[change(&store, "MUG", -3)]).ok();
        assert_eq!(answer.at("/levels/0/onHand"), 7);
        let ledger = shop.staff().get(&format!("/stock-movements?variantId={}", store.variant("MUG"))).ok();
        let entry = |i: usize| (ledger.at(&format!("/items/{i}/onHand")).clone(), ledger.at(&format!("/items/{i}/reason")).clone());
        assert_eq!(entry(0), (json!(-3), json!("received")));
        assert_eq!(entry(1).0, json!(10));
        assert_eq!(ledger.at("/items").as_array().unwrap().len(), 2);
        shop.check();
    }

    fn adjustments_are_made_all_or_none(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10), ("CUP", 900, 10)]);
        let product = json!({ "handle": "pdf", "title": "A PDF", "kind": "digital", "variants": [{ "sku": "PDF", "stockPolicy": "untracked" }] });
        store.upsert(&[product]);
        let good = change(&store, "MUG", 5);
        let with = |field: &str, value: Value| { let mut c = change(&store, "CUP", 1); c[field] = value; c };
        let pdf = store.variant("PDF");
        let cases = [
            (with("delta", json!(-11)), 409, "/changes/1/delta", "promised"),
            (with("delta", json!(0)), 422, "/changes/1/delta", "zero"),
            (with("delta", json!(1_000_000_000_000_i64)), 422, "/changes/1/delta", "out_of_range"),
            (with("delta", json!(1_000_000_000)), 422, "/changes/1/delta", "out_of_range"),
            (with("variantId", json!("var_01jq3h5s5vfkg8r4t0x2m6c9ze")), 422, "/changes/1/variantId", "unknown_variant"),
            (with("variantId", json!(pdf)), 422, "/changes/1/variantId", "untracked"),
            (with("locationId", json!("loc_01jq3h5s5vfkg8r4t0x2m6c9ze")), 422, "/changes/1/locationId", "unknown_location"),
            (good.clone(), 422, "/changes/1", "duplicate"),
        ];
        shop.unchanged(|| for (bad, status, pointer, code) in cases {
            let refused = adjust(&store, &[good.clone(), bad]);
            assert_eq!(refused.status, status, "{refused}");
            refused.about(pointer, code);
        });
        assert_eq!((store.stock("MUG").0, store.stock("CUP").0), (10, 10));
    }

    fn what_is_promised_cannot_be_taken_away(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        store.checkout(&[("MUG", 4)], "approve");
        store.order(&[("MUG", 3)]);
        shop.unchanged(|| adjust(&store, &[change(&store, "MUG", -4)]).refused(409, "INSUFFICIENT_STOCK").about("/changes/0/delta", "promised"));
        adjust(&store, &[change(&store, "MUG", -3)]).ok();
        assert_eq!(store.stock("MUG"), (7, 4, 3));
    }

    fn a_count_is_refused_when_the_level_has_changed_since(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let set = |expected: i64, on_hand: i64| {
            let count = json!({ "variantId": store.variant("MUG"), "locationId": store.location, "onHand": on_hand, "expected": expected });
            shop.staff().once().post("/stock-levels/set", json!({ "counts": [count] }))
        };
        set(10, 8).ok();
        shop.unchanged(|| set(10, 9).refused(412, "VERSION_CONFLICT").about("/counts/0/expected", "changed"));
        assert_eq!(store.stock("MUG").0, 8);
    }

    fn of_many_counts_of_one_level_one_succeeds(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let variant = store.variant("MUG");
        let staff = shop.staff();
        let answers = concurrently(8, |i| {
            let count = json!({ "variantId": variant, "locationId": store.location, "onHand": 20 + i, "expected": 10 });
            staff.once().post("/stock-levels/set", json!({ "counts": [count] })).status
        });
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|status| **status == 412).count(), 7, "{answers:?}");
        shop.check();
    }

    fn what_moves_stock_needs_an_idempotency_key(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let input = json!({ "changes": [change(&store, "MUG", 1)] });
        shop.unchanged(|| shop.staff().post("/stock-levels/adjust", input).refused(400, "IDEMPOTENCY_KEY_REQUIRED"));
    }

    fn stock_is_taken_where_all_of_it_is_before_it_is_taken_in_parts(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 3)]);
        second(&store, &[("MUG", 5)]);
        store.order(&[("MUG", 4)]);
        assert_eq!(allocated(&store, "MUG"), [0, 4]);
        store.order(&[("MUG", 4)]);
        assert_eq!(allocated(&store, "MUG"), [3, 5]);
        store.cart(&[("MUG", 1)]).checkout("approve").refused(409, "INSUFFICIENT_STOCK").about("/lines/0", "insufficient_stock");
        shop.check();
    }

    fn an_inactive_location_keeps_its_stock_and_sells_none(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 3)]);
        let availability = || store.front.get("/products/by-handle/mug").ok().text("/variants/0/availability").to_owned();
        assert_eq!(availability(), "in_stock");
        shop.staff().patch(&format!("/locations/{}", store.location), json!({ "active": false })).ok();
        assert_eq!(availability(), "out_of_stock");
        assert_eq!(store.stock("MUG"), (3, 0, 0));
        let cart = store.cart(&[("MUG", 1)]);
        shop.unchanged(|| cart.checkout("approve").refused(409, "INSUFFICIENT_STOCK"));
    }

    fn what_may_be_ordered_back_is_sold_up_to_its_limit(shop) {
        let store = Store::open(shop);
        let mut row = store.row("MUG", 1_500, 2);
        row["variants"][0]["stockPolicy"] = json!("backorder");
        row["variants"][0]["backorderLimit"] = json!(3);
        store.upsert(&[row]);
        store.order(&[("MUG", 4)]);
        assert_eq!(store.front.get("/products/by-handle/mug").ok().text("/variants/0/availability"), "backorder");
        let cart = store.cart(&[("MUG", 2)]);
        shop.unchanged(|| cart.checkout("approve").refused(409, "INSUFFICIENT_STOCK"));
        store.order(&[("MUG", 1)]);
        assert_eq!(store.stock("MUG"), (2, 0, 5));
        assert_eq!(store.front.get("/products/by-handle/mug").ok().text("/variants/0/availability"), "out_of_stock");
        shop.check();
    }

    fn what_is_not_tracked_is_always_there(shop) {
        let store = Store::open(shop);
        let pdf = json!({
            "handle": "pdf", "title": "A PDF", "kind": "digital", "channels": ["main"],
            "variants": [{ "sku": "PDF", "stockPolicy": "untracked", "prices": [{ "channel": "main", "amount": 900 }] }],
        });
        store.upsert(&[pdf]);
        let cart = store.cart_of(&json!({ "lines": store.lines(&[("PDF", 100_000)]), "email": "ada@example.com" }));
        cart.checkout("approve").created();
        let order = cart.place().ok();
        assert_eq!(order.at("/order/totals/total/amount"), 90_000_000);
        assert_eq!(order.at("/order/lines").as_array().unwrap().len(), 1, "nothing is sent");
        shop.check();
    }
}
