//! The whole system in one value: what an application holds, with or without a request.

mod claims;
mod create;
mod data;
mod metadata;
mod thefts;
mod tokens;

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use serde::Serialize;

use crate::authority::{Authority, JwtRequest, Selection, SessionInformation};
use crate::background::Background;
use crate::clock::{Clock, UnixMillis};
use crate::config::{Built, Config, SessionsBuilder};
use crate::devices::Devices;
use crate::doctor::Sightings;
use crate::documents::{Documents, ModifyQueues, object};
use crate::engine::MAX_JWT_VALIDITY;
use crate::error::{Fault, SessionError};
use crate::housekeeping;
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::keys::JwkSet;
use crate::request::{RequestSessions, Route};
use crate::store::{KeyKind, Store};
use crate::telemetry;
use crate::verify::{SeenTokens, Verified};
use crate::watch::{FeedReader, Watch};

pub(crate) use claims::removal_of;
pub use create::CreateSession;
pub use metadata::UserMetadata;
pub use tokens::AntiCsrfInput;

use thefts::Thefts;

/// Sessions: create, verify, refresh and end them; their data; user metadata; JWTs. Cheap to clone.
///
/// Inside a request, use what the adapter hands out; everything here works without one. An
/// operation on a session that is gone answers `None` or `false`; an error always means trouble.
///
/// Whoever drops the last clone may have to wait for the signature or the key that is just being
/// made: the signing threads end with it.
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
    seen: Option<SeenTokens>,
    thefts: Thefts,
    sightings: Sightings,
    /// Set where it is noted where sessions are used.
    devices: Option<Arc<Devices>>,
    _background: Vec<Background>,
    /// Set where the store has a feed of endings.
    feed: OnceLock<FeedReader>,
}

/// [`Sessions`] for a background thread, which must not keep them alive.
#[derive(Clone)]
pub(crate) struct WeakSessions(Weak<Inner>);

impl WeakSessions {
    pub(crate) fn upgrade(&self) -> Option<Sessions> {
        self.0.upgrade().map(|inner| Sessions { inner })
    }
}

impl Sessions {
    /// Starts a configuration over a store.
    pub fn builder(store: impl Store) -> SessionsBuilder {
        SessionsBuilder::over_store(Arc::new(store))
    }

    /// Starts a configuration over something else that owns sessions, such as a core across the
    /// network (`RemoteCore` of `supersession-remote`). How long sessions and keys live, and what
    /// signs tokens, is configured there; setting it here too is a problem of the configuration.
    pub fn over(authority: impl Authority) -> SessionsBuilder {
        SessionsBuilder::over_authority(Arc::new(authority))
    }

    pub(crate) fn start(built: Built) -> Result<Self, Fault> {
        let Built {
            config,
            app,
            authority,
            clock,
            entropy,
            cleanup_interval,
            cached_token_bytes,
            endings,
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
                seen: (cached_token_bytes > 0).then(|| SeenTokens::new(cached_token_bytes)),
                thefts: Thefts::default(),
                sightings: Sightings::default(),
                devices,
                _background: background,
                feed: OnceLock::new(),
            }),
        };
        if let Some(endings) = endings {
            let reader =
                FeedReader::start(sessions.downgrade(), app, endings).map_err(|error| {
                    Fault::internal("the thread that reads the feed of endings cannot be started")
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

    pub(crate) fn thefts(&self) -> &Thefts {
        &self.inner.thefts
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.inner.watch
    }

    /// The token, if it was verified before. Whether it would be again is for
    /// [`Candidate`](crate::request::Candidate) to ask.
    pub(crate) fn seen(&self, token: &[u8]) -> Option<Verified> {
        self.inner.seen.as_ref()?.get(token)
    }

    /// Tokens that were verified before, unless that is turned off.
    pub(crate) fn seen_tokens(&self) -> Option<&SeenTokens> {
        self.inner.seen.as_ref()
    }

    /// Tells everybody whom it concerns that sessions were revoked.
    pub(crate) fn tell_revoked(&self, handles: &[SessionHandle]) {
        if let Some(seen) = self.seen_tokens() {
            handles.iter().for_each(|handle| seen.forget(handle));
        }
        self.watch().revoked(handles);
    }

    /// The store has said that it has no such live session any more.
    pub(crate) fn tell_gone(&self, handle: &SessionHandle, now: UnixMillis) {
        if let Some(seen) = self.seen_tokens() {
            seen.forget(handle);
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

    /// What an adapter makes for each request that passes its layer. Costs next to nothing until
    /// somebody asks it something.
    ///
    /// `path` is the path as the client sent it; behind nested routers an adapter sees a shorter
    /// one later.
    #[must_use]
    pub fn for_request(&self, method: &str, path: &str) -> RequestSessions {
        let route = Route::of(self.config(), method, path);
        RequestSessions::new(self.clone(), method, path, route)
    }

    /// As [`Self::for_request`], for a service that has nothing but the built-in routes. The path
    /// can also lack the base path, as behind a router that strips the path at which it is mounted.
    #[must_use]
    pub fn for_built_in_request(&self, method: &str, path: &str) -> RequestSessions {
        let config = self.config();
        let route = Route::of(config, method, path)
            .or_else(|| Route::below_base(config, method, path.strip_suffix('/').unwrap_or(path)));
        RequestSessions::new(self.clone(), method, path, route)
    }

    /// What the store knows of a session.
    ///
    /// # Errors
    /// A [`Fault`] when the store is in trouble.
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

    /// The handles of a user's sessions in all tenants, oldest first.
    ///
    /// # Errors
    /// A [`Fault`] when the store is in trouble.
    #[doc(alias = "getAllSessionHandlesForUser")]
    pub async fn handles_for_user(
        &self,
        user_id: impl Into<UserId>,
    ) -> Result<Vec<SessionHandle>, SessionError> {
        Ok(self
            .authority()
            .handles(&all_of(user_id), self.now())
            .await?)
    }

    /// The handles of a user's sessions in one tenant, oldest first.
    ///
    /// # Errors
    /// A [`Fault`] when the store is in trouble.
    pub async fn handles_for_user_in_tenant(
        &self,
        user_id: impl Into<UserId>,
        tenant_id: &TenantId,
    ) -> Result<Vec<SessionHandle>, SessionError> {
        let selection = Selection {
            tenant: Some(tenant_id.clone()),
            ..all_of(user_id)
        };
        Ok(self.authority().handles(&selection, self.now()).await?)
    }

    /// A user's sessions in all tenants with what the store knows of each, oldest first, in one
    /// query.
    ///
    /// # Errors
    /// A [`Fault`] when the store is in trouble.
    pub async fn sessions_for_user(
        &self,
        user_id: impl Into<UserId>,
    ) -> Result<Vec<SessionInformation>, SessionError> {
        let sessions = self
            .authority()
            .sessions(&all_of(user_id), self.now())
            .await?;
        Ok(sessions
            .into_iter()
            .map(SessionInformation::readable)
            .collect())
    }

    /// Ends a session; true if it was there.
    ///
    /// Access tokens that are out there stay good until they expire, except where guards check the
    /// database.
    ///
    /// # Errors
    /// A [`Fault`] when the store is in trouble.
    #[doc(alias = "revokeSession")]
    pub async fn revoke(&self, handle: impl Into<SessionHandle>) -> Result<bool, SessionError> {
        Ok(!self.revoke_multiple(&[handle.into()]).await?.is_empty())
    }

    /// Ends several sessions and returns the handles that were there.
    ///
    /// # Errors
    /// A [`Fault`] when the store is in trouble.
    #[doc(alias = "revokeMultipleSessions")]
    pub async fn revoke_multiple(
        &self,
        handles: &[SessionHandle],
    ) -> Result<Vec<SessionHandle>, SessionError> {
        let revoked = self.authority().revoke(handles).await?;
        self.tell_revoked(&revoked);
        telemetry::sessions_revoked(revoked.len());
        Ok(revoked)
    }

    /// Ends all sessions of a user in all tenants and returns their handles.
    ///
    /// # Errors
    /// A [`Fault`] when the store is in trouble.
    #[doc(alias = "revokeAllSessionsForUser")]
    pub async fn revoke_all_for_user(
        &self,
        user_id: impl Into<UserId>,
    ) -> Result<Vec<SessionHandle>, SessionError> {
        self.revoke_selection(all_of(user_id)).await
    }

    /// Ends all sessions of a user in one tenant and returns their handles.
    ///
    /// # Errors
    /// A [`Fault`] when the store is in trouble.
    pub async fn revoke_all_for_user_in_tenant(
        &self,
        user_id: impl Into<UserId>,
        tenant_id: &TenantId,
    ) -> Result<Vec<SessionHandle>, SessionError> {
        self.revoke_selection(Selection {
            tenant: Some(tenant_id.clone()),
            ..all_of(user_id)
        })
        .await
    }

    /// Ends all sessions of a user but one, in one atomic step, and returns the handles of those
    /// that ended.
    ///
    /// # Errors
    /// A [`Fault`] when the store is in trouble.
    pub async fn revoke_others_for_user(
        &self,
        user_id: impl Into<UserId>,
        keep: impl Into<SessionHandle>,
    ) -> Result<Vec<SessionHandle>, SessionError> {
        self.revoke_selection(Selection {
            except: Some(keep.into()),
            ..all_of(user_id)
        })
        .await
    }

    /// Ends the oldest sessions of a user until no more are left than
    /// [`SessionsBuilder::max_sessions_per_user`] allows.
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

    /// Names the device of a session, such as "my phone", or takes the name away; true if the
    /// session is there.
    ///
    /// # Errors
    /// A [`Fault`] when the store is in trouble.
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

    /// Writes what has been noted of where sessions are used, which the background does every few
    /// seconds. For the end of a program; does nothing unless
    /// [`SessionsBuilder::track_devices`] is on.
    ///
    /// # Errors
    /// A [`Fault`] when the store is in trouble; the notes are kept then.
    pub async fn write_device_notes(&self) -> Result<(), SessionError> {
        if let Some(devices) = self.devices() {
            devices.write(self.authority(), &*self.inner.clock).await?;
        }
        Ok(())
    }

    async fn revoke_selection(
        &self,
        selection: Selection,
    ) -> Result<Vec<SessionHandle>, SessionError> {
        let revoked = self.authority().revoke_user(&selection, self.now()).await?;
        self.tell_revoked(&revoked);
        telemetry::sessions_revoked(revoked.len());
        Ok(revoked)
    }

    /// User metadata.
    #[must_use]
    pub fn user_metadata(&self) -> UserMetadata<'_> {
        UserMetadata::new(self)
    }

    /// Signs a JWT for the application's own purposes, with the static key. `iss`, `iat` and `exp`
    /// are added unless the payload has its own.
    ///
    /// # Errors
    /// [`SessionError::BadInput`] when `validity` is not 1 second to 36,500 days; a [`Fault`] when the keys
    /// are in trouble or the payload is no JSON object.
    #[doc(alias = "createJWT")]
    pub async fn create_jwt<T: Serialize>(
        &self,
        payload: T,
        validity: Duration,
    ) -> Result<String, SessionError> {
        self.sign_jwt(&payload, validity, KeyKind::Static).await
    }

    /// As [`Self::create_jwt`], with the rotating key: verifiers must follow the published key set.
    ///
    /// # Errors
    /// As [`Self::create_jwt`].
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
        Ok(self.authority().create_jwt(request, self.now()).await?)
    }

    /// The public keys that verify our tokens.
    ///
    /// # Errors
    /// A [`Fault`] when the keys are in trouble.
    #[doc(alias = "getJWKS")]
    pub async fn jwks(&self) -> Result<JwkSet, SessionError> {
        Ok(self.authority().jwks(self.now()).await?)
    }

    /// Checks that sessions can be created, read and changed now: the store accepts a write, or the
    /// core at the other end of the network says that it does. For a readiness probe, such as
    /// `GET /readyz`; costs about one small write ([`Store::check_ready`]).
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

    /// Deletes sessions that have expired, in bounded batches, and keys that no token needs;
    /// returns how many sessions. Runs in the background by itself unless turned off.
    ///
    /// # Errors
    /// A [`Fault`] when the store is in trouble.
    pub async fn delete_expired_sessions(&self) -> Result<u64, SessionError> {
        Ok(housekeeping::clean_up(self.authority(), &*self.inner.clock).await?)
    }
}

fn all_of(user_id: impl Into<UserId>) -> Selection {
    Selection {
        user_id: user_id.into(),
        tenant: None,
        except: None,
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}
