//! The OpenAPI document, made of the tables of operations.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::rest::BASE;
use crate::kernel::{Code, FieldError};
use crate::operation::{Door, Entry, Mode, Registry, Trait};

/// The document of these operations.
pub fn document<D: Door>(registry: &Registry<D>) -> Value {
    let mut schemas = Map::new();
    let mut paths: Map<String, Value> = Map::new();
    for entry in &registry.entries {
        let mut found = Vec::new();
        (entry.schemas)(&mut found);
        found.push(((entry.output_name)(), (entry.output)()));
        for (name, schema) in found {
            schemas.insert(name, json!(schema));
        }
        let path = paths
            .entry(format!("{BASE}{}", entry.meta.path))
            .or_insert_with(|| json!({}));
        path[entry.meta.verb.as_str().to_ascii_lowercase()] = operation(entry);
    }
    schemas.insert("Problem".into(), problem());
    schemas.insert(
        "FieldError".into(),
        json!(<FieldError as utoipa::PartialSchema>::schema()),
    );
    let mut nested = Vec::new();
    <FieldError as ToSchema>::schemas(&mut nested);
    schemas.sort_keys();
    paths.sort_keys();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Mercer",
            "version": env!("CARGO_PKG_VERSION"),
            "description": include_str!("openapi.md"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "apiKey": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "apiKey": { "type": "http", "scheme": "bearer", "description": "An API key, `mrc_pk_…` or `mrc_sk_…`." }
            },
            "responses": {
                "Problem": {
                    "description": "A refusal or a failure (RFC 9457).",
                    "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } }
                }
            }
        }
    })
}

fn operation<H>(entry: &Entry<H>) -> Value {
    let meta = &entry.meta;
    let mut input = json!((entry.input)());
    let path_fields: Vec<String> = meta.path_fields().map(ToOwned::to_owned).collect();
    let mut parameters: Vec<Value> = Vec::new();
    for name in &path_fields {
        let schema = take_property(&mut input, name);
        parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
    }
    let mut body = None;
    if meta.mode == Mode::Query {
        let required = input["required"].as_array().cloned().unwrap_or_default();
        let properties = input["properties"].as_object().cloned().unwrap_or_default();
        for (name, schema) in properties {
            let is_required = required.iter().any(|r| r == &name);
            parameters.push(
                json!({ "name": name, "in": "query", "required": is_required, "schema": schema }),
            );
        }
    } else {
        if !take_property(&mut input, "expectedVersion").is_null() {
            parameters.push(json!({
                "name": "If-Match", "in": "header", "required": false, "schema": { "type": "string" },
                "description": "The ETag the object must still have; otherwise 412.",
            }));
        }
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": meta.is(Trait::Keyed),
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
            "description": "The same key with the same request has one effect and repeats its answer for 7 days.",
        }));
        if input["properties"]
            .as_object()
            .is_some_and(|p| !p.is_empty())
        {
            let required = input["required"].as_array().is_some_and(|r| !r.is_empty());
            input["additionalProperties"] = json!(false);
            body = Some(
                json!({ "required": required, "content": { "application/json": { "schema": input } } }),
            );
        }
    }
    if meta.access.admits_storefront()
        && ["/carts", "/orders"]
            .iter()
            .any(|p| meta.path.starts_with(p))
    {
        parameters.push(json!({
            "name": "X-Cart-Token", "in": "header", "required": false, "schema": { "type": "string" },
            "description": "The token that createCart gave; proves to a publishable key that the cart is the shopper's.",
        }));
    }
    let status = if meta.is(Trait::Created) {
        "201"
    } else {
        "200"
    };
    let output = format!("#/components/schemas/{}", (entry.output_name)());
    let summary = meta
        .doc
        .split(['.', '\n'])
        .next()
        .unwrap_or_default()
        .trim();
    let mut operation = json!({
        "operationId": meta.operation_id(),
        "tags": [meta.path.split('/').nth(1).unwrap_or_default()],
        "summary": summary,
        "description": format!("{}\n\nNeeds {}.", meta.doc.trim(), meta.access),
        "parameters": parameters,
        "responses": {
            status: { "description": "Done.", "content": { "application/json": { "schema": { "$ref": output } } } },
            "default": { "$ref": "#/components/responses/Problem" },
        },
    });
    if let Some(body) = body {
        operation["requestBody"] = body;
    }
    operation
}

fn take_property(schema: &mut Value, name: &str) -> Value {
    let property = schema["properties"]
        .as_object_mut()
        .and_then(|p| p.remove(name))
        .unwrap_or_default();
    if let Some(required) = schema["required"].as_array_mut() {
        required.retain(|r| r != name);
    }
    property
}

fn problem() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let catalogue: Vec<String> = Code::ALL
        .iter()
        .map(|c| format!("- `{}` ({}): {}", c.as_str(), c.status(), c.title()))
        .collect();
    json!({
        "type": "object",
        "description": "A refusal or a failure (RFC 9457). A client branches on `code`.",
        "required": ["type", "title", "status", "detail", "instance", "code", "requestId"],
        "properties": {
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "instance": { "type": "string", "format": "uri" },
            "code": { "type": "string", "enum": codes, "description": catalogue.join("\n") },
            "errors": { "type": "array", "items": { "$ref": "#/components/schemas/FieldError" } },
            "requestId": { "type": "string", "format": "uuid" },
        }
    })
}
