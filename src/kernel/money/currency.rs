//! Currencies: which codes are money, and how many decimals each has.
//!
//! What must always hold: a [`Currency`] that exists is an active national currency (or one shared
//! by nations, such as EUR or XOF), so its exponent is always known and is 0, 2 or 3.
//!
//! What it does not do: know names, symbols or exchange rates. Funds, precious metals and test
//! codes of ISO 4217 (CLF, XAU, XTS …) are refused: nobody pays with them.
//!
//! Source: ISO 4217 "List One", kept by SIX for ISO, up to amendment 180 (BGN withdrawn on
//! 2026-01-01).

use std::fmt;
use std::str::{self, FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::MoneyError;

/// An active currency of ISO 4217, written as its three capital letters.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    diesel::expression::AsExpression,
    diesel::deserialize::FromSqlRow,
)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub struct Currency {
    code: [u8; 3],
    exponent: u8,
}

impl Currency {
    /// The ISO 4217 code: `EUR`.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.code).unwrap_or_default()
    }

    /// How many decimals the minor unit has: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u8 {
        self.exponent
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let code = text
            .as_bytes()
            .try_into()
            .map_err(|_| MoneyError::UnknownCurrency)?;
        let exponent = exponent_of(code).ok_or(MoneyError::UnknownCurrency)?;
        Ok(Self { code, exponent })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

fn exponent_of(code: [u8; 3]) -> Option<u8> {
    match &code {
        b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF"
        | b"UGX" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => Some(0),
        b"AED" | b"AFN" | b"ALL" | b"AMD" | b"AOA" | b"ARS" | b"AUD" | b"AWG" | b"AZN" | b"BAM"
        | b"BBD" | b"BDT" | b"BMD" | b"BND" | b"BOB" | b"BRL" | b"BSD" | b"BTN" | b"BWP"
        | b"BYN" | b"BZD" | b"CAD" | b"CDF" | b"CHF" | b"CNY" | b"COP" | b"CRC" | b"CUP"
        | b"CVE" | b"CZK" | b"DKK" | b"DOP" | b"DZD" | b"EGP" | b"ERN" | b"ETB" | b"EUR"
        | b"FJD" | b"FKP" | b"GBP" | b"GEL" | b"GHS" | b"GIP" | b"GMD" | b"GTQ" | b"GYD"
        | b"HKD" | b"HNL" | b"HTG" | b"HUF" | b"IDR" | b"ILS" | b"INR" | b"IRR" | b"JMD"
        | b"KES" | b"KGS" | b"KHR" | b"KPW" | b"KYD" | b"KZT" | b"LAK" | b"LBP" | b"LKR"
        | b"LRD" | b"LSL" | b"MAD" | b"MDL" | b"MGA" | b"MKD" | b"MMK" | b"MNT" | b"MOP"
        | b"MRU" | b"MUR" | b"MVR" | b"MWK" | b"MXN" | b"MYR" | b"MZN" | b"NAD" | b"NGN"
        | b"NIO" | b"NOK" | b"NPR" | b"NZD" | b"PAB" | b"PEN" | b"PGK" | b"PHP" | b"PKR"
        | b"PLN" | b"QAR" | b"RON" | b"RSD" | b"RUB" | b"SAR" | b"SBD" | b"SCR" | b"SDG"
        | b"SEK" | b"SGD" | b"SHP" | b"SLE" | b"SOS" | b"SRD" | b"SSP" | b"STN" | b"SVC"
        | b"SYP" | b"SZL" | b"THB" | b"TJS" | b"TMT" | b"TOP" | b"TRY" | b"TTD" | b"TWD"
        | b"TZS" | b"UAH" | b"USD" | b"UYU" | b"UZS" | b"VED" | b"VES" | b"WST" | b"XCD"
        | b"XCG" | b"YER" | b"ZAR" | b"ZMW" | b"ZWG" => Some(2),
        b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponent(code: &str) -> Result<u8, MoneyError> {
        code.parse::<Currency>().map(Currency::exponent)
    }

    #[test]
    fn the_exponent_comes_from_the_currency() {
        for (code, decimals) in [("EUR", 2), ("USD", 2), ("JPY", 0), ("XOF", 0), ("KWD", 3)] {
            assert_eq!(exponent(code), Ok(decimals), "{code}");
        }
    }

    #[test]
    fn every_active_currency_is_known() {
        let letters = || b'A'..=b'Z';
        let codes = letters().flat_map(|first| {
            letters().flat_map(move |second| letters().map(move |third| [first, second, third]))
        });
        let mut by_exponent = [0; 4];
        for exponent in codes.filter_map(exponent_of) {
            by_exponent[usize::from(exponent)] += 1;
        }
        assert_eq!(by_exponent, [16, 0, 132, 7]);
    }

    #[test]
    fn what_is_no_active_currency_is_refused() {
        let withdrawn = ["ANG", "BGN", "CUC", "DEM", "HRK", "SLL", "ZWL"];
        let not_money = ["CLF", "USN", "UYW", "XAD", "XAU", "XDR", "XTS", "XXX"];
        let not_codes = ["", "E", "EU", "eur", "Eur", "EURO", " EUR", "€", "ZZZ"];
        for code in withdrawn.into_iter().chain(not_money).chain(not_codes) {
            assert_eq!(exponent(code), Err(MoneyError::UnknownCurrency), "{code:?}");
        }
    }

    #[test]
    fn a_currency_is_its_code_everywhere() -> Result<(), Box<dyn std::error::Error>> {
        let yen: Currency = "JPY".parse()?;
        assert_eq!(yen.as_str(), "JPY");
        assert_eq!(format!("{yen} {yen:?}"), "JPY JPY");
        assert_eq!(serde_json::to_string(&yen)?, r#""JPY""#);
        assert_eq!(serde_json::from_str::<Currency>(r#""JPY""#)?, yen);
        Ok(())
    }
}
