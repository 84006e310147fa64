//! What the load consists of: each job as one connection does it.

use serde::Deserialize;
use serde_json::json;

use crate::shop::Shop;
use crate::support::Result;
use crate::support::http::Http;
use crate::webhooks;

/// Does a job once; false when what was prepared is used up.
pub type Work = Box<dyn FnMut(&mut Http) -> Result<bool> + Send>;

/// A job of the load.
pub struct Job {
    pub name: &'static str,
    pub budget: Budget,
    /// Prepares one connection for about so many times.
    pub prepare: fn(&Shop, usize) -> Result<Work>,
}

/// What performance.md asks of a job.
#[derive(Clone, Copy)]
pub enum Budget {
    /// Nothing; it is a bound.
    None,
    /// Percent of what fixed bytes reach.
    OfFixed(f64),
    /// Times a second, on SQLite and on PostgreSQL.
    Rate(f64, f64),
    /// At most so many times the median latency of another job.
    Times(f64, &'static str),
}

pub const FIXED: &str = "fixed bytes";
pub const LIST: &str = "list, filters not in the cache";
pub const DETAIL: &str = "detail";
pub const ADD: &str = "add a line";
pub const PLACE: &str = "placeOrder alone, 2 lines";
pub const WEBHOOK: &str = "webhook";

/// What the list is asked for; its answer is also what is answered without any work.
pub const LIST_TARGET: &str = "/v1/products?limit=20";

const PRODUCTS: &str = "query ($min: Int) { products(first: 20, minPrice: $min) { nodes { \
    id handle title priceRange { min { amount currency } max { amount currency } } \
    variants { id sku title availability price { amount currency } } } } }";

/// All of them, in the order of the table.
pub const JOBS: &[Job] = &[
    Job {
        name: FIXED,
        budget: Budget::None,
        prepare: fixed_bytes,
    },
    Job {
        name: "list",
        budget: Budget::OfFixed(70.0),
        prepare: |shop, _| Ok(same(shop.ask("GET", LIST_TARGET, &[], ""), 200)),
    },
    Job {
        name: "list, 304",
        budget: Budget::OfFixed(70.0),
        prepare: not_modified,
    },
    Job {
        name: DETAIL,
        budget: Budget::OfFixed(70.0),
        prepare: detail,
    },
    Job {
        name: LIST,
        budget: Budget::Rate(12_000.0, 12_000.0),
        prepare: filtered_list,
    },
    Job {
        name: "search",
        budget: Budget::Rate(5_000.0, 5_000.0),
        prepare: search,
    },
    Job {
        name: "order by id",
        budget: Budget::Rate(12_000.0, 12_000.0),
        prepare: order_by_id,
    },
    Job {
        name: "GraphQL list of 20 with variants",
        budget: Budget::Rate(5_000.0, 5_000.0),
        prepare: graphql_list,
    },
    Job {
        name: "create a cart with a line",
        budget: Budget::Rate(6_000.0, 3_000.0),
        prepare: create_cart,
    },
    Job {
        name: ADD,
        budget: Budget::Rate(6_000.0, 3_000.0),
        prepare: add_line,
    },
    Job {
        name: "add a line to 200",
        budget: Budget::Times(2.0, ADD),
        prepare: add_line_to_200,
    },
    Job {
        name: "startCheckout, 2 lines",
        budget: Budget::None,
        prepare: start_checkout,
    },
    Job {
        name: PLACE,
        budget: Budget::Rate(5_000.0, 2_500.0),
        prepare: place_order,
    },
    Job {
        name: "whole checkout, 4 requests",
        budget: Budget::Rate(1_200.0, 600.0),
        prepare: whole_checkout,
    },
    Job {
        name: WEBHOOK,
        budget: Budget::Rate(500.0, 500.0),
        prepare: webhook,
    },
];

/// The same request over and over.
fn same(request: Vec<u8>, status: u16) -> Work {
    Box::new(move |http| http.expect(&request, status).map(|_| true))
}

/// A request that was never sent before.
fn fresh(shop: &Shop, status: u16, make: fn(&Shop, usize) -> Vec<u8>) -> Work {
    let shop = shop.clone();
    Box::new(move |http| {
        let request = make(&shop, shop.number());
        http.expect(&request, status).map(|_| true)
    })
}

/// Each request once.
fn once(requests: Vec<Vec<u8>>, status: u16) -> Work {
    let mut requests = requests.into_iter();
    Box::new(move |http| match requests.next() {
        None => Ok(false),
        Some(request) => http.expect(&request, status).map(|_| true),
    })
}

fn fixed_bytes(shop: &Shop, _: usize) -> Result<Work> {
    let request = shop.ask("GET", LIST_TARGET, &[], "");
    let mut other = Http::connect(shop.fixed)?;
    Ok(Box::new(move |_| other.expect(&request, 200).map(|_| true)))
}

fn not_modified(shop: &Shop, _: usize) -> Result<Work> {
    let mut http = Http::connect(shop.address)?;
    let answer = http.send(&shop.ask("GET", LIST_TARGET, &[], ""))?;
    let etag = answer.header("etag").ok_or("a list without ETag")?;
    let request = shop.ask("GET", LIST_TARGET, &[("if-none-match", etag)], "");
    Ok(same(request, 304))
}

fn detail(shop: &Shop, _: usize) -> Result<Work> {
    Ok(fresh(shop, 200, |shop, n| {
        let product = &shop.products[n % shop.products.len()];
        shop.ask("GET", &format!("/v1/products/{product}"), &[], "")
    }))
}

fn filtered_list(shop: &Shop, _: usize) -> Result<Work> {
    Ok(fresh(shop, 200, |shop, n| {
        let filter = format!(
            "&inStock=true&minPrice={}&maxPrice={}",
            n % 500,
            100_000 + n
        );
        shop.ask("GET", &format!("{LIST_TARGET}{filter}"), &[], "")
    }))
}

fn search(shop: &Shop, _: usize) -> Result<Work> {
    Ok(fresh(shop, 200, |shop, n| {
        let words = [
            "fern%20lamp",
            "oak",
            "juniper%20jac",
            "tent",
            "moss%20chair",
        ];
        let text = words[n % words.len()];
        let target = format!("{LIST_TARGET}&text={text}&maxPrice={}", 100_000 + n);
        shop.ask("GET", &target, &[], "")
    }))
}

fn order_by_id(shop: &Shop, _: usize) -> Result<Work> {
    let mut http = Http::connect(shop.address)?;
    let mut requests = Vec::new();
    for cart in checkouts(shop, &mut http, 20)? {
        let placed = http.expect(&place(shop, &cart), 200)?;
        let order = serde_json::from_slice::<Placement>(placed)?.order.id;
        requests.push(cart.ask(shop, "GET", &format!("/v1/orders/{order}"), ""));
    }
    let mut n = 0;
    Ok(Box::new(move |http| {
        n += 1;
        let request = &requests[n % requests.len()];
        http.expect(request, 200).map(|_| true)
    }))
}

fn graphql_list(shop: &Shop, _: usize) -> Result<Work> {
    Ok(fresh(shop, 200, |shop, n| {
        let body = json!({ "query": PRODUCTS, "variables": { "min": n % 500 } });
        shop.ask("POST", "/graphql", &[], &body.to_string())
    }))
}

fn create_cart(shop: &Shop, _: usize) -> Result<Work> {
    Ok(fresh(shop, 201, |shop, n| {
        let body = json!({ "lines": lines(shop, n, 1) });
        shop.ask("POST", "/v1/carts", &[], &body.to_string())
    }))
}

/// Each cart has one line and gets four more.
fn add_line(shop: &Shop, times: usize) -> Result<Work> {
    let mut http = Http::connect(shop.address)?;
    let mut requests = Vec::new();
    for _ in 0..times.div_ceil(4) {
        let cart = create(shop, &mut http, 1, false)?;
        for _ in 0..4 {
            requests.push(cart.add(shop));
        }
    }
    Ok(once(requests, 200))
}

/// Each cart has 200 lines and gets eight more.
fn add_line_to_200(shop: &Shop, times: usize) -> Result<Work> {
    let mut http = Http::connect(shop.address)?;
    let mut requests = Vec::new();
    for _ in 0..times.div_ceil(32) {
        let cart = create(shop, &mut http, 200, false)?;
        for _ in 0..8 {
            requests.push(cart.add(shop));
        }
    }
    Ok(once(requests, 200))
}

fn start_checkout(shop: &Shop, times: usize) -> Result<Work> {
    let mut http = Http::connect(shop.address)?;
    let mut requests = Vec::with_capacity(times);
    for _ in 0..times {
        requests.push(start(shop, &create(shop, &mut http, 2, true)?));
    }
    Ok(once(requests, 201))
}

fn place_order(shop: &Shop, times: usize) -> Result<Work> {
    let mut http = Http::connect(shop.address)?;
    let carts = checkouts(shop, &mut http, times)?;
    let requests = carts.iter().map(|cart| place(shop, cart)).collect();
    Ok(once(requests, 200))
}

fn whole_checkout(shop: &Shop, _: usize) -> Result<Work> {
    let shop = shop.clone();
    Ok(Box::new(move |http| {
        let cart = create(&shop, http, 2, false)?;
        let ready = json!({
            "email": "ada@example.com", "shippingAddress": address(), "shippingMethodId": shop.shipping_method,
        });
        let target = format!("/v1/carts/{}", cart.id);
        http.expect(&cart.ask(&shop, "PATCH", &target, &ready.to_string()), 200)?;
        http.expect(&start(&shop, &cart), 201)?;
        http.expect(&place(&shop, &cart), 200).map(|_| true)
    }))
}

/// Events about 25 payments that are authorised.
fn webhook(shop: &Shop, _: usize) -> Result<Work> {
    let mut http = Http::connect(shop.address)?;
    let by_stripe = json!({ "provider": "stripe", "token": "pm_card_visa" });
    let mut payments = Vec::new();
    for _ in 0..25 {
        let cart = create(shop, &mut http, 2, true)?;
        http.expect(&start_by(shop, &cart, &by_stripe), 201)?;
        let placed = http.expect(&place(shop, &cart), 200)?;
        let placed: serde_json::Value = serde_json::from_slice(placed)?;
        payments.push(placed["order"]["payments"][0].clone());
    }
    let mut n = 0;
    Ok(Box::new(move |http| {
        n += 1;
        let event = webhooks::event(&payments[n % payments.len()]);
        http.expect(&event, 200).map(|_| true)
    }))
}

/// A cart, and the proof that it is the shopper's.
pub struct Cart {
    pub id: String,
    token: String,
}

#[derive(Deserialize)]
struct NewCart {
    token: String,
    cart: Id,
}

#[derive(Deserialize)]
struct Placement {
    order: Id,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

impl Cart {
    fn ask(&self, shop: &Shop, method: &str, target: &str, body: &str) -> Vec<u8> {
        let once = mercer::kernel::id::fresh().to_string();
        let headers = [
            ("x-cart-token", self.token.as_str()),
            ("idempotency-key", once.as_str()),
        ];
        shop.ask(method, target, &headers, body)
    }

    fn add(&self, shop: &Shop) -> Vec<u8> {
        let body = json!({ "lines": lines(shop, shop.number(), 1) });
        let target = format!("/v1/carts/{}/lines", self.id);
        let token = [("x-cart-token", self.token.as_str())];
        shop.ask("POST", &target, &token, &body.to_string())
    }
}

fn lines(shop: &Shop, number: usize, count: usize) -> serde_json::Value {
    let line = |i| json!({ "variantId": shop.variant(number + i), "quantity": 1 });
    (0..count).map(line).collect()
}

fn address() -> serde_json::Value {
    json!({ "name": "Ada Lovelace", "line1": "Invalidenstr. 1", "postcode": "10115", "city": "Berlin", "country": "DE" })
}

fn create(shop: &Shop, http: &mut Http, count: usize, ready: bool) -> Result<Cart> {
    let mut body = json!({ "lines": lines(shop, shop.number(), count) });
    if ready {
        body["email"] = "ada@example.com".into();
        body["shippingAddress"] = address();
        body["shippingMethodId"] = shop.shipping_method.as_str().into();
    }
    let request = shop.ask("POST", "/v1/carts", &[], &body.to_string());
    let made: NewCart = serde_json::from_slice(http.expect(&request, 201)?)?;
    Ok(Cart {
        id: made.cart.id,
        token: made.token,
    })
}

fn start(shop: &Shop, cart: &Cart) -> Vec<u8> {
    start_by(shop, cart, &json!({ "provider": "test" }))
}

fn start_by(shop: &Shop, cart: &Cart, payment: &serde_json::Value) -> Vec<u8> {
    let body = json!({ "payment": payment });
    let target = format!("/v1/carts/{}/checkout", cart.id);
    cart.ask(shop, "POST", &target, &body.to_string())
}

fn place(shop: &Shop, cart: &Cart) -> Vec<u8> {
    let target = format!("/v1/carts/{}/place-order", cart.id);
    cart.ask(shop, "POST", &target, "")
}

/// Carts of two lines whose checkout is started.
pub fn checkouts(shop: &Shop, http: &mut Http, count: usize) -> Result<Vec<Cart>> {
    let mut carts = Vec::with_capacity(count);
    for _ in 0..count {
        let cart = create(shop, http, 2, true)?;
        http.expect(&start(shop, &cart), 201)?;
        carts.push(cart);
    }
    Ok(carts)
}
