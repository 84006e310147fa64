//! Taking reserved money, letting it go, sending it back. What is asked for is recorded first; a provider in this process
//! decides in the same transaction, one far away is asked after it, and whoever brings its answer ends the attempt.

use std::cmp::Reverse;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::refund::count_units;
use super::{ASK_AFTER, expiring, overpaid};
use crate::context::{Cx, Tx};
use crate::domain::credits::{self, CreditStanding};
use crate::domain::orders::{self, OrderLineUnits, OrderRow};
use crate::domain::payments::{
    self, Absorbed, AttemptRow, Claimed, News, PaymentAttemptKind, PaymentAttemptStatus,
    PaymentDetails, PaymentEvent, PaymentEventKind, PaymentRow, Standing, Wish,
};
use crate::input;
use crate::kernel::ids::{CreditAccountId, OrderId, PaymentAttemptId, PaymentId};
use crate::kernel::money::{MAX_AMOUNT, Minor, MoneyError};
use crate::kernel::{Checks, Code, Error, Money, Result, Timestamp};
use crate::operation::{Answer, Flow, Mutation};
use crate::ports::payment::{
    Authorize, Movement, MovementKind, Outcome, PaymentProviders, Reach, Report, State,
};
use crate::sabotage::Guard;

/// After how long an attempt has failed that its provider has not done and answers with nothing but its own trouble.
const GIVE_UP_AFTER: Duration = Duration::from_mins(30);

input! {
    /// Lets reserved money go.
    VoidPayment {
        /// The payment.
        id: PaymentId,
        /// Why, for the timeline.
        reason: Option<String>,
    }
    /// Records money that has come or gone by other ways than a provider's: a transfer, cash.
    RecordManualPayment {
        /// The order.
        order_id: OrderId,
        /// How much has come, in minor units; less than zero where it has gone back.
        amount: Minor,
        /// What the bank or the till calls it; the same is recorded once.
        reference: String,
        /// When it came; now when left out.
        received_at: Option<Timestamp>,
        /// Of money that has gone back: the units it is for, which are counted as refunded.
        lines: Option<Vec<OrderLineUnits>>,
    }
}

impl Flow for VoidPayment {
    async fn run(self, cx: &Cx) -> Result<Answer<PaymentDetails>> {
        orders::check_request(self.reason.as_deref(), None)?;
        let wish = move |_: &mut Tx<'_>| {
            Ok(Wish {
                last: true,
                reason: self.reason.clone(),
                ..Wish::new(PaymentAttemptKind::Void)
            })
        };
        shift(cx, self.id, wish).await
    }
}

/// Has the provider move money: the attempt is recorded with what `wish` says, the provider is asked, the attempt is ended.
pub async fn shift(
    cx: &Cx,
    id: PaymentId,
    wish: impl Fn(&mut Tx<'_>) -> Result<Wish> + Send + 'static,
) -> Result<Answer<PaymentDetails>> {
    let claim = cx.claim.as_ref().map(|claim| Claimed {
        name: claim.name(),
        fingerprint: claim.fingerprint().to_vec(),
    });
    let begun = cx
        .settle_or(move |tx| {
            let before = match &claim {
                Some(claim) => payments::of_claim(tx, claim)?,
                None => None,
            };
            let attempt = if let Some(made) = before {
                // The request was made before, and its answer was lost.
                made
            } else {
                let wish = Wish {
                    claim: claim.clone(),
                    ..wish(tx)?
                };
                let (payment, events) = payments::lock(tx, id)?;
                let after = tx.now.plus(ASK_AFTER);
                let attempt = begin(tx, &payment, &Standing::of(&events), wish, after)?;
                let attempt = payments::find_attempt(tx, attempt)?;
                refuse_amount(tx, &payment, &attempt)?;
                attempt
            };
            if attempt.status == PaymentAttemptStatus::Pending {
                return Ok(ControlFlow::Continue(attempt.id));
            }
            refuse_failed(&attempt)?;
            payments::details(tx, id).map(ControlFlow::Break)
        })
        .await?;
    let attempt = match begun {
        ControlFlow::Break(answer) => return Ok(answer),
        ControlFlow::Continue(attempt) => attempt,
    };
    let outcome = ask(cx, attempt).await?;
    let settled = cx
        .settle_or(move |tx| {
            end(tx, attempt, &outcome)?;
            let now = payments::find_attempt(tx, attempt)?;
            Ok(match refuse_failed(&now) {
                // What failed is recorded, and nothing is repeated to the same key.
                Err(error) => ControlFlow::Continue(error),
                Ok(()) => ControlFlow::Break(payments::details(tx, id)?),
            })
        })
        .await?;
    match settled {
        ControlFlow::Break(answer) => Ok(answer),
        ControlFlow::Continue(error) => Err(error),
    }
}

/// The order that a payment is for, kept from others until the transaction ends.
pub fn order_paid_by(tx: &mut Tx<'_>, payment: PaymentId) -> Result<OrderRow> {
    let checkout = payments::checkout_of(tx, payment)?;
    let order = orders::id_for_checkout(tx, checkout)?.ok_or_else(|| {
        Error::new(
            Code::InvalidState,
            "The payment is for no order, which has no lines.",
        )
    })?;
    orders::lock(tx, order, None)
}

/// Refuses an amount that the provider cannot move. Reserved money is let go whole, whatever it comes to.
fn refuse_amount(tx: &Tx<'_>, payment: &PaymentRow, attempt: &AttemptRow) -> Result<()> {
    let providers = tx.app().part::<PaymentProviders>()?;
    let provider = providers.get(&payment.provider, "/provider")?;
    match provider.cannot_take(payment.of(attempt.amount)) {
        Some(why) if attempt.kind != PaymentAttemptKind::Void => Err(why.into_error("/amount")),
        _ => Ok(()),
    }
}

fn refuse_failed(attempt: &AttemptRow) -> Result<()> {
    match (&attempt.status, &attempt.failure) {
        (PaymentAttemptStatus::Failed, failure) => {
            let reason = failure.as_deref().unwrap_or("unknown");
            let detail = format!("The provider refused the {}: {reason}.", attempt.kind);
            Err(Error::field(
                Code::PaymentDeclined,
                "/amount",
                "declined",
                detail,
            ))
        }
        _ => Ok(()),
    }
}

/// Records an attempt; a provider in this process decides about it at once. The payment is locked.
pub fn begin(
    tx: &mut Tx<'_>,
    payment: &PaymentRow,
    standing: &Standing,
    wish: Wish,
    check_at: Timestamp,
) -> Result<PaymentAttemptId> {
    if wish.kind == PaymentAttemptKind::Capture {
        orders::refuse_held(tx, payment.checkout_id)?;
    }
    let providers = tx.app().part::<PaymentProviders>()?;
    let provider = providers.get(&payment.provider, "/provider")?.clone();
    let attempt = payments::begin(tx, payment, standing, provider.abilities(), wish, check_at)?;
    if let Reach::Local(local) = provider.reach() {
        let mut request = attempt.request(payment);
        if request.reference.is_empty() {
            request.reference = payments::reference_of(tx, payment.id)?;
        }
        let outcome = local.shift(movement_of(attempt.kind), &request);
        end(tx, attempt.id, &outcome)?;
    }
    Ok(attempt.id)
}

const fn movement_of(kind: PaymentAttemptKind) -> MovementKind {
    match kind {
        PaymentAttemptKind::Capture => MovementKind::Capture,
        PaymentAttemptKind::Void => MovementKind::Void,
        PaymentAttemptKind::Refund => MovementKind::Refund,
    }
}

/// Asks the provider for what an attempt is for. The same attempt has the same key, however often it is asked.
pub async fn ask(cx: &Cx, id: PaymentAttemptId) -> Result<Outcome> {
    let (attempt, payment) = cx
        .read(move |tx| {
            let attempt = payments::find_attempt(tx, id)?;
            let (payment, _) = payments::find(tx, attempt.payment_id)?
                .ok_or_else(|| Error::internal("an attempt without a payment"))?;
            Ok((attempt, payment))
        })
        .await?;
    let providers = cx.app.part::<PaymentProviders>()?;
    let provider = providers.get(&payment.provider, "/provider")?;
    let mut request = attempt.request(&payment);
    if cx.app.sabotage.removed(Guard::Keys) {
        request.attempt = PaymentAttemptId::new();
    }
    Ok(match attempt.kind {
        PaymentAttemptKind::Capture => provider.capture(&request).await,
        PaymentAttemptKind::Void => provider.void(&request).await,
        PaymentAttemptKind::Refund => provider.refund(&request).await,
    })
}

/// Ends an attempt with what the provider says, whoever brings it. One that has ended stays as it is.
pub fn end(tx: &mut Tx<'_>, id: PaymentAttemptId, outcome: &Outcome) -> Result<()> {
    let payment = payments::find_attempt(tx, id)?.payment_id;
    let (mut payment, events) = payments::lock(tx, payment)?;
    let attempt = payments::find_attempt(tx, id)?;
    if attempt.status != PaymentAttemptStatus::Pending {
        return Ok(());
    }
    match outcome {
        Outcome::Known(report) => {
            let absorbed = absorb(tx, &mut payment, &events, report)?;
            if !absorbed.ended.contains(&id) {
                // The provider is at it still.
                payments::check_at(tx, id, tx.now.plus(ASK_AFTER))?;
            }
            Ok(())
        }
        Outcome::Refused { reason } => {
            payments::end(tx, id, Some(reason))?;
            let kind = match attempt.kind {
                PaymentAttemptKind::Capture => PaymentEventKind::ChargeFailure,
                PaymentAttemptKind::Void => PaymentEventKind::CancelFailure,
                PaymentAttemptKind::Refund => PaymentEventKind::RefundFailure,
            };
            let news = News::new(kind, attempt.amount, id.to_string()).with("reason", reason);
            payments::record(tx, payment.id, &[news])?;
            let order = orders::id_for_checkout(tx, payment.checkout_id)?;
            let attempt = payments::find_attempt(tx, id)?;
            tell_attempt(tx, &payment, order, &attempt)
        }
        Outcome::Unknown => payments::check_at(tx, id, tx.now.plus(ASK_AFTER)),
    }
}

/// Takes up a report of a locked payment, and tells the order's timeline and the outbox what is new.
pub fn absorb(
    tx: &mut Tx<'_>,
    payment: &mut PaymentRow,
    events: &[PaymentEvent],
    report: &Report,
) -> Result<Absorbed> {
    let providers = tx.app().part::<PaymentProviders>()?;
    let abilities = providers.get(&payment.provider, "/provider")?.abilities();
    let known = payment.expires_at;
    let absorbed = payments::absorb(tx, payment, events, abilities, report)?;
    if let Some(at) = payment.expires_at.filter(|at| Some(*at) != known) {
        expiring::enqueue(tx, payment.id, at);
    }
    if absorbed.fresh.is_empty() && absorbed.ended.is_empty() {
        return Ok(absorbed);
    }
    let order = orders::id_for_checkout(tx, payment.checkout_id)?;
    for id in &absorbed.ended {
        let attempt = payments::find_attempt(tx, *id)?;
        let well = attempt.status == PaymentAttemptStatus::Succeeded;
        if well && credits::is_credit(&payment.provider) {
            give_back(tx, payment, &attempt)?;
        }
        tell_attempt(tx, payment, order, &attempt)?;
    }
    let own = |news: &News| {
        let told = |m: &Movement| m.reference == news.reference && m.attempt.is_some();
        !absorbed.ended.is_empty() || report.movements.iter().any(told)
    };
    for news in &absorbed.fresh {
        if news.kind == PaymentEventKind::RefundReverse {
            come_back(tx, payment, report, &news.reference)?;
        }
        let (entry, event) = match news.kind {
            PaymentEventKind::Chargeback => ("payment_disputed", "payment.disputed"),
            PaymentEventKind::ChargebackReverse => ("dispute_won", "payment.dispute_won"),
            PaymentEventKind::RefundReverse => ("refund_returned", "payment.refund_returned"),
            // What was done at the provider, without us.
            PaymentEventKind::RefundSuccess if !own(news) => {
                ("payment_refunded", "payment.refunded")
            }
            PaymentEventKind::ChargeSuccess if !own(news) && order.is_some() => {
                ("payment_captured", "payment.captured")
            }
            PaymentEventKind::CancelSuccess
                if news.amount > 0 && !own(news) && report.state == State::Cancelled =>
            {
                if payment.expires_at.is_some_and(|at| at <= tx.now) {
                    ("authorization_expired", "payment.authorization_expired")
                } else {
                    ("payment_voided", "payment.voided")
                }
            }
            _ => continue,
        };
        let facts = serde_json::json!({
            "paymentId": payment.id, "orderId": order, "reference": news.reference, "data": news.data,
            "amount": { "amount": news.amount, "currency": payment.currency },
        });
        tell(tx, payment, order, entry, event, &facts)?;
        let is_back = matches!(
            news.kind,
            PaymentEventKind::RefundReverse | PaymentEventKind::ChargebackReverse
        );
        if let Some(order) = order.filter(|_| is_back) {
            let order = orders::row(tx, order)?;
            overpaid::tell(tx, &order)?;
        }
    }
    Ok(absorbed)
}

/// A refund of which all came back has failed after all. Where a part came back, its units stay refunded.
fn come_back(
    tx: &mut Tx<'_>,
    payment: &PaymentRow,
    report: &Report,
    reference: &str,
) -> Result<()> {
    let mut own = report.movements.iter().filter(|m| m.reference == reference);
    let Some(attempt) = own.find_map(|m| m.attempt) else {
        return Ok(());
    };
    let sent = report.moved(MovementKind::Refund, attempt);
    let all = report.moved(MovementKind::RefundReverse, attempt) >= sent;
    if all && payments::come_back(tx, payment.id, attempt)? {
        not_refunded(tx, attempt)?;
    }
    Ok(())
}

/// Units whose money did not go back are not refunded after all.
fn not_refunded(tx: &mut Tx<'_>, attempt: PaymentAttemptId) -> Result<()> {
    let lines = payments::lines_of_attempt(tx, attempt)?;
    orders::refund_lines(tx, lines.iter().map(|l| (l.line_id, -l.quantity)))
}

/// In which turn money of an order's payments goes back: gift cards and store credit first, then the latest.
pub fn turn(payment: &PaymentRow) -> (bool, Reverse<PaymentId>) {
    (!credits::is_credit(&payment.provider), Reverse(payment.id))
}

/// The account that a payment by gift card or store credit came from.
pub fn account_of(payment: &PaymentRow) -> Result<CreditAccountId> {
    let reference = payment.reference.as_deref().unwrap_or_default();
    reference.parse().map_err(Error::internal)
}

/// What a payment by credit sends back is on the card again. One that cannot be spent takes it too; the payment's events say
/// so.
fn give_back(tx: &mut Tx<'_>, payment: &PaymentRow, attempt: &AttemptRow) -> Result<()> {
    let account = account_of(payment)?;
    let standing = credits::give_back(tx, account, payment.id, attempt.id, attempt.amount)?;
    if standing == CreditStanding::Usable {
        return Ok(());
    }
    let news = News::new(PaymentEventKind::Info, 0, format!("{}:account", attempt.id));
    payments::record(
        tx,
        payment.id,
        &[news.with("account_standing", standing.as_str())],
    )
}

/// Writes the end of an attempt into the order's timeline, and announces it.
fn tell_attempt(
    tx: &mut Tx<'_>,
    payment: &PaymentRow,
    order: Option<OrderId>,
    attempt: &AttemptRow,
) -> Result<()> {
    let well = attempt.status == PaymentAttemptStatus::Succeeded;
    if !well && attempt.kind == PaymentAttemptKind::Refund {
        not_refunded(tx, attempt.id)?;
    }
    let (entry, event) = match (attempt.kind, well) {
        (PaymentAttemptKind::Capture, true) => ("payment_captured", "payment.captured"),
        (PaymentAttemptKind::Capture, false) => ("capture_failed", "payment.capture_failed"),
        (PaymentAttemptKind::Void, true) => ("payment_voided", "payment.voided"),
        (PaymentAttemptKind::Void, false) => ("void_failed", "payment.void_failed"),
        (PaymentAttemptKind::Refund, true) => ("payment_refunded", "payment.refunded"),
        (PaymentAttemptKind::Refund, false) => ("refund_failed", "payment.refund_failed"),
    };
    let facts = serde_json::json!({
        "paymentId": payment.id, "orderId": order, "attemptId": attempt.id,
        "amount": { "amount": attempt.amount, "currency": payment.currency },
        "reason": attempt.reason, "failure": attempt.failure,
    });
    tell(tx, payment, order, entry, event, &facts)?;
    match order {
        Some(order) if !well && attempt.kind == PaymentAttemptKind::Refund => {
            let order = orders::row(tx, order)?;
            overpaid::tell(tx, &order)
        }
        _ => Ok(()),
    }
}

pub fn tell(
    tx: &mut Tx<'_>,
    payment: &PaymentRow,
    order: Option<OrderId>,
    entry: &str,
    event: &'static str,
    facts: &serde_json::Value,
) -> Result<()> {
    if let Some(order) = order {
        orders::note(tx, order, entry, facts)?;
    }
    tx.publish(event, payment.id.uuid(), facts);
    Ok(())
}

impl Mutation for RecordManualPayment {
    fn run(&self, tx: &mut Tx<'_>) -> Result<orders::Order> {
        let mut checks = Checks::new();
        checks.text("/reference", &self.reference, 200);
        let amount = self.amount.0;
        let fits = amount != 0 && (-MAX_AMOUNT..=MAX_AMOUNT).contains(&amount);
        let message = "Not zero, and from -10^15 to 10^15 minor units.";
        checks.that(fits, "/amount", "out_of_range", message);
        checks.that(
            amount < 0 || self.lines.is_none(),
            "/lines",
            "not_a_refund",
            "Units are named where money has gone back.",
        );
        checks.done()?;
        orders::check_request(None, self.lines.as_deref())?;
        let order = orders::hold_back(tx, self.order_id)?;
        let (payment, standing) = manual_payment(tx, &order)?;
        let kind = if amount > 0 {
            PaymentEventKind::ChargeSuccess
        } else {
            PaymentEventKind::RefundSuccess
        };
        let reference = self.reference.trim();
        match payments::known_amount(tx, payment, kind, reference)? {
            Some(known) if known == amount.abs() => return orders::get(tx, order.id),
            Some(amount) => {
                let known = Money {
                    amount,
                    currency: order.currency,
                };
                let message = format!("{known} are recorded with this reference already.");
                let code = Code::AlreadyExists;
                return Err(Error::field(code, "/reference", "other_amount", message));
            }
            None => {}
        }
        let order = orders::lock(tx, order.id, None)?;
        let data = |news: News| match self.received_at {
            Some(at) => news.with("received_at", &at.to_string()),
            None => news,
        };
        let moved = amount.checked_abs().ok_or(MoneyError::Overflow)?;
        if amount < 0 {
            if moved > standing.kept() {
                let message = format!(
                    "At most {}, what came and did not go back.",
                    standing.kept()
                );
                return Err(Error::invalid("/amount", "out_of_range", message));
            }
            if let Some(units) = &self.lines {
                let (lines, _) = count_units(tx, order.id, units, Some(moved))?;
                payments::refunded_by_hand(tx, payment, moved, &lines)?;
            }
        }
        let news = News::new(kind, moved, reference);
        payments::record(tx, payment, &[data(news)])?;
        let facts = serde_json::json!({
            "paymentId": payment, "orderId": order.id, "reference": reference,
            "amount": { "amount": amount, "currency": order.currency },
        });
        orders::note(tx, order.id, "payment_recorded", &facts)?;
        tx.publish("payment.recorded", payment.uuid(), &facts);
        if amount > 0 {
            overpaid::tell(tx, &order)?;
        }
        orders::get(tx, order.id)
    }
}

/// The payment of an order that people make; a new one where it was to be paid otherwise.
fn manual_payment(tx: &mut Tx<'_>, order: &orders::OrderRow) -> Result<(PaymentId, Standing)> {
    for id in payments::ids_of(tx, order.checkout_id)? {
        let (payment, events) = payments::lock(tx, id)?;
        if payment.provider == "manual" {
            return Ok((id, Standing::of(&events)));
        }
    }
    let due = Money {
        amount: order.grand_total - order.cancelled_total,
        currency: order.currency,
    };
    let (provider, method) = ("manual".to_owned(), "bank_transfer".to_owned());
    let payment = PaymentRow::new(order.checkout_id, provider, method, due, tx.now);
    payments::insert(tx, std::slice::from_ref(&payment))?;
    Ok((payment.id, Standing::of(&[])))
}

/// Asks about attempts of which nobody knows: whether the provider has done it, and if not, for it once more.
pub async fn reconcile(cx: &Cx, until: Instant) -> Result<()> {
    for id in cx.read(payments::due_attempts).await? {
        if Instant::now() > until {
            break;
        }
        if let Err(error) = carry_on(cx, id).await {
            tracing::warn!(attempt = %id, %error, "an attempt could not be reconciled");
        }
    }
    Ok(())
}

async fn carry_on(cx: &Cx, id: PaymentAttemptId) -> Result<()> {
    let (provider, request, given_up) = cx.read(move |tx| question(tx, id)).await?;
    let providers = cx.app.part::<PaymentProviders>()?;
    let provider = providers.get(&provider, "/provider")?;
    let known = provider.look_up(&request).await;
    let was_read = matches!(known, Outcome::Known(_));
    if was_read && cx.write(move |tx| settled_by(tx, id, &known)).await? {
        return Ok(());
    }
    // It was not done, so it is asked for again, with the same key.
    let outcome = ask(cx, id).await?;
    let ended = cx.write(move |tx| settled_by(tx, id, &outcome)).await?;
    if ended || !was_read || !given_up {
        return Ok(());
    }
    // The provider answers this key with nothing but its own trouble; what it has done by now is all that it will do.
    let known = provider.look_up(&request).await;
    let Outcome::Known(report) = &known else {
        return Ok(());
    };
    let sent = report.moved(MovementKind::Refund, id);
    cx.write(move |tx| {
        if settled_by(tx, id, &known)? {
            return Ok(());
        }
        if sent > 0 {
            payments::cut(tx, id, sent)?;
            return end(tx, id, &known);
        }
        let reason = "provider_error".to_owned();
        end(tx, id, &Outcome::Refused { reason })
    })
    .await
}

/// What a provider is asked to find out what became of an attempt, and whether it has been asked for long enough.
fn question(tx: &mut Tx<'_>, id: PaymentAttemptId) -> Result<(String, Authorize, bool)> {
    let attempt = payments::find_attempt(tx, id)?;
    let (payment, _) = payments::find(tx, attempt.payment_id)?
        .ok_or_else(|| Error::internal("an attempt without a payment"))?;
    let request = payment.authorize(false);
    let given_up = attempt.created_at.plus(GIVE_UP_AFTER) < tx.now;
    Ok((payment.provider, request, given_up))
}

/// Whether what a provider knows ends an attempt.
fn settled_by(tx: &mut Tx<'_>, id: PaymentAttemptId, known: &Outcome) -> Result<bool> {
    end(tx, id, known)?;
    Ok(payments::find_attempt(tx, id)?.status != PaymentAttemptStatus::Pending)
}
