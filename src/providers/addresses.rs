//! The built-in validation of addresses: required fields, postcodes and regions by country. It knows how postcodes look, not
//! which there are, and asks nobody. The data, its source and its licence stand in `addresses.tsv`.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use regex_lite::Regex;

use crate::kernel::shape;
use crate::ports::address::{
    AddressRemark, AddressReport, AddressSeverity, AddressValidator, PostalAddress, Validation,
};

/// The validator `built_in`.
pub struct BuiltInAddresses;

impl AddressValidator for BuiltInAddresses {
    fn name(&self) -> &'static str {
        "built_in"
    }

    fn validate<'a>(&'a self, address: &'a PostalAddress) -> Validation<'a> {
        Box::pin(async { examine(address) })
    }

    fn impossible_postcode(&self, country: &str, postcode: &str) -> Option<String> {
        let country = COUNTRIES.get(country)?;
        country
            .normal(postcode)
            .is_none()
            .then(|| country.complaint())
    }
}

/// What is known of a country.
struct Country {
    code: &'static str,
    needs_region: bool,
    needs_postcode: bool,
    pattern: &'static str,
    compiled: OnceLock<Option<Regex>>,
    example: &'static str,
    /// What is written before the postcode on letters: `SE-`.
    prefix: &'static str,
    regions: Vec<&'static str>,
}

static COUNTRIES: LazyLock<HashMap<&'static str, Country>> = LazyLock::new(|| {
    let lines = include_str!("addresses.tsv").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .filter_map(Country::parse)
        .map(|country| (country.code, country))
        .collect()
});

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

    fn complaint(&self) -> String {
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
    fn normal(&self, postcode: &str) -> Option<String> {
        let given = single_spaced(&postcode.to_uppercase());
        if self.pattern.is_empty() {
            return Some(given);
        }
        // `D-10117`, `DE 10117`, `SE-114 55`: what is written before a postcode on letters from abroad.
        let initial = format!("{}-", self.code.get(..1).unwrap_or_default());
        let bare = [self.prefix, self.code, &initial]
            .into_iter()
            .filter(|prefix| !prefix.is_empty())
            .filter_map(|prefix| given.strip_prefix(prefix))
            .map(|rest| rest.trim_start_matches(['-', ' ']).to_owned());
        let plain: String = given.chars().filter(char::is_ascii_alphanumeric).collect();
        let mut candidates = vec![given.clone(), plain, format!("{}-{given}", self.code)];
        candidates.push(format!("{}{given}", self.code));
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
        let plain: String = postcode
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        if parts.next().is_some() {
            return None;
        }
        let gap = self.example.get(head.len()..=head.len())?;
        let (before, after) = plain.split_at_checked(plain.len().checked_sub(tail.len())?)?;
        Some(format!("{before}{gap}{after}"))
    }
}

fn single_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn examine(given: &PostalAddress) -> AddressReport {
    let optional = |text: &Option<String>| {
        let text = text.as_deref().map(single_spaced);
        text.filter(|text| !text.is_empty())
    };
    let mut address = PostalAddress {
        name: single_spaced(&given.name),
        company: optional(&given.company),
        line1: single_spaced(&given.line1),
        line2: optional(&given.line2),
        postcode: optional(&given.postcode),
        city: single_spaced(&given.city),
        region: optional(&given.region),
        country: single_spaced(&given.country).to_uppercase(),
    };
    let mut remarks = Vec::new();
    let mut say = |field, code, severity, message: String| {
        remarks.push(AddressRemark {
            field,
            code,
            severity,
            message,
        });
    };
    let missing = "This is needed.";
    for (field, text) in [
        ("name", &address.name),
        ("line1", &address.line1),
        ("city", &address.city),
    ] {
        if text.is_empty() {
            say(field, "missing", AddressSeverity::Error, missing.into());
        }
    }
    if !shape::is_country(&address.country) {
        let message = "There is no such country; ISO 3166-1 alpha-2 is meant, as DE.";
        say("country", "unknown", AddressSeverity::Error, message.into());
        return AddressReport { address, remarks };
    }
    if let Some(country) = COUNTRIES.get(address.country.as_str()) {
        match &address.postcode {
            None if country.needs_postcode => {
                let message = format!("{missing} One looks like {}.", country.example);
                say("postcode", "missing", AddressSeverity::Error, message);
            }
            None => {}
            Some(postcode) => match country.normal(postcode) {
                None => {
                    let message = country.complaint();
                    say(
                        "postcode",
                        "invalid_format",
                        AddressSeverity::Error,
                        message,
                    );
                }
                Some(normal) => address.postcode = Some(normal),
            },
        }
        let whole = |region: &str| format!("{}-{region}", country.code);
        match &address.region {
            None if country.needs_region => {
                say("region", "missing", AddressSeverity::Error, missing.into());
            }
            Some(region) => {
                let upper = region.to_uppercase();
                let known = |code: &str| country.regions.contains(&code);
                let own = upper.strip_prefix(&whole(""));
                if let Some(own) = own.or(known(&upper).then_some(upper.as_str())) {
                    address.region = Some(whole(own));
                    if !country.regions.is_empty() && !known(own) {
                        let message =
                            format!("{} has no region that is known as this.", country.code);
                        say("region", "unknown", AddressSeverity::Warning, message);
                    }
                } else {
                    let message = format!(
                        "ISO 3166-2 is meant, as {}.",
                        whole(country.regions.first().unwrap_or(&"1"))
                    );
                    say(
                        "region",
                        "invalid_format",
                        AddressSeverity::Warning,
                        message,
                    );
                }
            }
            None => {}
        }
    }
    remarks.extend(reformatted(given, &address));
    AddressReport { address, remarks }
}

/// What is usually written otherwise.
fn reformatted(given: &PostalAddress, address: &PostalAddress) -> Vec<AddressRemark> {
    let plain = |text: &Option<String>| text.clone().unwrap_or_default();
    let pairs = [
        ("name", given.name.clone(), &address.name),
        ("company", plain(&given.company), &plain(&address.company)),
        ("line1", given.line1.clone(), &address.line1),
        ("line2", plain(&given.line2), &plain(&address.line2)),
        (
            "postcode",
            plain(&given.postcode),
            &plain(&address.postcode),
        ),
        ("city", given.city.clone(), &address.city),
        ("region", plain(&given.region), &plain(&address.region)),
        ("country", given.country.clone(), &address.country),
    ];
    pairs
        .into_iter()
        .filter(|(_, was, is)| was != *is)
        .map(|(field, _, is)| AddressRemark {
            field,
            code: "reformatted",
            severity: AddressSeverity::Info,
            message: format!("Usually written: {is}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::address::AddressVerdict as Verdict;

    fn normal(country: &str, postcode: &str) -> Option<String> {
        COUNTRIES[country].normal(postcode)
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
                    country.normal(country.example).as_deref(),
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
        ] {
            assert_eq!(normal(country, given), None, "{country} {given}");
        }
    }

    fn berlin() -> PostalAddress {
        PostalAddress {
            name: "Ada".into(),
            line1: "Unter den Linden 1".into(),
            postcode: Some("10117".into()),
            city: "Berlin".into(),
            country: "DE".into(),
            ..PostalAddress::default()
        }
    }

    #[test]
    fn an_address_is_valid_correctable_or_invalid() {
        let verdict = |address: PostalAddress| {
            let report = examine(&address);
            let remarks = report.remarks.iter().map(|r| (r.field, r.code));
            (report.verdict(), remarks.collect::<Vec<_>>())
        };
        assert_eq!(verdict(berlin()), (Verdict::Valid, vec![]));
        let spaced = PostalAddress {
            city: " Berlin ".into(),
            ..berlin()
        };
        assert_eq!(
            verdict(spaced),
            (Verdict::Correctable, vec![("city", "reformatted")])
        );
        let bare = PostalAddress {
            postcode: None,
            ..berlin()
        };
        assert_eq!(
            verdict(bare),
            (Verdict::Invalid, vec![("postcode", "missing")])
        );
        let wrong = PostalAddress {
            postcode: Some("1".into()),
            ..berlin()
        };
        assert_eq!(
            verdict(wrong),
            (Verdict::Invalid, vec![("postcode", "invalid_format")])
        );
        let nowhere = PostalAddress {
            country: "XX".into(),
            ..berlin()
        };
        assert_eq!(
            verdict(nowhere),
            (Verdict::Invalid, vec![("country", "unknown")])
        );
        let ireland = PostalAddress {
            country: "IE".into(),
            postcode: None,
            ..berlin()
        };
        assert_eq!(verdict(ireland), (Verdict::Valid, vec![]));
    }

    #[test]
    fn a_region_is_written_with_its_country() {
        let in_new_york = |region: Option<&str>| {
            examine(&PostalAddress {
                postcode: Some("10001".into()),
                region: region.map(ToOwned::to_owned),
                country: "US".into(),
                ..berlin()
            })
        };
        for given in ["ny", "NY", "us-ny", "US-NY"] {
            assert_eq!(
                in_new_york(Some(given)).address.region.as_deref(),
                Some("US-NY")
            );
        }
        assert_eq!(in_new_york(Some("US-NY")).verdict(), Verdict::Valid);
        assert_eq!(in_new_york(Some("US-QQ")).remarks[0].code, "unknown");
        assert_eq!(
            in_new_york(Some("Bavaria")).remarks[0].code,
            "invalid_format"
        );
        assert_eq!(in_new_york(None).verdict(), Verdict::Invalid);
    }
}
