//! What the transcripts cannot show: values that must not be logged are marked.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use axum::routing::post;
use supersession_axum::core::store::MemoryStore;
use supersession_axum::core::{Sessions, wire};
use supersession_axum::{RequestSessions, SessionLayer, SessionRejection};
use tower::ServiceExt as _;

#[tokio::test]
async fn tokens_are_marked_as_sensitive_and_other_headers_are_not() {
    let sessions = Sessions::builder(MemoryStore::new())
        .api_domain("http://localhost:3000")
        .website_domain("http://localhost:3000")
        .build()
        .await
        .unwrap();
    let create = async |sessions: RequestSessions| {
        sessions.create("alice").await?;
        Ok::<_, SessionRejection>(())
    };
    let app: Router = Router::new()
        .route("/", post(create))
        .layer(SessionLayer::new(sessions));
    for mode in ["cookie", "header"] {
        let request = Request::post("/").header(wire::AUTH_MODE_HEADER, mode);
        let request = request.body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert!(response.headers().contains_key(wire::FRONT_TOKEN_HEADER));
        for (name, value) in response.headers() {
            let carries_token =
                *name == header::SET_COOKIE || wire::CORS_EXPOSE_HEADERS.contains(&name.as_str());
            assert_eq!(value.is_sensitive(), carries_token, "{name}");
        }
    }
}
