use super::model::Order;
use super::{GetOrder, GetOrderTimeline, ListOrders, OrderTimeline, queries};
use crate::context::Tx;
use crate::kernel::page::{PageRequest, Position, SortKey};
use crate::kernel::{Checks, Page, Result};
use crate::operation::Query;

impl Query for GetOrder {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Order> {
        queries::get(tx, self.id)
    }
}

impl Query for ListOrders {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<Order>> {
        Checks::new().email("/email", self.email.as_ref()).done()?;
        let page = PageRequest::new(
            &tx.app().cursors,
            "orders",
            self.first,
            self.after.as_deref(),
        )?;
        let rows = queries::list(tx, self, &page)?;
        page.page(
            rows,
            |order| Position {
                key: SortKey::Id,
                id: order.id.uuid(),
            },
            |rows| queries::complete(tx, rows),
        )
    }
}

impl Query for GetOrderTimeline {
    fn run(&self, tx: &mut Tx<'_>) -> Result<OrderTimeline> {
        queries::timeline(tx, self.id)
    }
}
