//! Adapters: what stands behind the ports.

mod addresses;
mod manual;
mod test_payments;

pub use addresses::BuiltInAddresses;
pub use manual::Manual;
pub use test_payments::TestPayments;
