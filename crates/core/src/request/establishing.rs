//! A verification that somebody awaits.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Verification, VerifyOptions};
use crate::error::SessionError;
use crate::session::Session;

/// A session that is being established: what [`RequestSessions::session`] and its like give. What
/// needs no waiting is done by then, so it is ready at once if nobody must be asked, and on the heap
/// only if somebody must.
///
/// [`RequestSessions::session`]: super::RequestSessions::session
#[must_use = "what is not awaited may not be verified"]
pub struct Establishing<T>(State<T>);

enum State<T> {
    /// None once it has been told.
    Ready(Option<Result<T, SessionError>>),
    Waiting(Waiting<T>),
}

type Waiting<T> = Pin<Box<dyn Future<Output = Result<T, SessionError>> + Send>>;

impl<T: 'static> Establishing<T> {
    pub(super) fn ready(result: Result<T, SessionError>) -> Self {
        Self(State::Ready(Some(result)))
    }

    /// What `finish` makes of a verification that was begun with these options.
    pub(super) fn of(
        verification: Verification,
        options: &VerifyOptions,
        finish: fn(Option<Session>) -> Result<T, SessionError>,
    ) -> Self {
        match verification {
            Verification::Done(verdict) => Self::ready(verdict.and_then(finish)),
            Verification::Pending(pending) => {
                let options = options.clone();
                Self(State::Waiting(Box::pin(async move {
                    pending.finish(&options).await.and_then(finish)
                })))
            }
        }
    }
}

// Nothing in it is pinned but what lies on the heap.
impl<T> Unpin for Establishing<T> {}

impl<T> Future for Establishing<T> {
    type Output = Result<T, SessionError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            State::Ready(result) => match result.take() {
                Some(result) => Poll::Ready(result),
                // Polled again after it was ready, which nobody may do.
                None => Poll::Pending,
            },
            State::Waiting(waiting) => waiting.as_mut().poll(cx),
        }
    }
}

impl<T> fmt::Debug for Establishing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Establishing").finish_non_exhaustive()
    }
}
