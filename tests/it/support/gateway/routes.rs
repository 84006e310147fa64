//! Which call is which.

use serde_json::json;

use super::errors::{Error, Reply};
use super::params::{self, Params};
use super::state::State;
use super::{capture, confirm, customers, expand, intents, lists, refunds, setup};

/// Answers a request that was let in.
pub fn call(state: &mut State, method: &str, path: &str, params: &Params) -> Reply {
    let names: Vec<&str> = path.trim_matches('/').split('/').collect();
    let Some(("v1", names)) = names.split_first().map(|(first, rest)| (*first, rest)) else {
        return Err(Error::no_route(method, path));
    };
    let kind = match names.first() {
        Some(&"payment_intents") => "payment_intent",
        Some(&"setup_intents") => "setup_intent",
        Some(&"payment_methods") => "payment_method",
        Some(&"charges") => "charge",
        Some(&"refunds") => "refund",
        Some(&"disputes") => "dispute",
        Some(&"customers") => "customer",
        _ => "other",
    };
    let many = method == "GET" && (names.len() == 1 || names.last() == Some(&"search"));
    expand::check(params, kind, many && kind != "other")?;
    let mut answer = route(state, method, path, names, params)?;
    expand::apply(state, params, &mut answer);
    Ok(answer)
}

fn route(state: &mut State, method: &str, path: &str, names: &[&str], params: &Params) -> Reply {
    let plain = |state: &State, noun: &str, id: &str, param: &str| {
        params.check(params::EXPAND)?;
        state.found(noun, id, param)
    };
    match (method, names) {
        ("POST", ["payment_intents"]) => intents::create(state, params),
        ("GET", ["payment_intents"]) => lists::list(
            state,
            params,
            path,
            &mut state.intents.keys(),
            &["customer"],
        ),
        ("GET", ["payment_intents", "search"]) => lists::search(state, params),
        ("GET", ["payment_intents", id]) => intents::get(state, id, params),
        ("POST", ["payment_intents", id]) => intents::update(state, id, params),
        ("POST", ["payment_intents", id, "confirm"]) => confirm::confirm(state, id, params),
        ("POST", ["payment_intents", id, "capture"]) => capture::capture(state, id, params),
        ("POST", ["payment_intents", id, "cancel"]) => capture::cancel(state, id, params),
        ("POST", ["refunds"]) => refunds::create(state, params),
        ("GET", ["refunds"]) => {
            let filters = ["payment_intent", "charge"];
            lists::list(state, params, path, &mut state.refunds.keys(), &filters)
        }
        ("GET", ["refunds", id]) => plain(state, "refund", id, "refund"),
        ("POST", ["refunds", id]) => refunds::update(state, id, params),
        ("GET", ["charges"]) => {
            let filters = ["payment_intent", "customer"];
            lists::list(state, params, path, &mut state.charges.keys(), &filters)
        }
        ("GET", ["charges", id]) => plain(state, "charge", id, "charge"),
        ("GET", ["disputes"]) => {
            let filters = ["payment_intent", "charge"];
            lists::list(state, params, path, &mut state.disputes.keys(), &filters)
        }
        ("GET", ["disputes", id]) => plain(state, "dispute", id, "dispute"),
        ("POST", ["customers"]) => customers::save(state, None, params),
        ("POST", ["customers", id]) => customers::save(state, Some(id), params),
        ("GET", ["customers", id]) => customers::get(state, id, params),
        ("GET", ["customers", id, "payment_methods"]) => {
            let of: Vec<String> = customers::methods_of(state, id)?;
            lists::list(state, params, path, &mut of.iter(), &["type"])
        }
        ("DELETE", ["customers", id]) => customers::delete(state, id, params),
        ("POST", ["setup_intents"]) => setup::create(state, params),
        ("GET", ["setup_intents", id]) => setup::get(state, id, params),
        ("POST", ["setup_intents", id, "confirm"]) => setup::confirm(state, id, params),
        ("POST", ["setup_intents", id, "cancel"]) => setup::cancel(state, id, params),
        ("GET", ["payment_methods"]) => {
            // Those that belong to nobody are not listed.
            params.required("customer")?;
            customers::named(state, params)?;
            lists::list(
                state,
                params,
                path,
                &mut state.methods.keys(),
                &["customer", "type"],
            )
        }
        ("GET", ["payment_methods", id]) => customers::get_method(state, id, params),
        ("POST", ["payment_methods", id, "attach"]) => customers::attach(state, id, params),
        ("POST", ["payment_methods", id, "detach"]) => customers::detach(state, id, params),
        ("GET", ["events"]) => {
            let ids: Vec<String> = state.events.iter().map(|event| event.id.clone()).collect();
            lists::list(state, params, path, &mut ids.iter(), &["type"])
        }
        ("GET", ["events", id]) => plain(state, "event", id, "id"),
        ("GET", ["account"]) => {
            params.check(params::EXPAND)?;
            Ok(json!({
                "id": "acct_3D00000000000000",
                "object": "account",
                "business_type": null,
                "capabilities": { "card_payments": "active", "transfers": "active" },
                "charges_enabled": true,
                "country": "DE",
                "default_currency": "eur",
                "details_submitted": true,
                "email": null,
                "metadata": {},
                "payouts_enabled": true,
                "settings": { "dashboard": { "display_name": "Double", "timezone": "Etc/UTC" } },
                "type": "standard",
            }))
        }
        _ => Err(Error::no_route(method, path)),
    }
}
