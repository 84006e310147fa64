//! What a cart costs at this moment, and what stands in the way of an order. Pure.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::model::{Cart, CartCoupon, CartLine, CartProblem, CartProblemCode, CartTotals, LineTax};
use super::queries::{CartLineRow, CartRow};
use crate::auth::Actor;
use crate::domain::catalog::{Sellable, StockPolicy};
use crate::domain::channels::ChannelRow;
use crate::domain::coupons::{Presented, Purchase, Use};
use crate::domain::inventory::Demand;
use crate::domain::shipping::{Shipping, ShippingOption};
use crate::domain::tax::{TaxRate, Taxes};
use crate::kernel::ids::{
    CartLineId, CouponId, ProductId, ShippingMethodId, TaxClassId, VariantId,
};
use crate::kernel::money::{Document, DocumentInput, Line, LineInput, Minor, Totals, calculate};
use crate::kernel::{Money, Result, Timestamp};
use crate::ports::address::{AddressReport, AddressSeverity, PostalAddress};

/// A cart's lines, totals and problems at one moment. A checkout keeps one as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Quote {
    /// The lines, in order.
    pub lines: Vec<QuoteLine>,
    /// The coupons, in the order in which they were entered.
    #[serde(default)]
    pub coupons: Vec<QuoteCoupon>,
    /// The delivery.
    pub shipping: Option<QuoteShipping>,
    /// Sums of the lines and the delivery.
    pub goods: i64,
    /// All that is taken off.
    pub discount: i64,
    /// The delivery before discounts.
    pub shipping_amount: i64,
    /// All tax.
    pub tax: i64,
    /// What is to be paid.
    pub total: i64,
    /// The cart's own problems.
    pub problems: Vec<CartProblem>,
    /// Ways of delivery to choose from.
    #[serde(skip)]
    pub options: Vec<ShippingOption>,
}

/// A line of a quote, every step of its arithmetic kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuoteLine {
    /// The cart's line.
    pub id: CartLineId,
    /// The variant.
    pub variant_id: VariantId,
    /// Its product; null where the variant is no longer known.
    pub product_id: ProductId,
    /// Its SKU.
    pub sku: String,
    /// What it is called.
    pub title: String,
    /// Units.
    pub quantity: i64,
    /// What one costs.
    pub unit_price: i64,
    /// Whether the price was given by hand.
    pub price_overridden: bool,
    /// Whether its stock is counted.
    pub tracked: bool,
    /// Its amounts.
    pub amounts: Amounts,
    /// What stands in the way of an order.
    pub problems: Vec<CartProblem>,
}

/// A coupon of a quote.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuoteCoupon {
    /// The coupon.
    pub id: CouponId,
    /// Its code.
    pub code: String,
    /// What it takes off.
    pub discount: i64,
    /// What stands in the way of an order.
    pub problems: Vec<CartProblem>,
}

/// The delivery of a quote.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuoteShipping {
    /// The chosen way.
    pub method_id: ShippingMethodId,
    /// Its handle.
    pub handle: String,
    /// What it is called.
    pub name: String,
    /// What it costs, as the channel prices.
    pub price: i64,
    /// Its amounts.
    pub amounts: Amounts,
}

/// The amounts of a line, in minor units.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Amounts {
    /// Unit price × quantity.
    pub subtotal: i64,
    /// What is taken off.
    pub discount: i64,
    /// What is taxed.
    pub net: i64,
    /// The tax, rate by rate.
    pub taxes: Vec<LineTax>,
    /// Their sum.
    pub tax: i64,
    /// Net and tax.
    pub total: i64,
}

/// Everything a quote is made of.
pub struct Basis<'a> {
    pub cart: &'a CartRow,
    pub lines: &'a [CartLineRow],
    pub sellables: &'a HashMap<VariantId, Sellable>,
    pub coupons: &'a [Presented],
    pub channel: &'a ChannelRow,
    pub taxes: &'a Taxes,
    pub shipping: &'a Shipping,
    /// What is thought of the address of delivery.
    pub ship_to: Option<AddressReport>,
    /// What is thought of the address of billing.
    pub bill_to: Option<AddressReport>,
    pub now: Timestamp,
}

impl Quote {
    /// Prices a cart.
    pub fn new(basis: &Basis<'_>) -> Result<Self> {
        let cart = basis.cart;
        let ships = basis
            .lines
            .iter()
            .any(|l| basis.sellable(l).is_some_and(|s| s.requires_shipping));
        let priced: Vec<(i64, &[TaxRate])> = basis.lines.iter().map(|l| basis.price(l)).collect();
        let mut input = DocumentInput {
            lines: priced
                .iter()
                .zip(basis.lines)
                .map(|((unit_price, rates), line)| line_input(*unit_price, line.quantity, rates))
                .collect(),
            ..DocumentInput::default()
        };
        let options = if ships { basis.options()? } else { Vec::new() };
        let chosen = cart.shipping_method_id.filter(|_| ships);
        let option = options.iter().find(|o| Some(o.method_id) == chosen);
        let rates = option.map_or(&[][..], |o| basis.shipping_rates(o.method_id));
        input.shipping = option.map(|o| line_input(o.amount.amount, 1, rates));
        let (document, coupons) = basis.calculate(input)?;
        let lines = basis
            .lines
            .iter()
            .zip(&priced)
            .zip(&document.lines)
            .map(|((line, (unit_price, rates)), amounts)| {
                basis.line(line, *unit_price, rates, amounts)
            })
            .collect();
        let Totals {
            subtotal,
            shipping,
            discount,
            tax,
            gross,
            ..
        } = document.totals;
        let shipping_line = option
            .zip(document.shipping.as_ref())
            .map(|(option, line)| QuoteShipping {
                method_id: option.method_id,
                handle: option.handle.clone(),
                name: option.name.clone(),
                price: option.amount.amount,
                amounts: Amounts::of(line, rates),
            });
        let problems = basis.problems(ships, !options.is_empty(), shipping_line.is_some());
        Ok(Self {
            lines,
            coupons,
            shipping: shipping_line,
            goods: subtotal,
            discount,
            shipping_amount: shipping,
            tax,
            total: gross,
            problems,
            options,
        })
    }

    /// Whether nothing stands in the way of an order.
    pub fn is_ready(&self) -> bool {
        self.problems.is_empty()
            && self.lines.iter().all(|l| l.problems.is_empty())
            && self.coupons.iter().all(|c| c.problems.is_empty())
    }

    /// What an order uses of coupons: each that takes something off.
    pub fn uses(&self) -> Vec<Use> {
        let used = self.coupons.iter().enumerate();
        used.filter(|(_, coupon)| coupon.discount > 0)
            .map(|(place, coupon)| Use {
                coupon_id: coupon.id,
                amount: coupon.discount,
                place,
            })
            .collect()
    }

    /// How many units of each variant must be there.
    pub fn demand(&self) -> Demand {
        let mut demand = Demand::new();
        for line in self.lines.iter().filter(|l| l.tracked) {
            *demand.entry(line.variant_id).or_default() += line.quantity;
        }
        demand
    }

    /// The cart as the caller sees it.
    pub fn into_cart(self, cart: CartRow, actor: &Actor) -> Cart {
        let currency = cart.currency;
        let money = |amount| Money { amount, currency };
        let ready = self.is_ready() && cart.status == super::CartStatus::Open;
        Cart {
            id: cart.id,
            channel_id: cart.channel_id,
            currency,
            status: cart.status,
            source: cart.source,
            email: cart.email,
            shipping_address: cart.shipping_address.map(|a| a.0),
            billing_address: cart.billing_address.map(|a| a.0),
            shipping_method_id: cart.shipping_method_id,
            reference: cart.reference,
            totals: CartTotals {
                goods: money(self.goods),
                discount: money(self.discount),
                shipping: money(self.shipping_amount),
                tax: money(self.tax),
                total: money(self.total),
            },
            lines: self
                .lines
                .into_iter()
                .map(|line| CartLine {
                    id: line.id,
                    variant_id: line.variant_id,
                    product_id: line.product_id,
                    sku: line.sku,
                    title: line.title,
                    quantity: line.quantity,
                    unit_price: money(line.unit_price),
                    price_overridden: line.price_overridden,
                    subtotal: money(line.amounts.subtotal),
                    discount: money(line.amounts.discount),
                    net: money(line.amounts.net),
                    tax: money(line.amounts.tax),
                    taxes: line.amounts.taxes,
                    total: money(line.amounts.total),
                    problems: line.problems,
                })
                .collect(),
            coupons: self
                .coupons
                .into_iter()
                .map(|coupon| CartCoupon {
                    coupon_id: coupon.id,
                    code: coupon.code,
                    discount: money(coupon.discount),
                    problems: coupon.problems,
                })
                .collect(),
            shipping_options: self.options,
            problems: self.problems,
            ready,
            private_metadata: actor.private(cart.metadata.0.private),
            metadata: cart.metadata.0.public,
            version: cart.version,
            created_at: cart.created_at,
            updated_at: cart.updated_at,
        }
    }
}

impl Basis<'_> {
    fn sellable(&self, line: &CartLineRow) -> Option<&Sellable> {
        self.sellables.get(&line.variant_id)
    }

    /// The address whose taxes apply.
    fn taxed(&self) -> Option<&PostalAddress> {
        let report = self.ship_to.as_ref().or(self.bill_to.as_ref());
        report.map(|report| &report.address)
    }

    /// The country and region whose taxes apply.
    fn place(&self) -> (&str, Option<&str>) {
        match self.taxed() {
            Some(address) => (&address.country, address.region.as_deref()),
            None => (self.channel.default_country(), None),
        }
    }

    fn rates(&self, class: TaxClassId) -> &[TaxRate] {
        let (country, region) = self.place();
        self.taxes.rates(country, region, class)
    }

    fn shipping_rates(&self, method: ShippingMethodId) -> &[TaxRate] {
        self.shipping
            .method(method)
            .map_or(&[], |m| self.rates(m.tax_class_id))
    }

    /// What a unit costs, and its taxes. What is not sold costs nothing, and has a problem.
    fn price(&self, line: &CartLineRow) -> (i64, &[TaxRate]) {
        let Some(sellable) = self.sellable(line) else {
            return (0, &[]);
        };
        (
            line.unit_price.or(sellable.price).unwrap_or(0),
            self.rates(sellable.tax_class_id),
        )
    }

    fn line(
        &self,
        line: &CartLineRow,
        unit_price: i64,
        rates: &[TaxRate],
        amounts: &Line,
    ) -> QuoteLine {
        let sellable = self.sellable(line);
        QuoteLine {
            id: line.id,
            variant_id: line.variant_id,
            product_id: sellable
                .map_or_else(|| ProductId::from_uuid(uuid::Uuid::nil()), |s| s.product_id),
            sku: sellable.map(|s| s.sku.clone()).unwrap_or_default(),
            title: sellable.map(Sellable::title).unwrap_or_default(),
            quantity: line.quantity,
            unit_price,
            price_overridden: line.unit_price.is_some(),
            tracked: sellable.is_some_and(|s| s.stock_policy != StockPolicy::Untracked),
            amounts: Amounts::of(amounts, rates),
            problems: self.line_problem(line).into_iter().collect(),
        }
    }

    fn line_problem(&self, line: &CartLineRow) -> Option<CartProblem> {
        let sellable = self
            .sellable(line)
            .filter(|s| s.shown && (s.price.is_some() || line.unit_price.is_some()));
        let Some(sellable) = sellable else {
            return Some(problem(
                CartProblemCode::NotAvailable,
                "This is not sold here any more; take it out.",
            ));
        };
        let wanted: i64 = self
            .lines
            .iter()
            .filter(|l| l.variant_id == line.variant_id)
            .fold(0, |sum, l| sum.saturating_add(l.quantity));
        if sellable.stock_policy == StockPolicy::Untracked || wanted <= sellable.available {
            return None;
        }
        let available = sellable.available.max(0);
        let are = if wanted == 1 { "is" } else { "are" };
        let message = format!("{}, and {wanted} {are} wanted.", left(available));
        Some(CartProblem {
            available: Some(available),
            ..problem(CartProblemCode::InsufficientStock, &message)
        })
    }

    /// What it costs, and what each coupon takes off: those that nothing stands in the way of, one after the other.
    fn calculate(&self, mut input: DocumentInput) -> Result<(Document, Vec<QuoteCoupon>)> {
        let terms = self.channel.terms();
        let document = calculate(terms, &input)?;
        let mut coupons = self.coupons(document.totals.subtotal);
        if coupons.is_empty() {
            return Ok((document, coupons));
        }
        for (coupon, presented) in coupons.iter().zip(self.coupons) {
            if coupon.problems.is_empty() {
                input.order_discounts.push(presented.discount()?);
            }
        }
        let document = calculate(terms, &input)?;
        let applied = coupons.iter_mut().filter(|c| c.problems.is_empty());
        for (coupon, discount) in applied.zip(&document.order_discounts) {
            coupon.discount = *discount;
        }
        Ok((document, coupons))
    }

    /// The coupons and what stands in their way, before it is known what they take off goods that cost so much.
    fn coupons(&self, goods: i64) -> Vec<QuoteCoupon> {
        let purchase = Purchase {
            channel: self.channel.id,
            currency: self.cart.currency,
            goods,
            now: self.now,
        };
        let quoted = |presented: &Presented| QuoteCoupon {
            id: presented.id(),
            code: presented.code().to_owned(),
            discount: 0,
            problems: presented
                .obstacle(&purchase)
                .map(|(obstacle, message)| problem(obstacle.into(), &message))
                .into_iter()
                .collect(),
        };
        self.coupons.iter().map(quoted).collect()
    }

    fn options(&self) -> Result<Vec<ShippingOption>> {
        let (country, _) = self.place();
        if !self.channel.countries.iter().any(|c| c == country) {
            return Ok(Vec::new());
        }
        let (mut weight, mut goods) = (0_i64, 0_i64);
        for line in self.lines {
            let Some(sellable) = self.sellable(line) else {
                continue;
            };
            let overflow = crate::kernel::money::MoneyError::Overflow;
            if sellable.requires_shipping {
                let grams = sellable
                    .weight_grams
                    .checked_mul(line.quantity)
                    .ok_or(overflow)?;
                weight = weight.checked_add(grams).ok_or(overflow)?;
            }
            let amount = self
                .price(line)
                .0
                .checked_mul(line.quantity)
                .ok_or(overflow)?;
            goods = goods.checked_add(amount).ok_or(overflow)?;
        }
        Ok(self
            .shipping
            .options(self.channel.id, country, self.cart.currency, weight, goods))
    }

    /// What is in the way. `offered` says whether there is a way of delivery, and `delivered` whether the chosen one is one.
    fn problems(&self, ships: bool, offered: bool, delivered: bool) -> Vec<CartProblem> {
        let cart = self.cart;
        let mut problems = Vec::new();
        if self.lines.is_empty() {
            problems.push(problem(
                CartProblemCode::Empty,
                "There is nothing in the cart.",
            ));
        }
        if cart.email.is_none() {
            problems.push(problem(
                CartProblemCode::EmailMissing,
                "An e-mail address is needed.",
            ));
        }
        if ships {
            match &self.ship_to {
                None => problems.push(problem(
                    CartProblemCode::AddressMissing,
                    "An address to send to is needed.",
                )),
                Some(to) if !self.serves(to) => {
                    let message =
                        format!("The channel does not deliver to {}.", to.address.country);
                    problems.push(CartProblem {
                        field: Some("country".to_owned()),
                        ..problem(CartProblemCode::CountryNotServed, &message)
                    });
                }
                Some(to) => problems.extend(self.impossible(to, CartProblemCode::AddressInvalid)),
            }
            let served = self.ship_to.as_ref().is_none_or(|to| self.serves(to));
            match cart.shipping_method_id {
                // That nothing is offered in a country that is not served is said already.
                None if !offered && !served => {}
                _ if !offered && cart.shipping_address.is_some() => {
                    let message = "Nothing is delivered there: no way of delivery takes this cart.";
                    problems.push(problem(CartProblemCode::DeliveryNotAvailable, message));
                }
                None => problems.push(problem(
                    CartProblemCode::DeliveryMissing,
                    "Choose a way of delivery.",
                )),
                Some(_) if !delivered => {
                    let message =
                        "The chosen way of delivery does not take this cart there; choose another.";
                    problems.push(problem(CartProblemCode::DeliveryNotAvailable, message));
                }
                Some(_) => {}
            }
        }
        if let Some(to) = &self.bill_to {
            problems.extend(self.impossible(to, CartProblemCode::BillingAddressInvalid));
        }
        if let Some(to) = self.ship_to.as_ref().filter(|_| !ships) {
            // Nothing is sent there, but it says which taxes apply.
            let all = self.impossible(to, CartProblemCode::AddressInvalid);
            problems.extend(all.into_iter().filter(is_about_region));
        }
        if !ships && self.taxed().is_none() && self.taxes.needs_region(self.place().0) {
            problems.push(problem(
                CartProblemCode::AddressMissing,
                "An address is needed: the tax depends on the region.",
            ));
        }
        problems
    }

    fn serves(&self, to: &AddressReport) -> bool {
        self.channel.countries.contains(&to.address.country)
    }

    /// Why nothing that is sent to this address arrives, as far as that can be said at once, and what its tax needs to know.
    fn impossible(&self, to: &AddressReport, code: CartProblemCode) -> Vec<CartProblem> {
        let (country, is_taxed) = (&to.address.country, self.taxed() == Some(&to.address));
        let told = is_taxed && self.taxes.tells_regions(country);
        let about = |field: &str, message: &str| CartProblem {
            field: Some(field.to_owned()),
            ..problem(code, &format!("{field}: {message}"))
        };
        let errors = to.remarks.iter().filter(|remark| {
            remark.severity == AddressSeverity::Error
                || told && remark.field == "region" && remark.code != "reformatted"
        });
        let mut problems: Vec<_> = errors.map(|e| about(e.field, &e.message)).collect();
        let needed = is_taxed && self.taxes.needs_region(country);
        if needed && to.address.region.is_none() && !problems.iter().any(is_about_region) {
            problems.push(about("region", "This is needed: the tax depends on it."));
        }
        problems
    }
}

impl Amounts {
    fn of(line: &Line, rates: &[TaxRate]) -> Self {
        let gone: i64 = line.discounts.iter().chain(&line.order_discounts).sum();
        Self {
            subtotal: line.subtotal,
            discount: gone,
            net: line.net,
            taxes: rates
                .iter()
                .zip(&line.taxes)
                .map(|(rate, amount)| LineTax {
                    name: rate.name.clone(),
                    rate: rate.rate,
                    amount: Minor(*amount),
                })
                .collect(),
            tax: line.tax,
            total: line.gross,
        }
    }
}

fn line_input(unit_price: i64, quantity: i64, rates: &[TaxRate]) -> LineInput {
    LineInput {
        unit_price,
        quantity,
        rates: rates.iter().map(|r| r.rate).collect(),
        ..LineInput::default()
    }
}

/// How many there are, for a person.
pub fn left(units: i64) -> String {
    match units {
        0 => "There are none left".to_owned(),
        1 => "There is 1 left".to_owned(),
        n => format!("There are {n} left"),
    }
}

fn is_about_region(problem: &CartProblem) -> bool {
    problem.field.as_deref() == Some("region")
}

fn problem(code: CartProblemCode, message: &str) -> CartProblem {
    CartProblem {
        code,
        message: message.to_owned(),
        field: None,
        available: None,
    }
}
