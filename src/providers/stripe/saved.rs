//! Saved instruments: customers, setup intents, payments without the shopper.

use serde::Deserialize;
use serde_json::Value;

use super::api::{Failure, Got};
use super::wire::{List, Method};
use super::{Stripe, capture_method, outcome, to_stripe};
use crate::ports::payment::{Authorize, Outcome};
use crate::providers::http::escape;

/// What the client needs to save an instrument with Stripe.js.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Setup {
    /// `seti_…`
    pub id: String,
    /// For Stripe.js.
    pub client_secret: Option<String>,
}

/// A saved instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedMethod {
    /// `pm_…`
    pub id: String,
    /// `card` and so on.
    pub kind: String,
    /// As `visa`.
    pub brand: Option<String>,
    /// The last four digits.
    pub last4: Option<String>,
    /// The month the card ends in, 1 to 12.
    pub exp_month: Option<i64>,
    /// The year the card ends in.
    pub exp_year: Option<i64>,
    /// The same for the same card, whoever saved it.
    pub fingerprint: Option<String>,
}

/// Whose saved instrument is to be charged while the shopper is away.
#[derive(Clone, Debug)]
pub struct OffSession {
    /// `cus_…`
    pub customer: String,
    /// `pm_…`
    pub method: String,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
struct Instrument {
    id: String,
    #[serde(flatten)]
    method: Method,
}

impl From<Instrument> for SavedMethod {
    fn from(Instrument { id, method }: Instrument) -> Self {
        let details = method.rest.get(&method.kind);
        let text = |name: &str| Some(details?.get(name)?.as_str()?.to_owned());
        let number = |name: &str| details?.get(name).and_then(Value::as_i64);
        Self {
            id,
            brand: text("brand"),
            last4: text("last4"),
            exp_month: number("exp_month"),
            exp_year: number("exp_year"),
            fingerprint: text("fingerprint"),
            kind: method.kind,
        }
    }
}

/// Why a call about a saved instrument gave nothing: as [`Outcome::Refused`] and [`Outcome::Unknown`] are of a payment's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaveError {
    /// Stripe refused, for this reason.
    Refused(String),
    /// Nobody knows; ask again with the same key.
    Unknown,
}

impl From<Failure> for SaveError {
    fn from(failure: Failure) -> Self {
        match outcome(Err(failure)) {
            Outcome::Refused { reason } => Self::Refused(reason),
            Outcome::Known(_) | Outcome::Unknown => Self::Unknown,
        }
    }
}

impl Stripe {
    /// Makes a customer, once per `key`; `ours` is the customer's id here. Gives Stripe's name for it.
    pub async fn create_customer(
        &self,
        key: &str,
        ours: &str,
        email: Option<&str>,
    ) -> Result<String, SaveError> {
        let mut fields = vec![("metadata[customer]", ours.to_owned())];
        fields.extend(email.map(|email| ("email", email.to_owned())));
        let made: Got<Id> = self.api.post("/v1/customers", key, &fields).await?;
        Ok(made.object.id)
    }

    /// Begins to save an instrument that is to be charged later without the shopper, once per `key`.
    pub async fn setup_intent(&self, key: &str, customer: &str) -> Result<Setup, SaveError> {
        let fields = [
            ("customer", customer.to_owned()),
            ("usage", "off_session".into()),
            ("automatic_payment_methods[enabled]", "true".into()),
        ];
        let made: Got<Setup> = self.api.post("/v1/setup_intents", key, &fields).await?;
        Ok(made.object)
    }

    /// The first hundred saved instruments of a customer, the newest first.
    pub async fn list_payment_methods(
        &self,
        customer: &str,
    ) -> Result<Vec<SavedMethod>, SaveError> {
        let path = format!("/v1/customers/{}/payment_methods", escape(customer));
        let list: List<Instrument> = self.api.get(&path, &[("limit", "100".into())]).await?;
        Ok(list.data.into_iter().map(SavedMethod::from).collect())
    }

    /// Forgets a saved instrument. One that is not there is forgotten already.
    pub async fn detach(&self, key: &str, method: &str) -> Result<(), SaveError> {
        let path = format!("/v1/payment_methods/{}/detach", escape(method));
        let done: Result<Got<Id>, Failure> = self.api.post(&path, key, &[]).await;
        match done {
            Ok(_) | Err(Failure::Missing) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Charges a saved instrument while the shopper is away. Where the bank wants the shopper, it is declined with
    /// `authentication_required`, and the client is to confirm the payment.
    pub async fn charge_saved(&self, request: &Authorize, saved: &OffSession) -> Outcome {
        let Some(amount) = to_stripe(request.amount) else {
            return super::not_representable();
        };
        let mut fields = vec![
            ("amount", amount.to_string()),
            ("currency", request.amount.currency.as_str().to_lowercase()),
            ("capture_method", capture_method(request).into()),
            ("metadata[payment]", request.payment.to_string()),
            ("expand[]", "latest_charge.refunds".into()),
            ("customer", saved.customer.clone()),
            ("off_session", "true".into()),
            ("confirm", "true".into()),
            ("automatic_payment_methods[enabled]", "true".into()),
        ];
        match self.instrument(&saved.method) {
            Ok(field) => fields.extend(field),
            Err(failure) => return outcome(Err(failure)),
        }
        let answer = self
            .api
            .post("/v1/payment_intents", &request.key(), &fields)
            .await;
        match self.after(answer).await {
            Err(Failure::KeyReused) => self.find(request).await,
            done => outcome(done),
        }
    }
}
