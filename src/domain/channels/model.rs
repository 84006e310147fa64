use std::sync::Arc;

use diesel::prelude::*;

use super::queries;
use crate::auth::Actor;
use crate::context::{Kept, Tx};
use crate::db::Conn;
use crate::kernel::ids::ChannelId;
use crate::kernel::money::{Rounding, TaxPer, Terms};
use crate::kernel::{Code, Currency, Document, Error, Json, Metadata, Patch, Result, Timestamp};
use crate::operation::Output;
use crate::schema::channels;
use crate::{choice, input, output};

choice! {
    /// Whether a channel sells.
    ChannelStatus {
        /// It sells.
        Active = "active",
        /// It shows nothing and takes no orders.
        Inactive = "inactive",
    }
}

choice! {
    /// How a channel numbers its orders.
    OrderNumbers {
        /// 1, 2, 3, … without gaps. Orders of a channel are then placed one after another.
        Sequential = "sequential",
        /// Short, unguessable, with a check digit, and without a counter that orders wait for.
        Scattered = "scattered",
    }
}

choice! {
    /// When a channel takes the money of its orders.
    CapturePolicy {
        /// With the order.
        Placement = "placement",
        /// With each shipment: whoever ships captures its units.
        Shipment = "shipment",
        /// When somebody says so.
        Manual = "manual",
    }
}

/// A channel as the database has it.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = channels)]
#[diesel(treat_none_as_null = true)]
#[allow(missing_docs)]
pub struct ChannelRow {
    pub id: ChannelId,
    pub handle: String,
    pub name: String,
    pub status: ChannelStatus,
    pub currency: Currency,
    pub currencies: Json<Vec<Currency>>,
    pub countries: Json<Vec<String>>,
    pub prices_include_tax: bool,
    pub rounding: Rounding,
    pub tax_per: TaxPer,
    pub order_numbers: OrderNumbers,
    pub order_number_prefix: String,
    pub hold_minutes: i64,
    pub metadata: Json<Metadata>,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub capture: CapturePolicy,
    pub risk_checks: bool,
    pub risk_investigate_from: i64,
    pub risk_cancel_from: i64,
    pub risk_first_order_from: Option<i64>,
    pub invoice_needs_terms: bool,
    pub cancel_unpaid_after: Option<i64>,
}

output! {
    /// A sales channel.
    Channel {
        /// Its id.
        id: ChannelId,
        /// Its name in URLs and imports.
        handle: String,
        /// Its name for people.
        name: String,
        /// Whether it sells.
        status: ChannelStatus,
        /// The currency it sells in when nothing else is asked for.
        currency: Currency,
        /// Every currency it sells in.
        currencies: Vec<Currency>,
        /// The countries it delivers to (ISO 3166-1 alpha-2); the first is the one prices are taxed for by default.
        countries: Vec<String>,
        /// Whether its prices contain the tax.
        prices_include_tax: bool,
        /// How its amounts are rounded.
        rounding: Rounding,
        /// Whether tax is rounded once a line or once a unit.
        tax_per: TaxPer,
        /// How its orders are numbered; null for a publishable key.
        #[schema(required = true)]
        order_numbers: Option<OrderNumbers>,
        /// What its order numbers begin with; null for a publishable key.
        #[schema(required = true)]
        order_number_prefix: Option<String>,
        /// How many minutes a checkout holds its stock.
        hold_minutes: i64,
        /// Free data of the shop's own, which shop fronts see.
        metadata: Document,
        /// Free data of the shop's own that shop fronts do not see; null for a publishable key.
        #[schema(required = true)]
        private_metadata: Option<Document>,
        /// Raised by every change.
        version: i64,
        /// When it was created.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
        /// When the money of its orders is taken; null for a publishable key.
        #[schema(required = true)]
        capture: Option<CapturePolicy>,
        /// Whether its orders are assessed for risk; null for a publishable key.
        #[schema(required = true)]
        risk_checks: Option<bool>,
        /// From which score on an order is put on hold until somebody decides; null for a publishable key.
        #[schema(required = true)]
        risk_investigate_from: Option<i64>,
        /// From which score on an order is called off; null for a publishable key.
        #[schema(required = true)]
        risk_cancel_from: Option<i64>,
        /// From which total on a first order counts as a sign, in minor units of the channel's currency; null = never,
        /// and for a publishable key.
        #[schema(required = true)]
        risk_first_order_from: Option<i64>,
        /// Whether an invoice is for customers on credit terms alone.
        invoice_needs_terms: bool,
        /// After how many hours an order is called off whose money was to come by itself and has not; null = never. Cash on
        /// delivery and invoices on credit terms are awaited longer.
        #[schema(required = true)]
        cancel_unpaid_after: Option<i64>,
    }
}

input! {
    /// A new channel.
    CreateChannel {
        /// Its name in URLs and imports: lower-case letters, digits, hyphens.
        handle: String,
        /// Its name for people.
        name: String,
        /// The currency it sells in by default.
        currency: Currency,
        /// Further currencies it sells in.
        #[serde(default)]
        #[graphql(default)]
        currencies: Vec<Currency>,
        /// The countries it delivers to (ISO 3166-1 alpha-2), the default for taxes first.
        countries: Vec<String>,
        /// Whether its prices contain the tax; true when left out.
        prices_include_tax: Option<bool>,
        /// `half_up` when left out.
        rounding: Option<Rounding>,
        /// `line` when left out.
        tax_per: Option<TaxPer>,
        /// `sequential` when left out.
        order_numbers: Option<OrderNumbers>,
        /// At most 10 letters, digits and hyphens; empty when left out.
        order_number_prefix: Option<String>,
        /// 1 to 1440; 15 when left out.
        hold_minutes: Option<i64>,
        /// When the money of its orders is taken; `manual` when left out.
        capture: Option<CapturePolicy>,
        /// Free data of the shop's own, which shop fronts see.
        metadata: Option<Document>,
        /// Free data of the shop's own that shop fronts do not see.
        private_metadata: Option<Document>,
    }
    /// A change of a channel.
    UpdateChannel {
        /// The channel.
        id: ChannelId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// Its new name for people.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        name: Patch<String>,
        /// Whether it sells.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<ChannelStatus>)]
        status: Patch<ChannelStatus>,
        /// Every currency it sells in; its own must be among them.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Vec<Currency>>)]
        currencies: Patch<Vec<Currency>>,
        /// The countries it delivers to.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Vec<String>>)]
        countries: Patch<Vec<String>>,
        /// How its orders are numbered from now on.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<OrderNumbers>)]
        order_numbers: Patch<OrderNumbers>,
        /// What its order numbers begin with from now on.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        order_number_prefix: Patch<String>,
        /// How many minutes a checkout holds its stock.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<i64>)]
        hold_minutes: Patch<i64>,
        /// When the money of orders placed from now on is taken.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<CapturePolicy>)]
        capture: Patch<CapturePolicy>,
        /// Whether its orders are assessed for risk from now on.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<bool>)]
        risk_checks: Patch<bool>,
        /// From which score on an order is put on hold until somebody decides, 1 to 100.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<i64>)]
        risk_investigate_from: Patch<i64>,
        /// From which score on an order is called off, 1 to 101: 101 is never, blocked shoppers aside.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<i64>)]
        risk_cancel_from: Patch<i64>,
        /// From which total on a first order counts as a sign, in minor units of the channel's currency; null = never.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<i64>)]
        risk_first_order_from: Patch<i64>,
        /// Whether an invoice is for customers on credit terms alone, from now on.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<bool>)]
        invoice_needs_terms: Patch<bool>,
        /// After how many hours an order placed from now on is called off whose money was to come by itself and has not, 1 to
        /// 8760; null = never.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<i64>)]
        cancel_unpaid_after: Patch<i64>,
        /// Free data of the shop's own, which shop fronts see.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Document>)]
        metadata: Patch<Document>,
        /// Free data of the shop's own that shop fronts do not see.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Document>)]
        private_metadata: Patch<Document>,
    }
}

impl Output for Channel {
    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

impl ChannelRow {
    /// The channel as the caller sees it: a shop front what it needs to sell.
    pub fn seen_by(self, actor: &Actor) -> Channel {
        Channel {
            id: self.id,
            handle: self.handle,
            name: self.name,
            status: self.status,
            currency: self.currency,
            currencies: self.currencies.0,
            countries: self.countries.0,
            prices_include_tax: self.prices_include_tax,
            rounding: self.rounding,
            tax_per: self.tax_per,
            order_numbers: actor.private(self.order_numbers),
            order_number_prefix: actor.private(self.order_number_prefix),
            hold_minutes: self.hold_minutes,
            private_metadata: actor.private(self.metadata.0.private),
            metadata: self.metadata.0.public,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
            capture: actor.private(self.capture),
            risk_checks: actor.private(self.risk_checks),
            risk_investigate_from: actor.private(self.risk_investigate_from),
            risk_cancel_from: actor.private(self.risk_cancel_from),
            risk_first_order_from: actor.private(self.risk_first_order_from).flatten(),
            invoice_needs_terms: self.invoice_needs_terms,
            cancel_unpaid_after: self.cancel_unpaid_after,
        }
    }

    /// How its amounts are computed.
    pub fn terms(&self) -> Terms {
        Terms {
            prices_include_tax: self.prices_include_tax,
            rounding: self.rounding,
            tax_per: self.tax_per,
        }
    }

    /// The country that prices are taxed for while no address is known.
    pub fn default_country(&self) -> &str {
        self.countries.first().map_or("", String::as_str)
    }

    /// The currency asked for, or the channel's own; refuses one it does not sell in.
    pub fn currency_or_default(&self, asked: Option<Currency>, pointer: &str) -> Result<Currency> {
        let Some(asked) = asked else {
            return Ok(self.currency);
        };
        if self.currencies.contains(&asked) {
            return Ok(asked);
        }
        let sold: Vec<&str> = self.currencies.iter().map(Currency::as_str).collect();
        let message = format!(
            "The channel {} sells in {}, not in {asked}.",
            self.handle,
            sold.join(", ")
        );
        Err(Error::field(
            Code::CurrencyNotSold,
            pointer,
            "currency_not_sold",
            message,
        ))
    }
}

/// All channels, as a process keeps them.
pub struct Channels(Vec<Arc<ChannelRow>>);

impl Kept for Channels {
    fn load(conn: &mut Conn) -> Result<Self> {
        Ok(Self(
            queries::all(conn)?.into_iter().map(Arc::new).collect(),
        ))
    }
}

impl Channels {
    /// Every channel.
    pub fn iter(&self) -> impl Iterator<Item = &ChannelRow> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// The channel with this id.
    pub fn get(tx: &Tx<'_>, id: ChannelId) -> Result<Arc<ChannelRow>> {
        let channels = tx.app().kept::<Self>()?;
        channels
            .0
            .iter()
            .find(|c| c.id == id)
            .cloned()
            .ok_or_else(|| Error::not_found("channel"))
    }

    /// The channel that the caller means: a shop front's own, else the one named at `pointer`.
    pub fn of_caller(
        tx: &Tx<'_>,
        named: Option<ChannelId>,
        pointer: &str,
    ) -> Result<Arc<ChannelRow>> {
        let missing = || {
            let message = "A secret key belongs to no channel; name one.";
            Error::invalid(pointer, "required", message)
        };
        match (tx.actor().channel(), named) {
            (Some(own), Some(named)) if own != named => Err(Error::not_found("channel")),
            (Some(id), _) | (None, Some(id)) => Self::get(tx, id),
            (None, None) => Err(missing()),
        }
    }

    /// Every channel.
    pub fn all(tx: &Tx<'_>) -> Result<Vec<Arc<ChannelRow>>> {
        Ok(tx.app().kept::<Self>()?.0.clone())
    }
}
