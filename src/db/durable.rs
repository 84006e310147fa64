//! One flush to disk for many commits.
//!
//! A commit that waits for the disk makes others wait with it: on SQLite whoever is to write next, on PostgreSQL whoever
//! wants a row that it has locked, as the orders of a channel want its counter. So commits do not wait here
//! (`synchronous = NORMAL`, `synchronous_commit = off`). They are handed to a thread that flushes the database's log and only
//! then has their callers answered. Both logs are written in order, so that one flush serves everybody who has committed
//! before it began, and what survives a crash is what was committed up to some moment: nothing that was answered is lost.
//!
//! A flush counts only for a commit of the same log. Whoever commits takes a [`Ticket`] before the transaction begins, which
//! says what log is open here, and since when: a server that crashed has ended the connection that flushes, and one that was
//! replaced by another has another name.
//!
//! Others may see what is not on disk yet, for about a millisecond. Whoever acts on it outside (a relayed event, a call to
//! a provider) commits a claim first, which is flushed after it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use diesel::sql_types::{Bool, Text};

use super::session::Session;
use super::{Address, Conn};
use crate::kernel::{Error, Result};
use crate::params;

/// How long a transaction waits for the log to be open.
const PATIENCE: Duration = Duration::from_secs(2);

/// Brings a database's log to the disk, up to what was committed before the call.
pub trait Flush: Send + 'static {
    /// Opens the log and says its name; nothing where every commit waits for the disk by itself.
    fn open(&mut self) -> Result<Option<Arc<str>>>;
    /// Flushes.
    fn flush(&mut self) -> Result<()>;
    /// Lets go of a log that failed; says whether another may be opened.
    fn close(&mut self) -> bool;
}

/// Has commits flushed; clones share a thread, which ends with the last.
#[derive(Clone)]
pub struct Durable {
    queue: mpsc::Sender<Request>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The log that is open.
    open: Mutex<Option<Ticket>>,
    given_up: AtomicBool,
}

enum Request {
    Open(mpsc::Sender<Result<Ticket>>),
    Close(Ticket),
    Flush(Waiting),
}

struct Waiting {
    ticket: Ticket,
    done: Box<dyn FnOnce(Result<()>) + Send>,
}

/// The log that was open when a transaction began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// How many had been opened before. A later flush that succeeds proves nothing about an earlier log: the server may have
    /// crashed in between and lost its end.
    number: u64,
    /// Its name; nothing where every commit waits for the disk by itself.
    pub log: Option<Arc<str>>,
}

impl Shared {
    fn open(&self) -> Option<Ticket> {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, ticket: Option<Ticket>) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = ticket;
    }
}

impl Durable {
    /// Starts the thread.
    pub fn start(log: impl Flush) -> Result<Self> {
        let (queue, requests) = mpsc::channel();
        let shared = Arc::<Shared>::default();
        let flusher = Flusher {
            log,
            shared: shared.clone(),
            opened: AtomicU64::new(0),
            usable: true,
        };
        std::thread::Builder::new()
            .name("durable".into())
            .spawn(move || flusher.run(&requests))
            .map_err(Error::internal)?;
        Ok(Self { queue, shared })
    }

    /// To be taken before a transaction begins; opens the log where none is open.
    pub fn ticket(&self) -> Result<Ticket> {
        if let Some(ticket) = self.shared.open() {
            return Ok(ticket);
        }
        let (tell, told) = mpsc::channel();
        self.queue
            .send(Request::Open(tell))
            .map_err(|_| Error::unavailable("the log is not flushed any more"))?;
        told.recv_timeout(PATIENCE).map_err(Error::unavailable)?
    }

    /// Has another log opened in place of this one, which is not the one that transactions are written to.
    pub fn distrust(&self, ticket: &Ticket) {
        let _ = self.queue.send(Request::Close(ticket.clone()));
    }

    /// For tests only: calls everything durable at once from now on.
    #[cfg(feature = "sabotage")]
    pub fn give_up(&self) {
        self.shared.given_up.store(true, Ordering::Release);
    }

    /// Takes up what was committed, and calls `done` when it is on disk, or may not be.
    pub fn take(&self, ticket: Ticket, done: impl FnOnce(Result<()>) + Send + 'static) {
        if ticket.log.is_none() || self.shared.given_up.load(Ordering::Acquire) {
            return done(Ok(()));
        }
        let done = Box::new(done);
        let request = Request::Flush(Waiting { ticket, done });
        if let Err(mpsc::SendError(Request::Flush(waiting))) = self.queue.send(request) {
            (waiting.done)(Err(in_doubt()));
        }
    }
}

fn in_doubt() -> Error {
    Error::unavailable("a commit may not have reached the disk")
}

struct Flusher<L> {
    log: L,
    shared: Arc<Shared>,
    opened: AtomicU64,
    usable: bool,
}

impl<L: Flush> Flusher<L> {
    fn run(mut self, queue: &mpsc::Receiver<Request>) {
        while let Ok(first) = queue.recv() {
            let mut waiting = Vec::new();
            for request in std::iter::once(first).chain(queue.try_iter()) {
                match request {
                    Request::Open(tell) => {
                        // Whoever asked may have lost patience.
                        let _ = tell.send(self.open());
                    }
                    Request::Close(ticket) if self.shared.open().as_ref() == Some(&ticket) => {
                        // Whoever found it closed may itself be what is closed.
                        self.flush(std::mem::take(&mut waiting));
                        self.close();
                    }
                    Request::Close(_) => {}
                    Request::Flush(one) => waiting.push(one),
                }
            }
            self.flush(waiting);
        }
    }

    fn open(&mut self) -> Result<Ticket> {
        if let Some(ticket) = self.shared.open() {
            return Ok(ticket);
        }
        if !self.usable {
            return Err(Error::unavailable("the log could not be flushed"));
        }
        let log = self.log.open()?;
        // What was committed and not flushed can be seen by now, and is not to be lost any more.
        if self.opened.load(Ordering::Relaxed) > 0 && log.is_some() {
            self.log.flush()?;
        }
        let ticket = Ticket {
            log,
            number: self.opened.fetch_add(1, Ordering::Relaxed),
        };
        self.shared.set(Some(ticket.clone()));
        Ok(ticket)
    }

    fn close(&mut self) {
        self.shared.set(None);
        self.usable = self.log.close();
    }

    fn flush(&mut self, waiting: Vec<Waiting>) {
        if waiting.is_empty() {
            return;
        }
        let open = self.shared.open();
        let flushed = open.is_some() && self.log.flush().inspect_err(say).is_ok();
        if open.is_some() && !flushed {
            self.close();
        }
        for Waiting { ticket, done } in waiting {
            done(if flushed && Some(ticket) == open {
                Ok(())
            } else {
                Err(in_doubt())
            });
        }
        if open.is_some() && !flushed {
            // Where that fails, whoever writes next tries again.
            let _ = self.open();
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
    fn open(&mut self) -> Result<Option<Arc<str>>> {
        Ok(Some("wal".into()))
    }

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

    /// The system may have forgotten pages that it could not write, and later flushes would hide the hole.
    fn close(&mut self) -> bool {
        false
    }
}

/// Markers in the log of a PostgreSQL server, written by a commit that does wait for the disk.
pub struct Marks {
    address: Address,
    /// The connection, and what `synchronous_commit` is on this server.
    current: Option<(Conn, String)>,
}

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
    fn open(&mut self) -> Result<Option<Arc<str>>> {
        let (mut conn, session) = self.address.open_session()?;
        let Some(Session {
            server: Some(server),
            ..
        }) = session
        else {
            return Ok(None);
        };
        let text = "SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'";
        let level = conn.rows::<Text, String>(text, vec![])?;
        let level = level.into_iter().next().unwrap_or_else(|| "on".to_owned());
        self.current = Some((conn, level));
        Ok(Some(server))
    }

    fn flush(&mut self) -> Result<()> {
        let Some((conn, level)) = &mut self.current else {
            return Err(Error::unavailable("no connection to mark the log"));
        };
        conn.rows::<Bool, bool>(
            "SELECT set_config('synchronous_commit', ?, true) IS NOT NULL
                AND pg_logical_emit_message(true, 'mercer', '') IS NOT NULL",
            params![level.as_str()],
        )?;
        Ok(())
    }

    fn close(&mut self) -> bool {
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

        fn open(&mut self) -> Result<Option<Arc<str>>> {
            Ok(Some("log".into()))
        }

        fn close(&mut self) -> bool {
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
        let ticket = script.durable.ticket().unwrap();
        let first = script.commit(ticket.clone());
        script.begun.recv_timeout(SOON).unwrap();
        // These came too late for it, and share the next.
        let late = [script.commit(ticket.clone()), script.commit(ticket)];
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
        let before = script.durable.ticket().unwrap();
        let first = script.commit(before.clone());
        script.flush.send(false).unwrap();
        assert_eq!(first.recv_timeout(SOON), Ok(false));
        // What can be seen by now is flushed with the log that is opened next.
        script.flush.send(true).unwrap();
        let after = script.durable.ticket().unwrap();
        assert_ne!(after, before);
        let late = script.commit(before);
        script.flush.send(true).unwrap();
        assert_eq!(late.recv_timeout(SOON), Ok(false));
        let next = script.commit(after);
        script.flush.send(true).unwrap();
        assert_eq!(next.recv_timeout(SOON), Ok(true));
    }

    #[test]
    fn a_log_that_is_not_trusted_is_replaced_by_another() {
        let script = script(true);
        let before = script.durable.ticket().unwrap();
        script.durable.distrust(&before);
        let late = script.commit(before.clone());
        assert_eq!(late.recv_timeout(SOON), Ok(false));
        assert_eq!(script.begun.try_iter().count(), 0, "nothing was flushed");
        script.flush.send(true).unwrap();
        let after = script.durable.ticket().unwrap();
        // Whoever saw the old one late does not take the new one away.
        script.durable.distrust(&before);
        let next = script.commit(after);
        script.flush.send(true).unwrap();
        assert_eq!(next.recv_timeout(SOON), Ok(true));
    }

    #[test]
    fn a_log_that_cannot_be_renewed_is_not_trusted_again() {
        let script = script(false);
        let ticket = script.durable.ticket().unwrap();
        let first = script.commit(ticket.clone());
        script.flush.send(false).unwrap();
        assert_eq!(first.recv_timeout(SOON), Ok(false));
        let next = script.commit(ticket);
        assert_eq!(next.recv_timeout(SOON), Ok(false));
        assert!(script.durable.ticket().is_err(), "another one may begin");
        assert_eq!(script.begun.try_iter().count(), 1);
    }
}
