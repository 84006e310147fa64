//! The whole catalogue as Mercer's own JSONL, in an order that depends on nothing but handles.
//!
//! Read into an empty shop and exported again it gives the same bytes: ids, times and versions stay behind. What changes
//! while it is written may be in it or not, product by product.

use std::collections::HashMap;
use std::io::Write;

use serde::Serialize;

use super::settings::{
    CategoryLine, ChannelLine, LocationLine, Settings, ShippingMethodLine, ShippingRateLine,
    ShippingZoneLine, TaxClassLine, TaxRateLine, TaxZoneLine,
};
use crate::context::Cx;
use crate::domain::catalog::{self, Category};
use crate::kernel::ids::{CategoryId, TaxClassId};
use crate::kernel::{Code, Error, Patch, Result};

/// How many products are read at once.
const PAGE: i64 = 200;

/// Writes everything, and says how many lines.
pub async fn export(cx: &Cx, out: &mut impl Write) -> Result<u64> {
    let settings = Settings::load(cx).await?;
    let mut lines = Lines { out, count: 0 };
    settings_lines(&settings, &mut lines)?;
    cx.app.refresh_snapshots().await?;
    let mut after = String::new();
    loop {
        let from = after.clone();
        let page = cx.read(move |tx| catalog::export(tx, &from, PAGE)).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.handle);
        for product in &page {
            lines.write("product", product)?;
        }
    }
    lines.out.flush().map_err(unwritable)?;
    Ok(lines.count)
}

fn settings_lines(settings: &Settings, lines: &mut Lines<impl Write>) -> Result<()> {
    let classes: HashMap<TaxClassId, &String> = settings
        .tax_classes
        .values()
        .map(|c| (c.id, &c.handle))
        .collect();
    let class = |id: &TaxClassId| {
        classes
            .get(id)
            .map_or_else(String::new, ToString::to_string)
    };
    for class in sorted(&settings.tax_classes) {
        lines.write(
            "taxClass",
            &TaxClassLine {
                handle: class.handle.clone(),
                name: class.name.clone(),
            },
        )?;
    }
    for channel in sorted(&settings.channels) {
        lines.write(
            "channel",
            &ChannelLine {
                handle: channel.handle.clone(),
                name: channel.name.clone(),
                status: Some(channel.status),
                currency: channel.currency,
                currencies: Some(channel.currencies.clone()),
                countries: channel.countries.clone(),
                prices_include_tax: Some(channel.prices_include_tax),
                rounding: Some(channel.rounding),
                tax_per: Some(channel.tax_per),
                order_numbers: channel.order_numbers,
                order_number_prefix: channel.order_number_prefix.clone(),
                hold_minutes: Some(channel.hold_minutes),
                risk_checks: channel.risk_checks,
                risk_investigate_from: channel.risk_investigate_from,
                risk_cancel_from: channel.risk_cancel_from,
                risk_first_order_from: said(channel.risk_first_order_from),
                invoice_needs_terms: Some(channel.invoice_needs_terms),
                cancel_unpaid_after: said(channel.cancel_unpaid_after),
                capture: channel.capture,
                metadata: Some(channel.metadata.clone()),
                private_metadata: channel.private_metadata.clone(),
            },
        )?;
    }
    for zone in sorted(&settings.tax_zones) {
        let rate = |r: &crate::domain::tax::TaxRate| TaxRateLine {
            class: class(&r.class_id),
            name: r.name.clone(),
            rate: r.rate,
        };
        lines.write(
            "taxZone",
            &TaxZoneLine {
                handle: zone.handle.clone(),
                name: zone.name.clone(),
                countries: zone.countries.clone(),
                regions: Some(zone.regions.clone()),
                rates: Some(zone.rates.iter().map(rate).collect()),
            },
        )?;
    }
    for location in sorted(&settings.locations) {
        lines.write(
            "location",
            &LocationLine {
                handle: location.handle.clone(),
                name: location.name.clone(),
                country: location.country.clone(),
                active: Some(location.active),
                priority: Some(location.priority),
            },
        )?;
    }
    for zone in sorted(&settings.shipping_zones) {
        lines.write(
            "shippingZone",
            &ShippingZoneLine {
                handle: zone.handle.clone(),
                name: zone.name.clone(),
                countries: zone.countries.0.clone(),
            },
        )?;
    }
    shipping_methods(settings, class, lines)?;
    for category in parents_first(&settings.categories) {
        lines.write("category", &category)?;
    }
    Ok(())
}

fn shipping_methods(
    settings: &Settings,
    class: impl Fn(&TaxClassId) -> String,
    lines: &mut Lines<impl Write>,
) -> Result<()> {
    let zones: HashMap<_, _> = settings
        .shipping_zones
        .values()
        .map(|z| (z.id, &z.handle))
        .collect();
    let channels: HashMap<_, _> = settings
        .channels
        .values()
        .map(|c| (c.id, &c.handle))
        .collect();
    let mut methods: Vec<ShippingMethodLine> = settings
        .shipping_methods
        .values()
        .map(|m| ShippingMethodLine {
            handle: m.handle.clone(),
            zone: zones
                .get(&m.zone_id)
                .map_or_else(String::new, ToString::to_string),
            channel: channels
                .get(&m.channel_id)
                .map_or_else(String::new, ToString::to_string),
            name: m.name.clone(),
            tax_class: class(&m.tax_class_id),
            rate_by: m.rate_by,
            rates: m
                .rates
                .iter()
                .map(|r| ShippingRateLine {
                    currency: r.currency,
                    from: r.from,
                    up_to: r.up_to,
                    amount: r.amount,
                })
                .collect(),
            min_days: m.min_days,
            max_days: m.max_days,
            active: Some(m.active),
        })
        .collect();
    methods.sort_by(|a, b| (&a.channel, &a.zone, &a.handle).cmp(&(&b.channel, &b.zone, &b.handle)));
    methods
        .iter()
        .try_for_each(|method| lines.write("shippingMethod", method))
}

fn sorted<T>(items: &HashMap<String, T>) -> Vec<&T> {
    let mut items: Vec<_> = items.iter().collect();
    items.sort_by_key(|(handle, _)| *handle);
    items.into_iter().map(|(_, item)| item).collect()
}

/// By the handles on the way down, so that a category comes after the one it stands in.
fn parents_first(categories: &HashMap<String, Category>) -> Vec<CategoryLine> {
    let by_id: HashMap<CategoryId, &Category> = categories.values().map(|c| (c.id, c)).collect();
    let way = |category: &Category| {
        let mut way = vec![category.handle.clone()];
        let mut above = category.parent_id;
        while let Some(parent) = above
            .and_then(|id| by_id.get(&id))
            .filter(|_| way.len() < 100)
        {
            way.push(parent.handle.clone());
            above = parent.parent_id;
        }
        way.reverse();
        way
    };
    let mut ways: Vec<(Vec<String>, &Category)> =
        categories.values().map(|c| (way(c), c)).collect();
    ways.sort_by(|a, b| a.0.cmp(&b.0));
    ways.into_iter()
        .map(|(way, category)| CategoryLine {
            handle: category.handle.clone(),
            title: category.title.clone(),
            description: Some(category.description.clone()),
            parent: said(way.len().checked_sub(2).and_then(|i| way.get(i).cloned())),
            position: Some(category.position),
        })
        .collect()
}

/// A value that may be empty, as a line says it.
fn said<T>(value: Option<T>) -> Patch<T> {
    value.map_or(Patch::Null, Patch::Value)
}

struct Lines<'a, W> {
    out: &'a mut W,
    count: u64,
}

impl<W: Write> Lines<'_, W> {
    fn write(&mut self, kind: &str, line: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_string(line).map_err(Error::internal)?;
        // Every line is an object with a handle.
        text.replace_range(..1, &format!("{{\"type\":\"{kind}\","));
        text.push('\n');
        self.count += 1;
        self.out.write_all(text.as_bytes()).map_err(unwritable)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unwritable(error: std::io::Error) -> Error {
    Error::new(
        Code::Unavailable,
        format!("The export cannot be written: {error}."),
    )
}
