//! From a cart to a checkout: the quote is frozen, the stock held, the payment recorded.

use std::ops::ControlFlow;
use std::time::Duration;

use super::checkouts::{self, Buyer, Checkout, CheckoutRow, CheckoutStatus, Chosen};
use super::{move_money, release};
use crate::auth::Scope;
use crate::context::{Cx, Tx};
use crate::domain::carts::{self, CartProblemCode, CartRow, CartStatus, Quote};
use crate::domain::channels::{CapturePolicy, Channels};
use crate::domain::credit_terms;
use crate::domain::credits::{self, GUESSES, Share};
use crate::domain::inventory::{self, Shortage};
use crate::domain::payments::{self, NewPayment, PaymentRow, Standing};
use crate::domain::saved_methods;
use crate::input;
use crate::kernel::ids::{CartId, CheckoutId, PaymentId};
use crate::kernel::money::{Minor, sum};
use crate::kernel::{Checks, Code, Currency, Email, Error, FieldError, Money, Result};
use crate::operation::guesses::Guesses;
use crate::operation::{Answer, Flow};
use crate::ports::payment::{Authorize, Keeper, Outcome, PaymentProviders, Reach};

input! {
    /// Starts a checkout.
    StartCheckout {
        /// The cart.
        cart_id: CartId,
        /// The version the cart must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// The total that was shown, in minor units; refused when it is no longer the total.
        expected_total: Option<Minor>,
        /// Codes of gift cards, at most five. Each pays what is on it, in this order, until all is paid. They are not
        /// reserved: placing the order takes the money, all of it or none.
        gift_cards: Option<Vec<String>>,
        /// How much the store credit of the cart's e-mail address pays at most, in minor units, after the gift cards. Needs
        /// the scope `credits:write`.
        store_credit: Option<Minor>,
        /// How the rest is paid. May be left out where nothing is left to be paid; what it says is not used then.
        payment: Option<NewPayment>,
    }
}

impl Flow for StartCheckout {
    async fn run(self, cx: &Cx) -> Result<Answer<Checkout>> {
        let guesses = cx.app.part::<Guesses>()?;
        let cart = Some(self.cart_id);
        if self.gift_cards.is_some() {
            guesses.check(cx, &GUESSES, cart).await?;
        }
        let keeper = self.keeper(cx).await?;
        let opened = cx
            .settle_or(move |tx| self.freeze(tx, keeper.as_ref()))
            .await;
        if let Err(error) = &opened {
            let wrong = error.fields.iter().filter(|f| f.code == credits::UNKNOWN);
            guesses.wrong(cx, &GUESSES, cart, wrong.count())?;
        }
        let (payment, request) = match opened? {
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
            standing = move_money::absorb(tx, &mut payment, &events, report)?.standing;
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
    Ok(row.into_started(Some(standing.into_payment(payment))))
}

impl StartCheckout {
    /// For whom the provider is to keep the instrument, and the e-mail address that stands for them.
    async fn keeper(&self, cx: &Cx) -> Result<Option<(Email, Keeper)>> {
        let Some(payment) = &self.payment else {
            return Ok(None);
        };
        if payment.save_payment_method != Some(true) {
            return Ok(None);
        }
        let cart = self.cart_id;
        let email = cx.read(move |tx| {
            tx.actor()
                .require(Scope::PaymentsWrite, "/payment/savePaymentMethod")?;
            Ok(carts::find(tx, cart)?.email)
        });
        // Without one the cart is not checked out.
        let Some(email) = email.await? else {
            return Ok(None);
        };
        let keeper = saved_methods::keeper(cx, &payment.provider, &email).await?;
        Ok(Some((email, keeper)))
    }

    fn freeze(
        &self,
        tx: &mut Tx<'_>,
        keeper: Option<&(Email, Keeper)>,
    ) -> Result<ControlFlow<Checkout, (PaymentRow, Authorize)>> {
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
        let chosen = match &self.payment {
            Some(payment) => {
                let capture = channel.capture == CapturePolicy::Placement;
                let mut way = choose(tx, payment, capture)?;
                let email = &cart.email.clone().unwrap_or_default();
                way.charge(tx, payment, email)?;
                if let Some((whose, keeper)) = keeper {
                    if whose != email {
                        return Err(Error::version_conflict(cart.version));
                    }
                    way.chosen.keeper = Some(keeper.clone());
                }
                Some(way)
            }
            None => None,
        };
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
        let payment_id = PaymentId::new();
        let shares = self.plan(tx, &cart, quote.total)?;
        let mut way = Way::of(&quote, cart.currency, chosen, payment_id, shares)?;
        if credit_terms::is_invoice(&way.chosen.provider, &way.chosen.method) {
            let email = &cart.email.clone().unwrap_or_default();
            let credit: i64 = way.chosen.credits.iter().map(|share| share.amount).sum();
            let rest = Money {
                amount: quote.total - credit,
                currency: cart.currency,
            };
            way.chosen.on_terms =
                credit_terms::refuse_beyond(tx, email, rest, channel.invoice_needs_terms)?;
        }
        way.refuse_amount(tx, quote.total, cart.currency)?;
        way.chosen.buyer = Some(Buyer::of(&cart));
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
        let row = CheckoutRow {
            id: CheckoutId::new(),
            cart_id: cart.id,
            cart_version: cart.version,
            status: CheckoutStatus::Open,
            remote: way.remote,
            total: quote.total,
            quote,
            currency: cart.currency,
            payment_id: way.payment_id,
            payment: way.chosen,
            expires_at,
            created_at: tx.now,
        };
        let own = (!row.is_covered()).then(|| row.payment_row());
        let payments: Vec<PaymentRow> = own.iter().cloned().chain(row.credit_rows()).collect();
        payments::insert(tx, &payments)?;
        checkouts::insert(tx, &row)?;
        match own {
            Some(payment) if way.opens => {
                let request = row.ask(&payment);
                Ok(ControlFlow::Continue((payment, request)))
            }
            own => {
                let payment = own.map(|row| Standing::of(&[]).into_payment(row));
                Ok(ControlFlow::Break(row.into_started(payment)))
            }
        }
    }

    /// What gift cards and store credit pay.
    fn plan(&self, tx: &mut Tx<'_>, cart: &CartRow, total: i64) -> Result<Vec<Share>> {
        let codes = self.gift_cards.as_deref().unwrap_or_default();
        let own = match self.store_credit {
            Some(most) => {
                tx.actor().require(Scope::CreditsWrite, "/storeCredit")?;
                Some((cart.email.clone().unwrap_or_default(), most.0))
            }
            None => None,
        };
        credits::plan(tx, codes, own, cart.currency, total)
    }
}

/// The way a checkout is paid.
pub struct Way {
    /// The payment that the checkout waits for.
    payment_id: PaymentId,
    pub chosen: Chosen,
    /// Whether its provider is far away.
    remote: bool,
    /// Whether that opens a session now.
    opens: bool,
}

impl Way {
    /// Charges a method that the provider keeps for this e-mail address, where one is named.
    pub fn charge(&mut self, tx: &mut Tx<'_>, wanted: &NewPayment, email: &Email) -> Result<()> {
        const POINTER: &str = "/payment/savedPaymentMethodId";
        let Some(id) = wanted.saved_payment_method_id else {
            return Ok(());
        };
        if wanted.token.is_some() {
            let message = "Name a token or a saved payment method, not both.";
            return Err(Error::invalid("/payment/token", "both_kinds", message));
        }
        let (provider, away) = (&self.chosen.provider, wanted.off_session.unwrap_or(false));
        let (token, keeper) = saved_methods::charge(tx, id, provider, email, away, POINTER)?;
        self.chosen.token = Some(token);
        self.chosen.keeper = Some(keeper);
        self.opens = false;
        Ok(())
    }

    /// Refuses what is left to be paid where the provider cannot take exactly that.
    fn refuse_amount(&self, tx: &Tx<'_>, total: i64, currency: Currency) -> Result<()> {
        let credit = sum(self.chosen.credits.iter().map(|share| share.amount))?;
        if credit == total {
            return Ok(());
        }
        let amount = sum([total, -credit])?;
        refuse_amount(tx, &self.chosen.provider, Money { amount, currency })
    }

    /// What was chosen for the rest, or nothing but credit.
    fn of(
        quote: &Quote,
        currency: Currency,
        chosen: Option<Way>,
        payment_id: PaymentId,
        credits: Vec<Share>,
    ) -> Result<Self> {
        let credit: i64 = credits.iter().map(|share| share.amount).sum();
        match (chosen, credits.first()) {
            (_, first) if credit == quote.total => Ok(Self {
                payment_id: first.map_or(payment_id, |first| first.payment_id),
                chosen: Chosen {
                    provider: first.map_or_else(String::new, |first| first.kind.to_string()),
                    method: first.map_or_else(String::new, |first| first.kind.to_string()),
                    capture: true,
                    credits,
                    ..Chosen::default()
                },
                remote: false,
                opens: false,
            }),
            (Some(way), _) => Ok(Self {
                payment_id,
                chosen: Chosen {
                    credits,
                    ..way.chosen
                },
                ..way
            }),
            (None, _) => {
                let amount = quote.total - credit;
                let left = Money { amount, currency };
                let message = format!("{left} is left to be paid: say how.");
                Err(Error::invalid("/payment", "required", message))
            }
        }
    }
}

/// Refuses an amount that a provider cannot take.
pub fn refuse_amount(tx: &Tx<'_>, provider: &str, money: Money) -> Result<()> {
    const POINTER: &str = "/payment/provider";
    let providers = tx.app().part::<PaymentProviders>()?;
    match providers.get(provider, POINTER)?.cannot_take(money) {
        Some(why) => Err(why.into_error(POINTER)),
        None => Ok(()),
    }
}

/// The provider and method, whether the provider is far away, and whether it opens a session now.
pub fn choose(tx: &Tx<'_>, wanted: &NewPayment, capture: bool) -> Result<Way> {
    if credits::is_credit(&wanted.provider) {
        let message = "Gift cards are named in giftCards, store credit in storeCredit.";
        return Err(Error::invalid(
            "/payment/provider",
            "unknown_provider",
            message,
        ));
    }
    let providers = tx.app().part::<PaymentProviders>()?;
    let provider = providers.get(&wanted.provider, "/payment/provider")?;
    let methods = provider.methods();
    let method = wanted
        .method
        .as_deref()
        .or(methods.first().copied())
        .unwrap_or_default();
    let token_length = wanted.token.as_ref().map_or(0, String::len);
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
            wanted.return_url.as_ref().is_none_or(|url| {
                url.starts_with("https://")
                    && url.len() <= 2_000
                    && !url.contains(char::is_whitespace)
            }),
            "/payment/returnUrl",
            "invalid_url",
            "An https address of at most 2000 bytes.",
        )
        .that(
            wanted.off_session.is_none() || wanted.saved_payment_method_id.is_some(),
            "/payment/offSession",
            "without_saved_method",
            "Only a saved payment method is charged while the shopper is away.",
        )
        .that(
            wanted.save_payment_method != Some(true) || wanted.saved_payment_method_id.is_none(),
            "/payment/savePaymentMethod",
            "saved_already",
            "The payment method is saved already.",
        )
        .done()?;
    let chosen = Chosen {
        provider: provider.name().to_owned(),
        method: method.to_owned(),
        token: wanted.token.clone(),
        return_url: wanted.return_url.clone(),
        capture,
        ..Chosen::default()
    };
    let remote = matches!(provider.reach(), Reach::Remote);
    let opens = remote && provider.abilities().opens && wanted.token.is_none();
    Ok(Way {
        payment_id: PaymentId::new(),
        chosen,
        remote,
        opens,
    })
}

/// A cart with problems is not checked out. Each is about a field of the cart.
fn refuse_problems(quote: &Quote) -> Result<()> {
    if quote.is_ready() {
        return Ok(());
    }
    let cart = quote.problems.iter().map(|problem| {
        let pointer = match problem.code {
            CartProblemCode::EmailMissing => "/email",
            CartProblemCode::AddressMissing
            | CartProblemCode::CountryNotServed
            | CartProblemCode::AddressInvalid => "/shippingAddress",
            CartProblemCode::BillingAddressInvalid => "/billingAddress",
            CartProblemCode::DeliveryMissing | CartProblemCode::DeliveryNotAvailable => {
                "/shippingMethodId"
            }
            _ => "/lines",
        };
        let field = problem.field.iter().map(|field| format!("/{field}"));
        let pointer = format!("{pointer}{}", field.collect::<String>());
        FieldError::new(pointer, problem.code.as_str(), problem.message.clone())
    });
    let coupons = quote.coupons.iter().enumerate().flat_map(|(i, coupon)| {
        coupon.problems.iter().map(move |problem| {
            let (code, message) = (problem.code.as_str(), problem.message.clone());
            FieldError::new(format!("/coupons/{i}"), code, message)
        })
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
    let fields: Vec<FieldError> = cart.chain(lines).chain(coupons).collect();
    let only_stock = fields
        .iter()
        .all(|f| f.code == CartProblemCode::InsufficientStock.as_str());
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
            let message = format!("{}.", carts::left(short.available));
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
