//! Payloads that are too large for what carries them: an error to the handler, nothing stored, and
//! nothing sent that browsers drop.

use serde_json::{Value, json};
use supersession::claims::PrimitiveClaim;
use supersession::store::{DocumentWrite, SessionDocument, SessionKey};
use supersession::{
    AntiCsrfInput, AppId, CookiePrefix, Delivery, FaultKind, SessionError, SessionHandle,
    SessionsBuilder, Store as _,
};

use crate::support::{Answer, App, Req};

/// Payloads of growing size, so that every limit is met within a few bytes.
const STEP: usize = 50;

fn text(bytes: usize) -> Value {
    json!({ "groups": "x".repeat(bytes) })
}

fn create(mode: &str, payload: &Value) -> Req {
    let create = Req::post("/create").header("st-auth-mode", mode);
    create.json(&json!({ "userId": "alice", "payload": payload }))
}

/// Asserts that every browser keeps the cookies, and every server takes the headers.
#[track_caller]
fn is_deliverable(answer: &Answer) {
    for (name, value) in &answer.headers {
        let most = if name == "set-cookie" {
            4_096
        } else {
            8_190 - name.as_str().len() - 2
        };
        assert!(value.len() <= most, "{name}: {} bytes", value.len());
    }
    let access = answer.header("st-access-token").unwrap_or_default();
    assert!("authorization: Bearer ".len() + access.len() <= 8_190);
}

async fn sessions_of_alice(app: &App) -> usize {
    app.sessions.handles_for_user("alice").await.unwrap().len()
}

#[tokio::test]
async fn a_session_with_too_large_a_payload_is_not_created() {
    for (mode, least, configure) in [
        (
            "cookie",
            2_000,
            (|b| b) as fn(SessionsBuilder) -> SessionsBuilder,
        ),
        ("cookie", 2_000, |b| {
            b.cookie_prefix(CookiePrefix::Require)
                .cookie_domain(".example.com")
        }),
        ("cookie", 2_000, |b| {
            b.website_domain("https://example.org")
                .cookie_partitioned(true)
        }),
        ("header", 5_000, |b| b),
    ] {
        let app = App::with(configure).await;
        let mut created = 0;
        let refused = loop {
            let bytes = least + created * STEP;
            let answer = app.send(create(mode, &text(bytes))).await;
            if answer.status != 200 {
                break answer;
            }
            is_deliverable(&answer);
            created += 1;
        };
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(refused.has_no_token_headers(), "{refused:?}");
        assert!(refused.text.contains("too large"), "{refused:?}");
        assert!((1..30).contains(&created), "{mode}: {created}");
        assert_eq!(sessions_of_alice(&app).await, created);
    }
}

/// The case that applications meet: the groups of a user from an identity provider.
#[tokio::test]
async fn one_hundred_and_sixty_groups_do_not_fit_into_a_cookie() {
    let app = App::new().await;
    let groups: Vec<_> = (0..160)
        .map(|n| format!("department-{n:03}-members"))
        .collect();
    let answer = app
        .send(create("cookie", &json!({ "groups": groups })))
        .await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("session data"), "{answer:?}");
    assert_eq!(sessions_of_alice(&app).await, 0);
    let in_data = Req::post("/create")
        .header("st-auth-mode", "cookie")
        .json(&json!({ "data": { "groups": groups } }));
    assert_eq!(app.send(in_data).await.status, 200);
    let answer = app
        .send(create("header", &json!({ "groups": groups })))
        .await;
    is_deliverable(&answer);
}

#[tokio::test]
async fn a_merge_that_would_make_the_payload_too_large_changes_nothing() {
    for (mode, fits, exceeds) in [("cookie", 1_500, 3_000), ("header", 4_500, 6_500)] {
        let app = App::new().await;
        let tokens = app.login_as("alice", mode).await;
        let merge = |payload: &Value| {
            let merge = Req::post("/merge").json(payload);
            match mode {
                "cookie" => merge.access_cookie(&tokens),
                _ => merge.bearer(&tokens.access),
            }
        };
        let answer = app.send(merge(&text(fits))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        is_deliverable(&answer);
        let answer = app.send(merge(&text(exceeds))).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.has_no_token_headers());
        let stored = app.sessions.sessions_for_user("alice").await.unwrap();
        let stored = stored[0].access_token_payload.get("groups");
        assert_eq!(stored, Some(text(fits)["groups"].clone()));
    }
}

#[tokio::test]
async fn by_handle_too() {
    let app = App::new().await;
    let session = app.sessions.create("alice").await.unwrap();
    let handle = session.handle();
    let sessions = &app.sessions;
    sessions
        .merge_into_access_token_payload(handle, text(1_500))
        .await
        .unwrap()
        .unwrap();
    let too_large = |error: SessionError| match error {
        SessionError::PayloadTooLarge(error) => {
            assert!(error.bytes > error.limit, "{error}");
        }
        error => panic!("{error}"),
    };
    let merged = sessions
        .merge_into_access_token_payload(handle, text(3_000))
        .await;
    too_large(merged.unwrap_err());
    let modified = sessions
        .modify_access_token_payload(handle, |payload: &mut Value| {
            payload["more"] = json!("x".repeat(2_000));
        })
        .await;
    too_large(modified.unwrap_err());
    let claim = PrimitiveClaim::new("roles", |_| async {
        Ok::<_, std::fmt::Error>(Some("x".repeat(3_000)))
    });
    too_large(
        sessions
            .fetch_and_set_claim(handle, &claim)
            .await
            .unwrap_err(),
    );
    let value = "x".repeat(3_000);
    too_large(
        sessions
            .set_claim_value(handle, &claim, &value)
            .await
            .unwrap_err(),
    );
    too_large(session.set_claim_value(&claim, &value).await.unwrap_err());
    let information = session.information().await.unwrap();
    let stored = information.access_token_payload;
    assert_eq!(stored.get("groups"), Some(text(1_500)["groups"].clone()));
    assert!(!stored.contains_key("more") && !stored.contains_key("roles"));

    // An application whose sessions all travel in headers says so.
    let app = app
        .restarted_with(|builder| builder.max_access_token_bytes(8_000))
        .await;
    let merged = app
        .sessions
        .merge_into_access_token_payload(handle, text(4_500))
        .await;
    assert!(merged.unwrap().is_some());
}

/// Writes a payload as another program would, past all checks.
async fn store_payload(app: &App, handle: &str, payload: &Value) {
    let key = SessionKey::new(&AppId::default(), SessionHandle::from(handle));
    let write = DocumentWrite::Overwrite(payload.to_string().parse().unwrap());
    let now = supersession::Clock::now(&app.clock);
    let document = SessionDocument::Payload;
    app.store
        .write_document(&key, document, &write, now)
        .await
        .unwrap();
}

/// A payload that is stored already fails the refresh as a fault. Nothing is rotated or cleared, so
/// the same refresh token is good once the payload is repaired, after the grace period too.
#[tokio::test]
async fn a_stored_payload_that_is_too_large_logs_no_user_out() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let handle = tokens.payload()["sessionHandle"]
        .as_str()
        .unwrap()
        .to_owned();
    store_payload(&app, &handle, &text(5_000)).await;
    for _ in 0..2 {
        let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
        answer.is_message(500, "internal server error");
        assert!(answer.has_no_token_headers(), "{answer:?}");
        app.advance_secs(60);
    }
    // Verification goes on, and a guard that asks the store does not send what browsers drop.
    for path in ["/verify", "/verify-db"] {
        let answer = app.send(Req::get(path).access_cookie(&tokens)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.has_no_token_headers(), "{answer:?}");
    }
    let repair = app
        .sessions
        .merge_into_access_token_payload(handle.as_str(), json!({ "groups": null }));
    assert!(repair.await.unwrap().is_some());
    let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
    assert_eq!(answer.status, 200);
    is_deliverable(&answer);
}

/// A payload that is too large can be made smaller in steps.
#[tokio::test]
async fn a_merge_that_shortens_a_payload_is_never_refused() {
    let app = App::new().await;
    let session = app.sessions.create("alice").await.unwrap();
    let payload = json!({ "a": "x".repeat(4_000), "b": "x".repeat(4_000) });
    store_payload(&app, session.handle(), &payload).await;
    for name in ["a", "b"] {
        let merged = app
            .sessions
            .merge_into_access_token_payload(session.handle(), json!({ (name): null }))
            .await;
        assert!(merged.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_session_without_a_request_has_the_limit_of_a_header() {
    let app = App::new().await;
    let error = app
        .sessions
        .create("alice")
        .payload(text(7_000))
        .await
        .unwrap_err();
    assert!(matches!(error, SessionError::PayloadTooLarge(_)), "{error}");
    assert_eq!(sessions_of_alice(&app).await, 0);
    let session = app
        .sessions
        .create("alice")
        .payload(text(4_500))
        .await
        .unwrap();
    let refresh = session
        .all_session_tokens_dangerously()
        .refresh_token
        .unwrap();
    let disabled = AntiCsrfInput::Disabled;
    app.sessions
        .refresh_session(&refresh, disabled)
        .await
        .unwrap();
    // It cannot be tied to a request that wants cookies.
    let request = app.sessions.for_request("POST", "/");
    let by_cookie = http::Request::post("/")
        .header("st-auth-mode", "cookie")
        .body(())
        .unwrap();
    request.read(&View(&by_cookie));
    let SessionError::Fault(fault) = request.attach(&session).unwrap_err() else {
        panic!("no fault");
    };
    assert_eq!(fault.kind(), FaultKind::Misuse);
}

struct View<'a>(&'a http::Request<()>);

impl supersession::http::RequestView for View<'_> {
    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn path(&self) -> &str {
        self.0.uri().path()
    }

    fn headers(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self.0.headers() {
            each(name.as_str(), value.as_bytes());
        }
    }
}

/// A warning comes before the error.
#[tokio::test]
async fn payloads_that_come_close_are_logged() {
    let app = App::new().await;
    let logged = |handle: &SessionHandle| {
        let captured = crate::support::capture::captured();
        let mut lines = captured.lines();
        lines.any(|line| line.contains("close to the longest") && line.contains(handle.as_str()))
    };
    let session = app
        .sessions
        .create("alice")
        .payload(text(1_000))
        .await
        .unwrap();
    assert!(!logged(session.handle()));
    let delivery = session
        .merge_into_access_token_payload(text(2_100))
        .await
        .unwrap();
    assert_eq!(delivery, Delivery::AtNextRefresh);
    assert!(logged(session.handle()));
    let session = app
        .sessions
        .create("alice")
        .payload(text(4_700))
        .await
        .unwrap();
    assert!(logged(session.handle()));
}
