//! Conversions between actix-web's HTTP types, which are those of `http` 0.2, and core's.

use std::net::IpAddr;

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::dev::RequestHead;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use supersession::http::{Reply, RequestView, ResponseHead};
use supersession::{RequestSessions, Sessions};

/// A request head for core.
pub(crate) struct View<'a>(pub(crate) &'a RequestHead);

impl RequestView for View<'_> {
    fn method(&self) -> &str {
        self.0.method.as_str()
    }

    fn path(&self) -> &str {
        self.0.uri.path()
    }

    fn query(&self) -> Option<&str> {
        self.0.uri.query()
    }

    fn headers(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in &self.0.headers {
            each(name.as_str(), value.as_bytes());
        }
    }

    fn peer_ip(&self) -> Option<IpAddr> {
        self.0.peer_addr.map(|address| address.ip())
    }
}

/// A response head that core modifies.
pub(crate) struct Head<'a>(pub(crate) &'a mut HeaderMap);

impl ResponseHead for Head<'_> {
    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        for value in self.0.get_all(name) {
            each(value.as_bytes());
        }
    }

    fn remove_header(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Names and values come from core's constants, from tokens and from checked configuration. A
    /// header that HTTP cannot represent is omitted, because a modified value would be wrong.
    fn append_header(&mut self, name: &str, value: &str, sensitive: bool) {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(value)) {
            value.set_sensitive(sensitive);
            self.0.append(name, value);
        }
    }
}

/// Returns the sessions of the request with this head.
pub(crate) fn for_request(sessions: &Sessions, head: &RequestHead) -> RequestSessions {
    sessions.for_request(head.method.as_str(), head.uri.path())
}

pub(crate) fn status_of(reply: &Reply) -> StatusCode {
    StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Replaces status and body of a response by this reply. Headers set by the application are kept.
pub(crate) fn write_reply<B>(reply: Reply, mut response: HttpResponse<B>) -> HttpResponse {
    *response.status_mut() = status_of(&reply);
    reply.write_headers(&mut Head(response.headers_mut()));
    response.set_body(BoxBody::new(reply.body))
}

/// Builds a response from this reply alone.
pub(crate) fn response_of(reply: Reply) -> HttpResponse {
    write_reply(reply, HttpResponse::Ok().finish())
}
