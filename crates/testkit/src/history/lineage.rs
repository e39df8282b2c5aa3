//! Rules about refresh tokens: the tokens of a session form a single chain.

use std::collections::BTreeMap;

use super::expiry::may_be_too_late;
use super::record::{Answer, Call, Operation, TokenId};
use super::report::{Rule, Terms, Violation};
use super::story::Story;

pub(super) fn check(story: &Story<'_>, terms: Terms) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut found = |rule, operations: &[&Operation]| {
        violations.push(Violation::new(rule, story.handle, operations));
    };
    let mut exchanges: Vec<(TokenId, TokenId, &Operation)> = Vec::new();
    for &operation in &story.own {
        match (&operation.call, &operation.answer) {
            (Call::Refresh(_, token), Answer::Refreshed(next, _)) => {
                exchanges.push((*token, *next, operation));
            }
            (Call::Replay(..), Answer::Refreshed(..)) => {
                found(Rule::StaleTokenAccepted, &[operation]);
            }
            // The token was valid. If the session had ended, the answer would be `Gone`.
            (Call::Refresh(..), Answer::Theft) if !may_be_too_late(story, operation, terms) => {
                found(Rule::LoggedOut, &[operation]);
            }
            _ => {}
        }
    }
    let mut successors = BTreeMap::new();
    let mut predecessors = BTreeMap::new();
    for &(token, next, operation) in &exchanges {
        let (successor, first) = *successors.entry(token).or_insert((next, operation));
        if successor != next {
            found(Rule::TwoSuccessors, &[first, operation]);
        }
        let (predecessor, first) = *predecessors.entry(next).or_insert((token, operation));
        if predecessor != token {
            found(Rule::TwoSuccessors, &[first, operation]);
        }
    }
    // The exchange of each token that ended first.
    let mut exchanged: BTreeMap<TokenId, &Operation> = BTreeMap::new();
    for &(token, _, operation) in &exchanges {
        let earliest = exchanged.entry(token).or_insert(operation);
        if operation.end < earliest.end {
            *earliest = operation;
        }
    }
    for &(_, next, operation) in &exchanges {
        if let Some(later) = exchanged.get(&next)
            && later.is_before(operation)
        {
            found(Rule::StaleTokenAccepted, &[later, operation]);
        }
    }
    violations
}
