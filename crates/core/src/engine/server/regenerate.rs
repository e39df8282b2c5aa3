//! Reissue of an access token with another payload (core specification, 7.4).

use super::verify::Signature;
use super::{Engine, Format, MintFailure};
use crate::engine::IssuedAccess;
use crate::error::Fault;
use crate::json::JsonObject;
use crate::secret::AccessToken;
use crate::store::{DocumentWrite, SessionDocument, WriteOutcome};
use crate::token::access::AccessClaims;
use crate::token::server;

/// An access token, of any version, to reissue with another payload and the same expiry.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegenerateRequest {
    /// The token.
    pub token: AccessToken,
    /// The new payload. `None` uses the stored one.
    pub payload: Option<JsonObject>,
}

impl RegenerateRequest {
    /// Describes the reissue of this token.
    #[must_use]
    pub fn new(token: AccessToken, payload: Option<JsonObject>) -> Self {
        Self { token, payload }
    }
}

/// The outcome of a regeneration. Exhaustive, so that callers answer each case.
#[derive(Clone, Debug)]
pub enum RegenerateOutcome {
    /// The payload is stored.
    Regenerated {
        /// The claims of the presented token.
        claims: Box<AccessClaims>,
        /// The application's part of the payload.
        payload: JsonObject,
        /// The new token, unless the old one has expired.
        token: Option<Box<IssuedAccess>>,
    },
    /// The session does not exist, or the token does not belong to it.
    Unauthorised(String),
    /// The text is not an access token.
    Malformed(String),
    /// The payload contains a protected member of the token; nothing is stored.
    ProtectedClaim,
}

const GONE: &str = "Session does not exist.";

impl Engine {
    /// Stores a payload and mints an access token with it: same session, same lineage, same expiry,
    /// same version.
    ///
    /// This app must have signed the token. Only for an expired token may the key be missing,
    /// because nothing is minted from it.
    ///
    /// # Errors
    /// A fault if the store fails or the keys are unavailable.
    pub async fn regenerate(
        &self,
        request: &RegenerateRequest,
    ) -> Result<RegenerateOutcome, Fault> {
        let now = self.clock.now();
        let token = match server::parse(request.token.expose()) {
            Ok(token) => token,
            Err(malformed) => return Ok(RegenerateOutcome::Malformed(malformed.to_string())),
        };
        let (claims, _) = match token.claims(self.settings.jwts_as_sessions) {
            Ok(claims) => claims,
            Err(malformed) => return Ok(RegenerateOutcome::Unauthorised(malformed.to_string())),
        };
        let expired = claims.expires_at <= now.floor_seconds();
        // A token that can no longer be verified is accepted only if nothing is minted from it.
        let is_ours = match self.signature(&token, now).await? {
            Signature::Good => true,
            Signature::UnknownKey => expired,
            Signature::Bad => expired && token.kid.is_none(),
        };
        if !is_ours {
            return Ok(RegenerateOutcome::Unauthorised(
                "the access token is not signed by a key of this app".to_owned(),
            ));
        }
        let gone = || Ok(RegenerateOutcome::Unauthorised(GONE.to_owned()));
        let key = self.key_of(&claims);
        let record = self.store.session(&key, now).await?;
        let Some(record) = record.filter(|record| record.user_id == claims.recipe_user_id) else {
            return gone();
        };
        let payload = request.payload.as_ref().unwrap_or(&record.payload).clone();
        if token.version.protects_member_of(&payload) {
            return Ok(RegenerateOutcome::ProtectedClaim);
        }
        let minted = if expired {
            None
        } else {
            let renewed = AccessClaims {
                issued_at: now.floor_seconds(),
                ..claims.clone()
            };
            let format = Format::Core(token.version);
            match self
                .mint_access(renewed, &payload, format, record.key_kind, now)
                .await
            {
                Ok(minted) => Some(Box::new(minted)),
                Err(MintFailure::ProtectedClaim) => return Ok(RegenerateOutcome::ProtectedClaim),
                Err(MintFailure::Fault(fault)) => return Err(fault),
            }
        };
        if request.payload.is_some() {
            let write = DocumentWrite::Overwrite(payload.clone());
            let outcome = self
                .store
                .write_document(&key, SessionDocument::Payload, &write, now)
                .await?;
            if outcome == WriteOutcome::Gone {
                return gone();
            }
        }
        Ok(RegenerateOutcome::Regenerated {
            claims: Box::new(claims),
            payload,
            token: minted,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::{
        CreateOutcome, EngineSettings, Engines, NewSession, Protocol, RefreshRules, TokenVersion,
    };
    use crate::store::{MemoryStore, SessionKey, Store};
    use crate::{AppId, Clock, SystemClock, SystemEntropy, TenantId, UnixMillis};

    /// A session of the same handle in this app does not make the token valid for it.
    #[test]
    fn nothing_is_minted_from_a_token_of_a_key_that_is_not_known() {
        pollster::block_on(async {
            let store = Arc::new(MemoryStore::new());
            let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
            let engines = Engines::start(store.clone(), clock, entropy, 1).unwrap();
            let settings = EngineSettings::default();
            let own = engines.open(AppId::default(), &settings).await.unwrap();
            let other = AppId::from_stored("other");
            let foreign = engines.open(other.clone(), &settings).await.unwrap();
            let new = NewSession::new("alice".into(), TenantId::default());
            let protocol = Protocol::of_core(RefreshRules::Rotation, TokenVersion::V5);
            let made = foreign
                .create(new, protocol, SystemClock.now())
                .await
                .unwrap();
            let CreateOutcome::Created(made) = made else {
                panic!("{made:?}");
            };
            let now = UnixMillis::new(0);
            let key = SessionKey::new(&other, made.access.claims.handle.clone());
            let mut session = store.session(&key, now).await.unwrap().unwrap();
            session.key = SessionKey::new(&AppId::default(), made.access.claims.handle);
            store.insert_session(&session).await.unwrap();

            let payload = r#"{"role":"admin"}"#.parse().unwrap();
            let request = RegenerateRequest::new(made.access.token, Some(payload));
            let outcome = own.regenerate(&request).await.unwrap();
            assert!(
                matches!(outcome, RegenerateOutcome::Unauthorised(_)),
                "{outcome:?}"
            );
            let left = store.session(&session.key, now).await.unwrap().unwrap();
            assert_eq!(left.payload, JsonObject::empty());
            let outcome = foreign.regenerate(&request).await.unwrap();
            let minted = matches!(
                outcome,
                RegenerateOutcome::Regenerated { token: Some(_), .. }
            );
            assert!(minted, "{outcome:?}");
        });
    }
}
