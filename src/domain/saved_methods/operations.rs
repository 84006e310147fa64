use std::time::Duration;

use serde::Deserialize;

use super::model::{
    CustomerRow, DeletePaymentMethod, MethodRow, PaymentMethodSetup, RefreshPaymentMethods,
    SavedPaymentMethod, SavedPaymentMethods, SetDefaultPaymentMethod, SetUpPaymentMethod,
};
use super::{ListSavedPaymentMethods, queries};
use crate::auth::Scope;
use crate::context::{Cx, Tx, read_data};
use crate::kernel::ids::{PaymentCustomerId, SavedPaymentMethodId};
use crate::kernel::{Checks, Code, Document, Email, Error, Result};
use crate::operation::{Answer, Flow, Mutation, Query};
use crate::ports::payment::{Keeper, PaymentProviders};
use crate::ports::wallet::{Wallet, WalletError};

/// How often what a provider keeps is read, where it changes meanwhile.
const READINGS: usize = 5;

impl Query for ListSavedPaymentMethods {
    fn run(&self, tx: &mut Tx<'_>) -> Result<SavedPaymentMethods> {
        Checks::new().email("/email", &self.email).done()?;
        let methods = queries::of_email(tx, &self.email)?;
        Ok(SavedPaymentMethods { methods })
    }
}

impl Mutation for SetDefaultPaymentMethod {
    fn run(&self, tx: &mut Tx<'_>) -> Result<SavedPaymentMethod> {
        let method = kept(tx, self.id)?;
        if !method.is_default {
            queries::set_default(tx, &method)?;
        }
        Ok(queries::find(tx, self.id)?.into())
    }
}

/// A method that is not forgotten.
fn kept(tx: &mut Tx<'_>, id: SavedPaymentMethodId) -> Result<MethodRow> {
    let method = queries::find(tx, id)?;
    if method.forgotten_at.is_some() {
        return Err(Error::not_found("saved payment method"));
    }
    Ok(method)
}

impl Flow for SetUpPaymentMethod {
    async fn run(self, cx: &Cx) -> Result<Answer<PaymentMethodSetup>> {
        if let Some(answer) = cx.settled().await? {
            return Ok(answer);
        }
        let wallet = wallet(cx, &self.provider)?;
        Checks::new().email("/email", &self.email).done()?;
        let (provider, email) = (self.provider.clone(), self.email.clone());
        let customer = cx
            .write(move |tx| queries::customer_of(tx, &provider, &email))
            .await?;
        let reference = named(cx, wallet, customer.clone()).await?;
        let key = cx.claim.as_ref().map_or_else(
            || crate::kernel::id::fresh().to_string(),
            |claim| claim.for_provider(),
        );
        let setup = match wallet.set_up(&reference, &key).await {
            Err(WalletError::Missing) => {
                let lost = customer.clone();
                let anew = cx.write(move |tx| queries::lose(tx, &lost)).await?;
                let reference = named(cx, wallet, anew).await?;
                wallet.set_up(&reference, &key).await
            }
            known => known,
        };
        let setup = setup.map_err(said)?;
        if setup.client_secret.is_none() {
            read_anew(cx, customer.id).await?;
        }
        cx.settle(move |tx| {
            Ok(PaymentMethodSetup {
                client_secret: setup.client_secret.clone(),
                methods: queries::of_email(tx, &customer.email)?,
            })
        })
        .await
    }
}

/// What the provider calls a customer, who is made there where it does not know them.
async fn named(cx: &Cx, wallet: &dyn Wallet, customer: CustomerRow) -> Result<String> {
    if let Some(reference) = customer.reference {
        return Ok(reference);
    }
    let id = customer.id;
    let made = wallet.create_customer(id, customer.version, &customer.email);
    let made = made.await.map_err(said)?;
    cx.write(move |tx| {
        queries::name_customer(tx, id, &made)?;
        let named = queries::customer(tx, id)?.reference;
        named.ok_or_else(|| Error::internal("a customer without a name"))
    })
    .await
}

impl Flow for RefreshPaymentMethods {
    async fn run(self, cx: &Cx) -> Result<Answer<SavedPaymentMethods>> {
        if let Some(answer) = cx.settled().await? {
            return Ok(answer);
        }
        Checks::new().email("/email", &self.email).done()?;
        let email = self.email.clone();
        let of = email.clone();
        let customers = cx.read(move |tx| queries::customers_of(tx, &of)).await?;
        for customer in customers {
            read_anew(cx, customer.id).await?;
        }
        cx.settle(move |tx| {
            let methods = queries::of_email(tx, &email)?;
            Ok(SavedPaymentMethods { methods })
        })
        .await
    }
}

impl Flow for DeletePaymentMethod {
    async fn run(self, cx: &Cx) -> Result<Answer<SavedPaymentMethods>> {
        if let Some(answer) = cx.settled().await? {
            return Ok(answer);
        }
        let id = self.id;
        let method = cx.read(move |tx| queries::find(tx, id)).await?;
        if method.forgotten_at.is_none() {
            let wallet = wallet(cx, &method.provider)?;
            wallet.forget(&method.reference).await.map_err(said)?;
        }
        cx.settle(move |tx| {
            queries::forget(tx, id)?;
            let methods = queries::of_email(tx, &method.email)?;
            Ok(SavedPaymentMethods { methods })
        })
        .await
    }
}

/// Reads at its provider what it keeps for a customer.
pub async fn read_anew(cx: &Cx, id: PaymentCustomerId) -> Result<()> {
    for _ in 0..READINGS {
        let customer = cx.read(move |tx| queries::customer(tx, id)).await?;
        let Some(reference) = &customer.reference else {
            return Ok(());
        };
        let wallet = wallet(cx, &customer.provider)?;
        let methods = match wallet.list(reference).await {
            Ok(methods) => methods,
            Err(WalletError::Missing) => {
                let lost = move |tx: &mut Tx<'_>| queries::lose(tx, &customer).map(drop);
                return cx.write(lost).await;
            }
            Err(error) => return Err(said(error)),
        };
        let written = cx
            .write(move |tx| {
                let first = queries::raise(tx, &customer)?;
                if first {
                    queries::take_up(tx, &customer, &methods)?;
                }
                Ok(first)
            })
            .await?;
        if written {
            return Ok(());
        }
    }
    Err(Error::unavailable("what is kept changes all the time"))
}

/// For whom a provider keeps the instrument of a payment, who is made there where it does not know them.
pub async fn keeper(cx: &Cx, provider: &str, email: &Email) -> Result<Keeper> {
    let wallet = wallet_at(
        cx,
        provider,
        "/payment/provider",
        "/payment/savePaymentMethod",
    )?;
    let (provider, email) = (provider.to_owned(), email.clone());
    let customer = cx
        .write(move |tx| queries::customer_of(tx, &provider, &email))
        .await?;
    // One whom the provider has forgotten is made anew.
    read_anew(cx, customer.id).await?;
    let customer = cx
        .read(move |tx| queries::customer(tx, customer.id))
        .await?;
    Ok(Keeper {
        customer: named(cx, wallet, customer).await?,
        off_session: false,
        keep: true,
    })
}

#[derive(Deserialize)]
struct Kept {
    provider: String,
    customer: String,
}

/// Has what a provider keeps for a customer read once this transaction is committed.
pub fn read_later(tx: &mut Tx<'_>, provider: &str, customer: &str) {
    let payload = serde_json::json!({ "provider": provider, "customer": customer });
    tx.enqueue(READ, &payload, Duration::ZERO);
}

/// The job's kind.
pub const READ: &str = "saved_methods.read";

/// The job.
pub async fn read(cx: Cx, payload: Document) -> Result<()> {
    let Kept { provider, customer } = read_data(payload)?;
    let known = cx
        .read(move |tx| queries::customer_named(tx, &provider, &customer))
        .await?;
    match known {
        Some(customer) => read_anew(&cx, customer).await,
        None => Ok(()),
    }
}

/// The method that a token names, where the provider keeps it for this e-mail address.
pub fn named_by(
    tx: &mut Tx<'_>,
    provider: &str,
    token: &str,
    email: &Email,
) -> Result<Option<SavedPaymentMethodId>> {
    queries::named_by(tx, provider, token, email)
}

/// The token by which a saved method is charged, and for whom it is kept. The caller must be allowed to charge it, and it must
/// be the provider's and the shopper's; `pointer` is the field that names it.
pub fn charge(
    tx: &mut Tx<'_>,
    id: SavedPaymentMethodId,
    provider: &str,
    email: &Email,
    off_session: bool,
    pointer: &str,
) -> Result<(String, Keeper)> {
    tx.actor().require(Scope::PaymentsWrite, pointer)?;
    let unknown = || {
        let message = "The provider keeps no such payment method for the buyer's e-mail address.";
        Error::invalid(pointer, "unknown_payment_method", message)
    };
    let method = match kept(tx, id) {
        Ok(method) => method,
        Err(error) if error.code == Code::NotFound => return Err(unknown()),
        Err(error) => return Err(error),
    };
    match method.customer {
        Some(customer) if method.provider == provider && method.email == *email => {
            let keeper = Keeper {
                customer,
                off_session,
                keep: false,
            };
            Ok((method.reference, keeper))
        }
        _ => Err(unknown()),
    }
}

fn wallet<'a>(cx: &'a Cx, provider: &str) -> Result<&'a dyn Wallet> {
    wallet_at(cx, provider, "/provider", "/provider")
}

/// Where a provider keeps methods; refuses the field that names it, or the one that wants one kept.
fn wallet_at<'a>(
    cx: &'a Cx,
    provider: &str,
    named_at: &str,
    wanted_at: &str,
) -> Result<&'a dyn Wallet> {
    let providers = cx.app.part::<PaymentProviders>()?;
    let provider = providers.get(provider, named_at)?;
    provider.wallet().ok_or_else(|| {
        let message = format!("{} keeps no payment methods.", provider.name());
        Error::invalid(wanted_at, "not_supported", message)
    })
}

fn said(error: WalletError) -> Error {
    match error {
        WalletError::Refused(reason) => {
            let detail = format!("The provider refused: {reason}.");
            Error::new(Code::PaymentDeclined, detail)
        }
        WalletError::Missing => Error::not_found("customer of the provider"),
        WalletError::Unknown => Error::unavailable("the provider gave no answer"),
    }
}
