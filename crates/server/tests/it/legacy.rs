//! LEGACY rules: a refresh returns a child token, whose first use promotes it.

use std::time::Duration;

use serde_json::json;

use crate::support::{Core, LEGACY, ROTATION, Session, claims, hash1, hash2, header, kid};

fn replacement(answer: &serde_json::Value) -> String {
    answer["accessToken"]["token"].as_str().unwrap().to_owned()
}

/// Cases: C46, C47, C48.
#[tokio::test]
async fn the_first_use_of_a_new_token_promotes_it() {
    let core = Core::new().await;
    let first = core.session(LEGACY).await;
    let second = core.refreshed(LEGACY, first.refresh()).await;
    core.advance(Duration::from_secs(5));
    let now = supersession::Clock::now(&core.clock);
    let verified = core.verify(LEGACY, second.access(), false).await;
    let promoted = replacement(&verified);
    assert!(claims(&promoted)["parentRefreshTokenHash1"].is_null());
    assert_eq!(
        claims(&promoted)["refreshTokenHash1"],
        claims(second.access())["refreshTokenHash1"]
    );
    let row = core.row(first.handle()).await.unwrap();
    let previous = row.lineage.previous.unwrap();
    assert!(row.lineage.current == hash2(second.refresh()));
    assert!(previous.hash == hash2(first.refresh()));
    assert_eq!(previous.rotated_at, now);
    core.store.clear_calls();
    let again = core.verify(LEGACY, &promoted, false).await;
    assert!(again.get("accessToken").is_none());
    assert!(core.store.calls().is_empty());
    let once_more = core.verify(LEGACY, second.access(), false).await;
    assert!(claims(&replacement(&once_more))["parentRefreshTokenHash1"].is_null());
    assert_eq!(
        core.row(first.handle())
            .await
            .unwrap()
            .lineage
            .previous
            .unwrap()
            .rotated_at,
        now
    );
}

/// Cases: C49.
#[tokio::test]
async fn an_access_token_of_an_earlier_branch_is_accepted_and_not_renewed() {
    let core = Core::new().await;
    let first = core.session(LEGACY).await;
    let second = core.refreshed(LEGACY, first.refresh()).await;
    let third = core.refreshed(LEGACY, second.refresh()).await;
    core.refreshed(LEGACY, third.refresh()).await;
    let verified = core.verify(LEGACY, second.access(), false).await;
    assert_eq!(verified["session"], second.0["session"]);
    assert!(verified.get("accessToken").is_none());
}

/// Cases: C50.
#[tokio::test]
async fn a_new_token_of_a_revoked_session_is_rejected() {
    let core = Core::new().await;
    let first = core.session(LEGACY).await;
    let second = core.refreshed(LEGACY, first.refresh()).await;
    let body = json!({ "sessionHandles": [first.handle()] });
    core.ok("POST /recipe/session/remove", LEGACY, body).await;
    let answer = core.verify(LEGACY, second.access(), false).await;
    assert_eq!(
        answer,
        json!({ "status": "UNAUTHORISED", "message": "Session missing in db" })
    );
}

/// Cases: C51, C52.
#[tokio::test]
async fn a_changed_payload_is_returned_where_the_database_is_checked() {
    let core = Core::new().await;
    let made = core
        .session_with(LEGACY, json!({ "userDataInJWT": { "role": "admin" } }))
        .await;
    let body = json!({ "sessionHandle": made.handle(), "userDataInJWT": { "role": null, "x": 1 } });
    core.ok("PUT /recipe/jwt/data", LEGACY, body).await;
    let unasked = core.verify(LEGACY, made.access(), false).await;
    assert_eq!(unasked["session"], made.0["session"]);
    assert!(unasked.get("accessToken").is_none());
    let asked = core.verify(LEGACY, made.access(), true).await;
    assert_eq!(
        asked["session"]["userDataInJWT"],
        json!({ "role": null, "x": 1 })
    );
    let renewed = replacement(&asked);
    assert_eq!(claims(&renewed)["x"], 1);
    let again = core.verify(LEGACY, &renewed, true).await;
    assert!(again.get("accessToken").is_none());
}

/// Cases: C53, C68.
#[tokio::test]
async fn a_session_can_change_its_kind_of_key() {
    let core = Core::new().await;
    let first = core.session(LEGACY).await;
    let body = json!({
        "refreshToken": first.refresh(), "enableAntiCsrf": false, "useDynamicSigningKey": false,
    });
    let second = Session(core.ok("POST /recipe/session/refresh", LEGACY, body).await);
    assert!(kid(second.access()).starts_with("s-"));
    let row = core.row(first.handle()).await.unwrap();
    assert_eq!(row.key_kind, supersession::store::KeyKind::Static);
    let promoted = replacement(&core.verify(LEGACY, second.access(), false).await);
    assert!(kid(&promoted).starts_with("s-"));
    let body = json!({ "accessToken": promoted, "userDataInJWT": {} });
    let renewed = core
        .ok("POST /recipe/session/regenerate", LEGACY, body)
        .await;
    assert!(kid(&replacement(&renewed)).starts_with("s-"));
}

/// Cases: C54, C55, C56.
#[tokio::test]
async fn the_old_refresh_token_is_valid_until_the_new_one_is_used() {
    let core = Core::new().await;
    let first = core.session(LEGACY).await;
    let before = core.row(first.handle()).await.unwrap();
    let second = core.refreshed(LEGACY, first.refresh()).await;
    assert_eq!(second.handle(), first.handle());
    assert_ne!(second.refresh(), first.refresh());
    assert_ne!(second.access(), first.access());
    let parent = hash1(first.refresh());
    assert_eq!(claims(second.access())["parentRefreshTokenHash1"], parent);
    assert_eq!(core.row(first.handle()).await.unwrap(), before);
    core.refreshed(LEGACY, first.refresh()).await;
    core.verify(LEGACY, second.access(), false).await;
    let answer = core.refresh(LEGACY, first.refresh()).await;
    let session = json!({ "handle": first.handle(), "userId": "u", "recipeUserId": "u" });
    assert_eq!(
        answer,
        json!({ "status": "TOKEN_THEFT_DETECTED", "session": session })
    );
    assert!(core.row(first.handle()).await.is_some());
}

/// Cases: C57, C58.
#[tokio::test]
async fn refreshing_with_a_child_token_promotes_it() {
    let core = Core::new().await;
    let first = core.session(LEGACY).await;
    let before = core.row(first.handle()).await.unwrap();
    let second = core.refreshed(LEGACY, first.refresh()).await;
    core.advance(Duration::from_secs(60));
    core.refreshed(LEGACY, second.refresh()).await;
    let row = core.row(first.handle()).await.unwrap();
    assert!(row.lineage.current == hash2(second.refresh()));
    assert!(row.lineage.previous.unwrap().hash == hash2(first.refresh()));
    assert!(row.expires_at > before.expires_at);
    let answer = core.refresh(LEGACY, first.refresh()).await;
    assert_eq!(answer["status"], "TOKEN_THEFT_DETECTED");
}

/// Cases: C61.
#[tokio::test]
async fn a_refresh_extends_the_session() {
    let core = Core::with(json!({ "refresh_token_validity": 0.05 })).await;
    let (used, unused) = (core.session(LEGACY).await, core.session(LEGACY).await);
    core.advance(Duration::from_secs(2));
    let next = core.refreshed(LEGACY, used.refresh()).await;
    core.verify(LEGACY, next.access(), false).await;
    core.advance(Duration::from_secs(2));
    core.refreshed(LEGACY, next.refresh()).await;
    let answer = core.refresh(LEGACY, unused.refresh()).await;
    let message = "Session missing in db or has expired";
    assert_eq!(
        answer,
        json!({ "status": "UNAUTHORISED", "message": message })
    );
}

/// Cases: C62, C63.
#[tokio::test]
async fn anti_csrf_tokens_can_be_turned_off_and_on() {
    let core = Core::new().await;
    let made = core
        .session_with(LEGACY, json!({ "enableAntiCsrf": true }))
        .await;
    let refresh = async |token: &str, sent: Option<&str>, enabled: bool| {
        let mut body = json!({
            "refreshToken": token, "enableAntiCsrf": enabled, "useDynamicSigningKey": true,
        });
        if let Some(sent) = sent {
            body["antiCsrfToken"] = json!(sent);
        }
        core.ok("POST /recipe/session/refresh", LEGACY, body).await
    };
    let own = made.0["antiCsrfToken"].as_str().unwrap();
    for sent in [None, Some("x")] {
        let answer = refresh(made.refresh(), sent, true).await;
        assert_eq!(
            answer["message"],
            "Anti CSRF token missing, or not matching"
        );
    }
    let next = refresh(made.refresh(), Some(own), true).await;
    assert!(next["antiCsrfToken"].is_string() && next["antiCsrfToken"] != own);
    let off = Session(refresh(made.refresh(), None, false).await);
    assert!(off.0.get("antiCsrfToken").is_none());
    let on = refresh(off.refresh(), None, true).await;
    assert!(on["antiCsrfToken"].is_string());
}

/// Cases: C64, C65, C66.
#[tokio::test]
async fn a_refresh_upgrades_the_token_version_if_the_payload_allows() {
    let core = Core::new().await;
    let oldest = core.session("2.9").await;
    let next = core.refreshed(LEGACY, oldest.refresh()).await;
    assert_eq!(header(next.access())["version"], "5");
    let protected = "The user payload contains protected field";
    let refused = json!({ "status": "UNAUTHORISED", "message": protected });
    let subject = core
        .session_with("2.9", json!({ "userDataInJWT": { "sub": "x" } }))
        .await;
    for cdi in ["2.21", LEGACY, ROTATION] {
        assert_eq!(core.refresh(cdi, subject.refresh()).await, refused);
    }
    let tenant = core
        .session_with("2.21", json!({ "userDataInJWT": { "tId": "x" } }))
        .await;
    assert_eq!(core.refresh("2.21", tenant.refresh()).await["status"], "OK");
    assert_eq!(core.refresh("3.0", tenant.refresh()).await, refused);
}

/// Cases: C83, C84.
#[tokio::test]
async fn each_rotation_stores_what_the_other_rules_need() {
    let core = Core::with(json!({ "refresh_token_rotation_grace_period": 30 })).await;
    let first = core.session(LEGACY).await;
    let second = core.refreshed(LEGACY, first.refresh()).await;
    core.verify(LEGACY, second.access(), false).await;
    let moved = core.row(first.handle()).await.unwrap();
    assert!(moved.lineage.previous.is_some());
    let body = json!({
        "refreshToken": second.refresh(), "enableAntiCsrf": false, "useDynamicSigningKey": false,
    });
    core.ok("POST /recipe/session/refresh", LEGACY, body).await;
    let flipped = core.row(first.handle()).await.unwrap();
    assert_eq!(flipped.lineage, moved.lineage);
    assert_ne!(flipped.key_kind, moved.key_kind);
    // ROTATION accepts the previous token within the grace period, because LEGACY stored it.
    core.refreshed(ROTATION, first.refresh()).await;
}

#[tokio::test]
async fn two_tabs_that_refresh_concurrently_keep_the_same_session() {
    let core = Core::new().await;
    let first = core.session(LEGACY).await;
    let (one, two) = (
        core.refreshed(LEGACY, first.refresh()).await,
        core.refreshed(LEGACY, first.refresh()).await,
    );
    assert_eq!(one.refresh(), two.refresh());
    core.verify(LEGACY, one.access(), false).await;
    let next = core.refreshed(LEGACY, two.refresh()).await;
    core.verify(LEGACY, next.access(), false).await;
}
