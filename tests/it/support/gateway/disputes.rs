//! Disputes.

use serde_json::{Value, json};

use super::cards::Behaviour;
use super::state::State;

/// A payer who wants the money back from the bank.
pub struct Dispute {
    /// `du_…`
    pub id: String,
    /// The charge.
    pub charge: String,
    /// The payment intent.
    pub intent: String,
    /// How much.
    pub amount: i64,
    /// The currency.
    pub currency: String,
    /// Why.
    pub reason: String,
    /// `needs_response`, `won` or `lost`.
    pub status: &'static str,
    /// Its time.
    pub created: i64,
}

impl Dispute {
    /// The object.
    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "object": "dispute",
            "amount": self.amount,
            "balance_transactions": [],
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "enhanced_eligibility_types": [],
            "evidence": {},
            "evidence_details": {
                "due_by": self.created + 7 * 24 * 60 * 60,
                "has_evidence": false,
                "past_due": false,
                "submission_count": 0,
            },
            "is_charge_refundable": self.status == "won",
            "livemode": false,
            "metadata": {},
            "payment_intent": self.intent,
            "reason": self.reason,
            "status": self.status,
        })
    }
}

/// A dispute of a payment that was captured.
pub fn open(state: &mut State, intent: &str, reason: &str) -> Value {
    let found = &state.intents[intent];
    assert!(found.received > 0, "{intent} has nothing to dispute");
    let (amount, currency) = (found.received, found.currency.clone());
    let charge = found.latest_charge.clone().unwrap_or_default();
    assert!(
        state.charges[&charge].dispute.is_none(),
        "{intent} is disputed already"
    );
    let id = state.id("du");
    let dispute = Dispute {
        id: id.clone(),
        charge: charge.clone(),
        intent: intent.to_owned(),
        amount,
        currency,
        reason: reason.to_owned(),
        status: "needs_response",
        created: state.now(),
    };
    state.disputes.insert(id.clone(), dispute);
    if let Some(charge) = state.charges.get_mut(&charge) {
        charge.dispute = Some(id.clone());
    }
    state.event("charge.dispute.created", &id);
    state.event("charge.dispute.funds_withdrawn", &id);
    state.disputes[&id].json()
}

/// How the dispute ends.
pub fn close(state: &mut State, intent: &str, won: bool) -> Value {
    let open =
        |dispute: &&mut Dispute| dispute.intent == intent && dispute.status == "needs_response";
    let Some(dispute) = state.disputes.values_mut().find(open) else {
        panic!("{intent} has no open dispute");
    };
    dispute.status = if won { "won" } else { "lost" };
    let id = dispute.id.clone();
    state.event("charge.dispute.closed", &id);
    if won {
        state.event("charge.dispute.funds_reinstated", &id);
    }
    state.disputes[&id].json()
}

/// The dispute that follows a payment with a card made for it.
pub fn follow(state: &mut State, intent: &str) {
    let charge = state.intents[intent].latest_charge.as_ref();
    let behaviour = charge.map(|charge| state.charges[charge].card.behaviour);
    if let Some(Behaviour::Dispute(reason)) = behaviour {
        open(state, intent, reason);
    }
}
