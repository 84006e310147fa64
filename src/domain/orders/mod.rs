//! Orders: what was sold, to whom, for how much, and what became of it.
//!
//! An order is written once, by `placeOrder`, and its lines keep every step of their arithmetic. Its axes are independent:
//! `status` is stored, how it is paid follows from its payment's events. Cancelling a line gives back that line's own share,
//! as it was fixed at placement; nothing is ever spread again.
//!
//! ```text
//! open ──cancel everything──▶ cancelled
//!   └────everything done────▶ completed
//! ```

mod holds;
mod model;
mod numbering;
mod operations;
mod queries;
mod shares;

pub use holds::{
    HoldOrder, HoldReason, OrderHold, ReleaseOrder, place as place_hold, refuse_held,
    release as release_holds, waiting,
};
pub use model::{
    Order, OrderAction, OrderLine, OrderLineKind, OrderLineRow, OrderPaymentStatus, OrderRow,
    OrderStatus, OrderTotals, ShippingChoice,
};
pub use numbering::scattered;
pub use queries::{
    Allocation, Given, History, allocations_of, cancel_lines, find, find_for_checkout,
    for_checkout, get, get_many, history, hold_back, id_for_checkout, insert, insert_allocations,
    insert_lines, lines_of, lock, note, put_on_terms, refund_lines, row, take_back,
};
pub use shares::{OrderLineUnits, Share, check_request, to_cancel, to_capture, to_refund};

use crate::auth::{Access, Scope};
use crate::kernel::ids::{ChannelId, OrderEventId, OrderId};
use crate::kernel::{Document, Email, Page, Timestamp};

crate::operations! {
    queries OrderQueries {
        /// Finds an order with its lines and payment. A shop front sends the token of the cart it was made of.
        order(id: OrderId): GetOrder => Option<Order>, GET "/orders/{id}", Access::storefront_or(Scope::OrdersRead);
        /// Lists orders, newest first.
        orders(channel_id: Option<ChannelId>, status: Option<OrderStatus>, number: Option<String>, email: Option<Email>,
               reference: Option<String>, #[serde(rename = "limit")] first: Option<i64>, after: Option<String>): ListOrders => Page<Order>,
            GET "/orders", Access::scope(Scope::OrdersRead);
        /// Lists what happened to an order, oldest first.
        order_timeline(id: OrderId): GetOrderTimeline => Option<OrderTimeline>,
            GET "/orders/{id}/timeline", Access::storefront_or(Scope::OrdersRead);
    }
    mutations OrderMutations {
        /// Puts an order on hold by hand. Its money is not captured until it is released.
        hold_order: HoldOrder => Order, POST "/orders/{id}/hold", Access::scope(Scope::OrdersWrite);
        /// Releases an order that was put on hold by hand.
        release_order: ReleaseOrder => Order, POST "/orders/{id}/release", Access::scope(Scope::OrdersWrite);
    }
}

crate::output! {
    /// What happened to an order.
    OrderTimeline {
        /// The entries, oldest first.
        entries: Vec<TimelineEntry>,
    }
    /// Something that happened to an order.
    TimelineEntry {
        /// Its id; null for the placement, which the order itself tells.
        #[schema(required = true)]
        id: Option<OrderEventId>,
        /// What happened: `placed`, `lines_cancelled`, `cancelled`, `payment_captured`, `capture_failed`, `payment_voided`,
        /// `void_failed`, `authorization_expiring`, `authorization_expired`, `payment_refunded`, `refund_failed`, `payment_recorded`, `refund_due`, `payment_link_created`, `hold_placed`,
        /// `hold_released`, and for staff alone `risk_assessed`, `risk_approved`, `risk_declined`.
        kind: String,
        /// What there is to know about it.
        data: Document,
        /// Who did it; null where the caller may not know.
        #[schema(required = true)]
        actor: Option<String>,
        /// When.
        at: Timestamp,
    }
}

impl crate::operation::Output for OrderTimeline {}
