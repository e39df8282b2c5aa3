//! Apps and tenants: creation, configuration and removal.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::{Core, LEGACY, new_session};

const APP: &str = "PUT /recipe/multitenancy/app/v2";
const TENANT: &str = "PUT /recipe/multitenancy/tenant/v2";

async fn config_of(core: &Core, path: &str) -> Value {
    let path = format!("{path}/recipe/multitenancy/tenant/v2");
    core.get(&path, LEGACY).await["coreConfig"].clone()
}

/// Cases: C147.
#[tokio::test]
async fn an_app_is_created_once_and_then_updated() {
    let core = Core::new().await;
    let put = async |core_config: Value| {
        let body = json!({ "appId": "a1", "coreConfig": core_config });
        core.ok(APP, LEGACY, body).await["createdNew"].clone()
    };
    assert_eq!(put(json!({ "access_token_validity": "60" })).await, true);
    assert_eq!(put(json!({ "refresh_token_validity": 10.5 })).await, false);
    let both = json!({ "access_token_validity": 60, "refresh_token_validity": 10.5 });
    assert_eq!(config_of(&core, "/appid-a1").await, both);
    put(json!({ "access_token_validity": null })).await;
    assert_eq!(
        config_of(&core, "/appid-a1").await,
        json!({ "refresh_token_validity": 10.5 })
    );
    let body = json!({ "appId": "a1", "coreConfig": { "no_such_key": 1 } });
    let text = "Invalid core config: Invalid config key: no_such_key";
    core.refused(APP, LEGACY, body, 400, text).await;
}

/// Cases: C148.
#[tokio::test]
async fn configuration_values_are_validated() {
    let core = Core::new().await;
    for (name, value, text) in [
        (
            "access_token_validity",
            json!("abc"),
            "'access_token_validity' must be of type long",
        ),
        (
            "access_token_validity",
            json!(1.5),
            "'access_token_validity' must be of type long",
        ),
        (
            "access_token_validity",
            json!(0),
            "'access_token_validity' must be between 1 and 86400000 seconds inclusive.",
        ),
        (
            "totp_max_attempts",
            json!(5_000_000_000_u64),
            "'totp_max_attempts' must be of type int",
        ),
        (
            "refresh_token_validity",
            json!([]),
            "'refresh_token_validity' must be of type double",
        ),
        (
            "access_token_validity_jitter",
            json!(0.5),
            "'access_token_validity_jitter' must be between 0 and 0.25 inclusive.",
        ),
        (
            "access_token_blacklisting",
            json!("yes"),
            "'access_token_blacklisting' must be of type boolean",
        ),
        (
            "ip_allow_regex",
            json!("("),
            "Provided regular expression is invalid for ip_allow_regex config",
        ),
        (
            "port",
            json!(1),
            "port can only be set via the core's base config setting",
        ),
        (
            "supertokens_max_cdi_version",
            json!("newest"),
            "supertokens_max_cdi_version is not a valid semantic version",
        ),
        (
            "refresh_token_validity",
            json!(1e30),
            "'refresh_token_validity' must be greater than 0 and at most 52560000 minutes",
        ),
        (
            "refresh_token_validity",
            json!(0),
            "'refresh_token_validity' must be greater than 0 and at most 52560000 minutes",
        ),
        (
            "access_token_dynamic_signing_key_update_interval",
            json!(1e30),
            "'access_token_dynamic_signing_key_update_interval' must be greater than 0 and at most 876000 hours",
        ),
        (
            "totp_max_attempts",
            json!(0),
            "'totp_max_attempts' must be > 0",
        ),
        (
            "password_reset_token_lifetime",
            json!(0),
            "'password_reset_token_lifetime' must be >= 0",
        ),
        (
            "bulk_migration_batch_size",
            json!(0),
            "Provided bulk_migration_batch_size must be >= 1",
        ),
        (
            "password_hashing_alg",
            json!("MD5"),
            "'password_hashing_alg' must be one of 'ARGON2' or 'BCRYPT'",
        ),
        (
            "api_keys",
            json!("short"),
            "One of the API keys is too short. Please use at least 20 characters",
        ),
        (
            "supertokens_max_cdi_version",
            json!("4.7"),
            "supertokens_max_cdi_version is not a supported version",
        ),
    ] {
        let body = json!({ "appId": "a1", "coreConfig": { name: value } });
        core.refused(
            APP,
            LEGACY,
            body,
            400,
            &format!("Invalid core config: {text}"),
        )
        .await;
    }
    let base = json!({ "coreConfig": { "access_token_validity": 60 } });
    core.refused(APP, LEGACY, base, 400, "Cannot modify base config")
        .await;
    let unknown = core.call("GET /appid-a1/hello", LEGACY, &Value::Null).await;
    assert_eq!(unknown.status, 400, "nothing was made");
}

#[tokio::test]
async fn limits_are_enforced_unless_lifted() {
    use supersession::store::MemoryStore;
    use supersession_server::Limits;
    use supersession_testkit::FaultStore;
    for (name, value, text) in [
        (
            "access_token_dynamic_signing_key_update_interval",
            json!(0.5),
            "must be greater than, equal to 1 hour.",
        ),
        (
            "refresh_token_validity",
            json!(60),
            "must be strictly greater than",
        ),
        (
            "refresh_token_rotation_grace_period",
            json!(301),
            "must be between 0 and 300",
        ),
    ] {
        for (limits, fine) in [(Limits::Lifted, true), (Limits::Enforced, false)] {
            let store = FaultStore::new(MemoryStore::new());
            let opened = Core::over(store, json!({ name: value }), "", limits).await;
            assert_eq!(opened.is_ok(), fine, "{name}");
            if let Err(error) = opened {
                let error = error.to_string();
                assert!(error.contains(name) && error.contains(text), "{error}");
            }
        }
    }
}

/// Cases: C149.
#[tokio::test]
async fn removing_an_app_removes_its_data() {
    let core = Core::new().await;
    core.app("a1", json!({})).await;
    let made = core.ok(
        "POST /appid-a1/recipe/session",
        LEGACY,
        new_session(&json!({})),
    );
    let made = made.await;
    let update = json!({ "userId": "u", "metadataUpdate": { "a": 1 } });
    core.ok("PUT /appid-a1/recipe/user/metadata", LEGACY, update)
        .await;
    let remove = async |id: &str| {
        let answer = core.ok(
            "POST /recipe/multitenancy/app/remove",
            LEGACY,
            json!({ "appId": id }),
        );
        answer.await["didExist"].clone()
    };
    assert_eq!(remove("a1").await, true);
    assert_eq!(remove("a1").await, false);
    assert_eq!(remove("0123456789ab").await, false);
    let gone = core.call(
        "GET /appid-a1/recipe/user/metadata?userId=u",
        LEGACY,
        &Value::Null,
    );
    let gone = gone.await;
    assert_eq!(gone.status, 400);
    assert!(gone.text.starts_with("AppId or tenantId not found => "));
    core.app("a1", json!({})).await;
    let empty = core
        .get("/appid-a1/recipe/user/metadata?userId=u", LEGACY)
        .await;
    assert_eq!(empty["metadata"], json!({}));
    let body = json!({ "refreshToken": made["refreshToken"]["token"], "enableAntiCsrf": false, "useDynamicSigningKey": true });
    let answer = core
        .ok("POST /appid-a1/recipe/session/refresh", LEGACY, body)
        .await;
    assert_eq!(answer["status"], "UNAUTHORISED");
}

#[tokio::test]
async fn an_app_with_tenants_and_the_default_app_cannot_be_removed() {
    let core = Core::new().await;
    core.app("a1", json!({})).await;
    let put = core.ok(
        "PUT /appid-a1/recipe/multitenancy/tenant/v2",
        LEGACY,
        json!({ "tenantId": "t1" }),
    );
    put.await;
    for id in ["a1", "public"] {
        let reply = core
            .call(
                "POST /recipe/multitenancy/app/remove",
                LEGACY,
                &json!({ "appId": id }),
            )
            .await;
        assert_eq!(reply.status, 403, "{}", reply.text);
    }
    let own = core
        .call(
            "POST /appid-a1/recipe/multitenancy/app/remove",
            LEGACY,
            &json!({ "appId": "a1" }),
        )
        .await;
    assert_eq!(own.status, 403);
    let public = core
        .call(
            "POST /recipe/multitenancy/tenant/remove",
            LEGACY,
            &json!({ "tenantId": "public" }),
        )
        .await;
    assert_eq!(public.status, 403);
}

/// Cases: C150.
#[tokio::test]
async fn names_of_apps_and_tenants_are_validated() {
    let core = Core::new().await;
    for (id, text) in [
        ("recipe", "Cannot use 'recipe' as a tenantId"),
        ("Hello", "Cannot use 'hello' as a tenantId"),
        ("appid-x", "tenantId must not start with 'appid-'"),
        (" ", "tenantId should not be an empty String"),
        (
            "a_b",
            "tenantId can only contain letters, numbers and hyphens",
        ),
    ] {
        core.refused(TENANT, LEGACY, json!({ "tenantId": id }), 400, text)
            .await;
    }
    core.refused(
        APP,
        LEGACY,
        json!({ "appId": "appid-x" }),
        400,
        "appId must not start with 'appid-'",
    )
    .await;
    core.ok(TENANT, LEGACY, json!({ "tenantId": " T1 " })).await;
    let known = core.get("/t1/recipe/multitenancy/tenant/v2", LEGACY).await;
    assert_eq!(known["tenantId"], "t1");
}

#[tokio::test]
async fn tenants_are_listed_with_their_configuration() {
    let core = Core::new().await;
    let body = json!({ "tenantId": "t1", "firstFactors": ["custom"], "requiredSecondaryFactors": ["totp"] });
    core.ok(TENANT, LEGACY, body).await;
    let tenant = json!({
        "tenantId": "t1", "coreConfig": {}, "thirdParty": { "providers": [] },
        "firstFactors": ["custom"], "requiredSecondaryFactors": ["totp"],
    });
    let listed = core
        .get("/recipe/multitenancy/tenant/list/v2", LEGACY)
        .await;
    assert_eq!(listed["tenants"][1], tenant);
    let apps = core.get("/recipe/multitenancy/app/list/v2", LEGACY).await;
    assert_eq!(
        apps["apps"],
        json!([{ "appId": "public", "tenants": listed["tenants"] }])
    );
    let body = json!({ "tenantId": "t1", "firstFactors": null, "requiredSecondaryFactors": null });
    core.ok(TENANT, LEGACY, body).await;
    let known = core.get("/t1/recipe/multitenancy/tenant/v2", LEGACY).await;
    assert!(known.get("firstFactors").is_none() && known.get("requiredSecondaryFactors").is_none());
    let unknown = core
        .get("/ghost/recipe/multitenancy/tenant/v2", LEGACY)
        .await;
    assert_eq!(unknown, json!({ "status": "TENANT_NOT_FOUND_ERROR" }));
    let removed = core.ok(
        "POST /recipe/multitenancy/tenant/remove",
        LEGACY,
        json!({ "tenantId": "t1" }),
    );
    assert_eq!(removed.await["didExist"], true);
    let gone = core.get("/t1/recipe/multitenancy/tenant/v2", LEGACY).await;
    assert_eq!(gone["status"], "TENANT_NOT_FOUND_ERROR");
}

#[tokio::test]
async fn tenants_cannot_override_values_of_their_app() {
    let core = Core::new().await;
    core.app("a1", json!({ "access_token_validity": 60 })).await;
    let call = "PUT /appid-a1/recipe/multitenancy/tenant/v2";
    let with =
        |value: u64| json!({ "tenantId": "t1", "coreConfig": { "access_token_validity": value } });
    let text = "Invalid core config: You cannot set different values for access_token_validity for the same appId";
    core.refused(call, LEGACY, with(61), 400, text).await;
    core.ok(call, LEGACY, with(60)).await;
    let body = json!({ "appId": "a1", "coreConfig": { "access_token_validity": 61 } });
    core.refused(APP, LEGACY, body, 400, text).await;
}

async fn two_processes() -> (Core, Core) {
    use supersession_server::Limits;
    let here = Core::new().await;
    let there = Core::over(here.store.clone(), json!({}), "", Limits::Lifted);
    let there = there.await.unwrap();
    (here, there)
}

/// A name is unknown only after a lookup that began after the request arrived: for concurrent
/// requests, and for one name after the other.
#[tokio::test]
async fn apps_created_by_another_process_are_found_on_request() {
    let (here, there) = two_processes().await;
    for number in 0..10 {
        let app = format!("a{number}");
        there.app(&app, json!({})).await;
        let call = format!("POST /appid-{app}/recipe/session");
        let made = here.ok(&call, LEGACY, new_session(&json!({})));
        assert_eq!(made.await["status"], "OK", "{app}");
        let tenant = format!("t{number}");
        there.tenant(&tenant).await;
        let call = format!("POST /{tenant}/recipe/session");
        let made = here.ok(&call, LEGACY, new_session(&json!({})));
        assert_eq!(made.await["status"], "OK", "{tenant}");
    }
}

#[tokio::test]
async fn lists_contain_apps_created_by_another_process() {
    let (here, there) = two_processes().await;
    there.app("a1", json!({})).await;
    there.tenant("t1").await;
    let tenants = here
        .get("/recipe/multitenancy/tenant/list/v2", LEGACY)
        .await;
    assert_eq!(tenants["tenants"][1]["tenantId"], "t1");
    for list in ["app/list", "app/list/v2"] {
        there.app(&list.replace('/', "-"), json!({})).await;
        let path = format!("/recipe/multitenancy/{list}");
        let apps = here.get(&path, LEGACY).await["apps"].clone();
        let ids = apps.as_array().unwrap().iter().map(|app| &app["appId"]);
        let made = json!(list.replace('/', "-"));
        assert!(ids.into_iter().any(|id| *id == made), "{apps}");
    }
    there.app("a2", json!({})).await;
    let domains = here
        .get("/recipe/multitenancy/connectionuridomain/list/v2", LEGACY)
        .await;
    assert_eq!(
        domains["connectionUriDomains"][0]["apps"][1]["appId"], "a2",
        "{domains}"
    );
}

/// For any number of unknown names and concurrent requests.
#[tokio::test]
async fn requests_with_unknown_names_share_a_lookup() {
    let core = Arc::new(Core::new().await);
    let before = core.store.tenant_reads();
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..500 {
        let core = Arc::clone(&core);
        asking.spawn(async move {
            let call = format!("GET /appid-ghost{number}/hello");
            core.call(&call, LEGACY, &Value::Null).await.status
        });
    }
    let answers = asking.join_all().await;
    assert!(answers.iter().all(|status| *status == 400));
    let looks = core.store.tenant_reads() - before;
    assert!(looks < 50, "{looks} looks for 500 requests");
}

#[tokio::test]
async fn apps_removed_by_another_process_disappear_at_a_reload() {
    let (here, there) = two_processes().await;
    there.app("a1", json!({})).await;
    let known = here
        .get("/appid-a1/recipe/multitenancy/tenant/v2", LEGACY)
        .await;
    assert_eq!(known["status"], "OK");
    let remove = json!({ "appId": "a1" });
    there
        .ok("POST /recipe/multitenancy/app/remove", LEGACY, remove)
        .await;
    here.service.reload().await.unwrap();
    let gone = here
        .get("/appid-a1/recipe/multitenancy/tenant/v2", LEGACY)
        .await;
    assert_eq!(gone["status"], "TENANT_NOT_FOUND_ERROR");
}

/// The texts are the reference's.
#[tokio::test]
async fn administration_requires_the_default_or_the_same_app_and_tenant() {
    let core = Core::new().await;
    core.app("a1", json!({})).await;
    core.app("a2", json!({})).await;
    core.tenant("t1").await;
    core.tenant("t2").await;
    let list_apps = "Only the public tenantId and public appId is allowed to list all apps associated with this connection uri domain";
    let list_domains = "Only the public tenantId, public appId and default connectionUriDomain is allowed to list all connectionUriDomains and appIds associated with this core";
    let list_tenants =
        "Only the public tenantId is allowed to list all tenants associated with this app";
    let add_app = "You must use the public or same app to add/update an app";
    let remove_app = "Only the public tenantId and public appId is allowed to delete an app";
    let path = |path: &str| format!("{path}/recipe/multitenancy");
    for (call, body, text) in [
        (
            format!("GET {}/app/list/v2", path("/appid-a1")),
            Value::Null,
            list_apps,
        ),
        (
            format!("GET {}/app/list", path("/t1")),
            Value::Null,
            list_apps,
        ),
        (
            format!("GET {}/connectionuridomain/list", path("/appid-a1")),
            Value::Null,
            list_domains,
        ),
        (
            format!("GET {}/tenant/list/v2", path("/t1")),
            Value::Null,
            list_tenants,
        ),
        (
            format!("PUT {}/app/v2", path("/appid-a1")),
            json!({ "appId": "a2" }),
            add_app,
        ),
        (
            format!("PUT {}/app/v2", path("/t1")),
            json!({ "appId": "a2" }),
            add_app,
        ),
        (
            format!("PUT {}/tenant/v2", path("/t1")),
            json!({ "tenantId": "t2" }),
            "You must use the public or same tenant to add/update a tenant",
        ),
        (
            format!("POST {}/tenant/remove", path("/t1")),
            json!({ "tenantId": "t2" }),
            "Only the public tenantId is allowed to delete a tenant",
        ),
        (
            format!("POST {}/app/remove", path("/appid-a1")),
            json!({ "appId": "a2" }),
            remove_app,
        ),
        (
            format!("POST {}/connectionuridomain/remove", path("/appid-a1")),
            json!({ "connectionUriDomain": "example.com" }),
            "Only the public tenantId, public appId and default connectionUriDomain is allowed to delete a connectionUriDomain",
        ),
    ] {
        core.refused(&call, LEGACY, body, 403, text).await;
    }
}

#[tokio::test]
async fn no_connection_uri_domain_exists_to_be_removed() {
    let core = Core::new().await;
    let call = "POST /recipe/multitenancy/connectionuridomain/remove";
    for domain in ["example.com", "127.0.0.1:3567", "LOCALHOST"] {
        let body = json!({ "connectionUriDomain": domain });
        let answer = core.ok(call, LEGACY, body).await;
        assert_eq!(answer, json!({ "status": "OK", "didExist": false }));
    }
    for (domain, text) in [
        (" ", "connectionUriDomain should not be an empty String"),
        ("a b", "connectionUriDomain is invalid"),
        ("a/b", "connectionUriDomain is invalid"),
        ("a..b", "connectionUriDomain is invalid"),
        ("a:b", "connectionUriDomain is invalid"),
    ] {
        let body = json!({ "connectionUriDomain": domain });
        core.refused(call, LEGACY, body, 400, text).await;
    }
    let text = "Field name 'connectionUriDomain' is invalid in JSON input";
    core.refused(call, LEGACY, json!({}), 400, text).await;
}
