//! Finishing what was left behind: checkouts that ran out, payments and attempts of which nobody knows, webhooks.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::checkouts::{self, CheckoutStatus};
use super::place_order::{go_on, take_up};
use super::{ASK_AFTER, move_money, payment_links, release};
use crate::context::{Cx, Tx, read_data};
use crate::domain::{inventory, payments, saved_methods};
use crate::kernel::ids::{CheckoutId, PaymentCustomerId, PaymentId};
use crate::kernel::{Document, Error, Result};
use crate::operation::metrics;
use crate::ports::payment::{Authorize, Outcome, PaymentProviders, State};

/// Gives back the stock of checkouts that have run out, each in a transaction of its own.
pub async fn expire(cx: Cx) -> Result<()> {
    loop {
        let expired = cx.read(checkouts::expired).await?;
        if expired.is_empty() {
            return Ok(());
        }
        for id in expired {
            cx.write(move |tx| end(tx, id)).await?;
        }
    }
}

/// Ends a checkout that has run out, unless it was placed or replaced in the meantime.
fn end(tx: &mut Tx<'_>, id: CheckoutId) -> Result<()> {
    let Some(checkout) = checkouts::lock(tx, id)? else {
        return Ok(());
    };
    if checkout.status != CheckoutStatus::Open || checkout.expires_at > tx.now {
        return Ok(());
    }
    checkouts::set_status(tx, id, CheckoutStatus::Expired)?;
    if !checkout.is_covered() {
        let expired = payments::News::expired(checkout.payment_id, 0);
        payments::record(tx, checkout.payment_id, &[expired])?;
    }
    if checkout.remote {
        // What the provider still has open is closed there.
        release::enqueue(tx, checkout.payment_id);
    }
    inventory::release(tx, checkout.cart_id.uuid())
}

/// How long one run asks providers: a job has a lease of two minutes, and a call may take twenty seconds.
const AT_MOST: Duration = Duration::from_mins(1);

/// Asks providers about payments of which nobody knows, and writes what became of them.
pub async fn reconcile(cx: Cx) -> Result<()> {
    let until = Instant::now() + AT_MOST;
    for (payment, _) in cx.read(payments::due).await? {
        if Instant::now() > until {
            break;
        }
        if let Err(error) = look_up(&cx, payment, |_| Ok(())).await {
            tracing::warn!(%payment, %error, "a payment could not be reconciled");
        }
    }
    move_money::reconcile(&cx, until).await
}

/// Reads a payment at its provider, and takes up what that says; what comes `after` it is written with it.
pub async fn look_up(
    cx: &Cx,
    id: PaymentId,
    after: impl Fn(&mut Tx<'_>) -> Result<()> + Clone + Send + 'static,
) -> Result<()> {
    let found = cx
        .read(move |tx| {
            let Some((payment, _)) = payments::find(tx, id)? else {
                return Ok(None);
            };
            let checkout = checkouts::find(tx, payment.checkout_id)?;
            let Some(checkout) = checkout else {
                return Ok(None);
            };
            let by_link = checkout.payment_id != id && payment_links::is_wanted(tx, id)?;
            let request = checkout.ask(&payment);
            Ok(Some((payment.provider, checkout.cart_id, by_link, request)))
        })
        .await?;
    let Some((provider, cart, by_link, request)) = found else {
        return cx.write(after).await;
    };
    let providers = cx.app.part::<PaymentProviders>()?;
    let provider = providers.get(&provider, "/provider")?;
    let is_approved = |known: &Outcome| matches!(known, Outcome::Known(report) if report.state == State::Approved);
    let mut outcome = provider.look_up(&request).await;
    if is_approved(&outcome) && by_link {
        let capture = true;
        outcome = provider.authorize(&Authorize { capture, ..request }).await;
    }
    if outcome == Outcome::Unknown {
        return cx
            .write(move |tx| {
                payments::check_later(tx, id, Some(ASK_AFTER))?;
                after(tx)
            })
            .await;
    }
    if is_approved(&outcome) {
        go_on(cx, cart, id).await?;
        return cx.write(after).await;
    }
    let also = after.clone();
    let taken_up = cx
        .write(move |tx| {
            take_up(tx, id, &outcome).map(drop)?;
            also(tx)
        })
        .await;
    match taken_up {
        Ok(()) => Ok(()),
        // The money is there and the goods are gone, or it is not what was due: let it go and say so.
        Err(error) => {
            let code = error.code;
            let error = release::give_up(cx, id, error).await;
            if error.code == code && release::gives_up_on(code) {
                return cx.write(after).await;
            }
            Err(error)
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notice {
    provider: String,
    id: String,
}

/// What a webhook is about.
enum About {
    Payment(PaymentId),
    /// What the provider calls so, and which no payment here is known by.
    Reference(String),
    /// What the provider keeps for a customer.
    Customer(PaymentCustomerId),
}

/// The job that follows a webhook: reads the object it is about at its provider. A payment of ours that is not known (yet) fails
/// the job, which is tried again and set aside in the end. What the provider says is of another system is counted and done
/// with.
pub async fn notice(cx: Cx, payload: Document) -> Result<()> {
    let Notice { provider, id } = read_data(payload)?;
    let found = cx
        .read(move |tx| {
            let Some(notice) = payments::waiting(tx, &provider, &id)? else {
                return Ok(None);
            };
            let payment = match (&notice.payment, &notice.reference) {
                (Some(payment), _) => payments::known(tx, *payment)?,
                (None, Some(reference)) => {
                    let known = payments::by_reference(tx, &notice.provider, reference)?;
                    let about =
                        known.map_or_else(|| About::Reference(reference.clone()), About::Payment);
                    return Ok(Some((notice, Some(about))));
                }
                (None, None) => {
                    let about = match &notice.customer {
                        Some(name) => saved_methods::customer_named(tx, &notice.provider, name)?,
                        None => None,
                    };
                    return Ok(Some((notice, about.map(About::Customer))));
                }
            };
            match payment {
                Some(payment) => Ok(Some((notice, Some(About::Payment(payment))))),
                None => Err(not_known()),
            }
        })
        .await?;
    let Some((notice, about)) = found else {
        return Ok(());
    };
    let provider = notice.provider.clone();
    let processed = move |tx: &mut Tx<'_>| payments::processed(tx, &notice);
    let payment = match about {
        Some(About::Reference(reference)) => {
            let owner = owner(&cx, &provider, &reference).await?;
            if owner.is_none() {
                metrics::webhook(&provider, "foreign");
            }
            owner
        }
        Some(About::Payment(payment)) => Some(payment),
        Some(About::Customer(customer)) => {
            saved_methods::read_anew(&cx, customer).await?;
            None
        }
        None => None,
    };
    match payment {
        Some(payment) => look_up(&cx, payment, processed).await?,
        None => cx.write(processed).await?,
    }
    metrics::webhook(&provider, "processed");
    Ok(())
}

/// Whose an object is that the provider calls so; nothing where it is of another system.
async fn owner(cx: &Cx, provider: &str, reference: &str) -> Result<Option<PaymentId>> {
    let providers = cx.app.part::<PaymentProviders>()?;
    let owner = providers
        .get(provider, "/provider")?
        .owner(reference)
        .await?;
    let Some(payment) = owner else {
        return Ok(None);
    };
    let known = cx.read(move |tx| payments::known(tx, payment)).await?;
    known.map(Some).ok_or_else(not_known)
}

fn not_known() -> Error {
    Error::not_found("payment that the webhook is about")
}

/// Keeps a webhook and the job that follows it; one that is known already does nothing.
pub fn receive(
    tx: &mut Tx<'_>,
    provider: &str,
    notice: &crate::ports::payment::Notice,
) -> Result<()> {
    if payments::receive(tx, provider, notice)? {
        let payload = serde_json::json!({ "provider": provider, "id": notice.id });
        tx.enqueue(NOTICE, &payload, Duration::ZERO);
    }
    Ok(())
}

/// The kind of the job that follows a webhook.
pub const NOTICE: &str = "payments.notice";
