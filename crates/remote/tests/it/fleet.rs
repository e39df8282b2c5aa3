//! One core for services in several languages and frameworks, and an application that opens the
//! database itself.

use actix_web::test as actix;
use actix_web::web;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use supersession::{AntiCsrfInput, RefreshToken, Sessions, VerifyOptions, wire};
use supersession_axum::{Session, SessionLayer, SessionRejection, verify_session};
use supersession_sqlite::SqliteStore;
use tower::ServiceExt as _;

use crate::fake::configured;
use crate::real::Real;

fn axum_app(sessions: Sessions) -> Router {
    async fn data(session: Session) -> Result<Json<Value>, SessionRejection> {
        Ok(Json(session.session_data().await?))
    }
    async fn merge(
        session: Session,
        Json(patch): Json<Value>,
    ) -> Result<Json<Value>, SessionRejection> {
        let merged = session.merge_session_data(patch).await?;
        Ok(Json(merged.deserialize().unwrap()))
    }
    Router::new()
        .route("/data", get(data))
        .route("/data", post(merge))
        .route_layer(verify_session().check_database(true))
        .layer(SessionLayer::new(sessions))
}

/// Sends a request to the axum application. Returns the status, the headers with tokens, and the body.
async fn axum(
    app: &Router,
    method: &str,
    path: &str,
    token: &str,
    body: &Value,
) -> (u16, HeaderMap, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    let (head, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    (head.status.as_u16(), head.headers, value)
}

async fn actix_data(
    session: supersession_actix::Session,
) -> Result<web::Json<Value>, supersession_actix::SessionRejection> {
    Ok(web::Json(session.session_data().await?))
}

async fn actix_merge(
    session: supersession_actix::Session,
    patch: web::Json<Value>,
) -> Result<web::Json<Value>, supersession_actix::SessionRejection> {
    let merged = session.merge_session_data(patch.into_inner()).await?;
    Ok(web::Json(merged.deserialize().unwrap()))
}

macro_rules! actix_app {
    ($sessions:expr) => {
        actix::init_service(
            actix_web::App::new()
                .service(
                    web::resource("/data")
                        .route(web::get().to(actix_data))
                        .route(web::post().to(actix_merge))
                        .wrap(supersession_actix::verify_session().check_database(true)),
                )
                .wrap(supersession_actix::SessionMiddleware::new($sessions)),
        )
        .await
    };
}

macro_rules! actix_call {
    ($app:expr, $request:expr, $token:expr) => {{
        let request = $request.insert_header(("authorization", format!("Bearer {}", $token)));
        let response = actix::call_service(&$app, request.to_request()).await;
        let status = response.status().as_u16();
        let body = actix::read_body(response).await;
        (
            status,
            serde_json::from_slice::<Value>(&body).unwrap_or(Value::Null),
        )
    }};
}

async fn embedded(database: &std::path::Path) -> Sessions {
    let store = SqliteStore::open(database).await.unwrap();
    configured(Sessions::builder(store))
        .signing_threads(1)
        .build()
        .await
        .unwrap()
}

#[actix_web::test]
async fn a_session_of_another_sdk_works_in_all_applications() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("core.db");
    let core = Real::start(&database).await;
    let on_axum = axum_app(core.sessions().await);
    let on_actix = actix_app!(core.sessions().await);
    let embedded = embedded(&database).await;

    let new = json!({
        "userId": "alice", "enableAntiCsrf": false, "userDataInJWT": { "plan": "pro" },
        "userDataInDatabase": { "by": "node" }, "useDynamicSigningKey": true,
    });
    let made = core.sdk("POST", "/public/recipe/session", &new).await;
    let access = made["accessToken"]["token"].as_str().unwrap();
    let refresh = made["refreshToken"]["token"].as_str().unwrap();
    let handle = made["session"]["handle"].as_str().unwrap();

    let (status, _, data) = axum(&on_axum, "GET", "/data", access, &Value::Null).await;
    assert_eq!((status, data), (200, json!({ "by": "node" })));
    let (status, _, _) = axum(&on_axum, "POST", "/data", access, &json!({ "axum": 1 })).await;
    assert_eq!(status, 200);
    let request = actix::TestRequest::post()
        .uri("/data")
        .set_json(json!({ "actix": 2 }));
    let (status, data) = actix_call!(on_actix, request, access);
    assert_eq!(
        (status, data),
        (200, json!({ "by": "node", "axum": 1, "actix": 2 }))
    );
    embedded
        .merge_session_data(handle, json!({ "embedded": 3 }))
        .await
        .unwrap()
        .unwrap();
    let found = core
        .sdk(
            "GET",
            &format!("/recipe/session?sessionHandle={handle}"),
            &Value::Null,
        )
        .await;
    let everybodys = json!({ "by": "node", "axum": 1, "actix": 2, "embedded": 3 });
    assert_eq!(found["userDataInDatabase"], everybodys);
    assert_eq!(found["userDataInJWT"], json!({ "plan": "pro" }));

    // The built-in route of the axum application refreshes with the token of another SDK.
    let (status, headers, _) = axum(
        &on_axum,
        "POST",
        "/auth/session/refresh",
        refresh,
        &Value::Null,
    )
    .await;
    assert_eq!(status, 200);
    let new_access = headers[wire::ACCESS_TOKEN_HEADER].to_str().unwrap();
    let new_refresh = headers[wire::REFRESH_TOKEN_HEADER].to_str().unwrap();
    assert!(new_access != access && new_refresh != refresh);
    let (status, data) = actix_call!(on_actix, actix::TestRequest::get().uri("/data"), new_access);
    assert_eq!((status, data), (200, everybodys));
    let verify = json!({
        "accessToken": new_access, "doAntiCsrfCheck": false, "enableAntiCsrf": false,
        "checkDatabase": true,
    });
    let verified = core.sdk("POST", "/recipe/session/verify", &verify).await;
    assert_eq!(verified["status"], "OK", "{verified}");
    assert_eq!(verified["session"]["handle"], handle);

    // The other SDK revokes the session for all.
    let remove = json!({ "sessionHandles": [handle] });
    let removed = core.sdk("POST", "/recipe/session/remove", &remove).await;
    assert_eq!(removed["sessionHandlesRevoked"], json!([handle]));
    let (status, _, _) = axum(&on_axum, "GET", "/data", new_access, &Value::Null).await;
    assert_eq!(status, 401);
    let (status, _) = actix_call!(on_actix, actix::TestRequest::get().uri("/data"), new_access);
    assert_eq!(status, 401);
    assert!(embedded.information(handle).await.unwrap().is_none());
    core.stop().await;
}

#[actix_web::test]
async fn a_session_of_an_embedded_application_works_in_all_applications() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("core.db");
    let core = Real::start(&database).await;
    let remote = core.sessions().await;
    let on_axum = axum_app(remote.clone());
    let on_actix = actix_app!(core.sessions().await);
    let embedded = embedded(&database).await;

    let session = embedded
        .create("alice")
        .data(json!({ "by": "embedded" }))
        .await
        .unwrap();
    let tokens = session.all_session_tokens_dangerously();
    let access = tokens.access_token.expose();
    let (status, _, _) = axum(&on_axum, "POST", "/data", access, &json!({ "axum": 1 })).await;
    assert_eq!(status, 200);
    let request = actix::TestRequest::post()
        .uri("/data")
        .set_json(json!({ "actix": 2 }));
    let (status, data) = actix_call!(on_actix, request, access);
    let everybodys = json!({ "by": "embedded", "axum": 1, "actix": 2 });
    assert_eq!((status, data), (200, everybodys.clone()));
    assert_eq!(session.session_data::<Value>().await.unwrap(), everybodys);

    let refreshed = remote
        .refresh_session(&tokens.refresh_token.unwrap(), AntiCsrfInput::Disabled)
        .await
        .unwrap();
    assert_eq!(refreshed.handle(), session.handle());
    let strict = VerifyOptions::new().check_database(true);
    let verified = embedded
        .verify_access_token(&refreshed.access_token(), None, &strict)
        .await;
    assert_eq!(verified.unwrap().unwrap().user_id(), "alice");
    // The old token returns the same successor within the grace period, here too.
    let tokens = refreshed.all_session_tokens_dangerously();
    let successor: RefreshToken = tokens.refresh_token.unwrap();
    let again = embedded
        .refresh_session(
            &session
                .all_session_tokens_dangerously()
                .refresh_token
                .unwrap(),
            AntiCsrfInput::Disabled,
        )
        .await
        .unwrap();
    let same = again
        .all_session_tokens_dangerously()
        .refresh_token
        .unwrap();
    assert!(successor.ct_eq(same.expose()));

    assert_eq!(
        remote.revoke_all_for_user("alice").await.unwrap(),
        [session.handle().clone()]
    );
    let (status, _, _) = axum(&on_axum, "GET", "/data", access, &Value::Null).await;
    assert_eq!(status, 401);
    assert!(session.information().await.is_err());
    core.stop().await;
}

/// An SDK from before CDI 2.21 created the session. Its access token is not supported here, so the
/// client refreshes as after every 401.
///
/// Cases: S22.
#[tokio::test]
async fn a_session_of_an_old_sdk_continues_with_its_next_refresh() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("core.db");
    let core = Real::start(&database).await;
    for sessions in [core.sessions().await, embedded(&database).await] {
        let new = json!({
            "userId": "alice", "enableAntiCsrf": false, "userDataInJWT": { "plan": "pro" },
            "userDataInDatabase": { "by": "an old SDK" },
        });
        let made = core.sdk_of("2.20", "POST", "/recipe/session", &new).await;
        let access = made["accessToken"]["token"].as_str().unwrap();
        let refresh = made["refreshToken"]["token"].as_str().unwrap();
        assert_eq!(header(access)["version"], "2");

        let app = axum_app(sessions);
        let (status, headers, _) = axum(&app, "GET", "/data", access, &Value::Null).await;
        assert_eq!(status, 401);
        assert!(!headers.contains_key(wire::REFRESH_TOKEN_HEADER));
        let path = "/auth/session/refresh";
        let (status, headers, _) = axum(&app, "POST", path, refresh, &Value::Null).await;
        assert_eq!(status, 200);
        let access = headers[wire::ACCESS_TOKEN_HEADER].to_str().unwrap();
        assert_eq!(header(access)["version"], "5");
        let (status, _, data) = axum(&app, "GET", "/data", access, &Value::Null).await;
        assert_eq!((status, data), (200, json!({ "by": "an old SDK" })));
    }
    core.stop().await;
}

fn header(token: &str) -> Value {
    let (header, _) = token.split_once('.').unwrap();
    // The oldest tokens are padded.
    let header = URL_SAFE_NO_PAD.decode(header.trim_end_matches('='));
    serde_json::from_slice(&header.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_and_lists_are_the_same_from_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("core.db");
    let core = Real::start(&database).await;
    let remote = core.sessions().await;
    let embedded = embedded(&database).await;
    let mut handles = Vec::new();
    for at in 0..3 {
        let by = if at % 2 == 0 { &remote } else { &embedded };
        handles.push(by.create("alice").await.unwrap().handle().clone());
    }
    // Sessions of the same millisecond are in the order of their handles.
    let listed = embedded.handles_for_user("alice").await.unwrap();
    assert_eq!(remote.handles_for_user("alice").await.unwrap(), listed);
    assert_eq!(listed.len(), handles.len());
    let sessions = remote.sessions_for_user("alice").await.unwrap();
    assert_eq!(sessions, embedded.sessions_for_user("alice").await.unwrap());
    let mut ended = remote
        .revoke_others_for_user("alice", &handles[1])
        .await
        .unwrap();
    ended.sort();
    let mut others = [handles[0].clone(), handles[2].clone()];
    others.sort();
    assert_eq!(ended, others);
    assert_eq!(
        embedded.handles_for_user("alice").await.unwrap(),
        [handles[1].clone()]
    );

    let jwt = remote
        .create_jwt(json!({ "a": 1 }), std::time::Duration::from_secs(60))
        .await
        .unwrap();
    assert_eq!(jwt.split('.').count(), 3);

    // A thread outside of any runtime can wait too.
    let waiting = remote.clone();
    let handle = handles[1].clone();
    let found = std::thread::spawn(move || pollster::block_on(waiting.information(&handle)));
    assert!(found.join().unwrap().unwrap().is_some());
    core.stop().await;
}
