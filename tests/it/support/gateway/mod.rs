//! A payment gateway for tests: a real HTTP server that speaks as Stripe does, and can be told to misbehave.
//!
//! ```text
//! let gateway = Gateway::start();
//! // … the server under test is told gateway.url() and SECRET_KEY, and makes a payment intent …
//! gateway.fault("POST", "/v1/payment_intents/*/capture", Fault::TimeoutAfter);
//! gateway.confirm_by_client(&client_secret, "pm_card_visa").unwrap();
//! gateway.deliver_all(&webhooks, "whsec_test");
//! assert_eq!(gateway.money()[&intent].captured, 1999);
//! ```
//!
//! It is strict: a parameter that Stripe does not know is refused, an idempotency key is held to what it was used for, money
//! that is not there is not given back. What Stripe has and the double does not play is answered with a loud 500.

#![allow(dead_code)] // Not every story needs every part.

mod capture;
mod cards;
mod charges;
mod confirm;
mod customers;
mod disputes;
mod errors;
mod events;
mod expand;
mod idempotency;
mod intents;
mod lists;
mod params;
mod records;
mod refunds;
mod routes;
mod server;
mod setup;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

pub use super::double::Fault;
pub use events::{Event, signature};
pub use records::{Money, Recorded};
pub use state::API_VERSION;

use super::double::{self, Request, Running, Server};
use errors::Reply;
use params::Params;
use server::Shared;

/// A secret key that the gateway takes.
pub const SECRET_KEY: &str = "sk_test_double";

/// A gateway that runs until it is dropped.
pub struct Gateway {
    shared: Arc<Shared>,
    server: Server,
}

impl Gateway {
    /// Starts one on a free port.
    pub fn start() -> Self {
        let shared = Arc::new(Shared::new());
        let theirs = Arc::clone(&shared);
        let answer =
            move |request: &Request, running: &Running| server::respond(&theirs, request, running);
        let server = Server::start(answer);
        Self { shared, server }
    }

    /// Where it listens: `http://127.0.0.1:…`, without a slash at the end.
    pub fn url(&self) -> String {
        self.server.url()
    }

    // --- how it behaves

    /// Lets something go wrong with the next request whose method and path fit. Each fault is used once, in order.
    ///
    /// The path fits from its beginning, name by name; `*` stands for any name, a `$` at the end for "and nothing behind it".
    pub fn fault(&self, method: &str, path: &str, fault: Fault) {
        self.shared.state().faults.add(method, path, fault);
    }

    /// How many faults were not used yet.
    pub fn faults_left(&self) -> usize {
        self.shared.state().faults.left()
    }

    /// Forgets the faults that were not used yet.
    pub fn clear_faults(&self) {
        self.shared.state().faults.clear();
    }

    /// How long `TimeoutBefore`, `TimeoutAfter` and `Slow` sleep; three seconds where nothing is said.
    pub fn set_sleep(&self, duration: Duration) {
        self.shared.state().sleep = duration;
    }

    /// Holds the clock at a second since 1970; `None` lets it go with the machine's.
    pub fn set_now(&self, now: Option<i64>) {
        self.shared.state().clock = now;
    }

    /// Whether an authorisation that is let go, in part or whole, shows in the charge's `amount_refunded` and `refunds` with a
    /// `charge.refunded` event. Stripe does so, and so does the double unless told otherwise.
    pub fn release_as_refund(&self, yes: bool) {
        self.shared.state().release_as_refund = yes;
    }

    /// Keeps new payment intents out of the search, whose index lags at Stripe; `false` lets them all in.
    pub fn hold_search(&self, held: bool) {
        let mut state = self.shared.state();
        state.search_held = held;
        if !held {
            state
                .intents
                .values_mut()
                .for_each(|intent| intent.indexed = true);
        }
    }

    /// Forgets the idempotency keys, as Stripe does after a day or more.
    pub fn forget_keys(&self) {
        self.shared.state().keys.prune();
    }

    // --- what the payer does

    /// What Stripe.js does in the browser, for a payment or a setup intent. A refusal is the body of the error.
    pub fn confirm_by_client(&self, client_secret: &str, method: &str) -> Result<Value, Value> {
        self.confirm(client_secret, method, None)
    }

    /// The same with the address to come back to, so that an action is a redirect.
    pub fn confirm_by_client_at(
        &self,
        client_secret: &str,
        method: &str,
        return_url: &str,
    ) -> Result<Value, Value> {
        self.confirm(client_secret, method, Some(return_url))
    }

    fn confirm(&self, secret: &str, method: &str, url: Option<&str>) -> Result<Value, Value> {
        let mut state = self.shared.state();
        let reply = if secret.starts_with("seti_") {
            setup::confirm_by_client(&mut state, secret, method, url)
        } else {
            confirm::confirm_by_client(&mut state, secret, method, url)
        };
        plain(reply)
    }

    /// The payer stands 3D Secure, or does not. Takes a payment or a setup intent; answers how it stands.
    pub fn complete_action(&self, intent: &str, succeed: bool) -> Value {
        let mut state = self.shared.state();
        if intent.starts_with("seti_") {
            setup::complete_action(&mut state, intent, succeed)
        } else {
            confirm::complete_action(&mut state, intent, succeed)
        }
    }

    // --- what banks and time do

    /// How a payment that is `processing` ends (`pm_card_processing`).
    pub fn settle_payment(&self, intent: &str, succeed: bool) -> Value {
        confirm::settle(&mut self.shared.state(), intent, succeed)
    }

    /// The authorisation runs out: the intent is canceled with the reason `automatic`.
    pub fn expire_authorization(&self, intent: &str) -> Value {
        capture::expire(&mut self.shared.state(), intent)
    }

    /// The payer disputes the payment.
    pub fn dispute(&self, intent: &str, reason: &str) -> Value {
        disputes::open(&mut self.shared.state(), intent, reason)
    }

    /// The dispute ends.
    pub fn close_dispute(&self, intent: &str, won: bool) -> Value {
        disputes::close(&mut self.shared.state(), intent, won)
    }

    /// A refund becomes `succeeded` or `failed`; one that had succeeded can still fail.
    pub fn settle_refund(&self, refund: &str, ok: bool) -> Value {
        refunds::settle(&mut self.shared.state(), refund, ok)
    }

    // --- what somebody does at the dashboard

    /// Gives money back at the dashboard.
    pub fn refund_at_dashboard(&self, intent: &str, amount: i64) -> Result<Value, Value> {
        let mut state = self.shared.state();
        let charge = state.intents[intent]
            .latest_charge
            .clone()
            .expect("a charge to refund");
        plain(refunds::make(
            &mut state,
            &charge,
            Some(amount),
            None,
            Map::new(),
        ))
    }

    /// Captures at the dashboard; `None` is all of it.
    pub fn capture_at_dashboard(&self, intent: &str, amount: Option<i64>) -> Result<Value, Value> {
        let amount = amount
            .map(|amount| format!("amount_to_capture={amount}"))
            .unwrap_or_default();
        let params = Params::parse(&amount).expect("parameters");
        plain(capture::capture(&mut self.shared.state(), intent, &params))
    }

    /// Cancels at the dashboard.
    pub fn cancel_at_dashboard(&self, intent: &str) -> Result<Value, Value> {
        plain(capture::cancel(
            &mut self.shared.state(),
            intent,
            &Params::parse("").expect("none"),
        ))
    }

    /// Takes a kept payment method from its customer at the dashboard.
    pub fn detach_at_dashboard(&self, method: &str) -> Result<Value, Value> {
        let params = Params::parse("").expect("none");
        plain(customers::detach(&mut self.shared.state(), method, &params))
    }

    /// Deletes a customer at the dashboard, with all that is kept for them.
    pub fn delete_customer_at_dashboard(&self, customer: &str) -> Result<Value, Value> {
        let params = Params::parse("").expect("none");
        plain(customers::delete(
            &mut self.shared.state(),
            customer,
            &params,
        ))
    }

    // --- events

    /// Every event, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.shared.state().events.clone()
    }

    /// The events that no delivery was answered with 2xx for, oldest first.
    pub fn pending_events(&self) -> Vec<Event> {
        let state = self.shared.state();
        state
            .events
            .iter()
            .filter(|event| !event.delivered)
            .cloned()
            .collect()
    }

    /// Loses the events that are pending. They can still be fetched.
    pub fn discard_events(&self) {
        self.shared
            .state()
            .events
            .iter_mut()
            .for_each(|event| event.delivered = true);
    }

    /// Delivers an event, again where it was delivered already. Answers the status; 0 where there was no answer.
    pub fn deliver(&self, url: &str, event: &Event, secret: &str) -> u16 {
        let body = event.body();
        let header = signature(&[secret], self.now(), body.as_bytes());
        let status = Self::deliver_raw(url, &body, &header);
        if (200..300).contains(&status) {
            let mut state = self.shared.state();
            let known = state.events.iter_mut().find(|known| known.id == event.id);
            if let Some(known) = known {
                known.delivered = true;
            }
        }
        status
    }

    /// Delivers the pending events, oldest first. Answers each event's id with its status.
    pub fn deliver_all(&self, url: &str, secret: &str) -> Vec<(String, u16)> {
        let each = |event: Event| (event.id.clone(), self.deliver(url, &event, secret));
        self.pending_events().into_iter().map(each).collect()
    }

    /// Sends any body with any `Stripe-Signature`, as a forger would.
    pub fn deliver_raw(url: &str, body: &str, signature: &str) -> u16 {
        let headers = [
            ("content-type", "application/json; charset=utf-8"),
            (
                "user-agent",
                "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            ),
            ("stripe-signature", signature),
        ];
        double::deliver(url, &headers, body)
    }

    /// The gateway's time, in seconds since 1970.
    pub fn now(&self) -> i64 {
        self.shared.state().now()
    }

    // --- records

    /// What was asked, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.state().requests.clone()
    }

    /// Forgets what was asked.
    pub fn clear_requests(&self) {
        self.shared.state().requests.clear();
    }

    /// Where the money is, by payment intent.
    pub fn money(&self) -> BTreeMap<String, Money> {
        records::money(&self.shared.state())
    }

    /// An object by its id, as the gateway has it now.
    pub fn object(&self, id: &str) -> Option<Value> {
        self.shared.state().object(id)
    }
}

fn plain(reply: Reply) -> Result<Value, Value> {
    reply.map_err(|error| error.json())
}
