use std::sync::Arc;

use diesel::prelude::*;

use super::queries;
use crate::context::{Kept, Tx};
use crate::db::Conn;
use crate::kernel::ids::{LocationId, MovementId, VariantId};
use crate::kernel::{Patch, Result, Timestamp};
use crate::operation::Output;
use crate::schema::{locations, stock_levels, stock_movements};
use crate::{choice, input, output};

choice! {
    /// What a movement did.
    MovementKind {
        /// Stock on hand changed.
        Adjust = "adjust",
        /// Promised to a checkout.
        Hold = "hold",
        /// Given back by a checkout.
        Release = "release",
        /// Promised to an order.
        Allocate = "allocate",
        /// Given back by an order.
        Deallocate = "deallocate",
    }
}

choice! {
    /// Why stock on hand changed.
    StockReason {
        /// Goods came in.
        Received = "received",
        /// A customer sent goods back.
        Returned = "returned",
        /// A count said otherwise.
        Counted = "counted",
        /// It broke.
        Damaged = "damaged",
        /// It is gone.
        Lost = "lost",
        /// It turned up.
        Found = "found",
        /// An earlier entry was wrong.
        Correction = "correction",
        /// It came with an import.
        Import = "import",
    }
}

output! {
    /// A place that has stock.
    #[derive(PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
    #[diesel(table_name = locations)]
    Location {
        /// Its id.
        id: LocationId,
        /// Its name in URLs and imports.
        handle: String,
        /// Its name for people.
        name: String,
        /// The country it is in (ISO 3166-1 alpha-2).
        country: String,
        /// Whether it sells.
        active: bool,
        /// Stock is taken from the location with the lowest number first.
        priority: i64,
        /// Raised by every change.
        version: i64,
        /// When it was created.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    /// How many of a variant a location has.
    #[derive(Queryable, Selectable)]
    #[diesel(table_name = stock_levels)]
    StockLevel {
        /// The variant.
        variant_id: VariantId,
        /// The location.
        location_id: LocationId,
        /// Units that are there.
        on_hand: i64,
        /// Of these, promised to checkouts.
        held: i64,
        /// Of these, promised to orders.
        allocated: i64,
        /// Units that may be promised beyond those on hand.
        backorderable: i64,
        /// Raised by every change.
        version: i64,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    /// An entry of the ledger.
    #[derive(Queryable, Selectable)]
    #[diesel(table_name = stock_movements)]
    #[graphql(name = "StockMovement")]
    #[schema(as = StockMovement)]
    Movement {
        /// Its id.
        id: MovementId,
        /// The variant.
        variant_id: VariantId,
        /// The location.
        location_id: LocationId,
        /// What it did.
        kind: MovementKind,
        /// Change of units on hand.
        on_hand: i64,
        /// Change of units held.
        held: i64,
        /// Change of units allocated.
        allocated: i64,
        /// Why, where that is not said by the kind.
        #[schema(required = true)]
        reason: Option<String>,
        /// Who did it.
        actor: String,
        /// When.
        created_at: Timestamp,
    }
    /// Stock levels after a change.
    StockChanges {
        /// The levels that were named, in that order.
        levels: Vec<StockLevel>,
    }
}

input! {
    /// A new location.
    CreateLocation {
        /// Its name in URLs and imports.
        handle: String,
        /// Its name for people.
        name: String,
        /// The country it is in (ISO 3166-1 alpha-2).
        country: String,
        /// Stock is taken from the lowest first; 100 when left out.
        priority: Option<i64>,
    }
    /// A change of a location.
    UpdateLocation {
        /// The location.
        id: LocationId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// Its new name for people.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        name: Patch<String>,
        /// Whether it sells.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<bool>)]
        active: Patch<bool>,
        /// Stock is taken from the lowest first.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<i64>)]
        priority: Patch<i64>,
    }
    /// Changes of stock on hand.
    AdjustStock {
        /// 1 to 500 changes; a level may be named once.
        changes: Vec<StockAdjustment>,
    }
    /// A change of stock on hand.
    StockAdjustment {
        /// The variant.
        variant_id: VariantId,
        /// The location.
        location_id: LocationId,
        /// Units that come (positive) or go (negative).
        delta: i64,
        /// Why.
        reason: StockReason,
    }
    /// Counts of stock on hand.
    SetStock {
        /// 1 to 500 counts; a level may be named once.
        counts: Vec<StockCount>,
    }
    /// A count of stock on hand.
    StockCount {
        /// The variant.
        variant_id: VariantId,
        /// The location.
        location_id: LocationId,
        /// Units that are there.
        on_hand: i64,
        /// Units that were thought to be there; refused when that is no longer so.
        expected: Option<i64>,
        /// Why; `counted` when left out.
        reason: Option<StockReason>,
    }
}

impl Output for Location {
    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}
impl Output for StockLevel {}
impl Output for Movement {}
impl Output for StockChanges {}

/// All locations, as a process keeps them.
pub struct Locations(Vec<Arc<Location>>);

impl Kept for Locations {
    fn load(conn: &mut Conn) -> Result<Self> {
        Ok(Self(
            queries::all_locations(conn)?
                .into_iter()
                .map(Arc::new)
                .collect(),
        ))
    }
}

impl Locations {
    /// Every location, in the order in which stock is taken from them.
    pub fn all(tx: &Tx<'_>) -> Result<Vec<Arc<Location>>> {
        Ok(tx.app().kept::<Self>()?.0.clone())
    }
}

/// The reference and direction of a set of movements.
pub struct Movements {
    /// What they did.
    pub kind: MovementKind,
    /// The checkout or order they belong to.
    pub reference: Option<uuid::Uuid>,
}
