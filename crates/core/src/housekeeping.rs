//! Deletes expired sessions in bounded batches, and signing keys without valid tokens.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::authority::Authority;
use crate::background::Background;
use crate::clock::Clock;
use crate::entropy::{Entropy, random_unit};
use crate::error::Fault;
use crate::telemetry;

/// Sessions per batch. A batch is small enough not to delay other writes.
const BATCH: u32 = 500;

/// Starts a thread that cleans up every `interval`, varied by up to a fifth so that several nodes
/// do not clean up at the same time.
///
/// The thread itself draws no randomness. It can outlive `main`, and AWS-LC aborts the process if a
/// thread requests its first random bytes after the process has begun to exit.
pub(crate) fn start(
    authority: Weak<dyn Authority>,
    clock: Arc<dyn Clock>,
    entropy: &dyn Entropy,
    interval: Duration,
) -> io::Result<Background> {
    // A failed source is harmless here. Minting reports it to its own caller.
    let share = random_unit(entropy).unwrap_or(0.5);
    let pause = interval.mul_f64(0.8 + 0.4 * share);
    Background::start("supersession-housekeeper", pause, move || {
        let Some(authority) = authority.upgrade() else {
            return;
        };
        if let Err(fault) = pollster::block_on(clean_up(&*authority, &*clock)) {
            // The next round tries again. Correctness does not depend on the cleanup.
            telemetry::fault_met(&fault);
        }
    })
}

/// Deletes everything that is due and returns the number of deleted sessions.
pub(crate) async fn clean_up(authority: &dyn Authority, clock: &dyn Clock) -> Result<u64, Fault> {
    let mut sessions = 0;
    loop {
        let deleted = authority.delete_expired(BATCH, clock.now()).await?;
        sessions += deleted;
        if deleted < u64::from(BATCH) {
            break;
        }
    }
    let keys = authority.retire_keys(clock.now()).await?;
    telemetry::cleanup_done(sessions, keys);
    Ok(sessions)
}
