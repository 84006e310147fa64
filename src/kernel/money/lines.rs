//! The calculation of a document: what a cart or an order costs, line by line.
//!
//! Each line goes through the same steps, and each step is in the result: unit price × quantity,
//! line discounts, its share of the order discounts, tax per rate, total. Shipping is one more
//! line.
//!
//! What must always hold: nothing is negative; the shares of an order discount sum to it; net and
//! taxes sum to gross; totals are sums of lines. The same input always gives the same amounts.
//!
//! What it does not do: decide which discounts and rates apply (a discount on some lines only is a
//! line discount, split with [`spread()`] where needed), tax a tax, or touch a line that was
//! already sold.
//!
//! All amounts are minor units of the one currency of the document.

use std::iter::zip;

use serde::{Deserialize, Serialize};

use super::{MAX_AMOUNT, MoneyError, Rate, Rounding, divide, spread, sum};

/// How a channel calculates. A cart or an order keeps the terms it was calculated with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Whether prices, and therefore fixed discounts, are gross.
    pub prices_include_tax: bool,
    /// What becomes of half a minor unit.
    pub rounding: Rounding,
    /// Where tax is rounded.
    pub tax_per: TaxPer,
}

/// Where tax is rounded.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    diesel::expression::AsExpression,
    diesel::deserialize::FromSqlRow,
    async_graphql::Enum,
)]
#[graphql(rename_items = "snake_case")]
#[diesel(sql_type = diesel::sql_types::Text)]
#[serde(rename_all = "snake_case")]
pub enum TaxPer {
    /// Once, on the line.
    #[default]
    Line,
    /// On each unit, then times the quantity. Where a discount does not divide evenly, some units
    /// are one minor unit dearer than the others, and each is taxed at its own amount.
    Unit,
}

/// What a cart or an order is calculated from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentInput {
    /// The goods.
    pub lines: Vec<LineInput>,
    /// The shipping method, if one is chosen.
    pub shipping: Option<LineInput>,
    /// Discounts on the whole, each taken from what the ones before have left.
    pub order_discounts: Vec<OrderDiscount>,
}

/// What a line is calculated from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineInput {
    /// The price of one unit: gross where prices include tax, otherwise net.
    pub unit_price: i64,
    /// How many units.
    pub quantity: i64,
    /// Discounts on this line, each taken from what the ones before have left.
    pub discounts: Vec<Discount>,
    /// The tax rates, all on the same net amount.
    pub rates: Vec<Rate>,
}

/// A discount on an amount; it never takes more than the amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discount {
    /// An amount in minor units: gross where prices include tax, otherwise net.
    Fixed(i64),
    /// A percentage of what is left.
    Percent(Rate),
    /// A percentage of what is left, and at most this amount in minor units.
    PercentUpTo(Rate, i64),
}

/// A discount on the whole document, spread over its lines by what is left of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderDiscount {
    /// What is taken off.
    pub discount: Discount,
    /// Whether shipping is one more line of the spread.
    pub covers_shipping: bool,
}

/// A calculated cart or order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The goods, in the order they came.
    pub lines: Vec<Line>,
    /// Shipping, if a method was chosen.
    pub shipping: Option<Line>,
    /// What each order discount came to; the lines have the shares.
    pub order_discounts: Vec<i64>,
    /// Sums of the lines.
    pub totals: Totals,
}

/// A calculated line, with every step on the way.
///
/// Subtotal less discounts is the gross where prices include tax, otherwise the net.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Unit price × quantity.
    pub subtotal: i64,
    /// What each line discount came to.
    pub discounts: Vec<i64>,
    /// The share of each order discount.
    pub order_discounts: Vec<i64>,
    /// The taxable amount, without tax.
    pub net: i64,
    /// The tax of each rate.
    pub taxes: Vec<i64>,
    /// The sum of the taxes.
    pub tax: i64,
    /// The line total: net and tax.
    pub gross: i64,
}

/// Sums of the lines of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The goods before discounts.
    pub subtotal: i64,
    /// Shipping before discounts.
    pub shipping: i64,
    /// All discounts, on lines, on shipping and on the order.
    pub discount: i64,
    /// Everything without tax.
    pub net: i64,
    /// All taxes.
    pub tax: i64,
    /// What there is to pay.
    pub gross: i64,
}

/// Calculates a document. One that comes to more than [`MAX_AMOUNT`] is an overflow.
pub fn calculate(terms: Terms, input: &DocumentInput) -> Result<Document, MoneyError> {
    let inputs = || input.lines.iter().chain(&input.shipping);
    let mut priced: Vec<Priced> = inputs()
        .map(|line| price(line, terms.rounding))
        .collect::<Result<_, _>>()?;

    let goods = input.lines.len();
    let mut order_discounts = Vec::with_capacity(input.order_discounts.len());
    for order_discount in &input.order_discounts {
        order_discounts.push(take(order_discount, &mut priced, goods, terms.rounding)?);
    }

    let mut lines: Vec<Line> = zip(inputs(), priced)
        .map(|(input, priced)| tax(terms, input, priced))
        .collect::<Result<_, _>>()?;
    let shipping = input.shipping.as_ref().and_then(|_| lines.pop());
    let totals = total(&lines, shipping.as_ref())?;
    if totals.subtotal.max(totals.gross) > MAX_AMOUNT {
        return Err(MoneyError::Overflow);
    }
    Ok(Document {
        lines,
        shipping,
        order_discounts,
        totals,
    })
}

/// A line before tax.
struct Priced {
    line: Line,
    /// Subtotal less all discounts so far.
    left: i64,
}

fn price(line: &LineInput, rounding: Rounding) -> Result<Priced, MoneyError> {
    if line.unit_price < 0 || line.quantity < 0 {
        return Err(MoneyError::Negative);
    }
    let subtotal = line.unit_price.checked_mul(line.quantity);
    let subtotal = subtotal.ok_or(MoneyError::Overflow)?;
    let mut left = subtotal;
    let mut discounts = Vec::with_capacity(line.discounts.len());
    for discount in &line.discounts {
        let amount = discount.of(left, rounding)?;
        left -= amount;
        discounts.push(amount);
    }
    let line = Line {
        subtotal,
        discounts,
        ..Line::default()
    };
    Ok(Priced { line, left })
}

/// Takes an order discount from the lines, the first `goods` of which are not shipping, and gives
/// what it came to.
fn take(
    order_discount: &OrderDiscount,
    lines: &mut [Priced],
    goods: usize,
    rounding: Rounding,
) -> Result<i64, MoneyError> {
    let weight = |(index, priced): (usize, &Priced)| {
        let covered = index < goods || order_discount.covers_shipping;
        if covered { priced.left } else { 0 }
    };
    let weights: Vec<i64> = lines.iter().enumerate().map(weight).collect();
    let whole = sum(weights.iter().copied())?;
    let amount = order_discount.discount.of(whole, rounding)?;
    // No share is more than its weight, because the amount is not more than all of them.
    for (priced, share) in zip(lines, spread(amount, &weights)?) {
        priced.left -= share;
        priced.line.order_discounts.push(share);
    }
    Ok(amount)
}

impl Discount {
    /// What the discount takes from an amount: at least nothing, at most all of it.
    fn of(self, amount: i64, rounding: Rounding) -> Result<i64, MoneyError> {
        match self {
            Self::Fixed(fixed) if fixed < 0 => Err(MoneyError::Negative),
            Self::Fixed(fixed) => Ok(fixed.min(amount)),
            Self::Percent(rate) => rate.of(amount, rounding),
            Self::PercentUpTo(_, most) if most < 0 => Err(MoneyError::Negative),
            Self::PercentUpTo(rate, most) => Ok(rate.of(amount, rounding)?.min(most)),
        }
    }
}

fn tax(terms: Terms, input: &LineInput, priced: Priced) -> Result<Line, MoneyError> {
    let pieces = match terms.tax_per {
        TaxPer::Line => 1,
        // A line of no units has no amount either.
        TaxPer::Unit => input.quantity.max(1),
    };
    let left = priced.left;
    let part =
        |numerator, denominator| scale_pieces(left, pieces, numerator, denominator, terms.rounding);
    let rates = || input.rates.iter().copied().map(Rate::parts_per_million);

    let (net, taxes) = if terms.prices_include_tax {
        let net = part(Rate::WHOLE, sum(rates().chain([Rate::WHOLE]))?)?;
        // The net is not more than the gross, so the tax is not negative.
        (net, spread(left - net, &rates().collect::<Vec<_>>())?)
    } else {
        let taxes = rates().map(|rate| part(rate, Rate::WHOLE));
        (left, taxes.collect::<Result<_, _>>()?)
    };
    let tax = sum(taxes.iter().copied())?;
    let gross = sum([net, tax])?;
    Ok(Line {
        net,
        taxes,
        tax,
        gross,
        ..priced.line
    })
}

/// Amount × numerator ÷ denominator, rounded on each of so many pieces of the amount.
///
/// The pieces are as equal as whole minor units allow: some have one more than the others.
fn scale_pieces(
    amount: i64,
    pieces: i64,
    numerator: i64,
    denominator: i64,
    rounding: Rounding,
) -> Result<i64, MoneyError> {
    let scale = |piece: i64| {
        let numerator = i128::from(piece) * i128::from(numerator);
        divide(numerator, i128::from(denominator), rounding).map(i128::from)
    };
    let (smaller, larger_count) = (amount / pieces, amount % pieces);
    let larger = smaller.saturating_add(1);
    let total = scale(larger)? * i128::from(larger_count)
        + scale(smaller)? * i128::from(pieces - larger_count);
    i64::try_from(total).map_err(|_| MoneyError::Overflow)
}

fn total(lines: &[Line], shipping: Option<&Line>) -> Result<Totals, MoneyError> {
    let all = || lines.iter().chain(shipping);
    let discounts = all().flat_map(|line| line.discounts.iter().chain(&line.order_discounts));
    Ok(Totals {
        subtotal: sum(lines.iter().map(|line| line.subtotal))?,
        shipping: shipping.map_or(0, |line| line.subtotal),
        discount: sum(discounts.copied())?,
        net: sum(all().map(|line| line.net))?,
        tax: sum(all().map(|line| line.tax))?,
        gross: sum(all().map(|line| line.gross))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NET: Terms = Terms {
        prices_include_tax: false,
        rounding: Rounding::HalfUp,
        tax_per: TaxPer::Line,
    };
    const GROSS: Terms = Terms {
        prices_include_tax: true,
        ..NET
    };

    fn percent(rate: &str) -> Result<Discount, MoneyError> {
        Ok(Discount::Percent(rate.parse()?))
    }

    fn line(unit_price: i64, quantity: i64, rates: &[&str]) -> Result<LineInput, MoneyError> {
        let rates = rates
            .iter()
            .map(|rate| rate.parse())
            .collect::<Result<_, _>>()?;
        Ok(LineInput {
            unit_price,
            quantity,
            rates,
            ..LineInput::default()
        })
    }

    fn on_lines(discount: Discount) -> OrderDiscount {
        OrderDiscount {
            discount,
            covers_shipping: false,
        }
    }

    fn on_everything(discount: Discount) -> OrderDiscount {
        OrderDiscount {
            discount,
            covers_shipping: true,
        }
    }

    fn calculate_line(terms: Terms, line: LineInput) -> Result<Line, MoneyError> {
        let input = DocumentInput {
            shipping: Some(line),
            ..DocumentInput::default()
        };
        calculate(terms, &input)?
            .shipping
            .ok_or(MoneyError::NothingToSpreadOver)
    }

    fn amounts(line: &Line) -> (i64, i64, i64) {
        (line.net, line.tax, line.gross)
    }

    #[test]
    fn tax_is_added_to_net_prices() -> Result<(), MoneyError> {
        assert_eq!(
            amounts(&calculate_line(NET, line(123, 3, &["20"])?)?),
            (369, 74, 443)
        );
        assert_eq!(
            amounts(&calculate_line(NET, line(31, 10, &["20"])?)?),
            (310, 62, 372)
        );
        Ok(())
    }

    #[test]
    fn discounts_come_off_one_after_the_other() -> Result<(), MoneyError> {
        let discounted = LineInput {
            discounts: vec![percent("10")?],
            ..line(155_880, 1, &["20"])?
        };
        let input = DocumentInput {
            lines: vec![discounted],
            order_discounts: vec![on_lines(percent("10")?)],
            ..DocumentInput::default()
        };
        let expected = Line {
            subtotal: 155_880,
            discounts: vec![15_588],
            order_discounts: vec![14_029],
            net: 126_263,
            taxes: vec![25_253],
            tax: 25_253,
            gross: 151_516,
        };
        let totals = Totals {
            subtotal: 155_880,
            shipping: 0,
            discount: 29_617,
            net: 126_263,
            tax: 25_253,
            gross: 151_516,
        };
        let order_discounts = vec![14_029];
        let document = Document {
            lines: vec![expected],
            shipping: None,
            order_discounts,
            totals,
        };
        assert_eq!(calculate(NET, &input), Ok(document));
        Ok(())
    }

    #[test]
    fn an_order_discount_is_spread_by_largest_remainder() -> Result<(), MoneyError> {
        let fifth: Rate = "20".parse()?;
        for (prices, discount, amount, shares) in [
            (
                [4_300, 1_400, 2_300],
                Discount::Fixed(299),
                299,
                [161, 52, 86],
            ),
            (
                [2_000, 2_000, 2_000],
                Discount::Fixed(1_000),
                1_000,
                [334, 333, 333],
            ),
            (
                [2_000, 2_000, 2_000],
                Discount::PercentUpTo(fifth, 1_000),
                1_000,
                [334, 333, 333],
            ),
            (
                [2_000, 2_000, 2_000],
                Discount::PercentUpTo(fifth, 1_201),
                1_200,
                [400, 400, 400],
            ),
        ] {
            let input = DocumentInput {
                lines: prices
                    .iter()
                    .map(|&price| line(price, 1, &[]))
                    .collect::<Result<_, _>>()?,
                order_discounts: vec![on_lines(discount)],
                ..DocumentInput::default()
            };
            let document = calculate(GROSS, &input)?;
            let found: Vec<_> = document
                .lines
                .iter()
                .flat_map(|line| line.order_discounts.clone())
                .collect();
            assert_eq!(found, shares);
            assert_eq!(document.order_discounts, [amount]);
        }
        Ok(())
    }

    #[test]
    fn tax_per_unit_is_rounded_before_it_is_multiplied() -> Result<(), MoneyError> {
        let per_unit = Terms {
            tax_per: TaxPer::Unit,
            ..NET
        };
        assert_eq!(
            amounts(&calculate_line(NET, line(108, 3, &["19"])?)?),
            (324, 62, 386)
        );
        assert_eq!(
            amounts(&calculate_line(per_unit, line(108, 3, &["19"])?)?),
            (324, 63, 387)
        );

        let per_unit = Terms {
            tax_per: TaxPer::Unit,
            ..GROSS
        };
        assert_eq!(
            amounts(&calculate_line(GROSS, line(999, 3, &["19"])?)?),
            (2_518, 479, 2_997)
        );
        assert_eq!(
            amounts(&calculate_line(per_unit, line(999, 3, &["19"])?)?),
            (2_517, 480, 2_997)
        );
        Ok(())
    }

    #[test]
    fn tax_per_unit_follows_a_discount_that_does_not_divide_evenly() -> Result<(), MoneyError> {
        // 3 × 0.50 less 0.01 is 0.50 + 0.50 + 0.49; at 19 % that is 0.10 + 0.10 + 0.09 (0.0931).
        let discounted = LineInput {
            discounts: vec![Discount::Fixed(1)],
            ..line(50, 3, &["19"])?
        };
        let per_unit = Terms {
            tax_per: TaxPer::Unit,
            ..NET
        };
        assert_eq!(
            amounts(&calculate_line(per_unit, discounted)?),
            (149, 29, 178)
        );
        Ok(())
    }

    #[test]
    fn tax_is_taken_out_of_gross_prices() -> Result<(), MoneyError> {
        let input = DocumentInput {
            lines: vec![line(100, 1, &["20"])?],
            shipping: Some(line(500, 1, &["20"])?),
            ..DocumentInput::default()
        };
        let document = calculate(GROSS, &input)?;
        assert_eq!(amounts(&document.lines[0]), (83, 17, 100));
        assert_eq!(
            document.shipping.as_ref().map(amounts),
            Some((417, 83, 500))
        );
        let totals = Totals {
            subtotal: 100,
            shipping: 500,
            discount: 0,
            net: 500,
            tax: 100,
            gross: 600,
        };
        assert_eq!(document.totals, totals);
        Ok(())
    }

    #[test]
    fn currencies_without_decimals_and_with_three() -> Result<(), MoneyError> {
        let yen = calculate_line(GROSS, line(999, 3, &["10"])?)?;
        assert_eq!(amounts(&yen), (2_725, 272, 2_997));
        // 1.255 KWD × 3 at 5 % is 3.765 and 0.188 (0.18825).
        let dinars = calculate_line(NET, line(1_255, 3, &["5"])?)?;
        assert_eq!(amounts(&dinars), (3_765, 188, 3_953));
        Ok(())
    }

    #[test]
    fn several_rates_are_each_rounded_or_split_by_largest_remainder() -> Result<(), MoneyError> {
        let rates = ["4.5", "4", "0.375"];
        let added = calculate_line(NET, line(1_099, 1, &rates)?)?;
        assert_eq!((added.taxes, added.gross), (vec![49, 44, 4], 1_196));
        // 1197 ÷ 1.08875 is 1099.43, and 98 splits into 49.69, 44.17 and 4.14.
        let included = calculate_line(GROSS, line(1_197, 1, &rates)?)?;
        assert_eq!((included.net, included.taxes), (1_099, vec![50, 44, 4]));
        Ok(())
    }

    #[test]
    fn the_rounding_of_the_channel_decides_halves() -> Result<(), MoneyError> {
        // 5 % of 50 is 2.5 and of 70 it is 3.5; 3 with 100 % tax included is 1.5 net.
        let five = percent("5")?;
        for (rounding, of_50, of_70, net) in [
            (Rounding::HalfUp, 3, 4, 2),
            (Rounding::HalfEven, 2, 4, 2),
            (Rounding::HalfDown, 2, 3, 1),
        ] {
            let terms = Terms { rounding, ..NET };
            for (price, share) in [(50, of_50), (70, of_70)] {
                let taxed = line(price, 1, &["5"])?;
                assert_eq!(calculate_line(terms, taxed)?.tax, share);

                let discounted = LineInput {
                    discounts: vec![five],
                    ..line(price, 1, &[])?
                };
                assert_eq!(calculate_line(terms, discounted)?.discounts, [share]);

                let lines = vec![line(price, 1, &[])?];
                let order_discounts = vec![on_lines(five)];
                let input = DocumentInput {
                    lines,
                    shipping: None,
                    order_discounts,
                };
                assert_eq!(calculate(terms, &input)?.order_discounts, [share]);
            }
            let terms = Terms { rounding, ..GROSS };
            assert_eq!(calculate_line(terms, line(3, 1, &["100"])?)?.net, net);
        }
        Ok(())
    }

    #[test]
    fn a_discount_never_takes_more_than_is_left() -> Result<(), MoneyError> {
        let input = DocumentInput {
            lines: vec![LineInput {
                discounts: vec![percent("60")?, Discount::Fixed(30), percent("50")?],
                ..line(100, 1, &["20"])?
            }],
            order_discounts: vec![on_lines(Discount::Fixed(900)), on_lines(percent("10")?)],
            ..DocumentInput::default()
        };
        let document = calculate(NET, &input)?;
        assert_eq!(document.lines[0].discounts, [60, 30, 5]);
        assert_eq!(document.order_discounts, [5, 0]);
        assert_eq!(document.totals.gross, 0);
        Ok(())
    }

    #[test]
    fn an_order_discount_covers_shipping_only_where_it_says_so() -> Result<(), MoneyError> {
        let shares = |order_discount| -> Result<_, MoneyError> {
            let input = DocumentInput {
                lines: vec![line(3_000, 1, &[])?],
                shipping: Some(line(1_000, 1, &[])?),
                order_discounts: vec![order_discount],
            };
            let document = calculate(NET, &input)?;
            let shares = document.lines.iter().chain(&document.shipping);
            Ok(shares
                .map(|line| line.order_discounts[0])
                .collect::<Vec<_>>())
        };
        assert_eq!(shares(on_lines(Discount::Fixed(400))), Ok(vec![400, 0]));
        assert_eq!(shares(on_lines(Discount::Fixed(9_000))), Ok(vec![3_000, 0]));
        assert_eq!(
            shares(on_everything(Discount::Fixed(400))),
            Ok(vec![300, 100])
        );
        assert_eq!(shares(on_everything(percent("50")?)), Ok(vec![1_500, 500]));
        Ok(())
    }

    #[test]
    fn an_empty_document_costs_nothing() -> Result<(), MoneyError> {
        let nothing = Totals::default();
        assert_eq!(calculate(NET, &DocumentInput::default())?.totals, nothing);

        let per_unit = Terms {
            tax_per: TaxPer::Unit,
            ..GROSS
        };
        let input = DocumentInput {
            lines: vec![line(100, 0, &["20"])?],
            order_discounts: vec![on_everything(Discount::Fixed(100))],
            ..DocumentInput::default()
        };
        assert_eq!(calculate(per_unit, &input)?.totals, nothing);
        Ok(())
    }

    #[test]
    fn negative_amounts_are_refused() -> Result<(), MoneyError> {
        let negative = Err(MoneyError::Negative);
        let refund = LineInput {
            discounts: vec![Discount::Fixed(-1)],
            ..line(1, 1, &[])?
        };
        assert_eq!(calculate_line(NET, line(-1, 1, &[])?), negative);
        assert_eq!(calculate_line(NET, line(1, -1, &[])?), negative);
        assert_eq!(calculate_line(NET, refund), negative);
        Ok(())
    }

    #[test]
    fn an_amount_that_does_not_fit_is_refused() -> Result<(), MoneyError> {
        let overflow = Err(MoneyError::Overflow);
        assert_eq!(calculate_line(NET, line(i64::MAX, 2, &[])?), overflow);
        assert_eq!(calculate_line(NET, line(i64::MAX, 1, &["20"])?), overflow);
        let most = line(MAX_AMOUNT, 1, &["0"])?;
        assert_eq!(calculate_line(GROSS, most)?.gross, MAX_AMOUNT);
        for (one, other) in [(i64::MAX, 1), (MAX_AMOUNT, 1)] {
            let input = DocumentInput {
                lines: vec![line(one, 1, &[])?, line(other, 1, &[])?],
                ..DocumentInput::default()
            };
            assert_eq!(calculate(NET, &input), Err(MoneyError::Overflow));
        }
        Ok(())
    }
}
