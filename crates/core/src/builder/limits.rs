//! Ranges of durations, counts and sizes. Within them, no arithmetic overflows and no thread spins.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::SessionsBuilder;
use super::check::Problems;
use crate::engine::EngineSettings;

const MILLISECOND: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(86_400);
/// The cache allocates space for its entries when it is built.
const MAX_CACHED_TOKEN_BYTES: usize = 4 * 1024 * 1024 * 1024;

impl SessionsBuilder {
    pub(super) fn check_lifetimes(&self, problems: &mut Problems) {
        let EngineSettings {
            access_token_validity,
            refresh_token_validity,
            ..
        } = self.engine;
        problems.check_range(
            "access_token_validity",
            &access_token_validity,
            &EngineSettings::ACCESS_TOKEN_VALIDITY,
            "choose 1 to 86,400,000 seconds",
        );
        if refresh_token_validity <= access_token_validity {
            problems.add(
                "refresh_token_validity",
                "does not exceed access_token_validity, so sessions would end before their first refresh",
                "choose a longer one, such as 100 days",
            );
        }
        problems.check_range(
            "refresh_token_validity",
            &refresh_token_validity,
            &(Duration::ZERO..=EngineSettings::LONGEST),
            "choose at most 36,500 days",
        );
        if let Some(lifetime) = self.engine.absolute_session_lifetime {
            if lifetime < access_token_validity {
                problems.add(
                    "absolute_session_lifetime",
                    "is shorter than access_token_validity",
                    "choose a longer one, or shorten access_token_validity",
                );
            }
            problems.check_range(
                "absolute_session_lifetime",
                &lifetime,
                &(Duration::ZERO..=EngineSettings::LONGEST),
                "choose at most 36,500 days, or leave it out",
            );
        }
        problems.check_range(
            "refresh_token_rotation_grace_period",
            &self.engine.refresh_token_rotation_grace_period,
            &EngineSettings::GRACE_PERIOD,
            "choose 0 to 300 seconds",
        );
        problems.check_range(
            "lost_response_window",
            &self.engine.lost_response_window.unwrap_or_default(),
            &(Duration::ZERO..=EngineSettings::LONGEST),
            "choose at most 36,500 days, or leave it out",
        );
        problems.check_range(
            "access_token_validity_jitter",
            &self.engine.access_token_validity_jitter,
            &EngineSettings::JITTER,
            "choose 0 to 0.25",
        );
        problems.check_range(
            "signing_key_update_interval",
            &self.engine.signing_key_update_interval,
            &EngineSettings::KEY_UPDATE_INTERVAL,
            "choose one hour to 36,500 days",
        );
        problems.check_range(
            "revocation_poll_interval",
            &self.revocation_poll_interval,
            &(MILLISECOND..=DAY),
            "choose a millisecond to a day, such as 5 seconds",
        );
        if let Some(interval) = self.cleanup_interval {
            problems.check_range(
                "cleanup_interval",
                &interval,
                &(MILLISECOND..=EngineSettings::LONGEST),
                "choose a millisecond to 36,500 days, or None to turn it off",
            );
        }
    }

    pub(super) fn check_sizes(&self, problems: &mut Problems) {
        if let Some(bytes) = self.max_access_token_bytes {
            problems.check_range(
                "max_access_token_bytes",
                &bytes,
                &(1_000..=8_000),
                "choose 1,000 to 8,000 bytes, or leave it out",
            );
        }
        problems.check_range(
            "signing_threads",
            &self.signing_threads,
            &EngineSettings::SIGNING_THREADS,
            "choose 1 to 1,024, or leave it out",
        );
        problems.check_range(
            "verified_token_cache",
            &self.verified_token_cache,
            &(0..=MAX_CACHED_TOKEN_BYTES),
            "choose 0 to 4 GiB",
        );
    }
}

impl Problems {
    fn check_range<T: PartialOrd + Debug>(
        &mut self,
        setting: &'static str,
        value: &T,
        range: &RangeInclusive<T>,
        fix: &str,
    ) {
        if !range.contains(value) {
            self.add(setting, format!("{value:?} is out of range"), fix);
        }
    }
}
