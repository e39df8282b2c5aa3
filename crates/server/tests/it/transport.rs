//! Versions, API keys, addresses and paths: the checks of every request.

use std::time::Duration;

use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use supersession::store::StoreErrorKind;
use supersession_testkit::{PlannedFault, Verb};

use crate::support::{Core, LEGACY, ROTATION, Reply, START, new_session};

const KEY: &str = "abcdefghijklmnopqrstuvwxyz";
const OTHER: &str = "0123456789-0123456789=";

async fn get(core: &Core, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    core.send(request.body(Full::default()).unwrap()).await
}

/// Cases: C137, C138.
#[tokio::test]
async fn an_unsupported_version_is_rejected() {
    let core = Core::new().await;
    let newest = Request::post("/recipe/session").body(new_session(&json!({})).to_string().into());
    let reply = core.send(newest.unwrap()).await;
    let made: Value = serde_json::from_str(&reply.text).unwrap();
    let body = json!({ "refreshToken": made["refreshToken"]["token"], "enableAntiCsrf": false, "useDynamicSigningKey": true });
    let refresh = Request::post("/recipe/session/refresh").body(body.to_string().into());
    core.send(refresh.unwrap()).await;
    let row = core
        .row(made["session"]["handle"].as_str().unwrap())
        .await
        .unwrap();
    assert!(
        row.lineage.previous.is_some(),
        "ROTATION, which is the newest"
    );

    core.app(
        "a1",
        json!({ "supertokens_max_cdi_version": "2.21", "supertokens_min_cdi_version": "2.9" }),
    )
    .await;
    let capped =
        Request::post("/appid-a1/recipe/session").body(new_session(&json!({})).to_string().into());
    let reply = core.send(capped.unwrap()).await;
    let made: Value = serde_json::from_str(&reply.text).unwrap();
    assert!(made["session"].get("tenantId").is_none(), "2.21: {made}");

    for (path, version, text) in [
        ("", "2.x", "cdi-version header is invalid"),
        ("", "abc", "cdi-version header is invalid"),
        ("", "", "cdi-version header is invalid"),
        ("", "99.0", "cdi-version 99.0 not supported"),
        ("", "4.7", "cdi-version 4.7 not supported"),
        ("", "1.0", "cdi-version 1.0 not supported"),
        ("/appid-a1", "3.0", "cdi-version 3.0 not supported"),
        (
            "/appid-a1",
            "2.8",
            "cdi-version 2.8 is lower than the minimum allowed version 2.9",
        ),
    ] {
        let reply = get(
            &core,
            &format!("{path}/user/id?userId=u"),
            &[("cdi-version", version)],
        )
        .await;
        let expected = (400, format!("{text}\n"));
        assert_eq!((reply.status.as_u16(), reply.text), expected);
    }
    let tolerated = get(&core, "/apiversion", &[("cdi-version", "4.7")]).await;
    assert_eq!(tolerated.status, 200);
}

/// Cases: C139.
#[tokio::test]
async fn the_supported_versions_are_listed() {
    let core = Core::new().await;
    core.app("a1", json!({ "supertokens_max_cdi_version": "3.0" }))
        .await;
    for headers in [&[][..], &[("cdi-version", "2.9")]] {
        let reply = get(&core, "/apiversion?apiDomain=x&websiteDomain=y", headers).await;
        let answer: Value = serde_json::from_str(&reply.text).unwrap();
        let versions = answer["versions"].as_array().unwrap();
        assert!(versions.contains(&json!("5.4")) && versions.contains(&json!("2.7")));
        assert_eq!(versions.len(), 25);
        assert!(answer.get("status").is_none());
        let reply = get(&core, "/appid-a1/apiversion", headers).await;
        let capped: Value = serde_json::from_str(&reply.text).unwrap();
        assert_eq!(
            capped["versions"].as_array().unwrap().last(),
            Some(&json!("3.0"))
        );
    }
}

/// Cases: C140, C141.
#[tokio::test]
async fn an_api_key_is_required_if_keys_are_configured() {
    let core = Core::with(json!({ "api_keys": format!(" {KEY} , {OTHER} ") })).await;
    let path = "/user/id?userId=u";
    for (name, value) in [
        ("api-key", KEY.to_owned()),
        ("api-key", format!("  {KEY} ")),
        ("authorization", format!("Bearer {OTHER}")),
        ("authorization", format!("bEARER  {OTHER}")),
        ("authorization", OTHER.to_owned()),
    ] {
        assert_eq!(
            get(&core, path, &[(name, &value)]).await.status,
            200,
            "{value}"
        );
    }
    for headers in [
        vec![],
        vec![("api-key", "")],
        vec![("api-key", "abcdefghijklmnopqrstuvwxy")],
        vec![("api-key", "wrong"), ("authorization", KEY)],
    ] {
        for path in [path, "/metrics", "/apiversion", "/ghost/user/id?userId=u"] {
            let reply = get(&core, path, &headers).await;
            let expected = (401, "Invalid API key\n");
            assert_eq!(
                (reply.status.as_u16(), reply.text.as_str()),
                expected,
                "{path}"
            );
        }
        for path in [
            "/",
            "/hello",
            "/livez",
            "/readyz",
            "/config?pid=1",
            "/.well-known/jwks.json",
        ] {
            assert_eq!(get(&core, path, &headers).await.status, 200, "{path}");
        }
        assert_eq!(get(&core, "/no/such/path", &headers).await.status, 404);
    }
}

#[tokio::test]
async fn an_app_can_override_or_remove_the_api_keys() {
    let core = Core::with(json!({ "api_keys": KEY })).await;
    let put = async |path: &str, key: &str, body: Value| {
        let request = Request::put(path)
            .header("api-key", key)
            .body(body.to_string().into());
        core.send(request.unwrap()).await.status.as_u16()
    };
    let app = |keys: Value| json!({ "appId": "a1", "coreConfig": { "api_keys": keys } });
    assert_eq!(
        put("/recipe/multitenancy/app/v2", KEY, app(json!(OTHER))).await,
        200
    );
    let path = "/appid-a1/user/id?userId=u";
    assert_eq!(get(&core, path, &[("api-key", KEY)]).await.status, 401);
    assert_eq!(get(&core, path, &[("api-key", OTHER)]).await.status, 200);
    let own = "/appid-a1/recipe/multitenancy/app/v2";
    assert_eq!(put(own, OTHER, app(json!(null))).await, 200);
    assert_eq!(
        get(&core, path, &[("api-key", KEY)]).await.status,
        200,
        "inherited"
    );
}

/// Cases: C142.
#[tokio::test]
async fn client_addresses_can_be_allowed_and_denied() {
    let from = async |core: &Core, path: &str, peer: &str| {
        let request = Request::get(path).body(Full::default()).unwrap();
        core.send_from(request, peer.parse().unwrap())
            .await
            .status
            .as_u16()
    };
    let core = Core::with(
        json!({ "ip_allow_regex": r"127\.\d+\.\d+\.\d+|::1", "ip_deny_regex": r"127\.0\.0\.2" }),
    )
    .await;
    for path in ["/hello", "/user/id?userId=u", "/.well-known/jwks.json"] {
        for (peer, status) in [
            ("127.0.0.1", 200),
            ("::1", 200),
            ("::ffff:127.0.0.1", 200),
            ("127.0.0.2", 403),
            ("127.0.0.22", 200),
            ("10.127.0.0", 403),
            ("10.0.0.1", 403),
        ] {
            assert_eq!(from(&core, path, peer).await, status, "{path} {peer}");
        }
    }
    let denying = Core::with(json!({ "ip_deny_regex": r"10\..*" })).await;
    assert_eq!(from(&denying, "/hello", "10.1.1.1").await, 403);
    assert_eq!(from(&denying, "/hello", "11.1.1.1").await, 200);
    assert_eq!(
        from(&denying, "/livez", "10.1.1.1").await,
        200,
        "only the process is asked"
    );
}

/// Cases: C143.
#[tokio::test]
async fn hello_reads_the_store_within_a_rate_limit() {
    let core = Core::new().await;
    core.store.clear_calls();
    for _ in 0..6 {
        let reply = get(&core, "/hello", &[]).await;
        assert_eq!(
            (reply.status.as_u16(), reply.text.as_str()),
            (200, "Hello\n")
        );
    }
    assert_eq!(core.store.count(Verb::UserMetadata), 5);
    core.advance(Duration::from_millis(200));
    get(&core, "/hello", &[]).await;
    assert_eq!(core.store.count(Verb::UserMetadata), 6);
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_not_ready() {
    let core = Core::new().await;
    assert_eq!(get(&core, "/readyz", &[]).await.status, 200);
    for kind in [
        StoreErrorKind::NotWritable,
        StoreErrorKind::Corrupt,
        StoreErrorKind::Internal,
    ] {
        core.store
            .plan(PlannedFault::new(kind).on(Verb::CheckReady));
        core.advance(Duration::from_secs(1));
        for _ in 0..3 {
            let reply = get(&core, "/readyz", &[]).await;
            assert_eq!(
                (reply.status.as_u16(), reply.text.as_str()),
                (
                    503,
                    "The session store is not writable; the log has the reason\n"
                )
            );
        }
    }
    // Reads still work, and so do the health checks of SuperTokens.
    assert_eq!(get(&core, "/hello", &[]).await.status, 200);
    core.advance(Duration::from_secs(1));
    assert_eq!(get(&core, "/readyz", &[]).await.status, 200);
    assert_eq!(core.store.count(Verb::CheckReady), 5);
}

/// Cases: C144.
#[tokio::test]
async fn paths_ignore_case_and_a_trailing_slash() {
    let core = Core::open(json!({}), "/base").await.unwrap();
    for path in [
        "/base/hello",
        "/BASE/Hello/",
        "/base",
        "/base/",
        "/base/public/hello",
    ] {
        assert_eq!(get(&core, path, &[]).await.status, 200, "{path}");
    }
    for path in [
        "/hello",
        "/base/nothing/here",
        "/base/recipe",
        "/base/ghost",
    ] {
        let reply = get(&core, path, &[]).await;
        assert_eq!(
            (reply.status.as_u16(), reply.text.as_str()),
            (404, "Not found\n"),
            "{path}"
        );
    }
    for call in [
        "GET /base/recipe/session/verify",
        "HEAD /base/hello",
        "OPTIONS /base/recipe/session",
        "PATCH /base/recipe/user/metadata",
    ] {
        core.refused(call, LEGACY, Value::Null, 405, "Method not supported")
            .await;
    }
}

/// Cases: C145.
#[tokio::test]
async fn versions_before_3_0_have_no_tenants() {
    let core = Core::new().await;
    core.tenant("t1").await;
    for cdi in ["2.7", "2.21"] {
        core.refused(
            "POST /t1/recipe/session",
            cdi,
            new_session(&json!({})),
            404,
            "Not found",
        )
        .await;
    }
    core.ok(
        "POST /public/recipe/session",
        "2.21",
        new_session(&json!({})),
    )
    .await;
    core.ok("POST /t1/recipe/session", "3.0", new_session(&json!({})))
        .await;
}

#[tokio::test]
async fn a_long_body_is_rejected() {
    let core = Core::new().await;
    let body = new_session(&json!({ "userDataInDatabase": { "x": "y".repeat(70_000) } }));
    let text = "The body is longer than 65536 bytes, which is the limit of this server";
    core.refused("POST /recipe/session", LEGACY, body, 413, text)
        .await;
}

#[tokio::test]
async fn a_draining_service_is_not_ready() {
    let core = Core::new().await;
    assert_eq!(get(&core, "/readyz", &[]).await.status, 200);
    core.service.drain();
    assert_eq!(get(&core, "/readyz", &[]).await.status, 503);
    assert_eq!(get(&core, "/livez", &[]).await.status, 200);
    core.session(ROTATION).await;
}

#[tokio::test]
async fn requests_and_sessions_are_counted() {
    let core = Core::new().await;
    let made = core.session(ROTATION).await;
    core.refreshed(ROTATION, made.refresh()).await;
    get(&core, "/no/such/path", &[]).await;
    let text = get(&core, "/metrics", &[]).await.text;
    for line in [
        r#"supersession_http_requests_total{endpoint="/recipe/session",status="2xx"} 1"#,
        r#"supersession_http_requests_total{endpoint="unknown",status="4xx"} 1"#,
        r#"supersession_http_request_duration_seconds_count{endpoint="/recipe/session/refresh"} 1"#,
        "supersession_sessions_created_total 1",
        "supersession_sessions_refreshed_total 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains(made.handle()));
}

/// Dashboards and alerts of operators use the documented names, kinds and buckets.
#[tokio::test]
async fn every_documented_metric_is_rendered_with_its_kind() {
    let core = Core::new().await;
    core.session(ROTATION).await;
    let text = get(&core, "/metrics", &[]).await.text;
    let rows = include_str!("../../../../docs/server.md")
        .lines()
        .filter(|line| line.starts_with("| `supersession_"));
    let mut found = 0;
    for row in rows {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        for name in cells[1].split(", ") {
            let line = format!("# TYPE {} {}", name.trim_matches('`'), cells[2]);
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
            found += 1;
        }
    }
    assert_eq!(found, text.matches("# TYPE ").count(), "{text}");
    let bucket = "supersession_http_request_duration_seconds_bucket";
    for bound in [
        "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.05", "0.25", "1", "+Inf",
    ] {
        let start = format!("{bucket}{{endpoint=\"/recipe/session\",le=\"{bound}\"}} ");
        assert!(text.contains(&start), "{start}\n{text}");
    }
    assert_eq!(text.matches(bucket).count(), 10, "{text}");
}

#[tokio::test]
async fn endpoints_for_tools_return_fixed_responses() {
    let core = Core::new().await;
    assert_eq!(
        core.get("/telemetry", LEGACY).await,
        json!({ "exists": false })
    );
    assert_eq!(
        core.get("/config?pid=1", LEGACY).await,
        json!({ "status": "NOT_ALLOWED" })
    );
    assert_eq!(core.get("/ee/featureflag", LEGACY).await["status"], "OK");
    let license = json!({ "licenseKey": "anything" });
    assert_eq!(
        core.ok("PUT /ee/license", LEGACY, license).await["status"],
        "OK"
    );
    for body in [json!({}), json!({ "key": "anything" })] {
        let text = "Field name 'licenseKey' is missing in JSON input";
        core.refused("PUT /ee/license", LEGACY, body, 400, text)
            .await;
    }
}

/// Dashboards request both.
#[tokio::test]
async fn active_users_and_requests_are_counted() {
    let core = Core::new().await;
    core.session(LEGACY).await;
    core.advance(Duration::from_secs(60));
    core.session_with(ROTATION, json!({ "userId": "v" })).await;
    for (since, count) in [(0, 2), (START.get() + 1, 1), (START.get() + 60_001, 0)] {
        let answer = core
            .get(&format!("/users/count/active?since={since}"), LEGACY)
            .await;
        assert_eq!(answer, json!({ "status": "OK", "count": count }), "{since}");
    }
    for (query, text) in [
        ("", "Field name 'since' is missing in GET request"),
        (
            "?since=x",
            "Field name 'since' must be a long in the GET request",
        ),
        ("?since=-1", "'since' query parameter must be >= 0"),
    ] {
        let call = format!("GET /users/count/active{query}");
        core.refused(&call, LEGACY, Value::Null, 400, text).await;
    }
    let stats = core.get("/requests/stats", LEGACY).await;
    let last = |name: &str| {
        let series = stats[name].as_array().unwrap();
        assert_eq!(series.len(), 1_440);
        series.last().unwrap().as_f64().unwrap()
    };
    assert!((last("averageRequestsPerSecond") - 1.0 / 60.0).abs() < 1e-9);
    assert!((last("peakRequestsPerSecond") - 1.0).abs() < 1e-9);
    assert_eq!(stats["atMinute"], START.get() / 60_000 + 1);
    let mut earlier = stats["peakRequestsPerSecond"].as_array().unwrap().clone();
    earlier.pop();
    assert!(earlier.iter().all(|peak| *peak == -1));
}

#[tokio::test]
async fn endpoints_out_of_scope_are_named_in_the_error() {
    let core = Core::new().await;
    for path in [
        "/recipe/signup",
        "/t1/recipe/signin",
        "/appid-a1/t1/users",
        "/users/count",
        "/recipe/dashboard/user",
        "/recipe/user/password/reset",
        "/recipe/roles",
    ] {
        let reply = get(&core, path, &[]).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(
            reply.text.starts_with("Not found: "),
            "{path}: {}",
            reply.text
        );
        assert!(
            reply.text.contains("out of its scope"),
            "{path}: {}",
            reply.text
        );
    }
    for path in ["/no/such/path", "/recipe", "/recipe/session/nothing"] {
        let reply = get(&core, path, &[]).await;
        assert_eq!((reply.status.as_u16(), &*reply.text), (404, "Not found\n"));
    }
}
