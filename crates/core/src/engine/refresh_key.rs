//! The app's refresh token key in this process, and the rules for reading it from the store again.
//!
//! All nodes must use the key in the store. Otherwise they reject each other's tokens. A store can
//! be emptied, restored or replaced while nodes run. The key is therefore read again if a token
//! does not decrypt, before a new session if it is older than a few seconds, and before a refresh
//! if the signing keys have been loaded since. If the store has no key, the key of the first node
//! that asks is stored. If the stored key differs, it replaces the key in this process.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use crate::clock::UnixMillis;
use crate::entropy::Entropy;
use crate::error::{Fault, FaultKind};
use crate::ids::AppId;
use crate::secret::RefreshToken;
use crate::store::{Store, StoreError};
use crate::token::refresh::{MalformedRefreshToken, RefreshClaims, RefreshTokens};

/// Maximum age of the key for a new session's token.
const MAX_AGE: Duration = Duration::from_secs(5);
/// Minimum time between two reads of the store that are caused by tokens that do not decrypt.
const COOLDOWN: Duration = Duration::from_millis(500);

/// The app's refresh token key.
pub(super) struct RefreshKey {
    app: AppId,
    store: Arc<dyn Store>,
    loaded: ArcSwap<Loaded>,
    /// Held while the store is read. Contains the time of the last read if that failed.
    reading: Mutex<Option<UnixMillis>>,
}

struct Loaded {
    tokens: Arc<RefreshTokens>,
    at: UnixMillis,
}

/// A decrypted refresh token, and the key that decrypted it.
pub(super) struct Presented {
    pub(super) claims: RefreshClaims,
    pub(super) tokens: Arc<RefreshTokens>,
}

impl RefreshKey {
    /// Reads the app's key from the store, and creates it if there is none.
    pub(super) async fn load(
        app: AppId,
        store: Arc<dyn Store>,
        entropy: &dyn Entropy,
        now: UnixMillis,
    ) -> Result<Self, Fault> {
        let candidate = RefreshTokens::new_master_key(entropy)?;
        let key = store.refresh_token_key(&app, &candidate, now).await?;
        Ok(Self {
            app,
            store,
            loaded: ArcSwap::from_pointee(Loaded {
                tokens: Arc::new(RefreshTokens::new(key)),
                at: now,
            }),
            reading: Mutex::new(None),
        })
    }

    /// Returns the key for the first token of a session.
    pub(super) async fn for_new_session(&self, now: UnixMillis) -> Arc<RefreshTokens> {
        let is_old = !is_younger(self.loaded.load().at, MAX_AGE, now);
        self.current(is_old, now).await
    }

    /// One caller at a time reads an old key again. If that fails, the known key stays in use.
    async fn current(&self, is_old: bool, now: UnixMillis) -> Arc<RefreshTokens> {
        let known = self.loaded.load_full();
        if !is_old {
            return Arc::clone(&known.tokens);
        }
        let Ok(mut failed_at) = self.reading.try_lock() else {
            return Arc::clone(&known.tokens);
        };
        if failed_at.is_some_and(|at| is_younger(at, COOLDOWN, now)) {
            return Arc::clone(&known.tokens);
        }
        match self.read(&mut failed_at, now).await {
            Ok(tokens) => tokens,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the refresh token key cannot be reloaded; the loaded one stays in use"
                );
                Arc::clone(&known.tokens)
            }
        }
    }

    /// Decrypts a presented token. If that fails, tries again with the key that is now in the
    /// store.
    ///
    /// # Errors
    /// A fault if the store's key cannot be read, so that the token cannot be judged.
    pub(super) async fn open(
        &self,
        token: &RefreshToken,
        signing_keys_loaded_at: UnixMillis,
        now: UnixMillis,
    ) -> Result<Result<Presented, MalformedRefreshToken>, Fault> {
        let is_old = self.loaded.load().at < signing_keys_loaded_at;
        let tokens = self.current(is_old, now).await;
        let error = match tokens.open(token) {
            Ok(claims) => return Ok(Ok(Presented { claims, tokens })),
            Err(error) => error,
        };
        if error != MalformedRefreshToken::OTHER_KEY {
            return Ok(Err(error));
        }
        let mut failed_at = self.reading.lock().await;
        if failed_at.is_some_and(|at| is_younger(at, COOLDOWN, now)) {
            return Err(Fault::new(
                FaultKind::Unavailable,
                "the refresh token key could not be read from the store; the next attempt follows within a second",
            ));
        }
        let known = self.loaded.load_full();
        let tokens = if is_younger(known.at, COOLDOWN, now) {
            Arc::clone(&known.tokens)
        } else {
            self.read(&mut failed_at, now).await?
        };
        Ok(tokens
            .open(token)
            .map(|claims| Presented { claims, tokens }))
    }

    async fn read(
        &self,
        failed_at: &mut Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<Arc<RefreshTokens>, StoreError> {
        let known = Arc::clone(&self.loaded.load().tokens);
        // A read counts as failed until it has succeeded, because its request can be dropped at any
        // time.
        *failed_at = Some(now);
        let candidate = known.master_key();
        let stored = self.store.refresh_token_key(&self.app, candidate, now);
        let stored = stored.await?;
        *failed_at = None;
        let tokens = if stored.ct_eq(candidate.expose()) {
            known
        } else {
            tracing::error!(
                app = %self.app,
                "the store has a different refresh token key; refresh tokens issued under the previous one are now rejected. Check whether the store was emptied, restored or replaced while this process was running"
            );
            Arc::new(RefreshTokens::new(stored))
        };
        self.loaded.store(Arc::new(Loaded {
            tokens: Arc::clone(&tokens),
            at: now,
        }));
        Ok(tokens)
    }
}

/// A time in the future is not younger: the clock was set back.
fn is_younger(at: UnixMillis, age: Duration, now: UnixMillis) -> bool {
    at <= now && now.since(at) < age
}
