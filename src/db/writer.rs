//! The one writer of the embedded database, and group commit.
//!
//! SQLite has one writer at a time anyway. A thread owns it, takes whatever transactions are waiting, runs them in one
//! transaction, commits once, and goes on with the next; what was committed is answered once it is [durable](super::durable).
//! One fsync pays for many, without a busy error.
//!
//! Most groups succeed as a whole. When one of a group is refused, what it wrote must go and the others' must stay: the
//! group is rolled back and run again with a savepoint around each, as are the groups after it until one succeeds as a
//! whole. A savepoint copies every page that is changed under it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use diesel::QueryResult;
use tokio::sync::oneshot;

use super::durable::Durable;
use super::{AfterCommit, Conn};
use crate::kernel::{Error, Result};

/// How many transactions share one commit at most.
const GROUP: usize = 128;
/// After how long without a transaction the log is brought into the database's file.
const IDLE: Duration = Duration::from_secs(1);

/// A transaction that waits to be run.
trait Job: Send {
    /// Runs it, perhaps not for the first time; says whether what it wrote is to stay.
    fn run(&mut self, conn: &mut Conn) -> bool;
    /// Tells its caller what came of it.
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct Task<T, F> {
    work: F,
    result: Result<(T, AfterCommit)>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnMut(&mut Conn) -> Result<(T, AfterCommit)> + Send,
{
    fn run(&mut self, conn: &mut Conn) -> bool {
        self.result = catch_unwind(AssertUnwindSafe(|| (self.work)(conn)))
            .unwrap_or_else(|_| Err(Error::internal("a transaction panicked")));
        self.result.is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        // Whoever asked may be gone.
        let _ = self.answer.send(match (committed, self.result) {
            (Ok(()), Ok((value, after))) => {
                after.run();
                Ok(value)
            }
            (Err(error), Ok(_)) | (_, Err(error)) => Err(error),
        });
    }
}

/// A handle on the writer's thread; clones share it, and it ends with the last.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
}

impl Writer {
    /// Starts the thread on its own connection.
    pub fn start(mut conn: Conn, durable: Durable) -> Result<Self> {
        // Commits do not wait for the disk; each is given to `durable`.
        conn.batch("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000")?;
        // The writer touches what everybody touches.
        conn.batch("PRAGMA cache_size = -16000")?;
        let (queue, jobs) = mpsc::channel();
        std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || run(&mut conn, &jobs, &durable))
            .map_err(Error::internal)?;
        Ok(Self { queue })
    }

    /// Runs `work` in a transaction and waits until it is on disk. What is to be done after the commit is done before the
    /// answer, as keeping caches true is.
    pub async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Conn) -> Result<(T, AfterCommit)> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let gone = || Error::unavailable("the writer has stopped");
        let task = Task {
            work,
            result: Err(gone()),
            answer,
        };
        self.queue.send(Box::new(task)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn run(conn: &mut Conn, queue: &mpsc::Receiver<Box<dyn Job>>, durable: &Durable) {
    let mut careful = false;
    let mut written = false;
    loop {
        let first = match queue.recv_timeout(IDLE) {
            Ok(first) => first,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                if std::mem::take(&mut written) {
                    bring_in(conn);
                }
                continue;
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return bring_in(conn),
        };
        written = true;
        let ticket = match durable.ticket() {
            Ok(ticket) => ticket,
            Err(error) => {
                first.answer(Err(error));
                continue;
            }
        };
        let mut group = Group {
            waiting: vec![first],
            queue,
            done: Vec::new(),
        };
        let mut committed = group.run(conn, careful);
        if let Ok(Ran::Refused) = committed {
            let _ = conn.control("ROLLBACK");
            careful = true;
            committed = if group.done.len() == 1 {
                // It was alone; there is nothing to save.
                Ok(Ran::AllKept)
            } else {
                group.waiting = std::mem::take(&mut group.done);
                group.run(conn, careful)
            };
        }
        careful = careful && !matches!(committed, Ok(Ran::AllKept));
        if let Err(error) = &committed {
            tracing::warn!(%error, "a group of transactions was not committed");
            let _ = conn.control("ROLLBACK");
        }
        for job in group.done {
            match &committed {
                Ok(_) => durable.take(ticket.clone(), |on_disk| job.answer(on_disk)),
                Err(error) => job.answer(Err(Error::unavailable(error.to_string()))),
            }
        }
    }
}

/// Brings what is in the log into the file, as far as no reader needs it in the log.
fn bring_in(conn: &mut Conn) {
    if let Err(error) = conn.batch("PRAGMA wal_checkpoint(PASSIVE)") {
        tracing::warn!(%error, "the log was not brought into the database's file");
    }
}

/// What came of running a group.
enum Ran {
    /// It is committed, with all of its transactions.
    AllKept,
    /// It is committed, without those that were refused.
    SomeKept,
    /// One was refused, and there is no savepoint to go back to.
    Refused,
}

/// Transactions that share a commit.
struct Group<'a> {
    waiting: Vec<Box<dyn Job>>,
    queue: &'a mpsc::Receiver<Box<dyn Job>>,
    done: Vec<Box<dyn Job>>,
}

impl Group<'_> {
    /// Runs those that wait, and those that come in the meantime, in one transaction. What was not run when that fails is
    /// dropped, and its caller told to come again: after a full disk SQLite may have rolled all of it back.
    fn run(&mut self, conn: &mut Conn, careful: bool) -> QueryResult<Ran> {
        let mut ran = Ran::AllKept;
        let mut waiting = std::mem::take(&mut self.waiting).into_iter();
        conn.control("BEGIN IMMEDIATE")?;
        while let Some(mut job) = waiting.next().or_else(|| self.next()) {
            if careful {
                conn.control("SAVEPOINT work")?;
            }
            let kept = job.run(conn);
            self.done.push(job);
            if !kept && !careful {
                return Ok(Ran::Refused);
            }
            if careful {
                if !kept {
                    conn.control("ROLLBACK TO work")?;
                    ran = Ran::SomeKept;
                }
                conn.control("RELEASE work")?;
            }
        }
        conn.control("COMMIT")?;
        Ok(ran)
    }

    fn next(&self) -> Option<Box<dyn Job>> {
        if self.done.len() < GROUP {
            self.queue.try_recv().ok()
        } else {
            None
        }
    }
}
