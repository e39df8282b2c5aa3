//! Errors of the demo's API: always `{"message": ...}`.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use demo_shared::UserError;
use supersession_axum::SessionRejection;
use supersession_axum::core::SessionError;

pub(crate) enum ApiError {
    /// An error that the session layer renders.
    Session(SessionRejection),
    /// An error of the application itself.
    User(UserError),
}

impl From<UserError> for ApiError {
    fn from(error: UserError) -> Self {
        Self::User(error)
    }
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        Self::Session(error.into())
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        UserError::bad_request(rejection.body_text()).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Session(rejection) => rejection.into_response(),
            Self::User(error) => {
                let status = StatusCode::from_u16(error.status);
                let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, Json(error.body())).into_response()
            }
        }
    }
}
