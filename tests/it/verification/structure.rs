//! Which tokens are ours, and which of ours are good.

use std::time::Duration;

use serde_json::json;
use supersession::store::KeyKind;
use supersession::{AccessToken, AntiCsrf, SessionError, VerifyOptions};

use super::{with, without};
use crate::support::{App, Forge, Req, START, session_claims};

/// Sends a bearer token to a route that demands a session.
async fn verify(app: &App, token: &str) -> crate::support::Answer {
    app.send(Req::get("/verify").bearer(token)).await
}

/// Fails unless the token counts as none at all: 401 without clearing where a session is needed,
/// nobody where it is optional, and no hindrance to a good cookie.
async fn is_foreign(app: &App, token: &str) {
    let answer = verify(app, token).await;
    answer.is_unauthorised();
    assert!(answer.has_no_token_headers(), "{answer:?}");
    let answer = app.send(Req::get("/verify-optional").bearer(token)).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"session": null}))
    );
    let cookie = app.login("carol").await;
    let request = Req::get("/verify").bearer(token).access_cookie(&cookie);
    assert_eq!(app.send(request).await.json()["userId"], "carol");
}

/// A text with two segments is no token: without a request, unauthorised without clearing; where
/// the session is optional, none.
/// Cases: S8, S9.
#[tokio::test]
async fn a_text_of_two_segments_is_not_a_token() {
    let app = App::new().await;
    let whole = app.login("alice").await.access;
    let two = AccessToken::new(whole.rsplit_once('.').unwrap().0);
    let options = VerifyOptions::new();
    let error = app
        .sessions
        .verify_access_token(&two, None, &options)
        .await
        .unwrap_err();
    assert!(matches!(error, SessionError::Unauthorised(_)), "{error:?}");
    assert!(!error.clears_tokens());
    let nobody = app
        .sessions
        .verify_access_token(&two, None, &options.optional())
        .await;
    assert!(nobody.unwrap().is_none());
    is_foreign(&app, two.expose()).await;
}

/// A header must have `typ` JWT, a key id, and a version that is a string of at least 3: a number,
/// a legacy version and another `typ` make the token foreign, however well it is signed.
/// Cases: S10, S12.
#[tokio::test]
async fn a_token_with_another_kind_of_header_is_foreign() {
    let app = App::new().await;
    let forge = Forge::of(&app).await;
    let claims = session_claims("alice");
    assert_eq!(verify(&app, &forge.token("5", &claims)).await.status, 200);
    for header in [
        with(forge.header("5"), "version", json!(5)),
        with(forge.header("5"), "version", json!("2")),
        with(forge.header("5"), "version", json!("1")),
        with(forge.header("5"), "version", json!(null)),
        with(forge.header("5"), "typ", json!("at+jwt")),
        with(forge.header("5"), "typ", json!("jwt")),
        without(forge.header("5"), &["typ"]),
        without(forge.header("5"), &["kid"]),
    ] {
        is_foreign(&app, &forge.sign(KeyKind::Dynamic, &header, &claims)).await;
    }
}

/// Without a version a token counts as version 3: neither `rsub` nor `tId` are asked for, and a
/// `tId` is the application's own. The same for a token that says version 3.
/// Cases: S11.
#[tokio::test]
async fn a_token_without_a_version_is_read_as_version_3() {
    let app = App::new().await;
    let forge = Forge::of(&app).await;
    let claims = with(
        without(session_claims("alice"), &["rsub"]),
        "tId",
        json!("mine"),
    );
    for header in [without(forge.header("3"), &["version"]), forge.header("3")] {
        let answer = verify(&app, &forge.sign(KeyKind::Dynamic, &header, &claims)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        assert_eq!(
            (&body["userId"], &body["recipeUserId"]),
            (&json!("alice"), &json!("alice"))
        );
        assert_eq!(
            (&body["tenantId"], &body["payload"]["tId"]),
            (&json!("public"), &json!("mine"))
        );
        let bare = without(claims.clone(), &["tId"]);
        let answer = verify(&app, &forge.sign(KeyKind::Dynamic, &header, &bare)).await;
        assert_eq!(answer.json()["tenantId"], "public");
    }
}

/// `parentRefreshTokenHash1` and `antiCsrfToken` may be missing, or of any type; what is no string
/// counts as absent, so a due anti-CSRF check cannot pass with it.
/// Cases: S13, S14.
#[tokio::test]
async fn the_two_optional_members_may_be_missing_or_of_any_type() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let forge = Forge::of(&app).await;
    let optional = ["parentRefreshTokenHash1", "antiCsrfToken"];
    for version in ["3", "4", "5"] {
        let bare = without(session_claims("alice"), &optional);
        let mut payloads = vec![bare.clone()];
        for value in [json!(12), json!(null), json!(true), json!({}), json!([])] {
            let payload = with(bare.clone(), optional[0], value.clone());
            payloads.push(with(payload, optional[1], value));
        }
        for payload in payloads {
            let token = forge.token(version, &payload);
            assert_eq!(verify(&app, &token).await.status, 200, "{payload}");
            let options = VerifyOptions::new().anti_csrf_check(false);
            let access = AccessToken::new(&token);
            let session = app
                .sessions
                .verify_access_token(&access, None, &options)
                .await;
            let tokens = session.unwrap().unwrap().all_session_tokens_dangerously();
            assert!(tokens.anti_csrf_token.is_none());
            let request = Req::post("/verify").cookie("sAccessToken", &token);
            app.send(request.header("anti-csrf", "12"))
                .await
                .is_try_refresh();
        }
    }
}

/// Every member that a version requires makes the token foreign when it is missing or of another
/// type: `rsub` from version 5, `tId` from version 4, the others always. Empty strings and zeros
/// satisfy the types.
/// Cases: S15.
#[tokio::test]
async fn a_token_without_a_required_member_is_foreign() {
    let app = App::new().await;
    let forge = Forge::of(&app).await;
    let claims = session_claims("alice");
    let always = ["sub", "iat", "exp", "sessionHandle", "refreshTokenHash1"];
    for (version, required) in [("3", &[][..]), ("4", &["tId"]), ("5", &["tId", "rsub"])] {
        for name in always.iter().chain(required) {
            let payload = without(claims.clone(), &[*name]);
            is_foreign(&app, &forge.token(version, &payload)).await;
            let payload = with(claims.clone(), name, json!(null));
            is_foreign(&app, &forge.token(version, &payload)).await;
        }
        let mut minimal = claims.clone();
        for name in ["sub", "rsub", "sessionHandle", "refreshTokenHash1"] {
            minimal = with(minimal, name, json!(""));
        }
        let minimal = with(minimal, "iat", json!(0));
        assert_eq!(
            verify(&app, &forge.token(version, &minimal)).await.status,
            200
        );
    }
}

/// A token of an OAuth2 provider, marked by `stt`, is no session token; `stt` 0 is the mark of a
/// session token.
/// Cases: S16, S17.
#[tokio::test]
async fn an_oauth2_token_is_foreign() {
    let app = App::new().await;
    let forge = Forge::of(&app).await;
    for version in ["3", "4", "5"] {
        for stt in [json!(1), json!(2), json!("0"), json!(null)] {
            let payload = with(session_claims("alice"), "stt", stt);
            is_foreign(&app, &forge.token(version, &payload)).await;
        }
        let payload = with(session_claims("alice"), "stt", json!(0));
        let answer = verify(&app, &forge.token(version, &payload)).await;
        assert_eq!(answer.json()["payload"], payload);
    }
}

/// A version 4 token has no `rsub`: the recipe user is the user. The tenant is the token's.
/// Cases: S20.
#[tokio::test]
async fn a_version_4_token_names_one_user() {
    let app = App::new().await;
    let forge = Forge::of(&app).await;
    let payload = with(
        without(session_claims("alice"), &["rsub"]),
        "tId",
        json!("t1"),
    );
    let answer = verify(&app, &forge.token("4", &payload)).await;
    assert_eq!(
        (answer.status, answer.json()),
        (
            200,
            json!({
                "userId": "alice", "recipeUserId": "alice", "tenantId": "t1",
                "handle": "0c8b7e0e-5d5c-4a35-9f64-5b7b2c1d9a10", "payload": payload,
            })
        )
    );
    let payload = with(payload, "rsub", json!("login method"));
    let answer = verify(&app, &forge.token("4", &payload)).await;
    assert_eq!(answer.json()["recipeUserId"], "alice");
    let answer = verify(&app, &forge.token("5", &payload)).await;
    assert_eq!(answer.json()["recipeUserId"], "login method");
}

/// An expired token asks for a refresh and clears nothing. It is good until the last millisecond
/// before the second of its `exp`.
/// Cases: S25, S27.
#[tokio::test]
async fn a_token_expires_with_the_second_of_its_exp() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    app.advance(Duration::from_millis(3_599_999));
    let request = Req::get("/verify").access_cookie(&tokens);
    assert_eq!(app.send(request.clone()).await.status, 200);
    app.advance(Duration::from_millis(1));
    assert_eq!(tokens.payload()["exp"], START.get() / 1_000 + 3_600);
    app.send(request).await.is_try_refresh();
    verify(&app, &tokens.access).await.is_try_refresh();
    app.advance_secs(86_400);
    verify(&app, &tokens.access).await.is_try_refresh();
}

/// A token of the right shape asks for a refresh if its signature is not that of the key it names:
/// altered, taken from another token, made by another key, under another algorithm, or by a key
/// that nobody has.
/// Cases: S26.
#[tokio::test]
async fn a_token_with_a_wrong_signature_requires_a_refresh() {
    let app = App::new().await;
    let forge = Forge::of(&app).await;
    let claims = session_claims("alice");
    let good = forge.token("5", &claims);
    let other = forge.token("5", &session_claims("bob"));
    let (input, signature) = good.rsplit_once('.').unwrap();
    let (other_input, other_signature) = other.rsplit_once('.').unwrap();
    let unsigned = with(forge.header("5"), "alg", json!("none"));
    let symmetric = with(forge.header("5"), "alg", json!("HS256"));
    let nobodys = with(forge.header("5"), "kid", json!("d-1"));
    for token in [
        format!("{input}.{other_signature}"),
        format!("{other_input}.{signature}"),
        format!("{input}.AAAA"),
        format!("{input}."),
        forge.sign(KeyKind::Static, &forge.header("5"), &claims),
        forge.sign(KeyKind::Dynamic, &unsigned, &claims),
        forge.sign(KeyKind::Dynamic, &symmetric, &claims),
        forge.sign(KeyKind::Dynamic, &nobodys, &claims),
    ] {
        verify(&app, &token).await.is_try_refresh();
        let optional = Req::get("/verify-optional").cookie("sAccessToken", &token);
        app.send(optional).await.is_try_refresh();
    }
    assert_eq!(verify(&app, &good).await.status, 200);
}

/// A JWT of the application's own, with what a session token says, is a session token of version 3
/// if it is signed by the rotating key; with the database check too, since it names a live session.
/// Cases: S28, S29.
#[tokio::test]
async fn a_jwt_with_the_members_of_a_session_token_is_accepted() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let payload = without(tokens.payload(), &["iat", "exp"]);
    let validity = Duration::from_secs(1_234);
    for payload in [without(payload.clone(), &["tId"]), payload] {
        let jwt = app
            .sessions
            .create_jwt_with_dynamic_key(&payload, validity)
            .await
            .unwrap();
        let answer = verify(&app, &jwt).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        assert_eq!(
            (&body["userId"], &body["handle"]),
            (&json!("alice"), &json!(tokens.handle))
        );
        assert_eq!(body["tenantId"], "public");
        let claims = &body["payload"];
        assert_eq!(
            claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
            1_234
        );
        let answer = app.send(Req::get("/verify-db").bearer(&jwt)).await;
        assert_eq!(
            (answer.status, &answer.json()["handle"]),
            (200, &json!(tokens.handle))
        );
    }
}

/// A session token that is signed by the other kind of key asks for a refresh, with the operator
/// told why; also a JWT of the application's own.
/// Cases: S30.
#[tokio::test]
async fn a_token_signed_by_the_other_kind_of_key_requires_a_refresh() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let payload = without(tokens.payload(), &["iat", "exp"]);
    let validity = Duration::from_secs(1_234);
    let static_jwt = app.sessions.create_jwt(&payload, validity).await.unwrap();
    verify(&app, &static_jwt).await.is_try_refresh();
    let options = VerifyOptions::new();
    let access = AccessToken::new(&static_jwt);
    let error = app
        .sessions
        .verify_access_token(&access, None, &options)
        .await
        .unwrap_err();
    let SessionError::TryRefreshToken(reason) = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        reason,
        "The access token doesn't match the useDynamicAccessTokenSigningKey setting"
    );

    let app = app
        .restarted_with(|builder| builder.use_dynamic_access_token_signing_key(false))
        .await;
    assert_eq!(verify(&app, &static_jwt).await.status, 200);
    verify(&app, &tokens.access).await.is_try_refresh();
}

/// The issuer is not checked: a session survives a move of the API to another domain.
/// Cases: S32.
#[tokio::test]
async fn a_token_of_another_issuer_is_accepted() {
    let app = App::new().await;
    let forge = Forge::of(&app).await;
    for iss in [
        json!("https://elsewhere.example/auth"),
        json!(null),
        json!(7),
    ] {
        let payload = with(session_claims("alice"), "iss", iss);
        assert_eq!(verify(&app, &forge.token("5", &payload)).await.status, 200);
    }
    let payload = without(session_claims("alice"), &["iss"]);
    assert_eq!(verify(&app, &forge.token("5", &payload)).await.status, 200);
    let tokens = app.login("alice").await;
    let moved = app
        .restarted_with(|builder| builder.api_domain("https://api.example.org"))
        .await;
    let request = Req::get("/verify").access_cookie(&tokens);
    assert_eq!(moved.send(request).await.json()["userId"], "alice");
}
