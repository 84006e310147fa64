//! Documents that were asked before: a client sends the same few again and again, with other variables.

use std::collections::HashMap;
use std::sync::RwLock;

use async_graphql::parser::types::ExecutableDocument;

/// The most bytes of text that are kept, in one process; what is parsed takes several times as much.
const LIMIT: usize = 256 * 1024;

/// Documents that were parsed and may be asked again.
#[derive(Default)]
pub struct Documents(RwLock<Kept>);

#[derive(Default)]
struct Kept {
    by_text: HashMap<String, ExecutableDocument>,
    bytes: usize,
}

impl Documents {
    /// The document of this text, if it is kept.
    pub fn get(&self, text: &str) -> Option<ExecutableDocument> {
        self.0.read().ok()?.by_text.get(text).cloned()
    }

    /// Keeps a document. When there is no more room all are forgotten: what is asked often comes back at once.
    pub fn put(&self, text: String, document: ExecutableDocument) {
        let Ok(mut kept) = self.0.write() else { return };
        if kept.bytes + text.len() > LIMIT {
            *kept = Kept::default();
        }
        let bytes = text.len();
        if kept.by_text.insert(text, document).is_none() {
            kept.bytes += bytes;
        }
    }
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
            assert!(documents.0.read().unwrap().bytes <= LIMIT);
        }
        assert!(documents.get(&text(0)).is_none());
    }
}
