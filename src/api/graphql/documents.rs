//! Documents that were asked before: a client sends the same few again and again, with other variables; or only their hashes
//! (Automatic Persisted Queries).

use std::collections::HashMap;
use std::sync::RwLock;

use async_graphql::parser::types::ExecutableDocument;
use sha2::{Digest, Sha256};

use crate::kernel::hex;

/// The most bytes of text that are kept, in one process; what is parsed takes several times as much.
const LIMIT: usize = 256 * 1024;

/// Documents that were parsed and may be asked again.
#[derive(Default)]
pub struct Documents(RwLock<Kept>);

#[derive(Default)]
struct Kept {
    by_text: HashMap<String, ExecutableDocument>,
    by_hash: HashMap<String, String>,
    bytes: usize,
}

impl Documents {
    /// The document of this text, if it is kept.
    pub fn get(&self, text: &str) -> Option<ExecutableDocument> {
        self.0.read().ok()?.by_text.get(text).cloned()
    }

    /// The text that was sent with this hash, if it is kept.
    pub fn text(&self, hash: &str) -> Option<String> {
        self.0.read().ok()?.by_hash.get(hash).cloned()
    }

    /// Keeps the text of a document under its hash.
    pub fn name(&self, hash: String, text: &str) {
        let Ok(mut kept) = self.0.write() else { return };
        kept.make_room(hash.len() + text.len());
        let bytes = hash.len() + text.len();
        if kept.by_hash.insert(hash, text.to_owned()).is_none() {
            kept.bytes += bytes;
        }
    }

    /// Keeps a document. When there is no more room all are forgotten: what is asked often comes back at once.
    pub fn put(&self, text: String, document: ExecutableDocument) {
        let Ok(mut kept) = self.0.write() else { return };
        kept.make_room(text.len());
        let bytes = text.len();
        if kept.by_text.insert(text, document).is_none() {
            kept.bytes += bytes;
        }
    }
}

impl Kept {
    fn make_room(&mut self, bytes: usize) {
        if self.bytes + bytes > LIMIT {
            *self = Self::default();
        }
    }
}

/// The hash by which a client names a document: SHA-256 in lower-case hexadecimal digits.
pub fn hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_the_limit_is_kept() {
        let documents = Documents::default();
        let document = async_graphql::parser::parse_query("{ a }").unwrap();
        let text = |i: usize| format!("{{ a }} # {i:>10000}");
        for i in 0..100 {
            documents.put(text(i), document.clone());
            assert!(documents.get(&text(i)).is_some());
            documents.name(hash(&text(i)), &text(i));
            assert_eq!(documents.text(&hash(&text(i))), Some(text(i)));
            assert!(documents.0.read().unwrap().bytes <= LIMIT);
        }
        assert!(documents.get(&text(0)).is_none());
        assert!(documents.text(&hash(&text(0))).is_none());
    }
}
