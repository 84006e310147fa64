//! The code of a gift card: whoever has it may spend the card, so the shop keeps only its HMAC and its last characters.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::kernel::{Result, crockford, hex};

/// How many characters a code has, the last of which checks the others.
const LENGTH: usize = 16;
/// Nobody types more; the rest is not looked at.
const MOST: usize = 100;

/// The shop's secret, with which codes are kept: a table that is stolen without it cannot be tried out offline.
pub struct CodeKey(Vec<u8>);

impl CodeKey {
    /// The key of the shop that has this secret.
    pub fn new(secret: Vec<u8>) -> Self {
        Self(secret)
    }

    /// What is kept of a code, however it was entered. What is no code has a hash too, which nothing has: looking for it
    /// takes as long.
    pub fn hash(&self, entered: &str) -> String {
        let code = normalise(entered);
        // An HMAC takes a key of any length.
        Hmac::<Sha256>::new_from_slice(&self.0)
            .map(|mac| hex(&mac.chain_update(code).finalize().into_bytes()))
            .unwrap_or_default()
    }
}

/// A fresh code of 75 random bits, as it is shown once: four groups of four.
pub fn generate() -> Result<String> {
    let bare = crockford::random::<{ LENGTH - 1 }>()?;
    let mut code = String::with_capacity(LENGTH + 3);
    for (place, character) in bare.chars().enumerate() {
        if place > 0 && place % 4 == 0 {
            code.push('-');
        }
        code.push(character);
    }
    Ok(code)
}

/// The last four characters of a code, by which people tell cards apart.
pub fn last4(code: &str) -> String {
    let code = normalise(code);
    code.get(code.len().saturating_sub(4)..)
        .unwrap_or_default()
        .to_owned()
}

/// A code without what people add or mistake: case, spaces, hyphens, O for 0, I and L for 1.
pub fn normalise(entered: &str) -> String {
    let worth = |c: &char| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}');
    let read = |c: char| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    entered.chars().take(MOST).filter(worth).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_four_groups_with_a_check_character() {
        for _ in 0..100 {
            let code = generate().unwrap();
            let groups: Vec<usize> = code.split('-').map(str::len).collect();
            assert_eq!(groups, [4, 4, 4, 4]);
            assert!(crockford::is_checked(&normalise(&code)), "{code}");
            assert!(code.ends_with(&last4(&code)));
        }
    }

    #[test]
    fn a_code_is_read_however_it_was_typed() {
        let key = CodeKey::new(b"secret".to_vec());
        let right = key.hash("0123-4567-89AB-CD1E");
        assert_eq!(right.len(), 64);
        for typed in [
            "0123456789abcd1e",
            " o123 4567 89ab cdle ",
            "O123–4567–89AB–CDIE",
        ] {
            assert_eq!(key.hash(typed), right, "{typed}");
        }
        for other in ["0123-4567-89AB-CD1F", "", "-", "0123"] {
            assert_ne!(key.hash(other), right);
        }
        assert_ne!(
            CodeKey::new(b"other".to_vec()).hash("0123-4567-89AB-CD1E"),
            right
        );
    }
}
