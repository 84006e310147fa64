//! The table.

use crate::jobs::{Budget, JOBS};
use crate::support::grouped;
use crate::{Finding, Findings};

/// Prints what was found, a row a job, the databases beside each other.
pub fn print(found: &[Findings]) {
    let mut head = vec!["job".to_owned()];
    for database in found {
        head.push(format!("{}: SQL", database.database));
        let columns = ["/s", "p50 ms", "p99 ms", "of fixed", "no HTTP /s", "budget"];
        head.extend(columns.map(str::to_owned));
    }
    let mut rows = vec![head];
    for place in 0..found[0].jobs.len() {
        let mut row = vec![found[0].jobs[place].name.to_owned()];
        for database in found {
            row.extend(cells(database, &database.jobs[place]));
        }
        rows.push(row);
    }
    lay_out(&rows);
    for database in found {
        let postgres = database.database == "PostgreSQL";
        let (start, idle, loaded) = (if postgres { 300.0 } else { 200.0 }, 25_000, 80_000);
        println!(
            "\n{}, {} products: first answer after {:.0} ms ({}); memory idle {} kB ({}), after the load {} kB, at most {} kB ({})",
            database.database,
            grouped(database.products as i64),
            database.start_ms,
            met(database.start_ms <= start),
            grouped(database.idle_kb),
            met(database.idle_kb <= idle),
            grouped(database.loaded_kb),
            grouped(database.most_kb),
            met(database.most_kb <= loaded),
        );
        if database.webhooks > 0.0 {
            println!(
                "{}: {} webhooks a second received and processed ({})",
                database.database,
                grouped(database.webhooks as i64),
                met(database.webhooks >= 500.0),
            );
        }
    }
}

fn cells(database: &Findings, job: &Finding) -> Vec<String> {
    vec![
        job.statements.to_string(),
        grouped(job.per_second as i64),
        format!("{:.2}", job.p50_ms),
        format!("{:.2}", job.p99_ms),
        job.of_fixed
            .map_or_else(String::new, |p| format!("{p:.0} %")),
        job.without_http
            .map_or_else(String::new, |rate| grouped(rate as i64)),
        verdict(database, job),
    ]
}

/// What is asked of the job, and whether it is met.
fn verdict(database: &Findings, job: &Finding) -> String {
    let postgres = database.database == "PostgreSQL";
    let budget = JOBS.iter().find(|j| j.name == job.name).map(|j| j.budget);
    let other = |name: &str| database.jobs.iter().find(|j| j.name == name);
    let (asked, kept) = match budget {
        None | Some(Budget::None) => return String::new(),
        Some(Budget::OfFixed(percent)) => (
            format!("≥ {percent:.0} %"),
            job.of_fixed.is_some_and(|p| p >= percent),
        ),
        Some(Budget::Rate(lite, pg)) => {
            let rate = if postgres { pg } else { lite };
            (
                format!("≥ {}", grouped(rate as i64)),
                job.per_second >= rate,
            )
        }
        Some(Budget::Times(times, name)) => (
            format!("≤ {times:.0} × {name}"),
            other(name).is_none_or(|other| job.p50_ms <= times * other.p50_ms),
        ),
    };
    let slow = job.p99_ms > if postgres { 50.0 } else { 25.0 };
    let late = if slow { ", p99 missed" } else { "" };
    format!("{asked} {}{late}", met(kept))
}

fn met(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// Prints the median latencies of the large shop against those of the small one.
pub fn growth(found: &[Findings]) {
    for pair in found.chunks(2) {
        let [small, large] = pair else { return };
        println!("\n{}: p50 in ms", small.database);
        let count = |f: &Findings| grouped(f.products as i64);
        let mut rows = vec![vec![
            "job".into(),
            count(small),
            count(large),
            "ratio".into(),
        ]];
        for (few, many) in small.jobs.iter().zip(&large.jobs) {
            let ratio = many.p50_ms / few.p50_ms;
            let budget = match few.name {
                "search" => "",
                _ => met(ratio <= 1.3),
            };
            rows.push(vec![
                few.name.to_owned(),
                format!("{:.3}", few.p50_ms),
                format!("{:.3}", many.p50_ms),
                format!("{ratio:.2} {budget}"),
            ]);
        }
        lay_out(&rows);
    }
}

/// Prints rows as a Markdown table whose columns are aligned.
fn lay_out(rows: &[Vec<String>]) {
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    };
    for (i, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(column, cell)| match column {
                0 => format!("{cell:<0$}", width(column)),
                _ => format!("{cell:>0$}", width(column)),
            })
            .collect();
        println!("| {} |", cells.join(" | "));
        if i == 0 {
            let rule = |column: usize| "-".repeat(width(column) + 1);
            let rules: Vec<String> = (0..row.len())
                .map(|c| match c {
                    0 => format!("{}-", rule(c)),
                    _ => format!("{}:", rule(c)),
                })
                .collect();
            println!("|{}|", rules.join("|"));
        }
    }
}
