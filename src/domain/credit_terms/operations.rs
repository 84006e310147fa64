use std::time::Duration;

use super::model::{CreditTerms, CreditTermsStatus, OverdueInvoice, SetCreditTerms};
use super::queries::{self, TermsRow};
use super::{GetCreditTerm, ListCreditTerms, ListOverdueInvoices};
use crate::context::{Cx, Tx};
use crate::domain::orders;
use crate::kernel::ids::CreditTermsId;
use crate::kernel::page::{PageRequest, Position, SortKey};
use crate::kernel::{Checks, Code, Email, Error, FieldError, Money, Page, Result, Timestamp};
use crate::operation::{Mutation, Query};
use crate::sabotage::Guard;

const DAY: i64 = 86_400_000_000;

impl Query for GetCreditTerm {
    fn run(&self, tx: &mut Tx<'_>) -> Result<CreditTerms> {
        let row = queries::find(tx, self.id)?.ok_or_else(|| Error::not_found("credit terms"))?;
        Ok(complete(tx, vec![row])?.remove(0))
    }
}

impl Query for ListCreditTerms {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<CreditTerms>> {
        Checks::new().email("/email", self.email.as_ref()).done()?;
        let page = PageRequest::new(
            &tx.app().cursors,
            "credit_terms",
            self.first,
            self.after.as_deref(),
        )?;
        let rows = queries::list(tx, self, &page)?;
        page.page(
            rows,
            |terms| Position {
                key: SortKey::Id,
                id: terms.id.uuid(),
            },
            |rows| complete(tx, rows),
        )
    }
}

impl Query for ListOverdueInvoices {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<OverdueInvoice>> {
        Checks::new().email("/email", self.email.as_ref()).done()?;
        let page = PageRequest::new(
            &tx.app().cursors,
            "overdue_invoices",
            self.first,
            self.after.as_deref(),
        )?;
        let rows = queries::overdue(tx, self, &page)?;
        let now = tx.now;
        let seen = |row: queries::Overdue| {
            let (order_id, number, email, currency, due_at, amount) = row;
            OverdueInvoice {
                order_id,
                number,
                email,
                due_at,
                days_overdue: (now.micros() - due_at.micros()) / DAY,
                outstanding: Money { amount, currency },
            }
        };
        page.page(
            rows,
            |row| Position {
                key: SortKey::Int(row.4.micros()),
                id: row.0.uuid(),
            },
            |rows| Ok(rows.into_iter().map(seen).collect()),
        )
    }
}

impl Mutation for SetCreditTerms {
    fn run(&self, tx: &mut Tx<'_>) -> Result<CreditTerms> {
        self.check()?;
        let old = queries::lock(tx, &self.email, self.currency)?;
        let version = old.as_ref().map_or(0, |old| old.version);
        Error::unless_version(self.expected_version, version)?;
        let mut row = TermsRow {
            id: old.as_ref().map_or_else(CreditTermsId::new, |old| old.id),
            email: self.email.clone(),
            company: self.company.clone(),
            currency: self.currency,
            limit: self.limit.0,
            net_days: self.net_days,
            status: self.status.unwrap_or(CreditTermsStatus::Active),
            hold_after_days: self.hold_after_days,
            note: self.note.clone(),
            version,
            created_at: old.as_ref().map_or(tx.now, |old| old.created_at),
            updated_at: old.as_ref().map_or(tx.now, |old| old.updated_at),
        };
        if old.as_ref() == Some(&row) {
            return Ok(complete(tx, vec![row])?.remove(0));
        }
        row.version += 1;
        row.updated_at = tx.now;
        if old.is_some() {
            queries::update(tx, &row)?;
        } else {
            queries::insert(tx, &row)?;
            orders::put_on_terms(tx, &self.email, self.currency, self.net_days)?;
        }
        let facts = serde_json::json!({
            "creditTermsId": row.id, "status": row.status, "netDays": row.net_days,
            "limit": { "amount": row.limit, "currency": row.currency },
        });
        tx.publish("credit_terms.set", row.id.uuid(), &facts);
        Ok(complete(tx, vec![row])?.remove(0))
    }
}

impl SetCreditTerms {
    fn check(&self) -> Result<()> {
        let mut checks = Checks::new();
        checks
            .email("/email", &self.email)
            .range("/limit", self.limit.0, 0, 1_000_000_000_000)
            .range("/netDays", self.net_days, 7, 90)
            .range("/holdAfterDays", self.hold_after_days.unwrap_or(0), 0, 365);
        if let Some(company) = &self.company {
            checks.text("/company", company, 200);
        }
        if let Some(note) = &self.note {
            checks.text("/note", note, 500);
        }
        checks.done()
    }
}

/// Terms as clients see them: one statement more for any number.
fn complete(tx: &mut Tx<'_>, rows: Vec<TermsRow>) -> Result<Vec<CreditTerms>> {
    let owed = queries::exposures(tx, rows.iter().map(|row| row.id))?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let currency = row.currency;
            let money = |amount| Money { amount, currency };
            let exposure = owed.get(&row.id).copied().unwrap_or_default();
            CreditTerms {
                id: row.id,
                email: row.email,
                company: row.company,
                currency,
                limit: money(row.limit),
                exposure: money(exposure),
                available: money((row.limit - exposure).max(0)),
                net_days: row.net_days,
                status: row.status,
                hold_after_days: row.hold_after_days,
                note: row.note,
                version: row.version,
                created_at: row.created_at,
                updated_at: row.updated_at,
            }
        })
        .collect())
}

/// Refuses to check out by invoice what is beyond the customer's credit; says whether there are terms. The order is checked
/// again when it is placed: only then nobody else can come in between.
pub fn refuse_beyond(
    tx: &mut Tx<'_>,
    email: &Email,
    total: Money,
    needs_terms: bool,
) -> Result<bool> {
    let Some(terms) = queries::of(tx, email, total.currency)? else {
        if needs_terms {
            let message =
                "An invoice is for customers on credit terms alone; choose another way to pay.";
            let code = Code::ValidationFailed;
            return Err(Error::field(
                code,
                "/payment/method",
                "needs_terms",
                message,
            ));
        }
        return Ok(false);
    };
    refuse(tx, &terms, total.amount)?;
    Ok(true)
}

/// Has an order take its share of the customer's credit, until the transaction ends alone with the terms; says when it is to
/// be paid.
pub fn take(tx: &mut Tx<'_>, email: &Email, total: Money) -> Result<Option<Timestamp>> {
    let Some(terms) = queries::lock(tx, email, total.currency)? else {
        return Ok(None);
    };
    if !tx.app().sabotage.removed(Guard::CreditLimit) {
        refuse(tx, &terms, total.amount)?;
    }
    Ok(Some(due(tx.now, &terms)))
}

fn due(placed_at: Timestamp, terms: &TermsRow) -> Timestamp {
    let days = terms.net_days.unsigned_abs();
    placed_at.plus(Duration::from_hours(24 * days))
}

fn refuse(tx: &mut Tx<'_>, terms: &TermsRow, total: i64) -> Result<()> {
    let refused = |code: Code, field: &'static str, available: i64, detail: String| {
        let field = FieldError::new("/payment/method", field, detail.clone());
        let available = Some(available);
        Err(Error::new(code, detail).with(vec![FieldError { available, ..field }]))
    };
    if terms.status == CreditTermsStatus::Hold {
        let detail = "Nothing is sold on these credit terms for now; choose another way to pay.";
        return refused(Code::CreditOnHold, "credit_on_hold", 0, detail.to_owned());
    }
    let owed = queries::exposures(tx, std::iter::once(terms.id))?;
    let owed = owed.get(&terms.id).copied().unwrap_or_default();
    let available = (terms.limit - owed).max(0);
    if total <= available {
        return Ok(());
    }
    let money = |amount| Money {
        amount,
        currency: terms.currency,
    };
    let (wanted, left) = (money(total), money(available));
    let detail = format!("The order is for {wanted}, and {left} of the credit is left.");
    refused(
        Code::CreditLimitExceeded,
        "credit_limit_exceeded",
        available,
        detail,
    )
}

/// The job: puts terms on hold on which something has been overdue for longer than they allow.
pub async fn hold_overdue(cx: Cx) -> Result<()> {
    cx.write(|tx| {
        for (id, email) in queries::hold_overdue(tx)? {
            let facts = serde_json::json!({ "creditTermsId": id, "email": email });
            tx.publish("credit_terms.on_hold", id.uuid(), &facts);
        }
        Ok(())
    })
    .await
}

/// Whether a payment is by invoice.
pub fn is_invoice(provider: &str, method: &str) -> bool {
    (provider, method) == ("manual", "invoice")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Currency;

    #[test]
    fn an_order_is_due_so_many_days_after_its_placement() {
        let now = Timestamp::from_micros(1_000_000);
        let terms = TermsRow {
            id: CreditTermsId::new(),
            email: "a@example.com".into(),
            company: None,
            currency: "EUR".parse::<Currency>().unwrap(),
            limit: 0,
            net_days: 30,
            status: CreditTermsStatus::Active,
            hold_after_days: None,
            note: None,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        assert_eq!(due(now, &terms).micros(), now.micros() + 30 * DAY);
    }
}
