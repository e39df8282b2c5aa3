//! The harness that the benchmarks share.
//!
//! A *case* is a process of its own. On request, it performs a number of operations and reports
//! their cost. Separate processes keep one case from warming the caches or fragmenting the heap of
//! another, and they allow cases whose dependencies conflict to be measured together. The cases of
//! a table run in turns, round after round. The tables show the median over the rounds of the
//! ratios within a round, so that a change of the machine's speed between rounds does not affect
//! them.

mod allocations;
mod case;
mod latencies;
mod race;
mod served;
mod table;
mod tasks;
mod usage;

pub use allocations::{Allocations, Counting};
pub use case::{Turn, Worker, take_timed_turns, take_turns};
pub use latencies::Latencies;
pub use race::{Race, Racer, Spread};
pub use served::{Served, USERS, listener};
pub use table::{Table, count, kilobytes, micros, nanos, rate, ratio};
pub use tasks::keep_busy;
pub use usage::{cpu_time, process_cpu_time, resident_bytes};

/// The session data in every store: 386 bytes of JSON, similar to what a shop stores.
pub const SESSION_DATA: &str = r#"{"cart":[{"sku":"4006381333931","title":"Fountain pens","count":1,"cents":1890},{"sku":"9783161484100","title":"A short history of paper","count":2,"cents":2450}],"currency":"EUR","coupon":null,"lastVisited":["/pens/fountain","/books/paper","/checkout/address"],"address":{"street":"Long Street 12","city":"Springfield","zip":"12345"},"newsletter":false,"step":"address","theme":"dark"}"#;

/// Returns the patch of 48 bytes that the cases merge into the session data.
#[must_use]
pub fn patch(turn: u64) -> String {
    format!(r#"{{"step":"pay","seen":{turn:>10},"theme":"light"}}"#)
}

/// A deterministic pseudo-random sequence, which selects the sessions.
#[derive(Clone, Debug)]
pub struct Sequence(u64);

impl Sequence {
    /// Creates the sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Returns a number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::{SESSION_DATA, patch};

    #[test]
    fn documents_have_the_sizes_that_the_tables_name() {
        assert_eq!(SESSION_DATA.len(), 386);
        assert_eq!(patch(1).len(), patch(1_000_000).len());
        assert_eq!(patch(7).len(), 48);
        assert!(serde_json::from_str::<serde_json::Value>(SESSION_DATA).is_ok());
        assert!(serde_json::from_str::<serde_json::Value>(&patch(7)).is_ok());
    }
}
