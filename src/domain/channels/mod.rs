//! Sales channels: where the shop sells, in which currencies, to which countries, and how its money is rounded.
//!
//! A channel's currencies begin with its own; its countries are where it delivers, the first being the one that prices are
//! taxed for while nobody has said otherwise. Channels are few and needed by every request, so each process keeps them
//! ([`Channels`]).

mod model;
mod operations;
mod queries;

pub use model::{
    CapturePolicy, Channel, ChannelRow, ChannelStatus, Channels, CreateChannel, OrderNumbers,
    UpdateChannel,
};
pub use queries::{next_number_statement, take_order_number};

use crate::auth::{Access, Scope};
use crate::kernel::Page;
use crate::kernel::ids::ChannelId;

crate::operations! {
    queries ChannelQueries {
        /// Finds a channel by its id.
        channel(id: ChannelId): GetChannel => Option<Channel>, GET "/channels/{id}", Access::storefront_or(Scope::ChannelsRead);
        /// Lists the channels: all of them to staff, its own to a shop front.
        channels(#[serde(rename = "limit")] first: Option<i64>, after: Option<String>): ListChannels => Page<Channel>,
            GET "/channels", Access::storefront_or(Scope::ChannelsRead);
    }
    mutations ChannelMutations {
        /// Opens a channel.
        create_channel: CreateChannel => Channel, POST "/channels", Access::scope(Scope::ChannelsWrite), [Created];
        /// Changes a channel. What is left out stays; carts and orders keep the terms they were made under.
        update_channel: UpdateChannel => Channel, PATCH "/channels/{id}", Access::scope(Scope::ChannelsWrite);
    }
}
