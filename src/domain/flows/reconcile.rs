//! Finishing what was left behind: checkouts that ran out, payments of which nobody knows.

use super::checkouts::{self, CheckoutStatus};
use super::place_order::finish;
use crate::context::{Cx, Tx};
use crate::domain::{inventory, payments};
use crate::kernel::ids::CheckoutId;
use crate::kernel::{Code, Result};
use crate::ports::payment::{Outcome, PaymentProviders};

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
    inventory::release(tx, checkout.cart_id.uuid())
}

/// Asks providers about payments of which nobody knows, and writes what became of them.
pub async fn reconcile(cx: Cx) -> Result<()> {
    for (_, id) in cx.read(payments::due).await? {
        if let Err(error) = look_up(&cx, id).await {
            tracing::warn!(checkout = %id, %error, "a payment could not be reconciled");
        }
    }
    Ok(())
}

async fn look_up(cx: &Cx, id: CheckoutId) -> Result<()> {
    let Some(checkout) = cx.read(move |tx| checkouts::find(tx, id)).await? else {
        return Ok(());
    };
    let providers = cx.app.part::<PaymentProviders>()?;
    let provider = providers.get(&checkout.payment.provider, "/payment/provider")?;
    let outcome = provider.look_up(&checkout.authorize()).await;
    let result = cx
        .write(move |tx| {
            let Some(checkout) = checkouts::lock(tx, id)? else {
                return Ok(());
            };
            match checkout.status {
                CheckoutStatus::Paying => finish(tx, &checkout, &outcome).map(drop),
                // Settled by whoever was faster: nothing is left to ask.
                _ => payments::check_later(tx, checkout.payment_id, None),
            }
        })
        .await;
    match result {
        // The money is there and the goods are gone: let the money go and say so.
        Err(error) if error.code == Code::InsufficientStock => {
            cx.write(move |tx| void(tx, id)).await
        }
        other => other,
    }
}

fn void(tx: &mut Tx<'_>, id: CheckoutId) -> Result<()> {
    let Some(checkout) = checkouts::lock(tx, id)? else {
        return Ok(());
    };
    let outcome = Outcome::Declined {
        reference: checkout.payment_id.to_string(),
        reason: "out_of_stock".into(),
    };
    finish(tx, &checkout, &outcome).map(drop)
}
