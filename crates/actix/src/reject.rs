//! Session errors as responses.

use std::ops::Deref;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use supersession::{Fault, SessionError};

use crate::convert::{response_of, status_of};

/// A session error that handlers can return with `?`. Dereferences to [`SessionError`].
///
/// As a response, it passes through the application to
/// [`SessionMiddleware`](crate::SessionMiddleware), which renders it as configured, clears tokens
/// if the error requires it, and logs it for the operator. If a handler handles the error instead,
/// the client keeps its tokens.
///
/// An application's error type that contains this error must return its
/// [`error_response`](ResponseError::error_response) instead of building a new response, because
/// the middleware recognizes the response.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct SessionRejection(Arc<SessionError>);

/// Marks a response that represents a session error, for the middleware.
#[derive(Debug)]
pub(crate) struct Rejected(pub(crate) Arc<SessionError>);

impl ResponseError for SessionRejection {
    fn status_code(&self) -> StatusCode {
        status_of(&self.0.default_reply())
    }

    /// The response that the client receives if no middleware renders the error.
    fn error_response(&self) -> HttpResponse {
        let mut response = response_of(self.0.default_reply());
        let mark = Rejected(Arc::clone(&self.0));
        response.extensions_mut().insert(mark);
        response
    }
}

impl From<SessionError> for SessionRejection {
    fn from(error: SessionError) -> Self {
        Self(Arc::new(error))
    }
}

impl From<Fault> for SessionRejection {
    fn from(fault: Fault) -> Self {
        SessionError::from(fault).into()
    }
}

impl Deref for SessionRejection {
    type Target = SessionError;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
