//! The shortest way through everything.

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
