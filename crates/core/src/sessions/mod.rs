//! The entry point: [`Sessions`], which an application uses with or without a request.

mod claims;
mod data;
mod feed;
mod flights;
mod keeper;
mod metadata;
mod thefts;

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use serde::Serialize;

use crate::authority::{Authority, JwtOutcome, JwtRequest, SessionInformation, SessionSelection};
use crate::background::Background;
use crate::clock::{Clock, UnixMillis};
use crate::config::Config;
use crate::devices::Devices;
use crate::documents::{Documents, ModifyQueues, object};
use crate::engine::MAX_JWT_VALIDITY;
use crate::entropy::Entropy;
use crate::error::{Fault, SessionError};
use crate::housekeeping;
use crate::ids::{AppId, SessionHandle, TenantId, UserId};
use crate::keys::JwkSet;
use crate::sightings::Sightings;
use crate::store::{KeyKind, RevocationFeed};
use crate::telemetry;
use crate::verify::{TokenCache, VerifiedToken};
use crate::watch::Watch;

pub(crate) use claims::removal_of;
pub use metadata::UserMetadata;
pub(crate) use metadata::checked;

use feed::FeedReader;
use flights::Flights;
use thefts::Thefts;

/// Creates, verifies, refreshes and revokes sessions, and gives access to their data, user metadata
/// and JWTs. Cheap to clone.
///
/// Inside a request, use the value that the adapter provides. Everything here works without a
/// request. An operation on a session that does not exist returns `None` or `false`; an error
/// always means that the operation failed.
///
/// Dropping the last clone stops the signing threads. It can block until a signature or key that is
/// being made is finished.
///
/// # Examples
/// ```
/// use serde_json::json;
/// use supersession::{Sessions, store::MemoryStore};
///
/// # pollster::block_on(async {
/// let sessions = Sessions::builder(MemoryStore::new())
///     .api_domain("http://localhost:3000")
///     .website_domain("http://localhost:3000")
///     .build()
///     .await?;
///
/// let session = sessions.create("alice").data(json!({"cart": []})).await?;
/// sessions.merge_session_data(session.handle(), json!({"theme": "dark"})).await?;
/// assert_eq!(sessions.handles_for_user("alice").await?.len(), 1);
/// assert!(sessions.revoke(session.handle()).await?);
/// assert!(!sessions.revoke(session.handle()).await?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    authority: Arc<dyn Authority>,
    clock: Arc<dyn Clock>,
    queues: ModifyQueues,
    watch: Watch,
    token_cache: Option<TokenCache>,
    thefts: Thefts,
    flights: Flights,
    sightings: Sightings,
    /// Present if device tracking is enabled.
    devices: Option<Arc<Devices>>,
    _background: Vec<Background>,
    /// Set if the store has a revocation feed.
    feed: OnceLock<FeedReader>,
}

/// The parts of a system that is about to start.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) app: AppId,
    pub(crate) authority: Arc<dyn Authority>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) cleanup_interval: Option<Duration>,
    /// Size of the cache of verified tokens, in bytes.
    pub(crate) cached_token_bytes: usize,
    pub(crate) revocations: Option<RevocationFeed>,
}

/// A weak reference to [`Sessions`] for a background thread, which must not keep them alive.
#[derive(Clone)]
pub(crate) struct WeakSessions(Weak<Inner>);

impl WeakSessions {
    pub(crate) fn upgrade(&self) -> Option<Sessions> {
        self.0.upgrade().map(|inner| Sessions { inner })
    }
}

impl Sessions {
    pub(crate) fn start(built: Parts) -> Result<Self, Fault> {
        let Parts {
            config,
            app,
            authority,
            clock,
            entropy,
            cleanup_interval,
            cached_token_bytes,
            revocations,
        } = built;
        let devices = config.track_devices.then(|| Arc::new(Devices::new()));
        let housekeeper = cleanup_interval.map(|interval| {
            let (authority, clock) = (Arc::downgrade(&authority), Arc::clone(&clock));
            housekeeping::start(authority, clock, &*entropy, interval)
        });
        let writer = devices
            .as_ref()
            .map(|devices| devices.start(&authority, Arc::clone(&clock)));
        let background = housekeeper
            .into_iter()
            .chain(writer)
            .collect::<Result<_, _>>()
            .map_err(|error| {
                Fault::internal("a background thread cannot be started").with_source(error)
            })?;
        let queues = ModifyQueues::default();
        let sessions = Self {
            inner: Arc::new(Inner {
                config,
                authority,
                clock,
                queues,
                watch: Watch::default(),
                token_cache: (cached_token_bytes > 0).then(|| TokenCache::new(cached_token_bytes)),
                thefts: Thefts::default(),
                flights: Flights::default(),
                sightings: Sightings::default(),
                devices,
                _background: background,
                feed: OnceLock::new(),
            }),
        };
        if let Some(revocations) = revocations {
            let reader =
                FeedReader::start(sessions.downgrade(), app, revocations).map_err(|error| {
                    Fault::internal("the thread that reads the revocation feed cannot be started")
                        .with_source(error)
                })?;
            sessions.inner.feed.get_or_init(|| reader);
        }
        Ok(sessions)
    }

    pub(crate) fn downgrade(&self) -> WeakSessions {
        WeakSessions(Arc::downgrade(&self.inner))
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    pub(crate) fn sightings(&self) -> &Sightings {
        &self.inner.sightings
    }

    pub(crate) fn flights(&self) -> &Flights {
        &self.inner.flights
    }

    pub(crate) fn thefts(&self) -> &Thefts {
        &self.inner.thefts
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.inner.watch
    }

    /// Returns the token if it was verified before. The caller checks that it is still valid.
    pub(crate) fn cached_token(&self, token: &[u8]) -> Option<VerifiedToken> {
        self.inner.token_cache.as_ref()?.get(token)
    }

    /// Returns the cache of verified tokens, unless it is disabled.
    pub(crate) fn token_cache(&self) -> Option<&TokenCache> {
        self.inner.token_cache.as_ref()
    }

    /// Notifies all components of this process that sessions were revoked.
    pub(crate) fn notify_revoked(&self, handles: &[SessionHandle]) {
        if let Some(cache) = self.token_cache() {
            handles.iter().for_each(|handle| cache.remove(handle));
        }
        self.watch().revoked(handles);
    }

    /// Records that the store has no such live session any more.
    pub(crate) fn notify_gone(&self, handle: &SessionHandle, now: UnixMillis) {
        if let Some(cache) = self.token_cache() {
            cache.remove(handle);
        }
        self.watch().gone(handle, now);
    }

    pub(crate) fn config(&self) -> &Config {
        &self.inner.config
    }

    pub(crate) fn authority(&self) -> &dyn Authority {
        &*self.inner.authority
    }

    pub(crate) fn devices(&self) -> Option<&Devices> {
        self.inner.devices.as_deref()
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.inner.clock.now()
    }

    pub(crate) fn documents(&self) -> Documents<'_> {
        Documents {
            authority: self.authority(),
            clock: &*self.inner.clock,
            queues: &self.inner.queues,
        }
    }

    /// Returns the stored information about a session.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails.
    #[doc(alias = "getSessionInformation")]
    pub async fn information(
        &self,
        handle: impl Into<SessionHandle>,
    ) -> Result<Option<SessionInformation>, SessionError> {
        let information = self
            .authority()
            .information(&handle.into(), self.now())
            .await?;
        Ok(information.map(SessionInformation::readable))
    }

    /// Returns the handles of a user's sessions in all tenants, oldest first.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails.
    #[doc(alias = "getAllSessionHandlesForUser")]
    pub async fn handles_for_user(
        &self,
        user_id: impl Into<UserId>,
    ) -> Result<Vec<SessionHandle>, SessionError> {
        Ok(self
            .authority()
            .handles(&SessionSelection::all_of(user_id), self.now())
            .await?)
    }

    /// Returns the handles of a user's sessions in one tenant, oldest first.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails.
    pub async fn handles_for_user_in_tenant(
        &self,
        user_id: impl Into<UserId>,
        tenant_id: &TenantId,
    ) -> Result<Vec<SessionHandle>, SessionError> {
        let selection = SessionSelection {
            tenant: Some(tenant_id.clone()),
            ..SessionSelection::all_of(user_id)
        };
        Ok(self.authority().handles(&selection, self.now()).await?)
    }

    /// Returns the stored information about a user's sessions in all tenants, oldest first, in one
    /// query.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails.
    pub async fn sessions_for_user(
        &self,
        user_id: impl Into<UserId>,
    ) -> Result<Vec<SessionInformation>, SessionError> {
        let sessions = self
            .authority()
            .sessions(&SessionSelection::all_of(user_id), self.now())
            .await?;
        Ok(sessions
            .into_iter()
            .map(SessionInformation::readable)
            .collect())
    }

    /// Revokes a session. Returns `true` if it existed.
    ///
    /// Its access tokens stay valid until they expire, except where guards check for revocation
    /// ([`Strictness`](crate::Strictness)).
    ///
    /// # Errors
    /// A [`Fault`] if the store fails.
    #[doc(alias = "revokeSession")]
    pub async fn revoke(&self, handle: impl Into<SessionHandle>) -> Result<bool, SessionError> {
        Ok(!self.revoke_multiple(&[handle.into()]).await?.is_empty())
    }

    /// Revokes several sessions and returns the handles of those that existed.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails.
    #[doc(alias = "revokeMultipleSessions")]
    pub async fn revoke_multiple(
        &self,
        handles: &[SessionHandle],
    ) -> Result<Vec<SessionHandle>, SessionError> {
        let revoked = self.authority().revoke(handles).await?;
        self.notify_revoked(&revoked);
        telemetry::sessions_revoked(revoked.len());
        Ok(revoked)
    }

    /// Revokes all sessions of a user in all tenants and returns their handles.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails.
    #[doc(alias = "revokeAllSessionsForUser")]
    pub async fn revoke_all_for_user(
        &self,
        user_id: impl Into<UserId>,
    ) -> Result<Vec<SessionHandle>, SessionError> {
        self.revoke_selection(SessionSelection::all_of(user_id))
            .await
    }

    /// Revokes all sessions of a user in one tenant and returns their handles.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails.
    pub async fn revoke_all_for_user_in_tenant(
        &self,
        user_id: impl Into<UserId>,
        tenant_id: &TenantId,
    ) -> Result<Vec<SessionHandle>, SessionError> {
        self.revoke_selection(SessionSelection {
            tenant: Some(tenant_id.clone()),
            ..SessionSelection::all_of(user_id)
        })
        .await
    }

    /// Revokes all sessions of a user except one, in one atomic step, and returns the handles of
    /// the revoked sessions.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails.
    pub async fn revoke_others_for_user(
        &self,
        user_id: impl Into<UserId>,
        keep: impl Into<SessionHandle>,
    ) -> Result<Vec<SessionHandle>, SessionError> {
        self.revoke_selection(SessionSelection {
            except: Some(keep.into()),
            ..SessionSelection::all_of(user_id)
        })
        .await
    }

    /// Revokes the oldest sessions of a user that exceed
    /// [`SessionsBuilder::max_sessions_per_user`].
    pub(crate) async fn make_room_for(&self, user_id: &UserId) -> Result<(), SessionError> {
        let Some(most) = self.config().max_sessions_per_user else {
            return Ok(());
        };
        let handles = self.handles_for_user(user_id.clone()).await?;
        let too_many = handles.len().saturating_sub(most.get());
        if too_many > 0 {
            self.revoke_multiple(&handles[..too_many]).await?;
        }
        Ok(())
    }

    /// Sets or removes the label of a session's device, such as "my phone". Returns `true` if the
    /// session exists.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails.
    pub async fn set_device_label(
        &self,
        handle: impl Into<SessionHandle>,
        label: Option<&str>,
    ) -> Result<bool, SessionError> {
        if label.is_some_and(|label| label.contains('\0')) {
            return Err(SessionError::bad_input(
                "the label of a device must not contain the null character (U+0000)",
            ));
        }
        let (handle, now) = (handle.into(), self.now());
        Ok(self
            .authority()
            .set_device_label(&handle, label, now)
            .await?)
    }

    /// Writes the pending notes of device use, which a background thread otherwise writes every few
    /// seconds. Call it before the program ends. Does nothing unless
    /// [`SessionsBuilder::track_devices`](crate::SessionsBuilder::track_devices) is enabled.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails. The notes are kept in that case.
    pub async fn write_device_notes(&self) -> Result<(), SessionError> {
        if let Some(devices) = self.devices() {
            devices.write(self.authority(), &*self.inner.clock).await?;
        }
        Ok(())
    }

    async fn revoke_selection(
        &self,
        selection: SessionSelection,
    ) -> Result<Vec<SessionHandle>, SessionError> {
        let revoked = self.authority().revoke_user(&selection, self.now()).await?;
        self.notify_revoked(&revoked);
        telemetry::sessions_revoked(revoked.len());
        Ok(revoked)
    }

    /// Returns the operations on user metadata.
    #[must_use]
    pub fn user_metadata(&self) -> UserMetadata<'_> {
        UserMetadata::new(self)
    }

    /// Signs a JWT for the application's own purposes with the static key. `iss`, `iat` and `exp`
    /// are added unless the payload contains them.
    ///
    /// # Errors
    /// [`SessionError::BadInput`] if `validity` is not 1 second to 36,500 days. A [`Fault`] if the
    /// keys are unavailable or the payload is not a JSON object.
    #[doc(alias = "createJWT")]
    pub async fn create_jwt<T: Serialize>(
        &self,
        payload: T,
        validity: Duration,
    ) -> Result<String, SessionError> {
        self.sign_jwt(&payload, validity, KeyKind::Static).await
    }

    /// Equivalent to [`Self::create_jwt`] with the rotating key. Verifiers must follow the
    /// published key set.
    ///
    /// # Errors
    /// Those of [`Self::create_jwt`].
    pub async fn create_jwt_with_dynamic_key<T: Serialize>(
        &self,
        payload: T,
        validity: Duration,
    ) -> Result<String, SessionError> {
        self.sign_jwt(&payload, validity, KeyKind::Dynamic).await
    }

    async fn sign_jwt<T: Serialize>(
        &self,
        payload: &T,
        validity: Duration,
        key_kind: KeyKind,
    ) -> Result<String, SessionError> {
        if !(Duration::from_secs(1)..=MAX_JWT_VALIDITY).contains(&validity) {
            return Err(SessionError::bad_input(
                "the validity of a JWT must be 1 second to 36,500 days",
            ));
        }
        let request = JwtRequest {
            payload: object(payload)?,
            issuer: self.config().issuer.clone(),
            validity,
            key_kind,
        };
        match self.authority().create_jwt(request, self.now()).await? {
            JwtOutcome::Signed(jwt) => Ok(jwt),
            JwtOutcome::SessionClaims => Err(SessionError::bad_input(
                "the payload of a JWT must not have the members of a session token",
            )),
        }
    }

    /// Returns the public keys that verify tokens of this application.
    ///
    /// # Errors
    /// A [`Fault`] if the keys are unavailable.
    #[doc(alias = "getJWKS")]
    pub async fn jwks(&self) -> Result<JwkSet, SessionError> {
        Ok(self.authority().jwks(self.now()).await?)
    }

    /// Checks that sessions can be created, read and changed now: the store accepts a write, or the
    /// remote core reports that its store does. For a readiness probe, such as `GET /readyz`. Costs
    /// about one small write ([`Store::check_ready`](crate::Store::check_ready)).
    ///
    /// # Errors
    /// A [`Fault`] with the reason. Answer the probe with 503 for any of them.
    ///
    /// # Examples
    /// ```
    /// # use supersession::{Sessions, store::MemoryStore};
    /// # pollster::block_on(async {
    /// # let sessions = Sessions::builder(MemoryStore::new())
    /// #     .api_domain("http://localhost:3000")
    /// #     .website_domain("http://localhost:3000")
    /// #     .build()
    /// #     .await?;
    /// let status = match sessions.check_ready().await {
    ///     Ok(()) => 200,
    ///     Err(_) => 503,
    /// };
    /// # assert_eq!(status, 200);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn check_ready(&self) -> Result<(), SessionError> {
        Ok(self.authority().check_ready().await?)
    }

    /// Deletes expired sessions, in bounded batches, and keys without valid tokens. Returns the
    /// number of deleted sessions. Runs in the background unless that is disabled.
    ///
    /// # Errors
    /// A [`Fault`] if the store fails.
    pub async fn delete_expired_sessions(&self) -> Result<u64, SessionError> {
        Ok(housekeeping::clean_up(self.authority(), &*self.inner.clock).await?)
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}
