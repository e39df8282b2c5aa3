//! The payload as it is stored, and the tokens that follow it.

use serde_json::{Value, json};
use supersession::store::{DocumentWrite, SessionDocument, SessionKey, WriteOutcome};
use supersession::{AntiCsrf, AppId, JsonObject, SessionHandle, Store as _};

use super::{cookie_lines, front_token, header_names};
use crate::support::{Answer, App, Req, Tokens};

/// Stores a payload as an older version of the system may have left it.
async fn store_payload(app: &App, handle: &str, payload: &Value) {
    let key = SessionKey::new(&AppId::default(), SessionHandle::from(handle));
    let document = JsonObject::from_serialize(payload).unwrap();
    let write = DocumentWrite::Overwrite(document.clone());
    let now = supersession::Clock::now(&app.clock);
    let store = app.store.inner();
    let outcome = store
        .write_document(&key, SessionDocument::Payload, &write, now)
        .await;
    assert_eq!(outcome.unwrap(), WriteOutcome::Written(document));
}

/// Fails unless the answer carries a new access token in a cookie, with its front token, and
/// nothing else.
#[track_caller]
fn reissues_cookie(answer: &Answer) -> Tokens {
    assert_eq!(answer.status, 200, "{answer:?}");
    let tokens = answer.tokens();
    assert_eq!(
        cookie_lines(answer),
        [format!(
            "sAccessToken={}; Path=/; Expires=Fri, 01 Jan 2027 00:00:20 GMT; HttpOnly; Secure; SameSite=Lax",
            tokens.access
        )]
    );
    assert_eq!(
        header_names(answer),
        [
            "access-control-expose-headers",
            "cache-control",
            "content-length",
            "content-type",
            "front-token",
            "set-cookie",
        ]
    );
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("front-token")
    );
    describes(answer, &tokens);
    tokens
}

/// Fails unless the answer carries a new access token in a header, with its front token, and
/// nothing else.
#[track_caller]
fn reissues_header(answer: &Answer) -> Tokens {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        header_names(answer),
        [
            "access-control-expose-headers",
            "cache-control",
            "content-length",
            "content-type",
            "front-token",
            "st-access-token",
        ]
    );
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("front-token, st-access-token")
    );
    let tokens = answer.tokens();
    describes(answer, &tokens);
    tokens
}

#[track_caller]
fn describes(answer: &Answer, tokens: &Tokens) {
    let payload = tokens.payload();
    let ate = payload["exp"].as_u64().unwrap() * 1_000;
    assert_eq!(
        front_token(answer.header("front-token").unwrap()),
        json!({"uid": "alice", "ate": ate, "up": payload})
    );
    assert_eq!(answer.json()["payload"], payload);
}

/// Fails unless the two payloads differ in `iat`, by 20 seconds, and in `changes` only.
#[track_caller]
fn differs_only_in(old: &Tokens, new: &Tokens, changes: &Value) {
    let mut expected = old.payload();
    expected["iat"] = json!(expected["iat"].as_u64().unwrap() + 20);
    for (name, value) in changes.as_object().unwrap() {
        expected[name] = value.clone();
    }
    assert_eq!(new.payload(), expected);
}

/// Adapted to sessions of today, since the format of version 2 is not spoken: where the stored
/// payload holds a protected name, a refresh is answered with 401, and everything is cleared.
/// Cases: S23.
#[tokio::test]
async fn a_stored_payload_with_a_protected_name_cannot_be_refreshed() {
    let app = App::new().await;
    for name in ["sub", "tId", "exp", "refreshTokenHash1"] {
        let tokens = app.login("alice").await;
        store_payload(&app, &tokens.handle, &json!({"own": 1, (name): "mine"})).await;
        let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
        answer.is_unauthorised();
        assert!(answer.clears_everything(), "{answer:?}");
        assert_eq!(
            answer.exposed(),
            ["front-token", "st-access-token", "st-refresh-token"]
        );
    }
}

/// Adapted likewise: merging null for the protected name, by handle or in a handler, takes it out
/// of the stored payload, and the same refresh token then gets a version 5 token with the rest. The
/// refused refresh before it has changed nothing.
/// Cases: S24.
#[tokio::test]
async fn merging_null_takes_a_protected_name_out_of_the_stored_payload() {
    let app = App::new().await;
    for by_handle in [true, false] {
        let tokens = app.login("alice").await;
        store_payload(&app, &tokens.handle, &json!({"own": 1, "sub": "mine"})).await;
        let refresh = Req::refresh().refresh_cookie(&tokens);
        app.send(refresh.clone()).await.is_unauthorised();
        let patch = json!({"sub": null});
        if by_handle {
            let merged = app
                .sessions
                .merge_into_access_token_payload(tokens.handle.as_str(), patch);
            let merged = merged.await.unwrap().unwrap();
            assert_eq!(merged.as_str(), r#"{"own":1}"#);
        } else {
            let merge = Req::post("/merge").access_cookie(&tokens).json(&patch);
            let answer = app.send(merge).await;
            assert_eq!(
                (answer.status, &answer.json()["userId"]),
                (200, &json!("alice"))
            );
            assert_eq!(answer.tokens().payload()["sub"], "alice");
        }
        let answer = app.send(refresh).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
        assert_eq!(answer.tokens().header()["version"], "5");
        let payload = answer.tokens().payload();
        assert_eq!(
            (&payload["sub"], &payload["own"]),
            (&json!("alice"), &json!(1))
        );
    }
}

/// A change of the stored payload reaches the client at the next verification that asks the
/// database: a new access token with the same expiry and lineage, where the old one was, and no
/// anti-CSRF token. The new one is not replaced again; without the check the old payload stays.
/// Cases: S88.
#[tokio::test]
async fn a_verification_with_a_database_check_returns_the_stored_payload() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let cookie = app.login_as("alice", "cookie").await;
    let header = app.login_as("alice", "header").await;
    app.advance_secs(20);
    let patch = json!({"plan": "pro", "deep": {"a": [1, null]}});
    for tokens in [&cookie, &header] {
        let handle = tokens.handle.as_str();
        app.sessions
            .merge_into_access_token_payload(handle, &patch)
            .await
            .unwrap();
    }

    let anti_csrf = cookie.anti_csrf.clone().unwrap();
    let by_cookie = |path, tokens: &Tokens| {
        Req::get(path)
            .access_cookie(tokens)
            .header("anti-csrf", &anti_csrf)
    };
    let by_header = |path, tokens: &Tokens| Req::get(path).bearer(&tokens.access);
    let answer = app.send(by_cookie("/verify", &cookie)).await;
    assert!(answer.has_no_token_headers() && answer.json()["payload"] == cookie.payload());
    let new = reissues_cookie(&app.send(by_cookie("/verify-db", &cookie)).await);
    differs_only_in(&cookie, &new, &patch);
    assert!(
        app.send(by_cookie("/verify-db", &new))
            .await
            .has_no_token_headers()
    );

    let answer = app.send(by_header("/verify", &header)).await;
    assert!(answer.has_no_token_headers() && answer.json()["payload"] == header.payload());
    let new = reissues_header(&app.send(by_header("/verify-db", &header)).await);
    differs_only_in(&header, &new, &patch);
    assert!(
        app.send(by_header("/verify-db", &new))
            .await
            .has_no_token_headers()
    );

    let removal = json!({"plan": null});
    app.sessions
        .merge_into_access_token_payload(new.payload()["sessionHandle"].as_str().unwrap(), removal)
        .await
        .unwrap();
    let newest = reissues_header(&app.send(by_header("/verify-db", &new)).await);
    assert!(newest.payload().get("plan").is_none());
}

/// A change of the payload in a handler sends one access token, where the old one was, and its
/// front token: in cookies one cookie and no refresh cookie, in headers `st-access-token` and no
/// cookie. The anti-CSRF token is not sent again.
/// Cases: S89, S90.
#[tokio::test]
async fn a_payload_change_in_a_handler_sends_one_access_token() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let cookie = app.login_as("alice", "cookie").await;
    let header = app.login_as("alice", "header").await;
    app.advance_secs(20);
    let patch = json!({"plan": "pro"});
    let merge = Req::post("/merge").json(&patch);
    let anti_csrf = cookie.anti_csrf.as_deref().unwrap();
    let request = merge
        .clone()
        .access_cookie(&cookie)
        .header("anti-csrf", anti_csrf);
    let new = reissues_cookie(&app.send(request).await);
    differs_only_in(&cookie, &new, &patch);
    let new = reissues_header(&app.send(merge.bearer(&header.access)).await);
    differs_only_in(&header, &new, &patch);
    let stored = app
        .sessions
        .information(header.handle.as_str())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        stored.access_token_payload.as_str(),
        r#"{"iss":"https://api.example.com/auth","plan":"pro"}"#
    );
}

/// Several changes in one request send the last access token only, and expose each header once.
/// Cases: S91.
#[tokio::test]
async fn several_payload_changes_send_the_last_access_token_only() {
    let app = App::new().await;
    let cookie = app.login_as("alice", "cookie").await;
    let header = app.login_as("alice", "header").await;
    app.advance_secs(20);
    let thrice = Req::post("/merge-thrice");
    let new = reissues_cookie(&app.send(thrice.clone().access_cookie(&cookie)).await);
    differs_only_in(&cookie, &new, &json!({"step": 3}));
    let new = reissues_header(&app.send(thrice.bearer(&header.access)).await);
    differs_only_in(&header, &new, &json!({"step": 3}));
}

/// The patch may set no protected name: 400, and nothing is stored or sent.
/// Cases: S24.
#[tokio::test]
async fn a_patch_that_sets_a_protected_name_is_refused() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    for name in supersession::wire::PROTECTED_CLAIMS {
        let patch = json!({"own": 1, (name): "mine"});
        let answer = app
            .send(Req::post("/merge").access_cookie(&tokens).json(&patch))
            .await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.has_no_token_headers(), "{answer:?}");
    }
    let stored = app
        .sessions
        .information(tokens.handle.as_str())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.access_token_payload.keys(), ["iss"]);
}
