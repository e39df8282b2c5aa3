//! Settings of databases and users that differ from PostgreSQL's defaults.

use supersession::Store;
use supersession::store::{DocumentWrite, SessionDocument, StoreErrorKind, WriteOutcome};
use supersession_postgres::deadpool_postgres::tokio_postgres::{Config, NoTls};
use supersession_postgres::deadpool_postgres::{Manager, Pool, Runtime};
use supersession_postgres::{OpenErrorKind, PostgresOptions, PostgresStore};
use supersession_testkit::servers::PostgresServer;
use tokio::task::JoinSet;

use crate::{NOW, Place, chain, connect, insert, key, kind_of, object, server, session};

/// A user of a test's own who may do everything, with this setting; and its URL.
async fn user_with(server: &PostgresServer, place: &Place<'_>, setting: &str) -> String {
    let role = format!("{}_user", place.schema);
    let admin = connect(&server.url()).await;
    let script = format!(
        "CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'secret'; ALTER ROLE {role} SET {setting}"
    );
    admin.batch_execute(&script).await.unwrap();
    let own = format!("{role}:secret");
    server.url().replace("tester:pa%2Fss%40word", &own)
}

/// Lets every write fail that another isolation level would make fail sooner or later.
async fn insist_on_read_committed(place: &Place<'_>) {
    let script = "CREATE FUNCTION insist() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF current_setting('transaction_isolation') <> 'read committed' THEN
                RAISE 'isolation';
            END IF;
            RETURN NEW; END $$;
        CREATE TRIGGER insist BEFORE INSERT OR UPDATE ON session_info
            FOR EACH ROW EXECUTE FUNCTION insist()";
    place
        .connection()
        .await
        .batch_execute(script)
        .await
        .unwrap();
}

async fn write_from_32_clients(store: &PostgresStore) {
    let mut clients = JoinSet::new();
    for client in 0..32 {
        let store = store.clone();
        clients.spawn(async move {
            let handle = format!("h{client}");
            insert(&store, &handle).await;
            for _ in 0..5 {
                let write = DocumentWrite::Merge(object(r#"{"a":1}"#));
                let document = SessionDocument::SessionData;
                let outcome = store
                    .write_document(&key(&handle), document, &write, NOW)
                    .await;
                assert!(matches!(outcome, Ok(WriteOutcome::Written(_))));
                let deleted = store.delete_sessions(&[key(&handle)]).await.unwrap();
                assert_eq!(deleted.len(), 1);
                insert(&store, &handle).await;
            }
        });
    }
    clients.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_isolation_level_is_not_the_defaults() {
    let Some(server) = server() else { return };
    for level in ["serializable", "repeatable read"] {
        let place = Place::new(server);
        let setting = format!("default_transaction_isolation = '{level}'");
        let url = user_with(server, &place, &setting).await;
        drop(place.store().await);
        insist_on_read_committed(&place).await;
        let own = place.options().url(&url).open().await.unwrap();
        write_from_32_clients(&own).await;
    }
    // The URL asks for it.
    let place = Place::new(server);
    drop(place.store().await);
    insist_on_read_committed(&place).await;
    let asks = "?options=-c%20default_transaction_isolation%3Dserializable";
    let url = format!("{}{asks}", server.url());
    let store = place.options().url(url).open().await.unwrap();
    insert(&store, "h").await;
}

/// The application's own statements keep its level.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_isolation_level_of_a_pool_is_restored() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let setting = "default_transaction_isolation = 'serializable'";
    let url = user_with(server, &place, setting).await;
    drop(place.store().await);
    insist_on_read_committed(&place).await;
    let config: Config = url.parse().unwrap();
    let pool = Pool::builder(Manager::new(config, NoTls))
        .runtime(Runtime::Tokio1)
        .max_size(8)
        .build()
        .unwrap();
    let options = PostgresStore::options().schema(&place.schema);
    let store = options.pool(pool.clone()).open().await.unwrap();
    write_from_32_clients(&store).await;
    for _ in 0..8 {
        let row = pool.get().await.unwrap();
        let row = row.query_one("SHOW transaction_isolation", &[]).await;
        assert_eq!(row.unwrap().get::<_, String>(0), "serializable");
    }
}

/// Settings that change how statements and values are written.
#[tokio::test]
async fn no_statement_depends_on_how_texts_and_dates_are_written() {
    let Some(server) = server() else { return };
    for setting in [
        "standard_conforming_strings = off",
        "search_path = ''",
        "DateStyle = 'German, DMY'",
        "client_encoding = 'LATIN1'",
        "bytea_output = 'escape'",
        "array_nulls = off",
        "quote_all_identifiers = on",
        "lock_timeout = '5s'",
        "default_transaction_deferrable = on",
        "row_security = off",
    ] {
        let place = Place::new(server);
        let url = user_with(server, &place, setting).await;
        let store = place.options().url(&url).open().await.unwrap();
        store.check_ready().await.unwrap();
        insert(&store, "h").await;
        let write = DocumentWrite::Merge(object(r#"{"ü\\":"\\'\u20ac"}"#));
        let document = SessionDocument::SessionData;
        let outcome = store.write_document(&key("h"), document, &write, NOW).await;
        assert!(matches!(outcome, Ok(WriteOutcome::Written(_))), "{setting}");
        let found = store.session(&key("h"), NOW).await.unwrap().unwrap();
        assert_eq!(found.session_data.as_str(), r#"{"ü\\":"\\'\u20ac"}"#);
        assert_eq!(store.delete_sessions(&[key("h")]).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused() {
    let Some(server) = server() else { return };
    let admin = connect(&server.url()).await;
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("other_{}", encoding.to_lowercase());
        let create =
            format!("CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0");
        admin.batch_execute(&create).await.unwrap();
        let url = server.url().replace("/postgres", &format!("/{name}"));
        let error = PostgresStore::open(url).await.unwrap_err();
        let text = chain(&error);
        assert_eq!(error.kind(), OpenErrorKind::Encoding, "{text}");
        assert!(
            text.contains(encoding) && text.contains("--encoding=UTF8"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_password_that_was_changed_makes_the_store_unavailable_until_it_is_right_again() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let url = user_with(server, &place, "lock_timeout = 0").await;
    let store = place.options().url(&url).pool_size(2).open().await.unwrap();
    insert(&store, "h").await;
    let admin = connect(&server.url()).await;
    let role = format!("{}_user", place.schema);
    let change = |password: &str| {
        format!(
            "ALTER ROLE {role} PASSWORD '{password}';
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
        )
    };
    admin.batch_execute(&change("other")).await.unwrap();
    // The first verbs may find connections that were just ended.
    for _ in 0..3 {
        let read = store.session(&key("h"), NOW).await;
        assert_eq!(kind_of(read), StoreErrorKind::Unavailable);
    }
    let error = store.insert_session(&session("i")).await.unwrap_err();
    let text = chain(&error);
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{text}");
    assert!(text.contains("check the user, the password"), "{text}");
    admin.batch_execute(&change("secret")).await.unwrap();
    insert(&store, "i").await;
}

#[tokio::test]
async fn a_right_that_is_missing_is_named() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    drop(place.store().await);
    let role = format!("{}_app", place.schema);
    let admin = connect(&server.url()).await;
    let script = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'secret'; GRANT USAGE ON SCHEMA {0} TO {role};
         GRANT SELECT ON {0}.supersession_schema TO {role}",
        place.schema
    );
    admin.batch_execute(&script).await.unwrap();
    let own = format!("{role}:secret");
    let url = server.url().replace("tester:pa%2Fss%40word", &own);
    let store = place.options().url(url).open().await.unwrap();
    let error = store.session(&key("h"), NOW).await.unwrap_err();
    let text = chain(&error);
    assert_eq!(error.kind(), StoreErrorKind::Denied, "{text}");
    assert!(
        text.contains("session_info") && text.contains("grant"),
        "{text}"
    );
    assert!(!text.contains("busy"), "{text}");
}

#[tokio::test]
async fn a_table_that_is_gone_is_found_when_the_database_is_opened() {
    async fn refused(options: PostgresOptions) -> String {
        let error = options.open().await.unwrap_err();
        assert_eq!(error.kind(), OpenErrorKind::Incomplete, "{error:?}");
        chain(&error)
    }
    let Some(server) = server() else { return };
    for (script, named) in [
        ("DROP TABLE session_info", "`session_info`"),
        ("DROP TABLE tenant_first_factors", "`tenant_first_factors`"),
        (
            "ALTER TABLE session_info DROP COLUMN device_ip",
            "`device_ip`",
        ),
    ] {
        let place = Place::new(server);
        drop(place.store().await);
        let other = place.connection().await;
        other.batch_execute(script).await.unwrap();
        let text = refused(place.options()).await;
        assert!(text.contains(named), "{text}");
        // The fix that the text names works.
        let fix = "DELETE FROM supersession_schema";
        assert!(text.contains(fix), "{text}");
        other.batch_execute(fix).await.unwrap();
        insert(&place.store().await, "h").await;
    }
}

/// As after a restore whose columns have other types.
#[tokio::test]
async fn statements_that_were_prepared_for_another_table_are_prepared_again() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let store = place.options().pool_size(1).open().await.unwrap();
    insert(&store, "h").await;
    assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
    let other = place.connection().await;
    let script = "ALTER TABLE session_info ALTER COLUMN session_data TYPE VARCHAR(1000)";
    other.batch_execute(script).await.unwrap();
    for _ in 0..2 {
        assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_parameter_of_another_driver_is_named_with_its_fix() {
    let error = PostgresStore::open("postgres://me:hunter2@db/app?currentSchema=auth").await;
    let error = error.unwrap_err();
    let text = chain(&error);
    assert_eq!(error.kind(), OpenErrorKind::InvalidUrl);
    assert!(
        text.contains("`currentSchema`") && text.contains("`schema`"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
}
