//! Two kinds of sessions in one application, as in the guide.

use axum::Router;
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use supersession_axum::core::AppId;
use supersession_axum::core::store::MemoryStore;
use supersession_axum::{
    RequestSessions, SessionLayer, SessionRejection, doctor, routes, verify_session,
};

use crate::support::{Answer, Server, World};

async fn sign_in(sessions: RequestSessions) -> Result<(), SessionRejection> {
    sessions.create("alice").await?;
    Ok(())
}

async fn name(session: verify_session) -> String {
    session.user_id().to_string()
}

fn own_routes() -> Router {
    Router::new()
        .route("/login", post(sign_in))
        .route("/me", get(name))
}

async fn worlds() -> (World, World) {
    let store = MemoryStore::new();
    let same = |builder: supersession_axum::core::SessionsBuilder| {
        builder
            .api_domain("https://example.com")
            .website_domain("https://example.com")
    };
    let customers = World::over(store.clone(), same).await;
    let admins = World::over(store, |builder| {
        same(builder)
            .app_id(AppId::new("admin").unwrap())
            .api_base_path("/admin/auth")
            .cookie_names("sAdminAccessToken", "sAdminRefreshToken")
    })
    .await;
    (customers, admins)
}

/// `name=value; ..` of all cookies that the answer sets.
fn jar(answer: &Answer) -> String {
    let pairs = answer.cookies().into_iter();
    let pairs = pairs.filter_map(|line| line.split(';').next());
    pairs.collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn each_kind_has_its_own_cookies_routes_and_keys() {
    let (customers, admins) = worlds().await;
    let admin = own_routes().layer(SessionLayer::new(admins.sessions.clone()));
    let app = own_routes()
        .layer(SessionLayer::new(customers.sessions.clone()))
        .nest("/admin", admin)
        .route_service("/auth/{*path}", routes(customers.sessions.clone()))
        .route_service("/admin/auth/{*path}", routes(admins.sessions.clone()))
        .fallback_service(get(async || "a page"));
    for sessions in [&customers.sessions, &admins.sessions] {
        let findings = doctor(app.clone(), sessions).await.unwrap();
        assert_eq!(findings, [], "{findings:#?}");
    }
    let server = Server(app);
    let post = |path: &str, cookies: &str| {
        let request = Request::post(path).header("st-auth-mode", "cookie");
        server.send(request.header("cookie", cookies).header("rid", "session"))
    };
    let get = |path: &str, cookies: &str| server.send(Request::get(path).header("cookie", cookies));

    let customer = jar(&post("/login", "").await);
    let admin = jar(&post("/admin/login", "").await);
    assert!(customer.contains("sAccessToken=") && admin.contains("sAdminAccessToken="));
    let both = format!("{customer}; {admin}");
    for path in ["/me", "/admin/me"] {
        get(path, &both).await.is(StatusCode::OK, "alice");
    }
    // A token of one kind is none of the other, even under the other's name.
    assert_eq!(
        get("/admin/me", &customer).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(get("/me", &admin).await.status, StatusCode::UNAUTHORIZED);
    let forged = customer.replace("sAccessToken", "sAdminAccessToken");
    assert_eq!(
        get("/admin/me", &forged).await.status,
        StatusCode::UNAUTHORIZED
    );

    let renewed = post("/admin/auth/session/refresh", &both).await;
    renewed.is(StatusCode::OK, "{}");
    let admin = jar(&renewed);
    assert!(admin.contains("sAdminRefreshToken=") && !admin.contains("sRefreshToken="));
    let both = format!("{customer}; {admin}");
    let signed_out = post("/admin/auth/signout", &both).await;
    signed_out.is(StatusCode::OK, r#"{"status":"OK"}"#);
    assert!(
        signed_out
            .cookies()
            .iter()
            .all(|line| line.starts_with("sAdmin"))
    );
    let renewed = post("/auth/session/refresh", &both).await;
    renewed.is(StatusCode::OK, "{}");
    let left = customers.sessions.handles_for_user("alice").await.unwrap();
    assert_eq!(left.len(), 1);
    let left = admins.sessions.handles_for_user("alice").await.unwrap();
    assert_eq!(left.len(), 0);
}

/// A layer inside another one, and the errors of each kind: the inner layer answers for its own.
#[tokio::test]
async fn a_layer_can_be_inside_another_one() {
    let (customers, admins) = worlds().await;
    let admin = own_routes().layer(SessionLayer::new(admins.sessions.clone()));
    let app = own_routes()
        .nest("/admin", admin)
        .route_service("/admin/auth/{*path}", routes(admins.sessions.clone()))
        .layer(SessionLayer::new(customers.sessions.clone()));
    let findings = doctor(app.clone(), &admins.sessions).await.unwrap();
    assert_eq!(findings, [], "{findings:#?}");
    let server = Server(app);
    let (customer, _) = customers.tokens("alice").await;
    let (admin, _) = admins.tokens("root").await;
    server
        .get("/me", &customer)
        .await
        .is(StatusCode::OK, "alice");
    server
        .get("/admin/me", &admin)
        .await
        .is(StatusCode::OK, "root");
    for (path, token) in [("/admin/me", &customer), ("/me", &admin)] {
        let answer = server.get(path, token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

/// Without its routes at the top, the nested layer's are found to be out of reach.
#[tokio::test]
async fn the_doctor_reports_nested_sessions_without_built_in_routes() {
    let (_, admins) = worlds().await;
    let admin = own_routes().layer(SessionLayer::new(admins.sessions.clone()));
    let app = Router::new().nest("/admin", admin);
    let findings = doctor(app, &admins.sessions).await.unwrap();
    assert_eq!(findings.len(), 2, "{findings:#?}");
    for finding in findings {
        assert_eq!(finding.subject, "api_base_path");
        assert!(finding.fix.contains("`routes`"), "{finding}");
    }
}
