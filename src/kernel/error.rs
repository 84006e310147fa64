//! The public error catalogue: one type, one table of codes.
//!
//! A client branches on `code`, shows `detail`, and marks the `fields`. `source` is for the log alone; it never
//! leaves the server. Codes are stable: one may be added, none may change its meaning.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong, in the words of the public catalogue.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $status:literal $text:literal; )+) => {
        /// A stable error code; the same in REST (`code`) and GraphQL (`extensions.code`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $( $(#[doc = $doc])+ $variant ),+ }

        impl Code {
            /// Every code, in the order of the catalogue.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The code as clients see it.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $text),+ } }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 { match self { $(Self::$variant => $status),+ } }

            /// What it means and what to do next.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii()),+ }
            }
        }
    };
}

codes! {
    /// The request is not readable as JSON or as a query string.
    MalformedRequest = 400 "MALFORMED_REQUEST";
    /// A field is unknown, missing, or of the wrong type; `errors` names each.
    InvalidInput = 400 "INVALID_INPUT";
    /// The cursor was not issued by this shop for this list; start again without `after`.
    InvalidCursor = 400 "INVALID_CURSOR";
    /// The operation moves money or stock and needs an `Idempotency-Key`.
    IdempotencyKeyRequired = 400 "IDEMPOTENCY_KEY_REQUIRED";
    /// A webhook's signature is wrong, old or missing; nothing was stored.
    InvalidSignature = 400 "INVALID_SIGNATURE";
    /// No valid API key was sent; send `Authorization: Bearer mrc_…`.
    Unauthenticated = 401 "UNAUTHENTICATED";
    /// The payment was declined; choose another way to pay and start the checkout again.
    PaymentDeclined = 402 "PAYMENT_DECLINED";
    /// The caller is known but lacks the scope that `detail` names.
    Forbidden = 403 "FORBIDDEN";
    /// A web page of this origin may not use a secret key; `detail` says what to do.
    OriginNotAllowed = 403 "ORIGIN_NOT_ALLOWED";
    /// There is no such thing, or the caller may not know of it.
    NotFound = 404 "NOT_FOUND";
    /// The path exists, but not with this method.
    MethodNotAllowed = 405 "METHOD_NOT_ALLOWED";
    /// None of the media types in `Accept` can be served.
    NotAcceptable = 406 "NOT_ACCEPTABLE";
    /// The request took too long to arrive.
    RequestTimeout = 408 "REQUEST_TIMEOUT";
    /// The object is not in a state that allows this; `detail` says which it is in.
    InvalidState = 409 "INVALID_STATE";
    /// Something with this unique value exists already.
    AlreadyExists = 409 "ALREADY_EXISTS";
    /// There is less stock than asked for; `errors` names each line and what is left.
    InsufficientStock = 409 "INSUFFICIENT_STOCK";
    /// The price changed since it was quoted; fetch the cart, show the new total, and try again.
    PriceChanged = 409 "PRICE_CHANGED";
    /// The cart is not ready for checkout; `errors` names what is missing.
    CartNotReady = 409 "CART_NOT_READY";
    /// The provider reports another amount or currency than is due; nothing is placed, and the money is let go.
    PaymentMismatch = 409 "PAYMENT_MISMATCH";
    /// A gift card or the store credit has less than the checkout counts on; start the checkout again.
    InsufficientCredit = 409 "INSUFFICIENT_CREDIT";
    /// A coupon has been used as often as it may be; take it out of the cart and start the checkout again.
    CouponUsedUp = 409 "COUPON_USED_UP";
    /// The order is beyond the customer's credit; `errors` says how much is left, in minor units. Choose another way to pay.
    CreditLimitExceeded = 409 "CREDIT_LIMIT_EXCEEDED";
    /// Nothing is sold on the customer's credit terms for now; choose another way to pay.
    CreditOnHold = 409 "CREDIT_ON_HOLD";
    /// No checkout was started for the cart; start one.
    CheckoutNotStarted = 409 "CHECKOUT_NOT_STARTED";
    /// The checkout has expired; start it again.
    CheckoutExpired = 409 "CHECKOUT_EXPIRED";
    /// The object has changed since it was read; fetch it and apply the change again.
    VersionConflict = 412 "VERSION_CONFLICT";
    /// The body is larger than the limit that `detail` names.
    PayloadTooLarge = 413 "PAYLOAD_TOO_LARGE";
    /// The path and the query string are longer than the limit that `detail` names.
    UriTooLong = 414 "URI_TOO_LONG";
    /// The body must be `application/json`.
    UnsupportedMediaType = 415 "UNSUPPORTED_MEDIA_TYPE";
    /// A value is readable but not allowed; `errors` names each.
    ValidationFailed = 422 "VALIDATION_FAILED";
    /// The channel does not sell in this currency.
    CurrencyNotSold = 422 "CURRENCY_NOT_SOLD";
    /// The key was used with another request; use a new key for a new request.
    IdempotencyKeyReused = 422 "IDEMPOTENCY_KEY_REUSED";
    /// The same request is being carried out at this moment.
    IdempotencyInProgress = 409 "IDEMPOTENCY_IN_PROGRESS";
    /// Too many wrong codes; try again after the time in `Retry-After`.
    TooManyAttempts = 429 "TOO_MANY_ATTEMPTS";
    /// The headers are larger than the limit that `detail` names.
    HeadersTooLarge = 431 "HEADERS_TOO_LARGE";
    /// The GraphQL document does not fit the schema.
    GraphqlInvalid = 400 "GRAPHQL_INVALID";
    /// The GraphQL document asks for more than one request may.
    QueryTooComplex = 400 "QUERY_TOO_COMPLEX";
    /// Something went wrong here; quote the request id when you report it.
    Internal = 500 "INTERNAL";
    /// The database is not reachable or busy; try again after the time in `Retry-After`.
    Unavailable = 503 "UNAVAILABLE";
}

/// One field or line that an error is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldError {
    /// RFC 6901 pointer into the input, as `/lines/0/quantity`.
    pub pointer: String,
    /// What is wrong with it, for a program.
    pub code: &'static str,
    /// What is wrong with it, for a person.
    pub message: String,
    /// How many units could be had, where the error is about stock; how much credit is left in minor units, where about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<i64>,
}

impl FieldError {
    /// A field at `pointer` with a machine-readable `code` and a message for a person.
    pub fn new(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            code,
            message: message.into(),
            available: None,
        }
    }
}

/// A refusal or a failure, as every layer of Mercer passes it on.
#[derive(Debug)]
pub struct Error {
    /// The stable code.
    pub code: Code,
    /// What happened this time, for a person.
    pub detail: String,
    /// The fields it is about.
    pub fields: Vec<FieldError>,
    /// The cause, for the log only.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// What a failed statement means for its transaction and its connection.
    pub(crate) failure: Option<Failure>,
}

/// What a failed statement means beyond itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The transaction lost to another and may be run again as a whole.
    Race,
    /// The connection is of no more use.
    Connection,
}

impl Error {
    /// An error with its detail.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            fields: Vec::new(),
            source: None,
            failure: None,
        }
    }

    /// An error about one field.
    pub fn field(
        code: Code,
        pointer: impl Into<String>,
        field_code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        let message = message.into();
        Self::new(code, message.clone()).with(vec![FieldError::new(pointer, field_code, message)])
    }

    /// A value that is readable but not allowed.
    pub fn invalid(
        pointer: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self::field(Code::ValidationFailed, pointer, code, message)
    }

    /// An object that is absent, or that the caller may not know of: the two are not told apart.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}."))
    }

    /// A failure of ours; `source` goes to the log, nothing of it to the client.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(Code::Internal, "Something went wrong on our side.")
        }
    }

    /// The database cannot be reached or is too busy.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(
                Code::Unavailable,
                "The service is busy; try again in a moment.",
            )
        }
    }

    /// An idempotency key that came with another request before.
    pub fn key_reused() -> Self {
        Self::new(
            Code::IdempotencyKeyReused,
            "This Idempotency-Key was used with another request.",
        )
    }

    /// The object was changed by somebody else; `current` is its version now.
    pub fn version_conflict(current: i64) -> Self {
        Self::new(
            Code::VersionConflict,
            format!("The current version is {current}."),
        )
    }

    /// Refuses a change of another version than the one that is there.
    pub fn unless_version(expected: Option<i64>, current: i64) -> Result<()> {
        match expected {
            Some(expected) if expected != current => Err(Self::version_conflict(current)),
            _ => Ok(()),
        }
    }

    /// The same error with the fields it is about.
    #[must_use]
    pub fn with(mut self, fields: Vec<FieldError>) -> Self {
        self.fields = fields;
        self
    }

    /// The same error with another detail.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)?;
        for field in &self.fields {
            write!(f, "\n  {} {}: {}", field.pointer, field.code, field.message)?;
        }
        match &self.source {
            Some(source) => write!(f, "\n  caused by: {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// PostgreSQL's failures are told by the kinds that diesel makes of their SQLSTATE, for their words depend on the server's
/// language; what has no kind is judged by [`Error::of_postgres`]. SQLite's words are the same everywhere (`sqlite3_errstr`).
impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind as Kind, Error as Db};
        let (code, failure) = match &error {
            Db::NotFound => (Code::NotFound, None),
            Db::DatabaseError(Kind::UniqueViolation, _) => (Code::AlreadyExists, None),
            Db::DatabaseError(Kind::SerializationFailure, _) => {
                (Code::Unavailable, Some(Failure::Race))
            }
            Db::DatabaseError(
                Kind::ClosedConnection | Kind::UnableToSendCommand | Kind::ReadOnlyTransaction,
                _,
            )
            | Db::BrokenTransactionManager
            | Db::AlreadyInTransaction
            | Db::NotInTransaction
            | Db::RollbackErrorOnCommit { .. } => (Code::Unavailable, Some(Failure::Connection)),
            Db::DatabaseError(Kind::Unknown, info) => match info.message() {
                m if m.contains("database is locked") || m.contains("database table is locked") => {
                    (Code::Unavailable, Some(Failure::Race))
                }
                m if m.contains("database or disk is full")
                    || m.contains("disk I/O error")
                    || m.contains("unable to open database file")
                    || m.contains("attempt to write a readonly database") =>
                {
                    (Code::Unavailable, None)
                }
                _ => (Code::Internal, None),
            },
            _ => (Code::Internal, None),
        };
        let base = match code {
            Code::NotFound => Self::not_found("object"),
            Code::AlreadyExists => Self::new(code, "Something with this value exists already."),
            Code::Unavailable => Self::unavailable(""),
            _ => Self::internal(""),
        };
        Self {
            failure,
            source: Some(Box::new(error)),
            ..base
        }
    }
}

impl Error {
    /// Judges what PostgreSQL refused for a reason that diesel has no kind for. A statement that cannot be read (SQLSTATE class
    /// 42) comes with a position; it is a mistake of ours. What is left is a server that cannot do it now: deadlock, lock or
    /// statement timeout, no disk, shutting down. The transaction may be run again.
    #[must_use]
    pub(crate) fn of_postgres(self) -> Self {
        use diesel::result::{DatabaseErrorKind as Kind, Error as Db};
        let source = self.source.as_deref().and_then(|s| s.downcast_ref::<Db>());
        match source {
            Some(Db::DatabaseError(Kind::Unknown, info)) if info.statement_position().is_none() => {
                Self {
                    failure: Some(Failure::Race),
                    source: self.source,
                    ..Self::unavailable("")
                }
            }
            _ => self,
        }
    }
}

impl From<super::money::MoneyError> for Error {
    fn from(error: super::money::MoneyError) -> Self {
        Self::new(Code::ValidationFailed, error.to_string())
    }
}
