//! The shortest way through everything.

use std::time::Duration;

use crate::support::{App, Req};

#[tokio::test]
async fn a_session_is_created_verified_refreshed_and_ended() {
    let app = App::new().await;
    let first = app.login("alice").await;
    assert_eq!(
        app.send(Req::get("/verify").access_cookie(&first))
            .await
            .json()["userId"],
        "alice"
    );

    app.advance_secs(3_600);
    app.send(Req::get("/verify").access_cookie(&first))
        .await
        .is_try_refresh();

    let answer = app.send(Req::refresh().refresh_cookie(&first)).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "{}"));
    let second = answer.tokens();
    assert_eq!(
        app.send(Req::get("/verify").access_cookie(&second))
            .await
            .status,
        200
    );

    let answer = app.send(Req::signout().access_cookie(&second)).await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (200, r#"{"status":"OK"}"#)
    );
    assert!(answer.clears_cookies());
    app.send(Req::get("/verify-db").access_cookie(&second))
        .await
        .is_unauthorised();
}

/// With a validity of one second and jitter, rounding must not make tokens that are dead at birth.
#[tokio::test]
async fn the_shortest_tokens_are_valid_for_a_second() {
    let configure = |builder: supersession::SessionsBuilder| {
        builder
            .access_token_validity(Duration::from_secs(1))
            .access_token_validity_jitter(0.25)
    };
    let app = App::with(configure).await;
    for _ in 0..20 {
        let tokens = app.login("alice").await;
        assert_eq!(
            app.send(Req::get("/verify").access_cookie(&tokens))
                .await
                .status,
            200
        );
    }
}
