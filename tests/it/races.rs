//! Many at once, over HTTP. What is promised holds whoever comes first, and no client is told of a deadlock.
//!
//! The first three are functions that say what went wrong, so that `broken` can show that each would notice: there the guard
//! is taken away (feature `sabotage`), together with the database's own constraint behind it, and the same function must fail.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use crate::support::{Answer, Cart, Shop, Store, concurrently};

/// Makes `n` of something with a few threads, in order.
fn many<T: Send>(n: usize, make: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let parts = concurrently(8, |thread| {
        (thread..n)
            .step_by(8)
            .map(|i| (i, make(i)))
            .collect::<Vec<_>>()
    });
    let in_order: BTreeMap<usize, T> = parts.into_iter().flatten().collect();
    in_order.into_values().collect()
}

fn expect<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: {found:?}, not {expected:?}"))
}

/// What the answers were, and how often.
fn summary<'a>(answers: impl IntoIterator<Item = &'a Answer>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts
            .entry(
                format!("{} {}", answer.status, answer.code())
                    .trim()
                    .to_owned(),
            )
            .or_default() += 1;
    }
    counts
}

fn counts(list: &[(&str, usize)]) -> BTreeMap<String, usize> {
    list.iter()
        .map(|(what, n)| ((*what).to_owned(), *n))
        .collect()
}

/// 200 shoppers want one of ten mugs each.
fn never_oversold(shop: &Shop) -> Result<(), String> {
    let store = Store::open(shop);
    store.sell(&[("MUG", 1_500, 10)]);
    let carts = many(200, |_| store.cart(&[("MUG", 1)]));
    let answers = concurrently(carts.len(), |i| {
        let held = carts[i].checkout("approve");
        if held.status == 201 {
            carts[i].place()
        } else {
            held
        }
    });
    expect(
        "the answers",
        &summary(&answers),
        &counts(&[("200", 10), ("409 INSUFFICIENT_STOCK", 190)]),
    )?;
    expect("the stock", &store.stock("MUG"), &(10, 0, 10))?;
    let left = answers
        .iter()
        .filter(|a| a.status == 409)
        .all(|a| a.at("/errors/0/available") == 0);
    expect("every refusal says that none is left", &left, &true)?;
    shop.sound()
}

/// Every cart is submitted 16 times at once, half of the carts with one key and half with a key each time.
fn one_order_a_cart(shop: &Shop) -> Result<(), String> {
    let store = Store::open(shop);
    store.sell(&[("MUG", 1_500, 1_000)]);
    let carts = many(6, |_| store.checkout(&[("MUG", 2)], "approve"));
    for (i, cart) in carts.iter().enumerate() {
        let answers = concurrently(16, |_| {
            let client = if i % 2 == 0 {
                cart.client.keyed("the-same")
            } else {
                cart.client.once()
            };
            client.post(&cart.path("/place-order"), json!({}))
        });
        expect("the answers", &summary(&answers), &counts(&[("200", 16)]))?;
        let named: BTreeSet<&str> = answers.iter().map(|a| a.text("/order/id")).collect();
        expect("orders of one cart", &named.len(), &1)?;
    }
    expect("orders", &shop.count("orders"), &6)?;
    expect("the stock", &store.stock("MUG"), &(1_000, 0, 12))?;
    shop.sound()
}

/// Fifty want 30 % of one payment back: three get it.
fn never_refunded_twice(shop: &Shop, provider: &str) -> Result<(), String> {
    let store = Store::open(shop);
    store.sell(&[("MUG", 9_510, 10)]);
    let cart = store.cart(&[("MUG", 1)]);
    cart.pay_by(&json!({ "provider": provider, "token": "approve" }))
        .created();
    let payment = cart.place().ok().text("/order/payments/0/id").to_owned();
    let ask = |what: &str, body| {
        let path = format!("/payments/{payment}/{what}");
        shop.staff().once().post(&path, body)
    };
    ask("capture", json!({})).ok();
    let answers = concurrently(50, |_| ask("refund", json!({ "amount": 3_000 })));
    expect(
        "the answers",
        &summary(&answers),
        &counts(&[("200", 3), ("422 VALIDATION_FAILED", 47)]),
    )?;
    shop.sound()
}

/// Twenty carts of 10.00 want to be paid with one gift card of 10.00: one is.
fn never_spent_twice(shop: &Shop) -> Result<(), String> {
    let store = Store::open(shop);
    store.sell(&[("MUG", 510, 100)]);
    let input = json!({ "amount": 1_000, "currency": "EUR" });
    let gift = shop.staff().post("/gift-cards", input).created();
    let carts = many(20, |_| {
        let cart = store.cart(&[("MUG", 1)]);
        let pay = json!({ "giftCards": [gift.text("/code")] });
        cart.client
            .once()
            .post(&cart.path("/checkout"), pay)
            .created();
        cart
    });
    let answers = concurrently(carts.len(), |i| carts[i].place());
    expect(
        "the answers",
        &summary(&answers),
        &counts(&[("200", 1), ("409 INSUFFICIENT_CREDIT", 19)]),
    )?;
    let path = format!("/gift-cards/{}", gift.text("/giftCard/id"));
    let left = shop.staff().get(&path).ok().at("/balance/amount").clone();
    expect("the balance", &left, &json!(0))?;
    expect("the stock", &store.stock("MUG"), &(100, 19, 1))?;
    shop.sound()
}

/// Twenty carts of one customer want to use a coupon that so many orders may use: so many do, and who comes too late pays
/// nothing.
fn never_used_too_often(
    shop: &Shop,
    limit: &str,
    orders: usize,
    provider: &str,
) -> Result<(), String> {
    let store = Store::open(shop);
    store.sell(&[("MUG", 1_500, 100)]);
    let mut input = json!({ "code": "RARE", "basisPoints": 1_000 });
    input[limit] = json!(orders);
    let coupon = shop.staff().post("/coupons", input).created();
    let carts = many(20, |i| {
        let mut input = store.ready(&[("MUG", 1)]);
        input["email"] = json!(["ada@example.com", "Ada@Example.com"][i % 2]);
        let cart = store.cart_of(&input);
        let code = json!({ "code": "rare" });
        cart.client.post(&cart.path("/coupons"), code).ok();
        cart.pay_by(&json!({ "provider": provider, "token": "approve" }))
            .created();
        cart
    });
    let answers = concurrently(carts.len(), |i| carts[i].place());
    expect(
        "the answers",
        &summary(&answers),
        &counts(&[("200", orders), ("409 COUPON_USED_UP", 20 - orders)]),
    )?;
    let path = format!("/coupons/{}", coupon.text("/id"));
    let used = shop.staff().get(&path).ok().at("/used").clone();
    expect("the uses", &used, &json!(orders))?;
    // The checkouts of those who come too late run out, and what a provider holds for them is let go.
    shop.wait(Duration::from_mins(20));
    shop.work();
    let taken = i64::try_from(orders).unwrap();
    expect("the stock", &store.stock("MUG"), &(100, 0, taken))?;
    for (cart, answer) in carts.iter().zip(&answers) {
        let checkout = cart.client.get(&cart.path("/checkout")).ok();
        let payment = checkout.text("/payment/status");
        let fits = match answer.status {
            200 => payment == "authorized",
            _ => ["expired", "cancelled"].contains(&payment),
        };
        expect(payment, &fits, &true)?;
    }
    shop.sound()
}

/// Orders are placed at once; every fourth fails after its number was taken, every fifth is declined before.
fn numbers_have_no_gaps(shop: &Shop) -> Result<(), String> {
    let store = Store::open(shop);
    store.sell(&[("MUG", 1_500, 1_000)]);
    let mut conn = shop.alter();
    let doomed = if conn.is_postgres() {
        "CREATE FUNCTION doomed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'doomed'; END $$;
         CREATE TRIGGER doomed AFTER INSERT ON orders FOR EACH ROW WHEN (NEW.reference = 'doomed') EXECUTE FUNCTION doomed()"
    } else {
        "CREATE TRIGGER doomed AFTER INSERT ON orders WHEN NEW.reference = 'doomed'
         BEGIN SELECT RAISE(ABORT, 'doomed'); END"
    };
    conn.batch(doomed).unwrap();
    let carts = many(60, |i| {
        let mut input = store.ready(&[("MUG", 1)]);
        input["reference"] = json!(if i % 4 == 0 { "doomed" } else { "blessed" });
        let cart = store.cart_of(&input);
        cart.checkout(if i % 5 == 0 { "decline" } else { "approve" })
            .created();
        cart
    });
    let answers = concurrently(carts.len(), |i| carts[i].place());
    let (placed, failed): (Vec<&Answer>, Vec<&Answer>) =
        answers.iter().partition(|a| a.status == 200);
    expect("placed, and not", &(placed.len(), failed.len()), &(36, 24))?;
    let mut numbers: Vec<i64> = placed
        .iter()
        .map(|a| a.text("/order/number").parse().unwrap())
        .collect();
    numbers.sort_unstable();
    expect("the numbers", &numbers, &(1..=36).collect())?;
    shop.sound()
}

both! {
    fn fifty_want_thirty_percent_back_and_three_get_it(shop) {
        never_refunded_twice(shop, "test").unwrap();
    }

    fn fifty_want_thirty_percent_back_from_far_away_and_three_get_it(shop) {
        never_refunded_twice(shop, "test_remote").unwrap();
    }

    fn twenty_carts_want_one_gift_card_and_one_gets_it(shop) {
        never_spent_twice(shop).unwrap();
    }

    fn twenty_carts_want_a_coupon_for_five_and_five_get_it(shop) {
        never_used_too_often(shop, "usageLimit", 5, "test").unwrap();
    }

    fn twenty_carts_want_a_coupon_for_five_and_who_pays_far_away_for_nothing_gets_it_back(shop) {
        never_used_too_often(shop, "usageLimit", 5, "test_remote").unwrap();
    }

    fn twenty_carts_of_a_customer_want_a_coupon_for_two_each_and_two_get_it(shop) {
        never_used_too_often(shop, "usageLimitPerCustomer", 2, "test").unwrap();
    }

    fn the_first_counts_of_a_level_add_up(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let location = shop.staff().post("/locations", json!({ "handle": "lyon", "name": "Lyon", "country": "FR" })).created();
        let change = json!([{ "variantId": store.variant("MUG"), "locationId": location.text("/id"), "delta": 5, "reason": "received" }]);
        let answers = concurrently(20, |_| shop.staff().once().post("/stock-levels/adjust", json!({ "changes": change })));
        assert_eq!(summary(&answers), counts(&[("200", 20)]));
        let levels = shop.staff().get(&format!("/stock-levels?locationId={}", location.text("/id"))).ok();
        assert_eq!(levels.at("/items/0/onHand"), 100);
        shop.check();
    }

    fn categories_that_are_moved_at_once_stand_in_no_circle(shop) {
        let staff = shop.staff();
        let ids: Vec<String> = (0..8).map(|i| shop.category(&format!("c{i}"), None)).collect();
        let answers = concurrently(ids.len(), |i| {
            let parent = &ids[(i + 1) % ids.len()];
            loop {
                let moved = staff.patch(&format!("/categories/{}", ids[i]), json!({ "parentId": parent }));
                if moved.status != 412 {
                    return moved;
                }
            }
        });
        let refused: Vec<_> = answers.iter().filter(|a| a.status != 200).collect();
        assert_eq!(refused.len(), 1, "{}", summary(&answers).keys().cloned().collect::<String>());
        assert!(["cycle", "too_deep"].contains(&refused[0].fields()[0].1.as_str()), "{}", refused[0]);
    }

    fn an_archived_product_stays_so_beside_imports_of_its_price(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let id = store.product("MUG")["id"].as_str().unwrap().to_owned();
        concurrently(9, |i| if i == 4 {
            while shop.staff().post(&format!("/products/{id}/archive"), json!({})).status == 412 {}
        } else {
            let row = json!({ "handle": "mug", "title": format!("Mug {i}"), "variants": [] });
            shop.staff().post("/products/bulk-upsert", json!({ "products": [row] })).ok();
        });
        assert_eq!(shop.staff().get(&format!("/products/{id}")).ok().at("/status"), "archived");
        shop.check();
    }

    fn two_hundred_shoppers_want_ten_mugs_and_ten_get_one(shop) {
        never_oversold(shop).unwrap();
    }

    fn a_cart_that_is_submitted_many_times_is_one_order(shop) {
        one_order_a_cart(shop).unwrap();
    }

    fn numbers_have_neither_gaps_nor_doubles_whatever_fails_in_between(shop) {
        numbers_have_no_gaps(shop).unwrap();
    }

    fn carts_that_name_the_same_goods_in_opposite_order_do_not_get_stuck(shop) {
        let store = Store::open(shop);
        store.sell(&[("A", 100, 1_000), ("B", 100, 1_000), ("C", 100, 1_000)]);
        let carts = many(32, |i| {
            let lines = if i % 2 == 0 { [("A", 1), ("B", 1), ("C", 1)] } else { [("C", 1), ("B", 1), ("A", 1)] };
            store.cart(&lines)
        });
        let answers = concurrently(carts.len(), |i| [carts[i].checkout("approve"), carts[i].place()]);
        let all = summary(answers.iter().flatten());
        assert_eq!(all, counts(&[("200", 32), ("201", 32)]));
        let staff = shop.staff();
        let cancelled = concurrently(carts.len(), |i| {
            staff.once().post(&format!("/orders/{}/cancel", answers[i][1].text("/order/id")), json!({}))
        });
        assert_eq!(summary(&cancelled), counts(&[("200", 32)]));
        assert_eq!((store.stock("A"), store.stock("B"), store.stock("C")), ((1_000, 0, 0), (1_000, 0, 0), (1_000, 0, 0)));
        shop.check();
    }

    fn units_that_many_call_off_at_once_are_given_back_once(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let order = store.order(&[("MUG", 3)]);
        let path = format!("/orders/{}/cancel", order["id"].as_str().unwrap());
        let staff = shop.staff();
        let two = json!({ "lines": [{ "lineId": order["lines"][0]["id"], "quantity": 2 }] });
        let answers = concurrently(8, |_| staff.once().post(&path, two.clone()));
        assert_eq!(summary(&answers), counts(&[("200", 1), ("422 VALIDATION_FAILED", 7)]));
        assert_eq!(store.stock("MUG"), (10, 0, 1));
        let answers = concurrently(8, |_| staff.once().post(&path, json!({})));
        assert_eq!(summary(&answers), counts(&[("200", 1), ("409 INVALID_STATE", 7)]));
        assert_eq!(store.stock("MUG"), (10, 0, 0));
        let seen = staff.get(&format!("/orders/{}", order["id"].as_str().unwrap())).ok();
        assert_eq!(seen.at("/totals/cancelled"), seen.at("/totals/total"));
        shop.check();
    }

    fn a_checkout_is_placed_or_runs_out_and_never_both(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 1_000)]);
        let mut seen = BTreeMap::<String, usize>::new();
        for head_start in [0, 5, 20, 200] {
            let carts: Vec<Cart> = many(12, |_| store.checkout(&[("MUG", 1)], "approve"));
            shop.wait(Duration::from_secs(14 * 60 + 59));
            let answers = concurrently(13, |i| {
                if let Some(cart) = carts.get(i) {
                    return Some(cart.place());
                }
                std::thread::sleep(Duration::from_millis(head_start));
                shop.wait(Duration::from_mins(2));
                shop.work();
                None
            });
            for (cart, answer) in carts.iter().zip(answers.iter().flatten()) {
                let status = cart.checkout_status();
                let expected = if status == "ordered" { "200" } else { "409 CHECKOUT_EXPIRED" };
                assert_eq!(format!("{} {}", answer.status, answer.code()).trim(), expected, "{status}: {answer}");
                *seen.entry(status).or_default() += 1;
            }
            shop.work();
            shop.check();
        }
        let ordered = i64::try_from(seen.get("ordered").copied().unwrap_or_default()).unwrap();
        assert_eq!(seen.len(), 2, "otherwise it was no race: {seen:?}");
        assert_eq!(store.stock("MUG"), (1_000, 0, ordered));
    }

    fn one_key_at_once_from_everywhere_moves_stock_once(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let change = json!({ "variantId": store.variant("MUG"), "locationId": store.location, "delta": 5, "reason": "received" });
        let staff = shop.staff().keyed("delivery-4711");
        let answers = concurrently(8, |_| staff.post("/stock-levels/adjust", json!({ "changes": [change] })).ok());
        assert!(answers.iter().all(|a| a.json == answers[0].json));
        assert_eq!(store.stock("MUG"), (15, 0, 0));
        shop.check();
    }
}

/// Each guard taken away, and the race that notices.
#[cfg(feature = "sabotage")]
mod broken {
    use super::*;
    use crate::support::shop::block_on;
    use diesel::sql_types::Text;
    use mercer::sabotage::Guard;

    /// Takes a guard away. What the database itself would forbid is allowed beforehand.
    fn without(shop: &Shop, guard: Guard) {
        match guard {
            Guard::Stock | Guard::StockLock => allow(shop, "stock_levels", "never_oversold"),
            Guard::Credit => allow(shop, "credit_accounts", "credit_never_negative"),
            Guard::Coupon => allow(shop, "coupons", "coupon_within_limit"),
            Guard::Once => order_twice(shop),
            Guard::Numbers
            | Guard::Money
            | Guard::Keys
            | Guard::Release
            | Guard::CreditLimit
            | Guard::CreditLimitLock
            | Guard::CleanConnections
            | Guard::OneServer => {}
        }
        shop.app().sabotage.remove(guard);
    }

    /// Allows what a table's constraint forbids.
    fn allow(shop: &Shop, table: &str, constraint: &str) {
        if shop.connect().is_postgres() {
            shop.alter()
                .batch(&format!("ALTER TABLE {table} DROP CONSTRAINT {constraint}"))
                .unwrap();
            return;
        }
        // A setting of the connection: of the one that writes.
        let system = shop.app().system();
        block_on(system.write(|tx| Ok(tx.conn.batch("PRAGMA ignore_check_constraints = ON")?)))
            .unwrap();
    }

    fn order_twice(shop: &Shop) {
        let mut conn = shop.alter();
        if conn.is_postgres() {
            let text = "ALTER TABLE orders DROP CONSTRAINT orders_cart_id_key, DROP CONSTRAINT orders_checkout_id_key";
            return conn.batch(text).unwrap();
        }
        // SQLite cannot drop a constraint; the table is empty, so it is made anew without it.
        let text = "SELECT sql FROM sqlite_schema WHERE name = 'orders'";
        let table = conn.rows::<Text, String>(text, vec![]).unwrap().remove(0);
        let table = table.replace("cart_id BLOB NOT NULL UNIQUE", "cart_id BLOB NOT NULL");
        let table = table.replace(
            "checkout_id BLOB NOT NULL UNIQUE",
            "checkout_id BLOB NOT NULL",
        );
        conn.batch(&format!(
            "PRAGMA foreign_keys = OFF; BEGIN; DROP TABLE orders; {table}; COMMIT"
        ))
        .unwrap();
    }

    fn noticed(result: Result<(), String>, what: &str) {
        let said = result.expect_err("what is broken must be noticed");
        assert!(said.contains(what), "{said}");
    }

    both! {
        fn without_the_guard_of_the_stock_more_is_sold(shop) {
            without(shop, Guard::Stock);
            noticed(never_oversold(shop), r#"the answers: {"200": 200}"#);
        }

        fn without_the_guard_of_the_money_more_goes_back_than_came(shop) {
            without(shop, Guard::Money);
            noticed(never_refunded_twice(shop, "test"), r#""200": "#);
        }

        fn without_the_guard_of_the_credit_a_card_is_spent_twice(shop) {
            without(shop, Guard::Credit);
            noticed(never_spent_twice(shop), r#"the answers: {"200": 20}"#);
        }

        fn without_the_guard_of_the_coupon_it_is_used_too_often(shop) {
            without(shop, Guard::Coupon);
            noticed(never_used_too_often(shop, "usageLimit", 5, "test"), r#"the answers: {"200": 20}"#);
        }

        fn without_the_guard_of_the_coupon_a_customer_uses_it_too_often(shop) {
            without(shop, Guard::Coupon);
            noticed(never_used_too_often(shop, "usageLimitPerCustomer", 2, "test"), r#"the answers: {"200": 20}"#);
        }

        fn without_the_one_way_door_a_cart_is_two_orders(shop) {
            without(shop, Guard::Once);
            noticed(one_order_a_cart(shop), "orders of one cart: 16, not 1");
        }

        fn with_numbers_that_do_not_come_back_there_are_gaps(shop) {
            without(shop, Guard::Numbers);
            noticed(numbers_have_no_gaps(shop), "the numbers: ");
        }
    }

    /// Only PostgreSQL has writers side by side, so only there a lock can be missed.
    #[test]
    fn without_the_lock_of_the_level_more_is_sold() {
        crate::support::shop::on_postgres(|shop| {
            without(shop, Guard::StockLock);
            noticed(never_oversold(shop), "the answers: ");
        });
    }
}
