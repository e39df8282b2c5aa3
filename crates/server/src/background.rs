//! Periodic tasks: reloading apps and tenants, deleting expired sessions and keys in bounded batches,
//! and the upkeep of the metrics.

use std::sync::Arc;
use std::time::Duration;

use supersession::Fault;
use supersession::store::StoreError;

use crate::service::Service;

/// Maximum number of sessions in one batch. It is small, so that other writes are not delayed.
const BATCH: u32 = 500;

impl Service {
    /// Reloads apps and tenants, so that changes made by other processes take effect in this one.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn reload(&self) -> Result<(), StoreError> {
        self.registry.reload().await
    }

    /// Deletes expired sessions of all apps, and signing keys whose last token has expired. Returns
    /// the number of both.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn clean_up(&self) -> Result<(u64, u64), Fault> {
        let mut sessions = 0;
        loop {
            let now = self.clock.now();
            let deleted = self.store.delete_expired_sessions(now, BATCH).await?;
            sessions += deleted;
            self.metrics.sessions_cleaned_up.increment(deleted);
            if deleted < u64::from(BATCH) {
                break;
            }
            // Gives other writes a chance to run.
            tokio::task::yield_now().await;
        }
        let mut keys = 0;
        // An app that received no request since the start has created no keys since then either.
        let apps = self.registry.all();
        for engine in apps.values().filter_map(|app| app.open_engine()) {
            keys += engine.retire_keys().await?;
        }
        Ok((sessions, keys))
    }
}

/// Interval of the upkeep of the metrics. Until then, a busy process keeps some 10,000 durations.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Runs the tasks until the service stops. The first pause is random, so that several processes do
/// not delete at the same time.
pub(crate) async fn run(service: Arc<Service>, reload_every: Duration, clean_up_every: Duration) {
    let share = f64::from(std::process::id() % 1_000) / 1_000.0;
    let now = tokio::time::Instant::now();
    let mut reload = tokio::time::interval_at(now + reload_every, reload_every);
    let mut upkeep = tokio::time::interval(UPKEEP_INTERVAL);
    let first = clean_up_every.mul_f64(0.5 + 0.5 * share);
    let mut clean_up = tokio::time::interval_at(now + first, clean_up_every);
    loop {
        tokio::select! {
            _ = upkeep.tick() => service.metrics.run_upkeep(),
            _ = reload.tick() => {
                if let Err(error) = service.reload().await {
                    tracing::warn!(error = Fault::from(error).report(), "apps and tenants could not be reloaded");
                }
            }
            _ = clean_up.tick() => match service.clean_up().await {
                Ok((sessions, keys)) => tracing::info!(sessions, keys, "expired sessions and keys were deleted"),
                Err(fault) => tracing::warn!(error = fault.report(), "expired sessions and keys could not be deleted"),
            }
        }
    }
}
