//! Responses: JSON, text, and errors with their status. Every body ends with a newline.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde_json::json;
use supersession::{Fault, FaultKind};

/// A complete response.
pub type HttpResponse = Response<Full<Bytes>>;

/// An error response.
#[derive(Debug)]
pub(crate) struct ErrorResponse {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
    /// The underlying fault, for the log.
    pub(crate) cause: Option<Fault>,
}

impl ErrorResponse {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
            cause: None,
        }
    }

    pub(crate) fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    pub(crate) fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found")
    }

    pub(crate) fn method_not_supported() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Method not supported")
    }

    pub(crate) fn protected_claim() -> Self {
        Self::bad_request(supersession::wire::MESSAGE_PROTECTED_FIELD)
    }
}

/// The causes are for the operator. The client learns only that the server failed, and if a retry
/// makes sense.
impl From<Fault> for ErrorResponse {
    fn from(fault: Fault) -> Self {
        let (status, text) = match fault.kind() {
            FaultKind::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The session store is not available; try again",
            ),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "Internal error"),
        };
        Self {
            cause: Some(fault),
            ..Self::new(status, text)
        }
    }
}

impl From<supersession::store::StoreError> for ErrorResponse {
    fn from(error: supersession::store::StoreError) -> Self {
        Fault::from(error).into()
    }
}

impl From<ErrorResponse> for HttpResponse {
    fn from(refusal: ErrorResponse) -> Self {
        let mut answer = text(refusal.text);
        *answer.status_mut() = refusal.status;
        answer
    }
}

/// Sanitizes input for a text that a browser may interpret as HTML.
pub(crate) fn sanitized(sent: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let characters = sent.chars().take(64);
    characters
        .map(|c| if harmless(c) { c } else { '?' })
        .collect()
}

/// Builds a text response.
pub(crate) fn text(text: impl Into<String>) -> HttpResponse {
    let mut text = text.into();
    text.push('\n');
    with_type(text.into_bytes(), "text/html; charset=UTF-8")
}

/// Builds a JSON response.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<HttpResponse, ErrorResponse> {
    let mut body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a response cannot be serialized"
        );
        ErrorResponse::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
    })?;
    body.push(b'\n');
    Ok(with_type(body, "application/json; charset=UTF-8"))
}

/// Builds a response that contains only a status.
pub(crate) fn status(status: &str) -> Result<HttpResponse, ErrorResponse> {
    json(&json!({ "status": status }))
}

/// Builds the response `UNAUTHORISED` for a backend SDK.
pub(crate) fn unauthorised(message: &str) -> Result<HttpResponse, ErrorResponse> {
    json(&json!({ "status": "UNAUTHORISED", "message": message }))
}

pub(crate) fn with_type(body: Vec<u8>, content_type: &'static str) -> HttpResponse {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    let value = HeaderValue::from_static(content_type);
    answer.headers_mut().insert(CONTENT_TYPE, value);
    answer
}
