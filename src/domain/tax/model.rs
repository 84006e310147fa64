use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use super::{places, queries};
use crate::context::Kept;
use crate::db::Conn;
use crate::kernel::ids::{TaxClassId, TaxRateId, TaxZoneId};
use crate::kernel::money::Rate;
use crate::kernel::{Json, Patch, Result};
use crate::operation::Output;
use crate::schema::{tax_classes, tax_rates, tax_zones};
use crate::{input, output};

output! {
    /// A kind of thing that is taxed alike: the standard rate's, the reduced rate's, books.
    #[derive(Queryable, Selectable, Insertable)]
    #[diesel(table_name = tax_classes)]
    TaxClass {
        /// Its id.
        id: TaxClassId,
        /// Its name in URLs and imports.
        handle: String,
        /// Its name for people.
        name: String,
    }
    /// Places that tax alike.
    #[derive(PartialEq)]
    TaxZone {
        /// Its id.
        id: TaxZoneId,
        /// Its name in URLs and imports.
        handle: String,
        /// Its name for people.
        name: String,
        /// Its countries (ISO 3166-1 alpha-2).
        countries: Vec<String>,
        /// Its regions (ISO 3166-2). A country that has regions here belongs to the zone in these only; one without
        /// belongs to it as a whole.
        regions: Vec<String>,
        /// What is charged there, in the order it was given.
        rates: Vec<TaxRate>,
    }
    /// A tax that a zone charges on a class.
    #[derive(PartialEq)]
    TaxRate {
        /// Its id; a change of the zone's rates gives new ones.
        id: TaxRateId,
        /// The class it is charged on.
        class_id: TaxClassId,
        /// Its name on a receipt, as `VAT`.
        name: String,
        /// How much.
        rate: Rate,
    }
}

/// A zone as the database has it, its rates apart.
#[derive(Clone, Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = tax_zones)]
pub struct TaxZoneRow {
    pub id: TaxZoneId,
    pub handle: String,
    pub name: String,
    pub countries: Json<Vec<String>>,
    pub regions: Json<Vec<String>>,
}

/// A rate as the database has it.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = tax_rates)]
pub struct TaxRateRow {
    pub id: TaxRateId,
    pub zone_id: TaxZoneId,
    pub class_id: TaxClassId,
    pub name: String,
    pub rate_ppm: i64,
}

input! {
    /// A new tax class.
    CreateTaxClass {
        /// Its name in URLs and imports: lower-case letters, digits, hyphens.
        handle: String,
        /// Its name for people.
        name: String,
    }
    /// A rate of a new or changed tax zone.
    NewTaxRate {
        /// The class it is charged on.
        class_id: TaxClassId,
        /// Its name on a receipt, as `VAT`; one class has each name once.
        name: String,
        /// How much.
        rate: Rate,
    }
    /// A new tax zone.
    CreateTaxZone {
        /// Its name in URLs and imports: lower-case letters, digits, hyphens.
        handle: String,
        /// Its name for people.
        name: String,
        /// Its countries (ISO 3166-1 alpha-2).
        countries: Vec<String>,
        /// Regions of these countries (ISO 3166-2), as `US-NY`, where not the whole country is meant.
        #[serde(default)]
        #[graphql(default)]
        regions: Vec<String>,
        /// What is charged there.
        #[serde(default)]
        #[graphql(default)]
        rates: Vec<NewTaxRate>,
    }
    /// A change of a tax zone.
    UpdateTaxZone {
        /// The zone.
        id: TaxZoneId,
        /// Its new name for people.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        name: Patch<String>,
        /// Its countries.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Vec<String>>)]
        countries: Patch<Vec<String>>,
        /// Its regions.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Vec<String>>)]
        regions: Patch<Vec<String>>,
        /// Everything that is charged there from now on.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Vec<NewTaxRate>>)]
        rates: Patch<Vec<NewTaxRate>>,
    }
}

impl Output for TaxClass {}
impl Output for TaxZone {}

impl TaxZone {
    /// The zone of this row and the rates that belong to it, in order.
    pub fn new(row: TaxZoneRow, rates: Vec<TaxRateRow>) -> Result<Self> {
        Ok(Self {
            id: row.id,
            handle: row.handle,
            name: row.name,
            countries: row.countries.0,
            regions: row.regions.0,
            rates: rates
                .into_iter()
                .map(TaxRate::try_from)
                .collect::<Result<_>>()?,
        })
    }

    /// Its row and the rows of its rates.
    pub fn rows(&self) -> (TaxZoneRow, Vec<TaxRateRow>) {
        let row = TaxZoneRow {
            id: self.id,
            handle: self.handle.clone(),
            name: self.name.clone(),
            countries: Json(self.countries.clone()),
            regions: Json(self.regions.clone()),
        };
        let rate = |rate: &TaxRate| TaxRateRow {
            id: rate.id,
            zone_id: self.id,
            class_id: rate.class_id,
            name: rate.name.clone(),
            rate_ppm: rate.rate.parts_per_million(),
        };
        (row, self.rates.iter().map(rate).collect())
    }
}

impl TryFrom<TaxRateRow> for TaxRate {
    type Error = crate::kernel::Error;

    fn try_from(row: TaxRateRow) -> Result<Self> {
        let rate = Rate::from_parts_per_million(row.rate_ppm)?;
        Ok(Self {
            id: row.id,
            class_id: row.class_id,
            name: row.name,
            rate,
        })
    }
}

impl TaxRate {
    /// The rates as they are from now on: those that stood there where nothing is another.
    pub fn replaced(old: &[Self], new: &[NewTaxRate]) -> Vec<Self> {
        let facts = |rate: &Self| (rate.class_id, rate.name.clone(), rate.rate);
        let new: Vec<Self> = new.iter().map(Self::from).collect();
        let same = new.iter().map(facts).eq(old.iter().map(facts));
        if same { old.to_vec() } else { new }
    }
}

impl From<&NewTaxRate> for TaxRate {
    fn from(new: &NewTaxRate) -> Self {
        Self {
            id: TaxRateId::new(),
            class_id: new.class_id,
            name: new.name.clone(),
            rate: new.rate,
        }
    }
}

/// All classes, zones and rates, as a process keeps them: `tx.app().kept::<Taxes>()?`.
pub struct Taxes {
    handles: HashMap<String, TaxClassId>,
    classes: HashSet<TaxClassId>,
    zones: Vec<HashMap<TaxClassId, Vec<TaxRate>>>,
    /// The zone of each country and region that has one.
    places: HashMap<String, usize>,
}

impl Kept for Taxes {
    fn load(conn: &mut Conn) -> Result<Self> {
        Ok(Self::new(
            &queries::all_classes(conn)?,
            queries::all_zones(conn)?,
        ))
    }
}

impl Taxes {
    fn new(classes: &[TaxClass], zones: Vec<TaxZone>) -> Self {
        let mut taxes = Self {
            handles: classes.iter().map(|c| (c.handle.clone(), c.id)).collect(),
            classes: classes.iter().map(|c| c.id).collect(),
            zones: Vec::with_capacity(zones.len()),
            places: HashMap::new(),
        };
        for zone in zones {
            for place in places::places(&zone.countries, &zone.regions) {
                taxes
                    .places
                    .insert(place.code.to_owned(), taxes.zones.len());
            }
            let mut rates: HashMap<TaxClassId, Vec<TaxRate>> = HashMap::new();
            for rate in zone.rates {
                rates.entry(rate.class_id).or_default().push(rate);
            }
            taxes.zones.push(rates);
        }
        taxes
    }

    /// What is charged on `class` in this country (`US`) and, if known, region (`US-NY`).
    pub fn rates(&self, country: &str, region: Option<&str>, class: TaxClassId) -> &[TaxRate] {
        let region = region.filter(|r| places::is_within(r, country));
        let zone = region
            .and_then(|r| self.places.get(r))
            .or_else(|| self.places.get(country));
        zone.and_then(|&zone| self.zones.get(zone)?.get(&class))
            .map_or(&[], Vec::as_slice)
    }

    /// Whether some region of this country is taxed otherwise than the rest of it.
    pub fn tells_regions(&self, country: &str) -> bool {
        let mut places = self.places.keys();
        places.any(|place| places::is_within(place, country))
    }

    /// Whether what is charged in this country follows from the region alone.
    pub fn needs_region(&self, country: &str) -> bool {
        self.tells_regions(country) && !self.places.contains_key(country)
    }

    /// The class with this handle.
    pub fn class(&self, handle: &str) -> Option<TaxClassId> {
        self.handles.get(handle).copied()
    }

    /// The handle of a class.
    pub fn handle(&self, id: TaxClassId) -> Option<&str> {
        self.handles
            .iter()
            .find(|(_, class)| **class == id)
            .map(|(handle, _)| handle.as_str())
    }

    /// Whether there is a class with this id.
    pub fn class_exists(&self, id: TaxClassId) -> bool {
        self.classes.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(handle: &str) -> TaxClass {
        TaxClass {
            id: TaxClassId::new(),
            handle: handle.into(),
            name: handle.into(),
        }
    }

    fn zone(countries: &[&str], regions: &[&str], rates: &[(TaxClassId, &str, &str)]) -> TaxZone {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        let rate = |&(class_id, name, rate): &(TaxClassId, &str, &str)| TaxRate {
            id: TaxRateId::new(),
            class_id,
            name: name.into(),
            rate: rate.parse().unwrap(),
        };
        TaxZone {
            id: TaxZoneId::new(),
            handle: "zone".into(),
            name: "Zone".into(),
            countries: texts(countries),
            regions: texts(regions),
            rates: rates.iter().map(rate).collect(),
        }
    }

    fn printed(rates: &[TaxRate]) -> Vec<String> {
        rates
            .iter()
            .map(|r| format!("{} {}", r.name, r.rate))
            .collect()
    }

    #[test]
    fn the_most_specific_zone_wins_and_no_zone_means_no_tax() {
        let (standard, books) = (class("standard"), class("books"));
        let (s, b) = (standard.id, books.id);
        let taxes = Taxes::new(
            &[standard, books],
            vec![
                zone(&["CA"], &["CA-BC"], &[(s, "GST", "5"), (s, "PST", "7")]),
                zone(&["CA", "DE"], &[], &[(s, "VAT", "19"), (b, "VAT", "7")]),
            ],
        );
        assert_eq!(
            printed(taxes.rates("CA", Some("CA-BC"), s)),
            ["GST 5", "PST 7"]
        );
        assert_eq!(printed(taxes.rates("CA", Some("CA-ON"), s)), ["VAT 19"]);
        assert_eq!(printed(taxes.rates("CA", None, s)), ["VAT 19"]);
        assert_eq!(printed(taxes.rates("DE", None, b)), ["VAT 7"]);
        assert!(
            taxes.rates("CA", Some("CA-BC"), b).is_empty(),
            "the region's zone alone counts"
        );
        assert!(taxes.rates("FR", None, s).is_empty());
        assert_eq!(
            printed(taxes.rates("DE", Some("CA-BC"), s)),
            ["VAT 19"],
            "a region of elsewhere"
        );
    }

    #[test]
    fn classes_are_found_by_handle_and_by_id() {
        let standard = class("standard");
        let id = standard.id;
        let taxes = Taxes::new(&[standard], Vec::new());
        assert_eq!(taxes.class("standard"), Some(id));
        assert_eq!(taxes.class("reduced"), None);
        assert!(taxes.class_exists(id));
        assert!(!taxes.class_exists(TaxClassId::new()));
    }
}
