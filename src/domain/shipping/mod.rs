//! Shipping: which ways of delivery a cart is offered, and for how much.
//!
//! A zone is a set of countries; a method is a way of delivery to a zone for one channel, with a table of rates by weight or
//! by value ([`rates`]). Zones may overlap: a country is offered the methods of all its zones. What a cart may choose from
//! follows from what each process keeps ([`Shipping`]).
//!
//! Whether the channel delivers to the country at all is the channel's business; how shipping is taxed follows from the
//! method's tax class.

mod model;
mod operations;
mod queries;
mod rates;

pub use model::{
    CreateShippingMethod, CreateShippingZone, NewShippingRate, Shipping, ShippingMethod,
    ShippingOption, ShippingRate, ShippingRateBy, ShippingZone, UpdateShippingMethod,
};

use crate::auth::{Access, Scope};
use crate::kernel::Page;
use crate::kernel::ids::{ChannelId, ShippingZoneId};

crate::operations! {
    queries ShippingQueries {
        /// Lists the shipping zones.
        shipping_zones(#[serde(rename = "limit")] first: Option<i64>, after: Option<String>):
            ListShippingZones => Page<ShippingZone>,
            GET "/shipping-zones", Access::scope(Scope::ShippingRead);
        /// Lists the shipping methods: all of them, or those of a channel, of a zone, or of both.
        shipping_methods(channel_id: Option<ChannelId>, zone_id: Option<ShippingZoneId>,
            #[serde(rename = "limit")] first: Option<i64>, after: Option<String>):
            ListShippingMethods => Page<ShippingMethod>,
            GET "/shipping-methods", Access::scope(Scope::ShippingRead);
    }
    mutations ShippingMutations {
        /// Adds a shipping zone.
        create_shipping_zone: CreateShippingZone => ShippingZone,
            POST "/shipping-zones", Access::scope(Scope::ShippingWrite), [Created];
        /// Adds a way of delivery to a zone for a channel.
        create_shipping_method: CreateShippingMethod => ShippingMethod,
            POST "/shipping-methods", Access::scope(Scope::ShippingWrite), [Created];
        /// Changes a shipping method. What is left out stays; rates that are given replace all there were.
        update_shipping_method: UpdateShippingMethod => ShippingMethod,
            PATCH "/shipping-methods/{id}", Access::scope(Scope::ShippingWrite);
    }
}
