//! What spans several domains: from a cart to an order, and back.
//!
//! ```text
//! startCheckout   freezes the quote, holds the stock, records the payment                    one transaction
//!                 and, where the client confirms: → the provider opens a session → it is kept   two, and a call between
//! placeOrder      a local provider decides and the order is written                          one transaction
//!                 or: the checkout is `paying` → the provider is asked → the order           two, and a call between
//! capture, void, refund   the attempt is recorded → the provider is asked → it is ended       the same
//! payPaymentLink, reauthorizePayment   a payment more is recorded → the provider is asked →
//!                 it stands, and what it takes the place of is let go                        the same
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
mod capture;
mod checkouts;
mod expiring;
mod later_payments;
mod move_money;
mod overpaid;
mod payment_links;
mod place_order;
mod reauthorize;
mod reconcile;
mod refund;
mod release;
mod start_checkout;
mod unpaid;

pub use assess_order::{DeclineOrder, JOB as ASSESS, run as assess};
pub use cancel_order::CancelOrder;
pub use capture::CapturePayment;
pub use checkouts::{Checkout, CheckoutStatus};
pub use expiring::{JOB as EXPIRING, run as expiring};
pub use move_money::{RecordManualPayment, VoidPayment};
pub use payment_links::{
    CreatePaymentLink, DisablePaymentLink, LinkPayment, LinkPaymentOutcome, NewPaymentLink,
    PayPaymentLink, PaymentLink, PaymentLinkStatus,
};
pub use place_order::{PlaceOrder, Placement, PlacementOutcome, ProcessPayment};
pub use reauthorize::{JOB as REAUTHORIZE, ReauthorizePayment, run as reauthorize};
pub use reconcile::{NOTICE, expire, notice, receive, reconcile};
pub use refund::{RefundPayment, SuggestRefund, SuggestedRefund};
pub use release::{JOB as RELEASE, run as release};
pub use start_checkout::StartCheckout;
pub use unpaid::{JOB as UNPAID, run as unpaid};

use std::time::Duration;

use crate::auth::{Access, Scope};
use crate::domain::orders::Order;
use crate::domain::payments::PaymentDetails;
use crate::domain::risk::RiskAssessment;
use crate::kernel::ids::CartId;

/// After how long somebody asks a provider whose answer was lost.
const ASK_AFTER: Duration = Duration::from_mins(2);

crate::operations! {
    queries FlowQueries {
        /// Finds the latest checkout of a cart.
        checkout(cart_id: CartId): GetCheckout => Option<Checkout>,
            GET "/carts/{cartId}/checkout", Access::storefront_or(Scope::CartsRead);
        /// Finds the payment link with this token, and what is still to be paid.
        payment_link(token: String): GetPaymentLink => Option<PaymentLink>,
            GET "/payment-links/{token}", Access::storefront_or(Scope::PaymentsRead);
    }
    mutations FlowMutations {
        /// Records money that has come or gone by other ways than a provider's. The same reference is recorded once.
        record_manual_payment: RecordManualPayment => Order,
            POST "/orders/{orderId}/payments", Access::scope(Scope::PaymentsWrite), [Keyed];
        /// Makes a link by which an order is paid that was placed before. Only the same request with the same
        /// `Idempotency-Key` shows its token again.
        create_payment_link: CreatePaymentLink => NewPaymentLink,
            POST "/orders/{orderId}/payment-links", Access::scope(Scope::PaymentsWrite), [Created, Secret];
        /// Takes a payment link back. Taken back twice, nothing changes.
        disable_payment_link: DisablePaymentLink => PaymentLink,
            POST "/payment-links/{id}/disable", Access::scope(Scope::PaymentsWrite);
        /// Says what units of an order's lines come to when their money goes back, and by which payments it can. Changes
        /// nothing.
        suggest_refund: SuggestRefund => SuggestedRefund,
            POST "/orders/{id}/suggest-refund", Access::scope(Scope::PaymentsRead);
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
        /// Goes on after the shopper has acted: reads at the provider what became of the payment, and turns the checkout into
        /// an order where the money is reserved or taken. Asks for money only where the shopper has approved just that at the
        /// provider.
        process_payment: ProcessPayment => Placement,
            POST "/carts/{cartId}/process-payment", Access::storefront_or(Scope::CartsWrite), [Keyed];
        /// Pays what is still due of an order, with a link's token; the money is taken at once. Asked again, it goes on with
        /// the same payment.
        pay_payment_link: PayPaymentLink => LinkPayment,
            POST "/payment-links/{token}/pay", Access::storefront_or(Scope::PaymentsWrite), [Keyed];
        /// Takes reserved money: all of it, a part, or what the units of a shipment come to; at most what is reserved.
        capture_payment: CapturePayment => PaymentDetails,
            POST "/payments/{id}/capture", Access::scope(Scope::PaymentsWrite), [Keyed];
        /// Lets go of all that is reserved and not captured.
        void_payment: VoidPayment => PaymentDetails,
            POST "/payments/{id}/void", Access::scope(Scope::PaymentsWrite), [Keyed];
        /// Reserves a payment's money anew with a saved payment method, because the reservation runs out or has run out. The
        /// answer is the new payment; the old one is let go once the new one stands.
        reauthorize_payment: ReauthorizePayment => PaymentDetails,
            POST "/payments/{id}/reauthorize", Access::scope(Scope::PaymentsWrite), [Keyed];
        /// Sends money back: all of it, a part, or what units of the order's lines come to; at most what was captured and
        /// has not gone back.
        refund_payment: RefundPayment => PaymentDetails,
            POST "/payments/{id}/refund", Access::scope(Scope::PaymentsWrite), [Keyed];
    }
}
