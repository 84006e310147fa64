//! Spellings of one e-mail address are one customer, wherever an address is taken, kept, compared or asked for.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::contract::Contract;
use crate::support::{Answer, Store};

const SPELLINGS: [&str; 3] = [
    "Ada.L@Corp.example",
    "ada.l@corp.example",
    "ADA.L@CORP.EXAMPLE",
];
const KEPT: &str = "ada.l@corp.example";

/// What the operations with an e-mail address are asked here or, with spellings of their own, in the stories named.
const ASKED: [&str; 13] = [
    "adjustStoreCredit",
    "createCart",
    "getStoreCredit",
    "issueGiftCard",
    "listCreditTerms",
    "listGiftCards",
    "listOrders",
    "listOverdueInvoices",
    "listSavedPaymentMethods",
    "refreshPaymentMethods",
    "setCreditTerms",
    "setUpPaymentMethod",
    "updateCart",
];

fn buy(store: &Store<'_>, email: &str) -> String {
    let mut input = store.ready(&[("DESK", 1)]);
    input["email"] = json!(email);
    let cart = store.cart_of(&input);
    cart.pay_by(&json!({ "provider": "manual", "method": "invoice" }))
        .created();
    let placed = cart.place().ok();
    assert_eq!(placed.at("/order/email"), KEPT);
    placed.text("/order/id").to_owned()
}

both! {
    fn spellings_of_one_address_are_one_customer(shop) {
        let store = Store::delivering_for_nothing(shop);
        let staff = shop.staff();
        staff.patch(&format!("/channels/{}", store.channel), json!({ "riskChecks": true, "riskFirstOrderFrom": 5_000 })).ok();
        store.sell(&[("DESK", 10_000, 50)]);
        let orders: Vec<String> = SPELLINGS.iter().map(|email| buy(&store, email)).collect();
        shop.work();

        let limit = json!({ "email": SPELLINGS[0], "currency": "EUR", "limit": 40_000, "netDays": 30 });
        let terms = staff.post("/credit-terms", limit).ok();
        assert_eq!((terms.text("/email"), terms.at("/exposure/amount")), (KEPT, &json!(30_000)));
        for order in &orders {
            assert_ne!(staff.get(&format!("/orders/{order}")).ok().at("/dueAt"), &Value::Null);
        }
        // 100.00 is left of the limit of 400.00: one more, and none after it.
        buy(&store, SPELLINGS[2]);
        let mut input = store.ready(&[("DESK", 1)]);
        input["email"] = json!(SPELLINGS[1]);
        let fifth = store.cart_of(&input);
        let refused = fifth.pay_by(&json!({ "provider": "manual", "method": "invoice" }));
        refused.refused(409, "CREDIT_LIMIT_EXCEEDED");

        for (i, order) in orders.iter().enumerate() {
            let risk = staff.get(&format!("/orders/{order}/risk-assessment")).ok();
            let first = risk.at("/facts").to_string().contains("first_order_value");
            assert_eq!(first, i == 0, "{risk}");
        }

        let credit = |email: &str| json!({ "email": email, "currency": "EUR", "amount": 100, "reason": "r" });
        for email in SPELLINGS {
            staff.once().post("/store-credit/adjust", credit(email)).ok();
        }
        staff.post("/gift-cards", json!({ "email": SPELLINGS[2], "currency": "EUR", "amount": 100 })).created();
        staff.post("/saved-payment-methods", json!({ "provider": "test", "email": SPELLINGS[2] })).created();

        shop.later(std::time::Duration::from_hours(24 * 31));
        let found = |answer: &Answer| answer.at("/items").as_array().unwrap().len();
        for email in SPELLINGS {
            let asked = |path: &str| staff.get(&format!("{path}?email={email}")).ok();
            assert_eq!(found(&asked("/orders")), 4);
            assert_eq!(found(&asked("/overdue-invoices")), 4);
            assert_eq!(found(&asked("/credit-terms")), 1);
            assert_eq!(found(&asked("/gift-cards")), 1);
            let credit = staff.get(&format!("/store-credit?email={email}&currency=EUR")).ok();
            assert_eq!(credit.at("/balance/amount"), 300);
            let query = "query($e: String!) { orders(email: $e, first: 9) { nodes { email } }
                overdueInvoices(email: $e, first: 9) { nodes { email } } storeCredit(email: $e, currency: \"EUR\") { email }
                savedPaymentMethods(email: $e) { methods { email } } }";
            let seen = staff.graphql(query, json!({ "e": email }));
            assert_eq!(seen.at("/data/orders/nodes"), &json!(vec![json!({ "email": KEPT }); 4]), "{seen}");
            assert_eq!(seen.at("/data/overdueInvoices/nodes"), &json!(vec![json!({ "email": KEPT }); 4]));
            assert_eq!(seen.at("/data/storeCredit/email"), KEPT);
            assert_eq!(seen.at("/data/savedPaymentMethods/methods/0/email"), KEPT);
        }
        shop.check();
    }

    fn what_is_no_address_is_told_wherever_one_is_asked_for(shop) {
        let staff = shop.staff();
        for path in ["/orders?", "/overdue-invoices?", "/credit-terms?", "/gift-cards?", "/store-credit?currency=EUR&", "/saved-payment-methods?"] {
            let refused = staff.get(&format!("{path}email=nobody")).refused(422, "VALIDATION_FAILED");
            refused.about("/email", "invalid_email");
        }
        let refused = staff.graphql("{ orders(email: \"nobody\", first: 1) { nodes { id } } }", json!({}));
        refused.denied("VALIDATION_FAILED");
    }
}

#[test]
fn every_operation_with_an_address_is_among_them() {
    let contract = Contract::load();
    let with = contract
        .operations
        .iter()
        .filter(|meta| contract.rest_input(meta).contains_key("email"));
    let all: BTreeSet<String> = with.map(mercer::operation::Meta::operation_id).collect();
    assert_eq!(all, ASKED.map(ToOwned::to_owned).into());
}
