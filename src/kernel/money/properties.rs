//! What holds for any cart, tried on random ones.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

proptest! {
    #[test]
    fn parts_sum_to_the_totals((terms, input) in (terms(), document())) {
        let document = calculate(terms, &input)?;
        let all = || document.lines.iter().chain(&document.shipping);
        for line in all() {
            let discounts = sum(line.discounts.iter().chain(&line.order_discounts).copied())?;
            let priced = if terms.prices_include_tax { line.gross } else { line.net };
            prop_assert_eq!(line.subtotal - discounts, priced);
            prop_assert_eq!(sum(line.taxes.iter().copied())?, line.tax);
            prop_assert_eq!(line.net + line.tax, line.gross);
        }
        for (index, &amount) in document.order_discounts.iter().enumerate() {
            prop_assert_eq!(sum(all().map(|line| line.order_discounts[index]))?, amount);
        }
        let Totals { subtotal, shipping, discount, net, tax, gross } = document.totals;
        prop_assert_eq!(sum(all().map(|line| line.gross))?, gross);
        prop_assert_eq!(net + tax, gross);
        let priced = if terms.prices_include_tax { gross } else { net };
        prop_assert_eq!(subtotal + shipping - discount, priced);
    }

    #[test]
    fn nothing_is_negative((terms, input) in (terms(), document())) {
        let document = calculate(terms, &input)?;
        for line in document.lines.iter().chain(&document.shipping) {
            let lists = [&line.discounts, &line.order_discounts, &line.taxes];
            let mut amounts = lists.into_iter().flatten().chain([&line.net, &line.gross]);
            prop_assert!(amounts.all(|&amount| amount >= 0), "{line:?}");
        }
    }

    #[test]
    fn tax_is_off_by_at_most_half_a_unit_per_rounding((terms, input) in (terms(), document())) {
        let document = calculate(terms, &input)?;
        let inputs = input.lines.iter().chain(&input.shipping);
        for (input, line) in inputs.zip(document.lines.iter().chain(&document.shipping)) {
            // How many times something was rounded.
            let times = match terms.tax_per {
                TaxPer::Line => 1,
                TaxPer::Unit => input.quantity,
            };
            let rates = || input.rates.iter().map(|rate| rate.parts_per_million());
            let whole = Rate::WHOLE;
            if terms.prices_include_tax {
                let with_tax = whole + rates().sum::<i64>();
                let error = (line.net * with_tax - line.gross * whole).abs();
                prop_assert!(error * 2 <= with_tax * times);
            } else {
                for (rate, tax) in rates().zip(&line.taxes) {
                    prop_assert!((tax * whole - line.net * rate).abs() * 2 <= whole * times);
                }
            }
        }
    }

    #[test]
    fn a_second_run_gives_the_same((terms, input) in (terms(), document())) {
        prop_assert_eq!(calculate(terms, &input), calculate(terms, &input.clone()));
    }

    #[test]
    fn refunds_in_any_steps_give_back_exactly_the_charge(
        (terms, input) in (terms(), document()),
        steps in vec(1..5_i64, 1..30),
    ) {
        let document = calculate(terms, &input)?;
        let inputs = input.lines.iter().chain(&input.shipping);
        for (input, line) in inputs.zip(document.lines.iter().chain(&document.shipping)) {
            let mut left = line.gross;
            let mut already = 0;
            for &step in steps.iter().cycle() {
                if already == input.quantity {
                    break;
                }
                let count = step.min(input.quantity - already);
                let parts = line.taxes.iter().chain([&line.net]);
                for &part in parts {
                    let share = share_of(part, input.quantity, already, count)?;
                    prop_assert!(share >= 0);
                    left -= share;
                }
                already += count;
            }
            prop_assert_eq!(left, 0);
        }
    }

    #[test]
    fn a_spread_sums_to_its_total(total: i64, weights in vec(0..=i64::MAX, 1..20)) {
        let shares = spread(total, &weights)?;
        prop_assert_eq!(shares.iter().copied().map(i128::from).sum::<i128>(), i128::from(total));
    }

    #[test]
    fn a_share_is_within_one_of_exact(total: i32, weights in vec(0..1_000_000_i64, 1..20)) {
        let whole: i64 = weights.iter().sum();
        prop_assume!(whole > 0);
        for (share, weight) in spread(total.into(), &weights)?.iter().zip(&weights) {
            let error = i128::from(share * whole) - i128::from(i64::from(total) * weight);
            prop_assert!(error.abs() < i128::from(whole));
        }
    }

    #[test]
    fn a_quotient_is_within_half_of_exact(
        numerator in -(1_i128 << 62)..(1 << 62),
        denominator in 1..(1_i128 << 62),
        rounding in rounding(),
    ) {
        let quotient = i128::from(divide(numerator, denominator, rounding)?);
        prop_assert!((quotient * denominator - numerator).abs() * 2 <= denominator);
        prop_assert_eq!(i128::from(divide(-numerator, denominator, rounding)?), -quotient);
    }

    #[test]
    fn any_number_is_an_answer_or_an_error(
        terms in terms(),
        numbers in vec(any::<i64>(), 5),
        rates in vec(rate(), 0..3),
        covers_shipping: bool,
    ) {
        let line = |index: usize| LineInput {
            unit_price: numbers[index],
            quantity: numbers[index + 1] % 4,
            discounts: vec![Discount::Fixed(numbers[index + 2])],
            rates: rates.clone(),
        };
        let discount = Discount::Fixed(numbers[4]);
        let input = DocumentInput {
            lines: vec![line(0), line(1)],
            shipping: Some(line(2)),
            order_discounts: vec![OrderDiscount { discount, covers_shipping }],
        };
        // Either is fine; a panic is not.
        let _ = calculate(terms, &input);
        let _ = spread(numbers[0], &numbers);
        let _ = share_of(numbers[0], numbers[1], numbers[2], numbers[3]);
    }

    #[test]
    fn a_rate_survives_its_string(rate in rate()) {
        prop_assert_eq!(rate.to_string().parse::<Rate>(), Ok(rate));
    }
}

fn terms() -> impl Strategy<Value = Terms> {
    let tax_per = select(vec![TaxPer::Line, TaxPer::Unit]);
    (any::<bool>(), rounding(), tax_per).prop_map(|(prices_include_tax, rounding, tax_per)| Terms {
        prices_include_tax,
        rounding,
        tax_per,
    })
}

fn rounding() -> impl Strategy<Value = Rounding> {
    select(vec![
        Rounding::HalfUp,
        Rounding::HalfEven,
        Rounding::HalfDown,
    ])
}

fn document() -> impl Strategy<Value = DocumentInput> {
    let order_discount =
        (discount(), any::<bool>()).prop_map(|(discount, covers_shipping)| OrderDiscount {
            discount,
            covers_shipping,
        });
    (
        vec(line(), 0..8),
        option::of(line()),
        vec(order_discount, 0..3),
    )
        .prop_map(|(lines, shipping, order_discounts)| DocumentInput {
            lines,
            shipping,
            order_discounts,
        })
}

fn line() -> impl Strategy<Value = LineInput> {
    // Small prices too: they are where rounding shows.
    let unit_price = prop_oneof![0..20_i64, 0..1_000_000_i64];
    (
        unit_price,
        0..20_i64,
        vec(discount(), 0..3),
        vec(rate(), 0..4),
    )
        .prop_map(|(unit_price, quantity, discounts, rates)| LineInput {
            unit_price,
            quantity,
            discounts,
            rates,
        })
}

fn discount() -> impl Strategy<Value = Discount> {
    prop_oneof![
        (0..100_000_i64).prop_map(Discount::Fixed),
        rate().prop_map(Discount::Percent),
        (rate(), 0..100_000_i64).prop_map(|(rate, most)| Discount::PercentUpTo(rate, most)),
    ]
}

fn rate() -> impl Strategy<Value = Rate> {
    (0..=Rate::WHOLE).prop_filter_map("at most 100 %", |parts| {
        Rate::from_parts_per_million(parts).ok()
    })
}
