//! A provider without money, for development and tests: the token says what happens.
//!
//! | token | what happens |
//! |---|---|
//! | `approve`, or none | authorised; captures and refunds succeed |
//! | `decline` | declined, `card_declined` |
//! | `action` | the shopper must act first |
//! | `timeout` | no answer; looked up later, the money was reserved |
//! | `timeout_lost` | no answer; looked up later, the provider never heard of it |
//! | `wrong_amount` | authorised for one minor unit less than was asked for |
//! | `no_capture` | authorised; captures are refused, `capture_declined` |
//! | `risk_elevated`, `risk_highest` | authorised, with that `risk_level` among the facts |
//! | `card_…` | authorised; the rest of the token is the card's fingerprint |
//! | `no_refund` | authorised; refunds are refused, `refund_declined` |
//!
//! For every customer it keeps one payment method, a card whose token is `approve`.
//!
//! It remembers nothing: the same question has the same answer, before and after a restart. With [`TestPayments::remote`] it
//! answers as over a network, after a pause.

use std::future::ready;
use std::time::Duration;

use crate::kernel::Document;
use crate::kernel::ids::PaymentCustomerId;
use crate::ports::payment::{
    Abilities, Authorize, Call, Captures, LocalPayments, Move, Movement, MovementKind, Outcome,
    PaymentProvider, Reach, Report, State,
};
use crate::ports::wallet::{Asked, KeptMethod, Setup, Wallet};

/// The provider `test`, and `test_remote`.
pub struct TestPayments {
    pause: Option<Duration>,
}

impl TestPayments {
    /// Decides in this process: `test`.
    pub const fn local() -> Self {
        Self { pause: None }
    }

    /// Decides as if far away: `test_remote`.
    pub fn remote(pause: Duration) -> Self {
        Self { pause: Some(pause) }
    }

    fn later(&self, request: &Authorize) -> Outcome {
        match request.token.as_deref() {
            Some("timeout") => report(request, AUTHORIZED),
            Some("timeout_lost") => Outcome::Refused {
                reason: "not_found".into(),
            },
            _ => self.decide(request),
        }
    }

    async fn after_a_pause(&self, outcome: Outcome) -> Outcome {
        tokio::time::sleep(self.pause.unwrap_or_default()).await;
        outcome
    }
}

const AUTHORIZED: State = State::Authorized { expires_at: None };

/// The token is in the reference, so that a movement knows it.
fn reference(request: &Authorize) -> String {
    let token = request.token.as_deref().unwrap_or("approve");
    format!("test_{token}_{}", request.payment)
}

fn report(request: &Authorize, state: State) -> Outcome {
    let reference = reference(request);
    let captured = request.capture && matches!(state, State::Authorized { .. });
    let movement = |kind| Movement {
        kind,
        reference: format!("{reference}_capture"),
        attempt: None,
        amount: request.amount.amount,
        data: Document::default(),
    };
    Outcome::Known(Box::new(Report {
        money: request.amount,
        state,
        movements: captured
            .then(|| movement(MovementKind::Capture))
            .into_iter()
            .collect(),
        facts: facts(request.token.as_deref().unwrap_or_default()),
        reference,
    }))
}

/// What is known of the instrument and the risk.
fn facts(token: &str) -> Document {
    let mut facts = Document::default();
    if let Some(level) = token.strip_prefix("risk_") {
        facts.0.insert("risk_level".into(), level.into());
    }
    if let Some(card) = token.strip_prefix("card_") {
        facts.0.insert("card_fingerprint".into(), card.into());
    }
    facts
}

impl LocalPayments for TestPayments {
    fn decide(&self, request: &Authorize) -> Outcome {
        let declined = |reason: &str| State::Declined {
            reason: reason.to_owned(),
        };
        let state = match request.token.as_deref() {
            None
            | Some("approve" | "no_capture" | "no_refund" | "risk_elevated" | "risk_highest") => {
                AUTHORIZED
            }
            Some(token) if token.starts_with("card_") => AUTHORIZED,
            Some("action") => State::ActionRequired {
                url: Some(format!("https://pay.example/{}", reference(request))),
                client_secret: None,
            },
            Some("timeout" | "timeout_lost") => return Outcome::Unknown,
            Some("wrong_amount") => {
                let mut less = request.clone();
                less.amount.amount -= 1;
                return report(&less, AUTHORIZED);
            }
            Some("decline") => declined("card_declined"),
            Some(_) => declined("invalid_token"),
        };
        report(request, state)
    }

    fn shift(&self, kind: MovementKind, request: &Move) -> Outcome {
        let refused = |reason: &str| Outcome::Refused {
            reason: reason.to_owned(),
        };
        if kind == MovementKind::Capture && request.reference.contains("no_capture") {
            return refused("capture_declined");
        }
        if kind == MovementKind::Refund && request.reference.contains("no_refund") {
            return refused("refund_declined");
        }
        Outcome::Known(Box::new(Report {
            reference: request.reference.clone(),
            money: request.of,
            state: AUTHORIZED,
            movements: vec![Movement {
                kind,
                reference: format!("test_{}", request.attempt),
                attempt: Some(request.attempt),
                amount: request.amount.amount,
                data: Document::default(),
            }],
            facts: Document::default(),
        }))
    }
}

impl Wallet for TestPayments {
    fn create_customer<'a>(
        &'a self,
        customer: PaymentCustomerId,
        _: i64,
        _: &'a str,
    ) -> Asked<'a, String> {
        Box::pin(ready(Ok(format!("test_{customer}"))))
    }

    fn set_up<'a>(&'a self, _: &'a str, _: &'a str) -> Asked<'a, Setup> {
        Box::pin(ready(Ok(Setup::default())))
    }

    fn list<'a>(&'a self, _: &'a str) -> Asked<'a, Vec<KeptMethod>> {
        let card = KeptMethod {
            reference: "approve".into(),
            kind: "card".into(),
            brand: Some("visa".into()),
            last4: Some("4242".into()),
            expiry_month: Some(12),
            expiry_year: Some(2040),
        };
        Box::pin(ready(Ok(vec![card])))
    }

    fn forget<'a>(&'a self, _: &'a str) -> Asked<'a, ()> {
        Box::pin(ready(Ok(())))
    }
}

impl PaymentProvider for TestPayments {
    fn name(&self) -> &'static str {
        if self.pause.is_some() {
            "test_remote"
        } else {
            "test"
        }
    }

    fn methods(&self) -> &'static [&'static str] {
        &["card"]
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            opens: false,
            captures: Captures::Many,
            voids: true,
            refunds: true,
        }
    }

    fn reach(&self) -> Reach<'_> {
        if self.pause.is_some() {
            Reach::Remote
        } else {
            Reach::Local(self)
        }
    }

    fn wallet(&self) -> Option<&dyn Wallet> {
        Some(self)
    }

    fn authorize<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        Box::pin(self.after_a_pause(self.decide(request)))
    }

    fn look_up<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        Box::pin(self.after_a_pause(self.later(request)))
    }

    fn capture<'a>(&'a self, request: &'a Move) -> Call<'a> {
        Box::pin(self.after_a_pause(self.shift(MovementKind::Capture, request)))
    }

    fn void<'a>(&'a self, request: &'a Move) -> Call<'a> {
        Box::pin(self.after_a_pause(self.shift(MovementKind::Void, request)))
    }

    fn refund<'a>(&'a self, request: &'a Move) -> Call<'a> {
        Box::pin(self.after_a_pause(self.shift(MovementKind::Refund, request)))
    }
}
