//! Calling off an order, or units of it: stock and money go back in one transaction, and with the last unit the uses of
//! coupons.

use super::later_payments::CALLED_OFF;
use super::{move_money, overpaid};
use crate::context::Tx;
use crate::domain::coupons;
use crate::domain::credits;
use crate::domain::inventory::{self, Pick};
use crate::domain::orders::{self, Allocation, Given, Order, OrderLineUnits, OrderStatus, Share};
use crate::domain::payments::{
    self, Left, News, PaymentAttemptKind, PaymentEventKind, PaymentRow, Standing, Wish,
};
use crate::input;
use crate::kernel::ids::{OrderEventId, OrderId};
use crate::kernel::{Code, Error, Result};
use crate::operation::Mutation;
use crate::ports::payment::{PaymentProviders, Reach};

input! {
    /// Calls off an order or units of it.
    CancelOrder {
        /// The order.
        id: OrderId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// The units to be called off; all that is left, and the delivery, when left out.
        lines: Option<Vec<OrderLineUnits>>,
        /// Why, for the timeline.
        reason: Option<String>,
    }
}

impl Mutation for CancelOrder {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Order> {
        orders::check_request(self.reason.as_deref(), self.lines.as_deref())?;
        let mut order = orders::lock(tx, self.id, self.expected_version)?;
        if order.status != OrderStatus::Open {
            let detail = format!("The order is {} and cannot be cancelled.", order.status);
            return Err(Error::new(Code::InvalidState, detail));
        }
        let lines = orders::lines_of(tx, order.id)?;
        let shares = orders::to_cancel(&lines, self.lines.as_deref())?;
        let amount = shares.iter().map(|s| s.amount).sum();
        let everything = lines.iter().all(|line| {
            let gone: i64 = shares
                .iter()
                .filter(|s| s.line_id == line.id)
                .map(|s| s.quantity)
                .sum();
            line.quantity_cancelled + gone == line.quantity
        });
        give_back_stock(tx, order.id, &shares)?;
        orders::cancel_lines(tx, &mut order, &shares, &Given { amount, everything })?;
        give_back_money(tx, &order, amount, everything)?;
        if everything && order.discount_total > 0 {
            coupons::give_back(tx, order.id)?;
        }
        let kind = if everything {
            "cancelled"
        } else {
            "lines_cancelled"
        };
        let facts = serde_json::json!({
            "reason": self.reason,
            "amount": amount,
            "lines": shares.iter().map(|s| serde_json::json!({ "lineId": s.line_id, "quantity": s.quantity })).collect::<Vec<_>>(),
        });
        orders::note(tx, order.id, kind, &facts)?;
        let event = if everything {
            "order.cancelled"
        } else {
            "order.lines_cancelled"
        };
        tx.publish(event, order.id.uuid(), &serde_json::json!({
            "orderId": order.id, "number": order.number, "amount": amount, "currency": order.currency,
        }));
        orders::get(tx, order.id)
    }
}

/// Calls off all that is left of an order, without being asked by anybody.
pub fn cancel_whole(tx: &mut Tx<'_>, id: OrderId, reason: &str) -> Result<()> {
    let cancel = CancelOrder {
        id,
        expected_version: None,
        lines: None,
        reason: Some(reason.to_owned()),
    };
    cancel.run(tx).map(drop)
}

/// The last allocated units of a line go first.
fn give_back_stock(tx: &mut Tx<'_>, order: OrderId, shares: &[Share]) -> Result<()> {
    let mut taken: Vec<Allocation> = Vec::new();
    let mut allocations = orders::allocations_of(tx, order)?;
    for share in shares {
        let mut wanted = share.quantity;
        for own in allocations
            .iter_mut()
            .rev()
            .filter(|a| a.line_id == share.line_id)
        {
            let quantity = wanted.min(own.pick.quantity);
            if quantity > 0 {
                taken.push(Allocation {
                    line_id: own.line_id,
                    pick: Pick {
                        quantity,
                        ..own.pick
                    },
                });
                own.pick.quantity -= quantity;
                wanted -= quantity;
            }
        }
    }
    orders::take_back(tx, &taken)?;
    inventory::deallocate(tx, order.uuid(), &together(taken))
}

/// One entry a level, in the order of their keys: locks are always taken in that order.
fn together(taken: Vec<Allocation>) -> Vec<Pick> {
    let mut levels = std::collections::BTreeMap::new();
    for Allocation { pick, .. } in taken {
        *levels
            .entry((pick.variant_id, pick.location_id))
            .or_insert(0) += pick.quantity;
    }
    levels
        .into_iter()
        .map(|((variant_id, location_id), quantity)| Pick {
            variant_id,
            location_id,
            quantity,
        })
        .collect()
}

/// What is only promised is let go; what is here goes back. A provider far away is asked by a job; money that people brought,
/// people take back.
fn give_back_money(
    tx: &mut Tx<'_>,
    order: &orders::OrderRow,
    amount: i64,
    everything: bool,
) -> Result<()> {
    let mut locked = Vec::new();
    for id in payments::ids_of(tx, order.checkout_id)? {
        locked.push(payments::lock(tx, id)?);
    }
    locked.sort_by_key(|(payment, _)| move_money::turn(payment));
    let by_credit = locked
        .iter()
        .filter(|(payment, _)| credits::is_credit(&payment.provider))
        .map(|(payment, _)| move_money::account_of(payment))
        .collect::<Result<Vec<_>>>()?;
    if !by_credit.is_empty() {
        credits::lock(tx, by_credit.into_iter())?;
    }
    let mut amount = amount;
    for (payment, events) in &locked {
        let standing = Standing::of(events);
        let Left {
            reserved,
            here,
            moving,
        } = payments::left(tx, payment.id, &standing)?;
        if moving > 0 {
            let detail = "Money of the order is on its way, and nobody knows yet whether it arrived; cancel it once that is known.";
            return Err(Error::new(Code::InvalidState, detail));
        }
        let due = amount.min(reserved);
        let let_go = if everything { reserved } else { due };
        let back = (amount - due).min(here);
        amount -= due + back;
        let providers = tx.app().part::<PaymentProviders>()?;
        let provider = providers.get(&payment.provider, "/provider")?;
        let abilities = provider.abilities();
        let remote = matches!(provider.reach(), Reach::Remote);
        if remote && everything && let_go > 0 && let_go == reserved {
            begin(tx, payment, &standing, PaymentAttemptKind::Void, None)?;
        } else if let_go > 0 {
            // Less will be captured: that is known here alone.
            let news = News::new(
                PaymentEventKind::CancelSuccess,
                let_go,
                OrderEventId::new().to_string(),
            );
            payments::record(tx, payment.id, &[news])?;
        }
        if back > 0 && abilities.refunds {
            begin(
                tx,
                payment,
                &standing,
                PaymentAttemptKind::Refund,
                Some(back),
            )?;
        }
    }
    // What people brought, people take back.
    overpaid::tell(tx, order)
}

fn begin(
    tx: &mut Tx<'_>,
    payment: &PaymentRow,
    standing: &Standing,
    kind: PaymentAttemptKind,
    amount: Option<i64>,
) -> Result<()> {
    let wish = Wish {
        amount,
        last: true,
        reason: Some(CALLED_OFF.into()),
        ..Wish::new(kind)
    };
    let now = tx.now;
    move_money::begin(tx, payment, standing, wish, now).map(drop)
}
