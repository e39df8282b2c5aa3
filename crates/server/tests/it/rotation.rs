//! ROTATION rules: a refresh rotates the session, and verification changes nothing.

use std::time::Duration;

use serde_json::json;
use supersession_testkit::Verb;

use crate::support::{Core, LEGACY, ROTATION, claims, hash2, without};

const REFRESH: &str = "POST /recipe/session/refresh";

/// Cases: C71, C72.
#[tokio::test]
async fn a_refresh_rotates_the_session_and_can_be_repeated() {
    let core = Core::new().await;
    let first = core.session(ROTATION).await;
    let second = core.refreshed(ROTATION, first.refresh()).await;
    assert!(claims(second.access())["parentRefreshTokenHash1"].is_null());
    let moved = core.row(first.handle()).await.unwrap();
    assert!(moved.lineage.current == hash2(second.refresh()));
    let previous = moved.lineage.previous.clone().unwrap();
    assert!(previous.hash == hash2(first.refresh()));
    core.advance(Duration::from_secs(30));
    let again = core.refreshed(ROTATION, first.refresh()).await;
    // The same successor, where the reference would mint a sibling that orphans the first one.
    assert_eq!(again.refresh(), second.refresh());
    assert_eq!(
        core.row(first.handle()).await.unwrap().lineage,
        moved.lineage
    );
}

/// Cases: C74, C75.
#[tokio::test]
async fn late_reuse_revokes_the_session_and_is_reported_as_configured() {
    for (behaviour, status) in [
        ("TOKEN_THEFT", "TOKEN_THEFT_DETECTED"),
        ("unauthorised", "UNAUTHORISED"),
    ] {
        let core = Core::with(json!({
            "refresh_token_rotation_grace_period": 0, "recent_token_reuse_behaviour": behaviour,
        }));
        let core = core.await;
        let first = core.session(ROTATION).await;
        core.refreshed(ROTATION, first.refresh()).await;
        core.advance(Duration::from_millis(10));
        let answer = core.refresh(ROTATION, first.refresh()).await;
        assert_eq!(answer["status"], status);
        assert_eq!(answer["recentTokenReuseSubtype"], "RECENT_PREV");
        if status == "UNAUTHORISED" {
            assert_eq!(answer["message"], "refresh token reuse detected");
        } else {
            assert_eq!(answer["session"]["handle"], first.handle());
        }
        assert!(core.row(first.handle()).await.is_none());
    }
}

/// Cases: C76.
#[tokio::test]
async fn reuse_of_an_older_token_is_always_theft() {
    let core = Core::with(json!({ "recent_token_reuse_behaviour": "UNAUTHORISED" })).await;
    let first = core.session(ROTATION).await;
    let second = core.refreshed(ROTATION, first.refresh()).await;
    core.refreshed(ROTATION, second.refresh()).await;
    let answer = core.refresh(ROTATION, first.refresh()).await;
    assert_eq!(answer["status"], "TOKEN_THEFT_DETECTED");
    assert_eq!(answer["recentTokenReuseSubtype"], "STALE_LINEAGE");
    assert!(core.row(first.handle()).await.is_none());
}

/// Cases: C77, C79.
#[tokio::test]
async fn an_unconfirmed_legacy_refresh_is_continued() {
    let core = Core::new().await;
    let first = core.session(LEGACY).await;
    let child = core.refreshed(LEGACY, first.refresh()).await;
    let before = core.row(first.handle()).await.unwrap();
    let verified = core.verify(ROTATION, child.access(), true).await;
    assert_eq!(verified["status"], "OK");
    assert!(verified.get("accessToken").is_none());
    assert_eq!(core.row(first.handle()).await.unwrap(), before);
    let next = core.refreshed(ROTATION, child.refresh()).await;
    let row = core.row(first.handle()).await.unwrap();
    assert!(row.lineage.current == hash2(next.refresh()));
    assert!(row.lineage.previous.unwrap().hash == hash2(child.refresh()));
}

/// Cases: C78.
#[tokio::test]
async fn a_validity_out_of_range_changes_nothing() {
    let core = Core::with(json!({ "access_token_validity": 100 })).await;
    let made = core.session(ROTATION).await;
    let before = core.row(made.handle()).await.unwrap();
    let mut body = json!({
        "refreshToken": made.refresh(), "enableAntiCsrf": false, "useDynamicSigningKey": true,
        "accessTokenValidity": 100_001,
    });
    let text = "accessTokenValidity must be greater than 0 and at most the configured access_token_validity (100000 ms)";
    core.refused(REFRESH, ROTATION, body.clone(), 400, text)
        .await;
    assert_eq!(core.row(made.handle()).await.unwrap(), before);
    body["accessTokenValidity"] = json!(5_000);
    let next = core.ok(REFRESH, ROTATION, body).await;
    let token = &next["accessToken"];
    let span = token["expiry"].as_u64().unwrap() - token["createdTime"].as_u64().unwrap();
    assert_eq!(span, 5_000);
}

/// Cases: C80, C81.
#[tokio::test]
async fn a_token_of_an_older_branch_is_rejected_where_the_database_is_checked() {
    let core = Core::new().await;
    let first = core.session(ROTATION).await;
    let second = core.refreshed(ROTATION, first.refresh()).await;
    let after_one = core.verify(ROTATION, first.access(), true).await;
    assert_eq!(after_one["payloadUpdateAvailable"], false);
    core.refreshed(ROTATION, second.refresh()).await;
    let after_two = core.verify(ROTATION, first.access(), true).await;
    let message = "rotated-out token branch; refresh required";
    assert_eq!(
        after_two,
        json!({ "status": "UNAUTHORISED", "message": message })
    );
    assert_eq!(
        core.verify(ROTATION, first.access(), false).await["status"],
        "OK"
    );
}

/// Cases: C82.
#[tokio::test]
async fn a_changed_payload_is_announced_but_not_returned() {
    let core = Core::new().await;
    let made = core
        .session_with(ROTATION, json!({ "userDataInJWT": { "a": 1 } }))
        .await;
    let body = json!({ "sessionHandle": made.handle(), "userDataInJWT": { "a": 2 } });
    core.ok("PUT /recipe/jwt/data", ROTATION, body).await;
    let asked = core.verify(ROTATION, made.access(), true).await;
    assert_eq!(asked["payloadUpdateAvailable"], true);
    assert_eq!(asked["session"]["userDataInJWT"], json!({ "a": 1 }));
    assert!(asked.get("accessToken").is_none());
    let unasked = core.verify(ROTATION, made.access(), false).await;
    assert!(unasked.get("payloadUpdateAvailable").is_none());
}

/// Cases: C59, C60.
#[tokio::test]
async fn an_invalid_refresh_token_is_unauthorised() {
    let core = Core::new().await;
    let made = core.session(LEGACY).await;
    let body = json!({ "sessionHandles": [made.handle()] });
    core.ok("POST /recipe/session/remove", LEGACY, body).await;
    for cdi in [LEGACY, ROTATION] {
        for token in ["", "x", "a.b.V2", made.access(), made.refresh()] {
            let answer = core.refresh(cdi, token).await;
            assert_eq!(answer["status"], "UNAUTHORISED", "{token}");
            assert!(answer["message"].is_string());
        }
    }
    assert_eq!(core.store.count(Verb::Rotate), 0);
}

/// Cases: C67, C69.
#[tokio::test]
async fn fields_are_validated_by_version() {
    let core = Core::new().await;
    let made = core.session("4.0").await;
    let whole = json!({
        "refreshToken": made.refresh(), "enableAntiCsrf": false, "useDynamicSigningKey": true,
    });
    let invalid = |field: &str| format!("Field name '{field}' is invalid in JSON input");
    let bare = without(&whole, "useDynamicSigningKey");
    for cdi in ["5.0", LEGACY, ROTATION] {
        core.refused(
            REFRESH,
            cdi,
            bare.clone(),
            400,
            &invalid("useDynamicSigningKey"),
        )
        .await;
    }
    for cdi in ["2.21", "3.0", "4.0"] {
        let next = core.ok(REFRESH, cdi, bare.clone()).await;
        assert_eq!(next["status"], "OK");
    }
    for wrong in [json!("false"), json!(0), json!(null), json!([])] {
        let mut body = whole.clone();
        body["enableAntiCsrf"] = wrong;
        for cdi in ["2.7", LEGACY] {
            core.refused(REFRESH, cdi, body.clone(), 400, &invalid("enableAntiCsrf"))
                .await;
        }
    }
    core.refused(
        REFRESH,
        LEGACY,
        without(&whole, "refreshToken"),
        400,
        &invalid("refreshToken"),
    )
    .await;
}
