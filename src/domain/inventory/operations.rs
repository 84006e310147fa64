use std::collections::{HashMap, HashSet};

use super::model::{
    AdjustStock, CreateLocation, Location, Locations, Movement, SetStock, StockChanges, StockLevel,
    StockReason, UpdateLocation,
};
use super::queries::{self, Count};
use super::{GetLocation, ListLocations, ListStockLevels, ListStockMovements};
use crate::context::{Topic, Tx};
use crate::kernel::ids::{LocationId, VariantId};
use crate::kernel::page::{PageRequest, Position, SortKey};
use crate::kernel::{Checks, Code, Error, FieldError, Page, Result, patch};
use crate::operation::{Mutation, Query};

/// The most units a level may have.
const MAX_UNITS: i64 = 1_000_000_000;

impl Query for GetLocation {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Location> {
        queries::find_location(tx, self.id)?.ok_or_else(|| Error::not_found("location"))
    }
}

impl Query for ListLocations {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<Location>> {
        let page = PageRequest::new(
            &tx.app().cursors,
            "locations",
            self.first,
            self.after.as_deref(),
        )?;
        let mut all = queries::all_locations(tx.conn)?;
        if let Some(after) = &page.after {
            let last = (
                after.key.int().unwrap_or_default(),
                LocationId::from_uuid(after.id),
            );
            all.retain(|l| (l.priority, l.id) > last);
        }
        page.page(
            all,
            |l| Position {
                key: SortKey::Int(l.priority),
                id: l.id.uuid(),
            },
            Ok,
        )
    }
}

impl Query for ListStockLevels {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<StockLevel>> {
        let page = PageRequest::new(
            &tx.app().cursors,
            "stock_levels",
            self.first,
            self.after.as_deref(),
        )?;
        let rows = queries::list_levels(tx, self.variant_id, self.location_id, &page)?;
        page.page(
            rows,
            |l| Position {
                key: SortKey::Text(l.location_id.to_string()),
                id: l.variant_id.uuid(),
            },
            Ok,
        )
    }
}

impl Query for ListStockMovements {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<Movement>> {
        let page = PageRequest::new(
            &tx.app().cursors,
            "stock_movements",
            self.first,
            self.after.as_deref(),
        )?;
        let rows = queries::list_movements(tx, self.variant_id, self.location_id, &page)?;
        page.page(
            rows,
            |m| Position {
                key: SortKey::Id,
                id: m.id.uuid(),
            },
            Ok,
        )
    }
}

impl Mutation for CreateLocation {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Location> {
        let location = Location {
            id: LocationId::new(),
            handle: self.handle.clone(),
            name: self.name.clone(),
            country: self.country.clone(),
            active: true,
            priority: self.priority.unwrap_or(100),
            version: 1,
            created_at: tx.now,
            updated_at: tx.now,
        };
        check_location(&location)?;
        queries::insert_location(tx, &location)?;
        tx.touch(Topic::Settings);
        Ok(location)
    }
}

impl Mutation for UpdateLocation {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Location> {
        let old =
            queries::find_location(tx, self.id)?.ok_or_else(|| Error::not_found("location"))?;
        let mut changed = Location {
            name: patch::required(&self.name, old.name.clone(), "/name")?,
            active: patch::required(&self.active, old.active, "/active")?,
            priority: patch::required(&self.priority, old.priority, "/priority")?,
            ..old.clone()
        };
        Error::unless_version(self.expected_version, old.version)?;
        if changed == old {
            return Ok(old);
        }
        changed.version += 1;
        changed.updated_at = tx.now;
        check_location(&changed)?;
        queries::update_location(tx, &changed, old.version)?;
        tx.touch(Topic::Settings);
        if changed.active != old.active {
            // What is in stock may be another now, of any product that is here.
            let variants = queries::variants_at(tx, self.id)?;
            tx.changed().variants.extend(variants);
        }
        Ok(changed)
    }
}

fn check_location(location: &Location) -> Result<()> {
    Checks::new()
        .handle("/handle", &location.handle)
        .text("/name", &location.name, 200)
        .country("/country", &location.country)
        .range("/priority", location.priority, 0, 1_000_000)
        .done()
}

impl Mutation for AdjustStock {
    fn run(&self, tx: &mut Tx<'_>) -> Result<StockChanges> {
        let keys: Vec<_> = self
            .changes
            .iter()
            .map(|c| (c.variant_id, c.location_id))
            .collect();
        let mut checks = Checks::new();
        checks.count("/changes", keys.len(), 500);
        for (i, change) in self.changes.iter().enumerate() {
            let pointer = format!("/changes/{i}/delta");
            checks.range(&pointer, change.delta, -MAX_UNITS, MAX_UNITS);
            checks.that(
                change.delta != 0,
                pointer,
                "zero",
                "A change of nothing is none.",
            );
        }
        check_keys(tx, &mut checks, "/changes", &keys)?;
        let levels = Levels::lock(tx, &keys)?;
        let counts: Vec<Count> = self
            .changes
            .iter()
            .map(|c| Count {
                variant_id: c.variant_id,
                location_id: c.location_id,
                on_hand: levels.on_hand((c.variant_id, c.location_id)) + c.delta,
                reason: c.reason,
            })
            .collect();
        levels.set(tx, &counts, "/changes", "delta")
    }
}

impl Mutation for SetStock {
    fn run(&self, tx: &mut Tx<'_>) -> Result<StockChanges> {
        let keys: Vec<_> = self
            .counts
            .iter()
            .map(|c| (c.variant_id, c.location_id))
            .collect();
        let mut checks = Checks::new();
        checks.count("/counts", keys.len(), 500);
        for (i, count) in self.counts.iter().enumerate() {
            checks.range(format!("/counts/{i}/onHand"), count.on_hand, 0, MAX_UNITS);
        }
        check_keys(tx, &mut checks, "/counts", &keys)?;
        let levels = Levels::lock(tx, &keys)?;
        let changed: Vec<FieldError> = self
            .counts
            .iter()
            .enumerate()
            .filter_map(|(i, count)| {
                let now = levels.on_hand((count.variant_id, count.location_id));
                let expected = count.expected.filter(|expected| *expected != now)?;
                let message = format!("There are {now}, not {expected}.");
                Some(FieldError::new(
                    format!("/counts/{i}/expected"),
                    "changed",
                    message,
                ))
            })
            .collect();
        if !changed.is_empty() {
            let detail = "The stock has changed since it was counted; nothing was set.";
            return Err(Error::new(Code::VersionConflict, detail).with(changed));
        }
        let counts: Vec<Count> = self
            .counts
            .iter()
            .map(|c| Count {
                variant_id: c.variant_id,
                location_id: c.location_id,
                on_hand: c.on_hand,
                reason: c.reason.unwrap_or(StockReason::Counted),
            })
            .collect();
        levels.set(tx, &counts, "/counts", "onHand")
    }
}

type Key = (VariantId, LocationId);

/// Every key names a tracked variant and a location, and no key stands twice.
fn check_keys(tx: &mut Tx<'_>, checks: &mut Checks, at: &str, keys: &[Key]) -> Result<()> {
    checks.done()?;
    let variants: Vec<VariantId> = keys.iter().map(|k| k.0).collect();
    let tracked: HashMap<VariantId, bool> = queries::tracked(tx, &variants)?.into_iter().collect();
    let locations: HashSet<LocationId> = Locations::all(tx)?.iter().map(|l| l.id).collect();
    let mut seen = HashSet::new();
    for (i, key) in keys.iter().enumerate() {
        let variant = tracked.get(&key.0);
        checks
            .that(
                seen.insert(*key),
                format!("{at}/{i}"),
                "duplicate",
                "This level is named twice.",
            )
            .that(
                variant.is_some(),
                format!("{at}/{i}/variantId"),
                "unknown_variant",
                "There is no such variant.",
            )
            .that(
                variant != Some(&false),
                format!("{at}/{i}/variantId"),
                "untracked",
                "The stock of this variant is not tracked.",
            )
            .that(
                locations.contains(&key.1),
                format!("{at}/{i}/locationId"),
                "unknown_location",
                "There is no such location.",
            );
    }
    checks.done()
}

/// Levels that this transaction has locked.
struct Levels {
    keys: Vec<Key>,
    before: Vec<StockLevel>,
}

impl Levels {
    fn lock(tx: &mut Tx<'_>, keys: &[Key]) -> Result<Self> {
        Ok(Self {
            keys: keys.to_vec(),
            before: queries::lock_levels(tx, keys)?,
        })
    }

    fn find(&self, key: Key) -> Option<&StockLevel> {
        self.before
            .iter()
            .find(|l| (l.variant_id, l.location_id) == key)
    }

    fn on_hand(&self, key: Key) -> i64 {
        self.find(key).map_or(0, |l| l.on_hand)
    }

    /// Sets the counts and answers with the levels as they are then.
    fn set(self, tx: &mut Tx<'_>, counts: &[Count], at: &str, field: &str) -> Result<StockChanges> {
        let short: Vec<FieldError> = counts
            .iter()
            .enumerate()
            .filter_map(|(i, count)| {
                let level = self.find((count.variant_id, count.location_id));
                let promised = level.map_or(0, |l| l.held + l.allocated - l.backorderable).max(0);
                (count.on_hand < promised).then(|| FieldError {
                    available: Some(level.map_or(0, |l| l.on_hand) - promised),
                    ..FieldError::new(
                        format!("{at}/{i}/{field}"),
                        "promised",
                        format!("{promised} units are promised to orders and checkouts; {} would be left.", count.on_hand),
                    )
                })
            })
            .collect();
        if !short.is_empty() {
            let detail = "More stock would go than is free; nothing was changed.";
            return Err(Error::new(Code::InsufficientStock, detail).with(short));
        }
        let mut checks = Checks::new();
        for (i, count) in counts.iter().enumerate() {
            checks.range(format!("{at}/{i}/{field}"), count.on_hand, 0, MAX_UNITS);
        }
        checks.done()?;
        let actor = tx.actor().name();
        queries::set_counts(tx, &self.before, counts, &actor)?;
        let mut levels = queries::lock_levels(tx, &self.keys)?;
        levels.sort_by_key(|l| {
            self.keys
                .iter()
                .position(|k| *k == (l.variant_id, l.location_id))
        });
        Ok(StockChanges { levels })
    }
}
