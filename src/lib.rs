//! Mercer: a headless commerce server.
//!
//! Read in this order: [`operation`] (one operation, two doors), [`context`] (transactions), a domain such as
//! [`domain::channels`], then [`api`] (the doors). What each layer may use stands to its left:
//!
//! ```text
//! kernel ← config ← auth, ports ← db ← context ← jobs ← operation ← domain ← import, api ← app ← main      ports ← providers ← app
//! ```

// The tables of operations expand to deeply nested futures.
#![recursion_limit = "256"]

pub mod api;
pub mod app;
pub mod auth;
pub mod config;
pub mod context;
pub mod db;
pub mod doctor;
pub mod domain;
pub mod import;
pub mod jobs;
pub mod kernel;
pub mod operation;
pub mod ports;
pub mod providers;
pub mod sabotage;
#[allow(missing_docs, clippy::wildcard_imports)]
pub mod schema;
