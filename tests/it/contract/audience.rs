//! What shop fronts see. A publishable key is in every visitor's browser: a field is private until it stands in [`SEEN`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::Store;
use crate::support::contract::Contract;

/// Every field that a publishable key sees, by type.
const SEEN: &str = "
Address: city company country line1 line2 name phone postcode region
AddressMessage: code message pointer severity
AnyAddress: city company country line1 line2 name phone postcode region
Cart: billingAddress channelId coupons createdAt currency email id lines metadata problems ready reference shippingAddress
  shippingMethodId shippingOptions source status totals updatedAt version
CartCoupon: code couponId discount problems
CartLine: discount id net priceOverridden problems productId quantity sku subtotal tax taxes title total unitPrice variantId
CartProblem: available code field message
CartTotals: discount goods shipping tax total
Category: createdAt description handle id parentId position title updatedAt version
CategoryPage: items page
Channel: cancelUnpaidAfter countries createdAt currencies currency handle holdMinutes id invoiceNeedsTerms metadata name
  pricesIncludeTax rounding status taxPer updatedAt version
ChannelPage: items page
Checkout: cartId cartVersion createdAt credits expiresAt id payment status total
GiftCardFunds: balance expiresAt last4 standing
LineTax: amount name rate
LinkPayment: actionUrl clientSecret link outcome
Media: alt url
Money: amount currency
NewCart: cart token
OptionValue: name value
Order: allowedActions billingAddress cancelledAt cartId channelId coupons currency dueAt email holds id lines metadata number
  paymentStatus payments placedAt pricesIncludeTax reference shippingAddress shippingMethod source status totals updatedAt version
OrderHold: id placedAt reason releasedAt
OrderLine: discount id kind net quantity quantityCancelled quantityRefunded sku subtotal tax taxes title total unitPrice variantId
OrderTimeline: entries
OrderTotals: cancelled discount goods shipping tax total
PageInfo: hasNextPage nextCursor
Payment: actionUrl amount captured chargedBack clientSecret createdAt expiresAt id method outstanding provider reference refunded
  status
PaymentLink: createdAt due expiresAt id orderNumber status
Placement: actionUrl clientSecret order outcome
PriceRange: max min
Product: attributes categoryIds channelIds createdAt description handle id kind media metadata options priceRange productType
  seoDescription seoTitle status tags taxClassId title updatedAt variants vendor version
ProductOption: name values
ProductPage: items page
ProductVariant: availability backorderLimit barcode compareAtPrice id media metadata optionValues price productId requiresShipping
  sku status stockPolicy title weightGrams
RedeemedCoupon: code couponId discount
ShippingChoice: handle methodId name
ShippingOption: amount handle maxDays methodId minDays name
TimelineEntry: at data id kind
ValidatedAddress: address messages verdict
";

/// Every field of the same types that is null for a publishable key.
const PRIVATE: &str = "
Cart: privateMetadata
Channel: capture orderNumberPrefix orderNumbers privateMetadata riskCancelFrom riskChecks riskFirstOrderFrom riskInvestigateFrom
Order: privateMetadata
OrderHold: note placedBy releasedBy
Product: privateMetadata
ProductVariant: availableQuantity privateMetadata
TimelineEntry: actor
";

type Fields = BTreeMap<String, BTreeSet<String>>;

fn fields(table: &str) -> Fields {
    let lines = table.trim().replace("\n  ", " ");
    let one = |line: &str| {
        let (name, fields) = line.split_once(':').unwrap();
        let fields = fields.split_whitespace().map(ToOwned::to_owned);
        (name.to_owned(), fields.collect())
    };
    lines.lines().map(one).collect()
}

#[test]
fn a_field_is_private_until_said_otherwise() {
    let contract = Contract::load();
    let mut found = Fields::new();
    let open = contract.operations.iter();
    for meta in open.filter(|meta| meta.access.admits_storefront()) {
        let responses = contract.entry(meta)["responses"].as_object().unwrap();
        for (_, done) in responses.iter().filter(|(s, _)| s.starts_with('2')) {
            walk(&contract, done, &mut found);
        }
    }
    let mut said = fields(SEEN);
    for (name, private) in fields(PRIVATE) {
        said.entry(name).or_default().extend(private);
    }
    assert_eq!(found, said);
}

/// The fields of every type that `value` refers to.
fn walk(contract: &Contract, value: &Value, found: &mut Fields) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(contract, item, found)),
        Value::Object(object) => {
            let name = object.get("$ref").and_then(Value::as_str);
            if let Some(name) = name.and_then(|r| r.strip_prefix("#/components/schemas/")) {
                let schema = &contract.openapi["components"]["schemas"][name];
                let properties = schema["properties"].as_object();
                let own = properties.map(|fields| fields.keys().cloned().collect());
                if let (None, Some(own)) = (found.get(name), own) {
                    found.insert(name.to_owned(), own);
                    walk(contract, schema, found);
                }
            }
            object.values().for_each(|one| walk(contract, one, found));
        }
        _ => {}
    }
}

/// Insists that the fields of this type are there for one and null for the other.
fn private(name: &str, staff: &Value, front: &Value) {
    for field in &fields(PRIVATE)[name] {
        assert!(!staff[field].is_null(), "{name}.{field}: {staff}");
        assert!(
            front.get(field).is_some_and(Value::is_null),
            "{name}.{field}: {front}"
        );
    }
}

both! {
    fn a_shop_front_sees_what_it_needs(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let (staff, front) = (shop.staff(), shop.storefront());
        let hidden = json!({ "supplier": "hidden-from-shop-fronts" });
        let change = json!({ "metadata": { "shown": 1 }, "privateMetadata": hidden });

        let path = format!("/channels/{}", store.channel);
        let mut settings = change.clone();
        settings["riskFirstOrderFrom"] = json!(50_000);
        let own = staff.patch(&path, settings).ok();
        private("Channel", &own.json, &front.get(&path).ok().json);
        private("Channel", &own.json, front.get("/channels").ok().at("/items/0"));
        let query = "query ($id: ID!) { channel(id: $id) { metadata privateMetadata capture orderNumberPrefix orderNumbers
            riskCancelFrom riskChecks riskFirstOrderFrom riskInvestigateFrom } }";
        let asked = |client: &crate::support::Client| client.graphql(query, json!({ "id": store.channel })).ok().data("channel").clone();
        private("Channel", &asked(&staff), &asked(&front));

        let product = store.product("MUG");
        let path = format!("/products/{}", product["id"].as_str().unwrap());
        staff.patch(&format!("/variants/{}", store.variant("MUG")), change.clone()).ok();
        let own = staff.patch(&path, change.clone()).ok();
        assert_eq!(own.at("/privateMetadata"), &hidden);
        assert_eq!(own.at("/variants/0/privateMetadata"), &hidden);
        shop.work();
        for seen in [front.get(&path).ok().json, front.get("/products").ok().at("/items/0").clone()] {
            private("Product", &own.json, &seen);
            private("ProductVariant", &own.json["variants"][0], &seen["variants"][0]);
            assert_eq!((&seen["metadata"], &seen["variants"][0]["metadata"]), (&change["metadata"], &change["metadata"]));
        }

        let cart = store.cart(&[("MUG", 1)]);
        shop.unchanged(|| {
            let written = cart.client.patch(&cart.path(""), json!({ "privateMetadata": {} }));
            written.refused(403, "FORBIDDEN").about("/privateMetadata", "missing_scope");
            let made = front.post("/carts", json!({ "privateMetadata": {} }));
            made.refused(403, "FORBIDDEN").about("/privateMetadata", "missing_scope");
        });
        let own = staff.patch(&cart.path(""), change).ok();
        assert_eq!(own.at("/privateMetadata"), &hidden);
        private("Cart", &own.json, &cart.get().json);
        cart.client.patch(&cart.path(""), json!({ "metadata": { "gift": true } })).ok();
        assert_eq!(staff.get(&cart.path("")).ok().at("/privateMetadata"), &hidden);
        cart.checkout("approve").created();
        let placed = cart.place().ok();
        let path = format!("/orders/{}", placed.text("/order/id"));
        let own = staff.get(&path).ok();
        assert_eq!((own.at("/metadata"), own.at("/privateMetadata")), (&json!({ "gift": true }), &hidden));
        private("Order", &own.json, placed.at("/order"));
        private("Order", &own.json, &cart.client.get(&path).ok().json);

        staff.once().post(&format!("{path}/hold"), json!({ "note": "called" })).ok();
        staff.once().post(&format!("{path}/release"), json!({})).ok();
        let (own, seen) = (staff.get(&path).ok(), cart.client.get(&path).ok());
        private("OrderHold", own.at("/holds/0"), seen.at("/holds/0"));
        let path = format!("{path}/timeline");
        let (own, seen) = (staff.get(&path).ok(), cart.client.get(&path).ok());
        private("TimelineEntry", own.at("/entries/1"), seen.at("/entries/1"));
        assert!(!seen.to_string().contains("hidden-from"), "{seen}");
    }
}
