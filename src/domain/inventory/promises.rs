//! Promising stock and giving it back. Each is a fixed number of statements, however many lines there are.

use uuid::Uuid;

use super::allocation::{Demand, Pick, Shortage, plan};
use super::model::{MovementKind, Movements};
use super::queries;
use crate::context::Tx;
use crate::kernel::{Error, Result, Timestamp};

/// Holds stock for `reference` until `expires_at`, or says what is short. Four statements.
pub fn hold(
    tx: &mut Tx<'_>,
    reference: Uuid,
    demand: &Demand,
    expires_at: Timestamp,
) -> Result<Result<Vec<Pick>, Vec<Shortage>>> {
    if demand.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let supplies = queries::lock_supplies(tx, demand.keys().copied())?;
    let picks = match plan(demand, &supplies) {
        Ok(picks) => picks,
        Err(shortages) => return Ok(Err(shortages)),
    };
    shift(tx, &picks, 1, 0)?;
    queries::insert_holds(tx, reference, &picks, expires_at)?;
    let movements = Movements {
        kind: MovementKind::Hold,
        reference: Some(reference),
    };
    queries::insert_movements(
        tx,
        &movements,
        picks.iter().map(|p| (*p, 0, p.quantity, 0)),
        None,
    )?;
    Ok(Ok(picks))
}

/// Gives back what is held for `reference`. Three statements.
pub fn release(tx: &mut Tx<'_>, reference: Uuid) -> Result<()> {
    let picks = queries::take_holds(tx, reference)?;
    shift(tx, &picks, -1, 0)?;
    let movements = Movements {
        kind: MovementKind::Release,
        reference: Some(reference),
    };
    queries::insert_movements(
        tx,
        &movements,
        picks.iter().map(|p| (*p, 0, -p.quantity, 0)),
        None,
    )
}

/// Turns what is held for `checkout` into an allocation of `order`, and says what that is. Three statements.
pub fn allocate(tx: &mut Tx<'_>, checkout: Uuid, order: Uuid) -> Result<Vec<Pick>> {
    let picks = queries::take_holds(tx, checkout)?;
    shift(tx, &picks, -1, 1)?;
    let movements = Movements {
        kind: MovementKind::Allocate,
        reference: Some(order),
    };
    queries::insert_movements(
        tx,
        &movements,
        picks.iter().map(|p| (*p, 0, -p.quantity, p.quantity)),
        None,
    )?;
    Ok(picks)
}

/// Gives back what was allocated to `order`. Two statements.
pub fn deallocate(tx: &mut Tx<'_>, order: Uuid, picks: &[Pick]) -> Result<()> {
    shift(tx, picks, 0, -1)?;
    let movements = Movements {
        kind: MovementKind::Deallocate,
        reference: Some(order),
    };
    queries::insert_movements(
        tx,
        &movements,
        picks.iter().map(|p| (*p, 0, 0, -p.quantity)),
        None,
    )
}

/// Adds `held` and `allocated` times each pick's quantity to its level. What was locked or is held is there, so a level
/// that does not take it is an error of ours, and the transaction ends.
fn shift(tx: &mut Tx<'_>, picks: &[Pick], held: i64, allocated: i64) -> Result<()> {
    if picks.is_empty() {
        return Ok(());
    }
    let after = queries::shift_levels(tx, picks, held, allocated)?;
    if after.len() != picks.len() {
        return Err(Error::internal(
            "a stock level did not take what was promised of it",
        ));
    }
    let promised = held + allocated;
    for (variant, location, free, backorderable) in after {
        let quantity = picks
            .iter()
            .find(|p| (p.variant_id, p.location_id) == (variant, location))
            .map_or(0, |p| p.quantity);
        let before = free + promised * quantity;
        // Shoppers are told whether there is any on hand, and whether any can be had.
        let told = |free: i64| (free > 0, free + backorderable > 0);
        if told(free) != told(before) {
            tx.changed().variants.insert(variant);
        }
    }
    Ok(())
}
