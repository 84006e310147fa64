//! Orders that are looked into: assessed after they were placed, held, approved, declined; and whom the shop does not sell to.

use serde_json::{Value, json};

use crate::support::{Answer, Cart, Shop, Store};

const MUG: i64 = 1_500;
const TOTAL: i64 = MUG + 490;

/// The shop's own channel with these settings, and mugs.
fn store<'a>(shop: &'a Shop, settings: &Value) -> Store<'a> {
    let store = Store::open(shop);
    store.sell(&[("MUG", MUG, 100)]);
    let path = format!("/channels/{}", store.channel);
    shop.staff().patch(&path, settings.clone()).ok();
    store
}

fn watched(shop: &Shop) -> Store<'_> {
    store(shop, &json!({ "riskChecks": true }))
}

/// An order of one mug by this shopper with this token; its id and its payment's.
fn order(store: &Store<'_>, change: &Value, provider: &str, token: &str) -> (Cart, String, String) {
    let mut input = store.ready(&[("MUG", 1)]);
    for (field, value) in change.as_object().unwrap() {
        input[field] = value.clone();
    }
    let cart = store.cart_of(&input);
    cart.pay_by(&json!({ "provider": provider, "token": token }))
        .created();
    let placed = cart.place().ok();
    let (order, payment) = (
        placed.text("/order/id").to_owned(),
        placed.text("/order/payments/0/id").to_owned(),
    );
    store.shop.work();
    (cart, order, payment)
}

fn assessment(shop: &Shop, order: &str) -> Answer {
    shop.staff()
        .get(&format!("/orders/{order}/risk-assessment"))
}

/// Level, score and the codes of the facts.
fn verdict(shop: &Shop, order: &str) -> (String, i64, Vec<String>) {
    let seen = assessment(shop, order).ok();
    let facts = seen.at("/facts").as_array().unwrap().iter();
    let codes = facts
        .map(|f| f["code"].as_str().unwrap().to_owned())
        .collect();
    (
        seen.text("/level").to_owned(),
        seen.at("/score").as_i64().unwrap(),
        codes,
    )
}

fn seen(shop: &Shop, order: &str) -> Answer {
    shop.staff().get(&format!("/orders/{order}")).ok()
}

fn tale(client: &crate::support::Client, order: &str) -> Vec<String> {
    let seen = client.get(&format!("/orders/{order}/timeline")).ok();
    let entries = seen.at("/entries").as_array().unwrap();
    entries
        .iter()
        .map(|e| e["kind"].as_str().unwrap().to_owned())
        .collect()
}

fn act(shop: &Shop, order: &str, what: &str, body: Value) -> Answer {
    shop.staff()
        .once()
        .post(&format!("/orders/{order}/{what}"), body)
}

fn block(shop: &Shop, kind: &str, value: &str) -> Answer {
    shop.staff().post(
        "/risk-blocks",
        json!({ "kind": kind, "value": value, "note": "chargeback" }),
    )
}

both! {
    fn a_channel_that_does_not_want_it_has_nothing_assessed(shop) {
        let store = store(shop, &json!({}));
        block(shop, "email", "ada@example.com").created();
        let (_, order, _) = order(&store, &json!({}), "test", "risk_highest");
        assessment(shop, &order).refused(404, "NOT_FOUND");
        assert_eq!(seen(shop, &order).at("/holds"), &json!([]));
        assert_eq!(shop.count("risk_assessments"), 0);
    }

    fn an_order_without_a_sign_goes_on(shop) {
        let store = watched(shop);
        let (_, order, payment) = order(&store, &json!({}), "test", "approve");
        assert_eq!(verdict(shop, &order), ("accept".into(), 0, vec![]));
        shop.staff().once().post(&format!("/payments/{payment}/capture"), json!({})).ok();
        act(shop, &order, "approve", json!({})).refused(409, "INVALID_STATE");
        act(shop, &order, "decline", json!({})).refused(409, "INVALID_STATE");
        shop.check();
    }

    fn a_risky_order_is_held_until_it_is_approved(shop) {
        let store = watched(shop);
        for provider in ["test", "test_remote"] {
            let (cart, order, payment) = order(&store, &json!({ "email": format!("{provider}@example.com") }), provider, "risk_elevated");
            assert_eq!(verdict(shop, &order), ("investigate".into(), 50, vec!["provider_risk".into()]));
            let capture = format!("/payments/{payment}/capture");
            shop.staff().once().post(&capture, json!({})).refused(409, "INVALID_STATE");
            assert_eq!(seen(shop, &order).text("/paymentStatus"), "authorized");

            let mine = cart.client.get(&format!("/orders/{order}")).ok();
            assert_eq!((mine.text("/holds/0/reason"), mine.at("/holds/0/placedBy")), ("risk", &Value::Null));
            assert!(!mine.to_string().contains("score"), "{mine}");
            assert_eq!(tale(&cart.client, &order), ["placed", "hold_placed"]);
            cart.client.get(&format!("/orders/{order}/risk-assessment")).refused(403, "FORBIDDEN");

            let approved = act(shop, &order, "approve", json!({ "note": "called" })).ok();
            assert_eq!((approved.text("/decision"), approved.at("/decidedBy").is_string()), ("approved", true));
            assert!(seen(shop, &order).at("/holds/0/releasedAt").is_string());
            assert_eq!(tale(&shop.staff(), &order), ["placed", "risk_assessed", "hold_placed", "risk_approved", "hold_released"]);
            act(shop, &order, "approve", json!({})).refused(409, "INVALID_STATE");
            act(shop, &order, "decline", json!({})).refused(409, "INVALID_STATE");
            shop.staff().once().post(&capture, json!({})).ok();
            assert_eq!(seen(shop, &order).text("/paymentStatus"), "paid");
        }
        shop.check();
    }

    fn an_order_that_is_declined_gives_stock_and_money_back(shop) {
        let store = watched(shop);
        for provider in ["test", "test_remote"] {
            let (cart, order, _) = order(&store, &json!({ "email": format!("{provider}@example.com") }), provider, "risk_highest");
            assert_eq!(store.stock("MUG"), (100, 0, 1));
            act(shop, &order, "decline", json!({ "note": "stolen card" })).ok();
            shop.wait(std::time::Duration::from_mins(1));
            shop.work();
            let now = seen(shop, &order);
            assert_eq!((now.text("/status"), now.text("/paymentStatus")), ("cancelled", "cancelled"));
            assert_eq!(store.stock("MUG"), (100, 0, 0));
            assert!(now.at("/holds/0/releasedAt").is_string());
            assert!(!cart.client.get(&format!("/orders/{order}/timeline")).ok().to_string().contains("stolen"));
            act(shop, &order, "approve", json!({})).refused(409, "INVALID_STATE");
        }
        shop.check();
    }

    fn many_signs_call_an_order_off(shop) {
        let store = store(shop, &json!({ "riskChecks": true, "riskInvestigateFrom": 20, "riskCancelFrom": 60 }));
        let (_, order, _) = order(&store, &json!({ "email": "x@mailinator.com" }), "test", "risk_elevated");
        assert_eq!(verdict(shop, &order), ("cancel".into(), 80, vec!["disposable_email".into(), "provider_risk".into()]));
        let now = seen(shop, &order);
        assert_eq!((now.text("/status"), now.text("/paymentStatus")), ("cancelled", "cancelled"));
        assert_eq!(tale(&shop.staff(), &order), ["placed", "risk_assessed", "cancelled"]);
        assert_eq!(store.stock("MUG"), (100, 0, 0));
        shop.check();
    }

    fn money_that_was_taken_with_the_order_is_there_and_the_hold_shows(shop) {
        let store = store(shop, &json!({ "riskChecks": true, "capture": "placement" }));
        let (_, order, _) = order(&store, &json!({}), "test_remote", "risk_elevated");
        let now = seen(shop, &order);
        assert_eq!((now.text("/paymentStatus"), now.text("/holds/0/reason")), ("paid", "risk"));
        act(shop, &order, "decline", json!({})).ok();
        shop.wait(std::time::Duration::from_mins(1));
        shop.work();
        assert_eq!(seen(shop, &order).text("/paymentStatus"), "refunded");
        shop.check();
    }

    fn orders_that_come_fast_are_counted_by_who_where_and_with_which_card(shop) {
        let store = watched(shop);
        let one = |i: usize, token: &str| {
            let address = json!({ "name": "A", "line1": format!("Street {i}"), "postcode": "10117", "city": "Berlin", "country": "DE" });
            order(&store, &json!({ "email": format!("shopper{i}@example.com"), "shippingAddress": address }), "test_remote", token).1
        };
        for i in 0..3 {
            assert_eq!(verdict(shop, &one(i, "card_1")).2, Vec::<String>::new());
        }
        assert_eq!(verdict(shop, &one(3, "card_1")).2, ["card_velocity"]);
        assert_eq!(verdict(shop, &one(4, "card_2")).2, Vec::<String>::new());
        for _ in 0..2 {
            one(4, "card_3");
        }
        assert_eq!(verdict(shop, &one(4, "card_4")).2, ["email_velocity", "address_velocity"]);
        shop.wait(std::time::Duration::from_hours(25));
        assert_eq!(verdict(shop, &one(4, "card_1")).2, Vec::<String>::new());
        shop.check();
    }

    fn an_order_is_compared_with_what_was_ordered_before(shop) {
        let store = store(shop, &json!({ "riskChecks": true, "riskFirstOrderFrom": 2 * MUG }));
        let of = |email: &str, quantity: i64| {
            let change = json!({ "email": email, "lines": store.lines(&[("MUG", quantity)]) });
            let codes = verdict(shop, &order(&store, &change, "test", "approve").1).2;
            codes.into_iter().filter(|code| code != "address_velocity").collect::<Vec<_>>()
        };
        assert_eq!(of("new@example.com", 2), ["first_order_value"]);
        assert_eq!(of("old@example.com", 1), Vec::<String>::new());
        assert_eq!(of("old@example.com", 6), Vec::<String>::new());
        assert_eq!(of("old@example.com", 30), ["unusual_value"]);
        assert_eq!(of("OLD@example.com", 1), ["email_velocity"]);
        let billing = json!({ "name": "A", "line1": "Rue 1", "postcode": "75001", "city": "Paris", "country": "FR" });
        let abroad = order(&store, &json!({ "email": "b@example.com", "billingAddress": billing }), "test", "approve").1;
        assert!(verdict(shop, &abroad).2.contains(&"country_mismatch".to_owned()));
    }

    fn what_is_on_the_block_list_is_called_off(shop) {
        let store = watched(shop);
        let (_, first, _) = order(&store, &json!({}), "test_remote", "card_stolen");
        let known = assessment(shop, &first).ok();
        let cases = [
            ("email", "Ada@Example.com"),
            ("email_domain", "EXAMPLE.com"),
            ("address", known.text("/addressHash")),
            ("card", known.text("/cardFingerprint")),
            ("country", "de"),
        ];
        for (kind, value) in cases {
            let added = block(shop, kind, value).created();
            block(shop, kind, value).refused(409, "ALREADY_EXISTS").about("/value", "taken");
            let (_, order, _) = order(&store, &json!({}), "test_remote", "card_stolen");
            let (level, _, codes) = verdict(shop, &order);
            assert_eq!((level.as_str(), codes[0].as_str()), ("cancel", "blocked"), "{kind}");
            assert_eq!(seen(shop, &order).text("/status"), "cancelled");
            let listed = shop.staff().get(&format!("/risk-blocks?kind={kind}")).ok();
            assert_eq!(listed.at("/items/0"), &added.json);
            let path = format!("/risk-blocks/{}/remove", added.text("/id"));
            shop.staff().post(&path, json!({})).ok();
            shop.staff().post(&path, json!({})).refused(404, "NOT_FOUND");
        }
        shop.wait(std::time::Duration::from_hours(25));
        let (_, last, _) = order(&store, &json!({}), "test_remote", "card_stolen");
        assert_eq!(verdict(shop, &last).0, "accept");
        shop.wait(std::time::Duration::from_mins(1));
        shop.work();
        shop.check();
    }

    fn what_cannot_be_blocked_is_refused(shop) {
        shop.unchanged(|| {
            for (kind, value) in [("email", "ada"), ("email", ""), ("email_domain", "example"), ("email_domain", "a@b.de"),
                                  ("address", "Street 1"), ("card", " "), ("card", "a b"), ("country", "Germany"), ("country", "XX")] {
                block(shop, kind, value).refused(422, "VALIDATION_FAILED").about("/value", "invalid_value");
            }
            block(shop, "name", "Ada").refused(400, "INVALID_INPUT").about("/kind", "unknown_value");
        });
        let path = format!("/channels/{}", shop.channel);
        for (field, value) in [("riskInvestigateFrom", 0), ("riskInvestigateFrom", 91), ("riskCancelFrom", 49), ("riskCancelFrom", 102), ("riskFirstOrderFrom", -1)] {
            shop.staff().patch(&path, json!({ field: value })).refused(422, "VALIDATION_FAILED");
        }
        for what in ["approve", "decline", "hold", "release"] {
            act(shop, "ord_01jq3h5s5vfkg8r4t0x2m6c9ze", what, json!({})).refused(404, "NOT_FOUND");
        }
    }

    fn the_queue_has_the_longest_waiting_first(shop) {
        let store = watched(shop);
        let risky = |i: usize| order(&store, &json!({ "email": format!("a{i}@example.com"), "shippingAddress": {
            "name": "A", "line1": format!("S {i}"), "postcode": "10117", "city": "B", "country": "DE" } }), "test", "risk_elevated").1;
        let all: Vec<String> = (0..3).map(risky).collect();
        let first = shop.staff().get("/risk-reviews?limit=2").ok();
        assert_eq!([first.text("/items/0/order/id"), first.text("/items/1/order/id")], [all[0].as_str(), &all[1]]);
        assert_eq!(first.text("/items/0/assessment/level"), "investigate");
        let next = first.text("/page/nextCursor");
        let rest = shop.staff().get(&format!("/risk-reviews?after={next}")).ok();
        assert_eq!((rest.text("/items/0/order/id"), rest.at("/items").as_array().unwrap().len()), (all[2].as_str(), 1));
        act(shop, &all[0], "approve", json!({})).ok();
        act(shop, &all[1], "cancel", json!({})).ok();
        let query = "{ riskReviews(first: 5) { nodes { order { id holds { reason } } assessment { score facts { code weight } } } } }";
        let left = shop.staff().graphql(query, json!({})).ok();
        let nodes = left.at("/data/riskReviews/nodes");
        assert_eq!(nodes, &json!([{ "order": { "id": all[2], "holds": [{ "reason": "risk" }] },
            "assessment": { "score": 50, "facts": [{ "code": "provider_risk", "weight": 50 }] } }]));
        shop.check();
    }

    fn somebody_puts_an_order_on_hold_and_releases_it(shop) {
        let store = store(shop, &json!({}));
        let (_, order, payment) = order(&store, &json!({}), "test", "approve");
        act(shop, &order, "release", json!({})).refused(409, "INVALID_STATE");
        shop.unchanged(|| act(shop, &order, "hold", json!({ "note": " " })).refused(422, "VALIDATION_FAILED").about("/note", "blank"));
        let held = act(shop, &order, "hold", json!({ "note": "ask for the colour" })).ok();
        assert_eq!((held.text("/holds/0/reason"), held.text("/holds/0/note")), ("manual", "ask for the colour"));
        act(shop, &order, "hold", json!({})).refused(409, "INVALID_STATE");
        let capture = format!("/payments/{payment}/capture");
        let refused = shop.staff().once().post(&capture, json!({})).refused(409, "INVALID_STATE");
        assert!(refused.detail().contains("on hold"), "{refused}");
        let release = "mutation($input: ReleaseOrderInput!) { releaseOrder(input: $input) { holds { releasedAt } } }";
        let released = shop.staff().graphql(release, json!({ "input": { "id": order } })).ok();
        assert!(released.at("/data/releaseOrder/holds/0/releasedAt").is_string());
        shop.staff().once().post(&capture, json!({})).ok();
        let cancelled = act(shop, &order, "cancel", json!({})).ok();
        assert_eq!(cancelled.at("/totals/cancelled/amount"), TOTAL);
        act(shop, &order, "hold", json!({})).refused(409, "INVALID_STATE");
        shop.check();
    }

    fn an_order_that_is_called_off_is_on_hold_no_more(shop) {
        let store = store(shop, &json!({}));
        let (_, order, _) = order(&store, &json!({}), "test", "approve");
        act(shop, &order, "hold", json!({})).ok();
        let cancelled = act(shop, &order, "cancel", json!({})).ok();
        assert!(cancelled.at("/holds/0/releasedAt").is_string());
        shop.check();
    }

    fn a_job_that_runs_twice_assesses_once(shop) {
        let store = watched(shop);
        let (_, order, _) = order(&store, &json!({}), "test", "risk_elevated");
        let id: mercer::kernel::ids::OrderId = order.parse().unwrap();
        let app = shop.app();
        crate::support::shop::block_on(app.system().write(move |tx| {
            tx.enqueue("orders.assess", &json!({ "orderId": id }), std::time::Duration::ZERO);
            Ok(())
        })).unwrap();
        shop.work();
        assert_eq!(tale(&shop.staff(), &order), ["placed", "risk_assessed", "hold_placed"]);
        shop.check();
    }
}
