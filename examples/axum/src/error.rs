//! Errors of the demo's API: always `{"message": ...}`.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use supersession_axum::SessionRejection;
use supersession_axum::core::SessionError;

pub(crate) enum ApiError {
    /// An error that the session layer renders.
    Session(SessionRejection),
    /// An error of the application itself.
    Own(StatusCode, String),
}

impl ApiError {
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::Own(StatusCode::BAD_REQUEST, message.into())
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::Own(StatusCode::NOT_FOUND, message.into())
    }
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        Self::Session(error.into())
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Session(rejection) => rejection.into_response(),
            Self::Own(status, message) => {
                (status, Json(json!({ "message": message }))).into_response()
            }
        }
    }
}
