//! Payments that people make: bank transfer, cash on delivery, invoice. The order is placed at once and the money is awaited;
//! somebody records it when it comes.

use crate::kernel::Document;
use crate::ports::payment::{
    Abilities, Authorize, Captures, LocalPayments, Move, MovementKind, Outcome, PaymentProvider,
    Reach, Report, State,
};

/// The provider `manual`.
pub struct Manual;

impl LocalPayments for Manual {
    fn decide(&self, request: &Authorize) -> Outcome {
        Outcome::Known(Box::new(Report {
            reference: request.payment.to_string(),
            money: request.amount,
            state: State::Awaited,
            movements: Vec::new(),
            facts: Document::default(),
        }))
    }

    fn shift(&self, _: MovementKind, _: &Move) -> Outcome {
        Outcome::not_supported()
    }
}

impl PaymentProvider for Manual {
    fn name(&self) -> &'static str {
        "manual"
    }

    fn methods(&self) -> &'static [&'static str] {
        &["bank_transfer", "cash_on_delivery", "invoice"]
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            opens: false,
            captures: Captures::None,
            voids: false,
            refunds: false,
        }
    }

    fn reach(&self) -> Reach<'_> {
        Reach::Local(self)
    }
}
