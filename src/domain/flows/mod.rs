//! What spans several domains: from a cart to an order, and back.
//!
//! ```text
//! startCheckout   freezes the quote, holds the stock, records the payment                    one transaction
//!                 and, where the client confirms: → the provider opens a session → it is kept   two, and a call between
//! placeOrder      a local provider decides and the order is written                          one transaction
//!                 or: the checkout is `paying` → the provider is asked → the order           two, and a call between
//! capture, void, refund   the attempt is recorded → the provider is asked → it is ended       the same
//! ```
//!
//! What a provider says is taken up by one function, whoever brings it: the answer to a call, a webhook's job, the reconciler.
//! Money that no order is for is released by a job.
//!
//! A cart becomes an order exactly once: its checkout leaves `open` once, its row leaves `open` once, and the database has one
//! order for a cart. What a crash leaves behind is finished by jobs: a checkout that ran out gives its stock back, a payment
//! of which nobody knows is looked up and its order placed after all.

mod assess_order;
mod cancel_order;
mod checkouts;
mod move_money;
mod place_order;
mod reconcile;
mod release;
mod start_checkout;

pub use assess_order::{DeclineOrder, JOB as ASSESS, run as assess};
pub use cancel_order::CancelOrder;
pub use checkouts::{Checkout, CheckoutStatus};
pub use move_money::{CapturePayment, RecordManualPayment, RefundPayment, VoidPayment};
pub use place_order::{PlaceOrder, Placement, PlacementOutcome};
pub use reconcile::{NOTICE, expire, notice, receive, reconcile};
pub use release::{JOB as RELEASE, run as release};
pub use start_checkout::StartCheckout;

use crate::auth::{Access, Scope};
use crate::context::Tx;
use crate::domain::orders::{self, Order};
use crate::domain::payments::PaymentDetails;
use crate::domain::risk::RiskAssessment;
use crate::kernel::Result;
use crate::kernel::ids::{CartId, CheckoutId, OrderId};

/// The order that a checkout became.
fn order_of(tx: &mut Tx<'_>, checkout: CheckoutId) -> Result<Option<OrderId>> {
    orders::id_for_checkout(tx, checkout)
}

crate::operations! {
    queries FlowQueries {
        /// Finds the latest checkout of a cart.
        checkout(cart_id: CartId): GetCheckout => Checkout,
            GET "/carts/{cartId}/checkout", Access::storefront_or(Scope::CartsRead);
    }
    mutations FlowMutations {
        /// Records money that has come or gone by other ways than a provider's. The same reference is recorded once.
        record_manual_payment: RecordManualPayment => Order,
            POST "/orders/{orderId}/payments", Access::scope(Scope::PaymentsWrite), [Keyed];
        /// Calls off an order, or units of its lines: gives back the stock and the money, and the uses of coupons once
        /// nothing is left of it.
        cancel_order: CancelOrder => Order, POST "/orders/{id}/cancel", Access::scope(Scope::OrdersWrite), [Keyed];
        /// Says no to an order that is on hold for its risk: it is called off, stock and money go back.
        decline_order: DeclineOrder => RiskAssessment, POST "/orders/{id}/decline", Access::scope(Scope::RiskWrite), [Keyed];
    }
    flows OrderFlows {
        /// Freezes a cart's quote, holds its stock for some minutes, and opens its payment. Started again, it takes the place
        /// of the checkout before.
        start_checkout: StartCheckout => Checkout,
            POST "/carts/{cartId}/checkout", Access::storefront_or(Scope::CartsWrite), [Created, Keyed];
        /// Turns a cart's checkout into an order, exactly once: asked again, it answers with the same order. A cart that has
        /// changed since its checkout was started is refused. The outcome says
        /// whether it is `placed`, or what is in between.
        place_order: PlaceOrder => Placement,
            POST "/carts/{cartId}/place-order", Access::storefront_or(Scope::CartsWrite), [Keyed];
        /// Takes reserved money: all of it or a part, at most what is reserved.
        capture_payment: CapturePayment => PaymentDetails,
            POST "/payments/{id}/capture", Access::scope(Scope::PaymentsWrite), [Keyed];
        /// Lets go of all that is reserved and not captured.
        void_payment: VoidPayment => PaymentDetails,
            POST "/payments/{id}/void", Access::scope(Scope::PaymentsWrite), [Keyed];
        /// Sends money back: all of it or a part, at most what was captured and has not gone back.
        refund_payment: RefundPayment => PaymentDetails,
            POST "/payments/{id}/refund", Access::scope(Scope::PaymentsWrite), [Keyed];
    }
}
