//! What every answer gets on its way out: session errors rendered, token effects applied.

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

/// Renders a session error in the response, if there is one, and applies token effects.
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

/// The same for an error that a middleware further in has returned in place of a response.
///
/// It stays an error, because actix makes a response only together with its request, and the
/// request went with the call. An error of a request that has nothing to do with sessions is left
/// as it is. Of any other, the response is taken here, once: some errors can give it only once, and
/// its body may be a stream.
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

/// The error that a middleware inside [`SessionMiddleware`](crate::SessionMiddleware) has returned,
/// for a middleware outside of it that looks at its type with [`Error::as_error`]. The session
/// middleware wraps errors of requests that asked for a session.
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
    /// The response, until it is asked for.
    response: Cell<Option<HttpResponse>>,
}

impl ResponseError for Answered {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    /// Asked for again, it has the same head, with a body that the error can make a second time.
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

/// Without the headers, which may be a client's tokens.
impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.cause, f)
    }
}
