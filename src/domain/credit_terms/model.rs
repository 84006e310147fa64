use crate::kernel::ids::{CreditTermsId, OrderId};
use crate::kernel::money::Minor;
use crate::kernel::{Currency, Email, Money, Timestamp};
use crate::operation::Output;
use crate::{choice, input, output};

choice! {
    /// Whether something is sold on terms.
    CreditTermsStatus {
        /// It is, within the limit.
        Active = "active",
        /// Not for now.
        Hold = "hold",
    }
}

output! {
    /// What a business customer may owe, and for how long.
    CreditTerms {
        /// Its id.
        id: CreditTermsId,
        /// The customer's e-mail address.
        email: Email,
        /// The customer's company, or what the shop calls it.
        #[schema(required = true)]
        company: Option<String>,
        /// The currency.
        currency: Currency,
        /// How much may be owed.
        limit: Money,
        /// How much is owed now: what the unpaid invoices still await.
        exposure: Money,
        /// How much more may be owed.
        available: Money,
        /// How many days after its placement an order is to be paid.
        net_days: i64,
        /// Whether something is sold on these terms.
        status: CreditTermsStatus,
        /// How many days an invoice may be overdue before the terms go on hold by themselves; null = any.
        #[schema(required = true)]
        hold_after_days: Option<i64>,
        /// What there is to know.
        #[schema(required = true)]
        note: Option<String>,
        /// Raised by every change.
        version: i64,
        /// When they were given.
        created_at: Timestamp,
        /// When they were last changed.
        updated_at: Timestamp,
    }
    /// An invoice that should have been paid.
    OverdueInvoice {
        /// The order.
        order_id: OrderId,
        /// The order's number.
        number: String,
        /// The customer's e-mail address.
        email: Email,
        /// When it was to be paid.
        due_at: Timestamp,
        /// Whole days since.
        days_overdue: i64,
        /// What is still to be paid.
        outstanding: Money,
    }
}

impl Output for CreditTerms {
    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}
impl Output for OverdueInvoice {}

input! {
    /// Gives a business customer credit terms, or changes them: all of them are said.
    SetCreditTerms {
        /// The customer's e-mail address; letters count alike in either case.
        email: Email,
        /// The currency. A customer has terms once in each.
        currency: Currency,
        /// The version the terms must have; in REST `If-Match`. 0 where there must be none.
        expected_version: Option<i64>,
        /// The customer's company, or what the shop calls it.
        company: Option<String>,
        /// How much may be owed, in minor units.
        limit: Minor,
        /// How many days after its placement an order is to be paid, 7 to 90.
        net_days: i64,
        /// Whether something is sold on these terms; `active` when left out.
        status: Option<CreditTermsStatus>,
        /// How many days an invoice may be overdue before the terms go on hold by themselves, 0 to 365; any when left out.
        hold_after_days: Option<i64>,
        /// What there is to know.
        note: Option<String>,
    }
}
