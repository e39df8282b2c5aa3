//! Claims by name and through a handle, and what their configuration refuses (session
//! specification, 9.4 and 9.5).

use axum::routing::any;
use axum::{Json, Router};
use serde_json::{Value, json};
use supersession::claims::{BooleanClaim, Claim, ClaimFailure, ClaimValidator, Verdict};
use supersession::{AccessToken, BuildError, FaultKind, SessionError, VerifyOptions};
use supersession_axum::{SessionRejection, verify_session};
use supersession_testkit::Verb;

use super::START_SECS;
use super::claims::{Backend, KEY, ask, entry, guarded, stored};
use crate::support::{App, Req, describe};

/// Cases: S188.
#[tokio::test]
async fn a_claim_is_set_read_fetched_and_removed_through_a_handle_and_by_name() {
    let backend = Backend::holding(Some(true));
    let claim = backend.claim();
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let token = AccessToken::new(tokens.access.clone());
    let options = VerifyOptions::new();
    let session = app
        .sessions
        .verify_access_token(&token, None, &options)
        .await
        .unwrap()
        .unwrap();
    let handle = session.handle().clone();
    let in_store = async || {
        app.sessions
            .claim_value(&handle, &claim)
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(
        (session.claim_value(&claim), in_store().await),
        (None, None)
    );

    app.advance_secs(7);
    let fresh = |value: bool| Some(json!({"v": value, "t": supersession::Clock::now(&app.clock)}));
    session.set_claim_value(&claim, &false).await.unwrap();
    assert_eq!(
        (session.claim_value(&claim), in_store().await),
        (Some(false), Some(false))
    );
    assert_eq!(
        (
            session.access_token_payload().get(KEY),
            stored(&app, &tokens, KEY).await
        ),
        (fresh(false), fresh(false))
    );
    session.fetch_and_set_claim(&claim).await.unwrap();
    assert_eq!(
        (session.claim_value(&claim), in_store().await),
        (Some(true), Some(true))
    );
    session.remove_claim(&claim).await.unwrap();
    assert_eq!(
        (
            session.access_token_payload().get(KEY),
            stored(&app, &tokens, KEY).await
        ),
        (None, None)
    );

    app.advance_secs(7);
    assert!(
        app.sessions
            .set_claim_value(&handle, &claim, &false)
            .await
            .unwrap()
    );
    assert_eq!(
        (in_store().await, stored(&app, &tokens, KEY).await),
        (Some(false), fresh(false))
    );
    assert_eq!(
        session.claim_value(&claim),
        None,
        "a handle does not follow what others do"
    );
    assert!(
        app.sessions
            .fetch_and_set_claim(&handle, &claim)
            .await
            .unwrap()
    );
    assert_eq!(in_store().await, Some(true));
    assert!(app.sessions.remove_claim(&handle, &claim).await.unwrap());
    assert_eq!(
        (in_store().await, stored(&app, &tokens, KEY).await),
        (None, None)
    );
    assert!(
        app.sessions.remove_claim(&handle, &claim).await.unwrap(),
        "removing nothing is fine"
    );
}

/// Cases: S189.
#[tokio::test]
async fn claims_of_a_session_that_is_gone_are_neither_read_nor_written() {
    let backend = Backend::holding(Some(true));
    let claim = backend.claim();
    let app = App::new().await;
    let validators = [ClaimValidator::from(claim.is_true())];
    let revoked = app.login("alice").await.handle;
    app.sessions.revoke(revoked.as_str()).await.unwrap();
    for handle in ["unknown", revoked.as_str()] {
        assert!(
            !app.sessions
                .fetch_and_set_claim(handle, &claim)
                .await
                .unwrap()
        );
        assert!(
            !app.sessions
                .set_claim_value(handle, &claim, &true)
                .await
                .unwrap()
        );
        assert!(!app.sessions.remove_claim(handle, &claim).await.unwrap());
        assert_eq!(
            app.sessions.claim_value(handle, &claim).await.unwrap(),
            None
        );
        assert_eq!(
            app.sessions
                .validate_claims(handle, &validators)
                .await
                .unwrap(),
            None
        );
        assert_eq!(app.sessions.information(handle).await.unwrap(), None);
    }
    assert_eq!(backend.fetches(), 0);
    // Of a session that is there, all failures are told, and what was fetched is kept.
    let tokens = app.login("alice").await;
    assert_eq!(
        app.sessions
            .validate_claims(tokens.handle.as_str(), &validators)
            .await
            .unwrap(),
        Some(vec![])
    );
    assert_eq!(stored(&app, &tokens, KEY).await, Some(entry(true)));
    let validators = [ClaimValidator::from(claim.is_false().id("no"))];
    let failures = app
        .sessions
        .validate_claims(tokens.handle.as_str(), &validators)
        .await
        .unwrap()
        .unwrap();
    let ids: Vec<_> = failures
        .iter()
        .map(|failure: &ClaimFailure| failure.id.as_str())
        .collect();
    assert_eq!(ids, ["no"]);
}

/// Cases: S190.
#[tokio::test]
async fn fetching_nothing_keeps_the_payload_but_still_makes_a_token() {
    let claim = Backend::holding(None).claim();
    let app = App::with_routes(
        |builder| builder,
        move |router: Router| {
            let fetch = async move |session: supersession_axum::Session| {
                session.fetch_and_set_claim(&claim).await?;
                Ok::<_, SessionRejection>(Json(describe(&session)))
            };
            router.route("/fetch", any(fetch))
        },
    )
    .await;
    let tokens = app.login("alice").await;
    app.advance_secs(1);
    let answer = app.send(Req::get("/fetch").access_cookie(&tokens)).await;
    let mut expected = tokens.payload();
    expected["iat"] = json!(START_SECS + 1);
    assert_eq!((answer.status, answer.tokens().payload()), (200, expected));
}

/// Cases: S191.
#[tokio::test]
async fn two_claims_of_one_key_are_an_error_of_the_configuration() {
    let builder = crate::support::default_config(supersession::Sessions::builder(
        supersession::store::MemoryStore::new(),
    ))
    .claim(Backend::default().claim())
    .claim(Backend::default().claim());
    let error = builder.build().await.unwrap_err();
    let BuildError::Config(problems) = error else {
        panic!("{error}");
    };
    assert_eq!(problems.len(), 1);
    assert_eq!(
        (problems[0].setting, problems[0].problem.as_str()),
        ("claim", "two claims have the key `st-test`")
    );
    // Two validators of one claim are fine.
    let claim = Backend::holding(Some(true)).claim();
    let app = App::with(|builder| {
        builder
            .global_validator(claim.is_true())
            .global_validator(claim.is_true())
            .claim(claim)
    })
    .await;
    let tokens = app.login("alice").await;
    assert_eq!(
        app.send(Req::get("/verify").access_cookie(&tokens))
            .await
            .status,
        200
    );
}

/// Cases: S192.
#[tokio::test]
async fn the_status_of_a_failed_claim_can_be_chosen() {
    let fails = ClaimValidator::from_fn("x", |_| Verdict::Invalid(None));
    let app = App::with(|builder| builder.invalid_claim_status(418).global_validator(fails)).await;
    let tokens = app.login("alice").await;
    let answer = app.send(Req::get("/verify").access_cookie(&tokens)).await;
    let body = json!({"message": "invalid claim", "claimValidationErrors": [{"id": "x"}]});
    assert_eq!((answer.status, answer.json()), (418, body));
    assert!(answer.has_no_token_headers(), "{answer:?}");
}

/// The reference writes the whole payload of the token back when a claim is fetched, which removes
/// members that are null and undoes what others changed. Here only the claims that changed are
/// written.
///
/// Cases: S178.
#[tokio::test]
async fn fetching_a_claim_writes_that_claim_and_nothing_else() {
    let backend = Backend::holding(Some(true));
    let app = guarded(
        |builder| builder,
        verify_session().require(backend.claim().is_true()),
    )
    .await;
    let body = json!({"userId": "alice", "payload": {"kept": null, "role": "admin"}});
    let create = Req::post("/create")
        .header("st-auth-mode", "cookie")
        .json(&body);
    let tokens = app.send(create).await.tokens();
    app.sessions
        .merge_into_access_token_payload(tokens.handle.as_str(), json!({"role": null, "new": 1}))
        .await
        .unwrap()
        .unwrap();
    let answer = ask(&app, &tokens).await;
    let payload = answer.tokens().payload();
    assert_eq!(payload.get("kept"), Some(&Value::Null));
    assert_eq!(
        (payload.get("role"), &payload["new"], &payload[KEY]),
        (None, &json!(1), &entry(true))
    );
    assert_eq!(stored(&app, &tokens, "role").await, None);
    assert_eq!(stored(&app, &tokens, "kept").await, Some(Value::Null));
}

/// A fetch that fails is a fault: neither a pass nor a 403, and nothing is written.
///
/// Cases: S177.
#[tokio::test]
async fn a_claim_that_cannot_be_fetched_is_a_fault() {
    let claim = BooleanClaim::new(KEY, |_| async {
        Err::<Option<bool>, _>("the directory does not answer")
    });
    let app = guarded(|builder| builder, verify_session().require(claim.is_true())).await;
    let tokens = app.login("alice").await;
    app.store.clear_calls();
    let answer = ask(&app, &tokens).await;
    answer.is_message(500, "internal server error");
    assert!(answer.has_no_token_headers(), "{answer:?}");
    assert_eq!(app.store.count(Verb::WriteDocument), 0);
    let error = app
        .sessions
        .fetch_and_set_claim(tokens.handle.as_str(), &claim)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SessionError::Fault(fault) if fault.kind() == FaultKind::Internal),
        "{error}"
    );
    assert_eq!(Claim::key(&claim), KEY);
}
