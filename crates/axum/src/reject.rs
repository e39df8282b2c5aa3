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

impl SessionRejection {
    /// What the client gets where no layer renders it.
    pub(crate) fn into_response_with<B: From<Vec<u8>>>(self) -> http::Response<B> {
        let mut response = response_of(self.0.default_reply());
        response.extensions_mut().insert(Rejected(self.0));
        response
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        self.into_response_with()
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
