use diesel::sql_types::{BigInt, Nullable, Text};

use super::ListBlocks;
use super::model::{RiskAssessment, RiskBlock, RiskBlockKind, RiskDecision, RiskFact, RiskLevel};
use crate::context::Tx;
use crate::kernel::column::{Doc, Id, Ts};
use crate::kernel::ids::{OrderId, RiskBlockId};
use crate::kernel::page::PageRequest;
use crate::kernel::{Batch, Code, Email, Error, Json, Kind, Param, Result, Timestamp};
use crate::params;

/// By what an order is counted, and found on the block list.
#[derive(Clone, Debug)]
pub struct Traits {
    /// The e-mail address, lower-case.
    pub email: Email,
    /// Stands for the address of delivery.
    pub address_hash: Option<String>,
    /// Stands for the card.
    pub card_fingerprint: Option<String>,
}

/// How many other orders since `since` have the same e-mail address, card and address.
pub fn velocity(tx: &mut Tx<'_>, traits: &Traits, since: Timestamp) -> Result<[i64; 3]> {
    let rows = tx.conn.rows::<(BigInt, BigInt, BigInt), (i64, i64, i64)>(
        "SELECT (SELECT count(*) FROM risk_assessments WHERE email = ? AND placed_at > ?),
                (SELECT count(*) FROM risk_assessments WHERE card_fingerprint = ? AND placed_at > ?),
                (SELECT count(*) FROM risk_assessments WHERE address_hash = ? AND placed_at > ?)",
        params![
            &traits.email,
            since,
            traits.card_fingerprint.as_deref(),
            since,
            traits.address_hash.as_deref(),
            since,
        ],
    )?;
    let (email, card, address) = rows.into_iter().next().unwrap_or_default();
    Ok([email, card, address])
}

/// Which of these the block list has.
pub fn blocked(
    tx: &mut Tx<'_>,
    candidates: Vec<(RiskBlockKind, String)>,
) -> Result<Vec<RiskBlockKind>> {
    let batch = Batch::new(
        &[("kind", Kind::Text), ("value", Kind::Text)],
        candidates.into_iter().map(|(k, v)| [k.into(), v.into()]),
    );
    tx.conn.rows::<Text, RiskBlockKind>(
        "SELECT b.kind FROM ? AS x JOIN risk_blocks b ON b.kind = x.kind AND b.value = x.value ORDER BY b.kind",
        params![batch],
    )
}

/// Whether the order was assessed.
pub fn is_assessed(tx: &mut Tx<'_>, order: OrderId) -> Result<bool> {
    let rows = tx.conn.rows::<Id, OrderId>(
        "SELECT order_id FROM risk_assessments WHERE order_id = ?",
        params![order],
    )?;
    Ok(!rows.is_empty())
}

/// Writes an assessment; says whether it is the first.
pub fn insert(
    tx: &mut Tx<'_>,
    order: OrderId,
    placed_at: Timestamp,
    traits: &Traits,
    verdict: (RiskLevel, i64, &[RiskFact]),
) -> Result<bool> {
    let now = tx.now;
    let (level, score, facts) = verdict;
    let written = tx.conn.execute(
        "INSERT INTO risk_assessments (order_id, level, score, facts, email, address_hash, card_fingerprint, placed_at,
             assessed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (order_id) DO NOTHING",
        params![
            order,
            level,
            score,
            Param::doc(&facts),
            &traits.email,
            traits.address_hash.as_deref(),
            traits.card_fingerprint.as_deref(),
            placed_at,
            now,
        ],
    )?;
    Ok(written > 0)
}

/// Writes a decision; says whether there was one to be made.
pub fn decide(tx: &mut Tx<'_>, order: OrderId, decision: RiskDecision) -> Result<bool> {
    let (now, actor) = (tx.now, tx.actor().name());
    let decided = tx.conn.execute(
        "UPDATE risk_assessments SET decision = ?, decided_by = ?, decided_at = ?
         WHERE order_id = ? AND decision IS NULL AND level = 'investigate'",
        params![decision, actor, now, order],
    )?;
    Ok(decided > 0)
}

type AssessmentSql = (
    Id,
    Text,
    BigInt,
    Doc,
    Text,
    Nullable<Text>,
    Nullable<Text>,
    Ts,
    Nullable<Text>,
    Nullable<Ts>,
    Nullable<Text>,
);
type AssessmentTuple = (
    OrderId,
    RiskLevel,
    i64,
    Json<Vec<RiskFact>>,
    Email,
    Option<String>,
    Option<String>,
    Timestamp,
    Option<String>,
    Option<Timestamp>,
    Option<RiskDecision>,
);

/// How risky each of these orders is, as far as that is known.
pub fn of_orders(
    tx: &mut Tx<'_>,
    orders: impl Iterator<Item = OrderId>,
) -> Result<Vec<RiskAssessment>> {
    let rows = tx.conn.rows::<AssessmentSql, AssessmentTuple>(
        "SELECT r.order_id, r.level, r.score, r.facts, r.email, r.address_hash, r.card_fingerprint, r.assessed_at,
             r.decided_by, r.decided_at, r.decision
         FROM ? AS x JOIN risk_assessments r ON r.order_id = x.id",
        params![Batch::ids(orders.map(OrderId::uuid))],
    )?;
    let seen = |row: AssessmentTuple| {
        let (
            order_id,
            level,
            score,
            facts,
            email,
            address_hash,
            card_fingerprint,
            assessed_at,
            decided_by,
            decided_at,
            decision,
        ) = row;
        RiskAssessment {
            order_id,
            level,
            score,
            facts: facts.0,
            email,
            address_hash,
            card_fingerprint,
            assessed_at,
            decided_by,
            decided_at,
            decision,
        }
    };
    Ok(rows.into_iter().map(seen).collect())
}

/// How risky an order is.
pub fn get(tx: &mut Tx<'_>, order: OrderId) -> Result<RiskAssessment> {
    of_orders(tx, std::iter::once(order))?
        .pop()
        .ok_or_else(|| Error::not_found("risk assessment"))
}

const BLOCK: &str = "id, kind, value, note, created_by, created_at";
type BlockSql = (Id, Text, Text, Nullable<Text>, Text, Ts);
type BlockTuple = (
    RiskBlockId,
    RiskBlockKind,
    String,
    Option<String>,
    String,
    Timestamp,
);

fn block((id, kind, value, note, created_by, created_at): BlockTuple) -> RiskBlock {
    RiskBlock {
        id,
        kind,
        value,
        note,
        created_by,
        created_at,
    }
}

/// Writes an entry of the block list.
pub fn add(tx: &mut Tx<'_>, block: &RiskBlock) -> Result<()> {
    let added = tx.conn.execute(
        &format!("INSERT INTO risk_blocks ({BLOCK}) VALUES (?, ?, ?, ?, ?, ?)"),
        params![
            block.id,
            block.kind,
            block.value.as_str(),
            block.note.as_deref(),
            block.created_by.as_str(),
            block.created_at
        ],
    );
    added.map(drop).map_err(|error| match error.code {
        Code::AlreadyExists => {
            let message = format!("{} is blocked already.", block.value);
            Error::field(Code::AlreadyExists, "/value", "taken", message)
        }
        _ => error,
    })
}

/// Takes an entry off the block list.
pub fn remove(tx: &mut Tx<'_>, id: RiskBlockId) -> Result<RiskBlock> {
    let rows = tx.conn.rows::<BlockSql, BlockTuple>(
        &format!("DELETE FROM risk_blocks WHERE id = ? RETURNING {BLOCK}"),
        params![id],
    )?;
    rows.into_iter()
        .next()
        .map(block)
        .ok_or_else(|| Error::not_found("entry of the block list"))
}

/// Entries of the block list, newest first.
pub fn list(tx: &mut Tx<'_>, wishes: &ListBlocks, page: &PageRequest) -> Result<Vec<RiskBlock>> {
    let before = page
        .after
        .as_ref()
        .map_or(uuid::Uuid::max(), |position| position.id);
    let kind = wishes.kind.map(RiskBlockKind::as_str);
    let rows = tx.conn.rows::<BlockSql, BlockTuple>(
        &format!(
            "SELECT {BLOCK} FROM risk_blocks WHERE id < ? AND kind = COALESCE(?, kind) ORDER BY id DESC LIMIT ?"
        ),
        params![before, kind, page.fetch()],
    )?;
    Ok(rows.into_iter().map(block).collect())
}
