//! Rules about the existence of sessions.

use std::collections::{BTreeMap, BTreeSet};

use super::expiry::{may_be_prolonged, may_be_too_late, may_have_expired};
use super::record::{Answer, Call, Operation};
use super::report::{Rule, Terms, Violation};
use super::story::Story;

/// The information that an operation gives about a session.
enum Sign {
    /// The session existed at some time between start and end.
    Alive,
    /// The session was gone at the end at the latest.
    Gone,
    /// The session was not in the list.
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
        .filter(|operation| operation.answer.names(story.handle))
        .collect();
    if let [first, second, ..] = claims[..] {
        found(Rule::EndedTwice, &[first, second]);
    }
    // The session existed when these operations began. An expired session is an exception: its row
    // may not have been deleted yet.
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

/// Returns the earliest evidence of a final end, together with evidence of life that is definitely
/// later.
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
            (was_created() || operation.answer.names(story.handle)).then_some(Sign::Gone)
        }
        (_, Answer::Listed(_)) if operation.answer.names(story.handle) => Some(Sign::Alive),
        (_, Answer::Listed(_)) => was_created().then_some(Sign::Unlisted),
        // The guard's node may not have been notified yet. The module `feed` checks these.
        (_, Answer::Unknown | Answer::Created(..) | Answer::RotatedOut) | (_, Answer::Alive) => {
            None
        }
    }
}

/// Returns `true` if a call that ends the session began before `gone` ended, or if the session may
/// have expired.
///
/// A revocation that found nothing counts too. A store can retry it after a lost connection and
/// then find that its first attempt was executed.
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

/// Finds handles in lists that no creation returned and that no creation with an unknown outcome
/// explains.
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
