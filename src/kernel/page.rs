//! Lists in pages: keyset cursors that only this shop can have written.
//!
//! A cursor carries the sort key and the id of the last item, so that a page costs the same wherever it begins and no item
//! is skipped or repeated when others come and go. It is signed: a made-up or altered one is refused, never interpreted.

use std::borrow::Cow;
use std::sync::Arc;

use async_graphql::{Object, OutputType, SimpleObject, TypeName};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Code, Error, Result};

/// How many items a page has when nothing is said.
pub const DEFAULT_LIMIT: i64 = 20;
/// How many items a page has at most.
pub const MAX_LIMIT: i64 = 100;

const TAG_BYTES: usize = 12;

/// Where an item stands in a sorted list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The value sorted by, where that is not the id.
    pub key: SortKey,
    /// The item's id, which breaks ties.
    pub id: Uuid,
}

/// The value a list is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SortKey {
    /// An amount, a number, or microseconds.
    Int(i64),
    /// A text.
    Text(String),
    /// The id alone.
    Id,
}

impl SortKey {
    /// The number, where it is one.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(value) => Some(value),
            _ => None,
        }
    }
}

/// Signs cursors with the shop's key.
#[derive(Clone)]
pub struct CursorKey(Arc<[u8]>);

impl CursorKey {
    /// The signer of the shop that has this secret.
    pub fn new(secret: &[u8]) -> Self {
        Self(secret.into())
    }

    fn tag(&self, list: &str, payload: &[u8]) -> [u8; TAG_BYTES] {
        let mut tag = [0; TAG_BYTES];
        // An HMAC takes a key of any length.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) {
            mac.update(list.as_bytes());
            mac.update(&[0]);
            mac.update(payload);
            tag.copy_from_slice(&mac.finalize().into_bytes()[..TAG_BYTES]);
        }
        tag
    }

    fn write(&self, list: &str, position: &Position) -> String {
        let mut bytes = serde_json::to_vec(position).unwrap_or_default();
        let tag = self.tag(list, &bytes);
        bytes.extend_from_slice(&tag);
        BASE64.encode(bytes)
    }

    fn read(&self, list: &str, cursor: &str) -> Option<Position> {
        let bytes = BASE64.decode(cursor).ok()?;
        let (payload, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
        let good: bool = subtle::ConstantTimeEq::ct_eq(&self.tag(list, payload)[..], tag).into();
        good.then(|| serde_json::from_slice(payload).ok()).flatten()
    }
}

/// Which page of which list is asked for.
pub struct PageRequest {
    /// How many items, 1 to [`MAX_LIMIT`].
    pub limit: i64,
    /// The item after which the page begins.
    pub after: Option<Position>,
    list: String,
    signer: CursorKey,
}

impl PageRequest {
    /// Reads the caller's wishes. `list` names the list, its sort and its filters' owner, so that a cursor of one list is
    /// none in another.
    pub fn new(
        signer: &CursorKey,
        list: impl Into<String>,
        limit: Option<i64>,
        after: Option<&str>,
    ) -> Result<Self> {
        let list = list.into();
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            let message = format!("Must be from 1 to {MAX_LIMIT}, not {limit}.");
            return Err(Error::invalid("/limit", "out_of_range", message));
        }
        let after = match after {
            None => None,
            Some(cursor) => Some(signer.read(&list, cursor).ok_or_else(|| {
                let message =
                    "This cursor was not issued for this list; leave `after` out to begin anew.";
                Error::field(Code::InvalidCursor, "/after", "invalid_cursor", message)
            })?),
        };
        Ok(Self {
            limit,
            after,
            list,
            signer: signer.clone(),
        })
    }

    /// How many rows to fetch: one more than shown, to know whether there is a next page.
    pub fn fetch(&self) -> i64 {
        self.limit + 1
    }

    /// Makes a page of the rows fetched; `position` says where an item stands.
    pub fn page<R, T>(
        self,
        mut rows: Vec<R>,
        position: impl Fn(&R) -> Position,
        into: impl FnOnce(Vec<R>) -> Result<Vec<T>>,
    ) -> Result<Page<T>> {
        let limit = usize::try_from(self.limit).unwrap_or_default();
        let has_next_page = rows.len() > limit;
        rows.truncate(limit);
        let positions: Vec<Position> = rows.iter().map(position).collect();
        let next_cursor = match positions.last() {
            Some(last) if has_next_page => Some(self.signer.write(&self.list, last)),
            _ => None,
        };
        Ok(Page {
            items: into(rows)?,
            page: PageInfo {
                next_cursor,
                has_next_page,
            },
            cursors: Some(Cursors {
                signer: self.signer,
                list: self.list,
                positions,
            }),
        })
    }
}

/// One page of a list.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// Whether there is more, and where it begins.
    pub page: PageInfo,
    #[serde(skip)]
    cursors: Option<Cursors>,
}

/// Whether there is a next page, and the cursor that fetches it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageInfo {
    /// Goes into `after` of the next request; null on the last page.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_next_page: bool,
}

#[derive(Clone)]
struct Cursors {
    signer: CursorKey,
    list: String,
    positions: Vec<Position>,
}

/// An item and its cursor.
#[derive(SimpleObject)]
#[graphql(name_type)]
pub struct Edge<'a, T: OutputType + Sync> {
    /// The cursor of this item, for `after`.
    cursor: String,
    /// The item.
    node: &'a T,
}

impl<T: OutputType + Sync> TypeName for Edge<'_, T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", T::type_name()).into()
    }
}

/// Where a page begins and ends (Relay cursor connections).
#[derive(SimpleObject)]
#[graphql(name = "PageInfo")]
pub struct RelayPageInfo {
    /// Whether there is a next page.
    has_next_page: bool,
    /// Whether there is a page before this one; lists are read forward, so this says whether `after` was given.
    has_previous_page: bool,
    /// The cursor of the first item.
    start_cursor: Option<String>,
    /// The cursor of the last item; goes into `after`.
    end_cursor: Option<String>,
}

impl<T: OutputType + Sync> TypeName for Page<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", T::type_name()).into()
    }
}

/// A page of a list (Relay cursor connection).
#[Object(name_type)]
impl<T: OutputType + Sync> Page<T> {
    /// The items.
    async fn nodes(&self) -> &[T] {
        &self.items
    }

    /// The items, each with its cursor.
    async fn edges(&self) -> Vec<Edge<'_, T>> {
        let cursor = |i| self.cursor(i).unwrap_or_default();
        self.items
            .iter()
            .enumerate()
            .map(|(i, node)| Edge {
                cursor: cursor(i),
                node,
            })
            .collect()
    }

    /// Whether there is more, and where it begins.
    async fn page_info(&self) -> RelayPageInfo {
        RelayPageInfo {
            has_next_page: self.page.has_next_page,
            has_previous_page: false,
            start_cursor: self.cursor(0),
            end_cursor: self
                .items
                .len()
                .checked_sub(1)
                .and_then(|last| self.cursor(last)),
        }
    }
}

impl<T> Page<T> {
    fn cursor(&self, index: usize) -> Option<String> {
        let cursors = self.cursors.as_ref()?;
        Some(
            cursors
                .signer
                .write(&cursors.list, cursors.positions.get(index)?),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position() -> Position {
        Position {
            key: SortKey::Text("Mug, größe M".into()),
            id: Uuid::from_u128(7),
        }
    }

    #[test]
    fn a_cursor_reads_back_in_its_own_list_only() {
        let signer = CursorKey::new(b"secret");
        let cursor = signer.write("products:title", &position());
        assert_eq!(signer.read("products:title", &cursor), Some(position()));
        assert_eq!(signer.read("products:price", &cursor), None);
        assert_eq!(
            CursorKey::new(b"other").read("products:title", &cursor),
            None
        );
    }

    #[test]
    fn a_cursor_with_any_byte_changed_is_refused() {
        let signer = CursorKey::new(b"secret");
        let cursor = signer.write("orders", &position()).into_bytes();
        for i in 0..cursor.len() {
            let mut forged = cursor.clone();
            forged[i] = if forged[i] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                signer.read("orders", std::str::from_utf8(&forged).unwrap()),
                None
            );
        }
        for nonsense in ["", "A", "é", "AAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(signer.read("orders", nonsense), None);
        }
    }
}
