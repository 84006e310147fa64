//! Lists and the search.

use serde_json::{Value, json};

use super::errors::{Error, Reply};
use super::params::{self, Params};
use super::state::State;

/// A page of a list, newest first. `filters` are the parameters that have to equal a field.
pub fn list(
    state: &State,
    params: &Params,
    url: &str,
    ids: &mut dyn DoubleEndedIterator<Item = &String>,
    filters: &[&str],
) -> Reply {
    params.check(&format!("{} {}", params::LIST, filters.join(" ")))?;
    let limit = limit(params)?;
    let mut objects: Vec<Value> = Vec::new();
    for object in ids.rev().filter_map(|id| state.object(id)) {
        let mut fits = true;
        for name in filters {
            fits &= params
                .text(name)
                .is_none_or(|wanted| object[*name] == *wanted);
        }
        let created = object["created"].as_i64().unwrap_or_default();
        for (name, holds) in [
            ("created", (|a, b| a == b) as fn(i64, i64) -> bool),
            ("created.gt", |a, b| a > b),
            ("created.gte", |a, b| a >= b),
            ("created.lt", |a, b| a < b),
            ("created.lte", |a, b| a <= b),
        ] {
            fits &= params
                .integer(name)?
                .is_none_or(|bound| holds(created, bound));
        }
        if fits {
            objects.push(object);
        }
    }
    let position = |name: &str| match params.text(name) {
        None => Ok(None),
        Some(id) => match objects.iter().position(|object| object["id"] == id) {
            Some(at) => Ok(Some(at)),
            None => Err(Error::no_such("object", id, name, 400)),
        },
    };
    let (after, before) = (position("starting_after")?, position("ending_before")?);
    let (data, more): (Vec<Value>, bool) = match (after, before) {
        (_, Some(before)) => {
            let from = before.saturating_sub(limit);
            (objects[from..before].to_vec(), from > 0)
        }
        (after, None) => {
            let from = after.map_or(0, |at| at + 1);
            let to = objects.len().min(from + limit);
            (objects[from..to].to_vec(), to < objects.len())
        }
    };
    Ok(json!({ "object": "list", "data": data, "has_more": more, "url": url }))
}

fn limit(params: &Params) -> Result<usize, Error> {
    match params.integer("limit")? {
        None => Ok(10),
        Some(limit @ 1..=100) => Ok(usize::try_from(limit).unwrap_or(10)),
        Some(i64::MIN..=0) => Err(Error::invalid(
            "limit",
            "This value must be greater than or equal to 1.",
        )
        .code("parameter_invalid_integer")),
        Some(_) => Err(Error::invalid(
            "limit",
            "This value must be less than or equal to 100 (it currently is greater).",
        )
        .code("parameter_invalid_integer")),
    }
}

/// `GET /v1/payment_intents/search`: clauses of equality, joined by `AND`.
pub fn search(state: &State, params: &Params) -> Reply {
    params.check(params::SEARCH)?;
    params.not_simulated(&["page"])?;
    let limit = limit(params)?;
    let clauses = clauses(params.required("query")?)?;
    let mut data: Vec<Value> = Vec::new();
    for intent in state.intents.values().rev().filter(|intent| intent.indexed) {
        let object = intent.json();
        let fits = clauses.iter().all(|(field, key, wanted)| match key {
            Some(key) => object[field.as_str()][key.as_str()] == *wanted,
            None => match &object[field.as_str()] {
                Value::String(text) => text == wanted,
                other => wanted.parse().is_ok_and(|number: i64| *other == number),
            },
        });
        if fits {
            data.push(object);
        }
    }
    let more = data.len() > limit;
    data.truncate(limit);
    Ok(json!({
        "object": "search_result",
        "data": data,
        "has_more": more,
        "next_page": null,
        "url": "/v1/payment_intents/search",
    }))
}

type Clause = (String, Option<String>, String);

fn clauses(query: &str) -> Result<Vec<Clause>, Error> {
    let broken = || {
        Error::invalid(
            "query",
            format!(
                "We were unable to parse your search query: {query}. Try using the format `metadata[\"key\"]:\"value\"` to query for metadata or key:\"value\" to query for other fields."
            ),
        )
    };
    let mut clauses = Vec::new();
    let mut rest = query.trim();
    loop {
        let end = rest.find([':', '[']).ok_or_else(broken)?;
        let field = rest[..end].trim().to_owned();
        if !["metadata", "status", "currency", "customer", "amount"].contains(&field.as_str()) {
            return Err(Error::invalid(
                "query",
                format!(
                    "Field `{field}` is an unsupported search field for resource `payment_intents`."
                ),
            ));
        }
        rest = &rest[end..];
        let mut key = None;
        if let Some(inner) = rest.strip_prefix('[') {
            let (text, after) = quoted(inner).ok_or_else(broken)?;
            key = Some(text);
            rest = after.strip_prefix(']').ok_or_else(broken)?;
        }
        if key.is_some() != (field == "metadata") {
            return Err(broken());
        }
        rest = rest.strip_prefix(':').ok_or_else(broken)?;
        let (value, after) = if let Some(found) = quoted(rest) {
            found
        } else {
            let end = rest.find(' ').unwrap_or(rest.len());
            if end == 0 || field != "amount" {
                return Err(broken());
            }
            (rest[..end].to_owned(), &rest[end..])
        };
        clauses.push((field, key, value));
        rest = after.trim_start();
        if rest.is_empty() {
            return Ok(clauses);
        }
        rest = rest
            .strip_prefix("AND ")
            .or_else(|| rest.strip_prefix("and "))
            .ok_or_else(broken)?;
        rest = rest.trim_start();
    }
}

/// A text in single or double quotes, with `\` before a quote in it, and what stands behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text
        .chars()
        .next()
        .filter(|first| ['\'', '"'].contains(first))?;
    let mut value = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => value.push(letters.next()?.1),
            letter if letter == quote => return Some((value, &text[at + 1..])),
            letter => value.push(letter),
        }
    }
    None
}
