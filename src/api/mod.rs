//! The doors: REST and GraphQL, both made of the tables of operations; and what fits neither, in [`inbound`].
//!
//! A door parses, calls `dispatch`, and renders. It knows no rule of the shop.

mod answer;
mod bounds;
mod cache;
mod compress;
mod cors;
mod docs;
mod edge;
pub mod graphql;
mod inbound;
mod input;
mod metrics;
pub mod openapi;
mod pictures;
mod request;
pub mod rest;
pub mod server;
