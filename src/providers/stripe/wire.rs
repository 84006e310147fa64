//! What Stripe says, as far as it is used. Everything that may be absent or null is optional.
//!
//! Source: Stripe's API reference, version [`super::VERSION`].

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Something that is named by its id, or stands there whole where it was asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Named<T> {
    /// The object.
    Whole(Box<T>),
    /// Its id.
    Id(String),
}

impl<T> Named<T> {
    /// The object, where it is there.
    pub fn whole(&self) -> Option<&T> {
        match self {
            Self::Whole(object) => Some(object),
            Self::Id(_) => None,
        }
    }
}

/// A part of a list.
#[derive(Clone, Debug, Deserialize)]
pub struct List<T> {
    /// The objects.
    pub data: Vec<T>,
    /// Whether there are more after them.
    #[serde(default)]
    pub has_more: bool,
}

/// A `payment_intent`.
#[derive(Clone, Debug, Deserialize)]
pub struct Intent {
    /// `pi_…`
    pub id: String,
    /// Stripe's minor units; see [`super::amount`].
    pub amount: i64,
    /// What has been captured.
    pub amount_received: Option<i64>,
    /// Lower case.
    pub currency: String,
    /// `requires_payment_method` and so on.
    pub status: String,
    /// Live mode, not test mode.
    pub livemode: bool,
    /// Seconds since 1970.
    #[serde(default)]
    pub created: i64,
    /// For Stripe.js.
    pub client_secret: Option<String>,
    /// `payment`, and `attempt` of the capture.
    pub metadata: Option<HashMap<String, String>>,
    /// What the shopper must do.
    pub next_action: Option<Map<String, Value>>,
    /// Why the last confirmation failed.
    pub last_payment_error: Option<Fault>,
    /// The last charge.
    pub latest_charge: Option<Named<Charge>>,
}

/// A `charge`.
#[derive(Clone, Debug, Deserialize)]
pub struct Charge {
    /// `ch_…` or `py_…`
    pub id: String,
    /// What was authorised.
    pub amount: i64,
    /// What was captured of it.
    pub amount_captured: Option<i64>,
    /// Whether it was captured.
    #[serde(default)]
    pub captured: bool,
    /// `succeeded`, `pending` or `failed`; an authorisation that holds is `succeeded`, too.
    pub status: String,
    /// Whether there is a dispute about it.
    #[serde(default)]
    pub disputed: bool,
    /// What Radar and the bank said.
    pub outcome: Option<RiskOutcome>,
    /// The instrument.
    pub payment_method_details: Option<Method>,
    /// The first ten refunds, the newest first.
    pub refunds: Option<List<Refund>>,
}

/// Radar's view of a charge.
#[derive(Clone, Debug, Deserialize)]
pub struct RiskOutcome {
    /// `normal`, `elevated`, `highest`, `not_assessed`.
    pub risk_level: Option<String>,
    /// 0 to 100; only with Radar for Fraud Teams.
    pub risk_score: Option<i64>,
    /// `authorized`, `manual_review`, `issuer_declined`, `blocked`, `invalid`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// An instrument: its kind, and what is known of it under the name of its kind.
#[derive(Clone, Debug, Deserialize)]
pub struct Method {
    /// `card`, `sepa_debit` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A `refund`.
#[derive(Clone, Debug, Deserialize)]
pub struct Refund {
    /// `re_…` or `pyr_…`
    pub id: String,
    /// Stripe's minor units.
    pub amount: i64,
    /// `pending`, `requires_action`, `succeeded`, `failed` or `canceled`.
    pub status: Option<String>,
    /// Seconds since 1970.
    #[serde(default)]
    pub created: i64,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// `attempt`, where it was asked for here.
    pub metadata: Option<HashMap<String, String>>,
}

/// A `dispute`.
#[derive(Clone, Debug, Deserialize)]
pub struct Dispute {
    /// `du_…` or `dp_…`
    pub id: String,
    /// Stripe's minor units.
    pub amount: i64,
    /// As `fraudulent`.
    pub reason: Option<String>,
    /// As `needs_response`, `won`; an inquiry that took no money begins with `warning_`.
    pub status: String,
    /// Until when to answer.
    pub evidence_details: Option<Evidence>,
}

/// The deadline of a dispute.
#[derive(Clone, Debug, Deserialize)]
pub struct Evidence {
    /// Seconds since 1970.
    pub due_by: Option<i64>,
}

/// The body of an answer that is an error.
#[derive(Clone, Debug, Deserialize)]
pub struct Failed {
    /// What is wrong.
    pub error: Fault,
}

/// What is wrong.
#[derive(Clone, Debug, Deserialize)]
pub struct Fault {
    /// `card_error`, `invalid_request_error`, `idempotency_error`, `api_error`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// As `card_declined`.
    pub code: Option<String>,
    /// The bank's word, as `insufficient_funds`.
    pub decline_code: Option<String>,
    /// For a person; it is read for one thing only, the hint that an object is of the other mode.
    pub message: Option<String>,
    /// The intent after the failure.
    pub payment_intent: Option<Box<Intent>>,
    /// The instrument that failed.
    pub payment_method: Option<Method>,
}

/// An event as a webhook brings it.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// `evt_…`
    pub id: String,
    /// As `payment_intent.succeeded`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Live mode, not test mode.
    pub livemode: bool,
    /// What it is about.
    pub data: EventData,
}

/// What an event is about.
#[derive(Clone, Debug, Deserialize)]
pub struct EventData {
    /// The object as it was then.
    pub object: Map<String, Value>,
    /// What it was before, of an event about a change.
    #[serde(default)]
    pub previous_attributes: Option<Map<String, Value>>,
}
