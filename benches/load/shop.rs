//! The shop that is loaded: filled through the API, as a partner would.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::Result;
use crate::support::http::{Client, request, text};

/// Products of a request.
const CHUNK: usize = 100;
/// How many products the load spreads over; the million is there to be searched through.
const SPREAD: usize = 1_000;
const WORDS: &[&str] = &[
    "Alder", "Birch", "Cedar", "Dune", "Ember", "Fern", "Glen", "Heath", "Iris", "Juniper", "Kelp",
    "Larch", "Moss", "Nettle", "Oak", "Pine", "Quartz", "Reed", "Sage", "Thistle",
];
const THINGS: &[&str] = &[
    "mug", "lamp", "chair", "blanket", "jacket", "bottle", "knife", "tent",
];

/// What there is to ask for.
#[derive(Clone)]
pub struct Shop {
    pub address: SocketAddr,
    /// Where the same bytes as the list's are answered without any work.
    pub fixed: SocketAddr,
    pub publishable: String,
    pub channel: String,
    pub shipping_method: String,
    pub products: Arc<Vec<String>>,
    pub variants: Arc<Vec<String>>,
    numbers: Arc<AtomicUsize>,
}

impl Shop {
    /// Fills an empty shop with `count` products of two variants each.
    pub fn fill(address: SocketAddr, secret: &str, count: usize) -> Result<Self> {
        let mut client = Client::new(address, secret)?;
        let mut made = |path: &str, body: Value, id: &str| text(&client.post(path, &body)?, id);
        let class = json!({ "handle": "standard", "name": "Standard" });
        let class = made("/tax-classes", class, "/id")?;
        let rates = json!([{ "classId": class, "name": "VAT", "rate": "19" }]);
        made(
            "/tax-zones",
            json!({ "handle": "de", "name": "Germany", "countries": ["DE"], "rates": rates }),
            "/id",
        )?;
        let channel = made(
            "/channels",
            json!({
                "handle": "web", "name": "Web", "currency": "EUR", "countries": ["DE"], "holdMinutes": 1440,
            }),
            "/id",
        )?;
        let location = json!({ "handle": "hub", "name": "Hub", "country": "DE" });
        made("/locations", location, "/id")?;
        let zone = json!({ "handle": "de", "name": "Germany", "countries": ["DE"] });
        let zone = made("/shipping-zones", zone, "/id")?;
        let shipping_method = made(
            "/shipping-methods",
            json!({
                "zoneId": zone, "channelId": channel, "handle": "parcel", "name": "Parcel", "taxClassId": class,
                "rateBy": "value", "rates": [{ "currency": "EUR", "from": 0, "amount": 499 }],
                "minDays": 1, "maxDays": 3,
            }),
            "/id",
        )?;
        let key = json!({ "kind": "publishable", "name": "load", "channelId": channel });
        let publishable = made("/api-keys", key, "/key")?;
        upsert(address, secret, count)?;
        let (mut products, mut variants) = (Vec::new(), Vec::new());
        for number in 0..count.min(SPREAD) {
            let number = number * count / count.min(SPREAD);
            let product = client.get(&format!("/products/by-handle/product-{number}"))?;
            products.push(text(&product, "/id")?);
            for place in 0..2 {
                variants.push(text(&product, &format!("/variants/{place}/id"))?);
            }
        }
        Ok(Self {
            address,
            fixed: address,
            publishable,
            channel,
            shipping_method,
            products: Arc::new(products),
            variants: Arc::new(variants),
            numbers: Arc::default(),
        })
    }

    /// A number that was not there before.
    pub fn number(&self) -> usize {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// One of the variants, another for each number, evenly spread.
    pub fn variant(&self, number: usize) -> &str {
        &self.variants[number * 7919 % self.variants.len()]
    }

    /// A request of the shop front.
    pub fn ask(&self, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> Vec<u8> {
        let bearer = format!("Bearer {}", self.publishable);
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(more);
        request(method, path, &headers, body)
    }
}

fn upsert(address: SocketAddr, secret: &str, count: usize) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        let mut client = Client::new(address, secret)?;
        loop {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            if from >= count {
                return Ok(());
            }
            let products: Vec<Value> = (from..count.min(from + CHUNK)).map(product).collect();
            let report = client.post("/products/bulk-upsert", &json!({ "products": products }))?;
            if report["refused"] != 0 {
                return Err(format!("products were refused: {report}").into());
            }
            if from > 0 && from % 100_000 == 0 {
                eprintln!("{from} products");
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|t| t.join().map_err(|_| "a thread panicked")?)
    })
}

fn product(number: usize) -> Value {
    let (word, thing) = (
        WORDS[number % WORDS.len()],
        THINGS[number / WORDS.len() % THINGS.len()],
    );
    let variant = |size: &str, more: usize| {
        json!({
            "sku": format!("P{number}-{size}"), "options": { "Size": size }, "weightGrams": 350,
            "prices": [{ "channel": "web", "amount": 500 + number * 13 % 20_000 + more }],
            "stock": [{ "location": "hub", "onHand": 100_000_000 }],
        })
    };
    json!({
        "handle": format!("product-{number}"),
        "title": format!("{word} {thing} {number}"),
        "description": format!("A {thing} in {word}, made to last. Washable, repairable, and sent in paper alone."),
        "options": [{ "name": "Size", "values": ["S", "L"] }],
        "attributes": { "colour": word, "material": "wood", "year": 2026 },
        "media": [{ "url": format!("https://media.example/{number}.jpg"), "alt": thing }],
        "channels": ["web"],
        "variants": [variant("S", 0), variant("L", 400)],
    })
}
