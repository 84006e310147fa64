use diesel::prelude::*;

use crate::kernel::ids::{ChannelId, CouponId};
use crate::kernel::money::Minor;
use crate::kernel::{Currency, Document, Json, Money, Patch, Timestamp};
use crate::operation::Output;
use crate::schema::coupons;
use crate::{choice, input, output};

choice! {
    /// What a coupon takes off.
    CouponKind {
        /// A percentage of the goods.
        Percentage = "percentage",
        /// An amount, at most what the goods cost.
        Fixed = "fixed",
    }
}

choice! {
    /// Whether a coupon may be used.
    CouponStatus {
        /// It may, within its time and its limits.
        Active = "active",
        /// Somebody has stopped it.
        Disabled = "disabled",
    }
}

/// A coupon as the database has it.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = coupons)]
#[diesel(treat_none_as_null = true)]
#[diesel(treat_none_as_default_value = false)]
#[allow(missing_docs)]
pub struct CouponRow {
    pub id: CouponId,
    pub code: String,
    pub description: Option<String>,
    pub basis_points: Option<i64>,
    pub amount: Option<i64>,
    pub max_amount: Option<i64>,
    pub currency: Option<Currency>,
    pub channel_ids: Json<Vec<ChannelId>>,
    pub minimum: Option<i64>,
    pub starts_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    pub usage_limit: Option<i64>,
    pub usage_limit_per_customer: Option<i64>,
    pub used: i64,
    pub status: CouponStatus,
    pub metadata: Json<Document>,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

output! {
    /// A code that takes something off an order.
    Coupon {
        /// Its id.
        id: CouponId,
        /// Its code, in upper case; shoppers may type it in any.
        code: String,
        /// What it is for.
        #[schema(required = true)]
        description: Option<String>,
        /// What it takes off.
        kind: CouponKind,
        /// The percentage, in hundredths of a percent: 1250 is 12.5 %.
        #[schema(required = true)]
        basis_points: Option<i64>,
        /// The amount.
        #[schema(required = true)]
        amount: Option<Money>,
        /// What the percentage takes off at most.
        #[schema(required = true)]
        max_amount: Option<Money>,
        /// The currency of the carts it is for; null where it is for all.
        #[schema(required = true)]
        currency: Option<Currency>,
        /// The channels it is for; empty where it is for all.
        channel_ids: Vec<ChannelId>,
        /// What the goods must cost at least, before anything is taken off.
        #[schema(required = true)]
        minimum: Option<Money>,
        /// From when it may be used.
        #[schema(required = true)]
        starts_at: Option<Timestamp>,
        /// From when it may be used no more.
        #[schema(required = true)]
        ends_at: Option<Timestamp>,
        /// How many orders may use it.
        #[schema(required = true)]
        usage_limit: Option<i64>,
        /// How many orders of one e-mail address may use it.
        #[schema(required = true)]
        usage_limit_per_customer: Option<i64>,
        /// How many orders use it, those that were called off whole left out.
        used: i64,
        /// Whether it may be used.
        status: CouponStatus,
        /// Free data of the shop's own.
        metadata: Document,
        /// Raised by every change, not by its uses.
        version: i64,
        /// When it was created.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    /// A coupon that an order used.
    RedeemedCoupon {
        /// The coupon.
        coupon_id: CouponId,
        /// Its code.
        code: String,
        /// What it took off; the lines have the shares.
        discount: Money,
    }
}

input! {
    /// A new coupon.
    CreateCoupon {
        /// Its code, 1 to 50 visible ASCII characters; lower case becomes upper case.
        code: String,
        /// What it is for.
        description: Option<String>,
        /// The percentage to take off, in hundredths of a percent, 1 to 10000; or say `amount`.
        basis_points: Option<i64>,
        /// The amount to take off, in minor units; or say `basisPoints`.
        amount: Option<Minor>,
        /// What the percentage takes off at most, in minor units.
        max_amount: Option<Minor>,
        /// The currency of the carts it is for; needed where an amount is said.
        currency: Option<Currency>,
        /// The channels it is for; all when left out or empty.
        channel_ids: Option<Vec<ChannelId>>,
        /// What the goods must cost at least, in minor units as the channel prices, before anything is taken off.
        minimum: Option<Minor>,
        /// From when it may be used.
        starts_at: Option<Timestamp>,
        /// From when it may be used no more.
        ends_at: Option<Timestamp>,
        /// How many orders may use it; any number when left out.
        usage_limit: Option<i64>,
        /// How many orders of one e-mail address may use it; any number when left out.
        usage_limit_per_customer: Option<i64>,
        /// `active` when left out.
        status: Option<CouponStatus>,
        /// Free data of the shop's own.
        metadata: Option<Document>,
    }
    /// A change of a coupon.
    UpdateCoupon {
        /// The coupon.
        id: CouponId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// What it is for.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        description: Patch<String>,
        /// The percentage to take off, in hundredths of a percent, 1 to 10000.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<i64>)]
        basis_points: Patch<i64>,
        /// The amount to take off, in minor units.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Minor>)]
        amount: Patch<Minor>,
        /// What the percentage takes off at most, in minor units.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Minor>)]
        max_amount: Patch<Minor>,
        /// The currency of the carts it is for.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Currency>)]
        currency: Patch<Currency>,
        /// The channels it is for; all where empty.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Vec<ChannelId>>)]
        channel_ids: Patch<Vec<ChannelId>>,
        /// What the goods must cost at least, in minor units.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Minor>)]
        minimum: Patch<Minor>,
        /// From when it may be used.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Timestamp>)]
        starts_at: Patch<Timestamp>,
        /// From when it may be used no more.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Timestamp>)]
        ends_at: Patch<Timestamp>,
        /// How many orders may use it, not less than do.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<i64>)]
        usage_limit: Patch<i64>,
        /// How many orders of one e-mail address may use it.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<i64>)]
        usage_limit_per_customer: Patch<i64>,
        /// Whether it may be used.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<CouponStatus>)]
        status: Patch<CouponStatus>,
        /// Free data of the shop's own; replaces all of it.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Document>)]
        metadata: Patch<Document>,
    }
}

impl Output for Coupon {
    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

/// A code as it is kept, however it was typed.
pub fn normalise(entered: &str) -> String {
    entered.trim().to_ascii_uppercase()
}

impl From<CouponRow> for Coupon {
    fn from(row: CouponRow) -> Self {
        let currency = row.currency;
        let money = |amount: Option<i64>| {
            let (amount, currency) = amount.zip(currency)?;
            Some(Money { amount, currency })
        };
        Self {
            id: row.id,
            code: row.code,
            description: row.description,
            kind: if row.amount.is_some() {
                CouponKind::Fixed
            } else {
                CouponKind::Percentage
            },
            basis_points: row.basis_points,
            amount: money(row.amount),
            max_amount: money(row.max_amount),
            currency,
            channel_ids: row.channel_ids.0,
            minimum: money(row.minimum),
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            usage_limit: row.usage_limit,
            usage_limit_per_customer: row.usage_limit_per_customer,
            used: row.used,
            status: row.status,
            metadata: row.metadata.0,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
