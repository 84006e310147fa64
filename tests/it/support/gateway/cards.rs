//! Test cards.

use serde_json::{Value, json};

/// How a card behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// It is charged.
    Succeeds,
    /// It is refused: code, decline code, message.
    Declined(&'static str, Option<&'static str>, &'static str),
    /// It can be saved, and is refused as soon as it is charged.
    DeclinedOnCharge,
    /// 3D Secure every time; off session it is refused.
    Authentication,
    /// 3D Secure until it was set up for later use.
    AuthenticationUnlessSetUp,
    /// 3D Secure only where the request asks for it.
    AuthenticationOnRequest,
    /// Charged, and then disputed.
    Dispute(&'static str),
    /// Charged, at an elevated risk.
    RiskElevated,
    /// Blocked by the gateway.
    RiskHighest,
    /// Charged; a refund succeeds at first. A test lets it fail with `settle_refund`.
    RefundFails,
    /// Charged; a refund stays pending. A test settles it with `settle_refund`.
    RefundPending,
    /// Grants multicapture where it is asked for.
    Multicapture,
    /// Neither charged nor refused yet. A test settles it with `settle_payment`.
    Processing,
}

/// A card that stands for a behaviour.
#[derive(Clone, Copy, Debug)]
pub struct Card {
    /// The id that a test gives as `payment_method`.
    pub token: &'static str,
    /// The last four digits.
    pub last4: &'static str,
    /// What happens.
    pub behaviour: Behaviour,
}

const DECLINED: &str = "Your card was declined.";

/// The cards. Stripe's own names, but for `pm_card_multicapture` and `pm_card_processing`, which are the double's.
pub const CARDS: &[Card] = &[
    card("pm_card_visa", "4242", Behaviour::Succeeds),
    card("pm_card_visa_debit", "5556", Behaviour::Succeeds),
    card("pm_card_mastercard", "4444", Behaviour::Succeeds),
    card("pm_card_amex", "8431", Behaviour::Succeeds),
    card(
        "pm_card_visa_chargeDeclined",
        "0002",
        Behaviour::Declined("card_declined", Some("generic_decline"), DECLINED),
    ),
    card(
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "9995",
        Behaviour::Declined(
            "card_declined",
            Some("insufficient_funds"),
            "Your card has insufficient funds.",
        ),
    ),
    card(
        "pm_card_visa_chargeDeclinedLostCard",
        "9987",
        Behaviour::Declined("card_declined", Some("lost_card"), DECLINED),
    ),
    card(
        "pm_card_visa_chargeDeclinedStolenCard",
        "9979",
        Behaviour::Declined("card_declined", Some("stolen_card"), DECLINED),
    ),
    card(
        "pm_card_chargeDeclinedFraudulent",
        "0019",
        Behaviour::Declined("card_declined", Some("fraudulent"), DECLINED),
    ),
    card(
        "pm_card_chargeDeclinedExpiredCard",
        "0069",
        Behaviour::Declined("expired_card", None, "Your card has expired."),
    ),
    card(
        "pm_card_chargeDeclinedIncorrectCvc",
        "0127",
        Behaviour::Declined(
            "incorrect_cvc",
            None,
            "Your card's security code is incorrect.",
        ),
    ),
    card(
        "pm_card_chargeDeclinedProcessingError",
        "0119",
        Behaviour::Declined(
            "processing_error",
            None,
            "An error occurred while processing your card. Try again in a little bit.",
        ),
    ),
    card(
        "pm_card_chargeCustomerFail",
        "0341",
        Behaviour::DeclinedOnCharge,
    ),
    card(
        "pm_card_authenticationRequired",
        "3184",
        Behaviour::Authentication,
    ),
    card(
        "pm_card_authenticationRequiredOnSetup",
        "3155",
        Behaviour::AuthenticationUnlessSetUp,
    ),
    card(
        "pm_card_threeDSecure2Required",
        "3220",
        Behaviour::Authentication,
    ),
    card(
        "pm_card_threeDSecureRequired",
        "3063",
        Behaviour::Authentication,
    ),
    card(
        "pm_card_threeDSecureOptional",
        "3055",
        Behaviour::AuthenticationOnRequest,
    ),
    card(
        "pm_card_createDispute",
        "0259",
        Behaviour::Dispute("fraudulent"),
    ),
    card(
        "pm_card_createDisputeProductNotReceived",
        "2685",
        Behaviour::Dispute("product_not_received"),
    ),
    card("pm_card_riskLevelElevated", "9235", Behaviour::RiskElevated),
    card("pm_card_riskLevelHighest", "4954", Behaviour::RiskHighest),
    card("pm_card_refundFail", "5126", Behaviour::RefundFails),
    card("pm_card_pendingRefund", "7726", Behaviour::RefundPending),
    card("pm_card_multicapture", "1881", Behaviour::Multicapture),
    card("pm_card_processing", "1117", Behaviour::Processing),
];

const fn card(token: &'static str, last4: &'static str, behaviour: Behaviour) -> Card {
    Card {
        token,
        last4,
        behaviour,
    }
}

/// The card with an id. `pm_card_chargeDeclined…` and `pm_card_visa_chargeDeclined…` are the same.
pub fn find(token: &str) -> Option<Card> {
    let plain = |token: &str| token.replace("pm_card_visa_charge", "pm_card_charge");
    CARDS
        .iter()
        .copied()
        .find(|card| plain(card.token) == plain(token))
}

impl Card {
    /// The brand.
    pub fn brand(&self) -> &'static str {
        match self.token {
            "pm_card_mastercard" => "mastercard",
            "pm_card_amex" => "amex",
            _ => "visa",
        }
    }

    /// The same for every use of the same card.
    pub fn fingerprint(&self) -> String {
        format!("Fp{:0>14}", self.last4)
    }

    /// `card` of a payment method.
    pub fn json(&self) -> Value {
        json!({
            "brand": self.brand(),
            "checks": {
                "address_line1_check": null,
                "address_postal_code_check": null,
                "cvc_check": "pass",
            },
            "country": "US",
            "display_brand": self.brand(),
            "exp_month": 12,
            "exp_year": 2034,
            "fingerprint": self.fingerprint(),
            "funding": "credit",
            "generated_from": null,
            "last4": self.last4,
            "networks": { "available": [self.brand()], "preferred": null },
            "regulated_status": "unregulated",
            "three_d_secure_usage": { "supported": true },
            "wallet": null,
        })
    }
}
