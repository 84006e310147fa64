//! The budget: how many SQL statements an operation may cost, whatever the number of rows. BEGIN and COMMIT do not count.

use serde_json::{Value, json};

use crate::support::{Cart, Shop, Store};

/// A shop with this many products, A0, A1, …
fn with_goods(shop: &Shop, n: usize) -> Store<'_> {
    let store = Store::open(shop);
    more_goods(&store, 0, n);
    store
}

fn more_goods(store: &Store<'_>, from: usize, to: usize) {
    let skus: Vec<String> = (from..to).map(|i| format!("A{i}")).collect();
    store.sell(
        &skus
            .iter()
            .map(|sku| (sku.as_str(), 1_000, 1_000))
            .collect::<Vec<_>>(),
    );
}

fn cart(store: &Store<'_>, lines: usize) -> Cart {
    let skus: Vec<String> = (0..lines).map(|i| format!("A{i}")).collect();
    store.cart(&skus.iter().map(|sku| (sku.as_str(), 1)).collect::<Vec<_>>())
}

both! {
    fn a_list_of_products_costs_one_statement_whatever_it_holds_and_for_staff_two(shop) {
        let store = with_goods(shop, 1);
        let count = |query: &str| shop.statements(&store.front, |front| front.get(&format!("/products?{query}")).ok()).1;
        let one = count("limit=99");
        more_goods(&store, 1, 60);
        assert_eq!((one, count("limit=100"), count("limit=100&sort=price&minPrice=1")), (1, 1, 1));
        assert_eq!(shop.statements(&shop.staff(), |staff| staff.get("/products?limit=100").ok()).1, 2);
    }

    fn a_product_costs_one_statement_whatever_its_variants(shop) {
        let store = with_goods(shop, 1);
        let variants: Vec<Value> = (0..50).map(|i| json!({
            "sku": format!("V{i}"), "options": { "Size": i.to_string() }, "prices": [{ "channel": "main", "amount": 100 }],
        })).collect();
        let sizes: Vec<String> = (0..50).map(|i| i.to_string()).collect();
        store.upsert(&[json!({ "handle": "many", "title": "Many", "channels": ["main"], "options": [{ "name": "Size", "values": sizes }], "variants": variants })]);
        let count = |handle: &str| shop.statements(&store.front, |front| front.get(&format!("/products/by-handle/{handle}")).ok()).1;
        let (one, many) = (count("a0"), count("many"));
        assert_eq!((one, many), (1, 1));
    }

    fn an_answer_from_memory_costs_none(shop) {
        let store = with_goods(shop, 3);
        store.front.get("/products?limit=7").ok();
        assert_eq!(shop.statements(&store.front, |front| front.get("/products?limit=7").ok()).1, 0);
    }

    fn a_line_is_added_for_four_statements_whatever_is_in_the_cart(shop) {
        let store = with_goods(shop, 120);
        let line = json!({ "lines": [{ "variantId": store.variant("A110"), "quantity": 1 }] });
        let count = |lines: usize| {
            let cart = cart(&store, lines);
            shop.statements(&cart.client, |client| client.post(&cart.path("/lines"), line.clone()).ok()).1
        };
        let (few, many) = (count(1), count(100));
        assert!(few <= 4 && few == many, "{few} and {many}");
    }

    fn an_order_costs_three_statements_whatever_its_lines(shop) {
        let store = with_goods(shop, 100);
        let count = |lines: usize| {
            let cart = cart(&store, lines);
            cart.checkout("approve").created();
            let path = format!("/orders/{}", cart.place().ok().text("/order/id"));
            shop.statements(&shop.staff(), |staff| staff.get(&path).ok()).1
        };
        assert_eq!((count(1), count(100)), (3, 3));
    }

    fn an_order_is_placed_for_at_most_twelve_statements_whatever_its_lines(shop) {
        let store = with_goods(shop, 100);
        let count = |lines: usize| {
            let cart = cart(&store, lines);
            let (_, start) = shop.statements(&cart.client, |_| cart.checkout("approve").created());
            let (_, place) = shop.statements(&cart.client, |_| cart.place().ok());
            (start, place)
        };
        let (one, hundred) = (count(1), count(100));
        assert_eq!(one, hundred, "startCheckout and placeOrder, of one line and of a hundred");
        assert!(one.1 <= 12, "{one:?}");
    }

    fn an_order_that_is_to_be_assessed_costs_one_statement_more(shop) {
        let store = with_goods(shop, 1);
        let count = || {
            let cart = cart(&store, 1);
            cart.checkout("approve").created();
            shop.statements(&cart.client, |_| cart.place().ok()).1
        };
        let before = count();
        let path = format!("/channels/{}", store.channel);
        shop.staff().patch(&path, json!({ "riskChecks": true })).ok();
        assert!(count() <= before + 1);
    }

    fn a_bulk_upsert_costs_the_same_for_any_number_of_rows(shop) {
        let store = with_goods(shop, 1);
        let count = |from: usize, to: usize| {
            let rows: Vec<Value> = (from..to).map(|i| store.row(&format!("B{i}"), 1_000, 5)).collect();
            shop.statements(&shop.staff(), |staff| staff.post("/products/bulk-upsert", json!({ "products": rows })).ok()).1
        };
        assert_eq!(count(0, 1), count(1, 101));
    }

    fn a_list_of_orders_costs_three_statements_whatever_it_holds(shop) {
        let store = with_goods(shop, 3);
        let count = || shop.statements(&shop.staff(), |staff| staff.get("/orders?limit=50").ok()).1;
        store.order(&[("A0", 1)]);
        let one = count();
        for _ in 0..4 {
            store.order(&[("A0", 1), ("A1", 1), ("A2", 1)]);
        }
        assert_eq!((one, count()), (3, 3));
    }
}
