//! A key has one effect: every mutation, at both doors, in every process, twice at once and afterwards.

use std::collections::BTreeSet;
use std::sync::Mutex;

use diesel::sql_types::Text;
use mercer::operation::Mode;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::contract::{Contract, Input};
use crate::support::shop::{Peer, kinds};
use crate::support::store::address;
use crate::support::{Answer, Shop, Store, concurrently};

/// A shop, a second process of it, and what has been tried so far.
struct World<'a> {
    shop: &'a Shop,
    peer: Peer,
    contract: Contract,
    tried: Mutex<BTreeSet<String>>,
}

impl<'a> World<'a> {
    fn new(shop: &'a Shop) -> Self {
        Self {
            shop,
            peer: shop.peer(&[]),
            contract: Contract::load(),
            tried: Mutex::default(),
        }
    }

    fn ask(&self, door: usize, client: &Client, operation: &str, input: &Value) -> (Answer, Value) {
        let meta = self.contract.operation(operation);
        let input: Input = input.as_object().unwrap().clone();
        if door == 0 {
            let answer = Contract::rest_as(client, meta, &input);
            let value = answer.json.clone();
            return (answer, value);
        }
        let schema = self.contract.rest_output(meta);
        let base = &self.contract.field(meta).ty.base;
        let selection = self.contract.selection(base, schema);
        let answer = self.contract.graphql_as(client, meta, &input, &selection);
        let value = answer.json["data"][meta.graphql_field()].clone();
        (answer, value)
    }

    /// Asks the same twice at once, by either door, then again in another process; and something else with the same key.
    #[expect(clippy::needless_pass_by_value, reason = "made where it is passed")]
    fn once(&self, operation: &str, input: Value, (field, other): (&str, Value)) -> Value {
        let key = mercer::kernel::id::fresh().to_string();
        let staff = self.shop.staff().keyed(&key);
        let kept = self.shop.count("idempotency_keys");
        let both = concurrently(2, |door| self.ask(door, &staff, operation, &input));
        let first = both[0].1.clone();
        assert!([200, 201].contains(&both[0].0.status), "{}", both[0].0);
        assert_eq!(both[1].1, first, "{operation}: {}", both[1].0);
        assert_eq!(self.shop.count("idempotency_keys"), kept + 1, "{operation}");

        let mut changed = input.clone();
        changed[field] = other;
        self.shop.unchanged(|| {
            for client in [staff.clone(), self.peer.client(&staff)] {
                for door in [0, 1] {
                    let (answer, again) = self.ask(door, &client, operation, &input);
                    assert_eq!(again, first, "{operation}: {answer}");
                    if door == 0 {
                        assert_eq!(answer.header("idempotent-replayed"), "true", "{answer}");
                    }
                    let (answer, _) = self.ask(door, &client, operation, &changed);
                    let code = "IDEMPOTENCY_KEY_REUSED";
                    assert_eq!(answer.code(), code, "{operation} {changed}: {answer}");
                }
            }
        });
        self.tried.lock().unwrap().insert(operation.to_owned());
        first
    }

    /// The id of what an operation makes.
    fn made(&self, operation: &str, input: Value, other: (&str, Value)) -> String {
        let made = self.once(operation, input, other);
        made["id"].as_str().unwrap().to_owned()
    }
}

both! {
    fn a_key_has_one_effect_whatever_is_asked(shop) {
        let w = World::new(shop);
        settings(&w);
        goods(&w);
        credit(&w);
        carts(&w);
        orders(&w);
        shop.check();
        let mutations = w.contract.operations.iter().filter(|meta| meta.mode != Mode::Query);
        let all: BTreeSet<String> = mutations.map(mercer::operation::Meta::operation_id).collect();
        let missing: Vec<_> = all.difference(&w.tried.lock().unwrap()).cloned().collect();
        assert!(missing.is_empty(), "not tried: {missing:?}");
    }

    fn an_answer_with_a_secret_is_repeated_and_kept_sealed(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let cart = store.cart(&[("MUG", 1)]);
        cart.pay_by(&json!({ "provider": "manual", "method": "bank_transfer" })).created();
        let order = cart.place().ok().text("/order/id").to_owned();
        let staff = shop.staff();
        let cases = [
            ("/gift-cards".to_owned(), json!({ "amount": 700, "currency": "EUR" }), "/code", "credit_accounts", 1),
            ("/gift-cards/bulk-issue".to_owned(), json!({ "count": 3, "amount": 700, "currency": "EUR" }), "/cards/2/code", "credit_accounts", 3),
            ("/carts".to_owned(), json!({ "channelId": store.channel }), "/token", "carts", 1),
            (format!("/orders/{order}/payment-links"), json!({}), "/token", "payment_links", 1),
            ("/api-keys".to_owned(), json!({ "kind": "secret", "name": "N", "scopes": ["orders:read"] }), "/key", "api_keys", 1),
        ];
        for (path, body, secret, table, rows) in cases {
            let before = shop.count(table);
            let key = format!("a key of a caller for {table}").replace(' ', "-");
            let asked = concurrently(8, |_| staff.keyed(&key).post(&path, body.clone()).created());
            let fresh = asked.iter().filter(|answer| answer.header("idempotent-replayed") != "true");
            assert_eq!(fresh.count(), 1, "{path}");
            let secret = asked[0].text(secret).to_owned();
            assert!(asked.iter().all(|answer| answer.json == asked[0].json), "{path}");
            assert_eq!(shop.count(table), before + rows, "{path}");
            let kept = shop.connect().rows::<(Text, Text), (String, String)>(
                "SELECT key, answer FROM idempotency_keys WHERE operation IN ('IssueGiftCard', 'IssueGiftCards', 'CreateCart', 'CreatePaymentLink', 'CreateApiKey')", vec![]).unwrap();
            for (name, answer) in kept {
                assert!(!name.contains(&key) && !answer.contains(&secret) && !answer.contains('{'), "{name} {answer}");
            }
            let other = staff.keyed("another").post(&path, body).created();
            assert_ne!(other.json, asked[0].json);
        }
    }
}

#[test]
fn a_sealed_answer_outlives_the_process() {
    for kind in kinds() {
        let shop = Shop::open(kind);
        let body = json!({ "amount": 700, "currency": "EUR" });
        let issue = |shop: &Shop| {
            shop.staff()
                .keyed("issue-1")
                .post("/gift-cards", body.clone())
        };
        let made = issue(&shop).created();
        let shop = shop.close().open();
        let again = issue(&shop).created();
        assert_eq!(again.json, made.json);
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(shop.count("credit_accounts"), 1);
    }
}

fn settings(w: &World<'_>) {
    let made = w.made(
        "createChannel",
        json!({ "handle": "two", "name": "Two", "currency": "EUR", "countries": ["DE"] }),
        ("name", json!("Three")),
    );
    w.once(
        "updateChannel",
        json!({ "id": made, "name": "Zwei" }),
        ("name", json!("Drei")),
    );
    let made = w.once(
        "createApiKey",
        json!({ "kind": "secret", "name": "N", "scopes": ["orders:read"] }),
        ("name", json!("M")),
    );
    let id = made["apiKey"]["id"].as_str().unwrap();
    w.once("revokeApiKey", json!({ "id": id }), ("id", other(id)));
    let class = w.made(
        "createTaxClass",
        json!({ "handle": "reduced", "name": "Reduced" }),
        ("name", json!("Less")),
    );
    let zone = w.made(
        "createTaxZone",
        json!({ "handle": "fr", "name": "France", "countries": ["FR"] }),
        ("name", json!("F")),
    );
    w.once(
        "updateTaxZone",
        json!({ "id": zone, "name": "La France" }),
        ("name", json!("F")),
    );
    let place = w.made(
        "createLocation",
        json!({ "handle": "paris", "name": "Paris", "country": "FR" }),
        ("name", json!("P")),
    );
    w.once(
        "updateLocation",
        json!({ "id": place, "name": "Lyon" }),
        ("name", json!("P")),
    );
    let zone = w.made(
        "createShippingZone",
        json!({ "handle": "fr", "name": "France", "countries": ["FR"] }),
        ("name", json!("F")),
    );
    let method = json!({
        "zoneId": zone, "channelId": w.shop.channel, "handle": "post", "name": "Post", "taxClassId": class,
        "rateBy": "value", "rates": [{ "currency": "EUR", "from": 0, "amount": 500 }], "minDays": 1, "maxDays": 3,
    });
    let method = w.made("createShippingMethod", method, ("name", json!("P")));
    w.once(
        "updateShippingMethod",
        json!({ "id": method, "name": "La Poste" }),
        ("name", json!("P")),
    );
    w.once(
        "validateAddress",
        json!({ "address": address() }),
        (
            "address",
            json!({ "name": "N", "line1": "L", "city": "C", "country": "DE" }),
        ),
    );
}

/// Another id of the same kind, which nothing has.
fn other(id: &str) -> Value {
    let (prefix, _) = id.split_once('_').unwrap();
    json!(format!("{prefix}_01jq3h5s5vfkg8r4t0x2m6c9ze"))
}

fn goods(w: &World<'_>) {
    let store = Store::open(w.shop);
    store.sell(&[("MUG", 1_500, 1_000)]);
    let variant = store.variant("MUG");
    let category = w.made(
        "createCategory",
        json!({ "handle": "c", "title": "C" }),
        ("title", json!("D")),
    );
    w.once(
        "updateCategory",
        json!({ "id": category, "title": "CC" }),
        ("title", json!("D")),
    );
    let product = json!({ "handle": "p", "title": "P", "taxClassId": store.tax_class,
        "options": [{ "name": "Size", "values": ["S", "M", "L"] }], "variants": [{ "sku": "P-S", "optionValues": [{ "name": "Size", "value": "S" }] }] });
    let product = w.made("createProduct", product, ("title", json!("Q")));
    w.once(
        "updateProduct",
        json!({ "id": product, "title": "PP" }),
        ("title", json!("Q")),
    );
    let size = |size: &str| json!({ "sku": format!("P-{size}"), "optionValues": [{ "name": "Size", "value": size }] });
    w.once(
        "createVariant",
        json!({ "productId": product, "variant": size("M") }),
        ("variant", size("L")),
    );
    w.once(
        "updateVariant",
        json!({ "id": variant, "barcode": "1" }),
        ("barcode", json!("2")),
    );
    w.once(
        "archiveProduct",
        json!({ "id": product }),
        ("id", other(&product)),
    );
    let row = |price: i64| json!([store.row("CUP", price, 5)]);
    w.once(
        "bulkUpsertProducts",
        json!({ "products": row(100) }),
        ("products", row(200)),
    );
    let price = |amount: i64| json!([{ "variantId": variant, "channelId": store.channel, "amount": amount }]);
    w.once(
        "setPrices",
        json!({ "prices": price(1_600) }),
        ("prices", price(1_700)),
    );
    let change = |delta: i64| json!([{ "variantId": variant, "locationId": store.location, "delta": delta, "reason": "received" }]);
    w.once(
        "adjustStock",
        json!({ "changes": change(3) }),
        ("changes", change(4)),
    );
    let count = |units: i64| json!([{ "variantId": variant, "locationId": store.location, "onHand": units }]);
    w.once(
        "setStock",
        json!({ "counts": count(900) }),
        ("counts", count(901)),
    );
}

fn credit(w: &World<'_>) {
    let card = w.once(
        "issueGiftCard",
        json!({ "amount": 700, "currency": "EUR" }),
        ("amount", json!(800)),
    );
    let (id, code) = (card["giftCard"]["id"].as_str().unwrap(), &card["code"]);
    w.once(
        "giftCardBalance",
        json!({ "code": code }),
        ("code", json!("0000")),
    );
    w.once(
        "issueGiftCards",
        json!({ "count": 2, "amount": 700, "currency": "EUR" }),
        ("count", json!(3)),
    );
    w.once(
        "adjustGiftCard",
        json!({ "id": id, "amount": 5, "reason": "r" }),
        ("amount", json!(6)),
    );
    w.once("disableGiftCard", json!({ "id": id }), ("id", other(id)));
    w.once("enableGiftCard", json!({ "id": id }), ("id", other(id)));
    w.once(
        "adjustStoreCredit",
        json!({ "email": "a@example.com", "currency": "EUR", "amount": 5, "reason": "r" }),
        ("amount", json!(6)),
    );
    w.once(
        "setCreditTerms",
        json!({ "email": "a@example.com", "currency": "EUR", "limit": 5, "netDays": 14 }),
        ("netDays", json!(30)),
    );
    let coupon = w.made(
        "createCoupon",
        json!({ "code": "TENTH", "basisPoints": 1_000 }),
        ("code", json!("FIFTH")),
    );
    w.once(
        "updateCoupon",
        json!({ "id": coupon, "description": "d" }),
        ("description", json!("e")),
    );
    let block = w.made(
        "addBlock",
        json!({ "kind": "email", "value": "eve@example.com" }),
        ("value", json!("mallory@example.com")),
    );
    w.once("removeBlock", json!({ "id": block }), ("id", other(&block)));
    let saved = w.once(
        "setUpPaymentMethod",
        json!({ "provider": "test", "email": "bob@example.com" }),
        ("email", json!("b@example.com")),
    );
    let method = saved["methods"][0]["id"].as_str().unwrap();
    w.once(
        "setDefaultPaymentMethod",
        json!({ "id": method }),
        ("id", other(method)),
    );
    w.once(
        "refreshPaymentMethods",
        json!({ "email": "bob@example.com" }),
        ("email", json!("b@example.com")),
    );
    w.once(
        "deletePaymentMethod",
        json!({ "id": method }),
        ("id", other(method)),
    );
}

fn carts(w: &World<'_>) {
    let lines = |units: i64| json!([{ "sku": "MUG", "quantity": units }]);
    let new = json!({ "channelId": w.shop.channel, "email": "ada@example.com", "shippingAddress": address(), "lines": lines(1) });
    let made = w.once("createCart", new, ("reference", json!("r")));
    let id = made["cart"]["id"].as_str().unwrap();
    w.once(
        "addCartLines",
        json!({ "cartId": id, "lines": lines(2) }),
        ("lines", lines(3)),
    );
    let line = &made["cart"]["lines"][0]["id"];
    let units = |units: i64| json!([{ "lineId": line, "quantity": units }]);
    w.once(
        "updateCartLines",
        json!({ "cartId": id, "lines": units(2) }),
        ("lines", units(3)),
    );
    w.once(
        "applyCoupon",
        json!({ "cartId": id, "code": "TENTH" }),
        ("code", json!("FIFTH")),
    );
    w.once(
        "removeCoupon",
        json!({ "cartId": id, "code": "TENTH" }),
        ("code", json!("FIFTH")),
    );
    let method = &made["cart"]["shippingOptions"][0]["methodId"];
    w.once(
        "updateCart",
        json!({ "id": id, "shippingMethodId": method }),
        ("reference", json!("r")),
    );
    let payment = |token: &str| json!({ "provider": "test", "token": token });
    w.once(
        "startCheckout",
        json!({ "cartId": id, "payment": payment("approve") }),
        ("payment", payment("decline")),
    );
    w.once("placeOrder", json!({ "cartId": id }), ("cartId", other(id)));
    w.once(
        "processPayment",
        json!({ "cartId": id }),
        ("cartId", other(id)),
    );
    let made = w.once(
        "createCart",
        json!({ "channelId": w.shop.channel, "lines": lines(1) }),
        ("reference", json!("r")),
    );
    let (id, line) = (
        made["cart"]["id"].as_str().unwrap(),
        &made["cart"]["lines"][0]["id"],
    );
    w.once(
        "removeCartLines",
        json!({ "cartId": id, "lineIds": [line] }),
        ("cartId", other(id)),
    );
}

/// An order that was just placed and its payment.
#[expect(clippy::needless_pass_by_value, reason = "made where it is passed")]
fn order(w: &World<'_>, payment: Value) -> (String, String) {
    let cart = json!({ "channelId": w.shop.channel, "email": "ada@example.com", "shippingAddress": address(),
        "lines": [{ "sku": "MUG", "quantity": 2 }] });
    let staff = w.shop.staff();
    let made = staff.once().post("/carts", cart).created();
    let path = format!("/carts/{}", made.text("/cart/id"));
    let method = made.at("/cart/shippingOptions/0/methodId");
    staff
        .patch(&path, json!({ "shippingMethodId": method }))
        .ok();
    staff
        .once()
        .post(&format!("{path}/checkout"), json!({ "payment": payment }))
        .created();
    let placed = staff
        .once()
        .post(&format!("{path}/place-order"), json!({}))
        .ok();
    w.shop.work();
    (
        placed.text("/order/id").to_owned(),
        placed.text("/order/payments/0/id").to_owned(),
    )
}

fn orders(w: &World<'_>) {
    let channel = format!("/channels/{}", w.shop.channel);
    w.shop
        .staff()
        .patch(&channel, json!({ "capture": "manual", "riskChecks": true }))
        .ok();
    let card = |token: &str| json!({ "provider": "test", "token": token });
    let (id, payment) = order(w, card("approve"));
    w.once(
        "holdOrder",
        json!({ "id": id, "note": "n" }),
        ("note", json!("m")),
    );
    w.once("releaseOrder", json!({ "id": id }), ("id", other(&id)));
    w.once(
        "capturePayment",
        json!({ "id": payment, "amount": 500 }),
        ("amount", json!(600)),
    );
    w.once("suggestRefund", json!({ "id": id }), ("id", other(&id)));
    w.once(
        "refundPayment",
        json!({ "id": payment, "amount": 100 }),
        ("amount", json!(200)),
    );
    w.once(
        "voidPayment",
        json!({ "id": payment }),
        ("reason", json!("r")),
    );
    w.once("cancelOrder", json!({ "id": id }), ("reason", json!("r")));

    let (id, _) = order(w, card("risk_elevated"));
    w.once("approveOrder", json!({ "id": id }), ("note", json!("n")));
    let (id, _) = order(w, card("risk_elevated"));
    w.once("declineOrder", json!({ "id": id }), ("note", json!("n")));

    let saved = w.shop.staff().once().post(
        "/saved-payment-methods",
        json!({ "provider": "test", "email": "ada@example.com" }),
    );
    let method = saved.created().at("/methods/0/id").clone();
    let (_, payment) = order(w, card("card_ada"));
    w.once(
        "reauthorizePayment",
        json!({ "id": payment, "savedPaymentMethodId": method }),
        ("savedPaymentMethodId", Value::Null),
    );

    let (id, _) = order(w, json!({ "provider": "manual" }));
    w.once(
        "recordManualPayment",
        json!({ "orderId": id, "amount": 5, "reference": "r" }),
        ("amount", json!(6)),
    );
    let link = w.once(
        "createPaymentLink",
        json!({ "orderId": id }),
        ("hours", json!(5)),
    );
    w.once(
        "payPaymentLink",
        json!({ "token": link["token"], "payment": card("approve") }),
        ("payment", card("decline")),
    );
    let (id, _) = order(w, json!({ "provider": "manual" }));
    let link = w.once(
        "createPaymentLink",
        json!({ "orderId": id }),
        ("hours", json!(5)),
    );
    let link = link["link"]["id"].as_str().unwrap();
    w.once(
        "disablePaymentLink",
        json!({ "id": link }),
        ("id", other(link)),
    );
}
