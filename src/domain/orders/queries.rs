use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::model::{Order, OrderLineRow, OrderRow, OrderStatus};
use super::{ListOrders, OrderTimeline, TimelineEntry, holds};
use crate::auth::Caller;
use crate::context::Tx;
use crate::domain::channels;
use crate::domain::coupons;
use crate::domain::inventory::Pick;
use crate::domain::payments;
use crate::kernel::column::{Doc, Id, Ts};
use crate::kernel::ids::{
    CartId, CheckoutId, LocationId, OrderEventId, OrderId, OrderLineId, VariantId,
};
use crate::kernel::page::PageRequest;
use crate::kernel::{
    Batch, Code, Currency, Document, Email, Error, Failure, Json, Kind, Param, Result, Timestamp,
};
use crate::sabotage::Guard;
use crate::schema::orders;
use crate::{on, params};

/// An order, whoever asks.
pub fn row(tx: &mut Tx<'_>, id: OrderId) -> Result<OrderRow> {
    let row = on!(tx.conn, |c| orders::table
        .find(id)
        .select(OrderRow::as_select())
        .first(c)
        .optional())?;
    row.ok_or_else(|| Error::not_found("order"))
}

/// Finds an order that the caller may know of: by the cart's token, or by scope (which `dispatch` has checked).
pub fn find(tx: &mut Tx<'_>, id: OrderId) -> Result<OrderRow> {
    let row = row(tx, id)?;
    let may_know = |order: &OrderRow| match tx.actor().caller {
        Caller::Storefront { channel, .. } => {
            let token = tx.actor().cart_token;
            order.channel_id == channel && token.is_some_and(|t| t[..] == order.token_hash[..])
        }
        _ => true,
    };
    may_know(&row)
        .then_some(row)
        .ok_or_else(|| Error::not_found("order"))
}

/// An order with its lines and payment.
pub fn get(tx: &mut Tx<'_>, id: OrderId) -> Result<Order> {
    let row = find(tx, id)?;
    Ok(complete(tx, vec![row])?.remove(0))
}

/// Orders that the caller may see, in the order they were named in.
pub fn get_many(tx: &mut Tx<'_>, ids: &[OrderId]) -> Result<Vec<Order>> {
    let rows: Vec<OrderRow> = on!(tx.conn, |c| orders::table
        .filter(orders::id.eq_any(ids))
        .select(OrderRow::as_select())
        .load(c))?;
    let mut orders = complete(tx, rows)?;
    orders.sort_by_key(|order| ids.iter().position(|id| *id == order.id));
    Ok(orders)
}

/// Adds lines and payments to orders: two statements for any number, one more where any was ever on hold, and one where
/// something was taken off any.
pub fn complete(tx: &mut Tx<'_>, rows: Vec<OrderRow>) -> Result<Vec<Order>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<OrderId> = rows.iter().map(|o| o.id).collect();
    let (mut lines, held) = lines_and_holds(tx, &ids)?;
    let mut holds = match held.as_slice() {
        [] => HashMap::new(),
        held => holds::of_orders(tx, held.iter().copied())?,
    };
    let discounted = rows.iter().filter(|o| o.discount_total > 0);
    let discounted: Vec<_> = discounted.map(|o| (o.id, o.currency)).collect();
    let mut coupons = coupons::of_orders(tx, &discounted)?;
    let mut found = payments::of_checkouts(tx, rows.iter().map(|o| o.checkout_id))?;
    let actor = tx.actor();
    Ok(rows
        .into_iter()
        .map(|row| {
            let own = lines.remove(&row.id).unwrap_or_default();
            let payments = found.remove(&row.checkout_id).unwrap_or_default();
            let holds = holds.remove(&row.id).unwrap_or_default();
            let coupons = coupons.remove(&row.id).unwrap_or_default();
            Order {
                coupons,
                holds,
                ..Order::new(row, own, payments, actor)
            }
        })
        .collect())
}

pub fn list(tx: &mut Tx<'_>, wishes: &ListOrders, page: &PageRequest) -> Result<Vec<OrderRow>> {
    Ok(on!(tx.conn, |c| {
        let mut query = orders::table
            .order(orders::id.desc())
            .limit(page.fetch())
            .select(OrderRow::as_select())
            .into_boxed();
        if let Some(channel) = wishes.channel_id {
            query = query.filter(orders::channel_id.eq(channel));
        }
        if let Some(status) = wishes.status {
            query = query.filter(orders::status.eq(status));
        }
        if let Some(number) = &wishes.number {
            query = query.filter(orders::number.eq(number));
        }
        if let Some(email) = &wishes.email {
            query = query.filter(orders::email.eq(email));
        }
        if let Some(reference) = &wishes.reference {
            query = query.filter(orders::reference.eq(reference));
        }
        if let Some(after) = &page.after {
            query = query.filter(orders::id.lt(OrderId::from_uuid(after.id)));
        }
        query.load(c)
    })?)
}

/// The order that a cart became.
pub fn find_for_checkout(tx: &mut Tx<'_>, cart: CartId) -> Result<Option<Order>> {
    let row: Option<OrderRow> = on!(tx.conn, |c| orders::table
        .filter(orders::cart_id.eq(cart))
        .select(OrderRow::as_select())
        .first(c)
        .optional())?;
    Ok(complete(tx, row.into_iter().collect())?.pop())
}

/// Keeps others from changing an open order until the transaction ends, raising its version.
pub fn lock(tx: &mut Tx<'_>, id: OrderId, expected: Option<i64>) -> Result<OrderRow> {
    let now = tx.now;
    let row: Option<OrderRow> = on!(tx.conn, |c| {
        diesel::update(orders::table.find(id))
            .set((
                orders::version.eq(orders::version + 1),
                orders::updated_at.eq(now),
            ))
            .returning(OrderRow::as_returning())
            .get_result(c)
            .optional()
    })?;
    let row = row.ok_or_else(|| Error::not_found("order"))?;
    match expected {
        Some(expected) if expected != row.version - 1 => {
            Err(Error::version_conflict(row.version - 1))
        }
        _ => Ok(row),
    }
}

/// An order's lines, in order.
pub fn lines_of(tx: &mut Tx<'_>, id: OrderId) -> Result<Vec<OrderLineRow>> {
    Ok(lines_and_holds(tx, &[id])?
        .0
        .remove(&id)
        .unwrap_or_default())
}

type Lines = HashMap<OrderId, Vec<OrderLineRow>>;

/// The lines of each order, and the orders that were ever on hold: every order has a first line.
fn lines_and_holds(tx: &mut Tx<'_>, ids: &[OrderId]) -> Result<(Lines, Vec<OrderId>)> {
    type Row = (
        Id,
        Id,
        BigInt,
        Text,
        diesel::sql_types::Nullable<Id>,
        Text,
        Text,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        Doc,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
    );
    let rows = tx.conn.rows::<(Row, BigInt), (OrderLineRow, i64)>(
        "SELECT l.id, l.order_id, l.position, l.kind, l.variant_id, l.sku, l.title, l.quantity, l.unit_price, l.subtotal,
                l.discount, l.net, l.taxes, l.tax, l.total, l.quantity_cancelled, l.quantity_refunded,
                CASE WHEN l.position = 0 THEN (SELECT count(*) FROM order_holds h WHERE h.order_id = l.order_id) ELSE 0 END
         FROM ? AS x JOIN order_lines l ON l.order_id = x.id ORDER BY l.order_id, l.position",
        params![Batch::ids(ids.iter().map(|id| id.uuid()))],
    )?;
    let (mut lines, mut held) = (Lines::new(), Vec::new());
    for (row, holds) in rows {
        if holds > 0 {
            held.push(row.order_id);
        }
        lines.entry(row.order_id).or_default().push(row);
    }
    Ok((lines, held))
}

/// Has the invoices that a customer owes already fall due, as their new terms say.
pub fn put_on_terms(tx: &mut Tx<'_>, email: &Email, currency: Currency, days: i64) -> Result<()> {
    let due = if tx.conn.is_postgres() {
        "placed_at + ? * interval '1 day'"
    } else {
        "placed_at + ? * 86400000000"
    };
    let text = format!(
        "UPDATE orders SET due_at = {due}
         WHERE email = ? AND currency = ? AND status <> 'cancelled' AND due_at IS NULL AND EXISTS (
             SELECT 1 FROM payments p
             WHERE p.checkout_id = orders.checkout_id AND p.provider = 'manual' AND p.method = 'invoice')"
    );
    tx.conn
        .execute(&text, params![days, email, currency.as_str()])?;
    Ok(())
}

/// What somebody has ordered before.
#[derive(Clone, Copy, Debug, Default)]
pub struct History {
    /// How many orders, without those that were called off.
    pub count: i64,
    /// What they cost together, in minor units.
    pub total: i64,
}

/// The orders of the same e-mail address in the same currency before this one.
pub fn history(tx: &mut Tx<'_>, order: &OrderRow) -> Result<History> {
    let rows = tx.conn.rows::<(BigInt, BigInt), (i64, i64)>(
        "SELECT count(*), CAST(COALESCE(sum(grand_total - cancelled_total), 0) AS bigint) FROM orders
         WHERE email = ? AND currency = ? AND status <> 'cancelled' AND id < ?",
        params![&order.email, order.currency.as_str(), order.id],
    )?;
    let (count, total) = rows.into_iter().next().unwrap_or_default();
    Ok(History { count, total })
}

/// Writes an order, and gives it the channel's next number if it is to have one: the row with the counter is locked last,
/// and only until the commit. One statement on PostgreSQL, two on SQLite, where nobody else could hold the lock.
pub fn insert(tx: &mut Tx<'_>, order: &mut OrderRow, sequential: bool) -> Result<()> {
    if !sequential {
        let inserted = on!(tx.conn, |c| diesel::insert_into(orders::table)
            .values(&*order)
            .execute(c));
        return inserted
            .map(drop)
            .map_err(|error| match Error::from(error) {
                // Drawn before, or placed before: run again and see.
                error if error.code == Code::AlreadyExists => Error {
                    failure: Some(Failure::Race),
                    ..error
                },
                error => error,
            });
    }
    let sabotage = &tx.app().sabotage;
    let postgres = tx.conn.is_postgres() && !sabotage.removed(Guard::Numbers);
    // Nothing that can be written before waits for the counter.
    tx.flush()?;
    let (with, mut params, number) = if postgres {
        let take = channels::next_number_statement();
        let with = format!("WITH n AS ({take} RETURNING next_number - 1 AS number) ");
        (with, params![order.channel_id], None)
    } else if sabotage.removed(Guard::Numbers) {
        (String::new(), Vec::new(), Some(sabotage.next_number()))
    } else {
        let number = channels::take_order_number(tx, order.channel_id)?;
        (String::new(), Vec::new(), Some(number))
    };
    let from = if postgres {
        "n"
    } else {
        "(SELECT ? AS number) AS n"
    };
    let text = format!(
        "{with}INSERT INTO orders (id, number, sequence, channel_id, cart_id, checkout_id, status, source, reference, email,
             shipping_address, billing_address, shipping_method, placed_by, currency, prices_include_tax, rounding, tax_per,
             goods_total, discount_total, shipping_total, tax_total, grand_total, cancelled_total, metadata, version,
             placed_at, updated_at, token_hash, due_at)
         SELECT ?, ? || n.number, n.number, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 1, ?, ?, ?, ? FROM {from}
         RETURNING number"
    );
    params.extend(params![
        order.id,
        order.number.as_str(),
        order.channel_id,
        order.cart_id,
        order.checkout_id,
        order.status,
        order.source,
        order.reference.as_deref(),
        &order.email,
        Param::doc_or_null(order.shipping_address.as_ref()),
        Param::doc_or_null(order.billing_address.as_ref()),
        Param::doc_or_null(order.shipping_method.as_ref()),
        order.placed_by.as_str(),
        order.currency.as_str(),
        order.prices_include_tax,
        order.rounding.as_str(),
        order.tax_per.as_str(),
        order.goods_total,
        order.discount_total,
        order.shipping_total,
        order.tax_total,
        order.grand_total,
        Param::doc(&order.metadata),
        order.placed_at,
        order.updated_at,
        order.token_hash.clone(),
        order.due_at,
    ]);
    params.extend(number.map(Param::from));
    let rows = tx.conn.rows::<Text, String>(&text, params)?;
    order.number = rows
        .into_iter()
        .next()
        .ok_or_else(|| Error::internal("no order counter"))?;
    Ok(())
}

/// Writes lines in one statement.
pub fn insert_lines(tx: &mut Tx<'_>, lines: &[OrderLineRow]) -> Result<()> {
    let batch = Batch::new(
        &[
            ("id", Kind::Id),
            ("order_id", Kind::Id),
            ("position", Kind::Int),
            ("kind", Kind::Text),
            ("variant_id", Kind::Id),
            ("sku", Kind::Text),
            ("title", Kind::Text),
            ("quantity", Kind::Int),
            ("unit_price", Kind::Int),
            ("subtotal", Kind::Int),
            ("discount", Kind::Int),
            ("net", Kind::Int),
            ("taxes", Kind::Doc),
            ("tax", Kind::Int),
            ("total", Kind::Int),
        ],
        lines.iter().map(|l| {
            [
                l.id.into(),
                l.order_id.into(),
                l.position.into(),
                l.kind.into(),
                l.variant_id.into(),
                l.sku.as_str().into(),
                l.title.as_str().into(),
                l.quantity.into(),
                l.unit_price.into(),
                l.subtotal.into(),
                l.discount.into(),
                l.net.into(),
                Param::doc(&l.taxes),
                l.tax.into(),
                l.total.into(),
            ]
        }),
    );
    tx.later(
        "INSERT INTO order_lines (id, order_id, position, kind, variant_id, sku, title, quantity, unit_price, subtotal,
             discount, net, taxes, tax, total)
         SELECT x.id, x.order_id, x.position, x.kind, x.variant_id, x.sku, x.title, x.quantity, x.unit_price, x.subtotal,
             x.discount, x.net, x.taxes, x.tax, x.total
         FROM ? AS x",
        params![batch],
    )
}

/// Units of a line that a location will send.
#[derive(Clone, Copy, Debug)]
pub struct Allocation {
    /// The line.
    pub line_id: OrderLineId,
    /// The variant and the location, and how many.
    pub pick: Pick,
}

/// Writes allocations in one statement.
pub fn insert_allocations(tx: &mut Tx<'_>, allocations: &[Allocation]) -> Result<()> {
    if allocations.is_empty() {
        return Ok(());
    }
    let batch = Batch::new(
        &[
            ("line_id", Kind::Id),
            ("variant_id", Kind::Id),
            ("location_id", Kind::Id),
            ("quantity", Kind::Int),
        ],
        allocations.iter().map(|a| {
            [
                a.line_id.into(),
                a.pick.variant_id.into(),
                a.pick.location_id.into(),
                a.pick.quantity.into(),
            ]
        }),
    );
    tx.later(
        "INSERT INTO order_allocations (order_line_id, variant_id, location_id, quantity)
         SELECT x.line_id, x.variant_id, x.location_id, x.quantity FROM ? AS x",
        params![batch],
    )
}

/// What is allocated to an order's lines.
pub fn allocations_of(tx: &mut Tx<'_>, order: OrderId) -> Result<Vec<Allocation>> {
    let rows = tx
        .conn
        .rows::<(Id, Id, Id, BigInt), (OrderLineId, VariantId, LocationId, i64)>(
            "SELECT a.order_line_id, a.variant_id, a.location_id, a.quantity
         FROM order_allocations a JOIN order_lines l ON l.id = a.order_line_id
         WHERE l.order_id = ? AND a.quantity > 0 ORDER BY a.order_line_id, a.location_id",
            params![order],
        )?;
    Ok(rows
        .into_iter()
        .map(|(line_id, variant_id, location_id, quantity)| Allocation {
            line_id,
            pick: Pick {
                variant_id,
                location_id,
                quantity,
            },
        })
        .collect())
}

/// Takes units back from allocations, in one statement.
pub fn take_back(tx: &mut Tx<'_>, taken: &[Allocation]) -> Result<()> {
    if taken.is_empty() {
        return Ok(());
    }
    let batch = Batch::new(
        &[
            ("line_id", Kind::Id),
            ("location_id", Kind::Id),
            ("quantity", Kind::Int),
        ],
        taken.iter().map(|a| {
            [
                a.line_id.into(),
                a.pick.location_id.into(),
                a.pick.quantity.into(),
            ]
        }),
    );
    tx.conn.execute(
        "UPDATE order_allocations SET quantity = order_allocations.quantity - x.quantity FROM ? AS x
         WHERE order_allocations.order_line_id = x.line_id AND order_allocations.location_id = x.location_id",
        params![batch],
    )?;
    Ok(())
}

/// What a cancellation does to an order.
pub struct Given {
    /// What is given back, in minor units.
    pub amount: i64,
    /// Whether nothing is left.
    pub everything: bool,
}

/// Writes a cancellation: quantities of lines, and the order's sum and status. Two statements.
pub fn cancel_lines(
    tx: &mut Tx<'_>,
    order: &mut OrderRow,
    shares: &[super::Share],
    given: &Given,
) -> Result<()> {
    let batch = Batch::new(
        &[("id", Kind::Id), ("quantity", Kind::Int)],
        shares.iter().map(|s| [s.line_id.into(), s.quantity.into()]),
    );
    tx.conn.execute(
        "UPDATE order_lines SET quantity_cancelled = order_lines.quantity_cancelled + x.quantity,
             quantity_refunded = CASE WHEN quantity_refunded > order_lines.quantity - quantity_cancelled - x.quantity
                 THEN order_lines.quantity - quantity_cancelled - x.quantity ELSE quantity_refunded END
         FROM ? AS x WHERE order_lines.id = x.id",
        params![batch],
    )?;
    order.cancelled_total += given.amount;
    if given.everything {
        crate::kernel::state::Lifecycle::check(order.status, OrderStatus::Cancelled)?;
        order.status = OrderStatus::Cancelled;
        order.cancelled_at = Some(tx.now);
        holds::release(tx, order, None)?;
    }
    on!(tx.conn, |c| diesel::update(orders::table.find(order.id))
        .set((
            orders::cancelled_total.eq(order.cancelled_total),
            orders::status.eq(order.status),
            orders::cancelled_at.eq(order.cancelled_at),
        ))
        .execute(c))?;
    Ok(())
}

/// Counts units of lines as refunded, or with a minus as not refunded after all.
pub fn refund_lines(
    tx: &mut Tx<'_>,
    units: impl Iterator<Item = (OrderLineId, i64)>,
) -> Result<()> {
    let batch = Batch::new(
        &[("id", Kind::Id), ("quantity", Kind::Int)],
        units.map(|(line, quantity)| [line.into(), quantity.into()]),
    );
    tx.conn.execute(
        "UPDATE order_lines SET quantity_refunded = CASE WHEN quantity_refunded + x.quantity < 0 THEN 0
             ELSE quantity_refunded + x.quantity END FROM ? AS x
         WHERE order_lines.id = x.id",
        params![batch],
    )?;
    Ok(())
}

/// Writes an entry of the timeline.
pub fn note(
    tx: &mut Tx<'_>,
    order: OrderId,
    kind: &str,
    data: &impl serde::Serialize,
) -> Result<()> {
    let (now, actor) = (tx.now, tx.actor().name());
    tx.conn.execute(
        "INSERT INTO order_events (id, order_id, kind, data, actor, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        params![OrderEventId::new(), order, kind, Param::doc(data), actor, now],
    )?;
    Ok(())
}

/// What happened to an order. Shop fronts do not learn who did it.
pub fn timeline(tx: &mut Tx<'_>, id: OrderId) -> Result<OrderTimeline> {
    let order = find(tx, id)?;
    let staff = tx.actor().channel().is_none();
    let mut data = Document::default();
    data.0.insert("number".into(), order.number.into());
    let mut entries = vec![TimelineEntry {
        id: None,
        kind: "placed".into(),
        data,
        actor: staff.then_some(order.placed_by),
        at: order.placed_at,
    }];
    let rows = tx.conn.rows::<(Id, Text, Doc, Text, Ts), (OrderEventId, String, Json<Document>, String, Timestamp)>(
        "SELECT id, kind, data, actor, created_at FROM order_events WHERE order_id = ? ORDER BY id",
        params![id],
    )?;
    // Shoppers learn that an order is on hold, not what was thought of them.
    let shown = rows
        .into_iter()
        .filter(|row| staff || !row.1.starts_with("risk_"));
    entries.extend(shown.map(|(id, kind, mut data, actor, at)| {
        if !staff {
            data.0.0.remove("note");
        }
        TimelineEntry {
            id: Some(id),
            kind,
            data: data.0,
            actor: staff.then_some(actor),
            at,
        }
    }));
    Ok(OrderTimeline { entries })
}

/// The order that a checkout has surely become, kept from others until the transaction ends.
pub fn for_checkout(tx: &mut Tx<'_>, checkout: CheckoutId) -> Result<OrderRow> {
    let id = id_for_checkout(tx, checkout)?.ok_or_else(|| Error::not_found("order"))?;
    hold_back(tx, id)
}

/// An order, kept from others until the transaction ends, for what may change nothing of it: see [`lock`].
pub fn hold_back(tx: &mut Tx<'_>, id: OrderId) -> Result<OrderRow> {
    if tx.conn.is_postgres() {
        tx.conn.rows::<Id, OrderId>(
            "SELECT id FROM orders WHERE id = ? FOR NO KEY UPDATE",
            params![id],
        )?;
    }
    row(tx, id)
}

/// The order that a checkout became, if it did.
pub fn id_for_checkout(tx: &mut Tx<'_>, checkout: CheckoutId) -> Result<Option<OrderId>> {
    let rows = tx.conn.rows::<Id, OrderId>(
        "SELECT id FROM orders WHERE checkout_id = ?",
        params![checkout],
    )?;
    Ok(rows.into_iter().next())
}
