//! The stories of each domain.

mod addresses;
mod carts;
mod catalog;
mod channels;
mod checkout;
mod coupons;
mod credit_terms;
mod credits;
mod graphql;
mod identity;
mod import;
mod inventory;
mod jobs;
mod localstripe;
mod orders;
mod payment_links;
mod payments;
mod paypal;
mod pricing;
mod refunds;
mod risk;
mod saved_methods;
mod shipping;
mod statements;
mod stripe;
mod tax;
