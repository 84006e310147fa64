//! From a cart to a checkout: the quote is frozen, the stock held, the payment recorded.

use std::ops::ControlFlow;
use std::time::Duration;

use super::checkouts::{self, Checkout, CheckoutRow, CheckoutStatus, Chosen};
use super::release;
use crate::context::{Cx, Tx};
use crate::domain::carts::{self, CartStatus, ProblemCode, Quote};
use crate::domain::channels::{CapturePolicy, Channels};
use crate::domain::credit;
use crate::domain::inventory::{self, Shortage};
use crate::domain::payments::{self, NewPayment, PaymentRow, Standing};
use crate::input;
use crate::kernel::ids::{CartId, CheckoutId, PaymentId};
use crate::kernel::money::Minor;
use crate::kernel::{Checks, Code, Error, FieldError, Money, Result};
use crate::operation::{Answer, Flow};
use crate::ports::payment::{Authorize, Outcome, PaymentProviders, Reach};

input! {
    /// Starts a checkout.
    StartCheckout {
        /// The cart.
        cart_id: CartId,
        /// The version the cart must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// The total that was shown, in minor units; refused when it is no longer the total.
        expected_total: Option<Minor>,
        /// How it is paid.
        payment: NewPayment,
    }
}

impl Flow for StartCheckout {
    async fn run(self, cx: &Cx) -> Result<Answer<Checkout>> {
        let opened = cx.settle_or(move |tx| self.freeze(tx)).await?;
        let (payment, request) = match opened {
            ControlFlow::Break(answer) => return Ok(answer),
            ControlFlow::Continue(asked) => asked,
        };
        let name = payment.provider.clone();
        let providers = cx.app.part::<PaymentProviders>()?;
        let outcome = providers
            .get(&name, "/payment/provider")?
            .authorize(&request)
            .await;
        cx.settle(move |tx| session_opened(tx, payment.id, &outcome))
            .await
    }
}

/// Writes what the client needs to confirm a payment. Where the provider did not answer, there is nothing to confirm with
/// yet; started again, the checkout asks anew.
fn session_opened(tx: &mut Tx<'_>, id: PaymentId, outcome: &Outcome) -> Result<Checkout> {
    let checkout = payments::checkout_of(tx, id)?;
    let row = checkouts::lock(tx, checkout)?.ok_or_else(|| Error::not_found("checkout"))?;
    let (mut payment, events) = payments::lock(tx, id)?;
    let mut standing = Standing::of(&events);
    match outcome {
        Outcome::Known(report) => {
            let providers = tx.app().part::<PaymentProviders>()?;
            let abilities = providers
                .get(&payment.provider, "/payment/provider")?
                .abilities();
            standing = payments::absorb(tx, &mut payment, &events, abilities, report)?;
        }
        Outcome::Refused { reason } => {
            let detail = format!("The provider cannot open a payment: {reason}.");
            return Err(Error::field(
                Code::PaymentDeclined,
                "/payment",
                "declined",
                detail,
            ));
        }
        Outcome::Unknown => {}
    }
    Ok(row.into_checkout(standing.into_payment(payment)))
}

impl StartCheckout {
    fn freeze(&self, tx: &mut Tx<'_>) -> Result<ControlFlow<Checkout, (PaymentRow, Authorize)>> {
        let cart = carts::lock(tx, self.cart_id)?;
        if cart.status != CartStatus::Open {
            return Err(Error::new(
                Code::InvalidState,
                "The cart became an order already.",
            ));
        }
        if self
            .expected_version
            .is_some_and(|expected| expected != cart.version)
        {
            return Err(Error::version_conflict(cart.version));
        }
        let channel = Channels::get(tx, cart.channel_id)?;
        let (mut chosen, remote, opens) =
            self.choose(tx, channel.capture == CapturePolicy::Placement)?;
        let lines = carts::lines_of(tx, cart.id)?;
        let (quote, _) = carts::quote_of(tx, &cart, &lines)?;
        refuse_problems(&quote)?;
        if self
            .expected_total
            .is_some_and(|expected| expected.0 != quote.total)
        {
            let message = format!("The total is {} now.", quote.total);
            return Err(Error::field(
                Code::PriceChanged,
                "/expectedTotal",
                "changed",
                message,
            ));
        }
        if credit_terms::is_invoice(&chosen.provider, &chosen.method) {
            let email = cart.email.as_deref().unwrap_or_default();
            let total = Money {
                amount: quote.total,
                currency: cart.currency,
            };
            chosen.on_terms = credit_terms::refuse_beyond(tx, email, total, channel.invoice_needs_terms)?;
        }
        if let Some(replaced) = checkouts::replace(tx, cart.id)? {
            inventory::release(tx, cart.id.uuid())?;
            if replaced.remote {
                // What the provider still has open is closed there.
                release::enqueue(tx, replaced.payment_id);
            }
        }
        let expires_at = tx
            .now
            .plus(Duration::from_mins(channel.hold_minutes.unsigned_abs()));
        let held = inventory::hold(tx, cart.id.uuid(), &quote.demand(), expires_at)?;
        held.map_err(|shortages| refuse_shortage(&quote, &shortages))?;
        let payment = PaymentRow {
            id: PaymentId::new(),
            checkout_id: CheckoutId::new(),
            provider: chosen.provider.clone(),
            method: chosen.method.clone(),
            token: chosen.token.clone(),
            currency: cart.currency,
            amount: quote.total,
            next_check_at: None,
            created_at: tx.now,
            reference: None,
            session: None,
            facts: None,
            expires_at: None,
        };
        payments::insert(tx, &payment)?;
        let row = CheckoutRow {
            id: payment.checkout_id,
            cart_id: cart.id,
            cart_version: cart.version,
            status: CheckoutStatus::Open,
            remote,
            total: quote.total,
            quote,
            currency: cart.currency,
            payment_id: payment.id,
            payment: chosen,
            expires_at,
            created_at: tx.now,
        };
        checkouts::insert(tx, &row)?;
        if opens {
            let request = row.ask(&payment);
            return Ok(ControlFlow::Continue((payment, request)));
        }
        let payment = Standing::of(&[]).into_payment(payment);
        Ok(ControlFlow::Break(row.into_checkout(payment)))
    }

    /// The provider and method, whether the provider is far away, and whether it opens a session now.
    fn choose(&self, tx: &Tx<'_>, capture: bool) -> Result<(Chosen, bool, bool)> {
        let providers = tx.app().part::<PaymentProviders>()?;
        let provider = providers.get(&self.payment.provider, "/payment/provider")?;
        let methods = provider.methods();
        let method = self
            .payment
            .method
            .as_deref()
            .or(methods.first().copied())
            .unwrap_or_default();
        let token_length = self.payment.token.as_ref().map_or(0, String::len);
        Checks::new()
            .that(
                methods.contains(&method),
                "/payment/method",
                "unknown_method",
                format!(
                    "The provider {} offers: {}.",
                    provider.name(),
                    methods.join(", ")
                ),
            )
            .that(
                token_length <= 500,
                "/payment/token",
                "too_long",
                "At most 500 bytes.",
            )
            .that(
                self.payment.return_url.as_ref().is_none_or(|url| {
                    url.starts_with("https://")
                        && url.len() <= 2_000
                        && !url.contains(char::is_whitespace)
                }),
                "/payment/returnUrl",
                "invalid_url",
                "An https address of at most 2000 bytes.",
            )
            .done()?;
        let chosen = Chosen {
            provider: provider.name().to_owned(),
            method: method.to_owned(),
            token: self.payment.token.clone(),
            return_url: self.payment.return_url.clone(),
            capture,
            on_terms: false,
        };
        let remote = matches!(provider.reach(), Reach::Remote);
        let opens = remote && provider.abilities().opens && self.payment.token.is_none();
        Ok((chosen, remote, opens))
    }
}

/// A cart with problems is not checked out. Each is about a field of the cart.
fn refuse_problems(quote: &Quote) -> Result<()> {
    if quote.is_ready() {
        return Ok(());
    }
    let cart = quote.problems.iter().map(|problem| {
        let pointer = match problem.code {
            ProblemCode::EmailMissing => "/email",
            ProblemCode::AddressMissing => "/shippingAddress",
            ProblemCode::CountryNotServed => "/shippingAddress/country",
            ProblemCode::AddressInvalid => "/shippingAddress/postcode",
            ProblemCode::BillingAddressInvalid => "/billingAddress/postcode",
            ProblemCode::DeliveryMissing | ProblemCode::DeliveryNotAvailable => "/shippingMethodId",
            _ => "/lines",
        };
        FieldError::new(pointer, problem.code.as_str(), problem.message.clone())
    });
    let lines = quote.lines.iter().enumerate().flat_map(|(i, line)| {
        line.problems.iter().map(move |problem| FieldError {
            available: problem.available,
            ..FieldError::new(
                format!("/lines/{i}"),
                problem.code.as_str(),
                problem.message.clone(),
            )
        })
    });
    let fields: Vec<FieldError> = cart.chain(lines).collect();
    let only_stock = fields
        .iter()
        .all(|f| f.code == ProblemCode::InsufficientStock.as_str());
    let (code, detail) = if only_stock {
        (
            Code::InsufficientStock,
            "There is less stock than the cart wants.",
        )
    } else {
        (
            Code::CartNotReady,
            "Something is missing before the cart can be checked out.",
        )
    };
    Err(Error::new(code, detail).with(fields))
}

/// Somebody else was faster.
pub fn refuse_shortage(quote: &Quote, shortages: &[Shortage]) -> Error {
    let fields = quote
        .lines
        .iter()
        .enumerate()
        .filter_map(|(i, line)| {
            let short = shortages.iter().find(|s| s.variant_id == line.variant_id)?;
            let message = format!("There are {} left.", short.available);
            let field = FieldError::new(format!("/lines/{i}"), "insufficient_stock", message);
            Some(FieldError {
                available: Some(short.available),
                ..field
            })
        })
        .collect();
    Error::new(
        Code::InsufficientStock,
        "There is less stock than the cart wants.",
    )
    .with(fields)
}
