//! Readiness: what keeps writes from succeeding is found before a user finds it.

use supersession::Store;
use supersession::store::{StoreError, StoreErrorKind};
use supersession_postgres::PostgresStore;

use crate::{Place, chain, connect, insert, server};

#[track_caller]
fn is_not_ready(outcome: Result<(), StoreError>, kind: StoreErrorKind, named: &str) {
    let error = outcome.unwrap_err();
    let text = chain(&error);
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(named), "{text}");
}

#[tokio::test]
async fn a_database_that_is_read_only_is_not_ready() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    place.store().await.check_ready().await.unwrap();
    let url = format!(
        "{}?options=-c%20default_transaction_read_only%3Don",
        server.url()
    );
    let store = place.options().url(url).open().await.unwrap();
    let outcome = store.check_ready().await;
    is_not_ready(
        outcome,
        StoreErrorKind::NotWritable,
        "default_transaction_read_only",
    );
}

#[tokio::test]
async fn a_table_or_a_column_that_is_gone_is_named() {
    let Some(server) = server() else { return };
    for (script, named) in [
        ("DROP TABLE session_info", "session_info"),
        ("DROP TABLE user_metadata", "user_metadata"),
        ("DROP TABLE key_value", "key_value"),
        (
            "ALTER TABLE session_info DROP COLUMN device_label",
            "device_label",
        ),
    ] {
        let place = Place::new(server);
        let store = place.store().await;
        insert(&store, "h").await;
        let other = place.connection().await;
        other.batch_execute(script).await.unwrap();
        is_not_ready(store.check_ready().await, StoreErrorKind::Corrupt, named);
    }
}

/// The rights that the documentation lists are enough, and none of them can be left out.
#[tokio::test]
async fn a_user_without_a_right_is_not_ready() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    drop(place.store().await);
    let role = format!("{}_app", place.schema);
    let admin = connect(&server.url()).await;
    let documentation = include_str!("../../src/lib.rs").replace("//!", "");
    let grants = documentation.split("```sql").nth(1).unwrap();
    let grants = grants.split("```").next().unwrap();
    let grants = grants
        .replace("auth", &place.schema)
        .replace("app;", &format!("{role};"));
    let script = format!("CREATE ROLE {role} LOGIN PASSWORD 'secret'; {grants}");
    admin.batch_execute(&script).await.unwrap();
    let url = server
        .url()
        .replace("tester:pa%2Fss%40word", &format!("{role}:secret"));
    let options = PostgresStore::options().url(url).schema(&place.schema);
    let store = options.open().await.unwrap();
    store.check_ready().await.unwrap();
    insert(&store, "h").await;
    for (table, right) in [
        ("apps", "UPDATE"),
        ("tenants", "INSERT"),
        ("session_info", "SELECT"),
        ("session_info", "DELETE"),
        ("user_metadata", "UPDATE"),
        ("key_value", "INSERT"),
        ("session_access_token_signing_keys", "DELETE"),
        ("jwt_signing_keys", "SELECT"),
    ] {
        let of_table = format!("{right} ON {}.{table}", place.schema);
        let revoke = format!("REVOKE {of_table} FROM {role}");
        admin.batch_execute(&revoke).await.unwrap();
        is_not_ready(
            store.check_ready().await,
            StoreErrorKind::NotWritable,
            table,
        );
        let grant = format!("GRANT {of_table} TO {role}");
        admin.batch_execute(&grant).await.unwrap();
        store.check_ready().await.unwrap();
    }
}
