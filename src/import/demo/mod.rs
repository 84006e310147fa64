//! The demo shop: an outdoor outfitter that sells in euros on the continent and in pounds in Britain.
//!
//! `shop.jsonl` is the whole of it in Mercer's own format; [`generated`] makes as many further products as are wanted.

mod generated;

use futures_util::stream::{FuturesUnordered, TryStreamExt as _};

use super::{Report, jsonl};
use crate::context::{Cx, Kept as _};
use crate::db::{Address, Conn, migrations};
use crate::domain::catalog::{BulkUpsertProducts, MAX_ROWS, Outcome};
use crate::domain::channels::Channels;
use crate::domain::coupons::CreateCoupon;
use crate::domain::credits::IssueGiftCard;
use crate::kernel::money::Minor;
use crate::kernel::{Code, Error, Result};
use crate::operation::dispatch;

/// The demo shop in Mercer's own format.
pub const SHOP: &str = include_str!("shop.jsonl");

/// A coupon of the demo shop that takes off 10 percent.
pub const COUPON: &str = "WELCOME10";

/// How many requests are on their way at once: one is written while the next are made.
const IN_FLIGHT: usize = 4;

/// Makes the shop.
pub async fn shop(cx: &Cx) -> Result<()> {
    let problems = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let sink = problems.clone();
    let mut report = Report::to(move |text| {
        if let Ok(mut problems) = sink.lock() {
            problems.push_str(text);
            problems.push('\n');
        }
    });
    jsonl::import(cx, SHOP.as_bytes(), &mut report).await?;
    if report.refused > 0 {
        return Err(Error::internal(
            problems.lock().map(|p| p.clone()).unwrap_or_default(),
        ));
    }
    let coupon = CreateCoupon {
        code: COUPON.to_owned(),
        description: Some("10 percent off".to_owned()),
        basis_points: Some(1000),
        amount: None,
        max_amount: None,
        currency: None,
        channel_ids: None,
        minimum: None,
        starts_at: None,
        ends_at: None,
        usage_limit: None,
        usage_limit_per_customer: None,
        status: None,
        metadata: None,
    };
    dispatch(cx, coupon).await.map(drop)
}

/// A new gift card of 50 euros; its code.
pub async fn gift_card(cx: &Cx) -> Result<String> {
    let issue = IssueGiftCard {
        amount: Minor(5000),
        currency: "EUR".parse()?,
        expires_at: None,
        email: None,
        note: Some("demo".to_owned()),
        metadata: None,
    };
    Ok(dispatch(cx, issue).await?.value.code)
}

/// Adds `count` made-up products, the same ones every time.
pub async fn products(cx: &Cx, count: u64, report: &mut Report) -> Result<()> {
    let mut flying = FuturesUnordered::new();
    let size = u64::try_from(MAX_ROWS).unwrap_or(1);
    let mut next = 0;
    while next < count || !flying.is_empty() {
        while next < count && flying.len() < IN_FLIGHT {
            let products: Vec<_> = (next..count.min(next + size))
                .map(generated::product)
                .collect();
            next += size;
            flying.push(async { dispatch(cx, BulkUpsertProducts { products }).await });
        }
        if let Some(answer) = flying.try_next().await? {
            for row in &answer.value.rows {
                match row.errors.first() {
                    Some(error) => report.note(&format!(
                        "{}: {}: {}",
                        row.handle, error.pointer, error.message
                    )),
                    None => report.count(row.outcome),
                }
                if row.outcome == Outcome::Refused {
                    report.refused += 1;
                }
            }
            report.advance(u64::try_from(answer.value.rows.len()).unwrap_or(0));
        }
    }
    Ok(())
}

/// What a database is, as far as the demo may do with it what it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is no shop in it.
    Nothing,
    /// There is a demo shop in it.
    Demo,
    /// There is somebody's shop in it.
    Shop,
}

/// Looks whether the database has a shop, and whether that is a demo: one of its channels says so.
pub fn look(conn: &mut Conn) -> Result<Found> {
    let channels = Channels::load(conn)?;
    let mut channels = channels.iter().peekable();
    if channels.peek().is_none() {
        return Ok(Found::Nothing);
    }
    let is_demo =
        channels.any(|channel| channel.metadata.public.0.get("demo") == Some(&true.into()));
    Ok(if is_demo { Found::Demo } else { Found::Shop })
}

/// Empties a database that [`look`] found to be a demo's and that no other process has open.
pub fn wipe(address: &Address) -> Result<()> {
    match address {
        Address::Sqlite(path) => {
            address.settle()?;
            for end in ["", "-wal", "-shm"] {
                match std::fs::remove_file(format!("{path}{end}")) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(Error::new(
                            Code::Unavailable,
                            format!("{path}{end}: {error}"),
                        ));
                    }
                    _ => {}
                }
            }
            Ok(())
        }
        Address::Postgres(_) => {
            let mut conn: Conn = address.open()?;
            migrations::without_time_limit(&mut conn)?;
            migrations::down(&mut conn)
        }
    }
}
