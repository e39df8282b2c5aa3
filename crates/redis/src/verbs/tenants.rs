//! Apps and tenants: one hash with their configuration. A deletion first removes the name in one
//! step, and then the tenant's data in many steps.

use std::collections::HashSet;

use redis::cmd;
use serde::{Deserialize, Serialize};
use supersession::store::{SessionKey, TenantRecord};
use supersession::{AppId, JsonObject, TenantId, UnixMillis};

use super::sessions;
use crate::context::Context;
use crate::fault::Fault;
use crate::keys::{Entry, LAST_BUCKET, app_fields, parse_tenant_field, tenant_field};
use crate::record::{FIELDS, Values, head, record};
use crate::reply;

const WHAT: &str = "a tenant";

/// Number of keys per command of a deletion.
const AT_ONCE: usize = 500;

#[derive(Serialize, Deserialize)]
struct Stored {
    core_config: JsonObject,
    first_factors: Option<Vec<String>>,
    required_secondary_factors: Option<Vec<String>>,
    #[serde(default = "on")]
    email_password: bool,
    #[serde(default = "on")]
    passwordless: bool,
    #[serde(default = "on")]
    third_party: bool,
}

/// Login methods are on unless a tenant was configured otherwise.
fn on() -> bool {
    true
}

pub(crate) async fn all(store: &Context) -> Result<Vec<TenantRecord>, Fault> {
    let mut read = cmd("HGETALL");
    read.arg(store.keys.tenants());
    let mut tenants = reply::pairs(store.link.send(&read).await?, WHAT)?
        .iter()
        .map(|(field, value)| {
            let (app, tenant) = parse_tenant_field(field).ok_or(Fault::Damaged(WHAT))?;
            let stored: Stored = serde_json::from_str(value).map_err(|_| Fault::Damaged(WHAT))?;
            let mut record = TenantRecord::new(app, tenant);
            record.core_config = stored.core_config;
            record.login_methods.email_password = stored.email_password;
            record.login_methods.passwordless = stored.passwordless;
            record.login_methods.third_party = stored.third_party;
            record.first_factors = stored.first_factors;
            record.required_secondary_factors = stored.required_secondary_factors;
            Ok(record)
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    tenants.sort_by(|a, b| (&a.app, &a.tenant).cmp(&(&b.app, &b.tenant)));
    Ok(tenants)
}

pub(crate) async fn put(
    store: &Context,
    tenant: &TenantRecord,
    _now: UnixMillis,
) -> Result<bool, Fault> {
    let root = TenantRecord::new(tenant.app.clone(), TenantId::default());
    let arguments = [
        tenant_field(&tenant.app, &tenant.tenant),
        value(tenant)?,
        tenant_field(&root.app, &root.tenant),
        value(&root)?,
    ];
    let answer = store
        .link
        .call(
            &store.scripts.put_tenant,
            &[store.keys.tenants()],
            &arguments,
        )
        .await?;
    Ok(reply::number(&answer, "the answer to a tenant")? == 1)
}

fn value(tenant: &TenantRecord) -> Result<String, Fault> {
    let stored = Stored {
        core_config: tenant.core_config.clone(),
        first_factors: tenant.first_factors.as_deref().map(set),
        required_secondary_factors: tenant
            .required_secondary_factors
            .as_deref()
            .map(set)
            .filter(|factors| !factors.is_empty()),
        email_password: tenant.login_methods.email_password,
        passwordless: tenant.login_methods.passwordless,
        third_party: tenant.login_methods.third_party,
    };
    serde_json::to_string(&stored).map_err(|_| Fault::Damaged(WHAT))
}

fn set(factors: &[String]) -> Vec<String> {
    let mut set = factors.to_vec();
    set.sort();
    set.dedup();
    set
}

pub(crate) async fn delete(store: &Context, app: &AppId, tenant: &TenantId) -> Result<bool, Fault> {
    if *tenant == TenantId::default() {
        return Ok(false);
    }
    let mut delete = cmd("HDEL");
    delete
        .arg(store.keys.tenants())
        .arg(tenant_field(app, tenant));
    let deleted = store.link.send(&delete).await?;
    delete_sessions(store, app, Some(tenant)).await?;
    Ok(reply::number(&deleted, "the answer to a delete")? == 1)
}

pub(crate) async fn delete_app(store: &Context, app: &AppId) -> Result<bool, Fault> {
    let names = [store.keys.tenants()];
    let script = &store.scripts.delete_app_names;
    let deleted = store.link.call(script, &names, &[app_fields(app)]).await?;
    delete_sessions(store, app, None).await?;
    let mut keys = cmd("KEYS");
    keys.arg(store.keys.all_metadata(app));
    let mut doomed = vec![
        store.keys.signing_keys(app),
        store.keys.refresh_token_key(app),
    ];
    for names in store.link.send_to_masters(&keys).await? {
        doomed.extend(reply::texts(names, "the name of a key")?);
    }
    for names in doomed.chunks(store.link.sessions_per_script(1).min(AT_ONCE)) {
        let mut delete = cmd("DEL");
        delete.arg(names);
        store.link.send(&delete).await?;
    }
    Ok(reply::number(&deleted, "the answer to a delete")? > 0)
}

/// Deletes the sessions bucket by bucket, including expired ones.
async fn delete_sessions(
    store: &Context,
    app: &AppId,
    tenant: Option<&TenantId>,
) -> Result<(), Fault> {
    for bucket in 0..=LAST_BUCKET {
        let mut read = cmd("ZRANGE");
        read.arg(store.keys.expiry(bucket)).arg(0).arg(-1);
        let entries = reply::texts(store.link.send(&read).await?, "an expiry index entry")?;
        let mut doomed: Vec<SessionKey> = Vec::new();
        for entry in &entries {
            let key = Entry::parse(entry)?.key;
            if key.app == *app && tenant.is_none_or(|tenant| *tenant == key.tenant) {
                doomed.push(key);
            }
        }
        if !doomed.is_empty() {
            sessions::delete(store, &doomed).await?;
        }
    }
    Ok(())
}

/// Reads all sessions of the app, bucket by bucket. There is no index of apps, since only
/// administration needs one.
pub(crate) async fn count_active_users(
    store: &Context,
    app: &AppId,
    since: UnixMillis,
    now: UnixMillis,
) -> Result<u64, Fault> {
    let mut users = HashSet::new();
    for bucket in 0..=LAST_BUCKET {
        let mut read = cmd("ZRANGE");
        read.arg(store.keys.expiry(bucket)).arg(0).arg(-1);
        let entries = reply::texts(store.link.send(&read).await?, "an expiry index entry")?;
        let entries: Vec<Entry> = entries
            .iter()
            .map(|entry| Entry::parse(entry))
            .collect::<Result<_, _>>()?;
        let entries: Vec<_> = entries
            .into_iter()
            .filter(|entry| entry.key.app == *app)
            .collect();
        for chunk in entries.chunks(store.link.sessions_per_script(1).min(AT_ONCE)) {
            let names: Vec<_> = chunk
                .iter()
                .map(|entry| store.keys.session(&entry.key).session)
                .collect();
            let answer = store
                .link
                .call(&store.scripts.read, &names, &FIELDS)
                .await?;
            for (entry, answer) in chunk.iter().zip(reply::list(answer, "sessions")?) {
                let mut values = Values::new(reply::optional_texts(answer, "a session")?);
                let Some(head) = head(&mut values)? else {
                    continue;
                };
                if now < head.expires_at {
                    let session = record(entry.key.clone(), &head, &mut values)?;
                    if session.last_used_at() >= since {
                        users.insert(session.user_id);
                    }
                }
            }
        }
    }
    Ok(u64::try_from(users.len()).unwrap_or(u64::MAX))
}
