//! The latest thefts that this process has reported.
//!
//! An engine reports a theft once, because only one request deletes the session. A core across the
//! network may report it to several requests that present the token at once.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::ids::SessionHandle;

/// Number of thefts that are remembered. Reports of one theft come within the time of a request.
const REMEMBERED: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Thefts(Mutex<VecDeque<SessionHandle>>);

impl Thefts {
    /// Returns `true` if the theft of this session has not been reported yet, and remembers it.
    pub(crate) fn is_first(&self, handle: &SessionHandle) -> bool {
        // Every critical section leaves the queue consistent, so a poisoned lock is still sound.
        let mut reported = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.contains(handle) {
            return false;
        }
        if reported.len() == REMEMBERED {
            reported.pop_front();
        }
        reported.push_back(handle.clone());
        true
    }
}
