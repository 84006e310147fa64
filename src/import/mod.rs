//! Ways in and out for whole catalogues: Mercer's own JSONL, Shopify's product CSV, the retail transactions, the demo shop.
//!
//! A reader turns a stream into rows of [`BulkUpsertProducts`](crate::domain::catalog::BulkUpsertProducts) and dispatches
//! the ordinary operations as Mercer itself, so that an import can do nothing that a partner could not do over HTTP.
//! What must always hold: a row is written as a whole or not at all; a row that cannot be used is reported by its line and
//! the rest goes on; running an import again changes nothing; a stream of any length takes the same memory, Shopify's
//! apart.
//!
//! What it does not do: fetch or store pictures (media are links), or take anything away that a file no longer names,
//! unless it is told to.

pub mod amount;
pub mod demo;
pub mod export;
mod html;
pub mod jsonl;
mod lines;
mod products;
pub mod report;
pub mod retail;
mod settings;
pub mod shopify;
mod table;

pub use report::Report;
