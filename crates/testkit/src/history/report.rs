//! The rules that the judge checks, and its report.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::record::Operation;

/// Lifetimes, measured by the nodes' clock. `None` means unlimited.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// Grace period in which a rotated refresh token is exchanged for the same successor.
    pub grace: Option<Duration>,
    /// Lifetime of a session without a refresh.
    pub validity: Option<Duration>,
}

/// A rule that a history must not violate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// An answered merge is missing from a later read and never reappears.
    LostWrite,
    /// A counter is lower than the number of increments before the read, or two increments returned
    /// the same value.
    LostUpdate,
    /// A document contains more than was written: an unknown member, or a count that is too high.
    PhantomWrite,
    /// A read lacks a write that was answered before, and a later read contains it.
    StaleRead,
    /// A session is found again after it was seen gone, or after its revocation was answered.
    Resurrected,
    /// A session is gone without a cause.
    EndedForNoReason,
    /// Two calls both reported that they revoked the same session.
    EndedTwice,
    /// A refresh was rejected although the token was valid and no call had ended the session.
    LoggedOut,
    /// A refresh token has two different successors, or two predecessors.
    TwoSuccessors,
    /// A refresh token was exchanged after its successor had already been exchanged.
    StaleTokenAccepted,
    /// A list lacks a session that existed before the list began and later, or that no call had
    /// ended.
    ForgottenInList,
    /// A session exists that no call has created.
    PhantomSession,
    /// A session was used after its expiry, counted from the last refresh.
    OutlivedItsExpiry,
    /// A guard that relies on the revocation feed accepted a session after its own node had revoked
    /// it or had been notified of its end.
    ServedAfterTold,
}

/// A violated rule.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The violated rule.
    pub rule: Rule,
    /// The session or the user.
    pub subject: String,
    /// The operations that prove the violation. They contradict each other in every order.
    pub operations: Vec<Operation>,
}

impl Violation {
    pub(super) fn new(rule: Rule, subject: &str, operations: &[&Operation]) -> Self {
        Self {
            rule,
            subject: subject.to_owned(),
            operations: operations
                .iter()
                .map(|operation| (*operation).clone())
                .collect(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.subject)?;
        for operation in &self.operations {
            let Operation {
                node,
                start,
                end,
                call,
                answer,
                ..
            } = operation;
            write!(
                f,
                "\n  node {node}, {start} to {end}: {call:?} -> {answer:?}"
            )?;
        }
        Ok(())
    }
}

/// The result of the judge.
#[derive(Clone, Debug)]
pub struct Report {
    /// Number of operations that were judged.
    pub judged: usize,
    /// Number of operations with an unknown outcome.
    pub unknown: usize,
    /// The violations, at most one per rule for each session and each document.
    pub violations: Vec<Violation>,
}

impl Report {
    /// Returns the violated rules.
    #[must_use]
    pub fn broken(&self) -> BTreeSet<Rule> {
        self.violations
            .iter()
            .map(|violation| violation.rule)
            .collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            judged,
            unknown,
            violations,
        } = self;
        write!(
            f,
            "{judged} operations judged, {unknown} answers unknown, {} violations",
            violations.len()
        )?;
        violations
            .iter()
            .take(10)
            .try_for_each(|violation| write!(f, "\n{violation}"))
    }
}
