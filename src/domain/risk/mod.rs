//! Risk: how likely an order is a fraud, and whom the shop does not sell to.
//!
//! After an order was placed in a channel that wants it (`riskChecks`), a job gathers facts and [`rules`] weigh them. The
//! assessment is written once, with every fact that counted; a person decides once about what is to be looked into.
//!
//! ```text
//! accept       the order goes on
//! investigate  it is put on hold ──approveOrder──▶ it goes on
//!                                └─declineOrder──▶ it is called off
//! cancel       it is called off: from the channel's threshold on, or where it meets the block list
//! ```
//!
//! Shop fronts learn that an order is on hold, never its score. What follows from an assessment stands in `flows`.

mod model;
mod operations;
mod queries;
mod rules;

pub use model::{
    AddBlock, ApproveOrder, RemoveBlock, RiskAssessment, RiskBlock, RiskBlockKind, RiskDecision,
    RiskFact, RiskLevel, RiskReview,
};
pub use operations::{assess, decide};
pub use queries::get;

use crate::auth::{Access, Scope};
use crate::kernel::Page;
use crate::kernel::ids::OrderId;

crate::operations! {
    queries RiskQueries {
        /// Finds how risky an order is, and what speaks for it.
        risk_assessment(order_id: OrderId): GetRiskAssessment => Option<RiskAssessment>,
            GET "/orders/{orderId}/risk-assessment", Access::scope(Scope::RiskRead);
        /// Lists the orders that are on hold for their risk, the longest first.
        risk_reviews(#[serde(rename = "limit")] first: Option<i64>, after: Option<String>): ListRiskReviews => Page<RiskReview>,
            GET "/risk-reviews", Access::scope(Scope::RiskRead);
        /// Lists whom the shop does not sell to, newest first.
        blocks(kind: Option<RiskBlockKind>, #[serde(rename = "limit")] first: Option<i64>, after: Option<String>):
            ListBlocks => Page<RiskBlock>, GET "/risk-blocks", Access::scope(Scope::RiskRead);
    }
    mutations RiskMutations {
        /// Lets an order that is on hold for its risk go on.
        approve_order: ApproveOrder => RiskAssessment, POST "/orders/{id}/approve", Access::scope(Scope::RiskWrite);
        /// Has every further order of an e-mail address, a domain, an address, a card or a country called off, where the
        /// channel has its orders assessed.
        add_block: AddBlock => RiskBlock, POST "/risk-blocks", Access::scope(Scope::RiskWrite), [Created];
        /// Takes an entry off the block list.
        remove_block: RemoveBlock => RiskBlock, POST "/risk-blocks/{id}/remove", Access::scope(Scope::RiskWrite);
    }
}
