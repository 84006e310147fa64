use diesel::prelude::*;

use super::holds::OrderHold;
use crate::auth::Actor;
use crate::domain::carts::{Address, LineTax, OrderSource};
use crate::domain::coupons::RedeemedCoupon;
use crate::domain::payments::{Payment, PaymentStatus};
use crate::kernel::ids::{
    CartId, ChannelId, CheckoutId, OrderId, OrderLineId, ShippingMethodId, VariantId,
};
use crate::kernel::money::{Rounding, TaxPer};
use crate::kernel::state::Lifecycle;
use crate::kernel::{Currency, Document, Email, Json, Metadata, Money, Timestamp};
use crate::operation::Output;
use crate::schema::{order_lines, orders};
use crate::{choice, output};

choice! {
    /// Where an order stands.
    OrderStatus {
        /// Something is still to be done.
        Open = "open",
        /// Everything is done.
        Completed = "completed",
        /// All of it was called off.
        Cancelled = "cancelled",
    }
}

impl Lifecycle for OrderStatus {
    const SUBJECT: &str = "order";
    const TRANSITIONS: &[(Self, Self)] =
        &[(Self::Open, Self::Completed), (Self::Open, Self::Cancelled)];
}

choice! {
    /// What a line is of.
    OrderLineKind {
        /// Goods.
        Goods = "goods",
        /// Delivery.
        Shipping = "shipping",
    }
}

choice! {
    /// How far an order is paid; it follows from its payments.
    OrderPaymentStatus {
        /// Nothing is reserved and nothing has come.
        Pending = "pending",
        /// The money will come by itself.
        Awaited = "awaited",
        /// The money is reserved.
        Authorized = "authorized",
        /// A part has come.
        PartiallyPaid = "partially_paid",
        /// All has come.
        Paid = "paid",
        /// A part of what had come went back.
        PartiallyRefunded = "partially_refunded",
        /// All that had come went back.
        Refunded = "refunded",
        /// It was let go before it came.
        Cancelled = "cancelled",
    }
}

impl OrderPaymentStatus {
    /// Follows from what is due, in minor units, and the payments.
    fn of(due: i64, payments: &[Payment]) -> Self {
        let sum = |part: fn(&Payment) -> Money| {
            let parts = payments.iter().map(|p| part(p).amount);
            parts.fold(0_i64, i64::saturating_add)
        };
        let captured = sum(|p| p.captured);
        let back = sum(|p| p.refunded).saturating_add(sum(|p| p.charged_back));
        let has = |status| payments.iter().any(|p| p.status == status);
        if captured > 0 && back >= captured {
            Self::Refunded
        } else if captured > 0 && back > 0 {
            Self::PartiallyRefunded
        } else if captured > 0 && captured >= due {
            Self::Paid
        } else if captured > 0 {
            Self::PartiallyPaid
        } else if due == 0 && payments.is_empty() {
            Self::Paid
        } else if has(PaymentStatus::Authorized) {
            Self::Authorized
        } else if has(PaymentStatus::Awaited) {
            Self::Awaited
        } else if has(PaymentStatus::Cancelled) || has(PaymentStatus::Expired) {
            Self::Cancelled
        } else {
            Self::Pending
        }
    }
}

choice! {
    /// What may be done with an order next.
    OrderAction {
        /// Call off what is left of it.
        Cancel = "cancel",
    }
}

/// An order as the database has it.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = orders)]
#[diesel(treat_none_as_default_value = false)]
#[allow(missing_docs)]
pub struct OrderRow {
    pub id: OrderId,
    pub number: String,
    pub sequence: Option<i64>,
    pub channel_id: ChannelId,
    pub cart_id: CartId,
    pub checkout_id: CheckoutId,
    pub status: OrderStatus,
    pub source: OrderSource,
    pub reference: Option<String>,
    pub email: Email,
    pub shipping_address: Option<Json<Address>>,
    pub billing_address: Option<Json<Address>>,
    pub shipping_method: Option<Json<ShippingChoice>>,
    pub placed_by: String,
    pub currency: Currency,
    pub prices_include_tax: bool,
    pub rounding: Rounding,
    pub tax_per: TaxPer,
    pub goods_total: i64,
    pub discount_total: i64,
    pub shipping_total: i64,
    pub tax_total: i64,
    pub grand_total: i64,
    pub cancelled_total: i64,
    pub metadata: Json<Metadata>,
    pub version: i64,
    pub placed_at: Timestamp,
    pub updated_at: Timestamp,
    pub cancelled_at: Option<Timestamp>,
    /// The SHA-256 of the token of its cart, with which the shopper sees it.
    pub token_hash: Vec<u8>,
    /// When its invoice is to be paid.
    pub due_at: Option<Timestamp>,
}

/// A line as the database has it.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = order_lines)]
#[allow(missing_docs)]
pub struct OrderLineRow {
    pub id: OrderLineId,
    pub order_id: OrderId,
    pub position: i64,
    pub kind: OrderLineKind,
    pub variant_id: Option<VariantId>,
    pub sku: String,
    pub title: String,
    pub quantity: i64,
    pub unit_price: i64,
    pub subtotal: i64,
    pub discount: i64,
    pub net: i64,
    pub taxes: Json<Vec<LineTax>>,
    pub tax: i64,
    pub total: i64,
    pub quantity_cancelled: i64,
    pub quantity_refunded: i64,
}

output! {
    /// The way of delivery an order was placed with.
    ShippingChoice {
        /// The method.
        method_id: ShippingMethodId,
        /// Its handle.
        handle: String,
        /// What it was called.
        name: String,
    }
    /// What was sold, to whom, for how much.
    Order {
        /// Its id.
        id: OrderId,
        /// Its number, unique in the channel.
        number: String,
        /// The channel it was placed in.
        channel_id: ChannelId,
        /// The cart it was made of.
        cart_id: CartId,
        /// Where it stands.
        status: OrderStatus,
        /// Where it came from.
        source: OrderSource,
        /// The caller's own reference.
        #[schema(required = true)]
        reference: Option<String>,
        /// The shopper's e-mail address.
        email: Email,
        /// Where it goes.
        #[schema(required = true)]
        shipping_address: Option<Address>,
        /// Who pays; the shipping address where null.
        #[schema(required = true)]
        billing_address: Option<Address>,
        /// The way of delivery.
        #[schema(required = true)]
        shipping_method: Option<ShippingChoice>,
        /// The currency of all its amounts.
        currency: Currency,
        /// Whether its prices contain the tax.
        prices_include_tax: bool,
        /// Its lines, the delivery last.
        lines: Vec<OrderLine>,
        /// The coupons that took something off.
        coupons: Vec<RedeemedCoupon>,
        /// What it cost; sums of its lines.
        totals: OrderTotals,
        /// How far it is paid.
        payment_status: OrderPaymentStatus,
        /// How it is paid, in the order in which that began.
        payments: Vec<Payment>,
        /// What may be done with it next.
        allowed_actions: Vec<OrderAction>,
        /// What keeps it from going on, and what did, oldest first.
        holds: Vec<OrderHold>,
        /// Free data of the shop's own, which shop fronts see.
        metadata: Document,
        /// Free data of the shop's own that shop fronts do not see; null for a publishable key.
        #[schema(required = true)]
        private_metadata: Option<Document>,
        /// Raised by every change.
        version: i64,
        /// When it was placed.
        placed_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
        /// When it was called off.
        #[schema(required = true)]
        cancelled_at: Option<Timestamp>,
        /// When its invoice is to be paid; null where it is not on credit terms.
        #[schema(required = true)]
        due_at: Option<Timestamp>,
    }
    /// A line of an order.
    #[graphql(complex)]
    OrderLine {
        /// Its id.
        id: OrderLineId,
        /// Goods or delivery.
        kind: OrderLineKind,
        /// The variant, of goods.
        #[schema(required = true)]
        variant_id: Option<VariantId>,
        /// Its SKU; the handle of the way of delivery.
        sku: String,
        /// What it was called.
        title: String,
        /// Units.
        quantity: i64,
        /// Of these, called off.
        quantity_cancelled: i64,
        /// Units whose money went back without being called off, or is about to.
        quantity_refunded: i64,
        /// What one cost, as the channel priced.
        unit_price: Money,
        /// Unit price × quantity.
        subtotal: Money,
        /// What was taken off.
        discount: Money,
        /// What was taxed.
        net: Money,
        /// The tax.
        tax: Money,
        /// The tax, rate by rate.
        taxes: Vec<LineTax>,
        /// Net and tax.
        total: Money,
    }
    /// What an order cost.
    OrderTotals {
        /// The goods' subtotals.
        goods: Money,
        /// What was taken off.
        discount: Money,
        /// Delivery, as the channel priced.
        shipping: Money,
        /// All tax, that of delivery too.
        tax: Money,
        /// What was to be paid.
        total: Money,
        /// Of that, called off.
        cancelled: Money,
    }
}

impl Output for Order {
    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

impl Order {
    /// The order as the caller sees it, before anybody has put it on hold, and without its coupons.
    pub fn new(
        row: OrderRow,
        lines: Vec<OrderLineRow>,
        payments: Vec<Payment>,
        actor: &Actor,
    ) -> Self {
        let currency = row.currency;
        let money = |amount| Money { amount, currency };
        let lines: Vec<OrderLine> = lines
            .into_iter()
            .map(|line| OrderLine {
                id: line.id,
                kind: line.kind,
                variant_id: line.variant_id,
                sku: line.sku,
                title: line.title,
                quantity: line.quantity,
                quantity_cancelled: line.quantity_cancelled,
                quantity_refunded: line.quantity_refunded,
                unit_price: money(line.unit_price),
                subtotal: money(line.subtotal),
                discount: money(line.discount),
                net: money(line.net),
                tax: money(line.tax),
                taxes: line.taxes.0,
                total: money(line.total),
            })
            .collect();
        let allowed_actions = if row.status == OrderStatus::Open {
            vec![OrderAction::Cancel]
        } else {
            Vec::new()
        };
        Self {
            id: row.id,
            number: row.number,
            channel_id: row.channel_id,
            cart_id: row.cart_id,
            status: row.status,
            source: row.source,
            reference: row.reference,
            email: row.email,
            shipping_address: row.shipping_address.map(|a| a.0),
            billing_address: row.billing_address.map(|a| a.0),
            shipping_method: row.shipping_method.map(|m| m.0),
            currency,
            prices_include_tax: row.prices_include_tax,
            totals: OrderTotals {
                goods: money(row.goods_total),
                discount: money(row.discount_total),
                shipping: money(row.shipping_total),
                tax: money(row.tax_total),
                total: money(row.grand_total),
                cancelled: money(row.cancelled_total),
            },
            lines,
            coupons: Vec::new(),
            payment_status: OrderPaymentStatus::of(
                row.grand_total - row.cancelled_total,
                &payments,
            ),
            payments,
            allowed_actions,
            holds: Vec::new(),
            private_metadata: actor.private(row.metadata.0.private),
            metadata: row.metadata.0.public,
            version: row.version,
            placed_at: row.placed_at,
            updated_at: row.updated_at,
            cancelled_at: row.cancelled_at,
            due_at: row.due_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_an_order_s_life_is_in_the_table_or_refused() {
        for from in OrderStatus::ALL {
            for to in OrderStatus::ALL {
                let allowed = matches!(
                    (from, to),
                    (
                        OrderStatus::Open,
                        OrderStatus::Completed | OrderStatus::Cancelled
                    )
                );
                assert_eq!(from.check(*to).is_ok(), allowed, "{from} to {to}");
            }
        }
    }
}
