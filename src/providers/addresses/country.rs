//! What is known of a country: what its addresses need, how its postcodes look, and its regions.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use regex_lite::Regex;

use super::text::{key, latin};

/// What is known of a country.
pub struct Country {
    pub code: &'static str,
    pub needs_region: bool,
    pub needs_postcode: bool,
    pattern: &'static str,
    compiled: OnceLock<Option<Regex>>,
    pub example: &'static str,
    /// What is written before the postcode on letters: `SE-`.
    prefix: &'static str,
    pub regions: Vec<&'static str>,
}

/// The countries of which something is known, by their codes.
pub static COUNTRIES: LazyLock<HashMap<&'static str, Country>> = LazyLock::new(|| {
    rows(include_str!("countries.tsv"))
        .filter_map(Country::parse)
        .map(|country| (country.code, country))
        .collect()
});

/// The code of each region by the keys of its names, country by country.
static REGIONS: LazyLock<HashMap<&'static str, HashMap<String, &'static str>>> =
    LazyLock::new(|| {
        let mut regions: HashMap<_, HashMap<_, _>> = HashMap::new();
        for row in rows(include_str!("regions.tsv")) {
            let mut cells = row.split('\t');
            let (Some(country), Some(code), Some(names)) =
                (cells.next(), cells.next(), cells.next())
            else {
                continue;
            };
            let own = regions.entry(country).or_default();
            for name in names.split('|') {
                own.insert(key(name), code);
                // Irish counties are told with their word and without.
                if let Some(bare) = name.strip_prefix("Co. ") {
                    own.insert(key(bare), code);
                    own.insert(key(&format!("County {bare}")), code);
                }
            }
        }
        regions
    });

fn rows(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| !line.starts_with('#'))
}

fn without_gaps(postcode: &str) -> String {
    postcode.replace([' ', '-', '.'], "")
}

impl Country {
    fn parse(line: &'static str) -> Option<Self> {
        let mut cells = line.split('\t');
        let mut next = || cells.next();
        let (code, required) = (next()?, next()?);
        Some(Self {
            code,
            needs_region: required.contains('S'),
            needs_postcode: required.contains('Z'),
            pattern: next()?,
            compiled: OnceLock::new(),
            example: next()?,
            prefix: next()?,
            regions: next()?.split_whitespace().collect(),
        })
    }

    pub fn complaint(&self) -> String {
        format!(
            "This is no postcode of {}; one looks like {}.",
            self.code, self.example
        )
    }

    fn matches(&self, postcode: &str) -> bool {
        let compile = || Regex::new(&format!("^(?:{})$", self.pattern)).ok();
        // What has no pattern, or none that can be read, is not refused.
        self.pattern.is_empty()
            || self
                .compiled
                .get_or_init(compile)
                .as_ref()
                .is_none_or(|regex| regex.is_match(postcode))
    }

    /// The postcode as it is usually written; none where it cannot be one.
    pub fn postcode(&self, given: &str) -> Option<String> {
        let given = latin(given).to_uppercase();
        let given = given.trim_start_matches('〒').trim_start();
        // What French offices write after the postcode of a firm with a box of its own.
        let given = given.split_once(" CEDEX").map_or(given, |(code, _)| code);
        if self.pattern.is_empty() {
            return Some(given.to_owned());
        }
        let plain = without_gaps(given);
        let mut candidates = Vec::new();
        // ZIP+4 without its hyphen.
        if let Some((head, tail)) = plain
            .len()
            .checked_sub(4)
            .and_then(|at| plain.split_at_checked(at))
        {
            candidates.extend(
                plain
                    .bytes()
                    .all(|b| b.is_ascii_digit())
                    .then(|| format!("{head}-{tail}")),
            );
        }
        // Where a gap may be left out, it is, unless the example has one.
        if !self.example.contains([' ', '-']) && plain.bytes().all(|b| b.is_ascii_digit()) {
            candidates.push(plain.clone());
        }
        candidates.extend([given.to_owned(), plain]);
        if self.example.starts_with(self.code) {
            candidates.extend([
                format!("{}-{given}", self.code),
                format!("{}{given}", self.code),
            ]);
        }
        // `D-10117`, `DE 10117`, `SE-114 55`: what is written before a postcode on letters from abroad.
        let initial = format!("{}-", self.code.get(..1).unwrap_or_default());
        let bare = [self.prefix, self.code, &initial]
            .into_iter()
            .filter(|prefix| !prefix.is_empty())
            .filter_map(|prefix| given.strip_prefix(prefix))
            .map(|rest| rest.trim_start_matches(['-', ' ']).to_owned());
        candidates.extend(bare);
        let spread: Vec<String> = candidates.iter().filter_map(|c| self.spread(c)).collect();
        // What fits as it was given stays, but for where the gap is.
        let fits = |c: &&String| self.matches(c);
        let found = candidates.iter().find(fits).or(spread.iter().find(fits))?;
        let usual = self.spread(found).filter(|c| self.matches(c));
        Some(usual.unwrap_or_else(|| found.clone()))
    }

    /// The postcode with its gap where the example has it, counted from the end.
    fn spread(&self, postcode: &str) -> Option<String> {
        let mut parts = self.example.split([' ', '-']);
        let (head, tail) = (parts.next()?, parts.next()?);
        let plain = without_gaps(postcode);
        if parts.next().is_some() {
            return None;
        }
        let gap = self.example.get(head.len()..=head.len())?;
        let (before, after) = plain.split_at_checked(plain.len().checked_sub(tail.len())?)?;
        Some(format!("{before}{gap}{after}"))
    }

    /// The code of a region that is told by its code, with or without the country, or by its name; and whether it is one that
    /// is known, as far as those of the country are.
    pub fn region(&self, given: &str) -> Option<(String, bool)> {
        let text = latin(given).to_uppercase();
        let prefixed = text
            .strip_prefix(self.code)
            .and_then(|rest| rest.strip_prefix('-'));
        let code = prefixed.unwrap_or(&text);
        let names = REGIONS.get(self.code);
        let known = self.regions.contains(&code)
            || names.is_some_and(|names| names.values().any(|one| *one == code));
        if known {
            return Some((code.to_owned(), true));
        }
        if let Some(code) = names.and_then(|n| n.get(&key(given)).or_else(|| n.get(&key(code)))) {
            return Some(((*code).to_owned(), true));
        }
        let is_code =
            (1..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric());
        let all_known = !self.regions.is_empty();
        (prefixed.is_some() && is_code).then(|| (code.to_owned(), !all_known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::shape;

    fn normal(country: &str, postcode: &str) -> Option<String> {
        COUNTRIES[country].postcode(postcode)
    }

    #[test]
    fn every_pattern_can_be_read_and_fits_its_example() {
        assert!(COUNTRIES.len() > 170);
        for country in COUNTRIES.values() {
            assert!(shape::is_country(country.code), "{}", country.code);
            if !country.pattern.is_empty() {
                assert!(
                    Regex::new(country.pattern).is_ok(),
                    "{}: {}",
                    country.code,
                    country.pattern
                );
                assert!(
                    country.matches(country.example),
                    "{}: {}",
                    country.code,
                    country.example
                );
                assert_eq!(
                    country.postcode(country.example).as_deref(),
                    Some(country.example)
                );
                assert!(!country.matches("!"), "{}", country.code);
            }
        }
    }

    #[test]
    fn a_postcode_is_written_as_it_usually_is() {
        for (country, given, usual) in [
            ("DE", "10117", "10117"),
            ("DE", " D-10117", "10117"),
            ("DE", "DE 10117", "10117"),
            ("GB", "sw1a1aa", "SW1A 1AA"),
            ("GB", "M1  1AE", "M1 1AE"),
            ("NL", "1017ab", "1017 AB"),
            ("CA", "h3z2y7", "H3Z 2Y7"),
            ("PL", "00950", "00-950"),
            ("PT", "2725 079", "2725-079"),
            ("JP", "1540023", "154-0023"),
            ("LV", "1073", "LV-1073"),
            ("AD", "500", "AD500"),
            ("SE", "SE-114 55", "114 55"),
            ("US", "95014", "95014"),
            ("US", "22162-1010", "22162-1010"),
            ("IE", "a65f4e2", "A65 F4E2"),
            ("IE", "d6wxy00", "D6W XY00"),
            ("US", "221621010", "22162-1010"),
            ("US", "22162 1010", "22162-1010"),
            ("JP", "１５４－００２３", "154-0023"),
            ("JP", "〒154-0023", "154-0023"),
            ("JP", "１５４ー００２３", "154-0023"),
            ("IR", "۱۱۹۳۶۱۲۳۴۵", "11936-12345"),
            ("FR", "75008 CEDEX 08", "75008"),
            ("FR", "75008 Cedex", "75008"),
            ("FR", "F-75008", "75008"),
            ("FR", "75 008", "75008"),
            ("SE", "11455", "114 55"),
            ("LV", "LV1073", "LV-1073"),
            ("MT", "VLT 1117", "VLT 1117"),
            ("GB", "BFPO 12", "BFPO 12"),
        ] {
            assert_eq!(
                normal(country, given).as_deref(),
                Some(usual),
                "{country} {given}"
            );
        }
    }

    #[test]
    fn what_cannot_be_a_postcode_is_none() {
        for (country, given) in [
            ("DE", "1011"),
            ("DE", "101170"),
            ("DE", "ABCDE"),
            ("DE", "SW1A 1AA"),
            ("GB", "10117"),
            ("US", "1234"),
            ("NL", "0123 AB"),
            ("FR", "7500"),
            ("CA", "D1A 1A1"),
            ("IE", "00000"),
            ("IE", "IE 00000"),
            ("IE", "B65 F4E2"),
            ("US", "2216210101"),
            ("FR", "CEDEX"),
            ("DE", "10117\u{0}"),
            ("DE", "10117!"),
        ] {
            assert_eq!(normal(country, given), None, "{country} {given}");
        }
    }

    #[test]
    fn a_short_text_is_a_postcode_nowhere_but_where_anything_is() {
        for country in COUNTRIES.values().filter(|c| !c.pattern.is_empty()) {
            for text in ["x", "0", "abc", "-", "n/a", "."] {
                assert_eq!(country.postcode(text), None, "{} {text}", country.code);
            }
        }
    }

    #[test]
    fn a_region_is_told_by_its_code_or_its_name() {
        let region = |country: &str, given: &str| COUNTRIES[country].region(given);
        for (country, given, code) in [
            ("US", "NY", "NY"),
            ("US", "us-ny", "NY"),
            ("US", "US-NY", "NY"),
            ("US", "New York", "NY"),
            ("US", " new  york ", "NY"),
            ("US", "ＮＹ", "NY"),
            ("US", "District of Columbia", "DC"),
            ("US", "AE", "AE"),
            ("CA", "Québec", "QC"),
            ("CA", "quebec", "QC"),
            ("ES", "Alava", "VI"),
            ("IE", "Cork", "CO"),
            ("IE", "County Cork", "CO"),
            ("JP", "東京都", "13"),
            ("JP", "Tokyo", "13"),
            ("DE", "DE-BY", "BY"),
            ("IN", "IN-OR", "OD"),
            ("IN", "Odisha", "OD"),
            ("CN", "CN-11", "BJ"),
            ("CN", "CN-BJ", "BJ"),
        ] {
            let known = Some((code.to_owned(), true));
            assert_eq!(region(country, given), known, "{country} {given}");
        }
        assert_eq!(region("US", "US-ZZ"), Some(("ZZ".to_owned(), false)));
        for (country, given) in [
            ("US", "Elsewhere"),
            ("US", "CA-ON"),
            ("US", "US-"),
            ("DE", "Bayern"),
        ] {
            assert_eq!(region(country, given), None, "{country} {given}");
        }
    }

    #[test]
    fn names_of_regions_belong_to_regions_that_are_known() {
        assert!(REGIONS.len() > 40);
        for (country, names) in REGIONS.iter() {
            let country = &COUNTRIES[country];
            for code in &country.regions {
                assert!(
                    names.values().any(|known| known == code),
                    "{} {code}",
                    country.code
                );
            }
        }
    }
}
