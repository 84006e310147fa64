//! Answers of the published catalogue, kept as bytes until the catalogue changes.
//!
//! An answer belongs to a channel and a request line. It is good as long as the catalogue's version is the one it was made
//! under: a write of this process raises it before the writer is answered, another process's write is seen within a second.

use std::collections::HashMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::web::Bytes;

use crate::kernel::ids::ChannelId;

/// An answer that is kept.
#[derive(Clone)]
pub struct Kept {
    /// The body.
    pub body: Bytes,
    /// Its strong `ETag`.
    pub etag: String,
    /// The `Link` header, where there is a next page.
    pub link: Option<String>,
    /// The catalogue's version it was made under.
    pub version: u64,
}

/// The answers of one process.
pub struct Cache {
    channels: RwLock<HashMap<ChannelId, HashMap<String, Kept>>>,
    bytes: AtomicUsize,
    limit: usize,
}

impl Cache {
    /// A cache of at most so many bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            channels: RwLock::default(),
            bytes: AtomicUsize::new(0),
            limit,
        }
    }

    /// The answer to this request line, if it is still good.
    pub fn get(&self, channel: ChannelId, line: &str, version: u64) -> Option<Kept> {
        let channels = self.channels.read().ok()?;
        channels
            .get(&channel)?
            .get(line)
            .filter(|kept| kept.version == version)
            .cloned()
    }

    /// Keeps an answer. When the cache is full it is emptied: what is asked for often comes back at once.
    pub fn put(&self, channel: ChannelId, line: &str, kept: Kept) {
        let size = kept.body.len() + line.len() + 256;
        let Ok(mut channels) = self.channels.write() else {
            return;
        };
        if self.bytes.load(Ordering::Relaxed) + size > self.limit {
            channels.clear();
            self.bytes.store(0, Ordering::Relaxed);
        }
        if size > self.limit {
            return;
        }
        self.bytes.fetch_add(size, Ordering::Relaxed);
        if let Some(old) = channels
            .entry(channel)
            .or_default()
            .insert(line.to_owned(), kept)
        {
            self.bytes
                .fetch_sub(old.body.len() + line.len() + 256, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(version: u64) -> Kept {
        Kept {
            body: Bytes::from_static(&[0; 1000]),
            etag: String::new(),
            link: None,
            version,
        }
    }

    #[test]
    fn an_answer_is_good_for_its_version_and_channel_only() {
        let cache = Cache::new(10_000);
        let (channel, other) = (ChannelId::new(), ChannelId::new());
        cache.put(channel, "/v1/products", kept(1));
        assert!(cache.get(channel, "/v1/products", 1).is_some());
        assert!(cache.get(channel, "/v1/products", 2).is_none());
        assert!(cache.get(other, "/v1/products", 1).is_none());
    }

    #[test]
    fn it_never_holds_more_than_its_limit() {
        let cache = Cache::new(10_000);
        let channel = ChannelId::new();
        for i in 0..100 {
            cache.put(channel, &format!("/v1/products?after={i}"), kept(1));
            assert!(cache.bytes.load(Ordering::Relaxed) <= 10_000);
        }
        assert!(cache.get(channel, "/v1/products?after=99", 1).is_some());
    }
}
