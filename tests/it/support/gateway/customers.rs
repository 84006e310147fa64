//! Customers and what they pay with.

use serde_json::{Map, Value, json};

use super::cards::{self, Behaviour, Card};
use super::charges::billing;
use super::errors::{Error, Reply};
use super::params::{self, Params};
use super::state::State;

/// Somebody whose cards are kept.
pub struct Customer {
    /// `cus_…`
    pub id: String,
    /// Whether it was deleted.
    pub deleted: bool,
    /// `name`, `email` and its like.
    pub fields: Map<String, Value>,
    /// Metadata.
    pub metadata: Map<String, Value>,
    /// Its time.
    pub created: i64,
}

/// Something to pay with.
pub struct PaymentMethod {
    /// `pm_…`
    pub id: String,
    /// The card.
    pub card: Card,
    /// Whose it is.
    pub customer: Option<String>,
    /// Whether it paid without belonging to anybody, or was taken from somebody: it may not be used again.
    pub spent: bool,
    /// Whether the bank agreed to later payments.
    pub set_up: bool,
    /// Its time.
    pub created: i64,
}

const FIELDS: [&str; 7] = [
    "address",
    "description",
    "email",
    "name",
    "phone",
    "shipping",
    "tax_exempt",
];

impl Customer {
    /// The object.
    pub fn json(&self) -> Value {
        if self.deleted {
            return json!({ "id": self.id, "object": "customer", "deleted": true });
        }
        let mut object = json!({
            "id": self.id,
            "object": "customer",
            "balance": 0,
            "created": self.created,
            "currency": null,
            "default_source": null,
            "delinquent": false,
            "discount": null,
            "invoice_prefix": "DOUBLE",
            "invoice_settings": {
                "custom_fields": null,
                "default_payment_method": null,
                "footer": null,
                "rendering_options": null,
            },
            "livemode": false,
            "metadata": self.metadata,
            "preferred_locales": [],
            "test_clock": null,
        });
        for name in FIELDS {
            object[name] = self.fields.get(name).cloned().unwrap_or(Value::Null);
        }
        object
    }
}

impl PaymentMethod {
    /// The object.
    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": billing(),
            "card": self.card.json(),
            "created": self.created,
            "customer": self.customer,
            "livemode": false,
            "metadata": {},
            "type": "card",
        })
    }
}

/// `POST /v1/customers`, and `POST /v1/customers/{id}`.
pub fn save(state: &mut State, id: Option<&str>, params: &Params) -> Reply {
    params.check(params::CUSTOMER)?;
    params.not_simulated(&[
        "source",
        "test_clock",
        "payment_method",
        "balance",
        "tax_id_data",
    ])?;
    let old = id.map(|id| alive(state, id, "id", 404)).transpose()?;
    let mut metadata = old.map(|old| old.metadata.clone()).unwrap_or_default();
    let mut fields = old.map(|old| old.fields.clone()).unwrap_or_default();
    params.metadata(&mut metadata)?;
    for name in FIELDS {
        if let Some(value) = params.get(name) {
            let unset = value.as_str() == Some("");
            fields.insert(name.into(), if unset { Value::Null } else { value.clone() });
        }
    }
    let (id, created) = match old {
        Some(old) => (old.id.clone(), old.created),
        None => (state.id("cus"), state.now()),
    };
    let fresh = !state.customers.contains_key(&id);
    let customer = Customer {
        id: id.clone(),
        deleted: false,
        fields,
        metadata,
        created,
    };
    state.customers.insert(id.clone(), customer);
    state.event(
        if fresh {
            "customer.created"
        } else {
            "customer.updated"
        },
        &id,
    );
    Ok(state.customers[&id].json())
}

/// `GET /v1/customers/{id}`: a deleted one says so.
pub fn get(state: &State, id: &str, params: &Params) -> Reply {
    params.check(params::EXPAND)?;
    state.found("customer", id, "id")
}

/// `DELETE /v1/customers/{id}`.
pub fn delete(state: &mut State, id: &str, params: &Params) -> Reply {
    params.check("")?;
    alive(state, id, "id", 404)?;
    for method in state.methods.values_mut() {
        if method.customer.as_deref() == Some(id) {
            method.customer = None;
            method.spent = true;
        }
    }
    state.event("customer.deleted", id);
    if let Some(customer) = state.customers.get_mut(id) {
        customer.deleted = true;
    }
    Ok(state.customers[id].json())
}

fn alive<'a>(state: &'a State, id: &str, param: &str, status: u16) -> Result<&'a Customer, Error> {
    let found = state.customers.get(id).filter(|customer| !customer.deleted);
    found.ok_or_else(|| Error::no_such("customer", id, param, status))
}

/// The customer that a request names.
pub fn named(state: &State, params: &Params) -> Result<Option<String>, Error> {
    match params.text("customer") {
        None => Ok(None),
        Some(id) => Ok(Some(alive(state, id, "customer", 400)?.id.clone())),
    }
}

/// A payment method by its id, or a fresh one of a test card.
fn find(state: &mut State, name: &str, status: u16) -> Result<String, Error> {
    if state.methods.contains_key(name) {
        return Ok(name.to_owned());
    }
    let Some(card) = cards::find(name) else {
        return Err(Error::no_such(
            "PaymentMethod",
            name,
            "payment_method",
            status,
        ));
    };
    let id = state.id("pm");
    let method = PaymentMethod {
        id: id.clone(),
        card,
        customer: None,
        spent: false,
        set_up: false,
        created: state.now(),
    };
    state.methods.insert(id.clone(), method);
    Ok(id)
}

/// A payment method that may be used for somebody.
pub fn usable(state: &mut State, name: &str, customer: Option<&str>) -> Result<String, Error> {
    let id = find(state, name, 400)?;
    let method = &state.methods[&id];
    if method.spent {
        return Err(Error::refused(
            None,
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer \
             attachment, shared with a connected account without Customer attachment, or was \
             detached from a Customer. It may not be used again. To use a PaymentMethod multiple \
             times, you must attach it to a Customer first.",
        ));
    }
    match (method.customer.as_deref(), customer) {
        (Some(owner), None) => Err(Error::refused(
            None,
            format!(
                "The payment method `{id}` belongs to the Customer {owner}. Please include the \
                 Customer in the `customer` parameter on the PaymentIntent."
            ),
        )
        .param("payment_method")),
        (Some(owner), Some(customer)) if owner != customer => Err(Error::refused(
            None,
            format!(
                "The payment method `{id}` does not belong to the Customer you supplied {customer}."
            ),
        )
        .param("payment_method")),
        _ => Ok(id),
    }
}

/// A payment method paid, or was set up. It is kept for the customer, where it is to be.
pub fn used(state: &mut State, id: &str, keep_for: Option<&str>, usage: Option<&str>) {
    let Some(method) = state.methods.get_mut(id) else {
        return;
    };
    if let Some(usage) = usage.filter(|_| keep_for.is_some()) {
        method.set_up |= usage == "off_session";
    }
    match keep_for {
        Some(customer) if method.customer.is_none() => {
            method.customer = Some(customer.to_owned());
            state.event("payment_method.attached", id);
        }
        None if method.customer.is_none() => method.spent = true,
        _ => {}
    }
}

/// The payment methods that are kept for a customer, oldest first.
pub fn methods_of(state: &State, id: &str) -> Result<Vec<String>, Error> {
    if state
        .customers
        .get(id)
        .is_none_or(|customer| customer.deleted)
    {
        return Err(Error::no_such("customer", id, "customer", 404));
    }
    let kept = state.methods.values();
    let kept = kept.filter(|method| method.customer.as_deref() == Some(id));
    Ok(kept.map(|method| method.id.clone()).collect())
}

/// `GET /v1/payment_methods/{id}`.
pub fn get_method(state: &mut State, id: &str, params: &Params) -> Reply {
    params.check(params::EXPAND)?;
    let id = find(state, id, 404)?;
    Ok(state.methods[&id].json())
}

/// `POST /v1/payment_methods/{id}/attach`.
pub fn attach(state: &mut State, id: &str, params: &Params) -> Reply {
    params.check(params::ATTACH)?;
    params.not_simulated(&["customer_account"])?;
    params.required("customer")?;
    let customer = named(state, params)?;
    let id = find(state, id, 404)?;
    let method = &state.methods[&id];
    if method.customer.is_some() {
        return Err(Error::refused(
            None,
            "The payment method you provided has already been attached to a customer.",
        ));
    }
    if method.spent {
        return Err(Error::refused(
            None,
            "This PaymentMethod was previously used without being attached to a Customer or was \
             detached from a Customer, and may not be used again.",
        ));
    }
    if let Behaviour::Declined(code, decline_code, message) = method.card.behaviour {
        return Err(Error::card(code, decline_code, message));
    }
    if let Some(method) = state.methods.get_mut(&id) {
        method.customer = customer;
    }
    state.event("payment_method.attached", &id);
    Ok(state.methods[&id].json())
}

/// `POST /v1/payment_methods/{id}/detach`.
pub fn detach(state: &mut State, id: &str, params: &Params) -> Reply {
    params.check(params::EXPAND)?;
    let Some(method) = state.methods.get_mut(id) else {
        return Err(Error::no_such("PaymentMethod", id, "payment_method", 404));
    };
    let Some(customer) = method.customer.take() else {
        return Err(Error::refused(
            None,
            "The payment method you provided is not attached to a customer so detachment is impossible.",
        ));
    };
    method.spent = true;
    let before = json!({ "customer": customer });
    state.event_after("payment_method.detached", id, Some(before));
    Ok(state.methods[id].json())
}
