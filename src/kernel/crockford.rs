//! Crockford's base 32: no letter that reads like a digit, and a check character for what people copy by hand.

use super::{Error, Result};

/// The digits, by their value.
pub const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// So many random characters from the operating system, each equally likely, and one that checks them: it catches every
/// single wrong character and every swap of neighbours but one (Luhn mod 32).
pub fn random<const N: usize>() -> Result<String> {
    let mut random = [0_u8; N];
    getrandom::fill(&mut random).map_err(|e| Error::internal(e.to_string()))?;
    let digits = random.map(|byte| byte % 32);
    let mut text: String = digits.iter().map(|d| character(*d)).collect();
    text.push(character(check(&digits)));
    Ok(text)
}

/// Whether the last character checks those before it.
pub fn is_checked(text: &str) -> bool {
    let digits: Option<Vec<u8>> = text.bytes().map(value).collect();
    match digits.as_deref().and_then(<[u8]>::split_last) {
        Some((last, rest)) => check(rest) == *last,
        None => false,
    }
}

fn character(digit: u8) -> char {
    char::from(ALPHABET[usize::from(digit % 32)])
}

fn value(character: u8) -> Option<u8> {
    let place = ALPHABET.iter().position(|&a| a == character)?;
    u8::try_from(place).ok()
}

/// Luhn's algorithm to the base of 32.
fn check(digits: &[u8]) -> u8 {
    let sum: u16 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &d)| {
            let value = u16::from(d) * if i % 2 == 0 { 2 } else { 1 };
            value / 32 + value % 32
        })
        .sum();
    ((32 - sum % 32) % 32).to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_character_is_noticed() {
        for _ in 0..100 {
            let text = random::<7>().unwrap();
            assert!(is_checked(&text), "{text}");
            for place in 0..8 {
                for other in ALPHABET {
                    let mut wrong = text.clone().into_bytes();
                    if wrong[place] == *other {
                        continue;
                    }
                    wrong[place] = *other;
                    assert!(!is_checked(std::str::from_utf8(&wrong).unwrap()));
                }
            }
        }
        assert!(!is_checked("") && !is_checked("ABC") && !is_checked("IIIIIIII"));
    }
}
