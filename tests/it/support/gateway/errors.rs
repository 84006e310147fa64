//! Refusals in Stripe's shape.

use serde_json::{Map, Value, json};

/// What a call answers: an object, or a refusal.
pub type Reply = Result<Value, Error>;

/// A refusal: the status and what stands under `error`.
#[derive(Clone, Debug)]
pub struct Error {
    /// The HTTP status.
    pub status: u16,
    /// Whether the answer is kept for the idempotency key. Only what began to execute is.
    pub stored: bool,
    /// The members of `error`.
    pub body: Map<String, Value>,
}

impl Error {
    fn new(status: u16, kind: &str, message: impl Into<String>) -> Self {
        let mut body = Map::new();
        body.insert("type".into(), kind.into());
        body.insert("message".into(), message.into().into());
        Self {
            status,
            stored: false,
            body,
        }
    }

    /// A parameter that does not validate. It is not kept for the key.
    pub fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message).with("param", bracketed(param))
    }

    /// A request that cannot be read at all.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    /// A request that validated, and that the state of an object refuses. It is kept for the key.
    pub fn refused(code: Option<&str>, message: impl Into<String>) -> Self {
        let refused = Self::new(400, "invalid_request_error", message).kept();
        match code {
            Some(code) => refused.code(code),
            None => refused,
        }
    }

    /// A parameter that has to be there.
    pub fn missing(param: &str) -> Self {
        let name = bracketed(param);
        Self::invalid(param, format!("Missing required param: {name}.")).code("parameter_missing")
    }

    /// An id that nothing has: 404 for the object of the path, 400 for a parameter.
    pub fn no_such(noun: &str, id: &str, param: &str, status: u16) -> Self {
        let mut error = Self::invalid(param, format!("No such {noun}: '{id}'"))
            .code("resource_missing")
            .kept();
        error.status = status;
        error
    }

    /// An address that is none.
    pub fn no_route(method: &str, path: &str) -> Self {
        let mut error = Self::malformed(format!("Unrecognized request URL ({method}: {path})."));
        error.status = 404;
        error
    }

    /// A key that is none.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, "invalid_request_error", message)
    }

    /// A key that may not.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "invalid_request_error", message)
    }

    /// A card that was refused.
    pub fn card(code: &str, decline_code: Option<&str>, message: &str) -> Self {
        let error = Self::new(402, "card_error", message).code(code).kept();
        match decline_code {
            Some(decline) => error.with("decline_code", decline),
            None => error,
        }
    }

    /// An idempotency key that was used for something else.
    pub fn idempotency(message: impl Into<String>) -> Self {
        Self::new(400, "idempotency_error", message)
    }

    /// An idempotency key whose first request is still running.
    pub fn in_progress(key: &str) -> Self {
        let mut error = Self::malformed(format!(
            "There is currently another in-progress request using this Idempotent Key (that \
             probably means you submitted twice, and the other request is still going through): \
             {key}. Please try again later."
        ))
        .code("idempotency_key_in_use");
        error.status = 409;
        error
    }

    /// Too many requests.
    pub fn rate_limited() -> Self {
        let mut error = Self::malformed(
            "Request rate limit exceeded. You can learn more about rate limits in the documentation.",
        )
        .code("rate_limit");
        error.status = 429;
        error
    }

    /// An object that another request holds.
    pub fn locked() -> Self {
        let mut error = Self::malformed(
            "This object cannot be accessed right now because another API request or Stripe \
             process is currently accessing it. If you see this error intermittently, retry the \
             request.",
        )
        .code("lock_timeout");
        error.status = 429;
        error
    }

    /// The gateway's own fault. It is kept for the key.
    pub fn internal() -> Self {
        Self::new(
            500,
            "api_error",
            "Sorry! There was an error while talking to one of our backends.",
        )
        .kept()
    }

    /// Something that Stripe has and the double has not: loud, so that a test does not believe it worked.
    pub fn not_simulated(what: &str) -> Self {
        Self::new(
            500,
            "api_error",
            format!("This gateway double does not simulate {what}."),
        )
    }

    /// The same with a code, and the page about it.
    #[must_use]
    pub fn code(self, code: &str) -> Self {
        let page = format!(
            "https://stripe.com/docs/error-codes/{}",
            code.replace('_', "-")
        );
        self.with("code", code).with("doc_url", page)
    }

    /// The same with a parameter.
    #[must_use]
    pub fn param(self, param: &str) -> Self {
        self.with("param", bracketed(param))
    }

    /// The same with a further member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body.insert(name.into(), value.into());
        self
    }

    /// The same, kept for the idempotency key.
    #[must_use]
    pub fn kept(mut self) -> Self {
        self.stored = true;
        self
    }

    /// The body of the answer.
    pub fn json(&self) -> Value {
        json!({ "error": self.body })
    }
}

/// `a.b.c` as Stripe writes it: `a[b][c]`.
pub fn bracketed(path: &str) -> String {
    let mut parts = path.split('.');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        name.push('[');
        name.push_str(part);
        name.push(']');
    }
    name
}
