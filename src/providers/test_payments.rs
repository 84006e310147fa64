//! A provider without money, for development and tests: the token says what happens.
//!
//! | token | what happens |
//! |---|---|
//! | `approve`, or none | authorised |
//! | `decline` | declined, `card_declined` |
//! | `action` | the shopper must act first |
//! | `timeout` | no answer; looked up later, the money was reserved |
//! | `timeout_lost` | no answer; looked up later, the provider never heard of it |
//!
//! It remembers nothing: the same question has the same answer, before and after a restart. With [`TestPayments::remote`] it
//! answers as over a network, after a pause.

use std::time::Duration;

use crate::ports::payment::{Authorize, Call, LocalPayments, Outcome, PaymentProvider, Reach};

/// The provider `test`, and `test_remote`.
pub struct TestPayments {
    pause: Option<Duration>,
}

impl TestPayments {
    /// Decides in this process: `test`.
    pub fn local() -> Self {
        Self { pause: None }
    }

    /// Decides as if far away: `test_remote`.
    pub fn remote(pause: Duration) -> Self {
        Self { pause: Some(pause) }
    }

    fn later(&self, request: &Authorize) -> Outcome {
        let reference = reference(request);
        match request.token.as_deref() {
            Some("timeout") => Outcome::Authorized { reference },
            Some("timeout_lost") => Outcome::Declined {
                reference,
                reason: "not_found".into(),
            },
            _ => self.decide(request),
        }
    }
}

fn reference(request: &Authorize) -> String {
    format!("test_{}", request.payment)
}

impl LocalPayments for TestPayments {
    fn decide(&self, request: &Authorize) -> Outcome {
        let reference = reference(request);
        match request.token.as_deref() {
            None | Some("approve") => Outcome::Authorized { reference },
            Some("action") => Outcome::ActionRequired {
                url: format!("https://pay.example/{reference}"),
                reference,
            },
            Some("timeout" | "timeout_lost") => Outcome::Unknown,
            Some("decline") => Outcome::Declined {
                reference,
                reason: "card_declined".into(),
            },
            Some(_) => Outcome::Declined {
                reference,
                reason: "invalid_token".into(),
            },
        }
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

    fn reach(&self) -> Reach<'_> {
        if self.pause.is_some() {
            Reach::Remote
        } else {
            Reach::Local(self)
        }
    }

    fn authorize<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        Box::pin(async {
            tokio::time::sleep(self.pause.unwrap_or_default()).await;
            self.decide(request)
        })
    }

    fn look_up<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        Box::pin(async {
            tokio::time::sleep(self.pause.unwrap_or_default()).await;
            self.later(request)
        })
    }
}
