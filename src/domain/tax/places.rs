//! Which places a zone is made of.
//!
//! A place is a country or a region. A country of which a zone names regions belongs to the zone in these alone; any other
//! country of the zone belongs to it as a whole. A place may be in one zone only.

/// A place of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Its code: `DE` or `US-NY`.
    pub code: &'a str,
    /// Where it stands in the zone.
    pub pointer: String,
}

/// The places that a zone with these countries and regions is made of.
pub fn places<'a>(countries: &'a [String], regions: &'a [String]) -> Vec<Place<'a>> {
    let whole = |country: &str| !regions.iter().any(|region| is_within(region, country));
    let countries = countries
        .iter()
        .enumerate()
        .filter(|(_, country)| whole(country))
        .map(|(i, country)| Place {
            code: country,
            pointer: format!("/countries/{i}"),
        });
    let regions = regions.iter().enumerate().map(|(i, region)| Place {
        code: region,
        pointer: format!("/regions/{i}"),
    });
    countries.chain(regions).collect()
}

/// Whether `region` has the form of an ISO 3166-2 code: a country, a hyphen, one to three letters or digits.
pub fn is_region(region: &str) -> bool {
    let Some((country, part)) = region.split_once('-') else {
        return false;
    };
    crate::kernel::shape::is_country(country)
        && (1..=3).contains(&part.len())
        && part
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Whether the code of `region` says that it lies in `country`.
pub fn is_within(region: &str, country: &str) -> bool {
    region
        .strip_prefix(country)
        .is_some_and(|rest| rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(countries: &[&str], regions: &[&str]) -> Vec<(String, String)> {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (countries, regions) = (texts(countries), texts(regions));
        places(&countries, &regions)
            .into_iter()
            .map(|p| (p.code.to_owned(), p.pointer))
            .collect()
    }

    #[test]
    fn a_country_with_regions_is_in_the_zone_in_these_alone() {
        let place = |code: &str, pointer: &str| (code.to_owned(), pointer.to_owned());
        assert_eq!(
            codes(&["DE", "AT"], &[]),
            [place("DE", "/countries/0"), place("AT", "/countries/1")]
        );
        assert_eq!(
            codes(&["US", "DE"], &["US-NY", "US-NJ"]),
            [
                place("DE", "/countries/1"),
                place("US-NY", "/regions/0"),
                place("US-NJ", "/regions/1")
            ],
        );
    }

    #[test]
    fn region_codes() {
        for good in ["US-NY", "DE-BY", "FR-75", "AT-9", "GB-ENG"] {
            assert!(is_region(good), "{good}");
        }
        for bad in [
            "", "US", "US-", "NY", "us-ny", "US-NYCX", "USA-NY", "US-N-Y", "US-ÑY", "US NY",
        ] {
            assert!(!is_region(bad), "{bad}");
        }
        assert!(is_within("US-NY", "US"));
        assert!(!is_within("US-NY", "CA"));
        assert!(!is_within("US", "US"));
    }
}
