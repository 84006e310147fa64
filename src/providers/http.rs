//! The HTTP client of everything that calls out: payment providers now, webhooks later.
//!
//! One client with one pool of connections; HTTP/1.1 over TLS with the roots of Mozilla, which the binary carries. It follows
//! no redirect, reads no proxy from the environment and decompresses nothing. A call has a time limit for all of it and a
//! size limit for its answer. Nothing it prints holds a header or a body.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;

use crate::kernel::{Code, Error, Result};

/// How calls are made.
#[derive(Clone, Copy, Debug)]
pub struct HttpSettings {
    /// How long a connection may take to come about.
    pub connect: Duration,
    /// How long a call may take, from its first byte out to its last byte in.
    pub total: Duration,
    /// How many bytes an answer's body may have.
    pub largest: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            total: Duration::from_secs(20),
            largest: 1024 * 1024,
        }
    }
}

/// Why there is no answer. Whether the other side acted is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The request cannot be written: a header or the address is malformed. It was not sent.
    Malformed,
    /// The time was up.
    Timeout,
    /// There was no connection, or it broke.
    Broken,
    /// The answer is larger than allowed.
    TooLarge,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the request cannot be written",
            Self::Timeout => "no answer in time",
            Self::Broken => "no connection, or it broke",
            Self::TooLarge => "the answer is too large",
        })
    }
}

impl std::error::Error for Lost {}

/// A request on its way out.
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(HeaderName, String)>,
    body: Bytes,
}

impl Request {
    /// Asks for what is at `url`.
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Sends fields as a form.
    pub fn form(url: impl Into<String>, fields: &[(&str, String)]) -> Self {
        let body = query(fields).into_bytes();
        Self::post(url, "application/x-www-form-urlencoded", body)
    }

    /// Sends a body of JSON.
    pub fn json(url: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self::post(url, "application/json", body)
    }

    fn post(url: impl Into<String>, kind: &str, body: impl Into<Bytes>) -> Self {
        Self {
            method: Method::POST,
            body: body.into(),
            ..Self::get(url)
        }
        .header(CONTENT_TYPE, kind)
    }

    /// The same request with one header more.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What came back.
#[derive(Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, within the limit.
    pub body: Bytes,
    headers: HeaderMap,
}

impl Answer {
    /// A header as text, if it is there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON of this shape, if it is.
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// The client; clones share one pool of connections. A connection is driven by the runtime that opened it: a call over one
/// whose runtime has ended is [`Lost::Broken`].
#[derive(Clone)]
pub struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    settings: HttpSettings,
}

impl Http {
    /// A client with its own pool. Refuses nothing but a build whose TLS cannot do TLS 1.2 or 1.3.
    pub fn new(settings: HttpSettings) -> Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(settings.connect));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(Error::internal)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self { client, settings })
    }

    /// Makes a call once. An answer of any status is an answer.
    pub async fn send(&self, request: Request) -> Result<Answer, Lost> {
        let request = assemble(request).ok_or(Lost::Malformed)?;
        let answer = async {
            let answer = self.client.request(request).await;
            let (head, body) = answer.map_err(|_| Lost::Broken)?.into_parts();
            let body = Limited::new(body, self.settings.largest).collect().await;
            let body = body.map_err(|e| {
                if e.is::<http_body_util::LengthLimitError>() {
                    Lost::TooLarge
                } else {
                    Lost::Broken
                }
            })?;
            Ok(Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body: body.to_bytes(),
            })
        };
        tokio::time::timeout(self.settings.total, answer)
            .await
            .unwrap_or(Err(Lost::Timeout))
    }
}

fn assemble(request: Request) -> Option<http::Request<Full<Bytes>>> {
    let mut out = http::Request::new(Full::new(request.body));
    *out.method_mut() = request.method;
    *out.uri_mut() = request.url.parse().ok()?;
    let agent = HeaderValue::from_static(concat!("mercer/", env!("CARGO_PKG_VERSION")));
    out.headers_mut().insert(USER_AGENT, agent);
    for (name, value) in request.headers {
        let mut value = HeaderValue::try_from(value).ok()?;
        value.set_sensitive(name == AUTHORIZATION);
        out.headers_mut().insert(name, value);
    }
    Some(out)
}

/// Where a provider is reached: an address without a slash at its end.
#[derive(Clone, Debug)]
pub struct Base(Arc<str>);

impl Base {
    /// Reads an address. It must be `https`, because a key travels with each call; `http` is for a double on this machine
    /// (`localhost`, `127.0.0.1`, `[::1]`) and needs `may_be_plain`.
    pub fn new(url: &str, may_be_plain: bool) -> Result<Self> {
        let refuse = || {
            let message = "The address must be https://…, or http:// to this machine in test mode.";
            Error::new(Code::ValidationFailed, message)
        };
        let uri: Uri = url.parse().map_err(|_| refuse())?;
        let here = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let fits = match uri.scheme_str() {
            Some("https") => uri.host().is_some(),
            Some("http") => may_be_plain && here,
            _ => false,
        };
        if !fits || uri.query().is_some() || url.contains('@') {
            return Err(refuse());
        }
        Ok(Self(url.trim_end_matches('/').into()))
    }

    /// The address of `path`, which begins with a slash.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

/// Fields as they stand in a query or a form.
pub fn query(fields: &[(&str, String)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(&escape(name));
        out.push('=');
        out.push_str(&escape(value));
    }
    out
}

/// A text as it may stand in a path, a query or a form: all but letters, digits and `-._~` is percent-encoded (RFC 3986).
pub fn escape(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod double {
    //! A server on this machine that answers from a script and remembers what it was asked.

    use std::collections::VecDeque;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    /// What to answer to one request.
    pub enum Reply {
        /// Status, more headers, body.
        Say(u16, &'static str, String),
        /// Close the connection.
        Hang,
        /// Say nothing for so long.
        Sleep(Duration),
    }

    /// JSON with a status.
    #[expect(clippy::needless_pass_by_value, reason = "it reads better")]
    pub fn json(status: u16, body: impl ToString) -> Reply {
        Reply::Say(status, "", body.to_string())
    }

    /// A running double; it ends with the process.
    pub struct Double {
        pub url: String,
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl Double {
        /// Answers with `replies` in order, then with 418.
        pub fn start(replies: Vec<Reply>) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let asked = Arc::new(Mutex::new(Vec::new()));
            let (seen, mut left) = (asked.clone(), VecDeque::from(replies));
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let Ok(mut stream) = stream else { continue };
                    let Some(request) = read(&mut stream) else {
                        continue;
                    };
                    seen.lock().unwrap().push(request);
                    let (status, headers, body) = match left.pop_front() {
                        Some(Reply::Say(status, headers, body)) => (status, headers, body),
                        Some(Reply::Hang) => continue,
                        Some(Reply::Sleep(time)) => {
                            std::thread::sleep(time);
                            continue;
                        }
                        None => (418, "", "{}".into()),
                    };
                    let head = format!(
                        "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all((head + &body).as_bytes());
                }
            });
            Self { url, asked }
        }

        /// The requests so far: first line, headers, body.
        pub fn asked(&self) -> Vec<String> {
            self.asked.lock().unwrap().clone()
        }

        /// The first lines of the requests so far, without the version.
        pub fn lines(&self) -> Vec<String> {
            let first = |text: &String| text.lines().next().unwrap_or_default().to_owned();
            let asked = self.asked();
            asked
                .iter()
                .map(first)
                .map(|line| line.replace(" HTTP/1.1", ""))
                .collect()
        }
    }

    fn read(stream: &mut std::net::TcpStream) -> Option<String> {
        let (mut all, mut part) = (Vec::new(), [0; 4096]);
        loop {
            let text = String::from_utf8_lossy(&all).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|l| {
                    l.to_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                });
                if body.len() >= length.unwrap_or(0) {
                    return Some(text);
                }
            }
            match stream.read(&mut part) {
                Ok(0) | Err(_) => return None,
                Ok(n) => all.extend_from_slice(&part[..n]),
            }
        }
    }

    /// Runs a future as a worker does: on one thread.
    pub fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(future)
    }
}

#[cfg(test)]
mod tests {
    use super::double::{Double, Reply, json, run};
    use super::*;

    #[test]
    fn an_answer_of_any_status_is_an_answer() {
        let double = Double::start(vec![
            json(503, "{}"),
            Reply::Say(302, "location: http://127.0.0.1:1/\r\n", String::new()),
        ]);
        let http = Http::new(HttpSettings::default()).unwrap();
        for status in [503, 302] {
            let answer = run(http.send(Request::get(double.url.clone()))).unwrap();
            assert_eq!(answer.status, status);
        }
        assert_eq!(double.asked().len(), 2);
    }

    #[test]
    fn what_is_slow_broken_or_too_large_is_lost() {
        let settings = HttpSettings {
            total: Duration::from_millis(300),
            largest: 16,
            ..HttpSettings::default()
        };
        let http = Http::new(settings).unwrap();
        for (reply, lost) in [
            (Reply::Sleep(Duration::from_millis(900)), Lost::Timeout),
            (Reply::Hang, Lost::Broken),
            (json(200, "x".repeat(17)), Lost::TooLarge),
        ] {
            let double = Double::start(vec![reply]);
            let answer = run(http.send(Request::get(double.url.clone())));
            assert_eq!(answer.err(), Some(lost));
        }
        let nobody = run(http.send(Request::get("http://127.0.0.1:1/")));
        assert_eq!(nobody.err(), Some(Lost::Broken));
        let header = Request::get("http://127.0.0.1:1/").header(AUTHORIZATION, "a\nb");
        assert_eq!(run(http.send(header)).err(), Some(Lost::Malformed));
    }

    #[test]
    fn a_form_is_percent_encoded() {
        let fields = [
            ("metadata[payment]", "a b&c=ü".to_owned()),
            ("x", "1".into()),
        ];
        assert_eq!(
            query(&fields),
            "metadata%5Bpayment%5D=a%20b%26c%3D%C3%BC&x=1"
        );
    }

    #[test]
    fn a_key_travels_encrypted_or_on_this_machine() {
        assert!(Base::new("https://api.stripe.com/", false).is_ok());
        assert!(Base::new("http://127.0.0.1:99", true).is_ok());
        for (url, plain) in [
            ("http://127.0.0.1:99", false),
            ("http://example.com", true),
            ("ftp://localhost", true),
            ("https://a@example.com", true),
            ("api.stripe.com", true),
            ("", true),
        ] {
            assert!(Base::new(url, plain).is_err(), "{url}");
        }
    }
}
