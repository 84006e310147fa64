use super::Address;
use crate::domain::coupons::Obstacle;
use crate::domain::shipping::ShippingOption;
use crate::kernel::ids::{
    CartId, CartLineId, ChannelId, CouponId, ProductId, ShippingMethodId, VariantId,
};
use crate::kernel::money::{Minor, Rate};
use crate::kernel::{Currency, Document, Email, Money, Patch, Timestamp};
use crate::operation::Output;
use crate::{choice, input, output};

choice! {
    /// Where a cart stands.
    CartStatus {
        /// It can be changed.
        Open = "open",
        /// It became an order.
        Ordered = "ordered",
    }
}

choice! {
    /// Where an order came from.
    OrderSource {
        /// A web shop.
        Web = "web",
        /// An app.
        App = "app",
        /// A call.
        Phone = "phone",
        /// A counter.
        InPerson = "in_person",
        /// A marketplace.
        Marketplace = "marketplace",
        /// Another system.
        Api = "api",
    }
}

choice! {
    /// What stands in the way of an order.
    CartProblemCode {
        /// There is less than the line wants; `available` says how many.
        InsufficientStock = "insufficient_stock",
        /// The channel does not show the product, or has no price for it.
        NotAvailable = "not_available",
        /// There is nothing in the cart.
        Empty = "empty",
        /// No e-mail address is known.
        EmailMissing = "email_missing",
        /// There is no address, and something must be sent or the tax depends on the region.
        AddressMissing = "address_missing",
        /// The channel does not deliver to the country.
        CountryNotServed = "country_not_served",
        /// Nothing arrives at the address of delivery, or its tax cannot be told; `field` says why.
        AddressInvalid = "address_invalid",
        /// Nothing arrives at the address of billing, or its tax cannot be told; `field` says why.
        BillingAddressInvalid = "billing_address_invalid",
        /// Something must be sent and no way is chosen.
        DeliveryMissing = "delivery_missing",
        /// No way of delivery takes this cart there, or the chosen one does not.
        DeliveryNotAvailable = "delivery_not_available",
        /// Somebody has stopped the coupon.
        CouponDisabled = "coupon_disabled",
        /// The coupon's time has not come.
        CouponNotStarted = "coupon_not_started",
        /// The coupon's time is over.
        CouponEnded = "coupon_ended",
        /// The coupon is for other channels.
        CouponOtherChannel = "coupon_other_channel",
        /// The coupon is for another currency.
        CouponOtherCurrency = "coupon_other_currency",
        /// The goods cost less than the coupon asks for.
        CouponBelowMinimum = "coupon_below_minimum",
        /// The coupon has been used as often as it may be.
        CouponUsedUp = "coupon_used_up",
        /// The customer has used the coupon as often as one may.
        CouponUsedByCustomer = "coupon_used_by_customer",
    }
}

impl From<Obstacle> for CartProblemCode {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Disabled => Self::CouponDisabled,
            Obstacle::NotStarted => Self::CouponNotStarted,
            Obstacle::Ended => Self::CouponEnded,
            Obstacle::OtherChannel => Self::CouponOtherChannel,
            Obstacle::OtherCurrency => Self::CouponOtherCurrency,
            Obstacle::BelowMinimum => Self::CouponBelowMinimum,
            Obstacle::UsedUp => Self::CouponUsedUp,
            Obstacle::UsedByCustomer => Self::CouponUsedByCustomer,
        }
    }
}

output! {
    /// What a shopper wants, with live totals.
    Cart {
        /// Its id.
        id: CartId,
        /// The channel it is in.
        channel_id: ChannelId,
        /// The currency of all its amounts.
        currency: Currency,
        /// Where it stands.
        status: CartStatus,
        /// Where the order will come from.
        source: OrderSource,
        /// The shopper's e-mail address.
        #[schema(required = true)]
        email: Option<Email>,
        /// Where it goes.
        #[schema(required = true)]
        shipping_address: Option<Address>,
        /// Who pays; the shipping address where null.
        #[schema(required = true)]
        billing_address: Option<Address>,
        /// The chosen way of delivery.
        #[schema(required = true)]
        shipping_method_id: Option<ShippingMethodId>,
        /// The caller's own reference.
        #[schema(required = true)]
        reference: Option<String>,
        /// What is in it.
        lines: Vec<CartLine>,
        /// The coupons that were entered.
        coupons: Vec<CartCoupon>,
        /// Ways of delivery to choose from.
        shipping_options: Vec<ShippingOption>,
        /// What it costs.
        totals: CartTotals,
        /// What stands in the way of an order, the problems of lines and coupons left out.
        problems: Vec<CartProblem>,
        /// Whether nothing stands in the way of an order.
        ready: bool,
        /// Free data of the shop's own, which shop fronts see.
        metadata: Document,
        /// Free data of the shop's own that shop fronts do not see; null for a publishable key.
        #[schema(required = true)]
        private_metadata: Option<Document>,
        /// Raised by every change.
        version: i64,
        /// When it was created.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    /// A cart that was just created.
    NewCart {
        /// Proves that the cart is the shopper's; to be sent as `X-Cart-Token`. Only the same
        /// request with the same `Idempotency-Key` shows it again.
        token: String,
        /// The cart.
        cart: Cart,
    }
    /// A variant in a cart.
    #[graphql(complex)]
    CartLine {
        /// Its id.
        id: CartLineId,
        /// The variant.
        variant_id: VariantId,
        /// Its product.
        product_id: ProductId,
        /// Its SKU.
        sku: String,
        /// What it is called: `Trail mug, Fern`.
        title: String,
        /// Units.
        quantity: i64,
        /// What one costs, as the channel prices (with or without tax).
        unit_price: Money,
        /// Whether somebody gave it this price by hand.
        price_overridden: bool,
        /// Unit price × quantity.
        subtotal: Money,
        /// What is taken off.
        discount: Money,
        /// What is taxed.
        net: Money,
        /// The tax.
        tax: Money,
        /// The tax, rate by rate.
        taxes: Vec<LineTax>,
        /// Net and tax.
        total: Money,
        /// What stands in the way of an order.
        problems: Vec<CartProblem>,
    }
    /// A coupon of a cart.
    CartCoupon {
        /// The coupon.
        coupon_id: CouponId,
        /// Its code.
        code: String,
        /// What it takes off; the lines have the shares. Nothing where it has a problem.
        discount: Money,
        /// What stands in the way of an order.
        problems: Vec<CartProblem>,
    }
    /// A tax on a line.
    LineTax {
        /// What it is called.
        name: String,
        /// Percent.
        rate: Rate,
        /// Minor units.
        amount: Minor,
    }
    /// What a cart costs; sums of its lines.
    CartTotals {
        /// The lines' subtotals.
        goods: Money,
        /// What is taken off.
        discount: Money,
        /// Delivery, as the channel prices.
        shipping: Money,
        /// All tax, that of delivery too.
        tax: Money,
        /// What is to be paid.
        total: Money,
    }
    /// What stands in the way of an order.
    CartProblem {
        /// What it is.
        code: CartProblemCode,
        /// What it is, for a person.
        message: String,
        /// The field of the address that it is about: `region`.
        #[schema(required = true)]
        field: Option<String>,
        /// How many there are, where there are not enough.
        #[schema(required = true)]
        available: Option<i64>,
    }
}

impl Output for Cart {
    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}
impl Output for NewCart {
    fn version(&self) -> Option<i64> {
        Some(self.cart.version)
    }
}

input! {
    /// A new cart.
    CreateCart {
        /// The channel; a publishable key has one already.
        channel_id: Option<ChannelId>,
        /// The channel's own when left out.
        currency: Option<Currency>,
        /// What is in it.
        #[serde(default)]
        #[graphql(default)]
        lines: Vec<NewCartLine>,
        /// The shopper's e-mail address.
        email: Option<Email>,
        /// Where it goes.
        shipping_address: Option<Address>,
        /// Who pays.
        billing_address: Option<Address>,
        /// The chosen way of delivery.
        shipping_method_id: Option<ShippingMethodId>,
        /// `web` from a shop front and `api` from a partner when left out; a shop front may say `web` or `app` alone.
        source: Option<OrderSource>,
        /// The caller's own reference.
        reference: Option<String>,
        /// Free data of the shop's own, which shop fronts see.
        metadata: Option<Document>,
        /// Free data of the shop's own that shop fronts do not see.
        private_metadata: Option<Document>,
    }
    /// Units of a variant.
    NewCartLine {
        /// The variant; or name its SKU.
        variant_id: Option<VariantId>,
        /// The variant's SKU.
        sku: Option<String>,
        /// Units, 1 to 100000.
        quantity: i64,
        /// A price given by hand, in minor units; needs the scope `prices:override`. Such a line stands for itself.
        unit_price: Option<Minor>,
    }
    /// A change of a cart.
    UpdateCart {
        /// The cart.
        id: CartId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// The shopper's e-mail address.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Email>)]
        email: Patch<Email>,
        /// Where it goes.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Address>)]
        shipping_address: Patch<Address>,
        /// Who pays; null where that is who receives.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Address>)]
        billing_address: Patch<Address>,
        /// The chosen way of delivery.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<ShippingMethodId>)]
        shipping_method_id: Patch<ShippingMethodId>,
        /// The caller's own reference.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        reference: Patch<String>,
        /// Free data of the shop's own; replaces all of it.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Document>)]
        metadata: Patch<Document>,
        /// Free data of the shop's own that shop fronts do not see.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Document>)]
        private_metadata: Patch<Document>,
    }
}
