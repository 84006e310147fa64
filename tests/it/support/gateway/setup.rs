//! Setup intents: a card is kept without a payment.

use serde_json::{Map, Value, json};

use super::cards::Behaviour;
use super::customers;
use super::errors::{Error, Reply};
use super::params::{self, Params};
use super::state::State;

/// A card that is to be kept.
pub struct SetupIntent {
    /// `seti_…`
    pub id: String,
    /// `seti_…_secret_…`
    pub client_secret: String,
    /// Where it stands.
    pub status: &'static str,
    /// Whose card.
    pub customer: Option<String>,
    /// The payment method.
    pub payment_method: Option<String>,
    /// `off_session` or `on_session`.
    pub usage: String,
    /// Metadata.
    pub metadata: Map<String, Value>,
    /// What the payer has to do.
    pub next_action: Value,
    /// Why the last attempt failed.
    pub last_setup_error: Value,
    /// `automatic_payment_methods`.
    pub automatic: Value,
    /// The description.
    pub description: Value,
    /// Why it was canceled.
    pub cancellation_reason: Option<String>,
    /// Its time.
    pub created: i64,
}

impl SetupIntent {
    /// The object.
    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "object": "setup_intent",
            "application": null,
            "automatic_payment_methods": self.automatic,
            "cancellation_reason": self.cancellation_reason,
            "client_secret": self.client_secret,
            "created": self.created,
            "customer": self.customer,
            "description": self.description,
            "flow_directions": null,
            "last_setup_error": self.last_setup_error,
            "latest_attempt": null,
            "livemode": false,
            "mandate": null,
            "metadata": self.metadata,
            "next_action": self.next_action,
            "on_behalf_of": null,
            "payment_method": self.payment_method,
            "payment_method_options": { "card": { "mandate_options": null, "request_three_d_secure": "automatic" } },
            "payment_method_types": ["card"],
            "single_use_mandate": null,
            "status": self.status,
            "usage": self.usage,
        })
    }
}

fn not_simulated(params: &Params) -> Result<(), Error> {
    params.not_simulated(&[
        "attach_to_self",
        "confirmation_token",
        "customer_account",
        "mandate_data",
        "on_behalf_of",
        "payment_method_data",
        "payment_method_configuration",
        "single_use",
        "use_stripe_sdk",
    ])
}

/// `POST /v1/setup_intents`.
pub fn create(state: &mut State, params: &Params) -> Reply {
    params.check(params::SETUP_CREATE)?;
    not_simulated(params)?;
    let usage = params
        .one_of("usage", &["off_session", "on_session"])?
        .unwrap_or("off_session");
    params.one_of(
        "automatic_payment_methods.allow_redirects",
        &["always", "never"],
    )?;
    let enabled = match params.get("automatic_payment_methods") {
        None => params.list("payment_method_types").is_empty(),
        Some(_) => params
            .boolean("automatic_payment_methods.enabled")?
            .ok_or_else(|| Error::missing("automatic_payment_methods.enabled"))?,
    };
    let redirects = params
        .text("automatic_payment_methods.allow_redirects")
        .unwrap_or("always");
    let confirm = params.boolean("confirm")?.unwrap_or(false);
    if params.has("return_url") && !confirm {
        return Err(Error::invalid(
            "return_url",
            "`return_url` can only be passed when `confirm` is set to `true`.",
        ));
    }
    let mut metadata = Map::new();
    params.metadata(&mut metadata)?;
    let customer = customers::named(state, params)?;
    let method = match params.text("payment_method") {
        None => None,
        Some(name) => Some(customers::usable(state, name, customer.as_deref())?),
    };
    let id = state.id("seti");
    let setup = SetupIntent {
        client_secret: format!("{id}_secret_{}", id.trim_start_matches("seti_3D")),
        status: if method.is_some() {
            "requires_confirmation"
        } else {
            "requires_payment_method"
        },
        customer,
        payment_method: method,
        usage: usage.into(),
        metadata,
        next_action: Value::Null,
        last_setup_error: Value::Null,
        automatic: if enabled {
            json!({ "allow_redirects": redirects, "enabled": true })
        } else {
            Value::Null
        },
        description: params.get("description").cloned().unwrap_or(Value::Null),
        cancellation_reason: None,
        created: state.now(),
        id: id.clone(),
    };
    state.setups.insert(id.clone(), setup);
    state.event("setup_intent.created", &id);
    if confirm {
        return confirm_with(state, &id, None, params.text("return_url"));
    }
    Ok(state.setups[&id].json())
}

/// `POST /v1/setup_intents/{id}/confirm`.
pub fn confirm(state: &mut State, id: &str, params: &Params) -> Reply {
    params.check(params::SETUP_CONFIRM)?;
    not_simulated(params)?;
    known(state, id)?;
    confirm_with(
        state,
        id,
        params.text("payment_method"),
        params.text("return_url"),
    )
}

/// What Stripe.js does with a client secret.
pub fn confirm_by_client(
    state: &mut State,
    secret: &str,
    method: &str,
    url: Option<&str>,
) -> Reply {
    let found = state
        .setups
        .values()
        .find(|setup| setup.client_secret == secret);
    let id = found.map(|setup| setup.id.clone());
    let id = id.ok_or_else(|| Error::no_such("setupintent", secret, "intent", 404))?;
    confirm_with(state, &id, Some(method), url)
}

fn confirm_with(state: &mut State, id: &str, method: Option<&str>, url: Option<&str>) -> Reply {
    let setup = &state.setups[id];
    if ["succeeded", "canceled"].contains(&setup.status) {
        return Err(unexpected(state, id, "confirm"));
    }
    let customer = setup.customer.clone();
    let method = match method {
        Some(name) => Some(customers::usable(state, name, customer.as_deref())?),
        None => setup.payment_method.clone(),
    };
    let Some(method) = method else {
        return Err(Error::refused(
            Some("setup_intent_unexpected_state"),
            "You cannot confirm this SetupIntent because it's missing a payment method.",
        ));
    };
    let behaviour = state.methods[&method].card.behaviour;
    if let Some(setup) = state.setups.get_mut(id) {
        setup.payment_method = Some(method.clone());
        setup.next_action = Value::Null;
    }
    match behaviour {
        Behaviour::Declined(code, decline_code, message) => {
            Err(failed(state, id, Error::card(code, decline_code, message)))
        }
        Behaviour::Authentication | Behaviour::AuthenticationUnlessSetUp => {
            if let Some(setup) = state.setups.get_mut(id) {
                setup.status = "requires_action";
                setup.next_action = match url {
                    Some(url) => json!({
                        "redirect_to_url": {
                            "return_url": url,
                            "url": format!("https://hooks.stripe.com/3d_secure_2/hosted?intent={id}"),
                        },
                        "type": "redirect_to_url",
                    }),
                    None => json!({ "type": "use_stripe_sdk", "use_stripe_sdk": {} }),
                };
            }
            state.event("setup_intent.requires_action", id);
            Ok(state.setups[id].json())
        }
        _ => Ok(succeeded(state, id)),
    }
}

fn succeeded(state: &mut State, id: &str) -> Value {
    let setup = &state.setups[id];
    let (customer, usage) = (setup.customer.clone(), setup.usage.clone());
    let method = setup.payment_method.clone().unwrap_or_default();
    if let Some(setup) = state.setups.get_mut(id) {
        setup.status = "succeeded";
        setup.next_action = Value::Null;
        setup.last_setup_error = Value::Null;
    }
    customers::used(state, &method, customer.as_deref(), Some(&usage));
    state.event("setup_intent.succeeded", id);
    state.setups[id].json()
}

fn failed(state: &mut State, id: &str, refusal: Error) -> Error {
    let method = state.setups[id].payment_method.clone().unwrap_or_default();
    let refusal = refusal.with(
        "payment_method",
        state.object(&method).unwrap_or(Value::Null),
    );
    if let Some(setup) = state.setups.get_mut(id) {
        setup.status = "requires_payment_method";
        setup.payment_method = None;
        setup.next_action = Value::Null;
        setup.last_setup_error = Value::Object(refusal.body.clone());
    }
    state.event("setup_intent.setup_failed", id);
    refusal.with("setup_intent", state.setups[id].json())
}

/// What the payer did on the page of the bank.
pub fn complete_action(state: &mut State, id: &str, succeed: bool) -> Value {
    assert_eq!(
        state.setups[id].status, "requires_action",
        "{id} waits for no action"
    );
    if succeed {
        return succeeded(state, id);
    }
    let refusal = Error::refused(
        Some("setup_intent_authentication_failure"),
        "The latest attempt to set up the payment method has failed because authentication failed.",
    );
    failed(state, id, refusal);
    state.setups[id].json()
}

/// `POST /v1/setup_intents/{id}/cancel`.
pub fn cancel(state: &mut State, id: &str, params: &Params) -> Reply {
    params.check(params::INTENT_CANCEL)?;
    known(state, id)?;
    let reasons = ["abandoned", "requested_by_customer", "duplicate"];
    let reason = params
        .one_of("cancellation_reason", &reasons)?
        .map(str::to_owned);
    if ["succeeded", "canceled"].contains(&state.setups[id].status) {
        return Err(unexpected(state, id, "cancel"));
    }
    if let Some(setup) = state.setups.get_mut(id) {
        setup.status = "canceled";
        setup.next_action = Value::Null;
        setup.cancellation_reason = reason;
    }
    state.event("setup_intent.canceled", id);
    Ok(state.setups[id].json())
}

/// `GET /v1/setup_intents/{id}`.
pub fn get(state: &State, id: &str, params: &Params) -> Reply {
    params.check(params::INTENT_GET)?;
    known(state, id)?;
    Ok(state.setups[id].json())
}

fn known(state: &State, id: &str) -> Result<(), Error> {
    if state.setups.contains_key(id) {
        return Ok(());
    }
    Err(Error::no_such("setupintent", id, "intent", 404))
}

fn unexpected(state: &State, id: &str, verb: &str) -> Error {
    let status = state.setups[id].status;
    Error::refused(
        Some("setup_intent_unexpected_state"),
        format!("You cannot {verb} this SetupIntent because it has a status of {status}."),
    )
    .with("setup_intent", state.setups[id].json())
}
