//! Promise 9: secrets do not leak.

use serde_json::json;
use supersession::store::SessionKey;
use supersession::{AccessToken, AntiCsrf, AppId, Hooks, RefreshToken, Store as _};

use crate::support::{App, Req, capture};

#[test]
fn the_search_for_tokens_finds_tokens() {
    let nonce = "a".repeat(64);
    let sealed = "B".repeat(60);
    for leak in [
        "token=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1In0.c2ln".to_owned(),
        format!("refresh \"{sealed}==.{nonce}.V2\""),
    ] {
        assert!(capture::token_in(&leak).is_some(), "{leak}");
    }
    for harmless in [
        "handle=0b8a-11_t1 user_id=alice",
        "supersession.session.created",
        "d-1767225600000",
    ] {
        assert!(capture::token_in(harmless).is_none(), "{harmless}");
    }
}

/// Goes through everything that touches a token, with good, stale, stolen and garbage ones, and
/// looks for the bytes of each token in what was logged. All other tests of this binary log to the
/// same place, and abort at the first token that an answer gave them, or token-shaped word.
#[tokio::test]
async fn no_token_is_ever_logged() {
    let hooks = Hooks::new().on_theft(|theft| async move { tracing::warn!(?theft, "stolen") });
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken).hooks(hooks)).await;
    let mut issued = Vec::new();
    for mode in ["cookie", "header"] {
        let first = app.login_as("alice", mode).await;
        let refresh = |token: &str, csrf: &str| {
            let request = Req::refresh().header("anti-csrf", csrf);
            if mode == "cookie" {
                request.cookie("sRefreshToken", token)
            } else {
                request.bearer(token)
            }
        };
        let csrf = first.anti_csrf.clone().unwrap_or_default();
        let merged = app
            .send(match mode {
                "cookie" => Req::post("/merge")
                    .access_cookie(&first)
                    .header("anti-csrf", &csrf)
                    .json(&json!({"a": 1})),
                _ => Req::post("/merge")
                    .bearer(&first.access)
                    .json(&json!({"a": 1})),
            })
            .await
            .tokens();
        let second = app.send(refresh(&first.refresh, &csrf)).await.tokens();
        app.send(refresh("garbage.token.V2", &csrf))
            .await
            .is_unauthorised();
        app.advance_secs(31);
        app.send(refresh(&first.refresh, &csrf)).await.is_theft();
        app.send(Req::get("/verify-db").bearer(&second.access))
            .await;
        app.send(Req::get("/verify").bearer(&format!("{}x", second.access)))
            .await;
        issued.extend([first, merged, second]);
    }
    let logged = capture::captured();
    assert!(
        logged.contains("supersession.session.created")
            && logged.contains("supersession.session.stolen")
    );
    assert!(capture::issued_count() >= issued.len() * 2);
    for tokens in &issued {
        let anti_csrf = tokens.anti_csrf.clone().unwrap_or_default();
        for secret in [&tokens.access, &tokens.refresh, &anti_csrf]
            .into_iter()
            .filter(|secret| !secret.is_empty())
        {
            let tail = &secret[secret.len().saturating_sub(24)..];
            assert!(
                !logged.contains(secret.as_str())
                    && (tail.ends_with("V2") || !logged.contains(tail))
            );
        }
    }
}

#[tokio::test]
async fn no_token_is_in_the_store_an_error_or_a_debug_output() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let key = SessionKey::new(&AppId::default(), tokens.handle.as_str().into());
    let record = app
        .store
        .session(&key, crate::support::START)
        .await
        .unwrap()
        .unwrap();
    let stored = format!(
        "{record:?} {} {}",
        record.lineage.current.as_str(),
        record.payload
    );
    let session = app
        .sessions
        .verify_access_token(
            &AccessToken::new(&*tokens.access),
            None,
            &supersession::VerifyOptions::new(),
        )
        .await
        .unwrap()
        .unwrap();
    let error = app
        .sessions
        .refresh_session(
            &RefreshToken::new(format!("{}x", tokens.refresh)),
            supersession::AntiCsrfInput::Disabled,
        )
        .await
        .unwrap_err();
    let shown = format!(
        "{stored} {session:?} {:?} {error} {error:?} {:?}",
        session.all_session_tokens_dangerously(),
        app.sessions
    );
    for secret in [&tokens.access, &tokens.refresh] {
        assert!(!shown.contains(secret.as_str()));
        let signature = secret
            .split('.')
            .nth(if secret.starts_with("eyJ") { 2 } else { 0 })
            .unwrap();
        assert!(!shown.contains(signature));
    }
    assert!(capture::token_in(&shown).is_none(), "{shown}");
}
