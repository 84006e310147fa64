//! Decimal text as minor units, exactly: `2.1` is 210 pence. No float is ever involved.

use crate::kernel::Currency;

/// The minor units that `text` stands for. More decimals than the currency has are refused, unless they are zeros.
pub fn minor(text: &str, currency: Currency) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not an amount; write it as 12.50.");
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or((1, text), |digits| (-1, digits));
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(decimals) || digits.ends_with('.') {
        return Err(wrong());
    }
    let places = usize::from(currency.exponent());
    let (kept, beyond) = decimals.split_at(places.min(decimals.len()));
    if beyond.bytes().any(|b| b != b'0') {
        return Err(format!(
            "{text:?} has more decimals than {currency} has ({places})."
        ));
    }
    let padded = format!("{whole}{kept:0<places$}");
    let amount: i64 = padded
        .parse()
        .map_err(|_| format!("{text:?} is too large."))?;
    Ok(sign * amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pence(text: &str) -> Result<i64, String> {
        minor(text, "GBP".parse().unwrap())
    }

    #[test]
    fn decimals_become_minor_units_exactly() {
        let cases = [
            ("2.1", 210),
            ("0.19", 19),
            ("150", 15000),
            ("2382.92", 238_292),
            ("-0.03", -3),
            ("1.500", 150),
        ];
        for (text, amount) in cases {
            assert_eq!(pence(text), Ok(amount), "{text}");
        }
        assert_eq!(minor("1500.00", "JPY".parse().unwrap()), Ok(1500));
        assert_eq!(minor("1.5", "KWD".parse().unwrap()), Ok(1500));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        let bad = [
            "",
            ".",
            "-",
            ".5",
            "1.",
            "1,50",
            "1e3",
            "£1",
            " 1",
            "1.234",
            "+1",
            "٣",
            "99999999999999999999",
        ];
        for text in bad {
            assert!(pence(text).is_err(), "{text:?}");
        }
        assert!(minor("1.5", "JPY".parse().unwrap()).is_err());
    }
}
