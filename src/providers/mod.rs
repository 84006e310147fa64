//! Adapters: what stands behind the ports.

mod credit;
mod manual;
mod test_payments;

pub use credit::Credit;
pub use manual::Manual;
pub use test_payments::TestPayments;
