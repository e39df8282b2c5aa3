//! Rules about guards that rely on the revocation feed. A guard may accept a session that another
//! node has revoked until its own node is notified. It must not accept a session that its own node
//! has revoked or has been notified of.

use super::expiry::may_be_prolonged;
use super::record::{Answer, Call, Operation};
use super::report::{Rule, Terms, Violation};
use super::story::Story;

pub(super) fn check(story: &Story<'_>, terms: Terms) -> Vec<Violation> {
    let operations = || story.own.iter().chain(story.of_user).copied();
    let passed = operations().filter(|operation| {
        matches!(operation.call, Call::Guard(_)) && operation.answer == Answer::Alive
    });
    passed
        .filter_map(|passed| {
            let told = operations().find(|told| {
                told.node == passed.node
                    && knows_the_end(story, told)
                    && !may_be_prolonged(story, told, terms)
                    && told.is_before(passed)
            })?;
            Some(Violation::new(
                Rule::ServedAfterTold,
                story.handle,
                &[told, passed],
            ))
        })
        .collect()
}

/// Returns `true` if the answer shows that this node knew about the end of the session.
fn knows_the_end(story: &Story<'_>, operation: &Operation) -> bool {
    match (&operation.call, &operation.answer) {
        (Call::Await(_) | Call::Guard(_) | Call::Verify(_), Answer::Gone) | (_, Answer::Theft) => {
            true
        }
        (Call::Revoke(_) | Call::RevokeAll(_), answer) => answer.names(story.handle),
        _ => false,
    }
}
