//! Every operation, asked for by every kind of caller, at both doors. New operations are found in the table.

use mercer::auth::Scope;

use crate::support::client::Client;
use crate::support::contract::{Contract, Ids, Input};
use crate::support::{Answer, Shop};

/// Who may do what, as a table that is read before it is accepted: `cargo insta review`.
#[test]
fn who_may_do_what() {
    let mut lines = vec![format!(
        "{:<32} {:<9} {:<10} {}",
        "operation", "anonymous", "storefront", "secret key with"
    )];
    for meta in Contract::load().operations {
        let storefront = if meta.access.admits_storefront() {
            "yes"
        } else {
            "403"
        };
        lines.push(format!(
            "{:<32} {:<9} {storefront:<10} {}",
            meta.operation_id(),
            "401",
            meta.access.needed()
        ));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

both! {
    fn every_operation_as_every_kind_of_caller(shop) {
        let contract = Contract::load();
        let mut wrong = Vec::new();
        let callers = Callers::new(shop);
        for meta in &contract.operations {
            let input = contract.least_input(meta, &Ids::default());
            let needed = meta.access.needed();
            let storefront = (!meta.access.admits_storefront()).then_some("FORBIDDEN");
            let asked = [
                ("anonymous", &shop.anonymous(), Some("UNAUTHENTICATED")),
                ("storefront", &callers.storefront, storefront),
                ("the scope alone", &callers.with(needed), None),
                ("every scope but that", &callers.without(needed), Some("FORBIDDEN")),
            ];
            for (who, client, refusal) in asked {
                for (door, answer) in at_both_doors(&contract, client, meta, &input) {
                    if let Some(complaint) = judge(door, &answer, refusal) {
                        wrong.push(format!("{} as {who} in {door}: {complaint}: {answer}", meta.name));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }

    fn a_refused_caller_need_not_send_a_readable_body(shop) {
        let storefront = shop.storefront();
        for meta in Contract::load().operations.iter().filter(|meta| meta.verb.as_str() != "GET") {
            let path = meta.path.replace(['{', '}'], "");
            shop.anonymous().bytes(meta.verb.as_str(), &path, b"{").refused(401, "UNAUTHENTICATED");
            if !meta.access.admits_storefront() {
                storefront.bytes(meta.verb.as_str(), &path, b"{").refused(403, "FORBIDDEN");
            }
        }
    }
}

struct Callers {
    storefront: Client,
    with: Vec<Client>,
    without: Vec<Client>,
}

impl Callers {
    fn new(shop: &Shop) -> Self {
        let with = |scope: &Scope| shop.partner(&[scope.as_str()]);
        let without = |scope: &Scope| {
            let others = Scope::ALL.iter().filter(|other| *other != scope);
            shop.partner(&others.map(|other| other.as_str()).collect::<Vec<_>>())
        };
        Self {
            storefront: shop.storefront(),
            with: Scope::ALL.iter().map(with).collect(),
            without: Scope::ALL.iter().map(without).collect(),
        }
    }

    fn with(&self, scope: Scope) -> Client {
        self.with[place(scope)].clone()
    }

    fn without(&self, scope: Scope) -> Client {
        self.without[place(scope)].clone()
    }
}

fn place(scope: Scope) -> usize {
    Scope::ALL.iter().position(|one| *one == scope).unwrap()
}

fn at_both_doors(
    contract: &Contract,
    client: &Client,
    meta: &mercer::operation::Meta,
    input: &Input,
) -> [(&'static str, Answer); 2] {
    let selection = contract.typename(&contract.field(meta).ty);
    [
        ("REST", Contract::rest(client, meta, input)),
        ("GraphQL", contract.graphql(client, meta, input, selection)),
    ]
}

/// What is wrong with the answer. Who may come in may still be refused for what was made up, but the input must have been
/// understood.
fn judge(door: &str, answer: &Answer, refusal: Option<&str>) -> Option<String> {
    let status = match (door, refusal) {
        ("REST", Some("UNAUTHENTICATED")) => 401,
        ("REST", Some(_)) => 403,
        _ => answer.status,
    };
    match refusal {
        Some(code) if (answer.status, answer.code()) != (status, code) => {
            Some(format!("not {status} {code}"))
        }
        None if ["UNAUTHENTICATED", "FORBIDDEN"].contains(&answer.code()) => {
            Some("refused".to_owned())
        }
        None if [
            "INVALID_INPUT",
            "MALFORMED_REQUEST",
            "GRAPHQL_INVALID",
            "INTERNAL",
        ]
        .contains(&answer.code()) =>
        {
            Some("not understood".to_owned())
        }
        _ => None,
    }
}
