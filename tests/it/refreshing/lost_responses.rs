//! Clients that never received the response to a refresh.

use std::time::Duration;

use supersession::store::{Rotation, SessionKey};
use supersession::{AppId, Clock as _, RefreshHash2, RefreshToken, Store as _};

use crate::support::{Answer, App, Req, Tokens};

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);

async fn app() -> (App, Tokens) {
    let app = App::with(|builder| builder.lost_response_window(HOUR)).await;
    let tokens = app.login("alice").await;
    (app, tokens)
}

async fn refresh(app: &App, tokens: &Tokens) -> Answer {
    app.send(Req::refresh().refresh_cookie(tokens)).await
}

#[tokio::test]
async fn a_token_yields_its_successor_again_until_the_window_ends() {
    let (app, old) = app().await;
    let lost = refresh(&app, &old).await.tokens();
    for _ in 0..4 {
        app.advance(15 * MINUTE);
        assert_eq!(refresh(&app, &old).await.tokens().refresh, lost.refresh);
    }
    app.advance(Duration::from_millis(1));
    refresh(&app, &old).await.is_theft();
}

#[tokio::test]
async fn a_token_is_stolen_once_its_successor_was_exchanged() {
    let (app, old) = app().await;
    let next = refresh(&app, &old).await.tokens();
    app.advance(MINUTE);
    refresh(&app, &next).await.tokens();
    app.advance(MINUTE);
    refresh(&app, &old).await.is_theft();
    assert!(
        app.sessions
            .handles_for_user("alice")
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn each_lost_response_opens_its_own_window() {
    let (app, mut tokens) = app().await;
    for _ in 0..3 {
        let lost = refresh(&app, &tokens).await.tokens();
        app.advance(50 * MINUTE);
        tokens = refresh(&app, &tokens).await.tokens();
        assert_eq!(tokens.refresh, lost.refresh);
    }
}

#[tokio::test]
async fn without_the_setting_only_the_grace_period_counts() {
    let app = App::new().await;
    let old = app.login("alice").await;
    refresh(&app, &old).await.tokens();
    app.advance(Duration::from_secs(31));
    refresh(&app, &old).await.is_theft();
}

/// The current token of a session that another engine has rotated is not derived from the previous
/// one, so nothing shows that its client did not receive it.
#[tokio::test]
async fn a_successor_of_another_engine_is_not_replaced_after_the_grace_period() {
    let (app, old) = app().await;
    refresh(&app, &old).await.tokens();
    let key = SessionKey::new(&AppId::default(), old.handle.as_str().into());
    let now = app.clock.now();
    let record = app.store.session(&key, now).await.unwrap().unwrap();
    let mut next = record.lineage.clone();
    next.current = RefreshHash2::of(&RefreshToken::new("minted elsewhere"));
    let rotation = Rotation::new(next, record.expires_at, record.key_kind);
    app.store
        .rotate(&key, &record.lineage, &record.payload, &rotation, now)
        .await
        .unwrap();
    app.advance(MINUTE);
    refresh(&app, &old).await.is_theft();
}
