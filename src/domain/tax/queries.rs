use std::collections::HashMap;

use diesel::prelude::*;

use super::model::{TaxRateRow, TaxZoneRow};
use super::{TaxClass, TaxZone};
use crate::context::Tx;
use crate::db::Conn;
use crate::kernel::ids::{TaxClassId, TaxZoneId};
use crate::kernel::page::PageRequest;
use crate::kernel::{Batch, Code, Error, Kind, Result};
use crate::schema::{tax_classes, tax_rates, tax_zones};
use crate::{on, params};

pub fn all_classes(conn: &mut Conn) -> Result<Vec<TaxClass>> {
    Ok(on!(conn, |c| tax_classes::table
        .order(tax_classes::id)
        .select(TaxClass::as_select())
        .load(c))?)
}

pub fn find_class(tx: &mut Tx<'_>, id: TaxClassId) -> Result<Option<TaxClass>> {
    Ok(on!(tx.conn, |c| tax_classes::table
        .find(id)
        .select(TaxClass::as_select())
        .first(c)
        .optional())?)
}

pub fn list_classes(tx: &mut Tx<'_>, page: &PageRequest) -> Result<Vec<TaxClass>> {
    Ok(on!(tx.conn, |c| {
        let mut query = tax_classes::table
            .order(tax_classes::id)
            .limit(page.fetch())
            .select(TaxClass::as_select())
            .into_boxed();
        if let Some(after) = &page.after {
            query = query.filter(tax_classes::id.gt(TaxClassId::from_uuid(after.id)));
        }
        query.load(c)
    })?)
}

pub fn insert_class(tx: &mut Tx<'_>, class: &TaxClass) -> Result<()> {
    let inserted = on!(tx.conn, |c| diesel::insert_into(tax_classes::table)
        .values(class)
        .execute(c));
    inserted.map_err(|error| handle_taken(error.into(), "tax class", &class.handle))?;
    Ok(())
}

pub fn all_zones(conn: &mut Conn) -> Result<Vec<TaxZone>> {
    let rows: Vec<TaxZoneRow> = on!(&mut *conn, |c| tax_zones::table
        .order(tax_zones::id)
        .select(TaxZoneRow::as_select())
        .load(c))?;
    with_rates(conn, rows)
}

pub fn find_zone(tx: &mut Tx<'_>, id: TaxZoneId) -> Result<Option<TaxZone>> {
    let row: Option<TaxZoneRow> = on!(tx.conn, |c| tax_zones::table
        .find(id)
        .select(TaxZoneRow::as_select())
        .first(c)
        .optional())?;
    Ok(with_rates(tx.conn, row.into_iter().collect())?.pop())
}

pub fn list_zones(tx: &mut Tx<'_>, page: &PageRequest) -> Result<Vec<TaxZone>> {
    let rows: Vec<TaxZoneRow> = on!(tx.conn, |c| {
        let mut query = tax_zones::table
            .order(tax_zones::id)
            .limit(page.fetch())
            .select(TaxZoneRow::as_select())
            .into_boxed();
        if let Some(after) = &page.after {
            query = query.filter(tax_zones::id.gt(TaxZoneId::from_uuid(after.id)));
        }
        query.load(c)
    })?;
    with_rates(tx.conn, rows)
}

/// Lets no other transaction change zones until this one ends: that a place is in one zone only spans all of them, and no
/// constraint can say it. SQLite has one writer anyway.
pub fn lock_zones(tx: &mut Tx<'_>) -> Result<()> {
    if tx.conn.is_postgres() {
        tx.conn
            .batch("LOCK TABLE tax_zones IN SHARE ROW EXCLUSIVE MODE")?;
    }
    Ok(())
}

pub fn insert_zone(tx: &mut Tx<'_>, zone: &TaxZone) -> Result<()> {
    let (row, rates) = zone.rows();
    let inserted = on!(tx.conn, |c| diesel::insert_into(tax_zones::table)
        .values(&row)
        .execute(c));
    inserted.map_err(|error| handle_taken(error.into(), "tax zone", &zone.handle))?;
    insert_rates(tx, &rates)
}

pub fn update_zone(tx: &mut Tx<'_>, zone: &TaxZone) -> Result<()> {
    let (row, rates) = zone.rows();
    on!(tx.conn, |c| diesel::update(tax_zones::table.find(row.id))
        .set(&row)
        .execute(c))?;
    on!(tx.conn, |c| diesel::delete(
        tax_rates::table.filter(tax_rates::zone_id.eq(row.id))
    )
    .execute(c))?;
    insert_rates(tx, &rates)
}

fn insert_rates(tx: &mut Tx<'_>, rates: &[TaxRateRow]) -> Result<()> {
    let rows = rates.iter().map(|rate| {
        [
            rate.id.into(),
            rate.zone_id.into(),
            rate.class_id.into(),
            rate.name.as_str().into(),
            rate.rate_ppm.into(),
        ]
    });
    let batch = Batch::new(
        &[
            ("id", Kind::Id),
            ("zone_id", Kind::Id),
            ("class_id", Kind::Id),
            ("name", Kind::Text),
            ("rate_ppm", Kind::Int),
        ],
        rows,
    );
    tx.conn.execute(
        "INSERT INTO tax_rates (id, zone_id, class_id, name, rate_ppm)
         SELECT x.id, x.zone_id, x.class_id, x.name, x.rate_ppm FROM ? AS x",
        params![batch],
    )?;
    Ok(())
}

/// Ids rise in the order they were made, so this is the order in which a zone's rates were given.
fn with_rates(conn: &mut Conn, zones: Vec<TaxZoneRow>) -> Result<Vec<TaxZone>> {
    let ids: Vec<TaxZoneId> = zones.iter().map(|z| z.id).collect();
    let rates: Vec<TaxRateRow> = on!(conn, |c| tax_rates::table
        .filter(tax_rates::zone_id.eq_any(&ids))
        .order(tax_rates::id)
        .select(TaxRateRow::as_select())
        .load(c))?;
    let mut of_zone: HashMap<TaxZoneId, Vec<TaxRateRow>> = HashMap::new();
    for rate in rates {
        of_zone.entry(rate.zone_id).or_default().push(rate);
    }
    zones
        .into_iter()
        .map(|zone| {
            let rates = of_zone.remove(&zone.id).unwrap_or_default();
            TaxZone::new(zone, rates)
        })
        .collect()
}

fn handle_taken(error: Error, what: &str, handle: &str) -> Error {
    match error.code {
        Code::AlreadyExists => {
            let message = format!("There is a {what} {handle} already.");
            Error::field(Code::AlreadyExists, "/handle", "taken", message)
        }
        _ => error,
    }
}
