//! The same behavior on each store and after a restart.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use supersession::{SystemClock, SystemEntropy};
use supersession_postgres::PostgresStore;
use supersession_redis::RedisStore;
use supersession_server::{AnyStore, Service, ServiceOptions, StoreOptions, StoreUrl};
use supersession_sqlite::SqliteStore;
use supersession_testkit::servers::{PostgresServer, RedisServer};

use crate::support::new_session;

async fn service(store: AnyStore) -> Service {
    let options = ServiceOptions::default();
    let opened = Service::open(
        store,
        options,
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
    );
    opened.await.unwrap()
}

async fn ok(service: &Service, call: &str, body: Value) -> Value {
    let (method, path) = call.split_once(' ').unwrap();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("cdi-version", "5.4");
    let request = request
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let answer = service.answer(request, [127, 0, 0, 1].into()).await;
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert_eq!(status, 200, "{call}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// The life cycle of an app, a tenant and a session, with both sets of rules. `reopened` is another
/// process on the same store.
async fn a_life(store: AnyStore, reopened: AnyStore) {
    let one = service(store).await;
    let app = json!({ "appId": "a1", "coreConfig": { "access_token_validity": "120" } });
    ok(&one, "PUT /recipe/multitenancy/app/v2", app).await;
    let tenant = json!({ "tenantId": "t1", "firstFactors": ["custom"] });
    ok(&one, "PUT /appid-a1/recipe/multitenancy/tenant/v2", tenant).await;
    let made = ok(
        &one,
        "POST /appid-a1/t1/recipe/session",
        new_session(&json!({})),
    )
    .await;
    let refresh = |token: &Value| json!({ "refreshToken": token["refreshToken"]["token"], "enableAntiCsrf": false, "useDynamicSigningKey": true });

    let two = service(reopened).await;
    let child = ok(
        &two,
        "POST /appid-a1/recipe/session/refresh",
        refresh(&made),
    )
    .await;
    let verify = json!({
        "accessToken": child["accessToken"]["token"], "doAntiCsrfCheck": false,
        "enableAntiCsrf": false, "checkDatabase": true,
    });
    let promoted = ok(&one, "POST /appid-a1/recipe/session/verify", verify).await;
    assert!(promoted["accessToken"]["token"].is_string(), "{promoted}");
    let theft = ok(
        &two,
        "POST /appid-a1/recipe/session/refresh",
        refresh(&made),
    )
    .await;
    assert_eq!(theft["status"], "TOKEN_THEFT_DETECTED");

    let handle = &made["session"]["handle"];
    let data = json!({ "sessionHandle": handle, "userDataInDatabase": { "n": 1 } });
    ok(&one, "PUT /appid-a1/recipe/session/data", data).await;
    let path = format!(
        "GET /appid-a1/recipe/session?sessionHandle={}",
        handle.as_str().unwrap()
    );
    assert_eq!(
        ok(&two, &path, Value::Null).await["userDataInDatabase"],
        json!({ "n": 1 })
    );
    let update = json!({ "userId": "u", "metadataUpdate": { "a": 1 } });
    ok(&one, "PUT /appid-a1/recipe/user/metadata", update).await;
    let tenants = ok(
        &two,
        "GET /appid-a1/recipe/multitenancy/tenant/list/v2",
        Value::Null,
    )
    .await;
    assert_eq!(tenants["tenants"][1]["firstFactors"], json!(["custom"]));

    let remove = json!({ "tenantId": "t1" });
    ok(
        &one,
        "POST /appid-a1/recipe/multitenancy/tenant/remove",
        remove,
    )
    .await;
    let listed = ok(
        &two,
        "GET /appid-a1/recipe/session/user?userId=u",
        Value::Null,
    )
    .await;
    assert_eq!(listed["sessionHandles"], json!([]));
    let remove = ok(
        &two,
        "POST /recipe/multitenancy/app/remove",
        json!({ "appId": "a1" }),
    );
    assert_eq!(remove.await["didExist"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let open = async || AnyStore::new(SqliteStore::open(&path).await.unwrap());
    a_life(open().await, open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let open = async || {
        let options = PostgresStore::options().url(server.url()).pool_size(4);
        AnyStore::new(options.schema("server_storage").open().await.unwrap())
    };
    a_life(open().await, open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_redis() {
    let Some(server) = RedisServer::shared() else {
        return;
    };
    let open = async || {
        let options = RedisStore::options()
            .url(server.url())
            .prefix("server-storage");
        AnyStore::new(options.open().await.unwrap())
    };
    a_life(open().await, open().await).await;
}

#[tokio::test]
async fn urls_of_sqlite_follow_the_rule_of_the_store() {
    let open = async |url: &str| {
        let url: StoreUrl = url.parse().map_err(|_| "names no store".to_owned())?;
        let opened = url.open(&StoreOptions::default()).await;
        opened
            .map(drop)
            .map_err(|failure| failure.error.to_string())
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    open(&format!("sqlite://{folder}/a%20b.db?mode=rwc"))
        .await
        .unwrap();
    assert!(std::path::Path::new(folder).join("a b.db").is_file());
    open(&format!("file://{folder}/a%20b.db")).await.unwrap();
    open("sqlite::memory:").await.unwrap();
    for (url, because) in [
        ("sqlite:", "names no store"),
        ("sqlite://", "names no store"),
        ("y.db", "names no store"),
        ("sqlite:y.db?mode=ro", "a parameter"),
        ("file://host/y.db", "no host"),
    ] {
        let refused = open(url).await.unwrap_err();
        assert!(refused.contains(because), "{url}: {refused}");
    }
}
