//! The settings of an engine. The defaults and bounds of all lifetimes stand here only: the builder
//! and the server check against the same constants.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::Fault;
use crate::keys::{KeyPolicy, SigningAlgorithm};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// The lifetimes of an app's tokens, sessions and keys (core specification, 1.7 and 4.1), and its
/// other settings. The fields have the names of the methods of
/// [`SessionsBuilder`](crate::SessionsBuilder).
///
/// [`Engines::open`](super::Engines::open) rejects values that would overflow. The narrower ranges
/// that are useful in production are constants here, which the builder and the server enforce.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EngineSettings {
    /// Validity of an access token.
    pub access_token_validity: Duration,
    /// Maximum share of its validity by which an access token is randomly shortened.
    pub access_token_validity_jitter: f64,
    /// Lifetime of a session after its creation or last refresh.
    pub refresh_token_validity: Duration,
    /// Grace period for reusing a rotated refresh token.
    pub refresh_token_rotation_grace_period: Duration,
    /// Time after a rotation in which the rotated refresh token still yields its successor, as long
    /// as the successor itself was never exchanged. `None` applies the grace period alone.
    pub lost_response_window: Option<Duration>,
    /// Maximum lifetime of a session, counted from its creation, regardless of refreshes.
    pub absolute_session_lifetime: Option<Duration>,
    /// If set, reuse of the previous refresh token or of an orphaned sibling of the current one is
    /// reported as theft. Reuse of any other token always is.
    pub report_recent_token_reuse_as_theft: bool,
    /// Time for which a rotating signing key is the newest.
    pub signing_key_update_interval: Duration,
    /// Time for which a new signing key is published before it signs.
    pub signing_key_overlap: Duration,
    /// The algorithm of new rotating signing keys.
    pub signing_algorithm: SigningAlgorithm,
    /// If set, [`Engine::create_jwt`](super::Engine::create_jwt) signs payloads that have the
    /// members of a session token, and a core accepts such JWTs as access tokens, as SuperTokens'
    /// core does.
    ///
    /// # Security
    /// Every client that may call the JWT recipe can then sign tokens for any user.
    pub jwts_as_sessions: bool,
}

impl Default for EngineSettings {
    /// Returns the defaults of SuperTokens' core.
    fn default() -> Self {
        Self {
            access_token_validity: HOUR,
            access_token_validity_jitter: 0.05,
            refresh_token_validity: 100 * DAY,
            refresh_token_rotation_grace_period: Duration::from_secs(30),
            lost_response_window: None,
            absolute_session_lifetime: None,
            report_recent_token_reuse_as_theft: true,
            signing_key_update_interval: 7 * DAY,
            signing_key_overlap: Duration::from_secs(60),
            signing_algorithm: SigningAlgorithm::default(),
            jwts_as_sessions: true,
        }
    }
}

impl EngineSettings {
    /// The longest duration of any setting: 36,500 days. No sum of a time and a few of them
    /// overflows.
    pub const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);
    /// The range of [`access_token_validity`](Self::access_token_validity).
    pub const ACCESS_TOKEN_VALIDITY: RangeInclusive<Duration> =
        RangeInclusive::new(SECOND, Duration::from_secs(86_400_000));
    /// The range of [`access_token_validity_jitter`](Self::access_token_validity_jitter).
    pub const JITTER: RangeInclusive<f64> = RangeInclusive::new(0.0, 0.25);
    /// The range of
    /// [`refresh_token_rotation_grace_period`](Self::refresh_token_rotation_grace_period).
    pub const GRACE_PERIOD: RangeInclusive<Duration> =
        RangeInclusive::new(Duration::ZERO, Duration::from_secs(300));
    /// The range of [`signing_key_update_interval`](Self::signing_key_update_interval).
    pub const KEY_UPDATE_INTERVAL: RangeInclusive<Duration> =
        RangeInclusive::new(HOUR, Self::LONGEST);
    /// The range of the number of signing threads.
    pub const SIGNING_THREADS: RangeInclusive<usize> = RangeInclusive::new(1, 1_024);

    /// Rejects values that would overflow.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let durations = [
            ("access_token_validity", self.access_token_validity),
            ("refresh_token_validity", self.refresh_token_validity),
            (
                "refresh_token_rotation_grace_period",
                self.refresh_token_rotation_grace_period,
            ),
            (
                "lost_response_window",
                self.lost_response_window.unwrap_or_default(),
            ),
            (
                "absolute_session_lifetime",
                self.absolute_session_lifetime.unwrap_or_default(),
            ),
            (
                "signing_key_update_interval",
                self.signing_key_update_interval,
            ),
            ("signing_key_overlap", self.signing_key_overlap),
        ];
        for (name, duration) in durations {
            if duration > Self::LONGEST {
                return Err(Fault::misuse(format!(
                    "{name}: {duration:?} is out of range. Fix: choose at most 36,500 days"
                )));
            }
        }
        let jitter = self.access_token_validity_jitter;
        if !Self::JITTER.contains(&jitter) {
            return Err(Fault::misuse(format!(
                "access_token_validity_jitter: {jitter} is out of range. Fix: choose 0 to 0.25"
            )));
        }
        Ok(())
    }

    pub(super) fn key_policy(&self) -> KeyPolicy {
        KeyPolicy {
            update_interval: self.signing_key_update_interval,
            access_token_validity: self.access_token_validity,
            overlap: self.signing_key_overlap,
        }
    }
}
