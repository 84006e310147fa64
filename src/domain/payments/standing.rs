//! Where a payment stands: one pure function of its events.

use super::model::{Payment, PaymentEvent, PaymentEventKind as Kind, PaymentRow, PaymentStatus};
use crate::kernel::Money;

/// Amounts and status of a payment, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands.
    pub status: PaymentStatus,
    /// Reserved or awaited, neither charged nor let go.
    pub outstanding: i64,
    /// Charged.
    pub charged: i64,
    /// Refunded.
    pub refunded: i64,
}

impl Standing {
    /// Follows from the events, in the order in which they became known. Late and repeated news changes nothing that is
    /// certain: what is reserved stays so when a failure is told afterwards.
    pub fn of(events: &[PaymentEvent]) -> Self {
        let sum = |kind| {
            events
                .iter()
                .filter(|e| e.kind == kind)
                .map(|e| e.amount)
                .sum::<i64>()
        };
        let has = |kind| events.iter().any(|e| e.kind == kind);
        let promised = sum(Kind::AuthorizationSuccess).max(sum(Kind::Awaited));
        let (charged, refunded) = (sum(Kind::ChargeSuccess), sum(Kind::RefundSuccess));
        let gone = sum(Kind::CancelSuccess);
        let outstanding = (promised - charged - gone).max(0);
        let promised_or_paid =
            promised > 0 || has(Kind::AuthorizationSuccess) || has(Kind::Awaited) || charged > 0;
        let status = if charged > refunded {
            PaymentStatus::Charged
        } else if promised_or_paid && outstanding == 0 && gone + refunded > 0 {
            PaymentStatus::Returned
        } else if has(Kind::AuthorizationSuccess) {
            PaymentStatus::Authorized
        } else if has(Kind::Awaited) {
            PaymentStatus::Awaited
        } else if has(Kind::AuthorizationFailure) {
            PaymentStatus::Failed
        } else if has(Kind::ActionRequired) {
            PaymentStatus::ActionRequired
        } else {
            PaymentStatus::Open
        };
        Self {
            status,
            outstanding,
            charged,
            refunded,
        }
    }

    /// The payment as clients see it.
    pub fn into_payment(self, row: PaymentRow) -> Payment {
        let money = |amount| Money {
            amount,
            currency: row.currency,
        };
        Payment {
            id: row.id,
            status: self.status,
            amount: money(row.amount),
            outstanding: money(self.outstanding),
            charged: money(self.charged),
            refunded: money(self.refunded),
            created_at: row.created_at,
            provider: row.provider,
            method: row.method,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(events: &[(Kind, i64)]) -> (PaymentStatus, i64, i64, i64) {
        let events: Vec<PaymentEvent> = events
            .iter()
            .map(|&(kind, amount)| PaymentEvent { kind, amount })
            .collect();
        let s = Standing::of(&events);
        (s.status, s.outstanding, s.charged, s.refunded)
    }

    #[test]
    fn a_payment_s_life() {
        use PaymentStatus as S;
        assert_eq!(standing(&[]), (S::Open, 0, 0, 0));
        assert_eq!(
            standing(&[(Kind::AuthorizationRequest, 500)]),
            (S::Open, 0, 0, 0)
        );
        assert_eq!(
            standing(&[(Kind::ActionRequired, 500)]),
            (S::ActionRequired, 0, 0, 0)
        );
        assert_eq!(
            standing(&[(Kind::AuthorizationFailure, 500)]),
            (S::Failed, 0, 0, 0)
        );
        assert_eq!(
            standing(&[(Kind::AuthorizationSuccess, 500)]),
            (S::Authorized, 500, 0, 0)
        );
        assert_eq!(standing(&[(Kind::Awaited, 500)]), (S::Awaited, 500, 0, 0));
        let charged = [
            (Kind::AuthorizationSuccess, 500),
            (Kind::ChargeSuccess, 300),
        ];
        assert_eq!(standing(&charged), (S::Charged, 200, 300, 0));
        assert_eq!(
            standing(&[(Kind::Awaited, 500), (Kind::CancelSuccess, 200)]),
            (S::Awaited, 300, 0, 0)
        );
        assert_eq!(
            standing(&[(Kind::Awaited, 500), (Kind::CancelSuccess, 500)]),
            (S::Returned, 0, 0, 0)
        );
        let back = [
            (Kind::AuthorizationSuccess, 500),
            (Kind::ChargeSuccess, 500),
            (Kind::RefundSuccess, 500),
        ];
        assert_eq!(standing(&back), (S::Returned, 0, 500, 500));
    }

    #[test]
    fn a_failure_that_is_told_late_takes_nothing_away() {
        let late = [
            (Kind::AuthorizationSuccess, 500),
            (Kind::AuthorizationFailure, 500),
        ];
        assert_eq!(standing(&late), (PaymentStatus::Authorized, 500, 0, 0));
    }

    #[test]
    fn a_free_order_is_authorised_for_nothing() {
        assert_eq!(
            standing(&[(Kind::AuthorizationSuccess, 0)]),
            (PaymentStatus::Authorized, 0, 0, 0)
        );
    }
}
