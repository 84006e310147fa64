//! Everything that can be replaced, on one shelf: a trait in the shop's words, and outcomes that a machine can act on.

pub mod address;
pub mod payment;
pub mod wallet;
