//! The doctor's probes go through the whole application.

use actix_web::App;
use actix_web::test::init_service;
use supersession_actix::SessionMiddleware;
use supersession_actix::doctor;

use crate::support::World;

#[actix_web::test]
async fn a_correct_application_has_no_findings() {
    let world = World::with(|builder| builder.website_domain("https://api.example.com")).await;
    let app = App::new().wrap(SessionMiddleware::new(world.sessions.clone()));
    let findings = doctor(&init_service(app).await, &world.sessions).await;
    assert_eq!(findings.unwrap(), []);
}

#[actix_web::test]
async fn layers_around_the_middleware_are_examined() {
    let world = World::new().await;
    // The website is on another origin, and nothing answers for CORS.
    let app = App::new().wrap(SessionMiddleware::new(world.sessions.clone()));
    let findings = doctor(&init_service(app).await, &world.sessions)
        .await
        .unwrap();
    let subjects: Vec<_> = findings.iter().map(|finding| finding.subject).collect();
    assert_eq!(subjects, ["cors"; 2], "{findings:#?}");

    let bare = init_service(App::new()).await;
    let findings = doctor(&bare, &world.sessions).await.unwrap();
    let subjects: Vec<_> = findings.iter().map(|finding| finding.subject).collect();
    assert_eq!(
        subjects,
        ["cors", "api_base_path", "api_base_path"],
        "{findings:#?}"
    );
}
