//! Redirects of rejected navigations, and the way back
//! ([`SessionsBuilder::pages`](crate::SessionsBuilder::pages)).

use std::sync::OnceLock;

use super::RequestSessions;
use crate::config::{Config, Pages};
use crate::error::SessionError;
use crate::http::{Reply, RequestView};
use crate::transfer::PageRequest;
use crate::wire;

/// The page that a request asks for. Kept only if pages are configured.
pub(super) struct Page {
    /// The whole path. Behind nested routers, guards and extractors see a shorter one.
    path: String,
    request: OnceLock<Option<PageRequest>>,
    /// The checked `return_to` of the query.
    return_to: OnceLock<Option<String>>,
}

impl Page {
    pub(super) fn of(path: &str, config: &Config) -> Option<Self> {
        config.pages.as_ref().map(|_| Self {
            path: path.to_owned(),
            request: OnceLock::new(),
            return_to: OnceLock::new(),
        })
    }

    pub(super) fn read(&self, view: &dyn RequestView, config: &Config) {
        self.request
            .get_or_init(|| PageRequest::of(view, config, &self.path));
        self.return_to
            .get_or_init(|| view.query().and_then(Pages::target_in));
    }
}

impl RequestSessions {
    /// Returns the page to which a sign-in leads back: the checked `return_to` of the query, or `/`.
    /// It is a path of the same origin, with its query. Other sites, and everything that a browser
    /// could take for one, are replaced by `/`. For [`pages`](crate::SessionsBuilder::pages).
    ///
    /// The form of the sign-in page must keep the query, which `<form method="post">` without
    /// `action` does.
    #[must_use]
    pub fn return_to(&self) -> String {
        let page = self.inner.page.as_ref();
        let target = page.and_then(|page| page.return_to.get()?.clone());
        target.unwrap_or_else(|| "/".to_owned())
    }

    /// Returns the redirect of a rejected request, if a browser would show the response as a page.
    pub(super) fn redirect(&self, error: &SessionError, status: u16) -> Option<Reply> {
        let pages = self.config().pages.as_ref()?;
        let page = self.inner.page.as_ref()?;
        let target = match error {
            SessionError::Unauthorised(_)
            | SessionError::TryRefreshToken(_)
            | SessionError::TokenTheftDetected(_) => &pages.sign_in,
            SessionError::InvalidClaims(_) => pages.failed_claims.as_ref()?,
            _ => return None,
        };
        let request = page.request.get()?.as_ref()?;
        let is_target = target.split('?').next() == Some(page.path.as_str());
        if self.inner.route.is_some() || is_target {
            return None;
        }
        let url = Pages::url_of(target, request.return_to.as_deref());
        let reply = if request.is_htmx {
            Reply::empty(status).with_header("hx-redirect", url)
        } else {
            Reply::empty(303).with_header("location", url)
        };
        Some(reply.with_header(wire::CACHE_CONTROL_HEADER, "no-store"))
    }
}
