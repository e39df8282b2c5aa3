//! Verification with and without a look into the database.

use serde_json::json;
use supersession_testkit::Verb;

use super::{with, without};
use crate::support::{Answer, App, Forge, Req, Tokens};

/// Fails unless the session was found, and nothing else was sent.
#[track_caller]
fn is_plain_session(answer: &Answer, tokens: &Tokens) {
    assert_eq!(
        (answer.status, &answer.json()["handle"]),
        (200, &json!(tokens.handle))
    );
    assert!(
        answer.has_no_token_headers() && answer.exposed().is_empty(),
        "{answer:?}"
    );
}

/// Tokens of versions 3, 4 and 5, in either place, pass the database check while the session is
/// live; after it was revoked they are answered with 401 and everything is cleared.
/// Cases: S21.
#[tokio::test]
async fn a_revoked_session_is_refused_with_clearing_for_every_version() {
    let app = App::new().await;
    let forge = Forge::of(&app).await;
    let tokens = app.login("alice").await;
    let payload = tokens.payload();
    let versions = [
        forge.token("3", &without(payload.clone(), &["rsub", "tId"])),
        forge.token("4", &without(payload.clone(), &["rsub"])),
        forge.token("5", &payload),
    ];
    for token in &versions {
        is_plain_session(
            &app.send(Req::get("/verify-db").bearer(token)).await,
            &tokens,
        );
        let by_cookie = Req::get("/verify-db").cookie("sAccessToken", token);
        is_plain_session(&app.send(by_cookie).await, &tokens);
    }
    assert!(app.sessions.revoke(tokens.handle.as_str()).await.unwrap());
    for token in &versions {
        for request in [
            Req::get("/verify-db").bearer(token),
            Req::get("/verify-db").cookie("sAccessToken", token),
        ] {
            let answer = app.send(request).await;
            answer.is_unauthorised();
            assert!(answer.clears_everything(), "{answer:?}");
        }
    }
}

/// A revoked session's access token is good until it expires where the database is not asked, which
/// costs no call to the store; where it is asked, with one call, the answer is 401 with clearing. A
/// token of a session that never was is no better.
/// Cases: S84.
#[tokio::test]
async fn a_revoked_session_is_refused_where_the_database_is_asked() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    app.sessions.revoke(tokens.handle.as_str()).await.unwrap();
    app.store.clear_calls();
    let answer = app.send(Req::get("/verify").access_cookie(&tokens)).await;
    is_plain_session(&answer, &tokens);
    assert!(app.store.calls().is_empty());
    let answer = app
        .send(Req::get("/verify-db").access_cookie(&tokens))
        .await;
    answer.is_unauthorised();
    assert!(answer.clears_everything(), "{answer:?}");
    assert_eq!(
        answer.exposed(),
        ["front-token", "st-access-token", "st-refresh-token"]
    );
    assert_eq!(app.store.calls(), [Verb::Session]);

    let forge = Forge::of(&app).await;
    let stranger = forge.token("5", &crate::support::session_claims("mallory"));
    let answer = app.send(Req::get("/verify-db").bearer(&stranger)).await;
    answer.is_unauthorised();
    assert!(answer.clears_everything());
}

/// Adapted to rotation: a refreshed token is final, so its first verification is as local as every
/// later one. It asks no store and writes nothing; with the database check it reads once and writes
/// nothing.
/// Cases: S85, S86.
#[tokio::test]
async fn the_first_verification_after_a_refresh_writes_nothing() {
    let app = App::new().await;
    for mode in ["cookie", "header"] {
        let first = app.login_as("alice", mode).await;
        let refresh = match mode {
            "cookie" => Req::refresh().refresh_cookie(&first),
            _ => Req::refresh().bearer(&first.refresh),
        };
        let mut second = app.send(refresh).await.tokens();
        second.handle.clone_from(&first.handle);
        assert_eq!(second.payload()["parentRefreshTokenHash1"], json!(null));
        let verify = |path| match mode {
            "cookie" => Req::get(path).access_cookie(&second),
            _ => Req::get(path).bearer(&second.access),
        };
        app.store.clear_calls();
        for _ in 0..2 {
            is_plain_session(&app.send(verify("/verify")).await, &second);
        }
        assert!(app.store.calls().is_empty(), "{:?}", app.store.calls());
        is_plain_session(&app.send(verify("/verify-db")).await, &second);
        assert_eq!(app.store.calls(), [Verb::Session]);
    }
}

/// Adapted to rotation: the token of a refresh may be used by two requests at once, and so may the
/// token before it. So may a token that an older core has minted at a refresh and that nobody has
/// confirmed: its parent is the session's refresh token.
/// Cases: S87.
#[tokio::test]
async fn the_token_of_a_refresh_may_be_used_in_parallel() {
    let app = App::new().await;
    let forge = Forge::of(&app).await;
    let first = app.login("alice").await;
    let payload = first.payload();
    let parent = payload["refreshTokenHash1"].clone();
    let child = with(payload, "parentRefreshTokenHash1", parent);
    let child = with(child, "refreshTokenHash1", json!("f".repeat(64)));
    let unconfirmed = forge.token("5", &child);
    let second = app
        .send(Req::refresh().refresh_cookie(&first))
        .await
        .tokens();
    for token in [&unconfirmed, &second.access, &first.access] {
        for path in ["/verify", "/verify-db"] {
            let request = Req::get(path).cookie("sAccessToken", token);
            let (one, two) = tokio::join!(app.send(request.clone()), app.send(request));
            is_plain_session(&one, &first);
            is_plain_session(&two, &first);
        }
    }
}

/// A token of a branch that was left two refreshes ago is refused where the database is asked,
/// without clearing: the client may have the newer tokens already. Elsewhere it is good until it
/// expires.
/// Cases: S84.
#[tokio::test]
async fn a_rotated_out_token_is_refused_without_clearing() {
    let app = App::new().await;
    let first = app.login("alice").await;
    let second = app
        .send(Req::refresh().refresh_cookie(&first))
        .await
        .tokens();
    let third = app
        .send(Req::refresh().refresh_cookie(&second))
        .await
        .tokens();
    let answer = app.send(Req::get("/verify-db").access_cookie(&first)).await;
    answer.is_unauthorised();
    assert!(
        answer.has_no_token_headers() && answer.exposed().is_empty(),
        "{answer:?}"
    );
    for (path, token) in [
        ("/verify", &first),
        ("/verify-db", &second),
        ("/verify-db", &third),
    ] {
        assert_eq!(
            app.send(Req::get(path).access_cookie(token)).await.status,
            200
        );
    }
    assert!(
        app.sessions
            .information(first.handle.as_str())
            .await
            .unwrap()
            .is_some()
    );
}

/// A signed token that names the session of somebody else is refused where the database is asked,
/// and the session goes on.
#[tokio::test]
async fn a_token_naming_another_users_session_is_rejected() {
    let app = App::new().await;
    let forge = Forge::of(&app).await;
    let tokens = app.login("alice").await;
    let mut payload = tokens.payload();
    payload["sub"] = json!("mallory");
    payload["rsub"] = json!("mallory");
    let forged = forge.token("5", &payload);
    let answer = app.send(Req::get("/verify-db").cookie("sAccessToken", &forged));
    answer.await.is_unauthorised();
    let own = app.send(Req::get("/verify-db").access_cookie(&tokens));
    is_plain_session(&own.await, &tokens);
}
