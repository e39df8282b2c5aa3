//! An access token of a request, on its way to be verified.

use crate::clock::UnixMillis;
use crate::error::SessionError;
use crate::keys::VerifyingKey;
use crate::sessions::Sessions;
use crate::token::access::{self, ForeignToken, NamedKey, ParsedAccessToken};
use crate::transfer::Carried;
use crate::verify::{Verified, verify};

/// A token that has the shape of ours.
pub(crate) enum Candidate<'a> {
    /// It was verified before, and would be again.
    Seen(Verified),
    /// It is large, and the common case is the other one.
    New(Box<NewToken<'a>>),
}

pub(crate) struct NewToken<'a> {
    token: ParsedAccessToken<'a>,
    key_generation: u64,
    found_at: UnixMillis,
}

impl<'a> Candidate<'a> {
    pub(crate) fn find(sessions: &Sessions, token: &'a str) -> Result<Self, ForeignToken> {
        Self::new(sessions, token, sessions.seen(token.as_bytes()).as_ref())
    }

    /// As [`Self::find`], for what a request carries.
    pub(crate) fn of(sessions: &Sessions, carried: &'a Carried) -> Result<Self, ForeignToken> {
        match carried {
            Carried::Seen(verified) => Self::new(sessions, verified.token(), Some(verified)),
            Carried::Unknown(token) => Self::new(sessions, token.expose(), None),
        }
    }

    fn new(
        sessions: &Sessions,
        token: &'a str,
        seen: Option<&Verified>,
    ) -> Result<Self, ForeignToken> {
        let (authority, now) = (sessions.authority(), sessions.now());
        let key_generation = authority.key_generation(now);
        if let Some(verified) = seen.filter(|seen| seen.still_holds(key_generation, now)) {
            return Ok(Self::Seen(verified.clone()));
        }
        Ok(Self::New(Box::new(NewToken {
            token: access::parse(token, |header| authority.known_by_header(header, now))?,
            key_generation,
            found_at: now,
        })))
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
