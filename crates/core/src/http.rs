//! The adapter's view of a request and a response.
//!
//! An adapter makes no decisions. It implements the two traits and passes them on.

use std::borrow::Cow;
use std::net::IpAddr;

/// The parts of a request that sessions use. They are read together, before anything is awaited.
pub trait RequestView {
    /// Returns the method, in upper case.
    fn method(&self) -> &str;

    /// Returns the path as the client sent it, without the query.
    fn path(&self) -> &str;

    /// Returns the query as the client sent it, without `?`.
    fn query(&self) -> Option<&str> {
        None
    }

    /// Calls `each` with the name and the value of every header. Names are in lower case; values of
    /// one name are in their order.
    ///
    /// All headers are passed at once, because a lookup by name costs more than ignoring the
    /// others.
    fn headers(&self, each: &mut dyn FnMut(&str, &[u8]));

    /// Returns the address of the client or of the last proxy, if the framework knows it.
    fn peer_ip(&self) -> Option<IpAddr> {
        None
    }
}

impl dyn RequestView + '_ {
    /// Returns the first value of a header, if present. The name is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let mut first = None;
        self.headers(&mut |own, value| {
            if own == name && first.is_none() {
                first = Some(text(value).into_owned());
            }
        });
        first
    }
}

/// Returns the value of a header as text. Invalid UTF-8 is replaced.
pub(crate) fn text(value: &[u8]) -> Cow<'_, str> {
    // The lossy conversion processes single bytes and is slower.
    match std::str::from_utf8(value) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(value),
    }
}

/// The head of a response.
pub trait ResponseHead {
    /// Calls `each` with every value of a header, in order. The name is in lower case.
    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8]));

    /// Removes a header.
    fn remove_header(&mut self, name: &str);

    /// Adds a value of a header, in addition to existing ones. The framework must not log a
    /// `sensitive` value.
    fn append_header(&mut self, name: &str, value: &str, sensitive: bool);
}

/// Headers that describe a body (RFC 9110, 8). A handler or a layer further in has computed
/// them, for instance one that compresses.
const OF_THE_BODY: [&str; 6] = [
    "content-type",
    "content-encoding",
    "content-length",
    "content-range",
    "etag",
    "last-modified",
];

/// A complete response of a built-in route or to an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers, except those that carry tokens.
    pub headers: Vec<(&'static str, String)>,
    /// The body: JSON, or empty for a redirect.
    pub body: String,
}

impl Reply {
    /// Creates a JSON response. The body must be valid JSON.
    #[must_use]
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json; charset=utf-8".to_owned())],
            body: body.into(),
        }
    }

    /// Creates a response without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// Adds a header. The name is in lower case.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Writes the headers to a response that becomes this reply. They replace headers of the same
    /// name, and headers that describe the previous body are removed. All other headers of the
    /// application are kept. The adapter writes the status and the body in its framework's types.
    pub fn write_headers(&self, head: &mut dyn ResponseHead) {
        for name in OF_THE_BODY {
            head.remove_header(name);
        }
        for (name, value) in &self.headers {
            head.remove_header(name);
            head.append_header(name, value, false);
        }
    }
}

pub(crate) fn values_of(head: &dyn ResponseHead, name: &str) -> Vec<String> {
    let mut values = Vec::new();
    head.header_values(name, &mut |value| {
        values.push(String::from_utf8_lossy(value).into_owned());
    });
    values
}

#[cfg(test)]
mod tests {
    use super::{Reply, ResponseHead};

    struct Head(Vec<(String, String)>);

    impl ResponseHead for Head {
        fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
            for (_, value) in self.0.iter().filter(|(own, _)| own == name) {
                each(value.as_bytes());
            }
        }

        fn remove_header(&mut self, name: &str) {
            self.0.retain(|(own, _)| own != name);
        }

        fn append_header(&mut self, name: &str, value: &str, sensitive: bool) {
            assert!(!sensitive, "a reply carries no tokens");
            self.0.push((name.to_owned(), value.to_owned()));
        }
    }

    #[test]
    fn a_response_that_becomes_a_reply_keeps_headers_of_the_application() {
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect()
        };
        let mut head = Head(pairs(&[
            ("content-length", "12"),
            ("content-encoding", "gzip"),
            ("content-range", "bytes 0-11/12"),
            ("etag", "\"12\""),
            ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("content-type", "text/plain"),
            ("retry-after", "60"),
            ("retry-after", "120"),
            ("vary", "origin"),
        ]));
        Reply::json(503, "{}")
            .with_header("retry-after", "1")
            .write_headers(&mut head);
        let expected = [
            ("vary", "origin"),
            ("content-type", "application/json; charset=utf-8"),
            ("retry-after", "1"),
        ];
        assert_eq!(head.0, pairs(&expected));
    }
}
