use diesel::prelude::*;

use super::model::ChannelRow;
use crate::context::Tx;
use crate::db::Conn;
use crate::kernel::ids::ChannelId;
use crate::kernel::page::PageRequest;
use crate::kernel::{Code, Error, Result};
use crate::schema::{channels, order_counters};
use crate::{on, params};

pub fn all(conn: &mut Conn) -> Result<Vec<ChannelRow>> {
    Ok(on!(conn, |c| channels::table
        .order(channels::id)
        .select(ChannelRow::as_select())
        .load(c))?)
}

/// A shop front sees its own channel only.
pub fn find(tx: &mut Tx<'_>, id: ChannelId) -> Result<Option<ChannelRow>> {
    if tx.actor().channel().is_some_and(|own| own != id) {
        return Ok(None);
    }
    Ok(on!(tx.conn, |c| channels::table
        .find(id)
        .select(ChannelRow::as_select())
        .first(c)
        .optional())?)
}

pub fn list(tx: &mut Tx<'_>, page: &PageRequest) -> Result<Vec<ChannelRow>> {
    let own = tx.actor().channel();
    Ok(on!(tx.conn, |c| {
        let mut query = channels::table
            .order(channels::id)
            .limit(page.fetch())
            .select(ChannelRow::as_select())
            .into_boxed();
        if let Some(own) = own {
            query = query.filter(channels::id.eq(own));
        }
        if let Some(after) = &page.after {
            query = query.filter(channels::id.gt(ChannelId::from_uuid(after.id)));
        }
        query.load(c)
    })?)
}

pub fn insert(tx: &mut Tx<'_>, channel: &ChannelRow) -> Result<()> {
    let inserted = on!(tx.conn, |c| diesel::insert_into(channels::table)
        .values(channel)
        .execute(c));
    inserted.map_err(|error| handle_taken(error.into(), &channel.handle))?;
    on!(tx.conn, |c| diesel::insert_into(order_counters::table)
        .values((
            order_counters::channel_id.eq(channel.id),
            order_counters::next_number.eq(1_i64)
        ))
        .execute(c))?;
    Ok(())
}

/// Writes a channel, if it still has the version `old`.
pub fn update(tx: &mut Tx<'_>, channel: &ChannelRow, old: i64) -> Result<()> {
    let changed = on!(tx.conn, |c| {
        diesel::update(
            channels::table
                .find(channel.id)
                .filter(channels::version.eq(old)),
        )
        .set(channel)
        .execute(c)
    })?;
    if changed == 0 {
        Err(Error::version_conflict(old))
    } else {
        Ok(())
    }
}

/// Takes the channel's next sequential number; the row stays locked until the transaction ends.
pub fn take_order_number(tx: &mut Tx<'_>, id: ChannelId) -> Result<i64> {
    let text = format!("{} RETURNING next_number - 1", next_number_statement());
    let rows = tx
        .conn
        .rows::<diesel::sql_types::BigInt, i64>(&text, params![id])?;
    rows.into_iter()
        .next()
        .ok_or_else(|| Error::not_found("channel"))
}

/// The statement that takes a number, for one that does more in the same round trip.
pub fn next_number_statement() -> &'static str {
    "UPDATE order_counters SET next_number = next_number + 1 WHERE channel_id = ?"
}

fn handle_taken(error: Error, handle: &str) -> Error {
    match error.code {
        Code::AlreadyExists => {
            let message = format!("There is a channel {handle} already.");
            Error::field(Code::AlreadyExists, "/handle", "taken", message)
        }
        _ => error,
    }
}
