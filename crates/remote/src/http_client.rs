//! The HTTP client: one request to one host.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};

use crate::host_error::HostError;
use crate::tls::{self, Trust};

/// Maximum size of a response. This is much more than all handles of a user, or a key set.
const MAX_RESPONSE_BYTES: usize = 16 << 20;
/// Shorter than the keep-alive timeout of servers, so that a request rarely uses a connection that
/// is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends requests.
pub(crate) struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// The response of a host.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl HttpClient {
    pub(crate) fn new(trust: Trust, connect_timeout: Duration) -> io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(connect_timeout));
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::config(trust)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Ok(Self { client })
    }

    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        until: Instant,
    ) -> Result<Response, HostError> {
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| {
                if tls::is_untrusted(&error) {
                    HostError::Untrusted(error.into())
                } else if error.is_connect() {
                    HostError::NotSent(error.into())
                } else if tls::chain(&error).any(is_not_http) {
                    HostError::NotHttp(error.into())
                } else {
                    HostError::ConnectionLost(error.into())
                }
            })?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_RESPONSE_BYTES).collect().await;
            Ok(Response {
                status: head.status,
                headers: head.headers,
                body: body.map_err(HostError::ConnectionLost)?.to_bytes(),
            })
        };
        timeout_at(until, exchange)
            .await
            .unwrap_or(Err(HostError::TimedOut))
    }
}

fn is_not_http(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<hyper::Error>()
        .is_some_and(hyper::Error::is_parse)
}

impl Response {
    /// Returns how long the response may be cached, if it contains `max-age`.
    pub(crate) fn max_age(&self) -> Option<Duration> {
        let text = self.headers.get(CACHE_CONTROL)?.to_str().ok()?;
        let seconds = text
            .split(',')
            .find_map(|directive| directive.trim().strip_prefix("max-age="))?;
        seconds.parse().ok().map(Duration::from_secs)
    }

    /// Returns the delay before the next attempt, if the response contains `Retry-After`.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?;
        text.trim().parse().ok().map(Duration::from_secs)
    }

    /// Returns `true` if the body contains `text`. The body itself must never be logged or
    /// returned, because it can quote the request.
    pub(crate) fn contains(&self, text: &str) -> bool {
        let (body, text) = (&self.body, text.as_bytes());
        body.windows(text.len()).any(|window| window == text)
    }

    /// Returns the error for a response that cannot be read.
    pub(crate) fn unreadable(&self) -> HostError {
        let is_html = |value: &http::HeaderValue| value.as_bytes().starts_with(b"text/html");
        let start = self.body.trim_ascii_start();
        HostError::Unreadable {
            is_html: self.headers.get(CONTENT_TYPE).is_some_and(is_html) || start.starts_with(b"<"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_header_values_are_ignored() {
        let response = |name, text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, text.parse().unwrap());
            Response {
                status: StatusCode::OK,
                headers,
                body: Bytes::new(),
            }
        };
        let max_age = |text| response(CACHE_CONTROL, text).max_age();
        assert_eq!(
            max_age("max-age=12, must-revalidate"),
            Some(Duration::from_secs(12))
        );
        assert_eq!(max_age("public, max-age=3"), Some(Duration::from_secs(3)));
        for none in ["", "no-store", "max-age=", "max-age=-1", "max-age=x"] {
            assert_eq!(max_age(none), None, "{none}");
        }
        let retry_after = |text| response(RETRY_AFTER, text).retry_after();
        assert_eq!(retry_after("1"), Some(Duration::from_secs(1)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), None);
    }
}
