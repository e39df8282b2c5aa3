//! The adapter: all code between core and another framework. It reads no header by name, selects no
//! status and compares no times. It only passes values.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use supersession::http::{Reply, RequestView, ResponseHead};
use supersession::{RequestSessions, SessionError, Sessions};

pub(crate) type Answer = Response<Full<Bytes>>;

/// A request head for core.
struct View<'a>(&'a Parts);

impl RequestView for View<'_> {
    fn method(&self) -> &str {
        self.0.method.as_str()
    }

    fn path(&self) -> &str {
        self.0.uri.path()
    }

    fn headers(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in &self.0.headers {
            each(name.as_str(), value.as_bytes());
        }
    }
}

/// A response head that core modifies.
struct Head<'a>(&'a mut HeaderMap);

impl ResponseHead for Head<'_> {
    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        self.0
            .get_all(name)
            .iter()
            .for_each(|value| each(value.as_bytes()));
    }

    fn remove_header(&mut self, name: &str) {
        self.0.remove(name);
    }

    fn append_header(&mut self, name: &str, value: &str, sensitive: bool) {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(value)) {
            value.set_sensitive(sensitive);
            self.0.append(name, value);
        }
    }
}

fn write(reply: Reply) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::from_u16(reply.status).unwrap_or_default();
    reply.write_headers(&mut Head(answer.headers_mut()));
    *answer.body_mut() = Full::from(reply.body);
    answer
}

/// Runs `handler` with the sessions of its request. Serves the built-in routes before the handler,
/// and applies token effects and session errors after it.
pub(crate) async fn with_sessions<F, Fut>(sessions: &Sessions, request: Parts, handler: F) -> Answer
where
    F: FnOnce(Parts, RequestSessions) -> Fut,
    Fut: Future<Output = Result<Answer, SessionError>>,
{
    let sessions = sessions.for_request(request.method.as_str(), request.uri.path());
    sessions.read(&View(&request));
    let mut answer = match sessions.route() {
        Some(route) => write(sessions.serve(route).await),
        None => match handler(request, sessions.clone()).await {
            Ok(answer) => answer,
            Err(error) => write(sessions.answer(&error)),
        },
    };
    sessions.finish(&mut Head(answer.headers_mut()));
    answer
}
