//! One flush to disk for many commits.
//!
//! A commit that waits for the disk makes others wait with it: on SQLite whoever is to write next, on PostgreSQL whoever
//! wants a row that it has locked, as the orders of a channel want its counter. So commits do not wait here
//! (`synchronous = NORMAL`, `synchronous_commit = off`). They are handed to a thread that flushes the database's log and only
//! then has their callers answered. Both logs are written in order, so that one flush serves everybody who has committed
//! before it began, and what survives a crash is what was committed up to some moment: nothing that was answered is lost.
//!
//! Others may see what is not on disk yet, for about a millisecond. Whoever acts on it outside (a relayed event, a call to
//! a provider) commits a claim first, which is flushed after it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use diesel::sql_types::{Bool, Text};

use super::{Address, Conn};
use crate::kernel::{Error, Result};
use crate::params;

/// Lets a connection commit without waiting for the disk; each commit must be given to [`Durable::take`].
pub fn relax(conn: &mut Conn) -> Result<()> {
    if conn.is_postgres() {
        let text = format!("SELECT set_config('synchronous_commit', 'off', false) WHERE {MARKS}");
        conn.rows::<Text, String>(&text, vec![]).map(drop)
    } else {
        Ok(conn.batch("PRAGMA synchronous = NORMAL")?)
    }
}

/// Brings a database's log to the disk, up to what was committed before the call.
pub trait Flush: Send + 'static {
    /// Flushes.
    fn flush(&mut self) -> Result<()>;
    /// Begins anew after a flush that failed: says whether what is committed from now on can be flushed.
    fn renew(&mut self) -> bool;
}

/// Has commits flushed; clones share a thread, which ends with the last.
#[derive(Clone)]
pub struct Durable {
    queue: mpsc::Sender<Waiting>,
    generation: Arc<AtomicU64>,
}

struct Waiting {
    ticket: Ticket,
    done: Box<dyn FnOnce(Result<()>) + Send>,
}

/// Says after which failed flush a transaction began. A later flush that succeeds proves nothing about an earlier one: the
/// server may have crashed in between and lost it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

impl Durable {
    /// Starts the thread.
    pub fn start(log: impl Flush) -> Result<Self> {
        let (queue, waiting) = mpsc::channel();
        let generation = Arc::<AtomicU64>::default();
        let counter = generation.clone();
        std::thread::Builder::new()
            .name("durable".into())
            .spawn(move || run(log, &waiting, &counter))
            .map_err(Error::internal)?;
        Ok(Self { queue, generation })
    }

    /// To be taken before a transaction begins.
    pub fn ticket(&self) -> Ticket {
        Ticket(self.generation.load(Ordering::Acquire))
    }

    /// For tests only: calls everything durable at once from now on.
    #[cfg(feature = "sabotage")]
    pub fn give_up(&self) {
        self.generation.store(u64::MAX, Ordering::Release);
    }

    /// Takes up what was committed, and calls `done` when it is on disk, or may not be.
    pub fn take(&self, ticket: Ticket, done: impl FnOnce(Result<()>) + Send + 'static) {
        #[cfg(feature = "sabotage")]
        if self.generation.load(Ordering::Acquire) == u64::MAX {
            return done(Ok(()));
        }
        let done = Box::new(done);
        if let Err(mpsc::SendError(waiting)) = self.queue.send(Waiting { ticket, done }) {
            (waiting.done)(Err(in_doubt()));
        }
    }
}

fn in_doubt() -> Error {
    Error::unavailable("a commit may not have reached the disk")
}

fn run(mut log: impl Flush, queue: &mpsc::Receiver<Waiting>, generation: &AtomicU64) {
    let mut usable = true;
    while let Ok(first) = queue.recv() {
        let all: Vec<Waiting> = std::iter::once(first).chain(queue.try_iter()).collect();
        let current = Ticket(generation.load(Ordering::Acquire));
        let flushed = usable && log.flush().inspect_err(say).is_ok();
        for Waiting { ticket, done } in all {
            done(if flushed && ticket == current {
                Ok(())
            } else {
                Err(in_doubt())
            });
        }
        if usable && !flushed {
            usable = log.renew();
            generation.fetch_add(1, Ordering::AcqRel);
        }
    }
}

fn say(error: &Error) {
    tracing::error!(%error, "commits could not be flushed to disk");
}

/// The write-ahead log of an SQLite database.
pub struct Wal {
    path: PathBuf,
    file: Option<File>,
}

impl Wal {
    /// The log of the database at `path`.
    pub fn of(path: &str) -> Self {
        Self {
            path: format!("{path}-wal").into(),
            file: None,
        }
    }
}

impl Flush for Wal {
    fn flush(&mut self) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                // The name of a new log is to be there after a power cut, too.
                let folder = self.path.parent().filter(|p| *p != Path::new(""));
                let folder =
                    File::open(folder.unwrap_or(Path::new("."))).map_err(Error::unavailable)?;
                folder.sync_all().map_err(Error::unavailable)?;
                none.insert(File::open(&self.path).map_err(Error::unavailable)?)
            }
        };
        file.sync_data().map_err(Error::unavailable)
    }

    /// Never: the system may have forgotten pages that it could not write, and later flushes would hide the hole.
    fn renew(&mut self) -> bool {
        false
    }
}

/// Markers in the log of a PostgreSQL server, written by a commit that does wait for the disk.
pub struct Marks {
    address: Address,
    /// The connection, and what `synchronous_commit` is on this server; nothing where no connection can be relaxed.
    current: Option<(Conn, Option<String>)>,
}

/// Whether the engine can write a marker. One that cannot waits for the disk at every commit, as it does by itself.
const MARKS: &str = "EXISTS (SELECT 1 FROM pg_proc WHERE proname = 'pg_logical_emit_message')";

impl Marks {
    /// Markers on the server at `address`.
    pub fn on(address: Address) -> Self {
        Self {
            address,
            current: None,
        }
    }
}

impl Flush for Marks {
    fn flush(&mut self) -> Result<()> {
        if self.current.is_none() {
            let mut conn = self.address.open()?;
            let text = format!(
                "SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit' AND {MARKS}"
            );
            let level = conn.rows::<Text, String>(&text, vec![])?;
            self.current = Some((conn, level.into_iter().next()));
        }
        let Some((conn, Some(level))) = &mut self.current else {
            return Ok(());
        };
        // The level is said each time: a connection pooler may hand out a session that somebody else has relaxed.
        conn.rows::<Bool, bool>(
            "SELECT set_config('synchronous_commit', ?, true) IS NOT NULL
                AND pg_logical_emit_message(true, 'mercer', '') IS NOT NULL",
            params![level.as_str()],
        )?;
        Ok(())
    }

    fn renew(&mut self) -> bool {
        self.current = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A log whose flushes wait for the test, and fail when it says so.
    struct Scripted {
        flushes: mpsc::Receiver<bool>,
        begun: mpsc::Sender<()>,
        renews: bool,
    }

    impl Flush for Scripted {
        fn flush(&mut self) -> Result<()> {
            self.begun.send(()).unwrap();
            let well = self.flushes.recv().unwrap();
            if well { Ok(()) } else { Err(in_doubt()) }
        }

        fn renew(&mut self) -> bool {
            self.renews
        }
    }

    struct Script {
        durable: Durable,
        flush: mpsc::Sender<bool>,
        begun: mpsc::Receiver<()>,
    }

    fn script(renews: bool) -> Script {
        let (flush, flushes) = mpsc::channel();
        let (beginning, begun) = mpsc::channel();
        let log = Scripted {
            flushes,
            begun: beginning,
            renews,
        };
        Script {
            durable: Durable::start(log).unwrap(),
            flush,
            begun,
        }
    }

    impl Script {
        fn commit(&self, ticket: Ticket) -> mpsc::Receiver<bool> {
            let (tell, told) = mpsc::channel();
            self.durable
                .take(ticket, move |done| tell.send(done.is_ok()).unwrap());
            told
        }
    }

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn a_flush_serves_those_who_committed_before_it_began() {
        let script = script(true);
        let ticket = script.durable.ticket();
        let first = script.commit(ticket);
        script.begun.recv_timeout(SOON).unwrap();
        // These came too late for it, and share the next.
        let late = [script.commit(ticket), script.commit(ticket)];
        assert!(first.try_recv().is_err(), "answered before the flush");
        script.flush.send(true).unwrap();
        assert_eq!(first.recv_timeout(SOON), Ok(true));
        script.begun.recv_timeout(SOON).unwrap();
        assert!(late.iter().all(|told| told.try_recv().is_err()));
        script.flush.send(true).unwrap();
        assert!(late.iter().all(|told| told.recv_timeout(SOON) == Ok(true)));
    }

    #[test]
    fn what_began_before_a_failed_flush_is_never_called_safe() {
        let script = script(true);
        let before = script.durable.ticket();
        let first = script.commit(before);
        script.flush.send(false).unwrap();
        assert_eq!(first.recv_timeout(SOON), Ok(false));
        while script.durable.ticket() == before {
            std::thread::yield_now();
        }
        let late = script.commit(before);
        script.flush.send(true).unwrap();
        assert_eq!(late.recv_timeout(SOON), Ok(false));
        let next = script.commit(script.durable.ticket());
        script.flush.send(true).unwrap();
        assert_eq!(next.recv_timeout(SOON), Ok(true));
    }

    #[test]
    fn a_log_that_cannot_be_renewed_is_not_trusted_again() {
        let script = script(false);
        let first = script.commit(script.durable.ticket());
        script.flush.send(false).unwrap();
        assert_eq!(first.recv_timeout(SOON), Ok(false));
        let next = script.commit(script.durable.ticket());
        assert_eq!(next.recv_timeout(SOON), Ok(false));
        assert_eq!(script.begun.try_iter().count(), 1);
    }
}
