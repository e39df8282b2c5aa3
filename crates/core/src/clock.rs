//! Timestamps, and the clock that provides them.
//!
//! JWT times are seconds; every other time on the wire and in the store is milliseconds. The two
//! are separate types, so that mixing them does not compile. Only a [`Clock`] reads the time.
//! Everything below `Sessions`, including the stores, takes `now` as a parameter, so a single clock
//! decides.

use std::fmt;
use std::time::Duration;

/// A timestamp in whole milliseconds since the Unix epoch.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(u64);

/// A timestamp in whole seconds since the Unix epoch, as in JWTs.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct UnixSeconds(u64);

impl UnixMillis {
    /// Creates a timestamp from milliseconds since the epoch.
    #[must_use]
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since the epoch.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the milliseconds since the epoch, for stores with signed integers. Saturates at
    /// `i64::MAX`.
    #[must_use]
    pub fn as_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// Converts a stored value back. Negative values, which no clock produces, become the epoch.
    #[must_use]
    pub fn from_i64(millis: i64) -> Self {
        Self(u64::try_from(millis).unwrap_or(0))
    }

    /// Rounds down to whole seconds.
    #[must_use]
    pub const fn floor_seconds(self) -> UnixSeconds {
        UnixSeconds(self.0 / 1_000)
    }

    /// Returns the time elapsed since `earlier`, or zero if `earlier` is later than this timestamp.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Adds `span`. Saturates at the largest timestamp.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// Subtracts `span`. Saturates at the epoch.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

impl UnixSeconds {
    /// Creates a timestamp from seconds since the epoch.
    #[must_use]
    pub const fn new(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Returns the seconds since the epoch.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl From<UnixSeconds> for UnixMillis {
    fn from(seconds: UnixSeconds) -> Self {
        Self(seconds.0.saturating_mul(1_000))
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The source of the current time. Tests inject a clock that they move by hand.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> UnixMillis;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the system's clock"
    )]
    fn now(&self) -> UnixMillis {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        UnixMillis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> UnixMillis {
        (**self).now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_milliseconds_convert_without_overflow() {
        assert_eq!(UnixMillis::new(1_999).floor_seconds(), UnixSeconds::new(1));
        assert_eq!(
            UnixMillis::from(UnixSeconds::new(2)),
            UnixMillis::new(2_000)
        );
        assert_eq!(UnixMillis::from(UnixSeconds::new(u64::MAX)).get(), u64::MAX);
        assert_eq!(UnixMillis::new(5).after(Duration::MAX).get(), u64::MAX);
        assert_eq!(UnixMillis::new(5).before(Duration::from_secs(1)).get(), 0);
        assert_eq!(UnixMillis::from_i64(-3).get(), 0);
        assert_eq!(UnixMillis::new(u64::MAX).as_i64(), i64::MAX);
    }
}
