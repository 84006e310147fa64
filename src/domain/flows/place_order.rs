//! From a checkout to an order. `place` is the only function that writes one, whoever brings the news of the payment.

use std::ops::ControlFlow;

use super::checkouts::{self, CheckoutRow, CheckoutStatus};
use super::start_checkout::refuse_shortage;
use super::{ASK_AFTER, assess_order, later_payments, move_money, reauthorize, release, unpaid};
use crate::context::{Cx, Tx};
use crate::domain::carts::{self, CartRow, QuoteLine};
use crate::domain::channels::{Channels, OrderNumbers};
use crate::domain::coupons::{self, RedeemedCoupon};
use crate::domain::credit_terms;
use crate::domain::credits;
use crate::domain::inventory::{self, Demand, Pick};
use crate::domain::orders::{
    self, Allocation, Order, OrderLineKind, OrderLineRow, OrderRow, OrderStatus, ShippingChoice,
};
use crate::domain::payments::{self, News, Payment, PaymentEventKind, PaymentRow};
use crate::domain::saved_methods;
use crate::kernel::ids::{CartId, OrderId, OrderLineId, PaymentId};
use crate::kernel::{Code, Error, Json, Money, Result, Timestamp};
use crate::operation::{Answer, Flow, Output};
use crate::ports::payment::{Authorize, Outcome, PaymentProviders, Reach, State};
use crate::{choice, input, output};

input! {
    /// Places an order.
    PlaceOrder {
        /// The cart whose checkout was started.
        cart_id: CartId,
    }
    /// Goes on after the shopper has acted.
    ProcessPayment {
        /// The cart whose payment it is.
        cart_id: CartId,
    }
}

choice! {
    /// What became of placing an order.
    PlacementOutcome {
        /// There is an order.
        Placed = "placed",
        /// The shopper must act first, at `actionUrl` or in the client with `clientSecret`; then place again.
        ActionRequired = "action_required",
        /// Nobody knows yet what became of the payment; the stock stays held. Ask again, or wait: an order whose payment went
        /// through is placed without being asked.
        Processing = "processing",
    }
}

output! {
    /// What became of placing an order.
    Placement {
        /// What became of it.
        outcome: PlacementOutcome,
        /// The order, once it is placed.
        #[schema(required = true)]
        order: Option<Order>,
        /// Where the shopper must act, if that is a page.
        #[schema(required = true)]
        action_url: Option<String>,
        /// With which the client confirms the payment through the provider's own library.
        #[schema(required = true)]
        client_secret: Option<String>,
    }
}

impl Output for Placement {}

/// What a provider far away is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// To reserve the money.
    Authorize,
    /// What became of it.
    LookUp,
}

/// What the transaction that begins a placement came to, where that is not an order.
pub enum Next {
    /// A provider far away is to be asked.
    Ask(Box<CheckoutRow>, Authorize),
    /// Nothing was placed; this is known instead.
    Known(Box<Placement>),
    /// The provider said no, which is recorded.
    Declined(String),
    /// What there was to know is recorded, and changes nothing about what is placed.
    Over,
}

const OVER: Step = ControlFlow::Continue(Next::Over);

impl Flow for PlaceOrder {
    async fn run(self, cx: &Cx) -> Result<Answer<Placement>> {
        run(cx, self.cart_id, Question::Authorize, None).await
    }
}

impl Flow for ProcessPayment {
    async fn run(self, cx: &Cx) -> Result<Answer<Placement>> {
        run(cx, self.cart_id, Question::LookUp, None).await
    }
}

/// Places the order of a cart; where a payment is named, only if its checkout is the live one.
async fn run(
    cx: &Cx,
    cart: CartId,
    question: Question,
    only: Option<PaymentId>,
) -> Result<Answer<Placement>> {
    let begun = cx
        .settle_or(move |tx| {
            let step = begin(tx, cart, question, only)?;
            answered(tx, cart, step)
        })
        .await?;
    let (checkout, request) = match begun {
        ControlFlow::Break(answer) => return Ok(answer),
        ControlFlow::Continue(Next::Ask(checkout, request)) => (checkout, request),
        ControlFlow::Continue(other) => return other.into_answer(),
    };
    let providers = cx.app.part::<PaymentProviders>()?;
    let provider = providers.get(&checkout.payment.provider, "/payment/provider")?;
    let outcome = match question {
        Question::Authorize => provider.authorize(&request).await,
        Question::LookUp => match provider.look_up(&request).await {
            Outcome::Known(report) if report.state == State::Approved => {
                provider.authorize(&request).await
            }
            known => known,
        },
    };
    let payment = checkout.payment_id;
    let settled = cx
        .settle_or(move |tx| {
            let step = take_up(tx, payment, &outcome)?;
            answered(tx, cart, step)
        })
        .await;
    match settled {
        Ok(ControlFlow::Break(answer)) => Ok(answer),
        Ok(ControlFlow::Continue(next)) => next.into_answer(),
        Err(error) => Err(release::give_up(cx, payment, error).await),
    }
}

/// Goes on with a payment that the shopper has approved and not come back from. What is refused then is over.
pub async fn go_on(cx: &Cx, cart: CartId, payment: PaymentId) -> Result<()> {
    let Err(error) = run(cx, cart, Question::Authorize, Some(payment)).await else {
        return Ok(());
    };
    match error.code {
        Code::PaymentDeclined => Ok(()),
        Code::CheckoutExpired | Code::CheckoutNotStarted => {
            cx.write(move |tx| payments::check_later(tx, payment, None))
                .await
        }
        code if release::gives_up_on(code) => {
            let told = release::give_up(cx, payment, error).await;
            if told.code == code { Ok(()) } else { Err(told) }
        }
        _ => Err(error),
    }
}

impl Next {
    fn into_answer(self) -> Result<Answer<Placement>> {
        match self {
            Self::Known(placement) => Ok(Answer::fresh(*placement)),
            Self::Declined(reason) => Err(declined("/payment", &reason)),
            Self::Over => Err(nothing_to_place()),
            // A payment that was taken up asks nobody any more.
            Self::Ask(..) => Err(Error::internal("asked twice")),
        }
    }
}

/// The provider said no to a payment, which the field at `pointer` names.
pub fn declined(pointer: &str, reason: &str) -> Error {
    let detail = format!("The payment was declined: {reason}.");
    Error::field(Code::PaymentDeclined, pointer, "declined", detail)
}

pub type Step = ControlFlow<Placement, Next>;

/// The first transaction: with a provider that decides here, also the last.
fn begin(
    tx: &mut Tx<'_>,
    cart: CartId,
    question: Question,
    only: Option<PaymentId>,
) -> Result<Step> {
    let Some(checkout) = checkouts::take(tx, cart)? else {
        return placed_before(tx, cart);
    };
    if only.is_some_and(|payment| payment != checkout.payment_id) {
        return Err(nothing_to_place());
    }
    if checkout.is_covered() {
        return place(tx, &checkout, None);
    }
    let providers = tx.app().part::<PaymentProviders>()?;
    let provider = providers
        .get(&checkout.payment.provider, "/payment/provider")?
        .clone();
    match provider.reach() {
        Reach::Local(local) => decided(tx, &checkout, &local.decide(&checkout.authorize())),
        Reach::Remote => {
            let cart = carts::find(tx, cart)?;
            let (payment, events) = payments::lock(tx, checkout.payment_id)?;
            // Once the provider was asked and nobody knows yet, what was frozen is what is sold.
            if payment.next_check_at.is_none() {
                refuse_changed(tx, &checkout, &cart)?;
            }
            let cart = checkout.frozen(cart);
            let email = &cart.email.clone().unwrap_or_default();
            coupons::refuse_used_up(tx, &checkout.quote.uses(), email)?;
            credits::refuse_short(tx, &checkout.payment.credits)?;
            payments::check_later(tx, payment.id, Some(ASK_AFTER))?;
            let request = checkout.ask(&payment);
            if question == Question::Authorize {
                payments::record(tx, payment.id, &[News::asked(&request)])?;
            } else if events.is_empty() && payment.reference.is_none() {
                let detail = "The provider has not heard of the payment yet; place the order.";
                return Err(Error::new(Code::InvalidState, detail));
            }
            Ok(ControlFlow::Continue(Next::Ask(
                Box::new(checkout),
                request,
            )))
        }
    }
}

/// A provider in this process has decided about a payment that nothing has happened to before.
fn decided(tx: &mut Tx<'_>, checkout: &CheckoutRow, outcome: &Outcome) -> Result<Step> {
    if let Outcome::Known(report) = outcome {
        payments::refuse_mismatch(checkout.due(), report)?;
        let news = payments::news_of(checkout.due().amount, report);
        payments::record(tx, checkout.payment_id, &news)?;
        if !report.facts.0.is_empty() {
            let mut row = checkout.payment_row();
            row.facts = Some(Json(report.facts.clone()));
            payments::describe(tx, &row)?;
        }
        let payment = payments::standing_after(&news).into_payment(checkout.payment_row());
        return finish(tx, checkout, &report.state, payment);
    }
    without_report(tx, checkout, outcome)
}

/// Writes what a provider far away says of a payment. One function, whoever brings the news: the answer to a call, a
/// webhook, the reconciler. Somebody may have been faster: what is known to be ordered stays so, and only money revives a
/// checkout that is over.
pub fn take_up(tx: &mut Tx<'_>, payment: PaymentId, outcome: &Outcome) -> Result<Step> {
    let id = payments::checkout_of(tx, payment)?;
    let checkout = checkouts::lock(tx, id)?.ok_or_else(|| Error::not_found("checkout"))?;
    let is_main = checkout.payment_id == payment;
    let paid_later = !is_main && checkout.status == CheckoutStatus::Ordered;
    let order = if paid_later {
        Some(orders::for_checkout(tx, checkout.id)?)
    } else {
        None
    };
    let (mut row, events) = payments::lock(tx, payment)?;
    let Outcome::Known(report) = outcome else {
        return match checkout.status {
            CheckoutStatus::Open | CheckoutStatus::Paying if is_main => {
                without_report(tx, &checkout, outcome)
            }
            _ => {
                if let Outcome::Refused { reason } = outcome {
                    let refused = News::refused(payment, row.amount, reason);
                    payments::record(tx, payment, &[refused])?;
                }
                payments::check_later(tx, payment, None)?;
                if let Some(order) = &order {
                    reauthorize::failed_later(tx, order, &row, &events, outcome)?;
                }
                Ok(OVER)
            }
        };
    };
    let standing = move_money::absorb(tx, &mut row, &events, report)?.standing;
    let is_money = standing.outstanding + standing.kept() > 0;
    match checkout.status {
        CheckoutStatus::Open | CheckoutStatus::Paying => {
            finish(tx, &checkout, &report.state, standing.into_payment(row))
        }
        CheckoutStatus::Replaced | CheckoutStatus::Expired if is_money => {
            if release::has_begun(&events) {
                release::enqueue(tx, payment);
                return Ok(OVER);
            }
            finish(tx, &checkout, &report.state, standing.into_payment(row))
        }
        _ => {
            let begun = row.replaces_id.is_some() && reauthorize::is_open(outcome);
            let again = (report.state == State::Processing || begun).then_some(ASK_AFTER);
            if again.is_some() || row.next_check_at.is_some() {
                payments::check_later(tx, payment, again)?;
            }
            if let Some(order) = &order {
                later_payments::settle(tx, order, &row, &events, &standing)?;
                reauthorize::failed_later(tx, order, &row, &events, outcome)?;
            }
            Ok(OVER)
        }
    }
}

/// What the shopper changed after the quote was frozen would be lost. A note on the cart changes nothing of what is sold.
fn refuse_changed(tx: &mut Tx<'_>, checkout: &CheckoutRow, cart: &CartRow) -> Result<()> {
    if cart.version == checkout.cart_version || checkout.is_of(cart, &carts::lines_of(tx, cart.id)?)
    {
        return Ok(());
    }
    let detail = format!(
        "The cart has changed since its checkout was started (it is at version {}); start it again.",
        cart.version
    );
    Err(Error::new(Code::VersionConflict, detail))
}

/// There is no live checkout: either the order is there, or there is nothing to place.
fn placed_before(tx: &mut Tx<'_>, cart: CartId) -> Result<Step> {
    carts::find(tx, cart)?;
    match orders::find_for_checkout(tx, cart)? {
        Some(order) => Ok(ControlFlow::Break(Placement::placed(order))),
        None if checkouts::any(tx, cart)? => Err(nothing_to_place()),
        None => Err(Error::new(
            Code::CheckoutNotStarted,
            "No checkout was started for this cart; start one.",
        )),
    }
}

/// What somebody who asked is told: where nothing was placed just now, the order that is there already.
fn answered(tx: &mut Tx<'_>, cart: CartId, step: Step) -> Result<Step> {
    if !matches!(step, ControlFlow::Continue(Next::Over)) {
        return Ok(step);
    }
    Ok(match orders::find_for_checkout(tx, cart)? {
        Some(order) => ControlFlow::Break(Placement::placed(order)),
        None => OVER,
    })
}

fn nothing_to_place() -> Error {
    Error::new(
        Code::CheckoutExpired,
        "The checkout is over; start it again.",
    )
}

/// Writes what the state of an authorisation means for a checkout.
fn finish(
    tx: &mut Tx<'_>,
    checkout: &CheckoutRow,
    state: &State,
    payment: Payment,
) -> Result<Step> {
    let known = |outcome, payment: Payment| {
        Ok(ControlFlow::Continue(Next::Known(Box::new(Placement {
            outcome,
            order: None,
            action_url: payment.action_url,
            client_secret: payment.client_secret,
        }))))
    };
    match state {
        State::Authorized { .. } | State::Awaited => place(tx, checkout, Some(payment)),
        State::Open { .. } | State::ActionRequired { .. } => {
            reopen(tx, checkout)?;
            // A provider in this process keeps no session; its page is known by what it said just now.
            let payment = match state {
                State::ActionRequired { url, .. } if payment.action_url.is_none() => Payment {
                    action_url: url.clone(),
                    ..payment
                },
                _ => payment,
            };
            known(PlacementOutcome::ActionRequired, payment)
        }
        State::Processing | State::Approved => {
            keep_asking(tx, checkout)?;
            known(PlacementOutcome::Processing, payment)
        }
        State::Declined { reason } => {
            reopen(tx, checkout)?;
            Ok(ControlFlow::Continue(Next::Declined(reason.clone())))
        }
        State::Cancelled => {
            reopen(tx, checkout)?;
            Ok(ControlFlow::Continue(Next::Declined("cancelled".into())))
        }
    }
}

/// Writes what it means that a provider said no, or nothing.
fn without_report(tx: &mut Tx<'_>, checkout: &CheckoutRow, outcome: &Outcome) -> Result<Step> {
    let Outcome::Refused { reason } = outcome else {
        keep_asking(tx, checkout)?;
        return Ok(ControlFlow::Continue(Next::Known(Box::new(Placement {
            outcome: PlacementOutcome::Processing,
            order: None,
            action_url: None,
            client_secret: None,
        }))));
    };
    let refused = News::refused(checkout.payment_id, checkout.due().amount, reason);
    payments::record(tx, checkout.payment_id, &[refused])?;
    reopen(tx, checkout)?;
    Ok(ControlFlow::Continue(Next::Declined(reason.clone())))
}

/// The shopper may act, pay otherwise, or place again.
fn reopen(tx: &mut Tx<'_>, checkout: &CheckoutRow) -> Result<()> {
    carts::find(tx, checkout.cart_id)?;
    checkouts::set_status(tx, checkout.id, CheckoutStatus::Open)?;
    payments::check_later(tx, checkout.payment_id, None)
}

/// Nobody knows yet; the stock stays held.
fn keep_asking(tx: &mut Tx<'_>, checkout: &CheckoutRow) -> Result<()> {
    carts::find(tx, checkout.cart_id)?;
    checkouts::set_status(tx, checkout.id, CheckoutStatus::Paying)?;
    payments::check_later(tx, checkout.payment_id, Some(ASK_AFTER))
}

impl Placement {
    fn placed(order: Order) -> Self {
        Self {
            outcome: PlacementOutcome::Placed,
            order: Some(order),
            action_url: None,
            client_secret: None,
        }
    }
}

/// Writes the order: nine statements (five on PostgreSQL), however many lines there are, the counter of numbers last. What
/// gift cards and store credit pay is taken with it, for three statements more, and a coupon is used for three more.
fn place(tx: &mut Tx<'_>, checkout: &CheckoutRow, payment: Option<Payment>) -> Result<Step> {
    let Some(cart) = carts::mark_ordered(tx, checkout.cart_id)? else {
        // It is not the caller's, or another checkout of the cart was faster: then this money is nobody's.
        carts::find(tx, checkout.cart_id)?;
        payments::check_later(tx, checkout.payment_id, None)?;
        checkouts::set_status(tx, checkout.id, CheckoutStatus::Replaced)?;
        if !checkout.is_covered() {
            release::enqueue(tx, checkout.payment_id);
        }
        return Ok(OVER);
    };
    // Once the money is on its way, what was frozen is what is sold, to whom it was.
    let cart = if checkout.status == CheckoutStatus::Paying {
        checkout.frozen(cart)
    } else {
        refuse_changed(tx, checkout, &cart)?;
        cart
    };
    let id = OrderId::new();
    let due_at = if checkout.payment.on_terms {
        credit_terms::take(tx, &cart.email.clone().unwrap_or_default(), checkout.due())?
    } else {
        None
    };
    let picks = allocate(tx, checkout, id)?;
    let lines = order_lines(checkout, id);
    orders::insert_lines(tx, &lines)?;
    orders::insert_allocations(tx, &spread(&lines, picks)?)?;
    let mut payments: Vec<Payment> = payment.into_iter().collect();
    payments.extend(redeem(tx, checkout)?);
    let email = &cart.email.clone().unwrap_or_default();
    coupons::redeem(tx, id, email, &checkout.quote.uses())?;
    if checkout.remote || checkout.status == CheckoutStatus::Paying {
        checkouts::set_status(tx, checkout.id, CheckoutStatus::Ordered)?;
        payments::check_later(tx, checkout.payment_id, None)?;
    }
    let order = insert(tx, checkout, cart, id, due_at)?;
    tx.publish(
        "order.placed",
        id.uuid(),
        &serde_json::json!({
            "orderId": id, "number": order.number, "channelId": order.channel_id, "cartId": order.cart_id,
            "total": { "amount": order.grand_total, "currency": order.currency },
        }),
    );
    unpaid::enqueue(tx, &order, &payments)?;
    if let Some(keeper) = checkout.payment.keeper.as_ref().filter(|k| k.keep) {
        saved_methods::read_later(tx, &checkout.payment.provider, &keeper.customer);
    }
    if Channels::get(tx, order.channel_id)?.risk_checks {
        assess_order::enqueue(tx, id);
    }
    Ok(ControlFlow::Break(Placement::placed(Order {
        coupons: redeemed(checkout),
        ..Order::new(order, lines, payments, tx.actor())
    })))
}

/// The coupons that the order of a checkout used.
fn redeemed(checkout: &CheckoutRow) -> Vec<RedeemedCoupon> {
    let used = checkout.quote.coupons.iter().filter(|c| c.discount > 0);
    used.map(|coupon| RedeemedCoupon {
        coupon_id: coupon.id,
        code: coupon.code.clone(),
        discount: Money {
            amount: coupon.discount,
            currency: checkout.currency,
        },
    })
    .collect()
}

/// Takes what gift cards and store credit pay: authorised and captured at once.
fn redeem(tx: &mut Tx<'_>, checkout: &CheckoutRow) -> Result<Vec<Payment>> {
    if checkout.payment.credits.is_empty() {
        return Ok(Vec::new());
    }
    credits::redeem(tx, &checkout.payment.credits)?;
    let rows: Vec<PaymentRow> = checkout.credit_rows().collect();
    let happened = |row: &PaymentRow| {
        let account = row.reference.clone().unwrap_or_default();
        let kinds = [
            PaymentEventKind::AuthorizationSuccess,
            PaymentEventKind::ChargeSuccess,
        ];
        let news = kinds.map(|kind| News::new(kind, row.amount, account.clone()));
        (row.id, news.to_vec())
    };
    let news: Vec<(PaymentId, Vec<News>)> = rows.iter().map(happened).collect();
    payments::record_first(tx, &news)?;
    Ok(rows
        .into_iter()
        .zip(&news)
        .map(|(row, (_, news))| payments::standing_after(news).into_payment(row))
        .collect())
}

/// What was held becomes the order's. Where the hold is gone (the payment went through after the checkout ran out), it is
/// held anew, or the order cannot be.
fn allocate(tx: &mut Tx<'_>, checkout: &CheckoutRow, order: OrderId) -> Result<Vec<Pick>> {
    let demand = checkout.quote.demand();
    let reference = checkout.cart_id.uuid();
    let picks = inventory::allocate(tx, reference, order.uuid())?;
    let mut got = Demand::new();
    for pick in &picks {
        *got.entry(pick.variant_id).or_default() += pick.quantity;
    }
    if got == demand {
        return Ok(picks);
    }
    if !picks.is_empty() {
        return Err(Error::internal(
            "a checkout held something else than it wanted",
        ));
    }
    let expires_at = tx.now;
    let held = inventory::hold(tx, reference, &demand, expires_at)?;
    held.map_err(|shortages| refuse_shortage(&checkout.quote, &shortages))?;
    inventory::allocate(tx, reference, order.uuid())
}

fn order_lines(checkout: &CheckoutRow, order_id: OrderId) -> Vec<OrderLineRow> {
    let goods = checkout
        .quote
        .lines
        .iter()
        .map(|line| goods_line(line, order_id));
    let shipping = checkout.quote.shipping.iter().map(|shipping| OrderLineRow {
        kind: OrderLineKind::Shipping,
        variant_id: None,
        sku: shipping.handle.clone(),
        title: shipping.name.clone(),
        quantity: 1,
        unit_price: shipping.price,
        ..amounts(&shipping.amounts, order_id)
    });
    let mut lines: Vec<OrderLineRow> = goods.chain(shipping).collect();
    for (line, position) in lines.iter_mut().zip(0_i64..) {
        line.position = position;
    }
    lines
}

fn goods_line(line: &QuoteLine, order_id: OrderId) -> OrderLineRow {
    OrderLineRow {
        variant_id: Some(line.variant_id),
        sku: line.sku.clone(),
        title: line.title.clone(),
        quantity: line.quantity,
        unit_price: line.unit_price,
        ..amounts(&line.amounts, order_id)
    }
}

fn amounts(amounts: &carts::Amounts, order_id: OrderId) -> OrderLineRow {
    OrderLineRow {
        id: OrderLineId::new(),
        order_id,
        position: 0,
        kind: OrderLineKind::Goods,
        variant_id: None,
        sku: String::new(),
        title: String::new(),
        quantity: 0,
        unit_price: 0,
        subtotal: amounts.subtotal,
        discount: amounts.discount,
        net: amounts.net,
        taxes: Json(amounts.taxes.clone()),
        tax: amounts.tax,
        total: amounts.total,
        quantity_cancelled: 0,
        quantity_refunded: 0,
    }
}

/// Gives what was picked for each variant to the lines that want it, in order.
fn spread(lines: &[OrderLineRow], mut picks: Vec<Pick>) -> Result<Vec<Allocation>> {
    let mut allocations = Vec::with_capacity(picks.len());
    for line in lines {
        let mut wanted = line.quantity;
        for pick in picks
            .iter_mut()
            .filter(|p| Some(p.variant_id) == line.variant_id && p.quantity > 0)
        {
            let quantity = wanted.min(pick.quantity);
            if quantity > 0 {
                allocations.push(Allocation {
                    line_id: line.id,
                    pick: Pick { quantity, ..*pick },
                });
                pick.quantity -= quantity;
                wanted -= quantity;
            }
        }
    }
    if picks.iter().any(|p| p.quantity != 0) {
        return Err(Error::internal("more was allocated than the lines want"));
    }
    Ok(allocations)
}

fn insert(
    tx: &mut Tx<'_>,
    checkout: &CheckoutRow,
    cart: CartRow,
    id: OrderId,
    due_at: Option<Timestamp>,
) -> Result<OrderRow> {
    let channel = Channels::get(tx, cart.channel_id)?;
    let sequential = channel.order_numbers == OrderNumbers::Sequential;
    let quote = &checkout.quote;
    let mut number = channel.order_number_prefix.clone();
    if !sequential {
        number.push_str(&orders::scattered()?);
    }
    let mut order = OrderRow {
        id,
        number,
        sequence: None,
        channel_id: cart.channel_id,
        cart_id: cart.id,
        checkout_id: checkout.id,
        status: OrderStatus::Open,
        source: cart.source,
        reference: cart.reference,
        email: cart.email.unwrap_or_default(),
        shipping_address: cart.shipping_address,
        billing_address: cart.billing_address,
        shipping_method: quote.shipping.as_ref().map(|s| {
            Json(ShippingChoice {
                method_id: s.method_id,
                handle: s.handle.clone(),
                name: s.name.clone(),
            })
        }),
        placed_by: tx.actor().name(),
        currency: checkout.currency,
        prices_include_tax: channel.prices_include_tax,
        rounding: channel.rounding,
        tax_per: channel.tax_per,
        goods_total: quote.goods,
        discount_total: quote.discount,
        shipping_total: quote.shipping_amount,
        tax_total: quote.tax,
        grand_total: quote.total,
        cancelled_total: 0,
        metadata: cart.metadata,
        version: 1,
        placed_at: tx.now,
        updated_at: tx.now,
        cancelled_at: None,
        token_hash: cart.token_hash,
        due_at,
    };
    orders::insert(tx, &mut order, sequential)?;
    Ok(order)
}
