//! Session errors as responses.

use std::ops::Deref;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use supersession::{Fault, SessionError};

use crate::convert::{response_of, status_of};

/// A session error as a handler returns it, so that `?` works; dereferences to [`SessionError`].
///
/// As a response it travels through the application to
/// [`SessionMiddleware`](crate::SessionMiddleware), which renders it as configured, clears tokens
/// where the error demands it, and tells the operator. A handler that catches it instead leaves the
/// client's tokens alone.
///
/// An error type of the application's own that holds one must answer with its
/// [`error_response`](ResponseError::error_response), not with a response made anew, because the
/// middleware recognises the response.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct SessionRejection(Arc<SessionError>);

/// The mark by which the middleware recognises an error of ours in a response.
#[derive(Debug)]
pub(crate) struct Rejected(pub(crate) Arc<SessionError>);

impl ResponseError for SessionRejection {
    fn status_code(&self) -> StatusCode {
        status_of(&self.0.default_reply())
    }

    /// What the client gets where no middleware renders it.
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
