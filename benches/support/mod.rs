//! What both benchmarks need: a database of their own, a server as a user starts it, and a way to talk to it.

// Each benchmark uses a part of it.
#![allow(dead_code, clippy::float_arithmetic, clippy::cast_precision_loss)]

pub mod database;
pub mod http;
pub mod server;

/// A benchmark ends at the first surprise, and says which.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The value that so many of a thousand do not exceed; the values are sorted.
pub fn quantile(sorted: &[u32], per_mille: usize) -> u32 {
    let place = (sorted.len() * per_mille).div_ceil(1000).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

/// Microseconds as milliseconds.
pub fn millis(micros: u32) -> f64 {
    f64::from(micros) / 1000.0
}

/// `12345` as `12,345`.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::from(if number < 0 { "-" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
