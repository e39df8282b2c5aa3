//! Signing keys and the master key of the refresh tokens. Each app has a hash of signing keys. The
//! field name is the key id, and the value contains the kind, the creation time and the key pair.

use redis::{Value, cmd};
use supersession::store::{KeyKind, StoredKey};
use supersession::{AppId, SecretText, UnixMillis};

use crate::context::Context;
use crate::fault::Fault;
use crate::record::{instant, millis};
use crate::reply;

const WHAT: &str = "a signing key";
const DYNAMIC: &str = "dynamic";
const STATIC: &str = "static";

pub(crate) async fn all(store: &Context, app: &AppId) -> Result<Vec<StoredKey>, Fault> {
    let mut read = cmd("HGETALL");
    read.arg(store.keys.signing_keys(app));
    let mut keys = reply::pairs(store.link.send(&read).await?, WHAT)?
        .into_iter()
        .map(|(kid, value)| parse(kid, &value))
        .collect::<Result<Vec<_>, _>>()?;
    keys.sort_by(|a, b| (b.created_at, &b.kid).cmp(&(a.created_at, &a.kid)));
    Ok(keys)
}

pub(crate) async fn add_dynamic(
    store: &Context,
    app: &AppId,
    candidate: &StoredKey,
    not_if_since: UnixMillis,
) -> Result<bool, Fault> {
    let arguments = [
        candidate.kid.clone(),
        value(DYNAMIC, candidate),
        millis(candidate.created_at).to_string(),
        millis(not_if_since).to_string(),
    ];
    let name = store.keys.signing_keys(app);
    let answer = store
        .link
        .call(&store.scripts.add_dynamic_key, &[name], &arguments)
        .await?;
    Ok(count(&answer)? == 1)
}

pub(crate) async fn add_static(
    store: &Context,
    app: &AppId,
    candidate: &StoredKey,
) -> Result<bool, Fault> {
    let arguments = [candidate.kid.clone(), value(STATIC, candidate)];
    let name = store.keys.signing_keys(app);
    let answer = store
        .link
        .call(&store.scripts.add_static_key, &[name], &arguments)
        .await?;
    Ok(count(&answer)? == 1)
}

pub(crate) async fn delete_dynamic(
    store: &Context,
    app: &AppId,
    created_before: UnixMillis,
) -> Result<u64, Fault> {
    let arguments = [millis(created_before).to_string()];
    let name = store.keys.signing_keys(app);
    let answer = store
        .link
        .call(&store.scripts.delete_dynamic_keys, &[name], &arguments)
        .await?;
    count(&answer)
}

pub(crate) async fn refresh_token_key(
    store: &Context,
    app: &AppId,
    candidate: &SecretText,
    _now: UnixMillis,
) -> Result<SecretText, Fault> {
    let name = store.keys.refresh_token_key(app);
    let answer = store
        .link
        .call(&store.scripts.first, &[name], &[candidate.expose()])
        .await?;
    reply::text(answer, "the key of the refresh tokens").map(SecretText::new)
}

fn value(kind: &str, key: &StoredKey) -> String {
    format!(
        "{kind} {} {}",
        millis(key.created_at),
        key.key_pair.expose()
    )
}

fn parse(kid: String, value: &str) -> Result<StoredKey, Fault> {
    let mut parts = value.splitn(3, ' ');
    let mut part = || parts.next().ok_or(Fault::Damaged(WHAT));
    Ok(StoredKey::new(
        kid,
        match part()? {
            DYNAMIC => KeyKind::Dynamic,
            STATIC => KeyKind::Static,
            _ => return Err(Fault::Damaged(WHAT)),
        },
        instant(part()?, WHAT)?,
        SecretText::new(part()?),
    ))
}

fn count(answer: &Value) -> Result<u64, Fault> {
    reply::number(answer, "the answer of a script about keys")
}
