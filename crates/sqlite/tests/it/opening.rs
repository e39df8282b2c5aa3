//! What is found where the database should be.

use std::error::Error;
use std::path::Path;

use supersession::{AppId, SecretText, Store};
use supersession_sqlite::{OpenError, OpenErrorKind, SqliteStore, Synchronous};

use crate::{NOW, Place, insert, key, session};

async fn refused(path: &Path) -> OpenError {
    SqliteStore::open(path)
        .await
        .expect_err("this must not open")
}

#[track_caller]
fn assert_refused(error: &OpenError, kind: OpenErrorKind, path: &Path, advice: &str) {
    assert_eq!(error.kind(), kind, "{error:?}");
    assert_eq!(error.path(), Some(path));
    let text = error.to_string();
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    assert!(text.contains(advice), "{text}");
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let place = Place::new();
    let key_text = SecretText::new("1000:aa:bb");
    {
        let store = place.store().await;
        insert(&store, "h").await;
        store
            .refresh_token_key(&AppId::default(), &key_text, NOW)
            .await
            .unwrap();
    }
    let store = place.store().await;
    assert_eq!(
        store.session(&key("h"), NOW).await.unwrap(),
        Some(session("h"))
    );
    let other = SecretText::new("1000:cc:dd");
    let found = store
        .refresh_token_key(&AppId::default(), &other, NOW)
        .await
        .unwrap();
    assert_eq!(found.expose(), key_text.expose());
}

#[tokio::test]
async fn a_database_in_memory_is_gone_with_its_store() {
    for options in [
        SqliteStore::options().in_memory(),
        SqliteStore::options().path(":memory:"),
    ] {
        let store = options.clone().open().await.unwrap();
        insert(&store, "h").await;
        assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
        let other = options.open().await.unwrap();
        assert_eq!(other.session(&key("h"), NOW).await.unwrap(), None);
    }
}

#[tokio::test]
async fn options_without_a_location_are_refused() {
    let error = SqliteStore::options().open().await.unwrap_err();
    assert_eq!(error.kind(), OpenErrorKind::NoLocation);
    assert_eq!(error.path(), None);
}

#[tokio::test]
async fn less_durable_options_work_too() {
    let place = Place::new();
    let options = SqliteStore::options().path(place.path()).readers(1);
    let store = options
        .synchronous(Synchronous::Normal)
        .open()
        .await
        .unwrap();
    insert(&store, "h").await;
    assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
}

#[tokio::test]
async fn names_that_mean_something_to_sqlite_are_plain_names() {
    let place = Place::new();
    for name in [
        "file:sessions.db?mode=memory",
        "with space and 'quotes'",
        "日本語.db",
    ] {
        let path = place.0.path().join(name);
        insert(&SqliteStore::open(&path).await.unwrap(), "h").await;
        assert!(path.is_file());
        let store = SqliteStore::open(&path).await.unwrap();
        assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_a_new_database() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    let store = place.store().await;
    insert(&store, "h").await;
    for entry in std::fs::read_dir(place.0.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} is {mode:o}", entry.file_name());
    }
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let place = Place::new();
    let path = place.0.path().join("missing").join("sessions.db");
    let error = refused(&path).await;
    assert_refused(
        &error,
        OpenErrorKind::DirectoryMissing,
        &path,
        "create the directory",
    );
    assert!(!path.parent().unwrap().exists());
}

#[tokio::test]
async fn a_directory_is_no_database() {
    let place = Place::new();
    let error = refused(place.0.path()).await;
    assert_refused(
        &error,
        OpenErrorKind::NotADatabase,
        place.0.path(),
        "choose another path",
    );
}

#[tokio::test]
async fn a_file_of_another_format_is_refused_and_left_alone() {
    let place = Place::new();
    let contents = "Dear diary, ".repeat(1_000);
    std::fs::write(place.path(), &contents).unwrap();
    let error = refused(&place.path()).await;
    assert_refused(
        &error,
        OpenErrorKind::NotADatabase,
        &place.path(),
        "restore it from a backup",
    );
    assert!(error.source().is_some());
    assert_eq!(std::fs::read_to_string(place.path()).unwrap(), contents);
}

#[tokio::test]
async fn a_damaged_database_is_refused() {
    let place = Place::new();
    drop(place.store().await);
    let mut bytes = std::fs::read(place.path()).unwrap();
    // The first page but its header: the list of the tables.
    bytes[100..4_096].fill(0xA5);
    std::fs::write(place.path(), bytes).unwrap();
    let error = refused(&place.path()).await;
    assert_refused(
        &error,
        OpenErrorKind::NotADatabase,
        &place.path(),
        "restore it from a backup",
    );
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let place = Place::new();
    drop(place.store().await);
    place
        .connection()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = refused(&place.path()).await;
    assert_refused(
        &error,
        OpenErrorKind::NewerSchema,
        &place.path(),
        "upgrade this program",
    );
    let version: i64 = place
        .connection()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 99);
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_alone() {
    let place = Place::new();
    place
        .connection()
        .execute_batch("CREATE TABLE recipes (name TEXT)")
        .unwrap();
    let before = std::fs::read(place.path()).unwrap();
    let error = refused(&place.path()).await;
    assert_refused(
        &error,
        OpenErrorKind::OtherProgram,
        &place.path(),
        "choose another path",
    );
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
}

#[tokio::test]
async fn many_may_open_a_new_database_at_once() {
    let place = Place::new();
    let openers: Vec<_> = (0..8)
        .map(|_| tokio::spawn(SqliteStore::open(place.path())))
        .collect();
    for (number, opener) in openers.into_iter().enumerate() {
        let store = opener.await.unwrap().unwrap();
        insert(&store, &format!("h{number}")).await;
    }
}

#[test]
fn no_runtime_is_needed() {
    let place = Place::new();
    pollster::block_on(async {
        let store = place.store().await;
        insert(&store, "h").await;
        assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
    });
    let store = SqliteStore::options()
        .path(place.path())
        .open_blocking()
        .unwrap();
    assert!(
        pollster::block_on(store.session(&key("h"), NOW))
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn debug_shows_the_path_and_no_data() {
    let place = Place::new();
    let store = place.store().await;
    insert(&store, "secret-handle").await;
    let text = format!("{store:?}");
    assert!(
        text.contains("sessions.db") && !text.contains("secret-handle"),
        "{text}"
    );
}

/// What cannot be written is refused when it is opened. The superuser can write everything, so
/// under that user the test runs itself again as nobody.
#[cfg(unix)]
#[test]
fn a_database_that_cannot_be_written_is_refused() {
    use std::fs::{OpenOptions, Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    const VARIABLE: &str = "SUPERSESSION_TEST_READ_ONLY_DATABASE";
    const NOBODY: u32 = 65_534;

    fn check(path: &Path) {
        let error = pollster::block_on(refused(path));
        assert_refused(
            &error,
            OpenErrorKind::NotWritable,
            path,
            "check the permissions",
        );
    }

    if let Some(path) = std::env::var_os(VARIABLE) {
        return check(Path::new(&path));
    }
    let place = Place::new();
    drop(pollster::block_on(place.store()));
    set_permissions(place.path(), Permissions::from_mode(0o444)).unwrap();
    set_permissions(place.0.path(), Permissions::from_mode(0o555)).unwrap();
    if OpenOptions::new().append(true).open(place.path()).is_ok() {
        // A copy, because that user may not see where this program lies.
        let readable = tempfile::tempdir().unwrap();
        set_permissions(readable.path(), Permissions::from_mode(0o755)).unwrap();
        let program = readable.path().join("tests");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let again = Command::new(program)
            .args([
                "--exact",
                "opening::a_database_that_cannot_be_written_is_refused",
            ])
            .env(VARIABLE, place.path())
            .current_dir(readable.path())
            .uid(NOBODY)
            .gid(NOBODY)
            .output()
            .unwrap();
        assert!(again.status.success(), "{again:?}");
    } else {
        check(&place.path());
    }
    set_permissions(place.0.path(), Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_table_that_is_missing_is_found_when_the_database_is_opened() {
    for table in ["session_info", "tenant_configs", "jwt_signing_keys"] {
        let place = Place::new();
        drop(place.store().await);
        let drop_table = format!("DROP TABLE {table}");
        place.connection().execute_batch(&drop_table).unwrap();
        let error = refused(&place.path()).await;
        assert_refused(&error, OpenErrorKind::TableMissing, &place.path(), table);
    }
}

#[tokio::test]
async fn a_name_that_is_no_path_is_refused_and_makes_no_file() {
    for (name, advice) in [
        ("", "the name is empty"),
        ("sqlite:", "the name is empty"),
        ("postgres://user:password@host/db", "something else"),
        ("sqlite:y.db?mode=ro", "a parameter"),
        ("file://host/y.db", "no host"),
        ("a\0b", "NUL"),
    ] {
        let error = refused(Path::new(name)).await;
        assert_eq!(error.kind(), OpenErrorKind::BadName, "{name}");
        assert!(error.to_string().contains(advice), "{error}");
        assert!(!error.to_string().contains("password"), "{error}");
    }
}

#[tokio::test]
async fn a_url_opens_the_file_that_it_names() {
    let place = Place::new();
    insert(&place.store().await, "h").await;
    let path = place.path();
    let path = path.to_str().unwrap();
    for url in [
        format!("sqlite:{path}"),
        format!("sqlite://{path}?mode=rwc"),
        format!("file:{path}"),
        format!("file://{path}"),
    ] {
        let store = SqliteStore::open(&url).await.unwrap();
        assert!(store.session(&key("h"), NOW).await.unwrap().is_some());
    }
    let store = SqliteStore::open("sqlite::memory:").await.unwrap();
    assert!(store.session(&key("h"), NOW).await.unwrap().is_none());
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_regular_file_is_no_database() {
    let place = Place::new();
    let socket = place.0.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let link = place.0.path().join("link");
    std::os::unix::fs::symlink(place.path(), &link).unwrap();
    for path in [Path::new("/dev/null"), &socket, &link] {
        let error = refused(path).await;
        assert_refused(
            &error,
            OpenErrorKind::NotADatabase,
            path,
            "choose another path",
        );
    }
}
