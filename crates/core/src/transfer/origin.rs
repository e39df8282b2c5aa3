//! The check that a request was not made by another site's page, by the headers with which browsers
//! name its origin.
//!
//! The procedure of [`AntiCsrf::ViaOrigin`](crate::AntiCsrf::ViaOrigin). Pages of other sites can
//! neither set nor omit these headers (Fetch Standard, 4.6 "HTTP-network-or-cache fetch", and Fetch
//! Metadata Request Headers, 2.4):
//!
//! 1. GET, HEAD, OPTIONS and TRACE are accepted, because they must not change anything.
//! 2. `Sec-Fetch-Site: same-origin` and `none` (typed, or a bookmark) are accepted.
//! 3. `Sec-Fetch-Site: same-site` is accepted if the application trusts its sibling domains.
//! 4. An `Origin` that equals the API's or the website's origin is accepted.
//! 5. A request with neither header is accepted, because no browser in use sends one.
//! 6. Every other request is rejected.

/// The headers of a request that name its origin. Of a repeated header, the first value counts.
#[derive(Debug, Default)]
pub(super) struct OriginHeaders {
    pub(super) fetch_site: Option<FetchSite>,
    pub(super) origin: Option<String>,
}

/// The values of `Sec-Fetch-Site`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchSite {
    /// `same-origin`, or `none`, which means that no page made the request.
    Own,
    SameSite,
    /// `cross-site`, or an unknown value.
    Other,
}

impl FetchSite {
    pub(super) fn of(value: &[u8]) -> Self {
        match value {
            b"same-origin" | b"none" => Self::Own,
            b"same-site" => Self::SameSite,
            _ => Self::Other,
        }
    }
}

impl OriginHeaders {
    /// Returns `true` if the request may come from a page of another site.
    pub(super) fn is_foreign(
        &self,
        method: &str,
        trusts_same_site: bool,
        is_own: impl FnOnce(&str) -> bool,
    ) -> bool {
        if matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE") {
            return false;
        }
        match (self.fetch_site, &self.origin) {
            (Some(FetchSite::Own), _) | (None, None) => false,
            (Some(FetchSite::SameSite), _) if trusts_same_site => false,
            (_, Some(origin)) => !is_own(origin),
            (Some(_), None) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_accepted_by_the_documented_procedure() {
        let own = "https://app.example.com";
        let sites = [None, Some("same-origin"), Some("none"), Some("same-site")];
        let sites = sites.into_iter().chain([Some("cross-site"), Some("x")]);
        for fetch_site in sites {
            for origin in [None, Some(own), Some("https://evil.example"), Some("null")] {
                for trusts_same_site in [false, true] {
                    let headers = OriginHeaders {
                        fetch_site: fetch_site.map(|value| FetchSite::of(value.as_bytes())),
                        origin: origin.map(str::to_owned),
                    };
                    let expected = match (fetch_site, origin) {
                        (Some("same-origin" | "none"), _) | (None, None) => false,
                        (Some("same-site"), _) if trusts_same_site => false,
                        (_, origin) => origin != Some(own),
                    };
                    let case = format!("{fetch_site:?} {origin:?} {trusts_same_site}");
                    for method in ["POST", "PUT", "PATCH", "DELETE", "QUERY", "post"] {
                        let foreign =
                            headers.is_foreign(method, trusts_same_site, |origin| origin == own);
                        assert_eq!(foreign, expected, "{method} {case}");
                    }
                    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
                        let foreign =
                            headers.is_foreign(method, trusts_same_site, |origin| origin == own);
                        assert!(!foreign, "{method} {case}");
                    }
                }
            }
        }
    }
}
