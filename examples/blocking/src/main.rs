//! A program without an async runtime that manages the sessions of an app, such as an admin tool:
//! `cargo run -p blocking-offline [DATABASE]`. It may run while the app uses the same file.
#![expect(
    clippy::print_stdout,
    reason = "a command-line program talks to its user"
)]

use std::error::Error;

use pollster::block_on;
use serde_json::{Value, json};
use supersession::Sessions;
use supersession_sqlite::SqliteStore;

fn main() -> Result<(), Box<dyn Error>> {
    let database = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "offline.db".to_owned());
    let sessions = block_on(async {
        Sessions::builder(SqliteStore::open(&database).await?)
            .api_domain("http://localhost:3000")
            .website_domain("http://localhost:3000")
            .cleanup_interval(None)
            .build()
            .await
            .map_err(Box::<dyn Error>::from)
    })?;

    // Creates a session for a device that signs in elsewhere. Its tokens would be sent to the
    // device.
    let session = block_on(
        sessions
            .create("alice")
            .data(json!({"visits": 1}))
            .into_future(),
    )?;
    let handle = session.handle();
    println!("created {handle} in {database}");

    // Three operations that change the session data without a request.
    block_on(sessions.update_session_data(handle, &json!({"visits": 2})))?;
    block_on(sessions.merge_session_data(handle, json!({"notice": "new terms"})))?;
    let visits = block_on(sessions.modify_session_data(handle, |data: &mut Value| {
        let visits = data["visits"].as_u64().unwrap_or(0) + 1;
        data["visits"] = visits.into();
        visits
    }))?;
    println!("visits: {visits:?}");

    // User metadata belongs to the user and not to a session.
    block_on(
        sessions
            .user_metadata()
            .update("alice", json!({"newsletter": false})),
    )?;
    for session in block_on(sessions.sessions_for_user("alice"))? {
        println!("{}: {}", session.handle, session.session_data);
    }

    // After the revocation, updates report that the session does not exist, and do not recreate it.
    let ended = block_on(sessions.revoke_all_for_user("alice"))?;
    println!("ended {} session(s)", ended.len());
    let updated = block_on(sessions.update_session_data(handle, &json!({"back": true})))?;
    println!("updated a session that has ended: {updated}");
    Ok(())
}
