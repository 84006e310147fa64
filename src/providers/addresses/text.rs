//! How people write the same thing: spaces, digits and letters of other scripts and keyboards, accents.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// The text with single spaces between its words, and none around them.
pub fn single_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text with digits, letters and hyphens of wide, Arabic and Persian keyboards as ASCII has them.
pub fn latin(text: &str) -> String {
    const NFKD: DecomposingNormalizerBorrowed<'_> = DecomposingNormalizerBorrowed::new_nfkd();
    let digit = |c: char, zero: char| {
        let value = u32::from(c).checked_sub(u32::from(zero))?;
        char::from_digit(value, 10)
    };
    let simple = |c: char| match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30fc}' => '-',
        c => ['\u{660}', '\u{6f0}']
            .into_iter()
            .find_map(|zero| digit(c, zero))
            .unwrap_or(c),
    };
    single_spaced(
        &NFKD
            .normalize_iter(text.chars())
            .map(simple)
            .collect::<String>(),
    )
}

/// The letters and digits of a name, without accents and in lower case: `Île-de-France` and `ILE DE FRANCE` are the same.
pub fn key(name: &str) -> String {
    latin(name)
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_keyboards() {
        assert_eq!(latin("１５４－００２３"), "154-0023");
        assert_eq!(latin("１５４ー００２３"), "154-0023");
        assert_eq!(latin("\u{3000}ＳＷ１Ａ\u{3000}１ＡＡ"), "SW1A 1AA");
        assert_eq!(latin("۱۱۹۳۶−۱۲۳۴۵"), "11936-12345");
        assert_eq!(latin("١١٥٦٤"), "11564");
        assert_eq!(key("Île-de-France"), key("ILE DE FRANCE"));
        assert_ne!(key("東京都"), key("大阪府"));
    }
}
