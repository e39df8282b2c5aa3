//! Rules about time: the expiry of sessions and the end of grace periods.
//!
//! An operation reads the clock at some time between its start and its answer. Every time in this
//! module is therefore a bound: the earliest or the latest possible one.

use supersession::UnixMillis;

use super::record::{Answer, Call, Operation};
use super::report::{Rule, Terms, Violation};
use super::story::Story;

/// Finds uses of a session after its expiry.
pub(super) fn check(story: &Story<'_>, terms: Terms) -> Vec<Violation> {
    let uses = story.own.iter().chain(story.of_user).filter(|operation| {
        // An access token is valid until its own expiry, and a guard on the feed may rely on that.
        !matches!(operation.call, Call::Guard(_))
            && match &operation.answer {
                Answer::Alive | Answer::Document(_) | Answer::Refreshed(..) => true,
                answer @ Answer::Listed(_) => answer.names(story.handle),
                _ => false,
            }
    });
    uses.filter(|operation| has_expired(story, operation, terms))
        .map(|operation| Violation::new(Rule::OutlivedItsExpiry, story.handle, &[operation]))
        .collect()
}

/// Returns `true` if the session had expired before the operation began, in every possible order.
fn has_expired(story: &Story<'_>, operation: &Operation, terms: Terms) -> bool {
    let (Some(validity), Some(creation)) = (terms.validity, story.creation) else {
        return false;
    };
    let prolonged = prolongations(story).filter(|refresh| refresh.start < operation.end);
    let latest = prolonged
        // A refresh proves nothing about the lifetime before it.
        .filter(|refresh| !std::ptr::eq(*refresh, operation))
        .map(|refresh| refresh.answered)
        .fold(creation.answered, UnixMillis::max);
    latest.after(validity) <= operation.asked
}

/// Returns `true` if the session may have expired before the operation was answered.
pub(super) fn may_have_expired(story: &Story<'_>, operation: &Operation, terms: Terms) -> bool {
    let (Some(validity), Some(creation)) = (terms.validity, story.creation) else {
        return false;
    };
    let earliest = prolongations(story)
        .filter(|refresh| refresh.is_before(operation))
        // The second refresh within a grace period does not extend the session. The first one did.
        .map(|refresh| refresh.asked.before(terms.grace.unwrap_or_default()))
        .fold(creation.asked, UnixMillis::max);
    earliest.after(validity) <= operation.answered
}

/// Returns `true` if this end may be an expiry that does not last: a concurrent refresh that read
/// the clock before the expiry may still extend the session. Each operation decides by the time at
/// which it read the clock.
pub(super) fn may_be_prolonged(story: &Story<'_>, end: &Operation, terms: Terms) -> bool {
    may_have_expired(story, end, terms)
        && prolongations(story).any(|refresh| refresh.start < end.end && !refresh.is_before(end))
}

/// Returns `true` if this refresh may have come after the grace period of its token. The token is
/// then rejected as reused and the session revoked.
pub(super) fn may_be_too_late(story: &Story<'_>, refresh: &Operation, terms: Terms) -> bool {
    let (Some(grace), Call::Refresh(_, token)) = (terms.grace, &refresh.call) else {
        return false;
    };
    prolongations(story).any(|other| {
        let is_of_the_same = matches!(&other.call, Call::Refresh(_, used) if used == token);
        is_of_the_same
            && !std::ptr::eq(other, refresh)
            && other.asked.after(grace) < refresh.answered
    })
}

/// Returns the refreshes that took place or may have taken place.
fn prolongations<'a>(story: &'a Story<'_>) -> impl Iterator<Item = &'a Operation> {
    story.own.iter().copied().filter(|operation| {
        let may_have = matches!(operation.answer, Answer::Refreshed(..) | Answer::Unknown);
        may_have && matches!(operation.call, Call::Refresh(..))
    })
}
