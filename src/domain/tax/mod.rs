//! Taxes: which rates apply to what kind of thing in which place.
//!
//! A product or shipping method has a tax class; a zone is a set of places with the rates of each class there. A place
//! belongs to at most one zone, a region before its country ([`places`]), so a line's rates are one look-up in what each
//! process keeps ([`Taxes`]). No zone, or none of its rates for a class, means no tax. Several rates for a class are all
//! charged, each on the net amount.
//!
//! How tax is computed and rounded is the business of [`money`](crate::kernel::money); orders keep the rates they were
//! placed under.

mod model;
mod operations;
mod places;
mod queries;

pub use model::{
    CreateTaxClass, CreateTaxZone, NewTaxRate, TaxClass, TaxRate, TaxZone, Taxes, UpdateTaxZone,
};

use crate::auth::{Access, Scope};
use crate::kernel::Page;
use crate::kernel::ids::{TaxClassId, TaxZoneId};

crate::operations! {
    queries TaxQueries {
        /// Finds a tax class by its id.
        tax_class(id: TaxClassId): GetTaxClass => Option<TaxClass>, GET "/tax-classes/{id}", Access::scope(Scope::TaxRead);
        /// Lists the tax classes.
        tax_classes(#[serde(rename = "limit")] first: Option<i64>, after: Option<String>): ListTaxClasses => Page<TaxClass>,
            GET "/tax-classes", Access::scope(Scope::TaxRead);
        /// Finds a tax zone by its id, with its rates.
        tax_zone(id: TaxZoneId): GetTaxZone => Option<TaxZone>, GET "/tax-zones/{id}", Access::scope(Scope::TaxRead);
        /// Lists the tax zones, each with its rates.
        tax_zones(#[serde(rename = "limit")] first: Option<i64>, after: Option<String>): ListTaxZones => Page<TaxZone>,
            GET "/tax-zones", Access::scope(Scope::TaxRead);
    }
    mutations TaxMutations {
        /// Adds a tax class, as `standard` or `reduced` is one.
        create_tax_class: CreateTaxClass => TaxClass, POST "/tax-classes", Access::scope(Scope::TaxWrite), [Created];
        /// Adds a tax zone with its rates. None of its places may belong to another zone.
        create_tax_zone: CreateTaxZone => TaxZone, POST "/tax-zones", Access::scope(Scope::TaxWrite), [Created];
        /// Changes a tax zone. What is left out stays; rates that are given replace all there were.
        update_tax_zone: UpdateTaxZone => TaxZone, PATCH "/tax-zones/{id}", Access::scope(Scope::TaxWrite);
    }
}
