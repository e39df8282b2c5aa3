//! What every answer gets on its way out: session errors rendered, token effects applied.

use std::fmt;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{Error, HttpResponse, ResponseError};
use supersession::RequestSessions;
use supersession::http::Reply;

use crate::convert::{Head, status_of, write_reply};
use crate::reject::Rejected;

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
/// request went with the call. What it answers is settled here, once.
pub(crate) fn answer_error(sessions: &RequestSessions, cause: Error) -> Error {
    let mut response = cause.error_response();
    let reply = take_reply(sessions, &mut response);
    if let Some(reply) = &reply {
        response = write_reply(reply.clone(), response);
    }
    sessions.finish(&mut Head(response.headers_mut()));
    let headers = response.headers().clone();
    Error::from(Answered {
        cause,
        reply,
        headers,
    })
}

fn take_reply<B>(sessions: &RequestSessions, response: &mut HttpResponse<B>) -> Option<Reply> {
    let rejected = response.extensions_mut().remove::<Rejected>();
    rejected.map(|Rejected(error)| sessions.answer(&error))
}

/// An error together with the head of its answer. May be asked for the answer more than once.
struct Answered {
    cause: Error,
    reply: Option<Reply>,
    headers: HeaderMap,
}

impl ResponseError for Answered {
    fn status_code(&self) -> StatusCode {
        let own = || self.cause.as_response_error().status_code();
        self.reply.as_ref().map_or_else(own, status_of)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.cause.error_response();
        response.extensions_mut().remove::<Rejected>();
        if let Some(reply) = &self.reply {
            response = write_reply(reply.clone(), response);
        }
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
