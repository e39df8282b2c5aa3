//! The public routes (session specification, 7.4 to 7.6).

use serde_json::json;
use supersession::store::KeyKind;

use super::stored_keys;
use crate::support::{Answer, App, Req};

fn header_names(answer: &Answer) -> Vec<&str> {
    let mut names: Vec<_> = answer
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .collect();
    names.sort_unstable();
    names
}

/// A browser on any site, a gateway, anybody: without a session, a key or a version.
///
/// Cases: S207, C95.
#[tokio::test]
async fn any_client_may_read_the_key_set() {
    let app = App::new().await;
    let answer = app.send(Req::get("/auth/jwt/jwks.json")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(
        answer.header("cache-control"),
        Some("max-age=604740, must-revalidate")
    );
    let body = answer.json();
    assert_eq!(
        body.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["keys"]
    );
    let kids: Vec<_> = body["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].clone())
        .collect();
    let dynamic = stored_keys(&app, KeyKind::Dynamic).await[0].kid.clone();
    let fixed = stored_keys(&app, KeyKind::Static).await[0].kid.clone();
    assert_eq!(kids, [json!(dynamic), json!(fixed)]);
    for private in ["\"d\"", "\"p\"", "\"q\"", "\"dp\"", "\"dq\"", "\"qi\""] {
        assert!(!answer.text.contains(private), "{private}");
    }
    assert_eq!(
        header_names(&answer),
        [
            "access-control-allow-origin",
            "cache-control",
            "content-type"
        ]
    );
    // Not even a bad session matters.
    let answer = app
        .send(
            Req::get("/auth/jwt/jwks.json")
                .bearer("x")
                .cookie("sAccessToken", "y"),
        )
        .await;
    assert_eq!(answer.status, 200);
    assert!(answer.has_no_token_headers(), "{answer:?}");
}

/// Cases: S208.
#[tokio::test]
async fn any_client_may_read_the_location_of_the_key_set() {
    for (gateway, base, path, url) in [
        ("", "/auth", "/auth", "https://api.example.com/auth"),
        (
            "/gateway",
            "hello",
            "/hello",
            "https://api.example.com/gateway/hello",
        ),
        ("", "/", "", "https://api.example.com"),
    ] {
        let app = App::with(|builder| builder.api_gateway_path(gateway).api_base_path(base)).await;
        let answer = app
            .send(Req::get(&format!(
                "{path}/.well-known/openid-configuration"
            )))
            .await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(
            answer.json(),
            json!({
                "issuer": url,
                "jwks_uri": format!("{url}/jwt/jwks.json"),
                "authorization_endpoint": format!("{url}/oauth/auth"),
                "token_endpoint": format!("{url}/oauth/token"),
                "userinfo_endpoint": format!("{url}/oauth/userinfo"),
                "revocation_endpoint": format!("{url}/oauth/revoke"),
                "token_introspection_endpoint": format!("{url}/oauth/introspect"),
                "end_session_endpoint": format!("{url}/oauth/end_session"),
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "id_token", "id_token token"],
            })
        );
        assert_eq!(
            app.send(Req::get(&format!("{path}/jwt/jwks.json")))
                .await
                .status,
            200
        );
    }
}

/// HEAD answers what GET does, without the body (RFC 9110, 9.3.2).
#[tokio::test]
async fn head_is_answered_like_get() {
    let app = App::with(|builder| builder.doctor_route(true)).await;
    for path in [
        "/auth/jwt/jwks.json",
        "/auth/public/jwt/jwks.json",
        "/auth/.well-known/openid-configuration",
        "/auth/doctor",
    ] {
        let get = app.send(Req::get(path)).await;
        let head = app.send(Req::new("HEAD", path)).await;
        assert_eq!(
            (head.status, head.text.as_str()),
            (get.status, ""),
            "{path}"
        );
        let length = get.text.len().to_string();
        let mut headers = get.headers.clone();
        headers.insert("content-length", length.parse().unwrap());
        assert_eq!(head.headers, headers, "{path}");
    }
    for path in ["/auth/session/refresh", "/auth/signout"] {
        assert_eq!(app.send(Req::new("HEAD", path)).await.status, 404, "{path}");
    }
}
