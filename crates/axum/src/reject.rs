//! Session errors as responses.

use std::ops::Deref;
use std::sync::Arc;

use axum_core::response::{IntoResponse, Response};
use supersession::{Fault, SessionError};

use crate::convert::response_of;

/// A session error as a handler returns it, so that `?` works; dereferences to [`SessionError`].
///
/// As a response it travels through the application to [`SessionLayer`](crate::SessionLayer), which
/// renders it as configured, clears tokens where the error demands it, and tells the operator. A
/// handler that catches it instead leaves the client's tokens alone.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct SessionRejection(Arc<SessionError>);

/// The mark by which the layer recognises an error of ours in a response.
#[derive(Clone, Debug)]
pub(crate) struct Rejected(pub(crate) Arc<SessionError>);

impl IntoResponse for SessionRejection {
    /// What the client gets where no layer renders it.
    fn into_response(self) -> Response {
        let mut response = response_of(self.0.default_reply());
        response.extensions_mut().insert(Rejected(self.0));
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
