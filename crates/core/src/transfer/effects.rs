//! The token changes of a response, collected until its head is written.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ResponsePlan;
use crate::config::Config;
use crate::http::ResponseHead;

/// The token changes of one response, shared by the request and its sessions.
#[derive(Debug, Default)]
pub(crate) struct Effects(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Boxed, because most responses carry no changes.
    plan: Option<Box<ResponsePlan>>,
    /// `true` once the head of the response is written. Later changes cannot be sent with it.
    finished: bool,
}

impl Effects {
    /// Changes the plan. Returns `false` if the head is already written.
    pub(crate) fn plan(&self, change: impl FnOnce(&mut ResponsePlan)) -> bool {
        let mut state = self.lock();
        if !state.finished {
            change(state.plan.get_or_insert_default());
        }
        !state.finished
    }

    pub(crate) fn finish(&self, config: &Config, head: &mut dyn ResponseHead) {
        let mut state = self.lock();
        state.finished = true;
        if let Some(plan) = state.plan.take() {
            plan.apply(config, head);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A plan that lacks a change is still valid, so a poisoned lock is still sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
