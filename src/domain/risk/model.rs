use crate::domain::orders::Order;
use crate::kernel::ids::{OrderId, RiskBlockId};
use crate::kernel::{Email, Timestamp};
use crate::operation::Output;
use crate::{choice, input, output};

choice! {
    /// What is to be done with an order for its risk.
    RiskLevel {
        /// It goes on.
        Accept = "accept",
        /// Somebody is to look at it; it is on hold until then.
        Investigate = "investigate",
        /// It is called off.
        Cancel = "cancel",
    }
}

choice! {
    /// What somebody decided.
    RiskDecision {
        /// The order goes on.
        Approved = "approved",
        /// It was called off.
        Declined = "declined",
    }
}

choice! {
    /// What an entry of the block list is about.
    RiskBlockKind {
        /// An e-mail address.
        Email = "email",
        /// All addresses of an e-mail domain and its subdomains.
        EmailDomain = "email_domain",
        /// A postal address, by the `addressHash` of an assessment.
        Address = "address",
        /// A card, by the `cardFingerprint` of an assessment.
        Card = "card",
        /// A country (ISO 3166-1 alpha-2), of delivery or billing.
        Country = "country",
    }
}

output! {
    /// How risky an order is.
    RiskAssessment {
        /// The order.
        order_id: OrderId,
        /// What is to be done.
        level: RiskLevel,
        /// 0 to 100: the weights together.
        score: i64,
        /// What speaks for it.
        facts: Vec<RiskFact>,
        /// The shopper's e-mail address, as it is counted and blocked.
        email: Email,
        /// Stands for the address of delivery, as it is counted and blocked; null where there is none.
        #[schema(required = true)]
        address_hash: Option<String>,
        /// Stands for the card, as it is counted and blocked; null where it is not known.
        #[schema(required = true)]
        card_fingerprint: Option<String>,
        /// When it was assessed.
        assessed_at: Timestamp,
        /// Who decided; null while nobody has.
        #[schema(required = true)]
        decided_by: Option<String>,
        /// When.
        #[schema(required = true)]
        decided_at: Option<Timestamp>,
        /// What.
        #[schema(required = true)]
        decision: Option<RiskDecision>,
    }
    /// Something that speaks for a risk.
    #[derive(PartialEq, Eq)]
    RiskFact {
        /// What it is, for a program: `email_velocity`, `card_velocity`, `address_velocity`, `country_mismatch`,
        /// `disposable_email`, `unusual_value`, `first_order_value`, `provider_risk`, `blocked`.
        code: String,
        /// What it is, for a person.
        message: String,
        /// What it adds to the score.
        weight: i64,
    }
    /// An order that waits for a decision.
    RiskReview {
        /// The order.
        order: Order,
        /// How risky it is.
        assessment: RiskAssessment,
    }
    /// Whom the shop does not sell to.
    RiskBlock {
        /// Its id.
        id: RiskBlockId,
        /// What it is about.
        kind: RiskBlockKind,
        /// Which one.
        value: String,
        /// Why.
        #[schema(required = true)]
        note: Option<String>,
        /// Who added it.
        created_by: String,
        /// When.
        created_at: Timestamp,
    }
}

impl Output for RiskAssessment {}
impl Output for RiskReview {}
impl Output for RiskBlock {}

input! {
    /// Lets an order go on.
    ApproveOrder {
        /// The order.
        id: OrderId,
        /// Why, for the timeline; shop fronts do not see it.
        note: Option<String>,
    }
    /// A new entry of the block list.
    AddBlock {
        /// What it is about.
        kind: RiskBlockKind,
        /// Which one. Letters of e-mail addresses and domains count alike in either case.
        value: String,
        /// Why.
        note: Option<String>,
    }
    /// An entry that goes off the block list.
    RemoveBlock {
        /// The entry.
        id: RiskBlockId,
    }
}
