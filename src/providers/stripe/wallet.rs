//! What Stripe keeps for later: customers, setup intents, payment methods.

use serde::Deserialize;
use serde_json::Value;

use super::api::{Failure, Got};
use super::wire::Method;
use super::{Stripe, outcome};
use crate::kernel::id::fresh;
use crate::kernel::ids::PaymentCustomerId;
use crate::ports::payment::Outcome;
use crate::ports::wallet::{Asked, KeptMethod, Setup, Wallet, WalletError};
use crate::providers::http::escape;

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
struct SetupIntent {
    client_secret: Option<String>,
}

#[derive(Deserialize)]
struct Instrument {
    id: String,
    customer: Option<String>,
    #[serde(flatten)]
    method: Method,
}

impl From<Instrument> for KeptMethod {
    fn from(Instrument { id, method, .. }: Instrument) -> Self {
        let details = method.rest.get(&method.kind);
        let text = |name: &str| Some(details?.get(name)?.as_str()?.to_owned());
        let number = |name: &str| details?.get(name).and_then(Value::as_i64);
        Self {
            reference: id,
            brand: text("brand"),
            last4: text("last4"),
            expiry_month: number("exp_month"),
            expiry_year: number("exp_year"),
            kind: method.kind,
        }
    }
}

impl From<Failure> for WalletError {
    fn from(failure: Failure) -> Self {
        match outcome(Err(failure)) {
            Outcome::Refused { reason }
                if reason == "not_found" || reason == "resource_missing" =>
            {
                Self::Missing
            }
            Outcome::Refused { reason } => Self::Refused(reason),
            Outcome::Known(_) | Outcome::Unknown => Self::Unknown,
        }
    }
}

impl Wallet for Stripe {
    fn create_customer<'a>(
        &'a self,
        customer: PaymentCustomerId,
        version: i64,
        email: &'a str,
    ) -> Asked<'a, String> {
        Box::pin(async move {
            let fields = [
                ("metadata[customer]", customer.to_string()),
                ("email", email.to_owned()),
            ];
            let key = format!("{customer}:{version}");
            let made: Got<Id> = self.api.post("/v1/customers", &key, &fields).await?;
            Ok(made.object.id)
        })
    }

    fn set_up<'a>(&'a self, customer: &'a str, key: &'a str) -> Asked<'a, Setup> {
        Box::pin(async move {
            let fields = [
                ("customer", customer.to_owned()),
                ("usage", "off_session".into()),
                ("automatic_payment_methods[enabled]", "true".into()),
            ];
            // The customer may be made anew meanwhile; Stripe refuses a key with other fields.
            let key = format!("{key}:{customer}:set-up");
            let made: Got<SetupIntent> = self.api.post("/v1/setup_intents", &key, &fields).await?;
            let client_secret = made.object.client_secret;
            Ok(Setup { client_secret })
        })
    }

    fn list<'a>(&'a self, customer: &'a str) -> Asked<'a, Vec<KeptMethod>> {
        Box::pin(async move {
            let path = format!("/v1/customers/{}/payment_methods", escape(customer));
            let all = self.pages(&path, &[], |method: &Instrument| &method.id);
            Ok(all.await?.into_iter().map(KeptMethod::from).collect())
        })
    }

    fn forget<'a>(&'a self, method: &'a str) -> Asked<'a, ()> {
        Box::pin(async move {
            let path = format!("/v1/payment_methods/{}/detach", escape(method));
            let key = format!("{}:detach", fresh());
            let done: Result<Got<Id>, Failure> = self.api.post(&path, &key, &[]).await;
            match done {
                Ok(_) | Err(Failure::Missing) => Ok(()),
                // One that is detached already is refused.
                Err(Failure::Refused(reason)) => {
                    let path = format!("/v1/payment_methods/{}", escape(method));
                    let read: Result<Instrument, Failure> = self.api.get(&path, &[]).await;
                    match read {
                        Ok(method) if method.customer.is_none() => Ok(()),
                        _ => Err(WalletError::Refused(reason)),
                    }
                }
                Err(failure) => Err(failure.into()),
            }
        })
    }
}
