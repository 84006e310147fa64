//! Builds an operation's input from what REST has: the path, the query string or the body, and `If-Match`.

use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, I64Deserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::bounds;
use crate::kernel::{Code, Error, Result};

/// How deeply arrays and objects may be nested.
const MAX_DEPTH: usize = 32;

/// The fields that stand in the path, with their values.
pub type PathFields = Vec<(&'static str, String)>;

/// Reads the input of a request without a body, of the operation with this name.
pub fn from_query<T: DeserializeOwned>(
    operation: &str,
    path: &PathFields,
    query: &str,
) -> Result<T> {
    let mut pairs = String::new();
    for (name, value) in path {
        if query
            .split('&')
            .any(|pair| pair.split('=').next() == Some(name))
        {
            let message = "Stands in the path and may not be repeated in the query.";
            return Err(Error::field(
                Code::InvalidInput,
                format!("/{name}"),
                "duplicate",
                message,
            ));
        }
        pairs.push_str(name);
        pairs.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"_-.".contains(&byte) {
                pairs.push(char::from(byte));
            } else {
                pairs.push_str(&format!("%{byte:02X}"));
            }
        }
        pairs.push('&');
    }
    pairs.push_str(query);
    let mut invalid_utf8 = false;
    for (key, value) in form_pairs(&pairs) {
        match (key, value) {
            (Some(key), Some(value)) => bounds::check(operation, &key, &value)?,
            _ => invalid_utf8 = true,
        }
    }
    if invalid_utf8 {
        return Err(Error::new(
            Code::MalformedRequest,
            "The query string is not valid UTF-8.",
        ));
    }
    let deserializer =
        serde_html_form::Deserializer::from_bytes(pairs.trim_end_matches('&').as_bytes());
    serde_path_to_error::deserialize(deserializer)
        .map_err(|error| invalid_input(&error.path().clone(), &error.into_inner().to_string()))
}

/// The percent-decoded pairs of a query string; `None` for what is not UTF-8.
fn form_pairs(query: &str) -> impl Iterator<Item = (Option<String>, Option<String>)> {
    fn decode(text: &str) -> Option<String> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            if byte == b'%' {
                let hex = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
            } else {
                bytes.push(byte);
            }
        }
        String::from_utf8(bytes).ok()
    }
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
}

/// Reads the input of a request with a body; what stands in the path may not stand in the body.
pub fn from_body<T: DeserializeOwned>(
    path: &PathFields,
    version: Option<i64>,
    body: &[u8],
) -> Result<T> {
    let body = if body.is_empty() { b"{}" } else { body };
    check_depth(body)?;
    let mut json = serde_json::Deserializer::from_slice(body);
    let merged = Merged {
        path,
        version,
        json: &mut json,
    };
    let value = serde_path_to_error::deserialize(merged).map_err(|error| {
        let path = error.path().clone();
        let inner = error.into_inner();
        if inner.is_data() {
            invalid_input(&path, &inner.to_string())
        } else {
            malformed(&inner)
        }
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// Refuses JSON that is nested too deeply, before anything recurses into it.
pub fn check_depth(body: &[u8]) -> Result<()> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    let detail = format!("The JSON is nested deeper than {MAX_DEPTH} levels.");
                    return Err(Error::new(Code::MalformedRequest, detail));
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// What is wrong with a body that is not JSON.
pub fn malformed(error: &serde_json::Error) -> Error {
    Error::new(
        Code::MalformedRequest,
        format!("The body is not valid JSON: {error}."),
    )
}

fn invalid_input(path: &serde_path_to_error::Path, message: &str) -> Error {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            serde_path_to_error::Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            serde_path_to_error::Segment::Map { key }
            | serde_path_to_error::Segment::Enum { variant: key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            serde_path_to_error::Segment::Unknown => {}
        }
    }
    // serde's position means nothing once path and body are merged.
    let message = message.split(" at line ").next().unwrap_or(message);
    let code = match message {
        m if m.starts_with("unknown field") => "unknown_field",
        m if m.starts_with("missing field") => "missing_field",
        m if m.starts_with("duplicate field") => "duplicate_field",
        m if m.starts_with("unknown variant") => "unknown_value",
        _ => "invalid_type",
    };
    if let ("missing_field" | "unknown_field" | "duplicate_field", Some(name)) =
        (code, message.split('`').nth(1))
        && !pointer.ends_with(&format!("/{name}"))
    {
        pointer.push('/');
        pointer.push_str(name);
    }
    Error::field(Code::InvalidInput, pointer, code, plain(message))
}

/// What the reader of JSON and of query strings says, in words that need no knowledge of how it was written.
pub fn plain(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (name, known) = quoted.split_first().unwrap_or((&"", &[]));
    let there_are = if known.is_empty() {
        "there are none".to_owned()
    } else {
        format!("there are: {}", known.join(", "))
    };
    let starts = |with: &str| message.starts_with(with);
    if starts("missing field") {
        return format!("The field {name} is missing.");
    }
    if starts("duplicate field") {
        return format!("The field {name} is there twice.");
    }
    if starts("unknown field") {
        return format!("There is no field {name} here; {there_are}.");
    }
    if starts("unknown variant") {
        return format!("There is no value {name} here; {there_are}.");
    }
    if starts("provided string was not") {
        return "Must be true or false.".to_owned();
    }
    if starts("invalid digit") || starts("cannot parse integer") || starts("invalid float") {
        return "Must be a whole number.".to_owned();
    }
    if starts("number too") {
        return "Is too large a number.".to_owned();
    }
    if let Some((found, wanted)) = message
        .strip_prefix("invalid type: ")
        .or(message.strip_prefix("invalid value: "))
        .or(message.strip_prefix("invalid length "))
        .and_then(|rest| rest.rsplit_once(", expected "))
    {
        return format!(
            "Must be {}, not {}.",
            kind_wanted(wanted),
            kind_found(found)
        );
    }
    let mut chars = message.trim_end_matches('.').chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).chain(['.']).collect()
}

fn kind_wanted(wanted: &str) -> &str {
    const INTEGERS: [&str; 8] = ["i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8"];
    match wanted {
        _ if INTEGERS.contains(&wanted) || wanted == "usize" => "a whole number",
        "f64" | "f32" => "a number",
        "a boolean" => "true or false",
        "a string" | "a borrowed string" | "str" | "string" => "a text",
        "unit" => "null",
        _ if wanted.starts_with("a sequence") || wanted.starts_with("tuple") => "a list",
        _ if wanted.starts_with("struct") || wanted == "a map" || wanted == "a JSON object" => {
            "an object"
        }
        _ if wanted.contains("enum") || wanted.contains("variant") => "one of the known values",
        _ => wanted,
    }
}

fn kind_found(found: &str) -> &str {
    match found.split([' ', '`', '"']).next().unwrap_or_default() {
        "string" | "character" | "bytes" => "a text",
        "integer" | "floating" => found.split('`').nth(1).unwrap_or("a number"),
        "boolean" => "true or false",
        "null" | "unit" | "Option" => "null",
        "sequence" => "a list",
        "map" | "newtype" | "enum" | "struct" | "unit variant" => "an object",
        _ => "that",
    }
}

/// A JSON object with more fields than its text has.
struct Merged<'a, 'de> {
    path: &'a PathFields,
    version: Option<i64>,
    json: &'a mut serde_json::Deserializer<serde_json::de::SliceRead<'de>>,
}

impl<'de> Deserializer<'de> for Merged<'_, 'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.json.deserialize_map(Object {
            path: self.path,
            version: self.version,
            visitor,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Object<'a, V> {
    path: &'a PathFields,
    version: Option<i64>,
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, body: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Fields {
            path: self.path.iter(),
            value: None,
            version: self.version,
            body,
        })
    }
}

struct Fields<'a, A> {
    path: std::slice::Iter<'a, (&'static str, String)>,
    value: Option<Extra<'a>>,
    version: Option<i64>,
    body: A,
}

enum Extra<'a> {
    Text(&'a str),
    Number(i64),
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        if let Some((name, value)) = self.path.next() {
            self.value = Some(Extra::Text(value));
            return seed
                .deserialize(BorrowedStrDeserializer::new(name))
                .map(Some);
        }
        if let Some(version) = self.version.take() {
            self.value = Some(Extra::Number(version));
            return seed
                .deserialize(BorrowedStrDeserializer::new("expectedVersion"))
                .map(Some);
        }
        self.body.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        match self.value.take() {
            Some(Extra::Text(text)) => seed.deserialize(text.into_deserializer()),
            // An Option expects to be told that there is something.
            Some(Extra::Number(number)) => seed.deserialize(Present(I64Deserializer::new(number))),
            None => self.body.next_value_seed(seed),
        }
    }
}

struct Present<E>(I64Deserializer<E>);

impl<'de, E: serde::de::Error> Deserializer<'de> for Present<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self.0)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Rename {
        id: String,
        expected_version: Option<i64>,
        #[serde(default)]
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Line {
        quantity: i64,
    }

    fn read(version: Option<i64>, body: &str) -> Result<Rename, (Code, String)> {
        from_body(&vec![("id", "x1".into())], version, body.as_bytes()).map_err(|e| {
            (
                e.code,
                e.fields
                    .first()
                    .map(|f| f.pointer.clone())
                    .unwrap_or_default(),
            )
        })
    }

    #[test]
    fn path_header_and_body_make_one_input() {
        let expected = Rename {
            id: "x1".into(),
            expected_version: Some(3),
            lines: vec![Line { quantity: 2 }],
        };
        assert_eq!(read(Some(3), r#"{"lines":[{"quantity":2}]}"#), Ok(expected));
        assert_eq!(read(None, "").map(|r| r.id), Ok("x1".into()));
    }

    #[test]
    fn a_field_that_does_not_fit_is_pointed_at() {
        let cases = [
            (
                r#"{"lines":[{"quantity":1},{"quantity":"2"}]}"#,
                Code::InvalidInput,
                "/lines/1/quantity",
            ),
            (r#"{"lines":[{}]}"#, Code::InvalidInput, "/lines/0/quantity"),
            (
                r#"{"lines":[{"quantity":1,"colour":"red"}]}"#,
                Code::InvalidInput,
                "/lines/0/colour",
            ),
            (r#"{"id":"other"}"#, Code::InvalidInput, "/id"),
            (r#"{"colour":1}"#, Code::InvalidInput, "/colour"),
            ("[]", Code::InvalidInput, ""),
            ("{", Code::MalformedRequest, ""),
            ("{} {}", Code::MalformedRequest, ""),
        ];
        for (body, code, pointer) in cases {
            assert_eq!(read(None, body), Err((code, pointer.into())), "{body}");
        }
    }

    #[test]
    fn a_query_string_is_read_by_type() {
        #[derive(Debug, Deserialize, PartialEq)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        struct List {
            id: String,
            limit: Option<i64>,
            in_stock: Option<bool>,
        }
        let path = vec![("id", "a/b c".to_owned())];
        let list: List = from_query("List", &path, "limit=5&inStock=true").unwrap();
        assert_eq!(
            list,
            List {
                id: "a/b c".into(),
                limit: Some(5),
                in_stock: Some(true)
            }
        );
        let pointer = |query| {
            from_query::<List>("List", &path, query).unwrap_err().fields[0]
                .pointer
                .clone()
        };
        assert_eq!(pointer("limit=five"), "/limit");
        assert_eq!(pointer("colour=red"), "/colour");
        assert_eq!(pointer("id=other"), "/id");
        assert_eq!(
            from_query::<List>("List", &path, "limit=%ff")
                .unwrap_err()
                .code,
            Code::MalformedRequest
        );
    }

    #[test]
    fn deep_json_is_refused_before_it_is_read() {
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        assert_eq!(read(None, &deep).unwrap_err().0, Code::MalformedRequest);
        assert!(check_depth(br#"{"a":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}"#).is_ok());
    }
}
