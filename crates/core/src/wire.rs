//! The names and numbers of the wire, each written once.
//!
//! Source: the SuperTokens wire protocol (front-end driver interface 1.16 to 4.2). Everything that
//! a browser SDK or a backend SDK of SuperTokens relies on by name stands here; no other file of
//! the workspace repeats it.

/// Carries the access token when cookies transport the session.
pub const ACCESS_COOKIE: &str = "sAccessToken";
/// Carries the refresh token when cookies transport the session; its path is the refresh
/// endpoint's.
pub const REFRESH_COOKIE: &str = "sRefreshToken";
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
/// The value of [`FRONT_TOKEN_HEADER`] that tells the browser SDK to forget its session.
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
/// Header with the media type of a body.
pub const CONTENT_TYPE_HEADER: &str = "content-type";
/// Response header with one cookie to set.
pub const SET_COOKIE_HEADER: &str = "set-cookie";
/// Response header that lets cross-origin scripts read the headers above.
pub const EXPOSE_HEADERS_HEADER: &str = "access-control-expose-headers";
/// Response header that keeps tokens out of shared caches.
pub const CACHE_CONTROL_HEADER: &str = "cache-control";

/// Request headers that a CORS layer must allow for the browser SDKs, beside `content-type`.
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

/// Where the built-in routes live unless configured otherwise.
pub const DEFAULT_API_BASE_PATH: &str = "/auth";
/// Refresh endpoint (POST), below the base path.
pub const REFRESH_PATH: &str = "/session/refresh";
/// Sign-out endpoint (POST), below the base path.
pub const SIGNOUT_PATH: &str = "/signout";
/// Key set endpoint (GET), below the base path.
pub const JWKS_PATH: &str = "/jwt/jwks.json";
/// Findings of the doctor (GET), below the base path; only if turned on.
pub const DOCTOR_PATH: &str = "/doctor";
/// OpenID discovery endpoint (GET), below the base path.
pub const OPENID_CONFIGURATION_PATH: &str = "/.well-known/openid-configuration";

/// `typ` of every token's header.
pub const JWT_TYP: &str = "JWT";
/// Prefix of the id of a key that rotates.
pub const DYNAMIC_KID_PREFIX: &str = "d-";
/// Prefix of the id of a key that stays.
pub const STATIC_KID_PREFIX: &str = "s-";
/// The access token version that this engine mints, as it stands in the token's header.
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
/// SHA-256 of the refresh token before; null in tokens that this engine mints.
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
/// The message of a 401 that a refresh cures.
pub const MESSAGE_TRY_REFRESH_TOKEN: &str = "try refresh token";
/// The message of a 401 after a refresh token was used twice.
pub const MESSAGE_TOKEN_THEFT_DETECTED: &str = "token theft detected";
/// The message of a 403 for a claim that does not hold.
pub const MESSAGE_INVALID_CLAIM: &str = "invalid claim";
/// What minting says when the payload names a member of [`PROTECTED_CLAIMS`].
pub const MESSAGE_PROTECTED_FIELD: &str = "The user payload contains protected field";
/// What operations on a session that is gone say to the operator.
pub const MESSAGE_SESSION_GONE: &str = "Session does not exist anymore";

/// The tenant of an application that has only one.
pub const DEFAULT_TENANT_ID: &str = "public";
/// The app of a database that holds only one.
pub const DEFAULT_APP_ID: &str = "public";

/// Request header of the core driver interface with the key of an application.
pub const API_KEY_HEADER: &str = "api-key";
/// Request header of the core driver interface with its version.
pub const CDI_VERSION_HEADER: &str = "cdi-version";
/// What the core driver interface calls a session's handle.
pub const CDI_SESSION_HANDLE: &str = "sessionHandle";
/// Conditional and merging writes of documents, beside the core driver interface: what this core has
/// and others have not. GET tells whether it is there, POST writes.
pub const DOCUMENT_PATH: &str = "/supersession/document";
