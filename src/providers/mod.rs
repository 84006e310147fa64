//! Adapters: what stands behind the ports.

mod addresses;
mod credit;
pub mod http;
mod manual;
pub mod paypal;
pub mod stripe;
mod test_payments;

pub use addresses::BuiltInAddresses;
pub use credit::Credit;
pub use manual::Manual;
pub use test_payments::TestPayments;
