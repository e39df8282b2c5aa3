//! tower-sessions on SQLite, measured in the process.

use anyhow::ensure;
use axum::body::Body;
use bench_harness::take_turns;
use http::{Request, StatusCode};
use tower::Service as _;

use crate::sessions;

pub(crate) fn case(case: &str) -> anyhow::Result<()> {
    let path = match case {
        "tower-read" => "/orders",
        "tower-write" => "/write",
        _ => anyhow::bail!("there is no case {case}"),
    };
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let store = runtime.block_on(sessions::store(&folder.path().join("sessions.db"), false))?;
    let mut app = sessions::router(store);
    let cookie = runtime.block_on(sessions::sign_in(&mut app))?;
    // As long as Supersession's tokens. Every request has one.
    let bearer = format!("Bearer {}", "x".repeat(1_212));
    let request = || {
        Request::get(path)
            .header("host", "api.example.com")
            .header("accept", "application/json")
            .header("cookie", &cookie)
            .header("authorization", &bearer)
            .body(Body::empty())
    };
    let answer = runtime.block_on(app.call(request()?))?;
    ensure!(answer.status() == StatusCode::OK, "{}", answer.status());
    take_turns(|operations| {
        runtime.block_on(async {
            for _ in 0..operations {
                let request = request().expect("as before");
                let answer = app.call(request).await.expect("infallible");
                assert_eq!(answer.status(), StatusCode::OK);
            }
        });
    })
}
