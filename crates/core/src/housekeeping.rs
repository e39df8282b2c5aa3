//! Deletes expired sessions in bounded batches, and keys whose last token is dead.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::authority::Authority;
use crate::background::Background;
use crate::clock::Clock;
use crate::entropy::{Entropy, random_unit};
use crate::error::Fault;
use crate::telemetry;

/// Sessions in one batch: small enough not to hold up other writes.
const BATCH: u32 = 500;

/// Starts a thread that cleans up every `interval`, give or take a fifth, so that several nodes do
/// not do it at once.
///
/// The thread itself draws no randomness. It may outlive `main`, and AWS-LC aborts a process in
/// which a thread asks for its first random bytes after the process has begun to exit.
pub(crate) fn start(
    authority: Weak<dyn Authority>,
    clock: Arc<dyn Clock>,
    entropy: &dyn Entropy,
    interval: Duration,
) -> io::Result<Background> {
    // A source out of order harms nobody here, and whoever mints with it is told.
    let share = random_unit(entropy).unwrap_or(0.5);
    let pause = interval.mul_f64(0.8 + 0.4 * share);
    Background::start("supersession-housekeeper", pause, move || {
        let Some(authority) = authority.upgrade() else {
            return;
        };
        if let Err(fault) = pollster::block_on(clean_up(&*authority, &*clock)) {
            // The next round tries again; nothing depends on this one.
            telemetry::fault_met(&fault);
        }
    })
}

/// Deletes everything that is due and tells how many sessions that were.
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
