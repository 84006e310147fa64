use super::model::{
    CapturePolicy, ChannelRow, ChannelStatus, CreateChannel, OrderNumbers, UpdateChannel,
};
use super::{Channel, GetChannel, ListChannels, queries};
use crate::context::{Topic, Tx};
use crate::kernel::ids::ChannelId;
use crate::kernel::money::{Rounding, TaxPer};
use crate::kernel::page::{PageRequest, Position, SortKey};
use crate::kernel::{Checks, Error, Json, Metadata, Page, Result, patch};
use crate::operation::{Mutation, Query};

impl Query for GetChannel {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Channel> {
        let channel = queries::find(tx, self.id)?.ok_or_else(|| Error::not_found("channel"))?;
        Ok(channel.seen_by(tx.actor()))
    }
}

impl Query for ListChannels {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<Channel>> {
        let page = PageRequest::new(
            &tx.app().cursors,
            "channels",
            self.first,
            self.after.as_deref(),
        )?;
        let rows = queries::list(tx, &page)?;
        page.page(
            rows,
            |c| Position {
                key: SortKey::Id,
                id: c.id.uuid(),
            },
            |rows| Ok(rows.into_iter().map(|c| c.seen_by(tx.actor())).collect()),
        )
    }
}

impl Mutation for CreateChannel {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Channel> {
        let mut currencies = vec![self.currency];
        currencies.extend(self.currencies.iter().filter(|c| **c != self.currency));
        let channel = ChannelRow {
            id: ChannelId::new(),
            handle: self.handle.clone(),
            name: self.name.clone(),
            status: ChannelStatus::Active,
            currency: self.currency,
            currencies: Json(currencies),
            countries: Json(self.countries.clone()),
            prices_include_tax: self.prices_include_tax.unwrap_or(true),
            rounding: self.rounding.unwrap_or(Rounding::HalfUp),
            tax_per: self.tax_per.unwrap_or(TaxPer::Line),
            order_numbers: self.order_numbers.unwrap_or(OrderNumbers::Sequential),
            order_number_prefix: self.order_number_prefix.clone().unwrap_or_default(),
            hold_minutes: self.hold_minutes.unwrap_or(15),
            capture: self.capture.unwrap_or(CapturePolicy::Manual),
            metadata: Metadata::new(self.metadata.as_ref(), self.private_metadata.as_ref()),
            version: 1,
            created_at: tx.now,
            updated_at: tx.now,
            risk_checks: false,
            risk_investigate_from: 50,
            risk_cancel_from: 90,
            risk_first_order_from: None,
            invoice_needs_terms: false,
            cancel_unpaid_after: None,
        };
        check(&channel)?;
        queries::insert(tx, &channel)?;
        tx.touch(Topic::Settings);
        Ok(channel.seen_by(tx.actor()))
    }
}

impl Mutation for UpdateChannel {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Channel> {
        let old = queries::find(tx, self.id)?.ok_or_else(|| Error::not_found("channel"))?;
        let mut changed = ChannelRow {
            name: patch::required(&self.name, old.name.clone(), "/name")?,
            status: patch::required(&self.status, old.status, "/status")?,
            currencies: Json(patch::required(
                &self.currencies,
                old.currencies.0.clone(),
                "/currencies",
            )?),
            countries: Json(patch::required(
                &self.countries,
                old.countries.0.clone(),
                "/countries",
            )?),
            order_numbers: patch::required(
                &self.order_numbers,
                old.order_numbers,
                "/orderNumbers",
            )?,
            order_number_prefix: patch::required(
                &self.order_number_prefix,
                old.order_number_prefix.clone(),
                "/orderNumberPrefix",
            )?,
            hold_minutes: patch::required(&self.hold_minutes, old.hold_minutes, "/holdMinutes")?,
            capture: patch::required(&self.capture, old.capture, "/capture")?,
            risk_checks: patch::required(&self.risk_checks, old.risk_checks, "/riskChecks")?,
            risk_investigate_from: patch::required(
                &self.risk_investigate_from,
                old.risk_investigate_from,
                "/riskInvestigateFrom",
            )?,
            risk_cancel_from: patch::required(
                &self.risk_cancel_from,
                old.risk_cancel_from,
                "/riskCancelFrom",
            )?,
            risk_first_order_from: patch::optional(
                &self.risk_first_order_from,
                old.risk_first_order_from,
            ),
            invoice_needs_terms: patch::required(
                &self.invoice_needs_terms,
                old.invoice_needs_terms,
                "/invoiceNeedsTerms",
            )?,
            cancel_unpaid_after: patch::optional(
                &self.cancel_unpaid_after,
                old.cancel_unpaid_after,
            ),
            metadata: old
                .metadata
                .patched(&self.metadata, &self.private_metadata)?,
            ..old.clone()
        };
        Error::unless_version(self.expected_version, old.version)?;
        if changed == old {
            return Ok(old.seen_by(tx.actor()));
        }
        changed.version += 1;
        changed.updated_at = tx.now;
        check(&changed)?;
        queries::update(tx, &changed, old.version)?;
        tx.touch(Topic::Settings);
        tx.touch(Topic::Catalog);
        Ok(changed.seen_by(tx.actor()))
    }
}

fn check(channel: &ChannelRow) -> Result<()> {
    let mut checks = Checks::new();
    let prefix = &channel.order_number_prefix;
    checks
        .handle("/handle", &channel.handle)
        .text("/name", &channel.name, 200)
        .count("/countries", channel.countries.len(), 250)
        .count("/currencies", channel.currencies.len(), 50)
        .range("/holdMinutes", channel.hold_minutes, 1, 1440)
        .range(
            "/riskInvestigateFrom",
            channel.risk_investigate_from,
            1,
            100,
        )
        .range(
            "/riskCancelFrom",
            channel.risk_cancel_from,
            channel.risk_investigate_from,
            101,
        )
        .range(
            "/riskFirstOrderFrom",
            channel.risk_first_order_from.unwrap_or_default(),
            0,
            1_000_000_000_000,
        )
        .range(
            "/cancelUnpaidAfter",
            channel.cancel_unpaid_after.unwrap_or(1),
            1,
            8760,
        )
        .that(
            prefix.len() <= 10
                && prefix
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-'),
            "/orderNumberPrefix",
            "invalid_prefix",
            "At most 10 letters, digits and hyphens.",
        )
        .that(
            channel.currencies.contains(&channel.currency),
            "/currencies",
            "default_missing",
            format!(
                "Must contain the channel's own currency, {}.",
                channel.currency
            ),
        );
    for (i, country) in channel.countries.iter().enumerate() {
        checks.country(format!("/countries/{i}"), country);
    }
    checks.done()
}
