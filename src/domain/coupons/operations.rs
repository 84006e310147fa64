use super::model::{Coupon, CouponRow, CouponStatus, CreateCoupon, UpdateCoupon, normalise};
use super::{GetCoupon, ListCoupons, queries};
use crate::context::Tx;
use crate::domain::channels::Channels;
use crate::kernel::ids::CouponId;
use crate::kernel::money::Minor;
use crate::kernel::page::{PageRequest, Position, SortKey};
use crate::kernel::{Checks, Error, Json, Page, Patch, Result, patch};
use crate::operation::{Mutation, Query};

/// No amount of a coupon is more, in minor units: far from where numbers end.
const MOST: i64 = 1_000_000_000_000;
/// No limit of uses is more.
const MOST_USES: i64 = 1_000_000_000;
/// The most channels of a coupon.
const MOST_CHANNELS: usize = 100;
/// The most characters of a code.
const MOST_CHARACTERS: usize = 50;

impl Query for GetCoupon {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Coupon> {
        let row = queries::find(tx, self.id)?.ok_or_else(|| Error::not_found("coupon"))?;
        Ok(row.into())
    }
}

impl Query for ListCoupons {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<Coupon>> {
        let page = PageRequest::new(
            &tx.app().cursors,
            "coupons",
            self.first,
            self.after.as_deref(),
        )?;
        let rows = queries::list(tx, self, &page)?;
        page.page(
            rows,
            |coupon| Position {
                key: SortKey::Id,
                id: coupon.id.uuid(),
            },
            |rows| Ok(rows.into_iter().map(Into::into).collect()),
        )
    }
}

impl Mutation for CreateCoupon {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Coupon> {
        let minor = |amount: Option<Minor>| amount.map(|amount| amount.0);
        let coupon = CouponRow {
            id: CouponId::new(),
            code: normalise(&self.code),
            description: self.description.clone(),
            basis_points: self.basis_points,
            amount: minor(self.amount),
            max_amount: minor(self.max_amount),
            currency: self.currency,
            channel_ids: Json(self.channel_ids.clone().unwrap_or_default()),
            minimum: minor(self.minimum),
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            usage_limit: self.usage_limit,
            usage_limit_per_customer: self.usage_limit_per_customer,
            used: 0,
            status: self.status.unwrap_or(CouponStatus::Active),
            metadata: Json(self.metadata.clone().unwrap_or_default()),
            version: 1,
            created_at: tx.now,
            updated_at: tx.now,
        };
        check(tx, &coupon)?;
        queries::insert(tx, &coupon)?;
        Ok(coupon.into())
    }
}

impl Mutation for UpdateCoupon {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Coupon> {
        let old = queries::lock(tx, self.id)?;
        Error::unless_version(self.expected_version, old.version)?;
        let minor = |patch: &Patch<Minor>, current: Option<i64>| {
            patch::optional(&(*patch).map_value(|amount| amount.0), current)
        };
        let mut changed = CouponRow {
            description: patch::optional(&self.description, old.description.clone()),
            basis_points: patch::optional(&self.basis_points, old.basis_points),
            amount: minor(&self.amount, old.amount),
            max_amount: minor(&self.max_amount, old.max_amount),
            currency: patch::optional(&self.currency, old.currency),
            channel_ids: Json(patch::required(
                &self.channel_ids,
                old.channel_ids.0.clone(),
                "/channelIds",
            )?),
            minimum: minor(&self.minimum, old.minimum),
            starts_at: patch::optional(&self.starts_at, old.starts_at),
            ends_at: patch::optional(&self.ends_at, old.ends_at),
            usage_limit: patch::optional(&self.usage_limit, old.usage_limit),
            usage_limit_per_customer: patch::optional(
                &self.usage_limit_per_customer,
                old.usage_limit_per_customer,
            ),
            status: patch::required(&self.status, old.status, "/status")?,
            metadata: Json(patch::required(
                &self.metadata,
                old.metadata.0.clone(),
                "/metadata",
            )?),
            ..old.clone()
        };
        if changed == old {
            return Ok(old.into());
        }
        changed.version += 1;
        changed.updated_at = tx.now;
        check(tx, &changed)?;
        queries::update(tx, &changed)?;
        Ok(changed.into())
    }
}

fn check(tx: &Tx<'_>, coupon: &CouponRow) -> Result<()> {
    let mut checks = Checks::new();
    checks.that(
        (1..=MOST_CHARACTERS).contains(&coupon.code.len())
            && coupon.code.bytes().all(|byte| byte.is_ascii_graphic()),
        "/code",
        "invalid_code",
        "A code has 1 to 50 visible ASCII characters.",
    );
    if let Some(description) = &coupon.description {
        checks.text("/description", description, 500);
    }
    check_value(&mut checks, coupon);
    check_limits(&mut checks, coupon);
    checks.that(
        coupon.channel_ids.len() <= MOST_CHANNELS,
        "/channelIds",
        "too_many",
        format!("At most {MOST_CHANNELS}."),
    );
    for (i, channel) in coupon.channel_ids.iter().enumerate() {
        checks.that(
            Channels::get(tx, *channel).is_ok(),
            format!("/channelIds/{i}"),
            "unknown_channel",
            "There is no such channel.",
        );
    }
    checks.done()
}

/// What it takes off: a percentage or an amount, and a currency where an amount is said.
fn check_value(checks: &mut Checks, coupon: &CouponRow) {
    checks
        .that(
            coupon.basis_points.is_some() || coupon.amount.is_some(),
            "/amount",
            "required",
            "Say what it takes off: basisPoints or amount.",
        )
        .that(
            coupon.basis_points.is_none() || coupon.amount.is_none(),
            "/amount",
            "both_kinds",
            "It takes off a percentage or an amount, not both.",
        )
        .that(
            coupon.max_amount.is_none() || coupon.basis_points.is_some(),
            "/maxAmount",
            "without_percentage",
            "Only a percentage has a maximum.",
        )
        .range("/basisPoints", coupon.basis_points.unwrap_or(1), 1, 10_000);
    let amounts = [
        ("/amount", coupon.amount),
        ("/maxAmount", coupon.max_amount),
        ("/minimum", coupon.minimum),
    ];
    for (pointer, amount) in amounts {
        checks.range(pointer, amount.unwrap_or(1), 1, MOST);
    }
    let is_amount = amounts.iter().any(|(_, amount)| amount.is_some());
    checks.that(
        coupon.currency.is_some() || !is_amount,
        "/currency",
        "required",
        "An amount has a currency.",
    );
}

/// When it may be used, and how often.
fn check_limits(checks: &mut Checks, coupon: &CouponRow) {
    let (from, until) = (coupon.starts_at, coupon.ends_at);
    checks.that(
        from.zip(until).is_none_or(|(from, until)| from < until),
        "/endsAt",
        "before_start",
        "Must be after startsAt.",
    );
    let limits = [
        ("/usageLimit", coupon.usage_limit),
        ("/usageLimitPerCustomer", coupon.usage_limit_per_customer),
    ];
    for (pointer, limit) in limits {
        checks.range(pointer, limit.unwrap_or(1), 1, MOST_USES);
    }
    checks.that(
        coupon.usage_limit.is_none_or(|limit| limit >= coupon.used),
        "/usageLimit",
        "less_than_used",
        format!("{} orders use it already.", coupon.used),
    );
}
