//! An access token that is selected for verification but not yet verified.

use std::sync::Arc;

use crate::clock::UnixMillis;
use crate::error::SessionError;
use crate::sessions::Sessions;
use crate::token::access::{self, ForeignToken, NamedKey, ParsedAccessToken};
use crate::transfer::Carried;
use crate::verify::{VerifiedToken, verify};

/// A structurally valid access token of this system.
pub(crate) enum Candidate<'a> {
    /// The token was verified before, and verification would succeed again.
    Cached(VerifiedToken),
    /// Boxed, because it is large and less common.
    Parsed(Box<Parsed<'a>>),
}

pub(crate) struct Parsed<'a> {
    token: ParsedAccessToken<'a>,
    /// The generation of the keys before the token's key was looked up.
    key_generation: u64,
    now: UnixMillis,
}

impl<'a> Candidate<'a> {
    /// Parses a token that a request carries. Fails if it was not issued by this system.
    pub(crate) fn of(sessions: &Sessions, carried: &'a Carried) -> Result<Self, ForeignToken> {
        match carried {
            Carried::Cached(token) => Self::parse(sessions, Some(token), token.token()),
            Carried::Unknown(token) => Self::parse(sessions, None, token.expose()),
        }
    }

    /// Parses a token that the caller received outside of a request.
    pub(crate) fn of_text(sessions: &Sessions, token: &'a str) -> Result<Self, ForeignToken> {
        let cached = sessions.cached_token(token.as_bytes());
        Self::parse(sessions, cached.as_ref(), token)
    }

    fn parse(
        sessions: &Sessions,
        cached: Option<&VerifiedToken>,
        token: &'a str,
    ) -> Result<Self, ForeignToken> {
        let now = sessions.now();
        let authority = sessions.authority();
        let key_generation = authority.key_generation(now);
        if let Some(cached) = cached.filter(|cached| cached.still_holds(key_generation, now)) {
            return Ok(Self::Cached(cached.clone()));
        }
        let token = access::parse(token, |header| authority.known_by_header(header, now))?;
        Ok(Self::Parsed(Box::new(Parsed {
            token,
            key_generation,
            now,
        })))
    }

    /// Verifies the signature, the validity period and the kind of key (session specification, 5.3
    /// steps 6 and 7). Asks the authority for the key if its header is not a known one.
    pub(crate) async fn verify(self, sessions: &Sessions) -> Result<VerifiedToken, SessionError> {
        let Parsed {
            token,
            key_generation,
            now,
        } = match self {
            Self::Cached(token) => return Ok(token),
            Self::Parsed(parsed) => *parsed,
        };
        let key = match &token.named {
            NamedKey::Known(key) => Some(Arc::clone(key)),
            NamedKey::Other { kid, .. } => sessions.authority().find_key(kid, now).await?,
        };
        let kind = sessions.config().key_kind;
        let verified = verify(token, key.as_deref(), kind, key_generation, now)
            .map_err(|refusal| SessionError::try_refresh(refusal.to_string()))?;
        if let Some(cache) = sessions.token_cache() {
            cache.insert(&verified);
        }
        Ok(verified)
    }
}
