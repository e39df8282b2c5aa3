//! Names and numbers of the wire protocol, each defined once.
//!
//! Source: the SuperTokens wire protocol (front-end driver interface 1.16 to 4.2). This module
//! defines every name that a browser SDK or a backend SDK of SuperTokens relies on. No other file
//! of the workspace repeats them.

/// Carries the access token when cookies transport the session.
pub const ACCESS_COOKIE: &str = "sAccessToken";
/// Carries the refresh token when cookies transport the session; its path is the refresh
/// endpoint's.
pub const REFRESH_COOKIE: &str = "sRefreshToken";
/// Ends the name of the refresh token's cookie if its path is `/`. Browsers keep cookies of one name
/// and different paths apart, so the two need different names.
pub const ROOT_COOKIE_SUFFIX: &str = "-root";
/// Written by old generations of SDKs. Its presence means "refresh first".
pub const LEGACY_ID_REFRESH_COOKIE: &str = "sIdRefreshToken";

/// Prefix of a cookie's name that browsers accept only from the host itself, `Secure`, for all
/// paths (RFC 6265bis, 4.1.3.2).
pub const HOST_COOKIE_PREFIX: &str = "__Host-";
/// Prefix of a cookie's name that browsers accept only over a secure connection (RFC 6265bis,
/// 4.1.3.1).
pub const SECURE_COOKIE_PREFIX: &str = "__Secure-";

/// Response header with the access token in header mode. Empty clears it.
pub const ACCESS_TOKEN_HEADER: &str = "st-access-token";
/// Response header with the refresh token in header mode. Empty clears it.
pub const REFRESH_TOKEN_HEADER: &str = "st-refresh-token";
/// Response header that describes the access token to the browser SDK.
pub const FRONT_TOKEN_HEADER: &str = "front-token";
/// The value of [`FRONT_TOKEN_HEADER`] that makes the browser SDK delete its session.
pub const FRONT_TOKEN_REMOVE: &str = "remove";
/// Carries the anti-CSRF token, in both directions.
pub const ANTI_CSRF_HEADER: &str = "anti-csrf";
/// Request header by which a client asks for cookies or headers.
pub const AUTH_MODE_HEADER: &str = "st-auth-mode";
/// Request header that every SuperTokens SDK sends; its presence is the custom-header anti-CSRF
/// check.
pub const RID_HEADER: &str = "rid";
/// Request header with the front-end driver interface versions of the client.
pub const FDI_VERSION_HEADER: &str = "fdi-version";
/// Request header with `Bearer <token>` in header mode.
pub const AUTHORIZATION_HEADER: &str = "authorization";
/// Request header with the cookies.
pub const COOKIE_HEADER: &str = "cookie";
/// Request header with the origin of the page.
pub const ORIGIN_HEADER: &str = "origin";
/// The relation of a request to the page that made it (Fetch Metadata).
pub const SEC_FETCH_SITE_HEADER: &str = "sec-fetch-site";
/// The purpose of a request: `navigate` for a page (Fetch Metadata).
pub const SEC_FETCH_MODE_HEADER: &str = "sec-fetch-mode";
/// Header with the media type of a body.
pub const CONTENT_TYPE_HEADER: &str = "content-type";
/// Response header with one cookie to set.
pub const SET_COOKIE_HEADER: &str = "set-cookie";
/// Response header that lets cross-origin scripts read the headers above.
pub const EXPOSE_HEADERS_HEADER: &str = "access-control-expose-headers";
/// Response header that keeps tokens out of shared caches.
pub const CACHE_CONTROL_HEADER: &str = "cache-control";

/// Request headers that a CORS layer must allow for the browser SDKs, in addition to
/// `content-type`.
pub const CORS_ALLOW_HEADERS: [&str; 5] = [
    RID_HEADER,
    FDI_VERSION_HEADER,
    ANTI_CSRF_HEADER,
    AUTHORIZATION_HEADER,
    AUTH_MODE_HEADER,
];
/// Response headers that a CORS layer must expose to the browser SDKs.
pub const CORS_EXPOSE_HEADERS: [&str; 4] = [
    FRONT_TOKEN_HEADER,
    ACCESS_TOKEN_HEADER,
    REFRESH_TOKEN_HEADER,
    ANTI_CSRF_HEADER,
];

/// Base path of the built-in routes, unless configured.
pub const DEFAULT_API_BASE_PATH: &str = "/auth";
/// Refresh endpoint (POST), below the base path.
pub const REFRESH_PATH: &str = "/session/refresh";
/// Sign-out endpoint (POST), below the base path.
pub const SIGNOUT_PATH: &str = "/signout";
/// Key set endpoint (GET), below the base path.
pub const JWKS_PATH: &str = "/jwt/jwks.json";
/// Doctor endpoint (GET), below the base path; only if enabled.
pub const DOCTOR_PATH: &str = "/doctor";
/// OpenID discovery endpoint (GET), below the base path.
pub const OPENID_CONFIGURATION_PATH: &str = "/.well-known/openid-configuration";

/// `typ` of every token's header.
pub const JWT_TYP: &str = "JWT";
/// Prefix of the id of a rotating key.
pub const DYNAMIC_KID_PREFIX: &str = "d-";
/// Prefix of the id of a static key.
pub const STATIC_KID_PREFIX: &str = "s-";
/// The access token version that this engine mints, as in the token's header.
pub const ACCESS_TOKEN_VERSION: &str = "5";

/// Primary user id.
pub const CLAIM_SUB: &str = "sub";
/// Recipe user id: the login method that made the session.
pub const CLAIM_RSUB: &str = "rsub";
/// Minting time, in seconds.
pub const CLAIM_IAT: &str = "iat";
/// Expiry, in seconds.
pub const CLAIM_EXP: &str = "exp";
/// The session handle.
pub const CLAIM_SESSION_HANDLE: &str = "sessionHandle";
/// SHA-256 of the refresh token that pairs with the access token.
pub const CLAIM_REFRESH_TOKEN_HASH1: &str = "refreshTokenHash1";
/// SHA-256 of the previous refresh token; null in tokens that this engine mints.
pub const CLAIM_PARENT_REFRESH_TOKEN_HASH1: &str = "parentRefreshTokenHash1";
/// The anti-CSRF token of the session, or null.
pub const CLAIM_ANTI_CSRF_TOKEN: &str = "antiCsrfToken";
/// The tenant.
pub const CLAIM_TENANT_ID: &str = "tId";
/// Type marker of OAuth2 tokens, which are never session tokens.
pub const CLAIM_STT: &str = "stt";
/// The issuer.
pub const CLAIM_ISS: &str = "iss";

/// User id in access tokens of the versions 1 and 2.
pub const LEGACY_CLAIM_USER_ID: &str = "userId";
/// Expiry in access tokens of the versions 1 and 2, in milliseconds.
pub const LEGACY_CLAIM_EXPIRY_TIME: &str = "expiryTime";
/// Minting time in access tokens of the versions 1 and 2, in milliseconds.
pub const LEGACY_CLAIM_TIME_CREATED: &str = "timeCreated";
/// The application's payload in access tokens of the versions 1 and 2.
pub const LEGACY_CLAIM_USER_DATA: &str = "userData";

/// Members of the payload that belong to the token itself; applications cannot set them.
pub const PROTECTED_CLAIMS: [&str; 10] = [
    CLAIM_SUB,
    CLAIM_IAT,
    CLAIM_EXP,
    CLAIM_SESSION_HANDLE,
    CLAIM_PARENT_REFRESH_TOKEN_HASH1,
    CLAIM_REFRESH_TOKEN_HASH1,
    CLAIM_ANTI_CSRF_TOKEN,
    CLAIM_RSUB,
    CLAIM_TENANT_ID,
    CLAIM_STT,
];

/// The message of a 401 without a usable session.
pub const MESSAGE_UNAUTHORISED: &str = "unauthorised";
/// The message of a 401 that a refresh can resolve.
pub const MESSAGE_TRY_REFRESH_TOKEN: &str = "try refresh token";
/// The message of a 401 after a refresh token was reused.
pub const MESSAGE_TOKEN_THEFT_DETECTED: &str = "token theft detected";
/// The message of a 403 for a claim that failed validation.
pub const MESSAGE_INVALID_CLAIM: &str = "invalid claim";
/// The message of a 403 for a request that a page of another site made.
pub const MESSAGE_FOREIGN_ORIGIN: &str = "cross-origin request";
/// The error message if the payload contains a member of [`PROTECTED_CLAIMS`].
pub const MESSAGE_PROTECTED_FIELD: &str = "The user payload contains protected field";
/// The operator's message for an operation on a session that does not exist.
pub const MESSAGE_SESSION_GONE: &str = "Session does not exist anymore";

/// The default tenant.
pub const DEFAULT_TENANT_ID: &str = "public";
/// The default app.
pub const DEFAULT_APP_ID: &str = "public";

/// Request header of the core driver interface with the key of an application.
pub const API_KEY_HEADER: &str = "api-key";
/// Request header of the core driver interface with its version.
pub const CDI_VERSION_HEADER: &str = "cdi-version";
/// The name of a session handle in the core driver interface.
pub const CDI_SESSION_HANDLE: &str = "sessionHandle";
/// Path of conditional and merging writes of documents. An extension of the core driver interface
/// that only this core has. GET checks that it is available, POST writes.
pub const DOCUMENT_PATH: &str = "/supersession/document";
