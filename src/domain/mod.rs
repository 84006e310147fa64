//! The domains, in the order of their dependencies: one may use those above it, never those below. (The blank lines keep the
//! formatter from sorting them.)
//!
//! | word | what it means here |
//! |---|---|
//! | channel | where the shop sells: currency, countries, tax mode, numbering |
//! | product, variant | what is described, and the thing with a SKU that is sold |
//! | listing | what a channel shows: a published product with its price range |
//! | level, movement | stock of a variant at a location, and the ledger it follows from |
//! | hold, allocation | stock promised to a checkout, and to an order |
//! | coupon, redemption | a code that takes something off, and its use by an order |
//! | quote | a cart's lines, totals and problems at one moment |
//! | checkout | a quote frozen while its stock is held and its payment is made |
//! | order hold | what keeps an order from going on; its money is not taken meanwhile |
//! | assessment, block | how risky an order is, and whom the shop does not sell to |
//! | credit terms | what a business customer may owe by invoice, and for how long |
//! | payment, event | an intent recorded before the provider hears of it, and what became of it |
//! | saved payment method | what a provider keeps for a shopper, to be charged later |
//! | credit, entry | a gift card or store credit, and the ledger its balance follows from |

pub mod channels;

pub mod identity;

pub mod tax;

pub mod pricing;

pub mod inventory;

pub mod shipping;

pub mod catalog;

pub mod coupons;

pub mod saved_methods;

pub mod carts;

pub mod payments;

pub mod credits;

pub mod orders;

pub mod risk;

pub mod credit_terms;

pub mod flows;
