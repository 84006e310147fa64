//! What stories are told with.
//!
//! ```text
//! both! {
//!     fn a_channel_is_found_by_its_id(shop) {
//!         let made = shop.staff().post("/channels", json!({"handle": "de", …})).created();
//!         let found = shop.staff().get(&format!("/channels/{}", made.text("/id"))).ok();
//!         assert_eq!(found.json, made.json);
//!         shop.anonymous().get("/channels/chn_…").refused(401, "UNAUTHENTICATED");
//!     }
//! }
//! ```
//!
//! [`both!`] makes a test for each database of it. The shop has a channel (`shop.channel`) and nothing else.

pub mod client;
pub mod contract;
pub mod database;
pub mod double;
pub mod gateway;
pub mod paypal;
pub mod sdl;
pub mod server;
pub mod shop;
pub mod store;

pub use client::{Answer, Client};
pub use database::Kind;
pub use shop::Shop;
pub use store::{Cart, Store};

/// Tells each story on either database: `both! { fn name(shop) { … } }` makes the tests `name::sqlite` and `name::postgres`.
macro_rules! both {
    ($( $(#[$meta:meta])* fn $name:ident($shop:ident) $story:block )+) => { $(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn story($shop: &$crate::support::Shop) $story

            #[test]
            fn sqlite() {
                story(&$crate::support::Shop::open($crate::support::Kind::Sqlite));
            }

            #[test]
            fn postgres() {
                $crate::support::shop::on_postgres(story);
            }
        }
    )+ };
}

/// Tells each story on either database in a world of the module's own, which `tell(Kind, story)` makes: `stories! { fn name(w)
/// { … } }` makes the tests `name::sqlite` and `name::postgres`.
macro_rules! stories {
    ($( $(#[$meta:meta])* fn $name:ident($world:ident) $story:block )+) => { $(
        $(#[$meta])*
        mod $name {
            use super::*;

            fn story($world: &World<'_>) $story

            #[test]
            fn sqlite() {
                tell($crate::support::Kind::Sqlite, story);
            }

            #[test]
            fn postgres() {
                $crate::support::shop::if_postgres(|| tell($crate::support::Kind::Postgres, story));
            }
        }
    )+ };
}

/// Does `work` in `n` threads that begin at the same moment; the results are in the order of the numbers.
pub fn concurrently<T: Send>(n: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = std::sync::Barrier::new(n);
    std::thread::scope(|scope| {
        let start = |i| {
            let (work, barrier) = (&work, &barrier);
            scope.spawn(move || {
                barrier.wait();
                work(i)
            })
        };
        let threads: Vec<_> = (0..n).map(start).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

/// Waits up to `seconds` until `holds`; a test that waits for something says what it waits for.
pub fn within(seconds: u64, what: &str, mut holds: impl FnMut() -> bool) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    while !holds() {
        assert!(
            std::time::Instant::now() < until,
            "after {seconds} s still not: {what}"
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
