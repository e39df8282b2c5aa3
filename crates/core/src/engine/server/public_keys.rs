//! Public keys for SDKs without support for key sets (core specification, 4.1 and 4.2).

use std::time::Duration;

use crate::clock::UnixMillis;
use crate::engine::Engine;
use crate::error::Fault;
use crate::store::KeyKind;

/// A public key, for SDKs without support for key sets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicKey {
    /// Base64 of the public key (SPKI).
    pub public_key: String,
    /// Time of creation.
    pub created_at: UnixMillis,
    /// The time until which the key signs: `created_at` plus the update interval.
    pub signs_until: UnixMillis,
    /// The time until which tokens of the key verify: `created_at` plus the update interval plus
    /// twice the validity of access tokens (core specification, 4.1).
    pub verifies_until: UnixMillis,
    /// `true` for the key that signs now. A new key is listed before it signs.
    pub signs: bool,
}

impl Engine {
    /// Returns the public keys of a kind that verify now, newest first, for SDKs without support
    /// for key sets.
    ///
    /// # Errors
    /// A fault if the store fails or the keys are unavailable.
    pub async fn public_keys(&self, kind: KeyKind) -> Result<Vec<PublicKey>, Fault> {
        const DECADE: Duration = Duration::from_secs(3_650 * 24 * 3_600);
        let now = self.clock.now();
        let signer = self.keys.signer(kind, now).await?;
        let verifying: Vec<_> = self.keys.verifiers(now);
        let stored = self.store.signing_keys(&self.app).await?;
        let stored = stored
            .iter()
            .filter(|key| key.kind == kind && verifying.iter().any(|known| known.kid == key.kid));
        let policy = self.keys.policy();
        Ok(stored
            .map(|key| {
                let (signs_until, verifies_until) = match kind {
                    KeyKind::Dynamic => (
                        key.created_at.after(policy.update_interval),
                        policy.verifies_until(key.created_at),
                    ),
                    KeyKind::Static => {
                        let end = key.created_at.after(DECADE);
                        (end, end)
                    }
                };
                PublicKey {
                    // The private key after the separator is never returned.
                    public_key: key
                        .key_pair
                        .expose()
                        .split(['|', ';'])
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                    created_at: key.created_at,
                    signs_until,
                    verifies_until,
                    signs: key.kid == signer.public().kid,
                }
            })
            .collect())
    }
}
