//! Two kinds of sessions in one application, as in the guide.

use actix_web::test::{TestRequest, init_service};
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpResponse};
use supersession::store::MemoryStore;
use supersession::{AppId, SessionsBuilder};
use supersession_actix::{
    RequestSessions, SessionMiddleware, SessionRejection, doctor, verify_session,
};
use supersession_testkit::FaultStore;

use crate::support::{Answer, World, serve};

async fn sign_in(sessions: RequestSessions) -> Result<HttpResponse, SessionRejection> {
    sessions.create("alice").await?;
    Ok(HttpResponse::Ok().finish())
}

async fn name(session: verify_session) -> String {
    session.user_id().to_string()
}

fn own_routes(config: &mut ServiceConfig) {
    config
        .route("/login", web::post().to(sign_in))
        .route("/me", web::get().to(name));
}

async fn worlds(base: &'static str) -> (World, World) {
    let store = FaultStore::new(MemoryStore::new());
    let same = |builder: SessionsBuilder| {
        builder
            .api_domain("https://example.com")
            .website_domain("https://example.com")
    };
    let customers = World::over(store.clone(), same).await;
    let admins = World::over(store, |builder| {
        same(builder)
            .app_id(AppId::new("admin").unwrap())
            .api_base_path(base)
            .cookie_names("sAdminAccessToken", "sAdminRefreshToken")
    })
    .await;
    (customers, admins)
}

fn jar(answer: &Answer) -> String {
    let pairs = answer.cookies().into_iter();
    let pairs = pairs.filter_map(|line| line.split(';').next());
    pairs.collect::<Vec<_>>().join("; ")
}

#[actix_web::test]
async fn each_kind_has_its_own_cookies_routes_and_keys() {
    let (customers, admins) = worlds("/admin/auth").await;
    let app = || {
        let admin = web::scope("/admin")
            .configure(own_routes)
            .wrap(SessionMiddleware::new(admins.sessions.clone()));
        App::new()
            .service(admin)
            .configure(own_routes)
            .wrap(SessionMiddleware::new(customers.sessions.clone()))
    };
    for sessions in [&customers.sessions, &admins.sessions] {
        let findings = doctor(&init_service(app()).await, sessions).await.unwrap();
        assert_eq!(findings, [], "{findings:#?}");
    }
    let server = serve(app()).await;
    let post = |path: &str, cookies: &str| {
        let request = TestRequest::post().uri(path);
        let request = request.insert_header(("st-auth-mode", "cookie"));
        let request = request.insert_header(("rid", "session"));
        server.send(request.insert_header(("cookie", cookies)))
    };
    let get = |path: &str, cookies: &str| {
        let request = TestRequest::get().uri(path);
        server.send(request.insert_header(("cookie", cookies)))
    };

    let customer = jar(&post("/login", "a=b").await);
    let admin = jar(&post("/admin/login", "a=b").await);
    assert!(customer.contains("sAccessToken=") && admin.contains("sAdminAccessToken="));
    let both = format!("{customer}; {admin}");
    for path in ["/me", "/admin/me"] {
        get(path, &both).await.is(200, "alice");
    }
    // A token of one kind is none of the other, even under the other's name.
    assert_eq!(get("/admin/me", &customer).await.status, 401);
    assert_eq!(get("/me", &admin).await.status, 401);
    let forged = customer.replace("sAccessToken", "sAdminAccessToken");
    assert_eq!(get("/admin/me", &forged).await.status, 401);

    let renewed = post("/admin/auth/session/refresh", &both).await;
    renewed.is(200, "{}");
    let admin = jar(&renewed);
    assert!(admin.contains("sAdminRefreshToken=") && !admin.contains("sRefreshToken="));
    let both = format!("{customer}; {admin}");
    let signed_out = post("/admin/auth/signout", &both).await;
    signed_out.is(200, r#"{"status":"OK"}"#);
    let mut cleared = signed_out.cookies().into_iter();
    assert!(cleared.all(|line| line.starts_with("sAdmin")));
    post("/auth/session/refresh", &both).await.is(200, "{}");
    let left = customers.sessions.handles_for_user("alice").await.unwrap();
    assert_eq!(left.len(), 1);
    let left = admins.sessions.handles_for_user("alice").await.unwrap();
    assert_eq!(left.len(), 0);
}

/// A base path outside of the scope can never be reached.
#[actix_web::test]
async fn the_doctor_reports_a_base_path_outside_of_its_scope() {
    let (_, admins) = worlds("/auth").await;
    let admin = web::scope("/admin")
        .configure(own_routes)
        .wrap(SessionMiddleware::new(admins.sessions.clone()));
    let app = init_service(App::new().service(admin)).await;
    let findings = doctor(&app, &admins.sessions).await.unwrap();
    assert_eq!(findings.len(), 2, "{findings:#?}");
    for finding in findings {
        assert_eq!(finding.subject, "api_base_path");
        assert!(finding.problem.contains("did not reach"), "{finding}");
    }
}
