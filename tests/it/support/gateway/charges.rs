//! Charges: one for each attempt to take money.

use serde_json::{Map, Value, json};

use super::cards::{Behaviour, Card};
use super::errors::Error;
use super::state::State;

/// How long an authorisation of a card holds, in seconds.
const HOLDS: i64 = 7 * 24 * 60 * 60;

/// An attempt to take money.
pub struct Charge {
    /// `ch_…`
    pub id: String,
    /// The payment intent.
    pub intent: String,
    /// What was authorised.
    pub amount: i64,
    /// What was captured of it.
    pub captured: i64,
    /// What was given back, with what was released where that counts as a refund.
    pub refunded: i64,
    /// Whether nothing is left to give back.
    pub fully_refunded: bool,
    /// `succeeded` or `failed`.
    pub status: &'static str,
    /// Why it failed.
    pub failure: Option<Error>,
    /// The dispute.
    pub dispute: Option<String>,
    /// The card.
    pub card: Card,
    /// Whether it may be captured more than once.
    pub multicapture: bool,
    /// Whether somebody stood 3D Secure.
    pub authenticated: bool,
    /// Until when it can be captured.
    pub capture_before: Option<i64>,
    /// The currency.
    pub currency: String,
    /// The customer.
    pub customer: Option<String>,
    /// The payment method.
    pub payment_method: String,
    /// The intent's metadata at that moment.
    pub metadata: Map<String, Value>,
    /// Its time.
    pub created: i64,
}

impl Charge {
    /// Whether money was taken.
    pub fn is_captured(&self) -> bool {
        self.captured > 0
    }

    fn outcome(&self) -> Value {
        let (level, score) = match self.card.behaviour {
            Behaviour::RiskElevated => ("elevated", 70),
            Behaviour::RiskHighest => ("highest", 95),
            _ => ("normal", 20),
        };
        let failed = self.failure.as_ref();
        let of_failure = |name: &str| failed.and_then(|error| error.body.get(name)).cloned();
        match failed {
            None => json!({
                "advice_code": null,
                "network_status": "approved_by_network",
                "reason": if level == "elevated" { Some("elevated_risk_level") } else { None },
                "risk_level": level,
                "risk_score": score,
                "seller_message": "Payment complete.",
                "type": "authorized",
            }),
            Some(_) if level == "highest" => json!({
                "advice_code": null,
                "network_status": "not_sent_to_network",
                "reason": "highest_risk_level",
                "risk_level": level,
                "risk_score": score,
                "seller_message": "Stripe blocked this payment as too risky.",
                "type": "blocked",
            }),
            Some(_) => json!({
                "advice_code": null,
                "network_status": "declined_by_network",
                "reason": of_failure("decline_code").or_else(|| of_failure("code")),
                "risk_level": level,
                "risk_score": score,
                "seller_message": "The bank did not return any further details with this decline.",
                "type": "issuer_declined",
            }),
        }
    }

    /// The object.
    pub fn json(&self) -> Value {
        let failed = self.failure.as_ref();
        let of_failure = |name: &str| failed.and_then(|error| error.body.get(name)).cloned();
        let available =
            |yes: bool| json!({ "status": if yes { "available" } else { "unavailable" } });
        let details = json!({
            "card": {
                "amount_authorized": failed.is_none().then_some(self.amount),
                "brand": self.card.brand(),
                "capture_before": self.capture_before,
                "checks": {
                    "address_line1_check": null,
                    "address_postal_code_check": null,
                    "cvc_check": "pass",
                },
                "country": "US",
                "exp_month": 12,
                "exp_year": 2034,
                "extended_authorization": { "status": "disabled" },
                "fingerprint": self.card.fingerprint(),
                "funding": "credit",
                "incremental_authorization": available(false),
                "installments": null,
                "last4": self.card.last4,
                "mandate": null,
                "multicapture": available(self.multicapture),
                "network": self.card.brand(),
                "overcapture": { "maximum_amount_capturable": self.amount, "status": "unavailable" },
                "three_d_secure": self.authenticated.then(|| json!({
                    "authentication_flow": "challenge",
                    "result": "authenticated",
                    "result_reason": null,
                    "version": "2.2.0",
                })),
                "wallet": null,
            },
            "type": "card",
        });
        json!({
            "id": self.id,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": self.captured,
            "amount_refunded": self.refunded,
            "balance_transaction": self.is_captured().then(|| self.id.replacen("ch_", "txn_", 1)),
            "billing_details": billing(),
            "calculated_statement_descriptor": "DOUBLE",
            "captured": self.is_captured(),
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "description": null,
            "dispute": self.dispute,
            "disputed": self.dispute.is_some(),
            "failure_code": of_failure("code"),
            "failure_message": of_failure("message"),
            "fraud_details": {},
            "livemode": false,
            "metadata": self.metadata,
            "outcome": self.outcome(),
            "paid": self.status == "succeeded",
            "payment_intent": self.intent,
            "payment_method": self.payment_method,
            "payment_method_details": details,
            "receipt_email": null,
            "receipt_url": null,
            "refunded": self.fully_refunded,
            "shipping": null,
            "statement_descriptor": null,
            "statement_descriptor_suffix": null,
            "status": self.status,
            "transfer_group": null,
        })
    }
}

/// `billing_details` of a card that nobody gave an address for.
pub fn billing() -> Value {
    json!({
        "address": {
            "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null,
        },
        "email": null,
        "name": null,
        "phone": null,
        "tax_id": null,
    })
}

/// A new charge of an intent with a card. It captures nothing yet.
pub fn attempt(state: &mut State, intent: &str, failure: Option<Error>, manual: bool) -> String {
    let id = state.id("ch");
    let created = state.now();
    let intent = &state.intents[intent];
    let method = &state.methods[intent.payment_method.as_deref().unwrap_or_default()];
    let charge = Charge {
        id: id.clone(),
        intent: intent.id.clone(),
        amount: intent.amount,
        captured: 0,
        refunded: 0,
        fully_refunded: false,
        status: if failure.is_none() {
            "succeeded"
        } else {
            "failed"
        },
        multicapture: manual
            && method.card.behaviour == Behaviour::Multicapture
            && intent.card_option("request_multicapture") == Some("if_available"),
        capture_before: (manual && failure.is_none()).then_some(created + HOLDS),
        failure,
        dispute: None,
        card: method.card,
        authenticated: intent.authenticated,
        currency: intent.currency.clone(),
        customer: intent.customer.clone(),
        payment_method: method.id.clone(),
        metadata: intent.metadata.clone(),
        created,
    };
    state.charges.insert(id.clone(), charge);
    id
}

/// What of a charge can still be given back.
pub fn refundable(state: &State, id: &str) -> i64 {
    let given: i64 = state
        .refunds
        .values()
        .filter(|refund| refund.charge == id && refund.counts() && !refund.release)
        .map(|refund| refund.amount)
        .sum();
    state.charges[id].captured - given
}

/// Brings the charge's sums in line with its refunds.
pub fn settle(state: &mut State, id: &str) {
    let refunded = state
        .refunds
        .values()
        .filter(|refund| refund.charge == id && refund.counts())
        .map(|refund| refund.amount)
        .sum();
    let as_refund = state.release_as_refund;
    if let Some(charge) = state.charges.get_mut(id) {
        charge.refunded = refunded;
        let whole = if as_refund {
            charge.amount
        } else {
            charge.captured
        };
        charge.fully_refunded = refunded > 0 && refunded >= whole;
    }
}
