//! What the doctor finds, and that it finds nothing where all is well.

use axum::Router;
use axum::routing::get;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use supersession::doctor::{Finding, Severity};
use supersession::http::ResponseHead;
use supersession::store::{MemoryStore, StoreErrorKind};
use supersession::{AntiCsrf, SameSite, Sessions, SessionsBuilder, TokenTransferMethod};
use supersession_axum::SessionLayer;
use supersession_testkit::{PlannedFault, Verb};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::support::{App, Req, START, capture};

fn subjects(findings: &[Finding]) -> Vec<(&'static str, Severity)> {
    findings
        .iter()
        .map(|finding| (finding.subject, finding.severity))
        .collect()
}

/// What the configuration of an API and a website tells.
async fn found(
    api: &str,
    website: &str,
    configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
) -> Vec<Finding> {
    let app = App::with(|builder| configure(builder.api_domain(api).website_domain(website))).await;
    app.sessions.doctor().await
}

macro_rules! configurations {
    ($($name:ident: $api:literal, $website:literal, $configure:expr => [$($finding:expr),*];)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let findings = found($api, $website, $configure).await;
                let expected: &[(&str, Severity)] = &[$($finding),*];
                assert_eq!(subjects(&findings), expected, "{findings:#?}");
            }
        )*
    };
}

const WARNING: fn(&'static str) -> (&'static str, Severity) =
    |subject| (subject, Severity::Warning);
const ERROR: fn(&'static str) -> (&'static str, Severity) = |subject| (subject, Severity::Error);

configurations! {
    one_site_is_well: "https://api.example.com", "https://example.com", |b| b => [];
    one_origin_is_well: "https://example.com", "https://example.com", |b| b => [];
    local_development_is_well: "http://localhost:3000", "http://localhost:5173", |b| b => [];
    a_shared_cookie_domain_is_well:
        "https://api.example.com", "https://example.com", |b| b.cookie_domain(".example.com") => [];
    an_unencrypted_api_is_found:
        "http://api.example.com", "http://example.com", |b| b => [ERROR("api_domain")];
    two_sites_are_found:
        "https://api.example.com", "https://example.org", |b| b => [WARNING("website_domain")];
    two_sites_with_partitions_are_well:
        "https://api.example.com", "https://example.org", |b| b.cookie_partitioned(true) => [];
    partitions_without_need_are_found:
        "https://api.example.com", "https://example.com", |b| b.cookie_partitioned(true) =>
        [WARNING("cookie_partitioned")];
    two_sites_that_share_no_cookies_are_found:
        "https://api.example.com", "https://example.org", |b| b.cookie_same_site(SameSite::Lax) =>
        [ERROR("cookie_same_site")];
    two_names_of_this_machine_are_found:
        "http://127.0.0.1:3000", "http://localhost:5173",
        |b| b.cookie_same_site(SameSite::None).cookie_secure(true) => [ERROR("website_domain")];
    insecure_cookies_for_all_sites_are_found:
        "https://api.example.com", "https://example.org", |b| b.cookie_secure(false) =>
        [WARNING("website_domain"), ERROR("cookie_secure")];
    an_older_domain_that_is_the_present_one_is_found:
        "https://api.example.com", "https://example.com",
        |b| b.cookie_domain("example.com").older_cookie_domain(".example.com") =>
        [WARNING("older_cookie_domain")];
    an_older_domain_that_is_the_host_itself_is_found:
        "https://api.example.com", "https://example.com", |b| b.older_cookie_domain("") =>
        [WARNING("older_cookie_domain")];
    unchecked_requests_of_other_sites_are_found:
        "https://api.example.com", "https://example.com",
        |b| b.cookie_same_site(SameSite::None).anti_csrf(AntiCsrf::None) => [ERROR("anti_csrf")];
    access_tokens_that_outlive_a_revocation_for_long_are_found:
        "https://api.example.com", "https://example.com",
        |b| b.access_token_validity(std::time::Duration::from_secs(86_401)) =>
        [WARNING("access_token_validity")];
    long_lived_access_tokens_are_well_where_the_database_is_asked:
        "https://api.example.com", "https://example.com",
        |b| b.access_token_validity(std::time::Duration::from_secs(86_401)).check_database(true) => [];
}

#[tokio::test]
async fn a_clock_that_is_behind_is_found() {
    let app = App::new().await;
    assert_eq!(app.sessions.doctor().await, []);
    let hour = std::time::Duration::from_secs(3_600);
    let behind = supersession_testkit::ManualClock::new(START);
    app.advance(hour * 24 * 8);
    // Makes a new key at this node's present.
    app.sessions.create("alice").await.unwrap();
    let late = app
        .restarted_with(|builder| builder.clock(behind.clone()))
        .await;
    let findings = late.sessions.doctor().await;
    assert_eq!(subjects(&findings), [ERROR("clock")], "{findings:#?}");
    behind.advance(hour * 24 * 8);
    assert_eq!(late.sessions.doctor().await, []);

    let stopped = supersession_testkit::ManualClock::new(supersession::UnixMillis::new(1_000));
    let sessions = crate::support::default_config(Sessions::builder(MemoryStore::new()))
        .clock(stopped)
        .build()
        .await
        .unwrap();
    assert_eq!(subjects(&sessions.doctor().await), [ERROR("clock")]);
}

#[tokio::test]
async fn the_doctor_finds_an_unreachable_store() {
    let app = App::new().await;
    let down = PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::SigningKeys);
    app.store.plan(down.times(u32::MAX));
    assert_eq!(subjects(&app.sessions.doctor().await), [ERROR("store")]);
}

/// An application on another origin than its website.
async fn sessions() -> Sessions {
    App::new().await.sessions
}

fn router(sessions: &Sessions) -> Router {
    Router::new()
        .route("/", get(async || "home"))
        .layer(SessionLayer::new(sessions.clone()))
}

fn names(names: &[String]) -> Vec<HeaderName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// The recipe of the guide.
fn cors(sessions: &Sessions) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::exact(HeaderValue::from_static(
            "https://example.com",
        )))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(names(&sessions.cors_allow_headers()))
        .expose_headers(names(&sessions.cors_expose_headers()))
}

async fn examined(app: Router, sessions: &Sessions) -> Vec<Finding> {
    supersession_axum::doctor(app, sessions).await.unwrap()
}

#[tokio::test]
async fn the_documented_cors_configuration_has_no_findings() {
    let sessions = sessions().await;
    let app = router(&sessions).layer(cors(&sessions));
    assert_eq!(examined(app, &sessions).await, []);
}

#[tokio::test]
async fn one_origin_needs_no_cors() {
    let app = App::with(|builder| builder.website_domain("https://api.example.com")).await;
    assert_eq!(examined(router(&app.sessions), &app.sessions).await, []);
}

#[tokio::test]
async fn every_transport_is_examined() {
    for method in [TokenTransferMethod::Cookie, TokenTransferMethod::Header] {
        let app = App::with(|builder| {
            builder
                .website_domain("https://api.example.com")
                .token_transfer_method(move |_, _| method)
        })
        .await;
        assert_eq!(examined(router(&app.sessions), &app.sessions).await, []);
    }
}

#[tokio::test]
async fn cors_problems_are_found() {
    let sessions = sessions().await;
    let bare = || router(&sessions);
    let recipe = || cors(&sessions);
    let exact = |origin| AllowOrigin::exact(HeaderValue::from_static(origin));
    let expose_nothing = recipe().expose_headers([http::header::ETAG]);
    let cases = [
        ("no CORS layer", bare(), 2),
        (
            "another origin",
            bare().layer(recipe().allow_origin(exact("https://www.example.com"))),
            2,
        ),
        (
            "no credentials",
            bare().layer(recipe().allow_credentials(false)),
            2,
        ),
        (
            "a header is missing",
            bare().layer(recipe().allow_headers([http::header::CONTENT_TYPE])),
            1,
        ),
        (
            "no POST",
            bare().layer(recipe().allow_methods([Method::GET])),
            1,
        ),
        ("nothing is exposed", bare().layer(expose_nothing), 1),
    ];
    for (what, app, expected) in cases {
        let findings = examined(app, &sessions).await;
        let about_cors = findings
            .iter()
            .all(|finding| finding.subject == "cors" && finding.severity == Severity::Error);
        assert!(about_cors, "{what}: {findings:#?}");
        assert_eq!(findings.len(), expected, "{what}: {findings:#?}");
    }
}

#[tokio::test]
async fn a_session_layer_in_the_wrong_place_is_found() {
    let sessions = sessions().await;
    let nested = Router::new()
        .nest("/api", router(&sessions))
        .layer(cors(&sessions));
    let none = Router::new()
        .route("/", get(async || "home"))
        .layer(cors(&sessions));
    for app in [nested, none] {
        let findings = examined(app, &sessions).await;
        let found = [ERROR("api_base_path"), ERROR("api_base_path")];
        assert_eq!(subjects(&findings), found, "{findings:#?}");
        for finding in findings {
            assert!(finding.problem.contains("did not reach the session layer"));
            assert!(finding.fix.contains("fallback_service"));
        }
    }
}

/// A fallback that is set after the layer is not wrapped, and answers everything that is no route.
#[tokio::test]
async fn a_fallback_that_hides_the_built_in_routes_is_found() {
    let app = App::with(|builder| builder.website_domain("https://api.example.com")).await;
    let sessions = app.sessions;
    let routes = || Router::new().route("/", get(async || "home"));
    let layered = || routes().layer(SessionLayer::new(sessions.clone()));
    let files = axum::routing::any(async || "<!doctype html>");
    let none = async || http::StatusCode::METHOD_NOT_ALLOWED;
    for hidden in [
        layered().fallback_service(files.clone()),
        layered().fallback(none),
    ] {
        let findings = examined(hidden, &sessions).await;
        let found = [ERROR("api_base_path"), ERROR("api_base_path")];
        assert_eq!(subjects(&findings), found, "{findings:#?}");
        for finding in findings {
            assert!(finding.problem.contains("did not reach the session layer"));
        }
    }
    for well in [
        routes()
            .fallback_service(files.clone())
            .layer(SessionLayer::new(sessions.clone())),
        layered()
            .fallback_service(files.clone())
            .route_service("/auth/{*path}", supersession_axum::routes(sessions.clone())),
        layered()
            .fallback_service(files)
            .nest_service("/auth", supersession_axum::routes(sessions.clone())),
    ] {
        let findings = examined(well, &sessions).await;
        assert_eq!(findings, [], "{findings:#?}");
    }
}

/// A nested router strips its prefix: the layer sees a path that is none of its own.
#[tokio::test]
async fn a_layer_that_is_nested_out_of_reach_is_found() {
    let nested = |builder: SessionsBuilder| {
        let builder = builder.website_domain("https://api.example.com");
        builder.api_base_path("/api/auth")
    };
    let sessions = App::with(nested).await.sessions;
    let api = Router::new()
        .fallback(async || http::StatusCode::NOT_FOUND)
        .layer(SessionLayer::new(sessions.clone()));
    let findings = examined(Router::new().nest("/api", api), &sessions).await;
    let found = [ERROR("api_base_path"), ERROR("api_base_path")];
    assert_eq!(subjects(&findings), found, "{findings:#?}");
    assert!(
        findings[0]
            .problem
            .contains("sees it as /auth/session/refresh")
    );
}

#[tokio::test]
async fn a_refresh_route_that_is_turned_off_and_not_replaced_is_found() {
    let off = |builder: SessionsBuilder| {
        let builder = builder.website_domain("https://api.example.com");
        builder.without_refresh_route()
    };
    let sessions = App::with(off).await.sessions;
    let app = Router::new().layer(SessionLayer::new(sessions.clone()));
    let findings = examined(app, &sessions).await;
    assert_eq!(subjects(&findings), [ERROR("without_refresh_route")]);
}

fn alarms(marker: &str) -> usize {
    let captured = capture::captured();
    let lines = captured.lines();
    lines
        .filter(|line| line.contains("no request for POST") && line.contains(marker))
        .count()
}

/// Two kinds of sessions that share cookies or routes get in each other's way.
#[tokio::test]
async fn layers_inside_each_other_that_clash_are_logged() {
    let admins = App::with(|builder| builder.api_base_path("/nested/auth")).await;
    let own = |router: Router| router.layer(SessionLayer::new(admins.sessions.clone()));
    let same_cookies = App::with_routes(|builder| builder, own).await;
    let clashes = |text: &str| capture::captured().matches(text).count();
    let shared = "two kinds of sessions have the same cookie `sAccessToken`";
    assert_eq!(clashes(shared), 0);
    for _ in 0..3 {
        same_cookies.send(Req::get("/verify")).await;
    }
    assert_eq!(clashes(shared), 1);
    let other_names = |builder: SessionsBuilder| builder.cookie_names("a", "b");
    let apart = App::with_routes(other_names, own).await;
    apart.send(Req::get("/verify")).await;
    assert_eq!(clashes(shared), 1);

    let same_path =
        |builder: SessionsBuilder| builder.api_base_path("/nested/auth").cookie_names("a", "b");
    let admins = App::with(|builder| builder.api_base_path("/nested/auth")).await;
    let own = |router: Router| router.layer(SessionLayer::new(admins.sessions.clone()));
    let same_path = App::with_routes(same_path, own).await;
    same_path.send(Req::get("/verify")).await;
    assert_eq!(
        clashes("the same route POST /nested/auth/session/refresh"),
        1
    );
}

/// Clients that are asked to refresh again and again, and never do: nothing else would say so.
#[tokio::test]
async fn refreshes_that_never_come_are_logged() {
    let at = |base: &'static str| move |builder: SessionsBuilder| builder.api_base_path(base);
    let app = App::with(at("/alarm")).await;
    let tokens = app.login("alice").await;
    app.advance_secs(3601);
    let expired = || Req::get("/verify").access_cookie(&tokens);
    for asked in 1..=9 {
        app.send(expired()).await.is_try_refresh();
        assert_eq!(alarms("/alarm/session"), usize::from(asked >= 5), "{asked}");
    }

    let app = App::with(at("/silence")).await;
    let tokens = app.login("alice").await;
    app.send(Req::post("/silence/session/refresh")).await;
    app.advance_secs(3601);
    for _ in 0..9 {
        let expired = Req::get("/verify").access_cookie(&tokens);
        app.send(expired).await.is_try_refresh();
    }
    assert_eq!(alarms("/silence"), 0);
}

#[tokio::test]
async fn a_proxy_that_drops_headers_is_found() {
    struct Head(HeaderMap);
    impl ResponseHead for Head {
        fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
            let values = self.0.get_all(name).iter();
            values.for_each(|value| each(value.as_bytes()));
        }
        fn remove_header(&mut self, _: &str) {}
        fn append_header(&mut self, _: &str, _: &str, _: bool) {}
    }
    let sessions = App::with(|builder| builder.website_domain("https://api.example.com"))
        .await
        .sessions;
    let probes = sessions.probes();
    let refresh = probes
        .iter()
        .find(|probe| probe.method() == "POST")
        .unwrap();
    let empty = Head(HeaderMap::new());
    assert_eq!(subjects(&refresh.examine(401, &empty)), [ERROR("layers")]);
    assert_eq!(subjects(&refresh.examine(503, &empty)), [ERROR("store")]);
}

/// What the route says of a request, beside what it says of the configuration.
async fn told(app: &App, request: Req) -> Vec<(String, String)> {
    let answer = app.send(request.header("host", "api.example.com")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let Value::Array(findings) = answer.json()["findings"].clone() else {
        panic!("{answer:?}")
    };
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap().to_owned();
    findings
        .iter()
        .map(|finding| (text(finding, "severity"), text(finding, "subject")))
        .collect()
}

#[tokio::test]
async fn the_route_is_off_unless_it_is_asked_for() {
    let app = App::new().await;
    assert_eq!(app.send(Req::get("/auth/doctor")).await.status, 404);
}

#[tokio::test]
async fn the_route_reports_the_problems_of_a_request() {
    let app = App::with(|builder| builder.doctor_route(true)).await;
    let ask = || Req::get("/auth/doctor");
    let error = |subject: &str| ("error".to_owned(), subject.to_owned());
    let warning = |subject: &str| ("warning".to_owned(), subject.to_owned());
    assert_eq!(told(&app, ask()).await, []);
    let well = ask()
        .header("x-forwarded-proto", "https, http")
        .header("origin", "https://example.com")
        .cookie("sAccessToken", "x");
    assert_eq!(told(&app, well).await, []);
    let by_http = ask().header("x-forwarded-proto", "http");
    assert_eq!(told(&app, by_http).await, [error("api_domain")]);
    let elsewhere = ask().header("x-forwarded-host", "internal:8080");
    assert_eq!(told(&app, elsewhere).await, [warning("api_domain")]);
    let stripped = ask().header("x-forwarded-prefix", "/gateway/");
    assert_eq!(told(&app, stripped).await, [error("api_gateway_path")]);
    let stranger = ask().header("origin", "https://example.com:8443");
    assert_eq!(told(&app, stranger).await, [warning("website_domain")]);
    let twice = ask()
        .cookie("sAccessToken", "x")
        .cookie("sAccessToken", "y");
    assert_eq!(told(&app, twice).await, [error("older_cookie_domain")]);
    // And it says no secrets back.
    let answer = app
        .send(
            ask()
                .header("origin", "null")
                .cookie("sAccessToken", "secret"),
        )
        .await;
    assert!(!answer.text.contains("secret"), "{answer:?}");
    assert_eq!(
        answer.json()["findings"][0]["problem"],
        json!(
            "this request comes from the page `null`, but `website_domain` says `https://example.com`"
        )
    );
}
