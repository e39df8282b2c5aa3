//! Where sessions are used, and how many a user may have.

use std::net::IpAddr;
use std::num::NonZero;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use serde_json::json;
use supersession::SessionInformation;
use supersession::store::{Device, StoreErrorKind};
use supersession_axum::{PeerIp, RequestSessions, SessionLayer, SessionRejection};
use supersession_testkit::{PlannedFault, Verb};
use tower::ServiceExt as _;

use crate::support::{Answer, App, Req, Tokens};

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

async fn tracking() -> App {
    App::with(|builder| {
        builder.track_devices(true).client_ip(|view| {
            let forwarded = view.header("x-real-ip");
            forwarded.map_or_else(|| view.peer_ip(), |ip| ip.parse().ok())
        })
    })
    .await
}

async fn login(app: &App, user_agent: &str) -> Tokens {
    let request = Req::post("/create")
        .header("st-auth-mode", "cookie")
        .header("user-agent", user_agent)
        .header("x-real-ip", &HERE.to_string())
        .json(&json!({"userId": "alice"}));
    let answer = app.send(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.tokens()
}

async fn only_session(app: &App) -> SessionInformation {
    let mut sessions = app.sessions.sessions_for_user("alice").await.unwrap();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    sessions.remove(0)
}

fn used(tokens: &Tokens, user_agent: &str) -> Req {
    Req::get("/verify")
        .access_cookie(tokens)
        .header("user-agent", user_agent)
}

#[tokio::test]
async fn nothing_is_noted_unless_it_is_asked_for() {
    let app = App::new().await;
    let tokens = login(&app, "browser").await;
    assert_eq!(app.send(used(&tokens, "browser")).await.status, 200);
    app.sessions.write_device_notes().await.unwrap();
    assert_eq!(only_session(&app).await.device, Device::default());
    assert_eq!(app.store.count(Verb::RecordUses), 0);
}

#[tokio::test]
async fn a_new_session_has_a_device() {
    let app = tracking().await;
    login(&app, &"long ".repeat(200)).await;
    let session = only_session(&app).await;
    let mut expected = Device::default();
    expected.user_agent = Some("long ".repeat(200)[..512].to_owned());
    expected.ip = Some(HERE);
    expected.last_seen_at = Some(session.created_at);
    assert_eq!(session.device, expected);
    // One that is made without a request has none.
    app.sessions.create("bob").await.unwrap();
    let sessions = app.sessions.sessions_for_user("bob").await.unwrap();
    assert_eq!(sessions[0].device, Device::default());
}

#[tokio::test]
async fn uses_are_noted_once_per_interval_and_written_in_one_batch() {
    let app = tracking().await;
    let tokens = login(&app, "browser").await;
    let created = only_session(&app).await.created_at;
    for _ in 0..10 {
        assert_eq!(app.send(used(&tokens, "browser")).await.status, 200);
    }
    app.sessions.write_device_notes().await.unwrap();
    assert_eq!(app.store.count(Verb::RecordUses), 0, "it is fresh");

    app.advance_secs(300);
    let other = login(&app, "phone").await;
    app.sessions.revoke(&*other.handle).await.unwrap();
    for agent in ["browser 2", "browser 3"] {
        let answer = app.send(used(&tokens, agent).header("x-real-ip", "nonsense"));
        assert_eq!(answer.await.status, 200);
    }
    app.sessions.write_device_notes().await.unwrap();
    app.sessions.write_device_notes().await.unwrap();
    assert_eq!(app.store.count(Verb::RecordUses), 1);
    let mut expected = Device::default();
    expected.user_agent = Some("browser 2".to_owned());
    expected.ip = Some(HERE);
    expected.last_seen_at = Some(created.after(Duration::from_secs(300)));
    assert_eq!(only_session(&app).await.device, expected);
}

#[tokio::test]
async fn a_rejected_request_is_not_recorded_as_a_use() {
    let app = tracking().await;
    let tokens = login(&app, "browser").await;
    app.advance_secs(3_601);
    assert_eq!(app.send(used(&tokens, "browser")).await.status, 401);
    app.sessions.write_device_notes().await.unwrap();
    assert_eq!(app.store.count(Verb::RecordUses), 0);
    // A refresh is one.
    let refresh = Req::refresh().refresh_cookie(&tokens);
    assert_eq!(app.send(refresh).await.status, 200);
    app.sessions.write_device_notes().await.unwrap();
    let session = only_session(&app).await;
    let expected = session.created_at.after(Duration::from_secs(3_601));
    assert_eq!(session.device.last_seen_at, Some(expected));
}

#[tokio::test]
async fn notes_survive_a_failure_of_the_store() {
    let app = tracking().await;
    let tokens = login(&app, "browser").await;
    app.advance_secs(301);
    assert_eq!(app.send(used(&tokens, "moved")).await.status, 200);
    let down = PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::RecordUses);
    app.store.plan(down);
    assert!(app.sessions.write_device_notes().await.is_err());
    app.sessions.write_device_notes().await.unwrap();
    let device = only_session(&app).await.device;
    assert_eq!(device.user_agent.as_deref(), Some("moved"));
}

#[tokio::test]
async fn a_revoked_session_is_not_revived_by_a_note() {
    let app = tracking().await;
    let tokens = login(&app, "browser").await;
    app.advance_secs(301);
    assert_eq!(app.send(used(&tokens, "browser")).await.status, 200);
    app.sessions.revoke_all_for_user("alice").await.unwrap();
    app.sessions.write_device_notes().await.unwrap();
    let handles = app.sessions.handles_for_user("alice").await.unwrap();
    assert!(handles.is_empty());
}

#[tokio::test]
async fn a_device_can_have_a_name() {
    let app = App::new().await;
    let session = app.sessions.create("alice").await.unwrap();
    let handle = session.handle();
    for label in [Some("my phone"), None] {
        assert!(app.sessions.set_device_label(handle, label).await.unwrap());
        let device = session.information().await.unwrap().device;
        assert_eq!(device.label.as_deref(), label);
    }
    session.revoke().await.unwrap();
    let gone = app.sessions.set_device_label(handle, Some("x")).await;
    assert!(!gone.unwrap());
}

#[tokio::test]
async fn the_address_can_come_from_axums_connect_info() {
    let app = tracking().await;
    let add_ip = async |mut request: Request, next: Next| {
        request.extensions_mut().insert(PeerIp(PROXY));
        next.run(request).await
    };
    let login = async |sessions: RequestSessions| {
        let session = sessions.create("alice").await;
        session.map(|_| "welcome").map_err(SessionRejection::from)
    };
    let router = axum::Router::new()
        .route("/login", axum::routing::post(login))
        .layer(SessionLayer::new(app.sessions.clone()))
        .layer(from_fn(add_ip));
    let response = router
        .oneshot(Req::post("/login").into_http())
        .await
        .unwrap();
    assert_eq!(Answer::read(response).await.status, 200);
    assert_eq!(only_session(&app).await.device.ip, Some(PROXY));
}

#[tokio::test]
async fn a_further_session_ends_the_oldest() {
    let app = App::with(|builder| builder.max_sessions_per_user(NonZero::new(2).unwrap())).await;
    let mut handles = Vec::new();
    for _ in 0..4 {
        app.advance_secs(1);
        let session = app.sessions.create("alice").await.unwrap();
        handles.push(session.handle().clone());
    }
    let left = app.sessions.handles_for_user("alice").await.unwrap();
    assert_eq!(left, handles[2..]);
    // Also when many are made at once.
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let sessions = app.sessions.clone();
        tasks.spawn(async move { sessions.create("alice").await.map(|_| ()) });
    }
    for made in tasks.join_all().await {
        made.unwrap();
    }
    let left = app.sessions.handles_for_user("alice").await.unwrap();
    assert_eq!(left.len(), 2);
}

#[tokio::test]
async fn a_session_is_created_even_if_existing_ones_cannot_be_counted() {
    let app = App::with(|builder| builder.max_sessions_per_user(NonZero::new(1).unwrap())).await;
    app.sessions.create("alice").await.unwrap();
    app.advance_secs(1);
    let down = PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::UserSessionHandles);
    app.store.plan(down);
    app.sessions.create("alice").await.unwrap();
    let left = app.sessions.handles_for_user("alice").await.unwrap();
    assert_eq!(left.len(), 2);
    app.advance_secs(1);
    app.sessions.create("alice").await.unwrap();
    let left = app.sessions.handles_for_user("alice").await.unwrap();
    assert_eq!(left.len(), 1);
}
