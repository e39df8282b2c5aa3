//! The mutable state of a session: its tokens, where they are kept, and the response that carries
//! changes.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::{Access, Session, SessionTokens};
use crate::authority::{IssuedAccess, IssuedSession};
use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::json::JsonObject;
use crate::request::{RequestSessions, WeakRequest};
use crate::secret::{AntiCsrfToken, RefreshToken};
use crate::sessions::Sessions;
use crate::telemetry;
use crate::transfer::{ResponsePlan, SiteOfRequest, TokensOut, Transport, size};

/// The transport of a session, and the site attributes of its cookies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) transport: Transport,
    pub(crate) site: SiteOfRequest,
}

/// The link between a session and a request.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    /// Weak, because a request may keep its session.
    pub(crate) request: WeakRequest,
    pub(crate) way: Way,
}

/// Where the tokens of a session are kept.
pub(super) enum Home {
    /// In the request that was verified with the session.
    Request(RequestSessions),
    /// In the handle. Nothing is allocated on the heap until the session is changed or cloned.
    Handle {
        sessions: Sessions,
        attachment: Option<Attachment>,
        tokens: SharedTokens,
    },
}

/// The tokens of a session, shared by all its handles. Empty until they may differ from the access
/// token that the session was created with.
#[derive(Default)]
pub(crate) struct SharedTokens(OnceLock<Arc<Mutex<Tokens>>>);

struct Tokens {
    access: Access,
    refresh: Option<(RefreshToken, UnixMillis)>,
    anti_csrf: Option<AntiCsrfToken>,
    /// `true` if the access token is newer than the client's.
    updated: bool,
}

impl SharedTokens {
    fn of(tokens: Tokens) -> Self {
        Self(OnceLock::from(Arc::new(Mutex::new(tokens))))
    }

    fn get(&self) -> Option<MutexGuard<'_, Tokens>> {
        self.0.get().map(|tokens| lock(tokens))
    }

    fn get_or_begin(&self, first: &Access) -> &Arc<Mutex<Tokens>> {
        self.0
            .get_or_init(|| Arc::new(Mutex::new(Tokens::only(first))))
    }

    fn share(&self, first: &Access) -> Self {
        Self(OnceLock::from(Arc::clone(self.get_or_begin(first))))
    }

    /// Shares the tokens of `other`, if this value is still empty.
    pub(crate) fn join(&self, other: &Self) {
        if let Some(tokens) = other.0.get() {
            self.0.get_or_init(|| Arc::clone(tokens));
        }
    }
}

impl Tokens {
    fn only(access: &Access) -> Self {
        Self {
            access: access.clone(),
            refresh: None,
            anti_csrf: None,
            updated: false,
        }
    }
}

impl Session {
    /// Creates the handle of a session that was created or refreshed.
    pub(crate) fn issued(
        sessions: Sessions,
        issued: IssuedSession,
        attachment: Option<Attachment>,
    ) -> Self {
        let access = Access::Issued(Arc::new(issued.access));
        let tokens = SharedTokens::of(Tokens {
            access: access.clone(),
            refresh: Some((issued.refresh_token, issued.refresh_expires_at)),
            anti_csrf: issued.anti_csrf,
            updated: true,
        });
        Self::at_handle(sessions, access, attachment, tokens)
    }

    /// Creates the handle of a session whose token the client sent.
    pub(crate) fn verified(
        sessions: Sessions,
        access: Access,
        attachment: Option<Attachment>,
    ) -> Self {
        Self::at_handle(sessions, access, attachment, SharedTokens::default())
    }

    /// Creates the handle of a request's session. The request keeps its tokens.
    pub(crate) fn of_request(request: RequestSessions, first: Access) -> Self {
        Self {
            first,
            home: Home::Request(request),
        }
    }

    pub(crate) fn at_handle(
        sessions: Sessions,
        first: Access,
        attachment: Option<Attachment>,
        tokens: SharedTokens,
    ) -> Self {
        let home = Home::Handle {
            sessions,
            attachment,
            tokens,
        };
        Self { first, home }
    }

    /// Returns the same session with separate tokens, attached to a request.
    pub(crate) fn attached(&self, sessions: Sessions, attachment: Attachment) -> Self {
        let tokens = self.tokens();
        let tokens = SharedTokens::of(Tokens {
            access: tokens.access.clone(),
            refresh: tokens.refresh.clone(),
            anti_csrf: tokens.anti_csrf.clone(),
            updated: tokens.updated,
        });
        Self::at_handle(sessions, self.first.clone(), Some(attachment), tokens)
    }

    /// Returns the initial access token and the shared tokens, which a request needs to keep the
    /// session.
    pub(crate) fn into_tokens(self) -> (Access, SharedTokens) {
        let tokens = match self.home {
            Home::Handle { tokens, .. } => tokens,
            Home::Request(request) => request.tokens().share(&self.first),
        };
        (self.first, tokens)
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        match &self.home {
            Home::Request(request) => request.sessions(),
            Home::Handle { sessions, .. } => sessions,
        }
    }

    fn shared_tokens(&self) -> &SharedTokens {
        match &self.home {
            Home::Request(request) => request.tokens(),
            Home::Handle { tokens, .. } => tokens,
        }
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        lock(self.shared_tokens().get_or_begin(&self.first))
    }

    /// Returns the current access token.
    pub(crate) fn access(&self) -> Access {
        self.read_access(Access::clone)
    }

    /// Calls `read` with the current access token.
    pub(crate) fn read_access<T>(&self, read: impl FnOnce(&Access) -> T) -> T {
        match self.shared_tokens().get() {
            Some(tokens) => read(&tokens.access),
            None => read(&self.first),
        }
    }

    pub(super) fn all_tokens(&self) -> SessionTokens {
        let tokens = self.tokens();
        SessionTokens {
            access_token: tokens.access.token(),
            front_token: tokens.access.front_token(),
            refresh_token: tokens.refresh.as_ref().map(|(token, _)| token.clone()),
            refresh_token_expires_at: tokens.refresh.as_ref().map(|(_, expires_at)| *expires_at),
            anti_csrf_token: tokens.access.anti_csrf().map(AntiCsrfToken::new),
            access_and_front_token_updated: tokens.updated,
        }
    }

    /// Replaces the access token, without sending it to the client.
    pub(crate) fn adopt(&self, access: IssuedAccess) {
        let mut tokens = self.tokens();
        tokens.access = Access::Issued(Arc::new(access));
        tokens.updated = true;
    }

    /// Replaces the payload only, because the token has expired in the meantime.
    pub(crate) fn adopt_payload(&self, payload: JsonObject) {
        let mut tokens = self.tokens();
        tokens.access = Access::Issued(Arc::new(IssuedAccess {
            token: tokens.access.token(),
            claims: tokens.access.claims().clone(),
            payload,
        }));
    }

    /// Sends the access token to the client if it is newer than the client's. Returns `false` if no
    /// response can carry it.
    pub(crate) fn give_to_client(&self) -> bool {
        if !self.is_attached() {
            return false;
        }
        let Some(tokens) = self.shared_tokens().get().filter(|tokens| tokens.updated) else {
            return true;
        };
        let out = TokensOut {
            access: tokens.access.token(),
            front_token: tokens.access.front_token(),
            refresh: tokens.refresh.clone(),
            anti_csrf: tokens.anti_csrf.clone(),
        };
        drop(tokens);
        if let Err(fault) = self.check_deliverable(&out) {
            // The client keeps its token, which is still valid.
            telemetry::fault_met(&fault);
            return false;
        }
        let expose = self.sessions().config().expose_access_token;
        let now = self.sessions().now();
        self.plan(|plan, way| plan.attach(out, way.transport, way.site.same_site, expose, now))
    }

    /// Clears the tokens at the client, if a response can carry the change.
    pub(super) fn clear_at_client(&self) {
        self.plan(|plan, way| plan.clear(way.transport, way.site.same_site));
    }

    /// Rejects tokens that the client would not receive or could not send back.
    pub(crate) fn check_deliverable(&self, tokens: &TokensOut) -> Result<(), Fault> {
        let Some(transport) = self.transport() else {
            return Ok(());
        };
        let (bytes, limit) = (
            tokens.access.expose().len(),
            self.sessions().config().longest_access_token(transport),
        );
        if bytes <= limit && size::fits_front_token(tokens.front_token.expose().len()) {
            return Ok(());
        }
        Err(Fault::undeliverable(self.handle(), bytes, limit))
    }

    /// Returns the session's transport, if the session is attached to a request.
    pub(crate) fn transport(&self) -> Option<Transport> {
        match &self.home {
            Home::Request(request) => request.way().map(|way| way.transport),
            Home::Handle { attachment, .. } => attachment
                .as_ref()
                .map(|attachment| attachment.way.transport),
        }
    }

    /// Returns the tokens for a response.
    pub(crate) fn tokens_out(&self) -> TokensOut {
        let tokens = self.tokens();
        TokensOut {
            access: tokens.access.token(),
            front_token: tokens.access.front_token(),
            refresh: tokens.refresh.clone(),
            anti_csrf: tokens.anti_csrf.clone(),
        }
    }

    fn is_attached(&self) -> bool {
        match &self.home {
            Home::Request(_) => true,
            Home::Handle { attachment, .. } => attachment.is_some(),
        }
    }

    /// Changes the response's plan. Returns `false` if there is no response, or its head is already
    /// written.
    fn plan(&self, change: impl FnOnce(&mut ResponsePlan, Way)) -> bool {
        match &self.home {
            Home::Request(request) => match request.way() {
                Some(way) => request.effects().plan(|plan| change(plan, way)),
                None => false,
            },
            Home::Handle { attachment, .. } => {
                let Some(Attachment { request, way }) = attachment else {
                    return false;
                };
                // If the request no longer exists, it has been answered.
                let request = request.upgrade();
                request.is_some_and(|request| request.effects().plan(|plan| change(plan, *way)))
            }
        }
    }
}

impl Clone for Session {
    fn clone(&self) -> Self {
        let home = match &self.home {
            Home::Request(request) => Home::Request(request.clone()),
            Home::Handle {
                sessions,
                attachment,
                tokens,
            } => Home::Handle {
                sessions: sessions.clone(),
                attachment: attachment.clone(),
                tokens: tokens.share(&self.first),
            },
        };
        Self {
            first: self.first.clone(),
            home,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section here only assigns whole values, so a poisoned lock is still sound.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
