//! Claims, configuration, key sets and the engine's rules, case by case.

mod algorithms;
mod claim_verbs;
mod claims;
mod configuration;
mod creation;
mod data;
mod discovery;
mod foreign;
mod jwt;
mod key_lookups;
mod keys;
mod lists;
mod metadata;
mod refresh;
mod refresh_key;
mod refresh_token;
mod reissue;
mod rotation;
mod seen_tokens;
mod staleness;
mod verification;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use supersession::store::{KeyKind, Lineage, Rotation, SessionKey, SessionRecord, StoredKey};
use supersession::{
    AppId, Clock as _, JsonObject, RefreshHash2, RefreshToken, SessionHandle, SessionTokens,
    Store as _,
};

use crate::support::{App, START, Tokens};

/// The second at which every test starts.
const START_SECS: u64 = START.get() / 1_000;

fn object(value: &Value) -> JsonObject {
    JsonObject::from_serialize(value).unwrap()
}

fn value_of(object: &JsonObject) -> Value {
    object.deserialize().unwrap()
}

/// The stored hash of a refresh token.
fn hash2(refresh_token: &str) -> RefreshHash2 {
    RefreshHash2::of(&RefreshToken::new(refresh_token))
}

/// A segment of a JWT.
#[track_caller]
fn segment(token: &str, at: usize) -> Value {
    let segment = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).unwrap()).unwrap()
}

/// The row of a session, if it is live. Neither logged nor failed by planned faults.
async fn record(app: &App, handle: impl Into<SessionHandle>) -> Option<SessionRecord> {
    let key = SessionKey::new(&AppId::default(), handle.into());
    app.store
        .inner()
        .session(&key, app.clock.now())
        .await
        .unwrap()
}

/// Puts the row of a session into a state that another engine over the same database may have left.
async fn set_lineage(app: &App, handle: &str, lineage: Lineage) {
    let row = record(app, handle).await.unwrap();
    let next = Rotation::new(lineage, row.expires_at, row.key_kind);
    app.store
        .inner()
        .rotate(&row.key, &row.lineage, &row.payload, &next, app.clock.now())
        .await
        .unwrap();
}

/// All stored keys of a kind, newest first.
async fn stored_keys(app: &App, kind: KeyKind) -> Vec<StoredKey> {
    let keys = app
        .store
        .inner()
        .signing_keys(&AppId::default())
        .await
        .unwrap();
    keys.into_iter().filter(|key| key.kind == kind).collect()
}

/// The tokens of a session that was made without a request, as a client would keep them.
fn tokens_of(tokens: &SessionTokens) -> Tokens {
    Tokens {
        access: tokens.access_token.expose().to_owned(),
        refresh: tokens
            .refresh_token
            .as_ref()
            .map(|token| token.expose().to_owned())
            .unwrap_or_default(),
        anti_csrf: tokens
            .anti_csrf_token
            .as_ref()
            .map(|token| token.expose().to_owned()),
        handle: String::new(),
    }
}
