//! Conversions between the types of the `http` crate and core's. No other file uses both.

use std::net::IpAddr;

use axum_core::body::Body;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use supersession::http::{Reply, RequestView, ResponseHead};

/// A request head for core.
pub(crate) struct View<'a>(pub(crate) &'a Parts);

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
        let PeerIp(ip) = self.0.extensions.get()?;
        Some(*ip)
    }
}

/// The address of the client, for [`SessionsBuilder::track_devices`]. The application inserts it
/// into the request's extensions, outside of [`SessionLayer`](crate::SessionLayer). With axum, a
/// middleware can read it from axum's `ConnectInfo`.
///
/// Exhaustive, because applications create it.
///
/// [`SessionsBuilder::track_devices`]: supersession::SessionsBuilder::track_devices
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerIp(pub IpAddr);

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

/// Replaces status and body of a response by this reply. Headers set by the application are kept.
pub(crate) fn write_reply(reply: Reply, response: &mut Response<Body>) {
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply.write_headers(&mut Head(response.headers_mut()));
    *response.body_mut() = Body::from(reply.body);
}

/// Builds a response from this reply alone.
pub(crate) fn response_of(reply: Reply) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    write_reply(reply, &mut response);
    response
}

/// Builds the response to a HEAD request: the reply without its body, but with the body's length.
pub(crate) fn head_of(mut reply: Reply) -> Response<Body> {
    let body = std::mem::take(&mut reply.body);
    let mut response = response_of(reply);
    let length = HeaderValue::from(body.len());
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}
