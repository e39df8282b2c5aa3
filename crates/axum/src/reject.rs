//! Session errors as responses.

use std::ops::Deref;
use std::sync::Arc;

use axum_core::response::{IntoResponse, Response};
use supersession::{Fault, SessionError};

use crate::convert::response_of;

/// A session error that handlers can return with `?`. Dereferences to [`SessionError`].
///
/// As a response, it passes through the application to [`SessionLayer`](crate::SessionLayer), which
/// renders it as configured, clears tokens if the error requires it, and logs it for the operator.
/// If a handler handles the error instead, the client keeps its tokens.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct SessionRejection(Arc<SessionError>);

/// Marks a response that represents a session error, for the layer.
#[derive(Clone, Debug)]
pub(crate) struct Rejected(pub(crate) Arc<SessionError>);

impl IntoResponse for SessionRejection {
    /// The response that the client receives if no layer renders the error.
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
