//! Refusals as pages: redirects instead of JSON.

use url::Url;

/// The pages to which a browser is sent if its request is rejected
/// ([`SessionsBuilder::pages`](crate::SessionsBuilder::pages)).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pages {
    pub(crate) sign_in: String,
    pub(crate) failed_claims: Option<String>,
}

/// The name of the query parameter with the page to which a sign-in leads back.
pub(crate) const RETURN_TO: &str = "return_to";

/// An origin that no page has. Targets are resolved against it, and must stay on it.
const NOWHERE: &str = "https://return-to.invalid";

impl Pages {
    /// Sends navigations without a session to a sign-in page, such as `/login`. Its path must start
    /// with `/`.
    #[must_use]
    pub fn sign_in_at(path: impl Into<String>) -> Self {
        Self {
            sign_in: path.into(),
            failed_claims: None,
        }
    }

    /// Sends navigations whose session fails a claim or is too old to a page, such as `/forbidden`
    /// or `/confirm`. Without it, they receive the default response.
    #[must_use]
    pub fn failed_claims_at(mut self, path: impl Into<String>) -> Self {
        self.failed_claims = Some(path.into());
        self
    }

    /// Returns the URL of one of the pages, with the page to return to.
    pub(crate) fn url_of(page: &str, return_to: Option<&str>) -> String {
        match return_to {
            Some(target) => {
                let mut query = form_urlencoded::Serializer::new(String::new());
                query.append_pair(RETURN_TO, target);
                let separator = if page.contains('?') { '&' } else { '?' };
                format!("{page}{separator}{}", query.finish())
            }
            None => page.to_owned(),
        }
    }

    /// Returns a target that leads to a page of the same origin and nowhere else, in the form in
    /// which browsers read it. The URL Standard removes tabs and line feeds and reads `\` as `/`, so
    /// both are refused before it is asked.
    pub(crate) fn checked_target(target: &str) -> Option<String> {
        let is_plain = |c: char| !c.is_control() && !c.is_whitespace() && c != '\\';
        if !target.starts_with('/') || target.starts_with("//") || !target.chars().all(is_plain) {
            return None;
        }
        let base = Url::parse(NOWHERE).ok()?;
        let url = base.join(target).ok()?;
        if url.origin() != base.origin() || url.path().starts_with("//") {
            return None;
        }
        let query = url.query().map(|query| format!("?{query}"));
        Some(format!("{}{}", url.path(), query.unwrap_or_default()))
    }

    /// Returns the checked target in the query of a request for the sign-in page.
    pub(crate) fn target_in(query: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let (_, target) = pairs.find(|(name, _)| name == RETURN_TO)?;
        Self::checked_target(&target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_stays_on_its_origin() {
        for good in [
            "/",
            "/cart?item=1&b=%2F",
            "/a/b",
            "/a%0d%0ab",
            "/?next=//evil.example",
        ] {
            assert_eq!(Pages::checked_target(good).as_deref(), Some(good));
        }
        assert_eq!(Pages::checked_target("/a/../b").as_deref(), Some("/b"));
        for bad in [
            "",
            "cart",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r\nset-cookie: a=b",
            "/ /evil.example",
            "/\u{a0}/evil.example",
            "https://evil.example/",
            "https:evil.example",
            "javascript:alert(1)",
            "/..//evil.example",
            "/.//evil.example",
            "/a/..//evil.example",
            "/%2e//evil.example",
            "@evil.example",
            "?/evil",
        ] {
            assert_eq!(Pages::checked_target(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_target_survives_the_query() {
        let url = Pages::url_of("/login", Some("/cart?a=1&b=/x#y"));
        let query = url.strip_prefix("/login?").unwrap();
        assert_eq!(Pages::target_in(query).as_deref(), Some("/cart?a=1&b=/x"));
        assert_eq!(
            Pages::url_of("/login?lang=de", Some("/")),
            "/login?lang=de&return_to=%2F"
        );
        assert_eq!(Pages::target_in("return_to=%2F%2Fevil.example"), None);
        assert_eq!(Pages::target_in("a=b"), None);
    }
}
