//! Prices: one for each variant, channel and currency, with the price it is compared to.
//!
//! A variant without a price in a channel is not sold there. Prices are net or gross as the channel says.

mod model;
mod operations;
mod queries;

pub use model::{NewPrice, Price, SetPrices};
pub use operations::{MAX_PRICE, check_price};
pub use queries::{PriceRow, of_variants, upsert};

use crate::auth::{Access, Scope};
use crate::kernel::Page;
use crate::kernel::ids::{ChannelId, VariantId};

crate::operations! {
    queries PricingQueries {
        /// Lists prices, of one variant or channel or of all.
        prices(variant_id: Option<VariantId>, channel_id: Option<ChannelId>,
               #[serde(rename = "limit")] first: Option<i64>, after: Option<String>): ListPrices => Page<Price>,
            GET "/prices", Access::scope(Scope::CatalogRead);
    }
    mutations PricingMutations {
        /// Sets up to 500 prices at once: all of them, or none. A price of null is taken away.
        set_prices: SetPrices => PricesSet, PUT "/prices", Access::scope(Scope::PricesWrite);
    }
}

crate::output! {
    /// What became of prices that were set.
    PricesSet {
        /// How many prices there are now of those that were named.
        set: i64,
        /// How many were taken away.
        removed: i64,
    }
}

impl crate::operation::Output for PricesSet {}
