use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use uuid::Uuid;

use super::allocation::{Pick, Supply};
use super::model::{Location, Movement, Movements, StockLevel, StockReason};
use crate::context::Tx;
use crate::db::Conn;
use crate::kernel::column::Id;
use crate::kernel::ids::{LocationId, MovementId, VariantId};
use crate::kernel::page::PageRequest;
use crate::kernel::{Batch, Code, Error, Kind, Param, Result, Timestamp};
use crate::sabotage::Guard;
use crate::schema::{locations, stock_levels, stock_movements};
use crate::{on, params};

const PICK: &[(&str, Kind); 3] = &[
    ("variant_id", Kind::Id),
    ("location_id", Kind::Id),
    ("quantity", Kind::Int),
];

fn picks_batch(picks: &[Pick]) -> Batch {
    Batch::new(
        PICK,
        picks
            .iter()
            .map(|p| [p.variant_id.into(), p.location_id.into(), p.quantity.into()]),
    )
}

// ---- locations

pub fn all_locations(conn: &mut Conn) -> Result<Vec<Location>> {
    let order = (locations::priority, locations::id);
    Ok(on!(conn, |c| locations::table
        .order(order)
        .select(Location::as_select())
        .load(c))?)
}

pub fn find_location(tx: &mut Tx<'_>, id: LocationId) -> Result<Option<Location>> {
    Ok(on!(tx.conn, |c| locations::table
        .find(id)
        .select(Location::as_select())
        .first(c)
        .optional())?)
}

pub fn insert_location(tx: &mut Tx<'_>, location: &Location) -> Result<()> {
    let inserted = on!(tx.conn, |c| diesel::insert_into(locations::table)
        .values(location)
        .execute(c));
    inserted
        .map(drop)
        .map_err(|error| match Error::from(error) {
            error if error.code == Code::AlreadyExists => {
                let message = format!("There is a location {} already.", location.handle);
                Error::field(Code::AlreadyExists, "/handle", "taken", message)
            }
            error => error,
        })
}

/// Writes a location, if it still has the version `old`.
pub fn update_location(tx: &mut Tx<'_>, location: &Location, old: i64) -> Result<()> {
    let changed = on!(tx.conn, |c| {
        diesel::update(
            locations::table
                .find(location.id)
                .filter(locations::version.eq(old)),
        )
        .set(location)
        .execute(c)
    })?;
    if changed == 0 {
        Err(Error::version_conflict(old))
    } else {
        Ok(())
    }
}

// ---- levels

pub fn list_levels(
    tx: &mut Tx<'_>,
    variant: Option<VariantId>,
    location: Option<LocationId>,
    page: &PageRequest,
) -> Result<Vec<StockLevel>> {
    Ok(on!(tx.conn, |c| {
        let mut query = stock_levels::table
            .order((stock_levels::variant_id, stock_levels::location_id))
            .limit(page.fetch())
            .select(StockLevel::as_select())
            .into_boxed();
        if let Some(variant) = variant {
            query = query.filter(stock_levels::variant_id.eq(variant));
        }
        if let Some(location) = location {
            query = query.filter(stock_levels::location_id.eq(location));
        }
        if let Some((after, place)) = page.after.as_ref().and_then(|a| {
            Some((
                VariantId::from_uuid(a.id),
                a.key.text()?.parse::<LocationId>().ok()?,
            ))
        }) {
            query = query.filter(
                stock_levels::variant_id
                    .gt(after)
                    .or(stock_levels::variant_id
                        .eq(after)
                        .and(stock_levels::location_id.gt(place))),
            );
        }
        query.load(c)
    })?)
}

pub fn list_movements(
    tx: &mut Tx<'_>,
    variant: Option<VariantId>,
    location: Option<LocationId>,
    page: &PageRequest,
) -> Result<Vec<Movement>> {
    Ok(on!(tx.conn, |c| {
        let mut query = stock_movements::table
            .order(stock_movements::id.desc())
            .limit(page.fetch())
            .select(Movement::as_select())
            .into_boxed();
        if let Some(variant) = variant {
            query = query.filter(stock_movements::variant_id.eq(variant));
        }
        if let Some(location) = location {
            query = query.filter(stock_movements::location_id.eq(location));
        }
        if let Some(after) = &page.after {
            query = query.filter(stock_movements::id.lt(MovementId::from_uuid(after.id)));
        }
        query.load(c)
    })?)
}

/// More than anybody wants: what a level offers once its guard is gone.
const NO_END: i64 = 1_000_000;

/// The levels of these variants at active locations, locked in the order of their keys, then sorted by location.
pub fn lock_supplies(
    tx: &mut Tx<'_>,
    variants: impl Iterator<Item = VariantId>,
) -> Result<Vec<Supply>> {
    let lock = if tx.conn.is_postgres() && !tx.app().sabotage.removed(Guard::StockLock) {
        "FOR UPDATE OF l"
    } else {
        ""
    };
    let text = format!(
        "SELECT l.variant_id, l.location_id, l.on_hand - l.held - l.allocated, l.backorderable, p.priority
         FROM stock_levels l JOIN ? AS x ON x.id = l.variant_id JOIN locations p ON p.id = l.location_id
         WHERE p.active ORDER BY l.variant_id, l.location_id {lock}"
    );
    let ids = Batch::ids(variants.map(VariantId::uuid));
    let mut rows = tx
        .conn
        .rows::<(Id, Id, BigInt, BigInt, BigInt), (VariantId, LocationId, i64, i64, i64)>(
            &text,
            params![ids],
        )?;
    rows.sort_by_key(|row| (row.4, row.1));
    if tx.app().sabotage.removed(Guard::Stock) {
        for row in &mut rows {
            row.2 += NO_END;
        }
    }
    Ok(rows
        .into_iter()
        .map(|(variant_id, location_id, free, backorderable, _)| Supply {
            variant_id,
            location_id,
            free,
            backorderable,
        })
        .collect())
}

/// Adds `held` and `allocated` times the quantity to each level that can take it; says what is left to promise at each.
pub fn shift_levels(
    tx: &mut Tx<'_>,
    picks: &[Pick],
    held: i64,
    allocated: i64,
) -> Result<Vec<(VariantId, LocationId, i64, i64)>> {
    let now = tx.now;
    let sabotage = &tx.app().sabotage;
    let unguarded = sabotage.removed(Guard::Stock) || sabotage.removed(Guard::StockLock);
    let needed = if unguarded { -NO_END } else { held + allocated };
    tx.conn.rows::<(Id, Id, BigInt, BigInt), _>(
        "UPDATE stock_levels
         SET held = stock_levels.held + x.quantity * ?, allocated = stock_levels.allocated + x.quantity * ?,
             version = stock_levels.version + 1, updated_at = ?
         FROM ? AS x
         WHERE stock_levels.variant_id = x.variant_id AND stock_levels.location_id = x.location_id
           AND stock_levels.on_hand + stock_levels.backorderable - stock_levels.held - stock_levels.allocated
               >= x.quantity * ?
         RETURNING stock_levels.variant_id, stock_levels.location_id,
                   on_hand - held - allocated, backorderable",
        params![held, allocated, now, picks_batch(picks), needed],
    )
}

/// What is on hand at these levels, locked; a level that does not exist is left out, and made by nobody else until the
/// transaction ends.
pub fn lock_levels(tx: &mut Tx<'_>, keys: &[(VariantId, LocationId)]) -> Result<Vec<StockLevel>> {
    let found = select_levels(tx, keys)?;
    if found.len() == keys.len() || !tx.conn.is_postgres() {
        return Ok(found);
    }
    // There is no row to lock yet; the variant's stands for it.
    tx.conn.rows::<Id, VariantId>(
        "SELECT v.id FROM product_variants v WHERE v.id IN (SELECT x.id FROM ? AS x) ORDER BY v.id FOR NO KEY UPDATE",
        params![Batch::ids(keys.iter().map(|(variant, _)| variant.uuid()))],
    )?;
    select_levels(tx, keys)
}

fn select_levels(tx: &mut Tx<'_>, keys: &[(VariantId, LocationId)]) -> Result<Vec<StockLevel>> {
    let lock = if tx.conn.is_postgres() {
        "FOR UPDATE OF l"
    } else {
        ""
    };
    let text = format!(
        "SELECT l.variant_id, l.location_id, l.on_hand, l.held, l.allocated, l.backorderable, l.version, l.updated_at
         FROM stock_levels l JOIN ? AS x ON x.variant_id = l.variant_id AND x.location_id = l.location_id
         ORDER BY l.variant_id, l.location_id {lock}"
    );
    let batch = Batch::new(
        &[("variant_id", Kind::Id), ("location_id", Kind::Id)],
        keys.iter().map(|(v, l)| [(*v).into(), (*l).into()]),
    );
    tx.conn.rows::<(
        Id,
        Id,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        crate::kernel::column::Ts,
    ), StockLevel>(&text, params![batch])
}

/// A level's new count.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    /// The variant.
    pub variant_id: VariantId,
    /// The location.
    pub location_id: LocationId,
    /// Units on hand.
    pub on_hand: i64,
    /// Why.
    pub reason: StockReason,
}

/// Sets counts of levels that were locked (`before`) or do not exist yet, and writes the differences into the ledger. Two
/// statements, and a third for new levels.
/// Says whose count is another now.
pub fn set_counts(
    tx: &mut Tx<'_>,
    before: &[StockLevel],
    counts: &[Count],
    actor: &str,
) -> Result<Vec<VariantId>> {
    let known: HashMap<_, &StockLevel> = before
        .iter()
        .map(|l| ((l.variant_id, l.location_id), l))
        .collect();
    let old = |count: &Count| known.get(&(count.variant_id, count.location_id));
    let changes: Vec<(&Count, i64)> = counts
        .iter()
        .map(|count| (count, count.on_hand - old(count).map_or(0, |l| l.on_hand)))
        .filter(|(count, delta)| *delta != 0 || old(count).is_none())
        .collect();
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let now = tx.now;
    let batch = Batch::new(
        PICK,
        changes
            .iter()
            .map(|(c, _)| [c.variant_id.into(), c.location_id.into(), c.on_hand.into()]),
    );
    tx.conn.execute(
        "INSERT INTO stock_levels (variant_id, location_id, on_hand, held, allocated, backorderable, version, updated_at)
         SELECT x.variant_id, x.location_id, x.quantity, 0, 0, 0, 1, ? FROM ? AS x WHERE true
         ON CONFLICT (variant_id, location_id) DO UPDATE
         SET on_hand = excluded.on_hand, version = stock_levels.version + 1, updated_at = excluded.updated_at",
        params![now, batch],
    )?;
    let rows = changes
        .iter()
        .filter(|(_, delta)| *delta != 0)
        .map(|(c, delta)| {
            let pick = Pick {
                variant_id: c.variant_id,
                location_id: c.location_id,
                quantity: 0,
            };
            (pick, *delta, 0, 0, c.reason)
        });
    insert_ledger(
        tx,
        "adjust",
        None,
        rows.map(|(p, on, h, a, r)| (p, on, h, a, Some(r))),
        actor,
    )?;
    tx.changed()
        .variants
        .extend(changes.iter().map(|(c, _)| c.variant_id));
    let new = changes
        .iter()
        .filter(|(c, _)| old(c).is_none())
        .map(|(c, _)| c.variant_id);
    set_backorderable(tx, new)?;
    Ok(changes.iter().map(|(c, _)| c.variant_id).collect())
}

/// The levels of these variants, sorted by variant.
pub fn levels_of(
    tx: &mut Tx<'_>,
    variants: impl Iterator<Item = VariantId>,
) -> Result<Vec<(VariantId, LocationId, i64)>> {
    tx.conn.rows::<(Id, Id, BigInt), _>(
        "SELECT l.variant_id, l.location_id, l.on_hand
         FROM ? AS x JOIN stock_levels l ON l.variant_id = x.id ORDER BY l.variant_id",
        params![Batch::ids(variants.map(VariantId::uuid))],
    )
}

/// Sets units on hand, whatever they were. At most four statements. Refused by the database when more is promised.
/// Says whose count is another now.
pub fn set_on_hand(
    tx: &mut Tx<'_>,
    stock: &[(VariantId, LocationId, i64)],
    reason: StockReason,
) -> Result<Vec<VariantId>> {
    if stock.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<_> = stock
        .iter()
        .map(|(variant, location, _)| (*variant, *location))
        .collect();
    let before = lock_levels(tx, &keys)?;
    let counts: Vec<Count> = stock
        .iter()
        .map(|&(variant_id, location_id, on_hand)| Count {
            variant_id,
            location_id,
            on_hand,
            reason,
        })
        .collect();
    let actor = tx.actor().name();
    set_counts(tx, &before, &counts, &actor)
}

/// Brings the levels of these variants in line with their stock policy: what may be ordered back may be promised at the
/// first of their locations, once.
pub fn set_backorderable(tx: &mut Tx<'_>, variants: impl Iterator<Item = VariantId>) -> Result<()> {
    let mut variants = variants.peekable();
    if variants.peek().is_none() {
        return Ok(());
    }
    let now = tx.now;
    tx.conn.execute(
        "UPDATE stock_levels SET backorderable = w.wanted, version = stock_levels.version + 1, updated_at = ?
         FROM (SELECT l.variant_id, l.location_id,
                      CASE WHEN v.stock_policy = 'backorder' AND l.location_id =
                           (SELECT o.location_id FROM stock_levels o JOIN locations p ON p.id = o.location_id
                            WHERE o.variant_id = l.variant_id ORDER BY p.priority, p.id LIMIT 1)
                      THEN v.backorder_limit ELSE 0 END AS wanted
               FROM stock_levels l JOIN product_variants v ON v.id = l.variant_id
               WHERE v.id IN (SELECT x.id FROM ? AS x)) AS w
         WHERE stock_levels.variant_id = w.variant_id AND stock_levels.location_id = w.location_id
           AND stock_levels.backorderable <> w.wanted",
        params![now, Batch::ids(variants.map(VariantId::uuid))],
    )?;
    Ok(())
}

// ---- holds

pub fn insert_holds(
    tx: &mut Tx<'_>,
    reference: Uuid,
    picks: &[Pick],
    expires_at: Timestamp,
) -> Result<()> {
    tx.conn.execute(
        "INSERT INTO stock_holds (reference, variant_id, location_id, quantity, expires_at)
         SELECT ?, x.variant_id, x.location_id, x.quantity, ? FROM ? AS x",
        params![reference, expires_at, picks_batch(picks)],
    )?;
    Ok(())
}

/// Removes the holds of `reference` and says what they were, in the order of their keys.
pub fn take_holds(tx: &mut Tx<'_>, reference: Uuid) -> Result<Vec<Pick>> {
    let rows = tx.conn.rows::<(Id, Id, BigInt), (VariantId, LocationId, i64)>(
        "DELETE FROM stock_holds WHERE reference = ? RETURNING variant_id, location_id, quantity",
        params![reference],
    )?;
    let mut picks: Vec<Pick> = rows
        .into_iter()
        .map(|(variant_id, location_id, quantity)| Pick {
            variant_id,
            location_id,
            quantity,
        })
        .collect();
    picks.sort_by_key(|p| (p.variant_id, p.location_id));
    Ok(picks)
}

// ---- the ledger

type Entry = (Pick, i64, i64, i64);

/// Writes movements: changes of units on hand, held and allocated.
pub fn insert_movements(
    tx: &mut Tx<'_>,
    movements: &Movements,
    entries: impl Iterator<Item = Entry>,
    reason: Option<StockReason>,
) -> Result<()> {
    let actor = tx.actor().name();
    let rows = entries.map(|(p, on, h, a)| (p, on, h, a, reason));
    insert_ledger(
        tx,
        movements.kind.as_str(),
        movements.reference,
        rows,
        &actor,
    )
}

fn insert_ledger(
    tx: &mut Tx<'_>,
    kind: &str,
    reference: Option<Uuid>,
    entries: impl Iterator<Item = (Pick, i64, i64, i64, Option<StockReason>)>,
    actor: &str,
) -> Result<()> {
    let mut entries = entries.peekable();
    if entries.peek().is_none() {
        return Ok(());
    }
    let batch = Batch::new(
        &[
            ("id", Kind::Id),
            ("variant_id", Kind::Id),
            ("location_id", Kind::Id),
            ("on_hand", Kind::Int),
            ("held", Kind::Int),
            ("allocated", Kind::Int),
            ("reason", Kind::Text),
        ],
        entries.map(|(p, on_hand, held, allocated, reason)| {
            [
                MovementId::new().into(),
                p.variant_id.into(),
                p.location_id.into(),
                on_hand.into(),
                held.into(),
                allocated.into(),
                reason.map(StockReason::as_str).into(),
            ]
        }),
    );
    let reference = reference.map_or(Param::Id(None), Param::from);
    let now = tx.now;
    tx.later(
        "INSERT INTO stock_movements
             (id, variant_id, location_id, kind, on_hand, held, allocated, reason, reference, actor, created_at)
         SELECT x.id, x.variant_id, x.location_id, ?, x.on_hand, x.held, x.allocated, x.reason, ?, ?, ? FROM ? AS x",
        params![kind, reference, actor, now, batch],
    )
}

/// Which of these variants there are and are tracked.
pub fn tracked(tx: &mut Tx<'_>, variants: &[VariantId]) -> Result<Vec<(VariantId, bool)>> {
    let rows = tx.conn.rows::<(Id, Text), (VariantId, String)>(
        "SELECT v.id, v.stock_policy FROM product_variants v WHERE v.id IN (SELECT x.id FROM ? AS x)",
        params![Batch::ids(variants.iter().map(|v| v.uuid()))],
    )?;
    Ok(rows
        .into_iter()
        .map(|(id, policy)| (id, policy != "untracked"))
        .collect())
}

/// The variants that a location has a level of.
pub fn variants_at(tx: &mut Tx<'_>, location: LocationId) -> Result<Vec<VariantId>> {
    Ok(on!(tx.conn, |c| stock_levels::table
        .filter(stock_levels::location_id.eq(location))
        .select(stock_levels::variant_id)
        .load(c))?)
}
