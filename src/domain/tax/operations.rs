use std::collections::{HashMap, HashSet};

use super::model::{CreateTaxClass, CreateTaxZone, UpdateTaxZone};
use super::places::{self, places};
use super::{
    GetTaxClass, GetTaxZone, ListTaxClasses, ListTaxZones, TaxClass, TaxRate, TaxZone, queries,
};
use crate::context::{Topic, Tx};
use crate::kernel::ids::{TaxClassId, TaxZoneId};
use crate::kernel::page::{PageRequest, Position, SortKey};
use crate::kernel::{Checks, Code, Error, FieldError, Page, Result, patch};
use crate::operation::{Mutation, Query};
use crate::ports::address::{AddressValidation, PostalAddress};

impl Query for GetTaxClass {
    fn run(&self, tx: &mut Tx<'_>) -> Result<TaxClass> {
        queries::find_class(tx, self.id)?.ok_or_else(|| Error::not_found("tax class"))
    }
}

impl Query for ListTaxClasses {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<TaxClass>> {
        let page = PageRequest::new(
            &tx.app().cursors,
            "tax_classes",
            self.first,
            self.after.as_deref(),
        )?;
        let rows = queries::list_classes(tx, &page)?;
        page.page(
            rows,
            |c| Position {
                key: SortKey::Id,
                id: c.id.uuid(),
            },
            Ok,
        )
    }
}

impl Query for GetTaxZone {
    fn run(&self, tx: &mut Tx<'_>) -> Result<TaxZone> {
        queries::find_zone(tx, self.id)?.ok_or_else(|| Error::not_found("tax zone"))
    }
}

impl Query for ListTaxZones {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<TaxZone>> {
        let page = PageRequest::new(
            &tx.app().cursors,
            "tax_zones",
            self.first,
            self.after.as_deref(),
        )?;
        let rows = queries::list_zones(tx, &page)?;
        page.page(
            rows,
            |z| Position {
                key: SortKey::Id,
                id: z.id.uuid(),
            },
            Ok,
        )
    }
}

impl Mutation for CreateTaxClass {
    fn run(&self, tx: &mut Tx<'_>) -> Result<TaxClass> {
        Checks::new()
            .handle("/handle", &self.handle)
            .text("/name", &self.name, 200)
            .done()?;
        let class = TaxClass {
            id: TaxClassId::new(),
            handle: self.handle.clone(),
            name: self.name.clone(),
        };
        queries::insert_class(tx, &class)?;
        tx.touch(Topic::Settings);
        Ok(class)
    }
}

impl Mutation for CreateTaxZone {
    fn run(&self, tx: &mut Tx<'_>) -> Result<TaxZone> {
        let zone = TaxZone {
            id: TaxZoneId::new(),
            handle: self.handle.clone(),
            name: self.name.clone(),
            countries: self.countries.clone(),
            regions: as_addresses_have(tx, &self.regions)?,
            rates: self.rates.iter().map(TaxRate::from).collect(),
        };
        queries::lock_zones(tx)?;
        check(tx, &zone)?;
        queries::insert_zone(tx, &zone)?;
        tx.touch(Topic::Settings);
        Ok(zone)
    }
}

impl Mutation for UpdateTaxZone {
    fn run(&self, tx: &mut Tx<'_>) -> Result<TaxZone> {
        queries::lock_zones(tx)?;
        let old = queries::find_zone(tx, self.id)?.ok_or_else(|| Error::not_found("tax zone"))?;
        let rates = self
            .rates
            .clone()
            .map_value(|rates| TaxRate::replaced(&old.rates, &rates));
        let changed = TaxZone {
            name: patch::required(&self.name, old.name.clone(), "/name")?,
            countries: patch::required(&self.countries, old.countries.clone(), "/countries")?,
            regions: match patch::required(&self.regions, old.regions.clone(), "/regions")? {
                regions if regions == old.regions => regions,
                regions => as_addresses_have(tx, &regions)?,
            },
            rates: patch::required(&rates, old.rates.clone(), "/rates")?,
            ..old.clone()
        };
        if changed == old {
            return Ok(old);
        }
        check(tx, &changed)?;
        queries::update_zone(tx, &changed)?;
        tx.touch(Topic::Settings);
        Ok(changed)
    }
}

/// Regions with the codes that addresses are given; one that no address can have taxes nothing.
fn as_addresses_have(tx: &Tx<'_>, regions: &[String]) -> Result<Vec<String>> {
    let validation = tx.app().part::<AddressValidation>()?;
    let mut checks = Checks::new();
    let judged = regions.iter().enumerate().map(|(i, region)| {
        let country = region.split('-').next().unwrap_or_default();
        let address = PostalAddress {
            region: Some(region.clone()),
            country: country.to_owned(),
            ..PostalAddress::default()
        };
        let report = validation.0.examine(&address);
        let unknown = report
            .remarks
            .iter()
            .find(|remark| (remark.field, remark.code) == ("region", "unknown"));
        if let Some(remark) = unknown {
            let pointer = format!("/regions/{i}");
            checks.that(false, pointer, "unknown_region", remark.message.clone());
        }
        match report.address.region {
            Some(known) if places::is_region(region) => known,
            _ => region.clone(),
        }
    });
    let judged = judged.collect();
    checks.done()?;
    Ok(judged)
}

fn check(tx: &mut Tx<'_>, zone: &TaxZone) -> Result<()> {
    let mut checks = Checks::new();
    checks
        .handle("/handle", &zone.handle)
        .text("/name", &zone.name, 200)
        .count("/countries", zone.countries.len(), 250)
        .range("/regions", length(&zone.regions), 0, 1000)
        .range("/rates", length(&zone.rates), 0, 200);
    check_places(&mut checks, zone);
    check_rates(tx, &mut checks, &zone.rates)?;
    checks.done()?;
    refuse_taken(tx, zone)
}

fn check_places(checks: &mut Checks, zone: &TaxZone) {
    let mut seen = HashSet::new();
    for (i, country) in zone.countries.iter().enumerate() {
        let pointer = format!("/countries/{i}");
        checks.country(&pointer, country).that(
            seen.insert(country),
            pointer,
            "duplicate",
            format!("{country} stands here twice."),
        );
    }
    for (i, region) in zone.regions.iter().enumerate() {
        let pointer = format!("/regions/{i}");
        if !places::is_region(region) {
            checks.that(
                false,
                pointer,
                "invalid_region",
                "Must be an ISO 3166-2 code, as US-NY.",
            );
            continue;
        }
        checks
            .that(
                zone.countries
                    .iter()
                    .any(|country| places::is_within(region, country)),
                &pointer,
                "country_missing",
                format!("{region} lies in none of the zone's countries."),
            )
            .that(
                seen.insert(region),
                pointer,
                "duplicate",
                format!("{region} stands here twice."),
            );
    }
}

fn check_rates(tx: &mut Tx<'_>, checks: &mut Checks, rates: &[TaxRate]) -> Result<()> {
    let classes: HashSet<TaxClassId> = queries::all_classes(tx.conn)?
        .iter()
        .map(|c| c.id)
        .collect();
    let mut seen = HashSet::new();
    for (i, rate) in rates.iter().enumerate() {
        checks
            .text(format!("/rates/{i}/name"), &rate.name, 100)
            .that(
                classes.contains(&rate.class_id),
                format!("/rates/{i}/classId"),
                "unknown_class",
                "There is no such tax class.",
            )
            .that(
                seen.insert((rate.class_id, &rate.name)),
                format!("/rates/{i}/name"),
                "duplicate",
                format!("The class has a rate {} already.", rate.name),
            );
    }
    Ok(())
}

/// Refuses places that belong to another zone: nobody could say whose rates apply.
fn refuse_taken(tx: &mut Tx<'_>, zone: &TaxZone) -> Result<()> {
    let others = queries::all_zones(tx.conn)?;
    let mut owners = HashMap::new();
    for other in others.iter().filter(|other| other.id != zone.id) {
        let codes = places(&other.countries, &other.regions)
            .into_iter()
            .map(|place| place.code);
        owners.extend(codes.map(|code| (code, other.handle.as_str())));
    }
    let mut taken = Vec::new();
    for place in places(&zone.countries, &zone.regions) {
        if let Some(owner) = owners.get(place.code) {
            let message = format!("{} belongs to the tax zone {owner} already.", place.code);
            taken.push(FieldError::new(place.pointer, "taken", message));
        }
    }
    match taken.first() {
        None => Ok(()),
        Some(first) => Err(Error::new(Code::AlreadyExists, first.message.clone()).with(taken)),
    }
}

fn length<T>(list: &[T]) -> i64 {
    i64::try_from(list.len()).unwrap_or(i64::MAX)
}
