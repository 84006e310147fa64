//! Takes an SQLite database's log back into its file while the writer goes on.
//!
//! SQLite would do it in the commit that makes the log too long, and everybody would wait: a third of the writer's time
//! under load (measured). The writer does it itself only where the log has become very long all the same; then little is
//! left to do.

use std::sync::mpsc;

use super::Conn;
use crate::kernel::{Error, Result};

/// After how many transactions the log is taken back.
const EVERY: usize = 500;

/// Counts the writer's transactions, and wakes a thread now and then that ends with it.
pub struct Checkpoints {
    wake: mpsc::SyncSender<()>,
    since: usize,
}

impl Checkpoints {
    /// Starts the thread on its own connection.
    pub fn start(mut conn: Conn) -> Result<Self> {
        let (wake, woken) = mpsc::sync_channel(1);
        std::thread::Builder::new()
            .name("checkpoints".into())
            .spawn(move || {
                while woken.recv().is_ok() {
                    if let Err(error) = conn.batch("PRAGMA wal_checkpoint(PASSIVE)") {
                        tracing::warn!(%error, "the log could not be taken back into the database");
                    }
                }
            })
            .map_err(Error::internal)?;
        Ok(Self { wake, since: 0 })
    }

    /// So many transactions were committed.
    pub fn count(&mut self, transactions: usize) {
        self.since += transactions;
        // A thread that is at work already will be woken by one of the next.
        if self.since >= EVERY && self.wake.try_send(()).is_ok() {
            self.since = 0;
        }
    }
}
