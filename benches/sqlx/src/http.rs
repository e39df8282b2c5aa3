//! A server with tower-sessions on SQLite.

use bench_harness::{Served, USERS, listener};

use crate::sessions;

pub(crate) fn serve() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let store = sessions::store(&folder.path().join("sessions.db"), false).await?;
        let mut app = sessions::router(store);
        let mut cookies = Vec::new();
        for _ in 0..USERS {
            cookies.push(sessions::sign_in(&mut app).await?);
        }
        // As long as Supersession's tokens. Every request has one.
        let tokens = vec!["x".repeat(1_212); USERS];
        let (listener, port) = listener()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::spawn(async move { axum::serve(listener, app).await });
        let served = Served::new(port, &cookies, &tokens);
        tokio::task::spawn_blocking(move || served.tell_and_wait()).await?
    })
}
