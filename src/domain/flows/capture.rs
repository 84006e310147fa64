//! Taking reserved money: an amount, or what a shipment comes to.

use super::move_money::{order_paid_by, shift};
use crate::context::{Cx, Tx};
use crate::domain::orders::{self, OrderLineUnits};
use crate::domain::payments::{
    self, AttemptLine, PaymentAttemptKind, PaymentDetails, Standing, Wish,
};
use crate::input;
use crate::kernel::ids::PaymentId;
use crate::kernel::money::Minor;
use crate::kernel::{Checks, Code, Error, Result};
use crate::operation::{Answer, Flow};
use crate::ports::payment::{Captures, PaymentProviders};

input! {
    /// Takes reserved money.
    CapturePayment {
        /// The payment.
        id: PaymentId,
        /// How much, in minor units; all that is reserved when left out.
        amount: Option<Minor>,
        /// The units of the order that are shipped, instead of an amount: what they come to is taken, as far as it is reserved,
        /// and the delivery with the first of them. Each unit is captured once, by whichever payment of the order.
        lines: Option<Vec<OrderLineUnits>>,
        /// The shipment's name in the caller's words, 1 to 100 characters: the same shipment is captured once.
        shipment: Option<String>,
        /// Whether the rest is to be let go: left out, it is with the last units of the order. Where the provider captures a
        /// payment once it always is, and a shipment that is not the last must say so.
        last: Option<bool>,
    }
}

impl Flow for CapturePayment {
    async fn run(self, cx: &Cx) -> Result<Answer<PaymentDetails>> {
        orders::check_request(None, self.lines.as_deref())?;
        let mut checks = Checks::new();
        if let Some(shipment) = &self.shipment {
            checks.text("/shipment", shipment, 100);
        }
        checks
            .that(
                self.lines.is_none() || self.amount.is_none(),
                "/amount",
                "both_kinds",
                "Say an amount or lines, not both.",
            )
            .done()?;
        shift(cx, self.id, move |tx| self.wish(tx)).await
    }
}

impl CapturePayment {
    /// What the provider is asked for.
    fn wish(&self, tx: &mut Tx<'_>) -> Result<Wish> {
        let mut wish = Wish {
            amount: self.amount.map(|amount| amount.0),
            last: self.last.unwrap_or(false),
            shipment: self.shipment.clone(),
            ..Wish::new(PaymentAttemptKind::Capture)
        };
        let Some(units) = &self.lines else {
            return Ok(wish);
        };
        let order = order_paid_by(tx, self.id)?;
        let lines = orders::lines_of(tx, order.id)?;
        let (payment, events) = payments::lock(tx, self.id)?;
        if let Some(shipment) = &self.shipment {
            payments::refuse_captured(tx, payment.id, shipment)?;
        }
        let captured = payments::captured_units(tx, payment.checkout_id)?;
        let (shares, last) = orders::to_capture(&lines, &captured, units)?;
        let last = self.last.unwrap_or(last);
        let providers = tx.app().part::<PaymentProviders>()?;
        let provider = providers.get(&payment.provider, "/provider")?;
        if provider.abilities().captures == Captures::Once && !last {
            let detail = "The provider captures a payment once, and more is to be shipped: say `last` to take what these units \
                come to and let the rest go, or capture an amount.";
            return Err(Error::field(
                Code::InvalidState,
                "/last",
                "captured_once",
                detail,
            ));
        }
        let worth: i64 = if last && self.last.is_none() {
            // To the cent what is left, whatever was called off and refunded in between.
            let before: i64 = captured.values().map(|line| line.amount).sum();
            order.grand_total - order.cancelled_total - before
        } else {
            shares.iter().map(|share| share.amount).sum()
        };
        if worth <= 0 {
            let detail = "The units cost nothing, so nothing is captured for them.";
            return Err(Error::new(Code::InvalidState, detail));
        }
        let left = payments::left(tx, payment.id, &Standing::of(&events))?;
        // Nothing reserved is for `begin` to refuse. Nothing is let go while another capture is on its way.
        wish.amount = Some(if left.reserved == 0 {
            worth
        } else {
            worth.min(left.reserved)
        });
        wish.last = last && left.moving == 0;
        wish.lines = shares.iter().map(AttemptLine::from).collect();
        Ok(wish)
    }
}
