//! What an adapter shows us of a request, and what it lets us do to a response.
//!
//! An adapter decides nothing: it implements the two traits, and hands over.

use std::borrow::Cow;
use std::net::IpAddr;

/// A request, as far as sessions look at it. Read in one go, before anything is awaited.
pub trait RequestView {
    /// The method, in upper case.
    fn method(&self) -> &str;

    /// The path as the client sent it, without the query.
    fn path(&self) -> &str;

    /// Calls `each` with the name and the value of every header. Names are in lower case; values of
    /// one name come in their order.
    ///
    /// All at once, because a look-up by name costs more than to pass over what does not matter.
    fn headers(&self, each: &mut dyn FnMut(&str, &[u8]));

    /// The address of the client, or of the proxy through which it came, if the framework knows it.
    fn peer_ip(&self) -> Option<IpAddr> {
        None
    }
}

impl dyn RequestView + '_ {
    /// The first value of a header, if it is there. The name is in lower case.
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

/// The value of a header as text; what is no UTF-8 is replaced.
pub(crate) fn text(value: &[u8]) -> Cow<'_, str> {
    // The lossy reader goes byte by byte.
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

    /// Adds a value of a header, beside those that are there. What is `sensitive` must not be
    /// logged by the framework.
    fn append_header(&mut self, name: &str, value: &str, sensitive: bool);
}

/// A whole answer of ours: to a built-in route, or for an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Headers, beside those that carry tokens.
    pub headers: Vec<(&'static str, String)>,
    /// The body; JSON.
    pub body: String,
}

impl Reply {
    /// A JSON answer. The body must be valid JSON.
    #[must_use]
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json; charset=utf-8".to_owned())],
            body: body.into(),
        }
    }

    /// Adds a header. The name is in lower case.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Writes the headers to a response that becomes this reply. They replace those of the same
    /// name, and the length of the body that was there goes; all else that the application has set
    /// stays. Status and body are the adapter's to write, in its framework's types.
    pub fn write_headers(&self, head: &mut dyn ResponseHead) {
        head.remove_header("content-length");
        for (name, value) in &self.headers {
            head.remove_header(name);
            head.append_header(name, value, false);
        }
    }
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
    fn a_response_that_becomes_a_reply_keeps_what_the_application_has_set() {
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect()
        };
        let mut head = Head(pairs(&[
            ("content-length", "12"),
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
