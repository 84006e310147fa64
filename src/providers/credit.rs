//! Gift cards and store credit as payment providers: their money is in the shop's own ledger, so every movement is carried
//! out in the transaction that asks for it, by the flows. A checkout names cards by their codes and never this provider.

use crate::kernel::Document;
use crate::ports::payment::{
    Abilities, Authorize, Captures, LocalPayments, Move, Movement, MovementKind, Outcome,
    PaymentProvider, Reach, Report, State,
};

/// The providers `gift_card` and `store_credit`.
#[derive(Clone, Copy, Debug)]
pub enum Credit {
    /// `gift_card`
    GiftCard,
    /// `store_credit`
    StoreCredit,
}

impl LocalPayments for Credit {
    /// What credit pays is redeemed with the order and asks nobody.
    fn decide(&self, _: &Authorize) -> Outcome {
        Outcome::not_supported()
    }

    /// A redemption is authorised and captured at once, so that only giving back is left.
    fn shift(&self, kind: MovementKind, request: &Move) -> Outcome {
        if kind != MovementKind::Refund {
            return Outcome::not_supported();
        }
        Outcome::Known(Box::new(Report {
            reference: request.reference.clone(),
            money: request.of,
            state: State::Authorized { expires_at: None },
            movements: vec![Movement {
                kind,
                reference: request.attempt.to_string(),
                attempt: Some(request.attempt),
                amount: request.amount.amount,
                data: Document::default(),
            }],
            facts: Document::default(),
        }))
    }
}

impl PaymentProvider for Credit {
    fn name(&self) -> &'static str {
        match self {
            Self::GiftCard => "gift_card",
            Self::StoreCredit => "store_credit",
        }
    }

    fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::GiftCard => &["gift_card"],
            Self::StoreCredit => &["store_credit"],
        }
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            opens: false,
            captures: Captures::None,
            voids: false,
            refunds: true,
        }
    }

    fn reach(&self) -> Reach<'_> {
        Reach::Local(self)
    }
}
