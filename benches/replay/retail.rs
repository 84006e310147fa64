//! The replay itself: import, sell, cancel, compare.

#![allow(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::doc_markdown,
    clippy::needless_for_each,
    clippy::similar_names
)]

mod file;
mod parallel;
#[path = "../support/mod.rs"]
mod support;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;

use mercer::import::retail::country;
use serde_json::{Value, json};

use file::{File, Invoice, Line, Return};
use parallel::{Told, Watch, in_parallel};
pub use support::Result;
use support::database::Database;
use support::grouped;
use support::http::{Client, request, text};
use support::server::{Server, mercer, set_up};

const CHANNEL: &str = "retail";

/// The shop that sells it all again.
struct Shop {
    address: SocketAddr,
    bearer: String,
    channel: String,
    delivery: String,
}

/// An order, as far as it can be cancelled.
struct Placed {
    id: String,
    lines: Vec<String>,
}

/// Sells the file at `path` again in a database of its own, on the PostgreSQL server that is named or on SQLite, with so many
/// invoices on their way at once. An error where the shop and the file do not agree.
pub fn replay(path: &Path, postgres: Option<&str>, workers: usize) -> Result<()> {
    let database = Database::fresh(postgres)?;
    let secret = set_up(&database)?;
    let import = ["import", "retail", "--create-channel", "--channel", CHANNEL];
    // Where rows were left out it says which, and ends with 1.
    mercer(&database, &import).arg(path).status()?;

    let health = request("GET", "/health/live", &[], "");
    let (server, _) = Server::start(&database, &health)?;
    let mut client = Client::new(server.address, &secret)?;
    let shop = Shop::find(server.address, &secret, &mut client)?;
    let file = File::read(path, &skus(&mut client)?)?;

    let sales = in_parallel(workers, shop.address, &file.sales, |watch, sale| {
        shop.sell(watch, sale)
    })?;
    let on = if postgres.is_some() {
        "PostgreSQL"
    } else {
        "SQLite"
    };
    println!("\n{on}, {workers} workers");
    sales.print("orders", |i| file.sales[i].number.clone());
    let returns = in_parallel(
        workers,
        shop.address,
        &file.returns,
        |watch, back| match &sales.done[back.sale] {
            Some(order) => shop.cancel(watch, &file, back, order),
            None => Ok(Err("its sale was refused".to_owned())),
        },
    )?;
    returns.print("cancellations", |i| {
        let Return {
            cancellation, sale, ..
        } = file.returns[i];
        let number = &file.cancellations[cancellation].number;
        format!("{number} of {}", file.sales[sale].number)
    });

    println!("\nPounds: the file, less what is left out of it, is the shop");
    let refused = sales.refused.iter().map(|(i, _)| file.sales[*i].amount());
    let sold = account(
        "sold",
        file.sums.0,
        &file.unusable,
        "not sold here",
        refused.sum(),
    );
    let refused = returns
        .refused
        .iter()
        .map(|(i, _)| file.worth(&file.returns[*i]));
    let taken_back = account(
        "cancelled",
        file.sums.1,
        &file.unmatched,
        "no such sale",
        refused.sum(),
    );
    let found = shop.totals(&mut client)?;
    println!("the shop");
    println!("  {:<16}{:>14}", "sold", pounds(found.0));
    println!("  {:<16}{:>14}", "cancelled", pounds(found.1));
    println!();
    let healthy = mercer(&database, &["doctor"]).status()?.success();
    server.stop()?;
    if !healthy || found != (sold, taken_back) {
        return Err("the shop and the file do not agree".into());
    }
    println!("The shop and the file agree to the penny.");
    Ok(())
}

/// What there is to sell.
fn skus(client: &mut Client) -> Result<HashSet<String>> {
    let products = client.list("/products")?;
    let variants = products.iter().filter_map(|p| p["variants"].as_array());
    variants.flatten().map(|v| text(v, "/sku")).collect()
}

impl Shop {
    fn find(address: SocketAddr, secret: &str, client: &mut Client) -> Result<Self> {
        let channels = client.list("/channels")?;
        let ours = channels.iter().find(|c| c["handle"] == CHANNEL);
        let channel = text(ours.ok_or("the import has made no channel")?, "/id")?;
        let methods = client.list(&format!("/shipping-methods?channelId={channel}"))?;
        let method = methods.first().ok_or("the import has made no delivery")?;
        Ok(Self {
            address,
            bearer: format!("Bearer {secret}"),
            delivery: text(method, "/id")?,
            channel,
        })
    }

    /// A cart, its checkout, its order: each line at its invoiced price, the whole at its invoiced total.
    fn sell(&self, watch: &mut Watch, sale: &Invoice) -> Result<Told<Placed>> {
        let line =
            |l: &Line| json!({ "sku": l.code, "quantity": l.quantity, "unitPrice": l.price });
        let cart = json!({
            "channelId": self.channel,
            "reference": sale.number,
            "email": format!("customer-{}@example.com", sale.customer),
            "shippingMethodId": self.delivery,
            "shippingAddress": {
                "name": format!("Customer {}", sale.customer), "line1": "1 High Street", "city": "Somewhere",
                "country": country(&sale.country).unwrap_or("GB"),
            },
            "lines": sale.lines.iter().map(line).collect::<Value>(),
        });
        let cart = match self.post(watch, "createCart", "/carts", &sale.number, &cart)? {
            Ok(made) => text(&made, "/cart/id")?,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let target = format!("/carts/{cart}/checkout");
        let checkout = json!({
            "payment": { "provider": "manual", "method": "invoice" }, "expectedTotal": sale.amount(),
        });
        if let Err(refusal) = self.post(watch, "startCheckout", &target, &sale.number, &checkout)? {
            return Ok(Err(refusal));
        }
        let target = format!("/carts/{cart}/place-order");
        let placed = match self.post(watch, "placeOrder", &target, &sale.number, &Value::Null)? {
            Ok(placed) => placed,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let lines = placed["order"]["lines"].as_array();
        let lines = lines.ok_or("an order without lines")?;
        for (line, sold) in sale.lines.iter().zip(lines) {
            let same = sold["sku"] == line.code.as_str()
                && sold["quantity"] == line.quantity
                && sold["total"]["amount"] == line.amount();
            if !same {
                return Err(format!("{}: {} became {sold}", sale.number, line.code).into());
            }
        }
        Ok(Ok(Placed {
            id: text(&placed, "/order/id")?,
            lines: lines
                .iter()
                .map(|l| text(l, "/id"))
                .collect::<Result<_>>()?,
        }))
    }

    fn cancel(
        &self,
        watch: &mut Watch,
        file: &File,
        back: &Return,
        order: &Placed,
    ) -> Result<Told<()>> {
        let number = &file.cancellations[back.cancellation].number;
        let units = back.units.iter();
        let lines = units.map(|(place, n)| json!({ "lineId": order.lines[*place], "quantity": n }));
        let body = json!({ "reason": number, "lines": lines.collect::<Value>() });
        let target = format!("/orders/{}/cancel", order.id);
        let key = format!("{number}-{}", back.sale);
        let told = self.post(watch, "cancelOrder", &target, &key, &body)?;
        Ok(told.map(drop))
    }

    fn post(
        &self,
        watch: &mut Watch,
        name: &'static str,
        path: &str,
        key: &str,
        body: &Value,
    ) -> Result<Told<Value>> {
        let headers = [
            ("authorization", self.bearer.as_str()),
            ("idempotency-key", key),
        ];
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        watch.ask(
            name,
            &request("POST", &format!("/v1{path}"), &headers, &body),
        )
    }

    /// What was sold and what was cancelled, as the shop tells it.
    fn totals(&self, client: &mut Client) -> Result<(i64, i64)> {
        let (mut sold, mut cancelled) = (0, 0);
        for order in client.list(&format!("/orders?channelId={}", self.channel))? {
            let amount = |name: &str| order["totals"][name]["amount"].as_i64().ok_or("no total");
            sold += amount("total")?;
            cancelled += amount("cancelled")?;
        }
        Ok((sold, cancelled))
    }
}

/// Prints one side of the account; says what the shop must come to.
fn account(what: &str, sum: i64, left_out: &[(String, Line)], why: &str, refused: i64) -> i64 {
    let out: i64 = left_out.iter().map(|(_, line)| line.amount()).sum();
    println!("{what}");
    println!("  {:<16}{:>14}", "file", pounds(sum));
    println!(
        "  {why:<16}{:>14} in {} lines",
        pounds(-out),
        left_out.len()
    );
    println!("  {:<16}{:>14}", "refused", pounds(-refused));
    println!("  {:<16}{:>14}", "to be found", pounds(sum - out - refused));
    sum - out - refused
}

fn pounds(pence: i64) -> String {
    let sign = if pence < 0 { "-" } else { "" };
    let whole = grouped(pence.abs() / 100);
    format!("{sign}{whole}.{:02}", pence.abs() % 100)
}
