//! Words everyone uses: errors, ids, money, time, pages, patches, state tables.
//!
//! The kernel knows nothing of shops, databases or HTTP and imports nothing else of this crate.
//! Each type knows how it looks in all places it can stand in: JSON, GraphQL, OpenAPI and a column.

pub mod check;
pub mod choice;
pub mod column;
pub mod crockford;
pub mod email;
pub mod error;
pub mod hex;
pub mod id;
pub mod ids;
pub mod json;
pub mod money;
pub mod net;
pub mod page;
pub mod param;
pub mod patch;
pub mod rendered;
pub mod secret;
pub mod shape;
pub mod state;
pub mod time;

pub use check::Checks;
pub use email::Email;
pub(crate) use error::Failure;
pub use error::{Code, Error, FieldError, Result};
pub use hex::hex;
pub use json::{Document, Json, Metadata};
pub use money::{Currency, Money};
pub use page::{Page, PageRequest};
pub use param::{Batch, Kind, Param};
pub use patch::Patch;
pub use rendered::Rendered;
pub use secret::Secret;
pub use time::{Clock, Timestamp};
