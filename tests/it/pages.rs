//! Rejections as pages: redirects to the sign-in page and back.

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use serde_json::json;
use supersession::{BuildError, Pages, RefreshInPlace, Sessions, SessionsBuilder};
use supersession_axum::{RequestSessions, Session, verify_session};

use crate::support::{Answer, App, Req};

fn pages(builder: SessionsBuilder) -> SessionsBuilder {
    builder
        .refresh_in_place(RefreshInPlace::On)
        .pages(Pages::sign_in_at("/login").failed_claims_at("/confirm"))
}

fn routes(router: Router) -> Router {
    let name = |session: Session| async move { session.user_id().to_string() };
    let fresh = verify_session().max_session_age(std::time::Duration::from_secs(60));
    let nested = Router::new().route("/orders", get(name));
    router
        .route("/cart", get(name).post(name))
        .route("/pay", get(name).layer(fresh))
        .route("/login", get(name).post(sign_in))
        .route("/target", get(target).post(target))
        .nest("/shop", nested)
}

async fn target(sessions: RequestSessions) -> String {
    sessions.return_to()
}

async fn sign_in(
    sessions: RequestSessions,
) -> Result<Redirect, supersession_axum::SessionRejection> {
    sessions.create("alice").await?;
    Ok(Redirect::to(&sessions.return_to()))
}

async fn app() -> App {
    App::with_routes(pages, routes).await
}

fn navigation(request: Req) -> Req {
    request.header("sec-fetch-mode", "navigate")
}

#[track_caller]
fn leads_to(answer: &Answer, url: &str) {
    assert_eq!((answer.status, answer.text.as_str()), (303, ""));
    assert_eq!(answer.header("location"), Some(url));
    assert_eq!(answer.header("content-type"), None);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_navigation_is_sent_to_the_sign_in_page() {
    let app = app().await;
    let answer = app.send(navigation(Req::get("/cart?a=1&b=2"))).await;
    leads_to(&answer, "/login?return_to=%2Fcart%3Fa%3D1%26b%3D2");
    // The whole path, behind a nested router too.
    let answer = app.send(navigation(Req::get("/shop/orders"))).await;
    leads_to(&answer, "/login?return_to=%2Fshop%2Forders");
    // A browser without Fetch Metadata.
    let old = Req::get("/cart").header("accept", "text/html,*/*");
    leads_to(&app.send(old).await, "/login?return_to=%2Fcart");
}

#[tokio::test]
async fn a_form_leads_back_to_the_page_that_contains_it() {
    let app = app().await;
    let form = |referer: &str| {
        navigation(Req::post("/cart"))
            .header("sec-fetch-site", "same-origin")
            .header("referer", referer)
    };
    let answer = app.send(form("https://api.example.com/cart?x=1")).await;
    leads_to(&answer, "/login?return_to=%2Fcart%3Fx%3D1");
    for foreign in [
        "https://evil.example/cart",
        "nonsense",
        "https://api.example.com//evil",
    ] {
        leads_to(&app.send(form(foreign)).await, "/login");
    }
}

#[tokio::test]
async fn everything_else_gets_json() {
    let app = app().await;
    let fetch = Req::get("/cart").header("sec-fetch-mode", "cors");
    let image = Req::get("/cart")
        .header("sec-fetch-mode", "no-cors")
        .header("accept", "text/html");
    let program = Req::get("/cart").header("accept", "application/json");
    for request in [fetch, image, program, Req::get("/cart")] {
        app.send(request).await.is_message(401, "unauthorised");
    }
    // The page itself would redirect for ever.
    let itself = app.send(navigation(Req::get("/login"))).await;
    itself.is_message(401, "unauthorised");
    let refresh = app.send(navigation(Req::refresh())).await;
    refresh.is_message(401, "unauthorised");
    let plain = App::with_routes(|builder| builder, routes).await;
    let answer = plain.send(navigation(Req::get("/cart"))).await;
    answer.is_message(401, "unauthorised");
}

#[tokio::test]
async fn htmx_receives_the_redirect_in_its_own_header() {
    let app = app().await;
    let request = Req::get("/cart")
        .header("hx-request", "true")
        .header("hx-current-url", "https://api.example.com/cart?a=1");
    let answer = app.send(request).await;
    assert_eq!((answer.status, answer.text.as_str()), (401, ""));
    let to = "/login?return_to=%2Fcart%3Fa%3D1";
    assert_eq!(answer.header("hx-redirect"), Some(to));
    assert_eq!(answer.header("location"), None);
}

#[tokio::test]
async fn a_failed_claim_leads_to_its_own_page() {
    let app = app().await;
    let form = Req::post("/create").json(&json!({"userId": "alice"}));
    let tokens = app.send(form).await.tokens();
    app.advance_secs(120);
    let request = navigation(Req::get("/pay")).access_cookie(&tokens);
    leads_to(&app.send(request).await, "/confirm?return_to=%2Fpay");
}

#[tokio::test]
async fn a_sign_in_leads_back_and_nowhere_else() {
    let app = app().await;
    let sign_in =
        |query: &str| Req::post(&format!("/login?{query}")).header("sec-fetch-site", "same-origin");
    let answer = app.send(sign_in("return_to=%2Fcart%3Fa%3D1")).await;
    assert_eq!(answer.header("location"), Some("/cart?a=1"));
    assert!(answer.cookie("sAccessToken").is_some());
    for hostile in [
        "return_to=%2F%2Fevil.example",
        "return_to=%2F%5Cevil.example",
        "return_to=https%3A%2F%2Fevil.example",
        "return_to=%2F%0D%0Aset-cookie%3A+a%3Db",
        "return_to=%2F%09%2Fevil.example",
        "return_to=",
        "x=1",
    ] {
        let answer = app.send(sign_in(hostile)).await;
        assert_eq!(answer.header("location"), Some("/"), "{hostile}");
    }
    let answer = app.send(Req::get("/target?return_to=%2Fa%2F..%2Fb")).await;
    assert_eq!(answer.text, "/b");
}

#[tokio::test]
async fn a_page_must_be_a_path() {
    for path in [
        "",
        "login",
        "//evil.example/login",
        "https://example.com/login",
    ] {
        let built = Sessions::builder(supersession::store::MemoryStore::new())
            .api_domain("https://example.com")
            .website_domain("https://example.com")
            .pages(Pages::sign_in_at(path))
            .build()
            .await;
        let Err(BuildError::Config(problems)) = built else {
            panic!("{path} builds");
        };
        assert_eq!(problems[0].setting, "pages");
    }
}
