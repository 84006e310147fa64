//! Coupons: codes that take something off an order.
//!
//! A coupon takes a percentage or an amount off the goods of a cart, spread over its lines; delivery is left alone. Whether it
//! applies is asked anew at every look at a cart ([`Presented::obstacle`]); where it does not, it takes nothing off and stands
//! in the way of a checkout. A checkout that was started keeps what was taken off, even where the coupon ends or is disabled
//! in the meantime.
//!
//! Its uses are counted in the order's transaction ([`redeem`]), in all and by customer (an e-mail address, in any case), by
//! updates that refuse what is one too many: a checkout reserves none. An order is one use however often it is placed. An
//! order that is called off whole, at once or bit by bit, gives its use back ([`give_back`]); one of which something is left
//! does not. A coupon that takes nothing off is not used.

mod model;
mod operations;
mod queries;
mod redemption;
mod rules;

pub use model::{Coupon, CouponKind, CouponStatus, CreateCoupon, RedeemedCoupon, UpdateCoupon};
pub use queries::{find_by_code, give_back, of_orders};
pub use redemption::{Use, presented, redeem, refuse_used_up};
pub use rules::{Obstacle, Presented, Purchase};

use crate::auth::{Access, Scope};
use crate::kernel::Page;
use crate::kernel::ids::CouponId;
use crate::operation::guesses::Limit;

/// How many codes of a cart may be wrong.
pub const GUESSES: Limit = Limit {
    kind: "coupon",
    most: 10,
    exempt: Scope::CouponsRead,
};

crate::operations! {
    queries CouponQueries {
        /// Finds a coupon.
        coupon(id: CouponId): GetCoupon => Option<Coupon>, GET "/coupons/{id}", Access::scope(Scope::CouponsRead);
        /// Lists coupons, newest first: all, or those of a status, or the one with this code.
        coupons(status: Option<CouponStatus>, code: Option<String>, #[serde(rename = "limit")] first: Option<i64>,
                after: Option<String>): ListCoupons => Page<Coupon>,
            GET "/coupons", Access::scope(Scope::CouponsRead);
    }
    mutations CouponMutations {
        /// Creates a coupon that takes a percentage or an amount off.
        create_coupon: CreateCoupon => Coupon, POST "/coupons", Access::scope(Scope::CouponsWrite), [Created];
        /// Changes a coupon. What is left out stays; its code stays in any case. Checkouts that were started stay as they are.
        update_coupon: UpdateCoupon => Coupon, PATCH "/coupons/{id}", Access::scope(Scope::CouponsWrite);
    }
}
