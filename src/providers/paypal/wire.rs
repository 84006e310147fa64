//! What PayPal says, as far as it is used. Everything that may be absent is optional.
//!
//! Source: PayPal's API reference, Orders v2, Payments v2 and Webhooks v1.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An order.
#[derive(Clone, Debug, Deserialize)]
pub struct Order {
    /// PayPal's name for it.
    pub id: String,
    /// `CREATED`, `SAVED`, `PAYER_ACTION_REQUIRED`, `APPROVED`, `VOIDED` or `COMPLETED`.
    pub status: String,
    /// `AUTHORIZE` or `CAPTURE`.
    pub intent: Option<String>,
    /// One, here.
    #[serde(default)]
    pub purchase_units: Vec<Unit>,
    /// Who pays, by what.
    pub payment_source: Option<Map<String, Value>>,
    /// Where to go on.
    #[serde(default)]
    pub links: Vec<Link>,
}

/// What is bought.
#[derive(Clone, Debug, Deserialize)]
pub struct Unit {
    /// The payment's id.
    pub custom_id: Option<String>,
    /// What is to be paid.
    pub amount: Option<Amount>,
    /// What was paid.
    pub payments: Option<Payments>,
}

/// What was paid.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Payments {
    /// Money reserved.
    #[serde(default)]
    pub authorizations: Vec<Piece>,
    /// Money taken.
    #[serde(default)]
    pub captures: Vec<Piece>,
    /// Money sent back.
    #[serde(default)]
    pub refunds: Vec<Piece>,
}

/// An authorisation, a capture or a refund.
#[derive(Clone, Debug, Deserialize)]
pub struct Piece {
    /// PayPal's name for it.
    pub id: String,
    /// As `COMPLETED`.
    pub status: String,
    /// How much.
    pub amount: Option<Amount>,
    /// The payment's id; of a refund, the attempt after a dot.
    pub custom_id: Option<String>,
    /// Of a capture: the attempt.
    pub invoice_id: Option<String>,
    /// Of a capture of an authorisation: whether there is to be no other.
    pub final_capture: Option<bool>,
    /// Until when an authorisation holds.
    pub expiration_time: Option<String>,
    /// Why it is pending or was declined.
    pub status_details: Option<Details>,
    /// `ELIGIBLE` and so on.
    pub seller_protection: Option<Protection>,
    /// `up` is what it is a part of.
    #[serde(default)]
    pub links: Vec<Link>,
}

/// Why something is as it is.
#[derive(Clone, Debug, Deserialize)]
pub struct Details {
    /// As `PENDING_REVIEW`.
    pub reason: Option<String>,
}

/// Whether PayPal bears the loss of a dispute.
#[derive(Clone, Debug, Deserialize)]
pub struct Protection {
    /// `ELIGIBLE`, `PARTIALLY_ELIGIBLE` or `NOT_ELIGIBLE`.
    pub status: Option<String>,
}

/// An amount.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Amount {
    /// ISO 4217.
    pub currency_code: String,
    /// A decimal text.
    pub value: String,
}

/// A link.
#[derive(Clone, Debug, Deserialize)]
pub struct Link {
    /// Where.
    pub href: String,
    /// What for.
    pub rel: String,
}

/// The body of an answer that is an error.
#[derive(Clone, Debug, Deserialize)]
pub struct Failed {
    /// As `UNPROCESSABLE_ENTITY`.
    pub name: Option<String>,
    /// What exactly.
    #[serde(default)]
    pub details: Vec<Issue>,
}

/// What exactly is wrong.
#[derive(Clone, Debug, Deserialize)]
pub struct Issue {
    /// As `INSTRUMENT_DECLINED`.
    pub issue: Option<String>,
}

/// A token to make calls with.
#[derive(Deserialize)]
pub struct Token {
    /// The token.
    pub access_token: String,
    /// Seconds.
    pub expires_in: u64,
}

/// The disputes about a capture, as the list has them.
#[derive(Debug, Deserialize)]
pub struct Disputes {
    /// Those there are.
    #[serde(default)]
    pub items: Vec<DisputeName>,
}

/// A dispute in a list.
#[derive(Debug, Deserialize)]
pub struct DisputeName {
    /// `PP-D-…`
    #[serde(rename = "dispute_id")]
    pub id: String,
}

/// A dispute.
#[derive(Clone, Debug, Deserialize)]
pub struct Dispute {
    /// `PP-D-…`
    #[serde(rename = "dispute_id")]
    pub id: String,
    /// As `MERCHANDISE_OR_SERVICE_NOT_RECEIVED`.
    pub reason: Option<String>,
    /// As `WAITING_FOR_SELLER_RESPONSE`.
    pub status: Option<String>,
    /// How much.
    #[serde(rename = "dispute_amount")]
    pub amount: Option<Amount>,
    /// `INQUIRY`, while shopper and shop talk; `CHARGEBACK` once PayPal is to decide, and what comes after.
    #[serde(rename = "dispute_life_cycle_stage")]
    pub stage: Option<String>,
    /// Until when to answer.
    pub seller_response_due_date: Option<String>,
    /// How it ended.
    #[serde(rename = "dispute_outcome")]
    pub outcome: Option<DisputeOutcome>,
}

/// How a dispute ended.
#[derive(Clone, Debug, Deserialize)]
pub struct DisputeOutcome {
    /// As `RESOLVED_SELLER_FAVOUR`.
    #[serde(rename = "outcome_code")]
    pub code: Option<String>,
}

/// An event as a webhook brings it.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// As `WH-…`; the same however often it is sent.
    pub id: String,
    /// As `PAYMENT.CAPTURE.COMPLETED`.
    #[serde(rename = "event_type")]
    pub kind: String,
    /// As `checkout-order`, `capture`.
    pub resource_type: Option<String>,
    /// The object as it was then.
    pub resource: Map<String, Value>,
}

/// Whether a webhook is PayPal's.
#[derive(Deserialize)]
pub struct Verified {
    /// `SUCCESS` or `FAILURE`.
    pub verification_status: String,
}
