//! Listing and revoking the sessions of users.

use serde_json::{Value, json};

use crate::support::{Core, LEGACY, ROTATION, new_session};

const REMOVE: &str = "POST /recipe/session/remove";

async fn in_tenant(core: &Core, tenant: &str, user: &str) -> String {
    let call = format!("POST /{tenant}/recipe/session");
    let made = core
        .ok(&call, LEGACY, new_session(&json!({ "userId": user })))
        .await;
    made["session"]["handle"].as_str().unwrap().to_owned()
}

async fn listed(core: &Core, path: &str, cdi: &str) -> Vec<String> {
    let answer = core.get(path, cdi).await;
    assert_eq!(answer["status"], "OK");
    serde_json::from_value(answer["sessionHandles"].clone()).unwrap()
}

async fn removed(core: &Core, call: &str, cdi: &str, body: Value) -> Vec<String> {
    let answer = core.ok(call, cdi, body).await;
    assert_eq!(answer["status"], "OK");
    serde_json::from_value(answer["sessionHandlesRevoked"].clone()).unwrap()
}

/// Cases: C119, C125.
#[tokio::test]
async fn the_response_lists_exactly_the_revoked_sessions() {
    let core = Core::new().await;
    core.tenant("t1").await;
    let (one, two, three) = (
        in_tenant(&core, "public", "u").await,
        in_tenant(&core, "t1", "u").await,
        in_tenant(&core, "public", "u").await,
    );
    let body = json!({ "sessionHandles": [one, two, "unknown", one] });
    let mut gone = removed(&core, REMOVE, LEGACY, body.clone()).await;
    gone.sort();
    let mut expected = vec![one, two];
    expected.sort();
    assert_eq!(gone, expected);
    assert!(removed(&core, REMOVE, LEGACY, body).await.is_empty());
    assert_eq!(
        listed(&core, "/recipe/session/user?userId=u", LEGACY).await,
        [three]
    );
}

/// Cases: C120, C121.
#[tokio::test]
async fn a_removal_needs_either_a_user_or_handles() {
    let core = Core::new().await;
    let who = "Invalid JSON input - use one of userId or sessionHandles array";
    for body in [json!({}), json!({ "userId": "u", "sessionHandles": [] })] {
        core.refused(REMOVE, LEGACY, body, 400, who).await;
    }
    for field in ["revokeAcrossAllTenants", "revokeSessionsForLinkedAccounts"] {
        let text = format!("Invalid JSON input - {field} can only be set if userId is set");
        let body = json!({ "sessionHandles": [], field: true });
        core.refused(REMOVE, LEGACY, body, 400, &text).await;
    }
    let text = "Field name 'sessionHandles' is invalid in JSON input";
    let body = json!({ "sessionHandles": ["x", 1] });
    core.refused(REMOVE, LEGACY, body, 400, text).await;
}

/// Cases: C122, C123.
#[tokio::test]
async fn lists_and_removals_can_be_limited_to_a_tenant() {
    let core = Core::new().await;
    for tenant in ["t1", "t2"] {
        core.tenant(tenant).await;
    }
    let make = async || {
        let mut made = Vec::new();
        for tenant in ["public", "t1", "t2"] {
            made.push(in_tenant(&core, tenant, "u").await);
        }
        made
    };
    let first = make().await;
    let one = "/t1/recipe/session/user?userId=u&fetchAcrossAllTenants=False";
    assert_eq!(listed(&core, one, LEGACY).await, [first[1].clone()]);
    let only = json!({ "userId": "u", "revokeAcrossAllTenants": false });
    let gone = removed(&core, "POST /t1/recipe/session/remove", LEGACY, only).await;
    assert_eq!(gone, [first[1].clone()]);
    assert_eq!(
        removed(&core, REMOVE, LEGACY, json!({ "userId": "u" }))
            .await
            .len(),
        2
    );
    let all = json!({ "userId": "u", "revokeAcrossAllTenants": true });
    let text = "Only public tenantId can call this app specific API";
    for body in [json!({ "userId": "u" }), all.clone()] {
        for cdi in ["5.0", ROTATION] {
            core.refused(
                "POST /t1/recipe/session/remove",
                cdi,
                body.clone(),
                403,
                text,
            )
            .await;
        }
    }
    for query in ["", "&fetchAcrossAllTenants=true"] {
        let path = format!("GET /t1/recipe/session/user?userId=u{query}");
        core.refused(&path, "5.0", Value::Null, 403, text).await;
    }
    let third = make().await;
    let across = listed(&core, "/t1/recipe/session/user?userId=u", "3.0").await;
    assert_eq!(across.len(), third.len());
    assert_eq!(
        removed(&core, "POST /t1/recipe/session/remove", "3.0", all)
            .await
            .len(),
        3
    );
}

/// Cases: C124, C126.
#[tokio::test]
async fn lists_and_removals_are_limited_to_the_user() {
    let core = Core::new().await;
    let mine = in_tenant(&core, "public", "u").await;
    in_tenant(&core, "public", "v").await;
    assert_eq!(
        listed(&core, "/recipe/session/user?userId=u", LEGACY).await,
        [mine]
    );
    for unknown in ["nobody", "", "%00"] {
        let path = format!("/recipe/session/user?userId={unknown}");
        assert!(listed(&core, &path, LEGACY).await.is_empty());
    }
    for unknown in ["nobody", "\0"] {
        let body = json!({ "userId": unknown });
        assert!(removed(&core, REMOVE, LEGACY, body).await.is_empty());
    }
}

/// Cases: C127.
#[tokio::test]
async fn a_list_requires_a_user() {
    let core = Core::new().await;
    let text = "Field name 'userId' is missing in GET request";
    core.refused("GET /recipe/session/user", LEGACY, Value::Null, 400, text)
        .await;
}

#[tokio::test]
async fn removing_a_user_revokes_the_sessions_and_deletes_the_metadata() {
    let core = Core::new().await;
    in_tenant(&core, "public", "u").await;
    let update = json!({ "userId": "u", "metadataUpdate": { "a": 1 } });
    core.ok("PUT /recipe/user/metadata", LEGACY, update).await;
    let known = core.get("/user/id?userId=u", LEGACY).await;
    assert_eq!(known, json!({ "status": "UNKNOWN_USER_ID_ERROR" }));
    let answer = core
        .ok("POST /user/remove", LEGACY, json!({ "userId": "u" }))
        .await;
    assert_eq!(answer, json!({ "status": "OK" }));
    assert!(
        listed(&core, "/recipe/session/user?userId=u", LEGACY)
            .await
            .is_empty()
    );
    let left = core.get("/recipe/user/metadata?userId=u", LEGACY).await;
    assert_eq!(left["metadata"], json!({}));
}
