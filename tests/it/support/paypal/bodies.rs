//! What a request may say, field by field, and amounts as PayPal writes them.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::calls::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    pub intent: Intent,
    pub purchase_units: Vec<Unit>,
    pub payment_source: Source,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Intent {
    Authorize,
    Capture,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    pub custom_id: Option<String>,
    pub amount: Amount,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    pub currency_code: String,
    pub value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub paypal: Wallet,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wallet {
    pub experience_context: Experience,
    pub email_address: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experience {
    pub shipping_preference: Shipping,
    pub user_action: UserAction,
    pub return_url: Option<String>,
    pub cancel_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Shipping {
    #[serde(rename = "NO_SHIPPING")]
    None,
    GetFromFile,
    SetProvidedAddress,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UserAction {
    PayNow,
    Continue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCapture {
    pub amount: Option<Amount>,
    #[serde(default)]
    pub final_capture: bool,
    pub invoice_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRefund {
    pub amount: Option<Amount>,
    pub custom_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub auth_algo: String,
    pub cert_url: String,
    pub transmission_id: String,
    pub transmission_sig: String,
    pub transmission_time: String,
    pub webhook_id: String,
    pub webhook_event: Box<RawValue>,
}

/// Reads a body of this shape and no other.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::invalid(&error.to_string()))
}

/// A text that is there has between 1 and `most` characters.
pub fn short(text: Option<&String>, most: usize) -> Result<(), Refusal> {
    match text {
        Some(text) if text.is_empty() || text.len() > most => {
            Err(Refusal::invalid("INVALID_STRING_LENGTH"))
        }
        _ => Ok(()),
    }
}

/// The decimals PayPal takes of a currency that it knows.
fn decimals(currency: &str) -> Option<usize> {
    match currency {
        "HUF" | "JPY" | "TWD" => Some(0),
        "AUD" | "BRL" | "CAD" | "CHF" | "CNY" | "CZK" | "DKK" | "EUR" | "GBP" | "HKD" | "ILS"
        | "MXN" | "MYR" | "NOK" | "NZD" | "PHP" | "PLN" | "SEK" | "SGD" | "THB" | "USD" => Some(2),
        _ => None,
    }
}

/// An amount in the smallest unit that PayPal takes.
pub fn units(amount: &Amount) -> Result<i64, Refusal> {
    let decimals = decimals(&amount.currency_code)
        .ok_or_else(|| Refusal::unprocessable("CURRENCY_NOT_SUPPORTED"))?;
    let (whole, fraction) = amount.value.split_once('.').unwrap_or((&amount.value, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || amount.value.ends_with('.') || !digits(whole) || !digits(fraction) {
        return Err(Refusal::invalid("INVALID_PARAMETER_SYNTAX"));
    }
    if fraction.len() > decimals {
        return Err(Refusal::unprocessable("DECIMAL_PRECISION"));
    }
    let units = format!("{whole}{fraction:0<decimals$}")
        .parse()
        .unwrap_or(0);
    if units == 0 {
        return Err(Refusal::unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE"));
    }
    Ok(units)
}

/// Units as a text, as `12.30`.
pub fn text(units: i64, currency: &str) -> String {
    match decimals(currency) {
        Some(2) => format!("{}.{:02}", units / 100, units % 100),
        _ => units.to_string(),
    }
}
