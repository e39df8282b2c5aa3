//! User metadata.

use serde::Serialize;
use supersession::store::{DocumentWrite, WriteOutcome};
use supersession::{JsonObject, MAX_DOCUMENT_BYTES, UserId};

use crate::call::Call;
use crate::input::{Input, check_user_id};
use crate::response::{ErrorResponse, HttpResponse, json, status};

const MAX_USERS: usize = 500;

#[derive(Serialize)]
struct Metadata {
    status: &'static str,
    metadata: JsonObject,
}

pub(super) async fn get(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let user = call.query.text("userId")?;
    let app = call.app_from_5_0_on_public_tenant().await?;
    let stored = find(call, &app.id, user).await?;
    json(&Metadata {
        status: "OK",
        metadata: stored.unwrap_or_default(),
    })
}

pub(super) async fn update(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    let user = input.user_id("userId")?;
    let update = input.object("metadataUpdate")?;
    let app = call.app_from_5_0_on_public_tenant().await?;
    let write = DocumentWrite::Merge(update);
    let store = &call.service.store;
    let metadata = match store.write_user_metadata(&app.id, &user, &write).await? {
        WriteOutcome::Written(metadata) => metadata,
        WriteOutcome::Conflict(_) => {
            return Err(ErrorResponse::bad_request(format!(
                "the metadata of a user has at most {MAX_DOCUMENT_BYTES} bytes"
            )));
        }
        WriteOutcome::Gone => JsonObject::empty(),
    };
    json(&Metadata {
        status: "OK",
        metadata,
    })
}

pub(super) async fn remove(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    let user = input.user_id("userId")?;
    let app = call.app_from_5_0_on_public_tenant().await?;
    let store = &call.service.store;
    store.delete_user_metadata(&app.id, &user).await?;
    status("OK")
}

pub(super) async fn bulk(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct User {
        user_id: String,
        metadata: Option<JsonObject>,
    }
    #[derive(Serialize)]
    struct Users {
        status: &'static str,
        users: Vec<User>,
    }

    let input = Input::parse(&call.body)?;
    let ids = input
        .optional_list::<serde_json::Value>("userIds")?
        .ok_or_else(|| {
            ErrorResponse::bad_request("Field name 'userIds' is invalid in JSON input")
        })?;
    if ids.len() > MAX_USERS {
        return Err(ErrorResponse::bad_request(format!(
            "You can only query up to {MAX_USERS} users at a time."
        )));
    }
    let mut users = Vec::with_capacity(ids.len());
    for id in ids {
        let serde_json::Value::String(user_id) = id else {
            return Err(ErrorResponse::bad_request(
                "userIds array must contain only strings",
            ));
        };
        users.push(User {
            user_id,
            metadata: None,
        });
    }
    if !users.is_empty() {
        let app = call.app_from_5_0_on_public_tenant().await?;
        for user in &mut users {
            user.metadata = find(call, &app.id, &user.user_id).await?;
        }
    }
    json(&Users {
        status: "OK",
        users,
    })
}

/// Returns the stored metadata, or `None` for an id that no store accepts.
async fn find(
    call: &Call<'_>,
    app: &supersession::AppId,
    user: &str,
) -> Result<Option<JsonObject>, ErrorResponse> {
    if check_user_id(user).is_err() {
        return Ok(None);
    }
    let store = &call.service.store;
    Ok(store.user_metadata(app, &UserId::from(user)).await?)
}
