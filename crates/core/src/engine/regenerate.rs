//! Reissue of an access token with another payload (core specification, 7.4).

use super::token;
use super::verify::Signature;
use super::{Engine, MintFailure, Regenerate, RegenerateOutcome, SessionFacts};
use crate::error::Fault;
use crate::store::{DocumentWrite, SessionDocument, WriteOutcome};
use crate::token::access::AccessClaims;

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
    pub async fn regenerate(&self, request: &Regenerate) -> Result<RegenerateOutcome, Fault> {
        let now = self.clock.now();
        let token = match token::parse(request.token.expose()) {
            Ok(token) => token,
            Err(malformed) => return Ok(RegenerateOutcome::Malformed(malformed.to_string())),
        };
        let (claims, _) = match token.claims(self.jwts_as_sessions) {
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
            match self
                .mint_again(renewed, &payload, token.version, record.key_kind, now)
                .await
            {
                Ok(minted) => Some(minted),
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
            session: SessionFacts::of(&claims, payload),
            token: minted,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::engine::{
        Create, CreateOutcome, Dialect, EngineSettings, Engines, Regenerate, RegenerateOutcome,
    };
    use crate::store::{MemoryStore, SessionKey, Store};
    use crate::{AppId, JsonObject, SystemClock, SystemEntropy, TenantId, UnixMillis};

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
            let new = Create::new("alice".into(), TenantId::default());
            let made = foreign.create_session(new, Dialect::CURRENT).await.unwrap();
            let CreateOutcome::Created(made) = made else {
                panic!("{made:?}");
            };
            let now = UnixMillis::new(0);
            let key = SessionKey::new(&other, made.session.handle.clone());
            let mut session = store.session(&key, now).await.unwrap().unwrap();
            session.key = SessionKey::new(&AppId::default(), made.session.handle);
            store.insert_session(&session).await.unwrap();

            let request = Regenerate {
                token: made.access_token.token,
                payload: Some(r#"{"role":"admin"}"#.parse().unwrap()),
            };
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
