//! The stories of each domain.

mod carts;
mod channels;
mod checkout;
mod identity;
mod import;
mod inventory;
mod pricing;
mod shipping;
mod tax;
