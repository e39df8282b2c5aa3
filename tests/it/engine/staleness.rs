//! What is stale or damaged does not decide.

use std::convert::Infallible;

use axum::Extension;
use axum::routing::get;
use serde_json::json;
use supersession::claims::{BooleanClaim, ClaimContext, PrimitiveArrayClaim};
use supersession::store::{KeyKind, StoredKey};
use supersession::{AppId, SecretText, Session, Store as _};
use supersession_axum::verify_session;

use crate::support::{App, Req, START};

/// Promise 3, for guards: one claim is fetched anew, and the verdict on the other is on what is
/// stored by then, not on what the token in the request says.
#[tokio::test]
async fn a_removed_role_fails_even_if_another_claim_is_fetched() {
    let verified = BooleanClaim::new("verified", |_: ClaimContext| async {
        Ok::<_, Infallible>(Some(true))
    });
    let role = PrimitiveArrayClaim::<String>::new("role", |_| async { Ok::<_, Infallible>(None) });
    let guard = verify_session()
        .require(verified.is_true())
        .require(role.includes("admin"));
    let app = App::with_routes(
        |builder| builder,
        |router| {
            let tell = get(|Extension(session): Extension<Session>| async move {
                session.user_id().to_string()
            });
            router.route("/admin", tell.layer(guard))
        },
    )
    .await;
    let login = Req::post("/create").header("st-auth-mode", "cookie");
    let tokens = app
        .send(login.json(&json!({"payload": {"role": {"v": ["admin"], "t": START}}})))
        .await
        .tokens();
    app.sessions
        .remove_claim(tokens.handle.as_str(), &role)
        .await
        .unwrap();
    let answer = app.send(Req::get("/admin").access_cookie(&tokens)).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(answer.json()["claimValidationErrors"][0]["id"], "role");
}

#[tokio::test]
async fn a_damaged_key_does_not_affect_other_keys() {
    let app = App::new().await;
    let tokens = app.login("alice").await;
    let created_at = START.before(std::time::Duration::from_secs(3_600));
    let damaged = StoredKey::new(
        format!("d-{created_at}"),
        KeyKind::Dynamic,
        created_at,
        SecretText::new("not|akey"),
    );
    let later = START.after(std::time::Duration::from_secs(1));
    assert!(
        app.store
            .add_dynamic_key(&AppId::default(), &damaged, later)
            .await
            .unwrap()
    );
    let restarted = app.restarted_with(|builder| builder).await;
    assert_eq!(
        restarted
            .send(Req::get("/verify").access_cookie(&tokens))
            .await
            .status,
        200
    );
    assert_eq!(restarted.sessions.jwks().await.unwrap().keys.len(), 2);
    restarted.login("bob").await;
}
