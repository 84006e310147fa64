//! Payment methods that a provider keeps for a shopper, with the provider `test`; what Stripe keeps is told with Stripe.

use serde_json::{Value, json};

use crate::support::{Answer, Cart, Shop, Store};

const SAVED: &str = "/saved-payment-methods";
const POINTER: &str = "/payment/savedPaymentMethodId";
const SAVE: &str = "/payment/savePaymentMethod";

fn save(shop: &Shop, email: &str) -> Answer {
    let wanted = json!({ "provider": "test", "email": email });
    shop.staff().post(SAVED, wanted)
}

fn charge(shop: &Shop, cart: &Cart, payment: &Value) -> Answer {
    let staff = shop.staff().once();
    staff.post(&cart.path("/checkout"), json!({ "payment": payment }))
}

both! {
    fn a_saved_method_pays_an_order_of_its_owner(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let saved = save(shop, "Ada@Example.com").created();
        assert_eq!(saved.at("/clientSecret"), &Value::Null);
        let method = saved.text("/methods/0/id");
        let cart = store.cart(&[("MUG", 1)]);
        charge(shop, &cart, &json!({ "provider": "test", "savedPaymentMethodId": method })).created();
        assert_eq!(cart.place().ok().text("/outcome"), "placed");
    }

    fn only_who_may_move_money_charges_a_saved_method_and_only_its_owner_s(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let method = save(shop, "ada@example.com").created().text("/methods/0/id").to_owned();
        let other = save(shop, "eve@example.com").created().text("/methods/0/id").to_owned();
        let cart = store.cart(&[("MUG", 1)]);
        let refused = |payment: Value, pointer: &str, code: &str| {
            shop.unchanged(|| {
                charge(shop, &cart, &payment).refused(422, "VALIDATION_FAILED").about(pointer, code);
            });
        };
        shop.unchanged(|| {
            let by_front = cart.pay_by(&json!({ "provider": "test", "savedPaymentMethodId": method }));
            by_front.refused(403, "FORBIDDEN").about(POINTER, "missing_scope");
        });
        refused(json!({ "provider": "test", "savedPaymentMethodId": other }), POINTER, "unknown_payment_method");
        refused(json!({ "provider": "manual", "savedPaymentMethodId": method }), POINTER, "unknown_payment_method");
        refused(json!({ "provider": "test", "savedPaymentMethodId": "spm_01jq3h5s5vfkg8r4t0x2m6c9ze" }), POINTER, "unknown_payment_method");
        refused(json!({ "provider": "test", "savedPaymentMethodId": method, "token": "approve" }), "/payment/token", "both_kinds");
        refused(json!({ "provider": "test", "offSession": true }), "/payment/offSession", "without_saved_method");
        refused(json!({ "provider": "test", "savedPaymentMethodId": method, "savePaymentMethod": true }), SAVE, "saved_already");
        refused(json!({ "provider": "manual", "savePaymentMethod": true }), SAVE, "not_supported");
        refused(json!({ "provider": "gold", "savePaymentMethod": true }), "/payment/provider", "unknown_provider");
        shop.unchanged(|| {
            let by_front = cart.pay_by(&json!({ "provider": "test", "savePaymentMethod": true }));
            by_front.refused(403, "FORBIDDEN").about(SAVE, "missing_scope");
        });
        let front = shop.storefront();
        front.get(&format!("{SAVED}?email=ada@example.com")).refused(403, "FORBIDDEN");
        front.post(&format!("{SAVED}/refresh"), json!({ "email": "ada@example.com" })).refused(403, "FORBIDDEN");
    }

    fn what_cannot_be_saved_is_refused(shop) {
        let refused = |body: Value, pointer: &str, code: &str| {
            shop.unchanged(|| {
                shop.staff().post(SAVED, body).refused(422, "VALIDATION_FAILED").about(pointer, code);
            });
        };
        refused(json!({ "provider": "manual", "email": "ada@example.com" }), "/provider", "not_supported");
        refused(json!({ "provider": "gold", "email": "ada@example.com" }), "/provider", "unknown_provider");
        refused(json!({ "provider": "test", "email": "ada" }), "/email", "invalid_email");
        let gone = format!("{SAVED}/spm_01jq3h5s5vfkg8r4t0x2m6c9ze");
        shop.staff().json("DELETE", &gone, &json!({})).refused(404, "NOT_FOUND");
    }

    fn both_doors_tell_the_same_of_saved_methods(shop) {
        let query = "mutation ($input: SetUpPaymentMethodInput!) { setUpPaymentMethod(input: $input) { clientSecret methods { id } } }";
        let input = json!({ "input": { "provider": "test", "email": "ada@example.com" } });
        let saved = shop.staff().graphql(query, input).ok();
        let id = saved.text("/data/setUpPaymentMethod/methods/0/id");
        let listed = shop.staff().graphql(
            "query { savedPaymentMethods(email: \"ADA@example.com\") { methods { id last4 expiryYear isDefault } } }",
            json!({}),
        );
        let expected = json!([{ "id": id, "last4": "4242", "expiryYear": 2040, "isDefault": false }]);
        assert_eq!(listed.ok().at("/data/savedPaymentMethods/methods"), &expected);
        assert_eq!(shop.staff().get(&format!("{SAVED}?email=ada@example.com")).ok().text("/methods/0/id"), id);
    }
}
