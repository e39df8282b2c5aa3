//! Older cores, where the first use of a new access token completes the refresh, and newer ones.

use serde_json::json;
use supersession::{AntiCsrfInput, Session, SessionError, Sessions, VerifyOptions};

use crate::real::Real;

async fn refresh(sessions: &Sessions, session: &Session) -> Result<Session, SessionError> {
    let token = session
        .all_session_tokens_dangerously()
        .refresh_token
        .unwrap();
    sessions
        .refresh_session(&token, AntiCsrfInput::Disabled)
        .await
}

async fn verify(
    sessions: &Sessions,
    session: &Session,
    strict: bool,
) -> Result<Session, SessionError> {
    let options = VerifyOptions::new().check_database(strict);
    let verified = sessions
        .verify_access_token(&session.access_token(), None, &options)
        .await;
    verified.map(Option::unwrap)
}

fn has_parent(session: &Session) -> bool {
    let parent = session
        .access_token_payload()
        .get("parentRefreshTokenHash1");
    !parent.unwrap().is_null()
}

fn is_updated(session: &Session) -> bool {
    session
        .all_session_tokens_dangerously()
        .access_and_front_token_updated
}

#[tokio::test]
async fn the_first_use_completes_the_refresh_at_an_older_core() {
    let folder = tempfile::tempdir().unwrap();
    let core = Real::start(&folder.path().join("core.db")).await;
    let config = json!({ "supertokens_max_cdi_version": "5.4" });
    let sessions = core.app("older", config).await;
    let first = sessions.create("alice").await.unwrap();
    let second = refresh(&sessions, &first).await.unwrap();
    assert!(has_parent(&second));
    // The new token was not used, so a lost response has no effect.
    let retried = refresh(&sessions, &first).await.unwrap();

    let used = verify(&sessions, &retried, false).await.unwrap();
    assert!(is_updated(&used) && !has_parent(&used));
    let again = verify(&sessions, &used, false).await.unwrap();
    assert!(!is_updated(&again));

    let stolen = refresh(&sessions, &first).await.unwrap_err();
    assert!(
        matches!(stolen, SessionError::TokenTheftDetected(_)),
        "{stolen:?}"
    );
    // Such a core leaves the revocation to its clients.
    assert!(
        sessions
            .information(first.handle())
            .await
            .unwrap()
            .is_none()
    );
    let gone = verify(&sessions, &used, true).await.unwrap_err();
    assert!(matches!(gone, SessionError::Unauthorised(_)), "{gone:?}");
    core.stop().await;
}

#[tokio::test]
async fn a_newer_core_needs_no_confirmation_and_revokes_stolen_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let core = Real::start(&folder.path().join("core.db")).await;
    let config = json!({ "refresh_token_rotation_grace_period": "0" });
    let sessions = core.app("newer", config).await;
    let first = sessions.create("alice").await.unwrap();
    let second = refresh(&sessions, &first).await.unwrap();
    assert!(!has_parent(&second));
    let third = refresh(&sessions, &second).await.unwrap();
    // Its refresh token was rotated, and so was the successor.
    let rotated_out = verify(&sessions, &first, true).await.unwrap_err();
    assert!(matches!(&rotated_out, SessionError::Unauthorised(_)) && !rotated_out.clears_tokens());
    let stolen = refresh(&sessions, &first).await.unwrap_err();
    assert!(
        matches!(stolen, SessionError::TokenTheftDetected(_)),
        "{stolen:?}"
    );
    let gone = verify(&sessions, &third, true).await.unwrap_err();
    assert!(gone.clears_tokens(), "{gone:?}");
    core.stop().await;
}

#[tokio::test]
async fn a_changed_payload_reaches_the_client_where_the_database_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let core = Real::start(&folder.path().join("core.db")).await;
    for (app, config) in [
        ("older", json!({ "supertokens_max_cdi_version": "5.4" })),
        ("newer", json!({})),
    ] {
        let sessions = core.app(app, config).await;
        let session = sessions
            .create("alice")
            .payload(json!({"plan": "free"}))
            .await
            .unwrap();
        let patch = json!({"plan": "pro"});
        sessions
            .merge_into_access_token_payload(session.handle(), patch)
            .await
            .unwrap();
        let lax = verify(&sessions, &session, false).await.unwrap();
        assert!(!is_updated(&lax), "{app}");
        let strict = verify(&sessions, &session, true).await.unwrap();
        assert!(is_updated(&strict), "{app}");
        assert_eq!(
            strict.access_token_payload().get("plan"),
            Some(json!("pro")),
            "{app}"
        );
        assert!(
            !is_updated(&verify(&sessions, &strict, true).await.unwrap()),
            "{app}"
        );
    }
    core.stop().await;
}
