//! Requests of browsers for pages, which are redirected instead of answered with JSON.

use url::Url;

use crate::config::{Config, Pages};
use crate::http::{RequestView, text};
use crate::wire;

/// A request to which a redirect is a useful answer.
#[derive(Debug)]
pub(crate) struct PageRequest {
    pub(crate) is_htmx: bool,
    /// The page to which a sign-in leads back, if it is known to be one of this origin.
    pub(crate) return_to: Option<String>,
}

impl PageRequest {
    /// Returns `None` if no browser would show the response as a page. `path` is the whole path that
    /// the client sent.
    pub(crate) fn of(view: &dyn RequestView, config: &Config, path: &str) -> Option<Self> {
        let (mut mode, mut accepts_html, mut is_htmx) = (None, false, false);
        let (mut referer, mut current_url) = (None, None);
        view.headers(&mut |name, value| match name {
            wire::SEC_FETCH_MODE_HEADER => mode = Some(value == b"navigate"),
            "accept" => accepts_html |= text(value).contains("text/html"),
            "hx-request" => is_htmx |= value == b"true",
            "hx-current-url" => current_url = Some(text(value).into_owned()),
            "referer" => referer = Some(text(value).into_owned()),
            _ => {}
        });
        // Browsers without Fetch Metadata name the page's type.
        if !is_htmx && !mode.unwrap_or(accepts_html) {
            return None;
        }
        let own_page = |url: Option<String>| page_of_own_origin(&url?, view, config);
        let return_to = if is_htmx {
            own_page(current_url)
        } else if matches!(view.method(), "GET" | "HEAD") {
            let query = view.query().map(|query| format!("?{query}"));
            Pages::checked_target(&format!("{path}{}", query.unwrap_or_default()))
        } else {
            own_page(referer)
        };
        Some(Self { is_htmx, return_to })
    }
}

fn page_of_own_origin(url: &str, view: &dyn RequestView, config: &Config) -> Option<String> {
    let url = Url::parse(url).ok()?;
    if !config.is_own_origin(view, &url.origin().ascii_serialization()) {
        return None;
    }
    let query = url.query().map(|query| format!("?{query}"));
    Pages::checked_target(&format!("{}{}", url.path(), query.unwrap_or_default()))
}
