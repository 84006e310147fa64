//! Money: amounts, currencies, rates, rounding, and the calculation of a cart or an order.
//!
//! What must always hold: an amount is a whole number of minor units (cents of EUR, yen of JPY) in
//! an `i64`. Nothing is ever a float, nothing wraps: what does not fit is
//! [`MoneyError::Overflow`]. Parts always sum to their whole, to the minor unit.
//!
//! What it does not do: convert between currencies, decide which price, discount or tax rate
//! applies, or format amounts for people.

mod currency;
mod lines;
mod rate;
mod rounding;
mod spread;
mod wire;

#[cfg(test)]
mod properties;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use currency::Currency;
pub use lines::{
    Discount, Document, DocumentInput, Line, LineInput, OrderDiscount, TaxPer, Terms, Totals,
    calculate,
};
pub use rate::Rate;
pub use rounding::{Rounding, divide};
pub use spread::{cumulative_share, share_of, spread};
pub use wire::Minor;

/// The most minor units that an order comes to or that people record as one payment: 10^15. Thousands of such amounts still sum
/// within 64 bits.
pub const MAX_AMOUNT: i64 = 1_000_000_000_000_000;

/// An amount of money in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Money {
    /// The amount in minor units of the currency: 1234 is 12.34 EUR, 1234 JPY or 1.234 KWD.
    pub amount: i64,
    /// The currency, as its ISO 4217 code.
    pub currency: Currency,
}

impl Money {
    /// The sum of two amounts of the same currency.
    pub fn plus(self, other: Money) -> Result<Money, MoneyError> {
        self.same_currency(other)?;
        self.with_amount(self.amount.checked_add(other.amount))
    }

    /// The difference of two amounts of the same currency; it may be negative.
    pub fn minus(self, other: Money) -> Result<Money, MoneyError> {
        self.same_currency(other)?;
        self.with_amount(self.amount.checked_sub(other.amount))
    }

    /// The amount `quantity` times over.
    pub fn times(self, quantity: i64) -> Result<Money, MoneyError> {
        self.with_amount(self.amount.checked_mul(quantity))
    }

    fn same_currency(self, other: Money) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch)
        }
    }

    fn with_amount(self, amount: Option<i64>) -> Result<Money, MoneyError> {
        amount
            .map(|amount| Money { amount, ..self })
            .ok_or(MoneyError::Overflow)
    }
}

impl fmt::Display for Money {
    /// As people write it: `12.34 EUR`, `-0.05 EUR`, `500 JPY`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::from(self.currency.exponent());
        let mut text = format!("{:0>1$}", self.amount.unsigned_abs(), digits + 1);
        if digits > 0 {
            text.insert(text.len() - digits, '.');
        }
        let sign = if self.amount < 0 { "-" } else { "" };
        write!(f, "{sign}{text} {}", self.currency)
    }
}

/// The sum of amounts in minor units of one currency.
pub fn sum(amounts: impl IntoIterator<Item = i64>) -> Result<i64, MoneyError> {
    amounts
        .into_iter()
        .try_fold(0, i64::checked_add)
        .ok_or(MoneyError::Overflow)
}

/// Why a calculation with money was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyError {
    /// The result does not fit the 64 bits of an amount.
    Overflow,
    /// Amounts of two currencies were put together.
    CurrencyMismatch,
    /// A price, quantity, discount or weight is below zero.
    Negative,
    /// A division by zero.
    DivisionByZero,
    /// An amount was to be spread over no parts at all.
    NothingToSpreadOver,
    /// More units were asked for than there are.
    TooManyUnits,
    /// Not the code of an active ISO 4217 currency.
    UnknownCurrency,
    /// Not a percentage from 0 to 100 with at most four decimals.
    InvalidRate,
}

impl fmt::Display for MoneyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Overflow => "the amount is too large",
            Self::CurrencyMismatch => "the amounts are in different currencies",
            Self::Negative => "a price, quantity, discount or weight is negative",
            Self::DivisionByZero => "division by zero",
            Self::NothingToSpreadOver => "there is nothing to spread the amount over",
            Self::TooManyUnits => "more units than there are",
            Self::UnknownCurrency => "not an active ISO 4217 currency code",
            Self::InvalidRate => "not a percentage from 0 to 100 with at most four decimals",
        })
    }
}

impl std::error::Error for MoneyError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(amount: i64, code: &str) -> Result<Money, MoneyError> {
        Ok(Money {
            amount,
            currency: code.parse()?,
        })
    }

    #[test]
    fn an_amount_is_written_as_people_write_it() {
        let cases = [
            (1_234, "EUR", "12.34 EUR"),
            (-5, "EUR", "-0.05 EUR"),
            (500, "JPY", "500 JPY"),
            (1_234, "KWD", "1.234 KWD"),
            (0, "EUR", "0.00 EUR"),
        ];
        for (amount, currency, text) in cases {
            let currency = currency.parse().unwrap();
            assert_eq!(Money { amount, currency }.to_string(), text);
        }
    }

    #[test]
    fn amounts_of_one_currency_add_subtract_and_multiply() -> Result<(), MoneyError> {
        let price = money(1_050, "EUR")?;
        assert_eq!(price.plus(money(50, "EUR")?), money(1_100, "EUR"));
        assert_eq!(price.minus(money(2_000, "EUR")?), money(-950, "EUR"));
        assert_eq!(price.times(3), money(3_150, "EUR"));
        Ok(())
    }

    #[test]
    fn currencies_do_not_mix() -> Result<(), MoneyError> {
        let (euro, yen) = (money(1, "EUR")?, money(1, "JPY")?);
        assert_eq!(euro.plus(yen), Err(MoneyError::CurrencyMismatch));
        assert_eq!(euro.minus(yen), Err(MoneyError::CurrencyMismatch));
        Ok(())
    }

    #[test]
    fn an_overflow_is_an_error() -> Result<(), MoneyError> {
        let (most, least) = (money(i64::MAX, "EUR")?, money(i64::MIN, "EUR")?);
        assert_eq!(most.plus(most), Err(MoneyError::Overflow));
        assert_eq!(least.minus(most), Err(MoneyError::Overflow));
        assert_eq!(most.times(2), Err(MoneyError::Overflow));
        assert_eq!(sum([i64::MAX, 1]), Err(MoneyError::Overflow));
        Ok(())
    }

    #[test]
    fn money_on_the_wire() -> Result<(), Box<dyn std::error::Error>> {
        let dinars = money(1_234, "KWD")?;
        let json = r#"{"amount":1234,"currency":"KWD"}"#;
        assert_eq!(serde_json::to_string(&dinars)?, json);
        assert_eq!(serde_json::from_str::<Money>(json)?, dinars);
        assert!(serde_json::from_str::<Money>(r#"{"amount":12.5,"currency":"EUR"}"#).is_err());
        assert!(serde_json::from_str::<Money>(r#"{"amount":1,"currency":"eur"}"#).is_err());
        Ok(())
    }
}
