//! Opening databases that are fine, and those that are not.

use std::time::Duration;

use supersession::Store;
use supersession::store::{DocumentWrite, SessionDocument, StoreErrorKind};
use supersession_postgres::{OpenErrorKind, PostgresOptions, PostgresStore};
use tokio::task::JoinSet;

use crate::{NOW, Place, chain, connect, insert, key, kind_of, object, server, session};

async fn refused(options: PostgresOptions, kind: OpenErrorKind) -> String {
    let error = options.open().await.unwrap_err();
    let text = chain(&error);
    assert_eq!(error.kind(), kind, "{text}");
    for secret in ["pa/ss", "pa%2Fss", "secret"] {
        assert!(!text.contains(secret), "{text}");
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
    text
}

#[tokio::test]
async fn errors_name_the_database_without_its_password() {
    let Some(server) = server() else { return };
    let url = |url: &str| PostgresStore::options().url(url);
    let text = refused(
        url("postgres://me:secret@127.0.0.1:1/db"),
        OpenErrorKind::Unreachable,
    );
    let text = text.await;
    assert!(text.contains("`postgres://me@127.0.0.1:1/db`"), "{text}");
    let wrong = server.url().replace("pa%2Fss%40word", "secret");
    refused(url(&wrong), OpenErrorKind::NotAllowed).await;
    let missing = server.url().replace("/postgres", "/nowhere");
    let text = refused(url(&missing), OpenErrorKind::DatabaseMissing).await;
    assert!(text.contains("/nowhere"), "{text}");
    for broken in [
        "postgres://me:secret@localhost/db?secret=1",
        "postgres://me:secret@localhost:port/db",
        "postgres://me:secret@localhost/db?sslmode=secret",
        "secret",
    ] {
        refused(url(broken), OpenErrorKind::InvalidUrl).await;
    }
    refused(PostgresStore::options(), OpenErrorKind::NoLocation).await;
    for options in [
        url(&server.url()).schema("a\"b"),
        url(&server.url()).table_prefix("Big"),
    ] {
        refused(options, OpenErrorKind::InvalidName).await;
    }
    let outside = std::thread::spawn(|| {
        pollster::block_on(PostgresStore::open("postgres://localhost/db")).unwrap_err()
    });
    let outside = outside.join().unwrap();
    assert_eq!(outside.kind(), OpenErrorKind::NoRuntime);
}

#[tokio::test]
async fn neither_options_nor_stores_show_the_password() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let store = place.store().await;
    for text in [format!("{:?}", place.options()), format!("{store:?}")] {
        assert!(!text.contains("pa/ss") && !text.contains("pa%2F"), "{text}");
    }
    assert!(format!("{store:?}").contains(&format!("127.0.0.1:{}", server.port())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_start_at_once_on_an_empty_database_all_open_it() {
    let Some(server) = server() else { return };
    for _ in 0..3 {
        let place = Place::new(server);
        let mut nodes = JoinSet::new();
        for _ in 0..8 {
            nodes.spawn(place.options().pool_size(1).open());
        }
        let stores: Vec<_> = nodes
            .join_all()
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        insert(&stores[0], "h").await;
        for store in &stores {
            assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
        }
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    drop(place.store().await);
    let other = place.connection().await;
    let newer = "INSERT INTO supersession_schema SELECT max(version) + 1 FROM supersession_schema";
    other.batch_execute(newer).await.unwrap();
    refused(place.options(), OpenErrorKind::NewerSchema).await;
}

#[tokio::test]
async fn the_table_of_another_program_is_refused_and_left_alone() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let other = place.connection().await;
    let schema = format!("CREATE SCHEMA {}", place.schema);
    other.batch_execute(&schema).await.unwrap();
    // As SuperTokens had it before its core knew apps.
    other
        .batch_execute("CREATE TABLE session_info (session_handle VARCHAR(255) PRIMARY KEY)")
        .await
        .unwrap();
    let text = refused(place.options(), OpenErrorKind::OtherProgram).await;
    assert!(
        text.contains("`session_info`") && text.contains("`app_id`"),
        "{text}"
    );
    let count = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relkind = 'r'";
    let tables = other.query_one(count, &[&place.schema]).await.unwrap();
    assert_eq!(tables.get::<_, i64>(0), 1);
    // A prefix makes room beside it.
    let store = place.options().table_prefix("st").open().await.unwrap();
    insert(&store, "h").await;
}

#[tokio::test]
async fn a_user_without_the_right_to_change_tables_opens_what_is_migrated() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    let role = format!("{}_app", place.schema);
    let admin = connect(&server.url()).await;
    let script = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'secret'; CREATE SCHEMA {0};
         GRANT USAGE ON SCHEMA {0} TO {role}",
        place.schema
    );
    admin.batch_execute(&script).await.unwrap();
    let url = server
        .url()
        .replace("tester:pa%2Fss%40word", &format!("{role}:secret"));
    let options = PostgresStore::options().url(url).schema(&place.schema);
    let text = refused(options.clone(), OpenErrorKind::NotWritable).await;
    assert!(text.contains("owner of the schema"), "{text}");
    let store = place.store().await;
    insert(&store, "h").await;
    let grant = format!(
        "GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {role}",
        place.schema
    );
    admin.batch_execute(&grant).await.unwrap();
    let reader = options.open().await.unwrap();
    assert!(reader.session(&key("h"), NOW).await.unwrap().is_some());
    let document = SessionDocument::SessionData;
    let write = DocumentWrite::Overwrite(object("{}"));
    let outcome = reader
        .write_document(&key("h"), document, &write, NOW)
        .await;
    assert_eq!(kind_of(outcome), StoreErrorKind::NotWritable);
}

#[tokio::test]
async fn a_migration_gives_up_rather_than_stall_an_application() {
    let Some(server) = server() else { return };
    let place = Place::new(server);
    drop(place.store().await);
    let other = place.connection().await;
    // As if the columns of devices had yet to come, while somebody uses the table.
    let script = "DROP TABLE supersession_schema; ALTER TABLE session_info DROP COLUMN device_ip;
        BEGIN; SELECT count(*) FROM session_info";
    other.batch_execute(script).await.unwrap();
    let opening = place.options().open();
    let opening = tokio::time::timeout(Duration::from_secs(30), opening).await;
    assert_eq!(opening.unwrap().unwrap_err().kind(), OpenErrorKind::Busy);
    other.batch_execute("COMMIT").await.unwrap();
    let store = place.store().await;
    insert(&store, "h").await;
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_there() {
    let Some(server) = server() else { return };
    let store = Place::new(server).store().await;
    insert(&store, "h").await;
    let odd = key("a\0b");
    assert_eq!(store.session(&odd, NOW).await.unwrap(), None);
    let keys = [odd.clone(), key("h")];
    assert_eq!(store.delete_sessions(&keys).await.unwrap(), [key("h")]);
    assert!(!store.set_device_label(&odd, None, NOW).await.unwrap());
    insert(&store, "h").await;
    let label = Some("my\0laptop");
    assert!(store.set_device_label(&key("h"), label, NOW).await.unwrap());
    let found = store.session(&key("h"), NOW).await.unwrap().unwrap();
    assert_eq!(found.device.label.as_deref(), Some("my\u{fffd}laptop"));
    let mut unstorable = session("long");
    unstorable.user_id = "u".repeat(200).into();
    let error = store.insert_session(&unstorable).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Internal);
    let text = chain(&error);
    assert!(text.contains("22001") && !text.contains(unstorable.lineage.current.as_str()));
}
