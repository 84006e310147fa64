//! Payments that people make: bank transfer, cash on delivery, invoice. The order is placed at once and the money is awaited;
//! somebody records it when it comes.

use crate::kernel::{Code, Document, Error};
use crate::ports::payment::{
    Abilities, Authorize, Call, Captures, LocalPayments, Move, MovementKind, Outcome,
    PaymentProvider, RawNotice, Reach, Reading, Report, State,
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
        Outcome::Refused {
            reason: "not_supported".into(),
        }
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

    fn authorize<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        Box::pin(async { self.decide(request) })
    }

    fn look_up<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        Box::pin(async { self.decide(request) })
    }

    fn capture<'a>(&'a self, request: &'a Move) -> Call<'a> {
        Box::pin(async { self.shift(MovementKind::Capture, request) })
    }

    fn void<'a>(&'a self, request: &'a Move) -> Call<'a> {
        Box::pin(async { self.shift(MovementKind::Void, request) })
    }

    fn refund<'a>(&'a self, request: &'a Move) -> Call<'a> {
        Box::pin(async { self.shift(MovementKind::Refund, request) })
    }

    fn read_notice<'a>(&'a self, _: &'a RawNotice<'a>) -> Reading<'a> {
        Box::pin(async { Err(Error::new(Code::NotFound, "manual has no webhooks.")) })
    }
}
