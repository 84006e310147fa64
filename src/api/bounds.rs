//! What the fields of a request may hold, as the OpenAPI document says it. Those of a path or a query string are checked here, those
//! of a body where the operation is; a test sends to every field what is beyond its bound, and sees it refused.

use serde_json::{Value, json};

use crate::auth::Scope;
use crate::kernel::money::MAX_AMOUNT;
use crate::kernel::page::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::kernel::{Checks, Code, Error, Result};

/// The most characters of a value in a path or a query string. Longest is a cursor.
const MAX_PARAMETER: usize = 4000;
/// The most that a price, a discount or a credit may be, in minor units; what an order comes to may be [`MAX_AMOUNT`].
const MOST: i64 = 1_000_000_000_000;
/// The most units of stock.
const UNITS: i64 = 1_000_000_000;

const HANDLE: &str = "^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$";

/// What a field may hold.
#[derive(Clone, Copy)]
enum Bound {
    /// A text that is not blank and has at most so many characters.
    Text(usize),
    /// A text of at most so many characters, which may be empty.
    Any(usize),
    /// A text of a form: its pattern, its least and its most characters, an example.
    Form(&'static str, usize, usize, &'static str),
    /// A whole number.
    Int(i64, i64),
    /// A list.
    List(usize, usize),
    /// The scopes that there are.
    Scope,
}

use Bound::{Any, Form, Int, List, Text};

/// By the field's name, after the operation or the object that it belongs to where it differs; `[]` is a list's element.
const BOUNDS: &[(&str, Bound)] = &[
    // texts
    ("alt", Any(1000)),
    ("AnyAddress.city", Any(200)),
    ("AnyAddress.company", Any(200)),
    ("AnyAddress.country", Any(200)),
    ("AnyAddress.line1", Any(200)),
    ("AnyAddress.line2", Any(200)),
    ("AnyAddress.name", Any(200)),
    ("AnyAddress.phone", Any(200)),
    ("AnyAddress.postcode", Any(200)),
    ("AnyAddress.region", Any(200)),
    ("barcode", Form("", 1, 64, "4006381333931")),
    ("city", Text(100)),
    ("code", Form("", 1, 100, "SPRING-26")),
    (
        "CreateCoupon.code",
        Form("^[!-~]{1,50}$", 1, 50, "SPRING-26"),
    ),
    ("company", Text(200)),
    ("country", Form("^[A-Z]{2}$", 2, 2, "DE")),
    ("countries[]", Form("^[A-Z]{2}$", 2, 2, "DE")),
    ("description", Any(20_000)),
    ("CreateCoupon.description", Text(500)),
    ("UpdateCoupon.description", Text(500)),
    ("giftCards[]", Form("", 1, 100, "7KQ2-9XWD-4MNP-T8RV")),
    ("handle", Form(HANDLE, 1, 100, "mug")),
    ("CreateProduct.handle", Form("", 1, 255, "mug")),
    ("GetProductByHandle.handle", Form("", 1, 255, "mug")),
    ("Product.handle", Form("", 1, 255, "mug")),
    ("UpdateProduct.handle", Form("", 1, 255, "mug")),
    ("UpsertProduct.handle", Form("", 1, 255, "mug")),
    ("productType", Any(200)),
    ("seoDescription", Any(2000)),
    ("seoTitle", Any(300)),
    ("tag", Text(255)),
    ("tags[]", Text(255)),
    ("vendor", Any(200)),
    ("ListProducts.vendor", Text(200)),
    ("categories[]", Form(HANDLE, 1, 100, "kitchen")),
    ("channel", Form(HANDLE, 1, 100, "eu")),
    ("channels[]", Form(HANDLE, 1, 100, "eu")),
    ("location", Form(HANDLE, 1, 100, "warehouse")),
    ("taxClass", Form(HANDLE, 1, 100, "standard")),
    ("line1", Text(200)),
    ("line2", Text(200)),
    ("method", Text(100)),
    ("name", Text(200)),
    ("NewOption.name", Text(100)),
    ("NewOptionValue.name", Text(100)),
    ("NewTaxRate.name", Text(100)),
    ("note", Text(500)),
    (
        "orderNumberPrefix",
        Form("^[A-Za-z0-9-]{0,10}$", 0, 10, "EU-"),
    ),
    ("phone", Form(r"^\+[0-9]{7,15}$", 8, 16, "+4930123456")),
    ("postcode", Text(20)),
    ("provider", Form("", 1, 100, "manual")),
    ("reason", Text(500)),
    ("reference", Text(200)),
    ("region", Form("", 1, 100, "US-NY")),
    ("regions[]", Form("^[A-Z]{2}-[A-Z0-9]{1,3}$", 4, 6, "US-NY")),
    (
        "returnUrl",
        Form("", 1, 2000, "https://shop.example/thanks"),
    ),
    ("scopes[]", Bound::Scope),
    ("shipment", Text(100)),
    ("sku", Text(100)),
    ("title", Text(300)),
    ("CreateCategory.title", Text(200)),
    ("UpdateCategory.title", Text(200)),
    ("token", Form("", 1, 2000, "tok_visa")),
    (
        "url",
        Form("^(https?://|/)", 1, 2000, "https://shop.example/mug.jpg"),
    ),
    ("value", Form("", 1, 254, "White")),
    ("AddBlock.value", Form("", 1, 254, "anna@example.com")),
    ("NewOptionValue.value", Text(200)),
    ("values[]", Text(200)),
    // parameters of queries
    ("after", Form("", 1, MAX_PARAMETER, "")),
    (
        "attribute[]",
        Form("^[^:\"]+:", 2, MAX_PARAMETER, "size:042"),
    ),
    ("last4", Form("", 1, 20, "T8RV")),
    ("number", Form("", 1, 100, "1001")),
    ("ListCoupons.code", Form("", 1, 100, "SPRING-26")),
    ("ListOrders.reference", Form("", 1, 200, "PO-4711")),
    ("ListPayments.provider", Form("", 1, 100, "manual")),
    ("text", Text(200)),
    // numbers
    ("amount", Int(0, MOST)),
    ("AdjustGiftCard.amount", Int(-MOST, MOST)),
    ("AdjustStoreCredit.amount", Int(-MOST, MOST)),
    ("CapturePayment.amount", Int(1, MAX_AMOUNT)),
    ("CreateCoupon.amount", Int(1, MOST)),
    ("IssueGiftCard.amount", Int(1, MOST)),
    ("IssueGiftCards.amount", Int(1, MOST)),
    ("RecordManualPayment.amount", Int(-MAX_AMOUNT, MAX_AMOUNT)),
    ("RefundPayment.amount", Int(1, MAX_AMOUNT)),
    ("UpdateCoupon.amount", Int(1, MOST)),
    ("backorderLimit", Int(0, 1_000_000)),
    ("basisPoints", Int(1, 10_000)),
    ("cancelUnpaidAfter", Int(1, 8760)),
    ("compareAtAmount", Int(0, MOST)),
    ("count", Int(1, 1000)),
    ("delta", Int(-UNITS, UNITS)),
    ("expected", Int(-UNITS, UNITS)),
    ("expectedTotal", Int(0, MAX_AMOUNT)),
    ("expiresInDays", Int(1, 3650)),
    ("from", Int(0, MOST)),
    ("holdAfterDays", Int(0, 365)),
    ("holdMinutes", Int(1, 1440)),
    ("hours", Int(1, 8760)),
    ("limit", Int(1, MAX_LIMIT)),
    ("SetCreditTerms.limit", Int(0, MOST)),
    ("maxAmount", Int(1, MOST)),
    ("maxDays", Int(0, 365)),
    ("minDays", Int(0, 365)),
    ("maxPrice", Int(0, MOST)),
    ("minPrice", Int(0, MOST)),
    ("minimum", Int(1, MOST)),
    ("netDays", Int(7, 90)),
    ("onHand", Int(0, UNITS)),
    ("position", Int(0, 1_000_000)),
    ("priority", Int(0, 1_000_000)),
    ("quantity", Int(1, 100_000)),
    ("riskCancelFrom", Int(1, 101)),
    ("riskFirstOrderFrom", Int(0, MOST)),
    ("riskInvestigateFrom", Int(1, 100)),
    ("storeCredit", Int(1, MOST)),
    ("unitPrice", Int(0, MOST)),
    ("upTo", Int(0, MOST)),
    ("usageLimit", Int(1, UNITS)),
    ("usageLimitPerCustomer", Int(1, UNITS)),
    ("weightGrams", Int(0, 100_000_000)),
    // lists
    ("attribute", List(0, 10)),
    ("categories", List(0, 50)),
    ("categoryIds", List(0, 50)),
    ("changes", List(1, 500)),
    ("channelIds", List(0, 100)),
    ("channels", List(0, 100)),
    ("counts", List(1, 500)),
    ("countries", List(1, 250)),
    ("currencies", List(0, 50)),
    ("giftCards", List(0, 5)),
    ("lineIds", List(1, 500)),
    ("lines", List(1, 500)),
    ("CreateCart.lines", List(0, 500)),
    ("media", List(0, 250)),
    ("optionValues", List(0, 5)),
    ("options", List(0, 5)),
    ("prices", List(0, 500)),
    ("SetPrices.prices", List(1, 500)),
    ("products", List(1, 100)),
    ("rates", List(0, 200)),
    ("CreateShippingMethod.rates", List(1, 500)),
    ("UpdateShippingMethod.rates", List(1, 500)),
    ("regions", List(0, 1000)),
    ("scopes", List(0, 100)),
    ("stock", List(0, 500)),
    ("tags", List(0, 250)),
    ("values", List(1, 200)),
    ("variants", List(1, 100)),
    ("UpsertProduct.variants", List(0, 100)),
];

/// What the parameters of queries mean, by name, after the operation where it differs.
const MEANINGS: &[(&str, &str)] = &[
    (
        "after",
        "Where the page begins: `page.nextCursor` of the page before. The first page when left out.",
    ),
    ("limit", "How many items the page has at most."),
    (
        "attribute",
        "Only products with this attribute, as `name:value`; repeat it for several, all of which must fit.",
    ),
    (
        "category",
        "Only products of this category and of those below it.",
    ),
    ("channelId", "Only what belongs to this channel."),
    (
        "GetProduct.channelId",
        "The channel whose prices and stock are told; a shop front's own when left out.",
    ),
    (
        "GetProductByHandle.channelId",
        "The channel whose prices and stock are told; a shop front's own when left out.",
    ),
    (
        "ListProducts.channelId",
        "Only what this channel shows, with its prices and stock; a shop front sees its own channel.",
    ),
    ("checkoutId", "Only payments of this checkout."),
    (
        "code",
        "Only the coupon with this code, in upper or lower case.",
    ),
    (
        "currency",
        "The currency of the prices (ISO 4217); the channel's own when left out.",
    ),
    (
        "GetStoreCredit.currency",
        "The currency of the credit (ISO 4217).",
    ),
    (
        "email",
        "The customer's e-mail address; letters count alike in either case.",
    ),
    (
        "inStock",
        "Only products that can be bought now, or only those that cannot.",
    ),
    ("kind", "Only entries of this kind."),
    (
        "last4",
        "Only gift cards whose code ends in these characters.",
    ),
    ("locationId", "Only stock at this location."),
    (
        "maxPrice",
        "Only products that cost at most so much, in minor units of the currency.",
    ),
    (
        "minPrice",
        "Only products that cost at least so much, in minor units of the currency.",
    ),
    ("number", "Only the order with this number."),
    ("parentId", "Only categories directly below this one."),
    ("provider", "Only payments of this provider."),
    (
        "reference",
        "Only orders with this reference of the caller's own.",
    ),
    (
        "sort",
        "How the products are sorted; the newest first when left out.",
    ),
    ("status", "Only what has this status."),
    ("tag", "Only products with this tag, as it is."),
    ("vendor", "Only products of this vendor, as it is."),
    (
        "text",
        "Only products whose title, handle or SKUs contain this text.",
    ),
    ("variantId", "Only what belongs to this variant."),
    ("zoneId", "Only methods of this shipping zone."),
    ("handle", "The product's handle."),
    ("id", "The object's id."),
    (
        "accountId",
        "The id of the gift card or of the store credit.",
    ),
    ("cartId", "The cart's id."),
    ("orderId", "The order's id."),
    ("paymentId", "The payment's id."),
    ("productId", "The product's id."),
    ("token", "The payment link's token."),
];

fn find<T: Copy>(table: &[(&str, T)], owner: &str, name: &str) -> Option<T> {
    let own = format!("{owner}.{name}");
    let entry = |key: &str| table.iter().find(|(k, _)| *k == key);
    entry(&own).or_else(|| entry(name)).map(|(_, found)| *found)
}

/// What a parameter means.
pub fn meaning(owner: &str, name: &str) -> Option<&'static str> {
    find(MEANINGS, owner, name)
}

/// Complains about a value in a path or a query string that is beyond its bound. An empty one is a mistake of the caller's, who
/// would not see that the parameter did nothing.
pub fn check(owner: &str, name: &str, value: &str) -> Result<()> {
    let pointer = || format!("/{name}");
    if value.is_empty() {
        let message = "Has no value; give it one, or leave the parameter out.";
        return Err(Error::field(
            Code::InvalidInput,
            pointer(),
            "empty",
            message,
        ));
    }
    let bound = find(BOUNDS, owner, name).or_else(|| find(BOUNDS, owner, &format!("{name}[]")));
    let most = match bound {
        Some(Int(least, most)) => {
            return match value.parse::<i64>() {
                Ok(number) => Checks::new().range(pointer(), number, least, most).done(),
                Err(_) => Ok(()), // told by type
            };
        }
        Some(Text(most) | Any(most) | Form(_, _, most, _)) => most,
        _ => MAX_PARAMETER,
    };
    let length = value.chars().count();
    if length > most {
        let message = format!("Has {length} characters; at most {most} are allowed.");
        return Err(Error::invalid(pointer(), "too_long", message));
    }
    Ok(())
}

/// Writes into the schema of an object, or of one of its fields, what may be in it. `owner` is the operation's or the object's
/// name.
pub fn limit(owner: &str, name: &str, schema: &mut Value) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, schema) in properties {
            limit(owner, name, schema);
        }
    }
    if let Some(items) = schema.get_mut("items") {
        limit(owner, &format!("{name}[]"), items);
    }
    let Some(bound) = find(BOUNDS, owner, name) else {
        return;
    };
    let kind = |kind: &str| {
        let ty = &schema["type"];
        ty == kind
            || ty
                .as_array()
                .is_some_and(|all| all.iter().any(|t| t == kind))
    };
    let is_plain_text =
        kind("string") && schema.get("pattern").is_none() && schema.get("enum").is_none();
    let more = match bound {
        Text(most) if is_plain_text => {
            json!({ "minLength": 1, "maxLength": most, "pattern": r"\S" })
        }
        Any(most) if is_plain_text => json!({ "maxLength": most }),
        Form(pattern, least, most, example) if is_plain_text => {
            let mut form = json!({ "minLength": least, "maxLength": most });
            if !pattern.is_empty() {
                form["pattern"] = json!(pattern);
            }
            if !example.is_empty() {
                form["examples"] = json!([example]);
            }
            form
        }
        Bound::Scope if is_plain_text => {
            let scopes: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
            json!({ "enum": scopes })
        }
        Int(least, most) if kind("integer") => {
            let mut range = json!({ "minimum": least, "maximum": most });
            if (name, most) == ("limit", MAX_LIMIT) {
                range["default"] = json!(DEFAULT_LIMIT);
            }
            range
        }
        List(least, most) if kind("array") => json!({ "minItems": least, "maxItems": most }),
        _ => return,
    };
    if let (Some(schema), Value::Object(more)) = (schema.as_object_mut(), more) {
        schema.extend(more);
    }
}
