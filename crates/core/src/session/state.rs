//! What is behind a handle: facts that do not change, tokens that may, and the way back to the
//! response.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::SessionTokens;
use crate::authority::{IssuedAccess, IssuedSession};
use crate::clock::{UnixMillis, UnixSeconds};
use crate::config::Config;
use crate::http::ResponseHead;
use crate::json::JsonObject;
use crate::secret::{AccessToken, AntiCsrfToken, FrontToken, RefreshToken};
use crate::sessions::Sessions;
use crate::token::access::{AccessClaims, custom_payload};
use crate::token::front;
use crate::transfer::{ResponsePlan, SiteOfRequest, TokensOut, Transport};
use crate::verify::Verified;

/// The token effects of one response, shared by the request and its sessions.
#[derive(Debug, Default)]
pub(crate) struct Effects(Mutex<EffectsState>);

#[derive(Debug, Default)]
struct EffectsState {
    plan: ResponsePlan,
    /// The head of the response has been written; what comes later cannot travel with it.
    finished: bool,
}

impl Effects {
    /// Those of a response that is on its way.
    pub(crate) fn finished() -> Self {
        Self(Mutex::new(EffectsState {
            plan: ResponsePlan::default(),
            finished: true,
        }))
    }

    /// Changes the plan; false if it is too late.
    pub(crate) fn plan(&self, change: impl FnOnce(&mut ResponsePlan)) -> bool {
        let mut state = lock(&self.0);
        if !state.finished {
            change(&mut state.plan);
        }
        !state.finished
    }

    pub(crate) fn finish(&self, config: &Config, head: &mut dyn ResponseHead) {
        let mut state = lock(&self.0);
        if !state.finished {
            state.finished = true;
            state.plan.apply(config, head);
        }
    }
}

/// How a session is tied to a request.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    pub(crate) effects: Arc<Effects>,
    pub(crate) transport: Transport,
    pub(crate) site: SiteOfRequest,
}

/// The access token of a session, and what it says.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// The client sent it.
    Verified(Verified),
    /// It was made here.
    Issued(Arc<IssuedAccess>),
}

impl Access {
    fn token(&self) -> AccessToken {
        AccessToken::new(self.token_text())
    }

    pub(crate) fn token_text(&self) -> &str {
        match self {
            Self::Verified(verified) => verified.token(),
            Self::Issued(issued) => issued.token.expose(),
        }
    }

    /// Whether it was made by a refresh that nobody has confirmed yet.
    pub(crate) fn has_parent(&self) -> bool {
        match self {
            Self::Verified(verified) => verified.has_parent(),
            Self::Issued(issued) => issued.claims.parent_refresh_hash1.is_some(),
        }
    }

    pub(crate) fn expires_at(&self) -> UnixSeconds {
        match self {
            Self::Verified(verified) => verified.expires_at(),
            Self::Issued(issued) => issued.claims.expires_at,
        }
    }

    pub(crate) fn anti_csrf(&self) -> Option<&str> {
        match self {
            Self::Verified(verified) => verified.anti_csrf(),
            Self::Issued(issued) => issued.claims.anti_csrf.as_ref().map(AntiCsrfToken::expose),
        }
    }

    pub(crate) fn payload(&self) -> JsonObject {
        match self {
            Self::Verified(verified) => verified.payload(),
            Self::Issued(issued) => issued.payload.clone(),
        }
    }

    pub(crate) fn claims(&self) -> &AccessClaims {
        match self {
            Self::Verified(verified) => verified.claims(),
            Self::Issued(issued) => &issued.claims,
        }
    }

    /// Whether a stored payload says what the token's own says, beside the token's claims.
    pub(crate) fn agrees_with(&self, stored: &JsonObject) -> bool {
        if let Self::Verified(verified) = self
            && verified.is_known_to_agree_with(stored)
        {
            return true;
        }
        let agrees = custom_payload(stored).same_json(&custom_payload(&self.payload()));
        if let Self::Verified(verified) = self
            && agrees
        {
            verified.note_agreement_with(stored.clone());
        }
        agrees
    }

    fn front_token(&self) -> FrontToken {
        front::mint(&self.claims().user_id, self.expires_at(), &self.payload())
    }
}

/// What a session is made of.
#[derive(Debug)]
pub(crate) struct SessionParts {
    pub(crate) access: Access,
    pub(crate) refresh: Option<(RefreshToken, UnixMillis)>,
    pub(crate) anti_csrf: Option<AntiCsrfToken>,
    /// Whether the access token is newer than what the client has.
    pub(crate) updated: bool,
    pub(crate) attachment: Option<Attachment>,
}

impl SessionParts {
    /// The parts of a session that was created or refreshed.
    pub(crate) fn issued(session: IssuedSession, attachment: Option<Attachment>) -> Self {
        Self {
            access: Access::Issued(Arc::new(session.access)),
            refresh: Some((session.refresh_token, session.refresh_expires_at)),
            anti_csrf: session.anti_csrf,
            updated: true,
            attachment,
        }
    }

    /// The parts of a session whose token the client has sent.
    pub(crate) fn verified(verified: Verified, attachment: Option<Attachment>) -> Self {
        Self {
            access: Access::Verified(verified),
            refresh: None,
            anti_csrf: None,
            updated: false,
            attachment,
        }
    }
}

/// A session as long as somebody holds it.
pub(crate) struct Live {
    pub(super) sessions: Sessions,
    /// The access token that the handle was made with. Whose session it is does not change.
    pub(super) first: Access,
    attachment: Option<Attachment>,
    /// Nothing as long as `first` is all there is.
    tokens: OnceLock<Mutex<Tokens>>,
}

struct Tokens {
    access: Access,
    refresh: Option<(RefreshToken, UnixMillis)>,
    anti_csrf: Option<AntiCsrfToken>,
    updated: bool,
}

impl Live {
    pub(super) fn new(sessions: Sessions, parts: SessionParts) -> Self {
        let live = Self {
            sessions,
            first: parts.access,
            attachment: parts.attachment,
            tokens: OnceLock::new(),
        };
        if parts.updated {
            *live.lock() = Tokens {
                access: live.first.clone(),
                refresh: parts.refresh,
                anti_csrf: parts.anti_csrf,
                updated: true,
            };
        }
        live
    }

    fn lock(&self) -> MutexGuard<'_, Tokens> {
        lock(self.tokens.get_or_init(|| {
            Mutex::new(Tokens {
                access: self.first.clone(),
                refresh: None,
                anti_csrf: None,
                updated: false,
            })
        }))
    }

    /// The access token as it is now.
    pub(crate) fn access(&self) -> Access {
        self.read_access(Access::clone)
    }

    /// What `read` makes of the access token as it is now.
    pub(crate) fn read_access<T>(&self, read: impl FnOnce(&Access) -> T) -> T {
        match self.tokens.get() {
            Some(tokens) => read(&lock(tokens).access),
            None => read(&self.first),
        }
    }

    pub(super) fn tokens(&self) -> SessionTokens {
        let tokens = self.lock();
        SessionTokens {
            access_token: tokens.access.token(),
            front_token: tokens.access.front_token(),
            refresh_token: tokens.refresh.as_ref().map(|(token, _)| token.clone()),
            refresh_token_expires_at: tokens.refresh.as_ref().map(|(_, expires_at)| *expires_at),
            anti_csrf_token: tokens.access.anti_csrf().map(AntiCsrfToken::new),
            access_and_front_token_updated: tokens.updated,
        }
    }

    /// Takes a new access token. Does not give it to the client.
    pub(crate) fn adopt(&self, access: IssuedAccess) {
        let mut tokens = self.lock();
        tokens.access = Access::Issued(Arc::new(access));
        tokens.updated = true;
    }

    /// Takes a new payload without a token, because the token has expired in the meantime.
    pub(crate) fn adopt_payload(&self, payload: JsonObject) {
        let mut tokens = self.lock();
        tokens.access = Access::Issued(Arc::new(IssuedAccess {
            token: tokens.access.token(),
            claims: tokens.access.claims().clone(),
            payload,
        }));
    }

    /// Gives the access token to the client, if it is newer than the client's; false if there is no
    /// response to carry it.
    pub(crate) fn deliver(&self) -> bool {
        let Some(attachment) = &self.attachment else {
            return false;
        };
        let Some(tokens) = self.tokens.get() else {
            return true;
        };
        let tokens = lock(tokens);
        if !tokens.updated {
            return true;
        }
        let out = TokensOut {
            access: tokens.access.token(),
            front_token: tokens.access.front_token(),
            refresh: tokens.refresh.clone(),
            anti_csrf: tokens.anti_csrf.clone(),
        };
        drop(tokens);
        let config = self.sessions.config();
        let now = self.sessions.now();
        attachment.effects.plan(|plan| {
            plan.attach(
                out,
                attachment.transport,
                attachment.site.same_site,
                config.expose_access_token,
                now,
            );
        })
    }

    /// Takes the tokens from the client, if there is a response to do it with.
    pub(super) fn clear_at_client(&self) {
        if let Some(attachment) = &self.attachment {
            attachment
                .effects
                .plan(|plan| plan.clear(attachment.transport, attachment.site.same_site));
        }
    }

    /// The same session, tied to a request.
    pub(crate) fn parts_for(&self, attachment: Attachment) -> SessionParts {
        let tokens = self.lock();
        SessionParts {
            access: tokens.access.clone(),
            refresh: tokens.refresh.clone(),
            anti_csrf: tokens.anti_csrf.clone(),
            updated: tokens.updated,
            attachment: Some(attachment),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section here only assigns whole values, so a poisoned lock is still sound.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
