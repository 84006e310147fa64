//! `expand[]`.

use serde_json::{Value, json};

use super::errors::Error;
use super::params::Params;
use super::state::State;

/// What a field of an object expands to.
fn next(kind: &str, field: &str) -> Option<&'static str> {
    Some(match (kind, field) {
        ("payment_intent" | "refund" | "dispute", "latest_charge" | "charge") => "charge",
        ("charge" | "refund" | "dispute", "payment_intent") => "payment_intent",
        ("payment_intent" | "charge" | "setup_intent" | "payment_method", "customer") => "customer",
        ("payment_intent" | "setup_intent", "payment_method") => "payment_method",
        ("charge", "refunds") => "refunds",
        ("refunds", "data") => "refund",
        ("charge", "dispute") => "dispute",
        _ => return None,
    })
}

/// Refuses what cannot be expanded, before anything is done.
pub fn check(params: &Params, kind: &str, list: bool) -> Result<(), Error> {
    for path in params.list("expand") {
        let names: Vec<&str> = path.split('.').collect();
        let refused = |message: String| Err(Error::malformed(message).param("expand"));
        if names.len() > 4 {
            return refused("You cannot expand more than 4 levels of a property.".into());
        }
        let names = match (list, names.split_first()) {
            (true, Some((&"data", rest))) if !rest.is_empty() => rest,
            (true, _) => {
                return refused(format!(
                    "This property cannot be expanded ({path}). You may want to try expanding 'data.{path}' instead."
                ));
            }
            (false, _) => &names[..],
        };
        if names
            .iter()
            .try_fold(kind, |kind, name| next(kind, name))
            .is_none()
        {
            return refused(format!("This property cannot be expanded ({path})."));
        }
    }
    Ok(())
}

/// Puts objects where their ids stand.
pub fn apply(state: &State, params: &Params, object: &mut Value) {
    for path in params.list("expand") {
        let names: Vec<&str> = path.split('.').collect();
        put(state, object, &names);
    }
}

fn put(state: &State, at: &mut Value, path: &[&str]) {
    if let Value::Array(items) = at {
        for item in items {
            put(state, item, path);
        }
        return;
    }
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    if at["object"] == "charge" && *name == "refunds" && at.get("refunds").is_none() {
        at["refunds"] = refunds(state, at["id"].as_str().unwrap_or_default());
    }
    let Some(field) = at.get_mut(*name) else {
        return;
    };
    if let Some(object) = field.as_str().and_then(|id| state.object(id)) {
        *field = object;
    }
    put(state, field, rest);
}

/// The newest ten refunds of a charge.
fn refunds(state: &State, charge: &str) -> Value {
    let of = || {
        state
            .refunds
            .values()
            .rev()
            .filter(|refund| refund.charge == charge)
    };
    let data: Vec<Value> = of().take(10).map(super::refunds::Refund::json).collect();
    json!({
        "object": "list",
        "data": data,
        "has_more": of().count() > 10,
        "url": format!("/v1/charges/{charge}/refunds"),
    })
}
