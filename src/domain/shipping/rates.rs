//! Which rate of a table applies.
//!
//! A method's table has rows for each currency, by what is measured: grams, or the goods' total in minor units. The row that
//! begins last at or below the measure applies, up to but without its end, if it has one. Below the first row, beyond an end
//! and without a row in the currency the method is not offered. Rows of a currency do not overlap ([`check`]).

use std::collections::BTreeMap;

use super::ShippingRate;
use crate::kernel::money::Minor;
use crate::kernel::{Checks, Currency, Money};

/// The largest measure and amount of a row: far beyond any parcel, and no total of it overflows.
const MOST: i64 = 1_000_000_000_000;

/// The price of something that measures this much.
pub fn price(rates: &[ShippingRate], currency: Currency, measure: i64) -> Option<Money> {
    let begun = rates
        .iter()
        .filter(|r| r.currency == currency && r.from.0 <= measure);
    let rate = begun.max_by_key(|r| r.from)?;
    let within = rate.up_to.is_none_or(|end| measure < end.0);
    within.then_some(Money {
        amount: rate.amount.0,
        currency,
    })
}

/// Complains about a table that is empty, contradicts itself, or has a currency that is not among `sold`.
pub fn check(checks: &mut Checks, rates: &[ShippingRate], sold: &[Currency]) {
    checks.count("/rates", rates.len(), 500);
    let mut starts: BTreeMap<(Currency, Minor), usize> = BTreeMap::new();
    for (i, rate) in rates.iter().enumerate() {
        let at = |field: &str| format!("/rates/{i}/{field}");
        checks
            .that(
                sold.contains(&rate.currency),
                at("currency"),
                "currency_not_sold",
                format!("The channel does not sell in {}.", rate.currency),
            )
            .range(at("from"), rate.from.0, 0, MOST)
            .range(at("amount"), rate.amount.0, 0, MOST)
            .that(
                rate.up_to
                    .is_none_or(|end| rate.from < end && end.0 <= MOST),
                at("upTo"),
                "out_of_range",
                format!("Must be greater than `from` and at most {MOST}."),
            )
            .that(
                starts.insert((rate.currency, rate.from), i).is_none(),
                at("from"),
                "duplicate",
                format!(
                    "There is a rate in {} from {} already.",
                    rate.currency, rate.from.0
                ),
            );
    }
    for (i, rate) in rates.iter().enumerate() {
        let next = starts
            .keys()
            .find(|(currency, from)| *currency == rate.currency && *from > rate.from);
        if let (Some((_, next)), Some(end)) = (next, rate.up_to) {
            checks.that(
                end <= *next,
                format!("/rates/{i}/upTo"),
                "overlap",
                format!("The next rate in {} begins at {}.", rate.currency, next.0),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    fn rate(code: &str, from: i64, up_to: Option<i64>, amount: i64) -> ShippingRate {
        ShippingRate {
            currency: currency(code),
            from: Minor(from),
            up_to: up_to.map(Minor),
            amount: Minor(amount),
        }
    }

    fn amount(rates: &[ShippingRate], code: &str, measure: i64) -> Option<i64> {
        let price = price(rates, currency(code), measure)?;
        assert_eq!(price.currency, currency(code));
        Some(price.amount)
    }

    fn complaints(rates: &[ShippingRate]) -> Vec<(String, &'static str)> {
        let mut checks = Checks::new();
        check(&mut checks, rates, &[currency("EUR"), currency("USD")]);
        let fields = checks.done().err().map(|e| e.fields).unwrap_or_default();
        fields.into_iter().map(|f| (f.pointer, f.code)).collect()
    }

    #[test]
    fn the_row_that_begins_last_at_or_below_the_measure_applies() {
        let rates = [
            rate("EUR", 1000, None, 690),
            rate("EUR", 100, None, 490),
            rate("EUR", 5000, None, 0),
        ];
        assert_eq!(amount(&rates, "EUR", 99), None);
        assert_eq!(amount(&rates, "EUR", 100), Some(490));
        assert_eq!(amount(&rates, "EUR", 999), Some(490));
        assert_eq!(amount(&rates, "EUR", 1000), Some(690));
        assert_eq!(amount(&rates, "EUR", 5000), Some(0));
        assert_eq!(amount(&rates, "EUR", i64::MAX), Some(0));
    }

    #[test]
    fn an_end_is_exclusive_and_leaves_a_gap() {
        let rates = [
            rate("EUR", 0, Some(500), 490),
            rate("EUR", 1000, Some(31_500), 690),
        ];
        assert_eq!(amount(&rates, "EUR", 499), Some(490));
        assert_eq!(amount(&rates, "EUR", 500), None);
        assert_eq!(amount(&rates, "EUR", 31_499), Some(690));
        assert_eq!(amount(&rates, "EUR", 31_500), None);
    }

    #[test]
    fn currencies_are_apart() {
        let rates = [rate("EUR", 0, None, 490), rate("USD", 100, None, 590)];
        assert_eq!(amount(&rates, "EUR", 100), Some(490));
        assert_eq!(amount(&rates, "USD", 100), Some(590));
        assert_eq!(amount(&rates, "USD", 99), None);
        assert_eq!(amount(&rates, "GBP", 100), None);
    }

    #[test]
    fn a_table_that_contradicts_itself_is_refused() {
        assert_eq!(
            complaints(&[rate("EUR", 0, Some(500), 490), rate("EUR", 500, None, 690)]),
            []
        );
        assert_eq!(complaints(&[]), [("/rates".to_owned(), "wrong_count")]);
        let at = |pointer: &str, code| (pointer.to_owned(), code);
        assert_eq!(
            complaints(&[
                rate("EUR", 0, Some(501), 490),
                rate("EUR", 500, Some(500), 690),
                rate("EUR", 500, None, 690),
                rate("GBP", -1, None, -1),
                rate("USD", 0, None, 1),
            ]),
            [
                at("/rates/1/upTo", "out_of_range"),
                at("/rates/2/from", "duplicate"),
                at("/rates/3/currency", "currency_not_sold"),
                at("/rates/3/from", "out_of_range"),
                at("/rates/3/amount", "out_of_range"),
                at("/rates/0/upTo", "overlap"),
            ],
        );
    }
}
