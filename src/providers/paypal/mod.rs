//! PayPal: orders that the shopper approves on PayPal's page.
//!
//! | what | PayPal |
//! |---|---|
//! | authorise | an order; the shopper approves it on PayPal's page, then it is authorised or captured |
//! | authorise with a reference (or, as the token, the order's id) | goes on: once approved, the money is reserved or taken |
//! | capture, void, refund | of the order's authorisation and captures; then the order is read again and all of it reported; the last capture lets go of the rest |
//! | look up | the order by its id, and the disputes about its captures |
//!
//! An order alone moves no money, not even an approved one. One whose id was lost together with the answer can never be
//! approved, for nobody knows its page; so looking it up says that PayPal never heard of it.
//!
//! The order carries the payment's id as its `custom_id`, a capture the attempt's as its `invoice_id`, a refund both as its
//! `custom_id`. A void carries nothing. A lost answer, 409, 429, 5xx and what cannot be read are [`Outcome::Unknown`].
//!
//! Not done: cards without PayPal's page, saved accounts, authorising again after the honor period, answering disputes.

mod amount;
mod api;
mod notice;
mod report;
#[cfg(test)]
mod tests;
mod wire;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use self::amount::{from_text, is_supported, step as step_of, to_text};
use self::api::{Api, Failure, MISCONFIGURED};
use self::report::{is_taken, report};
use self::wire::{Dispute, Disputes, Order, Payments, Piece};
use crate::kernel::Secret;
use crate::kernel::ids::PaymentId;
use crate::kernel::{Clock, Currency, Error, Money, Result};
use crate::ports::payment::{
    Abilities, Authorize, Call, CannotTake, Captures, Move, MovementKind, Outcome, Owner,
    PaymentProvider, RawNotice, Reach, Reading, Report, State,
};
use crate::providers::http::{Base, Http, escape};

/// What PayPal needs to know of this shop.
#[derive(Clone, Debug)]
pub struct PaypalSettings {
    /// The REST app's client id.
    pub client_id: String,
    /// The REST app's secret, of the mode that `livemode` says.
    pub secret: Secret,
    /// The webhook's id, which PayPal needs to verify what it sent; without it every webhook is refused.
    pub webhook_id: Option<String>,
    /// Whether real money moves: PayPal's live address, else its sandbox.
    pub livemode: bool,
    /// Another address, where a test has a double of PayPal; not in live mode.
    pub base_url: Option<String>,
}

/// The provider `paypal`.
pub struct Paypal {
    api: Api,
    webhook_id: Option<String>,
}

impl Paypal {
    /// PayPal with these settings. Refuses empty credentials and an address that is not safe.
    pub fn new(settings: PaypalSettings, http: Http, clock: Clock) -> Result<Self> {
        if settings.client_id.is_empty() || settings.secret.reveal().is_empty() {
            let message = "PayPal needs a client id and a secret.";
            return Err(Error::invalid("paypal_client_id", "invalid", message));
        }
        let url = match (settings.base_url.as_deref(), settings.livemode) {
            (Some(_), true) => {
                let message = "Another address of PayPal is for tests, not for live mode.";
                return Err(Error::invalid("paypal_base_url", "invalid", message));
            }
            (Some(url), false) => url,
            (None, true) => "https://api-m.paypal.com",
            (None, false) => "https://api-m.sandbox.paypal.com",
        };
        Ok(Self {
            api: Api {
                http,
                base: Base::new(url, !settings.livemode)?,
                client_id: settings.client_id,
                secret: settings.secret,
                clock,
                token: Mutex::new(None),
            },
            webhook_id: settings.webhook_id,
        })
    }

    async fn open(&self, request: &Authorize) -> Result<Report, Failure> {
        let mut experience =
            json!({"shipping_preference": "NO_SHIPPING", "user_action": "PAY_NOW"});
        if let Some(url) = &request.return_url {
            experience["return_url"] = url.as_str().into();
            experience["cancel_url"] = url.as_str().into();
        }
        let mut payer = json!({"experience_context": experience});
        if let Some(email) = &request.email {
            payer["email_address"] = email.as_str().into();
        }
        let body = json!({
            "intent": if request.capture { "CAPTURE" } else { "AUTHORIZE" },
            "purchase_units": [{
                "custom_id": request.payment.to_string(),
                "amount": written(request.amount)?,
            }],
            "payment_source": {"paypal": payer},
        });
        let answer = self
            .api
            .post("/v2/checkout/orders", &request.key(), &body)
            .await?;
        let order: Order = answer.json().ok_or(Failure::Unknown)?;
        // A short answer has the id and the links only.
        match report(&order) {
            Some(report) => Ok(report),
            None => self.read(&order.id).await,
        }
    }

    /// Goes on with an order: once the shopper has approved it, the money is reserved or taken.
    async fn resume(&self, request: &Authorize, id: &str) -> Result<Report, Failure> {
        let order = self.order(id).await?;
        is_of(&order, request.payment)?;
        let before = understood(&order)?;
        // Another amount than what is due is not taken; the report says so.
        if before.state != State::Approved || before.money != request.amount {
            return Ok(before);
        }
        let act = match order.intent.as_deref() {
            Some("CAPTURE") => "capture",
            _ => "authorize",
        };
        let path = format!("/v2/checkout/orders/{}/{act}", escape(id));
        let key = format!("{}:{act}", request.key());
        let refused = match self.api.post(&path, &key, &json!({})).await {
            Ok(_) => None,
            Err(Failure::Refused(reason)) => Some(reason),
            Err(failure) => return Err(failure),
        };
        let mut report = self.read(id).await?;
        match (refused, &report.state) {
            (Some(reason), _) if reason == MISCONFIGURED => Err(Failure::Refused(reason)),
            // The shopper is to go back to PayPal: that is what the order says.
            (Some(reason), _) if reason == "payer_action_required" => Ok(report),
            (Some(reason), State::ActionRequired { .. } | State::Approved) => {
                report.state = State::Declined { reason };
                Ok(report)
            }
            _ => Ok(report),
        }
    }

    async fn order(&self, id: &str) -> Result<Order, Failure> {
        let path = format!("/v2/checkout/orders/{}", escape(id));
        // A question that is refused says nothing about the payment, unless the answer is that there is none.
        self.api.get(&path).await.map_err(|failure| match failure {
            Failure::Missing => Failure::Missing,
            _ => Failure::Unknown,
        })
    }

    /// All that PayPal knows of an order, disputes as well.
    async fn read_whole(&self, request: &Authorize, id: &str) -> Result<Report, Failure> {
        let order = self.order(id).await?;
        is_of(&order, request.payment)?;
        let mut report = understood(&order)?;
        for capture in payments_of(&order).captures.iter().filter(|c| is_taken(c)) {
            for dispute in self.disputes(&capture.id).await? {
                match report::charged_back(&dispute, report.money.currency) {
                    Some(movements) => report.movements.extend(movements),
                    // People have to look at it; the rest of the order is known all the same.
                    None => {
                        tracing::error!(
                            provider = "paypal",
                            dispute = dispute.id,
                            "not understood"
                        );
                    }
                }
            }
        }
        Ok(report)
    }

    /// The disputes about a capture; none where PayPal refuses to show them to this app, which the log says.
    async fn disputes(&self, capture: &str) -> Result<Vec<Dispute>, Failure> {
        let path = "/v1/customer/disputes";
        let of = format!("{path}?disputed_transaction_id={}", escape(capture));
        let list: Option<Disputes> = self.shown(&of).await?;
        let mut disputes = Vec::new();
        for named in list.into_iter().flat_map(|list| list.items) {
            let one = format!("{path}/{}", escape(&named.id));
            disputes.extend(self.shown(&one).await?);
        }
        Ok(disputes)
    }

    /// What is at `path`; nothing where PayPal refuses to show it.
    async fn shown<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        match self.api.get(path).await {
            Ok(object) => Ok(Some(object)),
            Err(Failure::Missing | Failure::Refused(_)) => Ok(None),
            Err(Failure::Unknown) => Err(Failure::Unknown),
        }
    }

    async fn read(&self, id: &str) -> Result<Report, Failure> {
        understood(&self.order(id).await?)
    }

    /// Does something with an order's payments, then reads all of it. A refusal is final only once the order does not show
    /// it done.
    async fn shift(&self, kind: MovementKind, request: &Move) -> Result<Report, Failure> {
        let order = self.order(&request.reference).await?;
        is_of(&order, request.payment)?;
        let before = understood(&order)?;
        if is_done(&before, kind, request) {
            return Ok(before);
        }
        let (path, body) = match step(kind, &order, request)? {
            Step::Call(path, body) => (path, body),
            Step::Nothing => {
                let state = State::Cancelled;
                return Ok(Report { state, ..before });
            }
        };
        let refused = match self.api.post(&path, &request.key(), &body).await {
            Ok(_) => None,
            Err(Failure::Unknown) => return Err(Failure::Unknown),
            Err(failure) => Some(failure),
        };
        let mut report = self
            .read(&request.reference)
            .await
            .map_err(|_| Failure::Unknown)?;
        if kind == MovementKind::Void {
            // A void carries no id of ours; let go is what was asked for.
            for movement in report.movements.iter_mut().filter(|m| m.kind == kind) {
                movement.attempt = Some(request.attempt);
            }
        }
        match refused {
            Some(failure) if !is_done(&report, kind, request) => Err(failure),
            _ => Ok(report),
        }
    }

    /// Sends money of an order's captures back, of as many as it takes, and reads the order after each. Where only a part could
    /// be sent the report says so, and the same request goes on with the rest.
    async fn send_back(&self, request: &Move) -> Result<Report, Failure> {
        let all = request.amount.amount;
        let mut order = self.order(&request.reference).await?;
        is_of(&order, request.payment)?;
        let mut before = None;
        loop {
            let report = understood(&order)?;
            let left = all - report.moved(MovementKind::Refund, request.attempt);
            // All is on its way, or what was sent last is not to be seen yet.
            if left <= 0 || before == Some(left) {
                return Ok(report);
            }
            let (capture, amount) = match part(&order, request, left) {
                Err(_) if left < all => return Ok(report),
                part => part?,
            };
            let body = json!({
                "amount": written(amount)?,
                "custom_id": format!("{}.{}", request.payment, request.attempt),
            });
            let path = format!("/v2/payments/captures/{}/refund", escape(&capture));
            let key = format!("{}:{capture}", request.key());
            let refused = match self.api.post(&path, &key, &body).await {
                Ok(_) => None,
                Err(Failure::Unknown) => return Err(Failure::Unknown),
                Err(failure) => Some(failure),
            };
            order = self
                .order(&request.reference)
                .await
                .map_err(|_| Failure::Unknown)?;
            if let Some(failure) = refused {
                let report = understood(&order)?;
                let nothing = report.moved(MovementKind::Refund, request.attempt) == 0;
                return if nothing { Err(failure) } else { Ok(report) };
            }
            before = Some(left);
        }
    }
}

/// What was paid of an order.
fn payments_of(order: &Order) -> &Payments {
    static NOTHING: Payments = Payments {
        authorizations: Vec::new(),
        captures: Vec::new(),
        refunds: Vec::new(),
    };
    let unit = order.purchase_units.first();
    unit.and_then(|u| u.payments.as_ref()).unwrap_or(&NOTHING)
}

/// What is to be asked of PayPal.
enum Step {
    /// This call.
    Call(String, Value),
    /// Nothing: there is nothing to let go.
    Nothing,
}

fn step(kind: MovementKind, order: &Order, request: &Move) -> Result<Step, Failure> {
    let refuse = |reason: &str| Failure::Refused(reason.into());
    let payments = payments_of(order);
    let authorization = || payments.authorizations.last();
    let of_authorization = |piece: &Piece, act: &str| {
        format!("/v2/payments/authorizations/{}/{act}", escape(&piece.id))
    };
    match kind {
        MovementKind::Capture => {
            let piece = authorization().ok_or_else(|| refuse("not_authorized"))?;
            let body = json!({
                "amount": written(request.amount)?,
                "final_capture": request.last,
                "invoice_id": request.attempt.to_string(),
            });
            Ok(Step::Call(of_authorization(piece, "capture"), body))
        }
        MovementKind::Void => match authorization() {
            Some(piece) => Ok(Step::Call(of_authorization(piece, "void"), json!({}))),
            None if order.status == "COMPLETED" && payments.captures.is_empty() => {
                Err(Failure::Unknown)
            }
            None if payments.captures.is_empty() => Ok(Step::Nothing),
            None => Err(refuse("already_captured")),
        },
        _ => Err(refuse("not_supported")),
    }
}

/// The capture that is to be sent back of next, and how much: the first of which so much is left, else all that is left of the
/// first, where all of them together have enough.
fn part(order: &Order, request: &Move, wanted: i64) -> Result<(String, Money), Failure> {
    let payments = payments_of(order);
    let currency = request.amount.currency;
    let left: Vec<(&Piece, i64)> = payments
        .captures
        .iter()
        .filter(|capture| is_taken(capture))
        .filter_map(|capture| Some((capture, left(payments, capture, currency)?)))
        .filter(|(_, left)| *left > 0)
        .collect();
    let together: i64 = left.iter().map(|(_, left)| left).sum();
    let enough = left.iter().find(|(_, left)| *left >= wanted);
    match enough.or(left.first()) {
        Some((capture, left)) if together >= wanted => {
            let amount = wanted.min(*left);
            Ok((capture.id.clone(), Money { amount, currency }))
        }
        _ => Err(Failure::Refused("amount_too_large".into())),
    }
}

/// What is left of a capture; nothing where that is not understood.
fn left(payments: &Payments, capture: &Piece, currency: Currency) -> Option<i64> {
    let amount = |piece: &Piece| {
        let amount = piece.amount.as_ref()?;
        let same = amount.currency_code == currency.as_str();
        from_text(&amount.value, currency).filter(|_| same)
    };
    let end = format!("/captures/{}", capture.id);
    let is_part = |refund: &Piece| {
        let mut links = refund.links.iter();
        links.any(|l| l.rel == "up" && l.href.ends_with(&end))
    };
    let counts = |refund: &&Piece| {
        !matches!(refund.status.as_str(), "FAILED" | "CANCELLED")
            && (payments.captures.len() == 1 || is_part(refund))
    };
    let mut refunds = payments.refunds.iter().filter(counts).map(amount);
    refunds.try_fold(amount(capture)?, |left, refund| left.checked_sub(refund?))
}

fn is_done(report: &Report, kind: MovementKind, request: &Move) -> bool {
    if kind == MovementKind::Void && report.state == State::Cancelled {
        return true;
    }
    let mut movements = report.movements.iter();
    movements.any(|m| m.kind == kind && m.attempt == Some(request.attempt))
}

fn written(money: Money) -> Result<Value, Failure> {
    match to_text(money) {
        Some(value) => Ok(json!({"currency_code": money.currency.as_str(), "value": value})),
        None => Err(Failure::Refused("amount_not_representable".into())),
    }
}

fn understood(order: &Order) -> Result<Report, Failure> {
    report(order).ok_or_else(|| {
        let (id, status) = (&order.id, &order.status);
        tracing::error!(provider = "paypal", order = %id, %status, "not understood");
        Failure::Unknown
    })
}

/// An order that carries another payment's id, or none, is not to be touched.
fn is_of(order: &Order, payment: PaymentId) -> Result<(), Failure> {
    let unit = order.purchase_units.first();
    let named = unit.and_then(|u| report::payment(u.custom_id.as_deref()?));
    if named == Some(payment) {
        Ok(())
    } else {
        Err(Failure::Refused("reference_of_another_payment".into()))
    }
}

fn outcome(result: Result<Report, Failure>) -> Outcome {
    let reason = match result {
        Ok(report) => return Outcome::Known(Box::new(report)),
        Err(Failure::Unknown) => return Outcome::Unknown,
        Err(Failure::Missing) => "not_found".into(),
        Err(Failure::Refused(reason)) => reason,
    };
    Outcome::Refused { reason }
}

/// The order a request is about: the one that was opened, or one that the client names.
fn named(request: &Authorize) -> Option<&str> {
    request.reference.as_deref().or(request.token.as_deref())
}

impl PaymentProvider for Paypal {
    fn name(&self) -> &'static str {
        "paypal"
    }

    fn methods(&self) -> &'static [&'static str] {
        &["paypal"]
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            opens: true,
            captures: Captures::Many,
            voids: true,
            refunds: true,
        }
    }

    fn reach(&self) -> Reach<'_> {
        Reach::Remote
    }

    fn cannot_take(&self, money: Money) -> Option<CannotTake> {
        if !is_supported(money.currency) {
            return Some(CannotTake {
                code: "currency_not_supported",
                message: format!(
                    "PayPal does not take {}; choose another way to pay.",
                    money.currency
                ),
            });
        }
        let step = step_of(money.currency);
        (money.amount % step != 0).then(|| CannotTake::step("PayPal", money, step))
    }

    fn authorize<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        Box::pin(async move {
            outcome(match named(request) {
                Some(id) => self.resume(request, id).await,
                None => self.open(request).await,
            })
        })
    }

    fn look_up<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        Box::pin(async move {
            let Some(id) = named(request) else {
                return outcome(Err(Failure::Missing));
            };
            outcome(self.read_whole(request, id).await)
        })
    }

    fn capture<'a>(&'a self, request: &'a Move) -> Call<'a> {
        Box::pin(async move { outcome(self.shift(MovementKind::Capture, request).await) })
    }

    fn void<'a>(&'a self, request: &'a Move) -> Call<'a> {
        Box::pin(async move { outcome(self.shift(MovementKind::Void, request).await) })
    }

    fn refund<'a>(&'a self, request: &'a Move) -> Call<'a> {
        Box::pin(async move { outcome(self.send_back(request).await) })
    }

    fn owner<'a>(&'a self, reference: &'a str) -> Owner<'a> {
        Box::pin(async move {
            match self.order(reference).await {
                Ok(order) => {
                    let unit = order.purchase_units.first();
                    Ok(unit.and_then(|u| report::payment(u.custom_id.as_deref()?)))
                }
                Err(Failure::Missing) => Ok(None),
                Err(_) => Err(Error::unavailable("PayPal did not show an order")),
            }
        })
    }

    fn read_notice<'a>(&'a self, raw: &'a RawNotice<'a>) -> Reading<'a> {
        let read = notice::read(raw, self.webhook_id.as_deref());
        Box::pin(async move {
            let (question, notice, capture) = read?;
            notice::verify(&self.api, question).await?;
            notice::of_capture(&self.api, notice, capture).await
        })
    }
}
