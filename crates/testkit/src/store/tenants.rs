//! The cases for apps and tenants. Each one receives a fresh store.

#![expect(
    clippy::unwrap_used,
    reason = "a case is a test; it fails by panicking"
)]

use std::sync::Arc;

use supersession::store::{
    InsertOutcome, LoginMethods, PreviousRefresh, SessionKey, SessionRecord, SessionUse,
    TenantRecord, TenantStore,
};
use supersession::{AppId, SecretText, SessionHandle, TenantId, UnixMillis};

use super::fixtures::{
    NOW, SharedStore, app, dynamic_key, merge, object, session, static_key, tenant, user,
};

type Tenants = Arc<dyn TenantStore>;

fn record(app_id: &str, tenant_id: &str) -> TenantRecord {
    TenantRecord::new(app(app_id), tenant(tenant_id))
}

async fn names(tenants: &Tenants) -> Vec<String> {
    let all = tenants.tenants().await.unwrap();
    all.iter()
        .map(|record| format!("{}/{}", record.app, record.tenant))
        .collect()
}

fn session_in(app_id: &str, handle: &str) -> SessionRecord {
    let mut record = session(handle);
    record.key = SessionKey::new(&app(app_id), SessionHandle::from(handle));
    record
}

async fn insert(store: &SharedStore, app_id: &str, handle: &str) -> SessionKey {
    let session = session_in(app_id, handle);
    let outcome = store.insert_session(&session).await.unwrap();
    assert_eq!(outcome, InsertOutcome::Inserted);
    session.key
}

async fn lives(store: &SharedStore, key: &SessionKey) -> bool {
    store.session(key, NOW).await.unwrap().is_some()
}

pub async fn a_store_without_tenants_has_none(store: SharedStore, tenants: Tenants) {
    store.check_ready().await.unwrap();
    assert!(names(&tenants).await.is_empty());
    assert!(!tenants.delete_app(&app("a1")).await.unwrap());
    let gone = tenants.delete_tenant(&app("a1"), &tenant("t1")).await;
    assert!(!gone.unwrap());
}

pub async fn a_tenant_reads_back_as_it_was_put(_: SharedStore, tenants: Tenants) {
    let mut put = record("a1", "t1");
    put.core_config = object(r#"{"access_token_validity":60,"refresh_token_validity":1.50}"#);
    put.first_factors = Some(vec!["emailpassword".to_owned(), "otp-phone".to_owned()]);
    put.required_secondary_factors = Some(vec!["totp".to_owned()]);
    put.login_methods = {
        let mut methods = LoginMethods::ALL;
        methods.passwordless = false;
        methods
    };
    assert!(tenants.put_tenant(&put, NOW).await.unwrap());
    let mut none = record("a1", "t2");
    none.first_factors = Some(Vec::new());
    none.login_methods.third_party = true;
    assert!(tenants.put_tenant(&none, NOW).await.unwrap());
    let all = tenants.tenants().await.unwrap();
    assert_eq!(all, [record("a1", "public"), put, none]);
}

pub async fn an_app_has_its_public_tenant_from_the_start(_: SharedStore, tenants: Tenants) {
    assert!(tenants.put_tenant(&record("a2", "t1"), NOW).await.unwrap());
    assert!(
        tenants
            .put_tenant(&record("a1", "public"), NOW)
            .await
            .unwrap()
    );
    assert_eq!(names(&tenants).await, ["a1/public", "a2/public", "a2/t1"]);
    let again = tenants.put_tenant(&record("a2", "public"), NOW).await;
    assert!(!again.unwrap());
}

pub async fn putting_a_tenant_again_replaces_it(_: SharedStore, tenants: Tenants) {
    let mut first = record("a1", "public");
    first.core_config = object(r#"{"access_token_validity":60}"#);
    first.first_factors = Some(vec!["totp".to_owned()]);
    first.required_secondary_factors = Some(vec!["totp".to_owned()]);
    first.login_methods = LoginMethods::NONE;
    assert!(tenants.put_tenant(&first, NOW).await.unwrap());
    let mut second = record("a1", "public");
    second.core_config = object(r#"{"refresh_token_validity":60}"#);
    assert!(!tenants.put_tenant(&second, NOW).await.unwrap());
    assert_eq!(tenants.tenants().await.unwrap(), [second]);
    assert!(!tenants.put_tenant(&first, NOW).await.unwrap());
    assert_eq!(tenants.tenants().await.unwrap(), [first]);
}

pub async fn a_tenant_that_was_met_is_registered_once_it_is_put(
    store: SharedStore,
    tenants: Tenants,
) {
    let key = insert(&store, "a1", "s_t1").await;
    tenants.put_tenant(&record("a1", "t1"), NOW).await.unwrap();
    assert_eq!(names(&tenants).await, ["a1/public", "a1/t1"]);
    assert!(lives(&store, &key).await);
}

pub async fn deleting_a_tenant_takes_its_sessions_and_no_others(
    store: SharedStore,
    tenants: Tenants,
) {
    for name in ["t1", "t2"] {
        tenants.put_tenant(&record("a1", name), NOW).await.unwrap();
    }
    tenants.put_tenant(&record("a2", "t1"), NOW).await.unwrap();
    let mut doomed = Vec::new();
    for number in 0..20 {
        doomed.push(insert(&store, "a1", &format!("s{number}_t1")).await);
    }
    let others = [
        insert(&store, "a1", "s").await,
        insert(&store, "a1", "s_t2").await,
        insert(&store, "a2", "s_t1").await,
    ];
    let (a1, t1) = (app("a1"), tenant("t1"));
    assert!(tenants.delete_tenant(&a1, &t1).await.unwrap());
    assert!(!tenants.delete_tenant(&a1, &t1).await.unwrap());
    for key in &doomed {
        assert!(!lives(&store, key).await, "{key:?}");
    }
    for key in &others {
        assert!(lives(&store, key).await, "{key:?}");
    }
    assert_eq!(
        names(&tenants).await,
        ["a1/public", "a1/t2", "a2/public", "a2/t1"]
    );
}

pub async fn the_public_tenant_goes_with_its_app_only(store: SharedStore, tenants: Tenants) {
    tenants
        .put_tenant(&record("a1", "public"), NOW)
        .await
        .unwrap();
    let key = insert(&store, "a1", "s").await;
    let public = TenantId::default();
    assert!(!tenants.delete_tenant(&app("a1"), &public).await.unwrap());
    assert!(lives(&store, &key).await);
    assert_eq!(names(&tenants).await, ["a1/public"]);
}

async fn furnish(store: &SharedStore, app_id: &str) -> SessionKey {
    let id = app(app_id);
    let key = insert(store, app_id, "s").await;
    let update = merge(r#"{"a":1}"#);
    store
        .write_user_metadata(&id, &user("user"), &update)
        .await
        .unwrap();
    store
        .add_dynamic_key(&id, &dynamic_key(NOW, "pair"), NOW)
        .await
        .unwrap();
    store
        .add_static_key(&id, &static_key("s-1", NOW))
        .await
        .unwrap();
    store
        .refresh_token_key(&id, &SecretText::new(app_id), NOW)
        .await
        .unwrap();
    key
}

async fn is_furnished(store: &SharedStore, id: &AppId, key: &SessionKey) -> [bool; 4] {
    let candidate = SecretText::new("another");
    let refresh_key = store.refresh_token_key(id, &candidate, NOW).await.unwrap();
    [
        lives(store, key).await,
        store
            .user_metadata(id, &user("user"))
            .await
            .unwrap()
            .is_some(),
        store.signing_keys(id).await.unwrap().len() == 2,
        refresh_key.expose() == &**id,
    ]
}

pub async fn deleting_an_app_takes_all_of_it_and_nothing_else(
    store: SharedStore,
    tenants: Tenants,
) {
    for name in ["a1", "a11", "a2"] {
        tenants.put_tenant(&record(name, "t1"), NOW).await.unwrap();
    }
    let (doomed, other, alike) = (
        furnish(&store, "a1").await,
        furnish(&store, "a2").await,
        furnish(&store, "a11").await,
    );
    assert!(tenants.delete_app(&app("a1")).await.unwrap());
    assert_eq!(
        names(&tenants).await,
        ["a11/public", "a11/t1", "a2/public", "a2/t1"]
    );
    assert_eq!(is_furnished(&store, &app("a1"), &doomed).await, [false; 4]);
    assert_eq!(is_furnished(&store, &app("a2"), &other).await, [true; 4]);
    assert_eq!(is_furnished(&store, &app("a11"), &alike).await, [true; 4]);
}

pub async fn a_deleted_app_can_be_made_again(store: SharedStore, tenants: Tenants) {
    tenants.put_tenant(&record("a1", "t1"), NOW).await.unwrap();
    let key = insert(&store, "a1", "s").await;
    assert!(tenants.delete_app(&app("a1")).await.unwrap());
    assert!(!tenants.delete_app(&app("a1")).await.unwrap());
    assert!(
        tenants
            .put_tenant(&record("a1", "public"), NOW)
            .await
            .unwrap()
    );
    assert_eq!(names(&tenants).await, ["a1/public"]);
    assert!(!lives(&store, &key).await);
}

pub async fn active_users_are_counted_by_the_last_use_of_their_sessions(
    store: SharedStore,
    tenants: Tenants,
) {
    let insert =
        async |app_id: &str, user_id: &str, handle: &str, change: &dyn Fn(&mut SessionRecord)| {
            let mut record = session_in(app_id, handle);
            record.user_id = user(user_id);
            record.created_at = at(1_000);
            record.expires_at = at(100_000);
            change(&mut record);
            store.insert_session(&record).await.unwrap();
            record.key
        };
    insert("a1", "created", "c", &|record| {
        record.created_at = at(5_000);
    })
    .await;
    insert("a1", "created", "c2", &|record| {
        record.created_at = at(6_000);
    })
    .await;
    insert("a1", "refreshed", "r_t1", &|record| {
        record.lineage.previous = Some(PreviousRefresh::new(
            record.lineage.current.clone(),
            at(5_000),
        ));
    })
    .await;
    let seen = insert("a1", "seen", "s", &|_| {}).await;
    let used = SessionUse::new(seen, at(5_000));
    store.record_uses(&[used], at(5_000)).await.unwrap();
    insert("a1", "older", "o", &|_| {}).await;
    insert("a1", "ended", "e", &|record| {
        record.created_at = at(5_000);
        record.expires_at = at(9_000);
    })
    .await;
    insert("a2", "elsewhere", "x", &|record| {
        record.created_at = at(5_000);
    })
    .await;
    for (since, count) in [
        (0, 4),
        (1_000, 4),
        (1_001, 3),
        (5_000, 3),
        (5_001, 1),
        (6_001, 0),
    ] {
        let counted = tenants
            .count_active_users(&app("a1"), at(since), at(9_000))
            .await;
        assert_eq!(counted.unwrap(), count, "since {since}");
    }
    let none = tenants
        .count_active_users(&app("a3"), at(0), at(9_000))
        .await;
    assert_eq!(none.unwrap(), 0);
}

fn at(millis: u64) -> UnixMillis {
    UnixMillis::new(millis)
}
