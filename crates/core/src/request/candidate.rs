//! An access token of a request, on its way to be verified.

use crate::clock::UnixMillis;
use crate::error::SessionError;
use crate::keys::VerifyingKey;
use crate::sessions::Sessions;
use crate::token::access::{self, ForeignToken, NamedKey, ParsedAccessToken};
use crate::transfer::Carried;
use crate::verify::{Verified, verify};

/// A token that has the shape of ours.
#[expect(
    clippy::large_enum_variant,
    reason = "lives on the stack for a moment; a box would be an allocation for each request"
)]
pub(crate) enum Candidate<'a> {
    /// It was verified before, and would be again.
    Seen(Verified),
    New(NewToken<'a>),
}

pub(crate) struct NewToken<'a> {
    token: ParsedAccessToken<'a>,
    key_generation: u64,
    found_at: UnixMillis,
}

impl<'a> Candidate<'a> {
    pub(crate) fn find(sessions: &Sessions, token: &'a str) -> Result<Self, ForeignToken> {
        match sessions.seen(token) {
            Some(verified) => Ok(Self::Seen(verified)),
            None => Self::parse(sessions, token),
        }
    }

    /// As [`Self::find`], for what a request carries.
    pub(crate) fn of(sessions: &Sessions, carried: &'a Carried) -> Result<Self, ForeignToken> {
        let (authority, now) = (sessions.authority(), sessions.now());
        match carried {
            Carried::Seen(verified) if verified.still_holds(authority.key_generation(now), now) => {
                Ok(Self::Seen(verified.clone()))
            }
            Carried::Seen(_) | Carried::Unknown(_) => Self::parse(sessions, carried.expose()),
        }
    }

    fn parse(sessions: &Sessions, token: &'a str) -> Result<Self, ForeignToken> {
        let (authority, now) = (sessions.authority(), sessions.now());
        let key_generation = authority.key_generation(now);
        Ok(Self::New(NewToken {
            token: access::parse(token, |header| authority.known_by_header(header, now))?,
            key_generation,
            found_at: now,
        }))
    }

    /// Verifies it without waiting; none if its key has to be looked for.
    pub(crate) fn verify_at_once(
        self,
        sessions: &Sessions,
    ) -> Result<Option<Verified>, SessionError> {
        match self {
            Self::Seen(verified) => Ok(Some(verified)),
            Self::New(new) => match new.known_key(sessions) {
                Some(key) => new.verify(sessions, Some(&key)).map(Some),
                None => Ok(None),
            },
        }
    }

    pub(crate) async fn verify(self, sessions: &Sessions) -> Result<Verified, SessionError> {
        match self {
            Self::Seen(verified) => Ok(verified),
            Self::New(new) => {
                let key = match new.known_key(sessions) {
                    Some(key) => Some(key),
                    None => new.find_key(sessions).await?,
                };
                new.verify(sessions, key.as_deref())
            }
        }
    }
}

type Key = std::sync::Arc<VerifyingKey>;

impl NewToken<'_> {
    fn known_key(&self, sessions: &Sessions) -> Option<Key> {
        match &self.token.named {
            NamedKey::Known(key) => Some(Key::clone(key)),
            NamedKey::Other { kid, .. } => sessions.authority().known_key(kid, self.found_at),
        }
    }

    async fn find_key(&self, sessions: &Sessions) -> Result<Option<Key>, SessionError> {
        match &self.token.named {
            NamedKey::Known(key) => Ok(Some(Key::clone(key))),
            NamedKey::Other { kid, .. } => {
                Ok(sessions.authority().find_key(kid, self.found_at).await?)
            }
        }
    }

    fn verify(
        self,
        sessions: &Sessions,
        key: Option<&VerifyingKey>,
    ) -> Result<Verified, SessionError> {
        let kind = sessions.config().key_kind;
        let verified = verify(self.token, key, kind, self.key_generation, self.found_at)
            .map_err(|refusal| SessionError::try_refresh(refusal.to_string()))?;
        if let Some(seen) = sessions.seen_tokens() {
            seen.keep(&verified);
        }
        Ok(verified)
    }
}
