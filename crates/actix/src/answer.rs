//! Processing of every response: renders session errors and applies token effects.

use std::cell::Cell;
use std::fmt;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{Error, HttpResponse, ResponseError};
use supersession::RequestSessions;
use supersession::http::Reply;

use crate::convert::{Head, write_reply};
use crate::reject::{Rejected, SessionRejection};

/// Renders the response's session error, if it has one, and applies token effects.
pub(crate) fn answer<B: MessageBody>(
    sessions: &RequestSessions,
    response: ServiceResponse<B>,
) -> ServiceResponse<EitherBody<B>> {
    let (request, mut response) = response.into_parts();
    let mut response = match take_reply(sessions, &mut response) {
        Some(reply) => write_reply(reply, response).map_into_right_body(),
        None => response.map_into_left_body(),
    };
    sessions.finish(&mut Head(response.headers_mut()));
    ServiceResponse::new(request, response)
}

/// Does the same for an error that an inner middleware returns instead of a response.
///
/// The result is still an error, because actix-web combines a response with its request, which the
/// inner service has consumed. An error of a request that did not use sessions is returned
/// unchanged. Of any other error, the response is taken here, once, because some errors can produce
/// it only once and its body may be a stream.
pub(crate) fn answer_error(sessions: &RequestSessions, cause: Error) -> Error {
    if sessions.is_untouched() && cause.as_error::<SessionRejection>().is_none() {
        return cause;
    }
    let mut response = cause.error_response();
    let reply = take_reply(sessions, &mut response);
    if let Some(reply) = &reply {
        response = write_reply(reply.clone(), response);
    }
    sessions.finish(&mut Head(response.headers_mut()));
    Error::from(Answered {
        cause,
        reply,
        status: response.status(),
        headers: response.headers().clone(),
        response: Cell::new(Some(response)),
    })
}

/// Returns the error that a middleware inside [`SessionMiddleware`](crate::SessionMiddleware)
/// returned. The session middleware wraps the errors of requests that used a session, so an outer
/// middleware needs this function to inspect their type with [`Error::as_error`].
#[must_use]
pub fn original_error(error: &Error) -> &Error {
    match error.as_error::<Answered>() {
        Some(answered) => &answered.cause,
        None => error,
    }
}

fn take_reply<B>(sessions: &RequestSessions, response: &mut HttpResponse<B>) -> Option<Reply> {
    let rejected = response.extensions_mut().remove::<Rejected>();
    rejected.map(|Rejected(error)| sessions.answer(&error))
}

/// An error together with its response.
struct Answered {
    cause: Error,
    reply: Option<Reply>,
    status: StatusCode,
    headers: HeaderMap,
    /// The response, until it is taken.
    response: Cell<Option<HttpResponse>>,
}

impl ResponseError for Answered {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    /// Returns the response. Later calls return the same head, with the body that the error then
    /// produces.
    fn error_response(&self) -> HttpResponse {
        if let Some(response) = self.response.take() {
            return response;
        }
        let mut response = self.cause.error_response();
        response.extensions_mut().remove::<Rejected>();
        if let Some(reply) = &self.reply {
            response = write_reply(reply.clone(), response);
        }
        *response.status_mut() = self.status;
        response.headers_mut().clone_from(&self.headers);
        response
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.cause, f)
    }
}

/// Omits the headers, which may contain a client's tokens.
impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.cause, f)
    }
}
