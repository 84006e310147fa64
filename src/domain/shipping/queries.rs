use diesel::prelude::*;

use super::{ListShippingMethods, ShippingMethod, ShippingZone};
use crate::context::Tx;
use crate::db::Conn;
use crate::kernel::ids::{ShippingMethodId, ShippingZoneId};
use crate::kernel::page::PageRequest;
use crate::kernel::{Code, Error, Result};
use crate::schema::{shipping_methods, shipping_zones};
use crate::{on, params};

pub fn all_zones(conn: &mut Conn) -> Result<Vec<ShippingZone>> {
    Ok(on!(conn, |c| shipping_zones::table
        .order(shipping_zones::id)
        .select(ShippingZone::as_select())
        .load(c))?)
}

pub fn find_zone(tx: &mut Tx<'_>, id: ShippingZoneId) -> Result<Option<ShippingZone>> {
    Ok(on!(tx.conn, |c| shipping_zones::table
        .find(id)
        .select(ShippingZone::as_select())
        .first(c)
        .optional())?)
}

pub fn list_zones(tx: &mut Tx<'_>, page: &PageRequest) -> Result<Vec<ShippingZone>> {
    Ok(on!(tx.conn, |c| {
        let mut query = shipping_zones::table
            .order(shipping_zones::id)
            .limit(page.fetch())
            .select(ShippingZone::as_select())
            .into_boxed();
        if let Some(after) = &page.after {
            query = query.filter(shipping_zones::id.gt(ShippingZoneId::from_uuid(after.id)));
        }
        query.load(c)
    })?)
}

pub fn insert_zone(tx: &mut Tx<'_>, zone: &ShippingZone) -> Result<()> {
    let inserted = on!(tx.conn, |c| diesel::insert_into(shipping_zones::table)
        .values(zone)
        .execute(c));
    inserted.map_err(|error| {
        handle_taken(
            error.into(),
            format!("There is a shipping zone {} already.", zone.handle),
        )
    })?;
    Ok(())
}

pub fn all_methods(conn: &mut Conn) -> Result<Vec<ShippingMethod>> {
    Ok(on!(conn, |c| shipping_methods::table
        .order(shipping_methods::id)
        .select(ShippingMethod::as_select())
        .load(c))?)
}

pub fn find_method(tx: &mut Tx<'_>, id: ShippingMethodId) -> Result<Option<ShippingMethod>> {
    Ok(on!(tx.conn, |c| shipping_methods::table
        .find(id)
        .select(ShippingMethod::as_select())
        .first(c)
        .optional())?)
}

pub fn list_methods(
    tx: &mut Tx<'_>,
    wanted: &ListShippingMethods,
    page: &PageRequest,
) -> Result<Vec<ShippingMethod>> {
    Ok(on!(tx.conn, |c| {
        let mut query = shipping_methods::table
            .order(shipping_methods::id)
            .limit(page.fetch())
            .select(ShippingMethod::as_select())
            .into_boxed();
        if let Some(channel) = wanted.channel_id {
            query = query.filter(shipping_methods::channel_id.eq(channel));
        }
        if let Some(zone) = wanted.zone_id {
            query = query.filter(shipping_methods::zone_id.eq(zone));
        }
        if let Some(after) = &page.after {
            query = query.filter(shipping_methods::id.gt(ShippingMethodId::from_uuid(after.id)));
        }
        query.load(c)
    })?)
}

pub fn insert_method(tx: &mut Tx<'_>, method: &ShippingMethod) -> Result<()> {
    let inserted = on!(tx.conn, |c| diesel::insert_into(shipping_methods::table)
        .values(method)
        .execute(c));
    inserted.map_err(|error| {
        let message = format!(
            "The channel has a shipping method {} in this zone already.",
            method.handle
        );
        handle_taken(error.into(), message)
    })?;
    Ok(())
}

/// Holds the row until the transaction ends, so that of two changes at once none is lost.
pub fn lock_method(tx: &mut Tx<'_>, id: ShippingMethodId) -> Result<()> {
    tx.conn.execute(
        "UPDATE shipping_methods SET active = active WHERE id = ?",
        params![id],
    )?;
    Ok(())
}

pub fn update_method(tx: &mut Tx<'_>, method: &ShippingMethod) -> Result<()> {
    on!(tx.conn, |c| diesel::update(
        shipping_methods::table.find(method.id)
    )
    .set(method)
    .execute(c))?;
    Ok(())
}

fn handle_taken(error: Error, message: String) -> Error {
    match error.code {
        Code::AlreadyExists => Error::field(Code::AlreadyExists, "/handle", "taken", message),
        _ => error,
    }
}
