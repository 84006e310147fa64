//! Stock: levels of variants at locations, and the ledger they follow from.
//!
//! What must always hold, and the database forbids otherwise: nothing is negative, and what is promised
//! (`held + allocated`) never exceeds what is there and may be ordered back (`on_hand + backorderable`). Every change of a
//! level writes a movement in the same transaction; the sum of a level's movements is the level (`mercer doctor` checks it).
//!
//! A checkout *holds* stock until it is placed or expires; an order has it *allocated* until it is shipped or cancelled.

mod allocation;
mod model;
mod operations;
mod promises;
mod queries;

pub use allocation::{Demand, Pick, Shortage};
pub use model::{
    AdjustStock, CreateLocation, Location, Locations, MovementKind, Movements, SetStock,
    StockAdjustment, StockChanges, StockCount, StockLevel, StockReason, UpdateLocation,
};
pub use promises::{allocate, deallocate, hold, release};
pub use queries::{levels_of, set_backorderable, set_on_hand};

use crate::auth::{Access, Scope};
use crate::kernel::Page;
use crate::kernel::ids::{LocationId, VariantId};
use model::Movement;

crate::operations! {
    queries InventoryQueries {
        /// Finds a location.
        location(id: LocationId): GetLocation => Option<Location>, GET "/locations/{id}", Access::scope(Scope::InventoryRead);
        /// Lists the locations, in the order in which stock is taken from them.
        locations(#[serde(rename = "limit")] first: Option<i64>, after: Option<String>): ListLocations => Page<Location>,
            GET "/locations", Access::scope(Scope::InventoryRead);
        /// Lists stock levels, of one variant or location or of all.
        stock_levels(variant_id: Option<VariantId>, location_id: Option<LocationId>,
                     #[serde(rename = "limit")] first: Option<i64>, after: Option<String>): ListStockLevels => Page<StockLevel>,
            GET "/stock-levels", Access::scope(Scope::InventoryRead);
        /// Lists the movements of the ledger, newest first.
        stock_movements(variant_id: Option<VariantId>, location_id: Option<LocationId>,
                        #[serde(rename = "limit")] first: Option<i64>, after: Option<String>): ListStockMovements => Page<Movement>,
            GET "/stock-movements", Access::scope(Scope::InventoryRead);
    }
    mutations InventoryMutations {
        /// Opens a location.
        create_location: CreateLocation => Location, POST "/locations", Access::scope(Scope::InventoryWrite), [Created];
        /// Changes a location. An inactive one keeps its stock and sells none.
        update_location: UpdateLocation => Location, PATCH "/locations/{id}", Access::scope(Scope::InventoryWrite);
        /// Adds to and takes from stock on hand: all the changes, or none.
        adjust_stock: AdjustStock => StockChanges, POST "/stock-levels/adjust", Access::scope(Scope::InventoryWrite), [Keyed];
        /// Sets stock on hand to what was counted: all the counts, or none. With `expected` a count is refused when the level
        /// has changed in between.
        set_stock: SetStock => StockChanges, POST "/stock-levels/set", Access::scope(Scope::InventoryWrite), [Keyed];
    }
}
