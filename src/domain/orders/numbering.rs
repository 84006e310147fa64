//! Order numbers without a counter: short, unguessable, with a check character.
//!
//! Seven random characters of Crockford's base 32 (35 bits, no letter that reads like a digit) and one that catches every
//! single wrong character and every swap of neighbours (Luhn mod 32). Two orders that draw the same number meet at the
//! database's unique key, and one draws again.

use crate::kernel::Result;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A fresh number.
pub fn scattered() -> Result<String> {
    let mut random = [0_u8; 7];
    getrandom::fill(&mut random).map_err(|e| crate::kernel::Error::internal(e.to_string()))?;
    let digits = random.map(|byte| byte % 32);
    let mut number: String = digits
        .iter()
        .map(|d| char::from(ALPHABET[usize::from(*d)]))
        .collect();
    number.push(char::from(ALPHABET[usize::from(check(&digits))]));
    Ok(number)
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

    fn is_valid(number: &str) -> bool {
        let digits: Option<Vec<u8>> = number
            .bytes()
            .map(|b| {
                ALPHABET
                    .iter()
                    .position(|&a| a == b)
                    .and_then(|p| u8::try_from(p).ok())
            })
            .collect();
        match digits.as_deref().and_then(<[u8]>::split_last) {
            Some((last, rest)) => rest.len() == 7 && check(rest) == *last,
            None => false,
        }
    }

    #[test]
    fn a_wrong_character_is_noticed() {
        for _ in 0..100 {
            let number = scattered().unwrap();
            assert!(is_valid(&number), "{number}");
            for place in 0..8 {
                for other in ALPHABET {
                    let mut wrong = number.clone().into_bytes();
                    if wrong[place] == *other {
                        continue;
                    }
                    wrong[place] = *other;
                    assert!(!is_valid(std::str::from_utf8(&wrong).unwrap()));
                }
            }
        }
        assert!(!is_valid("") && !is_valid("ABC") && !is_valid("IIIIIIII"));
    }
}
