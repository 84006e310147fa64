//! Background work: jobs as rows, claimed with a lease, tried again with growing pauses, set aside when they never succeed.
//!
//! A job is caused by [`Tx::enqueue`](crate::context::Tx::enqueue) in the transaction it belongs to, or by a schedule. It may
//! run twice (a worker that is killed leaves its lease to run out), so every job is idempotent. A worker that lives renews
//! its leases, so that they can be short: what a killed one left is taken up within seconds. Times are the database row's and
//! this process's clock; a lease bears some skew between them.

mod queue;
mod relay;

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use queue::{Job, MAX_ATTEMPTS, redrive};
pub use relay::{Relay, relay};

use crate::context::{App, Cx};
use crate::kernel::ids::JobId;
use crate::kernel::{Document, Result};

/// How many jobs are taken at a time.
const BATCH: usize = 16;
/// How many jobs a worker does side by side: most of a job's time is waiting for the database and for others.
const LANES: usize = 8;
/// How long a worker sleeps when there is nothing to do and nobody wakes it.
const IDLE: Duration = Duration::from_secs(1);

type Pending = Pin<Box<dyn Future<Output = Result<()>>>>;

/// What is to be done for each kind of job; filled in `app.rs`.
#[derive(Default)]
pub struct Jobs {
    handlers: HashMap<&'static str, Handler>,
    schedules: Vec<(&'static str, Duration)>,
    /// Whether this process has seen to it that every schedule has its row.
    scheduled: AtomicBool,
}

type Handler = Arc<dyn Fn(Cx, Document) -> Pending>;

impl Jobs {
    /// Does `work` for jobs of this kind.
    pub fn on<F, W>(&mut self, kind: &'static str, work: W)
    where
        F: Future<Output = Result<()>> + 'static,
        W: Fn(Cx, Document) -> F + 'static,
    {
        self.handlers
            .insert(kind, Arc::new(move |cx, data| Box::pin(work(cx, data))));
    }

    /// Does `work` again and again, with `pause` in between, in one process at a time.
    pub fn every<F, W>(&mut self, pause: Duration, kind: &'static str, work: W)
    where
        F: Future<Output = Result<()>> + 'static,
        W: Fn(Cx) -> F + 'static,
    {
        self.schedules.push((kind, pause));
        self.on(kind, move |cx, _| work(cx));
    }
}

/// A running worker.
pub struct Worker {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Worker {
    /// Starts to work in this thread's local tasks.
    pub fn start(app: &App, jobs: Jobs) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::task::spawn_local(run(app.clone(), jobs, stopped));
        Self { stop, task }
    }

    /// Finishes the jobs in hand and stops.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

/// Keeps the lanes filled: whoever is done makes room for the next job, so that a slow one holds up no other.
async fn run(app: App, jobs: Jobs, mut stopped: watch::Receiver<bool>) {
    let cx = app.system();
    let mut waiting = VecDeque::<Job>::new();
    let mut running = FuturesUnordered::new();
    let mut in_hand = Vec::new();
    let mut over = Vec::new();
    let mut heart = tokio::time::interval(queue::LEASE / 4);
    heart.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let stopping = *stopped.borrow();
        if stopping && !waiting.is_empty() {
            let left: Vec<JobId> = waiting.drain(..).map(|job| job.id).collect();
            if let Err(error) = cx.write(move |tx| queue::put_back(tx, &left)).await {
                tracing::warn!(%error, "jobs that were not begun wait for their leases to end");
            }
        }
        if !stopping && waiting.is_empty() && running.len() < LANES {
            match claim(&app, &jobs, &over).await {
                Ok(claimed) => {
                    over.clear();
                    waiting.extend(claimed);
                }
                Err(error) => tracing::warn!(%error, "the job queue cannot be read"),
            }
        }
        while running.len() < LANES
            && let Some(job) = waiting.pop_front()
        {
            in_hand.push(job.id);
            let id = job.id;
            running.push(carry_out(&cx, &jobs, job).map(move |done| (id, done)));
        }
        if stopping && running.is_empty() {
            if let Err(error) = cx.write(move |tx| queue::take_out(tx, &over)).await {
                tracing::warn!(%error, "the end of jobs cannot be written");
            }
            return;
        }
        // Somebody is done, or calls because there is more.
        let idle = running.len() < LANES;
        tokio::select! {
            Some((id, done)) = running.next() => {
                in_hand.retain(|job| *job != id);
                match done {
                    Ok(true) => over.push(id),
                    Ok(false) => {}
                    Err(error) => tracing::warn!(%error, "the end of a job cannot be written"),
                }
            }
            _ = heart.tick(), if !(in_hand.is_empty() && waiting.is_empty() && over.is_empty()) => {
                let known = in_hand.iter().chain(&over).copied();
                let all: Vec<JobId> = known.chain(waiting.iter().map(|job| job.id)).collect();
                if let Err(error) = cx.write(move |tx| queue::renew(tx, &all)).await {
                    tracing::warn!(%error, "the leases of jobs cannot be renewed");
                }
            }
            () = app.wake.notified(), if idle => {}
            () = tokio::time::sleep(IDLE), if idle => {}
            _ = stopped.changed(), if !stopping => {}
        }
    }
}

/// Takes the jobs that are due and does them, one after another; says how many there were.
pub async fn work_once(app: &App, jobs: &Jobs) -> Result<usize> {
    let cx = app.system();
    let claimed = claim(app, jobs, &[]).await?;
    let count = claimed.len();
    for job in claimed {
        let id = job.id;
        if carry_out(&cx, jobs, job).await? {
            cx.write(move |tx| queue::take_out(tx, &[id])).await?;
        }
    }
    Ok(count)
}

/// Takes out the jobs that are over, and takes some of those that are due.
async fn claim(app: &App, jobs: &Jobs, over: &[JobId]) -> Result<Vec<Job>> {
    app.refresh_snapshots().await?;
    let cx = app.system();
    if !jobs.scheduled.swap(true, Ordering::Relaxed) {
        let schedules = jobs.schedules.clone();
        cx.write(move |tx| queue::ensure_schedules(tx, &schedules))
            .await?;
    }
    let over = over.to_vec();
    cx.write(move |tx| {
        queue::take_out(tx, &over)?;
        queue::claim(tx, BATCH)
    })
    .await
}

/// Does one job, and writes how it ended. Says whether it is over and left for the caller to take out, many in one transaction;
/// where that does not happen, its lease runs out and it is done once more.
async fn carry_out(cx: &Cx, jobs: &Jobs, job: Job) -> Result<bool> {
    let pause = jobs
        .schedules
        .iter()
        .find(|(kind, _)| *kind == job.kind)
        .map(|(_, pause)| *pause);
    match (attempt(cx, jobs, &job).await, pause) {
        (Ok(()), None) => return Ok(true),
        (Ok(()), Some(pause)) => {
            cx.write(move |tx| queue::again(tx, &job, pause, None))
                .await?;
        }
        (Err(reason), pause) => {
            cx.write(move |tx| queue::failed(tx, &job, &reason, pause))
                .await?;
        }
    }
    Ok(false)
}

/// Does one job; a panic is a failure like any other.
async fn attempt(cx: &Cx, jobs: &Jobs, job: &Job) -> Result<(), String> {
    let Some(handler) = jobs.handlers.get(job.kind.as_str()) else {
        return Err(format!("nobody knows what to do for {}", job.kind));
    };
    let task = tokio::task::spawn_local(handler(cx.clone(), job.payload.0.clone()));
    match task.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => Err(panic.to_string()),
    }
}
