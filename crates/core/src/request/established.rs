//! The session established for a request, and the checks that it has passed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{RequestSessions, Strictness};
use crate::session::{Access, Session, SharedTokens, Way};

/// The session that was established first. The request keeps its tokens, so that all its handles
/// are just a reference to the request.
pub(super) struct Established {
    access: Access,
    way: Way,
    now: Mutex<Now>,
}

struct Now {
    /// The strictness of the revocation check so far.
    strictness: Strictness,
    /// The current session, if the request was refreshed after it had been verified.
    later: Option<Session>,
}

/// A session that a request was verified with.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) session: Session,
    pub(super) strictness: Strictness,
}

impl Established {
    fn now(&self) -> MutexGuard<'_, Now> {
        // Every critical section here only assigns whole values, so a poisoned lock is still sound.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestSessions {
    /// Establishes the session of this access token for the rest of the request.
    pub(crate) fn establish(
        &self,
        access: Access,
        tokens: SharedTokens,
        way: Way,
        strictness: Strictness,
    ) -> Session {
        let mut is_first = false;
        let established = self.inner.established.get_or_init(|| {
            is_first = true;
            self.inner.tokens.join(&tokens);
            let later = None;
            Established {
                access: access.clone(),
                way,
                now: Mutex::new(Now { strictness, later }),
            }
        });
        if is_first {
            return Session::of_request(self.clone(), access);
        }
        let attachment = self.attachment(way);
        let session = Session::at_handle(self.sessions().clone(), access, Some(attachment), tokens);
        let later = Some(session.clone());
        *established.now() = Now { strictness, later };
        session
    }

    /// Records that revocation of the established session was checked more strictly.
    pub(super) fn note_strictness(&self, strictness: Strictness) {
        if let Some(established) = self.inner.established.get() {
            established.now().strictness = strictness;
        }
    }

    pub(super) fn verified(&self) -> Option<Verified> {
        let established = self.inner.established.get()?;
        let now = established.now();
        let session = match &now.later {
            Some(later) => later.clone(),
            None => Session::of_request(self.clone(), established.access.clone()),
        };
        let strictness = now.strictness;
        Some(Verified {
            session,
            strictness,
        })
    }

    /// Returns the transport of the session that was established first.
    pub(crate) fn way(&self) -> Option<Way> {
        let established = self.inner.established.get()?;
        Some(established.way)
    }
}
