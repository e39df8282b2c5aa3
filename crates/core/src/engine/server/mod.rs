//! Functions that only a core needs, which answers the backend SDKs of other languages: access
//! tokens of all versions as text, their verification and regeneration, and public keys outside of
//! key sets. Compiled with the feature `server` only.
//!
//! ```
//! use std::sync::Arc;
//! use supersession::engine::{
//!     CreateOutcome, EngineSettings, Engines, NewSession, Protocol, RefreshRules, TokenVersion,
//! };
//! use supersession::store::MemoryStore;
//! use supersession::{AppId, Clock, SystemClock, SystemEntropy, TenantId};
//!
//! # pollster::block_on(async {
//! let store = Arc::new(MemoryStore::new());
//! let engines = Engines::start(store, Arc::new(SystemClock), Arc::new(SystemEntropy), 2)?;
//! let engine = engines.open(AppId::default(), &EngineSettings::default()).await?;
//! let new = NewSession::new("alice".into(), TenantId::default());
//! let protocol = Protocol::of_core(RefreshRules::Rotation, TokenVersion::V5);
//! let created = engine.create(new, protocol, SystemClock.now()).await?;
//! let CreateOutcome::Created(issued) = created else {
//!     unreachable!("the payload is empty");
//! };
//! assert_eq!(issued.access.claims.user_id, "alice");
//! # Ok::<(), supersession::Fault>(())
//! # }).unwrap();
//! ```

mod public_keys;
mod regenerate;
mod verify;

use super::protocol::{Format, Protocol, RefreshRules};
use super::{Engine, MintFailure};
use crate::entropy::random_uuid;
use crate::error::Fault;
use crate::keys::{JwkSet, SigningAlgorithm};
use crate::token::server::TokenVersion;

pub use public_keys::PublicKey;
pub use regenerate::{RegenerateOutcome, RegenerateRequest};
pub use verify::{VerifyOutcome, VerifyRequest};

const TOO_OLD_FOR_THE_KEY: &str = "SDKs of CDI 2.20 and older verify RS256 only, and the keys of this app have another algorithm. Fix: update the SDK, or leave `access_token_signing_algorithm` out where applications open the same database";

/// All tokens of the oldest versions have the same header, which names RS256.
pub(super) fn check_algorithm(
    version: TokenVersion,
    algorithm: SigningAlgorithm,
) -> Result<(), Fault> {
    if version.is_oldest() && algorithm != SigningAlgorithm::Rs256 {
        return Err(Fault::misuse(TOO_OLD_FOR_THE_KEY));
    }
    Ok(())
}

impl Protocol {
    /// Returns the protocol of a backend SDK: the rules, and the format of new access tokens.
    #[must_use]
    pub fn of_core(rules: RefreshRules, version: TokenVersion) -> Self {
        Self {
            rules,
            format: Format::Core(version),
        }
    }
}

impl Engine {
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

    /// Returns a random UUID (version 4) from the engine's source of randomness, for identifiers of
    /// older protocols that the engine does not use.
    ///
    /// # Errors
    /// A fault if the source of randomness fails.
    pub fn random_uuid(&self) -> Result<String, Fault> {
        Ok(random_uuid(&*self.entropy)?.to_string())
    }
}
