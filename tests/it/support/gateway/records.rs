//! What was asked, and where the money is.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::charges;
use super::state::State;
use crate::support::double::Fault;

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// `req_…`, as in the `Request-Id` header.
    pub id: String,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The parameters, as a tree of strings.
    pub params: Value,
    /// The `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// The `Stripe-Version`.
    pub version: Option<String>,
    /// The fault that met it.
    pub fault: Option<Fault>,
    /// What was answered; nothing where the connection was closed.
    pub status: Option<u16>,
    /// Whether the answer was the kept one of an earlier request.
    pub replayed: bool,
}

/// Where the money of a payment intent is.
#[derive(Clone, Debug, PartialEq)]
pub struct Money {
    /// What the bank authorised at the last successful attempt.
    pub authorized: i64,
    /// What can still be captured of it.
    pub capturable: i64,
    /// What was captured.
    pub captured: i64,
    /// What was given back, failed refunds not counted. Released authorisations are no refunds here.
    pub refunded: i64,
    /// What a dispute holds or took.
    pub disputed: i64,
    /// The currency.
    pub currency: String,
    /// The intent's status.
    pub status: String,
    /// The intent's metadata.
    pub metadata: Map<String, Value>,
}

/// The books, by payment intent.
pub fn money(state: &State) -> BTreeMap<String, Money> {
    let book = |intent: &super::intents::Intent| {
        let charge = intent
            .latest_charge
            .as_ref()
            .map(|charge| &state.charges[charge]);
        let charge = charge.filter(|charge| charge.failure.is_none());
        let dispute = charge.and_then(|charge| charge.dispute.as_ref());
        let dispute = dispute.map(|dispute| &state.disputes[dispute]);
        let money = Money {
            authorized: charge.map_or(0, |charge| charge.amount),
            capturable: intent.capturable,
            captured: charge.map_or(0, |charge| charge.captured),
            refunded: charge.map_or(0, |charge| {
                charge.captured - charges::refundable(state, &charge.id)
            }),
            disputed: dispute.map_or(0, |dispute| {
                if dispute.status == "won" {
                    0
                } else {
                    dispute.amount
                }
            }),
            currency: intent.currency.clone(),
            status: intent.status.to_owned(),
            metadata: intent.metadata.clone(),
        };
        (intent.id.clone(), money)
    };
    state.intents.values().map(book).collect()
}
