//! Refreshing under ROTATION rules, with the same-successor rule (core specification, 3.1, 3.3 and
//! 3.5).

use std::time::Duration;

use serde_json::json;
use supersession::store::{KeyKind, Lineage, PreviousRefresh};
use supersession::{AntiCsrfInput, RefreshToken, ReuseClass, SessionError};
use supersession_testkit::Verb;

use super::foreign::{h1, master_key, seal_refresh_token};
use super::{hash2, record, segment, set_lineage};
use crate::support::{App, Req, START, Tokens};

pub(super) async fn refresh(app: &App, tokens: &Tokens) -> Tokens {
    let answer = app.send(Req::refresh().refresh_cookie(tokens)).await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (200, "{}"),
        "{answer:?}"
    );
    answer.tokens()
}

/// Refreshes without a request, for the class that a client does not get to see.
async fn reuse_class(app: &App, token: &str) -> Result<ReuseClass, SessionError> {
    let token = RefreshToken::new(token);
    match app
        .sessions
        .refresh_session(&token, AntiCsrfInput::Disabled)
        .await
    {
        Err(SessionError::TokenTheftDetected(theft)) => Ok(theft.class),
        Err(other) => Err(other),
        Ok(session) => panic!("refreshed {session:?}"),
    }
}

async fn no_grace() -> App {
    App::with(|builder| builder.refresh_token_rotation_grace_period(Duration::ZERO)).await
}

/// ROTATION writes the rotation at the refresh itself, and the new access token has no parent. Its
/// version is the latest, whatever version the session's tokens had: the row says nothing of it.
///
/// Cases: C54, C58, C64, C71.
#[tokio::test]
async fn a_refresh_moves_the_session_to_the_successor() {
    let app = App::new().await;
    let first = app.login("alice").await;
    app.advance_secs(100);
    let now = START.after(Duration::from_secs(100));
    let second = refresh(&app, &first).await;
    assert_ne!(
        (&second.access, &second.refresh),
        (&first.access, &first.refresh)
    );
    assert_eq!(second.header()["version"], json!("5"));
    let payload = second.payload();
    assert_eq!(payload["sessionHandle"], json!(first.handle));
    assert_eq!(payload["parentRefreshTokenHash1"], json!(null));
    assert_eq!(payload["refreshTokenHash1"], json!(h1(&second.refresh)));
    let row = record(&app, first.handle.as_str()).await.unwrap();
    assert_eq!(
        row.lineage,
        Lineage::new(
            hash2(&second.refresh),
            Some(PreviousRefresh::new(hash2(&first.refresh), now))
        )
    );
    assert_eq!(row.expires_at, now.after(Duration::from_secs(100 * 86_400)));
    assert_eq!(row.created_at, START);
}

/// In LEGACY mode R0 may be used again until R1 is; here it may inside the grace window, and leads
/// to the same R1, so that nobody is orphaned. The store is asked to confirm, and nothing of the
/// session changes.
///
/// Cases: C55, C72.
#[tokio::test]
async fn refreshing_twice_inside_the_grace_window_gives_the_same_successor() {
    let app = App::new().await;
    let first = app.login("alice").await;
    let second = refresh(&app, &first).await;
    let row = record(&app, first.handle.as_str()).await.unwrap();
    for seconds in [0, 1, 29] {
        app.advance_secs(seconds);
        app.store.clear_calls();
        let again = refresh(&app, &first).await;
        assert_eq!(again.refresh, second.refresh);
        assert_eq!(app.store.count(Verb::Rotate), 1);
        assert_eq!(
            record(&app, first.handle.as_str()).await.as_ref(),
            Some(&row)
        );
        let answer = app.send(Req::get("/verify-db").access_cookie(&again)).await;
        assert_eq!(answer.status, 200);
    }
    // The successor is the current token: it stays good long after the window.
    app.advance_secs(86_400);
    refresh(&app, &second).await;
}

/// The reference deletes at theft by its handler; here the engine does. The window of a whole
/// number of seconds includes its end.
///
/// Cases: C56, C57, C74.
#[tokio::test]
async fn an_exchanged_token_is_theft_after_the_grace_period() {
    let app = App::new().await;
    let first = app.login("alice").await;
    let second = refresh(&app, &first).await;
    app.advance_secs(30);
    refresh(&app, &first).await;
    app.advance(Duration::from_millis(1));
    let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
    answer.is_theft();
    assert!(answer.clears_everything(), "{answer:?}");
    assert_eq!(record(&app, first.handle.as_str()).await, None);
    let answer = app.send(Req::refresh().refresh_cookie(&second)).await;
    answer.is_unauthorised();

    let app = no_grace().await;
    let first = app.login("alice").await;
    refresh(&app, &first).await;
    app.advance(Duration::from_millis(10));
    let token = RefreshToken::new(first.refresh.clone());
    let error = app
        .sessions
        .refresh_session(&token, AntiCsrfInput::Disabled)
        .await
        .unwrap_err();
    let SessionError::TokenTheftDetected(theft) = error else {
        panic!("{error}");
    };
    assert_eq!(
        (
            &*theft.handle,
            &*theft.user_id,
            &*theft.recipe_user_id,
            theft.class
        ),
        (
            first.handle.as_str(),
            "alice",
            "alice",
            ReuseClass::RecentPrev
        )
    );
    assert_eq!(theft.class.as_str(), "RECENT_PREV");
    assert_eq!(record(&app, first.handle.as_str()).await, None);
}

/// A core that does not derive successors may have displaced ours while the row was in its hands.
///
/// Cases: C73.
#[tokio::test]
async fn a_sibling_that_was_displaced_ends_the_session() {
    let app = App::new().await;
    let first = app.login("alice").await;
    let second = refresh(&app, &first).await;
    let previous = PreviousRefresh::new(hash2(&first.refresh), START);
    let displaced = Lineage::new(hash2("another"), Some(previous.clone()));
    set_lineage(&app, &first.handle, displaced.clone()).await;
    // Inside the window the exchanged token takes the session back, without moving the window.
    assert_eq!(refresh(&app, &first).await.refresh, second.refresh);
    let row = record(&app, first.handle.as_str()).await.unwrap();
    let expected = Lineage::new(hash2(&second.refresh), Some(previous));
    assert_eq!(row.lineage, expected);

    set_lineage(&app, &first.handle, displaced).await;
    assert_eq!(
        reuse_class(&app, &second.refresh).await.unwrap(),
        ReuseClass::OrphanedBranch
    );
    assert_eq!(ReuseClass::OrphanedBranch.as_str(), "ORPHANED_BRANCH");
    assert_eq!(record(&app, first.handle.as_str()).await, None);
}

/// Cases: C75.
#[tokio::test]
async fn recent_reuse_can_be_reported_as_unauthorised_and_still_ends_the_session() {
    let app = App::with(|builder| {
        builder
            .refresh_token_rotation_grace_period(Duration::ZERO)
            .report_recent_token_reuse_as_theft(false)
    })
    .await;
    let first = app.login("alice").await;
    refresh(&app, &first).await;
    app.advance(Duration::from_millis(1));
    let error = reuse_class(&app, &first.refresh).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "unauthorised: refresh token reuse detected"
    );
    assert_eq!(record(&app, first.handle.as_str()).await, None);

    let first = app.login("alice").await;
    refresh(&app, &first).await;
    app.advance(Duration::from_millis(1));
    let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
    answer.is_unauthorised();
    assert!(answer.clears_everything(), "{answer:?}");
}

/// Cases: C76.
#[tokio::test]
async fn anything_older_is_stale_lineage_however_recent_reuse_is_reported() {
    for theft in [true, false] {
        let app = App::with(|builder| builder.report_recent_token_reuse_as_theft(theft)).await;
        let first = app.login("alice").await;
        let second = refresh(&app, &first).await;
        refresh(&app, &second).await;
        assert_eq!(
            reuse_class(&app, &first.refresh).await.unwrap(),
            ReuseClass::StaleLineage
        );
        assert_eq!(record(&app, first.handle.as_str()).await, None);
    }
    assert_eq!(ReuseClass::StaleLineage.as_str(), "STALE_LINEAGE");
}

/// Cases: C77.
#[tokio::test]
async fn a_child_issued_by_a_legacy_refresh_is_accepted() {
    let app = App::new().await;
    let first = app.login("alice").await;
    let content = json!({
        "sessionHandle": first.handle, "userId": "alice", "parentRefreshTokenHash1": h1(&first.refresh),
    });
    let child = seal_refresh_token(&master_key(&app).await, content, "V2");
    let second = app
        .send(Req::refresh().cookie("sRefreshToken", &child))
        .await
        .tokens();
    let row = record(&app, first.handle.as_str()).await.unwrap();
    assert_eq!(row.lineage.current, hash2(&second.refresh));
    assert_eq!(row.lineage.previous.unwrap().hash, hash2(&child));
}

/// LEGACY mode writes the flag without touching the lineage; here the one write that does so is a
/// repeated refresh inside the grace window under another configuration.
///
/// Cases: C84.
#[tokio::test]
async fn a_change_of_the_kind_of_key_keeps_the_lineage() {
    let app = App::new().await;
    let first = app.login("alice").await;
    let second = refresh(&app, &first).await;
    let before = record(&app, first.handle.as_str()).await.unwrap();
    app.advance_secs(10);
    let app = app
        .restarted_with(|builder| builder.use_dynamic_access_token_signing_key(false))
        .await;
    let again = refresh(&app, &first).await;
    assert_eq!(again.refresh, second.refresh);
    let after = record(&app, first.handle.as_str()).await.unwrap();
    assert_eq!(after.key_kind, KeyKind::Static);
    assert_eq!(
        (after.lineage, after.expires_at),
        (before.lineage, before.expires_at)
    );
}

/// The reference orphans one of the two answers; here both carry the same successor, and both go
/// on.
///
/// Cases: C85.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_refreshes_of_one_token_all_get_the_same_successor() {
    let app = App::new().await;
    let other = app.restarted_with(|builder| builder).await;
    let first = app.login("alice").await;
    let tasks: Vec<_> = (0..24)
        .map(|at| {
            let (app, first) = (
                if at % 2 == 0 {
                    app.clone()
                } else {
                    other.clone()
                },
                first.clone(),
            );
            tokio::spawn(async move { app.send(Req::refresh().refresh_cookie(&first)).await })
        })
        .collect();
    let mut successors = Vec::new();
    for task in tasks {
        let answer = task.await.unwrap();
        assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
        successors.push(answer.tokens());
    }
    assert!(
        successors
            .iter()
            .all(|tokens| tokens.refresh == successors[0].refresh)
    );
    let row = record(&app, first.handle.as_str()).await.unwrap();
    assert_eq!(row.lineage.current, hash2(&successors[0].refresh));
    for tokens in &successors {
        assert_eq!(
            segment(&tokens.access, 1)["refreshTokenHash1"],
            json!(h1(&tokens.refresh))
        );
        assert_eq!(
            app.send(Req::get("/verify-db").access_cookie(tokens))
                .await
                .status,
            200
        );
    }
    app.advance_secs(3_600);
    refresh(&app, &successors[7]).await;
}
