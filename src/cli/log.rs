//! The log: lines to standard error. Who reads them slowly, or not at all, neither holds up nor ends the process.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mercer::config::{Config, LogFormat};
use mercer::kernel::{Error, Result};
use tracing_subscriber::fmt::MakeWriter;

/// How many lines wait to be read; further ones are left out and counted.
const WAITING: usize = 10_000;
/// How long the end of the process waits for the last lines to be read.
const FAREWELL: Duration = Duration::from_secs(1);

/// Writes what is left when it is dropped.
pub struct Log {
    lines: Arc<Mutex<Option<SyncSender<Vec<u8>>>>>,
    written: Receiver<()>,
}

impl Drop for Log {
    fn drop(&mut self) {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let _: Result<(), RecvTimeoutError> = self.written.recv_timeout(FAREWELL);
    }
}

/// Starts to log to standard error.
pub fn start(config: &Config) -> Result<Log> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log)
        .map_err(|e| Error::invalid("log", "invalid", e.to_string()))?;
    let (sender, receiver) = sync_channel(WAITING);
    let (done, written) = channel();
    let lost = Arc::<AtomicU64>::default();
    let lines = Arc::new(Mutex::new(Some(sender)));
    let lines_lost = lost.clone();
    std::thread::Builder::new()
        .name("log".into())
        .spawn(move || write(&receiver, &lines_lost, done))
        .map_err(Error::internal)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .log_internal_errors(false)
        .with_writer(Lines {
            lines: lines.clone(),
            lost,
        });
    match config.log_format {
        LogFormat::Json => builder.json().init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
    }
    Ok(Log { lines, written })
}

/// A reader that is gone, or a full disk, is no reason to end.
fn write(lines: &Receiver<Vec<u8>>, lost: &AtomicU64, done: Sender<()>) {
    let mut out = std::io::stderr();
    while let Ok(line) = lines.recv() {
        let _ = out.write_all(&line);
        match lost.swap(0, Ordering::Relaxed) {
            0 => {}
            n => drop(writeln!(
                out,
                "{n} lines of the log were left out; nobody read them"
            )),
        }
    }
    drop(done);
}

struct Lines {
    lines: Arc<Mutex<Option<SyncSender<Vec<u8>>>>>,
    lost: Arc<AtomicU64>,
}

/// One line on its way to the thread that writes.
struct Line<'a>(&'a Lines);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = &*lines
            && let Err(TrySendError::Full(_)) = lines.try_send(line.to_vec())
        {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
