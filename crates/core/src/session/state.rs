//! The shared state of a session: its current tokens, and the response that carries changes of
//! them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::{Access, Session, SessionTokens};
use crate::authority::{IssuedAccess, IssuedSession};
use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::json::JsonObject;
use crate::secret::{AntiCsrfToken, RefreshToken};
use crate::sessions::Sessions;
use crate::telemetry;
use crate::transfer::{Effects, ResponsePlan, TokensOut, size};
use crate::transport::{SiteOfRequest, Transport};
use crate::verify::VerifiedToken;

/// The response that carries token changes of a session to the client.
#[derive(Clone, Debug)]
pub(crate) struct ResponseLink {
    /// Weak, because the request keeps its session.
    pub(crate) effects: Weak<Effects>,
    pub(crate) transport: Transport,
    /// The attributes of cookies for the website's origin.
    pub(crate) site: SiteOfRequest,
}

/// The state that all clones of a session share.
pub(super) struct Inner {
    sessions: Sessions,
    /// The access token that the session was created with. The identity of the session never
    /// changes.
    pub(super) first: Access,
    tokens: Mutex<Tokens>,
    /// The response to the request, if the session belongs to one.
    response: Option<ResponseLink>,
}

/// The tokens that may differ from those of the client.
#[derive(Clone, Default)]
struct Tokens {
    /// The access token that has replaced the first one.
    newer: Option<Access>,
    refresh: Option<(RefreshToken, UnixMillis)>,
    anti_csrf: Option<AntiCsrfToken>,
    /// `true` if the access token is newer than the client's.
    updated: bool,
}

impl Session {
    /// Creates the handle of a session that was created or refreshed.
    pub(crate) fn issued(
        sessions: Sessions,
        issued: IssuedSession,
        response: Option<ResponseLink>,
    ) -> Self {
        let tokens = Tokens {
            newer: None,
            refresh: Some((issued.refresh_token, issued.refresh_expires_at)),
            anti_csrf: issued.anti_csrf,
            updated: true,
        };
        let access = Access::Issued(Arc::new(issued.access));
        Self::with_tokens(sessions, access, tokens, response)
    }

    /// Creates the handle of a session whose token the client sent.
    pub(crate) fn verified(
        sessions: Sessions,
        token: VerifiedToken,
        response: Option<ResponseLink>,
    ) -> Self {
        let access = Access::Verified(token);
        Self::with_tokens(sessions, access, Tokens::default(), response)
    }

    fn with_tokens(
        sessions: Sessions,
        first: Access,
        tokens: Tokens,
        response: Option<ResponseLink>,
    ) -> Self {
        Self(Arc::new(Inner {
            sessions,
            first,
            tokens: Mutex::new(tokens),
            response,
        }))
    }

    /// Returns the same session with separate tokens, attached to a response.
    pub(crate) fn attached(&self, sessions: Sessions, response: ResponseLink) -> Self {
        let tokens = self.tokens().clone();
        Self::with_tokens(sessions, self.0.first.clone(), tokens, Some(response))
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        // Every critical section here only assigns whole values, so a poisoned lock is still sound.
        let tokens = self.0.tokens.lock();
        tokens.unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the current access token.
    pub(crate) fn access(&self) -> Access {
        self.read_access(Access::clone)
    }

    /// Calls `read` with the current access token.
    pub(crate) fn read_access<T>(&self, read: impl FnOnce(&Access) -> T) -> T {
        read(self.tokens().newer.as_ref().unwrap_or(&self.0.first))
    }

    pub(super) fn all_tokens(&self) -> SessionTokens {
        let tokens = self.tokens();
        let access = tokens.newer.as_ref().unwrap_or(&self.0.first);
        SessionTokens {
            access_token: access.token(),
            front_token: access.front_token(),
            refresh_token: tokens.refresh.as_ref().map(|(token, _)| token.clone()),
            refresh_token_expires_at: tokens.refresh.as_ref().map(|(_, expires_at)| *expires_at),
            anti_csrf_token: access.anti_csrf().map(AntiCsrfToken::new),
            access_and_front_token_updated: tokens.updated,
        }
    }

    /// Returns the tokens for a response.
    pub(crate) fn tokens_out(&self) -> TokensOut {
        let tokens = self.tokens();
        let access = tokens.newer.as_ref().unwrap_or(&self.0.first);
        TokensOut {
            access: access.token(),
            front_token: access.front_token(),
            refresh: tokens.refresh.clone(),
            anti_csrf: tokens.anti_csrf.clone(),
        }
    }

    /// Replaces the access token, without sending it to the client.
    pub(crate) fn replace_access(&self, access: IssuedAccess) {
        let mut tokens = self.tokens();
        tokens.newer = Some(Access::Issued(Arc::new(access)));
        tokens.updated = true;
    }

    /// Replaces the payload only, because the token has expired in the meantime.
    pub(crate) fn replace_payload(&self, payload: JsonObject) {
        let current = self.access();
        self.tokens().newer = Some(Access::Issued(Arc::new(IssuedAccess {
            token: current.token(),
            claims: current.claims().clone(),
            payload,
        })));
    }

    /// Sends the tokens to the client if they are newer than the client's. Returns `false` if no
    /// response can carry them.
    pub(crate) fn send_tokens(&self) -> bool {
        let Some(response) = &self.0.response else {
            return false;
        };
        if !self.tokens().updated {
            return true;
        }
        let out = self.tokens_out();
        if let Err(fault) = self.check_deliverable(&out) {
            // The client keeps its token, which is still valid.
            telemetry::fault_met(&fault);
            return false;
        }
        let expose = self.sessions().config().expose_access_token;
        let now = self.sessions().now();
        response.plan(|plan| {
            plan.attach(
                out,
                response.transport,
                response.site.same_site,
                expose,
                now,
            );
        })
    }

    /// Clears the tokens at the client, if a response can carry the change.
    pub(super) fn clear_at_client(&self) {
        if let Some(response) = &self.0.response {
            response.plan(|plan| plan.clear(response.transport, response.site.same_site));
        }
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

    /// Returns the session's transport, if the session belongs to a request.
    pub(crate) fn transport(&self) -> Option<Transport> {
        Some(self.0.response.as_ref()?.transport)
    }
}

#[cfg(test)]
impl Inner {
    pub(super) fn response(&self) -> Option<&ResponseLink> {
        self.response.as_ref()
    }
}

impl ResponseLink {
    /// Changes the response's plan. Returns `false` if the head is already written, or the request
    /// no longer exists, which means that it has been answered.
    fn plan(&self, change: impl FnOnce(&mut ResponsePlan)) -> bool {
        let effects = self.effects.upgrade();
        effects.is_some_and(|effects| effects.plan(change))
    }
}
