//! HTTP/1.1 over one connection that is kept, with as little work as possible: the driver shares its cores with the server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Result;

/// A connection.
pub struct Http {
    stream: TcpStream,
    buffer: Vec<u8>,
    used: Instant,
}

/// A server closes what is idle for longer.
const IDLE: Duration = Duration::from_secs(10);

/// What came back.
pub struct Answer<'a> {
    pub status: u16,
    pub head: &'a str,
    pub body: &'a [u8],
}

impl Http {
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let buffer = vec![0; 64 * 1024];
        Ok(Self {
            stream,
            buffer,
            used: Instant::now(),
        })
    }

    /// Sends a request and waits for its whole answer.
    pub fn send(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        if self.used.elapsed() > IDLE {
            *self = Self::connect(self.stream.peer_addr()?)?;
        }
        self.used = Instant::now();
        self.stream.write_all(request)?;
        let (mut filled, mut head, mut end) = (0, 0, usize::MAX);
        while filled < end {
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            let read = self.stream.read(&mut self.buffer[filled..])?;
            if read == 0 {
                return Err("the server closed the connection".into());
            }
            let from = filled.saturating_sub(3);
            filled += read;
            if head == 0
                && let Some(at) = find(&self.buffer[from..filled], b"\r\n\r\n")
            {
                head = from + at + 4;
                end = head + content_length(&self.buffer[..head])?;
            }
        }
        let head_text = std::str::from_utf8(&self.buffer[..head])?;
        Ok(Answer {
            status: head_text.get(9..12).unwrap_or_default().parse()?,
            head: head_text,
            body: &self.buffer[head..end],
        })
    }

    /// Sends a request that must be answered with `status`; says what came back.
    pub fn expect(&mut self, request: &[u8], status: u16) -> Result<&[u8]> {
        let answer = self.send(request)?;
        if answer.status == status {
            return Ok(answer.body);
        }
        let asked = String::from_utf8_lossy(request);
        let line = asked.lines().next().unwrap_or_default();
        let body = String::from_utf8_lossy(answer.body);
        Err(format!("{line} answered {} and not {status}: {body}", answer.status).into())
    }
}

impl Answer<'_> {
    /// A header; its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|w| w == wanted)
}

fn content_length(head: &[u8]) -> Result<usize> {
    const NAME: &[u8] = b"\r\ncontent-length: ";
    let Some(at) = head
        .windows(NAME.len())
        .position(|w| w.eq_ignore_ascii_case(NAME))
    else {
        return Ok(0);
    };
    let rest = &head[at + NAME.len()..];
    let line = rest.split(|b| *b == b'\r').next().unwrap_or_default();
    Ok(std::str::from_utf8(line)?.parse()?)
}

/// A request's bytes.
pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\nhost: bench\r\n");
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    if !body.is_empty() {
        let length = body.len();
        text.push_str("content-type: application/json\r\n");
        text.push_str(&format!("content-length: {length}\r\n"));
    }
    text.extend(["\r\n", body]);
    text.into_bytes()
}

/// Somebody with a key who talks JSON, for what is not measured.
pub struct Client {
    http: Http,
    bearer: String,
}

impl Client {
    pub fn new(address: SocketAddr, key: &str) -> Result<Self> {
        Ok(Self {
            http: Http::connect(address)?,
            bearer: format!("Bearer {key}"),
        })
    }

    pub fn get(&mut self, path: &str) -> Result<Value> {
        self.call("GET", path, "")
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        self.call("POST", path, &body.to_string())
    }

    /// Every item of a list, page by page.
    pub fn list(&mut self, path: &str) -> Result<Vec<Value>> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut after) = (Vec::new(), String::new());
        loop {
            let mut page = self.get(&format!("{path}{separator}limit=100{after}"))?;
            if let Value::Array(more) = page["items"].take() {
                items.extend(more);
            }
            match page["page"]["nextCursor"].as_str() {
                Some(cursor) => after = format!("&after={cursor}"),
                None => return Ok(items),
            }
        }
    }

    fn call(&mut self, method: &str, path: &str, body: &str) -> Result<Value> {
        let once = mercer::kernel::id::fresh().to_string();
        let headers = [
            ("authorization", self.bearer.as_str()),
            ("idempotency-key", once.as_str()),
        ];
        let bytes = request(method, &format!("/v1{path}"), &headers, body);
        let answer = self.http.send(&bytes)?;
        if answer.status >= 300 {
            let said = String::from_utf8_lossy(answer.body);
            return Err(format!("{method} {path} answered {}: {said}", answer.status).into());
        }
        Ok(serde_json::from_slice(answer.body)?)
    }
}

/// The text at a JSON pointer.
pub fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found
        .map(str::to_owned)
        .ok_or_else(|| format!("there is no text at {pointer} of {value}").into())
}
