use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::attempts::{self, AttemptLine};
use super::model::{
    AccountBalance, AttemptRow, LedgerBalances, Payment, PaymentAttempt, PaymentAttemptLine,
    PaymentDetails, PaymentEvent, PaymentEventEntry, PaymentEventKind, PaymentRow,
};
use super::{GetLedgerBalances, GetPayment, ListPayments, queries};
use crate::context::Tx;
use crate::kernel::column::{Doc, Id, Ts};
use crate::kernel::ids::{PaymentEventId, PaymentId};
use crate::kernel::money::Minor;
use crate::kernel::page::{PageRequest, Position, SortKey};
use crate::kernel::{Currency, Document, Error, Json, Page, Result, Timestamp};
use crate::operation::Query;
use crate::schema::payments;
use crate::{on, params};

impl Query for GetPayment {
    fn run(&self, tx: &mut Tx<'_>) -> Result<PaymentDetails> {
        details(tx, self.id)
    }
}

/// A payment with everything that happened to it: four statements.
pub fn details(tx: &mut Tx<'_>, id: PaymentId) -> Result<PaymentDetails> {
    type Row = (
        PaymentEventId,
        PaymentEventKind,
        i64,
        String,
        Json<Document>,
        Timestamp,
    );
    tx.flush()?;
    let row = queries::row(tx, id)?.ok_or_else(|| Error::not_found("payment"))?;
    let happened = tx.conn.rows::<(Id, Text, BigInt, Text, Doc, Ts), Row>(
        "SELECT id, kind, amount, provider_reference, data, created_at FROM payment_events
         WHERE payment_id = ? ORDER BY sequence, id",
        params![id],
    )?;
    let attempts = attempts::of_payment(tx, id)?;
    let mut lines = attempts::lines_of_payment(tx, id)?;
    let events: Vec<PaymentEvent> = happened
        .iter()
        .map(|(_, kind, amount, ..)| PaymentEvent {
            kind: *kind,
            amount: *amount,
        })
        .collect();
    Ok(PaymentDetails {
        checkout_id: row.checkout_id,
        facts: row.facts.clone().unwrap_or_default().0,
        events: happened
            .into_iter()
            .map(
                |(id, kind, amount, reference, data, at)| PaymentEventEntry {
                    id,
                    kind,
                    amount: row.of(amount),
                    reference,
                    data: data.0,
                    at,
                },
            )
            .collect(),
        attempts: attempts
            .into_iter()
            .map(|a| seen(&row, lines.remove(&a.id).unwrap_or_default(), a))
            .collect(),
        payment: super::Standing::of(&events).into_payment(row),
    })
}

fn seen(payment: &PaymentRow, lines: Vec<AttemptLine>, attempt: AttemptRow) -> PaymentAttempt {
    let line = |line: AttemptLine| PaymentAttemptLine {
        line_id: line.line_id,
        quantity: line.quantity,
        amount: payment.of(line.amount),
    };
    PaymentAttempt {
        lines: lines.into_iter().map(line).collect(),
        id: attempt.id,
        kind: attempt.kind,
        amount: payment.of(attempt.amount),
        status: attempt.status,
        reason: attempt.reason,
        shipment: attempt.shipment,
        failure: attempt.failure,
        created_at: attempt.created_at,
        finished_at: attempt.finished_at,
    }
}

impl Query for ListPayments {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<Payment>> {
        let page = PageRequest::new(
            &tx.app().cursors,
            "payments",
            self.first,
            self.after.as_deref(),
        )?;
        let rows: Vec<PaymentRow> = on!(tx.conn, |c| {
            let mut query = payments::table
                .order(payments::id.desc())
                .limit(page.fetch())
                .select(PaymentRow::as_select())
                .into_boxed();
            if let Some(checkout) = self.checkout_id {
                query = query.filter(payments::checkout_id.eq(checkout));
            }
            if let Some(provider) = &self.provider {
                query = query.filter(payments::provider.eq(provider));
            }
            if let Some(after) = &page.after {
                query = query.filter(payments::id.lt(PaymentId::from_uuid(after.id)));
            }
            query.load(c)
        })?;
        page.page(
            rows,
            |payment| Position {
                key: SortKey::Id,
                id: payment.id.uuid(),
            },
            |rows| queries::complete(tx, rows),
        )
    }
}

impl Query for GetLedgerBalances {
    fn run(&self, tx: &mut Tx<'_>) -> Result<LedgerBalances> {
        let rows = tx.conn.rows::<(Text, Text, BigInt, BigInt), (String, Currency, i64, i64)>(
            "SELECT account, currency, CAST(sum(CASE WHEN phase IN ('post', 'direct') THEN amount ELSE 0 END) AS bigint),
                 CAST(sum(CASE phase WHEN 'pending' THEN amount WHEN 'direct' THEN 0 ELSE -amount END) AS bigint)
             FROM (SELECT debit AS account, currency, phase, amount FROM ledger_transfers
                   UNION ALL SELECT credit, currency, phase, -amount FROM ledger_transfers) AS sides
             GROUP BY account, currency ORDER BY account, currency",
            vec![],
        )?;
        let accounts = rows
            .into_iter()
            .map(|(account, currency, balance, pending)| AccountBalance {
                account,
                currency,
                balance: Minor(balance),
                pending: Minor(pending),
            })
            .collect();
        Ok(LedgerBalances { accounts })
    }
}
