use diesel::prelude::*;

use crate::kernel::ids::{ChannelId, VariantId};
use crate::kernel::money::Minor;
use crate::kernel::{Currency, Patch, Timestamp};
use crate::operation::Output;
use crate::{input, output};

output! {
    /// A price of a variant in a channel and a currency.
    #[derive(Queryable)]
    Price {
        /// The variant.
        variant_id: VariantId,
        /// The channel.
        channel_id: ChannelId,
        /// The currency.
        currency: Currency,
        /// The price in minor units.
        amount: Minor,
        /// The higher price it is compared to, in minor units.
        #[schema(required = true)]
        compare_at_amount: Option<Minor>,
        /// When it was set.
        updated_at: Timestamp,
    }
}

impl Output for Price {}

input! {
    /// Prices to be set.
    SetPrices {
        /// 1 to 500 prices.
        prices: Vec<NewPrice>,
    }
    /// A price to be set or taken away.
    NewPrice {
        /// The variant.
        variant_id: VariantId,
        /// The channel.
        channel_id: ChannelId,
        /// The currency; the channel's own when left out.
        currency: Option<Currency>,
        /// Minor units, 0 to 10^12; null takes the price away.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Minor>, required = true)]
        amount: Patch<Minor>,
        /// A higher price to compare with, in minor units.
        compare_at_amount: Option<Minor>,
    }
}
