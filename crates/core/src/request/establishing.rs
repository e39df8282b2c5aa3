//! The future of a verification.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Verification, VerifyOptions};
use crate::error::SessionError;
use crate::session::Session;

/// A session that is being verified, returned by [`RequestSessions::session`] and similar methods.
/// All work that needs no waiting is done before the future is returned. It is therefore ready at
/// once if no other component must be asked, and allocates on the heap only if it must wait.
///
/// [`RequestSessions::session`]: super::RequestSessions::session
#[must_use = "what is not awaited may not be verified"]
pub struct Establishing<T>(State<T>);

enum State<T> {
    /// `None` once the result was returned.
    Ready(Option<Result<T, SessionError>>),
    Waiting(Waiting<T>),
}

type Waiting<T> = Pin<Box<dyn Future<Output = Result<T, SessionError>> + Send>>;

impl<T: 'static> Establishing<T> {
    pub(super) fn ready(result: Result<T, SessionError>) -> Self {
        Self(State::Ready(Some(result)))
    }

    /// Creates the future: `finish` converts the outcome of a verification that was started with
    /// these options.
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

// Only the heap allocation is pinned.
impl<T> Unpin for Establishing<T> {}

impl<T> Future for Establishing<T> {
    type Output = Result<T, SessionError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            State::Ready(result) => match result.take() {
                Some(result) => Poll::Ready(result),
                // Polled after completion, which the contract of `Future` does not allow.
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
