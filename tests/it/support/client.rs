//! A small blocking client for both doors.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, Request};

/// Somebody who asks, with the headers that say who it is.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    address: SocketAddr,
    headers: HeaderMap,
}

impl Client {
    /// Somebody without any headers.
    pub fn new(address: SocketAddr) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .new_agent();
        Self {
            agent,
            address,
            headers: HeaderMap::new(),
        }
    }

    /// The server it talks to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it says in this header.
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The same at another server.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            ..self.clone()
        }
    }

    /// The same with a header, of any bytes that HTTP allows.
    #[must_use]
    pub fn with(&self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut headers = self.headers.clone();
        headers.insert(
            HeaderName::try_from(name).unwrap(),
            HeaderValue::from_bytes(value.as_ref()).unwrap(),
        );
        Self {
            headers,
            ..self.clone()
        }
    }

    /// The same with an `Idempotency-Key`.
    #[must_use]
    pub fn keyed(&self, key: &str) -> Self {
        self.with("idempotency-key", key)
    }

    /// The same with a fresh `Idempotency-Key`.
    #[must_use]
    pub fn once(&self) -> Self {
        self.keyed(&mercer::kernel::id::fresh().to_string())
    }

    /// The same, insisting on this `ETag`.
    #[must_use]
    pub fn if_match(&self, etag: &str) -> Self {
        self.with("if-match", etag)
    }

    /// `GET /v1…`
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", &format!("/v1{path}"), None)
    }

    /// `POST /v1…`
    pub fn post(&self, path: &str, body: impl Into<Value>) -> Answer {
        self.json("POST", path, &body.into())
    }

    /// `PATCH /v1…`
    pub fn patch(&self, path: &str, body: impl Into<Value>) -> Answer {
        self.json("PATCH", path, &body.into())
    }

    /// A JSON body to `/v1…`.
    pub fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.bytes(method, path, body.to_string().as_bytes())
    }

    /// Bytes that are called JSON to `/v1…`.
    pub fn bytes(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        self.as_json()
            .send(method, &format!("/v1{path}"), Some(body))
    }

    /// A GraphQL request.
    pub fn graphql(&self, query: &str, variables: impl Into<Value>) -> Answer {
        let body = json!({ "query": query, "variables": variables.into() });
        self.as_json()
            .send("POST", "/graphql", Some(body.to_string().as_bytes()))
    }

    /// Any request.
    pub fn send(&self, method: &str, target: &str, body: Option<&[u8]>) -> Answer {
        self.attempt(method, target, body)
            .unwrap_or_else(|error| panic!("{method} {target}: {error}"))
    }

    /// Any request to a server that may be gone.
    pub fn attempt(
        &self,
        method: &str,
        target: &str,
        body: Option<&[u8]>,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(format!("http://{}{target}", self.address));
        *request.headers_mut().unwrap() = self.headers.clone();
        let sent = match body {
            None => self.agent.run(request.body(()).unwrap()),
            Some(bytes) => self.agent.run(request.body(bytes).unwrap()),
        };
        let what = format!("{method} {target}");
        let mut response = sent?;
        let body = response
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_vec()?;
        Ok(Answer {
            status: response.status().as_u16(),
            json: serde_json::from_slice(&body).unwrap_or_default(),
            headers: response.headers().clone(),
            body,
            what,
        })
    }

    fn as_json(&self) -> Self {
        if self.headers.contains_key("content-type") {
            return self.clone();
        }
        self.with("content-type", "application/json")
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The body, or null where it is no JSON.
    pub json: Value,
    what: String,
}

impl Answer {
    /// Insists on 200 (from GraphQL, without errors).
    #[track_caller]
    pub fn ok(self) -> Self {
        self.status(200);
        assert!(self.json.get("errors").is_none(), "{self}");
        self
    }

    /// Insists on 201.
    #[track_caller]
    pub fn created(self) -> Self {
        self.status(201);
        self
    }

    /// Insists on a status.
    #[track_caller]
    pub fn status(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// Insists on a refusal with this status and code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code()), (status, code), "{self}");
        if !self.what.contains(" /graphql") {
            assert_eq!(
                self.header("content-type"),
                "application/problem+json",
                "{self}"
            );
            assert_eq!(self.json["status"], status, "{self}");
        }
        self
    }

    /// Insists on a GraphQL error with this code (the status is the media type's affair).
    #[track_caller]
    pub fn denied(self, code: &str) -> Self {
        assert_eq!(self.code(), code, "{self}");
        self
    }

    /// Insists that the refusal is about the field at `pointer`, with this code.
    #[track_caller]
    pub fn about(self, pointer: &str, code: &str) -> Self {
        let fields = self.fields();
        assert!(
            fields.contains(&(pointer.to_owned(), code.to_owned())),
            "{fields:?} of {self}"
        );
        self
    }

    /// The error's code, of either door; empty where there is none.
    pub fn code(&self) -> &str {
        let code = self
            .json
            .get("code")
            .or_else(|| self.json.pointer("/errors/0/extensions/code"));
        code.and_then(Value::as_str).unwrap_or_default()
    }

    /// What a person is told about the error, by either door.
    pub fn detail(&self) -> &str {
        let text = self
            .json
            .get("detail")
            .or_else(|| self.json.pointer("/errors/0/message"));
        text.and_then(Value::as_str).unwrap_or_default()
    }

    /// The fields that the error is about: pointers and codes.
    pub fn fields(&self) -> Vec<(String, String)> {
        let errors = self
            .json
            .pointer("/errors/0/extensions/errors")
            .or_else(|| self.json.get("errors"));
        let text = |field: &Value, name: &str| field[name].as_str().unwrap_or_default().to_owned();
        let list = errors
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        list.iter()
            .map(|field| (text(field, "pointer"), text(field, "code")))
            .collect()
    }

    /// What stands at `pointer`.
    #[track_caller]
    pub fn at(&self, pointer: &str) -> &Value {
        self.json
            .pointer(pointer)
            .unwrap_or_else(|| panic!("nothing at {pointer} of {self}"))
    }

    /// The text at `pointer`.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> &str {
        self.at(pointer)
            .as_str()
            .unwrap_or_else(|| panic!("no text at {pointer} of {self}"))
    }

    /// What a GraphQL field answered.
    #[track_caller]
    pub fn data(&self, field: &str) -> &Value {
        self.at(&format!("/data/{field}"))
    }

    /// A header; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The `ETag`.
    #[track_caller]
    pub fn etag(&self) -> &str {
        assert!(self.headers.contains_key("etag"), "no ETag: {self}");
        self.header("etag")
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body: String = String::from_utf8_lossy(&self.body)
            .chars()
            .take(1_000)
            .collect();
        write!(f, "{} answered {} {body}", self.what, self.status)
    }
}
