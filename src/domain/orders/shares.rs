//! What units come to that are called off, captured, or whose money goes back. Pure: shares fixed at placement, by cumulative shares
//! (money.md, rule 7).

use std::collections::BTreeMap;

use super::model::{OrderLineKind, OrderLineRow};
use crate::domain::payments::AttemptLine;
use crate::input;
use crate::kernel::ids::OrderLineId;
use crate::kernel::money::{cumulative_share, share_of};
use crate::kernel::{Checks, Result};

input! {
    /// Units of a line of an order.
    OrderLineUnits {
        /// The line.
        line_id: OrderLineId,
        /// Units, at most those that are left: neither called off nor refunded; to be captured, neither called off nor captured.
        quantity: i64,
    }
}

/// Units of a line, and what they come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The line.
    pub line_id: OrderLineId,
    /// Units.
    pub quantity: i64,
    /// What they come to with tax, in minor units.
    pub amount: i64,
    /// The tax in it.
    pub tax: i64,
}

impl From<&Share> for AttemptLine {
    fn from(share: &Share) -> Self {
        Self {
            line_id: share.line_id,
            quantity: share.quantity,
            amount: share.amount,
        }
    }
}

/// Refuses a reason or a list of units that is too long, or an empty one.
pub fn check_request(reason: Option<&str>, lines: Option<&[OrderLineUnits]>) -> Result<()> {
    let mut checks = Checks::new();
    if let Some(reason) = reason {
        checks.text("/reason", reason, 500);
    }
    if let Some(lines) = lines {
        checks.count("/lines", lines.len(), 500);
    }
    checks.done()
}

/// What is called off: the lines named, or all that is not called off yet. The delivery goes with the last of the goods. Units
/// that were refunded go with everything else, and come to nothing any more.
pub fn to_cancel(lines: &[OrderLineRow], named: Option<&[OrderLineUnits]>) -> Result<Vec<Share>> {
    let Some(named) = named else {
        let all = shares(
            lines,
            &lines.iter().map(left).collect::<Vec<_>>(),
            |line, _| gone(line),
        )?;
        return Ok(lines
            .iter()
            .filter_map(|line| everything(line, &all))
            .collect());
    };
    let mut quantities = wanted(lines, named, is_goods, left)?;
    let all_goods = lines
        .iter()
        .zip(&quantities)
        .all(|(line, quantity)| !is_goods(line) || left(line) == *quantity);
    for (line, quantity) in lines.iter().zip(&mut quantities) {
        if line.kind == OrderLineKind::Shipping && all_goods {
            *quantity = left(line);
        }
    }
    shares(lines, &quantities, |line, _| gone(line))
}

/// What is not called off of a line yet, refunded units included.
fn everything(line: &OrderLineRow, left: &[Share]) -> Option<Share> {
    let quantity = line.quantity - line.quantity_cancelled;
    let worth = left.iter().find(|share| share.line_id == line.id);
    (quantity > 0).then(|| Share {
        line_id: line.id,
        quantity,
        amount: worth.map_or(0, |share| share.amount),
        tax: worth.map_or(0, |share| share.tax),
    })
}

/// Whose money goes back without being called off: the lines named, or all that is left. The delivery is a line like others.
pub fn to_refund(lines: &[OrderLineRow], named: Option<&[OrderLineUnits]>) -> Result<Vec<Share>> {
    let quantities = match named {
        Some(named) => wanted(lines, named, |_| true, left)?,
        None => lines.iter().map(left).collect(),
    };
    shares(lines, &quantities, |line, _| gone(line))
}

/// What is captured for units that are shipped, where others were captured before; and whether nothing is left to be captured
/// after it. The delivery goes with the first of the goods. The last units are captured first, as the first are called off
/// first: so the shares of both meet, in whatever order they come.
pub fn to_capture(
    lines: &[OrderLineRow],
    captured: &BTreeMap<OrderLineId, AttemptLine>,
    named: &[OrderLineUnits],
) -> Result<(Vec<Share>, bool)> {
    let taken = |line: &OrderLineRow| captured.get(&line.id).map_or(0, |before| before.quantity);
    let open = |line: &OrderLineRow| (line.quantity - line.quantity_cancelled - taken(line)).max(0);
    let mut quantities = wanted(lines, named, is_goods, open)?;
    for (line, quantity) in lines.iter().zip(&mut quantities) {
        if line.kind == OrderLineKind::Shipping {
            *quantity = open(line);
        }
    }
    let last = lines
        .iter()
        .zip(&quantities)
        .all(|(line, quantity)| open(line) == *quantity);
    let shares = shares(lines, &quantities, |line, wanted| {
        line.quantity - taken(line) - wanted
    })?;
    Ok((shares, last))
}

fn is_goods(line: &OrderLineRow) -> bool {
    line.kind == OrderLineKind::Goods
}

/// How many units of each line are named.
fn wanted(
    lines: &[OrderLineRow],
    named: &[OrderLineUnits],
    may_be: impl Fn(&OrderLineRow) -> bool,
    left: impl Fn(&OrderLineRow) -> i64,
) -> Result<Vec<i64>> {
    let mut checks = Checks::new();
    let mut quantities = vec![0; lines.len()];
    for (i, units) in named.iter().enumerate() {
        let at = format!("/lines/{i}");
        let mut all = lines.iter().zip(&mut quantities);
        match all.find(|(line, _)| line.id == units.line_id && may_be(line)) {
            Some((line, quantity)) => {
                checks.that(*quantity == 0, &at, "duplicate", "This line stands twice.");
                let (most, pointer) = (left(line), format!("{at}/quantity"));
                let none = "Nothing is left of this line.";
                checks.that(most > 0, &pointer, "out_of_range", none);
                if most > 0 {
                    checks.range(pointer, units.quantity, 1, most);
                }
                *quantity = units.quantity;
            }
            None => {
                checks.that(
                    false,
                    format!("{at}/lineId"),
                    "unknown_line",
                    "The order has no such line, or it is no line of goods.",
                );
            }
        }
    }
    checks.done()?;
    Ok(quantities)
}

/// What so many units of each line come to, after as many as `before` says.
fn shares(
    lines: &[OrderLineRow],
    quantities: &[i64],
    before: impl Fn(&OrderLineRow, i64) -> i64,
) -> Result<Vec<Share>> {
    let wanted = lines.iter().zip(quantities).filter(|(_, q)| **q > 0);
    wanted
        .map(|(line, &quantity)| {
            let (units, gone) = (line.quantity, before(line, quantity));
            // A unit is worth what was paid for it; the tax in it follows, so that neither is a cent off.
            let amount = share_of(line.total, units, gone, quantity)?;
            let gone = cumulative_share(line.total, units, gone)?;
            Ok(Share {
                line_id: line.id,
                quantity,
                amount,
                tax: share_of(line.tax, line.total, gone, amount)?,
            })
        })
        .collect()
}

fn left(line: &OrderLineRow) -> i64 {
    line.quantity - gone(line)
}

/// Units that were called off or refunded.
fn gone(line: &OrderLineRow) -> i64 {
    line.quantity_cancelled + line.quantity_refunded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::carts::LineTax;
    use crate::kernel::ids::OrderId;
    use crate::kernel::money::Minor;
    use crate::kernel::{Code, Json};
    use proptest::prelude::*;

    fn line(kind: OrderLineKind, quantity: i64, net: i64, taxes: &[i64]) -> OrderLineRow {
        let tax: i64 = taxes.iter().sum();
        let one = |amount: &i64| LineTax {
            name: "VAT".into(),
            rate: "20".parse().unwrap(),
            amount: Minor(*amount),
        };
        OrderLineRow {
            id: OrderLineId::new(),
            order_id: OrderId::new(),
            position: 0,
            kind,
            variant_id: None,
            sku: "A".into(),
            title: "A".into(),
            quantity,
            unit_price: 0,
            subtotal: net,
            discount: 0,
            net,
            taxes: Json(taxes.iter().map(one).collect()),
            tax,
            total: net + tax,
            quantity_cancelled: 0,
            quantity_refunded: 0,
        }
    }

    fn wish(line: &OrderLineRow, quantity: i64) -> OrderLineUnits {
        OrderLineUnits {
            line_id: line.id,
            quantity,
        }
    }

    #[test]
    fn everything_gives_back_everything() {
        let lines = [
            line(OrderLineKind::Goods, 3, 1000, &[190]),
            line(OrderLineKind::Shipping, 1, 417, &[83]),
        ];
        let back: i64 = to_cancel(&lines, None)
            .unwrap()
            .iter()
            .map(|s| s.amount)
            .sum();
        assert_eq!(back, 1690);
    }

    #[test]
    fn the_delivery_goes_with_the_last_of_the_goods() {
        let mut lines = [
            line(OrderLineKind::Goods, 3, 1000, &[190]),
            line(OrderLineKind::Shipping, 1, 500, &[]),
        ];
        let first = to_cancel(&lines, Some(&[wish(&lines[0], 2)])).unwrap();
        assert_eq!(first.len(), 1);
        lines[0].quantity_cancelled = 2;
        let second = to_cancel(&lines, Some(&[wish(&lines[0], 1)])).unwrap();
        assert_eq!(second.len(), 2);
        assert_eq!(first[0].amount + second[0].amount + second[1].amount, 1690);
    }

    #[test]
    fn more_than_there_is_is_refused_by_line() {
        let lines = [
            line(OrderLineKind::Goods, 3, 1000, &[]),
            line(OrderLineKind::Shipping, 1, 500, &[]),
        ];
        for (wish, pointer) in [
            (wish(&lines[0], 4), "/lines/0/quantity"),
            (wish(&lines[0], 0), "/lines/0/quantity"),
            (wish(&lines[1], 1), "/lines/0/lineId"),
        ] {
            let error = to_cancel(&lines, Some(&[wish])).unwrap_err();
            assert_eq!(
                (error.code, error.fields[0].pointer.as_str()),
                (Code::ValidationFailed, pointer)
            );
        }
    }

    proptest! {
        #[test]
        fn calling_off_bit_by_bit_gives_back_exactly_the_total(
            quantity in 1_i64..40, net in 0_i64..100_000, tax in 0_i64..20_000, steps in proptest::collection::vec(1_i64..10, 1..40),
        ) {
            let mut lines = [line(OrderLineKind::Goods, quantity, net, &[tax, tax / 3])];
            let mut back = 0;
            for step in steps.into_iter().chain([quantity]) {
                let step = step.min(left(&lines[0]));
                if step == 0 {
                    break;
                }
                let share = to_cancel(&lines, Some(&[wish(&lines[0], step)])).unwrap()[0];
                prop_assert!(share.amount >= 0);
                back += share.amount;
                lines[0].quantity_cancelled += step;
            }
            if left(&lines[0]) == 0 {
                prop_assert_eq!(back, lines[0].total);
            } else {
                prop_assert!(back <= lines[0].total);
            }
        }

        #[test]
        fn shipping_bit_by_bit_captures_exactly_what_is_not_called_off(
            quantity in 1_i64..40, net in 0_i64..100_000, tax in 0_i64..20_000,
            steps in proptest::collection::vec((any::<bool>(), 1_i64..10), 1..40),
        ) {
            let mut lines = [
                line(OrderLineKind::Goods, quantity, net, &[tax, tax / 3]),
                line(OrderLineKind::Shipping, 1, 417, &[83]),
            ];
            let mut captured = BTreeMap::new();
            let (mut taken, mut back, mut is_last) = (0, 0, false);
            for (ships, step) in steps.into_iter().chain([(true, quantity)]) {
                let sent = captured.get(&lines[0].id).map_or(0, |l: &AttemptLine| l.quantity);
                let step = step.min(left(&lines[0]) - sent);
                if step == 0 {
                    break;
                }
                if ships {
                    let (shares, last) = to_capture(&lines, &captured, &[wish(&lines[0], step)]).unwrap();
                    is_last = last;
                    for share in shares {
                        taken += share.amount;
                        let new = || AttemptLine { quantity: 0, ..AttemptLine::from(&share) };
                        captured.entry(share.line_id).or_insert_with(new).quantity += share.quantity;
                    }
                } else if step < left(&lines[0]) {
                    back += to_cancel(&lines, Some(&[wish(&lines[0], step)])).unwrap()[0].amount;
                    lines[0].quantity_cancelled += step;
                }
            }
            let total = lines[0].total + lines[1].total - back;
            let sent = captured.get(&lines[0].id).map_or(0, |l| l.quantity);
            prop_assert!(taken <= total);
            if sent > 0 && sent == left(&lines[0]) {
                prop_assert_eq!(taken, total);
            }
            prop_assert!(!is_last || sent == left(&lines[0]));
        }
    }
}
