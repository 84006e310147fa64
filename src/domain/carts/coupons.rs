//! Coupons of a cart. What one takes off, and whether it still applies, is asked anew at every look.

use super::model::Cart;
use super::operations::quote_of;
use super::queries;
use crate::context::{Cx, Tx};
use crate::domain::coupons::{self, GUESSES};
use crate::input;
use crate::kernel::ids::CartId;
use crate::kernel::{Error, Result};
use crate::operation::guesses::Guesses;
use crate::operation::{Answer, Flow, Mutation};

/// What is wrong with a code that no coupon has.
const UNKNOWN: &str = "unknown_code";
/// The most coupons of a cart. More would be taken off one after the other.
const MOST_COUPONS: usize = 1;

input! {
    /// Enters a coupon's code.
    ApplyCoupon {
        /// The cart.
        cart_id: CartId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// The code, in upper or lower case.
        code: String,
    }
    /// Takes a coupon out of a cart.
    RemoveCoupon {
        /// The cart.
        cart_id: CartId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// The coupon's code, in upper or lower case.
        code: String,
    }
}

impl Flow for ApplyCoupon {
    async fn run(self, cx: &Cx) -> Result<Answer<Cart>> {
        let guesses = cx.app.part::<Guesses>()?;
        let cart = Some(self.cart_id);
        guesses.check(cx, &GUESSES, cart).await?;
        let applied = cx.settle(move |tx| self.apply(tx)).await;
        if let Err(error) = &applied {
            let wrong = error.fields.iter().filter(|f| f.code == UNKNOWN);
            guesses.wrong(cx, &GUESSES, cart, wrong.count())?;
        }
        applied
    }
}

impl ApplyCoupon {
    /// Puts the coupon in, unless it does not apply to the cart as it is.
    fn apply(&self, tx: &mut Tx<'_>) -> Result<Cart> {
        let mut cart = queries::lock_open(tx, self.cart_id, self.expected_version)?;
        let found = coupons::find_by_code(tx, &self.code)?;
        let id = found.ok_or_else(|| {
            Error::invalid("/code", UNKNOWN, "There is no coupon with this code.")
        })?;
        if !cart.coupons.contains(&id) {
            if cart.coupons.len() >= MOST_COUPONS {
                let message = "A cart has one coupon; take that out first.";
                return Err(Error::invalid("/code", "too_many", message));
            }
            cart.coupons.0.push(id);
            queries::save(tx, &mut cart)?;
        }
        let lines = queries::lines_of(tx, cart.id)?;
        let (quote, _) = quote_of(tx, &cart, &lines)?;
        let own = quote.coupons.iter().find(|coupon| coupon.id == id);
        if let Some(problem) = own.and_then(|coupon| coupon.problems.first()) {
            let message = problem.message.as_str();
            return Err(Error::invalid("/code", problem.code.as_str(), message));
        }
        Ok(quote.into_cart(cart, tx.actor()))
    }
}

impl Mutation for RemoveCoupon {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Cart> {
        let mut cart = queries::lock_open(tx, self.cart_id, self.expected_version)?;
        let found = coupons::find_by_code(tx, &self.code)?;
        let Some(id) = found.filter(|id| cart.coupons.contains(id)) else {
            let message = "There is no such coupon in the cart.";
            return Err(Error::invalid("/code", "not_in_cart", message));
        };
        cart.coupons.0.retain(|other| *other != id);
        queries::save(tx, &mut cart)?;
        let lines = queries::lines_of(tx, cart.id)?;
        Ok(quote_of(tx, &cart, &lines)?.0.into_cart(cart, tx.actor()))
    }
}
