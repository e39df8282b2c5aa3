//! Functions on sessions by handle and by user, and JWTs (session specification, section 8).

use std::time::Duration;

use serde_json::{Value, json};
use supersession::{Session, SessionError, SessionHandle, TenantId, UnixMillis};
use supersession_testkit::Verb;

use super::assert_gone;
use crate::support::{App, START, Tokens};

async fn create(app: &App, user: &str) -> Session {
    let session = app.sessions.create(user).await.unwrap();
    app.advance(Duration::from_millis(1));
    session
}

/// Only the call that ended the session says so.
///
/// Cases: S155, S156.
#[tokio::test]
async fn revoking_returns_the_existing_handles() {
    let app = App::new().await;
    let (one, two) = (create(&app, "alice").await, create(&app, "alice").await);
    assert!(app.sessions.revoke(one.handle()).await.unwrap());
    assert!(!app.sessions.revoke(one.handle()).await.unwrap());
    let both = [one.handle().clone(), two.handle().clone()];
    let revoked = app.sessions.revoke_multiple(&both).await.unwrap();
    assert_eq!(revoked, [two.handle().clone()]);
    assert!(
        app.sessions
            .revoke_multiple(&both)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(app.sessions.revoke_multiple(&[]).await.unwrap().is_empty());
    assert!(!app.sessions.revoke("no-such-handle").await.unwrap());
}

/// All of a user's sessions are listed, oldest first, and end together; nobody else's do.
///
/// Cases: S157.
#[tokio::test]
async fn revoking_all_of_a_user_ends_them_and_returns_their_handles() {
    let app = App::new().await;
    let mut handles = Vec::new();
    for _ in 0..3 {
        handles.push(create(&app, "alice").await.handle().clone());
    }
    let other = create(&app, "bob").await;
    let sessions = &app.sessions;
    assert_eq!(sessions.handles_for_user("alice").await.unwrap(), handles);
    let mut revoked = sessions.revoke_all_for_user("alice").await.unwrap();
    revoked.sort();
    handles.sort();
    assert_eq!(revoked, handles);
    assert!(sessions.handles_for_user("alice").await.unwrap().is_empty());
    assert!(
        sessions
            .revoke_all_for_user("alice")
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        sessions.handles_for_user("bob").await.unwrap(),
        [other.handle().clone()]
    );
}

/// Expired sessions are neither listed nor returned.
#[tokio::test]
async fn expired_sessions_are_not_listed() {
    let app = App::new().await;
    let old = create(&app, "alice").await;
    app.advance_secs(99 * 24 * 3_600);
    let young = create(&app, "alice").await;
    app.advance_secs(24 * 3_600);
    let handles = [young.handle().clone()];
    assert_eq!(
        app.sessions.handles_for_user("alice").await.unwrap(),
        handles
    );
    let informations = app.sessions.sessions_for_user("alice").await.unwrap();
    assert_eq!(informations.len(), 1);
    assert_eq!(informations[0].handle, handles[0]);
    assert!(
        app.sessions
            .information(old.handle())
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        app.sessions.revoke_all_for_user("alice").await.unwrap(),
        handles
    );
}

/// Tenants narrow lists and revocations; a user's other sessions can be ended around the one in
/// hand.
#[tokio::test]
async fn lists_and_revocations_can_be_narrowed() {
    let app = App::new().await;
    let tenant = TenantId::new("t1").unwrap();
    let sessions = &app.sessions;
    let there = sessions
        .create("alice")
        .tenant(tenant.clone())
        .await
        .unwrap();
    assert!(there.handle().as_str().ends_with("_t1"));
    let (here, keep) = (create(&app, "alice").await, create(&app, "alice").await);
    assert_eq!(sessions.handles_for_user("alice").await.unwrap().len(), 3);
    assert_eq!(
        sessions
            .handles_for_user_in_tenant("alice", &tenant)
            .await
            .unwrap(),
        [there.handle().clone()]
    );
    assert_eq!(
        sessions
            .revoke_all_for_user_in_tenant("alice", &tenant)
            .await
            .unwrap(),
        [there.handle().clone()]
    );
    assert_eq!(
        sessions
            .revoke_others_for_user("alice", keep.handle())
            .await
            .unwrap(),
        [here.handle().clone()]
    );
    assert_eq!(
        sessions.handles_for_user("alice").await.unwrap(),
        [keep.handle().clone()]
    );
}

/// A user that nobody knows has no sessions.
///
/// Cases: S158.
#[tokio::test]
async fn an_unknown_user_has_an_empty_list() {
    let app = App::new().await;
    create(&app, "alice").await;
    for user in ["nobody", "", "Alice"] {
        assert!(
            app.sessions
                .handles_for_user(user)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(
            app.sessions
                .revoke_all_for_user(user)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(
            app.sessions
                .sessions_for_user(user)
                .await
                .unwrap()
                .is_empty()
        );
    }
    assert_eq!(
        app.sessions.handles_for_user("alice").await.unwrap().len(),
        1
    );
}

/// What is gone is `None`, whatever made it go.
///
/// Cases: S163.
#[tokio::test]
async fn a_deleted_session_has_no_information() {
    let app = App::new().await;
    let session = create(&app, "alice").await;
    let sessions = &app.sessions;
    assert!(
        sessions
            .information(session.handle())
            .await
            .unwrap()
            .is_some()
    );
    sessions.revoke(session.handle()).await.unwrap();
    assert!(
        sessions
            .information(session.handle())
            .await
            .unwrap()
            .is_none()
    );
    for unknown in ["", "no-such-handle", "no-such-handle_t1"] {
        assert!(sessions.information(unknown).await.unwrap().is_none());
    }
}

/// All that is known of a session; of the payload only the application's part, without what the
/// token itself says.
///
/// Cases: S164.
#[tokio::test]
async fn information_has_everything_but_the_tokens_own_claims() {
    let app = App::new().await;
    app.advance(Duration::from_millis(77));
    let session = app
        .sessions
        .create("alice")
        .payload(json!({"plan": "pro", "sub": "mallory", "nothing": null}))
        .data(json!({"cart": [1, 2]}))
        .tenant(TenantId::new("t1").unwrap())
        .await
        .unwrap();
    let by_handle = app.sessions.information(session.handle()).await.unwrap();
    let information = by_handle.unwrap();
    let created = START.after(Duration::from_millis(77));
    assert_eq!(information.handle, *session.handle());
    assert_eq!(information.user_id, "alice");
    assert_eq!(information.recipe_user_id, "alice");
    assert_eq!(information.tenant_id, "t1");
    assert_eq!(information.session_data.as_str(), r#"{"cart":[1,2]}"#);
    assert_eq!(
        json(information.access_token_payload.as_str()),
        json!({"plan": "pro", "nothing": null, "iss": "https://api.example.com/auth"})
    );
    assert_eq!(information.created_at, created);
    let expiry: UnixMillis = created.after(Duration::from_secs(100 * 24 * 3_600));
    assert_eq!(information.expires_at, expiry);
    assert_eq!(session.information().await.unwrap(), information);
    assert_eq!(session.created_at().await.unwrap(), created);
    assert_eq!(session.expires_at().await.unwrap(), expiry);
}

fn json(text: &str) -> Value {
    text.parse().unwrap()
}

/// A handle whose session is gone fails with 401 at every verb, and re-creates nothing.
///
/// Cases: S162.
#[tokio::test]
async fn a_handle_of_a_deleted_session_is_unauthorised() {
    let app = App::new().await;
    let revoked = create(&app, "alice").await;
    app.sessions.revoke(revoked.handle()).await.unwrap();
    let expired = create(&app, "bob").await;
    app.advance_secs(100 * 24 * 3_600);
    for session in [revoked, expired] {
        let patch = json!({"a": 1});
        assert_gone(session.session_data::<Value>().await);
        assert_gone(session.update_session_data(&patch).await);
        assert_gone(session.merge_session_data(&patch).await);
        assert_gone(session.modify_session_data(|_: &mut Value| ()).await);
        assert_gone(session.merge_into_access_token_payload(&patch).await);
        assert_gone(session.expires_at().await);
        assert_gone(session.created_at().await);
        assert_gone(session.information().await);
        assert!(
            app.sessions
                .information(session.handle())
                .await
                .unwrap()
                .is_none()
        );
        // Ending what has ended is no error.
        session.revoke().await.unwrap();
    }
}

/// Adapted: an application intercepts by wrapping the store, and sees what a handle does as it sees
/// the functions by handle.
///
/// Cases: S169.
#[tokio::test]
async fn verbs_of_a_session_and_functions_by_handle_have_the_same_effects() {
    let app = App::new().await;
    let handle_of = |session: &Session| session.handle().clone();
    let (one, two) = (create(&app, "alice").await, create(&app, "alice").await);
    let second: SessionHandle = handle_of(&two);
    app.store.clear_calls();
    one.information().await.unwrap();
    one.session_data::<Value>().await.unwrap();
    one.update_session_data(&json!({"a": 1})).await.unwrap();
    one.revoke().await.unwrap();
    let by_session = app.store.calls();
    app.store.clear_calls();
    app.sessions.information(&second).await.unwrap().unwrap();
    app.sessions
        .session_data::<Value>(&second)
        .await
        .unwrap()
        .unwrap();
    app.sessions
        .update_session_data(&second, &json!({"a": 1}))
        .await
        .unwrap();
    app.sessions.revoke(&second).await.unwrap();
    assert_eq!(app.store.calls(), by_session);
    assert_eq!(
        by_session,
        [
            Verb::Session,
            Verb::Session,
            Verb::WriteDocument,
            Verb::DeleteSessions
        ]
    );
}

/// Adapted: there is no default validity, so that nobody signs for a hundred years without saying
/// it.
///
/// Cases: S172.
#[tokio::test]
async fn a_jwt_is_valid_for_the_requested_time() {
    let app = App::new().await;
    let hundred_years = Duration::from_secs(3_153_600_000);
    let jwt = app
        .sessions
        .create_jwt(json!({"purpose": "test"}), hundred_years)
        .await
        .unwrap();
    let jwt = jwt_of(jwt);
    let payload = jwt.payload();
    let now = START.get() / 1_000;
    assert_eq!(
        payload,
        json!({
            "iss": "https://api.example.com/auth",
            "iat": now,
            "exp": now + 3_153_600_000,
            "purpose": "test",
        })
    );
    let header = jwt.header();
    assert_eq!(header["alg"], "RS256");
    assert_eq!(header["typ"], "JWT");
    assert_eq!(header.get("version"), None);
    assert!(header["kid"].as_str().unwrap().starts_with("s-"));

    for too_short in [Duration::ZERO, Duration::from_millis(999)] {
        let result = app.sessions.create_jwt(json!({}), too_short).await;
        assert!(
            matches!(result, Err(SessionError::BadInput(_))),
            "{result:?}"
        );
        let result = app
            .sessions
            .create_jwt_with_dynamic_key(json!({}), too_short)
            .await;
        assert!(
            matches!(result, Err(SessionError::BadInput(_))),
            "{result:?}"
        );
    }
}

/// What the application puts into a JWT wins, and the other key can be asked for.
#[tokio::test]
async fn a_jwts_own_payload_wins() {
    let app = App::new().await;
    let payload = json!({"iss": "me", "iat": 1, "exp": 2, "sub": "alice"});
    let jwt = app
        .sessions
        .create_jwt_with_dynamic_key(&payload, Duration::from_secs(60))
        .await
        .unwrap();
    let jwt = jwt_of(jwt);
    assert_eq!(jwt.payload(), payload);
    assert!(jwt.header()["kid"].as_str().unwrap().starts_with("d-"));
}

fn jwt_of(text: String) -> Tokens {
    Tokens {
        access: text,
        refresh: String::new(),
        anti_csrf: None,
        handle: String::new(),
    }
}
