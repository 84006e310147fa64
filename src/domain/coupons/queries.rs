use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::model::{CouponRow, normalise};
use super::{ListCoupons, RedeemedCoupon};
use crate::context::Tx;
use crate::kernel::column::Id;
use crate::kernel::ids::{CouponId, OrderId};
use crate::kernel::page::PageRequest;
use crate::kernel::{Batch, Code, Currency, Email, Error, Money, Result};
use crate::sabotage::Guard;
use crate::schema::{coupon_customers, coupons};
use crate::{on, params};

/// Finds a coupon.
pub fn find(tx: &mut Tx<'_>, id: CouponId) -> Result<Option<CouponRow>> {
    Ok(on!(tx.conn, |c| coupons::table
        .find(id)
        .select(CouponRow::as_select())
        .first(c)
        .optional())?)
}

/// The coupon with this code, however it was typed.
pub fn find_by_code(tx: &mut Tx<'_>, entered: &str) -> Result<Option<CouponId>> {
    let code = normalise(entered);
    Ok(on!(tx.conn, |c| coupons::table
        .filter(coupons::code.eq(code.as_str()))
        .select(coupons::id)
        .first(c)
        .optional())?)
}

/// Coupons by their ids.
pub fn get_many(tx: &mut Tx<'_>, ids: &[CouponId]) -> Result<Vec<CouponRow>> {
    Ok(on!(tx.conn, |c| coupons::table
        .filter(coupons::id.eq_any(ids))
        .select(CouponRow::as_select())
        .load(c))?)
}

pub fn list(tx: &mut Tx<'_>, wanted: &ListCoupons, page: &PageRequest) -> Result<Vec<CouponRow>> {
    Ok(on!(tx.conn, |c| {
        let mut query = coupons::table
            .order(coupons::id.desc())
            .limit(page.fetch())
            .select(CouponRow::as_select())
            .into_boxed();
        if let Some(status) = wanted.status {
            query = query.filter(coupons::status.eq(status));
        }
        if let Some(code) = &wanted.code {
            query = query.filter(coupons::code.eq(normalise(code)));
        }
        if let Some(after) = &page.after {
            query = query.filter(coupons::id.lt(CouponId::from_uuid(after.id)));
        }
        query.load(c)
    })?)
}

pub fn insert(tx: &mut Tx<'_>, coupon: &CouponRow) -> Result<()> {
    let inserted = on!(tx.conn, |c| diesel::insert_into(coupons::table)
        .values(coupon)
        .execute(c));
    inserted.map(drop).map_err(|error| match error.into() {
        Error {
            code: Code::AlreadyExists,
            ..
        } => {
            let message = format!("There is a coupon {} already.", coupon.code);
            Error::field(Code::AlreadyExists, "/code", "taken", message)
        }
        error => error,
    })
}

/// A coupon, which nobody else changes or uses until the transaction ends.
pub fn lock(tx: &mut Tx<'_>, id: CouponId) -> Result<CouponRow> {
    let row: Option<CouponRow> = on!(tx.conn, |c| diesel::update(coupons::table.find(id))
        .set(coupons::used.eq(coupons::used))
        .returning(CouponRow::as_returning())
        .get_result(c)
        .optional())?;
    row.ok_or_else(|| Error::not_found("coupon"))
}

/// Writes a coupon that is locked.
pub fn update(tx: &mut Tx<'_>, coupon: &CouponRow) -> Result<()> {
    on!(tx.conn, |c| diesel::update(coupons::table.find(coupon.id))
        .set(coupon)
        .execute(c))?;
    Ok(())
}

/// How often a customer has used each coupon.
pub fn uses_of(tx: &mut Tx<'_>, ids: &[CouponId], email: &Email) -> Result<HashMap<CouponId, i64>> {
    let rows: Vec<(CouponId, i64)> = on!(tx.conn, |c| coupon_customers::table
        .filter(coupon_customers::coupon_id.eq_any(ids))
        .filter(coupon_customers::email.eq(email))
        .select((coupon_customers::coupon_id, coupon_customers::used))
        .load(c))?;
    Ok(rows.into_iter().collect())
}

/// Counts a use of a coupon, where one is left; says whether it was.
pub fn count_use(tx: &mut Tx<'_>, id: CouponId) -> Result<bool> {
    let guard = if tx.app().sabotage.removed(Guard::Coupon) {
        ""
    } else {
        " AND (usage_limit IS NULL OR used < usage_limit)"
    };
    let text = format!("UPDATE coupons SET used = used + 1 WHERE id = ?{guard}");
    Ok(tx.conn.execute(&text, params![id])? > 0)
}

/// Counts a use of a coupon by a customer, where one is left; says whether it was.
pub fn count_use_by(tx: &mut Tx<'_>, id: CouponId, email: &Email) -> Result<bool> {
    let guard = if tx.app().sabotage.removed(Guard::Coupon) {
        ""
    } else {
        "WHERE NOT EXISTS (SELECT 1 FROM coupons c
             WHERE c.id = excluded.coupon_id AND c.usage_limit_per_customer <= coupon_customers.used)"
    };
    let text = format!(
        "INSERT INTO coupon_customers (coupon_id, email, used) VALUES (?, ?, 1)
         ON CONFLICT (coupon_id, email) DO UPDATE SET used = coupon_customers.used + 1 {guard}"
    );
    Ok(tx.conn.execute(&text, params![id, email])? > 0)
}

/// Writes an order's use of a coupon.
pub fn insert_redemption(
    tx: &mut Tx<'_>,
    order: OrderId,
    id: CouponId,
    email: &Email,
    amount: i64,
) -> Result<()> {
    let now = tx.now;
    tx.later(
        "INSERT INTO coupon_redemptions (order_id, coupon_id, email, amount, redeemed_at) VALUES (?, ?, ?, ?, ?)",
        params![order, id, email, amount, now],
    )
}

/// Gives back what an order has used, once: three statements.
pub fn give_back(tx: &mut Tx<'_>, order: OrderId) -> Result<()> {
    let now = tx.now;
    tx.conn.execute(
        "UPDATE coupons SET used = used - 1 WHERE id IN (
             SELECT coupon_id FROM coupon_redemptions WHERE order_id = ? AND returned_at IS NULL)",
        params![order],
    )?;
    tx.conn.execute(
        "UPDATE coupon_customers SET used = used - 1 WHERE (coupon_id, email) IN (
             SELECT coupon_id, email FROM coupon_redemptions WHERE order_id = ? AND returned_at IS NULL)",
        params![order],
    )?;
    tx.conn.execute(
        "UPDATE coupon_redemptions SET returned_at = ? WHERE order_id = ? AND returned_at IS NULL",
        params![now, order],
    )?;
    Ok(())
}

/// The coupons that orders used; each order comes with its currency. One statement, none where there are no orders.
pub fn of_orders(
    tx: &mut Tx<'_>,
    orders: &[(OrderId, Currency)],
) -> Result<HashMap<OrderId, Vec<RedeemedCoupon>>> {
    let mut found: HashMap<OrderId, Vec<RedeemedCoupon>> = HashMap::new();
    if orders.is_empty() {
        return Ok(found);
    }
    let rows = tx
        .conn
        .rows::<(Id, Id, Text, BigInt), (OrderId, CouponId, String, i64)>(
            "SELECT r.order_id, r.coupon_id, c.code, r.amount
             FROM ? AS x JOIN coupon_redemptions r ON r.order_id = x.id JOIN coupons c ON c.id = r.coupon_id
             ORDER BY r.order_id, r.coupon_id",
            params![Batch::ids(orders.iter().map(|(id, _)| id.uuid()))],
        )?;
    for (order, coupon_id, code, amount) in rows {
        let Some((_, currency)) = orders.iter().find(|(id, _)| *id == order) else {
            continue;
        };
        let discount = Money {
            amount,
            currency: *currency,
        };
        found.entry(order).or_default().push(RedeemedCoupon {
            coupon_id,
            code,
            discount,
        });
    }
    Ok(found)
}
