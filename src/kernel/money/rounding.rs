//! Rounding: the one place where a fraction of a minor unit becomes a whole one.
//!
//! What must always hold: the result is a nearest whole number; only exact halves depend on the
//! mode, and every mode treats negative amounts as the mirror image of positive ones.
//!
//! What it does not do: round to cash steps (0.05 CHF).

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::MoneyError;

/// What becomes of exactly half a minor unit. Everything else goes to the nearest.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    diesel::expression::AsExpression,
    diesel::deserialize::FromSqlRow,
    async_graphql::Enum,
)]
#[graphql(rename_items = "snake_case")]
#[diesel(sql_type = diesel::sql_types::Text)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Away from zero: 2.5 becomes 3, −2.5 becomes −3.
    #[default]
    HalfUp,
    /// To the even neighbour: 2.5 becomes 2, 3.5 becomes 4.
    HalfEven,
    /// Towards zero: 2.5 becomes 2, −2.5 becomes −2.
    HalfDown,
}

/// The quotient as a whole number.
pub fn divide(numerator: i128, denominator: i128, rounding: Rounding) -> Result<i64, MoneyError> {
    if denominator == 0 {
        return Err(MoneyError::DivisionByZero);
    }
    let quotient = numerator
        .checked_div(denominator)
        .ok_or(MoneyError::Overflow)?;
    let remainder = (numerator % denominator).unsigned_abs();
    let missing = denominator.unsigned_abs() - remainder;
    let away_from_zero = match (remainder.cmp(&missing), rounding) {
        (Ordering::Less, _) | (Ordering::Equal, Rounding::HalfDown) => false,
        (Ordering::Greater, _) | (Ordering::Equal, Rounding::HalfUp) => true,
        (Ordering::Equal, Rounding::HalfEven) => quotient % 2 != 0,
    };
    let step = if away_from_zero {
        numerator.signum() * denominator.signum()
    } else {
        0
    };
    i64::try_from(quotient + step).map_err(|_| MoneyError::Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_halves_depend_on_the_mode() {
        // Tenths, and what they become half-up, half-even and half-down.
        for (tenths, half_up, half_even, half_down) in [
            (0, 0, 0, 0),
            (4, 0, 0, 0),
            (5, 1, 0, 0),
            (6, 1, 1, 1),
            (10, 1, 1, 1),
            (15, 2, 2, 1),
            (25, 3, 2, 2),
            (26, 3, 3, 3),
        ] {
            for (rounding, expected) in [
                (Rounding::HalfUp, half_up),
                (Rounding::HalfEven, half_even),
                (Rounding::HalfDown, half_down),
            ] {
                assert_eq!(
                    divide(tenths, 10, rounding),
                    Ok(expected),
                    "{tenths} {rounding:?}"
                );
                assert_eq!(
                    divide(-tenths, 10, rounding),
                    Ok(-expected),
                    "-{tenths} {rounding:?}"
                );
                assert_eq!(
                    divide(tenths, -10, rounding),
                    Ok(-expected),
                    "{tenths} {rounding:?}"
                );
            }
        }
    }

    #[test]
    fn a_remainder_just_off_the_half_is_no_half() {
        assert_eq!(divide(3, 7, Rounding::HalfUp), Ok(0));
        assert_eq!(divide(4, 7, Rounding::HalfDown), Ok(1));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let largest = i128::from(i64::MAX);
        assert_eq!(
            divide(1, 0, Rounding::HalfUp),
            Err(MoneyError::DivisionByZero)
        );
        assert_eq!(divide(largest, 1, Rounding::HalfUp), Ok(i64::MAX));
        assert_eq!(
            divide(largest + 1, 1, Rounding::HalfUp),
            Err(MoneyError::Overflow)
        );
        assert_eq!(
            divide(largest * 2 + 1, 2, Rounding::HalfUp),
            Err(MoneyError::Overflow)
        );
        assert_eq!(divide(largest * 2 + 1, 2, Rounding::HalfDown), Ok(i64::MAX));
        assert_eq!(
            divide(i128::MIN, -1, Rounding::HalfUp),
            Err(MoneyError::Overflow)
        );
        assert_eq!(divide(i128::MAX, i128::MIN, Rounding::HalfUp), Ok(-1));
    }

    #[test]
    fn modes_on_the_wire() -> Result<(), serde_json::Error> {
        assert_eq!(serde_json::to_string(&Rounding::default())?, r#""half_up""#);
        assert_eq!(
            serde_json::from_str::<Rounding>(r#""half_even""#)?,
            Rounding::HalfEven
        );
        assert_eq!(
            serde_json::from_str::<Rounding>(r#""half_down""#)?,
            Rounding::HalfDown
        );
        Ok(())
    }
}
