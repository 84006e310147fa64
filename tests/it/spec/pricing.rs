//! Prices: what a variant costs in a channel, in a currency.

use serde_json::{Value, json};

use crate::support::Store;

fn set(store: &Store<'_>, prices: &Value) -> crate::support::Answer {
    store
        .shop
        .staff()
        .json("PUT", "/prices", &json!({ "prices": prices }))
}

both! {
    fn a_price_is_seen_at_once_by_whoever_browses(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let price = || store.front.get("/products/by-handle/mug").ok().at("/variants/0/price/amount").clone();
        assert_eq!(price(), 1_500);
        set(&store, &json!([{ "variantId": store.variant("MUG"), "channelId": store.channel, "amount": 1_400 }])).ok();
        assert_eq!(price(), 1_400);
    }

    fn a_price_of_null_is_taken_away_and_the_product_with_it(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let prices = json!([{ "variantId": store.variant("MUG"), "channelId": store.channel, "amount": null }]);
        assert_eq!(set(&store, &prices).ok().json, json!({ "set": 0, "removed": 1 }));
        store.front.get("/products/by-handle/mug").refused(404, "NOT_FOUND");
        assert_eq!(set(&store, &prices).ok().json, json!({ "set": 0, "removed": 0 }));
    }

    fn prices_are_set_all_or_none(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10), ("CUP", 900, 10)]);
        let (mug, cup) = (store.variant("MUG"), store.variant("CUP"));
        let good = json!({ "variantId": mug, "channelId": store.channel, "amount": 1 });
        let bad = [
            (json!({ "variantId": cup, "channelId": store.channel, "amount": -1 }), "/prices/1/amount"),
            (json!({ "variantId": cup, "channelId": store.channel, "amount": 1_000_000_000_000_000_i64 }), "/prices/1/amount"),
            (json!({ "variantId": cup, "channelId": store.channel, "amount": 5, "compareAtAmount": 5 }), "/prices/1/compareAtAmount"),
            (json!({ "variantId": cup, "channelId": store.channel, "currency": "USD", "amount": 5 }), "/prices/1/currency"),
            (json!({ "variantId": "var_01jq3h5s5vfkg8r4t0x2m6c9ze", "channelId": store.channel, "amount": 5 }), "/prices/1/variantId"),
            (json!({ "variantId": cup, "channelId": "chn_01jq3h5s5vfkg8r4t0x2m6c9ze", "amount": 5 }), "/prices/1/channelId"),
            (good.clone(), "/prices/1"),
        ];
        shop.unchanged(|| for (price, pointer) in bad {
            let refused = set(&store, &json!([good, price]));
            assert_eq!(refused.status, 422, "{refused}");
            assert_eq!(refused.fields()[0].0, pointer, "{refused}");
        });
        assert_eq!(store.product("MUG")["variants"][0]["price"]["amount"], 1_500);
    }

    fn each_currency_has_its_own_price_and_without_one_nothing_is_sold(shop) {
        let store = Store::with(shop, &json!({ "currencies": ["USD"] }), &[("VAT", "19")]);
        store.sell(&[("MUG", 1_500, 10), ("CUP", 900, 10)]);
        let dollars = json!([{ "variantId": store.variant("MUG"), "channelId": store.channel, "currency": "USD", "amount": 1_700 }]);
        set(&store, &dollars).ok();
        let cart = json!({ "currency": "USD", "lines": store.lines(&[("MUG", 1), ("CUP", 1)]) });
        let cart = store.front.post("/carts", cart).created();
        assert_eq!(cart.at("/cart/lines/0/total"), &json!({ "amount": 1_700, "currency": "USD" }));
        assert_eq!(cart.text("/cart/lines/1/problems/0/code"), "not_available");
        let listed = store.front.get("/products?currency=USD").ok();
        assert_eq!(listed.at("/items").as_array().unwrap().len(), 1, "{listed}");
    }

    fn a_price_that_changes_while_the_shopper_looks_is_not_charged_silently(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let cart = store.cart(&[("MUG", 1)]);
        let shown = cart.get().at("/totals/total/amount").as_i64().unwrap();
        assert_eq!(shown, 1_990);
        set(&store, &json!([{ "variantId": store.variant("MUG"), "channelId": store.channel, "amount": 1_600 }])).ok();
        let start = |total: i64| {
            let input = json!({ "payment": { "provider": "manual" }, "expectedTotal": total });
            cart.client.once().post(&cart.path("/checkout"), input)
        };
        shop.unchanged(|| start(shown).refused(409, "PRICE_CHANGED").about("/expectedTotal", "changed"));
        assert_eq!(start(2_090).created().at("/total/amount"), 2_090);
    }

    fn a_price_that_changes_after_the_checkout_began_is_the_next_shopper_s(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let cart = store.checkout(&[("MUG", 2)], "approve");
        set(&store, &json!([{ "variantId": store.variant("MUG"), "channelId": store.channel, "amount": 9_900 }])).ok();
        let order = cart.place().ok();
        assert_eq!(order.at("/order/lines/0/unitPrice/amount"), 1_500);
        assert_eq!(order.at("/order/totals/total/amount"), 3_490);
    }
}
