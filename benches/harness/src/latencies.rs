//! Latencies of single operations.

use std::time::Duration;

/// Latencies of single operations, in nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<u64>);

impl Latencies {
    /// Adds a latency.
    pub fn push(&mut self, took: Duration) {
        self.0
            .push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Returns the number of latencies.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Adds the latencies of another task.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Returns a percentile, such as 50 or 99, or `None` if nothing was measured.
    #[must_use]
    pub fn percentile(&mut self, percent: usize) -> Option<u64> {
        self.0.sort_unstable();
        let last = self.0.len().checked_sub(1)?;
        self.0.get(last * percent / 100).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Latencies;

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50), None);
        for nanos in (1..=101).rev() {
            latencies.push(Duration::from_nanos(nanos));
        }
        assert_eq!(latencies.percentile(50), Some(51));
        assert_eq!(latencies.percentile(99), Some(100));
    }
}
