//! What a new access token says.

use serde_json::{Value, json};
use supersession::wire::MESSAGE_PROTECTED_FIELD;
use supersession::{AntiCsrf, FaultKind, Hooks, SessionError};
use supersession_testkit::Verb;

use super::with;
use crate::support::{App, Req, START};

const CLAIMS: [&str; 10] = [
    "antiCsrfToken",
    "exp",
    "iat",
    "iss",
    "parentRefreshTokenHash1",
    "refreshTokenHash1",
    "rsub",
    "sessionHandle",
    "sub",
    "tId",
];

async fn create(app: &App, body: Value) -> Value {
    let answer = app.send(Req::post("/create").json(&body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.tokens().payload()
}

/// Given the default configuration, the header names RS256, JWT, version "5" as a string and a
/// rotating key; with static keys configured, a static one.
/// Cases: S1, S2.
#[tokio::test]
async fn the_header_names_version_5_and_a_key_of_the_configured_kind() {
    let app = App::new().await;
    let header = app.login("alice").await.header();
    let kid = format!("d-{START}");
    assert_eq!(
        header,
        json!({"alg": "RS256", "typ": "JWT", "version": "5", "kid": kid})
    );

    let app = app
        .restarted_with(|builder| builder.use_dynamic_access_token_signing_key(false))
        .await;
    let header = app.login("alice").await.header();
    assert_eq!(
        (&header["alg"], &header["typ"], &header["version"]),
        (&json!("RS256"), &json!("JWT"), &json!("5"))
    );
    assert!(
        header["kid"].as_str().unwrap().starts_with("s-"),
        "{header}"
    );
    assert_eq!(header.as_object().unwrap().len(), 4);
}

/// Without claims and application payload a token has exactly ten members, each with the value that
/// the session has.
/// Cases: S3.
#[tokio::test]
async fn a_plain_token_has_exactly_ten_members() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let payload = tokens.payload();
    let mut names: Vec<_> = payload.as_object().unwrap().keys().collect();
    names.sort_unstable();
    assert_eq!(names, CLAIMS);
    let minted = START.get() / 1_000;
    let hash = supersession::RefreshHash1::of(&supersession::RefreshToken::new(&tokens.refresh));
    assert_eq!(
        payload,
        json!({
            "sub": "alice",
            "rsub": "alice",
            "iat": minted,
            "exp": minted + 3_600,
            "sessionHandle": tokens.handle,
            "refreshTokenHash1": hash.as_str(),
            "parentRefreshTokenHash1": null,
            "antiCsrfToken": null,
            "tId": "public",
            "iss": "https://api.example.com/auth",
        })
    );
}

/// Protected names in the caller's payload are dropped without an error, each of them; so is the
/// caller's own `iss`, which becomes the API's domain and base path. Null members of the caller's
/// stay.
/// Cases: S4, S7.
#[tokio::test]
async fn the_callers_payload_cannot_set_protected_names() {
    let app = App::new().await;
    let plain = create(&app, json!({"userId": "alice"})).await;
    let mut payload = json!({"own": 1, "nothing": null});
    for name in CLAIMS.iter().chain(&["stt"]) {
        payload = with(payload, name, json!("asdf"));
    }
    let minted = create(&app, json!({"userId": "alice", "payload": payload})).await;
    assert_eq!(minted.as_object().unwrap().len(), 12, "{minted}");
    for name in ["sub", "rsub", "iat", "exp", "tId", "iss", "antiCsrfToken"] {
        assert_eq!(minted[name], plain[name], "{name}");
    }
    assert_eq!(
        (&minted["own"], minted.get("nothing")),
        (&json!(1), Some(&json!(null)))
    );
    assert_eq!(minted["iss"], "https://api.example.com/auth");

    let app = App::with(|builder| {
        builder
            .api_domain("https://api.example.com:8443/ignored")
            .api_gateway_path("gate")
            .api_base_path("/sessions/")
    })
    .await;
    let minted = create(&app, json!({"payload": {"iss": "https://evil.example"}})).await;
    assert_eq!(minted["iss"], "https://api.example.com:8443/gate/sessions");
}

/// A payload copied from another session's whole payload makes a new session of the second user;
/// its own members survive.
/// Cases: S5.
#[tokio::test]
async fn a_payload_copied_from_another_session_makes_a_new_session() {
    let app = App::new().await;
    let first = create(&app, json!({"userId": "alice", "payload": {"plan": "pro"}})).await;
    app.advance_secs(10);
    let second = create(&app, json!({"userId": "bob", "payload": first})).await;
    assert_eq!(
        (&second["sub"], &second["rsub"]),
        (&json!("bob"), &json!("bob"))
    );
    assert_eq!(second["plan"], "pro");
    for name in ["sessionHandle", "refreshTokenHash1", "iat", "exp"] {
        assert_ne!(second[name], first[name], "{name}");
    }
    assert_eq!(second.as_object().unwrap().len(), 11);
}

/// A hook that adds a protected name after they were dropped makes the creation fail with 500;
/// nothing is stored, no token is sent, and the operator reads which rule was broken.
/// Cases: S6.
#[tokio::test]
async fn a_hook_that_puts_a_protected_name_back_fails_the_creation() {
    let hooks = Hooks::new().before_create(|mut new| async move {
        new.set_payload("sub", "somebody else")?;
        Ok(new)
    });
    let app = App::with(|builder| builder.hooks(hooks)).await;
    for mode in ["cookie", "header"] {
        let request = Req::post("/create").header("st-auth-mode", mode);
        let answer = app.send(request.json(&json!({"userId": "alice"}))).await;
        answer.is_message(500, "internal server error");
        assert!(answer.has_no_token_headers(), "{answer:?}");
    }
    let error = app.sessions.create("alice").await.unwrap_err();
    let SessionError::Fault(fault) = error else {
        panic!("{error:?}");
    };
    assert_eq!(fault.kind(), FaultKind::Misuse);
    assert!(fault.report().contains(MESSAGE_PROTECTED_FIELD), "{fault}");
    assert_eq!(app.store.count(Verb::InsertSession), 0);
    assert!(
        app.sessions
            .handles_for_user("alice")
            .await
            .unwrap()
            .is_empty()
    );
}

/// A session of a tenant has the tenant in its handle and in its token; one of the default tenant
/// has a bare handle.
/// Cases: S31.
#[tokio::test]
async fn the_handle_and_the_token_contain_the_tenant() {
    let app = App::new().await;
    let payload = create(&app, json!({"tenantId": "t1"})).await;
    let handle = payload["sessionHandle"].as_str().unwrap();
    let (id, tenant) = handle.split_once('_').unwrap();
    assert_eq!((id.len(), tenant), (36, "t1"));
    assert_eq!(payload["tId"], "t1");
    let information = app.sessions.information(handle).await.unwrap().unwrap();
    assert_eq!(information.tenant_id, "t1");

    let payload = create(&app, json!({})).await;
    assert_eq!(payload["sessionHandle"].as_str().unwrap().len(), 36);
}

/// Creation without a request gives access, refresh and front token, marked as new; an anti-CSRF
/// token only under `ViaToken`, and not where the caller turns it off.
/// Cases: S60, S61.
#[tokio::test]
async fn creation_without_a_request_gives_all_tokens() {
    let app = App::new().await;
    let session = app
        .sessions
        .create("alice")
        .payload(json!({"plan": "pro"}))
        .await
        .unwrap();
    let tokens = session.all_session_tokens_dangerously();
    assert_eq!(
        tokens.access_token.expose(),
        session.access_token().expose()
    );
    assert!(tokens.access_and_front_token_updated);
    assert!(tokens.refresh_token.is_some() && tokens.anti_csrf_token.is_none());
    assert_eq!(
        tokens.refresh_token_expires_at,
        Some(START.after(std::time::Duration::from_secs(100 * 86_400)))
    );
    assert_eq!(super::front_token(tokens.front_token.expose()), {
        let up = session.access_token_payload();
        json!({"uid": "alice", "ate": START.get() + 3_600_000, "up": up})
    });

    let app = app
        .restarted_with(|builder| builder.anti_csrf(AntiCsrf::ViaToken))
        .await;
    let session = app.sessions.create("alice").await.unwrap();
    let anti_csrf = session
        .all_session_tokens_dangerously()
        .anti_csrf_token
        .unwrap();
    assert_eq!(
        session.access_token_payload().get("antiCsrfToken"),
        Some(json!(anti_csrf.expose()))
    );
    let session = app
        .sessions
        .create("alice")
        .without_anti_csrf()
        .await
        .unwrap();
    let tokens = session.all_session_tokens_dangerously();
    assert!(tokens.refresh_token.is_some() && tokens.anti_csrf_token.is_none());
    assert_eq!(
        session.access_token_payload().get("antiCsrfToken"),
        Some(json!(null))
    );
}
