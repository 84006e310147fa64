//! The server: a thread for each connection, until it is dropped.

use std::io::BufReader;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::http::{self, Request};

/// An answer on its way.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// What the threads of a server share.
#[derive(Default)]
pub struct Running {
    stopped: Mutex<bool>,
    stop: Condvar,
    open: Mutex<Vec<(TcpStream, JoinHandle<()>)>>,
}

/// A server on a free port that runs until it is dropped.
pub struct Server {
    running: Arc<Running>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

/// Takes a lock. A test that panicked with it leaves nothing half done that the others would mind.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Starts one. Where `respond` answers nothing, the connection is closed without an answer.
    pub fn start<R>(respond: R) -> Self
    where
        R: Fn(&Request, &Running) -> Option<Answer> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let running = Arc::new(Running::default());
        let theirs = Arc::clone(&running);
        let thread = thread::spawn(move || serve(&theirs, &Arc::new(respond), &listener));
        Self {
            running,
            address,
            thread: Some(thread),
        }
    }

    /// Where it listens: `http://127.0.0.1:…`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.stop();
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.running.stop();
    }
}

impl Running {
    /// Sleeps, or until the server stops.
    pub fn sleep(&self, duration: Duration) {
        let stopped = lock(&self.stopped);
        drop(
            self.stop
                .wait_timeout_while(stopped, duration, |stopped| !*stopped),
        );
    }

    /// Ends every connection, and waits for its thread.
    fn stop(&self) {
        *lock(&self.stopped) = true;
        self.stop.notify_all();
        let open: Vec<_> = lock(&self.open).drain(..).collect();
        for (stream, thread) in open {
            let _ = stream.shutdown(Shutdown::Both);
            let _ = thread.join();
        }
    }

    fn is_stopped(&self) -> bool {
        *lock(&self.stopped)
    }
}

/// Takes connections until the server stops.
fn serve<R>(running: &Arc<Running>, respond: &Arc<R>, listener: &TcpListener)
where
    R: Fn(&Request, &Running) -> Option<Answer> + Send + Sync + 'static,
{
    for stream in listener.incoming() {
        if running.is_stopped() {
            return;
        }
        let Ok(stream) = stream else { continue };
        let _ = stream.set_nodelay(true);
        let Ok(handle) = stream.try_clone() else {
            continue;
        };
        let (theirs, respond) = (Arc::clone(running), Arc::clone(respond));
        let thread = thread::spawn(move || {
            connection(&stream, |request| respond(request, &theirs));
            let _ = stream.shutdown(Shutdown::Both);
        });
        let mut open = lock(&running.open);
        open.retain(|(_, thread)| !thread.is_finished());
        open.push((handle, thread));
    }
}

fn connection(stream: &TcpStream, respond: impl Fn(&Request) -> Option<Answer>) {
    let (Ok(reading), Ok(mut writing)) = (stream.try_clone(), stream.try_clone()) else {
        return;
    };
    let mut reader = BufReader::new(reading);
    while let Ok(Some(request)) = Request::read(&mut reader) {
        let Some(answer) = respond(&request) else {
            return;
        };
        if http::answer(&mut writing, answer.status, &answer.headers, &answer.body).is_err() {
            return;
        }
        if request
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
        {
            return;
        }
    }
}
