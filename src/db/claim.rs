//! One server an embedded database: two would each believe to be its only writer's home, and a demo or a restore would take the
//! file away under it.

use std::fs::{File, TryLockError};

use super::Address;
use crate::kernel::{Code, Error, Result};

/// The right to serve an embedded database; it ends with the process at the latest.
#[derive(Debug)]
pub struct Claim(#[expect(dead_code, reason = "held until it is dropped")] File);

impl Address {
    /// Claims an embedded database for this process; nothing is to be claimed on PostgreSQL.
    pub fn claim(&self) -> Result<Option<Claim>> {
        let Self::Sqlite(path) = self else {
            return Ok(None);
        };
        let failed = |e: std::io::Error| {
            let detail = format!("{path}.lock cannot be locked: {e}.");
            Error::new(Code::Unavailable, detail)
        };
        let file = File::options()
            .create(true)
            .append(true)
            .open(format!("{path}.lock"))
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Claim(file))),
            Err(TryLockError::WouldBlock) => {
                let detail = format!(
                    "{path} is in use by another mercer. Stop that one first, or name another database with \
                     --database-url; many processes share a shop on PostgreSQL."
                );
                Err(Error::new(Code::InvalidState, detail))
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}
