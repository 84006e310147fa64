//! The REST door: a route for every operation, one handler for all.

use std::future::Future;
use std::pin::Pin;

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use twox_hash::XxHash3_128;

use super::cache::{Cache, Kept};
use super::input::{self, PathFields};
use super::{answer, compress, request};
use crate::context::{App, Cx, Topic};
use crate::kernel::ids::ChannelId;
use crate::kernel::{Code, Error, Result};
use crate::operation::{
    self, Door, Entry, Meta, Mode, Operation, Output, Registry, Trait, Verb, dispatch, metrics,
};

/// Where the paths of the tables begin.
pub const BASE: &str = "/v1";

/// The REST door.
pub struct Rest;

/// The path of the operation that answered a request.
pub struct Route(&'static str);

impl Route {
    /// The pattern of the path.
    pub fn path(&self) -> String {
        format!("{BASE}{}", self.0)
    }
}

type Pending = Pin<Box<dyn Future<Output = Result<Reply>>>>;
type Handler = fn(Cx, Parts) -> Pending;

impl Door for Rest {
    type Handler = Handler;

    fn open<O: Operation>() -> Self::Handler {
        |cx, parts| Box::pin(call::<O>(cx, parts))
    }
}

/// What a request brings along.
pub struct Parts {
    path: PathFields,
    query: String,
    body: web::Bytes,
    version: Option<i64>,
}

/// What an operation answers, as bytes.
pub struct Reply {
    body: Vec<u8>,
    version: Option<i64>,
    next: Option<String>,
    replayed: bool,
}

async fn call<O: Operation>(cx: Cx, parts: Parts) -> Result<Reply> {
    let operation: O = match O::META.mode {
        Mode::Query => input::from_query(O::META.name, &parts.path, &parts.query)?,
        _ if !parts.query.is_empty() => {
            return Err(Error::new(
                Code::InvalidInput,
                "This operation takes no query string; its input is the body.",
            ));
        }
        _ => input::from_body(&parts.path, parts.version, &parts.body)?,
    };
    let answer = dispatch(&cx, operation).await?;
    let mut body = Vec::with_capacity(1024);
    answer.value.write_json(&mut body)?;
    Ok(Reply {
        body,
        version: answer.value.version(),
        next: answer.value.cursor().map(ToOwned::to_owned),
        replayed: answer.replayed,
    })
}

/// Routes every operation; the paths of one resource share it, so that a wrong method is 405 and names the right ones.
pub fn configure(config: &mut web::ServiceConfig, registry: Registry<Rest>) {
    let mut resources: Vec<(&'static str, Vec<Entry<_>>)> = Vec::new();
    for entry in registry.entries {
        match resources
            .iter_mut()
            .find(|(path, _)| *path == entry.meta.path)
        {
            Some((_, entries)) => entries.push(entry),
            None => resources.push((entry.meta.path, vec![entry])),
        }
    }
    // actix takes the first resource that matches: the literal before the parameter.
    resources.sort_by_key(|(path, _)| path.matches('{').count());
    // A scope for each first segment: comparing that is much cheaper than trying the patterns of all resources.
    let mut scopes: Vec<(&str, actix_web::Scope)> = Vec::new();
    for (path, entries) in resources {
        let first = path.split('/').nth(1).unwrap_or_default();
        let index = scopes.iter().position(|(segment, _)| *segment == first);
        let (_, scope) = index.map_or_else(
            || (first, web::scope(&format!("{BASE}/{first}"))),
            |index| scopes.swap_remove(index),
        );
        let rest = path.get(1 + first.len()..).unwrap_or_default();
        scopes.push((first, scope.service(resource(rest, entries))));
    }
    for (_, scope) in scopes {
        config.service(scope);
    }
}

/// The operations of one path; a wrong method is 405.
fn resource(path: &str, entries: Vec<Entry<Handler>>) -> actix_web::Resource {
    let allowed: Vec<&str> = entries
        .iter()
        .map(|e| match e.meta.verb {
            Verb::GET => "GET, HEAD",
            verb => verb.as_str(),
        })
        .collect();
    let allowed = allowed.join(", ");
    let mut resource = web::resource(path);
    for entry in entries {
        let (meta, handler) = (entry.meta, entry.handler);
        resource = resource.route(web::method(method(meta.verb)).to(
            move |app: web::Data<App>,
                  cache: web::Data<Cache>,
                  request: HttpRequest,
                  payload: web::Payload| {
                serve(app, cache, request, payload, meta, handler)
            },
        ));
    }
    resource.default_service(web::to(move |request: HttpRequest| {
        let error = Error::new(
            Code::MethodNotAllowed,
            format!("This path takes {allowed}."),
        );
        let mut answer = answer::problem(&error, request::request_id(request.headers()));
        if let Ok(value) = HeaderValue::from_str(&allowed) {
            answer.headers_mut().insert(header::ALLOW, value);
        }
        async move { answer }
    }))
}

fn method(verb: Verb) -> Method {
    match verb {
        Verb::GET => Method::GET,
        Verb::POST => Method::POST,
        Verb::PUT => Method::PUT,
        Verb::PATCH => Method::PATCH,
        Verb::DELETE => Method::DELETE,
    }
}

async fn serve(
    app: web::Data<App>,
    cache: web::Data<Cache>,
    request: HttpRequest,
    payload: web::Payload,
    meta: Meta,
    handler: Handler,
) -> HttpResponse {
    let id = request::request_id(request.headers());
    request.extensions_mut().insert(Route(meta.path));
    let cx = match request::context(&app, &request, id).await {
        Ok(cx) => cx,
        Err(error) => return answer::problem(&error, id),
    };
    let kept_for = cx.actor.channel().filter(|_| meta.is(Trait::Cached));
    let done = match kept_for {
        Some(channel) => published(&cx, &cache, channel, &request, &meta, handler).await,
        None => private(&cx, &request, payload, &meta, handler).await,
    };
    let mut answer = done.unwrap_or_else(|error| {
        operation::report(&cx, &error);
        answer::problem(&error, id)
    });
    if let Ok(value) = HeaderValue::from_str(&id.hyphenated().to_string()) {
        answer
            .headers_mut()
            .insert(header::HeaderName::from_static("x-request-id"), value);
    }
    answer
}

/// Answers a shop front from memory, or makes the answer and keeps it.
async fn published(
    cx: &Cx,
    cache: &Cache,
    channel: ChannelId,
    request: &HttpRequest,
    meta: &Meta,
    handler: Handler,
) -> Result<HttpResponse> {
    let line = request
        .uri()
        .path_and_query()
        .map_or("", |line| line.as_str());
    if cx.app.versions.get(Topic::Catalog) == 0 {
        cx.app.refresh_versions().await?;
    }
    let version = cx.app.versions.get(Topic::Catalog);
    let known = cache.get(channel, line, version);
    metrics::cached_read(known.is_some());
    let kept = if let Some(kept) = known {
        kept
    } else {
        let reply = handler(cx.clone(), parts(request, meta, web::Bytes::new())?).await?;
        let kept = Kept {
            etag: etag(&reply),
            link: reply.next.as_ref().map(|next| link(request, next)),
            body: reply.body.into(),
            version,
        };
        cache.put(channel, line, kept.clone());
        kept
    };
    let mut answer = HttpResponse::build(StatusCode::OK);
    answer
        .insert_header((header::ETAG, kept.etag.as_str()))
        .insert_header((header::CACHE_CONTROL, "public, no-cache"))
        .insert_header((header::VARY, "Authorization"));
    if let Some(link) = &kept.link {
        answer.insert_header((header::LINK, link.as_str()));
    }
    if matches_etag(request.headers(), &kept.etag) {
        return Ok(answer.status(StatusCode::NOT_MODIFIED).finish());
    }
    Ok(answer.content_type("application/json").body(kept.body))
}

async fn private(
    cx: &Cx,
    request: &HttpRequest,
    payload: web::Payload,
    meta: &Meta,
    handler: Handler,
) -> Result<HttpResponse> {
    // Who may not come in need not send a body.
    meta.access.check(&cx.actor)?;
    let body = request::body(payload).await?;
    if !body.is_empty() && !request::is_json(request) {
        let detail = "Send the body as Content-Type: application/json.";
        return Err(Error::new(Code::UnsupportedMediaType, detail));
    }
    let reply = handler(cx.clone(), parts(request, meta, body)?).await?;
    let status = if meta.is(Trait::Created) {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut answer = HttpResponse::build(status);
    answer.insert_header(answer::no_store());
    if let Some(next) = &reply.next {
        answer.insert_header((header::LINK, link(request, next)));
    }
    if reply.replayed {
        answer.insert_header(("idempotent-replayed", "true"));
    }
    if reply.version.is_some() {
        let etag = etag(&reply);
        answer.insert_header((header::ETAG, etag.as_str()));
        if meta.mode == Mode::Query && matches_etag(request.headers(), &etag) {
            return Ok(answer.status(StatusCode::NOT_MODIFIED).finish());
        }
    }
    Ok(answer.content_type("application/json").body(reply.body))
}

fn parts(request: &HttpRequest, meta: &Meta, body: web::Bytes) -> Result<Parts> {
    let path = meta
        .path_fields()
        .map(|name| {
            (
                name,
                request
                    .match_info()
                    .get(name)
                    .unwrap_or_default()
                    .to_owned(),
            )
        })
        .collect();
    Ok(Parts {
        path,
        query: request.query_string().to_owned(),
        body,
        version: if_match(request.headers(), meta)?,
    })
}

/// The version that the object must have. `*` asks for nothing that a found object does not fulfil.
fn if_match(headers: &HeaderMap, meta: &Meta) -> Result<Option<i64>> {
    let Some(value) = headers
        .get(header::IF_MATCH)
        .filter(|_| meta.mode != Mode::Query)
    else {
        return Ok(None);
    };
    if value == "*" {
        return Ok(None);
    }
    let version = value.to_str().ok().and_then(|v| {
        let tag = v
            .trim()
            .strip_prefix('"')?
            .strip_suffix('"')
            .filter(|tag| !tag.contains('"'))?;
        tag.split('-').next()?.parse().ok()
    });
    version.map(Some).ok_or_else(|| {
        Error::new(
            Code::InvalidInput,
            "If-Match must be an ETag that this server gave for the object.",
        )
    })
}

/// A strong validator: the version, where there is one, for `If-Match`; and a hash of the bytes, the same in every process.
fn etag(reply: &Reply) -> String {
    let version = reply.version.unwrap_or_default();
    format!("\"{version}-{:032x}\"", XxHash3_128::oneshot(&reply.body))
}

fn matches_etag(headers: &HeaderMap, etag: &str) -> bool {
    let Some(value) = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|v| v.to_str().ok())
    else {
        return false;
    };
    value
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || compress::plain(one.trim_start_matches("W/")) == etag)
}

/// The next page of this list (RFC 8288).
fn link(request: &HttpRequest, next: &str) -> String {
    let rest: Vec<&str> = request
        .query_string()
        .split('&')
        .filter(|p| !p.is_empty() && !p.starts_with("after="))
        .collect();
    let separator = if rest.is_empty() { "" } else { "&" };
    format!(
        "<{}?{}{separator}after={next}>; rel=\"next\"",
        request.path(),
        rest.join("&")
    )
}
