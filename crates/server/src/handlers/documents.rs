//! Replacing the session data or the payload of a session. Each write is one atomic step, and no
//! write recreates a deleted session.

use serde::Serialize;
use supersession::JsonObject;
use supersession::store::{DocumentWrite, SessionDocument, SessionRecord, WriteOutcome};

use super::bodies::{SESSION_HANDLE, SESSION_MISSING};
use crate::call::Call;
use crate::input::Input;
use crate::response::{ErrorResponse, HttpResponse, json, status, unauthorised};

#[derive(Serialize)]
struct SessionData {
    status: &'static str,
    #[serde(rename = "userDataInDatabase")]
    session_data: JsonObject,
}

#[derive(Serialize)]
struct Payload {
    status: &'static str,
    #[serde(rename = "userDataInJWT")]
    payload: JsonObject,
}

pub(super) async fn session_data(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    match requested_session(call).await? {
        None => unauthorised(SESSION_MISSING),
        Some(record) => json(&SessionData {
            status: "OK",
            session_data: record.session_data,
        }),
    }
}

pub(super) async fn payload(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    match requested_session(call).await? {
        None => unauthorised(SESSION_MISSING),
        Some(record) => json(&Payload {
            status: "OK",
            payload: record.payload,
        }),
    }
}

async fn requested_session(call: &Call<'_>) -> Result<Option<SessionRecord>, ErrorResponse> {
    let handle = call.query.text(SESSION_HANDLE)?;
    call.session(handle).await
}

pub(super) async fn set_session_data(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    let handle = input.text(SESSION_HANDLE)?;
    let document = input.object("userDataInDatabase")?;
    write(call, &handle, SessionDocument::SessionData, document).await
}

pub(super) async fn set_payload(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    let handle = input.text(SESSION_HANDLE)?;
    let payload = input.object("userDataInJWT")?;
    if call.cdi.token_version().protects_member_of(&payload) {
        return Err(ErrorResponse::protected_claim());
    }
    write(call, &handle, SessionDocument::Payload, payload).await
}

async fn write(
    call: &Call<'_>,
    handle: &str,
    which: SessionDocument,
    document: JsonObject,
) -> Result<HttpResponse, ErrorResponse> {
    let Some(key) = call.session_key(handle).await? else {
        return unauthorised(SESSION_MISSING);
    };
    let (store, now) = (&call.service.store, call.service.clock.now());
    let write = DocumentWrite::Overwrite(document);
    match store.write_document(&key, which, &write, now).await? {
        WriteOutcome::Written(_) => status("OK"),
        WriteOutcome::Gone | WriteOutcome::Conflict(_) => unauthorised(SESSION_MISSING),
    }
}
