//! Whether a coupon applies to a cart, and what it takes off. Pure.

use super::model::{CouponRow, CouponStatus};
use crate::kernel::ids::{ChannelId, CouponId};
use crate::kernel::money::{Discount, OrderDiscount, Rate};
use crate::kernel::{Currency, Money, Result, Timestamp};

/// A coupon that was entered, and how often its shopper has used it before.
#[derive(Clone, Debug)]
pub struct Presented {
    pub(super) coupon: CouponRow,
    pub(super) used_by_customer: i64,
}

/// What a coupon is to apply to.
#[derive(Clone, Copy, Debug)]
pub struct Purchase {
    /// The channel.
    pub channel: ChannelId,
    /// The currency.
    pub currency: Currency,
    /// What the goods cost, before anything is taken off.
    pub goods: i64,
    /// When.
    pub now: Timestamp,
}

/// Why a coupon does not apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Somebody has stopped it.
    Disabled,
    /// Its time has not come.
    NotStarted,
    /// Its time is over.
    Ended,
    /// It is for other channels.
    OtherChannel,
    /// It is for another currency.
    OtherCurrency,
    /// The goods cost less than they must.
    BelowMinimum,
    /// As many orders use it as may.
    UsedUp,
    /// As many orders of the customer's use it as may.
    UsedByCustomer,
}

impl Presented {
    /// The coupon's id.
    pub fn id(&self) -> CouponId {
        self.coupon.id
    }

    /// The coupon's code.
    pub fn code(&self) -> &str {
        &self.coupon.code
    }

    /// Why it does not apply to a purchase, and how a person is told.
    pub fn obstacle(&self, purchase: &Purchase) -> Option<(Obstacle, String)> {
        let (coupon, code) = (&self.coupon, self.code());
        let channels = &coupon.channel_ids;
        let said =
            |obstacle, message: &str| Some((obstacle, format!("The coupon {code} {message}.")));
        if coupon.status == CouponStatus::Disabled {
            return said(Obstacle::Disabled, "was stopped");
        }
        if coupon.starts_at.is_some_and(|at| at > purchase.now) {
            return said(Obstacle::NotStarted, "cannot be used yet");
        }
        if coupon.ends_at.is_some_and(|at| at <= purchase.now) {
            return said(Obstacle::Ended, "has ended");
        }
        if !channels.is_empty() && !channels.contains(&purchase.channel) {
            return said(Obstacle::OtherChannel, "is not for this channel");
        }
        if coupon
            .currency
            .is_some_and(|currency| currency != purchase.currency)
        {
            return said(Obstacle::OtherCurrency, "is for another currency");
        }
        if let Some(minimum) = coupon.minimum.filter(|minimum| purchase.goods < *minimum) {
            let minimum = Money {
                amount: minimum,
                currency: purchase.currency,
            };
            let message = format!("is for goods of {minimum} and more");
            return said(Obstacle::BelowMinimum, &message);
        }
        self.limit_reached()
            .and_then(|obstacle| said(obstacle, "has been used as often as it may be"))
    }

    /// Whether it has been used as often as it may be, by all or by the customer.
    pub fn limit_reached(&self) -> Option<Obstacle> {
        let (coupon, own) = (&self.coupon, self.used_by_customer);
        if coupon.usage_limit.is_some_and(|limit| coupon.used >= limit) {
            return Some(Obstacle::UsedUp);
        }
        let limit = coupon.usage_limit_per_customer;
        limit
            .is_some_and(|limit| own >= limit)
            .then_some(Obstacle::UsedByCustomer)
    }

    /// What it takes off the goods of a purchase that it applies to.
    pub fn discount(&self) -> Result<OrderDiscount> {
        let coupon = &self.coupon;
        let rate = || Rate::from_parts_per_million(coupon.basis_points.unwrap_or_default() * 100);
        let discount = match (coupon.amount, coupon.max_amount) {
            (Some(amount), _) => Discount::Fixed(amount),
            (None, Some(most)) => Discount::PercentUpTo(rate()?, most),
            (None, None) => Discount::Percent(rate()?),
        };
        Ok(OrderDiscount {
            discount,
            covers_shipping: false,
        })
    }
}
