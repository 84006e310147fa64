use std::collections::HashMap;
use std::sync::Arc;

use diesel::prelude::*;

use super::{queries, rates};
use crate::context::Kept;
use crate::db::Conn;
use crate::kernel::ids::{ChannelId, ShippingMethodId, ShippingZoneId, TaxClassId};
use crate::kernel::money::Minor;
use crate::kernel::{Currency, Json, Money, Patch, Result};
use crate::operation::Output;
use crate::schema::{shipping_methods, shipping_zones};
use crate::{choice, input, output};

choice! {
    /// What a method's rates go by.
    ShippingRateBy {
        /// The weight of the goods in grams.
        Weight = "weight",
        /// The total of the goods in minor units of the currency.
        Value = "value",
    }
}

output! {
    /// Countries that are delivered to alike.
    #[derive(Queryable, Selectable, Insertable)]
    #[diesel(table_name = shipping_zones)]
    ShippingZone {
        /// Its id.
        id: ShippingZoneId,
        /// Its name in URLs and imports.
        handle: String,
        /// Its name for people.
        name: String,
        /// Its countries (ISO 3166-1 alpha-2).
        #[schema(value_type = Vec<String>)]
        countries: Json<Vec<String>>,
    }
    /// A way of delivery to a zone for a channel.
    #[derive(PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
    #[diesel(table_name = shipping_methods)]
    ShippingMethod {
        /// Its id.
        id: ShippingMethodId,
        /// The zone it delivers to.
        zone_id: ShippingZoneId,
        /// The channel that offers it.
        channel_id: ChannelId,
        /// Its name in URLs and imports.
        handle: String,
        /// Its name for people.
        name: String,
        /// How it is taxed.
        tax_class_id: TaxClassId,
        /// What its rates go by.
        rate_by: ShippingRateBy,
        /// What it costs.
        #[schema(value_type = Vec<ShippingRate>)]
        rates: Json<Vec<ShippingRate>>,
        /// How many days it takes at least.
        min_days: i64,
        /// How many days it takes at most.
        max_days: i64,
        /// Whether it is offered.
        active: bool,
    }
    /// What a method costs in a currency from a weight or value on.
    #[derive(PartialEq, Eq)]
    ShippingRate {
        /// The currency.
        currency: Currency,
        /// Where it begins: grams, or minor units of the goods' total.
        from: Minor,
        /// Where it ends, this value excluded; null where the next rate begins, or never.
        #[schema(required = true)]
        up_to: Option<Minor>,
        /// The price in minor units of the currency.
        amount: Minor,
    }
    /// A way of delivery that a cart may choose, and its price.
    #[derive(PartialEq, Eq)]
    ShippingOption {
        /// The method.
        method_id: ShippingMethodId,
        /// The method's name in URLs and imports.
        handle: String,
        /// The method's name for people.
        name: String,
        /// What it costs.
        amount: Money,
        /// How many days it takes at least.
        min_days: i64,
        /// How many days it takes at most.
        max_days: i64,
    }
}

input! {
    /// A new shipping zone.
    CreateShippingZone {
        /// Its name in URLs and imports: lower-case letters, digits, hyphens.
        handle: String,
        /// Its name for people.
        name: String,
        /// Its countries (ISO 3166-1 alpha-2).
        countries: Vec<String>,
    }
    /// A rate of a new or changed shipping method.
    NewShippingRate {
        /// The currency; the channel must sell in it.
        currency: Currency,
        /// Where it begins: grams, or minor units of the goods' total. Below the first rate the method is not offered.
        from: Minor,
        /// Where it ends, this value excluded: beyond, the method is not offered until the next rate begins.
        up_to: Option<Minor>,
        /// The price in minor units of the currency.
        amount: Minor,
    }
    /// A new shipping method.
    CreateShippingMethod {
        /// The zone it delivers to.
        zone_id: ShippingZoneId,
        /// The channel that offers it.
        channel_id: ChannelId,
        /// Its name in URLs and imports: lower-case letters, digits, hyphens. Each channel has it once in a zone.
        handle: String,
        /// Its name for people.
        name: String,
        /// How it is taxed.
        tax_class_id: TaxClassId,
        /// What its rates go by.
        rate_by: ShippingRateBy,
        /// What it costs.
        rates: Vec<NewShippingRate>,
        /// How many days it takes at least, 0 to 365.
        min_days: i64,
        /// How many days it takes at most, up to 365.
        max_days: i64,
        /// Whether it is offered; true when left out.
        active: Option<bool>,
    }
    /// A change of a shipping method.
    UpdateShippingMethod {
        /// The method.
        id: ShippingMethodId,
        /// Its new name for people.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        name: Patch<String>,
        /// What it costs from now on.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Vec<NewShippingRate>>)]
        rates: Patch<Vec<NewShippingRate>>,
        /// How many days it takes at least.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<i64>)]
        min_days: Patch<i64>,
        /// How many days it takes at most.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<i64>)]
        max_days: Patch<i64>,
        /// Whether it is offered.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<bool>)]
        active: Patch<bool>,
    }
}

impl Output for ShippingZone {}
impl Output for ShippingMethod {}

impl From<&NewShippingRate> for ShippingRate {
    fn from(new: &NewShippingRate) -> Self {
        Self {
            currency: new.currency,
            from: new.from,
            up_to: new.up_to,
            amount: new.amount,
        }
    }
}

impl ShippingMethod {
    /// The offer for goods of this weight and total; none where no rate applies.
    pub fn option(
        &self,
        currency: Currency,
        weight_grams: i64,
        goods: i64,
    ) -> Option<ShippingOption> {
        let measure = match self.rate_by {
            ShippingRateBy::Weight => weight_grams,
            ShippingRateBy::Value => goods,
        };
        Some(ShippingOption {
            method_id: self.id,
            handle: self.handle.clone(),
            name: self.name.clone(),
            amount: rates::price(&self.rates, currency, measure)?,
            min_days: self.min_days,
            max_days: self.max_days,
        })
    }
}

/// All zones and methods, as a process keeps them: `tx.app().kept::<Shipping>()?`.
pub struct Shipping {
    methods: HashMap<ShippingMethodId, Arc<ShippingMethod>>,
    /// The active methods of a channel to a country.
    offered: HashMap<ChannelId, HashMap<String, Vec<Arc<ShippingMethod>>>>,
}

impl Kept for Shipping {
    fn load(conn: &mut Conn) -> Result<Self> {
        Ok(Self::new(
            &queries::all_zones(conn)?,
            queries::all_methods(conn)?,
        ))
    }
}

impl Shipping {
    fn new(zones: &[ShippingZone], methods: Vec<ShippingMethod>) -> Self {
        let zones: HashMap<ShippingZoneId, &ShippingZone> =
            zones.iter().map(|z| (z.id, z)).collect();
        let mut shipping = Self {
            methods: HashMap::new(),
            offered: HashMap::new(),
        };
        for method in methods.into_iter().map(Arc::new) {
            if let (true, Some(zone)) = (method.active, zones.get(&method.zone_id)) {
                let offered = shipping.offered.entry(method.channel_id).or_default();
                for country in zone.countries.iter() {
                    offered
                        .entry(country.clone())
                        .or_default()
                        .push(method.clone());
                }
            }
            shipping.methods.insert(method.id, method);
        }
        shipping
    }

    /// What a cart of this weight and goods' total may choose from, the cheapest first.
    pub fn options(
        &self,
        channel: ChannelId,
        country: &str,
        currency: Currency,
        weight_grams: i64,
        goods: i64,
    ) -> Vec<ShippingOption> {
        let methods = self
            .offered
            .get(&channel)
            .and_then(|countries| countries.get(country));
        let methods = methods.map_or(&[][..], Vec::as_slice);
        let mut options: Vec<ShippingOption> = methods
            .iter()
            .filter_map(|m| m.option(currency, weight_grams, goods))
            .collect();
        options.sort_by(|a, b| {
            (a.amount.amount, &a.name, a.method_id).cmp(&(b.amount.amount, &b.name, b.method_id))
        });
        options
    }

    /// The method with this id, whether it is offered or not.
    pub fn method(&self, id: ShippingMethodId) -> Option<Arc<ShippingMethod>> {
        self.methods.get(&id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(countries: &[&str]) -> ShippingZone {
        ShippingZone {
            id: ShippingZoneId::new(),
            handle: "zone".into(),
            name: "Zone".into(),
            countries: Json(countries.iter().map(ToString::to_string).collect()),
        }
    }

    fn method(zone: &ShippingZone, channel: ChannelId, name: &str, amount: i64) -> ShippingMethod {
        let currency = "EUR".parse().unwrap();
        ShippingMethod {
            id: ShippingMethodId::new(),
            zone_id: zone.id,
            channel_id: channel,
            handle: name.to_lowercase(),
            name: name.into(),
            tax_class_id: TaxClassId::new(),
            rate_by: ShippingRateBy::Weight,
            rates: Json(vec![ShippingRate {
                currency,
                from: Minor(0),
                up_to: None,
                amount: Minor(amount),
            }]),
            min_days: 1,
            max_days: 3,
            active: true,
        }
    }

    fn names(options: &[ShippingOption]) -> Vec<&str> {
        options.iter().map(|o| o.name.as_str()).collect()
    }

    #[test]
    fn options_are_the_active_methods_of_channel_and_country_cheapest_first() {
        let (here, elsewhere) = (ChannelId::new(), ChannelId::new());
        let (home, europe) = (zone(&["DE"]), zone(&["DE", "AT"]));
        let euro = "EUR".parse().unwrap();
        let asleep = ShippingMethod {
            active: false,
            ..method(&home, here, "Asleep", 0)
        };
        let asleep_id = asleep.id;
        let shipping = Shipping::new(
            &[home.clone(), europe.clone()],
            vec![
                method(&europe, here, "Parcel", 990),
                method(&home, here, "Standard", 490),
                method(&home, here, "Bike", 490),
                method(&home, elsewhere, "Other", 1),
                asleep,
            ],
        );
        assert_eq!(
            names(&shipping.options(here, "DE", euro, 0, 0)),
            ["Bike", "Standard", "Parcel"]
        );
        assert_eq!(names(&shipping.options(here, "AT", euro, 0, 0)), ["Parcel"]);
        assert_eq!(
            names(&shipping.options(elsewhere, "DE", euro, 0, 0)),
            ["Other"]
        );
        assert_eq!(shipping.options(here, "FR", euro, 0, 0), []);
        assert_eq!(
            shipping.options(here, "DE", "USD".parse().unwrap(), 0, 0),
            []
        );
        assert!(shipping.method(asleep_id).is_some_and(|m| !m.active));
        assert!(shipping.method(ShippingMethodId::new()).is_none());
    }

    #[test]
    fn the_measure_is_weight_or_value() {
        let (channel, zone) = (ChannelId::new(), zone(&["DE"]));
        let euro = "EUR".parse().unwrap();
        let mut by_value = method(&zone, channel, "Free", 0);
        by_value.rate_by = ShippingRateBy::Value;
        by_value.rates.0[0].from = Minor(5000);
        assert_eq!(by_value.option(euro, 9999, 4999), None);
        assert_eq!(
            by_value.option(euro, 0, 5000).map(|o| o.amount.amount),
            Some(0)
        );
        let by_weight = ShippingMethod {
            rate_by: ShippingRateBy::Weight,
            ..by_value
        };
        assert_eq!(by_weight.option(euro, 4999, 9999), None);
        assert_eq!(by_weight.option(euro, 5000, 0).map(|o| o.min_days), Some(1));
    }
}
