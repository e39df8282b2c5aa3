//! What an adapter shows us of a request, and what it lets us do to a response.
//!
//! An adapter decides nothing: it implements the two traits, and hands over.

/// A request, as far as sessions look at it. Read in one go, before anything is awaited.
pub trait RequestView {
    /// The method, in upper case.
    fn method(&self) -> &str;

    /// The path as the client sent it, without the query.
    fn path(&self) -> &str;

    /// Calls `each` with every value of a header, in order. The name is in lower case.
    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8]));
}

impl dyn RequestView + '_ {
    /// The first value of a header, if it is there.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let mut first = None;
        self.header_values(name, &mut |value| {
            first.get_or_insert_with(|| String::from_utf8_lossy(value).into_owned());
        });
        first
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
}
