//! Capturing, and letting an authorisation go.

use serde_json::Value;

use super::disputes;
use super::errors::{Error, Reply};
use super::intents::{CANCELED, SUCCEEDED, WANTS_CAPTURE, known, not_simulated, texts, unexpected};
use super::params::{self, Params};
use super::refunds;
use super::state::State;

/// `POST /v1/payment_intents/{id}/capture`.
pub fn capture(state: &mut State, id: &str, params: &Params) -> Reply {
    params.check(params::INTENT_CAPTURE)?;
    not_simulated(params)?;
    known(state, id)?;
    let last = params.boolean("final_capture")?.unwrap_or(true);
    let intent = &state.intents[id];
    let multicapture = intent
        .latest_charge
        .as_ref()
        .is_some_and(|charge| state.charges[charge].multicapture);
    // The last capture may be of nothing, to release what is left after earlier ones.
    let floor =
        i64::from(!(multicapture && params.has("final_capture") && last && intent.received > 0));
    let given = params.amount("amount_to_capture", floor)?;
    let mut metadata = intent.metadata.clone();
    params.metadata(&mut metadata)?;
    if intent.status != WANTS_CAPTURE {
        return Err(unexpected(
            state,
            id,
            format!(
                "This PaymentIntent could not be captured because it has a status of {}. Only a \
                 PaymentIntent with one of the following statuses may be captured: \
                 requires_capture.",
                intent.status
            ),
        ));
    }
    if !last && !multicapture {
        return Err(Error::refused(
            None,
            "`final_capture` can only be set to `false` when multicapture is available for the PaymentIntent.",
        )
        .param("final_capture"));
    }
    let amount = given.unwrap_or(intent.capturable);
    if amount > intent.capturable {
        return Err(Error::refused(
            Some("amount_too_large"),
            format!(
                "The amount to capture ({amount}) is greater than the remaining authorized amount \
                 on this PaymentIntent ({}).",
                intent.capturable
            ),
        )
        .param("amount_to_capture")
        .with("payment_intent", intent.json()));
    }
    let charge = intent.latest_charge.clone().unwrap_or_default();
    let mut released = 0;
    let mut done = false;
    if let Some(intent) = state.intents.get_mut(id) {
        intent.metadata = metadata;
        intent.received += amount;
        intent.capturable -= amount;
        done = last || intent.capturable == 0;
        if done {
            released = intent.capturable;
            intent.capturable = 0;
            intent.status = SUCCEEDED;
        }
    }
    texts(state, id, params);
    if let Some(charge) = state.charges.get_mut(&charge) {
        charge.captured += amount;
    }
    if !done {
        state.event("charge.updated", &charge);
        state.event("payment_intent.amount_capturable_updated", id);
        return Ok(state.intents[id].json());
    }
    let refunded = refunds::release(state, &charge, released);
    state.event("charge.captured", &charge);
    if refunded {
        state.event("charge.refunded", &charge);
    }
    if multicapture {
        state.event("payment_intent.amount_capturable_updated", id);
    }
    state.event("payment_intent.succeeded", id);
    disputes::follow(state, id);
    Ok(state.intents[id].json())
}

/// `POST /v1/payment_intents/{id}/cancel`.
pub fn cancel(state: &mut State, id: &str, params: &Params) -> Reply {
    params.check(params::INTENT_CANCEL)?;
    known(state, id)?;
    let reasons = [
        "duplicate",
        "fraudulent",
        "requested_by_customer",
        "abandoned",
    ];
    let reason = params.one_of("cancellation_reason", &reasons)?;
    let status = state.intents[id].status;
    if status == SUCCEEDED || status == CANCELED {
        return Err(unexpected(
            state,
            id,
            format!(
                "You cannot cancel this PaymentIntent because it has a status of {status}. Only a \
                 PaymentIntent with one of the following statuses may be canceled: \
                 requires_payment_method, requires_capture, requires_confirmation, \
                 requires_action, processing."
            ),
        ));
    }
    let refunded = end(state, id, reason);
    if let Some(charge) = refunded {
        state.event("charge.refunded", &charge);
    }
    state.event("payment_intent.canceled", id);
    Ok(state.intents[id].json())
}

/// The authorisation ran out before it was captured.
pub fn expire(state: &mut State, id: &str) -> Value {
    assert_eq!(
        state.intents[id].status, WANTS_CAPTURE,
        "{id} holds no authorisation"
    );
    let charge = state.intents[id].latest_charge.clone().unwrap_or_default();
    end(state, id, Some("automatic"));
    state.event("charge.expired", &charge);
    state.event("payment_intent.canceled", id);
    state.intents[id].json()
}

fn end(state: &mut State, id: &str, reason: Option<&str>) -> Option<String> {
    let now = state.now();
    let intent = state.intents.get_mut(id)?;
    let (held, released) = (intent.status == WANTS_CAPTURE, intent.capturable);
    intent.status = CANCELED;
    intent.capturable = 0;
    intent.next_action = Value::Null;
    intent.canceled = Some((reason.map(str::to_owned), now));
    let charge = intent.latest_charge.clone().filter(|_| held)?;
    refunds::release(state, &charge, released).then_some(charge)
}
