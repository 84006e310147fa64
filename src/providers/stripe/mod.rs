//! Stripe: payment intents, confirmed by the client (Stripe.js, mobile) or here with a token.
//!
//! | what | Stripe |
//! |---|---|
//! | authorise without a token | an unconfirmed payment intent; the client confirms it with the `client_secret` |
//! | authorise with `pm_…` or `ctoken_…` | a payment intent, confirmed at once |
//! | capture, void, refund | `capture`, `cancel`, `refunds`; then the intent is read again and all of it reported |
//! | look up | the intent by its id, else by searching for `metadata[payment]` |
//! | keep a method | a customer and a setup intent, which the client confirms with the `client_secret`; with a payment `setup_future_usage` |
//! | authorise with a kept method | a payment intent of the customer, confirmed at once, `off_session` where they are away |
//!
//! Every call that moves money carries an idempotency key that follows from what was recorded. Stripe keeps keys for 24
//! hours and repeats its first answer to the letter, a 500 as well, so an answer that says it is a repetition is not
//! believed but read anew. A lost answer, 409, 429, 5xx and what cannot be read are [`Outcome::Unknown`].
//!
//! Permissions a restricted key needs: payment intents (write), charges and refunds (write), disputes (read); for saved
//! instruments customers, payment methods and setup intents (write).
//!
//! Not done: several captures of one payment (the fact `multicapture` says where Stripe would), Connect beyond acting for one
//! account, answering disputes.

mod amount;
mod api;
mod notice;
mod report;
#[cfg(test)]
mod tests;
mod wallet;
mod wire;

use std::time::Duration;

use serde::de::{DeserializeOwned, IgnoredAny};

use self::amount::{step, to_stripe};
use self::api::{Api, Failure, Got, LIVE_IN_TEST, TEST_IN_LIVE};
use self::report::{Seen, report};
use self::wire::{Charge, Dispute, Intent, List, Named, Refund};
use crate::kernel::Secret;
use crate::kernel::ids::PaymentId;
use crate::kernel::{Clock, Error, Money, Result, Timestamp};
use crate::ports::payment::{
    Abilities, Authorize, Call, CannotTake, Captures, Move, MovementKind, Outcome, Owner,
    PaymentProvider, RawNotice, Reach, Reading, Report, State,
};
use crate::ports::wallet::Wallet;
use crate::providers::http::{Base, Http, escape};

/// The version of Stripe's API that this was written against; every call names it, so an account's default has no effect.
pub const VERSION: &str = "2025-09-30.clover";

/// Stripe's search finds a new intent within a minute; not found sooner than this means nothing.
const SEARCH_DELAY: Duration = Duration::from_mins(2);

/// Pages of a hundred that are read of the refunds of one payment, or of the methods of one customer.
const MOST_PAGES: usize = 20;

/// What Stripe needs to know of this shop.
#[derive(Clone, Debug)]
pub struct StripeSettings {
    /// `sk_…` or `rk_…`, of the mode that `livemode` says.
    pub key: Secret,
    /// Signing secrets of the webhook endpoint, `whsec_…`; several while one is being replaced.
    pub webhook_secrets: Vec<Secret>,
    /// Whether real money moves.
    pub livemode: bool,
    /// Where Stripe is; `https://api.stripe.com` unless a test has a double of it.
    pub base_url: Option<String>,
    /// The connected account on whose behalf, `acct_…`.
    pub account: Option<String>,
}

/// The provider `stripe`.
pub struct Stripe {
    api: Api,
    webhook_secrets: Vec<Secret>,
    livemode: bool,
    clock: Clock,
}

impl Stripe {
    /// Stripe with these settings. Refuses a key that is none or is of the other mode, and an address that is not safe.
    pub fn new(settings: StripeSettings, http: Http, clock: Clock) -> Result<Self> {
        let key = settings.key.reveal();
        let plain = key.bytes().all(|b| b.is_ascii_graphic());
        let mode = ["sk_", "rk_"]
            .iter()
            .filter(|_| plain)
            .find_map(|p| key.strip_prefix(p));
        let live = match mode.and_then(|rest| rest.split_once('_')) {
            Some(("live", rest)) if !rest.is_empty() => true,
            Some(("test", rest)) if !rest.is_empty() => false,
            _ => {
                let message =
                    "A secret key of Stripe begins with sk_test_, rk_test_, sk_live_ or rk_live_.";
                return Err(Error::invalid("stripe_key", "invalid", message));
            }
        };
        if live != settings.livemode {
            let message = "The key of Stripe is of the other mode than live mode is set to.";
            return Err(Error::invalid("stripe_key", "wrong_mode", message));
        }
        if settings
            .webhook_secrets
            .iter()
            .any(|s| s.reveal().is_empty())
        {
            let message = "A signing secret of a webhook must not be empty.";
            return Err(Error::invalid("stripe_webhook_secrets", "invalid", message));
        }
        let url = settings
            .base_url
            .as_deref()
            .unwrap_or("https://api.stripe.com");
        Ok(Self {
            api: Api {
                http,
                base: Base::new(url, !live)?,
                key: settings.key,
                account: settings.account,
            },
            webhook_secrets: settings.webhook_secrets,
            livemode: live,
            clock,
        })
    }

    async fn open(&self, request: &Authorize) -> Result<Report, Failure> {
        let Some(amount) = to_stripe(request.amount) else {
            return Err(Failure::Refused("amount_not_representable".into()));
        };
        let mut fields = vec![
            ("amount", amount.to_string()),
            ("currency", request.amount.currency.as_str().to_lowercase()),
            ("capture_method", capture_method(request).into()),
            ("metadata[payment]", request.payment.to_string()),
            ("description", format!("Payment {}", request.payment)),
            ("expand[]", "latest_charge.refunds".into()),
        ];
        if let Some(email) = &request.email {
            fields.push(("receipt_email", email.clone()));
        }
        if request.method == "card" {
            fields.push(("payment_method_types[]", "card".into()));
        } else {
            fields.push(("automatic_payment_methods[enabled]", "true".into()));
            let is_there = !request.off_session();
            if request.token.is_some() && request.return_url.is_none() && is_there {
                fields.push(("automatic_payment_methods[allow_redirects]", "never".into()));
            }
        }
        if let Some(keeper) = &request.keeper {
            fields.push(("customer", keeper.customer.clone()));
            if keeper.keep {
                fields.push(("setup_future_usage", "off_session".into()));
            }
        }
        if request.off_session() {
            fields.push(("off_session", "true".into()));
        }
        if let Some(token) = &request.token {
            fields.push(("confirm", "true".into()));
            fields.extend(self.instrument(token)?);
            fields.extend(request.return_url.clone().map(|url| ("return_url", url)));
        }
        let answer = self
            .api
            .post("/v1/payment_intents", &request.key(), &fields)
            .await;
        self.after(answer).await
    }

    /// Goes on with an intent that was opened before.
    async fn resume(&self, request: &Authorize, id: &str) -> Result<Report, Failure> {
        let intent = self.intent(id).await?;
        is_of(&intent, request.payment)?;
        let wants = matches!(
            intent.status.as_str(),
            "requires_payment_method" | "requires_confirmation"
        );
        let Some(token) = request.token.as_deref().filter(|_| wants) else {
            return self.complete(intent).await;
        };
        let mut fields = vec![("expand[]", "latest_charge.refunds".into())];
        if request.off_session() {
            fields.push(("off_session", "true".into()));
        }
        fields.extend(self.instrument(token)?);
        fields.extend(request.return_url.clone().map(|url| ("return_url", url)));
        let path = format!("/v1/payment_intents/{}/confirm", escape(id));
        let key = format!("{}:{token}", request.key());
        let answer = self.api.post(&path, &key, &fields).await;
        self.after(answer).await
    }

    /// The field that names the shopper's instrument.
    fn instrument(&self, token: &str) -> Result<[(&'static str, String); 1], Failure> {
        // The ready-made instruments of test mode have names that nobody else's can have.
        if self.livemode && token.starts_with("pm_card_") {
            return Err(Failure::Refused(TEST_IN_LIVE.into()));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let name = match token {
            _ if token.len() > 128 || !token.bytes().all(plain) => None,
            _ if token.starts_with("pm_") => Some("payment_method"),
            _ if token.starts_with("ctoken_") => Some("confirmation_token"),
            _ => None,
        };
        match name {
            Some(name) => Ok([(name, token.to_owned())]),
            None => Err(Failure::Refused("invalid_token".into())),
        }
    }

    /// What the answer to a confirmation means; a repeated one is old, so the intent is read.
    async fn after(&self, answer: Result<Got<Intent>, Failure>) -> Result<Report, Failure> {
        let (intent, replayed) = match answer {
            Ok(got) => (got.object, got.replayed),
            Err(Failure::Declined(intent, replayed)) => (*intent, replayed),
            Err(failure) => return Err(failure),
        };
        if replayed {
            return self.read(&intent.id).await;
        }
        self.complete(intent).await
    }

    async fn intent(&self, id: &str) -> Result<Intent, Failure> {
        let path = format!("/v1/payment_intents/{}", escape(id));
        let expand = [("expand[]", "latest_charge.refunds".to_owned())];
        self.look(&path, &expand).await
    }

    /// Reads. A question that is refused says nothing about the payment, unless the answer is that there is none.
    async fn look<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, String)],
    ) -> Result<T, Failure> {
        self.api.get(path, fields).await.map_err(unread)
    }

    /// All of a list, page by page; `id` names an element.
    async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&'static str, String)],
        id: impl Fn(&T) -> &str,
    ) -> Result<Vec<T>, Failure> {
        let mut all: Vec<T> = Vec::new();
        for _ in 0..MOST_PAGES {
            let mut fields = fields.to_vec();
            fields.push(("limit", "100".into()));
            fields.extend(
                all.last()
                    .map(|last| ("starting_after", id(last).to_owned())),
            );
            let list: List<T> = self.api.get(path, &fields).await?;
            let done = !list.has_more || list.data.is_empty();
            all.extend(list.data);
            if done {
                return Ok(all);
            }
        }
        tracing::error!(provider = "stripe", path, ?fields, "too many pages");
        Err(Failure::Unknown)
    }

    /// Everything Stripe knows of a payment.
    async fn read(&self, id: &str) -> Result<Report, Failure> {
        let intent = self.intent(id).await?;
        self.complete(intent).await
    }

    async fn complete(&self, intent: Intent) -> Result<Report, Failure> {
        if intent.livemode != self.livemode {
            tracing::error!(
                provider = "stripe",
                intent = intent.id,
                "an intent of the other mode"
            );
            let reason = if self.livemode {
                TEST_IN_LIVE
            } else {
                LIVE_IN_TEST
            };
            return Err(Failure::Refused(reason.into()));
        }
        let charge = intent.latest_charge.as_ref().and_then(Named::whole);
        let (mut refunds, mut disputes) = (Vec::new(), Vec::new());
        if let Some(charge) = charge.filter(|c| c.captured) {
            refunds = self.refunds(&intent.id, charge).await?;
            if charge.disputed {
                let fields = [
                    ("payment_intent", intent.id.clone()),
                    ("limit", "100".into()),
                ];
                let list: List<Dispute> = self.look("/v1/disputes", &fields).await?;
                disputes = list.data;
            }
        }
        let seen = Seen {
            intent,
            refunds,
            disputes,
        };
        report(&seen).ok_or_else(|| {
            let (id, status) = (&seen.intent.id, &seen.intent.status);
            tracing::error!(provider = "stripe", intent = %id, %status, "not understood");
            Failure::Unknown
        })
    }

    async fn refunds(&self, intent: &str, charge: &Charge) -> Result<Vec<Refund>, Failure> {
        if let Some(list) = charge.refunds.as_ref().filter(|list| !list.has_more) {
            return Ok(list.data.clone());
        }
        let of = [("payment_intent", intent.to_owned())];
        let all = self.pages("/v1/refunds", &of, |refund: &Refund| &refund.id);
        all.await.map_err(unread)
    }

    /// Finds the intent of a payment whose answer was lost. Stripe's search runs up to a minute behind.
    async fn search(&self, payment: PaymentId) -> Result<Report, Failure> {
        let text = format!("metadata['payment']:'{payment}'");
        let fields = [("query", text), ("limit", "10".into())];
        // An answer without a list, even 404, is no answer to the question.
        let path = "/v1/payment_intents/search";
        let found: List<Intent> = self
            .look(path, &fields)
            .await
            .map_err(|_| Failure::Unknown)?;
        // There is more than one only where a key was used again after Stripe had forgotten it.
        let best = found
            .data
            .into_iter()
            .max_by_key(|i| (i.status != "canceled", i.created));
        match best {
            Some(intent) => self.read(&intent.id).await,
            None if self.clock.now() < created(payment).plus(SEARCH_DELAY) => Err(Failure::Unknown),
            None => Err(Failure::Missing),
        }
    }

    /// Finds out, and refuses only what Stripe surely never heard of.
    async fn find(&self, request: &Authorize) -> Outcome {
        let found = match &request.reference {
            Some(id) => self.intent(id).await.and_then(|intent| {
                is_of(&intent, request.payment)?;
                Ok(intent)
            }),
            None => return outcome(self.search(request.payment).await),
        };
        match found {
            Ok(intent) => outcome(self.complete(intent).await),
            Err(failure) => outcome(Err(failure)),
        }
    }

    /// Does something with an intent, then reads all of it. A refusal is final only once the intent does not show it done:
    /// a repetition after 24 hours, when the key is forgotten, is refused because it was done.
    async fn shift(
        &self,
        kind: MovementKind,
        request: &Move,
        path: &str,
        fields: &[(&str, String)],
    ) -> Outcome {
        let done: Result<Got<IgnoredAny>, _> = self.api.post(path, &request.key(), fields).await;
        let refused = match done {
            Ok(_) => None,
            Err(Failure::Unknown) => return Outcome::Unknown,
            Err(failure) => Some(failure),
        };
        let Ok(mut report) = self.read(&request.reference).await else {
            // Where nothing can be read either, the key does not do, or there is no such intent.
            return match refused {
                Some(Failure::Missing) => outcome(Err(Failure::Missing)),
                Some(Failure::Refused(reason)) if reason == "provider_misconfigured" => {
                    Outcome::Refused { reason }
                }
                _ => Outcome::Unknown,
            };
        };
        if kind == MovementKind::Void && report.state == State::Cancelled {
            // Cancelling takes no metadata; cancelled is what was asked for.
            for movement in report.movements.iter_mut().filter(|m| m.kind == kind) {
                movement.attempt = Some(request.attempt);
            }
            return outcome(Ok(report));
        }
        let is_done = |report: &Report| {
            let mut movements = report.movements.iter();
            movements.any(|m| m.kind == kind && m.attempt == Some(request.attempt))
        };
        match refused {
            Some(failure) if !is_done(&report) => outcome(Err(failure)),
            _ => outcome(Ok(report)),
        }
    }
}

/// What a question that was not answered says of the object: nothing, unless the answer is that there is none.
fn unread(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(reason) if reason == TEST_IN_LIVE || reason == LIVE_IN_TEST => {
            Failure::Refused(reason)
        }
        Failure::Missing => Failure::Missing,
        _ => Failure::Unknown,
    }
}

fn capture_method(request: &Authorize) -> &'static str {
    if request.capture {
        "automatic"
    } else {
        "manual"
    }
}

/// When a payment's id was made: the first 48 bits of a UUIDv7 are milliseconds since 1970.
fn created(payment: PaymentId) -> Timestamp {
    let millis = i64::try_from(payment.uuid().as_u128() >> 80).unwrap_or(i64::MAX);
    Timestamp::from_micros(millis.saturating_mul(1000))
}

/// An intent that carries another payment's id is not to be touched.
fn is_of(intent: &Intent, payment: PaymentId) -> Result<(), Failure> {
    let named = intent.metadata.as_ref().and_then(|m| m.get("payment"));
    if named.is_some_and(|id| *id == payment.to_string()) {
        Ok(())
    } else {
        Err(Failure::Refused("reference_of_another_payment".into()))
    }
}

fn outcome(result: Result<Report, Failure>) -> Outcome {
    let reason = match result {
        Ok(report) => return Outcome::Known(Box::new(report)),
        Err(Failure::Unknown) => return Outcome::Unknown,
        Err(Failure::Refused(reason)) => reason,
        Err(Failure::Missing) => "not_found".into(),
        Err(Failure::Declined(intent, _)) => intent
            .last_payment_error
            .as_ref()
            .map_or_else(|| "declined".into(), report::reason),
        Err(Failure::KeyReused) => "idempotency_key_reused".into(),
    };
    Outcome::Refused { reason }
}

impl PaymentProvider for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn methods(&self) -> &'static [&'static str] {
        &["automatic", "card"]
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            opens: true,
            captures: Captures::Once,
            voids: true,
            refunds: true,
        }
    }

    fn reach(&self) -> Reach<'_> {
        Reach::Remote
    }

    fn cannot_take(&self, money: Money) -> Option<CannotTake> {
        let step = step(money.currency);
        (money.amount % step != 0).then(|| CannotTake::step("Stripe", money, step))
    }

    fn authorize<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        Box::pin(async move {
            let done = match &request.reference {
                Some(id) => self.resume(request, id).await,
                None => self.open(request).await,
            };
            match done {
                // An earlier call was made with this key: what became of that one is the answer.
                Err(Failure::KeyReused) => self.find(request).await,
                done => outcome(done),
            }
        })
    }

    fn look_up<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        Box::pin(self.find(request))
    }

    fn capture<'a>(&'a self, request: &'a Move) -> Call<'a> {
        Box::pin(async move {
            let Some(amount) = to_stripe(request.amount) else {
                return not_representable();
            };
            let fields = [
                ("amount_to_capture", amount.to_string()),
                ("metadata[attempt]", request.attempt.to_string()),
            ];
            let path = format!("/v1/payment_intents/{}/capture", escape(&request.reference));
            self.shift(MovementKind::Capture, request, &path, &fields)
                .await
        })
    }

    fn void<'a>(&'a self, request: &'a Move) -> Call<'a> {
        Box::pin(async move {
            let path = format!("/v1/payment_intents/{}/cancel", escape(&request.reference));
            self.shift(MovementKind::Void, request, &path, &[]).await
        })
    }

    fn refund<'a>(&'a self, request: &'a Move) -> Call<'a> {
        Box::pin(async move {
            let Some(amount) = to_stripe(request.amount) else {
                return not_representable();
            };
            let fields = [
                ("payment_intent", request.reference.clone()),
                ("amount", amount.to_string()),
                ("metadata[attempt]", request.attempt.to_string()),
                ("metadata[payment]", request.payment.to_string()),
            ];
            self.shift(MovementKind::Refund, request, "/v1/refunds", &fields)
                .await
        })
    }

    fn wallet(&self) -> Option<&dyn Wallet> {
        Some(self)
    }

    fn owner<'a>(&'a self, reference: &'a str) -> Owner<'a> {
        Box::pin(async move {
            match self.intent(reference).await {
                Ok(intent) => {
                    let named = intent.metadata.as_ref().and_then(|m| m.get("payment"));
                    Ok(named.and_then(|id| id.parse().ok()))
                }
                Err(Failure::Missing) => Ok(None),
                Err(_) => Err(Error::unavailable("Stripe did not show an intent")),
            }
        })
    }

    fn read_notice<'a>(&'a self, raw: &'a RawNotice<'a>) -> Reading<'a> {
        let read = notice::read(raw, &self.webhook_secrets, self.livemode);
        Box::pin(std::future::ready(read))
    }
}

fn not_representable() -> Outcome {
    Outcome::Refused {
        reason: "amount_not_representable".into(),
    }
}
