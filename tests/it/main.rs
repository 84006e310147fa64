//! The integration tests: a real server on a port of its own, a database of its own, a clock that can be moved.
//!
//! `spec/` tells the stories of the domains over HTTP, one behaviour a test, on both databases. `contract/` holds both doors to
//! the table of operations and to the protocols; it is generic, so that a new operation is covered as soon as it stands in the
//! table. `replay.rs` sells a real shop's orders again, where the file is there. `architecture.rs` reads the source. How a story is written stands in `support/`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc
)]

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[macro_use]
mod support;

mod architecture;
mod contract;
mod crash;
mod outage;
mod races;
mod replay;
mod simulation;
mod spec;
