//! Listing and revoking the sessions of a user.

use serde_json::json as value;
use supersession::store::{SessionKey, UserSessions};
use supersession::{SessionHandle, TenantId};

use super::bodies::is_storable;
use crate::call::Call;
use crate::input::Input;
use crate::response::{ErrorResponse, HttpResponse, json};

pub(super) async fn handles(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let user = call.query.text("userId")?;
    let all_tenants = call.query.flag("fetchAcrossAllTenants").unwrap_or(true);
    let selection = selection(call, user, all_tenants).await?;
    let (store, now) = (&call.service.store, call.service.clock.now());
    let handles = if user.contains('\0') {
        Vec::new()
    } else {
        store.user_session_handles(&selection, now).await?
    };
    json(&value!({ "status": "OK", "sessionHandles": texts(&handles) }))
}

pub(super) async fn remove(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    const INVALID: &str = "Invalid JSON input - use one of userId or sessionHandles array";
    let input = Input::parse(&call.body)?;
    let user = input.optional_text("userId")?;
    let handles = input.optional_list::<String>("sessionHandles")?;
    let all_tenants = input.optional_flag("revokeAcrossAllTenants")?;
    input.optional_flag("revokeSessionsForLinkedAccounts")?;
    let revoked = match (user, handles) {
        (None, None) | (Some(_), Some(_)) => return Err(ErrorResponse::bad_request(INVALID)),
        (Some(user), None) => {
            let selection = selection(call, &user, all_tenants.unwrap_or(true)).await?;
            let (store, now) = (&call.service.store, call.service.clock.now());
            if user.contains('\0') {
                Vec::new()
            } else {
                store.delete_user_sessions(&selection, now).await?
            }
        }
        (None, Some(handles)) => {
            for field in ["revokeAcrossAllTenants", "revokeSessionsForLinkedAccounts"] {
                if input.has(field) {
                    return Err(ErrorResponse::bad_request(format!(
                        "Invalid JSON input - {field} can only be set if userId is set"
                    )));
                }
            }
            by_handle(call, &handles).await?
        }
    };
    let count = u64::try_from(revoked.len()).unwrap_or(u64::MAX);
    call.service.metrics.sessions_revoked.increment(count);
    json(&value!({ "status": "OK", "sessionHandlesRevoked": texts(&revoked) }))
}

/// Revokes all handles in one step. Returns each deleted session once.
async fn by_handle(
    call: &Call<'_>,
    handles: &[String],
) -> Result<Vec<SessionHandle>, ErrorResponse> {
    call.app().await?;
    let mut keys = Vec::with_capacity(handles.len());
    for handle in handles {
        let handle = SessionHandle::from(handle);
        call.app_of(&handle.tenant_id()).await?;
        if is_storable(&handle) {
            keys.push(SessionKey::new(&call.target.app, handle));
        }
    }
    let deleted = call.service.store.delete_sessions(&keys).await?;
    Ok(deleted.into_iter().map(|key| key.handle).collect())
}

async fn selection(
    call: &Call<'_>,
    user: &str,
    all_tenants: bool,
) -> Result<UserSessions, ErrorResponse> {
    let app = if all_tenants {
        call.app_from_5_0_on_public_tenant().await?
    } else {
        call.app().await?
    };
    let tenant: Option<TenantId> = (!all_tenants).then(|| call.target.tenant.clone());
    let mut selection = UserSessions::new(app.id.clone(), user.into());
    selection.tenant = tenant;
    Ok(selection)
}

fn texts(handles: &[SessionHandle]) -> Vec<&str> {
    handles.iter().map(SessionHandle::as_str).collect()
}
