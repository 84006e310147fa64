//! Everything that the gateway knows.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::charges::Charge;
use super::customers::{Customer, PaymentMethod};
use super::disputes::Dispute;
use super::errors::Error;
use super::events::Event;
use super::idempotency::Keys;
use super::intents::Intent;
use super::records::Recorded;
use super::refunds::Refund;
use super::setup::SetupIntent;
use crate::support::double::Faults;

/// The version of the API that the objects have the shape of.
pub const API_VERSION: &str = "2025-09-30.clover";

/// Everything that the gateway knows, under one lock.
pub struct State {
    /// A clock that a test holds; else the machine's.
    pub clock: Option<i64>,
    /// How long a fault sleeps.
    pub sleep: Duration,
    /// Whether released money is written down as a refund of the charge, as Stripe does.
    pub release_as_refund: bool,
    /// Whether new payment intents are kept out of the search index.
    pub search_held: bool,
    /// The request that is being answered: its id and its idempotency key.
    pub request: Option<(String, Option<String>)>,
    /// Payment intents, by id.
    pub intents: BTreeMap<String, Intent>,
    /// Charges, by id.
    pub charges: BTreeMap<String, Charge>,
    /// Refunds, by id.
    pub refunds: BTreeMap<String, Refund>,
    /// Disputes, by id.
    pub disputes: BTreeMap<String, Dispute>,
    /// Setup intents, by id.
    pub setups: BTreeMap<String, SetupIntent>,
    /// Customers, by id.
    pub customers: BTreeMap<String, Customer>,
    /// Payment methods, by id.
    pub methods: BTreeMap<String, PaymentMethod>,
    /// Every event, oldest first.
    pub events: Vec<Event>,
    /// Idempotency keys.
    pub keys: Keys,
    /// The faults that are still to come.
    pub faults: Faults,
    /// What was asked.
    pub requests: Vec<Recorded>,
    counter: u64,
}

impl State {
    /// A gateway where nothing happened yet.
    pub fn new() -> Self {
        Self {
            clock: None,
            sleep: Duration::from_secs(3),
            release_as_refund: true,
            search_held: false,
            request: None,
            intents: BTreeMap::new(),
            charges: BTreeMap::new(),
            refunds: BTreeMap::new(),
            disputes: BTreeMap::new(),
            setups: BTreeMap::new(),
            customers: BTreeMap::new(),
            methods: BTreeMap::new(),
            events: Vec::new(),
            keys: Keys::default(),
            faults: Faults::default(),
            requests: Vec::new(),
            counter: 0,
        }
    }

    /// A new id. They count upwards, so that they sort by age.
    pub fn id(&mut self, prefix: &str) -> String {
        self.counter += 1;
        format!("{prefix}_3D{:014}", self.counter)
    }

    /// The time in seconds.
    #[allow(clippy::disallowed_methods)] // A gateway has a clock of its own.
    pub fn now(&self) -> i64 {
        self.clock.unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(0, |since| {
                i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
            })
        })
    }

    /// Writes an event down. `id` names the object; its picture is taken now.
    pub fn event(&mut self, kind: &str, id: &str) {
        self.event_after(kind, id, None);
    }

    /// The same, of an object that was otherwise before.
    pub fn event_after(&mut self, kind: &str, id: &str, before: Option<Value>) {
        let object = self.object(id).unwrap_or(Value::Null);
        let event = self.id("evt");
        let (request, key) = match &self.request {
            Some((request, key)) => (Some(request.clone()), key.clone()),
            None => (None, None),
        };
        let json = json!({
            "id": event,
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "data": { "object": object },
            "livemode": false,
            "pending_webhooks": 1,
            "request": { "id": request, "idempotency_key": key },
            "type": kind,
        });
        let mut json = json;
        if let Some(before) = before {
            json["data"]["previous_attributes"] = before;
        }
        self.events.push(Event::new(event, kind, json));
    }

    /// The object with an id, with nothing expanded.
    pub fn object(&self, id: &str) -> Option<Value> {
        let prefix = id.split('_').next().unwrap_or_default();
        match prefix {
            "pi" => self.intents.get(id).map(Intent::json),
            "ch" => self.charges.get(id).map(Charge::json),
            "re" => self.refunds.get(id).map(Refund::json),
            "du" => self.disputes.get(id).map(Dispute::json),
            "seti" => self.setups.get(id).map(SetupIntent::json),
            "cus" => self.customers.get(id).map(Customer::json),
            "pm" => self.methods.get(id).map(PaymentMethod::json),
            "evt" => {
                let event = self.events.iter().find(|event| event.id == id);
                event.map(|event| event.json.clone())
            }
            _ => None,
        }
    }

    /// The object of a path, or 404.
    pub fn found(&self, noun: &str, id: &str, param: &str) -> Result<Value, Error> {
        self.object(id)
            .ok_or_else(|| Error::no_such(noun, id, param, 404))
    }
}
