//! Which location gives how many: pure, so that it can be tested with made-up levels.
//!
//! For each variant, in the order of the locations: the first that has all of it on hand; else what there is on hand, from
//! one after another; else what may be ordered back.

use std::collections::BTreeMap;

use crate::kernel::ids::{LocationId, VariantId};

/// How many units of each variant are wanted. Several lines of one variant are one demand, and variants come in the order
/// of their ids: locks are always taken in that order.
pub type Demand = BTreeMap<VariantId, i64>;

/// Units of a variant from a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// The variant.
    pub variant_id: VariantId,
    /// The location.
    pub location_id: LocationId,
    /// Units, more than 0.
    pub quantity: i64,
}

/// A variant of which there is less than wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The variant.
    pub variant_id: VariantId,
    /// How many there are.
    pub available: i64,
}

/// A level as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Supply {
    /// The variant.
    pub variant_id: VariantId,
    /// The location; supplies come in the order of the locations.
    pub location_id: LocationId,
    /// Units on hand that are not promised; negative where more is promised.
    pub free: i64,
    /// Units that may be promised beyond those on hand.
    pub backorderable: i64,
}

impl Supply {
    fn promisable(&self) -> i64 {
        self.free.saturating_add(self.backorderable).max(0)
    }
}

/// Decides who gives what, or says what is short.
pub fn plan(demand: &Demand, supplies: &[Supply]) -> Result<Vec<Pick>, Vec<Shortage>> {
    let (mut picks, mut shortages) = (Vec::new(), Vec::new());
    for (&variant_id, &wanted) in demand {
        let own: Vec<&Supply> = supplies
            .iter()
            .filter(|s| s.variant_id == variant_id)
            .collect();
        let available = own
            .iter()
            .fold(0_i64, |sum, s| sum.saturating_add(s.promisable()));
        if available < wanted {
            shortages.push(Shortage {
                variant_id,
                available,
            });
        } else {
            picks.extend(pick(variant_id, wanted, &own));
        }
    }
    if shortages.is_empty() {
        Ok(picks)
    } else {
        Err(shortages)
    }
}

fn pick(variant_id: VariantId, wanted: i64, supplies: &[&Supply]) -> Vec<Pick> {
    if let Some(one) = supplies.iter().find(|s| s.free >= wanted) {
        return vec![Pick {
            variant_id,
            location_id: one.location_id,
            quantity: wanted,
        }];
    }
    let mut taken: Vec<(LocationId, i64)> = supplies.iter().map(|s| (s.location_id, 0)).collect();
    let mut left = wanted;
    let rounds: [fn(&Supply) -> i64; 2] = [|s| s.free.max(0), Supply::promisable];
    for offer in rounds {
        for (supply, (_, quantity)) in supplies.iter().zip(&mut taken) {
            let more = left.min(offer(supply) - *quantity).max(0);
            *quantity += more;
            left -= more;
        }
    }
    taken
        .into_iter()
        .filter(|(_, quantity)| *quantity > 0)
        .map(|(location_id, quantity)| Pick {
            variant_id,
            location_id,
            quantity,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn variant(n: u128) -> VariantId {
        VariantId::from_uuid(Uuid::from_u128(n))
    }

    fn location(n: u128) -> LocationId {
        LocationId::from_uuid(Uuid::from_u128(n))
    }

    fn supply(place: u128, free: i64, backorderable: i64) -> Supply {
        Supply {
            variant_id: variant(1),
            location_id: location(place),
            free,
            backorderable,
        }
    }

    fn planned(wanted: i64, supplies: &[Supply]) -> Result<Vec<(u128, i64)>, i64> {
        plan(&Demand::from([(variant(1), wanted)]), supplies)
            .map(|picks| {
                picks
                    .iter()
                    .map(|p| (p.location_id.uuid().as_u128(), p.quantity))
                    .collect()
            })
            .map_err(|short| short[0].available)
    }

    #[test]
    fn one_location_that_has_all_is_preferred_to_two_that_come_first() {
        assert_eq!(
            planned(5, &[supply(1, 3, 0), supply(2, 3, 0), supply(3, 9, 0)]),
            Ok(vec![(3, 5)])
        );
    }

    #[test]
    fn locations_are_emptied_in_their_order() {
        assert_eq!(
            planned(5, &[supply(1, 3, 0), supply(2, 3, 0)]),
            Ok(vec![(1, 3), (2, 2)])
        );
    }

    #[test]
    fn what_is_there_is_given_before_what_must_be_ordered_back() {
        assert_eq!(
            planned(5, &[supply(1, 1, 10), supply(2, 3, 0)]),
            Ok(vec![(1, 2), (2, 3)])
        );
        assert_eq!(planned(4, &[supply(1, -2, 6)]), Ok(vec![(1, 4)]));
    }

    #[test]
    fn a_shortage_says_how_many_there_are() {
        assert_eq!(
            planned(7, &[supply(1, 3, 0), supply(2, 3, 0), supply(3, -4, 1)]),
            Err(6)
        );
        assert_eq!(planned(1, &[]), Err(0));
    }

    proptest! {
        #[test]
        fn what_is_given_is_what_was_wanted_and_never_more_than_there_is(
            levels in proptest::collection::vec((-20_i64..50, 0_i64..20), 0..6), wanted in 1_i64..150,
        ) {
            let supplies: Vec<Supply> =
                levels.iter().enumerate().map(|(i, (free, back))| supply(i as u128, *free, *back)).collect();
            let total: i64 = supplies.iter().map(Supply::promisable).sum();
            match planned(wanted, &supplies) {
                Ok(picks) => {
                    prop_assert_eq!(picks.iter().map(|(_, q)| q).sum::<i64>(), wanted);
                    for (place, quantity) in picks {
                        let own = &supplies[usize::try_from(place).unwrap()];
                        prop_assert!(quantity > 0 && quantity <= own.promisable());
                    }
                }
                Err(available) => prop_assert!(available == total && total < wanted),
            }
        }
    }
}
