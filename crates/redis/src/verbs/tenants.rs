//! Apps and tenants: one hash with their configuration. A deletion first removes the name in one
//! step, and then the tenant's data in many steps.

use redis::cmd;
use serde::{Deserialize, Serialize};
use supersession::store::{SessionKey, TenantRecord};
use supersession::{AppId, JsonObject, TenantId};

use super::sessions;
use crate::fault::Fault;
use crate::keys::{Entry, LAST_BUCKET, app_fields, parse_tenant_field, tenant_field};
use crate::reply;
use crate::store::Inner;

const WHAT: &str = "a tenant";

/// Number of keys per command of a deletion.
const AT_ONCE: usize = 500;

#[derive(Serialize, Deserialize)]
struct Stored {
    core_config: JsonObject,
    first_factors: Option<Vec<String>>,
    required_secondary_factors: Option<Vec<String>>,
}

pub(crate) async fn all(store: &Inner) -> Result<Vec<TenantRecord>, Fault> {
    let mut read = cmd("HGETALL");
    read.arg(store.keys.tenants());
    let mut tenants = reply::pairs(store.link.send(&read).await?, WHAT)?
        .iter()
        .map(|(field, value)| {
            let (app, tenant) = parse_tenant_field(field).ok_or(Fault::Damaged(WHAT))?;
            let stored: Stored = serde_json::from_str(value).map_err(|_| Fault::Damaged(WHAT))?;
            Ok(TenantRecord {
                app,
                tenant,
                core_config: stored.core_config,
                first_factors: stored.first_factors,
                required_secondary_factors: stored.required_secondary_factors,
            })
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    tenants.sort_by(|a, b| (&a.app, &a.tenant).cmp(&(&b.app, &b.tenant)));
    Ok(tenants)
}

pub(crate) async fn put(store: &Inner, tenant: &TenantRecord) -> Result<bool, Fault> {
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
    };
    serde_json::to_string(&stored).map_err(|_| Fault::Damaged(WHAT))
}

fn set(factors: &[String]) -> Vec<String> {
    let mut set = factors.to_vec();
    set.sort();
    set.dedup();
    set
}

pub(crate) async fn delete(store: &Inner, app: &AppId, tenant: &TenantId) -> Result<bool, Fault> {
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

pub(crate) async fn delete_app(store: &Inner, app: &AppId) -> Result<bool, Fault> {
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
    store: &Inner,
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
