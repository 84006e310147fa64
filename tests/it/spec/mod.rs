//! The stories of each domain.

mod channels;
mod identity;
mod import;
