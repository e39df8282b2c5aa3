//! Rules about documents: a write takes effect exactly once and persists. Covers session data,
//! stored payloads, the payloads in refreshed tokens, and user metadata.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Answer, Call, Document, Operation, Place};
use super::report::{Rule, Violation};

/// The operations that concern one document.
struct Story<'a> {
    subject: &'a str,
    own: Vec<&'a Operation>,
}

pub(super) fn check(operations: &[Operation]) -> Vec<Violation> {
    let mut stories: BTreeMap<Place, Vec<&Operation>> = BTreeMap::new();
    for operation in operations {
        if let Some(place) = place(operation) {
            stories.entry(place).or_default().push(operation);
        }
    }
    let mut violations = Vec::new();
    for (place, own) in &stories {
        let (Place::SessionData(subject) | Place::Payload(subject) | Place::Metadata(subject)) =
            place;
        let mut found = judge(&Story {
            subject,
            own: own.clone(),
        });
        let mut seen = BTreeSet::new();
        found.retain(|violation| seen.insert(violation.rule));
        violations.extend(found);
    }
    violations
}

/// Returns the document of an operation. A refresh reads the payload.
fn place(operation: &Operation) -> Option<Place> {
    match (&operation.call, &operation.answer) {
        (Call::Read(place) | Call::Increment(place) | Call::Merge(place, _), _) => {
            Some(place.clone())
        }
        (Call::Refresh(session, _), Answer::Refreshed(..)) => Some(Place::Payload(session.clone())),
        _ => None,
    }
}

fn judge(story: &Story<'_>) -> Vec<Violation> {
    let seen: Vec<(&Operation, &Document)> = story
        .own
        .iter()
        .filter_map(|operation| match &operation.answer {
            Answer::Document(document) | Answer::Refreshed(_, document) => {
                Some((*operation, document))
            }
            _ => None,
        })
        .collect();
    let mut violations = counters(story, &seen);
    violations.extend(members(story, &seen));
    violations
}

fn counters(story: &Story<'_>, seen: &[(&Operation, &Document)]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut found = |rule, operations: &[&Operation]| {
        violations.push(Violation::new(rule, story.subject, operations));
    };
    let increments: Vec<_> = story
        .own
        .iter()
        .copied()
        .filter(|operation| matches!(operation.call, Call::Increment(_)))
        .collect();
    let mut numbers = BTreeMap::new();
    for &(operation, document) in seen {
        let own = matches!(operation.call, Call::Increment(_));
        if own && let Some(other) = numbers.insert(document.counter, operation) {
            found(Rule::LostUpdate, &[other, operation]);
        }
        let before = increments.iter().filter(|increment| {
            matches!(increment.answer, Answer::Document(_)) && increment.is_before(operation)
        });
        let possible = increments.iter().filter(|increment| {
            increment.answer != Answer::Gone && increment.start < operation.end
        });
        let least = before.count() as u64 + u64::from(own);
        if document.counter < least {
            found(Rule::LostUpdate, &[operation]);
        }
        if document.counter > possible.count() as u64 {
            found(Rule::PhantomWrite, &[operation]);
        }
        let higher = seen.iter().find(|(earlier, before)| {
            earlier.is_before(operation) && before.counter > document.counter
        });
        if let Some((earlier, _)) = higher {
            found(Rule::LostUpdate, &[earlier, operation]);
        }
    }
    violations
}

fn members(story: &Story<'_>, seen: &[(&Operation, &Document)]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut merges: BTreeMap<&str, &Operation> = BTreeMap::new();
    for &operation in &story.own {
        if let Call::Merge(_, member) = &operation.call
            && operation.answer != Answer::Gone
        {
            merges.insert(member, operation);
        }
    }
    // The earliest operation that proves each member: its merge, or a read that contains it.
    let mut known: BTreeMap<&str, &Operation> = BTreeMap::new();
    for &(operation, document) in seen {
        for member in &document.members {
            let first = known.entry(member).or_insert(operation);
            if operation.end < first.end {
                *first = operation;
            }
        }
        if let Call::Merge(_, member) = &operation.call {
            let first = known.entry(member).or_insert(operation);
            if operation.end < first.end {
                *first = operation;
            }
        }
    }
    for &(operation, document) in seen {
        let own = match &operation.call {
            Call::Merge(_, member) => Some(member.as_str()),
            _ => None,
        };
        let of_nobody = document.members.iter().any(|member| {
            merges
                .get(member.as_str())
                .is_none_or(|merge| merge.start > operation.end)
        });
        if of_nobody {
            violations.push(Violation::new(
                Rule::PhantomWrite,
                story.subject,
                &[operation],
            ));
        }
        let missing = known.iter().filter(|(member, first)| {
            let due = first.is_before(operation) || own == Some(**member);
            due && !document.members.contains(**member)
        });
        for (member, first) in missing {
            let comes_back = seen.iter().any(|(later, document)| {
                operation.is_before(later) && document.members.contains(*member)
            });
            let rule = if comes_back {
                Rule::StaleRead
            } else {
                Rule::LostWrite
            };
            violations.push(Violation::new(rule, story.subject, &[first, operation]));
        }
    }
    violations
}
