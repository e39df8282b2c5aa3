//! Users. This server stores no users; only the application knows them.

use serde_json::json as value;
use supersession::UnixMillis;
use supersession::store::UserSessions;

use crate::call::Call;
use crate::input::Input;
use crate::response::{ErrorResponse, HttpResponse, json, status};

/// Reports an unknown user. SDKs look up the user before they create a session, and continue if the
/// user is unknown.
pub(super) async fn user(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    call.query.text("userId")?;
    call.app_on_public_tenant().await?;
    status("UNKNOWN_USER_ID_ERROR")
}

/// Revokes all sessions of a user and deletes the user's metadata.
pub(super) async fn remove(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    let user = input.user_id("userId")?;
    input.optional_flag("removeAllLinkedAccounts")?;
    let app = call.app_on_public_tenant().await?;
    let (store, now) = (&call.service.store, call.service.clock.now());
    let all = UserSessions::new(app.id.clone(), user.clone());
    store.delete_user_sessions(&all, now).await?;
    store.delete_user_metadata(&app.id, &user).await?;
    status("OK")
}

/// Returns the number of users with a session that was used since the given time.
pub(super) async fn count_active(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let since = call.query.number("since")?;
    let since = u64::try_from(since)
        .map_err(|_| ErrorResponse::bad_request("'since' query parameter must be >= 0"))?;
    let app = call.app_from_5_0_on_public_tenant().await?;
    let now = call.service.clock.now();
    let count = call
        .service
        .registry
        .count_active_users(&app.id, UnixMillis::new(since), now)
        .await?;
    json(&value!({ "status": "OK", "count": count }))
}
