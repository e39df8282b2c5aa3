//! The application's own code at the turning points of a session.

use std::sync::{Arc, Mutex};

use serde_json::json;
use supersession::hooks::{HookError, Refusal, SessionEvent};
use supersession::store::{MemoryStore, StoreErrorKind};
use supersession::{AntiCsrfInput, Fault, FaultKind, Hooks, SessionError, Sessions};
use supersession_testkit::{FaultStore, ManualClock, PlannedFault, Verb};

use crate::support::{App, Req, START, default_config, seed_keys};

/// What the hooks were told.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, what: &str, event: &SessionEvent) {
        let entry = format!(
            "{what} {} of {} in {}",
            event.handle, event.user_id, event.tenant_id
        );
        self.0.lock().unwrap().push(entry);
    }

    fn entries(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn hooks(diary: &Diary) -> Hooks {
    let (created, refreshed, signed_out, stolen) =
        (diary.clone(), diary.clone(), diary.clone(), diary.clone());
    Hooks::new()
        .on_created(move |event| {
            let diary = created.clone();
            async move { diary.note("created", &event) }
        })
        .on_refreshed(move |event| {
            let diary = refreshed.clone();
            async move { diary.note("refreshed", &event) }
        })
        .on_signed_out(move |event| {
            let diary = signed_out.clone();
            async move { diary.note("signed out", &event) }
        })
        .on_theft(move |theft| {
            let diary = stolen.clone();
            async move {
                let entry = format!(
                    "stolen {} of {}: {}",
                    theft.handle,
                    theft.user_id,
                    theft.class.as_str()
                );
                diary.0.lock().unwrap().push(entry);
            }
        })
}

#[tokio::test]
async fn hooks_run_at_creation_refresh_sign_out_and_theft_only() {
    let diary = Diary::default();
    let app = App::with(|builder| builder.hooks(hooks(&diary))).await;

    let login = Req::post("/create").header("st-auth-mode", "cookie");
    let first = app
        .send(login.json(&json!({"userId": "alice", "tenantId": "t1"})))
        .await
        .tokens();
    let whose = format!("{} of alice in t1", first.handle);
    assert_eq!(diary.entries(), [format!("created {whose}")]);

    let second = app
        .send(Req::refresh().refresh_cookie(&first))
        .await
        .tokens();
    assert_eq!(diary.entries(), [format!("refreshed {whose}")]);

    app.send(Req::get("/verify-db").access_cookie(&second))
        .await;
    app.send(Req::refresh()).await.is_unauthorised();
    assert!(diary.entries().is_empty());

    app.send(Req::signout().access_cookie(&second)).await;
    assert_eq!(diary.entries(), [format!("signed out {whose}")]);

    let stolen = app.login("bob").await;
    app.send(Req::refresh().refresh_cookie(&stolen)).await;
    diary.entries();
    app.advance_secs(31);
    app.send(Req::refresh().refresh_cookie(&stolen))
        .await
        .is_theft();
    assert_eq!(
        diary.entries(),
        [format!("stolen {} of bob: RECENT_PREV", stolen.handle)]
    );
}

#[tokio::test]
async fn a_hook_can_change_a_new_session() {
    let hooks = Hooks::new().before_create(|mut draft| async move {
        assert_eq!(
            draft.access_token_payload.get("iss"),
            Some(json!("https://api.example.com/auth"))
        );
        draft.set_payload("plan", "pro")?;
        draft.set_data("cart", &[1, 2])?;
        Ok(draft)
    });
    let app = App::with(|builder| builder.hooks(hooks)).await;
    let tokens = app.login("alice").await;
    assert_eq!(tokens.payload()["plan"], "pro");
    let stored = app
        .sessions
        .information(tokens.handle.as_str())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.session_data.as_str(), r#"{"cart":[1,2]}"#);
    assert_eq!(stored.access_token_payload.get("plan"), Some(json!("pro")));
}

#[tokio::test]
async fn a_hook_cannot_make_a_user_id_that_no_store_can_hold() {
    let hooks = Hooks::new().before_create(|mut draft| async move {
        draft.user_id = "x".repeat(129).into();
        Ok(draft)
    });
    let app = App::with(|builder| builder.hooks(hooks)).await;
    let answer = app.send(Req::post("/create").json(&json!({}))).await;
    answer.is_message(400, "a user id may have at most 128 characters");
}

/// A store, and sessions over it whose hooks can reach them.
async fn revoking(hooks: impl FnOnce(Sessions) -> Hooks) -> Sessions {
    let store = FaultStore::new(MemoryStore::new());
    seed_keys(&store, START).await;
    let build = |hooks| {
        default_config(Sessions::builder(store.clone()))
            .clock(ManualClock::new(START))
            .hooks(hooks)
            .build()
    };
    // As an administrator's service on another node.
    let elsewhere = build(Hooks::new()).await.unwrap();
    build(hooks(elsewhere)).await.unwrap()
}

#[tokio::test]
async fn a_session_revoked_during_its_refresh_is_not_returned() {
    let sessions = revoking(|elsewhere| {
        Hooks::new().on_refreshed(move |event| {
            let elsewhere = elsewhere.clone();
            async move { elsewhere.revoke(&event.handle).await.map(drop) }
        })
    })
    .await;
    let session = sessions.create("alice").await.unwrap();
    let tokens = session.all_session_tokens_dangerously();
    let token = tokens.refresh_token.unwrap();
    let refreshed = sessions.refresh_session(&token, AntiCsrfInput::Disabled);
    let error = refreshed.await.unwrap_err();
    assert!(matches!(error, SessionError::Unauthorised(_)), "{error:?}");
    assert!(error.clears_tokens());
}

#[tokio::test]
async fn a_session_revoked_during_its_creation_is_not_returned() {
    let sessions = revoking(|elsewhere| {
        Hooks::new().on_created(move |event| {
            let elsewhere = elsewhere.clone();
            async move { elsewhere.revoke(&event.handle).await.map(drop) }
        })
    })
    .await;
    let error = sessions.create("alice").await.unwrap_err();
    assert!(matches!(error, SessionError::Unauthorised(_)), "{error:?}");
    assert!(!error.clears_tokens());
}

fn closed() -> Refusal {
    Refusal::new(451, "your account is closed")
}

#[tokio::test]
async fn a_refused_refresh_ends_the_session_and_clears_the_tokens() {
    let hooks = Hooks::new().on_refreshed(|_| async { Err(closed()) });
    let app = App::with(|builder| builder.hooks(hooks)).await;
    for mode in ["cookie", "header"] {
        let tokens = app.login_as("alice", mode).await;
        let refresh = match mode {
            "cookie" => Req::refresh().refresh_cookie(&tokens),
            _ => Req::refresh().bearer(&tokens.refresh),
        };
        let answer = app.send(refresh).await;
        answer.is_message(451, "your account is closed");
        assert!(answer.clears_everything(), "{answer:?}");
        let left = app.sessions.handles_for_user("alice").await.unwrap();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test]
async fn a_refused_creation_leaves_nothing_behind() {
    let refusals: [fn() -> Hooks; 3] = [
        || Hooks::new().before_create(|_| async { Err(closed().into()) }),
        || Hooks::new().on_created(|_| async { Err(closed()) }),
        || {
            Hooks::new().on_created(|_| async {
                Err::<(), HookError>(SessionError::Refused(closed()).into())
            })
        },
    ];
    for hooks in refusals {
        let app = App::with(|builder| builder.hooks(hooks())).await;
        let login = Req::post("/create").header("st-auth-mode", "cookie");
        let answer = app.send(login.json(&json!({"userId": "alice"}))).await;
        answer.is_message(451, "your account is closed");
        // Tokens of an older session stay.
        assert!(answer.has_no_token_headers(), "{answer:?}");
        let left = app.sessions.handles_for_user("alice").await.unwrap();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test]
async fn a_refusal_can_have_its_own_body_and_be_rendered() {
    let hooks = Hooks::new().on_refreshed(|_| async { Err(closed().body(r#"{"closed":true}"#)) });
    let app = App::with(|builder| builder.hooks(hooks)).await;
    let tokens = app.login("alice").await;
    let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
    assert_eq!((answer.status, &*answer.text), (451, r#"{"closed":true}"#));

    let hooks = Hooks::new().on_refreshed(|_| async { Err(closed()) });
    let render = |error: &SessionError, mut reply: supersession::http::Reply| {
        if matches!(error, SessionError::Refused(refusal) if refusal.status() == 451) {
            reply.status = 410;
        }
        reply
    };
    let app = App::with(|builder| builder.hooks(hooks).render_errors(render)).await;
    let tokens = app.login("alice").await;
    let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
    answer.is_message(410, "your account is closed");
}

#[tokio::test]
async fn a_hook_says_unauthorised() {
    let hooks = Hooks::new()
        .on_refreshed(|_| async { Err(SessionError::unauthorised_keeping_tokens("banned")) });
    let app = App::with(|builder| builder.hooks(hooks)).await;
    let tokens = app.login("alice").await;
    let answer = app.send(Req::refresh().refresh_cookie(&tokens)).await;
    answer.is_unauthorised();
    assert!(answer.clears_everything(), "{answer:?}");
    let left = app.sessions.handles_for_user("alice").await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

/// A hook that fails is no verdict: nothing is handed out, nothing is cleared, and the client can
/// repeat the refresh.
#[tokio::test]
async fn a_failing_hook_is_a_fault_and_not_a_refusal() {
    let failures: [(u16, fn() -> HookError); 4] = [
        (500, || "the mail server is down".into()),
        (500, || SessionError::BadInput("too long".into()).into()),
        (503, || Fault::new(FaultKind::Unavailable, "down").into()),
        (503, || {
            SessionError::from(Fault::new(FaultKind::Unavailable, "down")).into()
        }),
    ];
    for (status, failure) in failures {
        let fails = Arc::new(Mutex::new(true));
        let failing = Arc::clone(&fails);
        let hooks = Hooks::new().on_refreshed(move |_| {
            let fails = *failing.lock().unwrap();
            async move { if fails { Err(failure()) } else { Ok(()) } }
        });
        let app = App::with(|builder| builder.hooks(hooks)).await;
        let tokens = app.login("alice").await;
        let refresh = || Req::refresh().refresh_cookie(&tokens);
        let answer = app.send(refresh()).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.has_no_token_headers(), "{answer:?}");
        *fails.lock().unwrap() = false;
        assert_eq!(app.send(refresh()).await.status, 200);
    }
}

/// The store cannot say if the session is still there: that is trouble too.
#[tokio::test]
async fn tokens_are_not_sent_while_the_store_cannot_confirm_the_session() {
    let hooks = Hooks::new().on_refreshed(|_| async {});
    let app = App::with(|builder| builder.hooks(hooks)).await;
    let tokens = app.login("alice").await;
    let refresh = || Req::refresh().refresh_cookie(&tokens);
    app.store.clear_calls();
    assert_eq!(app.send(refresh()).await.status, 200);
    assert_eq!(
        app.store.calls(),
        [Verb::Session, Verb::Rotate, Verb::Session]
    );
    app.store
        .plan(PlannedFault::new(StoreErrorKind::Unavailable).on(Verb::Session));
    let answer = app.send(refresh()).await;
    assert_eq!(answer.status, 503);
    assert!(answer.has_no_token_headers(), "{answer:?}");
}
