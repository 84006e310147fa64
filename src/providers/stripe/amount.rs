//! Amounts as Stripe counts them.
//!
//! Stripe counts in minor units as well, but not in those of ISO 4217 everywhere: ISK and UGX have none and are counted in
//! hundredths, MGA has some and is counted without, and of the currencies with three decimals the last digit must be 0.
//! Source: Stripe's documentation, "Supported currencies".

use crate::kernel::{Currency, Money};

/// What one of Stripe's units is in ours: times the first number, divided by the second.
fn ratio(currency: Currency) -> (i64, i64) {
    match currency.as_str() {
        "ISK" | "UGX" => (1, 100),
        "MGA" => (100, 1),
        _ => (1, 1),
    }
}

/// In which steps of minor units Stripe takes a currency.
pub fn step(currency: Currency) -> i64 {
    match (currency.as_str(), currency.exponent()) {
        ("MGA", _) => 100,
        (_, 3) => 10,
        _ => 1,
    }
}

/// An amount in Stripe's units; nothing where Stripe cannot take exactly this amount.
pub fn to_stripe(money: Money) -> Option<i64> {
    let (times, by) = ratio(money.currency);
    if money.amount <= 0 || money.amount % step(money.currency) != 0 {
        return None;
    }
    (money.amount / times).checked_mul(by)
}

/// An amount of Stripe's in minor units of ISO 4217; nothing where it has a fraction of one.
pub fn from_stripe(amount: i64, currency: Currency) -> Option<i64> {
    let (times, by) = ratio(currency);
    if amount % by != 0 {
        return None;
    }
    (amount / by).checked_mul(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_what_stripe_counts() {
        for (amount, code, stripe) in [
            (1_099, "EUR", Some(1_099)),
            (1_099, "JPY", Some(1_099)),
            (1_230, "KWD", Some(1_230)),
            (1_234, "KWD", None),
            (500, "ISK", Some(50_000)),
            (500, "UGX", Some(50_000)),
            (500, "MGA", Some(5)),
            (501, "MGA", None),
            (0, "EUR", None),
            (-1, "EUR", None),
            (i64::MAX, "ISK", None),
        ] {
            let currency: Currency = code.parse().unwrap();
            assert_eq!(to_stripe(Money { amount, currency }), stripe, "{code}");
            if let Some(stripe) = stripe {
                assert_eq!(from_stripe(stripe, currency), Some(amount), "{code}");
            }
        }
        assert_eq!(from_stripe(50_001, "ISK".parse().unwrap()), None);
    }
}
