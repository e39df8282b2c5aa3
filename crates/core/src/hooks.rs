//! Application code that runs when a session is created, refreshed or revoked.
//!
//! SuperTokens' overrides have three equivalents:
//!
//! * **Run code, change stored values, or refuse an operation**: a hook of [`Hooks`].
//! * **Customize error responses**:
//!   [`SessionsBuilder::render_errors`](crate::SessionsBuilder::render_errors).
//! * **Replace a built-in route**: disable it
//!   ([`SessionsBuilder::without_refresh_route`](crate::SessionsBuilder::without_refresh_route),
//!   [`SessionsBuilder::without_signout_route`](crate::SessionsBuilder::without_signout_route)) and
//!   mount a handler that calls
//!   [`RequestSessions::refresh`](crate::RequestSessions::refresh) or
//!   [`RequestSessions::sign_out`](crate::RequestSessions::sign_out).
//!
//! # Examples
//! ```
//! use supersession::{Hooks, store::MemoryStore, Sessions};
//!
//! # pollster::block_on(async {
//! let hooks = Hooks::new()
//!     .before_create(|mut new| async move {
//!         new.set_payload("plan", "pro")?;
//!         Ok(new)
//!     })
//!     .on_theft(|theft| async move {
//!         println!("session {} of {} was stolen", theft.handle, theft.user_id);
//!     });
//! let sessions = Sessions::builder(MemoryStore::new())
//!     .api_domain("http://localhost:3000")
//!     .website_domain("http://localhost:3000")
//!     .hooks(hooks)
//!     .build()
//!     .await?;
//! # Ok::<(), supersession::BuildError>(())
//! # }).unwrap();
//! ```

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;

use crate::error::{Fault, SessionError, TokenTheft};
use crate::ids::{SessionHandle, TenantId, UserId};
use crate::json::{JsonObject, JsonObjectError};

pub use crate::refusal::Refusal;

/// The error of a hook.
///
/// | error in the box | result of the request |
/// | --- | --- |
/// | [`Refusal`] | the refusal's status and body |
/// | [`SessionError::Unauthorised`] or [`SessionError::Refused`] | rejected with that error |
/// | [`Fault`], [`SessionError::Fault`] | 503 or 500, and no tokens are cleared |
/// | any other | 500, and no tokens are cleared |
pub type HookError = Box<dyn Error + Send + Sync>;

/// The outcome of a hook that can refuse: `()`, or a [`Result`] whose error converts into a
/// [`HookError`].
pub trait HookOutcome {
    /// Converts the outcome into a `Result`.
    ///
    /// # Errors
    /// The error of the hook.
    fn into_result(self) -> Result<(), HookError>;
}

impl HookOutcome for () {
    fn into_result(self) -> Result<(), HookError> {
        Ok(())
    }
}

impl<E: Into<HookError>> HookOutcome for Result<(), E> {
    fn into_result(self) -> Result<(), HookError> {
        self.map_err(Into::into)
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type BeforeCreate =
    Arc<dyn Fn(SessionDraft) -> Boxed<Result<SessionDraft, HookError>> + Send + Sync>;
type Observer<E> = Arc<dyn Fn(E) -> Boxed<()> + Send + Sync>;
type Judge = Arc<dyn Fn(SessionEvent) -> Boxed<Result<(), HookError>> + Send + Sync>;

/// The application's hooks. If a hook is set more than once, the last one is used.
#[derive(Clone, Default)]
pub struct Hooks {
    before_create: Option<BeforeCreate>,
    on_created: Option<Judge>,
    on_refreshed: Option<Judge>,
    on_signed_out: Option<Observer<SessionEvent>>,
    on_theft: Option<Observer<TokenTheft>>,
}

/// A session that is about to be created.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionDraft {
    /// The user.
    pub user_id: UserId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The application's part of the access token payload, with the issuer and the registered
    /// claims.
    pub access_token_payload: JsonObject,
    /// The session data.
    pub session_data: JsonObject,
}

impl SessionDraft {
    /// Sets a member of the access token payload.
    ///
    /// # Errors
    /// If the value cannot be serialized.
    pub fn set_payload<T: Serialize + ?Sized>(
        &mut self,
        key: &str,
        value: &T,
    ) -> Result<(), JsonObjectError> {
        self.access_token_payload = self.access_token_payload.with(key, value)?;
        Ok(())
    }

    /// Sets a member of the session data.
    ///
    /// # Errors
    /// If the value cannot be serialized.
    pub fn set_data<T: Serialize + ?Sized>(
        &mut self,
        key: &str,
        value: &T,
    ) -> Result<(), JsonObjectError> {
        self.session_data = self.session_data.with(key, value)?;
        Ok(())
    }
}

/// An event in the life of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionEvent {
    /// The session.
    pub handle: SessionHandle,
    /// Its user.
    pub user_id: UserId,
    /// The login method of the user.
    pub recipe_user_id: UserId,
    /// Its tenant.
    pub tenant_id: TenantId,
}

impl Hooks {
    /// Creates an empty set of hooks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the hook that runs before a session is stored. It can change the payload and the data,
    /// or refuse.
    ///
    /// Protected names have already been removed from the payload. If the hook adds one, creation
    /// fails. An error of the hook becomes the error of the creation; see [`HookError`].
    #[must_use]
    pub fn before_create<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(SessionDraft) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<SessionDraft, HookError>> + Send + 'static,
    {
        self.before_create = Some(Arc::new(move |draft| Box::pin(hook(draft))));
        self
    }

    /// Sets the hook that runs after a session is stored and before its tokens are returned.
    ///
    /// If the hook refuses, the session is revoked and the creation fails with the hook's error.
    /// Tokens that the client already has are kept. If the hook revokes the session, the creation
    /// fails with [`SessionError::Unauthorised`]. The store is read after the hook to detect this,
    /// which costs one point read for each creation.
    #[must_use]
    pub fn on_created<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(SessionEvent) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: HookOutcome,
    {
        self.on_created = Some(judge(hook));
        self
    }

    /// Sets the hook that runs after a refresh is stored and before the new tokens are returned.
    ///
    /// If the hook refuses, the session is revoked, the refresh fails with the hook's error, and
    /// the client's tokens are cleared. If the hook revokes the session, the refresh fails with
    /// [`SessionError::Unauthorised`]. If the hook fails for another reason, the session is kept,
    /// and the client can repeat the refresh within the grace period. The store is read after the
    /// hook, which costs one point read for each refresh.
    #[must_use]
    pub fn on_refreshed<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(SessionEvent) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: HookOutcome,
    {
        self.on_refreshed = Some(judge(hook));
        self
    }

    /// Sets the hook that runs after a user signed out. The session has already been revoked, so
    /// the hook cannot refuse.
    #[must_use]
    pub fn on_signed_out<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(SessionEvent) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.on_signed_out = Some(observer(hook));
        self
    }

    /// Sets the hook that runs after a refresh token was reused. The session has already been
    /// revoked.
    ///
    /// The hook runs once for each theft, for the request that revoked the session, even if several
    /// requests on several nodes present the token at the same time. Later requests find no
    /// session. Over a SuperTokens core, which revokes the session itself, the hook runs once in
    /// each process that saw the theft.
    #[must_use]
    #[doc(alias = "onTokenTheftDetected")]
    pub fn on_theft<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(TokenTheft) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.on_theft = Some(observer(hook));
        self
    }

    pub(crate) async fn run_before_create(
        &self,
        draft: SessionDraft,
    ) -> Result<SessionDraft, SessionError> {
        match &self.before_create {
            None => Ok(draft),
            Some(hook) => hook(draft)
                .await
                .map_err(|error| failure("before_create", error)),
        }
    }

    /// Returns `true` if a hook ran.
    pub(crate) async fn created(&self, event: SessionEvent) -> Result<bool, SessionError> {
        run("on_created", self.on_created.as_ref(), event).await
    }

    /// Returns `true` if a hook ran.
    pub(crate) async fn refreshed(&self, event: SessionEvent) -> Result<bool, SessionError> {
        run("on_refreshed", self.on_refreshed.as_ref(), event).await
    }

    pub(crate) async fn signed_out(&self, event: SessionEvent) {
        notify(self.on_signed_out.as_ref(), event).await;
    }

    pub(crate) async fn theft(&self, theft: TokenTheft) {
        notify(self.on_theft.as_ref(), theft).await;
    }
}

fn judge<F, Fut>(hook: F) -> Judge
where
    F: Fn(SessionEvent) -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: HookOutcome,
{
    Arc::new(move |event| {
        let outcome = hook(event);
        Box::pin(async move { outcome.await.into_result() })
    })
}

async fn run(name: &str, hook: Option<&Judge>, event: SessionEvent) -> Result<bool, SessionError> {
    match hook {
        None => Ok(false),
        Some(hook) => match hook(event).await {
            Ok(()) => Ok(true),
            Err(error) => Err(failure(name, error)),
        },
    }
}

/// Returns the error of a request whose hook returned `error`.
fn failure(hook: &str, error: HookError) -> SessionError {
    let error = match error.downcast::<Refusal>() {
        Ok(refusal) => return SessionError::Refused(*refusal),
        Err(error) => error,
    };
    let error = match error.downcast::<Fault>() {
        Ok(fault) => return SessionError::Fault(*fault),
        Err(error) => error,
    };
    let error = match error.downcast::<SessionError>() {
        Ok(error) => match *error {
            error @ (SessionError::Unauthorised(_)
            | SessionError::Refused(_)
            | SessionError::Fault(_)) => return error,
            other => other.into(),
        },
        Err(error) => error,
    };
    Fault::internal(format!("the application's hook `{hook}` failed"))
        .with_source(error)
        .into()
}

fn observer<E, F, Fut>(hook: F) -> Observer<E>
where
    F: Fn(E) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    Arc::new(move |event| Box::pin(hook(event)))
}

async fn notify<E>(hook: Option<&Observer<E>>, event: E) {
    if let Some(hook) = hook {
        hook(event).await;
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("before_create", &self.before_create.is_some())
            .field("on_created", &self.on_created.is_some())
            .field("on_refreshed", &self.on_refreshed.is_some())
            .field("on_signed_out", &self.on_signed_out.is_some())
            .field("on_theft", &self.on_theft.is_some())
            .finish()
    }
}
