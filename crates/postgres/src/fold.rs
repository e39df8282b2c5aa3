//! Folding: the rule by which several writes to one document become one write to its row.

use supersession::JsonObject;
use supersession::store::{DocumentWrite, WriteOutcome};

/// The knowledge about the stored document that folding requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// None: the first write replaces any document.
    Anything,
    /// The document must equal this one for the first write to take place.
    Exactly(JsonObject),
    /// The stored document itself: the first write merges into it.
    Stored,
}

impl Start {
    pub(crate) fn of(first: &DocumentWrite) -> Self {
        match first {
            DocumentWrite::Overwrite(_) => Self::Anything,
            DocumentWrite::CompareAndSwap { expected, .. } => Self::Exactly(expected.clone()),
            DocumentWrite::Merge(_) | DocumentWrite::MergeWithin { .. } => Self::Stored,
        }
    }
}

/// The result of applying writes to one document in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Folded {
    /// The resulting document.
    pub(crate) document: JsonObject,
    /// The result for each caller, in the order of the writes.
    pub(crate) outcomes: Vec<WriteOutcome>,
}

/// Applies `writes` in order to an existing document.
pub(crate) fn fold<'a>(
    stored: JsonObject,
    writes: impl IntoIterator<Item = &'a DocumentWrite>,
) -> Folded {
    let mut document = stored;
    let outcomes = writes
        .into_iter()
        .map(|write| match write.apply_to(&document) {
            Ok(next) => {
                document = next;
                WriteOutcome::Written(document.clone())
            }
            Err(_) => WriteOutcome::Conflict(document.clone()),
        });
    let outcomes = outcomes.collect();
    Folded { document, outcomes }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use supersession::store::MemoryStore;
    use supersession::{AppId, Store as _, UserId};

    use super::*;

    fn object(text: &str) -> JsonObject {
        text.parse().unwrap()
    }

    fn swap(expected: &str, replacement: &str) -> DocumentWrite {
        DocumentWrite::CompareAndSwap {
            expected: object(expected),
            replacement: object(replacement),
        }
    }

    #[test]
    fn each_caller_is_told_what_the_writes_before_left() {
        let writes = [
            DocumentWrite::Merge(object(r#"{"a":1}"#)),
            swap(r#"{"x":1}"#, r#"{"lost":1}"#),
            swap(r#"{"x":1,"a":1}"#, r#"{"won":1}"#),
            DocumentWrite::Overwrite(object(r#"{"b":2}"#)),
            DocumentWrite::Merge(object(r#"{"b":null,"c":3}"#)),
        ];
        let folded = fold(object(r#"{"x":1}"#), &writes);
        assert_eq!(folded.document, object(r#"{"c":3}"#));
        let written = |text| WriteOutcome::Written(object(text));
        assert_eq!(
            folded.outcomes,
            [
                written(r#"{"x":1,"a":1}"#),
                WriteOutcome::Conflict(object(r#"{"x":1,"a":1}"#)),
                written(r#"{"won":1}"#),
                written(r#"{"b":2}"#),
                written(r#"{"c":3}"#),
            ]
        );
    }

    #[test]
    fn only_a_merge_has_to_know_what_is_stored() {
        let overwrite = DocumentWrite::Overwrite(object("{}"));
        assert_eq!(Start::of(&overwrite), Start::Anything);
        let expected = Start::Exactly(object(r#"{"n":1}"#));
        assert_eq!(Start::of(&swap(r#"{"n":1}"#, "{}")), expected);
        assert_eq!(
            Start::of(&DocumentWrite::Merge(object("{}"))),
            Start::Stored
        );
    }

    fn documents() -> impl Strategy<Value = JsonObject> {
        let members = proptest::collection::btree_map("[a-c]", "[1-2]|null", 0..3);
        members.prop_map(|members| {
            let members = members
                .iter()
                .map(|(name, value)| format!(r#""{name}":{value}"#));
            object(&format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
        })
    }

    fn writes() -> impl Strategy<Value = Vec<DocumentWrite>> {
        let write = prop_oneof![
            documents().prop_map(DocumentWrite::Overwrite),
            documents().prop_map(DocumentWrite::Merge),
            (documents(), documents()).prop_map(|(expected, replacement)| {
                DocumentWrite::CompareAndSwap {
                    expected,
                    replacement,
                }
            }),
        ];
        proptest::collection::vec(write, 1..8)
    }

    proptest! {
        /// Compares with the reference store, which applies one write after the other.
        #[test]
        fn folding_is_one_after_the_other(stored in documents(), writes in writes()) {
            let (app, user) = (AppId::default(), UserId::from("user"));
            let one_by_one = pollster::block_on(async {
                let store = MemoryStore::new();
                let mut outcomes = Vec::new();
                for write in std::iter::once(&DocumentWrite::Overwrite(stored.clone())).chain(&writes) {
                    outcomes.push(store.write_user_metadata(&app, &user, write).await.unwrap());
                }
                let left = store.user_metadata(&app, &user).await.unwrap().unwrap();
                (left, outcomes.split_off(1))
            });
            // If the assumption about the stored document holds, nothing else needs to be known.
            let known = match Start::of(&writes[0]) {
                Start::Anything => JsonObject::empty(),
                Start::Exactly(expected) if expected == stored => expected,
                Start::Exactly(_) | Start::Stored => stored,
            };
            let folded = fold(known, &writes);
            prop_assert_eq!((folded.document, folded.outcomes), one_by_one);
        }
    }
}
