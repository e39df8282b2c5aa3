//! The queue of changes, grouped by document.
//!
//! Changes of one document stay together and in order, and at most one writer holds them at a time.
//! Changes made by one process therefore never race each other, and each sees the result of the
//! previous one.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use super::change::Change;
use crate::document::Document;

/// Maximum number of documents in one batch. Beyond a few hundred, the shared flush is a small part
/// of the cost.
pub(super) const BATCH_LIMIT: usize = 256;

#[derive(Default)]
pub(super) struct Queue {
    /// Every document that is waiting or being written, with the changes that no writer has taken
    /// yet.
    documents: HashMap<Document, Vec<Change>>,
    /// Documents with waiting changes that no writer holds, in order of arrival.
    ready: VecDeque<Document>,
}

impl Queue {
    pub(super) fn push(&mut self, document: Document, change: Change) {
        match self.documents.entry(document) {
            Entry::Occupied(mut entry) => entry.get_mut().push(change),
            Entry::Vacant(entry) => {
                self.ready.push_back(entry.key().clone());
                entry.insert(vec![change]);
            }
        }
    }

    pub(super) fn has_work(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes the waiting changes of the kind that has waited longest, up to the size of a batch.
    /// The caller must release each document once its changes are done.
    pub(super) fn take(&mut self) -> Vec<(Document, Vec<Change>)> {
        let Some(kind) = self.ready.front().map(Document::kind) else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        let mut left = VecDeque::new();
        for document in self.ready.drain(..) {
            if document.kind() != kind || taken.len() == BATCH_LIMIT {
                left.push_back(document);
            } else if let Some(changes) = self.documents.get_mut(&document) {
                let changes = std::mem::take(changes);
                taken.push((document, changes));
            }
        }
        self.ready = left;
        taken
    }

    pub(super) fn release(&mut self, document: &Document) {
        match self.documents.get(document) {
            Some(changes) if changes.is_empty() => {
                self.documents.remove(document);
            }
            Some(_) => self.ready.push_back(document.clone()),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use supersession::store::{DocumentWrite, SessionDocument, SessionKey};
    use supersession::{AppId, JsonObject, SessionHandle, UnixMillis, UserId};

    use super::*;

    fn of_session(handle: &str, which: SessionDocument) -> Document {
        let handle = SessionHandle::from(handle.to_owned());
        Document::OfSession(which, SessionKey::new(&AppId::default(), handle))
    }

    fn data(handle: &str) -> Document {
        of_session(handle, SessionDocument::SessionData)
    }

    fn push(queue: &mut Queue, document: Document, now: u64) {
        let write = DocumentWrite::Overwrite(JsonObject::empty());
        let deadline = tokio::time::Instant::now();
        let (change, _) = Change::new(write, UnixMillis::new(now), deadline);
        queue.push(document, change);
    }

    /// Returns the documents of the next batch, with the timestamps of their changes.
    fn take(queue: &mut Queue) -> Vec<(Document, Vec<u64>)> {
        let batch = queue.take().into_iter();
        let batch = batch.map(|(document, changes)| {
            let instants = changes.iter().map(|change| change.now.get());
            (document, instants.collect())
        });
        batch.collect()
    }

    #[test]
    fn whatever_waits_is_taken_in_its_order() {
        let mut queue = Queue::default();
        assert!(!queue.has_work() && queue.take().is_empty());
        for (handle, now) in [("b", 1), ("a", 2), ("b", 3)] {
            push(&mut queue, data(handle), now);
        }
        let expected = [(data("b"), vec![1, 3]), (data("a"), vec![2])];
        assert_eq!(take(&mut queue), expected);
        assert!(!queue.has_work());
    }

    #[test]
    fn a_document_in_somebodys_hands_waits_until_it_is_released() {
        let mut queue = Queue::default();
        push(&mut queue, data("a"), 1);
        take(&mut queue);
        push(&mut queue, data("a"), 2);
        push(&mut queue, data("b"), 3);
        push(&mut queue, data("a"), 4);
        assert_eq!(take(&mut queue), [(data("b"), vec![3])]);
        queue.release(&data("a"));
        assert_eq!(take(&mut queue), [(data("a"), vec![2, 4])]);
        queue.release(&data("a"));
        queue.release(&data("b"));
        assert!(!queue.has_work() && queue.documents.is_empty());
    }

    #[test]
    fn a_batch_is_of_one_kind_and_the_oldest_kind_comes_first() {
        let mut queue = Queue::default();
        let payload = |handle| of_session(handle, SessionDocument::Payload);
        let metadata = Document::Metadata(AppId::default(), UserId::from("user"));
        push(&mut queue, payload("a"), 1);
        push(&mut queue, metadata.clone(), 2);
        push(&mut queue, data("a"), 3);
        push(&mut queue, payload("b"), 4);
        let expected = [(payload("a"), vec![1]), (payload("b"), vec![4])];
        assert_eq!(take(&mut queue), expected);
        assert_eq!(take(&mut queue), [(metadata, vec![2])]);
        assert_eq!(take(&mut queue), [(data("a"), vec![3])]);
    }

    #[test]
    fn a_batch_has_a_limit() {
        let mut queue = Queue::default();
        for number in 0..=BATCH_LIMIT {
            push(&mut queue, data(&number.to_string()), 1);
        }
        assert_eq!(take(&mut queue).len(), BATCH_LIMIT);
        assert_eq!(take(&mut queue).len(), 1);
    }
}
