//! An access token of a request that is about to be verified.

use crate::clock::UnixMillis;
use crate::error::SessionError;
use crate::keys::VerifyingKey;
use crate::sessions::Sessions;
use crate::token::access::{self, ForeignToken, NamedKey, ParsedAccessToken};
use crate::transfer::Carried;
use crate::verify::{VerifiedToken, verify};

/// A structurally valid access token that is not yet verified.
pub(crate) enum Candidate<'a> {
    /// The token was verified before, and its verification is still valid.
    Seen(VerifiedToken),
    /// Boxed, because it is large and less common.
    New(Box<NewToken<'a>>),
}

pub(crate) struct NewToken<'a> {
    token: ParsedAccessToken<'a>,
    key_generation: u64,
    found_at: UnixMillis,
}

/// The result of a verification that does not wait.
pub(crate) enum AtOnce<'a> {
    Verified(VerifiedToken),
    /// The key of the token must be looked up.
    Waits(Box<NewToken<'a>>),
}

impl<'a> Candidate<'a> {
    pub(crate) fn of(sessions: &Sessions, carried: &'a Carried) -> Result<Self, ForeignToken> {
        let moment = Moment::now(sessions);
        match carried {
            Carried::Seen(verified) if moment.trusts(verified) => Ok(Self::Seen(verified.clone())),
            carried => {
                let new = moment.parse(sessions, carried.expose())?;
                Ok(Self::New(Box::new(new)))
            }
        }
    }

    /// Verifies the token without waiting, if its key is known.
    pub(crate) fn verify_at_once(self, sessions: &Sessions) -> Result<AtOnce<'a>, SessionError> {
        match self {
            Self::Seen(verified) => Ok(AtOnce::Verified(verified)),
            Self::New(new) => new.verify_at_once(sessions),
        }
    }

    pub(crate) async fn verify(self, sessions: &Sessions) -> Result<VerifiedToken, SessionError> {
        match self.verify_at_once(sessions)? {
            AtOnce::Verified(verified) => Ok(verified),
            AtOnce::Waits(new) => new.look_for_key_and_verify(sessions).await,
        }
    }
}

impl<'a> AtOnce<'a> {
    /// Returns the candidate of a token to which there is no alternative.
    pub(crate) fn of(
        sessions: &Sessions,
        token: &'a str,
    ) -> Result<Result<Self, SessionError>, ForeignToken> {
        let moment = Moment::now(sessions);
        if let Some(verified) = sessions.seen(token.as_bytes())
            && moment.trusts(&verified)
        {
            return Ok(Ok(Self::Verified(verified)));
        }
        Ok(moment.parse(sessions, token)?.verify_at_once(sessions))
    }
}

/// The time of the verification, and the key generation at that time.
#[derive(Clone, Copy)]
struct Moment {
    now: UnixMillis,
    key_generation: u64,
}

impl Moment {
    fn now(sessions: &Sessions) -> Self {
        let now = sessions.now();
        let key_generation = sessions.authority().key_generation(now);
        Self {
            now,
            key_generation,
        }
    }

    fn trusts(self, verified: &VerifiedToken) -> bool {
        verified.still_holds(self.key_generation, self.now)
    }

    fn parse<'a>(self, sessions: &Sessions, token: &'a str) -> Result<NewToken<'a>, ForeignToken> {
        let Self {
            now,
            key_generation,
        } = self;
        let authority = sessions.authority();
        let token = access::parse(token, |header| authority.known_by_header(header, now))?;
        Ok(NewToken {
            token,
            key_generation,
            found_at: now,
        })
    }
}

type Key = std::sync::Arc<VerifyingKey>;

impl<'a> NewToken<'a> {
    fn verify_at_once(self, sessions: &Sessions) -> Result<AtOnce<'a>, SessionError> {
        match self.known_key(sessions) {
            Some(key) => self.verify(sessions, Some(&key)).map(AtOnce::Verified),
            None => Ok(AtOnce::Waits(Box::new(self))),
        }
    }

    fn known_key(&self, sessions: &Sessions) -> Option<Key> {
        match &self.token.named {
            NamedKey::Known(key) => Some(Key::clone(key)),
            NamedKey::Other { kid, .. } => sessions.authority().known_key(kid, self.found_at),
        }
    }

    /// Looks up the key and verifies the token, if the key was not known.
    pub(crate) async fn look_for_key_and_verify(
        self,
        sessions: &Sessions,
    ) -> Result<VerifiedToken, SessionError> {
        let key = match &self.token.named {
            NamedKey::Known(key) => Some(Key::clone(key)),
            NamedKey::Other { kid, .. } => {
                sessions.authority().find_key(kid, self.found_at).await?
            }
        };
        self.verify(sessions, key.as_deref())
    }

    fn verify(
        self,
        sessions: &Sessions,
        key: Option<&VerifyingKey>,
    ) -> Result<VerifiedToken, SessionError> {
        let kind = sessions.config().key_kind;
        let verified = verify(self.token, key, kind, self.key_generation, self.found_at)
            .map_err(|refusal| SessionError::try_refresh(refusal.to_string()))?;
        if let Some(seen) = sessions.seen_tokens() {
            seen.keep(&verified);
        }
        Ok(verified)
    }
}
