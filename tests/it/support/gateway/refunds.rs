//! Refunds.

use serde_json::{Map, Value, json};

use super::cards::Behaviour;
use super::charges;
use super::errors::{Error, Reply};
use super::params::{self, Params};
use super::state::State;

/// Money that goes back.
pub struct Refund {
    /// `re_…`
    pub id: String,
    /// The charge.
    pub charge: String,
    /// The payment intent.
    pub intent: String,
    /// How much.
    pub amount: i64,
    /// The currency.
    pub currency: String,
    /// `pending`, `succeeded`, `failed` or `canceled`.
    pub status: &'static str,
    /// Why, as the caller said.
    pub reason: Option<String>,
    /// Why it failed.
    pub failure_reason: Option<&'static str>,
    /// Metadata.
    pub metadata: Map<String, Value>,
    /// Whether it is the rest of an authorisation that was let go: no money moved.
    pub release: bool,
    /// Its time.
    pub created: i64,
}

impl Refund {
    /// The object.
    pub fn json(&self) -> Value {
        let transaction = |prefix: &str| self.id.replacen("re_", prefix, 1);
        let moved = !self.release;
        let mut object = json!({
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "balance_transaction": moved.then(|| transaction("txn_")),
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "destination_details": {
                "card": {
                    "reference_status": "pending",
                    "reference_type": "acquirer_reference_number",
                    "type": if moved { "refund" } else { "reversal" },
                },
                "type": "card",
            },
            "metadata": self.metadata,
            "payment_intent": self.intent,
            "reason": self.reason,
            "receipt_number": null,
            "source_transfer_reversal": null,
            "status": self.status,
            "transfer_reversal": null,
        });
        if let Some(reason) = self.failure_reason {
            object["failure_reason"] = reason.into();
            object["failure_balance_transaction"] = transaction("txn_f").into();
        }
        object
    }

    /// Whether it takes from what can be given back.
    pub fn counts(&self) -> bool {
        !matches!(self.status, "failed" | "canceled")
    }
}

/// `POST /v1/refunds`.
pub fn create(state: &mut State, params: &Params) -> Reply {
    params.check(params::REFUND_CREATE)?;
    params.not_simulated(&[
        "refund_application_fee",
        "reverse_transfer",
        "origin",
        "customer",
    ])?;
    let amount = params.amount("amount", 1)?;
    let reasons = ["duplicate", "fraudulent", "requested_by_customer"];
    let reason = params.one_of("reason", &reasons)?.map(str::to_owned);
    let mut metadata = Map::new();
    params.metadata(&mut metadata)?;
    let charge = match (params.text("payment_intent"), params.text("charge")) {
        (None, None) => {
            return Err(Error::malformed(
                "One of the following params should be provided for this request: payment_intent or charge.",
            )
            .code("parameter_missing"));
        }
        (Some(_), Some(_)) => {
            return Err(Error::malformed(
                "You may only specify one of these parameters: charge, payment_intent.",
            ));
        }
        (Some(intent), None) => {
            let found = state.intents.get(intent);
            let found = found
                .ok_or_else(|| Error::no_such("payment_intent", intent, "payment_intent", 404))?;
            if found.status == "requires_capture" && found.received == 0 {
                return Err(uncaptured(
                    found.latest_charge.as_deref().unwrap_or_default(),
                ));
            }
            let charged = found.latest_charge.clone().filter(|_| found.received > 0);
            charged.ok_or_else(|| {
                Error::refused(
                    None,
                    format!(
                        "This PaymentIntent ({intent}) does not have a successful charge to refund."
                    ),
                )
                .param("payment_intent")
            })?
        }
        (None, Some(charge)) => {
            let found = state.charges.get(charge);
            let found = found.ok_or_else(|| Error::no_such("charge", charge, "charge", 404))?;
            if found.status == "failed" {
                return Err(Error::refused(
                    None,
                    format!("Charge {charge} has failed and cannot be refunded."),
                ));
            }
            if !found.is_captured() {
                return Err(uncaptured(charge));
            }
            charge.to_owned()
        }
    };
    make(state, &charge, amount, reason, metadata)
}

fn uncaptured(charge: &str) -> Error {
    Error::refused(
        None,
        format!(
            "Charge {charge} has not been captured. Cancel the PaymentIntent to release an \
             authorization instead of refunding it."
        ),
    )
}

/// Gives money back, at most what was captured and not given back yet. Without an amount: all of that.
pub fn make(
    state: &mut State,
    charge: &str,
    amount: Option<i64>,
    reason: Option<String>,
    metadata: Map<String, Value>,
) -> Reply {
    let dispute = state.charges[charge].dispute.clone();
    if dispute.is_some_and(|dispute| state.disputes[&dispute].status != "won") {
        return Err(Error::refused(
            Some("charge_disputed"),
            format!("Charge {charge} has been charged back; cannot issue a refund."),
        ));
    }
    let left = charges::refundable(state, charge);
    let captured = state.charges[charge].captured;
    if left == 0 {
        return Err(Error::refused(
            Some("charge_already_refunded"),
            format!("Charge {charge} has already been refunded."),
        ));
    }
    let amount = amount.unwrap_or(left);
    if amount > captured {
        return Err(Error::refused(
            None,
            format!("Refund amount ({amount}) is greater than charge amount ({captured})"),
        )
        .param("amount"));
    }
    if amount > left {
        return Err(Error::refused(
            None,
            format!(
                "Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            ),
        )
        .param("amount"));
    }
    let pending = state.charges[charge].card.behaviour == Behaviour::RefundPending;
    let status = if pending { "pending" } else { "succeeded" };
    let id = insert(state, charge, amount, status, false);
    if let Some(refund) = state.refunds.get_mut(&id) {
        refund.reason = reason;
        refund.metadata = metadata;
    }
    charges::settle(state, charge);
    state.event("refund.created", &id);
    state.event("charge.refunded", charge);
    Ok(state.refunds[&id].json())
}

/// Lets the rest of an authorisation go. Answers whether the charge shows it as refunded.
pub fn release(state: &mut State, charge: &str, amount: i64) -> bool {
    if amount == 0 || !state.release_as_refund {
        return false;
    }
    insert(state, charge, amount, "succeeded", true);
    charges::settle(state, charge);
    true
}

fn insert(
    state: &mut State,
    charge: &str,
    amount: i64,
    status: &'static str,
    release: bool,
) -> String {
    let id = state.id("re");
    let refund = Refund {
        id: id.clone(),
        charge: charge.to_owned(),
        intent: state.charges[charge].intent.clone(),
        amount,
        currency: state.charges[charge].currency.clone(),
        status,
        reason: None,
        failure_reason: None,
        metadata: Map::new(),
        release,
        created: state.now(),
    };
    state.refunds.insert(id.clone(), refund);
    id
}

/// `POST /v1/refunds/{id}`: metadata only.
pub fn update(state: &mut State, id: &str, params: &Params) -> Reply {
    params.check(params::METADATA)?;
    let Some(refund) = state.refunds.get_mut(id) else {
        return Err(Error::no_such("refund", id, "refund", 404));
    };
    let mut metadata = refund.metadata.clone();
    params.metadata(&mut metadata)?;
    refund.metadata = metadata;
    let object = refund.json();
    state.event("refund.updated", id);
    Ok(object)
}

/// What the bank says of a refund at last.
pub fn settle(state: &mut State, id: &str, ok: bool) -> Value {
    let refund = state.refunds.get_mut(id);
    let Some(refund) = refund else {
        panic!("no such refund: {id}");
    };
    assert!(
        refund.counts() && !refund.release,
        "{id} is settled already"
    );
    let charge = refund.charge.clone();
    if ok {
        refund.status = "succeeded";
    } else {
        refund.status = "failed";
        refund.failure_reason = Some("expired_or_canceled_card");
    }
    charges::settle(state, &charge);
    state.event("refund.updated", id);
    state.event("charge.refund.updated", id);
    if !ok {
        state.event("refund.failed", id);
    }
    state.refunds[id].json()
}
