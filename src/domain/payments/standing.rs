//! Where a payment stands: one pure function of its events.

use super::model::{Payment, PaymentEvent, PaymentEventKind as Kind, PaymentRow, PaymentStatus};

/// Amounts and status of a payment, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands.
    pub status: PaymentStatus,
    /// Reserved or awaited, neither captured nor let go.
    pub outstanding: i64,
    /// Captured.
    pub captured: i64,
    /// Refunded.
    pub refunded: i64,
    /// Charged back.
    pub charged_back: i64,
}

/// What is left of an amount when another is taken away, not less than nothing.
fn left(of: i64, taken: i64) -> i64 {
    of.saturating_sub(taken).max(0)
}

impl Standing {
    /// Follows from the events, in whatever order they became known. Late and repeated news changes nothing that is certain:
    /// what is reserved stays so when a failure is told afterwards.
    pub fn of(events: &[PaymentEvent]) -> Self {
        let sum = |kind| {
            events
                .iter()
                .filter(|e| e.kind == kind)
                .fold(0_i64, |sum, e| sum.saturating_add(e.amount))
        };
        let has = |kind| events.iter().any(|e| e.kind == kind);
        let promised = sum(Kind::AuthorizationSuccess).max(sum(Kind::Awaited));
        let captured = sum(Kind::ChargeSuccess);
        let refunded = left(sum(Kind::RefundSuccess), sum(Kind::RefundReverse));
        let charged_back = left(sum(Kind::Chargeback), sum(Kind::ChargebackReverse));
        let gone = sum(Kind::CancelSuccess);
        let outstanding = left(left(promised, captured), gone);
        let is_promised = has(Kind::AuthorizationSuccess) || has(Kind::Awaited);
        // Where money was reserved after the shopper's time was over, its own time counts.
        let is_expired = has(Kind::Expired) && (promised == 0 || sum(Kind::Expired) > 0);
        let status = if captured > 0 {
            if left(left(captured, refunded), charged_back) > 0 {
                PaymentStatus::Captured
            } else {
                PaymentStatus::Refunded
            }
        } else if is_expired && outstanding == 0 {
            PaymentStatus::Expired
        } else if has(Kind::CancelSuccess) && outstanding == 0 {
            PaymentStatus::Cancelled
        } else if has(Kind::AuthorizationSuccess) {
            PaymentStatus::Authorized
        } else if is_promised {
            PaymentStatus::Awaited
        } else if has(Kind::AuthorizationFailure) {
            PaymentStatus::Failed
        } else if has(Kind::ActionRequired) {
            PaymentStatus::RequiresAction
        } else {
            PaymentStatus::Pending
        };
        Self {
            status,
            outstanding,
            captured,
            refunded,
            charged_back,
        }
    }

    /// What is here and has not gone back.
    pub fn kept(&self) -> i64 {
        left(left(self.captured, self.refunded), self.charged_back)
    }

    /// The payment as clients see it.
    pub fn into_payment(self, row: PaymentRow) -> Payment {
        // After a decline another instrument may be tried, with the same session.
        let to_be_confirmed = matches!(
            self.status,
            PaymentStatus::Pending | PaymentStatus::RequiresAction | PaymentStatus::Failed
        );
        let session = row.session.clone().unwrap_or_default().0;
        Payment {
            id: row.id,
            status: self.status,
            amount: row.money(),
            outstanding: row.of(self.outstanding),
            captured: row.of(self.captured),
            refunded: row.of(self.refunded),
            charged_back: row.of(self.charged_back),
            client_secret: session.client_secret.filter(|_| to_be_confirmed),
            action_url: session.action_url.filter(|_| to_be_confirmed),
            expires_at: row.expires_at.filter(|_| self.outstanding > 0),
            reference: row.reference,
            created_at: row.created_at,
            provider: row.provider,
            method: row.method,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PaymentStatus as S;

    fn standing(events: &[(Kind, i64)]) -> (PaymentStatus, i64, i64, i64) {
        let events: Vec<PaymentEvent> = events
            .iter()
            .map(|&(kind, amount)| PaymentEvent { kind, amount })
            .collect();
        let s = Standing::of(&events);
        (s.status, s.outstanding, s.captured, s.kept())
    }

    #[test]
    fn a_payment_s_life() {
        let life: &[(&[(Kind, i64)], _)] = &[
            (&[], (S::Pending, 0, 0, 0)),
            (&[(Kind::AuthorizationRequest, 500)], (S::Pending, 0, 0, 0)),
            (&[(Kind::ActionRequired, 500)], (S::RequiresAction, 0, 0, 0)),
            (&[(Kind::AuthorizationFailure, 500)], (S::Failed, 0, 0, 0)),
            (
                &[(Kind::AuthorizationFailure, 500), (Kind::CancelSuccess, 0)],
                (S::Cancelled, 0, 0, 0),
            ),
            (
                &[(Kind::CancelSuccess, 0), (Kind::AuthorizationSuccess, 500)],
                (S::Authorized, 500, 0, 0),
            ),
            (
                &[(Kind::ActionRequired, 500), (Kind::Expired, 0)],
                (S::Expired, 0, 0, 0),
            ),
            // The money came after all.
            (
                &[(Kind::Expired, 0), (Kind::AuthorizationSuccess, 500)],
                (S::Authorized, 500, 0, 0),
            ),
            (
                &[
                    (Kind::AuthorizationSuccess, 500),
                    (Kind::Expired, 500),
                    (Kind::CancelSuccess, 500),
                ],
                (S::Expired, 0, 0, 0),
            ),
            (
                &[
                    (Kind::Expired, 0),
                    (Kind::AuthorizationSuccess, 500),
                    (Kind::CancelSuccess, 500),
                ],
                (S::Cancelled, 0, 0, 0),
            ),
            (
                &[(Kind::AuthorizationSuccess, 500)],
                (S::Authorized, 500, 0, 0),
            ),
            (&[(Kind::Awaited, 500)], (S::Awaited, 500, 0, 0)),
            (
                &[
                    (Kind::AuthorizationSuccess, 500),
                    (Kind::ChargeSuccess, 300),
                ],
                (S::Captured, 200, 300, 300),
            ),
            (
                &[(Kind::Awaited, 500), (Kind::CancelSuccess, 200)],
                (S::Awaited, 300, 0, 0),
            ),
            (
                &[(Kind::Awaited, 500), (Kind::CancelSuccess, 500)],
                (S::Cancelled, 0, 0, 0),
            ),
            (
                &[
                    (Kind::AuthorizationSuccess, 500),
                    (Kind::ChargeSuccess, 500),
                    (Kind::RefundSuccess, 500),
                ],
                (S::Refunded, 0, 500, 0),
            ),
        ];
        for (events, expected) in life {
            assert_eq!(standing(events), *expected, "{events:?}");
        }
    }

    #[test]
    fn a_failure_that_is_told_late_takes_nothing_away() {
        let late = [
            (Kind::AuthorizationSuccess, 500),
            (Kind::AuthorizationFailure, 500),
        ];
        assert_eq!(standing(&late), (S::Authorized, 500, 0, 0));
    }

    #[test]
    fn a_refund_that_came_back_and_a_dispute_that_was_won_leave_the_money_here() {
        let paid = [
            (Kind::AuthorizationSuccess, 500),
            (Kind::ChargeSuccess, 500),
        ];
        let with = |more: &[(Kind, i64)]| standing(&[&paid[..], more].concat());
        assert_eq!(with(&[(Kind::Chargeback, 500)]), (S::Refunded, 0, 500, 0));
        assert_eq!(
            with(&[(Kind::Chargeback, 500), (Kind::ChargebackReverse, 500)]),
            (S::Captured, 0, 500, 500)
        );
        assert_eq!(
            with(&[(Kind::RefundSuccess, 200), (Kind::RefundReverse, 200)]),
            (S::Captured, 0, 500, 500)
        );
    }

    #[test]
    fn a_free_order_is_authorised_for_nothing() {
        assert_eq!(
            standing(&[(Kind::AuthorizationSuccess, 0)]),
            (S::Authorized, 0, 0, 0)
        );
    }
}
