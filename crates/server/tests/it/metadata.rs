//! User metadata.

use serde_json::{Value, json};

use crate::support::{Core, LEGACY};

const UPDATE: &str = "PUT /recipe/user/metadata";
const BULK: &str = "POST /recipe/user/metadata/bulk";

async fn update(core: &Core, user: &str, update: Value) -> Value {
    let body = json!({ "userId": user, "metadataUpdate": update });
    let answer = core.ok(UPDATE, LEGACY, body).await;
    assert_eq!(answer["status"], "OK");
    answer["metadata"].clone()
}

/// Cases: C128, C129, C130.
#[tokio::test]
async fn updates_merge_at_the_root() {
    let core = Core::new().await;
    let path = "/recipe/user/metadata?userId=u";
    assert_eq!(
        core.get(path, LEGACY).await,
        json!({ "status": "OK", "metadata": {} })
    );
    let remove = json!({ "userId": "u" });
    let removed = core.ok("POST /recipe/user/metadata/remove", LEGACY, remove.clone());
    assert_eq!(removed.await, json!({ "status": "OK" }));
    update(
        &core,
        "u",
        json!({ "a": 1, "b": { "x": 1, "y": 2 }, "c": "z" }),
    )
    .await;
    let merged = update(
        &core,
        "u",
        json!({ "b": { "x": null, "w": 3 }, "c": null, "d": 4 }),
    )
    .await;
    assert_eq!(
        merged,
        json!({ "a": 1, "b": { "x": null, "w": 3 }, "d": 4 })
    );
    assert_eq!(core.get(path, LEGACY).await["metadata"], merged);
    core.ok("POST /recipe/user/metadata/remove", LEGACY, remove)
        .await;
    assert_eq!(
        update(&core, "u", json!({ "n": 1 })).await,
        json!({ "n": 1 })
    );
}

/// Cases: C131, C132.
#[tokio::test]
async fn fields_are_required() {
    let core = Core::new().await;
    let invalid = |field: &str| format!("Field name '{field}' is invalid in JSON input");
    core.refused(UPDATE, LEGACY, json!({}), 400, &invalid("userId"))
        .await;
    core.refused(
        UPDATE,
        LEGACY,
        json!({ "userId": "u" }),
        400,
        &invalid("metadataUpdate"),
    )
    .await;
    core.refused(
        "POST /recipe/user/metadata/remove",
        LEGACY,
        json!({}),
        400,
        &invalid("userId"),
    )
    .await;
    let text = "Field name 'userId' is missing in GET request";
    core.refused("GET /recipe/user/metadata", LEGACY, Value::Null, 400, text)
        .await;
}

/// Cases: C134.
#[tokio::test]
async fn text_and_numbers_are_returned_as_written() {
    let core = Core::new().await;
    let text = r#"{"straße":"日本語 😀","n":1.50,"big":123456789012345678901234567890}"#;
    let body = format!(r#"{{"userId":"ü","metadataUpdate":{text}}}"#);
    let request = http::Request::put("/recipe/user/metadata")
        .body(body.into())
        .unwrap();
    let reply = core.send(request).await;
    assert!(reply.text.contains(text), "{}", reply.text);
    let reply = core
        .call(
            "GET /recipe/user/metadata?userId=%C3%BC",
            LEGACY,
            &Value::Null,
        )
        .await;
    assert!(reply.text.contains(text), "{}", reply.text);
}

/// Cases: C135, C136.
#[tokio::test]
async fn metadata_of_many_users_can_be_read_in_one_request() {
    let core = Core::new().await;
    update(&core, "a", json!({ "n": "a" })).await;
    update(&core, "z", json!({ "n": "z" })).await;
    let body = json!({ "userIds": ["z", "a", "unknown", "z"] });
    let answer = core.ok(BULK, LEGACY, body).await;
    assert_eq!(
        answer,
        json!({ "status": "OK", "users": [
            { "userId": "z", "metadata": { "n": "z" } },
            { "userId": "a", "metadata": { "n": "a" } },
            { "userId": "unknown", "metadata": null },
            { "userId": "z", "metadata": { "n": "z" } },
        ] })
    );
    let nobody = core.ok(BULK, LEGACY, json!({ "userIds": [] })).await;
    assert_eq!(nobody, json!({ "status": "OK", "users": [] }));
    let many: Vec<_> = (0..501).map(|number| number.to_string()).collect();
    let text = "You can only query up to 500 users at a time.";
    core.refused(BULK, LEGACY, json!({ "userIds": many }), 400, text)
        .await;
    let text = "userIds array must contain only strings";
    core.refused(BULK, LEGACY, json!({ "userIds": ["a", 1] }), 400, text)
        .await;
    let text = "Field name 'userIds' is invalid in JSON input";
    core.refused(BULK, LEGACY, json!({}), 400, text).await;
}

#[tokio::test]
async fn metadata_belongs_to_the_app() {
    let core = Core::new().await;
    core.tenant("t1").await;
    let body = json!({ "userId": "u", "metadataUpdate": { "a": 1 } });
    let text = "Only public tenantId can call this app specific API";
    core.refused(
        "PUT /t1/recipe/user/metadata",
        "5.0",
        body.clone(),
        403,
        text,
    )
    .await;
    core.ok("PUT /t1/recipe/user/metadata", "4.0", body).await;
    let read = core.get("/recipe/user/metadata?userId=u", LEGACY).await;
    assert_eq!(read["metadata"], json!({ "a": 1 }));
}

/// A document that could not be read back is rejected with the reason, in every body that contains
/// documents.
#[tokio::test]
async fn documents_have_limits() {
    let core = Core::new().await;
    let made = core.session(LEGACY).await;
    let handle = made.handle();
    let mut deep = json!([]);
    for _ in 0..110 {
        deep = json!([deep]);
    }
    let deep = json!({ "a": deep });
    for (path, field, mut body) in [
        (UPDATE, "metadataUpdate", json!({ "userId": "u" })),
        (
            "PUT /recipe/session/data",
            "userDataInDatabase",
            json!({ "sessionHandle": handle }),
        ),
        (
            "PUT /recipe/jwt/data",
            "userDataInJWT",
            json!({ "sessionHandle": handle }),
        ),
        (
            "POST /recipe/jwt",
            "payload",
            json!({ "algorithm": "RS256", "jwksDomain": "x", "validity": 60 }),
        ),
    ] {
        body[field] = deep.clone();
        let refused = core.call(path, LEGACY, &body).await;
        assert_eq!(refused.status, 400, "{path}");
        let expected = format!("Field name '{field}' is invalid in JSON input: ");
        assert!(
            refused.text.starts_with(&expected),
            "{path}: {}",
            refused.text
        );
        assert!(
            refused.text.contains("100 levels"),
            "{path}: {}",
            refused.text
        );
    }
    // Merges cannot grow a document beyond its limit.
    let part = |n: u32| json!({ "userId": "u", "metadataUpdate": { (format!("{n}")): "x".repeat(60_000) } });
    let mut merged = 0;
    let refused = loop {
        let answer = core.call(UPDATE, LEGACY, &part(merged)).await;
        if answer.status != 200 {
            break answer;
        }
        merged += 1;
    };
    assert_eq!(
        (refused.status.as_u16(), merged),
        (400, 17),
        "{}",
        refused.text
    );
    let jwt = json!({
        "algorithm": "RS256", "jwksDomain": "x", "payload": {}, "validity": 1e30,
    });
    let refused = core.call("POST /recipe/jwt", LEGACY, &jwt).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(refused.text.contains("at most"), "{}", refused.text);
}
