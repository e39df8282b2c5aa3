//! A store that fails on demand and records its calls.

mod verb;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use supersession::Store;
use supersession::store::{StoreCall, StoreError, StoreErrorKind};

pub use verb::Verb;

/// Wraps a store. Calls are forwarded to it, except those that match a [`PlannedFault`].
///
/// Clones share the store, the plans and the log, so a test can keep one and hand out another.
///
/// # Examples
/// ```
/// use supersession::store::{MemoryStore, StoreErrorKind};
/// use supersession_testkit::{FaultStore, FaultTiming, PlannedFault, Verb};
///
/// let store = FaultStore::new(MemoryStore::new());
/// // The next two rotations are executed, but their callers receive an error.
/// store.plan(
///     PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::Rotate).times(2).at(FaultTiming::After),
/// );
/// // After that, the next call of any method fails before it is executed.
/// store.plan(PlannedFault::new(StoreErrorKind::Internal));
/// ```
pub struct FaultStore<S: ?Sized> {
    inner: Arc<S>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    plans: Vec<PlannedFault>,
    calls: Vec<Verb>,
    tenant_reads: usize,
}

/// A planned failure.
#[derive(Clone, Copy, Debug)]
#[must_use = "a fault does nothing until it is given to `FaultStore::plan`"]
pub struct PlannedFault {
    kind: StoreErrorKind,
    verb: Option<Verb>,
    remaining: u32,
    moment: FaultTiming,
}

/// The time at which a planned fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultTiming {
    /// Instead of the call: the wrapped store is not called.
    Before,
    /// After the call: the wrapped store has executed it, and the answer is lost.
    After,
}

impl PlannedFault {
    /// Creates a fault that fails the next call of any method once, before it is executed.
    pub fn new(kind: StoreErrorKind) -> Self {
        Self {
            kind,
            verb: None,
            remaining: 1,
            moment: FaultTiming::Before,
        }
    }

    /// Restricts the fault to this method.
    pub fn on(mut self, verb: Verb) -> Self {
        self.verb = Some(verb);
        self
    }

    /// Makes the fault strike `calls` times.
    pub fn times(mut self, calls: u32) -> Self {
        self.remaining = calls;
        self
    }

    /// Sets if the fault strikes before or after the call.
    pub fn at(mut self, moment: FaultTiming) -> Self {
        self.moment = moment;
        self
    }

    fn is_for(&self, verb: Verb) -> bool {
        self.remaining > 0 && self.verb.is_none_or(|planned| planned == verb)
    }
}

impl<S> FaultStore<S> {
    /// Wraps `inner`. No faults are planned.
    pub fn new(inner: S) -> Self {
        Self {
            inner: Arc::new(inner),
            state: Arc::default(),
        }
    }
}

impl<S: ?Sized> FaultStore<S> {
    /// Wraps a shared store or a trait object. No faults are planned.
    pub fn over(inner: Arc<S>) -> Self {
        Self {
            inner,
            state: Arc::default(),
        }
    }

    /// Returns the wrapped store. Direct calls of it neither fail nor are logged.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Plans a fault. If several faults match a call, the one that was planned first strikes.
    pub fn plan(&self, fault: PlannedFault) {
        self.state().plans.push(fault);
    }

    /// Removes all planned faults.
    pub fn heal(&self) {
        self.state().plans.clear();
    }

    /// Returns the called methods in order, including failed calls.
    #[must_use]
    pub fn calls(&self) -> Vec<Verb> {
        self.state().calls.clone()
    }

    /// Returns the number of calls of a method.
    #[must_use]
    pub fn count(&self, verb: Verb) -> usize {
        self.state()
            .calls
            .iter()
            .filter(|called| **called == verb)
            .count()
    }

    /// Clears the log of calls.
    pub fn clear_calls(&self) {
        self.state().calls.clear();
    }

    /// Number of times that the tenants were read.
    #[must_use]
    pub fn tenant_reads(&self) -> usize {
        self.state().tenant_reads
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs the call and takes the fault that is planned for it.
    fn strike(&self, verb: Verb) -> Option<PlannedFault> {
        let mut state = self.state();
        state.calls.push(verb);
        let plan = state.plans.iter_mut().find(|plan| plan.is_for(verb))?;
        plan.remaining -= 1;
        Some(*plan)
    }
}

impl<S: ?Sized> Clone for FaultStore<S> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            state: Arc::clone(&self.state),
        }
    }
}

impl<S: ?Sized> fmt::Debug for FaultStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultStore")
            .field("state", &*self.state())
            .finish_non_exhaustive()
    }
}

impl<S: Store + ?Sized> supersession::store::StoreWrapper for FaultStore<S> {
    type Inner = S;

    fn inner(&self) -> &S {
        &self.inner
    }

    /// Calls of [`TenantStore`](supersession::store::TenantStore) never fail. Only reads of the
    /// tenants are counted.
    fn around<'a, T: Send + 'a>(
        &'a self,
        method: &'static str,
        call: StoreCall<'a, T>,
    ) -> StoreCall<'a, T> {
        Box::pin(async move {
            let Some(verb) = Verb::named(method) else {
                self.state().tenant_reads += usize::from(method == "tenants");
                return call.await;
            };
            let Some(PlannedFault { kind, moment, .. }) = self.strike(verb) else {
                return call.await;
            };
            if moment == FaultTiming::After {
                let _ = call.await;
            }
            Err(StoreError::new(verb.name(), kind).with_source("planned by the test"))
        })
    }
}

#[cfg(test)]
mod tests;
