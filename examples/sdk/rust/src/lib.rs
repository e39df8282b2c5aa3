//! Shared code of the axum and actix-web applications: access to the sessions, and the logic of the
//! handlers.
//!
//! | variable | default | meaning |
//! | --- | --- | --- |
//! | `PORT` | 3000 | the port on the loopback interface |
//! | `CONNECTION_URI` | `http://localhost:3567` | the server to call |
//! | `STORE` | none | the server's own store, `sqlite:<path>` or `postgres://..`. If set, this application opens the store and does not call the server |

use std::env;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use supersession::{Session, SessionError, Sessions, UserId};
use supersession_postgres::PostgresStore;
use supersession_remote::RemoteCore;
use supersession_sqlite::SqliteStore;

/// The user that signs in, or whose sessions are meant.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    /// The user's id.
    pub user_id: String,
}

/// The known member of the session data. Other members are kept unchanged.
#[derive(Default, Deserialize, Serialize)]
struct Visits {
    visits: u64,
}

/// Returns the port of this application.
pub fn port() -> anyhow::Result<u16> {
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    port.parse().context("PORT must be a port")
}

/// Returns the sessions, from the server or from its store.
pub async fn sessions() -> anyhow::Result<Sessions> {
    let builder = match env::var("STORE") {
        Ok(url) => match url.strip_prefix("sqlite:") {
            Some(path) => Sessions::builder(SqliteStore::open(path).await?),
            None => Sessions::builder(PostgresStore::open(url).await?),
        },
        Err(_) => {
            let url =
                env::var("CONNECTION_URI").unwrap_or_else(|_| "http://localhost:3567".to_owned());
            // No application loses a change that another one makes concurrently.
            let core = RemoteCore::at(url).require_atomic_writes(true);
            Sessions::over(core.build().await?)
        }
    };
    let domain = format!("http://localhost:{}", port()?);
    let sessions = builder.api_domain(&domain).website_domain(&domain);
    Ok(sessions.build().await?)
}

/// Session data with a verified request: read and changed in one atomic step.
pub async fn visit(session: &Session) -> Result<Value, SessionError> {
    let visits = session
        .modify_session_data(|data: &mut Visits| {
            data.visits += 1;
            data.visits
        })
        .await?;
    Ok(json!({ "visits": visits }))
}

/// Session data without a request: all sessions of a user, by handle.
pub async fn notify_all_sessions(sessions: &Sessions, user: &str) -> Result<Value, SessionError> {
    let handles = sessions.handles_for_user(user).await?;
    for handle in &handles {
        // Returns `None` if the session has ended in the meantime.
        sessions
            .merge_session_data(handle, json!({ "notice": "terms changed" }))
            .await?;
    }
    Ok(json!({ "sessions": handles.len() }))
}

/// User metadata: merged into the stored metadata.
pub async fn update_metadata(sessions: &Sessions, user: &UserId) -> Result<Value, SessionError> {
    let metadata = sessions.user_metadata();
    let update = json!({ "theme": "dark", "draft": null });
    metadata.update(user, update).await?;
    metadata.get(user).await
}

/// User metadata: deletes all of it.
pub async fn clear_metadata(sessions: &Sessions, user: &UserId) -> Result<Value, SessionError> {
    sessions.user_metadata().clear(user).await?;
    Ok(json!({}))
}
