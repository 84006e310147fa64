//! GraphQL over HTTP, by its specification: content negotiation, status codes, queries alone over GET, JSON alone over POST.

use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response, ServerError};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::documents::{self, Documents};
use super::guard::{self, Limits};
use super::{Shop, schema};
use crate::api::{answer, input, request};
use crate::config::Config;
use crate::context::{App, Cx};
use crate::kernel::{Code, Error, Result};

/// How long a request may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// The schema and the limits of its use.
pub struct Door {
    schema: Shop,
    limits: Limits,
    documents: Documents,
}

impl Door {
    /// The door as the settings want it.
    pub fn new(config: &Config) -> Result<Self> {
        let schema = schema();
        let limits = Limits::default()
            .with_lists_of(&schema.sdl())
            .map_err(Error::internal)?;
        let open = config.is_on(config.introspection);
        Ok(Self {
            schema,
            documents: Documents::default(),
            limits: if open {
                limits.with_introspection()
            } else {
                limits
            },
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    /// May be left out where `extensions` names it.
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
    #[serde(default)]
    extensions: Option<Map<String, Value>>,
}

/// Automatic Persisted Queries: the hash of the document, which is sent with it once and without it from then on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Persisted {
    version: i64,
    sha256_hash: String,
}

impl Body {
    /// The document's text, and the hash under which it is to be kept.
    fn document(&mut self, known: &Documents) -> Result<(String, Option<String>), guard::Refusal> {
        let refuse = |code, message: &str| {
            Err(guard::Refusal {
                code,
                message: message.to_owned(),
            })
        };
        let invalid = Code::GraphqlInvalid.as_str();
        let query = self.query.take();
        let Some(named) = self
            .extensions
            .as_mut()
            .and_then(|e| e.remove("persistedQuery"))
        else {
            return match query {
                Some(query) => Ok((query, None)),
                None => refuse(invalid, "The request has no `query`."),
            };
        };
        let Ok(named) = serde_json::from_value::<Persisted>(named) else {
            return refuse(
                invalid,
                "`persistedQuery` must have `version` and `sha256Hash`.",
            );
        };
        if named.version != 1 {
            return refuse(
                "PERSISTED_QUERY_NOT_SUPPORTED",
                "PersistedQueryNotSupported",
            );
        }
        match query {
            None => match known.text(&named.sha256_hash) {
                Some(text) => Ok((text, None)),
                None => refuse("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound"),
            },
            Some(query) if documents::hash(&query) == named.sha256_hash => {
                Ok((query, Some(named.sha256_hash)))
            }
            Some(_) => refuse(invalid, "`sha256Hash` is not the hash of `query`."),
        }
    }
}

/// The media type of an answer decides which status a refused document has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Media {
    Response,
    Json,
}

impl Media {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Response => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }

    /// What the client can read, or nothing that we can write.
    fn accepted(request: &HttpRequest) -> Option<Self> {
        let Some(accept) = request.headers().get(header::ACCEPT) else {
            return Some(Self::Json);
        };
        let accept = accept.to_str().unwrap_or_default().to_ascii_lowercase();
        let types = accept.split(',').filter_map(|part| {
            let mut parts = part.split(';').map(str::trim);
            let media_type = parts.next()?;
            let refused = parts
                .clone()
                .any(|p| matches!(p, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            let charset = parts
                .find_map(|p| p.strip_prefix("charset="))
                .unwrap_or("utf-8");
            (!refused && charset.trim_matches('"') == "utf-8").then_some(media_type)
        });
        let mut best = None;
        for media_type in types {
            match media_type {
                "application/graphql-response+json" => return Some(Self::Response),
                "application/json" | "application/*" | "*/*" => best = Some(Self::Json),
                _ => {}
            }
        }
        best
    }
}

/// Answers a request to `/graphql`.
pub async fn serve(
    app: web::Data<App>,
    door: web::Data<Door>,
    http: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let id = request::request_id(http.headers());
    let Some(media) = Media::accepted(&http) else {
        let detail = "Accept must allow application/graphql-response+json or application/json.";
        return answer::problem(&Error::new(Code::NotAcceptable, detail), id);
    };
    match respond(&app, &door, &http, payload, id).await {
        Ok(response) => render(response, media, id),
        Err(error) => refuse(&error, media, id),
    }
}

async fn respond(
    app: &App,
    door: &Door,
    http: &HttpRequest,
    payload: web::Payload,
    id: Uuid,
) -> Result<Response> {
    let mut body = match *http.method() {
        Method::GET => from_query(http.query_string())?,
        Method::POST => from_body(http, payload).await?,
        _ => {
            return Err(Error::new(
                Code::MethodNotAllowed,
                "GraphQL takes POST, and GET for queries.",
            ));
        }
    };
    let cx = request::context(app, http, id).await?;
    if body.query.is_none() && body.extensions.is_none() {
        let detail = "The request has no `query`.";
        return Err(Error::new(Code::MalformedRequest, detail));
    }
    let (query, hash) = match body.document(&door.documents) {
        Ok(document) => document,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    if let Err(refusal) = guard::check_text(&query, &door.limits) {
        return Ok(refused(&refusal));
    }
    let known = door.documents.get(&query);
    let is_new = known.is_none();
    let mut gql = Request::new(query).data(cx.clone());
    if let Some(document) = known {
        gql.set_parsed_query(document);
    }
    gql.operation_name = body.operation_name;
    if let Some(variables) = body.variables {
        gql = gql.variables(async_graphql::Variables::from_json(Value::Object(
            variables,
        )));
    }
    let (name, variables) = (gql.operation_name.clone(), gql.variables.clone());
    let document = match gql.parsed_query() {
        Ok(document) => document,
        Err(error) => return Ok(Response::from_errors(vec![error])),
    };
    if let Err(refusal) = guard::check(document, name.as_deref(), &variables, &door.limits) {
        return Ok(refused(&refusal));
    }
    if http.method() == Method::GET && !only_reads(document, name.as_deref()) {
        return Err(Error::new(
            Code::MethodNotAllowed,
            "Only queries may be sent with GET; use POST.",
        ));
    }
    if is_new {
        let document = document.clone();
        door.documents.put(gql.query.clone(), document);
    }
    if let Some(hash) = hash {
        door.documents.name(hash, &gql.query);
    }
    let gql = super::relations::with_loaders(gql);
    execute(door, gql, &cx).await
}

async fn execute(door: &Door, gql: Request, cx: &Cx) -> Result<Response> {
    tokio::time::timeout(DEADLINE, door.schema.execute(gql))
        .await
        .map_err(|_| {
            tracing::warn!(request_id = %cx.request_id, "a GraphQL request took too long");
            Error::unavailable("deadline").detail("The request took too long.")
        })
}

fn only_reads(
    document: &async_graphql::parser::types::ExecutableDocument,
    name: Option<&str>,
) -> bool {
    document
        .operations
        .iter()
        .filter(|(found, _)| name.is_none() || found.map(async_graphql::Name::as_str) == name)
        .all(|(_, operation)| operation.node.ty == OperationType::Query)
}

async fn from_body(http: &HttpRequest, payload: web::Payload) -> Result<Body> {
    if !request::is_json(http) {
        let detail = "Send the request as Content-Type: application/json.";
        return Err(Error::new(Code::UnsupportedMediaType, detail));
    }
    let body = request::body(payload).await?;
    input::check_depth(&body)?;
    serde_json::from_slice(&body).map_err(|error| input::malformed(&error))
}

fn from_query(query: &str) -> Result<Body> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Parameters {
        query: Option<String>,
        operation_name: Option<String>,
        variables: Option<String>,
        extensions: Option<String>,
    }
    let malformed = |what: String| Error::new(Code::MalformedRequest, what);
    let parameters: Parameters = serde_html_form::from_str(query).map_err(|e| {
        malformed(format!(
            "The query string cannot be read. {}",
            input::plain(&e.to_string())
        ))
    })?;
    let map = |name: &str, text: Option<String>| match text.filter(|t| !t.is_empty()) {
        None => Ok(None),
        Some(text) => {
            input::check_depth(text.as_bytes())?;
            serde_json::from_str(&text)
                .map_err(|_| malformed(format!("`{name}` must be a JSON object.")))
        }
    };
    Ok(Body {
        query: parameters.query,
        operation_name: parameters.operation_name,
        variables: map("variables", parameters.variables)?,
        extensions: map("extensions", parameters.extensions)?,
    })
}

fn refused(refusal: &guard::Refusal) -> Response {
    let mut error = ServerError::new(refusal.message.clone(), None);
    error
        .extensions
        .get_or_insert_default()
        .set("code", refusal.code);
    Response::from_errors(vec![error])
}

/// Renders what came of a well-formed request. Whoever understands the new media type gets 400 for a document that was not
/// executed; others get 200, as they always did.
fn render(response: Response, media: Media, id: Uuid) -> HttpResponse {
    let refused = response.errors.iter().all(|e| e.path.is_empty()) && !response.errors.is_empty();
    if !refused {
        let mut response = response;
        // An argument that cannot be read is found only when its field is resolved, and knows neither code nor request.
        for error in &mut response.errors {
            let extensions = error.extensions.get_or_insert_default();
            if extensions.get("code").is_none() {
                extensions.set("code", Code::InvalidInput.as_str());
                extensions.set("requestId", id.to_string());
            }
        }
        let body = serde_json::to_vec(&response).unwrap_or_default();
        let mut answer = build(StatusCode::OK, media, id);
        if let Some(seconds) = retry_after(&response) {
            answer.insert_header((header::RETRY_AFTER, seconds));
        }
        return answer.body(body);
    }
    let errors: Vec<Value> = response
        .errors
        .iter()
        .map(|error| {
            let mut error = json!(error);
            let extensions = error["extensions"].as_object().cloned().unwrap_or_default();
            let code = extensions
                .get("code")
                .cloned()
                .unwrap_or(json!(Code::GraphqlInvalid.as_str()));
            error["extensions"] = json!({ "code": code, "requestId": id });
            error
        })
        .collect();
    let status = if media == Media::Response {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    };
    build(status, media, id).body(json!({ "errors": errors }).to_string())
}

/// When to come again, where a field could not be answered for now.
fn retry_after(response: &Response) -> Option<&'static str> {
    let is = |error: &ServerError, code: Code| {
        let said = error.extensions.as_ref().and_then(|e| e.get("code"));
        said == Some(&async_graphql::Value::from(code.as_str()))
    };
    let codes = [Code::TooManyAttempts, Code::Unavailable];
    codes
        .into_iter()
        .find(|code| response.errors.iter().any(|error| is(error, *code)))
        .and_then(answer::retry_after)
}

/// Renders a request that was no GraphQL request.
fn refuse(error: &Error, media: Media, id: Uuid) -> HttpResponse {
    let status =
        StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({ "errors": [{
        "message": error.detail,
        "extensions": { "code": error.code.as_str(), "requestId": id },
    }]});
    let mut answer = build(status, media, id);
    if error.code == Code::MethodNotAllowed {
        answer.insert_header((header::ALLOW, "GET, HEAD, POST"));
    }
    if let Some(seconds) = answer::retry_after(error.code) {
        answer.insert_header((header::RETRY_AFTER, seconds));
    }
    answer.body(body.to_string())
}

fn build(status: StatusCode, media: Media, id: Uuid) -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((header::CONTENT_TYPE, media.content_type()))
        .insert_header(("x-request-id", id.hyphenated().to_string()))
        .insert_header(answer::no_store());
    answer
}
