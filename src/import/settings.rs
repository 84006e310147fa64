//! Everything a catalogue stands on, as lines of Mercer's own format: channels, taxes, locations, shipping, categories.
//!
//! What a line refers to is named by its handle. A line whose handle is new creates; else it changes what may be changed,
//! and is refused where it says something else about what may not. What a line leaves out stays.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::context::Cx;
use crate::domain::catalog::{Category, CreateCategory, ListCategories, Outcome, UpdateCategory};
use crate::domain::channels::{
    CapturePolicy, Channel, ChannelStatus, CreateChannel, ListChannels, OrderNumbers, UpdateChannel,
};
use crate::domain::inventory::{CreateLocation, ListLocations, Location, UpdateLocation};
use crate::domain::shipping::{
    CreateShippingMethod, CreateShippingZone, ListShippingMethods, ListShippingZones,
    NewShippingRate, ShippingMethod, ShippingRate, ShippingRateBy, ShippingZone,
    UpdateShippingMethod,
};
use crate::domain::tax::{
    CreateTaxClass, CreateTaxZone, ListTaxClasses, ListTaxZones, NewTaxRate, TaxClass, TaxRate,
    TaxZone, UpdateTaxZone,
};
use crate::kernel::ids::{CategoryId, ChannelId, ShippingZoneId, TaxClassId};
use crate::kernel::money::{Minor, Rate, Rounding, TaxPer};
use crate::kernel::{Checks, Currency, Document, Error, Page, Patch, Result};
use crate::operation::{Operation, dispatch};

macro_rules! line {
    ($( $(#[$meta:meta])* $name:ident { $( $(#[$fmeta:meta])* $field:ident : $ty:ty ),* $(,)? } )+) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $name { $( $(#[$fmeta])* pub $field: $ty ),* }
    )+ };
}

line! {
    /// `channel`
    ChannelLine {
        handle: String,
        name: String,
        status: Option<ChannelStatus>,
        currency: Currency,
        currencies: Option<Vec<Currency>>,
        countries: Vec<String>,
        prices_include_tax: Option<bool>,
        rounding: Option<Rounding>,
        tax_per: Option<TaxPer>,
        order_numbers: Option<OrderNumbers>,
        order_number_prefix: Option<String>,
        hold_minutes: Option<i64>,
        capture: Option<CapturePolicy>,
        risk_checks: Option<bool>,
        risk_investigate_from: Option<i64>,
        risk_cancel_from: Option<i64>,
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        risk_first_order_from: Patch<i64>,
        invoice_needs_terms: Option<bool>,
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        cancel_unpaid_after: Patch<i64>,
        metadata: Option<Document>,
        private_metadata: Option<Document>,
    }
    /// `taxClass`
    TaxClassLine {
        handle: String,
        name: String,
    }
    /// `taxZone`
    TaxZoneLine {
        handle: String,
        name: String,
        countries: Vec<String>,
        regions: Option<Vec<String>>,
        rates: Option<Vec<TaxRateLine>>,
    }
    /// A rate of a `taxZone`.
    TaxRateLine {
        class: String,
        name: String,
        rate: Rate,
    }
    /// `location`
    LocationLine {
        handle: String,
        name: String,
        country: String,
        active: Option<bool>,
        priority: Option<i64>,
    }
    /// `shippingZone`
    ShippingZoneLine {
        handle: String,
        name: String,
        countries: Vec<String>,
    }
    /// `shippingMethod`
    ShippingMethodLine {
        handle: String,
        zone: String,
        channel: String,
        name: String,
        tax_class: String,
        rate_by: ShippingRateBy,
        rates: Vec<ShippingRateLine>,
        min_days: i64,
        max_days: i64,
        active: Option<bool>,
    }
    /// A rate of a `shippingMethod`.
    ShippingRateLine {
        currency: Currency,
        from: Minor,
        up_to: Option<Minor>,
        amount: Minor,
    }
    /// `category`
    CategoryLine {
        handle: String,
        title: String,
        description: Option<String>,
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        parent: Patch<String>,
        position: Option<i64>,
    }
}

/// A line that is no product.
pub enum Setting {
    /// `channel`
    Channel(ChannelLine),
    /// `taxClass`
    TaxClass(TaxClassLine),
    /// `taxZone`
    TaxZone(TaxZoneLine),
    /// `location`
    Location(LocationLine),
    /// `shippingZone`
    ShippingZone(ShippingZoneLine),
    /// `shippingMethod`
    ShippingMethod(ShippingMethodLine),
    /// `category`
    Category(CategoryLine),
}

/// What there is already, by handle; kept true while lines come in.
pub struct Settings {
    cx: Cx,
    /// Channels.
    pub channels: HashMap<String, Channel>,
    /// Tax classes.
    pub tax_classes: HashMap<String, TaxClass>,
    /// Tax zones.
    pub tax_zones: HashMap<String, TaxZone>,
    /// Locations.
    pub locations: HashMap<String, Location>,
    /// Shipping zones.
    pub shipping_zones: HashMap<String, ShippingZone>,
    /// Shipping methods, by zone, channel and handle.
    pub shipping_methods: HashMap<(ShippingZoneId, ChannelId, String), ShippingMethod>,
    /// Categories.
    pub categories: HashMap<String, Category>,
}

impl Settings {
    /// Reads all of them.
    pub async fn load(cx: &Cx) -> Result<Self> {
        let first = Some(100);
        Ok(Self {
            cx: cx.clone(),
            channels: named(
                all(cx, |after| ListChannels { first, after }).await?,
                |c: &Channel| &c.handle,
            ),
            tax_classes: named(
                all(cx, |after| ListTaxClasses { first, after }).await?,
                |c: &TaxClass| &c.handle,
            ),
            tax_zones: named(
                all(cx, |after| ListTaxZones { first, after }).await?,
                |z: &TaxZone| &z.handle,
            ),
            locations: named(
                all(cx, |after| ListLocations { first, after }).await?,
                |l: &Location| &l.handle,
            ),
            shipping_zones: named(
                all(cx, |after| ListShippingZones { first, after }).await?,
                |z: &ShippingZone| &z.handle,
            ),
            shipping_methods: all(cx, |after| ListShippingMethods {
                channel_id: None,
                zone_id: None,
                first,
                after,
            })
            .await?
            .into_iter()
            .map(|m: ShippingMethod| ((m.zone_id, m.channel_id, m.handle.clone()), m))
            .collect(),
            categories: named(
                all(cx, |after| ListCategories {
                    parent_id: None,
                    first,
                    after,
                })
                .await?,
                |c: &Category| &c.handle,
            ),
        })
    }

    /// Makes a line true.
    pub async fn apply(&mut self, setting: Setting) -> Result<Outcome> {
        match setting {
            Setting::Channel(line) => self.channel(line).await,
            Setting::TaxClass(line) => self.tax_class(line).await,
            Setting::TaxZone(line) => self.tax_zone(line).await,
            Setting::Location(line) => self.location(line).await,
            Setting::ShippingZone(line) => self.shipping_zone(line).await,
            Setting::ShippingMethod(line) => self.shipping_method(line).await,
            Setting::Category(line) => self.category(line).await,
        }
    }

    #[expect(clippy::too_many_lines, reason = "a channel has that many settings")]
    async fn channel(&mut self, line: ChannelLine) -> Result<Outcome> {
        let (mut channel, outcome) = if let Some(old) = self.channels.get(&line.handle) {
            (old.clone(), Outcome::Unchanged)
        } else {
            let create = CreateChannel {
                handle: line.handle.clone(),
                name: line.name.clone(),
                currency: line.currency,
                currencies: line.currencies.clone().unwrap_or_default(),
                countries: line.countries.clone(),
                prices_include_tax: line.prices_include_tax,
                rounding: line.rounding,
                tax_per: line.tax_per,
                order_numbers: line.order_numbers,
                order_number_prefix: line.order_number_prefix.clone(),
                hold_minutes: line.hold_minutes,
                capture: line.capture,
                metadata: line.metadata.clone(),
                private_metadata: line.private_metadata.clone(),
            };
            (dispatch(&self.cx, create).await?.value, Outcome::Created)
        };
        self.channels
            .insert(channel.handle.clone(), channel.clone());
        let mut checks = Checks::new();
        fixed(
            &mut checks,
            "/currency",
            &Some(line.currency),
            &channel.currency,
        );
        fixed(
            &mut checks,
            "/pricesIncludeTax",
            &line.prices_include_tax,
            &channel.prices_include_tax,
        );
        fixed(&mut checks, "/rounding", &line.rounding, &channel.rounding);
        fixed(&mut checks, "/taxPer", &line.tax_per, &channel.tax_per);
        checks.done()?;
        // The channel's own currency comes first, wherever the line has it.
        let currencies = line.currencies.map(|named| {
            let mut all = vec![line.currency];
            all.extend(named.into_iter().filter(|c| *c != line.currency));
            all
        });
        let mut any = false;
        let update = UpdateChannel {
            id: channel.id,
            expected_version: None,
            name: differs(Some(line.name), &channel.name, &mut any),
            status: differs(line.status, &channel.status, &mut any),
            currencies: differs(currencies, &channel.currencies, &mut any),
            countries: differs(Some(line.countries), &channel.countries, &mut any),
            order_numbers: differs(
                line.order_numbers,
                seen(channel.order_numbers.as_ref())?,
                &mut any,
            ),
            order_number_prefix: differs(
                line.order_number_prefix,
                seen(channel.order_number_prefix.as_ref())?,
                &mut any,
            ),
            hold_minutes: differs(line.hold_minutes, &channel.hold_minutes, &mut any),
            risk_checks: differs(
                line.risk_checks,
                seen(channel.risk_checks.as_ref())?,
                &mut any,
            ),
            risk_investigate_from: differs(
                line.risk_investigate_from,
                seen(channel.risk_investigate_from.as_ref())?,
                &mut any,
            ),
            risk_cancel_from: differs(
                line.risk_cancel_from,
                seen(channel.risk_cancel_from.as_ref())?,
                &mut any,
            ),
            risk_first_order_from: differs_or_empties(
                line.risk_first_order_from,
                channel.risk_first_order_from.as_ref(),
                &mut any,
            ),
            invoice_needs_terms: differs(
                line.invoice_needs_terms,
                &channel.invoice_needs_terms,
                &mut any,
            ),
            cancel_unpaid_after: differs_or_empties(
                line.cancel_unpaid_after,
                channel.cancel_unpaid_after.as_ref(),
                &mut any,
            ),
            capture: differs(line.capture, seen(channel.capture.as_ref())?, &mut any),
            metadata: differs(line.metadata, &channel.metadata, &mut any),
            private_metadata: differs(
                line.private_metadata,
                seen(channel.private_metadata.as_ref())?,
                &mut any,
            ),
        };
        if !any {
            return Ok(outcome);
        }
        channel = dispatch(&self.cx, update).await?.value;
        self.channels.insert(channel.handle.clone(), channel);
        Ok(changed(outcome))
    }

    async fn tax_class(&mut self, line: TaxClassLine) -> Result<Outcome> {
        if let Some(old) = self.tax_classes.get(&line.handle) {
            let mut checks = Checks::new();
            fixed(&mut checks, "/name", &Some(line.name), &old.name);
            return checks.done().map(|()| Outcome::Unchanged);
        }
        let class = dispatch(
            &self.cx,
            CreateTaxClass {
                handle: line.handle,
                name: line.name,
            },
        )
        .await?
        .value;
        self.tax_classes.insert(class.handle.clone(), class);
        Ok(Outcome::Created)
    }

    async fn tax_zone(&mut self, line: TaxZoneLine) -> Result<Outcome> {
        let mut checks = Checks::new();
        let rates = line.rates.map(|rates| {
            let rates = rates.into_iter().enumerate();
            let known = rates.map(|(i, rate)| NewTaxRate {
                class_id: self.class(&rate.class, &format!("/rates/{i}/class"), &mut checks),
                name: rate.name,
                rate: rate.rate,
            });
            known.collect::<Vec<_>>()
        });
        checks.done()?;
        let Some(old) = self.tax_zones.get(&line.handle) else {
            let create = CreateTaxZone {
                handle: line.handle,
                name: line.name,
                countries: line.countries,
                regions: line.regions.unwrap_or_default(),
                rates: rates.unwrap_or_default(),
            };
            let zone = dispatch(&self.cx, create).await?.value;
            self.tax_zones.insert(zone.handle.clone(), zone);
            return Ok(Outcome::Created);
        };
        let mut any = false;
        let rates = rates.filter(|rates| {
            let facts = |a: &TaxRate| (a.class_id, a.name.clone(), a.rate);
            let new = rates.iter().map(|b| (b.class_id, b.name.clone(), b.rate));
            !old.rates.iter().map(facts).eq(new)
        });
        any |= rates.is_some();
        let update = UpdateTaxZone {
            id: old.id,
            name: differs(Some(line.name), &old.name, &mut any),
            countries: differs(Some(line.countries), &old.countries, &mut any),
            regions: differs(line.regions, &old.regions, &mut any),
            rates: rates.map_or(Patch::Undefined, Patch::Value),
        };
        if !any {
            return Ok(Outcome::Unchanged);
        }
        let zone = dispatch(&self.cx, update).await?.value;
        self.tax_zones.insert(zone.handle.clone(), zone);
        Ok(Outcome::Updated)
    }

    async fn location(&mut self, line: LocationLine) -> Result<Outcome> {
        let (location, outcome) = if let Some(old) = self.locations.get(&line.handle) {
            (old.clone(), Outcome::Unchanged)
        } else {
            let create = CreateLocation {
                handle: line.handle.clone(),
                name: line.name.clone(),
                country: line.country.clone(),
                priority: line.priority,
            };
            (dispatch(&self.cx, create).await?.value, Outcome::Created)
        };
        self.locations
            .insert(location.handle.clone(), location.clone());
        let mut checks = Checks::new();
        fixed(
            &mut checks,
            "/country",
            &Some(line.country),
            &location.country,
        );
        checks.done()?;
        let mut any = false;
        let update = UpdateLocation {
            id: location.id,
            expected_version: None,
            name: differs(Some(line.name), &location.name, &mut any),
            active: differs(line.active, &location.active, &mut any),
            priority: differs(line.priority, &location.priority, &mut any),
        };
        if !any {
            return Ok(outcome);
        }
        let location = dispatch(&self.cx, update).await?.value;
        self.locations.insert(location.handle.clone(), location);
        Ok(changed(outcome))
    }

    async fn shipping_zone(&mut self, line: ShippingZoneLine) -> Result<Outcome> {
        if let Some(old) = self.shipping_zones.get(&line.handle) {
            let mut checks = Checks::new();
            fixed(&mut checks, "/name", &Some(line.name), &old.name);
            fixed(
                &mut checks,
                "/countries",
                &Some(line.countries),
                &old.countries.0,
            );
            return checks.done().map(|()| Outcome::Unchanged);
        }
        let create = CreateShippingZone {
            handle: line.handle,
            name: line.name,
            countries: line.countries,
        };
        let zone = dispatch(&self.cx, create).await?.value;
        self.shipping_zones.insert(zone.handle.clone(), zone);
        Ok(Outcome::Created)
    }

    async fn shipping_method(&mut self, line: ShippingMethodLine) -> Result<Outcome> {
        let mut checks = Checks::new();
        let tax_class_id = self.class(&line.tax_class, "/taxClass", &mut checks);
        let zone = self.shipping_zones.get(&line.zone).map(|z| z.id);
        checks.that(
            zone.is_some(),
            "/zone",
            "unknown",
            format!("There is no shipping zone {}.", line.zone),
        );
        let channel = self.channels.get(&line.channel).map(|c| c.id);
        checks.that(
            channel.is_some(),
            "/channel",
            "unknown",
            format!("There is no channel {}.", line.channel),
        );
        checks.done()?;
        let (Some(zone_id), Some(channel_id)) = (zone, channel) else {
            return Err(Error::internal("checked above"));
        };
        let rates: Vec<NewShippingRate> = line
            .rates
            .into_iter()
            .map(|r| NewShippingRate {
                currency: r.currency,
                from: r.from,
                up_to: r.up_to,
                amount: r.amount,
            })
            .collect();
        let key = (zone_id, channel_id, line.handle.clone());
        let Some(old) = self.shipping_methods.get(&key) else {
            let create = CreateShippingMethod {
                zone_id,
                channel_id,
                handle: line.handle,
                name: line.name,
                tax_class_id,
                rate_by: line.rate_by,
                rates,
                min_days: line.min_days,
                max_days: line.max_days,
                active: line.active,
            };
            let method = dispatch(&self.cx, create).await?.value;
            self.shipping_methods.insert(key, method);
            return Ok(Outcome::Created);
        };
        let mut checks = Checks::new();
        fixed(
            &mut checks,
            "/taxClass",
            &Some(tax_class_id),
            &old.tax_class_id,
        );
        fixed(&mut checks, "/rateBy", &Some(line.rate_by), &old.rate_by);
        checks.done()?;
        let mut any = false;
        let same = old.rates.0 == rates.iter().map(Into::into).collect::<Vec<ShippingRate>>();
        any |= !same;
        let update = UpdateShippingMethod {
            id: old.id,
            name: differs(Some(line.name), &old.name, &mut any),
            rates: if same {
                Patch::Undefined
            } else {
                Patch::Value(rates)
            },
            min_days: differs(Some(line.min_days), &old.min_days, &mut any),
            max_days: differs(Some(line.max_days), &old.max_days, &mut any),
            active: differs(line.active, &old.active, &mut any),
        };
        if !any {
            return Ok(Outcome::Unchanged);
        }
        let method = dispatch(&self.cx, update).await?.value;
        self.shipping_methods.insert(key, method);
        Ok(Outcome::Updated)
    }

    async fn category(&mut self, line: CategoryLine) -> Result<Outcome> {
        let parent: Patch<CategoryId> = match &line.parent {
            Patch::Undefined => Patch::Undefined,
            Patch::Null => Patch::Null,
            Patch::Value(handle) => {
                let found = self.categories.get(handle).map(|c| c.id);
                let message =
                    format!("There is no category {handle}; it must stand in an earlier line.");
                Patch::Value(found.ok_or_else(|| Error::invalid("/parent", "unknown", message))?)
            }
        };
        let Some(old) = self.categories.get(&line.handle) else {
            let create = CreateCategory {
                parent_id: parent.take(),
                handle: line.handle,
                title: line.title,
                description: line.description,
                position: line.position,
            };
            let category = dispatch(&self.cx, create).await?.value;
            self.categories.insert(category.handle.clone(), category);
            return Ok(Outcome::Created);
        };
        let mut any = false;
        let update = UpdateCategory {
            id: old.id,
            expected_version: None,
            parent_id: differs_or_empties(parent, old.parent_id.as_ref(), &mut any),
            title: differs(Some(line.title), &old.title, &mut any),
            description: differs(line.description, &old.description, &mut any),
            position: differs(line.position, &old.position, &mut any),
        };
        if !any {
            return Ok(Outcome::Unchanged);
        }
        let category = dispatch(&self.cx, update).await?.value;
        self.categories.insert(category.handle.clone(), category);
        Ok(Outcome::Updated)
    }

    fn class(&self, handle: &str, at: &str, checks: &mut Checks) -> TaxClassId {
        let found = self.tax_classes.get(handle).map(|c| c.id);
        checks.that(
            found.is_some(),
            at,
            "unknown",
            format!("There is no tax class {handle}."),
        );
        // A made-up one goes no further than the refusal.
        found.unwrap_or_else(TaxClassId::new)
    }
}

/// Every item of a list, page by page.
async fn all<O, T>(cx: &Cx, page: impl Fn(Option<String>) -> O) -> Result<Vec<T>>
where
    O: Operation<Output = Page<T>>,
    Page<T>: crate::operation::Output,
{
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let answer = dispatch(cx, page(after)).await?.value;
        items.extend(answer.items);
        after = answer.page.next_cursor;
        if after.is_none() {
            return Ok(items);
        }
    }
}

fn named<T>(items: Vec<T>, handle: impl Fn(&T) -> &String) -> HashMap<String, T> {
    items
        .into_iter()
        .map(|item| (handle(&item).clone(), item))
        .collect()
}

/// A setting of a channel, all of which an import may see.
fn seen<T>(setting: Option<&T>) -> Result<&T> {
    setting.ok_or_else(|| Error::internal("a setting that may not be seen"))
}

/// The change that a line asks for, where it asks for one.
fn differs<T: PartialEq>(wanted: Option<T>, current: &T, any: &mut bool) -> Patch<T> {
    match wanted {
        Some(wanted) if wanted != *current => {
            *any = true;
            Patch::Value(wanted)
        }
        _ => Patch::Undefined,
    }
}

/// The same for what may be empty.
fn differs_or_empties<T: PartialEq>(
    wanted: Patch<T>,
    current: Option<&T>,
    any: &mut bool,
) -> Patch<T> {
    let same = match &wanted {
        Patch::Undefined => true,
        Patch::Null => current.is_none(),
        Patch::Value(wanted) => current == Some(wanted),
    };
    if same {
        return Patch::Undefined;
    }
    *any = true;
    wanted
}

/// Complains about a line that wants something else of what does not change.
#[expect(clippy::ref_option, reason = "the lines have options")]
fn fixed<T: PartialEq>(checks: &mut Checks, at: &str, wanted: &Option<T>, current: &T) {
    let same = wanted.as_ref().is_none_or(|wanted| wanted == current);
    checks.that(
        same,
        at,
        "fixed",
        "It exists and is something else; this cannot be changed by an import.",
    );
}

fn changed(outcome: Outcome) -> Outcome {
    if outcome == Outcome::Created {
        outcome
    } else {
        Outcome::Updated
    }
}
