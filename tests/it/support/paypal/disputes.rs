//! Disputes: the shopper complains, PayPal takes the money and decides.

use std::time::Duration;

use serde_json::{Value, json};

use super::calls::Refusal;
use super::state::{State, now};
use crate::support::double::Request;

/// How long the seller has to answer.
const ANSWER: Duration = Duration::from_hours(24 * 10);

/// A shopper disputes the last capture of an order. They are to talk with the shop first.
pub fn open(state: &mut State, order: &str, reason: &str) {
    let capture = state.piece_of(order, "captures");
    let amount = state.object(&format!("/v2/payments/captures/{capture}"));
    let amount = amount.unwrap_or_default()["amount"].clone();
    let id = state.id("PP-D-");
    let dispute = json!({
        "dispute_id": id, "create_time": now(state), "reason": reason, "status": "OPEN",
        "disputed_transactions": [{"seller_transaction_id": capture}],
        "dispute_amount": amount, "dispute_life_cycle_stage": "INQUIRY",
    });
    state.disputes.insert(id, dispute.clone());
    state.tell("CUSTOMER.DISPUTE.CREATED", "dispute", &dispute);
}

/// PayPal is to decide about the last dispute, and holds the money.
pub fn escalate(state: &mut State) {
    let due = state.clock.now().plus(ANSWER).to_string();
    change(state, "CUSTOMER.DISPUTE.UPDATED", |dispute| {
        dispute["dispute_life_cycle_stage"] = "CHARGEBACK".into();
        dispute["status"] = "WAITING_FOR_SELLER_RESPONSE".into();
        dispute["seller_response_due_date"] = due.into();
    });
}

/// How the last dispute ends.
pub fn close(state: &mut State, outcome: &str) {
    change(state, "CUSTOMER.DISPUTE.RESOLVED", |dispute| {
        dispute["status"] = "RESOLVED".into();
        dispute["dispute_outcome"] = json!({"outcome_code": outcome});
    });
}

fn change(state: &mut State, kind: &str, how: impl FnOnce(&mut Value)) {
    let mut last = state.disputes.last_entry().expect("a dispute");
    how(last.get_mut());
    let dispute = last.get().clone();
    state.tell(kind, "dispute", &dispute);
}

/// Answers who asks for a dispute, or for those about a capture.
pub fn read(state: &State, request: &Request) -> Result<Value, Refusal> {
    if let Some(id) = request.path.strip_prefix("/v1/customer/disputes/") {
        let dispute = state.disputes.get(id);
        return dispute.cloned().ok_or_else(Refusal::missing);
    }
    let capture = request.query.strip_prefix("disputed_transaction_id=");
    let capture = capture.ok_or_else(|| Refusal::not_simulated("this query"))?;
    let all = state.disputes.values();
    let about = |d: &&Value| d["disputed_transactions"][0]["seller_transaction_id"] == capture;
    // A list tells less than the dispute itself.
    let short = |d: &Value| json!({"dispute_id": d["dispute_id"], "status": d["status"]});
    let items: Vec<Value> = all.filter(about).map(short).collect();
    Ok(json!({"items": items, "links": []}))
}
