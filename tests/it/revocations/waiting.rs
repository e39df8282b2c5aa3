//! Waiting for the end of a session.

use std::time::Duration;

use supersession::store::StoreErrorKind;
use supersession::{AccessToken, AntiCsrfInput, Session, SessionEnd, SessionError, VerifyOptions};
use supersession_testkit::{PlannedFault, Verb};

use super::{NEVER, Nodes, in_time, until};
use crate::support::{App, Req};

const POLL: Duration = Duration::from_millis(1);

#[tokio::test]
async fn waiters_learn_of_every_kind_of_revocation_at_once() {
    let nodes = Nodes::without_feed().await;
    let sessions = nodes
        .start(|builder| builder.revocation_poll_interval(NEVER))
        .await;
    let [own, by_handle, by_user, kept] = [
        sessions.create("alice").await.unwrap(),
        sessions.create("alice").await.unwrap(),
        sessions.create("alice").await.unwrap(),
        sessions.create("alice").await.unwrap(),
    ];
    let ends = [&own, &by_handle, &by_user, &kept].map(Session::ended);
    own.revoke().await.unwrap();
    sessions.revoke(by_handle.handle()).await.unwrap();
    sessions
        .revoke_others_for_user("alice", kept.handle())
        .await
        .unwrap();
    sessions.revoke_all_for_user("alice").await.unwrap();
    for end in ends {
        assert_eq!(in_time(end).await, SessionEnd::Revoked);
    }
}

#[tokio::test]
async fn waiters_learn_of_a_theft_and_of_a_sign_out_at_once() {
    let app = App::with(|builder| {
        builder
            .revocation_poll_interval(NEVER)
            .refresh_token_rotation_grace_period(Duration::ZERO)
    })
    .await;
    let session = app.sessions.create("alice").await.unwrap();
    let ended = session.ended();
    let stolen = session.all_session_tokens_dangerously().refresh_token;
    let refresh = || {
        let token = stolen.clone().unwrap();
        let sessions = app.sessions.clone();
        async move {
            sessions
                .refresh_session(&token, AntiCsrfInput::Token(None))
                .await
        }
    };
    refresh().await.unwrap();
    app.advance_secs(1);
    assert!(matches!(
        refresh().await,
        Err(SessionError::TokenTheftDetected(_))
    ));
    assert_eq!(in_time(ended).await, SessionEnd::Revoked);

    let tokens = app.login("bob").await;
    let handles = app.sessions.handles_for_user("bob").await.unwrap();
    let session = app
        .sessions
        .verify_access_token(
            &AccessToken::new(&tokens.access),
            None,
            &VerifyOptions::new(),
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!([session.handle().clone()], *handles);
    let ended = session.ended();
    let answer = app.send(Req::signout().access_cookie(&tokens)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(in_time(ended).await, SessionEnd::Revoked);
}

#[tokio::test]
async fn a_waiter_learns_of_a_session_that_ended_before_it_subscribed() {
    let nodes = Nodes::without_feed().await;
    let here = nodes
        .start(|builder| builder.revocation_poll_interval(NEVER))
        .await;
    let there = nodes.start(|builder| builder).await;
    let session = here.create("alice").await.unwrap();
    there.revoke(session.handle()).await.unwrap();
    assert_eq!(in_time(session.ended()).await, SessionEnd::Revoked);

    let session = here.create("alice").await.unwrap();
    nodes.clock.advance(Duration::from_secs(101 * 86_400));
    assert_eq!(in_time(session.ended()).await, SessionEnd::Expired);
}

#[tokio::test]
async fn without_a_feed_a_revocation_on_another_node_is_found_by_polling() {
    let nodes = Nodes::without_feed().await;
    let here = nodes
        .start(|builder| builder.revocation_poll_interval(POLL))
        .await;
    let there = nodes.start(|builder| builder).await;
    let session = here.create("alice").await.unwrap();
    let ended = tokio::spawn(session.ended());
    until("the store was asked", || {
        nodes.store.count(Verb::Session) > 0
    })
    .await;
    there.revoke(session.handle()).await.unwrap();
    assert_eq!(in_time(ended).await.unwrap(), SessionEnd::Revoked);
}

#[tokio::test]
async fn a_session_expires_at_its_newest_expiry() {
    let nodes = Nodes::without_feed().await;
    let here = nodes
        .start(|builder| builder.revocation_poll_interval(POLL))
        .await;
    let session = here.create("alice").await.unwrap();
    let refresh_token = session.all_session_tokens_dangerously().refresh_token;
    let ended = tokio::spawn(session.ended());
    nodes.clock.advance(Duration::from_secs(60 * 86_400));
    here.refresh_session(&refresh_token.unwrap(), AntiCsrfInput::Token(None))
        .await
        .unwrap();
    // Past the first expiry, before the second.
    nodes.clock.advance(Duration::from_secs(60 * 86_400));
    let asked = nodes.store.count(Verb::Session);
    until("the store was asked again", || {
        nodes.store.count(Verb::Session) > asked + 1
    })
    .await;
    assert!(!ended.is_finished());
    nodes.clock.advance(Duration::from_secs(60 * 86_400));
    assert_eq!(in_time(ended).await.unwrap(), SessionEnd::Expired);
}

#[tokio::test]
async fn a_failing_store_ends_no_session() {
    let nodes = Nodes::without_feed().await;
    let here = nodes
        .start(|builder| builder.revocation_poll_interval(POLL))
        .await;
    let session = here.create("alice").await.unwrap();
    let outage = PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::Session);
    nodes.store.plan(outage.times(20));
    let ended = tokio::spawn(session.ended());
    until("the trouble is over", || {
        nodes.store.count(Verb::Session) > 22
    })
    .await;
    assert!(!ended.is_finished());
    here.revoke(session.handle()).await.unwrap();
    assert_eq!(in_time(ended).await.unwrap(), SessionEnd::Revoked);
}

#[tokio::test]
async fn sessions_without_waiters_are_not_polled() {
    let nodes = Nodes::without_feed().await;
    let here = nodes
        .start(|builder| builder.revocation_poll_interval(POLL))
        .await;
    let first = here.create("alice").await.unwrap();
    let waiting = tokio::spawn(first.ended());
    until("the store was asked", || {
        nodes.store.count(Verb::Session) > 1
    })
    .await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    // Another one, which ends by itself: the rounds go on, and then stop.
    let second = here.create("alice").await.unwrap();
    let waiting = tokio::spawn(second.ended());
    here.revoke(second.handle()).await.unwrap();
    in_time(waiting).await.unwrap();
    // And start again.
    let third = here.create("alice").await.unwrap();
    let waiting = tokio::spawn(third.ended());
    nodes.clock.advance(Duration::from_secs(101 * 86_400));
    assert_eq!(in_time(waiting).await.unwrap(), SessionEnd::Expired);
}
