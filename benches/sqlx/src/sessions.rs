//! tower-sessions on SQLite.

use std::path::Path;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bench_harness::SESSION_DATA;
use http::header::SET_COOKIE;
use http::{Request, StatusCode};
use serde_json::Value;
use tower::Service as _;
use tower_sessions::{Session, SessionManagerLayer};
use tower_sessions_sqlx_store::SqliteStore;
// The sqlx version of the store, which is not the newest.
use tower_sessions_sqlx_store::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};

/// Opens the store as its documentation describes, in WAL mode.
pub(crate) async fn store(file: &Path, full: bool) -> anyhow::Result<SqliteStore> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(if full {
            SqliteSynchronous::Full
        } else {
            SqliteSynchronous::Normal
        });
    let pool = SqlitePoolOptions::new()
        .max_connections(8)
        .connect_with(options)
        .await?;
    let store = SqliteStore::new(pool);
    store.migrate().await?;
    Ok(store)
}

async fn login(session: Session) -> Result<&'static str, StatusCode> {
    let data: Value = serde_json::from_str(SESSION_DATA).map_err(|_| StatusCode::BAD_REQUEST)?;
    let inserted = session.insert("data", data).await;
    inserted.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok("ok")
}

async fn read(session: Session) -> Result<&'static str, StatusCode> {
    let data: Option<Value> = session
        .get("data")
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    std::hint::black_box(&data);
    data.map(|_| "ok").ok_or(StatusCode::UNAUTHORIZED)
}

async fn write(session: Session) -> Result<&'static str, StatusCode> {
    let fault = |_| StatusCode::SERVICE_UNAVAILABLE;
    let count: Option<u64> = session.get("count").await.map_err(fault)?;
    let count = count.unwrap_or(0) + 1;
    session.insert("count", count).await.map_err(fault)?;
    Ok("ok")
}

/// An application with a page that reads and a page that writes.
pub(crate) fn router(store: SqliteStore) -> Router {
    Router::new()
        .route("/orders", get(read))
        .route("/write", get(write))
        .route("/login", get(login))
        .layer(SessionManagerLayer::new(store))
}

/// Signs in and returns the cookie that a browser then sends.
pub(crate) async fn sign_in(router: &mut Router) -> anyhow::Result<String> {
    let request = Request::get("/login").body(Body::empty())?;
    let answer = router.call(request).await?;
    let cookie = answer.headers().get(SET_COOKIE).context("a cookie")?;
    let cookie = cookie.to_str()?.split(';').next().context("a value")?;
    Ok(cookie.to_owned())
}
