//! Sessions that are there and that are gone.

use std::collections::{BTreeMap, BTreeSet};

use super::expiry::{may_be_prolonged, may_be_too_late, may_have_expired};
use super::judge::{Story, Terms};
use super::{Answer, Call, Operation, Rule, Violation};

/// What an operation says about a session.
enum Sign {
    /// It was there at some moment between start and end.
    Alive,
    /// It was gone at the end at the latest.
    Gone,
    /// It was not in the list.
    Unlisted,
}

pub(super) fn check(story: &Story<'_>, terms: Terms) -> Vec<Violation> {
    let (mut alive, mut gone, mut unlisted) = (Vec::new(), Vec::new(), Vec::new());
    for &operation in story.own.iter().chain(story.of_user) {
        match sign(story, operation) {
            Some(Sign::Alive) => alive.push(operation),
            Some(Sign::Gone) => gone.push(operation),
            Some(Sign::Unlisted) => unlisted.push(operation),
            None => {}
        }
    }
    let mut violations = Vec::new();
    let mut found = |rule, operations: &[&Operation]| {
        violations.push(Violation::new(rule, story.handle, operations));
    };
    let claims: Vec<_> = gone
        .iter()
        .copied()
        .filter(|operation| names(&operation.answer, story.handle))
        .collect();
    if let [first, second, ..] = claims[..] {
        found(Rule::EndedTwice, &[first, second]);
    }
    // It was there when they began. One that has expired may still be there to be deleted.
    alive.extend(
        claims
            .into_iter()
            .filter(|claim| !may_have_expired(story, claim, terms)),
    );
    if let Some(both) = contradiction(story, &gone, &alive, terms) {
        found(Rule::Resurrected, &both);
    }
    if let Some(both) = contradiction(story, &unlisted, &alive, terms) {
        found(Rule::ForgottenInList, &both);
    }
    for operation in gone {
        if !has_cause(story, operation, terms) {
            let rule = match operation.call {
                Call::Refresh(..) => Rule::LoggedOut,
                _ => Rule::EndedForNoReason,
            };
            found(rule, &[operation]);
        }
    }
    for operation in unlisted {
        if !has_cause(story, operation, terms) {
            found(Rule::ForgottenInList, &[operation]);
        }
    }
    violations
}

/// The earliest sign of an end for good, and a sign of life that is later for certain.
fn contradiction<'a>(
    story: &Story<'_>,
    ends: &[&'a Operation],
    alive: &[&'a Operation],
    terms: Terms,
) -> Option<[&'a Operation; 2]> {
    let ends = ends.iter().copied();
    let earliest = ends
        .filter(|end| !may_be_prolonged(story, end, terms))
        .min_by_key(|end| end.end)?;
    let later = *alive.iter().find(|later| earliest.is_before(later))?;
    Some([earliest, later])
}

fn sign(story: &Story<'_>, operation: &Operation) -> Option<Sign> {
    let was_created = || {
        story
            .creation
            .is_some_and(|created| created.is_before(operation))
    };
    match (&operation.call, &operation.answer) {
        (Call::Verify(_), Answer::Alive) | (_, Answer::Document(_) | Answer::Refreshed(..)) => {
            Some(Sign::Alive)
        }
        (_, Answer::Gone | Answer::Theft) | (Call::Revoke(_), Answer::Revoked(_)) => {
            Some(Sign::Gone)
        }
        (_, Answer::Revoked(_)) => {
            (was_created() || names(&operation.answer, story.handle)).then_some(Sign::Gone)
        }
        (_, Answer::Listed(_)) if names(&operation.answer, story.handle) => Some(Sign::Alive),
        (_, Answer::Listed(_)) => was_created().then_some(Sign::Unlisted),
        // A guard's node may not have been told yet; `feed` has more to say about it.
        (_, Answer::Unknown | Answer::Created(..) | Answer::RotatedOut) | (_, Answer::Alive) => {
            None
        }
    }
}

/// Whether somebody asked for the end of the session before `gone` was over, or its time had come.
///
/// A revocation that found nothing counts too: a store may try again when it has lost its
/// connection, and then finds that its first attempt was carried out.
fn has_cause(story: &Story<'_>, gone: &Operation, terms: Terms) -> bool {
    let asked_for = story
        .own
        .iter()
        .chain(story.of_user)
        .any(|cause| match cause.call {
            Call::Revoke(_) | Call::Replay(..) => cause.start < gone.end,
            Call::Refresh(..) => cause.start < gone.end && may_be_too_late(story, cause, terms),
            Call::RevokeAll(_) => {
                let created_later = story
                    .creation
                    .is_some_and(|created| cause.is_before(created));
                cause.start < gone.end && !created_later
            }
            _ => false,
        });
    asked_for || may_have_expired(story, gone, terms)
}

pub(super) fn names(answer: &Answer, handle: &str) -> bool {
    match answer {
        Answer::Revoked(handles) | Answer::Listed(handles) => {
            handles.iter().any(|listed| listed == handle)
        }
        _ => false,
    }
}

/// Handles in lists that no creation answered, and that no creation of unknown outcome explains.
pub(super) fn sessions_of_nobody(operations: &[Operation]) -> Vec<Violation> {
    let created: BTreeSet<&str> = operations
        .iter()
        .filter_map(|operation| match &operation.answer {
            Answer::Created(handle, _) => Some(handle.as_str()),
            _ => None,
        })
        .collect();
    let mut strangers: BTreeMap<&str, BTreeMap<&str, &Operation>> = BTreeMap::new();
    let mut unknown: BTreeMap<&str, usize> = BTreeMap::new();
    for operation in operations {
        match (&operation.call, &operation.answer) {
            (Call::Create(user), Answer::Unknown) => *unknown.entry(user).or_default() += 1,
            (
                Call::RevokeAll(user) | Call::List(user),
                Answer::Revoked(handles) | Answer::Listed(handles),
            ) => {
                for handle in handles
                    .iter()
                    .filter(|handle| !created.contains(handle.as_str()))
                {
                    strangers.entry(user).or_default().insert(handle, operation);
                }
            }
            _ => {}
        }
    }
    strangers
        .into_iter()
        .filter(|(user, handles)| handles.len() > unknown.get(user).copied().unwrap_or_default())
        .map(|(user, handles)| {
            let operations: Vec<_> = handles.into_values().collect();
            Violation::new(Rule::PhantomSession, user, &operations)
        })
        .collect()
}
