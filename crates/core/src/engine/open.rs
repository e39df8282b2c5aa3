//! Creation of engines: one for each app, over one store.

use std::fmt;
use std::sync::Arc;

use super::refresh_key::RefreshKey;
use super::{Engine, EngineSettings};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::error::Fault;
use crate::ids::AppId;
use crate::keys::KeyRing;
use crate::store::Store;
use crate::workers::Workers;

/// Creates engines that share a store and the signing threads.
#[derive(Clone)]
pub struct Engines {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    workers: Workers,
}

impl Engines {
    /// Starts the signing threads, 1 to 1,024.
    ///
    /// # Errors
    /// A fault if the number is out of range, or if the operating system cannot start a thread.
    pub fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        signing_threads: usize,
    ) -> Result<Self, Fault> {
        if !EngineSettings::SIGNING_THREADS.contains(&signing_threads) {
            return Err(Fault::misuse(format!(
                "signing_threads: {signing_threads} is out of range. Fix: choose 1 to 1,024"
            )));
        }
        let workers = Workers::start(signing_threads).map_err(|error| {
            Fault::internal("the signing threads cannot be started").with_source(error)
        })?;
        Ok(Self {
            store,
            clock,
            entropy,
            workers,
        })
    }

    /// Creates the engine of an app. Its refresh token key is created if there is none. Its signing
    /// keys are created when they are needed.
    ///
    /// # Errors
    /// A fault if the store fails, or if a setting is out of range. The message names the setting.
    pub async fn open(&self, app: AppId, settings: &EngineSettings) -> Result<Engine, Fault> {
        settings.check()?;
        let now = self.clock.now();
        let refresh_key =
            RefreshKey::load(app.clone(), Arc::clone(&self.store), &*self.entropy, now).await?;
        let keys = KeyRing::new(
            app.clone(),
            settings.key_policy(),
            settings.signing_algorithm,
            Arc::clone(&self.store),
            Arc::clone(&self.entropy),
            self.workers.clone(),
        );
        Ok(Engine {
            app,
            store: Arc::clone(&self.store),
            keys,
            refresh_key,
            workers: self.workers.clone(),
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            settings: *settings,
        })
    }
}

impl fmt::Debug for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engines(..)")
    }
}
