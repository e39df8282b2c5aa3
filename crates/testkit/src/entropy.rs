//! Deterministic randomness for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use supersession::{Entropy, EntropyError};

/// A pseudo-random sequence that is the same in every run. Clones draw from one sequence.
///
/// For tests only: anyone who knows the seed can compute every token.
#[derive(Clone, Debug)]
pub struct SeededEntropy(Arc<Source>);

#[derive(Debug)]
struct Source {
    state: AtomicU64,
    broken: AtomicBool,
}

impl SeededEntropy {
    /// Creates the sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Source {
            state: AtomicU64::new(seed),
            broken: AtomicBool::new(false),
        }))
    }

    /// Makes every draw fail until [`repair`](Self::repair).
    pub fn break_down(&self) {
        self.0.broken.store(true, Ordering::SeqCst);
    }

    /// Reverts [`break_down`](Self::break_down). The sequence continues where it stopped.
    pub fn repair(&self) {
        self.0.broken.store(false, Ordering::SeqCst);
    }

    /// SplitMix64: a counter with an odd step, and a mixing function.
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let state = self
            .0
            .state
            .fetch_add(STEP, Ordering::SeqCst)
            .wrapping_add(STEP);
        let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        state ^ (state >> 31)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        if self.0.broken.load(Ordering::SeqCst) {
            return Err(EntropyError);
        }
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(entropy: &SeededEntropy) -> [u8; 20] {
        let mut bytes = [0; 20];
        entropy.fill(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_seed_gives_the_same_sequence_each_time_and_another_seed_another_one() {
        let (one, same, other) = (
            SeededEntropy::new(1),
            SeededEntropy::new(1),
            SeededEntropy::new(2),
        );
        let first = draw(&one);
        assert_eq!(first, draw(&same));
        assert_ne!(first, draw(&other));
        assert_ne!(first, draw(&one));
        // The first value of SplitMix64 for the seed 1234567, as published.
        assert_eq!(
            SeededEntropy::new(1_234_567).next(),
            6_457_827_717_110_365_317
        );
    }

    #[test]
    fn a_broken_source_fails_until_it_is_repaired() {
        let entropy = SeededEntropy::new(1);
        entropy.break_down();
        assert!(entropy.clone().fill(&mut [0; 4]).is_err());
        entropy.repair();
        assert_eq!(draw(&entropy), draw(&SeededEntropy::new(1)));
    }
}
