//! The session rules over a store, for one app: the engine of a core. **Applications need
//! [`Sessions`](crate::Sessions)**, which contains such an engine. With the feature `server`, this
//! module is public, for programs that replace a SuperTokens core and answer backend SDKs, such as
//! `supersession-server`.
//!
//! An engine has no knowledge of HTTP or protocol versions. The caller passes a [`Protocol`], which
//! selects one of the two sets of rules ([`RefreshRules`]) and the format of access tokens. Both
//! sets of rules work on the same stored sessions, in any order.
//!
//! Each verb has one request and one outcome, which [`authority`](crate::authority) uses too.
//! Outcomes are exhaustive enums: a verdict that a caller does not know must not compile, rather
//! than fall into a default.
//!
//! Operations without rules are part of the [`Store`]: reading a session, its documents, lists,
//! revocation and metadata.

mod check;
mod create;
mod issued;
mod jwt;
mod open;
mod protocol;
mod refresh;
mod refresh_key;
mod reissue;
#[cfg(feature = "server")]
mod server;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, UnixMillis, UnixSeconds};
use crate::entropy::{Entropy, EntropyError, random_unit};
use crate::error::Fault;
use crate::ids::AppId;
use crate::json::JsonObject;
use crate::keys::{KeyFault, KeyRing, SigningKey};
use crate::secret::AccessToken;
use crate::store::{KeyKind, Store};
use crate::token::access::{self, AccessClaims, ProtectedClaim};
use crate::token::refresh::MintError;
#[cfg(feature = "server")]
use crate::token::server as tokens;
use crate::workers::Workers;

use protocol::Format;
use refresh_key::RefreshKey;

pub use check::{CheckOutcome, LiveSession};
pub use create::{CreateOutcome, NewSession};
pub use issued::{IssuedAccess, IssuedSession};
pub use jwt::{JwtOutcome, JwtRequest, MAX_JWT_VALIDITY};
pub use open::Engines;
pub use protocol::{Protocol, RefreshRules};
pub use refresh::{RefreshOutcome, RefreshRequest};
pub use reissue::ReissueOutcome;
#[cfg(feature = "server")]
pub use server::{PublicKey, RegenerateOutcome, RegenerateRequest, VerifyOutcome, VerifyRequest};
pub use settings::EngineSettings;

#[cfg(feature = "server")]
pub use crate::token::server::TokenVersion;

/// The session rules over one store, for one app. See the [module documentation](self).
pub struct Engine {
    pub(crate) app: AppId,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: KeyRing,
    refresh_key: RefreshKey,
    workers: Workers,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: EngineSettings,
}

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
    /// Creates the signing keys if there are none, so that a failure shows at the start.
    pub(crate) async fn prepare_keys(&self, kind: KeyKind) -> Result<(), Fault> {
        self.keys.signer(kind, self.clock.now()).await?;
        Ok(())
    }

    /// Signs an access token with these `claims` and the application's `custom` payload.
    async fn mint_access(
        &self,
        claims: AccessClaims,
        custom: &JsonObject,
        format: Format,
        kind: KeyKind,
        now: UnixMillis,
    ) -> Result<IssuedAccess, MintFailure> {
        let key = self.keys.signer(format.key_kind(kind), now).await?;
        let (signing_input, payload) = match format {
            Format::Application => {
                let payload = access::payload(&claims, custom)?;
                let header = key.public().session_header();
                (access::signing_input(header, &payload), payload)
            }
            #[cfg(feature = "server")]
            Format::Core(version) => {
                server::check_algorithm(version, key.public().algorithm())?;
                let input = tokens::signing_input(&claims, custom, version, key.public())?;
                (input, custom.clone())
            }
        };
        let token = self.sign(key, signing_input, format).await?;
        Ok(IssuedAccess {
            token: AccessToken::new(token),
            claims,
            payload,
        })
    }

    /// Signs on a signing thread, because a signature takes most of a millisecond with RSA.
    async fn sign(
        &self,
        key: Arc<SigningKey>,
        signing_input: String,
        format: Format,
    ) -> Result<String, Fault> {
        let signed = self
            .workers
            .run(move || {
                key.sign(signing_input.as_bytes())
                    .map(|signature| format.assemble(signing_input, &signature))
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
        let longest = self.settings.access_token_validity;
        let validity = match asked {
            Some(validity) => validity.min(longest),
            None => {
                let jitter = self.settings.access_token_validity_jitter;
                longest.mul_f64(1.0 - jitter * random_unit(&*self.entropy)?)
            }
        };
        Ok(Self::access_expiry_after(validity, now, session_expires_at))
    }

    fn access_expiry_after(
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
        let sliding = now.after(self.settings.refresh_token_validity);
        match self.settings.absolute_session_lifetime {
            Some(lifetime) => sliding.min(created_at.after(lifetime)),
            None => sliding,
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("app", &self.app)
            .field("settings", &self.settings)
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
