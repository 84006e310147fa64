//! Adapters: what stands behind the ports.

pub mod http;
mod manual;
pub mod paypal;
pub mod stripe;
mod test_payments;

pub use manual::Manual;
pub use test_payments::TestPayments;
