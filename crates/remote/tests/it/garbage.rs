//! Responses that no core sends: always a fault, never a rejection or a panic.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;
use supersession::{
    AntiCsrfInput, RefreshToken, SessionError, Sessions, SystemClock, VerifyOptions,
};

use crate::fake::{Fake, Mint, Reply, over};

/// Performs every operation that reads a response of a core.
async fn ask_everything(sessions: &Sessions, mint: &Mint) {
    let not_a_verdict = |error: SessionError| match error {
        SessionError::Fault(_) => {}
        verdict => panic!("a verdict from garbage: {verdict:?}"),
    };
    let refreshed = sessions
        .refresh_session(&RefreshToken::new("t"), AntiCsrfInput::Disabled)
        .await;
    not_a_verdict(refreshed.unwrap_err());
    not_a_verdict(sessions.create("alice").await.unwrap_err());
    not_a_verdict(sessions.information("h").await.unwrap_err());
    not_a_verdict(sessions.revoke("h").await.unwrap_err());
    not_a_verdict(sessions.handles_for_user("alice").await.unwrap_err());
    let metadata = sessions
        .user_metadata()
        .get::<serde_json::Value>("alice")
        .await;
    not_a_verdict(metadata.unwrap_err());
    not_a_verdict(
        sessions
            .create_jwt(json!({}), std::time::Duration::from_secs(1))
            .await
            .unwrap_err(),
    );
    not_a_verdict(sessions.jwks().await.unwrap_err());
    let token = mint.session().await.access_token();
    let options = VerifyOptions::new().check_database(true);
    let verified = sessions.verify_access_token(&token, None, &options).await;
    not_a_verdict(verified.unwrap_err());
}

#[tokio::test]
async fn a_malformed_response_is_a_fault() {
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "\u{0}",
        "<html>Sign in to the network</html>",
        r#"{"status":1}"#,
        r#"{"status":"OK""#,
        r#"{"status":"OK"}"#,
        r#"{"status":"NEW_STATUS","message":"?"}"#,
        r#"{"status":"TOKEN_THEFT_DETECTED"}"#,
        r#"{"status":"OK","accessToken":{"token":"a.b.c","expiry":1},"refreshToken":{"token":"","expiry":-1}}"#,
        r#"{"status":"OK","accessToken":{"token":"a.b.c","expiry":1},"refreshToken":{"token":"","expiry":1}}"#,
        r#"{"status":"OK","sessionHandlesRevoked":{},"sessionHandles":[1],"metadata":[],"jwt":{},"keys":{}}"#,
    ] {
        let core = Fake::start(move |_| Reply::Bytes(200, body.as_bytes().to_vec())).await;
        ask_everything(&over(&[&core]).await, &MINT).await;
    }
    let deep = "[".repeat(100_000);
    let core = Fake::start(move |_| Reply::Bytes(200, deep.clone().into_bytes())).await;
    ask_everything(&over(&[&core]).await, &MINT).await;
}

static MINT: LazyLock<Mint> = LazyLock::new(|| pollster::block_on(Mint::new(SystemClock)));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_bytes_with_any_status_are_trouble(
        status in 200_u16..600,
        body in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // Also during the negotiation of the version.
            let core = Fake::start_bare(move |_| Reply::Bytes(status, body.clone())).await;
            ask_everything(&over(&[&core]).await, &MINT).await;
        });
    }
}
