//! What spans several domains: from a cart to an order, and back.
//!
//! ```text
//! startCheckout   freezes the quote, holds the stock, records the payment's intent           one transaction
//! placeOrder      a local provider decides and the order is written                          one transaction
//!                 or: the checkout is `paying` → the provider is asked → the order           two, and a call between
//! ```
//!
//! A cart becomes an order exactly once: its checkout leaves `open` once, its row leaves `open` once, and the database has one
//! order for a cart. What a crash leaves behind is finished by jobs: a checkout that ran out gives its stock back, a payment
//! of which nobody knows is looked up and its order placed after all.

mod cancel_order;
mod checkouts;
mod place_order;
mod reconcile;
mod start_checkout;

pub use cancel_order::CancelOrder;
pub use checkouts::{Checkout, CheckoutStatus};
pub use place_order::{PlaceOrder, Placement, PlacementOutcome};
pub use reconcile::{expire, reconcile};
pub use start_checkout::StartCheckout;

use crate::auth::{Access, Scope};
use crate::domain::orders::Order;
use crate::kernel::ids::CartId;

crate::operations! {
    queries FlowQueries {
        /// Finds the latest checkout of a cart.
        checkout(cart_id: CartId): GetCheckout => Checkout,
            GET "/carts/{cartId}/checkout", Access::storefront_or(Scope::CartsRead);
    }
    mutations FlowMutations {
        /// Freezes a cart's quote, holds its stock for some minutes, and opens its payment. Started again, it takes the place
        /// of the checkout before.
        start_checkout: StartCheckout => Checkout,
            POST "/carts/{cartId}/checkout", Access::storefront_or(Scope::CartsWrite), [Created, Keyed];
        /// Calls off an order, or units of its lines: gives back the stock and the money.
        cancel_order: CancelOrder => Order, POST "/orders/{id}/cancel", Access::scope(Scope::OrdersWrite), [Keyed];
    }
    flows OrderFlows {
        /// Turns a cart's checkout into an order, exactly once: asked again, it answers with the same order. A cart that has
        /// changed since its checkout was started is refused. The outcome says
        /// whether it is `placed`, or what is in between.
        place_order: PlaceOrder => Placement,
            POST "/carts/{cartId}/place-order", Access::storefront_or(Scope::CartsWrite), [Keyed];
    }
}
