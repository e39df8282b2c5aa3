//! The verdict: what is broken, and by which operations it shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::{Answer, Call, Operation, documents, expiry, feed, life, lineage};

/// How long things last, by the clock of the nodes. Nothing ends by itself where nothing is said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// How long after its exchange a refresh token gets the same successor again.
    pub grace: Option<Duration>,
    /// How long a session lives without a refresh.
    pub validity: Option<Duration>,
}

/// What a history must not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A merge that was answered is missing from what was read later, and stays missing.
    LostWrite,
    /// A counter is lower than what was counted before it was read, or gave two the same number.
    LostUpdate,
    /// The data hold more than was asked for: a member of nobody, or a count too many.
    PhantomWrite,
    /// What was read lacks a write that was answered before, and that is there later.
    StaleRead,
    /// A session that was seen gone, or whose end was answered, is found again.
    Resurrected,
    /// A session is gone, and nobody asked for its end.
    EndedForNoReason,
    /// Two calls answered that it was they who ended the same session.
    EndedTwice,
    /// A refresh was refused although the token was good and nobody asked for the session's end.
    LoggedOut,
    /// Two different refresh tokens follow the same one, or one follows two.
    TwoSuccessors,
    /// A refresh token was exchanged after the successor of its successor was.
    StaleTokenAccepted,
    /// A list lacks a session that was there before it began, and later, or that nobody ended.
    ForgottenInList,
    /// There is a session that nobody has created.
    PhantomSession,
    /// A session was used after its time, whoever refreshed it last.
    OutlivedItsExpiry,
    /// A guard that relies on the feed of endings let a session through after its own node had ended
    /// it, or had told of its end.
    ServedAfterTold,
}

/// A rule that is broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The session, or the user.
    pub subject: String,
    /// The operations by which it shows; they contradict each other in any order.
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

/// What came out.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many operations were judged.
    pub judged: usize,
    /// Of how many of them it is not known whether they took place.
    pub unknown: usize,
    /// At most one of each rule for each session and each document.
    pub violations: Vec<Violation>,
}

impl Report {
    /// The rules that are broken.
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

/// What concerns one session.
#[derive(Default)]
pub(super) struct Story<'a> {
    pub(super) handle: &'a str,
    /// The answered creation.
    pub(super) creation: Option<&'a Operation>,
    /// Those that name the session.
    pub(super) own: Vec<&'a Operation>,
    /// Those on all sessions of its user.
    pub(super) of_user: &'a [&'a Operation],
}

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
            // Whose session goes on is not told anything.
            .filter(|operation| !matches!(operation.call, Call::Await(_)))
            .count(),
        violations,
    }
}
