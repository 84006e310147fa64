use std::time::Duration;

use sha2::{Digest, Sha256};

use super::model::{
    AddBlock, ApproveOrder, RemoveBlock, RiskAssessment, RiskBlock, RiskBlockKind, RiskDecision,
    RiskLevel, RiskReview,
};
use super::queries::{self, Traits};
use super::rules::{self, Facts, Thresholds};
use super::{GetRiskAssessment, ListBlocks, ListRiskReviews};
use crate::context::Tx;
use crate::domain::channels::Channels;
use crate::domain::orders::{self, HoldReason, OrderRow, OrderStatus};
use crate::domain::payments;
use crate::kernel::ids::{OrderHoldId, OrderId, RiskBlockId};
use crate::kernel::page::{PageRequest, Position, SortKey};
use crate::kernel::{Checks, Code, Document, Error, Page, Result, hex, shape};
use crate::operation::{Mutation, Query};

/// Within which time orders are counted.
const WINDOW: Duration = Duration::from_hours(24);

impl Query for GetRiskAssessment {
    fn run(&self, tx: &mut Tx<'_>) -> Result<RiskAssessment> {
        queries::get(tx, self.order_id)
    }
}

impl Query for ListRiskReviews {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<RiskReview>> {
        let page = PageRequest::new(
            &tx.app().cursors,
            "risk_reviews",
            self.first,
            self.after.as_deref(),
        )?;
        let rows = orders::waiting(tx, HoldReason::Risk, &page)?;
        let position = |row: &(OrderHoldId, OrderId)| Position {
            key: SortKey::Id,
            id: row.0.uuid(),
        };
        page.page(rows, position, |rows| {
            let ids: Vec<OrderId> = rows.into_iter().map(|(_, order)| order).collect();
            let mut assessments = queries::of_orders(tx, ids.iter().copied())?;
            let with_its_own = |order: orders::Order| {
                let at = assessments.iter().position(|a| a.order_id == order.id)?;
                let assessment = assessments.swap_remove(at);
                Some(RiskReview { order, assessment })
            };
            let orders = orders::get_many(tx, &ids)?;
            Ok(orders.into_iter().filter_map(with_its_own).collect())
        })
    }
}

impl Query for ListBlocks {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<RiskBlock>> {
        let page = PageRequest::new(
            &tx.app().cursors,
            "risk_blocks",
            self.first,
            self.after.as_deref(),
        )?;
        let rows = queries::list(tx, self, &page)?;
        page.page(
            rows,
            |block| Position {
                key: SortKey::Id,
                id: block.id.uuid(),
            },
            Ok,
        )
    }
}

impl Mutation for ApproveOrder {
    fn run(&self, tx: &mut Tx<'_>) -> Result<RiskAssessment> {
        decide(tx, self.id, RiskDecision::Approved, self.note.as_deref())?;
        let order = orders::lock(tx, self.id, None)?;
        orders::release_holds(tx, &order, Some(HoldReason::Risk))?;
        queries::get(tx, self.id)
    }
}

impl Mutation for AddBlock {
    fn run(&self, tx: &mut Tx<'_>) -> Result<RiskBlock> {
        let block = RiskBlock {
            id: RiskBlockId::new(),
            kind: self.kind,
            value: normal(self.kind, &self.value),
            note: self.note.clone(),
            created_by: tx.actor().name(),
            created_at: tx.now,
        };
        check(&block)?;
        queries::add(tx, &block)?;
        Ok(block)
    }
}

impl Mutation for RemoveBlock {
    fn run(&self, tx: &mut Tx<'_>) -> Result<RiskBlock> {
        queries::remove(tx, self.id)
    }
}

/// The one spelling of a blocked value.
fn normal(kind: RiskBlockKind, value: &str) -> String {
    let value = value.trim();
    match kind {
        RiskBlockKind::Card => value.to_owned(),
        RiskBlockKind::Country => value.to_ascii_uppercase(),
        _ => value.to_lowercase(),
    }
}

fn check(block: &RiskBlock) -> Result<()> {
    let mut checks = Checks::new();
    if let Some(note) = &block.note {
        checks.text("/note", note, 500);
    }
    let value = &block.value;
    let (good, message) = match block.kind {
        RiskBlockKind::Email => (shape::is_email(value), "Must be an e-mail address."),
        RiskBlockKind::EmailDomain => (
            shape::is_email(&format!("a@{value}")),
            "Must be a domain, as example.com.",
        ),
        RiskBlockKind::Address => (
            value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit()),
            "Must be the addressHash of an assessment.",
        ),
        RiskBlockKind::Card => (
            (1..=200).contains(&value.len()) && !value.contains(char::is_whitespace),
            "Must be the cardFingerprint of an assessment.",
        ),
        RiskBlockKind::Country => (
            shape::is_country(value),
            "Must be an ISO 3166-1 alpha-2 code, as DE.",
        ),
    };
    checks.that(good, "/value", "invalid_value", message).done()
}

/// Assesses an order that was not assessed before; says its level.
pub fn assess(tx: &mut Tx<'_>, order: &OrderRow) -> Result<Option<RiskLevel>> {
    if queries::is_assessed(tx, order.id)? {
        return Ok(None);
    }
    let channel = Channels::get(tx, order.channel_id)?;
    let known = payments::facts_of(tx, order.checkout_id)?;
    let traits = traits(order, &known);
    let shipping = order.shipping_address.as_ref();
    let billing = order.billing_address.as_ref();
    let facts = Facts {
        total: order.grand_total,
        history: orders::history(tx, order)?,
        first_order_from: channel
            .risk_first_order_from
            .filter(|_| channel.currency == order.currency),
        email: traits.email.clone(),
        shipping_country: shipping.map(|a| a.country.clone()),
        billing_country: billing.map(|a| a.country.clone()),
        velocity: queries::velocity(tx, &traits, order.placed_at.minus(WINDOW))?,
        risk_level: worst(&known),
        risk_score: known
            .iter()
            .filter_map(|f| f.0.get("risk_score")?.as_i64())
            .max(),
        blocked: queries::blocked(tx, candidates(order, &traits))?,
    };
    let thresholds = Thresholds {
        investigate_from: channel.risk_investigate_from,
        cancel_from: channel.risk_cancel_from,
    };
    let (level, score, found) = rules::weigh(&facts, thresholds);
    if !queries::insert(
        tx,
        order.id,
        order.placed_at,
        &traits,
        (level, score, &found),
    )? {
        return Ok(None);
    }
    let facts = serde_json::json!({ "level": level, "score": score, "facts": found });
    orders::note(tx, order.id, "risk_assessed", &facts)?;
    tx.publish(
        "order.risk_assessed",
        order.id.uuid(),
        &serde_json::json!({ "orderId": order.id, "number": order.number, "level": level, "score": score }),
    );
    Ok(Some(level))
}

fn traits(order: &OrderRow, known: &[Document]) -> Traits {
    let address = order
        .shipping_address
        .as_ref()
        .or(order.billing_address.as_ref());
    Traits {
        email: order.email.clone(),
        address_hash: address.map(|a| hex(&Sha256::digest(rules::plain(a)))),
        card_fingerprint: text(known, "card_fingerprint").map(ToOwned::to_owned),
    }
}

fn text<'a>(known: &'a [Document], name: &str) -> Option<&'a str> {
    known.iter().find_map(|facts| facts.0.get(name)?.as_str())
}

/// The worst that a provider says, where an order has several payments.
fn worst(known: &[Document]) -> Option<String> {
    let levels = || known.iter().filter_map(|f| f.0.get("risk_level")?.as_str());
    ["highest", "elevated"]
        .into_iter()
        .find(|level| levels().any(|l| l == *level))
        .or_else(|| levels().next())
        .map(ToOwned::to_owned)
}

/// What the block list is asked for.
fn candidates(order: &OrderRow, traits: &Traits) -> Vec<(RiskBlockKind, String)> {
    let countries = [&order.shipping_address, &order.billing_address];
    let countries = countries.into_iter().flatten().map(|a| a.country.clone());
    let domains = rules::domains_of(&traits.email).into_iter();
    let mut all = vec![(RiskBlockKind::Email, traits.email.clone().into())];
    all.extend(domains.map(|d| (RiskBlockKind::EmailDomain, d.to_owned())));
    all.extend(
        traits
            .address_hash
            .clone()
            .map(|a| (RiskBlockKind::Address, a)),
    );
    all.extend(
        traits
            .card_fingerprint
            .clone()
            .map(|c| (RiskBlockKind::Card, c)),
    );
    all.extend(countries.map(|c| (RiskBlockKind::Country, c)));
    all.sort();
    all.dedup();
    all
}

/// Writes what somebody decided about an order that is to be looked into, once.
pub fn decide(
    tx: &mut Tx<'_>,
    id: OrderId,
    decision: RiskDecision,
    note: Option<&str>,
) -> Result<()> {
    let mut checks = Checks::new();
    if let Some(note) = note {
        checks.text("/note", note, 500);
    }
    checks.done()?;
    let order = orders::find(tx, id)?;
    let refused = |detail: String| Err(Error::new(Code::InvalidState, detail));
    if order.status != OrderStatus::Open {
        return refused(format!(
            "The order is {}; there is nothing to decide.",
            order.status
        ));
    }
    if !queries::decide(tx, id, decision)? {
        let assessment = queries::get(tx, id)?;
        return refused(match assessment.decision {
            Some(before) => format!("The order was {before} already."),
            None => format!(
                "The order is not to be decided about: its level is {}.",
                assessment.level
            ),
        });
    }
    let (entry, event) = match decision {
        RiskDecision::Approved => ("risk_approved", "order.risk_approved"),
        RiskDecision::Declined => ("risk_declined", "order.risk_declined"),
    };
    orders::note(tx, id, entry, &serde_json::json!({ "note": note }))?;
    let facts = serde_json::json!({ "orderId": id, "number": order.number });
    tx.publish(event, id.uuid(), &facts);
    Ok(())
}
