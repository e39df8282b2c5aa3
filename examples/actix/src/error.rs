//! Errors of the demo's API: always `{"message": ...}`.

use std::fmt;

use actix_web::error::JsonPayloadError;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use demo_shared::UserError;
use supersession_actix::SessionRejection;
use supersession_actix::core::SessionError;

#[derive(Debug)]
pub(crate) enum ApiError {
    /// An error that the session middleware renders.
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

/// Converts the errors of `web::Json`.
impl From<actix_web::Error> for ApiError {
    fn from(error: actix_web::Error) -> Self {
        UserError::bad_request(match error.as_error() {
            Some(JsonPayloadError::ContentType) => {
                "Expected request with `Content-Type: application/json`".to_owned()
            }
            Some(JsonPayloadError::Deserialize(error)) if error.is_data() => {
                format!("Failed to deserialize the JSON body into the target type: {error}")
            }
            Some(JsonPayloadError::Deserialize(error)) => {
                format!("Failed to parse the request body as JSON: {error}")
            }
            _ => error.to_string(),
        })
        .into()
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Session(rejection) => rejection.status_code(),
            Self::User(error) => {
                StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::Session(rejection) => rejection.error_response(),
            Self::User(error) => HttpResponse::build(self.status_code()).json(error.body()),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(rejection) => rejection.fmt(f),
            Self::User(error) => f.write_str(&error.message),
        }
    }
}
