//! Adapters: what stands behind the ports.

mod manual;
mod test_payments;

pub use manual::Manual;
pub use test_payments::TestPayments;
