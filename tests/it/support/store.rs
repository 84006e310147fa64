//! A channel that sells: with a tax, a warehouse, a way of delivery, and carts on their way to orders.

use serde_json::{Value, json};

use super::{Answer, Client, Shop};

/// A channel with everything that an order needs.
pub struct Store<'a> {
    pub shop: &'a Shop,
    /// The channel's id.
    pub channel: String,
    /// The channel's handle.
    pub handle: String,
    /// The tax class of its goods and its delivery.
    pub tax_class: String,
    /// The warehouse (`berlin`).
    pub location: String,
    /// The way of delivery.
    pub method: String,
    /// The shop front.
    pub front: Client,
}

/// A cart, and the shopper who has its token.
pub struct Cart {
    pub id: String,
    pub client: Client,
}

impl<'a> Store<'a> {
    /// The shop's own channel: EUR, prices with 19 % tax, delivery within Germany for 4.90.
    pub fn open(shop: &'a Shop) -> Self {
        Self::equip(
            shop,
            shop.channel.to_string(),
            "main",
            &[("VAT", "19")],
            490,
        )
    }

    /// The same, with delivery for nothing.
    pub fn delivering_for_nothing(shop: &'a Shop) -> Self {
        let channel = shop.channel.to_string();
        Self::equip(shop, channel, "main", &[("VAT", "19")], 0)
    }

    /// A channel of its own with these terms and these taxes in Germany, delivery for 4.90 (in minor units).
    pub fn with(shop: &'a Shop, terms: &Value, rates: &[(&str, &str)]) -> Self {
        let mut input =
            json!({ "handle": "store", "name": "Store", "currency": "EUR", "countries": ["DE"] });
        for (field, value) in terms.as_object().unwrap() {
            input[field] = value.clone();
        }
        let made = shop.staff().post("/channels", input).created();
        Self::equip(shop, made.text("/id").to_owned(), "store", rates, 490)
    }

    fn equip(
        shop: &'a Shop,
        channel: String,
        handle: &str,
        rates: &[(&str, &str)],
        fee: i64,
    ) -> Self {
        let staff = shop.staff();
        let make =
            |path: &str, input: Value| staff.post(path, input).created().text("/id").to_owned();
        let tax_class = make(
            "/tax-classes",
            json!({ "handle": "standard", "name": "Standard" }),
        );
        let rate = |(name, rate): &(&str, &str)| json!({ "classId": tax_class, "name": name, "rate": rate });
        let rates: Vec<Value> = rates.iter().map(rate).collect();
        make(
            "/tax-zones",
            json!({ "handle": "de", "name": "Germany", "countries": ["DE"], "rates": rates }),
        );
        let location = make(
            "/locations",
            json!({ "handle": "berlin", "name": "Berlin", "country": "DE" }),
        );
        let zone = make(
            "/shipping-zones",
            json!({ "handle": "de", "name": "Germany", "countries": ["DE"] }),
        );
        let currency = staff
            .get(&format!("/channels/{channel}"))
            .ok()
            .at("/currency")
            .clone();
        let method = make(
            "/shipping-methods",
            json!({
                "zoneId": zone, "channelId": channel, "handle": "parcel", "name": "Parcel", "taxClassId": tax_class,
                "rateBy": "value", "rates": [{ "currency": currency, "from": 0, "amount": fee }],
                "minDays": 1, "maxDays": 3,
            }),
        );
        let front = shop.storefront_of(&channel);
        Self {
            shop,
            channel,
            handle: handle.to_owned(),
            tax_class,
            location,
            method,
            front,
        }
    }

    /// Sells goods: each a product of one variant, by SKU, price in minor units and units in stock.
    pub fn sell(&self, goods: &[(&str, i64, i64)]) {
        for some in goods.chunks(100) {
            let rows: Vec<Value> = some
                .iter()
                .map(|(sku, price, stock)| self.row(sku, *price, *stock))
                .collect();
            self.upsert(&rows);
        }
    }

    /// Writes products in bulk, insisting that none is refused.
    pub fn upsert(&self, rows: &[Value]) -> Answer {
        let report = self
            .shop
            .staff()
            .post("/products/bulk-upsert", json!({ "products": rows }))
            .ok();
        assert_eq!(report.at("/refused"), &json!(0), "{report}");
        report
    }

    /// A row of a bulk upsert: a product of one variant.
    pub fn row(&self, sku: &str, price: i64, stock: i64) -> Value {
        json!({
            "handle": sku.to_lowercase(), "title": format!("The {sku}"), "channels": [self.handle],
            "variants": [{
                "sku": sku, "prices": [{ "channel": self.handle, "amount": price }],
                "stock": [{ "location": "berlin", "onHand": stock }],
            }],
        })
    }

    /// Sells goods in another currency too, at this price in its minor units; they are delivered for nothing then.
    pub fn sell_in(&self, currency: &str, sku: &str, price: i64) {
        let staff = self.shop.staff();
        let channel = format!("/channels/{}", self.channel);
        let mut currencies = staff.get(&channel).ok().at("/currencies").clone();
        currencies.as_array_mut().unwrap().push(json!(currency));
        staff
            .patch(&channel, json!({ "currencies": currencies }))
            .ok();
        let method = format!("/shipping-methods/{}", self.method);
        let methods = staff.get("/shipping-methods").ok();
        let mut methods = methods.at("/items").as_array().unwrap().iter();
        let own = methods.find(|one| one["id"] == self.method.as_str());
        let mut rates = own.unwrap()["rates"].clone();
        let rate = json!({ "currency": currency, "from": 0, "amount": 0 });
        rates.as_array_mut().unwrap().push(rate);
        staff.patch(&method, json!({ "rates": rates })).ok();
        let price = json!({ "variantId": self.variant(sku), "channelId": self.channel, "currency": currency, "amount": price });
        staff
            .json("PUT", "/prices", &json!({ "prices": [price] }))
            .ok();
    }

    /// A cart in another currency than the channel's own, that can be ordered at once.
    pub fn cart_in(&self, currency: &str, lines: &[(&str, i64)]) -> Cart {
        let mut input = self.ready(lines);
        input["currency"] = json!(currency);
        self.cart_of(&input)
    }

    /// The product of this SKU, as staff see it in this channel.
    pub fn product(&self, sku: &str) -> Value {
        let path = format!(
            "/products/by-handle/{}?channelId={}",
            sku.to_lowercase(),
            self.channel
        );
        self.shop.staff().get(&path).ok().json
    }

    /// The variant's id.
    pub fn variant(&self, sku: &str) -> String {
        self.product(sku)["variants"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The variant's units at the warehouse: on hand, held, allocated.
    pub fn stock(&self, sku: &str) -> (i64, i64, i64) {
        let path = format!(
            "/stock-levels?variantId={}&locationId={}",
            self.variant(sku),
            self.location
        );
        let levels = self.shop.staff().get(&path).ok();
        let units = |field: &str| levels.at(&format!("/items/0/{field}")).as_i64().unwrap();
        (units("onHand"), units("held"), units("allocated"))
    }

    /// What a new cart says that can be ordered at once.
    pub fn ready(&self, lines: &[(&str, i64)]) -> Value {
        json!({
            "lines": self.lines(lines), "email": "ada@example.com", "shippingAddress": address(),
            "shippingMethodId": self.method,
        })
    }

    /// Lines of a request, by SKU and quantity.
    #[expect(clippy::unused_self, reason = "stories read better")]
    pub fn lines(&self, lines: &[(&str, i64)]) -> Vec<Value> {
        lines
            .iter()
            .map(|(sku, quantity)| json!({ "sku": sku, "quantity": quantity }))
            .collect()
    }

    /// A cart of these lines that can be ordered at once.
    pub fn cart(&self, lines: &[(&str, i64)]) -> Cart {
        self.cart_of(&self.ready(lines))
    }

    /// A cart made of this input.
    pub fn cart_of(&self, input: &Value) -> Cart {
        Cart::new(
            &self.front,
            &self.front.post("/carts", input.clone()).created(),
        )
    }

    /// A cart of these lines whose checkout has been started with a token of the provider `test`.
    pub fn checkout(&self, lines: &[(&str, i64)], token: &str) -> Cart {
        let cart = self.cart(lines);
        cart.checkout(token).created();
        cart
    }

    /// An order of these lines.
    pub fn order(&self, lines: &[(&str, i64)]) -> Value {
        let placed = self.checkout(lines, "approve").place().ok();
        assert_eq!(placed.text("/outcome"), "placed", "{placed}");
        placed.at("/order").clone()
    }
}

impl Cart {
    /// The cart that was just created.
    pub fn new(front: &Client, made: &Answer) -> Self {
        Self {
            id: made.text("/cart/id").to_owned(),
            client: front.with("x-cart-token", made.text("/token")),
        }
    }

    /// The path of something of the cart's: `""`, `"/lines"`.
    pub fn path(&self, rest: &str) -> String {
        format!("/carts/{}{rest}", self.id)
    }

    /// The cart as it is.
    pub fn get(&self) -> Answer {
        self.client.get(&self.path("")).ok()
    }

    /// Starts the checkout with the provider `test`, which does what the token says.
    pub fn checkout(&self, token: &str) -> Answer {
        self.pay_by(&json!({ "provider": "test", "token": token }))
    }

    /// Starts the checkout.
    pub fn pay_by(&self, payment: &Value) -> Answer {
        self.client
            .once()
            .post(&self.path("/checkout"), json!({ "payment": payment }))
    }

    /// Where the latest checkout stands.
    pub fn checkout_status(&self) -> String {
        self.client
            .get(&self.path("/checkout"))
            .ok()
            .text("/status")
            .to_owned()
    }

    /// Places the order.
    pub fn place(&self) -> Answer {
        self.client
            .once()
            .post(&self.path("/place-order"), json!({}))
    }
}

/// An address in Germany.
pub fn address() -> Value {
    json!({ "name": "Ada Lovelace", "line1": "Unter den Linden 1", "postcode": "10117", "city": "Berlin", "country": "DE" })
}
