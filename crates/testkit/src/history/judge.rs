//! The judge: finds violations, and the operations that prove them.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Answer, Call, Operation};
use super::report::{Report, Terms};
use super::story::Story;
use super::{documents, expiry, feed, life, lineage};

/// Judges a history.
#[must_use]
pub fn judge(operations: &[Operation], terms: Terms) -> Report {
    let mut users: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    let mut stories: BTreeMap<&str, Story<'_>> = BTreeMap::new();
    for operation in operations {
        match (&operation.call, &operation.answer) {
            (Call::Create(_), Answer::Created(session, _)) => {
                let story = stories.entry(session).or_default();
                story.creation = Some(operation);
            }
            (Call::Create(_), _) => {}
            (Call::RevokeAll(user) | Call::List(user), _) => {
                users.entry(user).or_default().push(operation);
            }
            (
                Call::Verify(session)
                | Call::Guard(session)
                | Call::Await(session)
                | Call::Refresh(session, _)
                | Call::Replay(session, _)
                | Call::Revoke(session),
                _,
            ) => stories.entry(session).or_default().own.push(operation),
            (Call::Read(place) | Call::Increment(place) | Call::Merge(place, _), _) => {
                if let Some(session) = place.session() {
                    stories.entry(session).or_default().own.push(operation);
                }
            }
        }
    }
    let mut violations = life::sessions_of_nobody(operations);
    violations.extend(documents::check(operations));
    for (handle, story) in &mut stories {
        story.handle = handle;
        if let Some(Call::Create(user)) = story.creation.map(|creation| &creation.call) {
            story.of_user = users.get(user.as_str()).map_or(&[], Vec::as_slice);
        }
        let mut found = life::check(story, terms);
        found.extend(lineage::check(story, terms));
        found.extend(expiry::check(story, terms));
        found.extend(feed::check(story, terms));
        let mut seen = BTreeSet::new();
        found.retain(|violation| seen.insert(violation.rule));
        violations.extend(found);
    }
    Report {
        judged: operations.len(),
        unknown: operations
            .iter()
            .filter(|operation| operation.answer == Answer::Unknown)
            // A wait has no answer while its session is live.
            .filter(|operation| !matches!(operation.call, Call::Await(_)))
            .count(),
        violations,
    }
}
