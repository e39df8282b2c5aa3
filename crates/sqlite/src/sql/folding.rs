//! Several writes to one document, applied in sequence between one read and one write of its row.

use supersession::JsonObject;
use supersession::store::{DocumentWrite, WriteOutcome};

/// A document to which writes are applied one after the other.
pub(super) struct Folding {
    stored: Option<JsonObject>,
    document: Option<JsonObject>,
}

impl Folding {
    /// Starts with the stored document.
    pub(super) fn of(stored: Option<JsonObject>) -> Self {
        Self {
            document: stored.clone(),
            stored,
        }
    }

    pub(super) fn write(&mut self, write: &DocumentWrite) -> WriteOutcome {
        let document = self.document.clone().unwrap_or_default();
        match write.apply_to(&document) {
            Ok(document) => WriteOutcome::Written(self.document.insert(document).clone()),
            Err(_) => WriteOutcome::Conflict(document),
        }
    }

    /// Returns the document to store, or `None` if it is unchanged.
    pub(super) fn changed(&self) -> Option<&str> {
        let document = self.document.as_ref()?;
        (self.stored.as_ref() != Some(document)).then_some(document.as_str())
    }
}
