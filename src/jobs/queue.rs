//! The job table: claiming with a lease, ending, trying again, setting aside.

use std::time::Duration;

use diesel::sql_types::{BigInt, Text};

use crate::context::Tx;
use crate::kernel::column::{Doc, Id};
use crate::kernel::ids::JobId;
use crate::kernel::{Batch, Document, Error, Json, Result, Timestamp};
use crate::params;

/// How often a job is tried before it is set aside.
pub const MAX_ATTEMPTS: i64 = 10;
/// How long a worker may keep a job to itself before it must say that it is still there.
pub const LEASE: Duration = Duration::from_secs(20);

/// A job in hand.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What kind of work it is.
    pub kind: String,
    /// What it is about.
    pub payload: Json<Document>,
    /// How often it was tried, this time included.
    pub attempts: i64,
}

/// Takes the jobs that are due, and those whose worker has vanished.
pub fn claim(tx: &mut Tx<'_>, most: usize) -> Result<Vec<Job>> {
    let count = i64::try_from(most).map_err(Error::internal)?;
    let skip = if tx.conn.is_postgres() {
        "FOR UPDATE SKIP LOCKED"
    } else {
        ""
    };
    let text = format!(
        "UPDATE jobs SET status = 'running', attempts = attempts + 1, lease_until = ?
         WHERE id IN (SELECT id FROM jobs
                      WHERE (status = 'ready' AND run_at <= ?) OR (status = 'running' AND lease_until <= ?)
                      ORDER BY run_at LIMIT ? {skip})
         RETURNING id, kind, payload, attempts"
    );
    let now = tx.now;
    let rows = tx
        .conn
        .rows::<(Id, Text, Doc, BigInt), (JobId, String, Json<Document>, i64)>(
            &text,
            params![now.plus(LEASE), now, now, count],
        )?;
    Ok(rows
        .into_iter()
        .map(|(id, kind, payload, attempts)| Job {
            id,
            kind,
            payload,
            attempts,
        })
        .collect())
}

/// Keeps jobs that are in hand.
pub fn renew(tx: &mut Tx<'_>, jobs: &[JobId]) -> Result<()> {
    let until = tx.now.plus(LEASE);
    let jobs = Batch::ids(jobs.iter().map(|id| id.uuid()));
    tx.conn
        .execute(
            "UPDATE jobs SET lease_until = ? WHERE status = 'running' AND id IN (SELECT x.id FROM ? AS x)",
            params![until, jobs],
        )
        .map(drop)
}

/// Leaves jobs that were taken and not begun to others.
pub fn put_back(tx: &mut Tx<'_>, jobs: &[JobId]) -> Result<()> {
    let jobs = Batch::ids(jobs.iter().map(|id| id.uuid()));
    tx.conn
        .execute(
            "UPDATE jobs SET status = 'ready', attempts = attempts - 1, lease_until = NULL
             WHERE status = 'running' AND id IN (SELECT x.id FROM ? AS x)",
            params![jobs],
        )
        .map(drop)
}

/// Takes out jobs that are over.
pub fn take_out(tx: &mut Tx<'_>, jobs: &[JobId]) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let jobs = Batch::ids(jobs.iter().map(|id| id.uuid()));
    tx.conn
        .execute(
            "DELETE FROM jobs WHERE id IN (SELECT x.id FROM ? AS x)",
            params![jobs],
        )
        .map(drop)
}

/// A job failed: it is tried again after a growing pause, and set aside after [`MAX_ATTEMPTS`]. What is scheduled is never
/// set aside.
pub fn failed(tx: &mut Tx<'_>, job: &Job, reason: &str, pause: Option<Duration>) -> Result<()> {
    tracing::warn!(job = %job.id, kind = job.kind, attempt = job.attempts, reason, "a job failed");
    if let Some(pause) = pause {
        return again(tx, job, pause, Some(reason));
    }
    if job.attempts < MAX_ATTEMPTS {
        return again(tx, job, backoff(job), Some(reason));
    }
    tx.conn
        .execute(
            "UPDATE jobs SET status = 'dead', lease_until = NULL, last_error = ? WHERE id = ?",
            params![reason, job.id],
        )
        .map(drop)
}

/// Two seconds, four, eight, … up to an hour, and up to a quarter more by chance (from the job's id).
fn backoff(job: &Job) -> Duration {
    let power = u32::try_from(job.attempts.clamp(1, 12)).unwrap_or(12);
    let base = Duration::from_secs(2_u64.pow(power).min(3600));
    let jitter = u32::from(job.id.uuid().as_bytes()[15]);
    base + base * jitter / 1024
}

/// Does a job once more after `pause`.
pub fn again(tx: &mut Tx<'_>, job: &Job, pause: Duration, error: Option<&str>) -> Result<()> {
    let run_at: Timestamp = tx.now.plus(pause);
    tx.conn
        .execute(
            "UPDATE jobs SET status = 'ready', lease_until = NULL, run_at = ?, last_error = ? WHERE id = ?",
            params![run_at, error, job.id],
        )
        .map(drop)
}

/// Gives dead jobs another ten attempts; says how many there were.
pub fn redrive(tx: &mut Tx<'_>) -> Result<usize> {
    let now = tx.now;
    tx.conn.execute(
        "UPDATE jobs SET status = 'ready', attempts = 0, run_at = ? WHERE status = 'dead'",
        params![now],
    )
}

/// Sees to it that every schedule has its row.
pub fn ensure_schedules(tx: &mut Tx<'_>, schedules: &[(&'static str, Duration)]) -> Result<()> {
    let known = tx
        .conn
        .rows::<Text, String>("SELECT kind FROM jobs WHERE unique_key IS NOT NULL", vec![])?;
    for (kind, _) in schedules
        .iter()
        .filter(|(kind, _)| !known.iter().any(|k| k == kind))
    {
        let now = tx.now;
        tx.conn.execute(
            "INSERT INTO jobs (id, kind, payload, unique_key, status, run_at, created_at)
             VALUES (?, ?, ?, ?, 'ready', ?, ?) ON CONFLICT (unique_key) DO NOTHING",
            params![
                JobId::new(),
                *kind,
                crate::kernel::Param::doc(&Document::default()),
                *kind,
                now,
                now
            ],
        )?;
    }
    Ok(())
}
