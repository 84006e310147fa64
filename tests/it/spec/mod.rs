//! The stories of each domain.

mod carts;
mod catalog;
mod channels;
mod checkout;
mod credits;
mod graphql;
mod identity;
mod import;
mod inventory;
mod jobs;
mod orders;
mod payments;
mod pricing;
mod shipping;
mod statements;
mod stripe;
mod tax;
