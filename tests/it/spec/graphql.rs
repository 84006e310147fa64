//! GraphQL: from one thing to another, without a statement more for any number of them.

use serde_json::{Value, json};

use crate::support::{Shop, Store};

/// A tree of three categories, each product in the two lower ones.
fn with_categories(shop: &Shop, products: usize) -> Store<'_> {
    let store = Store::open(shop);
    let home = shop.category("home", None);
    let kitchen = shop.category("kitchen", Some(&home));
    shop.category("mugs", Some(&kitchen));
    add(&store, 0, products);
    store
}

fn add(store: &Store<'_>, from: usize, to: usize) {
    let rows: Vec<Value> = (from..to)
        .map(|i| {
            let mut row = store.row(&format!("A{i}"), 1_000, 100);
            row["categories"] = json!(["mugs", "kitchen"]);
            row
        })
        .collect();
    store.upsert(&rows);
}

const PRODUCTS: &str = "{ products(first: 50) { nodes { title variants { sku price { amount } } categories { handle parent { handle parent { handle } } } } } }";

both! {
    fn what_is_absent_is_null_and_the_rest_is_answered(shop) {
        let store = with_categories(shop, 1);
        let query = "query($id: ID!) { gone: product(id: $id) { title } named: productByHandle(handle: \"gone\") { title }
            here: productByHandle(handle: \"a0\") { title } products { nodes { title } } }";
        let answer = store.front.graphql(query, json!({ "id": "prd_01jq3h5s5vfkg8r4t0x2m6c9ze" }));
        let seen = json!({
            "gone": null, "named": null,
            "here": { "title": "The A0" }, "products": { "nodes": [{ "title": "The A0" }] },
        });
        assert_eq!((answer.status, &answer.json["data"]), (200, &seen), "{answer}");
        let errors = answer.json["errors"].as_array().unwrap();
        let told: std::collections::BTreeSet<(String, String)> = errors
            .iter()
            .map(|e| (e["path"][0].as_str().unwrap().to_owned(), e["extensions"]["code"].as_str().unwrap().to_owned()))
            .collect();
        let expected = ["gone", "named"].map(|field| (field.to_owned(), "NOT_FOUND".to_owned()));
        assert_eq!(told, expected.into());
    }

    fn a_filter_by_price_takes_amounts_beyond_32_bits(shop) {
        let store = with_categories(shop, 1);
        let query = "query($max: Long) { products(maxPrice: $max) { nodes { handle } } }";
        let seen = store.front.graphql(query, json!({ "max": 3_000_000_000_i64 })).ok();
        assert_eq!(seen.json["data"]["products"]["nodes"], json!([{ "handle": "a0" }]));
    }

    fn products_lead_to_their_variants_and_categories(shop) {
        let store = with_categories(shop, 1);
        let seen = store.front.graphql(PRODUCTS, json!({})).ok();
        let product = json!({
            "title": "The A0", "variants": [{ "sku": "A0", "price": { "amount": 1_000 } }],
            "categories": [
                { "handle": "mugs", "parent": { "handle": "kitchen", "parent": { "handle": "home" } } },
                { "handle": "kitchen", "parent": { "handle": "home", "parent": null } },
            ],
        });
        assert_eq!(seen.data("products")["nodes"][0], product);
    }

    fn a_product_answers_the_same_however_it_is_asked(shop) {
        let store = Store::open(shop);
        store.sell(&[("A0", 1_000, 5)]);
        let ask = |fields: &str| {
            let query = format!("{{ products {{ nodes {{ {fields} }} }} }}");
            store.front.graphql(&query, json!({})).ok().data("products")["nodes"][0].clone()
        };
        let plain = json!({
            "__typename": "Product", "name": "The A0", "attributes": {},
            "variants": [{ "sku": "A0", "price": { "amount": 1_000, "__typename": "Money" }, "compareAtPrice": null }],
        });
        let fields = "__typename name: title attributes variants { sku price { amount __typename } compareAtPrice { amount } }";
        assert_eq!(ask(fields), plain);
        // Asked for in ways that are not read from the text: a fragment, a directive, a field twice, a relation.
        for more in ["... on Product { handle }", "handle @include(if: true)", "handle handle", "handle categories { handle }"] {
            let mut answer = ask(&format!("{fields} {more}"));
            let answer = answer.as_object_mut().unwrap();
            assert_eq!(answer.remove("handle"), Some(json!("a0")), "{more}");
            answer.remove("categories");
            assert_eq!(serde_json::Value::from(answer.clone()), plain, "{more}");
        }
        assert_eq!(ask("handle title @include(if: false)"), json!({ "handle": "a0" }));
    }

    fn a_list_with_lists_in_it_costs_the_same_for_any_number(shop) {
        let store = with_categories(shop, 1);
        let count = || shop.statements(&store.front, |front| front.graphql(PRODUCTS, json!({})).ok()).1;
        let one = count();
        add(&store, 1, 40);
        let many = count();
        assert_eq!(one, many);
        assert!(many <= 5, "products, variants, and one for each level of categories: {many}");
    }

    fn the_lines_of_a_cart_and_of_orders_lead_to_their_products_for_one_statement_more(shop) {
        let store = with_categories(shop, 20);
        let skus: Vec<String> = (0..20).map(|i| format!("A{i}")).collect();
        let lines: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
        let cart = |n: usize| store.cart(&lines[..n]);
        let query = "query ($id: ID!) { cart(id: $id) { lines { sku product { title categories { handle } } } } }";
        let count = |n: usize| {
            let cart = cart(n);
            let (seen, count) = shop.statements(&cart.client, |client| client.graphql(query, json!({ "id": cart.id })).ok());
            assert_eq!(seen.data("cart")["lines"][n - 1]["product"]["title"], format!("The A{}", n - 1));
            count
        };
        assert_eq!(count(1), count(20));
        let query = "{ orders(first: 50) { nodes { number lines { product { title categories { handle } } } payments { status } } } }";
        let count = || shop.statements(&shop.staff(), |staff| staff.graphql(query, json!({})).ok()).1;
        store.order(&lines[..1]);
        let one = count();
        for _ in 0..3 {
            store.order(&lines);
        }
        assert_eq!(one, count());
    }

    fn a_shop_front_does_not_learn_of_products_that_are_gone(shop) {
        let store = with_categories(shop, 1);
        let cart = store.cart(&[("A0", 1)]);
        let query = "query ($id: ID!) { cart(id: $id) { lines { sku product { title } problems { code } } } }";
        let product = store.product("A0");
        shop.staff().post(&format!("/products/{}/archive", product["id"].as_str().unwrap()), json!({})).ok();
        let seen = cart.client.graphql(query, json!({ "id": cart.id })).ok();
        let line = json!({ "sku": "A0", "product": null, "problems": [{ "code": "not_available" }] });
        assert_eq!(seen.data("cart")["lines"][0], line);
    }
}
