//! Using coupons: what a cart presents, and what an order uses up.

use std::collections::HashMap;

use super::model::CouponRow;
use super::queries;
use super::rules::{Obstacle, Presented};
use crate::context::Tx;
use crate::kernel::ids::{CouponId, OrderId};
use crate::kernel::{Code, Email, Error, FieldError, Result};

/// An order's use of a coupon.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// The coupon.
    pub coupon_id: CouponId,
    /// What it takes off, in minor units.
    pub amount: i64,
    /// The place of the coupon in its cart.
    pub place: usize,
}

/// The coupons that a cart presents, in its order: two statements, none where it presents none.
pub fn presented(
    tx: &mut Tx<'_>,
    ids: &[CouponId],
    email: Option<&Email>,
) -> Result<Vec<Presented>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = queries::get_many(tx, ids)?;
    found.sort_by_key(|coupon| ids.iter().position(|id| *id == coupon.id));
    let limited = found.iter().any(|c| c.usage_limit_per_customer.is_some());
    let own = match email.filter(|_| limited) {
        Some(email) => queries::uses_of(tx, ids, email)?,
        None => HashMap::new(),
    };
    let present = |coupon: CouponRow| Presented {
        used_by_customer: own.get(&coupon.id).copied().unwrap_or_default(),
        coupon,
    };
    Ok(found.into_iter().map(present).collect())
}

/// Refuses where a coupon has been used up, as far as can be seen without a lock: before anybody is asked for money.
pub fn refuse_used_up(tx: &mut Tx<'_>, uses: &[Use], email: &Email) -> Result<()> {
    let ids: Vec<CouponId> = uses.iter().map(|one| one.coupon_id).collect();
    let presented = presented(tx, &ids, Some(email))?;
    let refusal = |(one, coupon): (&Use, &Presented)| Some(used_up(one, coupon.limit_reached()?));
    match uses.iter().zip(&presented).find_map(refusal) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Has an order use coupons, or refuses and leaves it to the caller that nothing is kept. Three statements a coupon.
pub fn redeem(tx: &mut Tx<'_>, order: OrderId, email: &Email, uses: &[Use]) -> Result<()> {
    let mut uses = uses.to_vec();
    // Locks are always taken in this order.
    uses.sort_by_key(|one| one.coupon_id);
    for one in &uses {
        let id = one.coupon_id;
        if !queries::count_use(tx, id)? {
            return Err(used_up(one, Obstacle::UsedUp));
        }
        if !queries::count_use_by(tx, id, email)? {
            return Err(used_up(one, Obstacle::UsedByCustomer));
        }
        queries::insert_redemption(tx, order, id, email, one.amount)?;
    }
    Ok(())
}

fn used_up(one: &Use, obstacle: Obstacle) -> Error {
    let code = if obstacle == Obstacle::UsedByCustomer {
        "coupon_used_by_customer"
    } else {
        "coupon_used_up"
    };
    let detail = "The coupon has been used as often as it may be; take it out of the cart and start the checkout again.";
    let field = FieldError::new(format!("/coupons/{}", one.place), code, detail);
    Error::new(Code::CouponUsedUp, detail).with(vec![field])
}
