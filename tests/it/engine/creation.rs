//! What a new session is, in its tokens and in the store (core specification, 1.1 to 1.7).

use serde_json::{Value, json};
use supersession::{AntiCsrf, FaultKind, Hooks, SessionError, TenantId};

use super::foreign::h1;
use super::{START_SECS, hash2, object, record};
use crate::support::{App, Req, START};

const HUNDRED_DAYS: u64 = 100 * 86_400_000;

fn creation(body: &Value) -> Req {
    Req::post("/create")
        .header("st-auth-mode", "cookie")
        .json(body)
}

/// The payload has exactly the members of version 5, the issuer and what the application gave; the
/// header exactly its four.
///
/// Cases: C1, C5.
#[tokio::test]
async fn a_new_session_has_exactly_the_given_values() {
    let app = App::new().await;
    let body = json!({"userId": "alice", "payload": {"plan": "pro"}, "data": {"cart": [1]}});
    let answer = app.send(creation(&body)).await;
    let tokens = answer.tokens();
    let expected = json!({
        "sub": "alice", "rsub": "alice", "iat": START_SECS, "exp": START_SECS + 3_600,
        "sessionHandle": tokens.handle, "refreshTokenHash1": h1(&tokens.refresh), "parentRefreshTokenHash1": null,
        "antiCsrfToken": null, "tId": "public", "iss": "https://api.example.com/auth", "plan": "pro",
    });
    assert_eq!(tokens.payload(), expected);
    let header = json!({"alg": "RS256", "typ": "JWT", "version": "5", "kid": format!("d-{START}")});
    assert_eq!(tokens.header(), header);
    assert_eq!(
        answer.json(),
        json!({
            "userId": "alice", "recipeUserId": "alice", "tenantId": "public", "handle": tokens.handle,
            "payload": expected,
        })
    );
    assert!(tokens.anti_csrf.is_none());
    let stored = app
        .sessions
        .information(tokens.handle.as_str())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            &*stored.handle,
            &*stored.user_id,
            &*stored.recipe_user_id,
            &*stored.tenant_id
        ),
        (tokens.handle.as_str(), "alice", "alice", "public")
    );
    assert_eq!(stored.session_data, object(&json!({"cart": [1]})));
    let custom = json!({"plan": "pro", "iss": "https://api.example.com/auth"});
    assert!(stored.access_token_payload.same_json(&object(&custom)));
    assert!(is_uuid_v4(&tokens.handle), "{}", tokens.handle);
}

/// Cases: C3.
#[tokio::test]
async fn the_anti_csrf_token_of_the_answer_is_the_one_inside_the_access_token() {
    let app = App::with(|builder| builder.anti_csrf(AntiCsrf::ViaToken)).await;
    let tokens = app.login("alice").await;
    let anti_csrf = tokens.anti_csrf.clone().unwrap();
    assert!(is_uuid_v4(&anti_csrf), "{anti_csrf}");
    assert_eq!(tokens.payload()["antiCsrfToken"], json!(anti_csrf));
}

/// Cases: C4.
#[tokio::test]
async fn the_key_id_names_the_kind_of_key() {
    let app = App::new().await;
    let kid = app.login("alice").await.header()["kid"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(kid.strip_prefix("d-").unwrap().parse(), Ok(START.get()));
    let app = app
        .restarted_with(|builder| builder.use_dynamic_access_token_signing_key(false))
        .await;
    let kid = app.login("alice").await.header()["kid"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(is_uuid_v4(kid.strip_prefix("s-").unwrap()), "{kid}");
}

/// Cases: C6.
#[tokio::test]
async fn a_null_in_the_payload_survives_creation_verification_and_refresh() {
    let app = App::new().await;
    let body = json!({"payload": {"kept": null, "nested": {"n": null}}});
    let first = app.send(creation(&body)).await.tokens();
    let refreshed = app
        .send(Req::refresh().refresh_cookie(&first))
        .await
        .tokens();
    for tokens in [&first, &refreshed] {
        let payload = tokens.payload();
        assert_eq!(payload.get("kept"), Some(&Value::Null));
        assert_eq!(payload["nested"], json!({"n": null}));
        for path in ["/verify", "/verify-db"] {
            let answer = app.send(Req::get(path).access_cookie(tokens)).await;
            assert_eq!(answer.json()["payload"], payload, "{path}");
            assert!(answer.has_no_token_headers(), "{answer:?}");
        }
    }
}

/// The library drops protected names from what the application gives; what a hook adds behind that
/// reaches the engine, which refuses it.
///
/// Cases: C7.
#[tokio::test]
async fn a_protected_name_that_reaches_the_engine_stores_nothing() {
    let hooks = Hooks::new().before_create(|mut draft| async move {
        if draft.user_id == "mallory" {
            draft.set_payload("sub", "alice")?;
        }
        Ok(draft)
    });
    let app = App::with(|builder| builder.hooks(hooks)).await;
    let answer = app.send(creation(&json!({"userId": "mallory"}))).await;
    answer.is_message(500, "internal server error");
    assert!(answer.has_no_token_headers());
    assert!(
        app.sessions
            .handles_for_user("mallory")
            .await
            .unwrap()
            .is_empty()
    );
    let error = app.sessions.create("mallory").await.unwrap_err();
    let SessionError::Fault(fault) = error else {
        panic!("{error}");
    };
    assert_eq!(
        (fault.kind(), fault.to_string().as_str()),
        (
            FaultKind::Misuse,
            "The user payload contains protected field"
        )
    );

    let body =
        json!({"userId": "bob", "payload": {"sub": "alice", "exp": 1, "tId": "t9", "mine": 1}});
    let tokens = app.send(creation(&body)).await.tokens();
    let payload = tokens.payload();
    assert_eq!(
        (
            &payload["sub"],
            &payload["exp"],
            &payload["tId"],
            &payload["mine"]
        ),
        (
            &json!("bob"),
            &json!(START_SECS + 3_600),
            &json!("public"),
            &json!(1)
        )
    );
}

/// Cases: C10.
#[tokio::test]
async fn the_empty_user_id_is_a_user_id() {
    let app = App::new().await;
    let tokens = app.login("").await;
    assert_eq!(
        (&tokens.payload()["sub"], &tokens.payload()["rsub"]),
        (&json!(""), &json!(""))
    );
    let answer = app
        .send(Req::get("/verify-db").access_cookie(&tokens))
        .await;
    assert_eq!(answer.json()["userId"], "");
    assert_eq!(app.sessions.handles_for_user("").await.unwrap().len(), 1);
}

/// Cases: C13.
#[tokio::test]
async fn the_handle_and_the_tokens_of_a_session_name_its_tenant() {
    let app = App::new().await;
    let answer = app.send(creation(&json!({"tenantId": "t1"}))).await;
    assert_eq!(answer.json()["tenantId"], "t1");
    let tokens = answer.tokens();
    assert_eq!(tokens.payload()["tId"], "t1");
    let id = tokens.handle.strip_suffix("_t1").unwrap();
    assert!(is_uuid_v4(id), "{id}");
    let stored = app
        .sessions
        .information(tokens.handle.as_str())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.tenant_id, TenantId::new("t1").unwrap());
    let refreshed = app
        .send(Req::refresh().refresh_cookie(&tokens))
        .await
        .tokens();
    assert_eq!(refreshed.payload()["tId"], "t1");
}

/// Cases: C15.
#[tokio::test]
async fn the_row_of_a_new_session_knows_its_first_refresh_token_only_as_a_double_hash() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let row = record(&app, tokens.handle.as_str()).await.unwrap();
    assert_eq!(row.lineage.current, hash2(&tokens.refresh));
    assert_eq!(row.lineage.current.as_str(), h1(&h1(&tokens.refresh)));
    assert!(row.lineage.previous.is_none());
    let stored = app
        .sessions
        .information(tokens.handle.as_str())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.created_at, START);
    assert_eq!(
        stored.expires_at.get() - stored.created_at.get(),
        HUNDRED_DAYS
    );
}

/// Cases: C16.
#[tokio::test]
async fn the_jitter_shortens_access_tokens_within_its_bounds() {
    async fn lifetimes(jitter: f64) -> Vec<u64> {
        let app = App::with(|builder| builder.access_token_validity_jitter(jitter)).await;
        let mut lifetimes = Vec::new();
        for _ in 0..16 {
            let payload = app.login("alice").await.payload();
            lifetimes.push(payload["exp"].as_u64().unwrap() - payload["iat"].as_u64().unwrap());
        }
        lifetimes
    }
    assert!(lifetimes(0.0).await.iter().all(|seconds| *seconds == 3_600));
    let jittered = lifetimes(0.25).await;
    assert!(
        jittered
            .iter()
            .all(|seconds| (2_699..=3_600).contains(seconds)),
        "{jittered:?}"
    );
    assert!(
        jittered.iter().any(|seconds| *seconds != jittered[0]),
        "{jittered:?}"
    );
}

fn is_uuid_v4(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            14 => c == '4',
            _ => c.is_ascii_digit() || ('a'..='f').contains(&c),
        })
}
