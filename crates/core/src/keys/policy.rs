//! Rules for when a rotating key is created, used, published and deleted (core specification, 4.1).

use std::time::Duration;

use crate::clock::UnixMillis;

/// The lifetimes of rotating keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyPolicy {
    /// `I`: the time for which a key is the newest.
    pub(crate) update_interval: Duration,
    /// `V`: the validity of access tokens.
    pub(crate) access_token_validity: Duration,
    /// `O`: the time for which a key is published before it is used.
    pub(crate) overlap: Duration,
}

impl KeyPolicy {
    /// Returns the creation time from which on keys verify and are published.
    pub(crate) fn verifies_since(&self, now: UnixMillis) -> UnixMillis {
        now.before(self.verifying_span())
    }

    fn verifying_span(&self) -> Duration {
        let validity = self.access_token_validity.saturating_mul(2);
        self.update_interval.saturating_add(validity)
    }

    /// Returns the last time at which a key created at this time verifies.
    pub(crate) fn verifies_until(&self, created_at: UnixMillis) -> UnixMillis {
        created_at.after(self.verifying_span())
    }

    /// Returns the creation time from which on a key counts as young. While a young key exists, no
    /// new one is due.
    pub(crate) fn young_since(&self, now: UnixMillis) -> UnixMillis {
        now.before(self.update_interval.saturating_sub(self.overlap))
    }

    /// Returns `true` if a key that cannot be replaced, because the store fails, may continue to
    /// sign. Its tokens must be verifiable until they expire.
    pub(crate) fn signs_in_need(&self, created_at: UnixMillis, now: UnixMillis) -> bool {
        now.since(created_at)
            < self
                .update_interval
                .saturating_add(self.access_token_validity)
    }

    /// Returns the index of the rotating key that signs, given the creation times, newest first.
    /// The newest key signs, unless it may not be published everywhere yet and the previous key is
    /// still suitable.
    pub(crate) fn index_of_signer(&self, created: &[UnixMillis], now: UnixMillis) -> usize {
        match created {
            [newest, second, ..]
                if now.since(*newest) < self.overlap
                    && now.since(*second) < self.update_interval =>
            {
                1
            }
            _ => 0,
        }
    }

    /// Returns how long the key set may be cached: until the successor of the newest key is due.
    pub(crate) fn max_age(&self, newest: UnixMillis, now: UnixMillis) -> Duration {
        let due = newest.after(self.update_interval).before(self.overlap);
        Duration::from_secs(due.since(now).as_secs().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: KeyPolicy = KeyPolicy {
        update_interval: Duration::from_secs(3_600),
        access_token_validity: Duration::from_secs(100),
        overlap: Duration::from_secs(60),
    };

    fn at(seconds: u64) -> UnixMillis {
        UnixMillis::new(seconds * 1_000)
    }

    #[test]
    fn a_key_verifies_for_the_interval_and_twice_the_validity() {
        assert_eq!(POLICY.verifies_since(at(10_000)), at(10_000 - 3_800));
        assert_eq!(POLICY.verifies_until(at(10_000 - 3_800)), at(10_000));
        assert_eq!(POLICY.young_since(at(10_000)), at(10_000 - 3_540));
    }

    #[test]
    fn a_new_key_signs_only_after_the_overlap_while_the_old_one_is_usable() {
        let signer = |created: &[u64], now| {
            let created: Vec<_> = created.iter().map(|s| at(*s)).collect();
            POLICY.index_of_signer(&created, at(now))
        };
        assert_eq!(signer(&[5_000], 5_001), 0);
        assert_eq!(signer(&[5_000, 1_460], 5_001), 1);
        assert_eq!(signer(&[5_000, 1_460], 5_059), 1);
        assert_eq!(signer(&[5_000, 1_460], 5_060), 0);
        assert_eq!(
            signer(&[5_000, 1_400], 5_000),
            0,
            "the old one is past its interval"
        );
    }

    #[test]
    fn the_cache_time_ends_when_the_next_key_is_due() {
        assert_eq!(POLICY.max_age(at(0), at(0)).as_secs(), 3_540);
        assert_eq!(POLICY.max_age(at(0), UnixMillis::new(1)).as_secs(), 3_539);
        assert_eq!(POLICY.max_age(at(0), at(3_600)).as_secs(), 1);
    }
}
