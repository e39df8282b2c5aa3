//! The rules: create, rotate, reissue. Native mode is ROTATION of the core specification, 3.3, with
//! one addition: inside the grace window a refresh token always leads to the same successor.

mod create;
mod jwt;
mod refresh;

use std::sync::Arc;
use std::time::Duration;

use crate::authority::IssuedAccess;
use crate::clock::{Clock, UnixMillis, UnixSeconds};
use crate::entropy::{Entropy, EntropyError, random_unit};
use crate::error::Fault;
use crate::ids::AppId;
use crate::json::JsonObject;
use crate::keys::{KeyFault, KeyRing, SigningKey};
use crate::secret::{AccessToken, SecretText};
use crate::store::{KeyKind, Store};
use crate::token::access::{self, AccessClaims, ProtectedClaim};
use crate::token::refresh::{MintError, RefreshTokens};
use crate::wire;
use crate::workers::Workers;

/// The rules over one store, for one app.
pub(crate) struct Engine {
    pub(crate) app: AppId,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: KeyRing,
    refresh_tokens: RefreshTokens,
    workers: Workers,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    lifetimes: Lifetimes,
}

/// How long things live (core specification, 1.7).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    pub(crate) access_token_validity: Duration,
    pub(crate) access_token_validity_jitter: f64,
    pub(crate) refresh_token_validity: Duration,
    pub(crate) rotation_grace_period: Duration,
    /// The end of a session counted from its creation, however often it is refreshed.
    pub(crate) absolute_session_lifetime: Option<Duration>,
    pub(crate) recent_reuse_is_theft: bool,
}

/// Why a token could not be minted.
#[derive(Debug)]
enum MintFailure {
    ProtectedClaim,
    Fault(Fault),
}

impl<F: Into<Fault>> From<F> for MintFailure {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

impl From<ProtectedClaim> for MintFailure {
    fn from(_: ProtectedClaim) -> Self {
        Self::ProtectedClaim
    }
}

impl Engine {
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of an engine; called in one place"
    )]
    pub(crate) fn new(
        app: AppId,
        store: Arc<dyn Store>,
        keys: KeyRing,
        refresh_token_key: SecretText,
        workers: Workers,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        lifetimes: Lifetimes,
    ) -> Self {
        let refresh_tokens = RefreshTokens::new(refresh_token_key);
        Self {
            app,
            store,
            keys,
            refresh_tokens,
            workers,
            clock,
            entropy,
            lifetimes,
        }
    }

    /// The app's refresh token key; makes one if there is none.
    pub(crate) async fn establish_refresh_token_key(
        app: &AppId,
        store: &dyn Store,
        entropy: &dyn Entropy,
        now: UnixMillis,
    ) -> Result<SecretText, Fault> {
        let candidate = RefreshTokens::new_master_key(entropy)?;
        Ok(store.refresh_token_key(app, &candidate, now).await?)
    }

    /// A new access token with another application payload: same session, same lineage, same
    /// expiry, fresh `iat` (core specification, 7.4). None if the token has expired.
    pub(crate) async fn reissue(
        &self,
        claims: &AccessClaims,
        payload: &JsonObject,
        kind: KeyKind,
        now: UnixMillis,
    ) -> Result<Option<IssuedAccess>, Fault> {
        let issued_at = now.floor_seconds();
        if issued_at >= claims.expires_at {
            return Ok(None);
        }
        let claims = AccessClaims {
            issued_at,
            ..claims.clone()
        };
        match self.mint_access(claims, payload, kind, now).await {
            Ok(issued) => Ok(Some(issued)),
            Err(MintFailure::Fault(fault)) => Err(fault),
            Err(MintFailure::ProtectedClaim) => Err(Fault::misuse(wire::MESSAGE_PROTECTED_FIELD)),
        }
    }

    /// Signs an access token that says `claims`, with the application's `custom` payload.
    async fn mint_access(
        &self,
        claims: AccessClaims,
        custom: &JsonObject,
        kind: KeyKind,
        now: UnixMillis,
    ) -> Result<IssuedAccess, MintFailure> {
        let payload = access::payload(&claims, custom)?;
        let key = self.keys.signer(kind, now).await?;
        let signing_input = access::signing_input(key.public().session_header(), &payload);
        let token = self.sign(key, signing_input).await?;
        Ok(IssuedAccess {
            token: AccessToken::new(token),
            claims,
            payload,
        })
    }

    async fn sign(&self, key: Arc<SigningKey>, signing_input: String) -> Result<String, Fault> {
        let signed = self
            .workers
            .run(move || {
                key.sign(signing_input.as_bytes())
                    .map(|signature| access::assemble(signing_input, &signature))
            })
            .await
            .map_err(KeyFault::from)?;
        Ok(signed.map_err(KeyFault::from)?)
    }

    /// When an access token that is minted now expires: its validity, shortened by the jitter, but
    /// valid for a moment at least, and never beyond the session's own end.
    fn access_expiry(
        &self,
        now: UnixMillis,
        session_expires_at: UnixMillis,
    ) -> Result<UnixSeconds, Fault> {
        let jitter = self.lifetimes.access_token_validity_jitter * random_unit(&*self.entropy)?;
        let validity = self.lifetimes.access_token_validity.mul_f64(1.0 - jitter);
        // Expiry counts in whole seconds; a short validity must not be rounded down to none.
        let next_second = UnixSeconds::new(now.floor_seconds().get().saturating_add(1));
        let expires_at = now.after(validity).floor_seconds().max(next_second);
        Ok(expires_at.min(session_expires_at.floor_seconds()))
    }

    /// When a session that is created or refreshed now ends.
    fn session_expiry(&self, now: UnixMillis, created_at: UnixMillis) -> UnixMillis {
        let sliding = now.after(self.lifetimes.refresh_token_validity);
        match self.lifetimes.absolute_session_lifetime {
            Some(lifetime) => sliding.min(created_at.after(lifetime)),
            None => sliding,
        }
    }
}

impl From<EntropyError> for Fault {
    fn from(error: EntropyError) -> Self {
        Self::internal("no randomness could be had").with_source(error)
    }
}

impl From<MintError> for Fault {
    fn from(error: MintError) -> Self {
        Self::internal("a refresh token could not be minted").with_source(error)
    }
}
