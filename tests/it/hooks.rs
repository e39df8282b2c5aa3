//! The application's own code at the turning points of a session.

use std::sync::{Arc, Mutex};

use serde_json::json;
use supersession::Hooks;
use supersession::hooks::SessionEvent;

use crate::support::{App, Req};

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
async fn hooks_hear_of_creation_refresh_sign_out_and_theft_and_of_nothing_else() {
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
async fn a_hook_can_change_what_is_created() {
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
    assert_eq!(
        stored.custom_claims_in_access_token_payload.get("plan"),
        Some(json!("pro"))
    );
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
