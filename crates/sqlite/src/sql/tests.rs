use rusqlite::Connection;

use super::{devices, documents, sessions, user_sessions};

#[track_caller]
fn uses(sql: &str, index: &str) {
    let connection = Connection::open_in_memory().unwrap();
    for migration in crate::schema::MIGRATIONS {
        connection.execute_batch(migration).unwrap();
    }
    let mut statement = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap();
    let parameters = vec![rusqlite::types::Null; statement.parameter_count()];
    let steps = statement
        .query_map(rusqlite::params_from_iter(parameters), |row| {
            row.get::<_, String>(3)
        })
        .unwrap();
    let plan: Vec<_> = steps.map(Result::unwrap).collect();
    assert!(plan.iter().any(|step| step.contains(index)), "{plan:?}");
    assert!(
        !plan.iter().any(|step| step.starts_with("SCAN")),
        "{plan:?}"
    );
}

#[test]
fn sessions_are_found_through_the_primary_key() {
    uses(sessions::FIND, "sqlite_autoindex_session_info_1");
    uses(documents::FIND, "sqlite_autoindex_session_info_1");
    uses(sessions::DELETE, "sqlite_autoindex_session_info_1");
    uses(devices::RECORD_USE, "sqlite_autoindex_session_info_1");
    uses(devices::SET_LABEL, "sqlite_autoindex_session_info_1");
}

#[test]
fn the_sessions_of_a_user_are_found_through_their_index() {
    uses(user_sessions::RECORDS, "session_info_user_id_app_id_index");
    uses(user_sessions::HANDLES, "session_info_user_id_app_id_index");
    uses(user_sessions::DELETE, "session_info_user_id_app_id_index");
}

#[test]
fn expired_sessions_are_found_through_their_index() {
    uses(sessions::DELETE_EXPIRED, "session_expiry_index");
}
