//! Coupons: what they take off, when they apply, how often they are used.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Cart, Shop, Store};

const MUG: i64 = 1_500;

fn with_mugs(shop: &Shop) -> Store<'_> {
    let store = Store::open(shop);
    store.sell(&[("MUG", MUG, 100)]);
    store
}

/// A coupon and its code.
struct Coupon<'a> {
    shop: &'a Shop,
    id: String,
    code: String,
}

fn coupon(shop: &Shop, input: Value) -> Coupon<'_> {
    let made = shop.staff().post("/coupons", input).created();
    Coupon {
        shop,
        id: made.text("/id").to_owned(),
        code: made.text("/code").to_owned(),
    }
}

/// Ten percent off.
fn tenth(shop: &Shop) -> Coupon<'_> {
    coupon(shop, json!({ "code": "TENTH", "basisPoints": 1_000 }))
}

/// The same with something more to say of it.
fn tenth_with<'a>(shop: &'a Shop, code: &str, field: &str, value: Value) -> Coupon<'a> {
    let mut input = json!({ "code": code, "basisPoints": 1_000, "currency": "EUR" });
    input[field] = value;
    coupon(shop, input)
}

impl Coupon<'_> {
    fn path(&self) -> String {
        format!("/coupons/{}", self.id)
    }

    fn used(&self) -> i64 {
        let seen = self.shop.staff().get(&self.path()).ok();
        seen.at("/used").as_i64().unwrap()
    }

    fn change(&self, body: Value) -> Answer {
        self.shop.staff().patch(&self.path(), body)
    }
}

fn apply(cart: &Cart, code: &str) -> Answer {
    cart.client
        .post(&cart.path("/coupons"), json!({ "code": code }))
}

fn take_out(cart: &Cart, code: &str) -> Answer {
    cart.client
        .post(&cart.path("/coupons/remove"), json!({ "code": code }))
}

/// A cart with a coupon whose checkout has been started.
fn started(store: &Store<'_>, coupon: &Coupon<'_>) -> Cart {
    let cart = store.cart(&[("MUG", 1)]);
    apply(&cart, &coupon.code).ok();
    cart.checkout("approve").created();
    cart
}

fn cancel(shop: &Shop, order: &str, body: Value) -> Answer {
    let path = format!("/orders/{order}/cancel");
    shop.staff().once().post(&path, body)
}

/// An amount of money at `pointer`.
fn amount(answer: &Answer, pointer: &str) -> i64 {
    answer.at(&format!("{pointer}/amount")).as_i64().unwrap()
}

/// Goods, discount, shipping, tax and total.
fn totals(answer: &Answer, at: &str) -> [i64; 5] {
    ["goods", "discount", "shipping", "tax", "total"]
        .map(|field| amount(answer, &format!("{at}/totals/{field}")))
}

/// Of each line: discount, net, tax, total.
fn lines(answer: &Answer, at: &str) -> Vec<[i64; 4]> {
    let lines = answer.at(&format!("{at}/lines")).as_array().unwrap();
    let line = |line: &Value| {
        ["discount", "net", "tax", "total"].map(|field| line[field]["amount"].as_i64().unwrap())
    };
    lines.iter().map(line).collect()
}

/// Of each coupon of a cart: its code, what it takes off, and what stands in its way.
fn coupons(cart: &Answer) -> Vec<(String, i64, Vec<String>)> {
    let list = cart.at("/coupons").as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let coupon = |coupon: &Value| {
        let problems = coupon["problems"].as_array().unwrap();
        (
            text(&coupon["code"]),
            coupon["discount"]["amount"].as_i64().unwrap(),
            problems.iter().map(|p| text(&p["code"])).collect(),
        )
    };
    list.iter().map(coupon).collect()
}

both! {
    fn a_coupon_is_made_found_and_changed(shop) {
        let staff = shop.staff();
        let input = json!({
            "code": " summer-26 ", "description": "Summer sale", "basisPoints": 1_250, "maxAmount": 2_000, "currency": "EUR",
            "channelIds": [shop.channel], "minimum": 5_000, "startsAt": "2026-06-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z",
            "usageLimit": 100, "usageLimitPerCustomer": 2, "metadata": { "campaign": 7 },
        });
        let made = staff.post("/coupons", input).created();
        assert_eq!(made.text("/code"), "SUMMER-26");
        assert_eq!((made.text("/kind"), made.text("/status")), ("percentage", "active"));
        assert_eq!(made.at("/basisPoints"), 1_250);
        assert_eq!(made.at("/maxAmount"), &json!({ "amount": 2_000, "currency": "EUR" }));
        assert_eq!(made.at("/minimum"), &json!({ "amount": 5_000, "currency": "EUR" }));
        assert_eq!((made.at("/used"), made.at("/amount")), (&json!(0), &Value::Null));
        let path = format!("/coupons/{}", made.text("/id"));
        assert_eq!(staff.get(&path).ok().json, made.json);
        staff.post("/coupons", json!({ "code": "Summer-26", "amount": 1, "currency": "EUR" }))
            .refused(409, "ALREADY_EXISTS").about("/code", "taken");

        let change = json!({ "basisPoints": null, "amount": 300, "maxAmount": null, "endsAt": null, "usageLimit": null, "status": "disabled" });
        let changed = staff.if_match("\"1\"").patch(&path, change).ok();
        assert_eq!((changed.text("/kind"), changed.text("/status"), changed.at("/version")), ("fixed", "disabled", &json!(2)));
        assert_eq!((changed.at("/endsAt"), changed.at("/usageLimit")), (&Value::Null, &Value::Null));
        assert_eq!(changed.at("/metadata"), &json!({ "campaign": 7 }));
        staff.if_match("\"1\"").patch(&path, json!({ "status": "active" })).refused(412, "VERSION_CONFLICT");
        tenth(shop);
        for (query, codes) in [
            ("", vec!["TENTH", "SUMMER-26"]), ("?status=disabled", vec!["SUMMER-26"]), ("?code=tenth", vec!["TENTH"]),
            ("?code=unknown", vec![]), ("?limit=1", vec!["TENTH"]),
        ] {
            let list = staff.get(&format!("/coupons{query}")).ok();
            let found: Vec<&str> = list.at("/items").as_array().unwrap().iter().map(|c| c["code"].as_str().unwrap()).collect();
            assert_eq!(found, codes, "{query}");
        }
        shop.check();
    }

    fn what_is_no_coupon_is_refused(shop) {
        let staff = shop.staff();
        let known = tenth(shop);
        let cases = [
            (json!({ "code": " " }), "/code", "invalid_code"),
            (json!({ "code": "two words" }), "/code", "invalid_code"),
            (json!({ "code": "ümlaut" }), "/code", "invalid_code"),
            (json!({ "code": "x".repeat(51) }), "/code", "invalid_code"),
            (json!({ "code": "a\0b" }), "/code", "nul"),
            (json!({ "description": " " }), "/description", "blank"),
            (json!({ "basisPoints": 0 }), "/basisPoints", "out_of_range"),
            (json!({ "basisPoints": -1 }), "/basisPoints", "out_of_range"),
            (json!({ "basisPoints": 10_001 }), "/basisPoints", "out_of_range"),
            (json!({ "amount": 100 }), "/amount", "both_kinds"),
            (json!({ "basisPoints": null }), "/amount", "required"),
            (json!({ "basisPoints": null, "amount": 0 }), "/amount", "out_of_range"),
            (json!({ "basisPoints": null, "amount": -1 }), "/amount", "out_of_range"),
            (json!({ "basisPoints": null, "amount": i64::MAX }), "/amount", "out_of_range"),
            (json!({ "basisPoints": null, "amount": 100, "currency": null }), "/currency", "required"),
            (json!({ "basisPoints": null, "amount": 100, "maxAmount": 100 }), "/maxAmount", "without_percentage"),
            (json!({ "maxAmount": 0 }), "/maxAmount", "out_of_range"),
            (json!({ "minimum": 0 }), "/minimum", "out_of_range"),
            (json!({ "minimum": 100, "currency": null }), "/currency", "required"),
            (json!({ "startsAt": "2026-06-01T00:00:00Z", "endsAt": "2026-06-01T00:00:00Z" }), "/endsAt", "before_start"),
            (json!({ "usageLimit": 0 }), "/usageLimit", "out_of_range"),
            (json!({ "usageLimitPerCustomer": -1 }), "/usageLimitPerCustomer", "out_of_range"),
            (json!({ "channelIds": [shop.channel, mercer::kernel::ids::ChannelId::new()] }), "/channelIds/1", "unknown_channel"),
        ];
        shop.unchanged(|| for (wrong, pointer, code) in cases {
            let mut input = json!({ "code": "OTHER", "basisPoints": 1_000, "currency": "EUR" });
            let mut change = json!({ "currency": "EUR" });
            for (field, value) in wrong.as_object().unwrap() {
                input[field] = value.clone();
                change[field] = value.clone();
            }
            staff.post("/coupons", input).refused(422, "VALIDATION_FAILED").about(pointer, code);
            if pointer != "/code" {
                known.change(change).refused(422, "VALIDATION_FAILED").about(pointer, code);
            }
        });
        shop.unchanged(|| {
            known.change(json!({ "code": "NEW" })).refused(400, "INVALID_INPUT");
            known.change(json!({ "status": null })).refused(422, "VALIDATION_FAILED").about("/status", "null");
            staff.post("/coupons", json!({ "code": "X", "amount": 1.5, "currency": "EUR" })).refused(400, "INVALID_INPUT");
            staff.post("/coupons", json!({ "code": "X", "amount": 1, "currency": "XXQ" })).refused(400, "INVALID_INPUT");
        });
    }

    fn a_coupon_takes_its_share_off_every_line_and_nothing_off_the_delivery(shop) {
        let store = with_mugs(shop);
        tenth(shop);
        let cart = store.cart(&[("MUG", 2)]);
        let before = cart.get();
        assert_eq!(totals(&before, ""), [3_000, 0, 490, 557, 3_490]);
        let with = apply(&cart, " tenth ").ok();
        // 27.00 with 19 %: 22.69 and 4.31. 4.90 with 19 %: 4.12 and 0.78.
        assert_eq!(totals(&with, ""), [3_000, 300, 490, 509, 3_190]);
        assert_eq!(lines(&with, ""), [[300, 2_269, 431, 2_700]]);
        assert_eq!(coupons(&with), [("TENTH".to_owned(), 300, vec![])]);
        assert_eq!((with.at("/ready"), with.at("/version")), (&json!(true), &json!(2)));
        assert_eq!(with.json, cart.get().json);
        assert_eq!(apply(&cart, "TENTH").ok().at("/coupons"), with.at("/coupons"), "entered twice it is there once");
        let more = json!({ "lines": [{ "lineId": with.at("/lines/0/id"), "quantity": 3 }] });
        assert_eq!(totals(&cart.client.patch(&cart.path("/lines"), more).ok(), "")[1], 450);
        let without = take_out(&cart, "Tenth").ok();
        assert_eq!((without.at("/coupons"), totals(&without, "")[1]), (&json!([]), 0));
        shop.check();
    }

    fn a_discount_is_spread_over_the_lines_to_the_cent(shop) {
        let store = Store::with(shop, &json!({ "pricesIncludeTax": false }), &[("VAT", "20")]);
        store.sell(&[("A", 4_300, 10), ("B", 1_400, 10), ("C", 2_300, 10), ("X", 2_000, 10), ("Y", 2_000, 10), ("Z", 2_000, 10), ("DEAR", 155_880, 10)]);
        let off = |code: &str, input: Value, goods: &[(&str, i64)]| {
            let mut all = json!({ "code": code, "currency": "EUR" });
            for (field, value) in input.as_object().unwrap() {
                all[field] = value.clone();
            }
            coupon(shop, all);
            let cart = store.cart(goods);
            let with = apply(&cart, code).ok();
            let shares: Vec<i64> = lines(&with, "").iter().map(|line| line[0]).collect();
            assert_eq!(shares.iter().sum::<i64>(), totals(&with, "")[1]);
            cart.checkout("approve").created();
            assert_eq!(lines(&cart.place().ok(), "/order")[..goods.len()], lines(&with, ""));
            (shares, with)
        };
        let abc = [("A", 1), ("B", 1), ("C", 1)];
        let xyz = [("X", 1), ("Y", 1), ("Z", 1)];
        assert_eq!(off("SPREAD", json!({ "amount": 299 }), &abc).0, [161, 52, 86]);
        assert_eq!(off("EVEN", json!({ "amount": 1_000 }), &xyz).0, [334, 333, 333]);
        assert_eq!(off("CAPPED", json!({ "basisPoints": 2_000, "maxAmount": 1_000 }), &xyz).0, [334, 333, 333]);
        assert_eq!(off("UNCAPPED", json!({ "basisPoints": 2_000, "maxAmount": 1_201 }), &xyz).0, [400, 400, 400]);
        let (shares, with) = off("DEARER", json!({ "basisPoints": 1_000 }), &[("DEAR", 1)]);
        assert_eq!(shares, [15_588]);
        // 1402.92 and 20 %; the delivery 4.90 and 20 %.
        assert_eq!(lines(&with, ""), [[15_588, 140_292, 28_058, 168_350]]);
        assert_eq!(totals(&with, ""), [155_880, 15_588, 490, 28_156, 168_938]);
        // More than the goods cost is not taken off; the delivery stays.
        let (shares, with) = off("HUGE", json!({ "amount": 999_999 }), &abc);
        assert_eq!((shares, totals(&with, "")), (vec![4_300, 1_400, 2_300], [8_000, 8_000, 490, 98, 588]));
        shop.check();
    }

    fn yen_have_no_cents_to_take_off(shop) {
        let store = Store::with(shop, &json!({ "currency": "JPY" }), &[("Tax", "10")]);
        store.sell(&[("CUP", 999, 10)]);
        tenth(shop);
        let cart = store.cart(&[("CUP", 3)]);
        // 299.7 of 2997; 2697 with 10 %: 2452 and 245.
        assert_eq!(lines(&apply(&cart, "TENTH").ok(), ""), [[300, 2_452, 245, 2_697]]);
    }

    fn codes_that_do_not_apply_are_refused_each_for_its_reason(shop) {
        let store = with_mugs(shop);
        let other = shop.another_channel("other")["id"].clone();
        let used = tenth_with(shop, "USED", "usageLimit", json!(1));
        started(&store, &used).place().ok();
        let own = tenth_with(shop, "OWN", "usageLimitPerCustomer", json!(1));
        started(&store, &own).place().ok();
        tenth_with(shop, "DISABLED", "status", json!("disabled"));
        tenth_with(shop, "LATER", "startsAt", json!("2099-01-01T00:00:00Z"));
        tenth_with(shop, "ENDED", "endsAt", json!("2020-01-01T00:00:00Z"));
        tenth_with(shop, "ELSEWHERE", "channelIds", json!([other]));
        tenth_with(shop, "DOLLARS", "currency", json!("USD"));
        tenth_with(shop, "MORE", "minimum", json!(MUG + 1));
        tenth_with(shop, "ENOUGH", "minimum", json!(MUG));
        let cart = store.cart(&[("MUG", 1)]);
        let version = cart.get().at("/version").clone();
        shop.unchanged(|| {
            for (code, said) in [
                ("UNKNOWN", "unknown_code"), ("", "unknown_code"), ("DISABLED", "coupon_disabled"), ("LATER", "coupon_not_started"),
                ("ENDED", "coupon_ended"), ("ELSEWHERE", "coupon_other_channel"), ("DOLLARS", "coupon_other_currency"),
                ("MORE", "coupon_below_minimum"), ("USED", "coupon_used_up"), ("OWN", "coupon_used_by_customer"), ("N\0L", "nul"),
            ] {
                apply(&cart, code).refused(422, "VALIDATION_FAILED").about("/code", said);
            }
            take_out(&cart, "USED").refused(422, "VALIDATION_FAILED").about("/code", "not_in_cart");
            take_out(&cart, "UNKNOWN").refused(422, "VALIDATION_FAILED").about("/code", "not_in_cart");
        });
        assert_eq!(cart.get().at("/version"), &version);
        apply(&cart, "ENOUGH").ok();
        tenth(shop);
        apply(&cart, "TENTH").refused(422, "VALIDATION_FAILED").about("/code", "too_many");
        let stranger = Cart { id: cart.id.clone(), client: store.front.clone() };
        apply(&stranger, "ENOUGH").refused(404, "NOT_FOUND");
        cart.client.if_match("\"1\"").post(&cart.path("/coupons/remove"), json!({ "code": "ENOUGH" })).refused(412, "VERSION_CONFLICT");
        shop.check();
    }

    fn a_coupon_that_applies_no_more_stands_in_the_way_of_the_checkout(shop) {
        let store = with_mugs(shop);
        let soon = shop.clock.now().plus(Duration::from_hours(1)).to_string();
        let lapse = |code: &str, field: &str, value: Value, what: &dyn Fn(&Cart, &Coupon<'_>), said: &str| {
            let coupon = tenth_with(shop, code, field, value);
            let cart = store.cart(&[("MUG", 2)]);
            apply(&cart, code).ok();
            what(&cart, &coupon);
            let seen = cart.get();
            assert_eq!(coupons(&seen), [(code.to_owned(), 0, vec![said.to_owned()])]);
            assert_eq!((totals(&seen, "")[1], seen.at("/ready")), (0, &json!(false)));
            shop.unchanged(|| cart.checkout("approve").refused(409, "CART_NOT_READY").about("/coupons/0", said));
            assert_eq!(take_out(&cart, code).ok().at("/ready"), &json!(true));
            cart.checkout("approve").created();
            assert_eq!(cart.place().ok().at("/order/coupons"), &json!([]));
        };
        lapse("STOPPED", "status", json!("active"), &|_, coupon| { coupon.change(json!({ "status": "disabled" })).ok(); }, "coupon_disabled");
        lapse("LESS", "minimum", json!(2 * MUG), &|cart, _| {
            let one = json!({ "lines": [{ "lineId": cart.get().at("/lines/0/id"), "quantity": 1 }] });
            cart.client.patch(&cart.path("/lines"), one).ok();
        }, "coupon_below_minimum");
        lapse("ONCE", "usageLimit", json!(1), &|_, coupon| { started(&store, coupon).place().ok(); }, "coupon_used_up");
        lapse("EACH", "usageLimitPerCustomer", json!(1), &|_, coupon| { started(&store, coupon).place().ok(); }, "coupon_used_by_customer");
        lapse("ENDS", "endsAt", json!(soon), &|_, _| shop.wait(Duration::from_hours(1)), "coupon_ended");
        shop.check();
    }

    fn an_order_says_which_coupon_took_off_how_much(shop) {
        let store = with_mugs(shop);
        let coupon = tenth(shop);
        let cart = store.cart(&[("MUG", 2)]);
        let with = apply(&cart, "tenth").ok();
        assert_eq!(cart.checkout("approve").created().at("/total/amount"), 3_190);
        assert_eq!(coupon.used(), 0, "a checkout uses nothing up");
        let placed = cart.place().ok();
        assert_eq!(totals(&placed, "/order"), totals(&with, ""));
        assert_eq!(lines(&placed, "/order"), [[300, 2_269, 431, 2_700], [0, 412, 78, 490]]);
        let took = json!([{ "couponId": coupon.id, "code": "TENTH", "discount": { "amount": 300, "currency": "EUR" } }]);
        assert_eq!(placed.at("/order/coupons"), &took);
        assert_eq!(cart.place().ok().json, placed.json);
        assert_eq!(coupon.used(), 1, "placed again it is used once");
        let mut seen = shop.staff().get(&format!("/orders/{}", placed.text("/order/id"))).ok();
        assert_eq!(std::mem::take(&mut seen.json["privateMetadata"]), json!({}));
        assert_eq!(&seen.json, placed.at("/order"));
        assert_eq!(shop.staff().get("/orders").ok().at("/items/0/coupons"), &took);
        shop.check();
    }

    fn what_takes_nothing_off_is_not_used(shop) {
        let store = with_mugs(shop);
        store.sell(&[("PIN", 1, 10)]);
        let coupon = tenth(shop);
        let cart = store.cart(&[("PIN", 1)]);
        assert_eq!(coupons(&apply(&cart, "TENTH").ok()), [("TENTH".to_owned(), 0, vec![])]);
        cart.checkout("approve").created();
        assert_eq!(cart.place().ok().at("/order/coupons"), &json!([]));
        assert_eq!(coupon.used(), 0);
        shop.check();
    }

    fn an_order_may_cost_nothing_at_all(shop) {
        let store = with_mugs(shop);
        store.upsert(&[json!({
            "handle": "song", "title": "A song", "channels": [store.handle],
            "variants": [{ "sku": "SONG", "requiresShipping": false, "stockPolicy": "untracked", "prices": [{ "channel": store.handle, "amount": 99 }] }],
        })]);
        let gift = coupon(shop, json!({ "code": "GIFT", "basisPoints": 10_000 }));
        for payment in [json!({ "provider": "manual" }), json!({ "provider": "test", "token": "approve" })] {
            let cart = store.cart_of(&json!({ "lines": store.lines(&[("SONG", 1)]), "email": "ada@example.com" }));
            assert_eq!(totals(&apply(&cart, "GIFT").ok(), ""), [99, 99, 0, 0, 0]);
            cart.pay_by(&payment).created();
            let placed = cart.place().ok();
            assert_eq!(totals(&placed, "/order"), [99, 99, 0, 0, 0]);
            cancel(shop, placed.text("/order/id"), json!({})).ok();
        }
        assert_eq!(gift.used(), 0);
        shop.check();
    }

    fn who_comes_too_late_is_refused_before_any_money_moves(shop) {
        let store = with_mugs(shop);
        for provider in ["test", "test_remote"] {
            let coupon = tenth_with(shop, provider, "usageLimit", json!(1));
            let carts = [1, 2].map(|_| {
                let cart = store.cart(&[("MUG", 1)]);
                apply(&cart, provider).ok();
                cart.pay_by(&json!({ "provider": provider, "token": "approve" })).created();
                cart
            });
            carts[0].place().ok();
            for _ in 0..2 {
                shop.unchanged(|| carts[1].place().refused(409, "COUPON_USED_UP").about("/coupons/0", "coupon_used_up"));
            }
            let checkout = carts[1].client.get(&carts[1].path("/checkout")).ok();
            assert_eq!((checkout.text("/status"), checkout.text("/payment/status")), ("open", "pending"));
            assert_eq!(coupons(&carts[1].get())[0].2, ["coupon_used_up"]);
            take_out(&carts[1], provider).ok();
            carts[1].checkout("approve").created();
            assert_eq!(totals(&carts[1].place().ok(), "/order")[1], 0);
            assert_eq!(coupon.used(), 1);
        }
        shop.check();
    }

    fn money_that_waits_far_away_is_let_go_when_the_coupon_is_used_up(shop) {
        let store = with_mugs(shop);
        let coupon = tenth_with(shop, "LAST", "usageLimit", json!(1));
        let slow = store.cart(&[("MUG", 1)]);
        apply(&slow, "LAST").ok();
        slow.pay_by(&json!({ "provider": "test_remote", "token": "timeout" })).created();
        let fast = started(&store, &coupon);
        assert_eq!(slow.place().ok().text("/outcome"), "processing");
        fast.place().ok();
        for _ in 0..2 {
            shop.wait(Duration::from_mins(3));
            shop.work();
        }
        let checkout = slow.client.get(&slow.path("/checkout")).ok();
        assert_eq!((checkout.text("/status"), checkout.text("/payment/status")), ("expired", "cancelled"));
        assert_eq!((coupon.used(), store.stock("MUG")), (1, (100, 0, 1)));
        shop.check();
    }

    fn a_checkout_that_was_started_keeps_what_was_taken_off(shop) {
        let store = with_mugs(shop);
        let soon = shop.clock.now().plus(Duration::from_mins(10)).to_string();
        let coupon = tenth_with(shop, "FROZEN", "endsAt", json!(soon));
        let cart = started(&store, &coupon);
        coupon.change(json!({ "status": "disabled", "basisPoints": 500 })).ok();
        shop.wait(Duration::from_mins(12));
        let placed = cart.place().ok();
        assert_eq!((totals(&placed, "/order")[1], coupon.used()), (150, 1));
        shop.check();
    }

    fn a_customer_is_an_e_mail_address_in_any_case(shop) {
        let store = with_mugs(shop);
        let coupon = tenth_with(shop, "MINE", "usageLimitPerCustomer", json!(2));
        let cart_of = |email: Value| {
            let mut input = store.ready(&[("MUG", 1)]);
            input["email"] = email;
            store.cart_of(&input)
        };
        let order = |email: &str| {
            let cart = cart_of(json!(email));
            apply(&cart, "MINE").ok();
            cart.checkout("approve").created();
            cart
        };
        order("ada@example.com").place().ok();
        let (second, third) = (order("ADA@example.com"), order("Ada@Example.com"));
        second.place().ok();
        third.place().refused(409, "COUPON_USED_UP").about("/coupons/0", "coupon_used_by_customer");
        order("bob@example.com").place().ok();
        assert_eq!(coupon.used(), 3);
        // Whose cart it is may be known later only.
        let late = cart_of(Value::Null);
        apply(&late, "MINE").ok();
        let known = late.client.patch(&late.path(""), json!({ "email": "ada@EXAMPLE.com" })).ok();
        assert_eq!(coupons(&known), [("MINE".to_owned(), 0, vec!["coupon_used_by_customer".to_owned()])]);
        // A limit that comes later counts what was before.
        coupon.change(json!({ "usageLimit": 2 })).refused(422, "VALIDATION_FAILED").about("/usageLimit", "less_than_used");
        coupon.change(json!({ "usageLimit": 3 })).ok();
        apply(&cart_of(json!("eve@example.com")), "MINE").refused(422, "VALIDATION_FAILED").about("/code", "coupon_used_up");
        shop.check();
    }

    fn an_order_that_is_called_off_whole_gives_its_use_back(shop) {
        let store = with_mugs(shop);
        let coupon = coupon(shop, json!({ "code": "ONE", "amount": 100, "currency": "EUR", "usageLimit": 1, "usageLimitPerCustomer": 1 }));
        let placed = started(&store, &coupon).place().ok();
        let again = store.cart(&[("MUG", 7)]);
        apply(&again, "ONE").refused(422, "VALIDATION_FAILED").about("/code", "coupon_used_up");
        let cancelled = cancel(shop, placed.text("/order/id"), json!({})).ok();
        assert_eq!(cancelled.at("/coupons"), placed.at("/order/coupons"), "what was taken off stays written");
        assert_eq!(coupon.used(), 0);
        shop.check();

        // Unit by unit: the money to the cent, the use with the last of them.
        apply(&again, "ONE").ok();
        again.checkout("approve").created();
        let placed = again.place().ok();
        assert_eq!(totals(&placed, "/order"), [10_500, 100, 490, 1_739, 10_890]);
        let (order, line) = (placed.text("/order/id"), placed.at("/order/lines/0/id"));
        let mut gone = Vec::new();
        for unit in 1..=7 {
            assert_eq!(coupon.used(), 1);
            let seen = cancel(shop, order, json!({ "lines": [{ "lineId": line, "quantity": 1 }] })).ok();
            gone.push(amount(&seen, "/totals/cancelled"));
            assert_eq!(seen.text("/status"), if unit == 7 { "cancelled" } else { "open" });
            shop.check();
        }
        // 104.00 in sevenths, and the delivery with the last.
        assert_eq!(gone, [1_486, 2_971, 4_457, 5_943, 7_429, 8_914, 10_890]);
        assert_eq!(coupon.used(), 0);
        started(&store, &coupon).place().ok();
        shop.check();
    }

    fn who_guesses_codes_is_slowed_down(shop) {
        let store = with_mugs(shop);
        tenth(shop);
        let cart = store.cart(&[("MUG", 1)]);
        for _ in 0..10 {
            apply(&cart, "GUESS").refused(422, "VALIDATION_FAILED").about("/code", "unknown_code");
        }
        let slow = apply(&cart, "TENTH").refused(429, "TOO_MANY_ATTEMPTS");
        assert_eq!(slow.header("retry-after"), "900");
        // Other shoppers do not wait, nor do other kinds of codes, nor who may see all coupons.
        apply(&store.cart(&[("MUG", 1)]), "TENTH").ok();
        store.front.post("/gift-cards/balance", json!({ "code": "GUESS" })).refused(404, "NOT_FOUND");
        let staff = Cart { id: cart.id.clone(), client: shop.staff() };
        for _ in 0..51 {
            apply(&staff, "GUESS").refused(422, "VALIDATION_FAILED");
        }
        apply(&staff, "TENTH").ok();
        take_out(&cart, "TENTH").ok();
        apply(&cart, "TENTH").refused(429, "TOO_MANY_ATTEMPTS");
        shop.wait(Duration::from_mins(16));
        apply(&cart, "TENTH").ok();
        shop.check();
    }

    fn nobody_switches_codes_off_for_others(shop) {
        let store = with_mugs(shop);
        tenth(shop);
        // Three carts of one shopper are all wrong ten times; another shopper's code is taken, a moment later.
        for _ in 0..3 {
            let cart = store.cart(&[("MUG", 1)]);
            for _ in 0..10 {
                apply(&cart, "GUESS").refused(422, "VALIDATION_FAILED");
            }
            apply(&cart, "TENTH").refused(429, "TOO_MANY_ATTEMPTS");
        }
        let before = std::time::Instant::now();
        apply(&store.cart(&[("MUG", 1)]), "TENTH").ok();
        let waited = before.elapsed();
        assert!(waited > Duration::from_millis(300) && waited < Duration::from_secs(5), "{waited:?}");
    }

    fn the_doctor_notices_uses_that_no_order_has(shop) {
        let store = with_mugs(shop);
        let coupon = tenth(shop);
        started(&store, &coupon).place().ok();
        shop.check();
        for (wrong, right, name) in [
            ("UPDATE coupons SET used = 2", "UPDATE coupons SET used = 1", "a coupon's uses are its orders"),
            ("UPDATE coupon_customers SET used = 0", "UPDATE coupon_customers SET used = 1", "a coupon's uses are its orders"),
            ("UPDATE coupon_redemptions SET amount = 151", "UPDATE coupon_redemptions SET amount = 150", "what coupons take off is in the order"),
        ] {
            shop.alter().batch(wrong).unwrap();
            assert!(shop.sound().unwrap_err().starts_with(name), "{wrong}");
            shop.alter().batch(right).unwrap();
        }
        shop.check();
    }

    fn the_same_by_graphql(shop) {
        let store = with_mugs(shop);
        let staff = shop.staff();
        let create = "mutation { createCoupon(input: { code: \"tenth\", basisPoints: 1000, usageLimit: 1 }) { id code kind used version } }";
        let made = staff.graphql(create, json!({})).ok();
        let coupon = made.data("createCoupon");
        assert_eq!((&coupon["code"], &coupon["kind"]), (&json!("TENTH"), &json!("percentage")));
        let cart = store.cart(&[("MUG", 2)]);
        let apply = "mutation ($cart: ID!, $code: String!) { applyCoupon(input: { cartId: $cart, code: $code }) {
            coupons { code discount { amount } problems { code } } totals { discount { amount } total { amount } } } }";
        let with = cart.client.graphql(apply, json!({ "cart": cart.id, "code": "Tenth" })).ok();
        assert_eq!(with.data("applyCoupon"), &json!({
            "coupons": [{ "code": "TENTH", "discount": { "amount": 300 }, "problems": [] }],
            "totals": { "discount": { "amount": 300 }, "total": { "amount": 3_190 } },
        }));
        cart.client.graphql(apply, json!({ "cart": cart.id, "code": "none" })).denied("VALIDATION_FAILED").about("/code", "unknown_code");
        let late = store.cart(&[("MUG", 1)]);
        late.client.graphql(apply, json!({ "cart": late.id, "code": "tenth" })).ok();
        cart.checkout("approve").created();
        late.checkout("approve").created();
        let place = "mutation ($cart: ID!) { placeOrder(input: { cartId: $cart }) { order {
            coupons { couponId code discount { amount currency } } totals { discount { amount } } lines { discount { amount } } } } }";
        let placed = cart.client.once().graphql(place, json!({ "cart": cart.id })).ok();
        assert_eq!(placed.data("placeOrder")["order"], json!({
            "coupons": [{ "couponId": coupon["id"], "code": "TENTH", "discount": { "amount": 300, "currency": "EUR" } }],
            "totals": { "discount": { "amount": 300 } },
            "lines": [{ "discount": { "amount": 300 } }, { "discount": { "amount": 0 } }],
        }));
        late.client.once().graphql(place, json!({ "cart": late.id })).denied("COUPON_USED_UP").about("/coupons/0", "coupon_used_up");
        let remove = "mutation ($cart: ID!) { removeCoupon(input: { cartId: $cart, code: \"TENTH\" }) { coupons { code } ready } }";
        let without = late.client.graphql(remove, json!({ "cart": late.id })).ok();
        assert_eq!(without.data("removeCoupon"), &json!({ "coupons": [], "ready": true }));
        let update = "mutation ($id: ID!) { updateCoupon(input: { id: $id, expectedVersion: 1, usageLimit: null, status: disabled }) { usageLimit used } }";
        let changed = staff.graphql(update, json!({ "id": coupon["id"] })).ok();
        assert_eq!(changed.data("updateCoupon"), &json!({ "usageLimit": null, "used": 1 }));
        let query = "query ($id: ID!) { coupon(id: $id) { status version } coupons(first: 1, code: \"Tenth\") { nodes { id } } }";
        let seen = staff.graphql(query, json!({ "id": coupon["id"] })).ok();
        assert_eq!(seen.data("coupon"), &json!({ "status": "disabled", "version": 2 }));
        assert_eq!(seen.at("/data/coupons/nodes/0/id"), &coupon["id"]);
        shop.check();
    }

    fn a_coupon_costs_a_fixed_number_of_statements_and_none_where_there_is_none(shop) {
        let store = with_mugs(shop);
        tenth_with(shop, "FEW", "usageLimitPerCustomer", json!(9));
        let count = |code: Option<&str>| {
            let cart = store.cart(&[("MUG", 1)]);
            if let Some(code) = code {
                apply(&cart, code).ok();
            }
            let (_, seen) = shop.statements(&cart.client, |_| cart.get());
            let (_, started) = shop.statements(&cart.client, |_| cart.checkout("approve").created());
            let (placed, place) = shop.statements(&cart.client, |_| cart.place().ok());
            let path = format!("/orders/{}", placed.text("/order/id"));
            let (_, order) = shop.statements(&shop.staff(), |staff| staff.get(&path).ok());
            [seen, started, place, order]
        };
        let (none, one) = (count(None), count(Some("FEW")));
        assert_eq!((none[0], none[3]), (3, 3));
        assert_eq!([one[0] - none[0], one[1] - none[1], one[3] - none[3]], [2, 2, 1]);
        assert!(one[2] <= none[2] + 3, "{none:?} {one:?}");
    }
}
