//! PayPal for tests: a real HTTP server that speaks as PayPal does, and can be told to misbehave.
//!
//! ```text
//! let paypal = Paypal::start(&clock);
//! // … the server under test is told paypal.url(), CLIENT_ID, SECRET and WEBHOOK_ID, and opens an order …
//! paypal.fault("POST", "/v2/checkout/orders/*/authorize", Fault::TimeoutAfter);
//! paypal.approve(&order, Instrument::Good);
//! paypal.deliver_all(&webhooks);
//! assert_eq!(paypal.money()[&order].captured, 1999);
//! ```
//!
//! It is strict: a field that PayPal does not know, an amount that is no decimal text, a call without a `PayPal-Request-Id` or
//! with one that was used for something else is refused; money that is not there is not given back. Where PayPal would let a
//! capture exceed its authorisation, the double does not. What PayPal has and the double does not play is a loud 500.

#![allow(dead_code)] // Not every story needs every part.

mod bodies;
mod calls;
mod disputes;
mod payments;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod webhooks;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use mercer::kernel::Clock;
use serde_json::Value;

pub use super::double::Fault;
use super::double::{self, Request, Running, Server, lock};
use calls::plain;
pub use state::{Instrument, Money, Recorded};
use state::{State, now};
pub use webhooks::Event;

/// The REST app's client id.
pub const CLIENT_ID: &str = "client-of-the-double";
/// Its secret.
pub const SECRET: &str = "secret-of-the-double";
/// The id of the webhook that it sends.
pub const WEBHOOK_ID: &str = "5GP028458E2496506";

/// A PayPal that runs until it is dropped.
pub struct Paypal {
    state: Arc<Mutex<State>>,
    server: Server,
}

impl Paypal {
    /// Starts one on a free port, whose time is this clock's.
    pub fn start(clock: &Clock) -> Self {
        let state = Arc::new(Mutex::new(State::new(clock.clone())));
        let theirs = Arc::clone(&state);
        let answer =
            move |request: &Request, running: &Running| server::respond(&theirs, request, running);
        let server = Server::start(answer);
        Self { state, server }
    }

    /// Where it listens: `http://127.0.0.1:…`, without a slash at the end.
    pub fn url(&self) -> String {
        self.server.url()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    // --- how it behaves

    /// Lets something go wrong with the next request whose method and path fit. Each fault is used once, in order.
    pub fn fault(&self, method: &str, path: &str, fault: Fault) {
        self.state().faults.add(method, path, fault);
    }

    /// How long a fault sleeps; three seconds where nothing is said.
    pub fn set_sleep(&self, duration: Duration) {
        self.state().sleep = duration;
    }

    /// Takes every access token back before its time.
    pub fn revoke_tokens(&self) {
        self.state().tokens.clear();
    }

    /// Whether refunds are pending until [`settle_refund`](Self::settle_refund).
    pub fn hold_refunds(&self, held: bool) {
        self.state().refunds_held = held;
    }

    // --- what the shopper, time and the merchant do

    /// The shopper approves an order on PayPal's page, to be paid with this instrument.
    pub fn approve(&self, order: &str, instrument: Instrument) {
        self.state().approve(order, instrument);
    }

    /// Somebody raises what an order is about by one smallest unit.
    pub fn raise(&self, order: &str) {
        let mut state = self.state();
        state.orders.get_mut(order).expect("an order").units += 1;
    }

    /// How an authorisation or a capture that is under review ends.
    pub fn settle(&self, order: &str, ok: bool) {
        payments::settle(&mut self.state(), order, ok);
    }

    /// How the refunds of an order that are pending end.
    pub fn settle_refund(&self, order: &str, ok: bool) {
        payments::settle_refund(&mut self.state(), order, ok);
    }

    /// Captures on PayPal's site, all of it.
    pub fn capture_by_hand(&self, order: &str) -> Result<Value, Value> {
        let mut state = self.state();
        let id = state.piece_of(order, "authorizations");
        plain(payments::capture(
            &mut state,
            &id,
            b"{\"final_capture\":true}",
        ))
    }

    /// Lets an authorisation go on PayPal's site.
    pub fn void_by_hand(&self, order: &str) -> Result<Value, Value> {
        let mut state = self.state();
        let id = state.piece_of(order, "authorizations");
        plain(payments::void(&mut state, &id))
    }

    /// Sends money back on PayPal's site, which knows nothing of our ids.
    pub fn refund_by_hand(&self, order: &str, value: &str) -> Result<Value, Value> {
        let last = self.state().of(order, "captures").count() - 1;
        self.refund_of(order, last, value)
    }

    /// The same of one of several captures.
    pub fn refund_of(&self, order: &str, capture: usize, value: &str) -> Result<Value, Value> {
        let mut state = self.state();
        let id = state
            .of(order, "captures")
            .nth(capture)
            .expect("a capture")
            .id
            .clone();
        let currency = state.orders[order].currency.clone();
        let body = serde_json::json!({"amount": {"currency_code": currency, "value": value}});
        let body = body.to_string();
        plain(payments::refund(&mut state, &id, body.as_bytes()))
    }

    /// The shopper disputes the payment, and is to talk with the shop first.
    pub fn dispute(&self, order: &str, reason: &str) {
        disputes::open(&mut self.state(), order, reason);
    }

    /// PayPal is to decide about the last dispute, and holds the money.
    pub fn escalate_dispute(&self) {
        disputes::escalate(&mut self.state());
    }

    /// How the last dispute ends: `RESOLVED_BUYER_FAVOUR` and so on.
    pub fn close_dispute(&self, outcome: &str) {
        disputes::close(&mut self.state(), outcome);
    }

    // --- webhooks

    /// Every event, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }

    /// Loses the events that are pending.
    pub fn discard_events(&self) {
        let mut state = self.state();
        state.events.iter_mut().for_each(|e| e.delivered = true);
    }

    /// Delivers an event, again where it was delivered already. Answers the status; 0 where there was no answer.
    pub fn deliver(&self, url: &str, event: &Event) -> u16 {
        let body = event.json.to_string();
        let status = Self::deliver_raw(url, &body, &self.signed(&body));
        if (200..300).contains(&status) {
            let mut state = self.state();
            let known = state.events.iter_mut().filter(|e| e.id == event.id);
            known.for_each(|e| e.delivered = true);
        }
        status
    }

    /// Delivers the pending events, oldest first. Answers each event's kind with its status.
    pub fn deliver_all(&self, url: &str) -> Vec<(String, u16)> {
        let pending = self.events().into_iter().filter(|e| !e.delivered);
        let each = |event: Event| (event.kind.clone(), self.deliver(url, &event));
        pending.map(each).collect()
    }

    /// The headers of a delivery of this body, signed now.
    pub fn signed(&self, body: &str) -> Vec<(&'static str, String)> {
        let mut state = self.state();
        let (id, sent) = (state.id("T"), now(&state));
        webhooks::headers(&id, &sent, WEBHOOK_ID, body)
    }

    /// Sends any body with any headers, as a forger would.
    pub fn deliver_raw(url: &str, body: &str, headers: &[(&'static str, String)]) -> u16 {
        let plain = [
            ("content-type", "application/json"),
            ("user-agent", "PayPal/AUHD-214.0-58330042"),
        ];
        let own = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let all: Vec<_> = plain.into_iter().chain(own).collect();
        double::deliver(url, &all, body)
    }

    // --- records

    /// What was asked, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        self.state().requests.clone()
    }

    /// Where the money is, by order.
    pub fn money(&self) -> BTreeMap<String, Money> {
        self.state().money()
    }
}
