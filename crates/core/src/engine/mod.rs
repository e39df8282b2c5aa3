//! The session rules over a store, for one app: the engine of a core. **Applications need
//! [`Sessions`](crate::Sessions)**, which contains such an engine. This module is for programs that
//! replace a SuperTokens core and answer backend SDKs, such as `supersession-server`.
//!
//! An engine has no knowledge of HTTP or protocol versions. The caller converts a protocol version
//! into a [`Dialect`], which selects one of the two sets of rules ([`Mode`]) and the format of
//! access tokens ([`TokenVersion`]). Both sets of rules work on the same stored sessions, in any
//! order.
//!
//! Operations without rules are part of the [`Store`]: reading a session, its documents, lists,
//! revocation and metadata.
//!
//! ```
//! use std::sync::Arc;
//! use supersession::engine::{Create, CreateOutcome, Dialect, EngineSettings, Engines};
//! use supersession::store::MemoryStore;
//! use supersession::{AppId, SystemClock, SystemEntropy, TenantId};
//!
//! # pollster::block_on(async {
//! let store = Arc::new(MemoryStore::new());
//! let engines = Engines::start(store, Arc::new(SystemClock), Arc::new(SystemEntropy), 2)?;
//! let engine = engines.open(AppId::default(), &EngineSettings::default()).await?;
//! let new = Create::new("alice".into(), TenantId::default());
//! let CreateOutcome::Created(issued) = engine.create_session(new, Dialect::CURRENT).await? else {
//!     unreachable!("the payload is empty");
//! };
//! assert_eq!(issued.session.user_id, "alice");
//! # Ok::<(), supersession::Fault>(())
//! # }).unwrap();
//! ```

mod create;
mod jwt;
mod legacy;
mod open;
mod refresh;
mod refresh_key;
mod regenerate;
mod terms;
mod token;
mod verify;
mod version;

use std::sync::Arc;
use std::time::Duration;

use crate::authority::IssuedAccess;
use crate::clock::{Clock, UnixMillis, UnixSeconds};
use crate::entropy::{Entropy, EntropyError, random_unit};
use crate::error::{Fault, FaultKind};
use crate::ids::AppId;
use crate::json::JsonObject;
use crate::keys::{JwkSet, KeyFault, KeyRing, SigningAlgorithm, SigningKey};
use crate::secret::{AccessToken, SecretText};
use crate::store::{KeyKind, Store};
use crate::token::access::{self, AccessClaims, ProtectedClaim};
use crate::token::refresh::{MintError, RefreshTokens};
use crate::wire;
use crate::workers::Workers;

use refresh_key::RefreshKey;

pub use open::{EngineSettings, Engines};
pub use terms::{
    Create, CreateOutcome, Dialect, Issued, IssuedToken, JwtOutcome, JwtRequest, MAX_JWT_VALIDITY,
    Mode, PublicKey, Refresh, RefreshOutcome, Regenerate, RegenerateOutcome, SessionFacts, Verify,
    VerifyOutcome,
};
pub use version::TokenVersion;

/// The session rules over one store, for one app. See the [module documentation](self).
pub struct Engine {
    pub(crate) app: AppId,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: KeyRing,
    refresh_key: RefreshKey,
    workers: Workers,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    lifetimes: Lifetimes,
    jwts_as_sessions: bool,
}

/// Lifetimes of tokens and sessions (core specification, 1.7).
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Validity of an access token.
    pub access_token_validity: Duration,
    /// Maximum share of its validity by which an access token is randomly shortened.
    pub access_token_validity_jitter: f64,
    /// Lifetime of a session after its creation or last refresh.
    pub refresh_token_validity: Duration,
    /// Grace period for reusing a rotated refresh token.
    pub rotation_grace_period: Duration,
    /// Maximum lifetime of a session, counted from its creation, regardless of refreshes.
    pub absolute_session_lifetime: Option<Duration>,
    /// If set, reuse of the previous refresh token or of an orphaned sibling of the current one is
    /// reported as theft. Reuse of any other token always is.
    pub recent_reuse_is_theft: bool,
}

/// The format of minted access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// The format of the application in this process.
    Application,
    /// The format that a backend SDK requests from a core.
    Core(TokenVersion),
}

const TOO_OLD_FOR_THE_KEY: &str = "SDKs of CDI 2.20 and older verify RS256 only, and the keys of this app have another algorithm. Fix: update the SDK, or leave `access_token_signing_algorithm` out where applications open the same database";

/// The reason why a token could not be minted.
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
        let (of_app, in_store, now) = (app.clone(), Arc::clone(&store), clock.now());
        let refresh_key = RefreshKey::new(of_app, in_store, refresh_token_key, now);
        Self {
            app,
            store,
            keys,
            refresh_key,
            workers,
            clock,
            entropy,
            lifetimes,
            jwts_as_sessions: true,
        }
    }

    /// Sets [`EngineSettings::jwts_as_sessions`].
    fn jwts_as_sessions(mut self, accepted: bool) -> Self {
        self.jwts_as_sessions = accepted;
        self
    }

    /// Returns the app's refresh token key, and creates it if there is none.
    pub(crate) async fn establish_refresh_token_key(
        app: &AppId,
        store: &dyn Store,
        entropy: &dyn Entropy,
        now: UnixMillis,
    ) -> Result<SecretText, Fault> {
        let candidate = RefreshTokens::new_master_key(entropy)?;
        Ok(store.refresh_token_key(app, &candidate, now).await?)
    }

    /// Returns the app.
    #[must_use]
    pub fn app(&self) -> &AppId {
        &self.app
    }

    /// Returns the public keys to publish. Creates keys if no suitable ones exist.
    ///
    /// # Errors
    /// A fault if the store fails.
    pub async fn jwks(&self) -> Result<JwkSet, Fault> {
        Ok(self.keys.jwks(self.clock.now()).await?)
    }

    /// Deletes signing keys without valid tokens, and returns their number.
    ///
    /// # Errors
    /// A fault if the store fails.
    pub async fn retire_keys(&self) -> Result<u64, Fault> {
        Ok(self.keys.retire(self.clock.now()).await?)
    }

    /// Mints an access token with another application payload: same session, same lineage, same
    /// expiry, new `iat` (core specification, 7.4). Returns `None` if the token has expired.
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
        match self
            .mint_access(claims, payload, Format::Application, kind, now)
            .await
        {
            Ok(issued) => Ok(Some(issued)),
            Err(MintFailure::Fault(fault)) => Err(fault),
            Err(MintFailure::ProtectedClaim) => Err(Fault::misuse(wire::MESSAGE_PROTECTED_FIELD)),
        }
    }

    /// Signs an access token with these `claims` and the application's `custom` payload.
    ///
    /// The returned payload is the whole one for an application, and `custom` for a core.
    async fn mint_access(
        &self,
        claims: AccessClaims,
        custom: &JsonObject,
        format: Format,
        kind: KeyKind,
        now: UnixMillis,
    ) -> Result<IssuedAccess, MintFailure> {
        let kind = match format {
            // A token of version 1 names no key, so its verifiers only know the rotating keys.
            Format::Core(TokenVersion::V1) => KeyKind::Dynamic,
            _ => kind,
        };
        let key = self.keys.signer(kind, now).await?;
        let (token, payload) = match format {
            Format::Application => {
                let payload = access::payload(&claims, custom)?;
                let signing_input = access::signing_input(key.public().session_header(), &payload);
                (self.sign(key, signing_input).await?, payload)
            }
            Format::Core(version) => {
                // All tokens of these versions have the same header, which names RS256.
                if version.is_oldest() && key.public().algorithm() != SigningAlgorithm::Rs256 {
                    return Err(Fault::new(FaultKind::Misuse, TOO_OLD_FOR_THE_KEY).into());
                }
                let signing_input = token::signing_input(&claims, custom, version, key.public())?;
                let token = self
                    .sign_as(key, signing_input, move |input, signature| {
                        token::assemble(version, input, signature)
                    })
                    .await?;
                (token, custom.clone())
            }
        };
        Ok(IssuedAccess {
            token: AccessToken::new(token),
            claims,
            payload,
        })
    }

    async fn sign(&self, key: Arc<SigningKey>, signing_input: String) -> Result<String, Fault> {
        self.sign_as(key, signing_input, access::assemble).await
    }

    async fn sign_as(
        &self,
        key: Arc<SigningKey>,
        signing_input: String,
        assemble: impl FnOnce(String, &[u8]) -> String + Send + 'static,
    ) -> Result<String, Fault> {
        let signed = self
            .workers
            .run(move || {
                key.sign(signing_input.as_bytes())
                    .map(|signature| assemble(signing_input, &signature))
            })
            .await
            .map_err(KeyFault::from)?;
        Ok(signed.map_err(KeyFault::from)?)
    }

    /// Returns the expiry of an access token that is minted now: its validity, shortened by the
    /// jitter, but at least until the next second, and never beyond the session's expiry. A
    /// validity in `asked` is not shortened.
    fn access_expiry(
        &self,
        asked: Option<Duration>,
        now: UnixMillis,
        session_expires_at: UnixMillis,
    ) -> Result<UnixSeconds, Fault> {
        let validity = match asked {
            Some(validity) => validity.min(self.lifetimes.access_token_validity),
            None => {
                let jitter =
                    self.lifetimes.access_token_validity_jitter * random_unit(&*self.entropy)?;
                self.lifetimes.access_token_validity.mul_f64(1.0 - jitter)
            }
        };
        Ok(Self::access_ends(validity, now, session_expires_at))
    }

    fn access_ends(
        validity: Duration,
        now: UnixMillis,
        session_expires_at: UnixMillis,
    ) -> UnixSeconds {
        // Expiry is in whole seconds. A short validity must not be rounded down to zero.
        let next_second = UnixSeconds::new(now.floor_seconds().get().saturating_add(1));
        let expires_at = now.after(validity).floor_seconds().max(next_second);
        expires_at.min(session_expires_at.floor_seconds())
    }

    /// Returns the expiry of a session that is created or refreshed now.
    fn session_expiry(&self, now: UnixMillis, created_at: UnixMillis) -> UnixMillis {
        let sliding = now.after(self.lifetimes.refresh_token_validity);
        match self.lifetimes.absolute_session_lifetime {
            Some(lifetime) => sliding.min(created_at.after(lifetime)),
            None => sliding,
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("app", &self.app)
            .field("lifetimes", &self.lifetimes)
            .finish_non_exhaustive()
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
