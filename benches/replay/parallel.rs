//! Many workers, each with a connection, and how long what they asked for took.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::http::Http;
use super::support::{Result, millis, quantile};

/// What came back, or the refusal; a refusal is told and counted, and the replay goes on.
pub type Told<T> = std::result::Result<T, String>;

/// A worker's connection, with the microseconds that each kind of request took.
pub struct Watch {
    http: Http,
    took: Took,
}

type Took = BTreeMap<&'static str, Vec<u32>>;

/// What the workers did.
pub struct Phase<T> {
    pub done: Vec<Option<T>>,
    pub refused: Vec<(usize, String)>,
    took: Took,
    whole: Duration,
}

impl Watch {
    pub fn ask(&mut self, name: &'static str, request: &[u8]) -> Result<Told<Value>> {
        let start = Instant::now();
        let answer = self.http.send(request)?;
        let took = u32::try_from(start.elapsed().as_micros())?;
        self.took.entry(name).or_default().push(took);
        let value: Value = serde_json::from_slice(answer.body)?;
        if answer.status < 300 {
            return Ok(Ok(value));
        }
        let (detail, errors) = (&value["detail"], &value["errors"]);
        Ok(Err(format!("{name} {} {detail} {errors}", answer.status)))
    }
}

/// Does `work` for every item, the next one by whichever worker is free.
pub fn in_parallel<I: Sync, T: Send>(
    workers: usize,
    address: SocketAddr,
    items: &[I],
    work: impl Fn(&mut Watch, &I) -> Result<Told<T>> + Sync,
) -> Result<Phase<T>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let begin = Instant::now();
    let worker = || -> Result<Took> {
        let http = Http::connect(address)?;
        let mut watch = Watch {
            http,
            took: Took::new(),
        };
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else {
                return Ok(watch.took);
            };
            let told = work(&mut watch, item)?;
            let mut results = results.lock().map_err(|_| "a worker panicked")?;
            results.push((place, told));
        }
    };
    let mut took = Took::new();
    std::thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        for thread in threads {
            for (name, more) in thread.join().map_err(|_| "a worker panicked")?? {
                took.entry(name).or_default().extend(more);
            }
        }
        Ok(())
    })?;
    let whole = begin.elapsed();
    took.values_mut().for_each(|t| t.sort_unstable());
    let mut phase = Phase {
        done: items.iter().map(|_| None).collect(),
        refused: Vec::new(),
        took,
        whole,
    };
    for (place, told) in results.into_inner().map_err(|_| "poisoned")? {
        match told {
            Ok(value) => phase.done[place] = Some(value),
            Err(refusal) => phase.refused.push((place, refusal)),
        }
    }
    phase.refused.sort();
    Ok(phase)
}

impl<T> Phase<T> {
    /// Prints what was done, how long it took, and what was refused and why.
    pub fn print(&self, what: &str, name: impl Fn(usize) -> String) {
        let (done, seconds) = (self.done.iter().flatten().count(), self.whole.as_secs_f64());
        let rate = done as f64 / seconds;
        println!(
            "\n{done} {what} in {seconds:.2} s, {rate:.0} a second; {} refused",
            self.refused.len()
        );
        for (place, refusal) in &self.refused {
            println!("  {}: {refusal}", name(*place));
        }
        println!("| request       | p50 ms | p99 ms |\n| ------------- | -----: | -----: |");
        for (name, took) in &self.took {
            let at = |per_mille| millis(quantile(took, per_mille));
            println!("| {name:<13} | {:>6.2} | {:>6.2} |", at(500), at(990));
        }
    }
}
