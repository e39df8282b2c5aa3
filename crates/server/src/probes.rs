//! How often health checks may touch the store: a bucket of tokens for each app, so that whoever
//! may call them without a key cannot keep the store busy.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use supersession::{AppId, UnixMillis};

const CAPACITY: u64 = 5;
const ONE_TOKEN: Duration = Duration::from_millis(200);

#[derive(Default)]
pub(crate) struct Probes(Mutex<HashMap<AppId, Bucket>>);

struct Bucket {
    tokens: u64,
    granted_at: UnixMillis,
}

impl Probes {
    /// Whether the store may be touched now. The app must be one that is there, or the buckets
    /// would be without number.
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
