//! Instants, and where they come from.
//!
//! JWT times are seconds, everything else on the wire and in the store is milliseconds. The two are
//! different types, so that mixing them does not compile. Only [`Clock`] reads the time; everything
//! below `Sessions` takes `now` as a parameter, and the stores too, so one clock decides.

use std::fmt;
use std::time::Duration;

/// An instant: whole milliseconds since the Unix epoch.
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

/// An instant: whole seconds since the Unix epoch, as JWTs count.
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
    /// The instant that many milliseconds after the epoch.
    #[must_use]
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Milliseconds since the epoch, for stores whose integers are signed. Saturates at `i64::MAX`.
    #[must_use]
    pub fn as_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// Reads a stored value back; negative values, which no clock here writes, become the epoch.
    #[must_use]
    pub fn from_i64(millis: i64) -> Self {
        Self(u64::try_from(millis).unwrap_or(0))
    }

    /// The whole seconds of this instant; the rest is dropped.
    #[must_use]
    pub const fn floor_seconds(self) -> UnixSeconds {
        UnixSeconds(self.0 / 1_000)
    }

    /// How long after `earlier` this is; zero if it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This instant moved forward, capped at the largest instant.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// This instant moved back, capped at the epoch.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

impl UnixSeconds {
    /// The instant that many seconds after the epoch.
    #[must_use]
    pub const fn new(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
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

/// Where the time comes from. Tests inject one that they move by hand.
pub trait Clock: Send + Sync + 'static {
    /// The current time.
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
