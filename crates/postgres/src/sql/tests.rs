use tokio_postgres::NoTls;

use supersession_testkit::servers::PostgresServer;

use super::Statements;
use crate::PostgresStore;
use crate::names::Names;

/// A thousand users with two sessions each, with planner statistics.
const FILL: &str = "
    INSERT INTO apps (app_id) VALUES ('public');
    INSERT INTO tenants (app_id, tenant_id) VALUES ('public', 'public');
    INSERT INTO session_info (session_handle, user_id, refresh_token_hash_2, expires_at,
            created_at_time, use_static_key)
        SELECT 'h' || n, 'user' || n % 1000, 'hash', n, n, false FROM generate_series(1, 2000) AS n;
    INSERT INTO user_metadata (user_id, user_metadata)
        SELECT 'user' || n, '{}' FROM generate_series(1, 1000) AS n;
    INSERT INTO key_value (name) SELECT 'name' || n FROM generate_series(1, 1000) AS n;
    ANALYZE";

/// Returns the generic plan of a statement. Sequential scans, which the planner prefers for small
/// tables, are made expensive.
async fn plan(client: &tokio_postgres::Client, sql: &str) -> String {
    let parameters = (1..).take_while(|n| sql.contains(&format!("${n}"))).count();
    let nulls = vec!["NULL"; parameters].join(", ");
    client
        .batch_execute(&format!("DEALLOCATE ALL; PREPARE statement AS {sql}"))
        .await
        .unwrap();
    let explain = format!("EXPLAIN EXECUTE statement ({nulls})");
    let rows = client.simple_query(&explain).await.unwrap();
    let lines = rows.iter().filter_map(|row| match row {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_statement_finds_its_rows_through_an_index() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    PostgresStore::open(server.url()).await.unwrap();
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(FILL).await.unwrap();
    client
        .batch_execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off")
        .await
        .unwrap();
    let sql = Statements::new(&Names::new("public", ""), true);
    let of_user = "session_info_user_id_app_id_index";
    for (statement, index) in [
        (&sql.find_session, "session_info_pkey"),
        (&sql.rotate, "session_info_pkey"),
        (&sql.session_data.find, "session_info_pkey"),
        (&sql.session_data.overwrite, "session_info_pkey"),
        (&sql.session_data.swap, "session_info_pkey"),
        (&sql.payload.swap, "session_info_pkey"),
        (&sql.session_data_batch.read, "session_info_pkey"),
        (&sql.session_data_batch.swap, "session_info_pkey"),
        (&sql.payload_batch.swap, "session_info_pkey"),
        (&sql.delete_sessions, "session_info_pkey"),
        (&sql.delete_expired, "session_expiry_index"),
        (&sql.user_records, of_user),
        (&sql.user_handles, of_user),
        (&sql.delete_of_user, of_user),
        (&sql.record_uses, "session_info_pkey"),
        (&sql.set_label, "session_info_pkey"),
        (&sql.find_metadata, "user_metadata_pkey"),
        (&sql.swap_metadata, "user_metadata_pkey"),
        (&sql.metadata_batch.read, "user_metadata_pkey"),
        (&sql.metadata_batch.swap, "user_metadata_pkey"),
        (&sql.delete_metadata, "user_metadata_pkey"),
        (&sql.find_value, "key_value_pkey"),
        (&sql.lock_app, "apps_pkey"),
    ] {
        let plan = plan(&client, statement).await;
        assert!(plan.contains(index), "{statement}\n{plan}");
        assert!(!plan.contains("Seq Scan"), "{statement}\n{plan}");
    }
}
