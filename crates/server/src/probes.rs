//! Rate limit for health checks that access the store: one token bucket for each app. A caller
//! without an API key therefore cannot overload the store.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use supersession::{AppId, Clock, Store, UnixMillis};

const CAPACITY: u64 = 5;
const ONE_TOKEN: Duration = Duration::from_millis(200);

#[derive(Default)]
pub(crate) struct Probes(Mutex<HashMap<AppId, Bucket>>);

struct Bucket {
    tokens: u64,
    granted_at: UnixMillis,
}

impl Probes {
    /// Returns `true` if a health check may access the store now. The app must exist. Otherwise,
    /// the number of buckets would be unlimited.
    pub(crate) fn take(&self, app: &AppId, now: UnixMillis) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(app.clone()).or_insert(Bucket {
            tokens: CAPACITY,
            granted_at: now,
        });
        let elapsed = now.since(bucket.granted_at).as_millis() / ONE_TOKEN.as_millis();
        let earned = u64::try_from(elapsed).unwrap_or(CAPACITY);
        bucket.tokens = bucket.tokens.saturating_add(earned).min(CAPACITY);
        if bucket.tokens == 0 {
            return false;
        }
        bucket.tokens -= 1;
        bucket.granted_at = now;
        true
    }
}

/// The result of the last write check of the store. At most one check runs at a time, and callers
/// within [`CHECK_INTERVAL`] after it get its result.
#[derive(Default)]
pub(crate) struct Readiness(tokio::sync::Mutex<Option<(UnixMillis, bool)>>);

const CHECK_INTERVAL: Duration = Duration::from_secs(1);

impl Readiness {
    pub(crate) async fn check(&self, store: &dyn Store, clock: &dyn Clock) -> bool {
        let mut last = self.0.lock().await;
        let now = clock.now();
        // If the clock has gone back, the result is treated as outdated.
        if let Some((at, outcome)) = *last
            && at <= now
            && now.since(at) < CHECK_INTERVAL
        {
            return outcome;
        }
        let outcome = store.check_ready().await;
        if let Err(error) = &outcome {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "not ready: the store is not writable"
            );
        }
        let ready = outcome.is_ok();
        *last = Some((clock.now(), ready));
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_at_once_then_one_in_200_milliseconds() {
        let probes = Probes::default();
        let app = AppId::default();
        let mut now = UnixMillis::new(1_000_000);
        for _ in 0..5 {
            assert!(probes.take(&app, now));
        }
        assert!(!probes.take(&app, now));
        now = now.after(Duration::from_millis(199));
        assert!(!probes.take(&app, now));
        now = now.after(Duration::from_millis(1));
        assert!(probes.take(&app, now));
        assert!(!probes.take(&app, now));
        assert!(probes.take(&AppId::from_stored("other"), now));
    }
}
