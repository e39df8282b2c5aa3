//! Verification of an access token for a backend SDK (core specification, section 2).

use std::sync::Arc;

use super::{Engine, Format, MintFailure, Protocol, RefreshRules};
use crate::clock::UnixMillis;
use crate::engine::refresh::FirstUse;
use crate::engine::{CheckOutcome, IssuedAccess};
use crate::error::Fault;
use crate::json::JsonObject;
use crate::keys::{KeyFault, VerifyingKey};
use crate::secret::{AccessToken, AntiCsrfToken};
use crate::token::access::AccessClaims;
use crate::token::server::{self, ParsedToken, TokenVersion};

/// An access token to verify, of any version.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifyRequest {
    /// The token.
    pub token: AccessToken,
    /// The anti-CSRF token that must equal the one in the token, if checked.
    pub anti_csrf: Option<AntiCsrfToken>,
    /// If set, the anti-CSRF token is checked.
    pub check_anti_csrf: bool,
    /// If set, the session is read from the store.
    pub check_database: bool,
}

impl VerifyRequest {
    /// Describes the verification of this token, without further checks.
    #[must_use]
    pub fn new(token: AccessToken) -> Self {
        Self {
            token,
            anti_csrf: None,
            check_anti_csrf: false,
            check_database: false,
        }
    }
}

/// The outcome of a verification. Exhaustive, so that callers answer each verdict.
#[derive(Clone, Debug)]
pub enum VerifyOutcome {
    /// The token is valid.
    Live {
        /// The claims of the token.
        claims: Box<AccessClaims>,
        /// The application's part of the payload.
        payload: JsonObject,
        /// A replacement token. Only under [`RefreshRules::Legacy`].
        replacement: Option<Box<IssuedAccess>>,
        /// `true` if the stored payload differs. Only under [`RefreshRules::Rotation`], and if the
        /// store was read.
        payload_update_available: Option<bool>,
    },
    /// The session does not exist, or the token is not on its live branch.
    Unauthorised(&'static str),
    /// The token is invalid; a refresh may help.
    TryRefreshToken(String),
    /// A replacement is due, but the stored payload contains a protected member of the token.
    ProtectedClaim,
}

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
    /// Verifies an access token. Under [`RefreshRules::Legacy`], the first use of a token from a
    /// refresh promotes its refresh token.
    ///
    /// # Errors
    /// A fault if the store fails or the keys are unavailable.
    pub async fn verify(
        &self,
        request: &VerifyRequest,
        protocol: Protocol,
    ) -> Result<VerifyOutcome, Fault> {
        let now = self.clock.now();
        let refuse = |why: &str| Ok(VerifyOutcome::TryRefreshToken(why.to_owned()));
        let token = match server::parse(request.token.expose()) {
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
        let (claims, own) = match token.claims(self.settings.jwts_as_sessions) {
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
        match protocol.rules {
            RefreshRules::Rotation => self.compare(claims, own, request.check_database, now).await,
            RefreshRules::Legacy => {
                self.promote(claims, own, token.version, request.check_database, now)
                    .await
            }
        }
    }

    /// ROTATION: a token is valid if it belongs to the current or the previous refresh token.
    /// Nothing is written.
    async fn compare(
        &self,
        claims: AccessClaims,
        own_payload: JsonObject,
        check_database: bool,
        now: UnixMillis,
    ) -> Result<VerifyOutcome, Fault> {
        if !check_database {
            return Ok(live(claims, own_payload, None, None));
        }
        let key = self.key_of(&claims);
        Ok(
            match self
                .check_stored(&key, &claims, RefreshRules::Rotation, now)
                .await?
            {
                CheckOutcome::Live(session) => {
                    let stored = session.stored_payload;
                    let changed = stored.is_some_and(|stored| !stored.same_json(&own_payload));
                    live(claims, own_payload, None, Some(changed))
                }
                CheckOutcome::Gone => VerifyOutcome::Unauthorised(ENDED),
                CheckOutcome::RotatedOut => VerifyOutcome::Unauthorised(ROTATED_OUT),
                CheckOutcome::TryRefreshToken(why) => {
                    VerifyOutcome::TryRefreshToken(why.to_owned())
                }
            },
        )
    }

    /// LEGACY: the first use of a new token promotes its refresh token. A token that has a parent
    /// or an older payload is replaced.
    async fn promote(
        &self,
        claims: AccessClaims,
        own_payload: JsonObject,
        version: TokenVersion,
        check_database: bool,
        now: UnixMillis,
    ) -> Result<VerifyOutcome, Fault> {
        let record = if check_database {
            let record = self.store.session(&self.key_of(&claims), now).await?;
            // A signed token that names another user's session was not made by this engine.
            match record.filter(|record| record.user_id == claims.recipe_user_id) {
                Some(record) => Some(record),
                None => return Ok(VerifyOutcome::Unauthorised(ENDED)),
            }
        } else {
            None
        };
        let changed = record
            .as_ref()
            .is_some_and(|record| !record.payload.same_json(&own_payload));
        if claims.parent_refresh_hash1.is_none() && !changed {
            return Ok(live(claims, own_payload, None, None));
        }
        match self.first_use(&claims, record, Format::Core(version)).await {
            Ok(FirstUse::Gone) => Ok(VerifyOutcome::Unauthorised(MISSING)),
            Ok(FirstUse::OlderBranch(stored)) => {
                // The caller receives the stored payload if it required the store to be read.
                let payload = if changed { stored.payload } else { own_payload };
                Ok(live(claims, payload, None, None))
            }
            Ok(FirstUse::Renewed(stored, access)) => {
                Ok(live(claims, stored.payload, Some(access), None))
            }
            Err(MintFailure::ProtectedClaim) => Ok(VerifyOutcome::ProtectedClaim),
            Err(MintFailure::Fault(fault)) => Err(fault),
        }
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
}

fn live(
    claims: AccessClaims,
    payload: JsonObject,
    replacement: Option<Box<IssuedAccess>>,
    payload_update_available: Option<bool>,
) -> VerifyOutcome {
    VerifyOutcome::Live {
        claims: Box::new(claims),
        payload,
        replacement,
        payload_update_available,
    }
}
