//! The operations as both documents describe them, and how to call any of them with what the documents say alone.

use std::collections::{BTreeMap, BTreeSet};

use mercer::api::{graphql, openapi};
use mercer::operation::{List, Meta, Mode};
use serde_json::{Map, Value, json};

use super::client::{Answer, Client};
use super::sdl::{Kind, Sdl, Ty};

/// An input, by the names of its fields in REST.
pub type Input = Map<String, Value>;

/// The table of operations, and the two documents made of it.
pub struct Contract {
    pub operations: Vec<Meta>,
    pub openapi: Value,
    pub sdl_text: String,
    pub sdl: Sdl,
}

/// How a field of GraphQL is called in REST.
pub fn rest_name(graphql: &str) -> &str {
    if graphql == "first" { "limit" } else { graphql }
}

impl Contract {
    /// Reads them from the binary.
    pub fn load() -> Self {
        let registry = mercer::app::registry::<List>();
        let sdl_text = graphql::sdl();
        Self {
            openapi: openapi::document(&registry),
            operations: registry.entries.iter().map(|entry| entry.meta).collect(),
            sdl: Sdl::parse(&sdl_text),
            sdl_text,
        }
    }

    /// The operation's entry in the OpenAPI document.
    pub fn entry(&self, meta: &Meta) -> &Value {
        let path = format!("/v1{}", meta.path);
        &self.openapi["paths"][path][meta.verb.as_str().to_ascii_lowercase()]
    }

    /// The operation's field in the GraphQL schema.
    pub fn field(&self, meta: &Meta) -> &super::sdl::Field {
        let root = if meta.mode == Mode::Query {
            "Query"
        } else {
            "Mutation"
        };
        let name = meta.graphql_field();
        self.sdl
            .object(root)
            .and_then(|fields| fields.get(&name))
            .unwrap_or_else(|| panic!("{root}.{name} is missing"))
    }

    /// The schema behind a `$ref`; nullable ones without their null.
    pub fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.trim_start_matches("#/components/schemas/");
            return self.resolve(&self.openapi["components"]["schemas"][name]);
        }
        match schema["oneOf"].as_array().map(Vec::as_slice) {
            Some([one, null] | [null, one]) if null["type"] == "null" => self.resolve(one),
            _ => schema,
        }
    }

    /// Every field of the operation's input in REST, with its schema and whether it is required. `If-Match` is
    /// `expectedVersion`.
    pub fn rest_input<'a>(&'a self, meta: &Meta) -> BTreeMap<String, (&'a Value, bool)> {
        let entry = self.entry(meta);
        let mut fields = BTreeMap::new();
        for parameter in entry["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let required = parameter["required"] == true;
            match parameter["in"].as_str().unwrap() {
                "path" | "query" => {
                    fields.insert(name.to_owned(), (&parameter["schema"], required))
                }
                "header" if name == "If-Match" => {
                    fields.insert("expectedVersion".to_owned(), (&parameter["schema"], false))
                }
                _ => None,
            };
        }
        let body = &entry["requestBody"]["content"]["application/json"]["schema"];
        for (name, schema) in body["properties"].as_object().into_iter().flatten() {
            let required = requires(body, name);
            assert!(
                fields.insert(name.clone(), (schema, required)).is_none(),
                "{name} stands in two places"
            );
        }
        fields
    }

    /// The schema of what the operation answers.
    pub fn rest_output(&self, meta: &Meta) -> &Value {
        let responses = self.entry(meta)["responses"].as_object().unwrap();
        let (_, done) = responses
            .iter()
            .find(|(status, _)| status.starts_with('2'))
            .unwrap();
        self.resolve(&done["content"]["application/json"]["schema"])
    }

    /// The least input that can be read: what is required, made up. Ids are taken from `known` where there is one of the
    /// kind.
    pub fn least_input(&self, meta: &Meta, known: &Ids) -> Input {
        let fields = self
            .rest_input(meta)
            .into_iter()
            .filter(|(_, (_, required))| *required);
        fields
            .map(|(name, (schema, _))| (name.clone(), self.make_up(&name, schema, known, 0)))
            .collect()
    }

    /// An input with every field, the optional ones too.
    pub fn full_input(&self, meta: &Meta, known: &Ids) -> Input {
        let fields = self
            .rest_input(meta)
            .into_iter()
            .filter(|(name, _)| name != "expectedVersion");
        fields
            .map(|(name, (schema, _))| (name.clone(), self.make_up(&name, schema, known, 4)))
            .collect()
    }

    /// Where the operation's input has whole numbers: the names that lead to each, `0` where an array is on the way.
    pub fn integers(&self, meta: &Meta) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        for (name, (schema, _)) in self.rest_input(meta) {
            self.find_integers(schema, &mut vec![name], &mut found);
        }
        found
    }

    fn find_integers(&self, schema: &Value, way: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
        let schema = self.resolve(schema);
        let is = |kind: &str| {
            let types = schema["type"].as_array().into_iter().flatten();
            schema["type"] == kind || types.into_iter().any(|one| one == kind)
        };
        if is("integer") {
            found.push(way.clone());
        }
        let mut into = |name: &str, schema: &Value| {
            way.push(name.to_owned());
            self.find_integers(schema, way, found);
            way.pop();
        };
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            into(name, schema);
        }
        if is("array") {
            into("0", &schema["items"]);
        }
    }

    /// The least input that has this number at one of the places that [`Contract::integers`] tells.
    pub fn input_with(&self, meta: &Meta, known: &Ids, way: &[String], number: &Value) -> Input {
        let mut input = self.least_input(meta, known);
        let (schema, _) = self.rest_input(meta)[&way[0]];
        let mut value = input.remove(&way[0]).unwrap_or(Value::Null);
        self.put(&mut value, schema, known, way, number);
        input.insert(way[0].clone(), value);
        input
    }

    /// Puts a number into what is at the first name of `way`, made up as far as it is not there.
    fn put(&self, value: &mut Value, schema: &Value, known: &Ids, way: &[String], number: &Value) {
        let schema = self.resolve(schema);
        let Some(next) = way.get(1) else {
            *value = number.clone();
            return;
        };
        if value.is_null() || value == &json!([]) {
            *value = self.make_up(&way[0], schema, known, 0);
        }
        match value {
            Value::Array(items) => {
                self.put(&mut items[0], &schema["items"], known, &way[1..], number);
            }
            Value::Object(fields) => {
                let field = fields.entry(next.clone()).or_insert(Value::Null);
                self.put(field, &schema["properties"][next], known, &way[1..], number);
            }
            other => panic!("{way:?} leads into {other}"),
        }
    }

    /// A value for a schema. Down to `optional` levels the fields of objects that need not be there are there too.
    fn make_up(&self, name: &str, schema: &Value, known: &Ids, optional: usize) -> Value {
        let schema = self.resolve(schema);
        if let Some(id) = schema["pattern"]
            .as_str()
            .and_then(|pattern| known.like(pattern))
        {
            return json!(id);
        }
        let given = [
            &schema["default"],
            &schema["example"],
            &schema["examples"][0],
            &schema["enum"][0],
        ];
        if let Some(given) = given.into_iter().find(|value| !value.is_null()) {
            return given.clone();
        }
        if let Some(first) = ["oneOf", "anyOf", "allOf"]
            .iter()
            .find_map(|key| schema[key].get(0))
        {
            return self.make_up(name, first, known, optional);
        }
        let kind = schema["type"]
            .as_str()
            .or_else(|| schema["type"][0].as_str())
            .unwrap_or("object");
        match kind {
            "string" if known.texts.contains_key(name) => json!(known.texts[name]),
            "string" if schema["format"] == "date-time" => json!("2026-03-01T09:30:00Z"),
            // What has a form that its schema does not tell.
            "string" if name.to_ascii_lowercase().contains("countr") => json!("DE"),
            "string" if name.to_ascii_lowercase().contains("email") => json!("anna@example.com"),
            "string" => json!("made-up"),
            "integer" => json!(schema["minimum"].as_i64().unwrap_or(1)),
            "boolean" => json!(false),
            "array" => json!([self.make_up(name, &schema["items"], known, optional)]),
            "object" => {
                let properties = schema["properties"].as_object().into_iter().flatten();
                let wanted = properties.filter(|(name, _)| optional > 0 || requires(schema, name));
                let field = |(name, schema): (&String, &Value)| {
                    (
                        name.clone(),
                        self.make_up(name, schema, known, optional.saturating_sub(1)),
                    )
                };
                wanted.map(field).collect::<Input>().into()
            }
            other => panic!("cannot make up {other}: {schema}"),
        }
    }

    /// The operation with this `operationId`.
    pub fn operation(&self, id: &str) -> &Meta {
        let found = self
            .operations
            .iter()
            .find(|meta| meta.operation_id() == id);
        found.unwrap_or_else(|| panic!("no operation {id}"))
    }

    /// Calls the operation in REST, with a fresh idempotency key where it is a mutation.
    pub fn rest(client: &Client, meta: &Meta, input: &Input) -> Answer {
        match meta.mode {
            Mode::Query => Self::rest_as(client, meta, input),
            _ => Self::rest_as(&client.once(), meta, input),
        }
    }

    /// Calls the operation in REST with the client's own headers.
    pub fn rest_as(client: &Client, meta: &Meta, input: &Input) -> Answer {
        let mut input = input.clone();
        let mut path = meta.path.to_owned();
        for name in meta.path_fields() {
            let value = input
                .remove(name)
                .unwrap_or_else(|| panic!("{}: {name} has no value", meta.name));
            path = path.replace(&format!("{{{name}}}"), &encode(value.as_str().unwrap()));
        }
        if meta.mode == Mode::Query {
            let pairs: Vec<String> = input
                .iter()
                .flat_map(|(name, value)| pairs(name, value))
                .collect();
            return client.get(&format!("{path}?{}", pairs.join("&")));
        }
        let mut client = client.clone();
        if let Some(version) = input.remove("expectedVersion") {
            client = client.if_match(&format!("\"{version}\""));
        }
        client.json(meta.verb.as_str(), &path, &Value::Object(input))
    }

    /// Calls the operation in GraphQL, asking for `selection` (`{ id }`, or nothing where the answer is a scalar); with a
    /// fresh idempotency key where it is a mutation.
    pub fn graphql(&self, client: &Client, meta: &Meta, input: &Input, selection: &str) -> Answer {
        match meta.mode {
            Mode::Query => self.graphql_as(client, meta, input, selection),
            _ => self.graphql_as(&client.once(), meta, input, selection),
        }
    }

    /// The same with the client's own headers.
    pub fn graphql_as(
        &self,
        client: &Client,
        meta: &Meta,
        input: &Input,
        selection: &str,
    ) -> Answer {
        let name = meta.graphql_field();
        if meta.mode != Mode::Query {
            let ty = &self.field(meta).args["input"].text;
            let query = format!("mutation($input: {ty}) {{ {name}(input: $input) {selection} }}");
            return client.graphql(&query, json!({ "input": input }));
        }
        let args: Vec<(&String, &Ty)> = self
            .field(meta)
            .args
            .iter()
            .filter(|(arg, _)| input.contains_key(rest_name(arg)))
            .collect();
        assert_eq!(
            args.len(),
            input.len(),
            "{}: an argument is missing in GraphQL",
            meta.name
        );
        let list = |item: fn(&(&String, &Ty)) -> String| {
            args.iter().map(item).collect::<Vec<_>>().join(", ")
        };
        let (declared, passed) = (
            list(|(arg, ty)| format!("${arg}: {}", ty.text)),
            list(|(arg, _)| format!("{arg}: ${arg}")),
        );
        let around = |text: String| {
            if text.is_empty() {
                text
            } else {
                format!("({text})")
            }
        };
        let query = format!(
            "query{} {{ {name}{} {selection} }}",
            around(declared),
            around(passed)
        );
        let variables: Input = args
            .iter()
            .map(|(arg, _)| ((*arg).clone(), input[rest_name(arg)].clone()))
            .collect();
        client.graphql(&query, variables)
    }

    /// The shortest selection that a type takes.
    pub fn typename(&self, ty: &Ty) -> &'static str {
        if self.sdl.is_leaf(&ty.base) {
            ""
        } else {
            "{ __typename }"
        }
    }

    /// Selects what REST answers with too: every scalar, and every object that the REST schema has. What GraphQL has alone
    /// must be an object, reached by a relation.
    pub fn selection(&self, graphql: &str, rest: &Value) -> String {
        self.select(graphql, rest, 8)
    }

    fn select(&self, graphql: &str, rest: &Value, depth: usize) -> String {
        let rest = self.items(rest);
        match &self.sdl.types[graphql] {
            Kind::Scalar | Kind::Enum => String::new(),
            Kind::Input(_) => panic!("{graphql} is an input"),
            Kind::Union(members) => {
                let one = |member: &String| {
                    let title = |s: &&Value| self.has_all_of(member, s);
                    let schema = rest["oneOf"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(|s| self.resolve(s))
                        .find(title);
                    format!(
                        "... on {member} {}",
                        self.select(member, schema.unwrap_or(rest), depth - 1)
                    )
                };
                format!(
                    "{{ {} }}",
                    members.iter().map(one).collect::<Vec<_>>().join(" ")
                )
            }
            Kind::Object(_) if depth == 0 => "{ __typename }".to_owned(),
            Kind::Object(fields) => {
                let mut selected = Vec::new();
                let mut missing: BTreeSet<&str> = rest["properties"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name.as_str())
                    .collect();
                for (name, field) in fields {
                    let leaf = self.sdl.is_leaf(&field.ty.base);
                    match rest["properties"].get(name) {
                        None if leaf && field.args.is_empty() => {
                            panic!("{graphql}.{name} is missing in REST: {rest}")
                        }
                        None => {}
                        Some(schema) => {
                            let inner = self.select(&field.ty.base, schema, depth - 1);
                            selected.push(format!("{name} {inner}"));
                        }
                    }
                    missing.remove(name.as_str());
                }
                assert!(
                    missing.is_empty(),
                    "{graphql} lacks what REST has: {missing:?}"
                );
                format!("{{ {} }}", selected.join(" "))
            }
        }
    }

    /// What an array holds; anything else itself.
    fn items<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let schema = self.resolve(schema);
        if schema["items"].is_object() {
            self.items(&schema["items"])
        } else {
            schema
        }
    }

    fn has_all_of(&self, member: &str, schema: &Value) -> bool {
        let fields = self.sdl.object(member).unwrap();
        schema["properties"]
            .as_object()
            .is_some_and(|p| p.keys().all(|name| fields.contains_key(name)))
    }
}

fn requires(schema: &Value, name: &str) -> bool {
    schema["required"]
        .as_array()
        .is_some_and(|list| list.iter().any(|required| required == name))
}

fn pairs(name: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(|item| pairs(name, item)).collect(),
        Value::String(text) => vec![format!("{name}={}", encode(text))],
        other => vec![format!("{name}={}", encode(&other.to_string()))],
    }
}

fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// Ids that were seen in answers, by prefix, and texts that are known.
#[derive(Default)]
pub struct Ids {
    ids: BTreeMap<String, String>,
    /// What stands in fields of these names that are plain text: a code, a token.
    pub texts: BTreeMap<&'static str, String>,
}

impl Ids {
    /// Remembers the ids of every object in `json`.
    pub fn learn(&mut self, json: &Value) {
        match json {
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(fields) => {
                if let Some((prefix, id)) = fields
                    .get("id")
                    .and_then(Value::as_str)
                    .and_then(|id| Some((id.split_once('_')?.0, id)))
                {
                    self.ids
                        .entry(prefix.to_owned())
                        .or_insert_with(|| id.to_owned());
                }
                fields.values().for_each(|value| self.learn(value));
            }
            _ => {}
        }
    }

    fn like(&self, pattern: &str) -> Option<&str> {
        let (prefix, _) = pattern.strip_prefix('^')?.split_once('_')?;
        self.ids.get(prefix).map(String::as_str)
    }
}
