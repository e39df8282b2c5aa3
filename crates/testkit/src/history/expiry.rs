//! What the passing of time ends, and what it does not: sessions that nobody refreshes, and the
//! grace window of a refresh token.
//!
//! An operation reads the clock at some moment between when it was asked and when it was answered,
//! so every instant here is one of two: the earliest that is possible, or the latest.

use supersession::UnixMillis;

use super::judge::{Story, Terms};
use super::life::names;
use super::{Answer, Call, Operation, Rule, Violation};

/// Uses of a session after its time.
pub(super) fn check(story: &Story<'_>, terms: Terms) -> Vec<Violation> {
    let uses = story.own.iter().chain(story.of_user).filter(|operation| {
        // An access token counts until it expires by itself, which a guard on the feed may rely on.
        !matches!(operation.call, Call::Guard(_))
            && match &operation.answer {
                Answer::Alive | Answer::Document(_) | Answer::Refreshed(..) => true,
                answer @ Answer::Listed(_) => names(answer, story.handle),
                _ => false,
            }
    });
    uses.filter(|operation| has_expired(story, operation, terms))
        .map(|operation| Violation::new(Rule::OutlivedItsExpiry, story.handle, &[operation]))
        .collect()
}

/// Whether the session's time had come before the operation was asked, in every order that is
/// possible.
fn has_expired(story: &Story<'_>, operation: &Operation, terms: Terms) -> bool {
    let (Some(validity), Some(creation)) = (terms.validity, story.creation) else {
        return false;
    };
    let prolonged = prolongations(story).filter(|refresh| refresh.start < operation.end);
    let latest = prolonged
        // Its own answer says nothing about how long the session had lived before it.
        .filter(|refresh| !std::ptr::eq(*refresh, operation))
        .map(|refresh| refresh.answered)
        .fold(creation.answered, UnixMillis::max);
    latest.after(validity) <= operation.asked
}

/// Whether the session's time may have come before the operation was answered.
pub(super) fn may_have_expired(story: &Story<'_>, operation: &Operation, terms: Terms) -> bool {
    let (Some(validity), Some(creation)) = (terms.validity, story.creation) else {
        return false;
    };
    let earliest = prolongations(story)
        .filter(|refresh| refresh.is_before(operation))
        // Who comes second in the grace window prolongs nothing: the first did.
        .map(|refresh| refresh.asked.before(terms.grace.unwrap_or_default()))
        .fold(creation.asked, UnixMillis::max);
    earliest.after(validity) <= operation.answered
}

/// Whether this sign of an end may be one of time alone, and a refresh under way, which had begun in
/// time, may have prolonged the session all the same. Each operation goes by the time at which it
/// looked at the clock, so this end is none for good.
pub(super) fn may_be_prolonged(story: &Story<'_>, end: &Operation, terms: Terms) -> bool {
    may_have_expired(story, end, terms)
        && prolongations(story).any(|refresh| refresh.start < end.end && !refresh.is_before(end))
}

/// Whether the token of this refresh may have been exchanged longer ago than the grace window is: it
/// is then refused, and the session ended for it.
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

/// The refreshes that have taken place, or may have.
fn prolongations<'a>(story: &'a Story<'_>) -> impl Iterator<Item = &'a Operation> {
    story.own.iter().copied().filter(|operation| {
        let may_have = matches!(operation.answer, Answer::Refreshed(..) | Answer::Unknown);
        may_have && matches!(operation.call, Call::Refresh(..))
    })
}
