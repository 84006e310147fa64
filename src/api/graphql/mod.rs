//! The GraphQL door: the schema made of the tables of operations, its HTTP layer, and what guards it.

mod documents;
mod guard;
mod http;
pub mod loader;
mod relations;

use async_graphql::{EmptySubscription, MergedObject, SDLExportOptions, Schema};

pub use http::{Door, serve};

use crate::domain::{
    carts, catalog, channels, coupons, credit_terms, credits, flows, identity, inventory, orders,
    payments, pricing, risk, saved_methods, shipping, tax,
};

/// Everything that can be asked.
#[derive(MergedObject, Default)]
pub struct Query(
    channels::ChannelQueries,
    identity::IdentityQueries,
    tax::TaxQueries,
    pricing::PricingQueries,
    inventory::InventoryQueries,
    shipping::ShippingQueries,
    catalog::CatalogQueries,
    coupons::CouponQueries,
    carts::CartQueries,
    payments::PaymentQueries,
    saved_methods::SavedMethodQueries,
    credits::CreditQueries,
    orders::OrderQueries,
    risk::RiskQueries,
    credit_terms::CreditTermsQueries,
    flows::FlowQueries,
);

/// Everything that can be done.
#[derive(MergedObject, Default)]
pub struct Mutation(
    channels::ChannelMutations,
    identity::IdentityMutations,
    tax::TaxMutations,
    pricing::PricingMutations,
    inventory::InventoryMutations,
    shipping::ShippingMutations,
    catalog::CatalogMutations,
    coupons::CouponMutations,
    carts::CartMutations,
    saved_methods::SavedMethodMutations,
    saved_methods::SavedMethodFlows,
    credits::CreditMutations,
    credits::CreditFlows,
    carts::CartFlows,
    orders::OrderMutations,
    risk::RiskMutations,
    credit_terms::CreditTermsMutations,
    flows::FlowMutations,
    flows::OrderFlows,
);

/// The schema of this shop.
pub type Shop = Schema<Query, Mutation, EmptySubscription>;

/// Builds the schema. The library's own limits stay on behind the guard, as a second fence.
pub fn schema() -> Shop {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .limit_recursive_depth(32)
        .limit_depth(15)
        .limit_directives(5)
        .disable_suggestions()
        .finish()
}

/// The schema in its definition language, as clients and tools read it.
pub fn sdl() -> String {
    schema().sdl_with_options(SDLExportOptions::new().include_specified_by())
}
