//! Between the `http` crate's types and core's. The only file that knows both.

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use supersession::http::{Reply, RequestView, ResponseHead};

/// A request's head, as core looks at it.
pub(crate) struct View<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
}

impl RequestView for View<'_> {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn path(&self) -> &str {
        self.path
    }

    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        for value in self.headers.get_all(name) {
            each(value.as_bytes());
        }
    }
}

/// A response's head, as core writes it.
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

    fn append_header(&mut self, name: &str, value: &str, sensitive: bool) {
        if let Some((name, mut value)) = header(name, value) {
            value.set_sensitive(sensitive);
            self.0.append(name, value);
        }
    }
}

/// Turns a response into this reply; headers that the application has set stay.
pub(crate) fn write_reply<B: From<Vec<u8>>>(reply: Reply, response: &mut Response<B>) {
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().remove(CONTENT_LENGTH);
    for (name, value) in &reply.headers {
        if let Some((name, value)) = header(name, value) {
            response.headers_mut().insert(name, value);
        }
    }
    *response.body_mut() = B::from(reply.body.into_bytes());
}

/// A response that is this reply and nothing else.
pub(crate) fn response_of<B: From<Vec<u8>>>(reply: Reply) -> Response<B> {
    let mut response = Response::new(B::from(Vec::new()));
    write_reply(reply, &mut response);
    response
}

/// Names and values come from core's constants, from tokens and from checked configuration; one
/// that HTTP cannot carry is left out rather than sent maimed.
fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((
        HeaderName::from_bytes(name.as_bytes()).ok()?,
        HeaderValue::from_str(value).ok()?,
    ))
}
