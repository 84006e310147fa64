//! `/metrics`: what was counted, and what is found out when somebody asks: the database, the jobs, the process.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use diesel::sql_types::{BigInt, Nullable, Text};

use crate::context::App;
use crate::kernel::column::Ts;
use crate::kernel::{Result, Timestamp};
use crate::operation::metrics;

/// How long the database may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Clock ticks a second in `/proc`, the same on every Linux that there is a build for.
const TICKS: u64 = 100;

/// All metrics in Prometheus' text format.
pub async fn print(app: &App) -> String {
    let mut out = metrics::print();
    let version = concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"");
    family(
        &mut out,
        "mercer_build_info",
        "gauge",
        "What is running",
        &[(version, 1)],
    );
    let (busy, idle) = app.db.connections();
    let connections = [("state=\"busy\"", busy), ("state=\"idle\"", idle)];
    let help = "Connections to the database, apart from those that write to SQLite";
    family(
        &mut out,
        "mercer_db_connections",
        "gauge",
        help,
        &connections,
    );
    let found = tokio::time::timeout(PATIENCE, jobs(app)).await;
    let found = found.ok().and_then(Result::ok);
    let help = "Whether the database answered";
    family(
        &mut out,
        "mercer_db_up",
        "gauge",
        help,
        &[("", u8::from(found.is_some()))],
    );
    if let Some(jobs) = found {
        print_jobs(&mut out, &jobs, app.clock.now());
    }
    print_process(&mut out);
    out
}

type JobState = (String, i64, Option<Timestamp>);

async fn jobs(app: &App) -> Result<Vec<JobState>> {
    app.db
        .read(|conn| {
            conn.rows::<(Text, BigInt, Nullable<Ts>), JobState>(
                "SELECT status, COUNT(*), MIN(run_at) FROM jobs GROUP BY status",
                vec![],
            )
        })
        .await
}

fn print_jobs(out: &mut String, jobs: &[JobState], now: Timestamp) {
    let of = |state: &str| jobs.iter().find(|(found, ..)| found == state);
    let count = |state: &str| of(state).map_or(0, |(_, count, _)| *count);
    let counts = [
        ("state=\"ready\"", count("ready")),
        ("state=\"running\"", count("running")),
        ("state=\"dead\"", count("dead")),
    ];
    let help = "Jobs of all processes: waiting for their time or a worker, in hand, given up";
    family(out, "mercer_jobs", "gauge", help, &counts);
    let oldest = of("ready").and_then(|(_, _, run_at)| *run_at);
    let age = oldest.map_or(0, |run_at| now.since(run_at).as_secs());
    let help = "For how long the job that is due longest has been due";
    family(
        out,
        "mercer_job_oldest_due_seconds",
        "gauge",
        help,
        &[("", age)],
    );
}

/// What Linux says of this process; nothing elsewhere.
fn print_process(out: &mut String) {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
    let (status, system) = (read("self/status"), read("stat"));
    let number = |text: &str, label: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(label))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let mut gauge = |name: &str, help: &str, value: Option<u64>| {
        if let Some(value) = value {
            family(out, name, "gauge", help, &[("", value)]);
        }
    };
    let bytes = number(&status, "VmRSS:").map(|kib| kib.saturating_mul(1024));
    gauge("process_resident_memory_bytes", "Memory in use", bytes);
    gauge("process_threads", "Threads", number(&status, "Threads:"));
    let open = std::fs::read_dir("/proc/self/fd").ok();
    let open = open.and_then(|files| u64::try_from(files.count()).ok());
    gauge("process_open_fds", "Files and sockets that are open", open);
    gauge(
        "process_max_fds",
        "How many of them may be open",
        max_files(),
    );
    // The fields after the name, which may hold anything and ends with the last `)`; the first of them is the third.
    let stat = read("self/stat");
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map_or(Vec::new(), |(_, rest)| rest.split_whitespace().collect());
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let started = number(&system, "btime ").zip(field(22));
    let started = started.map(|(boot, ticks)| boot.saturating_add(ticks / TICKS));
    let help = "When the process began, in seconds since 1970";
    gauge("process_start_time_seconds", help, started);
    if let Some((user, system)) = field(14).zip(field(15)) {
        let ticks = user.saturating_add(system);
        let seconds = format!("{}.{:02}", ticks / TICKS, ticks % TICKS);
        let help = "Time of the processor used";
        family(
            out,
            "process_cpu_seconds_total",
            "counter",
            help,
            &[("", seconds)],
        );
    }
}

/// How many files and sockets this process may have open, where the system says so.
pub fn max_files() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn family(out: &mut String, name: &str, kind: &str, help: &str, values: &[(&str, impl Display)]) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, value) in values {
        let _ = if labels.is_empty() {
            writeln!(out, "{name} {value}")
        } else {
            writeln!(out, "{name}{{{labels}}} {value}")
        };
    }
}
