//! The order and payment core under a seeded schedule: lost calls and answers, crashes between any two of them, webhooks that
//! come late, twice and in any order, clock jumps, double submits, staff who refund while others cancel.
//!
//! Nothing happens but what the schedule says: one task runs at a time, until it is over or waits for the provider, and the
//! seed decides what comes next. A crash drops every task and opens the application anew on what is in the database; the
//! provider remembers. In the end the provider answers again, time passes, and everything must add up: the invariants of
//! `mercer doctor`, the provider's books against Mercer's, one order a cart, and no money held that no order is for.
//!
//! ```sh
//! SEED=4711 cargo test --features sabotage simulation      # replays one run, and prints it
//! SEEDS=5000 cargo test --features sabotage simulation     # so many runs
//! ```

mod gateway;
mod world;

use world::{Template, run};

/// How many runs a test makes where nothing is said.
const SEEDS: u64 = 60;

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
    let mut faults = 0;
    for seed in 0..seeds {
        let story = run(&template, seed, None);
        faults += story.faults;
        if let Err(what) = story.verdict {
            panic!("SEED={seed}: {what}\n{}", story.trace.join("\n"));
        }
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
    use mercer::sabotage::Guard;

    fn noticed_within_a_hundred_seeds(guard: Guard) {
        let template = Template::make();
        let caught = (0..100).find(|seed| run(&template, *seed, Some(guard)).verdict.is_err());
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
    fn without_the_guard_of_the_stock_more_is_sold() {
        noticed_within_a_hundred_seeds(Guard::Stock);
    }
}
