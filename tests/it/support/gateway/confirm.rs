//! Confirming a payment intent: the payment method, 3D Secure, the attempt.

use serde_json::{Value, json};

use super::cards::Behaviour;
use super::charges;
use super::customers;
use super::disputes;
use super::errors::{Error, Reply};
use super::intents::{
    PROCESSING, SUCCEEDED, WANTS_ACTION, WANTS_CAPTURE, WANTS_CONFIRMATION, WANTS_METHOD,
    check_words, known, not_simulated, options, texts, unexpected,
};
use super::params::{self, Params};
use super::state::State;

/// How an intent is confirmed.
#[derive(Default)]
pub struct Confirm {
    /// The payment method, as the caller names it.
    pub payment_method: Option<String>,
    /// Nobody is there to answer a challenge.
    pub off_session: bool,
    /// Fail rather than ask for a challenge.
    pub error_on_action: bool,
    /// Where the payer is sent back to.
    pub return_url: Option<String>,
}

impl Confirm {
    /// Reads it from a request.
    pub fn read(params: &Params) -> Result<Self, Error> {
        Ok(Self {
            payment_method: params.text("payment_method").map(str::to_owned),
            off_session: match params.text("off_session") {
                Some("one_off" | "recurring") => true,
                _ => params.boolean("off_session")?.unwrap_or(false),
            },
            error_on_action: params.boolean("error_on_requires_action")?.unwrap_or(false),
            return_url: params.text("return_url").map(str::to_owned),
        })
    }

    /// A server that confirms has to say where a redirect comes back to, unless there can be none.
    pub fn check_return_url(&self, automatic: &Value) -> Result<(), Error> {
        let redirects = automatic.get("enabled") == Some(&json!(true))
            && automatic.get("allow_redirects") != Some(&json!("never"));
        if redirects && self.return_url.is_none() && !self.off_session {
            return Err(Error::malformed(
                "This PaymentIntent is configured to accept payment methods enabled in your \
                 Dashboard. Because some of these payment methods might redirect your customer off \
                 of your page, you must provide a `return_url`. If you don't want to accept \
                 redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` \
                 and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup \
                 Intents and Payment Intents.",
            ));
        }
        Ok(())
    }
}

/// `POST /v1/payment_intents/{id}/confirm`.
pub fn confirm(state: &mut State, id: &str, params: &Params) -> Reply {
    params.check(&format!(
        "{} {}",
        params::INTENT_CONFIRM,
        params::INTENT_SHARED
    ))?;
    not_simulated(params)?;
    known(state, id)?;
    check_words(params)?;
    let mut how = Confirm::read(params)?;
    how.check_return_url(&state.intents[id].automatic)?;
    confirmable(state, id)?;
    if let Some(name) = &how.payment_method {
        let customer = state.intents[id].customer.clone();
        how.payment_method = Some(customers::usable(state, name, customer.as_deref())?);
    }
    if let Some(intent) = state.intents.get_mut(id) {
        intent.options = options(params, intent.options.take());
        if let Some(capture) = params.text("capture_method") {
            intent.capture_method = capture.into();
        }
        if let Some(usage) = params.text("setup_future_usage") {
            intent.usage = Some(usage.to_owned()).filter(|usage| !usage.is_empty());
        }
    }
    texts(state, id, params);
    confirm_with(state, id, &how)
}

/// What Stripe.js does with a client secret.
pub fn confirm_by_client(
    state: &mut State,
    secret: &str,
    method: &str,
    url: Option<&str>,
) -> Reply {
    let found = state
        .intents
        .values()
        .find(|intent| intent.client_secret == secret);
    let Some(intent) = found else {
        return Err(Error::no_such("payment_intent", secret, "intent", 404));
    };
    let (id, customer) = (intent.id.clone(), intent.customer.clone());
    if intent.confirmation_method == "manual" {
        return Err(unexpected(
            state,
            &id,
            "This PaymentIntent has a confirmation_method of manual: it is confirmed with the secret key.".into(),
        ));
    }
    confirmable(state, &id)?;
    let how = Confirm {
        payment_method: Some(customers::usable(state, method, customer.as_deref())?),
        return_url: url.map(str::to_owned),
        ..Confirm::default()
    };
    confirm_with(state, &id, &how)
}

fn confirmable(state: &State, id: &str) -> Result<(), Error> {
    match state.intents[id].status {
        WANTS_METHOD | WANTS_CONFIRMATION | WANTS_ACTION => Ok(()),
        SUCCEEDED => Err(unexpected(
            state,
            id,
            "You cannot confirm this PaymentIntent because it has already succeeded after being \
             previously confirmed."
                .into(),
        )),
        status => Err(unexpected(
            state,
            id,
            format!(
                "This PaymentIntent could not be confirmed because it has a status of {status}. \
                 Only a PaymentIntent with one of the following statuses may be confirmed: \
                 requires_confirmation, requires_action, requires_payment_method."
            ),
        )),
    }
}

/// Confirms with a payment method that may be used.
pub fn confirm_with(state: &mut State, id: &str, how: &Confirm) -> Reply {
    confirmable(state, id)?;
    let Some(intent) = state.intents.get_mut(id) else {
        return Err(Error::internal());
    };
    if how.payment_method.is_some() && how.payment_method != intent.payment_method {
        intent.payment_method.clone_from(&how.payment_method);
        intent.authenticated = false;
    }
    intent.next_action = Value::Null;
    let Some(method) = intent.payment_method.clone() else {
        return Err(unexpected(
            state,
            id,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can \
             either update the PaymentIntent with a payment method and then confirm it again, or \
             confirm it again directly with a payment method or ConfirmationToken."
                .into(),
        ));
    };
    let asked = matches!(
        intent.card_option("request_three_d_secure"),
        Some("any" | "challenge")
    );
    let method = &state.methods[&method];
    let challenge = match method.card.behaviour {
        Behaviour::Authentication => true,
        Behaviour::AuthenticationUnlessSetUp => !method.set_up,
        Behaviour::AuthenticationOnRequest => asked,
        _ => false,
    };
    if !challenge || intent.authenticated {
        return attempt(state, id);
    }
    if how.off_session {
        let refusal = Error::card(
            "authentication_required",
            Some("authentication_required"),
            "Your card was declined. This transaction requires authentication.",
        );
        return Err(failed(state, id, refusal, true));
    }
    if how.error_on_action {
        let refusal = Error::card(
            "authentication_required",
            None,
            "This payment required an authentication action to complete, but \
             `error_on_requires_action` was set.",
        );
        return Err(failed(state, id, refusal, false));
    }
    intent.status = WANTS_ACTION;
    intent.next_action = match &how.return_url {
        Some(url) => json!({
            "redirect_to_url": {
                "return_url": url,
                "url": format!("https://hooks.stripe.com/3d_secure_2/hosted?intent={id}"),
            },
            "type": "redirect_to_url",
        }),
        None => json!({
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {
                "source": id.replacen("pi_", "payatt_", 1),
                "stripe_js": "",
                "type": "stripe_3ds2_fingerprint",
            },
        }),
    };
    state.event("payment_intent.requires_action", id);
    Ok(state.intents[id].json())
}

/// Asks the network for the money.
fn attempt(state: &mut State, id: &str) -> Reply {
    let intent = &state.intents[id];
    let manual = intent.manual();
    let method = intent.payment_method.clone().unwrap_or_default();
    let declined = "Your card was declined.";
    let refusal = match state.methods[&method].card.behaviour {
        Behaviour::Declined(code, decline_code, message) => {
            Some(Error::card(code, decline_code, message))
        }
        Behaviour::DeclinedOnCharge => Some(Error::card(
            "card_declined",
            Some("generic_decline"),
            declined,
        )),
        Behaviour::RiskHighest => Some(Error::card("card_declined", Some("fraudulent"), declined)),
        Behaviour::Processing => {
            if let Some(intent) = state.intents.get_mut(id) {
                intent.status = PROCESSING;
            }
            state.event("payment_intent.processing", id);
            return Ok(state.intents[id].json());
        }
        _ => None,
    };
    match refusal {
        Some(refusal) => Err(failed(state, id, refusal, true)),
        None => Ok(authorized(state, id, manual)),
    }
}

fn authorized(state: &mut State, id: &str, manual: bool) -> Value {
    let charge = charges::attempt(state, id, None, manual);
    if let Some(intent) = state.intents.get_mut(id) {
        intent.latest_charge = Some(charge.clone());
        intent.last_payment_error = Value::Null;
        intent.next_action = Value::Null;
        if manual {
            intent.status = WANTS_CAPTURE;
            intent.capturable = intent.amount;
        } else {
            intent.status = SUCCEEDED;
            intent.received = intent.amount;
        }
    }
    if !manual && let Some(charge) = state.charges.get_mut(&charge) {
        charge.captured = charge.amount;
    }
    let intent = &state.intents[id];
    let (customer, usage) = (intent.customer.clone(), intent.usage.clone());
    let method = intent.payment_method.clone().unwrap_or_default();
    customers::used(
        state,
        &method,
        customer.as_deref().filter(|_| usage.is_some()),
        usage.as_deref(),
    );
    state.event("charge.succeeded", &charge);
    if manual {
        state.event("payment_intent.amount_capturable_updated", id);
    } else {
        state.event("payment_intent.succeeded", id);
        disputes::follow(state, id);
    }
    state.intents[id].json()
}

/// An attempt that failed: the intent waits for another payment method. Answers the refusal with the intent in it.
fn failed(state: &mut State, id: &str, refusal: Error, charged: bool) -> Error {
    let method = state.intents[id].payment_method.clone().unwrap_or_default();
    let object = state.object(&method).unwrap_or(Value::Null);
    let mut refusal = refusal;
    if charged {
        let charge = charges::attempt(state, id, Some(refusal.clone()), false);
        refusal = refusal.with("charge", charge.clone());
        if let Some(intent) = state.intents.get_mut(id) {
            intent.latest_charge = Some(charge.clone());
        }
        state.event("charge.failed", &charge);
    }
    refusal = refusal.with("payment_method", object);
    if let Some(intent) = state.intents.get_mut(id) {
        intent.status = WANTS_METHOD;
        intent.payment_method = None;
        intent.authenticated = false;
        intent.next_action = Value::Null;
        intent.last_payment_error = Value::Object(refusal.body.clone());
    }
    state.event("payment_intent.payment_failed", id);
    refusal.with("payment_intent", state.intents[id].json())
}

/// What the payer did on the page of the bank.
pub fn complete_action(state: &mut State, id: &str, succeed: bool) -> Value {
    assert_eq!(
        state.intents[id].status, WANTS_ACTION,
        "{id} waits for no action"
    );
    if succeed {
        let mut manual = false;
        if let Some(intent) = state.intents.get_mut(id) {
            intent.authenticated = true;
            intent.next_action = Value::Null;
            if intent.confirmation_method == "manual" {
                manual = true;
                intent.status = WANTS_CONFIRMATION;
            }
        }
        if !manual {
            let _ = attempt(state, id);
        }
    } else {
        let message = "The provided PaymentMethod has failed authentication. You can provide \
             payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent \
             again.";
        let refusal = Error::refused(Some("payment_intent_authentication_failure"), message);
        failed(state, id, refusal, false);
    }
    state.intents[id].json()
}

/// How a payment that was processing ends.
pub fn settle(state: &mut State, id: &str, succeed: bool) -> Value {
    assert_eq!(
        state.intents[id].status, PROCESSING,
        "{id} is not processing"
    );
    if succeed {
        let manual = state.intents[id].manual();
        authorized(state, id, manual);
    } else {
        let refusal = Error::card(
            "processing_error",
            None,
            "The payment could not be processed.",
        );
        failed(state, id, refusal, true);
    }
    state.intents[id].json()
}
