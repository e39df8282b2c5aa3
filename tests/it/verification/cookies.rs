//! The attributes of cookies, and the access token beside them.

use serde_json::json;
use supersession::{FaultKind, SameSite, SessionError, SessionsBuilder};

use super::{Request, cookie_lines};
use crate::support::{Answer, App, Req, Tokens};

async fn create(app: &App, mode: &str) -> Answer {
    let request = Req::post("/create").header("st-auth-mode", mode);
    app.send(request.json(&json!({"userId": "alice"}))).await
}

/// A refresh token as it stands in a cookie.
fn encoded(tokens: &Tokens) -> String {
    let token = tokens.refresh.replace('+', "%2B");
    token.replace('/', "%2F").replace('=', "%3D")
}

/// The two cookies with the default configuration, whole: no Domain, the access token's for the
/// whole site and for a year, the refresh token's for the refresh endpoint only and as long as the
/// token lives, both HttpOnly and Secure, and no Max-Age.
/// Cases: S48, S50, S51, S52.
#[tokio::test]
async fn cookies_have_exactly_these_attributes() {
    let app = App::new().await;
    let answer = create(&app, "cookie").await;
    let tokens = answer.tokens();
    let expiry = app
        .sessions
        .information(tokens.handle.as_str())
        .await
        .unwrap()
        .unwrap()
        .expires_at;
    assert_eq!(
        expiry.get(),
        1_775_865_600_000,
        "Sat, 11 Apr 2026 00:00:00 GMT"
    );
    assert_eq!(
        cookie_lines(&answer),
        [
            format!(
                "sAccessToken={}; Path=/; Expires=Fri, 01 Jan 2027 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax",
                tokens.access
            ),
            format!(
                "sRefreshToken={}; Path=/auth/session/refresh; Expires=Sat, 11 Apr 2026 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax",
                encoded(&tokens)
            ),
        ]
    );
}

/// Paths, Domain, Secure and SameSite follow the configuration: `access_token_path` is the access
/// cookie's alone, the refresh cookie's path is the public one, and a cookie over http is not
/// Secure but HttpOnly all the same.
/// Cases: S48, S49, S50, S51.
#[tokio::test]
async fn attributes_of_cookies_follow_the_configuration() {
    type Configure = fn(SessionsBuilder) -> SessionsBuilder;
    let cases: [(Configure, &str, &str, &str); 5] = [
        (
            |builder| builder.access_token_path("/access"),
            "Path=/access; ",
            "Path=/auth/session/refresh; ",
            "HttpOnly; Secure; SameSite=Lax",
        ),
        (
            |builder| builder.api_gateway_path("/gate").api_base_path("/sess"),
            "Path=/; ",
            "Path=/gate/sess/session/refresh; ",
            "HttpOnly; Secure; SameSite=Lax",
        ),
        (
            |builder| builder.cookie_domain(".example.com"),
            "Domain=.example.com; Path=/; ",
            "Domain=.example.com; Path=/auth/session/refresh; ",
            "HttpOnly; Secure; SameSite=Lax",
        ),
        (
            |builder| {
                builder
                    .cookie_secure(false)
                    .cookie_same_site(SameSite::Strict)
            },
            "Path=/; ",
            "Path=/auth/session/refresh; ",
            "HttpOnly; SameSite=Strict",
        ),
        (
            |builder| {
                builder
                    .api_domain("http://localhost:3000")
                    .website_domain("http://localhost:3001")
            },
            "Path=/; ",
            "Path=/auth/session/refresh; ",
            "HttpOnly; SameSite=Lax",
        ),
    ];
    for (configure, access, refresh, rest) in cases {
        let answer = create(&App::with(configure).await, "cookie").await;
        let tokens = answer.tokens();
        assert_eq!(
            cookie_lines(&answer),
            [
                format!(
                    "sAccessToken={}; {access}Expires=Fri, 01 Jan 2027 00:00:00 GMT; {rest}",
                    tokens.access
                ),
                format!(
                    "sRefreshToken={}; {refresh}Expires=Sat, 11 Apr 2026 00:00:00 GMT; {rest}",
                    encoded(&tokens)
                ),
            ]
        );
    }
}

/// Cookies that no browser would keep, with SameSite=None and not Secure on real domains, are
/// refused with 500, and the operator is told to use https; nothing is sent or stored. Whether the
/// settings say so or the domains.
/// Cases: S53, S56.
#[tokio::test]
async fn insecure_cross_site_cookies_are_refused() {
    let explicit = App::with(|builder| {
        builder
            .cookie_same_site(SameSite::None)
            .cookie_secure(false)
    });
    let derived = App::with(|builder| {
        builder
            .api_domain("http://api.example.com")
            .website_domain("http://example.org")
    });
    let half_local = App::with(|builder| {
        builder
            .api_domain("http://api.example.com")
            .website_domain("http://localhost:3000")
    });
    for app in [explicit.await, derived.await, half_local.await] {
        let answer = create(&app, "cookie").await;
        answer.is_message(500, "internal server error");
        assert!(answer.has_no_token_headers(), "{answer:?}");
        let request = app.sessions.for_request("POST", "/");
        request.read(&Request::post(&[("st-auth-mode", "cookie")]));
        let error = request.create("alice").await.unwrap_err();
        let SessionError::Fault(fault) = error else {
            panic!("{error:?}");
        };
        assert_eq!(fault.kind(), FaultKind::Misuse);
        assert!(fault.to_string().contains("https"), "{fault}");
        assert!(
            app.sessions
                .handles_for_user("alice")
                .await
                .unwrap()
                .is_empty()
        );
    }
}

/// The same configuration does no harm to a session in headers, nor to one in cookies where API and
/// website are both on localhost or an IP address.
/// Cases: S54, S55.
#[tokio::test]
async fn insecure_cross_site_settings_do_not_matter_to_headers_and_local_domains() {
    let app = App::with(|builder| {
        builder
            .cookie_same_site(SameSite::None)
            .cookie_secure(false)
    });
    let answer = create(&app.await, "header").await;
    assert_eq!(answer.status, 200);
    assert!(answer.cookies().is_empty() && !answer.tokens().access.is_empty());

    for (api, website) in [
        ("http://localhost:3000", "http://localhost:3001"),
        ("http://127.0.0.1:3000", "http://localhost:3001"),
        ("http://localhost:3000", "http://192.168.0.7"),
    ] {
        let app = App::with(|builder| {
            let builder = builder.api_domain(api).website_domain(website);
            builder
                .cookie_same_site(SameSite::None)
                .cookie_secure(false)
        });
        let answer = create(&app.await, "cookie").await;
        let cookies = answer.cookies();
        assert_eq!((answer.status, cookies.len()), (200, 2));
        for cookie in cookies {
            assert_eq!(
                (cookie.secure, cookie.same_site.as_deref()),
                (false, Some("None"))
            );
        }
    }
}

/// With the setting on, whatever writes the access cookie sends the same token in
/// `st-access-token`: creation, a change of the payload, a refresh. The refresh token never leaves
/// its cookie. Adapted: the first verification after a refresh sends nothing, because rotation
/// needs no confirmation; one that finds a changed payload in the database does.
/// Cases: S57, S59.
#[tokio::test]
async fn the_access_token_can_be_exposed_beside_its_cookie() {
    #[track_caller]
    fn is_exposed(answer: &Answer) {
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.cookie("sAccessToken").unwrap();
        assert_eq!(
            answer.header("st-access-token"),
            Some(cookie.value.as_str())
        );
        assert!(answer.header("st-refresh-token").is_none());
        assert_eq!(answer.exposed(), ["front-token", "st-access-token"]);
    }
    let app = App::with(|builder| builder.expose_access_token_to_frontend(true)).await;
    let answer = create(&app, "cookie").await;
    is_exposed(&answer);
    let first = answer.tokens();
    let merge = Req::post("/merge").json(&json!({"plan": "pro"}));
    is_exposed(&app.send(merge.access_cookie(&first)).await);
    let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
    is_exposed(&answer);
    let second = answer.tokens();
    let answer = app.send(Req::get("/verify").access_cookie(&second)).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.has_no_token_headers() && answer.exposed().is_empty(),
        "{answer:?}"
    );
    let patch = json!({"plan": "free"});
    app.sessions
        .merge_into_access_token_payload(first.handle.as_str(), patch)
        .await
        .unwrap();
    is_exposed(
        &app.send(Req::get("/verify-db").access_cookie(&second))
            .await,
    );
}

/// With the setting off, as it is by default, the access token is in its cookie only: at creation,
/// verification, with and without a reissue, a change of the payload and a refresh.
/// Cases: S58.
#[tokio::test]
async fn the_access_token_is_in_its_cookie_only_by_default() {
    let app = App::new().await;
    let created = create(&app, "cookie").await;
    let tokens = created.tokens();
    let verified = app.send(Req::get("/verify").access_cookie(&tokens)).await;
    let merge = Req::post("/merge").json(&json!({"plan": "pro"}));
    let merged = app.send(merge.access_cookie(&tokens)).await;
    let checked = app
        .send(Req::get("/verify-db").access_cookie(&tokens))
        .await;
    let refreshed = app.send(Req::refresh().refresh_cookie(&tokens)).await;
    for (answer, writes) in [
        (created, true),
        (verified, false),
        (merged, true),
        (checked, true),
        (refreshed, true),
    ] {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.header("st-access-token").is_none(), "{answer:?}");
        assert!(answer.header("st-refresh-token").is_none(), "{answer:?}");
        assert_eq!(
            answer.cookie("sAccessToken").is_some(),
            writes,
            "{answer:?}"
        );
        assert_eq!(
            answer.exposed(),
            if writes { &["front-token"][..] } else { &[] }
        );
    }
}
