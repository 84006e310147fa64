//! Everything that PayPal knows.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use mercer::kernel::{Clock, Timestamp};
use serde_json::{Value, json};

use super::bodies::{self, Intent};
use super::webhooks::Event;
use crate::support::double::Faults;

/// What a shopper pays with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instrument {
    /// One that pays.
    Good,
    /// One that is declined when the money is to be reserved or taken.
    Declined,
    /// One whose payment PayPal looks into first.
    Reviewed,
}

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub method: String,
    pub path: String,
    /// The body, where it is JSON.
    pub body: Value,
    /// The `PayPal-Request-Id`.
    pub request_id: Option<String>,
    /// What was answered; nothing where the connection was closed.
    pub status: Option<u16>,
}

/// Where the money of an order is, in minor units.
#[derive(Clone, Debug, PartialEq)]
pub struct Money {
    /// What can still be captured.
    pub capturable: i64,
    /// What was captured.
    pub captured: i64,
    /// What was sent back.
    pub refunded: i64,
    /// The order's status, or its authorisation's.
    pub status: String,
    /// The order's `custom_id`.
    pub custom_id: String,
}

/// An order of one purchase unit.
pub struct Order {
    pub id: String,
    pub intent: Intent,
    pub status: &'static str,
    pub custom_id: Option<String>,
    pub currency: String,
    pub units: i64,
    pub instrument: Option<Instrument>,
    pub created: String,
}

/// An authorisation, a capture or a refund.
pub struct Piece {
    pub id: String,
    /// `authorizations`, `captures` or `refunds`.
    pub kind: &'static str,
    pub order: String,
    /// The path of what it is a part of.
    pub parent: String,
    pub status: &'static str,
    pub reason: Option<&'static str>,
    pub units: i64,
    pub custom_id: Option<String>,
    pub invoice_id: Option<String>,
    pub last: bool,
    pub created: String,
    pub expires: Timestamp,
}

/// What a `PayPal-Request-Id` was used for.
pub struct Used {
    pub path: String,
    pub body: Vec<u8>,
    /// The path of what came of it.
    pub object: String,
}

pub struct State {
    pub clock: Clock,
    pub sleep: Duration,
    pub refunds_held: bool,
    /// Access tokens and their ends.
    pub tokens: HashMap<String, Timestamp>,
    pub orders: BTreeMap<String, Order>,
    pub pieces: BTreeMap<String, Piece>,
    pub disputes: BTreeMap<String, Value>,
    pub used: HashMap<String, Used>,
    pub events: Vec<Event>,
    pub faults: Faults,
    pub requests: Vec<Recorded>,
    counter: u64,
}

/// The time, as PayPal writes it.
pub fn now(state: &State) -> String {
    state.clock.now().to_string()
}

impl State {
    /// A PayPal where nothing happened yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            sleep: Duration::from_secs(3),
            refunds_held: false,
            tokens: HashMap::new(),
            orders: BTreeMap::new(),
            pieces: BTreeMap::new(),
            disputes: BTreeMap::new(),
            used: HashMap::new(),
            events: Vec::new(),
            faults: Faults::default(),
            requests: Vec::new(),
            counter: 0,
        }
    }

    /// A new id of 17 characters. They count upwards, so that they sort by age.
    pub fn id(&mut self, prefix: &str) -> String {
        self.counter += 1;
        format!("{prefix}{:0>1$}", self.counter, 17 - prefix.len())
    }

    /// The shopper approves an order.
    pub fn approve(&mut self, id: &str, instrument: Instrument) {
        let order = self.orders.get_mut(id).expect("an order to approve");
        assert_ne!(order.status, "COMPLETED", "{id} is over");
        order.status = "APPROVED";
        order.instrument = Some(instrument);
        let path = format!("/v2/checkout/orders/{id}");
        self.event("CHECKOUT.ORDER.APPROVED", "checkout-order", &path);
    }

    /// The latest piece of this kind of an order.
    pub fn piece_of(&self, order: &str, kind: &str) -> String {
        let mut of = self.of(order, kind).map(|piece| piece.id.clone());
        of.next_back().expect("a piece of this kind")
    }

    /// The pieces of this kind of an order, oldest first.
    pub fn of<'a>(
        &'a self,
        order: &'a str,
        kind: &'a str,
    ) -> impl DoubleEndedIterator<Item = &'a Piece> {
        let all = self.pieces.values();
        all.filter(move |piece| piece.order == order && piece.kind == kind)
    }

    /// The pieces that are a part of another.
    pub fn parts(&self, whole: &str) -> impl Iterator<Item = &Piece> {
        let end = format!("/{whole}");
        let all = self.pieces.values();
        all.filter(move |piece| piece.parent.ends_with(&end))
    }

    /// What is left of an authorisation or a capture.
    pub fn left(&self, whole: &str) -> i64 {
        let piece = &self.pieces[whole];
        let counts = |p: &&Piece| !matches!(p.status, "DECLINED" | "FAILED" | "CANCELLED");
        let gone: i64 = self.parts(whole).filter(counts).map(|p| p.units).sum();
        let is_open = match piece.kind {
            "authorizations" => {
                matches!(piece.status, "CREATED" | "PARTIALLY_CAPTURED")
                    && !self.parts(whole).any(|p| p.last)
            }
            _ => matches!(piece.status, "COMPLETED" | "PARTIALLY_REFUNDED"),
        };
        if is_open { piece.units - gone } else { 0 }
    }

    /// The object at a path.
    pub fn object(&self, path: &str) -> Option<Value> {
        let id = path.rsplit('/').next()?;
        if path.starts_with("/v2/checkout/orders/") {
            return self.orders.get(id).map(|order| self.order(order));
        }
        let piece = self.pieces.get(id)?;
        (path == format!("/v2/payments/{}/{id}", piece.kind)).then(|| self.piece(piece))
    }

    fn order(&self, order: &Order) -> Value {
        let id = &order.id;
        let mut unit = json!({
            "reference_id": "default",
            "amount": self.amount(&order.id, order.units),
            "payee": {"email_address": "payee@example.com", "merchant_id": "YQZCHTGHUK5P8"},
        });
        if let Some(custom_id) = &order.custom_id {
            unit["custom_id"] = custom_id.as_str().into();
        }
        for kind in ["authorizations", "captures", "refunds"] {
            let pieces: Vec<Value> = self.of(id, kind).map(|p| self.piece(p)).collect();
            if !pieces.is_empty() {
                unit["payments"][kind] = pieces.into();
            }
        }
        let mut links = vec![link(&format!("/v2/checkout/orders/{id}"), "self")];
        if order.status == "PAYER_ACTION_REQUIRED" {
            links.push(json!({
                "href": format!("https://www.sandbox.paypal.com/checkoutnow?token={id}"),
                "rel": "payer-action", "method": "GET",
            }));
        }
        let payer = match order.instrument {
            None => json!({}),
            Some(_) => json!({
                "account_id": "QYR5Z8XDVJNXQ", "account_status": "VERIFIED",
                "email_address": "payer@example.com", "name": {"given_name": "P", "surname": "Payer"},
                "address": {"country_code": "DE"},
            }),
        };
        json!({
            "id": id, "intent": if order.intent == Intent::Capture { "CAPTURE" } else { "AUTHORIZE" },
            "status": order.status, "purchase_units": [unit], "payment_source": {"paypal": payer},
            "create_time": order.created, "links": links,
        })
    }

    fn piece(&self, piece: &Piece) -> Value {
        let own = format!("/v2/payments/{}/{}", piece.kind, piece.id);
        let mut json = json!({
            "id": piece.id, "status": piece.status, "amount": self.amount(&piece.order, piece.units),
            "create_time": piece.created, "update_time": piece.created,
            "links": [link(&own, "self"), link(&piece.parent, "up")],
        });
        for (name, text) in [
            ("custom_id", &piece.custom_id),
            ("invoice_id", &piece.invoice_id),
        ] {
            if let Some(text) = text {
                json[name] = text.as_str().into();
            }
        }
        if let Some(reason) = piece.reason {
            json["status_details"]["reason"] = reason.into();
        }
        if piece.kind != "refunds" {
            json["supplementary_data"]["related_ids"]["order_id"] = piece.order.as_str().into();
            json["seller_protection"]["status"] = "ELIGIBLE".into();
        }
        match piece.kind {
            "authorizations" => json["expiration_time"] = piece.expires.to_string().into(),
            "captures" => json["final_capture"] = piece.last.into(),
            _ => {}
        }
        json
    }

    fn amount(&self, order: &str, units: i64) -> Value {
        let currency = &self.orders[order].currency;
        json!({"currency_code": currency, "value": bodies::text(units, currency)})
    }

    /// The books.
    pub fn money(&self) -> BTreeMap<String, Money> {
        let sum = |order: &str, kind: &str, taken: &[&str]| -> i64 {
            let pieces = self.of(order, kind);
            let counted = pieces.filter(|piece| taken.contains(&piece.status));
            counted.map(|piece| piece.units).sum()
        };
        let taken = ["COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"];
        let book = |order: &Order| {
            let authorization = self.of(&order.id, "authorizations").next_back();
            let money = Money {
                capturable: authorization.map_or(0, |piece| self.left(&piece.id)),
                captured: sum(&order.id, "captures", &taken),
                refunded: sum(&order.id, "refunds", &["COMPLETED", "PENDING"]),
                status: authorization
                    .map_or(order.status, |piece| piece.status)
                    .to_owned(),
                custom_id: order.custom_id.clone().unwrap_or_default(),
            };
            (order.id.clone(), money)
        };
        self.orders.values().map(book).collect()
    }
}

/// A link to somewhere at PayPal.
pub fn link(path: &str, rel: &str) -> Value {
    json!({"href": format!("https://api-m.sandbox.paypal.com{path}"), "rel": rel, "method": "GET"})
}
