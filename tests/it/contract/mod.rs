//! What must hold for every operation and at every door, however many there are.

mod audience;
mod access_log;
mod bombs;
mod cors;
mod documents;
mod doors;
mod headers;
mod health;
mod idempotency;
mod keys;
mod messages;
mod limits;
mod migrations;
mod permissions;
mod protocol;
