//! The dependencies of an application under test: store, clock, randomness and engine settings.

use std::time::Duration;

use supersession::{RefreshRules, Sessions, SessionsBuilder, Store, UnixMillis};

use crate::{FaultStore, ManualClock, SeededEntropy};

/// The time at which every application starts.
pub(super) const START: UnixMillis = UnixMillis::new(1_767_225_600_000);

/// The dependencies of an application: a store with publicly known signing keys, and time and
/// randomness that are the same in every run.
#[derive(Clone, Debug)]
pub struct World {
    /// The store.
    pub store: FaultStore<dyn Store>,
    /// The clock.
    pub clock: ManualClock,
    /// The source of randomness.
    pub entropy: SeededEntropy,
    /// The settings of the engine.
    pub terms: Terms,
}

/// The engine settings that a script varies. All other settings have their defaults, except for the
/// jitter of validities, which is zero.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Validity of access tokens.
    pub access_token_validity: Duration,
    /// Validity of refresh tokens.
    pub refresh_token_validity: Duration,
    /// If set, the reuse of a recently rotated refresh token is reported as theft.
    pub recent_reuse_is_theft: bool,
    /// The rules for refresh tokens.
    pub refresh_rules: RefreshRules,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            access_token_validity: Duration::from_secs(3_600),
            refresh_token_validity: Duration::from_secs(100 * 86_400),
            recent_reuse_is_theft: true,
            refresh_rules: RefreshRules::Rotation,
        }
    }
}

impl World {
    /// Returns a builder for an engine in this process.
    pub fn engine(self) -> SessionsBuilder {
        Sessions::builder(self.store)
            .access_token_validity(self.terms.access_token_validity)
            .access_token_validity_jitter(0.0)
            .refresh_token_validity(self.terms.refresh_token_validity)
            .report_recent_token_reuse_as_theft(self.terms.recent_reuse_is_theft)
            .refresh_rules(self.terms.refresh_rules)
            .cleanup_interval(None)
            .signing_threads(1)
    }
}
