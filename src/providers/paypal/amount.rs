//! Amounts as PayPal writes them: decimal texts.
//!
//! PayPal takes HUF, JPY and TWD without decimals; ISO 4217 gives two to HUF and TWD. Source: PayPal's documentation,
//! "Currency codes".

use crate::kernel::{Currency, Money};

fn decimals(currency: Currency) -> u32 {
    match currency.as_str() {
        "HUF" | "TWD" => 0,
        _ => u32::from(currency.exponent()),
    }
}

/// Whether PayPal takes the currency at all.
pub fn is_supported(currency: Currency) -> bool {
    matches!(
        currency.as_str(),
        "AUD"
            | "BRL"
            | "CAD"
            | "CHF"
            | "CNY"
            | "CZK"
            | "DKK"
            | "EUR"
            | "GBP"
            | "HKD"
            | "HUF"
            | "ILS"
            | "JPY"
            | "MXN"
            | "MYR"
            | "NOK"
            | "NZD"
            | "PHP"
            | "PLN"
            | "SEK"
            | "SGD"
            | "THB"
            | "TWD"
            | "USD"
    )
}

/// In which steps of minor units PayPal takes a currency.
pub fn step(currency: Currency) -> i64 {
    match currency.as_str() {
        "HUF" | "TWD" => 100,
        _ => 1,
    }
}

/// An amount as a text, as `12.30`; nothing where PayPal cannot take exactly this amount.
pub fn to_text(money: Money) -> Option<String> {
    let decimals = decimals(money.currency);
    let dropped = 10_i64.checked_pow(u32::from(money.currency.exponent()) - decimals)?;
    if money.amount <= 0 || money.amount % dropped != 0 {
        return None;
    }
    let (amount, one) = (money.amount / dropped, 10_i64.checked_pow(decimals)?);
    let width = usize::try_from(decimals).ok()?;
    Some(match decimals {
        0 => amount.to_string(),
        _ => format!("{}.{:0width$}", amount / one, amount % one),
    })
}

/// A text as minor units of ISO 4217; nothing where it is none, is negative, or has a fraction of a minor unit.
pub fn from_text(text: &str, currency: Currency) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || text.len() > 32 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let exponent = usize::from(currency.exponent());
    let (kept, rest) = fraction.split_at(exponent.min(fraction.len()));
    if rest.bytes().any(|b| b != b'0') {
        return None;
    }
    format!("{whole}{kept:0<exponent$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_reads_back_as_it_was_written() {
        for (amount, code, text) in [
            (1_230, "EUR", Some("12.30")),
            (5, "EUR", Some("0.05")),
            (1_234, "JPY", Some("1234")),
            (1_234, "KWD", Some("1.234")),
            (4, "KWD", Some("0.004")),
            (120_000, "HUF", Some("1200")),
            (120_050, "HUF", None),
            (100, "TWD", Some("1")),
            (0, "EUR", None),
            (-5, "EUR", None),
            (i64::MAX, "EUR", Some("92233720368547758.07")),
        ] {
            let currency: Currency = code.parse().unwrap();
            let written = to_text(Money { amount, currency });
            assert_eq!(written.as_deref(), text, "{amount} {code}");
            let fits = amount > 0 && amount % step(currency) == 0;
            assert_eq!(fits, text.is_some(), "{amount} {code}");
            if let Some(text) = text {
                assert_eq!(from_text(text, currency), Some(amount), "{text} {code}");
            }
        }
    }

    #[test]
    fn what_is_no_exact_amount_is_refused() {
        let euro: Currency = "EUR".parse().unwrap();
        for (text, amount) in [
            ("12", 1_200),
            ("12.3", 1_230),
            ("12.3400", 1_234),
            ("012.00", 1_200),
        ] {
            assert_eq!(from_text(text, euro), Some(amount), "{text}");
        }
        for text in [
            "",
            ".",
            ".5",
            "-1.00",
            "+1",
            "1e3",
            "1,00",
            "12.345",
            " 1",
            "٣",
            "99999999999999999999",
        ] {
            assert_eq!(from_text(text, euro), None, "{text}");
        }
        assert_eq!(from_text("1.5", "JPY".parse().unwrap()), None);
    }
}
