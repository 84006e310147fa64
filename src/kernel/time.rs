//! Instants in UTC with microseconds, and the clock they come from.
//!
//! Nothing else in the crate asks the system for the time, so a test can move it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::BigInt;
use diesel::sqlite::{Sqlite, SqliteValue};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::column::Ts;

/// Microseconds from 1970 to 2000, where PostgreSQL begins to count.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// An instant; on the wire RFC 3339 in UTC, as `2026-03-01T09:30:00.000000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = Ts)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `micros` microseconds after 1970 began.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970 began.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This instant and so much more; the end of time rather than an overflow.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// This instant less so much.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// The time from an earlier moment to this one; none where that was later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0).max(0);
        Duration::from_micros(micros.unsigned_abs())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(f, "{time:.6}"),
            Err(_) => f.write_str("out of range"),
        }
    }
}

/// The years 1 to 9999, which RFC 3339 and every database can say.
const YEARS: std::ops::Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;

impl FromStr for Timestamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time: Option<jiff::Timestamp> = (text.len() <= super::shape::DATE_TIME_LENGTH)
            .then(|| text.parse().ok())
            .flatten();
        let time = time.map(|time| Self(time.as_microsecond()));
        time.filter(|time| YEARS.contains(&time.0))
            .ok_or_else(|| "must be an RFC 3339 time, as 2026-03-01T09:30:00Z".to_owned())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::__dev::ComposeSchema for Timestamp {
    fn compose(
        _: Vec<utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>>,
    ) -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        super::shape::date_time()
    }
}
impl utoipa::ToSchema for Timestamp {}

crate::graphql_text!(
    Timestamp,
    "DateTime",
    "An instant, RFC 3339; in answers in UTC with microseconds, as `2026-03-01T09:30:00.000000Z`.",
    "https://datatracker.ietf.org/doc/html/rfc3339"
);

impl ToSql<Ts, Pg> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <i64 as ToSql<BigInt, Pg>>::to_sql(&(self.0 - POSTGRES_EPOCH), &mut out.reborrow())
    }
}
impl FromSql<Ts, Pg> for Timestamp {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(
            <i64 as FromSql<BigInt, Pg>>::from_sql(value)? + POSTGRES_EPOCH,
        ))
    }
}
impl ToSql<Ts, Sqlite> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0);
        Ok(IsNull::No)
    }
}
impl FromSql<Ts, Sqlite> for Timestamp {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(value.read_long()))
    }
}

/// Where the time comes from; clones share one offset.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset: Arc<AtomicI64>,
}

impl Clock {
    /// The time now, with microseconds.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the system is asked"
    )]
    pub fn now(&self) -> Timestamp {
        let since_1970 = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let micros = i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX);
        Timestamp(micros.saturating_add(self.offset.load(Ordering::Relaxed)))
    }

    /// Moves this clock and all its clones forward.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.offset.fetch_add(micros, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back_as_it_was_written() {
        let time: Timestamp = "2026-03-01T09:30:00.000001Z".parse().unwrap();
        assert_eq!(time.to_string(), "2026-03-01T09:30:00.000001Z");
        assert_eq!("2026-03-01T10:30:00.000001+01:00".parse(), Ok(time));
        for bad in [
            "yesterday",
            "-000001-01-01T00:00:00Z",
            "0000-12-31T23:59:59Z",
            "+010000-01-01T00:00:00Z",
            "9999-12-31T23:00:00-01:00",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
        for good in ["0001-01-01T00:00:00Z", "9999-12-30T21:59:59.999999Z"] {
            assert!(good.parse::<Timestamp>().is_ok(), "{good}");
        }
    }

    #[test]
    fn a_clock_moves_with_all_its_clones() {
        let clock = Clock::default();
        let before = clock.clone().now();
        clock.advance(Duration::from_hours(1));
        assert!(clock.now() >= before.plus(Duration::from_hours(1)));
    }
}
