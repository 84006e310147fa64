//! Credit terms: what a business customer may owe, and for how long.
//!
//! Terms are for an e-mail address and a currency. Whoever has them and pays by invoice (provider `manual`, method `invoice`)
//! is sold to within the limit, and owes net so many days after the placement. What is owed is never stored: it is what the
//! invoices' payments still await. The limit holds however many orders are placed at once, because the row of the terms is
//! locked while an order is checked against it.
//!
//! Whoever has no terms pays by invoice as they like, unless the channel says `invoiceNeedsTerms`.

mod model;
mod operations;
mod queries;

pub use model::{CreditTerms, CreditTermsStatus, OverdueInvoice, SetCreditTerms};
pub use operations::{hold_overdue, is_invoice, refuse_beyond, take};

use crate::auth::{Access, Scope};
use crate::kernel::ids::CreditTermsId;
use crate::kernel::{Email, Page};

crate::operations! {
    queries CreditTermsQueries {
        /// Finds credit terms, with what is owed on them.
        credit_term(id: CreditTermsId): GetCreditTerm => Option<CreditTerms>, GET "/credit-terms/{id}", Access::scope(Scope::CreditTermsRead);
        /// Lists credit terms, newest first, with what is owed on them.
        credit_terms(email: Option<Email>, status: Option<CreditTermsStatus>, #[serde(rename = "limit")] first: Option<i64>,
                     after: Option<String>): ListCreditTerms => Page<CreditTerms>,
            GET "/credit-terms", Access::scope(Scope::CreditTermsRead);
        /// Lists invoices that should have been paid, the longest overdue first.
        overdue_invoices(email: Option<Email>, #[serde(rename = "limit")] first: Option<i64>, after: Option<String>):
            ListOverdueInvoices => Page<OverdueInvoice>, GET "/overdue-invoices", Access::scope(Scope::CreditTermsRead);
    }
    mutations CreditTermsMutations {
        /// Gives a business customer credit terms, or changes them. What they owe already counts.
        set_credit_terms: SetCreditTerms => CreditTerms, POST "/credit-terms", Access::scope(Scope::CreditTermsWrite);
    }
}
