//! Listing and ending sessions (core specification, 7.5 and 7.6).

use supersession::{Session, SessionHandle, TenantId};

use crate::support::App;

async fn in_tenant(app: &App, user: &str, tenant: &str) -> Session {
    let tenant = TenantId::new(tenant).unwrap();
    app.sessions.create(user).tenant(tenant).await.unwrap()
}

fn sorted(mut handles: Vec<SessionHandle>) -> Vec<SessionHandle> {
    handles.sort();
    handles
}

/// Cases: C119, C125.
#[tokio::test]
async fn revoking_several_sessions_returns_the_existing_ones() {
    let app = App::new().await;
    let mut handles = Vec::new();
    for _ in 0..3 {
        handles.push(in_tenant(&app, "alice", "public").await.handle().clone());
    }
    let asked = [handles[0].clone(), handles[1].clone(), "unknown".into()];
    let ended = app.sessions.revoke_multiple(&asked).await.unwrap();
    assert_eq!(sorted(ended), sorted(handles[..2].to_vec()));
    assert_eq!(
        app.sessions.handles_for_user("alice").await.unwrap(),
        handles[2..]
    );
    assert!(
        app.sessions
            .revoke_multiple(&asked)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(app.sessions.revoke_multiple(&[]).await.unwrap().is_empty());
    assert!(!app.sessions.revoke(&handles[0]).await.unwrap());
    let twice = [handles[2].clone(), handles[2].clone()];
    assert_eq!(
        app.sessions.revoke_multiple(&twice).await.unwrap(),
        twice[..1]
    );
}

/// Cases: C122.
#[tokio::test]
async fn a_users_sessions_end_in_one_tenant_or_in_all() {
    let app = App::new().await;
    let mut handles = Vec::new();
    for tenant in ["public", "t1", "t2"] {
        handles.push(in_tenant(&app, "alice", tenant).await.handle().clone());
        app.advance_secs(1);
    }
    let others = in_tenant(&app, "bob", "t1").await;
    let t1 = TenantId::new("t1").unwrap();
    assert_eq!(
        app.sessions.handles_for_user("alice").await.unwrap(),
        handles
    );
    assert_eq!(
        app.sessions
            .handles_for_user_in_tenant("alice", &t1)
            .await
            .unwrap(),
        handles[1..2]
    );
    let ended = app
        .sessions
        .revoke_all_for_user_in_tenant("alice", &t1)
        .await
        .unwrap();
    assert_eq!(ended, handles[1..2]);
    let ended = app.sessions.revoke_all_for_user("alice").await.unwrap();
    assert_eq!(
        sorted(ended),
        sorted(vec![handles[0].clone(), handles[2].clone()])
    );
    assert!(
        app.sessions
            .information(others.handle())
            .await
            .unwrap()
            .is_some()
    );
}

/// Cases: C124.
#[tokio::test]
async fn an_unknown_user_has_no_sessions() {
    let app = App::new().await;
    let tenant = TenantId::default();
    assert!(
        app.sessions
            .handles_for_user("nobody")
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        app.sessions
            .handles_for_user_in_tenant("nobody", &tenant)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        app.sessions
            .sessions_for_user("nobody")
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        app.sessions
            .revoke_all_for_user("nobody")
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        app.sessions
            .revoke_all_for_user_in_tenant("nobody", &tenant)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        app.sessions
            .revoke_others_for_user("nobody", "unknown")
            .await
            .unwrap()
            .is_empty()
    );
}

/// Cases: C126.
#[tokio::test]
async fn a_list_has_all_live_sessions_of_its_user_and_no_others() {
    let app = App::new().await;
    let (mut alices, mut bobs) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        alices.push(app.sessions.create("alice").await.unwrap().handle().clone());
        bobs.push(app.sessions.create("bob").await.unwrap().handle().clone());
        app.advance_secs(1);
    }
    assert_eq!(
        app.sessions.handles_for_user("alice").await.unwrap(),
        alices
    );
    assert_eq!(app.sessions.handles_for_user("bob").await.unwrap(), bobs);
    let ended = app
        .sessions
        .revoke_others_for_user("alice", &alices[1])
        .await
        .unwrap();
    assert_eq!(
        sorted(ended),
        sorted(vec![
            alices[0].clone(),
            alices[2].clone(),
            alices[3].clone()
        ])
    );
    let left = app.sessions.sessions_for_user("alice").await.unwrap();
    assert_eq!(
        left.iter()
            .map(|session| &session.handle)
            .collect::<Vec<_>>(),
        [&alices[1]]
    );
    assert_eq!(app.sessions.handles_for_user("bob").await.unwrap(), bobs);
}
