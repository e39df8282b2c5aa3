//! The entries of the writer's queue, and the steps into which they are folded.

use std::collections::HashMap;

use supersession::store::WriteOutcome;

use crate::change::Change;
use crate::fault::Fault;
use crate::job::{Job, guarded};

/// An entry of the writer's queue.
pub(crate) enum Entry {
    Job(Box<dyn Job>),
    Change(Change),
}

impl From<Box<dyn Job>> for Entry {
    fn from(job: Box<dyn Job>) -> Self {
        Self::Job(job)
    }
}

/// A unit of work inside a transaction.
pub(super) enum Step {
    Job(Box<dyn Job>),
    /// Changes of one row, in order. Contains at least one.
    Changes(Vec<Change>),
}

impl From<Entry> for Step {
    fn from(entry: Entry) -> Self {
        match entry {
            Entry::Job(job) => Self::Job(job),
            Entry::Change(change) => Self::Changes(vec![change]),
        }
    }
}

/// Folds changes of one row, so that they share a read and a write.
///
/// Jobs keep their position relative to all other entries. Between two jobs, changes of different
/// rows may be reordered, but the changes of each row keep their order. A reordering across rows is
/// not observable: all these callers wait at the same time, so no order is defined between them.
pub(super) fn steps(entries: impl ExactSizeIterator<Item = Entry>) -> Vec<Step> {
    if entries.len() == 1 {
        return entries.map(Step::from).collect();
    }
    let mut steps = Vec::new();
    // The position of the changes of each row since the last job.
    let mut places = HashMap::new();
    for entry in entries {
        match entry {
            Entry::Job(_) => {
                places.clear();
                steps.push(entry.into());
            }
            Entry::Change(change) => {
                let next = steps.len();
                let place = *places.entry(change.document.row()).or_insert(next);
                if let Some(Step::Changes(changes)) = steps.get_mut(place) {
                    changes.push(change);
                } else {
                    steps.push(Entry::Change(change).into());
                }
            }
        }
    }
    steps
}

impl Step {
    /// Splits the step into the smallest steps, with one change each.
    pub(super) fn apart(self) -> impl Iterator<Item = Self> {
        let (job, changes) = match self {
            Self::Job(job) => (Some(Self::Job(job)), Vec::new()),
            Self::Changes(changes) => (None, changes),
        };
        let alone = |change| Self::Changes(vec![change]);
        job.into_iter().chain(changes.into_iter().map(alone))
    }

    /// Returns the number of callers that wait for this step.
    pub(super) fn callers(&self) -> usize {
        match self {
            Self::Job(_) => 1,
            Self::Changes(changes) => changes.len(),
        }
    }

    /// Sends the results to the callers.
    pub(super) fn answer(self) {
        match self {
            Self::Job(job) => job.answer(),
            Self::Changes(changes) => {
                for change in changes {
                    change.caller.answer();
                }
            }
        }
    }

    /// Like [`Job::refuse`], for each of the callers.
    pub(super) fn refuse(self, fault: impl Fn() -> Fault) {
        match self {
            Self::Job(job) => job.refuse(fault()),
            Self::Changes(changes) => {
                for change in changes {
                    change.caller.refuse(fault());
                }
            }
        }
    }
}

/// Applies `write` to changes of one row and keeps the result of each. Returns `true` on success. A
/// failure is kept only for a change that is alone, because with several changes the failing one is
/// unknown.
pub(super) fn write(
    changes: &mut [Change],
    write: impl FnOnce(&[Change]) -> Result<Vec<WriteOutcome>, Fault>,
) -> bool {
    let outcomes = guarded(|| write(changes));
    match (outcomes, &mut *changes) {
        (Ok(outcomes), changes) => {
            for (change, outcome) in changes.iter_mut().zip(outcomes) {
                change.caller.keep(Ok(outcome));
            }
            true
        }
        (Err(fault), [alone]) => alone.caller.keep(Err(fault)),
        (Err(_), _) => false,
    }
}
