//! Every whole number of every operation, at the limits of 32, 53 and 64 bits and beyond, through both doors: whatever is said, it
//! is an answer or a refusal.

use serde_json::{Value, json};

use crate::support::contract::{Contract, Ids};
use crate::support::{Answer, Shop, Store};

/// How many places for whole numbers the operations have at least, so that none of them gets lost on the way here.
const PLACES: usize = 96;

both! {
    fn no_whole_number_is_more_than_an_operation_can_take(shop) {
        let contract = Contract::load();
        let staff = shop.staff();
        let known = a_shop_with_something_of_everything(shop);
        let mut operations: Vec<_> = contract.operations.iter().collect();
        // What ends something comes last, so that the others find it as it was.
        let ends = ["Cancel", "Archive", "Disable", "Delete", "Remove", "Revoke", "Void"];
        operations.sort_by_key(|meta| ends.iter().any(|end| meta.name.starts_with(end)));
        let (mut places, mut asked, mut reached, mut wrong) = (0, 0, 0, Vec::new());
        let mut touched = std::collections::BTreeSet::new();
        for meta in operations {
            let selection = contract.typename(&contract.field(meta).ty);
            for way in contract.integers(meta) {
                places += 1;
                touched.insert(meta.name);
                for number in numbers() {
                    let input = contract.input_with(meta, &known, &way, &number);
                    let answers = [
                        ("REST", Contract::rest(&staff, meta, &input)),
                        ("GraphQL", contract.graphql(&staff, meta, &input, selection)),
                    ];
                    for (door, answer) in answers {
                        asked += 1;
                        reached += usize::from(is_understood(&answer));
                        if answer.status >= 500 || answer.code() == "INTERNAL" {
                            wrong.push(format!("{} in {door}: {} = {number}: {answer}", meta.name, way.join("/")));
                        }
                    }
                }
            }
        }
        println!("{} operations, {places} places, {asked} requests, {reached} of them understood", touched.len());
        assert!(wrong.is_empty(), "{} answers\n{}", wrong.len(), wrong.join("\n"));
        assert!(places >= PLACES, "{places} places");
        // Most numbers can be read, so most requests come to what an operation does with them.
        assert!(reached * 2 > asked, "{reached} of {asked}");
        shop.check();
    }
}

fn numbers() -> Vec<Value> {
    let mut all: Vec<Value> = [
        i64::MIN,
        i64::MIN + 1,
        i64::from(i32::MIN) - 1,
        i64::from(i32::MIN),
        -1,
        0,
        1,
        i64::from(i32::MAX),
        i64::from(i32::MAX) + 1,
        1 << 53,
        i64::MAX - 1,
        i64::MAX,
    ]
    .map(Value::from)
    .to_vec();
    all.extend([
        json!(i64::MAX.unsigned_abs() + 1),
        json!(u64::MAX),
        json!(1e30),
        json!(-1e30),
    ]);
    all
}

/// Whether the input was of the right shape, so that the operation had its say.
fn is_understood(answer: &Answer) -> bool {
    !["INVALID_INPUT", "MALFORMED_REQUEST", "GRAPHQL_INVALID"].contains(&answer.code())
}

/// Goods, an open cart, an order that people pay, a gift card with its code, store credit, a coupon, credit terms, a payment
/// link: what the operations are about.
fn a_shop_with_something_of_everything(shop: &Shop) -> Ids {
    let staff = shop.staff();
    let store = Store::open(shop);
    store.sell(&[("A", 1_000, 1_000)]);
    let make = |path: &str, body: Value| {
        let made = staff.once().post(path, body);
        assert!(made.status < 300, "{made}");
        made
    };
    let transfer = store.cart(&[("A", 3)]);
    transfer
        .pay_by(&json!({ "provider": "manual", "method": "bank_transfer" }))
        .created();
    let order = transfer.place().ok();
    let path = format!("/orders/{}", order.text("/order/id"));
    make(
        &format!("{path}/payments"),
        json!({ "amount": 2_000, "reference": "first" }),
    );
    let link = make(&format!("{path}/payment-links"), json!({}));
    let cart = store.cart(&[("A", 2)]);
    let gift_card = make("/gift-cards", json!({ "currency": "EUR", "amount": 5_000 }));
    let credit =
        json!({ "email": "ada@example.com", "currency": "EUR", "amount": 900, "reason": "a gift" });
    make("/store-credit/adjust", credit);
    let coupon = make("/coupons", json!({ "code": "TEN", "basisPoints": 1_000 }));
    let terms =
        json!({ "email": "ada@example.com", "currency": "EUR", "limit": 100_000, "netDays": 30 });
    make("/credit-terms", terms);
    let mut known = Ids::default();
    for seen in [order, link.clone(), cart.get(), gift_card, coupon] {
        known.learn(&seen.json);
    }
    for list in [
        "/products",
        "/channels",
        "/locations",
        "/shipping-methods",
        "/orders",
        "/payments",
    ] {
        known.learn(&staff.get(list).ok().json);
    }
    known.texts = [
        ("token", link.text("/token")),
        ("code", "TEN"),
        ("sku", "A"),
        ("provider", "manual"),
        ("email", "ada@example.com"),
    ]
    .map(|(name, text)| (name, text.to_owned()))
    .into();
    known
}
