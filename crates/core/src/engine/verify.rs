//! Verification of an access token for a backend SDK (core specification, section 2).

use std::sync::Arc;

use super::legacy::FirstUse;
use super::token::{self, ParsedToken};
use super::{
    Dialect, Engine, Format, IssuedToken, MintFailure, Mode, SessionFacts, TokenVersion, Verify,
    VerifyOutcome,
};
use crate::clock::UnixMillis;
use crate::error::Fault;
use crate::json::JsonObject;
use crate::keys::{KeyFault, VerifyingKey};
use crate::store::{KeyKind, SessionKey, SessionRecord};
use crate::token::access::AccessClaims;

const ENDED: &str = "Either the session has ended or has been blacklisted";
const MISSING: &str = "Session missing in db";
const ROTATED_OUT: &str = "rotated-out token branch; refresh required";

/// The result of verifying a token's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    Good,
    Bad,
    UnknownKey,
}

impl Engine {
    /// Verifies an access token. In [`Mode::Legacy`], the first use of a token from a refresh
    /// promotes its refresh token.
    ///
    /// # Errors
    /// A fault if the store fails or the keys are unavailable.
    pub async fn verify_session(
        &self,
        request: &Verify,
        dialect: Dialect,
    ) -> Result<VerifyOutcome, Fault> {
        let now = self.clock.now();
        let refuse = |why: &str| Ok(VerifyOutcome::TryRefreshToken(why.to_owned()));
        let token = match token::parse(request.token.expose()) {
            Ok(token) => token,
            Err(malformed) => return refuse(&malformed.to_string()),
        };
        match self.signature(&token, now).await? {
            Signature::Good => {}
            Signature::UnknownKey => return refuse("Key not found"),
            Signature::Bad => {
                return refuse(
                    "io.supertokens.session.jwt.JWT$JWTException: JWT verification failed",
                );
            }
        }
        let (claims, own) = match token.claims(self.jwts_as_sessions) {
            Ok(claims) => claims,
            Err(malformed) => return refuse(&malformed.to_string()),
        };
        if claims.expires_at <= now.floor_seconds() {
            return refuse("Access token expired");
        }
        if request.check_anti_csrf {
            let Some(own) = &claims.anti_csrf else {
                return refuse(
                    "Access token does not contain all the information. Maybe the structure has changed?",
                );
            };
            let sent = request.anti_csrf.as_ref();
            if !sent.is_some_and(|sent| own.ct_eq(sent.expose())) {
                return refuse("anti-csrf check failed");
            }
        }
        let record = if request.check_database {
            let record = self.store.session(&self.key_of(&claims), now).await?;
            // A signed token that names another user's session was not made by this engine.
            match record.filter(|record| record.user_id == claims.recipe_user_id) {
                Some(record) => Some(record),
                None => return Ok(VerifyOutcome::Unauthorised(ENDED)),
            }
        } else {
            None
        };
        match dialect.mode {
            Mode::Rotation => Ok(branch(&claims, own, record.as_ref())),
            Mode::Legacy => self.promote(claims, own, token.version, record).await,
        }
    }

    /// LEGACY: the first use of a new token promotes its refresh token. A token that has a parent
    /// or an older payload is replaced.
    async fn promote(
        &self,
        claims: AccessClaims,
        own_payload: JsonObject,
        version: TokenVersion,
        record: Option<SessionRecord>,
    ) -> Result<VerifyOutcome, Fault> {
        let changed = record
            .as_ref()
            .is_some_and(|record| !record.payload.same_json(&own_payload));
        if claims.parent_refresh_hash1.is_none() && !changed {
            return Ok(live(&claims, own_payload, None, None));
        }
        match self.first_use(&claims, record, Format::Core(version)).await {
            Ok(FirstUse::Gone) => Ok(VerifyOutcome::Unauthorised(MISSING)),
            Ok(FirstUse::OlderBranch(stored)) => {
                // The caller receives the stored payload if it required the store to be read.
                let payload = if changed { stored.payload } else { own_payload };
                Ok(live(&claims, payload, None, None))
            }
            Ok(FirstUse::Renewed(stored, access)) => Ok(live(
                &claims,
                stored.payload,
                Some(IssuedToken::from(*access)),
                None,
            )),
            Err(MintFailure::ProtectedClaim) => Ok(VerifyOutcome::ProtectedClaim),
            Err(MintFailure::Fault(fault)) => Err(fault),
        }
    }

    /// Signs a replacement for a token of the same version.
    pub(super) async fn mint_again(
        &self,
        claims: AccessClaims,
        payload: &JsonObject,
        version: TokenVersion,
        kind: KeyKind,
        now: UnixMillis,
    ) -> Result<IssuedToken, MintFailure> {
        self.mint_access(claims, payload, Format::Core(version), kind, now)
            .await
            .map(IssuedToken::from)
    }

    pub(super) async fn signature(
        &self,
        token: &ParsedToken<'_>,
        now: UnixMillis,
    ) -> Result<Signature, KeyFault> {
        let (message, signature) = (token.signing_input.as_bytes(), token.signature.as_slice());
        let fits = |key: &VerifyingKey| {
            key.algorithm() == token.algorithm && key.verifies(message, signature)
        };
        if let Some(kid) = &token.kid {
            return Ok(match self.keys.verifier(kid, now).await? {
                None => Signature::UnknownKey,
                Some(key) if fits(&key) => Signature::Good,
                Some(_) => Signature::Bad,
            });
        }
        let any_fits = |keys: Vec<Arc<VerifyingKey>>| keys.iter().any(|key| fits(key));
        if any_fits(self.keys.verifiers(now))
            || any_fits(self.keys.verifiers_looked_for(now).await?)
        {
            Ok(Signature::Good)
        } else {
            Ok(Signature::Bad)
        }
    }

    pub(super) fn key_of(&self, claims: &AccessClaims) -> SessionKey {
        SessionKey {
            app: self.app.clone(),
            tenant: claims.tenant_id.clone(),
            handle: claims.handle.clone(),
        }
    }
}

/// ROTATION: a token is valid if it belongs to the current or the previous refresh token. Nothing
/// is written.
fn branch(
    claims: &AccessClaims,
    own_payload: JsonObject,
    record: Option<&SessionRecord>,
) -> VerifyOutcome {
    let Some(record) = record else {
        return live(claims, own_payload, None, None);
    };
    let parent = claims.parent_refresh_hash1.as_ref();
    if !record.lineage.covers(&claims.refresh_hash1, parent) {
        return VerifyOutcome::Unauthorised(ROTATED_OUT);
    }
    let changed = !record.payload.same_json(&own_payload);
    live(claims, own_payload, None, Some(changed))
}

fn live(
    claims: &AccessClaims,
    payload: JsonObject,
    replacement: Option<IssuedToken>,
    payload_update_available: Option<bool>,
) -> VerifyOutcome {
    VerifyOutcome::Live {
        session: SessionFacts::of(claims, payload),
        replacement,
        payload_update_available,
    }
}
