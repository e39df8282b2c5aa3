//! The servers on axum.

use axum::Router;
use bench_harness::{Served, USERS, listener};
use supersession::store::MemoryStore;

use crate::in_process::axum::{bare, decoding, guarded, signed_in};
use crate::in_process::peers;
use crate::ours::{CACHE, NO_CACHE, Ours, guarded_sqlite};
use crate::primitives::Decoder;

pub(super) fn serve(case: &str) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let folder = tempfile::tempdir()?;
    runtime.block_on(async {
        let ours = match case {
            "database" => guarded_sqlite(&folder.path().join("sessions.db")).await?,
            "misses" => Ours::open(MemoryStore::new(), NO_CACHE).await?,
            _ => Ours::open(MemoryStore::new(), CACHE).await?,
        };
        let tokens = ours.tokens(USERS).await?;
        let app: Router = match case {
            "bare" => bare(),
            "hits" | "misses" | "database" => guarded(&ours),
            "tower-sessions" => peers::tower_sessions(peers::tower_read),
            "jsonwebtoken" => decoding(Decoder::of(&ours).await?),
            _ => anyhow::bail!("there is no case {case}"),
        };
        let mut cookies = Vec::new();
        for _ in &tokens {
            cookies.push(signed_in(&app).await?);
        }
        let (listener, port) = listener()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::spawn(async move { axum::serve(listener, app).await });
        let served = Served::new(port, &cookies, &tokens);
        tokio::task::spawn_blocking(move || served.tell_and_wait()).await?
    })
}
