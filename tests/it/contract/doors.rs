//! Both doors give the same answer to the same question.

use mercer::operation::{Meta, Mode};
use serde_json::{Value, json};

use crate::support::Shop;
use crate::support::client::Client;
use crate::support::contract::{Contract, Ids, Input};

both! {
    fn every_query_answers_the_same_at_both_doors(shop) {
        let contract = Contract::load();
        fill(shop);
        let known = make_some_of_everything(&contract, shop);
        let mut found = Vec::new();
        let (staff, storefront) = (shop.staff(), shop.storefront());
        for meta in contract.operations.iter().filter(|meta| meta.mode == Mode::Query) {
            let mut input = contract.least_input(meta, &known);
            if contract.rest_input(meta).contains_key("limit") {
                input.insert("limit".to_owned(), json!(3));
            }
            if compare(&contract, &staff, meta, &input) {
                found.push(meta.name);
            }
            if meta.access.admits_storefront() {
                compare(&contract, &storefront, meta, &input);
                // The second answer of a cached operation comes from memory.
                compare(&contract, &storefront, meta, &input);
            }
        }
        println!("compared with something in them: {}", found.join(", "));
        assert!(["GetChannel", "ListChannels", "ListApiKeys"].iter().all(|name| found.contains(name)), "{found:?}");
    }

    fn a_list_has_the_same_pages_at_both_doors(shop) {
        fill(shop);
        let staff = shop.staff();
        let first = staff.get("/channels?limit=2").ok();
        let query = "query($after: String) { channels(first: 2, after: $after) {
            nodes { id } edges { cursor node { id } }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
        let page = staff.graphql(query, json!({})).ok();
        assert_eq!(page.at("/data/channels/pageInfo/hasNextPage"), &json!(true));
        assert_eq!(page.at("/data/channels/pageInfo/endCursor"), first.at("/page/nextCursor"));
        assert_eq!(page.at("/data/channels/edges/1/cursor"), first.at("/page/nextCursor"));
        let after = first.text("/page/nextCursor");
        let rest = staff.get(&format!("/channels?limit=2&after={after}")).ok();
        let graphql = staff.graphql(query, json!({ "after": after })).ok();
        assert_eq!(rest.at("/items/0/id"), graphql.at("/data/channels/nodes/0/id"));
        assert_eq!(rest.at("/page"), &json!({ "nextCursor": null, "hasNextPage": false }));
        assert_eq!(graphql.at("/data/channels/pageInfo/hasNextPage"), &json!(false));
        assert_eq!(rest.header("link"), "");
        assert_eq!(first.header("link"), format!("</v1/channels?limit=2&after={after}>; rel=\"next\""));
    }
}

/// A few objects of what there is.
fn fill(shop: &Shop) {
    shop.another_channel("second");
    shop.another_channel("third");
}

/// Tries every operation that makes something, with everything that can be said and then with the least, and remembers the
/// ids. What needs more than a made-up input is refused and stays out.
fn make_some_of_everything(contract: &Contract, shop: &Shop) -> Ids {
    let staff = shop.staff();
    let mut known = Ids::default();
    known.learn(&staff.get("/channels").ok().json);
    // Twice, because a price needs a variant that is made later.
    let writes = || {
        contract
            .operations
            .iter()
            .filter(|meta| meta.mode != Mode::Query)
    };
    for meta in writes().chain(writes()) {
        let full = Contract::rest(&staff, meta, &contract.full_input(meta, &known));
        let made = if full.status < 300 {
            full
        } else {
            Contract::rest(&staff, meta, &contract.least_input(meta, &known))
        };
        assert!(made.status < 500, "{made}");
        known.learn(&made.json);
    }
    known
}

/// Compares the whole answers, or the refusals where nothing was found; says whether there was something to compare.
fn compare(contract: &Contract, client: &Client, meta: &Meta, input: &Input) -> bool {
    let rest = Contract::rest(client, meta, input);
    let ty = &contract.field(meta).ty;
    let mut selection = String::new();
    if !contract.sdl.is_leaf(&ty.base) {
        let schema = contract.rest_output(meta);
        selection = match connection(contract, &ty.base) {
            Some(node) => {
                let nodes = contract.selection(&node, &schema["properties"]["items"]);
                format!("{{ nodes {nodes} pageInfo {{ hasNextPage endCursor }} }}")
            }
            None => contract.selection(&ty.base, schema),
        };
    }
    let graphql = contract.graphql(client, meta, input, &selection);
    if rest.status != 200 {
        assert_eq!(
            (rest.code(), rest.detail()),
            (graphql.code(), graphql.detail()),
            "{}: {rest}\n{graphql}",
            meta.name
        );
        return false;
    }
    let mut answer = graphql.data(&meta.graphql_field()).clone();
    if connection(contract, &ty.base).is_some() {
        let page = &answer["pageInfo"];
        let more = page["hasNextPage"].clone();
        let next = if more == true {
            page["endCursor"].clone()
        } else {
            Value::Null
        };
        answer = json!({ "items": answer["nodes"], "page": { "nextCursor": next, "hasNextPage": more } });
    }
    if rest.json != answer {
        // The use of a key is noted after the answer has left, so between two questions it may have become known.
        let again = Contract::rest(client, meta, input);
        assert_eq!(again.json, answer, "{}", meta.name);
    }
    rest.json["items"]
        .as_array()
        .is_none_or(|items| !items.is_empty())
}

/// The type of the nodes, where the type is a connection.
fn connection(contract: &Contract, ty: &str) -> Option<String> {
    let fields = contract.sdl.object(ty)?;
    fields
        .contains_key("pageInfo")
        .then(|| fields["nodes"].ty.base.clone())
}
