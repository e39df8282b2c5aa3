//! Randomness that is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use supersession::{Entropy, EntropyError};

/// Bytes that look random and are the same in every run. Clones draw from one sequence.
///
/// For tests only: whoever knows the seed knows every token.
#[derive(Clone, Debug)]
pub struct SeededEntropy(Arc<Source>);

#[derive(Debug)]
struct Source {
    state: AtomicU64,
    broken: AtomicBool,
}

impl SeededEntropy {
    /// A sequence of its own for each seed.
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

    /// Ends what [`break_down`](Self::break_down) began. The sequence goes on where it was.
    pub fn repair(&self) {
        self.0.broken.store(false, Ordering::SeqCst);
    }

    /// SplitMix64: a counter whose step is odd, and a mix of it.
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
        // The published first value of SplitMix64 for the seed 1234567.
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
