//! The catalogue: what is shown where, found how, and written in bulk.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::Store;

fn new(store: &Store<'_>, handle: &str, sku: &str) -> Value {
    json!({ "handle": handle, "title": handle, "taxClassId": store.tax_class, "variants": [{ "sku": sku }] })
}

fn handles(store: &Store<'_>, query: &str) -> Vec<String> {
    let list = store.front.get(&format!("/products{query}")).ok();
    list.at("/items")
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["handle"].as_str().unwrap().to_owned())
        .collect()
}

both! {
    fn a_product_is_shown_once_it_is_active_published_and_priced(shop) {
        let store = Store::open(shop);
        let made = shop.staff().post("/products", new(&store, "mug", "MUG")).created();
        let path = format!("/products/{}", made.text("/id"));
        let shown = || {
            let (found, listed) = (store.front.get(&path).status, handles(&store, "").len());
            assert_eq!((found == 200, listed == 1), (listed == 1, found == 200));
            found == 200
        };
        assert!(!shown());
        shop.staff().patch(&path, json!({ "status": "active" })).ok();
        assert!(!shown());
        shop.staff().patch(&path, json!({ "channelIds": [store.channel] })).ok();
        assert!(!shown());
        let price = json!({ "prices": [{ "variantId": made.at("/variants/0/id"), "channelId": store.channel, "amount": 1_500 }] });
        shop.staff().json("PUT", "/prices", &price).ok();
        assert!(shown());
        shop.staff().patch(&path, json!({ "channelIds": [] })).ok();
        assert!(!shown());
        shop.check();
    }

    fn a_shop_front_sees_neither_other_channels_nor_how_many_there_are(shop) {
        let store = Store::open(shop);
        let other = shop.another_channel("other");
        let mut row = store.row("MUG", 1_500, 10);
        row["channels"] = json!(["main", "other"]);
        store.upsert(&[row]);
        let seen = store.front.get("/products/by-handle/mug").ok();
        assert_eq!(seen.at("/channelIds"), &json!([store.channel]));
        assert_eq!(seen.at("/variants/0/availableQuantity"), &Value::Null);
        assert_eq!(store.product("MUG")["variants"][0]["availableQuantity"], 10);
        let theirs = shop.storefront_of(other["id"].as_str().unwrap());
        theirs.get("/products/by-handle/mug").refused(404, "NOT_FOUND");
    }

    fn handles_and_skus_belong_to_one(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        shop.unchanged(|| {
            shop.staff().post("/products", new(&store, "mug", "OTHER")).refused(409, "ALREADY_EXISTS").about("/handle", "taken");
            let refused = shop.staff().post("/products", new(&store, "other", "MUG"));
            assert!([409, 422].contains(&refused.status), "{refused}");
            refused.about("/variants/0/sku", "taken");
        });
    }

    fn products_are_found_by_what_is_asked_for(shop) {
        let store = Store::open(shop);
        let home = shop.category("home", None);
        shop.category("kitchen", Some(&home));
        let row = |sku: &str, price: i64, stock: i64, colour: &str, categories: Value| {
            let mut row = store.row(sku, price, stock);
            row["attributes"] = json!({ "colour": colour });
            row["categories"] = categories;
            row
        };
        store.upsert(&[
            row("MUG", 1_500, 10, "green", json!(["kitchen"])),
            row("CUP", 900, 0, "green", json!(["home"])),
            row("PEN", 300, 5, "red", json!([])),
        ]);
        let found = |query: &str| handles(&store, query).into_iter().collect::<BTreeSet<_>>();
        let these = |list: &[&str]| list.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        for (query, expected) in [
            ("", &["cup", "mug", "pen"][..]),
            (&format!("?category={home}"), &["cup", "mug"]),
            ("?minPrice=900&maxPrice=1499", &["cup"]),
            ("?inStock=true", &["mug", "pen"]),
            ("?text=the%20mu", &["mug"]),
            ("?text=PEN", &["pen"]),
            ("?attribute=colour:green", &["cup", "mug"]),
            ("?attribute=colour:green&inStock=true&maxPrice=1500", &["mug"]),
            ("?text=nothing%20like%20it", &[]),
            ("?text=100%25", &[]),
        ] {
            assert_eq!(found(query), these(expected), "{query}");
        }
        assert_eq!(handles(&store, "?sort=price"), ["pen", "cup", "mug"]);
        assert_eq!(handles(&store, "?sort=price_desc"), ["mug", "cup", "pen"]);
        assert_eq!(handles(&store, "?sort=title"), ["cup", "mug", "pen"]);
        let first = store.front.get("/products?sort=price&limit=1").ok();
        let second = format!("?sort=price&limit=1&after={}", first.text("/page/nextCursor"));
        assert_eq!(handles(&store, &second), ["cup"]);
        let other_sort = format!("/products?sort=title&limit=1&after={}", first.text("/page/nextCursor"));
        store.front.get(&other_sort).refused(400, "INVALID_CURSOR");
    }

    fn a_price_range_is_that_of_one_variant(shop) {
        let store = Store::open(shop);
        let variant = |sku: &str, size: &str, price: i64| json!({
            "sku": sku, "options": { "Size": size }, "prices": [{ "channel": store.handle, "amount": price }],
        });
        store.upsert(&[json!({
            "handle": "shirt", "title": "Shirt", "status": "active", "taxClass": "standard", "channels": [store.handle],
            "options": [{ "name": "Size", "values": ["S", "M", "L"] }],
            "variants": [variant("S", "S", 5_000), variant("M", "M", 9_000), variant("L", "L", 25_000)],
        })]).ok();
        for (min, max, expected) in [
            (6_000, 8_999, &[""; 0][..]),
            (10_000, 24_999, &[]),
            (25_001, 30_000, &[]),
            (0, 4_999, &[]),
            (5_000, 5_000, &["shirt"]),
            (9_000, 9_000, &["shirt"]),
            (6_000, 14_000, &["shirt"]),
            (25_000, 25_000, &["shirt"]),
            (0, 1_000_000, &["shirt"]),
        ] {
            assert_eq!(handles(&store, &format!("?minPrice={min}&maxPrice={max}")), expected, "{min} {max}");
            let query = format!("{{ products(first: 5, minPrice: {min}, maxPrice: {max}) {{ nodes {{ handle }} }} }}");
            let seen = store.front.graphql(&query, json!({})).ok();
            let found: Vec<_> = seen.at("/data/products/nodes").as_array().unwrap().iter().map(|p| p["handle"].as_str().unwrap()).collect();
            assert_eq!(found, expected, "{min} {max}");
        }
        assert_eq!(handles(&store, "?minPrice=25000"), ["shirt"]);
        assert_eq!(handles(&store, "?maxPrice=5000&sort=price"), ["shirt"]);
        // What is not sold any more has no price.
        let shirt = store.product("SHIRT");
        let gone = shirt["variants"][1]["id"].as_str().unwrap();
        shop.staff().patch(&format!("/variants/{gone}"), json!({ "status": "archived" })).ok();
        assert_eq!(handles(&store, "?minPrice=6000&maxPrice=14000"), [""; 0]);

        // Nor does what is sold out make what is in stock cheaper.
        assert_eq!(handles(&store, "?maxPrice=30000&inStock=true"), [""; 0]);
        let large = json!([{ "variantId": shirt["variants"][2]["id"], "locationId": store.location, "onHand": 5 }]);
        shop.staff().once().post("/stock-levels/set", json!({ "counts": large })).ok();
        for (query, expected) in [
            ("?inStock=true", &["shirt"][..]), ("?maxPrice=20000&inStock=true", &[]), ("?maxPrice=25000&inStock=true", &["shirt"]),
            ("?minPrice=5000&maxPrice=9000&inStock=true", &[]), ("?minPrice=9000&inStock=true", &["shirt"]),
        ] {
            assert_eq!(handles(&store, query), expected, "{query}");
        }
        for (bound, of) in [("minPrice", -5), ("maxPrice", -1), ("minPrice", i64::MAX)] {
            store.front.get(&format!("/products?{bound}={of}")).refused(422, "VALIDATION_FAILED").about(&format!("/{bound}"), "out_of_range");
            let query = format!("{{ products(first: 5, {bound}: {of}) {{ nodes {{ id }} }} }}");
            store.front.graphql(&query, json!({})).denied("VALIDATION_FAILED");
        }
        store.front.get("/products?minPrice=20000&maxPrice=10000").refused(422, "VALIDATION_FAILED").about("/maxPrice", "less_than_min");
        let refused = store.front.graphql("{ products(first: 5, minPrice: 2, maxPrice: 1) { nodes { id } } }", json!({}));
        refused.denied("VALIDATION_FAILED");
    }

    fn an_attribute_is_found_by_its_text(shop) {
        let store = Store::open(shop);
        let row = |sku: &str, size: Value| {
            let mut row = store.row(sku, 100, 1);
            row["attributes"] = json!({ "size": size });
            row
        };
        store.upsert(&[
            row("A", json!("042")), row("B", json!(42)), row("C", json!("42")), row("D", json!(true)), row("E", json!("true")),
            row("F", json!(-1)), row("G", json!("é\"\\ '%_")), row("H", json!("1")),
        ]).ok();
        for (value, expected) in [
            ("042", &["a"][..]), ("42", &["b", "c"]), ("%2B42", &[]), ("42.0", &[]), ("true", &["d", "e"]), ("1", &["h"]),
            ("-1", &["f"]), ("%C3%A9%22%5C%20%27%25_", &["g"]), ("false", &[]), ("null", &[]), ("", &[]),
        ] {
            let query = format!("?attribute=size:{value}&sort=created_at");
            assert_eq!(handles(&store, &query), expected, "{value}");
            assert_eq!(store.shop.staff().get(&format!("/products{query}")).ok().at("/items").as_array().unwrap().len(), expected.len());
        }
        assert_eq!(handles(&store, "?attribute=colour:1"), [""; 0]);
    }

    fn what_is_written_is_seen_at_once_and_what_was_sold_out_is_no_longer_in_stock(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 1)]);
        assert_eq!(handles(&store, "?inStock=true"), ["mug"]);
        store.order(&[("MUG", 1)]);
        assert_eq!(handles(&store, "?inStock=true"), [""; 0]);
        let product = store.product("MUG");
        shop.staff().patch(&format!("/products/{}", product["id"].as_str().unwrap()), json!({ "title": "New" })).ok();
        assert_eq!(store.front.get("/products/by-handle/mug").ok().text("/title"), "New");
        shop.check();
    }

    fn a_shopper_is_told_when_what_is_left_has_to_be_ordered_back(shop) {
        let store = Store::open(shop);
        let mut row = store.row("MUG", 1_500, 2);
        row["variants"][0]["stockPolicy"] = json!("backorder");
        row["variants"][0]["backorderLimit"] = json!(3);
        store.upsert(&[row]);
        let told = || store.front.get("/products/by-handle/mug").ok().at("/variants/0/availability").clone();
        let mut seen = vec![told()];
        for _ in 0..5 {
            store.order(&[("MUG", 1)]);
            seen.push(told());
        }
        assert_eq!(seen, ["in_stock", "in_stock", "backorder", "backorder", "backorder", "out_of_stock"]);
        shop.check();
    }

    fn a_product_is_the_same_in_a_list_by_itself_and_when_it_is_made_anew(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 1), ("CUP", 900, 0)]);
        let seen = || {
            let list = store.front.get("/products?sort=title").ok().json;
            (list["items"].clone(), store.front.get("/products/by-handle/cup").ok().json)
        };
        let (list, alone) = seen();
        assert_eq!((list.as_array().unwrap().len(), &list[0]), (2, &alone));
        // As an older Mercer left them: not shown, made of their rows, and written anew by a job.
        let mut conn = shop.alter();
        conn.execute("UPDATE listing_documents SET format = 0, document = '{}'", vec![]).unwrap();
        let touch = json!({ "handle": "x", "title": "X" });
        shop.staff().post("/categories", touch).created();
        assert_eq!(seen(), (list.clone(), alone.clone()));
        shop.wait(std::time::Duration::from_mins(1));
        shop.work();
        let left = conn.rows::<diesel::sql_types::BigInt, i64>("SELECT count(*) FROM listing_documents WHERE format = 0", vec![]);
        assert_eq!(left.unwrap(), [0]);
        assert_eq!(seen(), (list, alone));
        shop.check();
    }

    fn a_change_leaves_what_it_does_not_name_and_empties_what_is_null(shop) {
        let store = Store::open(shop);
        let mut input = new(&store, "mug", "MUG");
        input["description"] = json!("For tea");
        input["metadata"] = json!({ "team": "north" });
        let made = shop.staff().post("/products", input).created();
        let path = format!("/products/{}", made.text("/id"));
        let changed = shop.staff().patch(&path, json!({ "title": "Mug" })).ok();
        assert_eq!((changed.text("/title"), changed.text("/description"), changed.at("/version")), ("Mug", "For tea", &json!(2)));
        assert_eq!(changed.at("/metadata"), &json!({ "team": "north" }));
        assert_eq!(shop.staff().patch(&path, json!({ "description": null })).ok().text("/description"), "");
        shop.unchanged(|| shop.staff().patch(&path, json!({ "title": null })).refused(422, "VALIDATION_FAILED").about("/title", "null"));
    }

    fn categories_stay_a_tree(shop) {
        let top = shop.category("top", None);
        let below = shop.category("below", Some(&top));
        let refused = shop.staff().patch(&format!("/categories/{top}"), json!({ "parentId": below }));
        refused.refused(422, "VALIDATION_FAILED").about("/parentId", "cycle");
        shop.staff().patch(&format!("/categories/{top}"), json!({ "parentId": top })).refused(422, "VALIDATION_FAILED").about("/parentId", "cycle");
        shop.staff().post("/categories", json!({ "handle": "x", "title": "X", "parentId": "cat_01jq3h5s5vfkg8r4t0x2m6c9ze" }))
            .refused(422, "VALIDATION_FAILED").about("/parentId", "unknown_category");
    }

    fn a_row_of_a_bulk_upsert_is_refused_by_itself(shop) {
        let store = Store::open(shop);
        let mut bad = store.row("CUP", -1, 10);
        bad["variants"][0]["stock"][0]["location"] = json!("nowhere");
        let rows = [store.row("MUG", 1_500, 10), bad, store.row("PEN", 300, 5), store.row("MUG", 1, 1)];
        let report = shop.staff().post("/products/bulk-upsert", json!({ "products": rows })).ok();
        let outcomes: Vec<&str> = report.at("/rows").as_array().unwrap().iter().map(|r| r["outcome"].as_str().unwrap()).collect();
        assert_eq!(outcomes, ["created", "refused", "created", "refused"], "{report}");
        let pointers: BTreeSet<&str> = report.at("/rows/1/errors").as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
        assert_eq!(pointers, BTreeSet::from(["/products/1/variants/0/prices/0/amount", "/products/1/variants/0/stock/0/location"]));
        assert_eq!(store.product("MUG")["variants"][0]["price"]["amount"], 1_500);
        store.front.get("/products/by-handle/cup").refused(404, "NOT_FOUND");
        shop.check();
    }

    fn a_bulk_upsert_done_again_changes_nothing(shop) {
        let store = Store::open(shop);
        let rows = [store.row("MUG", 1_500, 10), store.row("PEN", 300, 5)];
        store.upsert(&rows);
        let before = (store.product("MUG"), store.product("PEN"));
        shop.wait(std::time::Duration::from_mins(1));
        shop.unchanged(|| store.upsert(&rows));
        assert_eq!((store.product("MUG"), store.product("PEN")), before);
        assert_eq!(store.stock("MUG"), (10, 0, 0));
    }

    fn an_archived_variant_is_sold_no_more_and_orders_keep_it(shop) {
        let store = Store::open(shop);
        let mut row = store.row("RED", 1_500, 10);
        row["handle"] = json!("tee");
        row["options"] = json!([{ "name": "Colour", "values": ["Red", "Blue"] }]);
        let mut blue = row["variants"][0].clone();
        row["variants"][0]["options"] = json!({ "Colour": "Red" });
        blue["sku"] = json!("BLUE");
        blue["options"] = json!({ "Colour": "Blue" });
        row["variants"].as_array_mut().unwrap().push(blue);
        store.upsert(&[row]);
        let order = store.order(&[("BLUE", 2)]);
        let cart = store.cart(&[("BLUE", 1), ("RED", 1)]);
        let made = shop.staff().get("/products/by-handle/tee").ok();
        let variant = |sku: &str| {
            let variants = made.at("/variants").as_array().unwrap();
            variants.iter().find(|v| v["sku"] == sku).unwrap()["id"].as_str().unwrap().to_owned()
        };
        let path = format!("/variants/{}", variant("BLUE"));
        let archived = shop.staff().patch(&path, json!({ "status": "archived" })).ok();
        assert_eq!((archived.at("/variants/0/status"), archived.at("/variants/1/status")), (&json!("active"), &json!("archived")));
        let shown = store.front.get("/products/by-handle/tee").ok();
        assert_eq!(shown.at("/variants").as_array().unwrap().len(), 1);
        assert_eq!(shown.at("/variants/0/sku"), "RED");
        let after = cart.get();
        assert_eq!(after.at("/ready"), &json!(false));
        assert_eq!(after.text("/lines/0/problems/0/code"), "not_available");
        assert_eq!(after.at("/lines/1/problems"), &json!([]));
        let kept = shop.staff().get(&format!("/orders/{}", order["id"].as_str().unwrap())).ok();
        assert_eq!(kept.at("/lines/0/sku"), "BLUE");
        let last = shop.staff().patch(&format!("/variants/{}", variant("RED")), json!({ "status": "archived" }));
        last.refused(422, "VALIDATION_FAILED").about("/status", "last_variant");
        // Another variant may take its values; then it cannot come back.
        let another = json!({ "variant": { "sku": "BLUE-2", "optionValues": [{ "name": "Colour", "value": "Blue" }] } });
        shop.staff().post(&format!("/products/{}/variants", made.text("/id")), another).created();
        shop.staff().patch(&path, json!({ "status": "active" })).refused(422, "VALIDATION_FAILED").about("/status", "duplicate");
        let mutation = "mutation($id: ID!) { updateVariant(input: { id: $id, status: archived }) { variants { sku status media { url } } tags vendor } }";
        let by_graphql = shop.staff().graphql(mutation, json!({ "id": archived.at("/variants/1/id") }));
        assert_eq!(by_graphql.at("/data/updateVariant/variants/1/status"), "archived", "{by_graphql}");
        shop.check();
    }

    fn products_are_found_by_vendor_and_tag(shop) {
        let store = Store::open(shop);
        let row = |sku: &str, vendor: &str, tags: Value| {
            let mut row = store.row(sku, 1_500, 10);
            row["vendor"] = json!(vendor);
            row["tags"] = tags;
            row
        };
        store.upsert(&[row("MUG", "Fern & Co", json!(["new", "50% off"])), row("CUP", "Fern", json!(["new"]))]);
        for (query, wanted) in [
            ("?vendor=Fern", &["cup"][..]),
            ("?vendor=fern", &[]),
            ("?vendor=Fern%20%26%20Co&tag=new", &["mug"]),
            ("?tag=50%25%20off", &["mug"]),
            ("?tag=new&sort=title", &["cup", "mug"]),
            ("?tag=ne", &[]),
        ] {
            assert_eq!(handles(&store, query), wanted, "{query}");
            let staff = shop.staff().get(&format!("/products{query}")).ok();
            assert_eq!(staff.at("/items").as_array().unwrap().len(), wanted.len(), "{query}");
        }
        let mug = shop.staff().get("/products/by-handle/mug").ok();
        let path = format!("/products/{}", mug.text("/id"));
        let changed = shop.staff().patch(&path, json!({ "seoTitle": "T", "tags": ["old"], "vendor": null })).ok();
        assert_eq!((changed.at("/seoTitle"), changed.at("/tags"), changed.at("/vendor")), (&json!("T"), &json!(["old"]), &json!("")));
        shop.staff().patch(&path, json!({ "tags": [" "] })).refused(422, "VALIDATION_FAILED").about("/tags/0", "blank");
        shop.staff().patch(&path, json!({ "handle": "Ä" })).refused(422, "VALIDATION_FAILED").about("/handle", "invalid_handle");
        shop.staff().patch(&path, json!({ "handle": "чашка" })).ok();
        assert_eq!(store.front.get("/products/by-handle/%D1%87%D0%B0%D1%88%D0%BA%D0%B0").ok().at("/handle"), "чашка");
    }

    fn the_pictures_of_the_demo_shop_answer(shop) {
        let front = shop.storefront();
        let (mut count, mut drawn) = (0, BTreeSet::new());
        for part in mercer::import::demo::SHOP.split('"').filter(|part| part.starts_with("/demo/")) {
            let answer = front.send("GET", part, None);
            answer.status(200);
            assert_eq!(answer.header("content-type"), "image/svg+xml");
            assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin");
            assert!(answer.body.starts_with(b"<svg") && answer.body.len() < 1000, "{part}");
            count += 1;
            drawn.insert(answer.body);
        }
        assert_eq!(count, 76);
        assert!(drawn.len() > 50, "{} differ", drawn.len());
        front.send("GET", "/demo/pictures/Mug%3C.svg", None).status(404);
    }

    fn a_bulk_row_with_one_sku_twice_is_refused_in_a_sentence(shop) {
        let store = Store::open(shop);
        let mut row = store.row("MUG", 1_500, 10);
        let variant = row["variants"][0].clone();
        row["variants"] = Value::from(vec![variant; 40]);
        let report = shop.staff().post("/products/bulk-upsert", json!({ "products": [row] })).ok();
        assert_eq!(report.at("/rows/0/errors").as_array().unwrap().len(), 1, "{report}");
        assert_eq!(report.at("/rows/0/errors/0/message"), "The SKU MUG stands on 40 variants.");
    }

    fn variants_differ_in_their_options(shop) {
        let store = Store::open(shop);
        let variant = |sku: &str, size: &str| json!({ "sku": sku, "optionValues": [{ "name": "Size", "value": size }] });
        let mut input = new(&store, "shirt", "S");
        input["options"] = json!([{ "name": "Size", "values": ["S", "M"] }]);
        let refusals = [
            (json!([variant("S", "S"), variant("M", "S")]), "/variants/1"),
            (json!([variant("S", "S"), variant("M", "XL")]), "/variants/1"),
            (json!([variant("S", "S"), { "sku": "M" }]), "/variants/1"),
            (json!([variant("S", "S"), variant("S", "M")]), "/variants/1"),
        ];
        shop.unchanged(|| for (variants, pointer) in refusals {
            input["variants"] = variants;
            let refused = shop.staff().post("/products", input.clone()).refused(422, "VALIDATION_FAILED");
            assert!(refused.fields()[0].0.starts_with(pointer), "{refused}");
        });
        input["variants"] = json!([variant("S", "S"), variant("M", "M")]);
        assert_eq!(shop.staff().post("/products", input).created().text("/variants/1/title"), "M");
    }
}
