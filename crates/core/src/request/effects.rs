//! What a response is to carry, until its head is written.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::config::Config;
use crate::http::ResponseHead;
use crate::transfer::ResponsePlan;

/// The token effects of one response, shared by the request and its sessions.
#[derive(Debug, Default)]
pub(crate) struct Effects(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// On the heap, as most responses carry nothing.
    plan: Option<Box<ResponsePlan>>,
    /// The head of the response has been written; what comes later cannot travel with it.
    finished: bool,
}

impl Effects {
    /// Changes the plan; false if it is too late.
    pub(crate) fn plan(&self, change: impl FnOnce(&mut ResponsePlan)) -> bool {
        let mut state = self.lock();
        if !state.finished {
            change(state.plan.get_or_insert_default());
        }
        !state.finished
    }

    pub(super) fn finish(&self, config: &Config, head: &mut dyn ResponseHead) {
        let mut state = self.lock();
        state.finished = true;
        if let Some(plan) = state.plan.take() {
            plan.apply(config, head);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A plan that lacks a change is still a plan, so a poisoned lock is still sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
