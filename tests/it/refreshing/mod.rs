//! Conformance: anti-CSRF, refresh, sign-out, and the functions on sessions (session specification,
//! appendices A.4 to A.7).

mod anti_csrf;
mod duplicates;
mod functions;
mod lost_responses;
mod own_routes;
mod racing;
mod refresh;
mod reuse;
mod rotation;
mod session_data;
mod signing_keys;
mod signout;
mod transfer;

use std::time::Duration;

use supersession::{SessionError, SessionsBuilder, TokenTransferMethod, TransferPurpose};

use crate::support::{Answer, App, Tokens};

/// The grace period that is configured by default.
const GRACE: Duration = Duration::from_secs(30);

/// Cookies as they are cleared in the default configuration.
const CLEARED_COOKIES: [&str; 2] = [
    "sAccessToken=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax",
    "sRefreshToken=; Path=/auth/session/refresh; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax",
];

/// A cookie of a legacy session, as it is cleared in the default configuration.
const CLEARED_LEGACY_COOKIE: &str = "sIdRefreshToken=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax";

/// Lets only tokens that travel this way count; sessions are still created as the request asks.
fn only(method: TokenTransferMethod) -> impl Fn(SessionsBuilder) -> SessionsBuilder + Copy {
    move |builder| {
        builder.token_transfer_method(move |request, purpose| {
            match (purpose, request.header("st-auth-mode").as_deref()) {
                (TransferPurpose::Creation, Some("cookie")) => TokenTransferMethod::Cookie,
                (TransferPurpose::Creation, _) => TokenTransferMethod::Header,
                _ => method,
            }
        })
    }
}

/// All `Set-Cookie` lines, as they are.
fn cookie_lines(answer: &Answer) -> Vec<&str> {
    let lines = answer.headers.get_all("set-cookie");
    lines.iter().map(|line| line.to_str().unwrap()).collect()
}

/// The lines that give a session's cookies, all made at the start of the test.
fn lines_of(tokens: &Tokens) -> [String; 2] {
    let refresh = tokens
        .refresh
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    [
        format!(
            "sAccessToken={}; Path=/; Expires=Fri, 01 Jan 2027 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax",
            tokens.access
        ),
        format!(
            "sRefreshToken={refresh}; Path=/auth/session/refresh; Expires=Sat, 11 Apr 2026 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax"
        ),
    ]
}

/// The names of an answer's headers, sorted, without the body's length.
fn header_names(answer: &Answer) -> Vec<&str> {
    let mut names: Vec<_> = answer
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| *name != "content-length")
        .collect();
    names.sort_unstable();
    names
}

/// Fails unless the answer takes away everything, whichever way it came, and carries nothing else.
#[track_caller]
fn assert_everything_cleared(answer: &Answer) {
    assert_eq!(cookie_lines(answer), CLEARED_COOKIES, "{answer:?}");
    assert!(answer.clears_headers(), "{answer:?}");
    assert_eq!(answer.header("front-token"), Some("remove"), "{answer:?}");
    assert_eq!(
        answer.exposed(),
        ["front-token", "st-access-token", "st-refresh-token"]
    );
    assert_eq!(
        header_names(answer),
        [
            "access-control-expose-headers",
            "cache-control",
            "content-type",
            "front-token",
            "set-cookie",
            "st-access-token",
            "st-refresh-token",
        ],
        "{answer:?}"
    );
}

/// Fails unless the answer is a 401 `unauthorised` that takes away everything.
#[track_caller]
fn assert_logged_out(answer: &Answer) {
    answer.is_unauthorised();
    assert_everything_cleared(answer);
}

/// Fails unless the answer says "theft" and takes away everything.
#[track_caller]
fn assert_theft(answer: &Answer) {
    answer.is_theft();
    assert_everything_cleared(answer);
}

/// Fails unless the answer is a refresh with cookies and nothing in headers, and returns the
/// tokens.
#[track_caller]
fn assert_cookies_only(answer: &Answer) -> Tokens {
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    assert_eq!(answer.exposed(), ["front-token"]);
    assert_eq!(
        header_names(answer),
        [
            "access-control-expose-headers",
            "cache-control",
            "content-type",
            "front-token",
            "set-cookie",
        ],
        "{answer:?}"
    );
    let tokens = answer.tokens();
    assert_eq!(cookie_lines(answer), lines_of(&tokens));
    assert_describes(answer, &tokens);
    tokens
}

/// Fails unless the answer is a refresh with headers and no cookies, and returns the tokens.
#[track_caller]
fn assert_headers_only(answer: &Answer) -> Tokens {
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    assert_eq!(
        answer.exposed(),
        ["front-token", "st-access-token", "st-refresh-token"]
    );
    assert_eq!(
        header_names(answer),
        [
            "access-control-expose-headers",
            "cache-control",
            "content-type",
            "front-token",
            "st-access-token",
            "st-refresh-token",
        ],
        "{answer:?}"
    );
    let tokens = answer.tokens();
    assert!(!tokens.access.is_empty() && !tokens.refresh.is_empty());
    assert_describes(answer, &tokens);
    tokens
}

/// Fails unless the front token describes the access token that goes out with it.
#[track_caller]
fn assert_describes(answer: &Answer, tokens: &Tokens) {
    let payload = tokens.payload();
    assert_eq!(
        answer.front_token(),
        Some(serde_json::json!({
            "uid": payload["sub"],
            "ate": payload["exp"].as_u64().unwrap() * 1_000,
            "up": payload,
        }))
    );
}

/// Whether the session of these tokens is stored and live.
async fn is_live(app: &App, tokens: &Tokens) -> bool {
    let handle = tokens.payload()["sessionHandle"]
        .as_str()
        .unwrap()
        .to_owned();
    app.sessions.information(handle).await.unwrap().is_some()
}

/// Fails unless the error is a 401 `unauthorised` that takes the client's tokens away.
#[track_caller]
fn assert_gone<T: std::fmt::Debug>(result: Result<T, SessionError>) {
    match result {
        Err(SessionError::Unauthorised(unauthorised)) => assert!(unauthorised.clears_tokens()),
        other => panic!("not unauthorised: {other:?}"),
    }
}

/// Fails unless the error asks the client to refresh.
#[track_caller]
fn assert_try_refresh<T: std::fmt::Debug>(result: &Result<T, SessionError>) {
    assert!(
        matches!(result, Err(SessionError::TryRefreshToken(_))),
        "{result:?}"
    );
}
