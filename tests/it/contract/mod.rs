//! What must hold for every operation and at every door, however many there are.

mod access_log;
mod audience;
mod bombs;
mod bounds;
mod cors;
mod documents;
mod doors;
mod emails;
mod headers;
mod health;
mod idempotency;
mod integers;
mod keys;
mod limits;
mod messages;
mod migrations;
mod permissions;
mod protocol;
mod versions;
