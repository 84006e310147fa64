//! Gift cards and store credit: issued once, spent once, given back where they came from.

#![expect(clippy::similar_names, reason = "a card pays for a cart")]

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Cart, Client, Shop, Store};

const MUG: i64 = 1_500;
const TOTAL: i64 = MUG + 490;

fn with_mugs(shop: &Shop) -> Store<'_> {
    let store = Store::open(shop);
    store.sell(&[("MUG", MUG, 100)]);
    store
}

/// A gift card and its code.
struct Card<'a> {
    shop: &'a Shop,
    id: String,
    code: String,
}

fn card(shop: &Shop, amount: i64) -> Card<'_> {
    card_of(shop, json!({ "amount": amount, "currency": "EUR" }))
}

fn card_of(shop: &Shop, input: Value) -> Card<'_> {
    let made = shop.staff().post("/gift-cards", input).created();
    Card {
        shop,
        id: made.text("/giftCard/id").to_owned(),
        code: made.text("/code").to_owned(),
    }
}

impl Card<'_> {
    fn get(&self) -> Answer {
        let path = format!("/gift-cards/{}", self.id);
        self.shop.staff().get(&path).ok()
    }

    fn balance(&self) -> i64 {
        self.get().at("/balance/amount").as_i64().unwrap()
    }

    fn change(&self, what: &str, body: Value) -> Answer {
        let path = format!("/gift-cards/{}/{what}", self.id);
        self.shop.staff().once().post(&path, body)
    }

    /// Kinds and amounts of its entries, oldest first.
    fn entries(&self) -> Vec<(String, i64)> {
        entries(self.shop, &self.id)
    }
}

fn entries(shop: &Shop, account: &str) -> Vec<(String, i64)> {
    let path = format!("/credit-accounts/{account}/entries?limit=100");
    let seen = shop.staff().get(&path).ok();
    let list = seen.at("/items").as_array().unwrap();
    let entry = |e: &Value| {
        (
            e["kind"].as_str().unwrap().to_owned(),
            e["amount"]["amount"].as_i64().unwrap(),
        )
    };
    list.iter().rev().map(entry).collect()
}

fn entry(kind: &str, amount: i64) -> (String, i64) {
    (kind.to_owned(), amount)
}

/// Starts a checkout with cards, and a payment for the rest.
fn start(cart: &Cart, codes: &[&str], payment: Option<&Value>) -> Answer {
    let body = json!({ "giftCards": codes, "payment": payment });
    cart.client.once().post(&cart.path("/checkout"), body)
}

fn test_payment(token: &str) -> Value {
    json!({ "provider": "test", "token": token })
}

fn remote_payment(token: &str) -> Value {
    json!({ "provider": "test_remote", "token": token })
}

/// Provider, status, captured and refunded of each payment of an order.
fn payments(shop: &Shop, order: &str) -> Vec<(String, String, i64, i64)> {
    let seen = shop.staff().get(&format!("/orders/{order}")).ok();
    let list = seen.at("/payments").as_array().unwrap();
    let payment = |p: &Value| {
        let text = |field: &str| p[field].as_str().unwrap().to_owned();
        let amount = |field: &str| p[field]["amount"].as_i64().unwrap();
        (
            text("provider"),
            text("status"),
            amount("captured"),
            amount("refunded"),
        )
    };
    list.iter().map(payment).collect()
}

fn paid(provider: &str, status: &str, captured: i64, refunded: i64) -> (String, String, i64, i64) {
    (provider.to_owned(), status.to_owned(), captured, refunded)
}

fn balance_of(front: &Client, code: &str) -> Answer {
    front.post("/gift-cards/balance", json!({ "code": code }))
}

both! {
    fn a_card_s_code_is_shown_once(shop) {
        let input = json!({ "amount": 5_000, "currency": "EUR", "email": "Ada@Example.com", "note": "birthday" });
        let made = shop.staff().post("/gift-cards", input).created();
        let code = made.text("/code");
        assert_eq!(code.len(), 19, "{code}");
        assert_eq!(made.text("/giftCard/last4"), &code[15..]);
        assert_eq!(made.text("/giftCard/email"), "ada@example.com");
        let id = made.text("/giftCard/id");
        let seen = shop.staff().get(&format!("/gift-cards/{id}")).ok();
        assert_eq!(&seen.json, made.at("/giftCard"));
        let bare = code.replace('-', "");
        for query in ["", &format!("?last4={}", &code[15..]), "?email=ADA@example.com", "?status=active"] {
            let list = shop.staff().get(&format!("/gift-cards{query}")).ok();
            assert_eq!(list.text("/items/0/id"), id);
            let text = list.json.to_string();
            assert!(!text.contains(code) && !text.contains(&bare));
        }
        for query in ["?last4=XXXX", "?email=bob@example.com", "?status=disabled"] {
            let list = shop.staff().get(&format!("/gift-cards{query}")).ok();
            assert_eq!(list.at("/items"), &json!([]));
        }
        assert_eq!(entries(shop, id), [entry("issue", 5_000)]);
        shop.check();
    }

    fn cards_are_issued_in_bulk(shop) {
        let input = json!({ "count": 1_000, "amount": 1_000, "currency": "EUR" });
        let (made, statements) = shop.statements(&shop.staff(), |staff| staff.post("/gift-cards/bulk-issue", input).created());
        assert!(statements <= 3, "{statements}");
        let cards = made.at("/cards").as_array().unwrap();
        let codes: std::collections::BTreeSet<_> = cards.iter().map(|c| c["code"].as_str().unwrap()).collect();
        assert_eq!(codes.len(), 1_000);
        let last = codes.last().unwrap();
        assert_eq!(balance_of(&shop.storefront(), last).ok().at("/balance/amount"), 1_000);
        shop.unchanged(|| {
            for count in [0, -1, 1_001] {
                let input = json!({ "count": count, "amount": 1_000, "currency": "EUR" });
                shop.staff().post("/gift-cards/bulk-issue", input).refused(422, "VALIDATION_FAILED").about("/count", "out_of_range");
            }
        });
        shop.check();
    }

    fn what_cannot_be_issued_is_refused(shop) {
        let fine = json!({ "amount": 100, "currency": "EUR" });
        let with = |field: &str, value: Value| { let mut input = fine.clone(); input[field] = value; input };
        let partner = shop.partner(&["credits:read"]);
        shop.unchanged(|| {
            for (input, pointer, code) in [
                (with("amount", json!(0)), "/amount", "out_of_range"),
                (with("amount", json!(-1)), "/amount", "out_of_range"),
                (with("amount", json!(i64::MAX)), "/amount", "out_of_range"),
                (with("email", json!("nobody")), "/email", "invalid_email"),
                (with("expiresAt", json!("2020-01-01T00:00:00Z")), "/expiresAt", "past"),
                (with("note", json!(" ")), "/note", "blank"),
            ] {
                shop.staff().post("/gift-cards", input).refused(422, "VALIDATION_FAILED").about(pointer, code);
            }
            shop.staff().post("/gift-cards", with("currency", json!("XXQ"))).refused(400, "INVALID_INPUT");
            shop.staff().post("/gift-cards", with("amount", json!(1.5))).refused(400, "INVALID_INPUT");
            shop.storefront().post("/gift-cards", fine.clone()).refused(403, "FORBIDDEN");
            partner.post("/gift-cards", fine.clone()).refused(403, "FORBIDDEN");
        });
    }

    fn a_card_is_found_by_its_code_however_it_is_typed(shop) {
        let card = card(shop, 700);
        let front = shop.storefront();
        let bare = card.code.replace('-', " ").to_lowercase().replace('0', "o").replace('1', "l");
        for code in [card.code.as_str(), &bare] {
            let funds = balance_of(&front, code).ok();
            assert_eq!(funds.at("/balance"), &json!({ "amount": 700, "currency": "EUR" }));
            assert_eq!(funds.text("/standing"), "usable");
        }
        card.change("disable", json!({})).ok();
        assert_eq!(balance_of(&front, &card.code).ok().text("/standing"), "disabled");
    }

    fn who_guesses_is_slowed_down(shop) {
        let card = card(shop, 700);
        let front = shop.storefront();
        let wrong = "0000-0000-0000-0000";
        let mut said = std::collections::BTreeSet::new();
        for code in [wrong, "", "made up", "UUUU-UUUU-UUUU-UUUU", &card.code[..18], "é", wrong, wrong, wrong] {
            said.insert(balance_of(&front, code).refused(404, "NOT_FOUND").detail().to_owned());
        }
        assert_eq!(said.len(), 1, "{said:?}");
        balance_of(&front, &card.code).ok();
        let store = with_mugs(shop);
        balance_of(&front, wrong).refused(404, "NOT_FOUND");
        let slow = balance_of(&front, &card.code).refused(429, "TOO_MANY_ATTEMPTS");
        assert_eq!(slow.header("retry-after"), "900");
        // Who has a cart is not held up, and codes at the checkout are guesses too.
        let cart = store.cart(&[("MUG", 1)]);
        let all = [wrong; 5];
        for _ in 0..2 {
            start(&cart, &all, None).refused(422, "VALIDATION_FAILED").about("/giftCards/4", "unknown_code");
        }
        start(&cart, &[&card.code], None).refused(429, "TOO_MANY_ATTEMPTS");
        let other = store.cart(&[("MUG", 1)]);
        start(&other, &[&card.code], Some(&test_payment("approve"))).created();
        balance_of(&shop.staff(), wrong).refused(404, "NOT_FOUND");
        shop.wait(Duration::from_mins(16));
        balance_of(&front, &card.code).ok();
        shop.check();
    }

    fn an_address_that_guesses_is_told_from_others_behind_a_trusted_proxy(shop) {
        let card = card(shop, 700);
        let behind = shop.peer(&[("trusted_proxies", "127.0.0.0/8, 10.0.0.0/8")]);
        let from = |address: &str| behind.client(&shop.storefront()).with("x-forwarded-for", address);
        for n in 0..10 {
            // What the client itself says stands to the left, and the addresses of a /64 are one client's.
            let from = from(&format!("198.51.100.{n}, 2001:db8:7:7::{n}, 10.0.0.1"));
            balance_of(&from, "wrong").refused(404, "NOT_FOUND");
        }
        balance_of(&from("2001:db8:7:7:8::1"), &card.code).refused(429, "TOO_MANY_ATTEMPTS");
        balance_of(&from("2001:db8:7:8::1"), &card.code).ok();
        balance_of(&from("198.51.100.1"), &card.code).ok();
        // Without a trusted proxy the header is anybody's.
        for n in 0..10 {
            let front = shop.storefront().with("x-forwarded-for", format!("198.51.100.{n}"));
            balance_of(&front, "wrong").refused(404, "NOT_FOUND");
        }
        let front = shop.storefront().with("x-forwarded-for", "198.51.100.77");
        balance_of(&front, &card.code).refused(429, "TOO_MANY_ATTEMPTS");
        let asked = "mutation ($code: String!) { giftCardBalance(input: { code: $code }) { last4 } }";
        front.graphql(asked, json!({ "code": card.code })).denied("TOO_MANY_ATTEMPTS");
    }

    fn a_card_pays_a_whole_order(shop) {
        let store = with_mugs(shop);
        let card = card(shop, 5_000);
        let cart = store.cart(&[("MUG", 1)]);
        let checkout = start(&cart, &[&card.code], None).created();
        assert_eq!(checkout.at("/payment"), &Value::Null);
        assert_eq!(checkout.at("/credits/0/amount/amount"), TOTAL);
        assert_eq!(checkout.text("/credits/0/reference"), card.id);
        assert_eq!(card.balance(), 5_000, "it is not taken before the order");
        let placed = cart.place().ok();
        assert_eq!(placed.text("/outcome"), "placed");
        assert_eq!(placed.text("/order/paymentStatus"), "paid");
        assert_eq!(card.balance(), 5_000 - TOTAL);
        assert_eq!(card.entries(), [entry("issue", 5_000), entry("redeem", -TOTAL)]);
        let order = placed.text("/order/id");
        assert_eq!(payments(shop, order), [paid("gift_card", "captured", TOTAL, 0)]);
        let again = cart.place().ok();
        assert_eq!(again.json, placed.json);
        assert_eq!(card.balance(), 5_000 - TOTAL, "placed again it is not paid again");
        assert_eq!(cart.client.get(&cart.path("/checkout")).ok().text("/credits/0/status"), "captured");
        let accounts = shop.staff().get("/ledger/balances").ok();
        assert_eq!(accounts.at("/accounts/1/account"), "gift_card");
        assert_eq!(accounts.at("/accounts/1/balance"), TOTAL);
        shop.check();
    }

    fn cards_and_a_provider_share_a_payment(shop) {
        let store = with_mugs(shop);
        for payment in [test_payment("approve"), remote_payment("approve"), json!({ "provider": "manual" })] {
            let (first, second, third) = (card(shop, 300), card(shop, 200), card(shop, 5_000));
            let cart = store.cart(&[("MUG", 1)]);
            let checkout = start(&cart, &[&second.code, &first.code], Some(&payment)).created();
            assert_eq!(checkout.at("/payment/amount/amount"), TOTAL - 500);
            assert_eq!([checkout.at("/credits/0/amount/amount"), checkout.at("/credits/1/amount/amount")], [200, 300]);
            let placed = cart.place().ok();
            assert_eq!((first.balance(), second.balance()), (0, 0));
            let all = payments(shop, placed.text("/order/id"));
            assert_eq!(all[1..], [paid("gift_card", "captured", 200, 0), paid("gift_card", "captured", 300, 0)]);
            assert_eq!(placed.text("/order/paymentStatus"), "partially_paid");
            // What comes after all is paid has nothing to do.
            let cart = store.cart(&[("MUG", 1)]);
            let checkout = start(&cart, &[&third.code, &card(shop, 100).code], Some(&payment)).created();
            assert_eq!(checkout.at("/credits").as_array().unwrap().len(), 1);
            assert_eq!(checkout.at("/payment"), &Value::Null);
        }
        let cart = store.cart(&[("MUG", 1)]);
        let little = card(shop, 100);
        shop.unchanged(|| start(&cart, &[&little.code], None)).refused(422, "VALIDATION_FAILED").about("/payment", "required");
        shop.check();
    }

    fn a_rest_that_is_declined_leaves_the_card_alone(shop) {
        let store = with_mugs(shop);
        let card = card(shop, 300);
        for payment in [test_payment("decline"), remote_payment("decline")] {
            let cart = store.cart(&[("MUG", 1)]);
            start(&cart, &[&card.code], Some(&payment)).created();
            cart.place().refused(402, "PAYMENT_DECLINED");
            assert_eq!(card.balance(), 300);
            start(&cart, &[&card.code], Some(&test_payment("approve"))).created();
        }
        assert_eq!(card.entries(), [entry("issue", 300)]);
        shop.check();
    }

    fn a_card_that_has_less_by_then_refuses_the_order(shop) {
        let store = with_mugs(shop);
        for payment in [test_payment("approve"), remote_payment("approve")] {
            let (card, other) = (card(shop, 300), card(shop, 300));
            let cart = store.cart(&[("MUG", 1)]);
            start(&cart, &[&other.code, &card.code], Some(&payment)).created();
            card.change("adjust", json!({ "amount": -1, "reason": "spent at the till" })).ok();
            cart.place().refused(409, "INSUFFICIENT_CREDIT").about("/giftCards/1", "insufficient_credit");
            assert_eq!((card.balance(), other.balance()), (299, 300));
            start(&cart, &[&other.code, &card.code], Some(&payment)).created();
            cart.place().ok();
            assert_eq!((card.balance(), other.balance()), (0, 0));
        }
        shop.check();
    }

    fn money_that_waits_far_away_is_let_go_when_the_card_is_short(shop) {
        let store = with_mugs(shop);
        let card = card(shop, 300);
        let cart = store.cart(&[("MUG", 1)]);
        start(&cart, &[&card.code], Some(&remote_payment("timeout"))).created();
        assert_eq!(cart.place().ok().text("/outcome"), "processing");
        card.change("disable", json!({})).ok();
        shop.wait(Duration::from_mins(3));
        shop.work();
        shop.wait(Duration::from_mins(3));
        shop.work();
        let checkout = cart.client.get(&cart.path("/checkout")).ok();
        assert_eq!((checkout.text("/status"), checkout.text("/payment/status")), ("expired", "cancelled"));
        assert_eq!((card.balance(), store.stock("MUG")), (300, (100, 0, 0)));
        assert_eq!(shop.staff().get("/orders").ok().at("/items"), &json!([]));
        shop.check();
    }

    fn cards_that_cannot_pay_are_refused_each_for_its_reason(shop) {
        let store = with_mugs(shop);
        let soon = shop.clock.now().plus(Duration::from_hours(1)).to_string();
        let expired = card_of(shop, json!({ "amount": 100, "currency": "EUR", "expiresAt": soon }));
        let (disabled, empty, good) = (card(shop, 100), card(shop, 100), card(shop, 100));
        let foreign = card_of(shop, json!({ "amount": 100, "currency": "USD" }));
        disabled.change("disable", json!({})).ok();
        empty.change("adjust", json!({ "amount": -100, "reason": "spent" })).ok();
        shop.wait(Duration::from_hours(1));
        assert_eq!(balance_of(&store.front, &expired.code).ok().text("/standing"), "expired");
        assert_eq!(balance_of(&store.front, &empty.code).ok().text("/standing"), "empty");
        let cart = store.cart(&[("MUG", 1)]);
        shop.unchanged(|| {
            let refuse = |codes: &[&str]| start(&cart, codes, Some(&test_payment("approve"))).refused(422, "VALIDATION_FAILED");
            let said = refuse(&[&expired.code, &disabled.code, &empty.code, &foreign.code, "0000"]);
            let fields = said.fields();
            let told: Vec<(&str, &str)> = fields.iter().map(|(at, code)| (at.as_str(), code.as_str())).collect();
            assert_eq!(told, [
                ("/giftCards/0", "expired"), ("/giftCards/1", "disabled"), ("/giftCards/2", "empty"),
                ("/giftCards/3", "currency"), ("/giftCards/4", "unknown_code"),
            ]);
            refuse(&[&good.code, &good.code]).about("/giftCards/1", "duplicate");
            refuse(&[good.code.as_str(); 6]).about("/giftCards", "wrong_count");
            let by_name = start(&cart, &[], Some(&json!({ "provider": "gift_card" })));
            by_name.refused(422, "VALIDATION_FAILED").about("/payment/provider", "unknown_provider");
        });
        shop.check();
    }

    fn a_refund_goes_back_to_the_card(shop) {
        let store = with_mugs(shop);
        let card = card(shop, 1_000);
        let cart = store.cart(&[("MUG", 1)]);
        start(&cart, &[&card.code], Some(&test_payment("approve"))).created();
        let placed = cart.place().ok();
        let payment = placed.text("/order/payments/1/id");
        let ask = |what: &str, body: Value| shop.staff().once().post(&format!("/payments/{payment}/{what}"), body);
        let said = ask("refund", json!({ "amount": 400, "reason": "scratched" })).ok();
        assert_eq!(said.at("/payment/refunded/amount"), 400);
        assert_eq!(card.balance(), 400);
        card.change("disable", json!({})).ok();
        let said = ask("refund", json!({ "amount": 100 })).ok();
        let told = said.at("/events").as_array().unwrap().iter().any(|e| e["data"]["account_standing"] == "disabled");
        assert!(told, "{said}");
        assert_eq!(card.get().text("/status"), "disabled");
        shop.unchanged(|| {
            ask("refund", json!({ "amount": 501 })).refused(422, "VALIDATION_FAILED").about("/amount", "out_of_range");
            ask("capture", json!({})).refused(409, "INVALID_STATE");
            ask("void", json!({})).refused(409, "INVALID_STATE");
        });
        ask("refund", json!({})).ok();
        ask("refund", json!({})).refused(409, "INVALID_STATE");
        assert_eq!(card.balance(), 1_000);
        assert_eq!(card.entries()[2..], [entry("give_back", 400), entry("give_back", 100), entry("give_back", 500)]);
        shop.check();
    }

    fn a_cancelled_order_gives_back_to_cards_first(shop) {
        let store = with_mugs(shop);
        for payment in [test_payment("approve"), remote_payment("approve")] {
            let (first, second) = (card(shop, 300), card(shop, 400));
            let cart = store.cart(&[("MUG", 2)]);
            start(&cart, &[&first.code, &second.code], Some(&payment)).created();
            let placed = cart.place().ok();
            let order = placed.text("/order/id");
            let line = placed.at("/order/lines/0/id");
            let staff = shop.staff();
            let part = json!({ "lines": [{ "lineId": line, "quantity": 1 }] });
            staff.once().post(&format!("/orders/{order}/cancel"), part).ok();
            assert_eq!((first.balance(), second.balance()), (300, 400));
            let all = payments(shop, order);
            assert_eq!(all[1..], [paid("gift_card", "refunded", 300, 300), paid("gift_card", "refunded", 400, 400)]);
            staff.once().post(&format!("/orders/{order}/cancel"), json!({})).ok();
            shop.wait(Duration::from_mins(1));
            shop.work();
            assert_eq!(payments(shop, order)[0].1, "cancelled");
            assert_eq!((first.balance(), second.balance()), (300, 400));
        }
        shop.check();
    }

    fn gift_cards_come_first_though_the_rest_was_reserved_anew(shop) {
        let store = with_mugs(shop);
        let card = card(shop, 300);
        let cart = store.cart(&[("MUG", 2)]);
        start(&cart, &[&card.code], Some(&test_payment("approve"))).created();
        let placed = cart.place().ok();
        let saved = shop.staff().post("/saved-payment-methods", json!({ "provider": "test", "email": "ada@example.com" })).created();
        shop.move_money(&placed, "reauthorize", json!({ "savedPaymentMethodId": saved.at("/methods/0/id") })).ok();
        let order = placed.text("/order/id");
        let rest = placed.at("/order/payments/0/outstanding/amount").as_i64().unwrap();
        let part = json!({ "lines": [{ "lineId": placed.at("/order/lines/0/id"), "quantity": 1 }] });
        let suggested = shop.staff().post(&format!("/orders/{order}/suggest-refund"), part.clone()).ok();
        assert_eq!(suggested.text("/payments/0/provider"), "gift_card");
        let called_off = shop.staff().once().post(&format!("/orders/{order}/cancel"), part).ok();
        assert_eq!(card.balance(), 300);
        let left = called_off.at("/payments/2/outstanding/amount").as_i64().unwrap();
        assert!(left < rest && left > 0, "{called_off}");
        // What went back to the gift card is not taken off what is reserved once more.
        let now = called_off.text("/payments/2/id");
        let again = shop.staff().once().post(&format!("/payments/{now}/reauthorize"), json!({})).ok();
        assert_eq!(again.at("/payment/outstanding/amount"), left);
        let link = shop.staff().once().post(&format!("/orders/{order}/payment-links"), json!({}));
        link.refused(409, "INVALID_STATE");
        shop.check();
    }

    fn a_card_expires_and_what_comes_back_later_stays(shop) {
        let store = with_mugs(shop);
        let soon = shop.clock.now().plus(Duration::from_hours(1)).to_string();
        let card = card_of(shop, json!({ "amount": 1_000, "currency": "EUR", "expiresAt": soon }));
        let spent = card_of(shop, json!({ "amount": 300, "currency": "EUR", "expiresAt": soon }));
        let eternal = self::card(shop, 500);
        let cart = store.cart(&[("MUG", 1)]);
        start(&cart, &[&spent.code], Some(&test_payment("approve"))).created();
        let order = cart.place().ok().text("/order/id").to_owned();
        shop.work();
        assert_eq!(card.balance(), 1_000);
        for _ in 0..3 {
            shop.wait(Duration::from_hours(25));
            shop.work();
        }
        assert_eq!((card.balance(), spent.balance(), eternal.balance()), (0, 0, 500));
        assert_eq!(card.entries(), [entry("issue", 1_000), entry("expire", -1_000)]);
        shop.staff().once().post(&format!("/orders/{order}/cancel"), json!({})).ok();
        shop.wait(Duration::from_hours(25));
        shop.work();
        assert_eq!(spent.entries(), [entry("issue", 300), entry("redeem", -300), entry("give_back", 300)]);
        // Somebody decides that it may be spent again, for a while.
        let later = shop.clock.now().plus(Duration::from_hours(1)).to_string();
        spent.change("enable", json!({ "expiresAt": later })).ok();
        assert_eq!(balance_of(&store.front, &spent.code).ok().text("/standing"), "usable");
        shop.wait(Duration::from_hours(49));
        shop.work();
        assert_eq!((spent.balance(), spent.entries().len()), (0, 4));
        shop.check();
    }

    fn a_card_is_changed_by_hand_and_never_below_nothing(shop) {
        let card = card(shop, 500);
        let more = card.change("adjust", json!({ "amount": 250, "reason": "goodwill" })).ok();
        assert_eq!(more.at("/balance/amount"), 750);
        shop.unchanged(|| {
            for amount in [-751, 0, i64::MIN, i64::MAX] {
                card.change("adjust", json!({ "amount": amount, "reason": "x" })).refused(422, "VALIDATION_FAILED").about("/amount", "out_of_range");
            }
            card.change("adjust", json!({ "amount": 1, "reason": " " })).refused(422, "VALIDATION_FAILED").about("/reason", "blank");
            card.change("adjust", json!({ "amount": 1 })).refused(400, "INVALID_INPUT");
            let stale = shop.staff().if_match("\"1\"").post(&format!("/gift-cards/{}/disable", card.id), json!({}));
            stale.refused(412, "VERSION_CONFLICT");
        });
        assert_eq!(card.get().text("/status"), "active");
        card.change("adjust", json!({ "amount": -750, "reason": "taken back" })).ok();
        card.change("disable", json!({})).ok();
        assert_eq!(card.change("enable", json!({})).ok().text("/status"), "active");
        shop.check();
    }

    fn store_credit_pays_where_staff_say_so(shop) {
        let store = with_mugs(shop);
        let staff = shop.staff();
        let adjust = |amount: i64| {
            let body = json!({ "email": "ADA@example.com", "currency": "EUR", "amount": amount, "reason": "goodwill" });
            staff.once().post("/store-credit/adjust", body)
        };
        shop.unchanged(|| { adjust(-1).refused(422, "VALIDATION_FAILED").about("/amount", "out_of_range"); });
        adjust(500).ok();
        let made = adjust(100).ok();
        let seen = || shop.staff().get("/store-credit?email=Ada@example.com&currency=EUR").ok();
        assert_eq!(seen().json, made.json);
        assert_eq!(seen().at("/balance/amount"), 600);
        shop.staff().get("/store-credit?email=ada@example.com&currency=USD").refused(404, "NOT_FOUND");

        let cart = store.cart(&[("MUG", 1)]);
        let body = |amount: i64| json!({ "storeCredit": amount, "payment": { "provider": "test" } });
        let path = cart.path("/checkout");
        let partner = shop.partner(&["carts:write"]);
        shop.unchanged(|| {
            cart.client.once().post(&path, body(100)).refused(403, "FORBIDDEN").about("/storeCredit", "missing_scope");
            partner.once().post(&path, body(100)).refused(403, "FORBIDDEN");
            for amount in [0, -1, 601] {
                staff.once().post(&path, body(amount)).refused(422, "VALIDATION_FAILED").about("/storeCredit", "out_of_range");
            }
        });
        let card = card(shop, 90);
        let both = json!({ "giftCards": [card.code], "storeCredit": 400, "payment": { "provider": "test" } });
        let checkout = staff.once().post(&path, both).created();
        assert_eq!(checkout.at("/payment/amount/amount"), MUG);
        let placed = cart.place().ok();
        let order = placed.text("/order/id");
        assert_eq!(payments(shop, order)[1..], [paid("gift_card", "captured", 90, 0), paid("store_credit", "captured", 400, 0)]);
        assert_eq!(seen().at("/balance/amount"), 200);
        staff.once().post(&format!("/orders/{order}/cancel"), json!({})).ok();
        assert_eq!((seen().at("/balance/amount").as_i64(), card.balance()), (Some(600), 90));
        assert_eq!(entries(shop, made.text("/id")).len(), 4);

        let cart = store.cart_of(&{ let mut input = store.ready(&[("MUG", 1)]); input["email"] = json!("bob@example.com"); input });
        staff.once().post(&cart.path("/checkout"), body(1)).refused(422, "VALIDATION_FAILED").about("/storeCredit", "empty");
        shop.check();
    }

    fn the_same_by_graphql(shop) {
        let store = with_mugs(shop);
        let staff = shop.staff();
        let issue = "mutation { issueGiftCard(input: { amount: 5000, currency: \"EUR\" }) { code giftCard { id last4 status balance { amount } } } }";
        let made = staff.graphql(issue, json!({})).ok();
        let code = made.data("issueGiftCard")["code"].clone();
        let balance = "mutation ($code: String!) { giftCardBalance(input: { code: $code }) { standing balance { amount currency } } }";
        let seen = store.front.graphql(balance, json!({ "code": code })).ok();
        assert_eq!(seen.data("giftCardBalance"), &json!({ "standing": "usable", "balance": { "amount": 5000, "currency": "EUR" } }));
        store.front.graphql(balance, json!({ "code": "0000" })).denied("NOT_FOUND");
        let cart = store.cart(&[("MUG", 1)]);
        let start = "mutation ($cart: String!, $codes: [String!]) { startCheckout(input: { cartId: $cart, giftCards: $codes }) {
            payment { id } credits { provider amount { amount } } } }";
        let id_type = start.replace("$cart: String!", "$cart: ID!");
        let input = json!({ "cart": cart.id, "codes": [code] });
        let started = cart.client.once().graphql(&id_type, input).ok();
        assert_eq!(started.data("startCheckout"), &json!({ "payment": null, "credits": [{ "provider": "gift_card", "amount": { "amount": TOTAL } }] }));
        cart.place().ok();
        let id = made.data("issueGiftCard")["giftCard"]["id"].clone();
        let query = "query ($id: ID!) { giftCard(id: $id) { balance { amount } }
            creditEntries(accountId: $id) { nodes { kind amount { amount } paymentId } }
            giftCards(first: 1, status: active) { nodes { id } } }";
        let all = staff.graphql(query, json!({ "id": id })).ok();
        assert_eq!(all.data("giftCard")["balance"]["amount"], 5_000 - TOTAL);
        assert_eq!(all.at("/data/creditEntries/nodes/0/kind"), "redeem");
        shop.check();
    }

    fn a_card_costs_a_fixed_number_of_statements(shop) {
        let store = with_mugs(shop);
        let count = |codes: &[&str]| {
            let cart = store.cart(&[("MUG", 1)]);
            let (_, started) = shop.statements(&cart.client, |_| start(&cart, codes, Some(&test_payment("approve"))).created());
            let (_, placed) = shop.statements(&cart.client, |_| cart.place().ok());
            (started, placed)
        };
        let cards: Vec<_> = (0..6).map(|_| card(shop, 10)).collect();
        let none = count(&[]);
        let one = count(&[&cards[0].code]);
        let five = count(&cards[1..].iter().map(|c| c.code.as_str()).collect::<Vec<_>>());
        assert_eq!(one, five);
        assert!(one.0 <= none.0 + 1 && one.1 <= none.1 + 4, "{none:?} {one:?}");
    }
}
