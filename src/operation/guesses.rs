//! Slows down who tries codes out, each process for itself. Who may see all codes need not guess, and is not counted.
//!
//! Wrong codes are counted for a quarter of an hour: those of a cart, those of a client's address, and those of an API key,
//! which all shoppers of a shop front share. A cart with too many is refused, and so is an address that asks without a cart.
//! Where the address of another cart was wrong too often, its requests are answered one after the other, up to [`LONGEST`]
//! apart, and refused only while [`QUEUE`] of them wait. Where the key was, everybody waits for a moment and nobody is refused:
//! a shopper who has done nothing cannot be shut out by strangers.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::auth::Scope;
use crate::context::Cx;
use crate::kernel::ids::CartId;
use crate::kernel::{Code, Error, Result, Timestamp};

const WINDOW: Duration = Duration::from_mins(15);
/// How many wrong codes of an address slow it down.
const OF_ADDRESS: u32 = 10;
/// How many wrong codes of a key slow it down.
const OF_KEY: u32 = 100;
/// How much longer each further wrong code makes the wait.
const STEP: Duration = Duration::from_millis(20);
/// How long one is made to wait.
const LONGEST: Duration = Duration::from_secs(1);
/// How much waiting there may be ahead of a request of an address.
const QUEUE: Duration = Duration::from_secs(10);
/// How many carts, addresses and keys are remembered, of each.
const REMEMBERED: usize = 10_000;

/// How many codes of a kind may be wrong.
pub struct Limit {
    /// What they are codes of.
    pub kind: &'static str,
    /// How many, of a cart, or of an address without a cart.
    pub most: u32,
    /// The scope with which all of them can be seen.
    pub exempt: Scope,
}

/// Who was wrong about codes of each kind, and how often.
#[derive(Default)]
pub struct Guesses(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    carts: Counts<CartId>,
    addresses: Counts<IpAddr>,
    /// Those of an address without a cart.
    bare: Counts<IpAddr>,
    keys: Counts<String>,
}

impl Guesses {
    /// Refuses who was wrong too often, and slows down where others were.
    pub async fn check(&self, cx: &Cx, limit: &Limit, cart: Option<CartId>) -> Result<()> {
        if cx.actor.has(limit.exempt) {
            return Ok(());
        }
        let wait = self.look(cx, limit, cart)?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// How long this request has to wait.
    fn look(&self, cx: &Cx, limit: &Limit, cart: Option<CartId>) -> Result<Duration> {
        let now = cx.app.clock.now();
        let mut counted = self.counted()?;
        let of_address = |counts: &Counts<IpAddr>| {
            let address = cx.address?;
            Some(counts.of(limit.kind, &address, now))
        };
        let own = match cart {
            Some(cart) => counted.carts.of(limit.kind, &cart, now),
            None => of_address(&counted.bare).unwrap_or_default(),
        };
        if own >= limit.most {
            let detail = if cart.is_some() {
                "This cart had too many wrong codes; try again in a quarter of an hour."
            } else {
                "Too many wrong codes came from your address; try again in a quarter of an hour."
            };
            return Err(Error::new(Code::TooManyAttempts, detail));
        }
        let pace =
            |codes: u32, free: u32| STEP.saturating_mul(codes.saturating_sub(free)).min(LONGEST);
        let key = counted.keys.of(limit.kind, &cx.actor.name(), now);
        let mut wait = pace(key, OF_KEY);
        let address = of_address(&counted.addresses).unwrap_or_default();
        if let Some(from) = cx.address.filter(|_| address > OF_ADDRESS) {
            let turn = counted
                .addresses
                .turn(limit.kind, from, pace(address, OF_ADDRESS));
            wait += turn.ok_or_else(|| {
                let detail = "Too many wrong codes come from your address; try again later.";
                Error::new(Code::TooManyAttempts, detail)
            })?;
        }
        Ok(wait)
    }

    /// Remembers so many wrong codes.
    pub fn wrong(&self, cx: &Cx, limit: &Limit, cart: Option<CartId>, codes: usize) -> Result<()> {
        if codes == 0 || cx.actor.has(limit.exempt) {
            return Ok(());
        }
        let codes = u32::try_from(codes).unwrap_or(u32::MAX);
        let now = cx.app.clock.now();
        let mut counted = self.counted()?;
        if let Some(cart) = cart {
            counted.carts.add(limit.kind, cart, codes, now);
        }
        if let Some(address) = cx.address {
            counted.addresses.add(limit.kind, address, codes, now);
            if cart.is_none() {
                counted.bare.add(limit.kind, address, codes, now);
            }
        }
        let key = cx.actor.name();
        counted.keys.add(limit.kind, key, codes, now);
        Ok(())
    }

    fn counted(&self) -> Result<MutexGuard<'_, Counted>> {
        self.0.lock().map_err(|_| Error::internal("poisoned"))
    }
}

/// Counts that begin anew when their [`WINDOW`] is over.
struct Counts<K>(HashMap<(&'static str, K), Count>);

#[derive(Clone, Copy)]
struct Count {
    since: Timestamp,
    codes: u32,
    /// When the last of the requests that were made to wait goes on.
    turn: Instant,
}

impl Count {
    fn new(since: Timestamp) -> Self {
        Self {
            since,
            codes: 0,
            turn: Instant::now(),
        }
    }

    fn runs(self, now: Timestamp) -> bool {
        self.since > now.minus(WINDOW)
    }
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Clone> Counts<K> {
    fn of(&self, kind: &'static str, who: &K, now: Timestamp) -> u32 {
        let count = self.0.get(&(kind, who.clone()));
        count
            .filter(|count| count.runs(now))
            .map_or(0, |count| count.codes)
    }

    fn add(&mut self, kind: &'static str, who: K, codes: u32, now: Timestamp) {
        let who = (kind, who);
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&who) {
            self.make_room(now);
        }
        let count = self.0.entry(who).or_insert_with(|| Count::new(now));
        if !count.runs(now) {
            *count = Count::new(now);
        }
        count.codes = count.codes.saturating_add(codes);
    }

    /// How long until it is the turn of another request of theirs; nothing where too many wait.
    fn turn(&mut self, kind: &'static str, who: K, pace: Duration) -> Option<Duration> {
        let count = self.0.get_mut(&(kind, who))?;
        let now = Instant::now();
        let turn = count.turn.max(now) + pace;
        let wait = turn - now;
        if wait > QUEUE {
            return None;
        }
        count.turn = turn;
        Some(wait)
    }

    /// Forgets what is over; where all of it counts, the tenth with the fewest wrong codes.
    fn make_room(&mut self, now: Timestamp) {
        self.0.retain(|_, count| count.runs(now));
        if self.0.len() < REMEMBERED {
            return;
        }
        let mut by_codes: Vec<(u32, Timestamp, (&'static str, K))> = self
            .0
            .iter()
            .map(|(who, count)| (count.codes, count.since, who.clone()))
            .collect();
        by_codes.sort_unstable_by_key(|(codes, since, _)| (*codes, *since));
        for (.., who) in by_codes.into_iter().take(REMEMBERED / 10) {
            self.0.remove(&who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attacker_does_not_fill_the_memory_and_is_not_forgotten() {
        let mut counts = Counts::<u32>::default();
        let now = crate::kernel::Clock::default().now();
        for _ in 0..10 {
            counts.add("code", 0, 1, now);
        }
        for who in 1..50_000 {
            counts.add("code", who, 1, now);
            assert!(counts.0.len() <= REMEMBERED);
        }
        assert_eq!(counts.of("code", &0, now), 10);
        assert_eq!(counts.of("code", &49_999, now), 1);
        let later = now.plus(WINDOW);
        assert_eq!(counts.of("code", &0, later), 0);
        counts.add("code", 0, 3, later);
        assert_eq!(counts.of("code", &0, later), 3);
    }
}
