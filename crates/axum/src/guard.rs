//! The guard: a layer that lets only requests with a fitting session through.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use supersession::claims::ClaimValidator;
use supersession::{RequestSessions, Session, SessionError, VerifyOptions};
use tower_layer::Layer;
use tower_service::Service;

use crate::convert::View;
use crate::extract::missing_layer;
use crate::reject::SessionRejection;

/// A guard for `.layer(..)` and `.route_layer(..)`: by default demands a session. Runs before
/// extractors read the body.
///
/// The session is then in the request's extensions, as [`supersession::Session`], and the
/// [`Session`](crate::Session) extractor takes it from there.
#[doc(alias = "verifySession")]
pub fn verify_session() -> VerifySession {
    VerifySession {
        options: VerifyOptions::new(),
    }
}

/// The guard that [`verify_session`] makes. The setters are those of [`VerifyOptions`].
#[derive(Clone, Debug)]
#[must_use = "a guard does nothing until it is applied"]
pub struct VerifySession {
    options: VerifyOptions,
}

impl VerifySession {
    /// See [`VerifyOptions::optional`].
    pub fn optional(self) -> Self {
        self.with(VerifyOptions::optional)
    }

    /// See [`VerifyOptions::anti_csrf_check`].
    pub fn anti_csrf_check(self, check: bool) -> Self {
        self.with(|options| options.anti_csrf_check(check))
    }

    /// See [`VerifyOptions::check_database`].
    pub fn check_database(self, check: bool) -> Self {
        self.with(|options| options.check_database(check))
    }

    /// See [`VerifyOptions::max_session_age`].
    pub fn max_session_age(self, age: Duration) -> Self {
        self.with(|options| options.max_session_age(age))
    }

    /// See [`VerifyOptions::require`].
    pub fn require(self, validator: impl Into<ClaimValidator>) -> Self {
        self.with(|options| options.require(validator))
    }

    /// See [`VerifyOptions::override_global_validators`].
    pub fn override_global_validators<F>(self, choose: F) -> Self
    where
        F: Fn(&[ClaimValidator], &Session) -> Vec<ClaimValidator> + Send + Sync + 'static,
    {
        self.with(|options| options.override_global_validators(choose))
    }

    fn with(self, change: impl FnOnce(VerifyOptions) -> VerifyOptions) -> Self {
        Self {
            options: change(self.options),
        }
    }
}

impl From<VerifyOptions> for VerifySession {
    fn from(options: VerifyOptions) -> Self {
        Self { options }
    }
}

impl<S> Layer<S> for VerifySession {
    type Service = VerifySessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        VerifySessionService {
            inner,
            options: Arc::new(self.options.clone()),
        }
    }
}

/// The service that [`VerifySession`] makes.
#[derive(Clone, Debug)]
pub struct VerifySessionService<S> {
    inner: S,
    options: Arc<VerifyOptions>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for VerifySessionService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    ResBody: From<Vec<u8>>,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        // The service that was polled ready must be the one that is called; a fresh clone need not
        // be.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let options = Arc::clone(&self.options);
        let sessions = request.extensions().get::<RequestSessions>().cloned();
        if let Some(sessions) = &sessions {
            sessions.read(&View {
                method: request.method(),
                path: request.uri().path(),
                headers: request.headers(),
            });
        }
        Box::pin(async move {
            match verify(sessions, &options).await {
                Ok(session) => {
                    if let Some(session) = session {
                        request.extensions_mut().insert(session);
                    }
                    inner.call(request).await
                }
                Err(error) => Ok(SessionRejection::from(error).into_response_with()),
            }
        })
    }
}

async fn verify(
    sessions: Option<RequestSessions>,
    options: &VerifyOptions,
) -> Result<Option<Session>, SessionError> {
    let sessions = sessions.ok_or_else(missing_layer)?;
    sessions.verify(options).await
}
