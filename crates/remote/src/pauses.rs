//! Pauses before retries of a host that responds with 429, as in SuperTokens' SDKs.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Maximum number of retries of a host after 429, in one call.
pub(crate) const RETRIES: u32 = 5;
/// The first pause.
const FIRST: Duration = Duration::from_millis(10);
/// Maximum `retry-after` that is respected.
const LONGEST_ASKED: Duration = Duration::from_secs(1);

/// Default difference between a pause and the previous one.
pub(crate) const STEP: Duration = Duration::from_millis(250);

/// Waits before the next attempt. Returns `false` immediately if no retry or no time is left.
///
/// The pauses are 10 ms and then one `step` longer each time. If the host requests a longer pause
/// with `retry-after`, that pause is used, up to a second.
pub(crate) async fn before_retry(
    made: u32,
    step: Duration,
    asked: Option<Duration>,
    deadline: Instant,
) -> bool {
    let pause = FIRST.saturating_add(step.saturating_mul(made));
    let pause = pause.max(asked.unwrap_or_default().min(LONGEST_ASKED));
    let left = deadline.saturating_duration_since(Instant::now());
    if made >= RETRIES || pause >= left {
        return false;
    }
    sleep(pause).await;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pauses(asked: Option<Duration>, timeout: Duration) -> Vec<u128> {
        let deadline = Instant::now() + timeout;
        let mut pauses = Vec::new();
        loop {
            let before = Instant::now();
            let made = u32::try_from(pauses.len()).unwrap();
            if !before_retry(made, STEP, asked, deadline).await {
                assert_eq!(before, Instant::now());
                return pauses;
            }
            pauses.push(before.elapsed().as_millis());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_like_those_of_the_sdks_and_end_after_five() {
        let minute = Duration::from_secs(60);
        assert_eq!(pauses(None, minute).await, [10, 260, 510, 760, 1_010]);
        let asked = |millis| Some(Duration::from_millis(millis));
        assert_eq!(
            pauses(asked(300), minute).await,
            [300, 300, 510, 760, 1_010]
        );
        assert_eq!(
            pauses(asked(9_000), minute).await,
            [1_000, 1_000, 1_000, 1_000, 1_010]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn no_pause_outlasts_the_call() {
        assert_eq!(pauses(None, Duration::from_millis(271)).await, [10, 260]);
        assert_eq!(pauses(None, Duration::from_millis(270)).await, [10]);
    }
}
