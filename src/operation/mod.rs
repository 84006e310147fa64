//! One operation, two doors: the trait, the table, the registry and the single gate.
//!
//! A domain ends in a table of operations (see [`operations!`](crate::operations)). A row gives the operation its GraphQL
//! field, its REST route, its OpenAPI entry and its permission; behind it stands one struct with one `run`. REST, GraphQL,
//! jobs and tests all go through [`dispatch`]: access, idempotency, span and metrics, then `run`.

pub mod guesses;
pub mod idempotency;
mod macros;
pub mod metrics;

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::auth::Access;
use crate::context::{Cx, Tx};
use crate::kernel::{Code, Error, FieldError, Page, Rendered, Result};

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Verb {
    GET,
    POST,
    PUT,
    PATCH,
    DELETE,
}

impl Verb {
    /// The method as it stands in a request line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GET => "GET",
            Self::POST => "POST",
            Self::PUT => "PUT",
            Self::PATCH => "PATCH",
            Self::DELETE => "DELETE",
        }
    }
}

/// How an operation uses the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It reads.
    Query,
    /// It is one transaction.
    Mutation,
    /// It is several transactions with something in between.
    Flow,
}

/// What may be said of an operation beyond its row: the words that follow it in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trait {
    /// The answer is a new object: 201.
    Created,
    /// Shop fronts get the answer from memory until the catalogue changes.
    Cached,
    /// It moves money or stock and needs an `Idempotency-Key`.
    Keyed,
    /// Its answer has a secret, so what is stored to be repeated is sealed.
    Secret,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// The field in GraphQL, in snake case: `order`, `cancel_order`.
    pub field: &'static str,
    /// The struct: `GetOrder`, `CancelOrder`. In lower camel case it is the REST `operationId`.
    pub name: &'static str,
    /// How it uses the database.
    pub mode: Mode,
    /// The HTTP method.
    pub verb: Verb,
    /// The path below `/v1`, with `{names}` of input fields.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// What else is said of it.
    pub traits: &'static [Trait],
    /// What it does.
    pub doc: &'static str,
}

impl Meta {
    /// Whether `it` is said of this operation.
    pub fn is(&self, it: Trait) -> bool {
        self.traits.contains(&it)
    }

    /// The REST `operationId`.
    pub fn operation_id(&self) -> String {
        let mut name = self.name.to_owned();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        name
    }

    /// The field in GraphQL.
    pub fn graphql_field(&self) -> String {
        camel(self.field)
    }

    /// The input fields that stand in the path.
    pub fn path_fields(&self) -> impl Iterator<Item = &'static str> {
        self.path
            .split('{')
            .skip(1)
            .filter_map(|part| part.split('}').next())
    }
}

/// `cancel_order` as `cancelOrder`.
pub fn camel(snake: &str) -> String {
    let mut out = String::with_capacity(snake.len());
    let mut upper = false;
    for c in snake.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                out.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => out.push(c),
        }
    }
    out
}

/// What goes in: read from either door, and written once to be checked and fingerprinted.
pub trait Input: DeserializeOwned + Serialize + ToSchema + Send + Sync + 'static {}
impl<T: DeserializeOwned + Serialize + ToSchema + Send + Sync + 'static> Input for T {}

/// What comes back: written to either door, and read back when an idempotent answer is repeated.
pub trait Output: Serialize + DeserializeOwned + ToSchema + Send + 'static {
    /// The object's version, for `ETag` and `If-Match`.
    fn version(&self) -> Option<i64> {
        None
    }

    /// The cursor of the next page, for `Link`.
    fn cursor(&self) -> Option<&str> {
        None
    }

    /// Writes it as REST answers it.
    fn write_json(&self, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(out, self).map_err(Error::internal)
    }

    /// Its name in the OpenAPI document.
    fn schema_name() -> String {
        Self::name().into_owned()
    }

    /// What its OpenAPI schema refers to, beyond what the derive names.
    fn more_schemas(_: &mut Vec<(String, RefOr<Schema>)>) {}
}

impl<T: Output> Output for Page<T> {
    fn cursor(&self) -> Option<&str> {
        self.page.next_cursor.as_deref()
    }

    fn write_json(&self, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(br#"{"items":["#);
        for (i, item) in self.items.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            item.write_json(out)?;
        }
        out.extend_from_slice(br#"],"page":"#);
        serde_json::to_writer(&mut *out, &self.page).map_err(Error::internal)?;
        out.push(b'}');
        Ok(())
    }

    fn schema_name() -> String {
        format!("{}Page", T::name())
    }

    fn more_schemas(list: &mut Vec<(String, RefOr<Schema>)>) {
        list.push((T::name().into_owned(), T::schema()));
    }
}

impl<T: Output + PartialSchema> Output for Rendered<T>
where
    Rendered<T>: ToSchema,
{
    fn version(&self) -> Option<i64> {
        self.version()
    }

    fn write_json(&self, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(self.json().as_bytes());
        Ok(())
    }
}

/// What a query's row answers with. GraphQL gives null for what may be absent (`Option`), with the error beside it, so that the
/// other fields of the same request are answered.
pub trait Root {
    /// What the operation gives where there is something.
    type Output: Output;
    /// The root field: an error of a `Result` empties the whole answer, one inside an `Option` its own field alone.
    type Field;
    /// The root field's value.
    fn field(answer: async_graphql::Result<Self::Output>) -> Self::Field;
}

impl<T: Output> Root for T {
    type Output = T;
    type Field = async_graphql::Result<T>;

    fn field(answer: async_graphql::Result<T>) -> Self::Field {
        answer
    }
}

impl<T: Output> Root for Option<T> {
    type Output = T;
    type Field = Option<async_graphql::Result<T>>;

    fn field(answer: async_graphql::Result<T>) -> Self::Field {
        Some(answer)
    }
}

/// A row of the table and the struct behind it.
pub trait Operation: Input {
    /// What comes back.
    type Output: Output;
    /// The row.
    const META: Meta;

    /// Does it; called by [`dispatch`] alone.
    fn execute(self, cx: Cx) -> impl Future<Output = Result<Answer<Self::Output>>> + Send;
}

/// An operation that reads.
pub trait Query: Operation {
    /// Reads and answers.
    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output>;
}

/// An operation that is one transaction.
pub trait Mutation: Operation {
    /// Loads, decides, writes.
    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output>;
}

/// An operation of several transactions; the last is [`Cx::settle`].
pub trait Flow: Operation {
    /// Does its work; what it began, a job can finish.
    fn run(self, cx: &Cx) -> impl Future<Output = Result<Answer<Self::Output>>> + Send;
}

/// An operation's answer.
#[derive(Debug)]
pub struct Answer<T> {
    /// The answer.
    pub value: T,
    /// It was given before, to the same request with the same idempotency key.
    pub replayed: bool,
}

impl<T> Answer<T> {
    /// An answer given for the first time.
    pub fn fresh(value: T) -> Self {
        Self {
            value,
            replayed: false,
        }
    }
}

/// The single gate to every operation.
pub async fn dispatch<O: Operation>(cx: &Cx, operation: O) -> Result<Answer<O::Output>> {
    let mut cx = cx.clone();
    let span = tracing::debug_span!("operation", name = O::META.name, request_id = %cx.request_id);
    let watch = metrics::start(&O::META);
    let work = async {
        O::META.access.check(&cx.actor)?;
        let wire = serde_json::to_vec(&operation).map_err(Error::internal)?;
        refuse_nul(&wire)?;
        cx.claim = idempotency::Claim::new(&cx, &O::META, &wire)?;
        cx.app.refresh_snapshots().await?;
        operation.execute(cx.clone()).await
    };
    let result = tracing::Instrument::instrument(work, span).await;
    watch.stop(&result);
    result
}

/// NUL cannot be stored as text by PostgreSQL and has no place in a shop: it is refused in any field.
fn refuse_nul(wire: &[u8]) -> Result<()> {
    const ESCAPED: &[u8] = br"\u0000";
    if !wire.windows(ESCAPED.len()).any(|w| w == ESCAPED) {
        return Ok(());
    }
    let value: serde_json::Value = serde_json::from_slice(wire).map_err(Error::internal)?;
    let mut fields = Vec::new();
    find_nul(&value, &mut String::new(), &mut fields);
    if fields.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Code::ValidationFailed,
        "A text may not contain the character NUL.",
    )
    .with(fields))
}

fn find_nul(value: &serde_json::Value, pointer: &mut String, found: &mut Vec<FieldError>) {
    let complaint = |pointer: &str| {
        FieldError::new(pointer, "nul", "A text may not contain the character NUL.")
    };
    let length = pointer.len();
    match value {
        serde_json::Value::String(text) if text.contains('\0') => found.push(complaint(pointer)),
        serde_json::Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                pointer.push_str(&format!("/{i}"));
                find_nul(item, pointer, found);
                pointer.truncate(length);
            }
        }
        serde_json::Value::Object(map) => {
            for (key, item) in map {
                if key.contains('\0') {
                    found.push(complaint(pointer));
                }
                pointer.push('/');
                pointer.push_str(
                    &key.replace('~', "~0")
                        .replace('/', "~1")
                        .replace('\0', "\u{fffd}"),
                );
                find_nul(item, pointer, found);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

/// The context of a GraphQL mutation: its own idempotency key wins over the request's header.
pub fn with_key(ctx: &async_graphql::Context<'_>, key: Option<String>) -> Cx {
    let mut cx = ctx.data_unchecked::<Cx>().clone();
    if let Some(key) = key {
        cx.idempotency_key = Some(key.into());
    }
    cx
}

/// An error as GraphQL clients see it.
pub fn graphql_error(cx: &Cx, error: Error) -> async_graphql::Error {
    use async_graphql::{ErrorExtensions, Value};
    report(cx, &error);
    async_graphql::Error::new(error.detail).extend_with(|_, extensions| {
        extensions.set("code", error.code.as_str());
        if !error.fields.is_empty() {
            let fields = serde_json::to_value(&error.fields).unwrap_or_default();
            extensions.set("errors", Value::from_json(fields).unwrap_or_default());
        }
        extensions.set("requestId", cx.request_id.to_string());
    })
}

/// Logs a failure of ours, once, at the edge.
pub fn report(cx: &Cx, error: &Error) {
    if error.code.status() >= 500 {
        let source = error
            .source
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(request_id = %cx.request_id, code = error.code.as_str(), source, "operation failed");
    }
}

/// A row of the registry: the operation without its types.
pub struct Entry<H> {
    /// The row of the table.
    pub meta: Meta,
    /// The input's OpenAPI schema.
    pub input: fn() -> RefOr<Schema>,
    /// The output's OpenAPI schema.
    pub output: fn() -> RefOr<Schema>,
    /// The name of the output's schema.
    pub output_name: fn() -> String,
    /// The schemas that both refer to.
    pub schemas: fn(&mut Vec<(String, RefOr<Schema>)>),
    /// What a door made of it.
    pub handler: H,
}

/// Something a door makes of every operation, as REST makes a handler.
pub trait Door {
    /// What it makes.
    type Handler;
    /// Makes it for `O`.
    fn open<O: Operation>() -> Self::Handler;
}

/// All operations, as one door sees them.
pub struct Registry<D: Door> {
    /// The rows, in the order of the tables.
    pub entries: Vec<Entry<D::Handler>>,
}

impl<D: Door> Default for Registry<D> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
        }
    }
}

impl<D: Door> Registry<D> {
    /// Adds an operation.
    pub fn add<O: Operation>(&mut self) {
        self.entries.push(Entry {
            meta: O::META,
            input: <O as PartialSchema>::schema,
            output: <O::Output as PartialSchema>::schema,
            output_name: O::Output::schema_name,
            schemas: |list| {
                <O as ToSchema>::schemas(list);
                <O::Output as ToSchema>::schemas(list);
                O::Output::more_schemas(list);
            },
            handler: D::open::<O>(),
        });
    }
}

/// A door that makes nothing: the bare list.
pub struct List;

impl Door for List {
    type Handler = ();

    fn open<O: Operation>() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_found_wherever_it_hides() {
        let wire =
            serde_json::json!({"lines": [{"note": "a\0b"}], "meta": {"k\0": 1, "ok": "\\u0000"}});
        let error = refuse_nul(&serde_json::to_vec(&wire).unwrap()).unwrap_err();
        let pointers: Vec<&str> = error.fields.iter().map(|f| f.pointer.as_str()).collect();
        assert_eq!(pointers, ["/lines/0/note", "/meta"]);
        let innocent = serde_json::to_vec(&serde_json::json!({"note": "\\u0000"})).unwrap();
        assert!(refuse_nul(&innocent).is_ok());
    }
}
