//! The built-in validation of addresses: required fields, postcodes and regions by country. It knows how postcodes look, not
//! which there are, and asks nobody. The data, its source and its licence stand in `countries.tsv` and `regions.tsv`.

mod country;
mod text;

use crate::kernel::shape;
use crate::ports::address::{
    AddressRemark, AddressReport, AddressSeverity, AddressValidator, PostalAddress, Validation,
};
use country::COUNTRIES;
use text::{latin, single_spaced};

/// The validator `built_in`.
pub struct BuiltInAddresses;

impl AddressValidator for BuiltInAddresses {
    fn name(&self) -> &'static str {
        "built_in"
    }

    fn validate<'a>(&'a self, address: &'a PostalAddress) -> Validation<'a> {
        Box::pin(async { examine(address) })
    }

    fn examine(&self, address: &PostalAddress) -> AddressReport {
        examine(address)
    }
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
        country: latin(&given.country).to_ascii_uppercase(),
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
            Some(postcode) => match country.postcode(postcode) {
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
            None => {}
            Some(region) => {
                if let Some((code, known)) = country.region(region) {
                    if !known {
                        let message =
                            format!("{} has no region that is known as this.", country.code);
                        say("region", "unknown", AddressSeverity::Warning, message);
                    }
                    address.region = Some(whole(&code));
                } else {
                    let listed = country.regions.first().map(|region| whole(region));
                    let example = listed.unwrap_or_else(|| "US-NY".to_owned());
                    let message = format!(
                        "This is no region that is known; ISO 3166-2 is meant, as {example}."
                    );
                    let severity = AddressSeverity::Warning;
                    say("region", "invalid_format", severity, message);
                }
            }
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
