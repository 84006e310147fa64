//! The outbox relay: hands every event, in order, to whoever subscribes inside this binary, then marks it.
//!
//! An event that was handed on and not yet marked is handed on again after a crash: at least once, never lost.

use diesel::sql_types::{BigInt, Text};
use uuid::Uuid;

use crate::context::{Cx, Tx};
use crate::kernel::column::{Doc, Id};
use crate::kernel::ids::EventId;
use crate::kernel::param::AnyId;
use crate::kernel::{Batch, Document, Json, Result};
use crate::params;

/// How many events are handed on in one transaction.
const BATCH: i64 = 200;

/// An event on its way to a subscriber.
pub struct Relay {
    /// Its id, the same however often it is handed on.
    pub id: EventId,
    /// What happened.
    pub kind: String,
    /// What it happened to.
    pub subject: Uuid,
    /// The how-manieth event of its subject it is.
    pub sequence: i64,
    /// What there is to know.
    pub data: Document,
}

type Row = (EventId, String, AnyId, i64, Json<Document>);

/// Hands on what waits. `subscriber` runs in the marking transaction: what it writes or enqueues is committed with the mark.
pub async fn relay(cx: &Cx, subscriber: fn(&mut Tx<'_>, &Relay) -> Result<()>) -> Result<()> {
    loop {
        let count = cx
            .write(move |tx| {
                let rows = tx.conn.rows::<(Id, Text, Id, BigInt, Doc), Row>(
                    "SELECT id, kind, subject, sequence, data FROM events WHERE relayed_at IS NULL ORDER BY id LIMIT ?",
                    params![BATCH],
                )?;
                let ids = Batch::ids(rows.iter().map(|row| row.0.uuid()));
                let count = rows.len();
                for (id, kind, subject, sequence, data) in rows {
                    let event = Relay { id, kind, subject: subject.uuid(), sequence, data: data.0 };
                    subscriber(tx, &event)?;
                }
                if count > 0 {
                    let now = tx.now;
                    tx.conn.execute(
                        "UPDATE events SET relayed_at = ? WHERE id IN (SELECT id FROM ? AS x)",
                        params![now, ids],
                    )?;
                }
                Ok(count)
            })
            .await?;
        if count == 0 {
            return Ok(());
        }
    }
}
