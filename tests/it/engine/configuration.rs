//! Domains, paths and cookies as they are configured (session specification, 3.7 to 3.10 and 11).

use serde_json::json;
use supersession::http::RequestView;
use supersession::store::MemoryStore;
use supersession::{
    AntiCsrf, BuildError, InvalidAntiCsrf, InvalidSameSite, SameSite, Sessions, SessionsBuilder,
};

use crate::support::{Answer, App, Req};

/// The problems of a configuration, as setting and problem.
async fn problems(
    configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
) -> Vec<(&'static str, String)> {
    match configure(Sessions::builder(MemoryStore::new()))
        .build()
        .await
    {
        Err(BuildError::Config(problems)) => problems
            .into_iter()
            .map(|problem| (problem.setting, problem.problem))
            .collect(),
        Err(fault) => panic!("{fault}"),
        Ok(sessions) => panic!("built: {sessions:?}"),
    }
}

fn create() -> Req {
    Req::post("/create")
        .header("st-auth-mode", "cookie")
        .json(&json!({}))
}

/// The `SameSite` and `Secure` of all cookies of an answer, which must agree.
#[track_caller]
fn attributes(answer: &Answer) -> (String, bool) {
    let cookies = answer.cookies();
    let first = &cookies[0];
    assert!(
        cookies
            .iter()
            .all(|cookie| (&cookie.same_site, cookie.secure) == (&first.same_site, first.secure)),
        "{cookies:?}"
    );
    assert!(cookies.iter().all(|cookie| cookie.http_only));
    (first.same_site.clone().unwrap(), first.secure)
}

/// Whether a refresh is refused for want of a `rid` header, and a `POST` too: the custom header
/// check is in force.
async fn checks_custom_header(app: &App) -> bool {
    let session = app.sessions.create("alice").await.unwrap();
    let request = |method: &str| {
        let token = session.access_token().expose().to_owned();
        Req::new(method, "/verify").cookie("sAccessToken", &token)
    };
    assert_eq!(app.send(request("GET")).await.status, 200);
    assert_eq!(
        app.send(request("POST").header("rid", "anti-csrf"))
            .await
            .status,
        200
    );
    let answer = app.send(request("POST")).await;
    if answer.status != 200 {
        answer.is_try_refresh();
    }
    answer.status != 200
}

/// Where a browser would not keep the cookies, creation in cookie mode is refused; clearing them
/// shows their attributes all the same.
///
/// Cases: S193.
#[tokio::test]
async fn same_site_secure_and_anti_csrf_follow_from_the_domains() {
    const EC2: &str = "http://ec2-xx.compute-1.amazonaws.com";
    const OTHER_EC2: &str = "http://ec2-aa.compute-1.amazonaws.com";
    for (api, website, same_site, secure) in [
        ("api.supertokens.io", "supertokens.io", "Lax", true),
        ("api.supertokens.com", "supertokens.io", "None", true),
        ("api.supertokens.co.uk", "supertokens.co.uk", "Lax", true),
        ("127.0.0.1:3000", "127.0.0.1:9000", "Lax", false),
        ("api.supertokens.io", "127.0.0.1:9000", "None", true),
        ("https://localhost", "http://localhost:3000", "None", true),
        (&format!("{EC2}:3001"), &format!("{EC2}:3000"), "Lax", false),
        (EC2, OTHER_EC2, "None", false),
    ] {
        let app = App::with(|builder| builder.api_domain(api).website_domain(website)).await;
        let expected = (same_site.to_owned(), secure);
        let cleared = app.send(Req::refresh().header("rid", "session")).await;
        cleared.is_unauthorised();
        assert_eq!(attributes(&cleared), expected, "{api} {website}");
        assert_eq!(
            checks_custom_header(&app).await,
            same_site == "None",
            "{api} {website}"
        );
        let answer = app.send(create()).await;
        if api == EC2 {
            answer.is_message(500, "internal server error");
            assert!(answer.has_no_token_headers(), "{answer:?}");
            let in_headers = Req::post("/create")
                .header("st-auth-mode", "header")
                .json(&json!({}));
            assert_eq!(app.send(in_headers).await.status, 200);
        } else {
            assert_eq!(
                (answer.status, attributes(&answer)),
                (200, expected),
                "{api} {website}"
            );
        }
    }
}

/// Cases: S193.
#[tokio::test]
async fn configured_cookie_attributes_win_over_derived_ones() {
    let app = App::with(|builder| {
        builder
            .cookie_same_site(SameSite::Strict)
            .cookie_secure(false)
            .anti_csrf(AntiCsrf::None)
    })
    .await;
    assert_eq!(
        attributes(&app.send(create()).await),
        ("Strict".to_owned(), false)
    );
    assert!(!checks_custom_header(&app).await);
}

/// Cases: S194.
#[tokio::test]
async fn the_cookie_domain_is_normalised() {
    const API: &str = "https://api.example.com";
    for (api, input, expected) in [
        (API, "https://api.example.com:8080/x?y#z", "api.example.com"),
        (API, ".example.com/", ".example.com"),
        (API, "EXAMPLE.com", "example.com"),
        ("https://api.bücher.de", ".bücher.de", ".xn--bcher-kva.de"),
        ("http://localhost", ".localhost:8080", "localhost"),
        ("http://127.0.0.1", ".127.0.0.1", "127.0.0.1"),
        (
            "http://api.localhost.org",
            ".localhost.org",
            ".localhost.org",
        ),
    ] {
        let app = App::with(|builder| {
            let builder = builder.api_domain(api).website_domain(api);
            builder.cookie_domain(input)
        })
        .await;
        let answer = app.send(create()).await;
        for cookie in answer.cookies() {
            assert_eq!(cookie.domain.as_deref(), Some(expected), "{input}");
        }
        assert_eq!(answer.cookies().len(), 2);
    }
    let answer = App::new().await.send(create()).await;
    assert!(
        answer
            .cookies()
            .iter()
            .all(|cookie| cookie.domain.is_none())
    );
    for bad in ["http://", "", "evil.com; Secure"] {
        let problems =
            problems(|builder| crate::support::default_config(builder).cookie_domain(bad)).await;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].0, "cookie_domain");
        assert!(
            problems[0]
                .1
                .contains("Please provide a valid sessionScope"),
            "{problems:?}"
        );
    }
}

/// Settings are types; text from a configuration file is read into them.
///
/// Cases: S195.
#[tokio::test]
async fn same_site_and_anti_csrf_are_read_from_text() {
    assert_eq!("random".parse::<SameSite>(), Err(InvalidSameSite));
    assert_eq!(
        InvalidSameSite.to_string(),
        r#"cookie same site must be one of "strict", "lax", or "none""#
    );
    for (text, expected) in [
        (" Lax ", SameSite::Lax),
        ("STRICT", SameSite::Strict),
        ("none\n", SameSite::None),
    ] {
        assert_eq!(text.parse(), Ok(expected));
    }
    assert_eq!("via_token".parse::<AntiCsrf>(), Err(InvalidAntiCsrf));
    let app = App::with(|builder| builder.cookie_same_site(" Lax ".parse().unwrap())).await;
    assert_eq!(attributes(&app.send(create()).await).0, "Lax");
}

fn origin_of(request: &dyn RequestView) -> String {
    request
        .header("origin")
        .unwrap_or_else(|| "https://example.com".to_owned())
}

/// Cases: S196.
#[tokio::test]
async fn same_site_follows_the_origin_of_each_request() {
    let app = App::with(|builder| builder.origin(origin_of)).await;
    for (origin, same_site) in [
        ("https://www.example.com", "Lax"),
        ("https://elsewhere.net", "None"),
        ("http://www.example.com", "None"),
    ] {
        let answer = app.send(create().header("origin", origin)).await;
        assert_eq!(
            attributes(&answer),
            (same_site.to_owned(), true),
            "{origin}"
        );
        // The check by custom header is due exactly where the cookies are sent across sites.
        let tokens = answer.tokens();
        let refresh = Req::refresh()
            .header("origin", origin)
            .refresh_cookie(&tokens);
        let expected = if same_site == "None" { 401 } else { 200 };
        assert_eq!(app.send(refresh.clone()).await.status, expected, "{origin}");
        assert_eq!(
            app.send(refresh.header("rid", "session")).await.status,
            200,
            "{origin}"
        );
    }
    let answer = app.send(create().header("origin", "not a domain")).await;
    answer.is_message(500, "internal server error");
}

/// Cases: S197.
#[tokio::test]
async fn the_origin_wins_over_the_website_domain_and_one_of_them_is_needed() {
    let app = App::with(|builder| {
        builder
            .website_domain("https://elsewhere.net")
            .origin(origin_of)
    })
    .await;
    assert_eq!(attributes(&app.send(create()).await).0, "Lax");

    let missing = problems(|builder| builder.api_domain("https://api.example.com")).await;
    assert_eq!(missing, [("website_domain", "is not set".to_owned())]);
    let missing = problems(|builder| builder).await;
    assert_eq!(
        missing,
        [
            ("api_domain", "is not set".to_owned()),
            ("website_domain", "is not set".to_owned())
        ]
    );
}

/// Seen in the issuer, in the route itself and in the path of the refresh cookie.
///
/// Cases: S198.
#[tokio::test]
async fn paths_are_normalised() {
    for (input, path) in [
        ("exists?email=a%40b", "/exists"),
        ("/One/Two/", "/One/Two"),
        ("http://h:1/x#f", "/x"),
        ("", ""),
        ("/", ""),
    ] {
        let app = App::with(|builder| builder.api_base_path(input).access_token_path(input)).await;
        let answer = app.send(create()).await;
        let tokens = answer.tokens();
        assert_eq!(
            tokens.payload()["iss"],
            json!(format!("https://api.example.com{path}")),
            "{input}"
        );
        let paths = ["sAccessToken", "sRefreshToken"]
            .map(|name| answer.cookie(name).unwrap().path.unwrap());
        let access_path = if path.is_empty() { "/" } else { path };
        assert_eq!(
            paths,
            [access_path.to_owned(), format!("{path}/session/refresh")],
            "{input}"
        );
        let refresh = Req::post(&format!("{path}/session/refresh")).refresh_cookie(&tokens);
        assert_eq!(app.send(refresh).await.status, 200, "{input}");
    }
}

/// Seen in the issuer.
///
/// Cases: S199.
#[tokio::test]
async fn domains_are_normalised() {
    for (input, domain) in [
        ("api.example.com/x", "https://api.example.com"),
        ("localhost:4000", "http://localhost:4000"),
        ("1.2.3.4/x", "http://1.2.3.4"),
        (
            " HTTPS://Api.Example.com:8080/x?y#z ",
            "https://api.example.com:8080",
        ),
        (".example.com", "https://example.com"),
    ] {
        let app = App::with(|builder| builder.api_domain(input)).await;
        let answer = app
            .send(Req::get("/auth/.well-known/openid-configuration"))
            .await;
        assert_eq!(
            answer.json()["issuer"],
            json!(format!("{domain}/auth")),
            "{input}"
        );
    }
    for bad in ["/one", "/one/two", ""] {
        let api = problems(|builder| crate::support::default_config(builder).api_domain(bad)).await;
        let website =
            problems(|builder| crate::support::default_config(builder).website_domain(bad)).await;
        let problem = format!("`{bad}`: Please provide a valid domain name");
        assert_eq!(api, [("api_domain", problem.clone())]);
        assert_eq!(website, [("website_domain", problem)]);
    }
}

/// Two domains are of one site exactly if cookies between them are `Lax`.
///
/// Cases: S200.
#[tokio::test]
async fn sites_are_compared_by_registrable_domain() {
    for (one, same, others) in [
        (
            "http://a.b.test.co.uk",
            "http://test.co.uk",
            ["http://other.co.uk", "http://co.uk.com"],
        ),
        (
            "http://localhost.org",
            "http://localhost",
            ["http://local.org", "http://example.org"],
        ),
        (
            "http://8.8.8.8:8080",
            "http://localhost:1",
            ["http://8.8.8.com", "http://eight.net"],
        ),
    ] {
        for (website, same_site) in [(same, "Lax"), (others[0], "None"), (others[1], "None")] {
            let app = App::with(|builder| builder.api_domain(one).website_domain(website)).await;
            let cleared = app.send(Req::refresh().header("rid", "session")).await;
            assert_eq!(attributes(&cleared).0, same_site, "{one} {website}");
        }
    }
    let problem = problems(|builder| {
        crate::support::default_config(builder).website_domain("https://intranet")
    })
    .await;
    let text = "`https://intranet`: Please make sure that the apiDomain and websiteDomain have correct values";
    assert_eq!(problem, [("website_domain", text.to_owned())]);
}
