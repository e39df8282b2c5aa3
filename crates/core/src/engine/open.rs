//! Creation of engines: one for each app, over one store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Engine, Lifetimes, PublicKey};
use crate::builder::limits::{LONGEST, MAX_SIGNING_THREADS};
use crate::clock::Clock;
use crate::entropy::{Entropy, random_uuid};
use crate::error::Fault;
use crate::ids::AppId;
use crate::keys::{KeyPolicy, KeyRing, SigningAlgorithm};
use crate::store::{KeyKind, Store};
use crate::workers::Workers;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The session settings of an app.
#[derive(Clone, Copy, Debug)]
pub struct EngineSettings {
    /// Lifetimes of tokens and sessions.
    pub lifetimes: Lifetimes,
    /// Time for which a rotating signing key is the newest.
    pub key_update_interval: Duration,
    /// Time for which a new signing key is published before it signs.
    pub key_overlap: Duration,
    /// If set, [`Engine::sign_jwt`] signs payloads that have the members of a session token, and
    /// [`Engine::verify_session`] accepts such JWTs, as SuperTokens' core does.
    ///
    /// # Security
    /// Every client that may call the JWT recipe can then sign tokens for any user.
    pub jwts_as_sessions: bool,
}

impl Default for EngineSettings {
    /// Returns the defaults of SuperTokens' core.
    fn default() -> Self {
        Self {
            lifetimes: Lifetimes {
                access_token_validity: HOUR,
                access_token_validity_jitter: 0.05,
                refresh_token_validity: 100 * DAY,
                rotation_grace_period: Duration::from_secs(30),
                absolute_session_lifetime: None,
                recent_reuse_is_theft: true,
            },
            key_update_interval: 7 * DAY,
            key_overlap: Duration::from_secs(60),
            jwts_as_sessions: true,
        }
    }
}

impl EngineSettings {
    /// Rejects values that would overflow later. [`SessionsBuilder`](crate::SessionsBuilder) checks
    /// the ranges that are useful for an application.
    fn check(&self) -> Result<(), Fault> {
        let Lifetimes {
            access_token_validity,
            access_token_validity_jitter,
            refresh_token_validity,
            rotation_grace_period,
            absolute_session_lifetime,
            recent_reuse_is_theft: _,
        } = self.lifetimes;
        let durations = [
            ("access_token_validity", access_token_validity),
            ("refresh_token_validity", refresh_token_validity),
            ("rotation_grace_period", rotation_grace_period),
            (
                "absolute_session_lifetime",
                absolute_session_lifetime.unwrap_or_default(),
            ),
            ("key_update_interval", self.key_update_interval),
            ("key_overlap", self.key_overlap),
        ];
        for (name, duration) in durations {
            if duration > LONGEST {
                return Err(Fault::misuse(format!(
                    "{name}: {duration:?} is out of range. Fix: choose at most 36,500 days"
                )));
            }
        }
        if !(0.0..=1.0).contains(&access_token_validity_jitter) {
            return Err(Fault::misuse(format!(
                "access_token_validity_jitter: {access_token_validity_jitter} is out of range. Fix: choose 0 to 0.25"
            )));
        }
        Ok(())
    }
}

/// Creates engines that share a store and the signing threads.
#[derive(Clone)]
pub struct Engines {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    workers: Workers,
}

impl Engines {
    /// Starts the signing threads, 1 to 1,024.
    ///
    /// # Errors
    /// A fault if the number is out of range, or if the operating system cannot start a thread.
    pub fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        signing_threads: usize,
    ) -> Result<Self, Fault> {
        if !(1..=MAX_SIGNING_THREADS).contains(&signing_threads) {
            return Err(Fault::misuse(format!(
                "signing_threads: {signing_threads} is out of range. Fix: choose 1 to 1,024"
            )));
        }
        let workers = Workers::start(signing_threads).map_err(|error| {
            Fault::internal("the signing threads cannot be started").with_source(error)
        })?;
        Ok(Self {
            store,
            clock,
            entropy,
            workers,
        })
    }

    /// Creates the engine of an app. Its refresh token key is created if there is none. Its signing
    /// keys are created when they are needed.
    ///
    /// # Errors
    /// A fault if the store fails, or if a setting is out of range. The message names the setting.
    pub async fn open(&self, app: AppId, settings: &EngineSettings) -> Result<Engine, Fault> {
        settings.check()?;
        let policy = KeyPolicy {
            update_interval: settings.key_update_interval,
            access_token_validity: settings.lifetimes.access_token_validity,
            overlap: settings.key_overlap,
        };
        let refresh_token_key = Engine::establish_refresh_token_key(
            &app,
            &*self.store,
            &*self.entropy,
            self.clock.now(),
        )
        .await?;
        let keys = KeyRing::new(
            app.clone(),
            policy,
            SigningAlgorithm::default(),
            Arc::clone(&self.store),
            Arc::clone(&self.entropy),
            self.workers.clone(),
        );
        Ok(Engine::new(
            app,
            Arc::clone(&self.store),
            keys,
            refresh_token_key,
            self.workers.clone(),
            Arc::clone(&self.clock),
            Arc::clone(&self.entropy),
            settings.lifetimes,
        )
        .jwts_as_sessions(settings.jwts_as_sessions))
    }
}

impl fmt::Debug for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engines(..)")
    }
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

    /// Returns a random UUID (version 4) from the engine's source of randomness, for identifiers of
    /// older protocols that the engine does not use.
    ///
    /// # Errors
    /// A fault if the source of randomness fails.
    pub fn random_uuid(&self) -> Result<String, Fault> {
        Ok(random_uuid(&*self.entropy)?.to_string())
    }
}
