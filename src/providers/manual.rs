//! Payments that people make: bank transfer, cash on delivery, invoice. The order is placed at once and the money is awaited.

use crate::ports::payment::{Authorize, Call, LocalPayments, Outcome, PaymentProvider, Reach};

/// The provider `manual`.
pub struct Manual;

impl LocalPayments for Manual {
    fn decide(&self, request: &Authorize) -> Outcome {
        Outcome::Pending {
            reference: request.payment.to_string(),
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

    fn reach(&self) -> Reach<'_> {
        Reach::Local(self)
    }

    fn authorize<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        Box::pin(async { self.decide(request) })
    }

    fn look_up<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        Box::pin(async { self.decide(request) })
    }
}
