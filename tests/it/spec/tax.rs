//! Taxes: the worked examples of the design, cent by cent, through the door.

use serde_json::{Value, json};

use crate::support::{Answer, Store, store};

/// Net, tax and total of the only line.
fn line(cart: &Answer) -> (i64, i64, i64) {
    let amount = |field: &str| {
        cart.at(&format!("/cart/lines/0/{field}/amount"))
            .as_i64()
            .unwrap()
    };
    (amount("net"), amount("tax"), amount("total"))
}

/// Puts a quantity of something of this price into a cart of the channel.
fn priced(store: &Store<'_>, price: i64, quantity: i64) -> Answer {
    store.sell(&[("A", price, 1_000)]);
    store
        .front
        .post(
            "/carts",
            json!({ "lines": store.lines(&[("A", quantity)]) }),
        )
        .created()
}

fn exclusive(rate_of: &str) -> Value {
    json!({ "pricesIncludeTax": false, "taxPer": rate_of })
}

both! {
    fn tax_on_top_is_rounded_on_the_line(shop) {
        let store = Store::with(shop, &exclusive("line"), &[("VAT", "20")]);
        assert_eq!(line(&priced(&store, 123, 3)), (369, 74, 443));
        assert_eq!(line(&priced(&store, 31, 10)), (310, 62, 372));
    }

    fn three_of_1_08_at_19_percent_are_3_86_with_tax_per_line(shop) {
        let store = Store::with(shop, &exclusive("line"), &[("VAT", "19")]);
        assert_eq!(line(&priced(&store, 108, 3)), (324, 62, 386));
    }

    fn three_of_1_08_at_19_percent_are_3_87_with_tax_per_unit(shop) {
        let store = Store::with(shop, &exclusive("unit"), &[("VAT", "19")]);
        assert_eq!(line(&priced(&store, 108, 3)), (324, 63, 387));
    }

    fn tax_inside_is_what_is_left_of_the_gross(shop) {
        let store = Store::with(shop, &json!({ "pricesIncludeTax": true }), &[("VAT", "20")]);
        store.sell(&[("A", 100, 10)]);
        let rates = json!([{ "currency": "EUR", "from": 0, "amount": 500 }]);
        shop.staff().patch(&format!("/shipping-methods/{}", store.method), json!({ "rates": rates })).ok();
        let order = store.order(&[("A", 1)]);
        let amounts = |i: usize| ["net", "tax", "total"].map(|f| order["lines"][i][f]["amount"].as_i64().unwrap());
        assert_eq!(amounts(0), [83, 17, 100]);
        assert_eq!(amounts(1), [417, 83, 500]);
        assert_eq!(order["totals"]["total"]["amount"], 600);
        assert_eq!(order["totals"]["tax"]["amount"], 100);
    }

    fn yen_have_no_minor_unit(shop) {
        let store = Store::with(shop, &json!({ "currency": "JPY" }), &[("Tax", "10")]);
        let cart = priced(&store, 999, 3);
        assert_eq!(line(&cart), (2725, 272, 2997));
        assert_eq!(cart.text("/cart/totals/total/currency"), "JPY");
    }

    fn dinars_have_a_thousand_fils(shop) {
        let terms = json!({ "currency": "KWD", "pricesIncludeTax": false });
        let store = Store::with(shop, &terms, &[("Tax", "5")]);
        assert_eq!(line(&priced(&store, 1_234, 3)), (3_702, 185, 3_887));
    }

    fn several_taxes_on_top_are_rounded_each(shop) {
        let store = Store::with(shop, &exclusive("line"), &[("GST", "5"), ("QST", "9.975")]);
        let cart = priced(&store, 10_000, 1);
        assert_eq!(line(&cart), (10_000, 1_498, 11_498));
        let taxes = json!([{ "name": "GST", "rate": "5", "amount": 500 }, { "name": "QST", "rate": "9.975", "amount": 998 }]);
        assert_eq!(cart.at("/cart/lines/0/taxes"), &taxes);
    }

    fn several_taxes_inside_share_what_is_left_to_the_cent(shop) {
        let store = Store::with(shop, &json!({}), &[("GST", "5"), ("PST", "7")]);
        let cart = priced(&store, 1_000, 1);
        assert_eq!(line(&cart), (893, 107, 1_000));
        let taxes = json!([{ "name": "GST", "rate": "5", "amount": 45 }, { "name": "PST", "rate": "7", "amount": 62 }]);
        assert_eq!(cart.at("/cart/lines/0/taxes"), &taxes);
    }

    fn half_a_cent_goes_to_the_even_one_where_the_channel_says_so(shop) {
        let terms = json!({ "pricesIncludeTax": false, "rounding": "half_even" });
        let store = Store::with(shop, &terms, &[("VAT", "5")]);
        assert_eq!(line(&priced(&store, 50, 1)), (50, 2, 52));
        assert_eq!(line(&priced(&store, 70, 1)), (70, 4, 74));
    }

    fn half_a_cent_goes_down_where_the_channel_says_so(shop) {
        let terms = json!({ "pricesIncludeTax": false, "rounding": "half_down" });
        let store = Store::with(shop, &terms, &[("VAT", "5")]);
        assert_eq!(line(&priced(&store, 70, 1)), (70, 3, 73));
    }

    fn the_address_decides_whose_tax_it_is(shop) {
        let store = Store::with(shop, &json!({ "countries": ["DE", "AT", "CH"] }), &[("VAT", "19")]);
        let rates = json!([{ "classId": store.tax_class, "name": "USt", "rate": "20" }]);
        let zone = json!({ "handle": "at", "name": "Austria", "countries": ["AT"], "rates": rates });
        shop.staff().post("/tax-zones", zone).created();
        store.sell(&[("A", 1_200, 10)]);
        let tax_in = |country: &str| {
            let mut address = store::address();
            address["country"] = json!(country);
            let input = json!({ "lines": store.lines(&[("A", 1)]), "shippingAddress": address });
            line(&store.front.post("/carts", input).created())
        };
        assert_eq!(tax_in("DE"), (1_008, 192, 1_200));
        assert_eq!(tax_in("AT"), (1_000, 200, 1_200));
        assert_eq!(tax_in("CH"), (1_200, 0, 1_200), "no zone, no tax");
    }

    fn a_place_belongs_to_one_zone(shop) {
        Store::open(shop);
        let again = json!({ "handle": "again", "name": "Again", "countries": ["AT", "DE"] });
        shop.unchanged(|| shop.staff().post("/tax-zones", again).refused(409, "ALREADY_EXISTS").about("/countries/1", "taken"));
    }

    fn a_rate_is_from_0_to_100_percent_with_four_decimals(shop) {
        let store = Store::open(shop);
        shop.unchanged(|| for rate in ["-1", "100.1", "19.00001", "1e1", ""] {
            let rates = json!([{ "classId": store.tax_class, "name": "VAT", "rate": rate }]);
            let zone = json!({ "handle": "at", "name": "Austria", "countries": ["AT"], "rates": rates });
            let refused = shop.staff().post("/tax-zones", zone);
            assert!([400, 422].contains(&refused.status), "{rate:?}: {refused}");
            assert_eq!(refused.fields()[0].0, "/rates/0/rate", "{refused}");
        });
    }
}
