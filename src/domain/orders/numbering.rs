//! Order numbers without a counter: short, unguessable, with a check character.
//!
//! Seven random characters of Crockford's base 32 (35 bits) and one that catches typing mistakes. Two orders that draw the
//! same number meet at the database's unique key, and one draws again.

use crate::kernel::{Result, crockford};

/// A fresh number.
pub fn scattered() -> Result<String> {
    crockford::random::<7>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_short_and_checked() {
        let number = scattered().unwrap();
        assert!(
            number.len() == 8 && crockford::is_checked(&number),
            "{number}"
        );
    }
}
