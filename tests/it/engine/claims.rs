//! Session claims, through guards and through the API (session specification, section 9).

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::routing::any;
use axum::{Extension, Json};
use serde_json::{Value, json};
use supersession::claims::{
    BooleanClaim, ClaimContext, ClaimValidator, PrimitiveArrayClaim, PrimitiveClaim, Verdict,
};
use supersession::{Session, SessionsBuilder};
use supersession_axum::{VerifySession, verify_session};

use super::record;
use crate::support::{Answer, App, Req, START, Tokens, describe};

pub(super) const KEY: &str = "st-test";

/// What a claim fetches, to be changed by the test, and how often it did.
#[derive(Clone, Default)]
pub(super) struct Backend(Arc<Mutex<(Option<bool>, usize)>>);

impl Backend {
    pub(super) fn holding(value: Option<bool>) -> Self {
        let backend = Self::default();
        backend.set(value);
        backend
    }

    pub(super) fn set(&self, value: Option<bool>) {
        self.0.lock().unwrap().0 = value;
    }

    pub(super) fn fetches(&self) -> usize {
        self.0.lock().unwrap().1
    }

    pub(super) fn claim(&self) -> BooleanClaim {
        let backend = self.clone();
        BooleanClaim::new(KEY, move |_| {
            let mut state = backend.0.lock().unwrap();
            state.1 += 1;
            let value = state.0;
            async move { Ok::<_, Infallible>(value) }
        })
    }
}

async fn tell(Extension(session): Extension<Session>) -> Json<Value> {
    Json(describe(&session))
}

/// An application with `/guarded` behind this guard.
pub(super) async fn guarded(
    configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    guard: VerifySession,
) -> App {
    App::with_routes(configure, |router| {
        router.route("/guarded", any(tell).layer(guard))
    })
    .await
}

pub(super) async fn ask(app: &App, tokens: &Tokens) -> Answer {
    app.send(Req::get("/guarded").access_cookie(tokens)).await
}

/// Exactly a 403 with these failures, and nothing of tokens.
#[track_caller]
fn refused(answer: &Answer, failures: &Value) {
    let body = json!({"message": "invalid claim", "claimValidationErrors": failures});
    assert_eq!((answer.status, answer.json()), (403, body));
    assert!(answer.has_no_token_headers(), "{answer:?}");
}

pub(super) fn entry(value: impl Into<Value>) -> Value {
    let value: Value = value.into();
    json!({"v": value, "t": START})
}

pub(super) async fn stored(app: &App, tokens: &Tokens, key: &str) -> Option<Value> {
    let row = record(app, tokens.handle.as_str()).await.unwrap();
    row.payload.get(key)
}

/// Cases: S174.
#[tokio::test]
async fn a_registered_claim_is_in_every_new_payload() {
    let app = App::with(|builder| builder.claim(Backend::holding(Some(true)).claim())).await;
    let tokens = app.login("alice").await;
    let payload = tokens.payload();
    assert_eq!(payload[KEY], entry(true));
    assert_eq!(payload.as_object().unwrap().len(), 11, "{payload}");
    assert_eq!(stored(&app, &tokens, KEY).await, Some(entry(true)));
}

/// Cases: S175.
#[tokio::test]
async fn a_claim_without_a_fetched_value_adds_nothing() {
    let app = App::with(|builder| builder.claim(Backend::holding(None).claim())).await;
    let payload = app.login("alice").await.payload();
    assert_eq!(
        (payload.get(KEY), payload.as_object().unwrap().len()),
        (None, 10)
    );
}

/// The claim gets the session's ids and the payload so far, and wins over a member of the same
/// name.
///
/// Cases: S176.
#[tokio::test]
async fn claims_join_the_payload_that_the_caller_gave() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let second = PrimitiveClaim::new("second", move |user: ClaimContext| {
        let line = format!(
            "{} {} {} {}",
            user.user_id, user.recipe_user_id, user.tenant_id, user.payload
        );
        log.lock().unwrap().push(line);
        async move { Ok::<_, Infallible>(Some("fetched".to_owned())) }
    });
    let app = App::with(|builder| {
        builder
            .claim(Backend::holding(Some(false)).claim())
            .claim(second)
    })
    .await;
    let body =
        json!({"userId": "alice", "tenantId": "t1", "payload": {"mine": [1], "second": "given"}});
    let payload = app
        .send(Req::post("/create").json(&body))
        .await
        .tokens()
        .payload();
    assert_eq!(
        (&payload["mine"], &payload[KEY], &payload["second"]),
        (&json!([1]), &entry(false), &entry("fetched"))
    );
    let lines = seen.lock().unwrap().clone();
    assert_eq!(lines.len(), 1);
    let (ids, so_far) = lines[0].split_once('{').unwrap();
    assert_eq!(ids, "alice alice t1 ");
    let so_far: Value = serde_json::from_str(&format!("{{{so_far}")).unwrap();
    let expected = json!({"mine": [1], "second": "given", "iss": "https://api.example.com/auth", KEY: entry(false)});
    assert_eq!(so_far, expected);
}

/// Cases: S177.
#[tokio::test]
async fn a_claim_that_is_absent_and_stays_so_is_refused() {
    let backend = Backend::holding(None);
    let app = guarded(
        |builder| builder,
        verify_session().require(backend.claim().is_true()),
    )
    .await;
    let tokens = app.login("alice").await;
    let reason = json!({"message": "value does not exist", "expectedValue": true});
    refused(
        &ask(&app, &tokens).await,
        &json!([{"id": KEY, "reason": reason}]),
    );
    assert_eq!(backend.fetches(), 1);
    assert_eq!(stored(&app, &tokens, KEY).await, None);
}

/// Cases: S178.
#[tokio::test]
async fn a_claim_that_can_be_fetched_passes_and_the_client_gets_it() {
    let backend = Backend::holding(Some(true));
    let app = guarded(
        |builder| builder,
        verify_session().require(backend.claim().is_true()),
    )
    .await;
    let tokens = app.login("alice").await;
    let answer = ask(&app, &tokens).await;
    assert_eq!(answer.status, 200);
    let reissued = answer.tokens();
    let mut expected = tokens.payload();
    expected[KEY] = entry(true);
    assert_eq!(
        (reissued.payload(), &answer.json()["payload"]),
        (expected.clone(), &expected)
    );
    assert_eq!(answer.front_token().unwrap()["up"], expected);
    assert_eq!(answer.cookies().len(), 1, "the access token alone");
    assert_eq!(stored(&app, &tokens, KEY).await, Some(entry(true)));
    // Once the client has it, nothing is fetched, written or sent.
    app.store.clear_calls();
    let answer = ask(&app, &reissued).await;
    assert!(
        answer.status == 200 && answer.has_no_token_headers(),
        "{answer:?}"
    );
    assert_eq!((backend.fetches(), app.store.calls()), (1, vec![]));
}

/// Cases: S179.
#[tokio::test]
async fn a_wrong_value_that_was_fetched_is_stored_but_not_sent() {
    let backend = Backend::holding(Some(false));
    let app = guarded(
        |builder| builder,
        verify_session().require(backend.claim().is_true()),
    )
    .await;
    let tokens = app.login("alice").await;
    let reason = json!({"message": "wrong value", "expectedValue": true, "actualValue": false});
    refused(
        &ask(&app, &tokens).await,
        &json!([{"id": KEY, "reason": reason}]),
    );
    let information = app
        .sessions
        .information(tokens.handle.as_str())
        .await
        .unwrap()
        .unwrap();
    let claims = information.access_token_payload;
    assert_eq!(claims.get(KEY), Some(entry(false)));
}

/// Cases: S180, S181, S183.
#[tokio::test]
async fn all_validators_run_and_failures_are_reported_in_order() {
    let reason = json!({"any": ["json", 1, null]});
    let told = reason.clone();
    let backend = Backend::holding(Some(false));
    let guard = verify_session()
        .require(ClaimValidator::from_fn("silent", |_| {
            Verdict::Invalid(None)
        }))
        .require(ClaimValidator::from_fn("fine", |_| Verdict::Valid))
        .require(ClaimValidator::from_fn("told", move |payload| {
            assert_eq!(payload.get("sub"), Some(json!("alice")));
            Verdict::Invalid(Some(told.clone()))
        }))
        .require(backend.claim().is_true());
    let global = ClaimValidator::from_fn("global", |_| Verdict::Invalid(Some(json!("text"))));
    let app = guarded(|builder| builder.global_validator(global), guard).await;
    let tokens = app.login("alice").await;
    let wrong = json!({"message": "wrong value", "expectedValue": true, "actualValue": false});
    let failures = json!([
        {"id": "global", "reason": "text"}, {"id": "silent"}, {"id": "told", "reason": reason},
        {"id": KEY, "reason": wrong},
    ]);
    refused(&ask(&app, &tokens).await, &failures);
    let names = |answer: &Answer| {
        let failure = answer.json()["claimValidationErrors"][1].clone();
        failure
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&ask(&app, &tokens).await), ["id"]);
}

/// Cases: S182.
#[tokio::test]
async fn a_guard_may_override_the_global_validators() {
    let fails = || ClaimValidator::from_fn("global", |_| Verdict::Invalid(None));
    let guard = verify_session().override_global_validators(|global, session| {
        assert_eq!(
            (global.len(), global[0].id(), &**session.user_id()),
            (1, "global", "alice")
        );
        Vec::new()
    });
    let app = guarded(|builder| builder.global_validator(fails()), guard).await;
    let tokens = app.login("alice").await;
    assert_eq!(ask(&app, &tokens).await.status, 200);
    refused(
        &app.send(Req::get("/verify").access_cookie(&tokens)).await,
        &json!([{"id": "global"}]),
    );
    assert_eq!(app.sessions.global_validators().len(), 1);
    // What the guard itself requires comes on top of an empty list.
    let guard = verify_session()
        .override_global_validators(|_, _| Vec::new())
        .require(ClaimValidator::from_fn("own", |_| Verdict::Invalid(None)));
    let app = guarded(|builder| builder.global_validator(fails()), guard).await;
    refused(
        &ask(&app, &app.login("alice").await).await,
        &json!([{"id": "own"}]),
    );
}

/// Cases: S184.
#[tokio::test]
async fn a_value_that_is_too_old_and_cannot_be_fetched_has_expired() {
    let backend = Backend::holding(Some(true));
    let check = backend.claim().is_true().max_age(Duration::from_secs(1));
    let app = guarded(
        |builder| builder.claim(backend.claim()),
        verify_session().require(check),
    )
    .await;
    let tokens = app.login("alice").await;
    backend.set(None);
    app.advance_secs(1);
    assert_eq!(
        ask(&app, &tokens).await.status,
        200,
        "as old as allowed is not too old"
    );
    app.advance(Duration::from_millis(500));
    let reason = json!({"message": "expired", "ageInSeconds": 1.5, "maxAgeInSeconds": 1});
    refused(
        &ask(&app, &tokens).await,
        &json!([{"id": KEY, "reason": reason}]),
    );
    // With a value to be fetched, it is fetched.
    backend.set(Some(true));
    let answer = ask(&app, &tokens).await;
    let refetched = json!({"v": true, "t": START.after(Duration::from_millis(1_500))});
    assert_eq!(
        (answer.status, &answer.tokens().payload()[KEY]),
        (200, &refetched)
    );
}

/// Cases: S185.
#[tokio::test]
async fn without_a_limit_no_value_is_too_old() {
    let backend = Backend::holding(Some(true));
    let guard = verify_session().require(backend.claim().is_true());
    let app = guarded(
        |builder| {
            builder
                .claim(backend.claim())
                .access_token_validity(Duration::from_secs(86_400 * 30))
        },
        guard,
    )
    .await;
    let tokens = app.login("alice").await;
    backend.set(Some(false));
    app.advance_secs(86_400 * 29);
    let answer = ask(&app, &tokens).await;
    assert!(
        answer.status == 200 && answer.has_no_token_headers(),
        "{answer:?}"
    );
    assert_eq!(backend.fetches(), 1, "at creation only");
}

/// The verdicts of each validator are in the unit tests of the claims; this is what reaches the
/// client.
///
/// Cases: S186, S187.
#[tokio::test]
async fn checks_of_arrays_report_their_own_expectations_and_ids() {
    let roles = PrimitiveArrayClaim::new("st-role", |user: ClaimContext| async move {
        Ok::<_, Infallible>(
            (user.user_id == "alice").then(|| vec!["user".to_owned(), "editor".to_owned()]),
        )
    });
    let guard = verify_session()
        .require(roles.includes("admin"))
        .require(roles.excludes("user").id("no-users"))
        .require(roles.includes_all(["user", "admin"]).id("all"))
        .require(roles.includes_any(["admin", "root"]).id("any"))
        .require(roles.excludes_all(["root", "editor"]).id("none"))
        .require(roles.includes("user").id("right"))
        .require(roles.excludes("root"))
        .require(roles.includes_all(["user", "editor"]))
        .require(roles.includes_any(["root", "user"]))
        .require(roles.excludes_all(["root", "admin"]));
    let app = guarded(|builder| builder.claim(roles), guard).await;
    let actual = json!(["user", "editor"]);
    let wrong = |key: &str, expected: Value| json!({"message": "wrong value", key: expected, "actualValue": actual});
    let failures = json!([
        {"id": "st-role", "reason": wrong("expectedToInclude", json!("admin"))},
        {"id": "no-users", "reason": wrong("expectedToNotInclude", json!("user"))},
        {"id": "all", "reason": wrong("expectedToInclude", json!(["user", "admin"]))},
        {"id": "any", "reason": wrong("expectedToIncludeAtLeastOneOf", json!(["admin", "root"]))},
        {"id": "none", "reason": wrong("expectedToNotInclude", json!(["root", "editor"]))},
    ]);
    refused(&ask(&app, &app.login("alice").await).await, &failures);
    let missing =
        |key: &str, expected: Value| json!({"message": "value does not exist", key: expected});
    let answer = ask(&app, &app.login("bob").await).await;
    let failures = answer.json()["claimValidationErrors"].clone();
    assert_eq!(failures.as_array().unwrap().len(), 10);
    // The reference names the expectation of this one otherwise where the claim is missing.
    let any =
        json!({"id": "any", "reason": missing("expectedToNotInclude", json!(["admin", "root"]))});
    assert_eq!(failures[3], any);
    let none =
        json!({"id": "none", "reason": missing("expectedToNotInclude", json!(["root", "editor"]))});
    assert_eq!(failures[4], none);
}
