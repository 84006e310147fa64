//! The OpenAPI document, made of the tables of operations.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::bounds;
use super::rest::BASE;
use crate::kernel::{Code, FieldError};
use crate::operation::{Door, Entry, Meta, Mode, Registry, Trait};

/// What the operations of a tag are about, by the first part of their paths.
const TAGS: &[(&str, &str)] = &[
    ("addresses", "Whether a parcel would arrive."),
    (
        "api-keys",
        "The keys of the shop's own programs and shop fronts.",
    ),
    ("carts", "Carts, their checkout and the order made of it."),
    ("categories", "The tree that products stand in."),
    (
        "channels",
        "Where the shop sells: currencies, countries, rules.",
    ),
    ("coupons", "Codes that take something off."),
    (
        "credit-accounts",
        "What came to a gift card or to store credit, and what left it.",
    ),
    ("credit-terms", "Who may pay later."),
    ("gift-cards", "Money in a code."),
    ("ledger", "Where the money is."),
    ("locations", "Where stock lies."),
    ("orders", "What was bought, and what became of it."),
    ("overdue-invoices", "What should have been paid."),
    ("payment-links", "Links by which an order is paid."),
    ("payments", "Money taken, called off and given back."),
    (
        "prices",
        "What a variant costs in a channel and a currency.",
    ),
    ("products", "What the shop sells."),
    ("risk-blocks", "Whom the shop does not sell to."),
    ("risk-reviews", "Orders that wait for somebody's decision."),
    (
        "saved-payment-methods",
        "Payment methods that a provider keeps for a customer.",
    ),
    ("shipping-methods", "Ways of delivery and what they cost."),
    ("shipping-zones", "Where is delivered to alike."),
    ("stock", "Changing stock."),
    (
        "stock-levels",
        "How many units there are, and how many are promised.",
    ),
    ("stock-movements", "What happened to stock."),
    ("store-credit", "What the shop owes to a customer."),
    ("tax-classes", "What is taxed alike."),
    ("tax-zones", "Where is taxed alike."),
    ("variants", "What a product comes in: sizes, colours."),
];

/// The document of these operations.
pub fn document<D: Door>(registry: &Registry<D>) -> Value {
    let mut schemas = Map::new();
    let mut paths: Map<String, Value> = Map::new();
    let (mut tags, mut named) = (BTreeSet::new(), BTreeSet::new());
    for entry in &registry.entries {
        let mut found = Vec::new();
        (entry.schemas)(&mut found);
        found.push(((entry.output_name)(), (entry.output)()));
        for (name, schema) in found {
            schemas.insert(name, plain(schema));
        }
        let path = paths
            .entry(format!("{BASE}{}", entry.meta.path))
            .or_insert_with(|| json!({}));
        path[entry.meta.verb.as_str().to_ascii_lowercase()] = operation(entry);
        tags.insert(tag(&entry.meta));
        named.extend(refusals(&entry.meta));
    }
    let tags: Vec<Value> = tags
        .into_iter()
        .map(|tag| {
            let about = TAGS.iter().find(|(name, _)| *name == tag);
            json!({ "name": tag, "description": about.map(|(_, about)| about) })
        })
        .collect();
    loosen_addresses(&mut paths, &mut schemas);
    limit_inputs(&paths, &mut schemas);
    schemas.insert("Problem".into(), problem());
    schemas.insert(
        "FieldError".into(),
        json!(<FieldError as utoipa::PartialSchema>::schema()),
    );
    schemas.remove("Minor");
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
        "servers": [{ "url": "/", "description": "The server that has this document, in production or in a test.", "x-internal": false }],
        "security": [{ "apiKey": [] }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "apiKey": { "type": "http", "scheme": "bearer", "description": "An API key, `mrc_pk_…` or `mrc_sk_…`." }
            },
            "responses": responses(&named),
        }
    })
}

/// An address that is to be judged may be wrong: it has a schema of its own, with fewer bounds.
fn loosen_addresses(paths: &mut Map<String, Value>, schemas: &mut Map<String, Value>) {
    fn rename(value: &mut Value) {
        match value {
            Value::String(text) if text == "#/components/schemas/Address" => {
                "#/components/schemas/AnyAddress".clone_into(text);
            }
            Value::Array(items) => items.iter_mut().for_each(rename),
            Value::Object(fields) => fields.values_mut().for_each(rename),
            _ => {}
        }
    }
    let address = schemas.get("Address").cloned().unwrap_or_default();
    schemas.insert("AnyAddress".into(), address);
    for judged in [
        paths.get_mut(&format!("{BASE}/addresses/validate")),
        schemas.get_mut("ValidatedAddress"),
    ] {
        judged.into_iter().for_each(rename);
    }
}

/// Says in the schemas that inputs refer to what their fields may hold.
fn limit_inputs(paths: &Map<String, Value>, schemas: &mut Map<String, Value>) {
    fn collect(value: &Value, schemas: &Map<String, Value>, found: &mut BTreeSet<String>) {
        if let Some(name) = value["$ref"].as_str().and_then(|to| to.rsplit('/').next())
            && schemas.contains_key(name)
            && found.insert(name.to_owned())
        {
            collect(&schemas[name], schemas, found);
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| collect(item, schemas, found)),
            Value::Object(fields) => fields.values().for_each(|f| collect(f, schemas, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    for operation in paths
        .values()
        .filter_map(Value::as_object)
        .flat_map(Map::values)
    {
        collect(&operation["parameters"], schemas, &mut found);
        collect(&operation["requestBody"], schemas, &mut found);
    }
    for name in found {
        if let Some(schema) = schemas.get_mut(&name) {
            bounds::limit(&name, "", schema);
        }
    }
}

/// A schema with the one of amounts written where it is referred to: it is a plain number, and each field has its own bounds.
fn plain(schema: impl Serialize) -> Value {
    fn inline(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(inline),
            Value::Object(fields) => {
                let is_amount =
                    |to: Option<&Value>| to.is_some_and(|to| to == "#/components/schemas/Minor");
                let nullable = fields
                    .get("oneOf")
                    .and_then(Value::as_array)
                    .and_then(|all| all.iter().find(|one| is_amount(one.get("$ref"))))
                    .cloned();
                if nullable.is_some() || is_amount(fields.get("$ref")) {
                    fields.retain(|key, _| key == "description");
                    let kind = nullable
                        .as_ref()
                        .map_or(json!("integer"), |_| json!(["integer", "null"]));
                    fields.insert("type".into(), kind);
                    fields.insert("format".into(), json!("int64"));
                    if let Some(about) = nullable.and_then(|one| one.get("description").cloned()) {
                        fields.insert("description".into(), about);
                    }
                }
                fields.values_mut().for_each(inline);
            }
            _ => {}
        }
    }
    let mut schema = json!(schema);
    inline(&mut schema);
    schema
}

fn tag(meta: &Meta) -> &'static str {
    meta.path.split('/').nth(1).unwrap_or_default()
}

fn operation<H>(entry: &Entry<H>) -> Value {
    let meta = &entry.meta;
    let mut input = plain((entry.input)());
    bounds::limit(meta.name, "", &mut input);
    let parameter = |name: &str, place: &str, required: bool, schema: Value| {
        json!({
            "name": name, "in": place, "required": required, "schema": schema,
            "description": bounds::meaning(meta.name, name),
        })
    };
    let mut parameters: Vec<Value> = Vec::new();
    for name in meta.path_fields() {
        let schema = take_property(&mut input, name);
        parameters.push(parameter(name, "path", true, schema));
    }
    let mut body = None;
    if meta.mode == Mode::Query {
        let required = input["required"].as_array().cloned().unwrap_or_default();
        let properties = input["properties"].as_object().cloned().unwrap_or_default();
        for (name, schema) in properties {
            let is_required = required.iter().any(|r| r == &name);
            parameters.push(parameter(&name, "query", is_required, without_null(schema)));
        }
    } else {
        if !take_property(&mut input, "expectedVersion").is_null() {
            parameters.push(json!({
                "name": "If-Match", "in": "header", "required": false,
                "schema": { "type": "string", "maxLength": 60, "pattern": r#"^(\*|"[0-9]{1,18}(-[0-9a-f]{32}(-gzip)?)?")$"# },
                "description": "The ETag the object must still have; otherwise 412.",
            }));
        }
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": meta.is(Trait::Keyed),
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
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
            "name": "X-Cart-Token", "in": "header", "required": false,
            "schema": { "type": "string", "maxLength": 200 },
            "description": "The token that createCart gave; proves to a publishable key that the cart is the shopper's.",
        }));
    }
    let status = if meta.is(Trait::Created) {
        "201"
    } else {
        "200"
    };
    let output = format!("#/components/schemas/{}", (entry.output_name)());
    let mut responses = Map::new();
    responses.insert(
        status.into(),
        json!({ "description": "Done.", "content": { "application/json": { "schema": { "$ref": output } } } }),
    );
    for status in refusals(meta) {
        let response = format!("#/components/responses/{status}");
        responses.insert(status.to_string(), json!({ "$ref": response }));
    }
    responses.insert(
        "default".into(),
        json!({ "$ref": "#/components/responses/Problem" }),
    );
    let summary = meta
        .doc
        .split(['.', '\n'])
        .next()
        .unwrap_or_default()
        .trim();
    let mut operation = json!({
        "operationId": meta.operation_id(),
        "tags": [tag(meta)],
        "summary": summary,
        "description": format!("{}\n\nNeeds {}.", meta.doc.trim(), meta.access),
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = body {
        operation["requestBody"] = body;
    }
    operation
}

/// The statuses that an operation may refuse with. Any other is an error too: `default`.
fn refusals(meta: &Meta) -> Vec<u16> {
    let mut statuses = vec![400, 401, 403, 404];
    if meta.mode == Mode::Flow {
        statuses.push(402);
    }
    if meta.mode != Mode::Query {
        statuses.extend([408, 409, 412, 413, 415]);
    }
    statuses.extend([422, 429, 500, 503]);
    statuses
}

/// An answer for every status that an operation names, with the codes that have it.
fn responses(named: &BTreeSet<u16>) -> Map<String, Value> {
    let content = json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    let mut responses = Map::new();
    for status in named {
        let codes = Code::ALL.iter().filter(|code| code.status() == *status);
        let lines: Vec<String> = codes
            .map(|code| format!("- `{}`: {}", code.as_str(), code.title()))
            .collect();
        let mut response = json!({ "description": lines.join("\n"), "content": content });
        if [429, 503].contains(status) {
            response["headers"] = json!({ "Retry-After": {
                "description": "Seconds after which to try again.",
                "schema": { "type": "integer", "format": "int32", "minimum": 0 },
            } });
        }
        responses.insert(status.to_string(), response);
    }
    responses.insert(
        "Problem".into(),
        json!({ "description": "A refusal or a failure (RFC 9457).", "content": content }),
    );
    responses
}

/// A parameter is left out rather than null.
fn without_null(mut schema: Value) -> Value {
    if let Some([one, null]) = schema["oneOf"].as_array().map(Vec::as_slice)
        && null["type"] == "null"
    {
        return one.clone();
    }
    if let Some([kind, null]) = schema["type"].as_array().map(Vec::as_slice)
        && null == "null"
    {
        schema["type"] = kind.clone();
    }
    schema
}

fn take_property(schema: &mut Value, name: &str) -> Value {
    let property = schema
        .get_mut("properties")
        .and_then(Value::as_object_mut)
        .and_then(|p| p.remove(name))
        .unwrap_or_default();
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
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
    let about = "What happened, for a program. More codes may come: treat one that you do not know as its status says.";
    json!({
        "type": "object",
        "description": "A refusal or a failure (RFC 9457). A client branches on `code`.",
        "required": ["type", "title", "status", "detail", "instance", "code", "requestId"],
        "properties": {
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string" },
            "status": { "type": "integer", "format": "int32", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string" },
            "instance": { "type": "string", "format": "uri" },
            "code": {
                "type": "string", "x-extensible-enum": codes,
                "description": format!("{about}\n{}", catalogue.join("\n")),
            },
            "errors": { "type": "array", "items": { "$ref": "#/components/schemas/FieldError" } },
            "requestId": { "type": "string", "format": "uuid" },
        }
    })
}
