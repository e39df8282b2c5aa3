//! What is done every so often: apps and tenants are read anew, and what is over is deleted, in
//! bounded batches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use supersession::Fault;
use supersession::store::StoreError;

use crate::service::Service;

/// Sessions in one batch: small enough not to hold up other writes.
const BATCH: u32 = 500;

impl Service {
    /// Reads apps and tenants anew, so that what another process changed is known here.
    ///
    /// # Errors
    /// Trouble with the store.
    pub async fn reload(&self) -> Result<(), StoreError> {
        self.registry.reload().await
    }

    /// Deletes expired sessions of all apps, and signing keys whose last token is dead; tells how
    /// many of both.
    ///
    /// # Errors
    /// Trouble with the store.
    pub async fn clean_up(&self) -> Result<(u64, u64), Fault> {
        let mut sessions = 0;
        loop {
            let now = self.clock.now();
            let deleted = self.store.delete_expired_sessions(now, BATCH).await?;
            sessions += deleted;
            let counter = &self.metrics.sessions_cleaned_up;
            counter.fetch_add(deleted, Ordering::Relaxed);
            if deleted < u64::from(BATCH) {
                break;
            }
            // Others write in between.
            tokio::task::yield_now().await;
        }
        let mut keys = 0;
        // An app that nobody has asked for since the start has made no keys since either.
        let apps = self.registry.all();
        for engine in apps.values().filter_map(|app| app.open_engine()) {
            keys += engine.retire_keys().await?;
        }
        Ok((sessions, keys))
    }
}

/// Does both for as long as the service is there. The first pause is random, so that several
/// processes do not do it at once.
pub(crate) async fn run(service: Arc<Service>, reload_every: Duration, clean_up_every: Duration) {
    let share = f64::from(std::process::id() % 1_000) / 1_000.0;
    let now = tokio::time::Instant::now();
    let mut reload = tokio::time::interval_at(now + reload_every, reload_every);
    let first = clean_up_every.mul_f64(0.5 + 0.5 * share);
    let mut clean_up = tokio::time::interval_at(now + first, clean_up_every);
    loop {
        tokio::select! {
            _ = reload.tick() => {
                if let Err(error) = service.reload().await {
                    tracing::warn!(error = Fault::from(error).report(), "apps and tenants could not be read anew");
                }
            }
            _ = clean_up.tick() => match service.clean_up().await {
                Ok((sessions, keys)) => tracing::info!(sessions, keys, "cleaned up"),
                Err(fault) => tracing::warn!(error = fault.report(), "could not clean up"),
            }
        }
    }
}
