//! Carts: what a shopper wants, priced live.
//!
//! A cart belongs to a channel and to whoever has its token. Nothing of its amounts is stored: a [`Quote`] is made of it at
//! every look, with today's prices, taxes, shipping rates and stock, and says per line and per coupon what stands in the
//! way. Every change raises the version; `startCheckout` freezes a quote.

mod address;
mod coupons;
mod lines;
mod model;
mod operations;
mod queries;
mod quote;
mod validation;

pub use address::Address;
pub use coupons::{ApplyCoupon, RemoveCoupon};
pub use lines::{AddCartLines, RemoveCartLines, UpdateCartLines};
pub use model::{
    Cart, CartCoupon, CartLine, CartProblem, CartProblemCode, CartStatus, CartTotals, CreateCart,
    LineTax, NewCart, NewCartLine, OrderSource, UpdateCart,
};
pub use operations::quote_of;
pub use queries::{CartLineRow, CartRow, find, lines_of, lock, mark_ordered};
pub use quote::{Amounts, Quote, QuoteCoupon, QuoteLine, QuoteShipping, left};
pub use validation::{AddressMessage, ValidateAddress, ValidatedAddress};

use crate::auth::{Access, Scope};
use crate::kernel::ids::CartId;

crate::operations! {
    queries CartQueries {
        /// Finds a cart with its live totals. A shop front sends the cart's token.
        cart(id: CartId): GetCart => Option<Cart>, GET "/carts/{id}", Access::storefront_or(Scope::CartsRead);
    }
    mutations CartMutations {
        /// Creates a cart, with lines, e-mail, addresses and delivery if they are known already. Only the same
        /// request with the same `Idempotency-Key` shows its token again.
        create_cart: CreateCart => NewCart, POST "/carts", Access::storefront_or(Scope::CartsWrite), [Created, Secret];
        /// Changes what is not a line: e-mail, addresses, delivery, reference. What is left out stays.
        update_cart: UpdateCart => Cart, PATCH "/carts/{id}", Access::storefront_or(Scope::CartsWrite);
        /// Adds units. A variant that is in the cart already gets more of them.
        add_cart_lines: AddCartLines => Cart, POST "/carts/{cartId}/lines", Access::storefront_or(Scope::CartsWrite);
        /// Sets the quantities of lines.
        update_cart_lines: UpdateCartLines => Cart, PATCH "/carts/{cartId}/lines", Access::storefront_or(Scope::CartsWrite);
        /// Takes lines out.
        remove_cart_lines: RemoveCartLines => Cart, POST "/carts/{cartId}/lines/remove", Access::storefront_or(Scope::CartsWrite);
        /// Takes a coupon out.
        remove_coupon: RemoveCoupon => Cart, POST "/carts/{cartId}/coupons/remove", Access::storefront_or(Scope::CartsWrite);
    }
    flows CartFlows {
        /// Enters a coupon's code. A cart has one coupon at most. A code that is none is refused; after ten of them the
        /// cart takes none for a quarter of an hour.
        apply_coupon: ApplyCoupon => Cart, POST "/carts/{cartId}/coupons", Access::storefront_or(Scope::CartsWrite);
        /// Says whether something can be sent to an address, what is missing or cannot be, and how it is usually written.
        validate_address: ValidateAddress => ValidatedAddress, POST "/addresses/validate", Access::storefront_or(Scope::CartsRead), [Secret];
    }
}
