//! Pauses before retries of a host that responds with 429, as in SuperTokens' SDKs.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Maximum number of retries of a host after 429, in one call.
const RETRIES: u32 = 5;
/// The first pause.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Maximum `retry-after` that is respected.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Default difference between a pause and the previous one.
pub(crate) const DEFAULT_STEP: Duration = Duration::from_millis(250);

/// Waits before the next attempt. Returns `false` immediately if no retry or no time is left.
///
/// The pauses are 10 ms and then one `step` longer each time. If the host requests a longer pause
/// with `retry-after`, that pause is used, up to a second.
pub(crate) async fn wait(
    retries: u32,
    step: Duration,
    retry_after: Option<Duration>,
    deadline: Instant,
) -> bool {
    let pause = FIRST_PAUSE.saturating_add(step.saturating_mul(retries));
    let pause = pause.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER));
    let left = deadline.saturating_duration_since(Instant::now());
    if retries >= RETRIES || pause >= left {
        return false;
    }
    sleep(pause).await;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pauses(retry_after: Option<Duration>, timeout: Duration) -> Vec<u128> {
        let deadline = Instant::now() + timeout;
        let mut pauses = Vec::new();
        loop {
            let before = Instant::now();
            let retries = u32::try_from(pauses.len()).unwrap();
            if !wait(retries, DEFAULT_STEP, retry_after, deadline).await {
                assert_eq!(before, Instant::now());
                return pauses;
            }
            pauses.push(before.elapsed().as_millis());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn five_pauses_grow_linearly_and_respect_retry_after() {
        let minute = Duration::from_secs(60);
        assert_eq!(pauses(None, minute).await, [10, 260, 510, 760, 1_010]);
        let requested = |millis| Some(Duration::from_millis(millis));
        assert_eq!(
            pauses(requested(300), minute).await,
            [300, 300, 510, 760, 1_010]
        );
        assert_eq!(
            pauses(requested(9_000), minute).await,
            [1_000, 1_000, 1_000, 1_000, 1_010]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn no_pause_exceeds_the_deadline_of_the_call() {
        assert_eq!(pauses(None, Duration::from_millis(271)).await, [10, 260]);
        assert_eq!(pauses(None, Duration::from_millis(270)).await, [10]);
    }
}
