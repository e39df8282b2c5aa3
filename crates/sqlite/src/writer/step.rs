//! What waits for the writer, and the steps in which it is done.

use std::collections::HashMap;

use supersession::store::WriteOutcome;

use super::change::Change;
use crate::fault::Fault;
use crate::job::{Job, guarded};

/// What is handed in to the writer.
pub(crate) enum Entry {
    Job(Box<dyn Job>),
    Change(Change),
}

impl From<Box<dyn Job>> for Entry {
    fn from(job: Box<dyn Job>) -> Self {
        Self::Job(job)
    }
}

/// What is done at once.
pub(super) enum Step {
    Job(Box<dyn Job>),
    /// Changes of one row, in their order; at least one.
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
/// Jobs keep their place among all others. Between two of them changes of several rows keep their
/// order for each row, and that is all that anybody can see of it.
pub(super) fn steps(entries: impl ExactSizeIterator<Item = Entry>) -> Vec<Step> {
    if entries.len() == 1 {
        return entries.map(Step::from).collect();
    }
    let mut steps = Vec::new();
    // Where the changes of a row are, since the last job.
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
    /// The same in the smallest steps: each change by itself.
    pub(super) fn apart(self) -> impl Iterator<Item = Self> {
        let (job, changes) = match self {
            Self::Job(job) => (Some(Self::Job(job)), Vec::new()),
            Self::Changes(changes) => (None, changes),
        };
        let alone = |change| Self::Changes(vec![change]);
        job.into_iter().chain(changes.into_iter().map(alone))
    }

    /// How many wait for it.
    pub(super) fn callers(&self) -> usize {
        match self {
            Self::Job(_) => 1,
            Self::Changes(changes) => changes.len(),
        }
    }

    /// Gives the callers the outcomes.
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

    /// As [`Job::refuse`], for each of the callers.
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

/// Does `write` to changes of one row, and keeps what each comes to. Tells whether it succeeded; if
/// it did not, only a change that is alone knows why.
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
