//! The format of refresh tokens (core specification, 1.5).

use serde_json::json;
use supersession::store::InsertOutcome;
use supersession::{
    AntiCsrf, AntiCsrfInput, AppId, RefreshToken, SessionError, Sessions, Store as _,
};

use super::foreign::{h1, master_key, open_refresh_token, seal_refresh_token};
use super::{record, tokens_of};
use crate::support::{App, Req, default_config};

/// Read with the stored key by an implementation of the format that shares no code with the
/// library.
///
/// Cases: C21, C22.
#[tokio::test]
async fn a_refresh_token_has_three_parts_with_the_specified_members() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let key = master_key(&app).await;
    let first = app.login("alice").await;
    let refresh = Req::refresh()
        .refresh_cookie(&first)
        .header("anti-csrf", first.anti_csrf.as_deref().unwrap());
    let second = app.send(refresh).await.tokens();
    for (tokens, parent) in [(&first, None), (&second, Some(h1(&first.refresh)))] {
        let parts: Vec<_> = tokens.refresh.split('.').collect();
        assert_eq!((parts.len(), parts[2]), (3, "V2"));
        assert_eq!(parts[1].len(), 64);
        assert!(
            parts[1]
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        );
        let mut expected = json!({
            "sessionHandle": first.handle, "userId": "alice", "nonce": parts[1], "antiCsrfToken": tokens.anti_csrf,
        });
        if let Some(parent) = parent {
            expected["parentRefreshTokenHash1"] = json!(parent);
        }
        assert_eq!(open_refresh_token(&key, &tokens.refresh), Some(expected));
        assert_eq!(
            open_refresh_token(&format!("{key}0"), &tokens.refresh),
            None
        );
    }
}

/// Cases: C23.
#[tokio::test]
async fn refresh_tokens_survive_a_restart() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let app = app.restarted_with(|builder| builder).await;
    let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
}

/// The row is moved to a database whose app has another master key.
///
/// Cases: C24.
#[tokio::test]
async fn without_the_master_key_no_refresh_token_can_be_read() {
    let (ours, theirs) = (App::new().await, App::new().await);
    let tokens = ours.login("alice").await;
    let row = record(&ours, tokens.handle.as_str()).await.unwrap();
    assert_eq!(
        theirs.store.inner().insert_session(&row).await.unwrap(),
        InsertOutcome::Inserted
    );
    let answer = theirs.send(Req::refresh().refresh_cookie(&tokens)).await;
    answer.is_unauthorised();
    assert!(answer.clears_everything(), "{answer:?}");
    assert_eq!(record(&theirs, tokens.handle.as_str()).await, Some(row));
}

/// Cases: C25, C26, C59.
#[tokio::test]
async fn refresh_tokens_that_are_altered_or_of_another_type_are_unauthorised() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let parts: Vec<_> = tokens.refresh.split('.').collect();
    let (body, nonce) = (parts[0], parts[1]);
    let flipped = if body.starts_with('A') { "B" } else { "A" };
    let key = master_key(&app).await;
    let no_handle = seal_refresh_token(&key, json!({"userId": "alice"}), "V2");
    let no_user = seal_refresh_token(&key, json!({"sessionHandle": tokens.handle}), "V2");
    for bad in [
        "random text".to_owned(),
        "..".to_owned(),
        "..V2".to_owned(),
        format!("{body}.{nonce}.V0"),
        format!("{body}.{nonce}.V9"),
        format!("{body}.{nonce}."),
        format!("{body}.{nonce}"),
        format!("{body}.{nonce}.V2.V2"),
        "0b8a7c1e-5b60-4b8e-9c3e-3a9d2f6f0c11.V0".to_owned(),
        format!("{body}.{}.V2", "0".repeat(64)),
        format!("{body}.{}.V2", nonce.to_uppercase()),
        format!("{flipped}{}.{nonce}.V2", &body[1..]),
        format!("{}.{nonce}.V2", &body[..16]),
        no_handle,
        no_user,
    ] {
        let answer = app.send(Req::refresh().cookie("sRefreshToken", &bad)).await;
        answer.is_unauthorised();
        assert!(answer.clears_everything(), "{bad}: {answer:?}");
        let by_hand = app
            .sessions
            .refresh_session(&RefreshToken::new(bad.clone()), AntiCsrfInput::Token(None))
            .await;
        assert!(
            matches!(by_hand, Err(SessionError::Unauthorised(_))),
            "{bad}"
        );
    }
    assert!(record(&app, tokens.handle.as_str()).await.is_some());

    // The type is a label that is not sealed; a V1 in any case is read like a V2, and the session
    // knows it by its whole text.
    let content = json!({"sessionHandle": tokens.handle, "userId": "alice"});
    for kind in ["V1", "v1", "v2"] {
        let token = seal_refresh_token(&key, content.clone(), kind);
        let lineage = supersession::store::Lineage::new(super::hash2(&token), None);
        super::set_lineage(&app, &tokens.handle, lineage).await;
        let answer = app
            .send(Req::refresh().cookie("sRefreshToken", &token))
            .await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "{}"), "{kind}");
    }
}

/// Cases: C27, C40.
#[tokio::test]
async fn tokens_of_one_app_are_rejected_by_another_app_of_the_store() {
    let app = App::new().await;
    app.advance_secs(1);
    let other = default_config(Sessions::builder(app.store.clone()))
        .clock(app.clock.clone())
        .app_id(AppId::new("a1").unwrap())
        .build()
        .await
        .unwrap();
    let session = other.create("alice").await.unwrap();
    let tokens = tokens_of(&session.all_session_tokens_dangerously());
    let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
    answer.is_unauthorised();
    app.send(Req::get("/verify").access_cookie(&tokens))
        .await
        .is_try_refresh();
    assert_eq!(
        app.sessions.information(session.handle()).await.unwrap(),
        None
    );
    assert!(!app.sessions.revoke(session.handle()).await.unwrap());
    assert!(other.information(session.handle()).await.unwrap().is_some());
}
