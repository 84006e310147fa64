//! Spreading: splitting an amount into whole minor units without losing one.
//!
//! What must always hold: the parts sum exactly to the amount, and each is less than one minor
//! unit away from its exact share. The same input always gives the same parts.
//!
//! What it does not do: spread a second time. Shares are fixed when an order is placed; a refund
//! takes a part of them with [`share_of`].

use std::cmp::Reverse;

use super::{MoneyError, Rounding, divide};

/// Splits `total` by `weights` with the largest-remainder method, ties in order.
///
/// A part of weight zero gets nothing; where all weights are zero, the parts are equal.
pub fn spread(total: i64, weights: &[i64]) -> Result<Vec<i64>, MoneyError> {
    if weights.iter().any(|&weight| weight < 0) {
        return Err(MoneyError::Negative);
    }
    if total == 0 {
        return Ok(vec![0; weights.len()]);
    }
    if weights.is_empty() {
        return Err(MoneyError::NothingToSpreadOver);
    }
    let whole: i128 = weights.iter().copied().map(i128::from).sum();
    if whole == 0 {
        return spread(total, &vec![1; weights.len()]);
    }

    let scaled = |weight: &i64| i128::from(total) * i128::from(*weight);
    let mut shares = Vec::with_capacity(weights.len());
    for weight in weights {
        let share = i64::try_from(scaled(weight) / whole);
        shares.push(share.map_err(|_| MoneyError::Overflow)?);
    }
    // Every share is cut off towards zero, so at most one minor unit per part is left to hand out.
    let left = total - shares.iter().sum::<i64>();
    let remainders = weights.iter().map(|weight| (scaled(weight) % whole).abs());
    let mut ranked: Vec<_> = remainders.zip(&mut shares).collect();
    ranked.sort_by_key(|(remainder, _)| Reverse(*remainder));
    for ((_, share), _) in ranked.into_iter().zip(0..left.unsigned_abs()) {
        *share += left.signum();
    }
    Ok(shares)
}

/// What the first `count` of `units` equal units have of `total`, rounded half-up.
///
/// None of them have nothing, all of them have exactly `total`.
pub fn cumulative_share(total: i64, units: i64, count: i64) -> Result<i64, MoneyError> {
    if count < 0 {
        return Err(MoneyError::Negative);
    }
    if count > units {
        return Err(MoneyError::TooManyUnits);
    }
    // A line of no units has nothing to share.
    divide(
        i128::from(total) * i128::from(count),
        i128::from(units.max(1)),
        Rounding::HalfUp,
    )
}

/// What the next `count` of `units` equal units have of `total`, after `already` others.
///
/// In whatever steps the units are taken, the shares of all of them sum exactly to `total`. What a part of a sum, as the tax
/// in it, has of some units is its share of what these units have of the sum: shares of both by units would not match.
pub fn share_of(total: i64, units: i64, already: i64, count: i64) -> Result<i64, MoneyError> {
    if count < 0 {
        return Err(MoneyError::Negative);
    }
    let before = cumulative_share(total, units, already)?;
    let taken = already.checked_add(count).ok_or(MoneyError::Overflow)?;
    let after = cumulative_share(total, units, taken)?;
    Ok(after - before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_remainders_get_the_rest() {
        assert_eq!(spread(299, &[4_300, 1_400, 2_300]), Ok(vec![161, 52, 86]));
    }

    #[test]
    fn ties_go_in_order() {
        assert_eq!(spread(1_000, &[700, 700, 700]), Ok(vec![334, 333, 333]));
        assert_eq!(spread(2, &[1, 1, 1]), Ok(vec![1, 1, 0]));
    }

    #[test]
    fn a_negative_total_is_the_mirror_image() {
        assert_eq!(spread(-1_000, &[1, 1, 1]), Ok(vec![-334, -333, -333]));
        assert_eq!(
            spread(-299, &[4_300, 1_400, 2_300]),
            Ok(vec![-161, -52, -86])
        );
    }

    #[test]
    fn a_weight_of_zero_gets_nothing_unless_all_are_zero() {
        assert_eq!(spread(5, &[0, 1, 0, 1]), Ok(vec![0, 3, 0, 2]));
        assert_eq!(spread(5, &[0, 0]), Ok(vec![3, 2]));
    }

    #[test]
    fn there_must_be_something_to_spread_over() {
        assert_eq!(spread(0, &[]), Ok(vec![]));
        assert_eq!(spread(1, &[]), Err(MoneyError::NothingToSpreadOver));
        assert_eq!(spread(1, &[2, -1]), Err(MoneyError::Negative));
    }

    #[test]
    fn the_largest_amounts_still_fit() {
        assert_eq!(
            spread(i64::MAX, &[i64::MAX, i64::MAX]),
            Ok(vec![i64::MAX / 2 + 1, i64::MAX / 2])
        );
        assert_eq!(spread(i64::MIN, &[0, i64::MAX]), Ok(vec![0, i64::MIN]));
    }

    #[test]
    fn units_refunded_one_by_one_give_back_the_charge() {
        let shares: Vec<_> = (0..3)
            .map(|already| share_of(1_000, 3, already, 1))
            .collect();
        assert_eq!(shares, [Ok(333), Ok(334), Ok(333)]);
        assert_eq!(share_of(1_000, 3, 1, 2), Ok(667));
        assert_eq!(cumulative_share(1_000, 3, 0), Ok(0));
        assert_eq!(cumulative_share(1_000, 3, 3), Ok(1_000));
        assert_eq!(cumulative_share(0, 0, 0), Ok(0));
    }

    #[test]
    fn no_more_units_than_there_are() {
        assert_eq!(cumulative_share(1_000, 3, 4), Err(MoneyError::TooManyUnits));
        assert_eq!(share_of(1_000, 3, 2, 2), Err(MoneyError::TooManyUnits));
        assert_eq!(share_of(1_000, 3, 2, -1), Err(MoneyError::Negative));
        assert_eq!(share_of(1_000, 3, -1, 1), Err(MoneyError::Negative));
        assert_eq!(
            share_of(1_000, i64::MAX, i64::MAX, 1),
            Err(MoneyError::Overflow)
        );
    }
}
