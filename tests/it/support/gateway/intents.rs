//! Payment intents.

use serde_json::{Map, Value, json};

use super::confirm::{Confirm, confirm_with};
use super::customers;
use super::errors::{Error, Reply};
use super::params::{self, Params};
use super::state::State;

pub const WANTS_METHOD: &str = "requires_payment_method";
pub const WANTS_CONFIRMATION: &str = "requires_confirmation";
pub const WANTS_ACTION: &str = "requires_action";
pub const PROCESSING: &str = "processing";
pub const WANTS_CAPTURE: &str = "requires_capture";
pub const SUCCEEDED: &str = "succeeded";
pub const CANCELED: &str = "canceled";

const UNEXPECTED: Option<&str> = Some("payment_intent_unexpected_state");

/// Texts that are kept as they come.
const TEXTS: [&str; 5] = [
    "description",
    "receipt_email",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
];

/// A payment that is meant.
pub struct Intent {
    /// `pi_…`
    pub id: String,
    /// `pi_…_secret_…`
    pub client_secret: String,
    /// What is to be paid.
    pub amount: i64,
    /// What can still be captured.
    pub capturable: i64,
    /// What was captured.
    pub received: i64,
    /// The currency.
    pub currency: String,
    /// Where it stands.
    pub status: &'static str,
    /// `automatic`, `automatic_async` or `manual`.
    pub capture_method: String,
    /// `automatic` or `manual`.
    pub confirmation_method: String,
    /// Metadata.
    pub metadata: Map<String, Value>,
    /// The last attempt.
    pub latest_charge: Option<String>,
    /// Why the last attempt failed.
    pub last_payment_error: Value,
    /// What the payer has to do.
    pub next_action: Value,
    /// The payment method.
    pub payment_method: Option<String>,
    /// The customer.
    pub customer: Option<String>,
    /// Why it was canceled, and when.
    pub canceled: Option<(Option<String>, i64)>,
    /// `automatic_payment_methods`.
    pub automatic: Value,
    /// `payment_method_types`.
    pub types: Vec<String>,
    /// `payment_method_options`.
    pub options: Value,
    /// `setup_future_usage`.
    pub usage: Option<String>,
    /// `shipping`.
    pub shipping: Value,
    /// `description` and its like.
    pub texts: Map<String, Value>,
    /// Whether 3D Secure was stood for this payment method.
    pub authenticated: bool,
    /// Whether the search knows it.
    pub indexed: bool,
    /// Its time.
    pub created: i64,
}

impl Intent {
    /// The object.
    pub fn json(&self) -> Value {
        let mut object = json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": self.capturable,
            "amount_details": { "tip": {} },
            "amount_received": self.received,
            "application": null,
            "application_fee_amount": null,
            "automatic_payment_methods": self.automatic,
            "canceled_at": self.canceled.as_ref().map(|canceled| canceled.1),
            "cancellation_reason": self.canceled.as_ref().and_then(|canceled| canceled.0.clone()),
            "capture_method": self.capture_method,
            "client_secret": self.client_secret,
            "confirmation_method": self.confirmation_method,
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "excluded_payment_method_types": null,
            "last_payment_error": self.last_payment_error,
            "latest_charge": self.latest_charge,
            "livemode": false,
            "metadata": self.metadata,
            "next_action": self.next_action,
            "on_behalf_of": null,
            "payment_method": self.payment_method,
            "payment_method_configuration_details": null,
            "payment_method_options": self.options,
            "payment_method_types": self.types,
            "processing": null,
            "review": null,
            "setup_future_usage": self.usage,
            "shipping": self.shipping,
            "source": null,
            "status": self.status,
            "transfer_data": null,
        });
        for name in TEXTS {
            object[name] = self.texts.get(name).cloned().unwrap_or(Value::Null);
        }
        object
    }

    /// An option of cards.
    pub fn card_option(&self, name: &str) -> Option<&str> {
        self.options.get("card")?.get(name)?.as_str()
    }

    /// Whether it is only authorised at first.
    pub fn manual(&self) -> bool {
        self.card_option("capture_method")
            .unwrap_or(&self.capture_method)
            == "manual"
    }
}

/// Refuses loudly what the double does not play.
pub fn not_simulated(params: &Params) -> Result<(), Error> {
    params.not_simulated(&[
        "confirmation_token",
        "payment_method_data",
        "mandate_data",
        "transfer_data",
        "on_behalf_of",
        "application_fee_amount",
        "payment_method_configuration",
        "customer_account",
        "use_stripe_sdk",
    ])
}

/// Checks the parameters that take one of a few words.
pub fn check_words(params: &Params) -> Result<(), Error> {
    params.one_of(
        "capture_method",
        &["automatic", "automatic_async", "manual"],
    )?;
    params.one_of("confirmation_method", &["automatic", "manual"])?;
    params.one_of("setup_future_usage", &["", "off_session", "on_session"])?;
    params.one_of(
        "automatic_payment_methods.allow_redirects",
        &["always", "never"],
    )?;
    let card = "payment_method_options.card";
    for (name, words) in [
        ("capture_method", &["manual"][..]),
        ("request_multicapture", &["if_available", "never"]),
        ("request_extended_authorization", &["if_available", "never"]),
        (
            "request_incremental_authorization",
            &["if_available", "never"],
        ),
        ("request_overcapture", &["if_available", "never"]),
        ("request_three_d_secure", &["any", "automatic", "challenge"]),
        ("setup_future_usage", &["none", "off_session", "on_session"]),
    ] {
        params.one_of(&format!("{card}.{name}"), words)?;
    }
    if params.has("shipping.address.line1") != params.has("shipping.name") {
        let absent = if params.has("shipping.name") {
            "shipping.address"
        } else {
            "shipping.name"
        };
        return Err(Error::missing(absent));
    }
    Ok(())
}

/// `POST /v1/payment_intents`.
pub fn create(state: &mut State, params: &Params) -> Reply {
    params.check(&format!(
        "{} {}",
        params::INTENT_CREATE,
        params::INTENT_SHARED
    ))?;
    not_simulated(params)?;
    let amount = params
        .amount("amount", 1)?
        .ok_or_else(|| Error::missing("amount"))?;
    let currency = params::currency(params)?;
    check_words(params)?;
    let confirm = params.boolean("confirm")?.unwrap_or(false);
    let automatic = automatic(params)?;
    let how = Confirm::read(params)?;
    if confirm {
        how.check_return_url(&automatic)?;
    } else {
        for name in ["off_session", "error_on_requires_action", "return_url"] {
            if params.has(name) {
                return Err(Error::invalid(
                    name,
                    format!("`{name}` can only be passed when `confirm` is set to `true`."),
                ));
            }
        }
    }
    let mut metadata = Map::new();
    params.metadata(&mut metadata)?;
    let customer = customers::named(state, params)?;
    let method = match &how.payment_method {
        None => None,
        Some(name) => Some(customers::usable(state, name, customer.as_deref())?),
    };
    let id = state.id("pi");
    let intent = Intent {
        client_secret: format!("{id}_secret_{}", id.trim_start_matches("pi_3D")),
        amount,
        capturable: 0,
        received: 0,
        currency,
        status: if method.is_some() {
            WANTS_CONFIRMATION
        } else {
            WANTS_METHOD
        },
        capture_method: params
            .text("capture_method")
            .unwrap_or("automatic_async")
            .into(),
        confirmation_method: params
            .text("confirmation_method")
            .unwrap_or("automatic")
            .into(),
        metadata,
        latest_charge: None,
        last_payment_error: Value::Null,
        next_action: Value::Null,
        payment_method: method.clone(),
        customer,
        canceled: None,
        automatic,
        types: vec!["card".into()],
        options: options(
            params,
            json!({ "card": { "request_three_d_secure": "automatic" } }),
        ),
        usage: params
            .text("setup_future_usage")
            .filter(|usage| !usage.is_empty())
            .map(str::to_owned),
        shipping: params.get("shipping").cloned().unwrap_or(Value::Null),
        texts: Map::new(),
        authenticated: false,
        indexed: !state.search_held,
        created: state.now(),
        id: id.clone(),
    };
    state.intents.insert(id.clone(), intent);
    texts(state, &id, params);
    state.event("payment_intent.created", &id);
    if confirm {
        let how = Confirm {
            payment_method: method,
            ..how
        };
        return confirm_with(state, &id, &how);
    }
    Ok(state.intents[&id].json())
}

/// `automatic_payment_methods`, which are on unless the request lists types or says no.
fn automatic(params: &Params) -> Result<Value, Error> {
    let types = params.list("payment_method_types");
    let enabled = match params.get("automatic_payment_methods") {
        None => types.is_empty(),
        Some(_) => params
            .boolean("automatic_payment_methods.enabled")?
            .ok_or_else(|| Error::missing("automatic_payment_methods.enabled"))?,
    };
    if enabled && !types.is_empty() {
        return Err(Error::invalid(
            "payment_method_types",
            "You may only specify one of these parameters: automatic_payment_methods, payment_method_types.",
        ));
    }
    if let Some(other) = types.iter().find(|kind| *kind != "card") {
        return Err(Error::invalid(
            "payment_method_types",
            format!("The payment method type provided: {other} is invalid. Please ensure the provided type is activated in your dashboard."),
        )
        .code("payment_intent_invalid_parameter"));
    }
    Ok(if enabled {
        let redirects = params
            .text("automatic_payment_methods.allow_redirects")
            .unwrap_or("always");
        json!({ "allow_redirects": redirects, "enabled": true })
    } else {
        Value::Null
    })
}

/// Takes over `payment_method_options`.
pub fn options(params: &Params, mut options: Value) -> Value {
    if let Some(Value::Object(kinds)) = params.get("payment_method_options") {
        for (kind, given) in kinds {
            if options.get(kind).is_none() {
                options[kind] = json!({});
            }
            for (name, value) in given.as_object().into_iter().flatten() {
                options[kind][name] = value.clone();
            }
        }
    }
    options
}

/// Takes over `description` and its like.
pub fn texts(state: &mut State, id: &str, params: &Params) {
    let Some(intent) = state.intents.get_mut(id) else {
        return;
    };
    for name in TEXTS {
        match params.text(name) {
            Some("") => intent.texts.insert(name.into(), Value::Null),
            Some(text) => intent.texts.insert(name.into(), text.into()),
            None => None,
        };
    }
}

/// `POST /v1/payment_intents/{id}`.
pub fn update(state: &mut State, id: &str, params: &Params) -> Reply {
    params.check(&format!(
        "{} {}",
        params::INTENT_UPDATE,
        params::INTENT_SHARED
    ))?;
    not_simulated(params)?;
    known(state, id)?;
    check_words(params)?;
    let amount = params.amount("amount", 1)?;
    let currency = if params.has("currency") {
        Some(params::currency(params)?)
    } else {
        None
    };
    let mut metadata = state.intents[id].metadata.clone();
    params.metadata(&mut metadata)?;
    let status = state.intents[id].status;
    let open = [WANTS_METHOD, WANTS_CONFIRMATION, WANTS_ACTION].contains(&status);
    for name in [
        "amount",
        "currency",
        "capture_method",
        "customer",
        "payment_method",
        "payment_method_options",
        "payment_method_types",
        "setup_future_usage",
        "shipping",
    ] {
        if !open && params.has(name) {
            return Err(unexpected(
                state,
                id,
                format!(
                    "This PaymentIntent's {name} could not be updated because it has a status of \
                     {status}. You may only update the {name} of a PaymentIntent with one of the \
                     following statuses: requires_payment_method, requires_confirmation, \
                     requires_action."
                ),
            )
            .param(name));
        }
    }
    let customer = match customers::named(state, params)? {
        Some(customer) => Some(customer),
        None => state.intents[id].customer.clone(),
    };
    let method = match params.text("payment_method") {
        None => None,
        Some(name) => Some(customers::usable(state, name, customer.as_deref())?),
    };
    if let Some(intent) = state.intents.get_mut(id) {
        intent.metadata = metadata;
        intent.customer = customer;
        if intent.status == WANTS_ACTION && (amount.is_some() || method.is_some()) {
            intent.status = WANTS_CONFIRMATION;
            intent.next_action = Value::Null;
            intent.authenticated = false;
        }
        intent.amount = amount.unwrap_or(intent.amount);
        if let Some(currency) = currency {
            intent.currency = currency;
        }
        if let Some(capture) = params.text("capture_method") {
            intent.capture_method = capture.into();
        }
        if let Some(usage) = params.text("setup_future_usage") {
            intent.usage = Some(usage.to_owned()).filter(|usage| !usage.is_empty());
        }
        match params.get("shipping") {
            Some(Value::String(_)) => intent.shipping = Value::Null,
            Some(shipping) => intent.shipping = shipping.clone(),
            None => {}
        }
        intent.options = options(params, intent.options.take());
        if method.is_some() {
            intent.payment_method = method;
            if intent.status == WANTS_METHOD {
                intent.status = WANTS_CONFIRMATION;
            }
        }
    }
    texts(state, id, params);
    Ok(state.intents[id].json())
}

/// `GET /v1/payment_intents/{id}`.
pub fn get(state: &State, id: &str, params: &Params) -> Reply {
    params.check(params::INTENT_GET)?;
    known(state, id)?;
    if params
        .text("client_secret")
        .is_some_and(|secret| secret != state.intents[id].client_secret)
    {
        return Err(Error::invalid(
            "client_secret",
            "The client_secret provided does not match any associated PaymentIntent.",
        ));
    }
    Ok(state.intents[id].json())
}

/// Refuses an id that no intent has.
pub fn known(state: &State, id: &str) -> Result<(), Error> {
    if state.intents.contains_key(id) {
        return Ok(());
    }
    Err(Error::no_such("payment_intent", id, "intent", 404))
}

/// The intent is not where the call needs it to be.
pub fn unexpected(state: &State, id: &str, message: String) -> Error {
    Error::refused(UNEXPECTED, message).with("payment_intent", state.intents[id].json())
}
