//! The rules. Pure: facts go in, a level, a score and what counted come out.

use super::model::{RiskBlockKind, RiskFact, RiskLevel};
use crate::domain::carts::Address;
use crate::domain::orders::History;
use crate::kernel::Email;

/// How many times the mean of what somebody ordered before is unusual.
const UNUSUAL: i64 = 5;
/// From how many other orders within 24 hours on a velocity counts, and from how many on it counts twice.
const FAST: [i64; 2] = [3, 6];

/// What is known of an order.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What it costs, in minor units.
    pub total: i64,
    /// What the same e-mail address ordered before.
    pub history: History,
    /// From which total on a first order counts.
    pub first_order_from: Option<i64>,
    /// The shopper's e-mail address, lower-case.
    pub email: Email,
    /// Where it goes.
    pub shipping_country: Option<String>,
    /// Who pays, where that is somebody else.
    pub billing_country: Option<String>,
    /// Other orders within 24 hours with the same e-mail address, card and address.
    pub velocity: [i64; 3],
    /// What the payment's provider thinks: `normal`, `elevated`, `highest`.
    pub risk_level: Option<String>,
    /// The same in figures, 0 to 100.
    pub risk_score: Option<i64>,
    /// What of it the block list has.
    pub blocked: Vec<RiskBlockKind>,
}

/// From which score on something is done.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// Somebody looks at it.
    pub investigate_from: i64,
    /// It is called off.
    pub cancel_from: i64,
}

/// Weighs what is known of an order.
pub fn weigh(facts: &Facts, thresholds: Thresholds) -> (RiskLevel, i64, Vec<RiskFact>) {
    let mut found = Vec::new();
    let mut add = |code: &str, weight: i64, message: String| {
        let code = code.to_owned();
        found.push(RiskFact {
            code,
            message,
            weight,
        });
    };
    for kind in &facts.blocked {
        let what = match kind {
            RiskBlockKind::Email => "The e-mail address",
            RiskBlockKind::EmailDomain => "The e-mail domain",
            RiskBlockKind::Address => "The address",
            RiskBlockKind::Card => "The card",
            RiskBlockKind::Country => "The country",
        };
        add("blocked", 100, format!("{what} is on the block list."));
    }
    let fast = [
        ("email_velocity", 25, "the same e-mail address"),
        ("card_velocity", 30, "the same card"),
        ("address_velocity", 20, "the same address"),
    ];
    for ((code, weight, what), count) in fast.into_iter().zip(facts.velocity) {
        let times: i64 = FAST.iter().map(|from| i64::from(count >= *from)).sum();
        if times > 0 {
            let message = format!("{count} other orders within 24 hours have {what}.");
            add(code, weight * times, message);
        }
    }
    if let (Some(billing), Some(shipping)) = (&facts.billing_country, &facts.shipping_country)
        && billing != shipping
    {
        let message = format!("It is billed to {billing} and goes to {shipping}.");
        add("country_mismatch", 20, message);
    }
    if is_disposable(&facts.email) {
        let message = "The e-mail address is of a service for throw-away addresses.";
        add("disposable_email", 30, message.into());
    }
    let History { count, total } = facts.history;
    if count > 0 && facts.total.saturating_mul(count) > total.saturating_mul(UNUSUAL) {
        let message =
            format!("It costs more than {UNUSUAL} times the mean of {count} orders before.");
        add("unusual_value", 30, message);
    }
    if count == 0
        && facts
            .first_order_from
            .is_some_and(|from| facts.total >= from)
    {
        let message = "It is the first order of this e-mail address, and costs much.";
        add("first_order_value", 30, message.into());
    }
    if let Some((weight, what)) = provider_s_view(facts) {
        let message = format!("The payment's provider says: {what}.");
        add("provider_risk", weight, message);
    }
    let score = found.iter().map(|fact| fact.weight).sum::<i64>().min(100);
    let level = if !facts.blocked.is_empty() || score >= thresholds.cancel_from {
        RiskLevel::Cancel
    } else if score >= thresholds.investigate_from {
        RiskLevel::Investigate
    } else {
        RiskLevel::Accept
    };
    (level, score, found)
}

/// The words count before the figures: Stripe calls 65 elevated and 75 highest.
fn provider_s_view(facts: &Facts) -> Option<(i64, String)> {
    let score = facts.risk_score.unwrap_or_default();
    match (facts.risk_level.as_deref(), score) {
        (Some("highest"), _) => Some((75, "highest risk".into())),
        (Some("elevated"), _) => Some((50, "elevated risk".into())),
        (Some("normal" | "not_assessed"), _) => None,
        (_, 75..) => Some((75, format!("a risk of {score}"))),
        (_, 65..=74) => Some((50, format!("a risk of {score}"))),
        _ => None,
    }
}

/// An e-mail domain and those it is part of: `a.b.example.com`, `b.example.com`, `example.com`.
pub fn domains_of(email: &Email) -> Vec<&str> {
    let mut domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
    let mut all = Vec::new();
    while domain.contains('.') {
        all.push(domain);
        domain = domain.split_once('.').map_or("", |(_, rest)| rest);
    }
    all
}

fn is_disposable(email: &Email) -> bool {
    let list = include_str!("disposable.txt");
    let domains = domains_of(email);
    list.lines()
        .filter(|line| !line.starts_with('#'))
        .any(|line| domains.contains(&line))
}

/// What of an address counts, whatever its spelling: street, postcode and country, letters and digits alone.
pub fn plain(address: &Address) -> String {
    let of = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    [
        address.line1.as_str(),
        address.line2.as_deref().unwrap_or_default(),
        address.postcode.as_deref().unwrap_or(&address.city),
        &address.country,
    ]
    .map(of)
    .join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Thresholds = Thresholds {
        investigate_from: 50,
        cancel_from: 90,
    };

    fn codes(facts: &Facts) -> (RiskLevel, i64, Vec<String>) {
        let (level, score, found) = weigh(facts, USUAL);
        (level, score, found.into_iter().map(|f| f.code).collect())
    }

    #[test]
    fn an_order_of_which_nothing_is_known_is_accepted() {
        let (level, score, found) = codes(&Facts::default());
        assert_eq!((level, score, found.len()), (RiskLevel::Accept, 0, 0));
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn each_fact_has_its_weight() {
        let none = Facts::default;
        let text = |text: &str| Some(text.to_owned());
        let history = |count, total| History { count, total };
        let cases: Vec<(Facts, &[&str], i64)> = vec![
            (
                Facts {
                    velocity: [2, 2, 2],
                    ..none()
                },
                &[],
                0,
            ),
            (
                Facts {
                    velocity: [3, 0, 0],
                    ..none()
                },
                &["email_velocity"],
                25,
            ),
            (
                Facts {
                    velocity: [6, 0, 0],
                    ..none()
                },
                &["email_velocity"],
                50,
            ),
            (
                Facts {
                    velocity: [0, 3, 0],
                    ..none()
                },
                &["card_velocity"],
                30,
            ),
            (
                Facts {
                    velocity: [0, 0, 9],
                    ..none()
                },
                &["address_velocity"],
                40,
            ),
            (
                Facts {
                    shipping_country: text("DE"),
                    ..none()
                },
                &[],
                0,
            ),
            (
                Facts {
                    shipping_country: text("DE"),
                    billing_country: text("DE"),
                    ..none()
                },
                &[],
                0,
            ),
            (
                Facts {
                    shipping_country: text("DE"),
                    billing_country: text("FR"),
                    ..none()
                },
                &["country_mismatch"],
                20,
            ),
            (
                Facts {
                    email: "a@mailinator.com".into(),
                    ..none()
                },
                &["disposable_email"],
                30,
            ),
            (
                Facts {
                    email: "a@x.mailinator.com".into(),
                    ..none()
                },
                &["disposable_email"],
                30,
            ),
            (
                Facts {
                    email: "a@notmailinator.com".into(),
                    ..none()
                },
                &[],
                0,
            ),
            (
                Facts {
                    total: 5_000,
                    history: history(2, 2_000),
                    ..none()
                },
                &[],
                0,
            ),
            (
                Facts {
                    total: 5_001,
                    history: history(2, 2_000),
                    ..none()
                },
                &["unusual_value"],
                30,
            ),
            (
                Facts {
                    total: i64::MAX,
                    history: history(9, 2_000),
                    ..none()
                },
                &["unusual_value"],
                30,
            ),
            (
                Facts {
                    total: 999,
                    first_order_from: Some(1_000),
                    ..none()
                },
                &[],
                0,
            ),
            (
                Facts {
                    total: 1_000,
                    first_order_from: Some(1_000),
                    ..none()
                },
                &["first_order_value"],
                30,
            ),
            (
                Facts {
                    total: 1_000,
                    first_order_from: Some(1_000),
                    history: history(1, 900),
                    ..none()
                },
                &[],
                0,
            ),
            (
                Facts {
                    risk_level: text("elevated"),
                    ..none()
                },
                &["provider_risk"],
                50,
            ),
            (
                Facts {
                    risk_level: text("highest"),
                    ..none()
                },
                &["provider_risk"],
                75,
            ),
            (
                Facts {
                    risk_level: text("normal"),
                    risk_score: Some(99),
                    ..none()
                },
                &[],
                0,
            ),
            (
                Facts {
                    risk_score: Some(64),
                    ..none()
                },
                &[],
                0,
            ),
            (
                Facts {
                    risk_score: Some(65),
                    ..none()
                },
                &["provider_risk"],
                50,
            ),
            (
                Facts {
                    risk_score: Some(75),
                    ..none()
                },
                &["provider_risk"],
                75,
            ),
        ];
        for (facts, expected, weight) in cases {
            let (_, score, found) = codes(&facts);
            assert_eq!(
                (found.as_slice(), score),
                (
                    &expected.iter().map(ToString::to_string).collect::<Vec<_>>()[..],
                    weight
                ),
                "{facts:?}"
            );
        }
    }

    #[test]
    fn the_score_says_what_is_done_and_a_blocked_one_is_called_off_whatever_it_is() {
        let score = |velocity| {
            codes(&Facts {
                velocity,
                ..Facts::default()
            })
        };
        assert_eq!(
            (score([3, 0, 3]).0, score([3, 0, 3]).1),
            (RiskLevel::Accept, 45)
        );
        assert_eq!(
            (score([6, 0, 0]).0, score([6, 0, 0]).1),
            (RiskLevel::Investigate, 50)
        );
        assert_eq!(
            (score([6, 0, 6]).0, score([6, 0, 6]).1),
            (RiskLevel::Cancel, 90)
        );
        assert_eq!(
            (score([9, 9, 9]).0, score([9, 9, 9]).1),
            (RiskLevel::Cancel, 100)
        );
        let never = Thresholds {
            investigate_from: 100,
            cancel_from: 101,
        };
        let facts = Facts {
            blocked: vec![RiskBlockKind::Card],
            ..Facts::default()
        };
        assert_eq!(weigh(&facts, never).0, RiskLevel::Cancel);
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        let address = |line1: &str, postcode: &str| Address {
            name: "Ada".into(),
            company: None,
            line1: line1.into(),
            line2: None,
            postcode: Some(postcode.into()),
            city: "Berlin".into(),
            region: None,
            country: "DE".into(),
            phone: None,
        };
        let one = plain(&address("Unter den Linden 1", "10117"));
        assert_eq!(one, plain(&address("  UNTER-DEN-LINDEN 1.", "10 117")));
        assert_ne!(one, plain(&address("Unter den Linden 11", "10117")));
        assert_ne!(one, plain(&address("Unter den Linden 1", "10118")));
    }
}
