//! Money that goes back: an amount, or what units of an order's lines come to.

use super::move_money::{order_paid_by, shift, turn};
use super::overpaid;
use crate::context::{Cx, Tx};
use crate::domain::orders::{self, OrderLineUnits, OrderRow};
use crate::domain::payments::{
    self, AttemptLine, PaymentAttemptKind, PaymentDetails, Standing, Wish,
};
use crate::kernel::ids::{OrderId, OrderLineId, PaymentId};
use crate::kernel::money::{Minor, sum};
use crate::kernel::{Error, Money, Result};
use crate::operation::{Answer, Flow, Mutation, Output};
use crate::ports::payment::PaymentProviders;
use crate::{input, output};

input! {
    /// Sends money back.
    RefundPayment {
        /// The payment.
        id: PaymentId,
        /// How much, in minor units. When left out: what `lines` come to, or all that is left of the payment.
        amount: Option<Minor>,
        /// The units whose money goes back; they count as refunded from then on, and their stock stays where it is. They may
        /// come to more than `amount`: the rest is kept, or goes back by another of the order's payments.
        lines: Option<Vec<OrderLineUnits>>,
        /// Why, for the timeline.
        reason: Option<String>,
    }
    /// Says what the money of units comes to.
    SuggestRefund {
        /// The order.
        id: OrderId,
        /// The units; all that is neither called off nor refunded, the delivery, and what is kept beyond what is due, when left
        /// out.
        lines: Option<Vec<OrderLineUnits>>,
    }
}

output! {
    /// What the money of units of an order comes to, and by which payments it can go back.
    SuggestedRefund {
        /// What the units come to with tax; with `excess`, where no units were named.
        amount: Money,
        /// What is kept beyond what is due: paid twice or too much, or come after the order was called off.
        excess: Money,
        /// What can go back now: less than `amount` where less has come, or more went back already.
        refundable: Money,
        /// The units.
        lines: Vec<SuggestedRefundLine>,
        /// The payments, in the order in which money goes back: the latest first. One by which nothing is to go back is left
        /// out.
        payments: Vec<SuggestedRefundPayment>,
    }
    /// Units of a line, and what they come to.
    SuggestedRefundLine {
        /// The line.
        line_id: OrderLineId,
        /// Units.
        quantity: i64,
        /// What they come to with tax: the difference of cumulative shares, so that unit by unit gives back the line's total.
        amount: Money,
        /// The tax in it.
        tax: Money,
    }
    /// How much is to go back by a payment.
    SuggestedRefundPayment {
        /// The payment.
        payment_id: PaymentId,
        /// Its provider.
        provider: String,
        /// How much is to go back.
        amount: Money,
        /// How much could.
        refundable: Money,
        /// Whether refundPayment sends it; otherwise people do, and record it with recordManualPayment.
        by_provider: bool,
    }
}

impl Output for SuggestedRefund {}

impl Flow for RefundPayment {
    async fn run(self, cx: &Cx) -> Result<Answer<PaymentDetails>> {
        orders::check_request(self.reason.as_deref(), self.lines.as_deref())?;
        shift(cx, self.id, move |tx| self.wish(tx)).await
    }
}

impl RefundPayment {
    /// What the provider is asked for. The units are counted as refunded with it.
    fn wish(&self, tx: &mut Tx<'_>) -> Result<Wish> {
        let amount = self.amount.map(|amount| amount.0);
        let wish = Wish {
            amount,
            reason: self.reason.clone(),
            ..Wish::new(PaymentAttemptKind::Refund)
        };
        let Some(units) = &self.lines else {
            return Ok(wish);
        };
        let order = order_paid_by(tx, self.id)?;
        let (lines, worth) = count_units(tx, order.id, units, amount)?;
        Ok(Wish {
            amount: amount.or(Some(worth)),
            lines,
            ..wish
        })
    }
}

/// Counts units of an order's lines as refunded; says what each and all of them come to, which is the most that can go back for
/// them.
pub fn count_units(
    tx: &mut Tx<'_>,
    order: OrderId,
    units: &[OrderLineUnits],
    amount: Option<i64>,
) -> Result<(Vec<AttemptLine>, i64)> {
    let lines = orders::lines_of(tx, order)?;
    let shares = orders::to_refund(&lines, Some(units))?;
    orders::refund_lines(tx, shares.iter().map(|s| (s.line_id, s.quantity)))?;
    let worth = sum(shares.iter().map(|share| share.amount))?;
    if amount.is_some_and(|amount| amount > worth) {
        let message = format!("At most {worth}, what the lines come to.");
        return Err(Error::invalid("/amount", "out_of_range", message));
    }
    Ok((shares.iter().map(AttemptLine::from).collect(), worth))
}

impl Mutation for SuggestRefund {
    fn run(&self, tx: &mut Tx<'_>) -> Result<SuggestedRefund> {
        orders::check_request(None, self.lines.as_deref())?;
        let order = orders::find(tx, self.id)?;
        let lines = orders::lines_of(tx, order.id)?;
        let shares = orders::to_refund(&lines, self.lines.as_deref())?;
        let mut worth = sum(shares.iter().map(|share| share.amount))?;
        let excess = overpaid::excess(tx, &order)?;
        if self.lines.is_none() {
            worth = sum([worth, excess])?;
        }
        let payments = spread(tx, &order, worth)?;
        let money = |amount| Money {
            amount,
            currency: order.currency,
        };
        Ok(SuggestedRefund {
            amount: money(worth),
            excess: money(excess),
            refundable: money(payments.iter().map(|p| p.amount.amount).sum()),
            lines: shares
                .iter()
                .map(|share| SuggestedRefundLine {
                    line_id: share.line_id,
                    quantity: share.quantity,
                    amount: money(share.amount),
                    tax: money(share.tax),
                })
                .collect(),
            payments,
        })
    }
}

/// By which payments of an order so much can go back.
fn spread(
    tx: &mut Tx<'_>,
    order: &OrderRow,
    mut worth: i64,
) -> Result<Vec<SuggestedRefundPayment>> {
    let providers = tx.app().part::<PaymentProviders>()?;
    let mut found = Vec::new();
    let mut all = Vec::new();
    for id in payments::ids_of(tx, order.checkout_id)? {
        all.extend(payments::find(tx, id)?);
    }
    all.sort_by_key(|(payment, _)| turn(payment));
    for (payment, events) in all {
        let here = payments::left(tx, payment.id, &Standing::of(&events))?.here;
        let amount = here.min(worth);
        if amount == 0 {
            continue;
        }
        worth -= amount;
        found.push(SuggestedRefundPayment {
            payment_id: payment.id,
            amount: payment.of(amount),
            refundable: payment.of(here),
            by_provider: providers
                .get(&payment.provider, "/provider")?
                .abilities()
                .refunds,
            provider: payment.provider,
        });
    }
    Ok(found)
}
