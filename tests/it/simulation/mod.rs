//! The order and payment core under a seeded schedule: lost calls and answers, crashes between any two of them, webhooks that
//! come late, twice and in any order, clock jumps, double submits, staff who refund, ship or reserve anew while others cancel,
//! payment links, a coupon that more want than may, transactions that panic.
//!
//! Nothing happens but what the schedule says: one task runs at a time, until it is over or waits for the provider, and the
//! seed decides what comes next. A crash drops every task and opens the application anew on what is in the database; the
//! provider remembers. In the end the provider answers again, time passes, and everything must add up: the invariants of
//! `mercer doctor`, the provider's books against Mercer's, one order a cart, and no money held that no order is for.
//!
//! ```sh
//! SEED=4711 cargo test --features sabotage simulation      # replays one run, and prints it
//! SEEDS=5000 cargo test --profile simulation --features sabotage --test it simulation     # so many runs, optimised: thousands a minute
//! ```

mod gateway;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use mercer::sabotage::Guard;
use world::{Story, Template, run};

/// How many runs a test makes where nothing is said.
const SEEDS: u64 = 60;

/// Runs that are on their way at the same time: each waits for its own threads most of the time.
const LANES: usize = 4;

/// Makes the first so many runs; gives back their faults, and the run with the lowest seed that did not add up.
fn side_by_side(
    template: &Template,
    seeds: u64,
    without: Option<Guard>,
) -> (usize, Option<(u64, Story)>) {
    let (next, faults) = (AtomicU64::new(0), AtomicUsize::new(0));
    let failed: Mutex<BTreeMap<u64, Story>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while failed.lock().unwrap().is_empty() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    let story = run(template, seed, without);
                    faults.fetch_add(story.faults, Ordering::Relaxed);
                    if story.verdict.is_err() {
                        failed.lock().unwrap().insert(seed, story);
                    }
                }
            });
        }
    });
    (
        faults.into_inner(),
        failed.into_inner().unwrap().pop_first(),
    )
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_happens_the_money_and_the_orders_add_up() {
    let template = Template::make();
    if let Some(seed) = number("SEED") {
        let story = run(&template, seed, None);
        println!("{}", story.trace.join("\n"));
        return story.verdict.unwrap();
    }
    let seeds = number("SEEDS").unwrap_or(SEEDS);
    let (faults, failed) = side_by_side(&template, seeds, None);
    if let Some((seed, story)) = failed {
        let what = story.verdict.unwrap_err();
        panic!("SEED={seed}: {what}\n{}", story.trace.join("\n"));
    }
    println!("{seeds} seeds, {faults} faults");
}

#[test]
fn a_seed_is_a_run() {
    let template = Template::make();
    for seed in [1, 2, 3] {
        let (first, again) = (run(&template, seed, None), run(&template, seed, None));
        assert_eq!(first.trace, again.trace, "SEED={seed}");
        assert!(first.faults > 0);
    }
}

/// Each guard taken away, and the seed at which that is noticed.
#[cfg(feature = "sabotage")]
mod broken {
    use super::*;

    fn noticed_within_a_hundred_seeds(guard: Guard) {
        let template = Template::make();
        let caught = side_by_side(&template, 100, Some(guard)).1;
        let caught = caught.map(|(seed, _)| seed);
        println!("without {guard:?}: noticed at seed {caught:?}");
        assert!(caught.is_some(), "without {guard:?} nothing was noticed");
    }

    #[test]
    fn without_the_ceiling_more_goes_back_than_came() {
        noticed_within_a_hundred_seeds(Guard::Money);
    }

    #[test]
    fn without_the_same_key_money_moves_twice() {
        noticed_within_a_hundred_seeds(Guard::Keys);
    }

    #[test]
    fn without_the_release_money_is_held_for_nothing() {
        noticed_within_a_hundred_seeds(Guard::Release);
    }

    #[test]
    fn without_the_guard_of_the_coupon_it_is_used_too_often() {
        noticed_within_a_hundred_seeds(Guard::Coupon);
    }

    #[test]
    fn without_the_guard_of_the_stock_more_is_sold() {
        noticed_within_a_hundred_seeds(Guard::Stock);
    }
}
