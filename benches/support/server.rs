//! The server, started as a user starts it: the release binary in a process of its own.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Result;
use super::database::Database;
use super::http::Http;

/// A running `mercer serve`; it is killed when it is dropped.
pub struct Server {
    pub address: SocketAddr,
    process: Child,
}

/// The binary with its settings; `arguments` say what it is to do.
pub fn mercer(database: &Database, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mercer"));
    command
        .args(arguments)
        .env("DATABASE_URL", &database.url)
        .env("MERCER_TEST_PAYMENTS", "true")
        .env("MERCER_LOG", "warn")
        .envs(database.settings.iter().cloned());
    command
}

/// What a command prints; an error where it fails.
pub fn output(mut command: Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?} ended with {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Migrates the database and makes a key that may do everything.
pub fn set_up(database: &Database) -> Result<String> {
    output(mercer(database, &["migrate"]))?;
    let create = ["api-key", "create", "--name", "bench", "--scope", "all"];
    output(mercer(database, &create))
}

/// A port that was free a moment ago.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Asks again and again until the answer is 200; says how long that took since `start`.
pub fn first_answer(address: SocketAddr, request: &[u8], start: Instant) -> Result<Duration> {
    loop {
        let answered = Http::connect(address).and_then(|mut http| Ok(http.send(request)?.status));
        match answered {
            Ok(200) => return Ok(start.elapsed()),
            other if start.elapsed() > Duration::from_secs(30) => {
                return Err(format!("no answer within 30 s: {other:?}").into());
            }
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

impl Server {
    /// Starts it and waits for its first answer to `request`; says how long that took.
    pub fn start(database: &Database, request: &[u8]) -> Result<(Self, Duration)> {
        let address = free_address()?;
        let bind = address.to_string();
        let arguments = ["serve", "--migrate", "--bind", &bind];
        let start = Instant::now();
        let process = mercer(database, &arguments).spawn()?;
        let server = Self { address, process };
        let took = first_answer(address, request, start)?;
        Ok((server, took))
    }

    /// Stops it as an operator would.
    pub fn stop(mut self) -> Result<()> {
        let id = self.process.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        let status = self.process.wait()?;
        if !status.success() {
            return Err(format!("the server ended with {status}").into());
        }
        Ok(())
    }

    /// Memory in kB: now, and the most there ever was.
    pub fn memory(&self) -> Result<(i64, i64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let field = |name: &str| -> Result<i64> {
            let line = status.lines().find(|line| line.starts_with(name));
            let number = line.and_then(|line| line.split_whitespace().nth(1));
            Ok(number.ok_or("no such line in /proc/…/status")?.parse()?)
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
