//! The validated, immutable configuration (session specification, section 11).

pub(crate) mod domain;
mod in_place;
mod pages;
mod strictness;

use std::fmt;
use std::net::IpAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use crate::claims::{AnyClaim, ClaimValidator};
use crate::client::Client;
use crate::cookies::CookieSettings;
use crate::error::SessionError;
use crate::hooks::Hooks;
use crate::http::{Reply, RequestView};
use crate::store::KeyKind;
use crate::transport::{
    AntiCsrf, AuthMode, SameSite, SiteOfRequest, TokenTransferMethod, TransferPurpose, Transport,
};
use crate::wire;

use domain::Domain;
pub use in_place::RefreshInPlace;
pub use pages::Pages;
pub use strictness::Strictness;

pub(crate) type TransferMethodFn =
    dyn Fn(&dyn RequestView, TransferPurpose) -> TokenTransferMethod + Send + Sync;
pub(crate) type ClientIpFn = dyn Fn(&dyn RequestView) -> Option<IpAddr> + Send + Sync;
pub(crate) type OriginFn = dyn Fn(&dyn RequestView) -> String + Send + Sync;
pub(crate) type RenderFn = dyn Fn(&SessionError, Reply) -> Reply + Send + Sync;

/// The settings that determine how requests are read and answered.
pub(crate) struct Config {
    pub(crate) api: Api,
    /// Gateway path and base path: the path as clients see it.
    pub(crate) public_base_path: String,
    /// The path that reaches this server: the public path without the gateway's prefix.
    pub(crate) gateway_path: String,
    pub(crate) website: Website,
    pub(crate) access_token_validity: Duration,
    pub(crate) doctor_route: bool,
    pub(crate) track_devices: bool,
    pub(crate) max_sessions_per_user: Option<NonZero<usize>>,
    pub(crate) client_ip: Option<Arc<ClientIpFn>>,
    pub(crate) same_site: Option<SameSite>,
    pub(crate) transfer_method: Option<Arc<TransferMethodFn>>,
    pub(crate) render: Option<Arc<RenderFn>>,
    pub(crate) cookies: CookieSettings,
    pub(crate) access_token_header: String,
    pub(crate) refresh_token_header: String,
    pub(crate) expose_access_token: bool,
    pub(crate) max_access_token_bytes: Option<usize>,
    pub(crate) strictness: Strictness,
    pub(crate) revocation_poll_interval: Duration,
    pub(crate) anti_csrf: Option<AntiCsrf>,
    /// If set, [`AntiCsrf::ViaOrigin`] accepts requests from sibling domains.
    pub(crate) trusts_same_site: bool,
    pub(crate) refresh_in_place: RefreshInPlace,
    pub(crate) pages: Option<Pages>,
    pub(crate) key_kind: KeyKind,
    pub(crate) issuer: String,
    pub(crate) session_expired_status: u16,
    pub(crate) invalid_claim_status: u16,
    pub(crate) path_tenants: PathTenants,
    pub(crate) refresh_route: bool,
    pub(crate) signout_route: bool,
    pub(crate) claims: Vec<AnyClaim>,
    pub(crate) validators: Vec<ClaimValidator>,
    pub(crate) hooks: Hooks,
}

/// The path segments that are accepted as a tenant before a built-in route.
#[derive(Clone, Debug)]
pub(crate) enum PathTenants {
    /// Those listed, and the default tenant.
    Listed(Vec<String>),
    /// Every segment of letters, digits and hyphens.
    Any,
}

impl PathTenants {
    pub(crate) fn is_well_formed(segment: &str) -> bool {
        let mut bytes = segment.bytes();
        !segment.is_empty() && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'-')
    }
}

/// The location of this API.
pub(crate) struct Api {
    pub(crate) domain: Domain,
    /// The top-level site of the domain.
    pub(crate) site: String,
}

impl Api {
    /// Returns the properties of cookies for a website (session specification, 3.9).
    pub(crate) fn site_with(
        &self,
        website: &Domain,
        site: &str,
        configured: Option<SameSite>,
    ) -> SiteOfRequest {
        let is_same_site = site == self.site && website.scheme == self.domain.scheme;
        let derived = if is_same_site {
            SameSite::Lax
        } else {
            SameSite::None
        };
        SiteOfRequest {
            same_site: configured.unwrap_or(derived),
            is_local: self.domain.is_local() && website.is_local(),
        }
    }
}

/// The location of the website.
pub(crate) enum Website {
    Fixed {
        domain: Domain,
        crosses_sites: bool,
        site: SiteOfRequest,
    },
    PerRequest(Arc<OriginFn>),
}

impl Config {
    /// Returns which tokens of a request are used (session specification, 3.1).
    pub(crate) fn allowed_method(&self, view: &dyn RequestView) -> TokenTransferMethod {
        match &self.transfer_method {
            Some(decide) => decide(view, TransferPurpose::Reading),
            None => TokenTransferMethod::Any,
        }
    }

    /// Returns the transport of a session that a request creates (session specification, 3.1).
    pub(crate) fn transport_for_creation(
        &self,
        view: &dyn RequestView,
        asked_for: Option<AuthMode>,
    ) -> Transport {
        let by_cookie = match self
            .transfer_method
            .as_ref()
            .map(|decide| decide(view, TransferPurpose::Creation))
        {
            None => match asked_for {
                Some(mode) => mode != AuthMode::Other,
                // A plain form asks for nothing, and a page cannot keep headers.
                None => self.refresh_in_place == RefreshInPlace::On,
            },
            Some(TokenTransferMethod::Any) => asked_for == Some(AuthMode::Cookie),
            Some(TokenTransferMethod::Cookie) => true,
            Some(TokenTransferMethod::Header) => false,
        };
        if by_cookie {
            Transport::Cookie
        } else {
            Transport::Header
        }
    }

    /// Returns the properties of cookies for the website's origin (session specification, 3.9).
    pub(crate) fn site_of(&self, view: &dyn RequestView) -> Result<SiteOfRequest, String> {
        match &self.website {
            Website::Fixed { site, .. } => Ok(*site),
            Website::PerRequest(origin) => {
                let origin = origin(view);
                let website = Domain::parse(&origin)
                    .map_err(|error| format!("the origin function returned `{origin}`: {error}"))?;
                let site = website
                    .site()
                    .map_err(|error| format!("website domain `{website}`: {error}"))?;
                Ok(self.api.site_with(&website, &site, self.same_site))
            }
        }
    }

    /// Returns `true` if an `Origin` is the API's or the website's.
    pub(crate) fn is_own_origin(&self, view: &dyn RequestView, origin: &str) -> bool {
        let Ok(origin) = Domain::parse(origin) else {
            return false;
        };
        let is_website = || match &self.website {
            Website::Fixed { domain, .. } => *domain == origin,
            Website::PerRequest(website) => {
                Domain::parse(&website(view)).is_ok_and(|website| website == origin)
            }
        };
        origin == self.api.domain || is_website()
    }

    /// Returns the most likely `SameSite` of cookies, where the request is not available. It only
    /// has to make the browser accept that a cookie is cleared, and browsers accept `None`
    /// everywhere if the cookie is `Secure`.
    pub(crate) fn likely_same_site(&self) -> SameSite {
        match &self.website {
            Website::Fixed { site, .. } => site.same_site,
            Website::PerRequest(_) if self.cookies.secure => {
                self.same_site.unwrap_or(SameSite::None)
            }
            Website::PerRequest(_) => self.same_site.unwrap_or(SameSite::Lax),
        }
    }

    /// Returns the route of a request's path: the path below the base path, without it.
    pub(crate) fn route_of<'p>(&self, path: &'p str) -> Option<&'p str> {
        let base = self
            .public_base_path
            .strip_prefix(self.gateway_path.as_str())
            .unwrap_or_default();
        let path = path.strip_suffix('/').unwrap_or(path);
        path.strip_prefix(base)
            .filter(|route| route.starts_with('/'))
    }

    /// Returns `true` if this segment before a built-in route is a tenant (session specification,
    /// 7.1). A path with any other segment belongs to the application.
    pub(crate) fn is_path_tenant(&self, segment: &str) -> bool {
        match &self.path_tenants {
            PathTenants::Listed(tenants) => {
                segment == wire::DEFAULT_TENANT_ID || tenants.iter().any(|own| own == segment)
            }
            PathTenants::Any => PathTenants::is_well_formed(segment),
        }
    }

    /// Returns `true` if every segment is accepted as a tenant.
    pub(crate) fn takes_any_path_tenant(&self) -> bool {
        matches!(self.path_tenants, PathTenants::Any)
    }

    pub(crate) fn api_domain(&self) -> &Domain {
        &self.api.domain
    }

    /// Returns the website's domain, unless it depends on the request.
    pub(crate) fn website_domain(&self) -> Option<&Domain> {
        match &self.website {
            Website::Fixed { domain, .. } => Some(domain),
            Website::PerRequest(_) => None,
        }
    }

    /// Returns `true` if the API and the website are different sites or use different schemes.
    pub(crate) fn crosses_sites(&self) -> bool {
        match &self.website {
            Website::Fixed { crosses_sites, .. } => *crosses_sites,
            Website::PerRequest(_) => false,
        }
    }

    /// Returns the origin of the website's pages, if it differs from the API's.
    pub(crate) fn foreign_origin(&self) -> Option<String> {
        let website = self.website_domain()?;
        (*website != self.api.domain).then(|| website.to_string())
    }

    pub(crate) fn gateway_path(&self) -> &str {
        &self.gateway_path
    }

    /// Returns the path by which a built-in route reaches this server.
    pub(crate) fn own_path(&self, route: &str) -> String {
        let base = self
            .public_base_path
            .strip_prefix(self.gateway_path.as_str());
        format!("{}{route}", base.unwrap_or_default())
    }

    /// Returns the URL of the built-in routes for clients: the API's domain and the public base
    /// path.
    pub(crate) fn public_base_url(&self) -> String {
        format!("{}{}", self.api.domain, self.public_base_path)
    }

    /// Returns the client of a request, if devices are tracked.
    pub(crate) fn client_of(&self, view: &dyn RequestView) -> Option<Client> {
        self.track_devices.then(|| {
            let ip = match &self.client_ip {
                Some(client_ip) => client_ip(view),
                None => view.peer_ip(),
            };
            Client::of(view, ip)
        })
    }

    /// Applies the application's customization to an error response.
    pub(crate) fn rendered(&self, error: &SessionError, reply: Reply) -> Reply {
        match &self.render {
            Some(render) => render(error, reply),
            None => reply,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("api_domain", &self.api.domain)
            .field("public_base_path", &self.public_base_path)
            .field("cookies", &self.cookies)
            .field("anti_csrf", &self.anti_csrf)
            .finish_non_exhaustive()
    }
}
