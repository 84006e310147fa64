use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::model::Price;
use crate::context::Tx;
use crate::kernel::column::Id;
use crate::kernel::ids::{ChannelId, VariantId};
use crate::kernel::money::Minor;
use crate::kernel::page::PageRequest;
use crate::kernel::{Batch, Currency, Kind, Result, Timestamp};
use crate::schema::prices;
use crate::{on, params};

/// A price to be written.
#[derive(Clone, Debug)]
pub struct PriceRow {
    /// The variant.
    pub variant_id: VariantId,
    /// The channel.
    pub channel_id: ChannelId,
    /// The currency.
    pub currency: Currency,
    /// Minor units.
    pub amount: i64,
    /// The higher price it is compared to.
    pub compare_at: Option<i64>,
}

type Row = (VariantId, ChannelId, Currency, i64, Option<i64>, Timestamp);

pub fn list(
    tx: &mut Tx<'_>,
    variant: Option<VariantId>,
    channel: Option<ChannelId>,
    page: &PageRequest,
) -> Result<Vec<Price>> {
    let rows: Vec<Row> = on!(tx.conn, |c| {
        let mut query = prices::table
            .order((prices::variant_id, prices::channel_id, prices::currency))
            .limit(page.fetch())
            .into_boxed();
        if let Some(variant) = variant {
            query = query.filter(prices::variant_id.eq(variant));
        }
        if let Some(channel) = channel {
            query = query.filter(prices::channel_id.eq(channel));
        }
        if let Some((after, channel, currency)) = page.after.as_ref().and_then(|a| {
            let (channel, currency) = a.key.text()?.split_at_checked(30)?;
            Some((
                VariantId::from_uuid(a.id),
                channel.parse::<ChannelId>().ok()?,
                currency.to_owned(),
            ))
        }) {
            query = query.filter(
                prices::variant_id
                    .gt(after)
                    .or(prices::variant_id.eq(after).and(
                        prices::channel_id.gt(channel).or(prices::channel_id
                            .eq(channel)
                            .and(prices::currency.gt(currency))),
                    )),
            );
        }
        query.load(c)
    })?;
    Ok(rows
        .into_iter()
        .map(
            |(variant_id, channel_id, currency, amount, compare_at, updated_at)| Price {
                variant_id,
                channel_id,
                currency,
                amount: Minor(amount),
                compare_at_amount: compare_at.map(Minor),
                updated_at,
            },
        )
        .collect())
}

/// Which of these variants there are.
pub fn known_variants(tx: &mut Tx<'_>, variants: &[VariantId]) -> Result<HashSet<VariantId>> {
    let ids = Batch::ids(variants.iter().map(|v| v.uuid()));
    let rows = tx.conn.rows::<Id, VariantId>(
        "SELECT v.id FROM product_variants v JOIN ? AS x ON x.id = v.id",
        params![ids],
    )?;
    Ok(rows.into_iter().collect())
}

/// Writes prices, new or changed, in one statement, and says whose price is another now.
pub fn upsert(tx: &mut Tx<'_>, rows: &[PriceRow]) -> Result<Vec<VariantId>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let now = tx.now;
    let batch = Batch::new(
        &[
            ("variant_id", Kind::Id),
            ("channel_id", Kind::Id),
            ("currency", Kind::Text),
            ("amount", Kind::Int),
            ("compare_at", Kind::Int),
        ],
        rows.iter().map(|p| {
            [
                p.variant_id.into(),
                p.channel_id.into(),
                p.currency.as_str().into(),
                p.amount.into(),
                p.compare_at.into(),
            ]
        }),
    );
    tx.conn.rows::<Id, VariantId>(
        "INSERT INTO prices (variant_id, channel_id, currency, amount, compare_at_amount, updated_at)
         SELECT x.variant_id, x.channel_id, x.currency, x.amount, x.compare_at, ? FROM ? AS x WHERE true
         ON CONFLICT (variant_id, channel_id, currency) DO UPDATE
         SET amount = excluded.amount, compare_at_amount = excluded.compare_at_amount, updated_at = excluded.updated_at
         WHERE prices.amount <> excluded.amount
            OR prices.compare_at_amount IS DISTINCT FROM excluded.compare_at_amount
         RETURNING variant_id",
        params![now, batch],
    )
}

/// The prices of these variants, sorted by variant.
pub fn of_variants(
    tx: &mut Tx<'_>,
    variants: impl Iterator<Item = VariantId>,
) -> Result<Vec<PriceRow>> {
    let rows = tx.conn.rows::<(Id, Id, Text, BigInt, Nullable<BigInt>), (VariantId, ChannelId, Currency, i64, Option<i64>)>(
        "SELECT p.variant_id, p.channel_id, p.currency, p.amount, p.compare_at_amount
         FROM ? AS x JOIN prices p ON p.variant_id = x.id ORDER BY p.variant_id",
        params![Batch::ids(variants.map(VariantId::uuid))],
    )?;
    Ok(rows
        .into_iter()
        .map(
            |(variant_id, channel_id, currency, amount, compare_at)| PriceRow {
                variant_id,
                channel_id,
                currency,
                amount,
                compare_at,
            },
        )
        .collect())
}

/// Takes prices away and says how many there were.
pub fn remove(tx: &mut Tx<'_>, keys: &[(VariantId, ChannelId, Currency)]) -> Result<usize> {
    if keys.is_empty() {
        return Ok(0);
    }
    let batch = Batch::new(
        &[
            ("variant_id", Kind::Id),
            ("channel_id", Kind::Id),
            ("currency", Kind::Text),
        ],
        keys.iter()
            .map(|(v, c, currency)| [(*v).into(), (*c).into(), currency.as_str().into()]),
    );
    let rows = tx.conn.rows::<Text, String>(
        "DELETE FROM prices WHERE EXISTS (SELECT 1 FROM ? AS x WHERE x.variant_id = prices.variant_id
             AND x.channel_id = prices.channel_id AND x.currency = prices.currency) RETURNING currency",
        params![batch],
    )?;
    Ok(rows.len())
}
