//! Rates: the exact percentages of taxes and discounts.
//!
//! What must always hold: a [`Rate`] is between 0 % and 100 % and is exactly the decimal it was
//! written as, so a share of an amount never exceeds the amount.
//!
//! What it does not do: carry a name or a jurisdiction; that is the business of taxes and
//! promotions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{MoneyError, Rounding, divide};

/// A percentage from 0 to 100 with at most four decimals, written as a decimal string: `"8.875"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate {
    parts_per_million: i64,
}

impl Rate {
    /// 100 %, in parts per million.
    pub(super) const WHOLE: i64 = 1_000_000;

    /// The rate of so many parts per million: 88 750 is 8.875 %.
    pub fn from_parts_per_million(parts_per_million: i64) -> Result<Self, MoneyError> {
        if !(0..=Self::WHOLE).contains(&parts_per_million) {
            return Err(MoneyError::InvalidRate);
        }
        Ok(Self { parts_per_million })
    }

    /// The rate in parts per million: 8.875 % is 88 750.
    pub fn parts_per_million(self) -> i64 {
        self.parts_per_million
    }

    /// This percentage of an amount, in the same minor units, rounded once.
    pub fn of(self, amount: i64, rounding: Rounding) -> Result<i64, MoneyError> {
        let numerator = i128::from(amount) * i128::from(self.parts_per_million);
        divide(numerator, i128::from(Self::WHOLE), rounding)
    }
}

impl FromStr for Rate {
    type Err = MoneyError;

    fn from_str(percent: &str) -> Result<Self, MoneyError> {
        let (whole, decimals) = percent.split_once('.').unwrap_or((percent, "0"));
        if !is_digits(whole, 3) || !is_digits(decimals, 4) {
            return Err(MoneyError::InvalidRate);
        }
        let parts = format!("{whole}{decimals:0<4}").parse();
        Self::from_parts_per_million(parts.map_err(|_| MoneyError::InvalidRate)?)
    }
}

fn is_digits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts_per_million;
        let percent = format!("{}.{:04}", parts / 10_000, parts % 10_000);
        formatter.pad(percent.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_read_and_written_exactly() -> Result<(), MoneyError> {
        for (written, parts, printed) in [
            ("0", 0, "0"),
            ("20", 200_000, "20"),
            ("8.875", 88_750, "8.875"),
            ("7.50", 75_000, "7.5"),
            ("0.0001", 1, "0.0001"),
            ("10.0", 100_000, "10"),
            ("100", 1_000_000, "100"),
        ] {
            let rate: Rate = written.parse()?;
            assert_eq!(rate.parts_per_million(), parts);
            assert_eq!(rate.to_string(), printed);
        }
        Ok(())
    }

    #[test]
    fn what_is_no_percentage_is_refused() {
        for text in [
            "", ".", "5.", ".5", "-1", "+1", "1e1", "1,5", " 1", "20%", "8.87500", "100.0001",
            "101", "9999", "٣",
        ] {
            assert_eq!(
                text.parse::<Rate>(),
                Err(MoneyError::InvalidRate),
                "{text:?}"
            );
        }
        for parts in [-1, 1_000_001] {
            let rate = Rate::from_parts_per_million(parts);
            assert_eq!(rate, Err(MoneyError::InvalidRate));
        }
    }

    #[test]
    fn a_share_is_rounded_once() -> Result<(), MoneyError> {
        let rate: Rate = "8.875".parse()?;
        assert_eq!(rate.of(1_000, Rounding::HalfUp), Ok(89));
        assert_eq!(rate.of(1_000, Rounding::HalfDown), Ok(89));
        assert_eq!(
            "100".parse::<Rate>()?.of(i64::MAX, Rounding::HalfUp),
            Ok(i64::MAX)
        );
        assert_eq!("50".parse::<Rate>()?.of(1, Rounding::HalfDown), Ok(0));
        Ok(())
    }

    #[test]
    fn a_rate_on_the_wire_is_its_percentage() -> Result<(), Box<dyn std::error::Error>> {
        let rate: Rate = "8.875".parse()?;
        assert_eq!(serde_json::to_string(&rate)?, r#""8.875""#);
        assert_eq!(serde_json::from_str::<Rate>(r#""8.875""#)?, rate);
        assert!(serde_json::from_str::<Rate>("8.875").is_err());
        Ok(())
    }
}
