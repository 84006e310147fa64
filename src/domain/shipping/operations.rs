use std::collections::HashSet;

use super::model::{CreateShippingMethod, CreateShippingZone, UpdateShippingMethod};
use super::{
    ListShippingMethods, ListShippingZones, NewShippingRate, ShippingMethod, ShippingRate,
    ShippingZone, queries, rates,
};
use crate::context::{Topic, Tx};
use crate::domain::channels::Channels;
use crate::domain::tax::Taxes;
use crate::kernel::ids::{ShippingMethodId, ShippingZoneId};
use crate::kernel::page::{PageRequest, Position, SortKey};
use crate::kernel::{Checks, Error, Json, Page, Result, patch};
use crate::operation::{Mutation, Query};

impl Query for ListShippingZones {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<ShippingZone>> {
        let page = PageRequest::new(
            &tx.app().cursors,
            "shipping_zones",
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

impl Query for ListShippingMethods {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<ShippingMethod>> {
        let page = PageRequest::new(
            &tx.app().cursors,
            "shipping_methods",
            self.first,
            self.after.as_deref(),
        )?;
        let rows = queries::list_methods(tx, self, &page)?;
        page.page(
            rows,
            |m| Position {
                key: SortKey::Id,
                id: m.id.uuid(),
            },
            Ok,
        )
    }
}

impl Mutation for CreateShippingZone {
    fn run(&self, tx: &mut Tx<'_>) -> Result<ShippingZone> {
        let zone = ShippingZone {
            id: ShippingZoneId::new(),
            handle: self.handle.clone(),
            name: self.name.clone(),
            countries: Json(self.countries.clone()),
        };
        check_zone(&zone)?;
        queries::insert_zone(tx, &zone)?;
        tx.touch(Topic::Settings);
        Ok(zone)
    }
}

impl Mutation for CreateShippingMethod {
    fn run(&self, tx: &mut Tx<'_>) -> Result<ShippingMethod> {
        let method = ShippingMethod {
            id: ShippingMethodId::new(),
            zone_id: self.zone_id,
            channel_id: self.channel_id,
            handle: self.handle.clone(),
            name: self.name.clone(),
            tax_class_id: self.tax_class_id,
            rate_by: self.rate_by,
            rates: Json(table(&self.rates)),
            min_days: self.min_days,
            max_days: self.max_days,
            active: self.active.unwrap_or(true),
        };
        let mut checks = Checks::new();
        check_owners(tx, &mut checks, &method)?;
        check_terms(&mut checks, &method);
        check_rates(tx, &mut checks, &method);
        checks.done()?;
        queries::insert_method(tx, &method)?;
        tx.touch(Topic::Settings);
        Ok(method)
    }
}

impl Mutation for UpdateShippingMethod {
    fn run(&self, tx: &mut Tx<'_>) -> Result<ShippingMethod> {
        queries::lock_method(tx, self.id)?;
        let old = queries::find_method(tx, self.id)?
            .ok_or_else(|| Error::not_found("shipping method"))?;
        let rates = self.rates.clone().map_value(|rates| table(&rates));
        let changed = ShippingMethod {
            name: patch::required(&self.name, old.name.clone(), "/name")?,
            rates: Json(patch::required(&rates, old.rates.0.clone(), "/rates")?),
            min_days: patch::required(&self.min_days, old.min_days, "/minDays")?,
            max_days: patch::required(&self.max_days, old.max_days, "/maxDays")?,
            active: patch::required(&self.active, old.active, "/active")?,
            ..old.clone()
        };
        if changed == old {
            return Ok(old);
        }
        let mut checks = Checks::new();
        check_terms(&mut checks, &changed);
        // A channel may have left a currency since; that is no reason to refuse a new name.
        if self.rates.is_value() {
            check_rates(tx, &mut checks, &changed);
        }
        checks.done()?;
        queries::update_method(tx, &changed)?;
        tx.touch(Topic::Settings);
        Ok(changed)
    }
}

fn table(rates: &[NewShippingRate]) -> Vec<ShippingRate> {
    rates.iter().map(Into::into).collect()
}

fn check_zone(zone: &ShippingZone) -> Result<()> {
    let mut checks = Checks::new();
    checks
        .handle("/handle", &zone.handle)
        .text("/name", &zone.name, 200)
        .count("/countries", zone.countries.len(), 250);
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
    checks.done()
}

fn check_owners(tx: &mut Tx<'_>, checks: &mut Checks, method: &ShippingMethod) -> Result<()> {
    let taxes = tx.app().kept::<Taxes>()?;
    checks
        .that(
            queries::find_zone(tx, method.zone_id)?.is_some(),
            "/zoneId",
            "unknown_zone",
            "There is no such shipping zone.",
        )
        .that(
            Channels::get(tx, method.channel_id).is_ok(),
            "/channelId",
            "unknown_channel",
            "There is no such channel.",
        )
        .that(
            taxes.class_exists(method.tax_class_id),
            "/taxClassId",
            "unknown_class",
            "There is no such tax class.",
        );
    Ok(())
}

fn check_terms(checks: &mut Checks, method: &ShippingMethod) {
    checks
        .handle("/handle", &method.handle)
        .text("/name", &method.name, 200)
        .range("/minDays", method.min_days, 0, 365)
        .range("/maxDays", method.max_days, 0, 365)
        .that(
            method.min_days <= method.max_days,
            "/maxDays",
            "less_than_min",
            format!("Must not be less than minDays, {}.", method.min_days),
        );
}

/// Of a channel that does not exist there is a complaint already.
fn check_rates(tx: &Tx<'_>, checks: &mut Checks, method: &ShippingMethod) {
    if let Ok(channel) = Channels::get(tx, method.channel_id) {
        rates::check(checks, &method.rates, &channel.currencies);
    }
}
