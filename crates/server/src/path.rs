//! The grammar of paths: `<base path>[/appid-<app>][/<tenant>]<endpoint>[/]`.

use supersession::{AppId, TenantId, wire};

/// An endpoint of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Endpoint {
    Root,
    Hello,
    Live,
    Ready,
    Metrics,
    ApiVersion,
    Config,
    Telemetry,
    UserId,
    UserRemove,
    FeatureFlag,
    License,
    JwksPublic,
    Jwks,
    Jwt,
    Session,
    Verify,
    Refresh,
    Regenerate,
    Remove,
    UserSessions,
    SessionData,
    JwtData,
    Handshake,
    UserMetadata,
    UserMetadataRemove,
    UserMetadataBulk,
    Document,
    App,
    AppV2,
    Tenant,
    TenantV2,
    Domain,
    DomainV2,
    AppList,
    AppListV2,
    TenantList,
    TenantListV2,
    DomainList,
    DomainListV2,
    AppRemove,
    TenantRemove,
    DomainRemove,
    ActiveUsers,
    RequestStats,
}

const ENDPOINTS: [(&str, Endpoint); 45] = [
    ("/", Endpoint::Root),
    ("/hello", Endpoint::Hello),
    ("/livez", Endpoint::Live),
    ("/readyz", Endpoint::Ready),
    ("/metrics", Endpoint::Metrics),
    ("/apiversion", Endpoint::ApiVersion),
    ("/config", Endpoint::Config),
    ("/telemetry", Endpoint::Telemetry),
    ("/user/id", Endpoint::UserId),
    ("/user/remove", Endpoint::UserRemove),
    ("/ee/featureflag", Endpoint::FeatureFlag),
    ("/ee/license", Endpoint::License),
    ("/.well-known/jwks.json", Endpoint::JwksPublic),
    ("/recipe/jwt/jwks", Endpoint::Jwks),
    ("/recipe/jwt", Endpoint::Jwt),
    ("/recipe/session", Endpoint::Session),
    ("/recipe/session/verify", Endpoint::Verify),
    ("/recipe/session/refresh", Endpoint::Refresh),
    ("/recipe/session/regenerate", Endpoint::Regenerate),
    ("/recipe/session/remove", Endpoint::Remove),
    ("/recipe/session/user", Endpoint::UserSessions),
    ("/recipe/session/data", Endpoint::SessionData),
    ("/recipe/jwt/data", Endpoint::JwtData),
    ("/recipe/handshake", Endpoint::Handshake),
    ("/recipe/user/metadata", Endpoint::UserMetadata),
    ("/recipe/user/metadata/remove", Endpoint::UserMetadataRemove),
    ("/recipe/user/metadata/bulk", Endpoint::UserMetadataBulk),
    (wire::DOCUMENT_PATH, Endpoint::Document),
    ("/recipe/multitenancy/app", Endpoint::App),
    ("/recipe/multitenancy/app/v2", Endpoint::AppV2),
    ("/recipe/multitenancy/tenant", Endpoint::Tenant),
    ("/recipe/multitenancy/tenant/v2", Endpoint::TenantV2),
    ("/recipe/multitenancy/connectionuridomain", Endpoint::Domain),
    (
        "/recipe/multitenancy/connectionuridomain/v2",
        Endpoint::DomainV2,
    ),
    ("/recipe/multitenancy/app/list", Endpoint::AppList),
    ("/recipe/multitenancy/app/list/v2", Endpoint::AppListV2),
    ("/recipe/multitenancy/tenant/list", Endpoint::TenantList),
    (
        "/recipe/multitenancy/tenant/list/v2",
        Endpoint::TenantListV2,
    ),
    (
        "/recipe/multitenancy/connectionuridomain/list",
        Endpoint::DomainList,
    ),
    (
        "/recipe/multitenancy/connectionuridomain/list/v2",
        Endpoint::DomainListV2,
    ),
    ("/recipe/multitenancy/app/remove", Endpoint::AppRemove),
    ("/recipe/multitenancy/tenant/remove", Endpoint::TenantRemove),
    (
        "/recipe/multitenancy/connectionuridomain/remove",
        Endpoint::DomainRemove,
    ),
    ("/users/count/active", Endpoint::ActiveUsers),
    ("/requests/stats", Endpoint::RequestStats),
];

/// Names that a tenant cannot have, because paths begin with them.
pub(crate) const RESERVED_TENANTS: [&str; 4] = ["recipe", "config", "users", "hello"];

const APP_PREFIX: &str = "appid-";

impl Endpoint {
    fn of(path: &str) -> Option<Self> {
        let found = ENDPOINTS.iter().find(|(known, _)| *known == path);
        found.map(|(_, endpoint)| *endpoint)
    }

    /// Returns the path, for metrics and logs.
    pub(crate) fn name(self) -> &'static str {
        let found = ENDPOINTS.iter().find(|(_, endpoint)| *endpoint == self);
        found.map_or("", |(path, _)| path)
    }

    /// Returns `true` for endpoints that belong to the operator of the server and not to an app.
    pub(crate) fn is_operational(self) -> bool {
        matches!(self, Self::Live | Self::Ready | Self::Metrics)
    }

    pub(crate) fn needs_api_key(self) -> bool {
        !matches!(
            self,
            Self::Root | Self::Hello | Self::Config | Self::JwksPublic | Self::Live | Self::Ready
        )
    }

    /// Returns `true` if the endpoint depends on the CDI version.
    pub(crate) fn needs_version(self) -> bool {
        !self.is_operational() && !matches!(self, Self::Hello | Self::ApiVersion | Self::JwksPublic)
    }
}

/// The endpoint, app and tenant that a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    pub(crate) app: AppId,
    pub(crate) tenant: TenantId,
}

/// Parses a path.
pub(crate) fn parse(base_path: &str, path: &str) -> Option<Target> {
    let path = path.to_ascii_lowercase();
    let path = path.strip_prefix(base_path)?;
    let path = match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() => shorter,
        _ if path.is_empty() => "/",
        _ => path,
    };
    let target = |endpoint, app: AppId, tenant| Target {
        endpoint,
        app,
        tenant,
    };
    if let Some(endpoint) = Endpoint::of(path) {
        return Some(target(endpoint, AppId::default(), TenantId::default()));
    }
    let (app, rest) = match split(path) {
        Some((segment, rest)) if segment.starts_with(APP_PREFIX) => {
            let id = segment.strip_prefix(APP_PREFIX)?;
            if !is_scope_text(id) && !id.is_empty() {
                return None;
            }
            (AppId::from_stored(id), rest)
        }
        _ => (AppId::default(), path),
    };
    let of_app = |path| Endpoint::of(path).filter(|endpoint| !endpoint.is_operational());
    if let Some(endpoint) = of_app(rest) {
        return Some(target(endpoint, app, TenantId::default()));
    }
    let (segment, rest) = split(rest)?;
    if !is_scope_text(segment) || RESERVED_TENANTS.contains(&segment) {
        return None;
    }
    let endpoint = of_app(rest)?;
    Some(target(endpoint, app, TenantId::from_stored(segment)))
}

/// Prefixes of paths that only the reference serves.
const OUT_OF_SCOPE: [&str; 21] = [
    "/bulk-import",
    "/recipe/accountlinking",
    "/recipe/dashboard",
    "/recipe/emailpassword",
    "/recipe/mfa",
    "/recipe/multitenancy/config",
    "/recipe/multitenancy/tenant/user",
    "/recipe/oauth",
    "/recipe/passwordless",
    "/recipe/role",
    "/recipe/roles",
    "/recipe/signin",
    "/recipe/signinup",
    "/recipe/signup",
    "/recipe/thirdparty",
    "/recipe/totp",
    "/recipe/user",
    "/recipe/userid",
    "/recipe/webauthn",
    "/user/search",
    "/users",
];

/// Returns `true` if the reference serves this path and the path is out of scope for this server.
pub(crate) fn is_out_of_scope(base_path: &str, path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let Some(mut path) = path.strip_prefix(base_path) else {
        return false;
    };
    // Skips app and tenant.
    for _ in 0..3 {
        let known = OUT_OF_SCOPE.iter().any(|beginning| {
            let rest = path.strip_prefix(beginning);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if known {
            return true;
        }
        match split(path) {
            Some((_, rest)) => path = rest,
            None => return false,
        }
    }
    false
}

/// Maximum length of a path segment in the log. App ids with their prefix, tenants and handles are
/// shorter; access and refresh tokens are longer.
const LONGEST_SEGMENT: usize = 48;
const MOST_SEGMENTS: usize = 12;

/// Formats a path for the log. A segment that may be a token is replaced by its length.
pub(crate) fn for_log(path: &str) -> String {
    let mut segments: Vec<_> = path
        .splitn(MOST_SEGMENTS + 1, '/')
        .map(|segment| {
            if segment.len() > LONGEST_SEGMENT {
                format!("({} characters)", segment.len())
            } else {
                segment.escape_default().to_string()
            }
        })
        .collect();
    if segments.len() > MOST_SEGMENTS {
        segments.truncate(MOST_SEGMENTS);
        segments.push("(more)".to_owned());
    }
    segments.join("/")
}

/// Returns the first segment and the rest of the path.
fn split(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/')?;
    let end = path.find('/').unwrap_or(path.len());
    let (segment, rest) = path.split_at(end);
    Some((segment, if rest.is_empty() { "/" } else { rest }))
}

fn is_scope_text(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<(&str, &str, &str)>) {
        let found = parse("/base", path);
        let found = found
            .as_ref()
            .map(|found| (found.endpoint.name(), &*found.app, &*found.tenant));
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn a_path_is_formatted_without_tokens() {
        let app = "0f8fad5b-d9cb-469f-a165-70867728950e";
        let known = format!("/appid-{app}/t1/recipe/session");
        assert_eq!(for_log(&known), known);
        let token = "x".repeat(49);
        let unknown = format!("/recipe/session/{token}/a");
        assert_eq!(for_log(&unknown), "/recipe/session/(49 characters)/a");
        assert_eq!(for_log("/a\nb"), "/a\\nb");
        let deep = "/a".repeat(100);
        assert_eq!(for_log(&deep), format!("{}/(more)", "/a".repeat(11)));
    }

    #[test]
    fn a_path_contains_app_tenant_and_endpoint() {
        check(
            "/base/recipe/session",
            Some(("/recipe/session", "public", "public")),
        );
        check(
            "/base/Recipe/SESSION/",
            Some(("/recipe/session", "public", "public")),
        );
        check(
            "/base/appid-a1/t1/recipe/session",
            Some(("/recipe/session", "a1", "t1")),
        );
        check("/base/appid-a1/hello", Some(("/hello", "a1", "public")));
        check("/base/t1", Some(("/", "public", "t1")));
        check("/base", Some(("/", "public", "public")));
        check("/base/", Some(("/", "public", "public")));
        check("/base/metrics", Some(("/metrics", "public", "public")));
        check("/base/appid-a1/metrics", Some(("/", "a1", "metrics")));
        check("/base/t1/livez", None);
        check("/base/recipe", None);
        check("/base/a_b/recipe/session", None);
        check("/base/appid-x_y/recipe/session", None);
        check("/base/t1/t2/recipe/session", None);
        check("/base//recipe/session", None);
        check("/recipe/session", None);
    }
}
