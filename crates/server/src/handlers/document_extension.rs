//! Conditional and merging writes of session data, payloads and metadata, each one atomic step.
//! They extend the core driver interface, and `supersession-remote` uses them.

use serde::Serialize;
use serde_json::json as value;
use supersession::store::{DocumentWrite, SessionDocument, WriteOutcome};
use supersession::{JsonObject, MAX_DOCUMENT_BYTES, wire};

use crate::call::Call;
use crate::input::Input;
use crate::response::{ErrorResponse, HttpResponse, json};

const OVERWRITE: &str = "overwrite";
const MERGE: &str = "merge";
const COMPARE_AND_SWAP: &str = "compareAndSwap";

#[derive(Serialize)]
struct Written {
    status: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<JsonObject>,
}

/// Lists the supported writes. A client can thereby detect the extension.
pub(super) async fn describe(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    call.app_on_public_tenant().await?;
    json(&value!({ "status": "OK", "writes": [OVERWRITE, MERGE, COMPARE_AND_SWAP] }))
}

pub(super) async fn write(call: &Call<'_>) -> Result<HttpResponse, ErrorResponse> {
    let input = Input::parse(&call.body)?;
    let body = input.object("body")?;
    let write = match input.text("write")?.as_str() {
        OVERWRITE => DocumentWrite::Overwrite(body),
        MERGE => match input.optional_number("maxBytes")? {
            Some(most) => DocumentWrite::MergeWithin {
                patch: body,
                max_bytes: usize::try_from(most).unwrap_or(0).min(MAX_DOCUMENT_BYTES),
            },
            None => DocumentWrite::Merge(body),
        },
        COMPARE_AND_SWAP => DocumentWrite::CompareAndSwap {
            expected: input.stored_object("expected")?,
            replacement: body,
        },
        _ => {
            return Err(ErrorResponse::bad_request(
                "Field name 'write' is invalid in JSON input",
            ));
        }
    };
    let outcome = match input.optional_text(wire::CDI_SESSION_HANDLE)? {
        Some(handle) => of_session(call, &input, &handle, &write).await?,
        None => {
            let user = input.user_id("userId")?;
            let app = call.app_on_public_tenant().await?;
            let store = &call.service.store;
            store.write_user_metadata(&app.id, &user, &write).await?
        }
    };
    let (outcome, document) = match outcome {
        WriteOutcome::Written(document) => ("written", Some(document)),
        WriteOutcome::Conflict(stored) => ("conflict", Some(stored)),
        WriteOutcome::Gone => ("gone", None),
    };
    json(&Written {
        status: "OK",
        outcome,
        document,
    })
}

async fn of_session(
    call: &Call<'_>,
    input: &Input<'_>,
    handle: &str,
    write: &DocumentWrite,
) -> Result<WriteOutcome, ErrorResponse> {
    let which = match input.text("document")?.as_str() {
        "sessionData" => SessionDocument::SessionData,
        "payload" => SessionDocument::Payload,
        _ => {
            return Err(ErrorResponse::bad_request(
                "Field name 'document' is invalid in JSON input",
            ));
        }
    };
    if which == SessionDocument::Payload && sets_protected_member(call, write) {
        return Err(ErrorResponse::protected_claim());
    }
    let Some(key) = call.session_key(handle).await? else {
        return Ok(WriteOutcome::Gone);
    };
    let (store, now) = (&call.service.store, call.service.clock.now());
    Ok(store.write_document(&key, which, write, now).await?)
}

/// Returns `true` if the write sets a protected member. A document from before such names were
/// protected may keep its member, and the member may be removed.
fn sets_protected_member(call: &Call<'_>, write: &DocumentWrite) -> bool {
    let is_protected =
        |document: &JsonObject| call.cdi.token_version().protects_member_of(document);
    match write {
        DocumentWrite::Overwrite(document) => is_protected(document),
        DocumentWrite::Merge(patch) | DocumentWrite::MergeWithin { patch, .. } => {
            is_protected(&JsonObject::empty().merged_with(patch))
        }
        DocumentWrite::CompareAndSwap {
            expected,
            replacement,
        } => is_protected(replacement) && !is_protected(expected),
    }
}
