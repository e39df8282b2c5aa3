//! A theft that a core reports to several concurrent requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use supersession::{AntiCsrfInput, Hooks, RefreshToken, SessionError, Sessions};
use supersession_remote::RemoteCore;

use crate::fake::{Fake, Reply, configured};

const REMOVE: &str = "/recipe/session/remove";

/// A core that reports every refresh as theft. If it returns the class, it revokes the session itself.
async fn core(class: Option<&'static str>) -> Fake {
    let removals = AtomicUsize::new(0);
    Fake::start(move |seen| {
        if seen.is("POST", REMOVE) {
            let is_first = removals.fetch_add(1, Ordering::SeqCst) == 0;
            let revoked = if is_first { vec!["h"] } else { vec![] };
            return Reply::Json(json!({ "status": "OK", "sessionHandlesRevoked": revoked }));
        }
        Reply::Json(json!({
            "status": "TOKEN_THEFT_DETECTED",
            "session": { "handle": "h", "userId": "alice", "recipeUserId": "alice" },
            "recentTokenReuseSubtype": class,
        }))
    })
    .await
}

async fn over(core: &Fake, heard: &Arc<Mutex<Vec<String>>>) -> Sessions {
    let heard = Arc::clone(heard);
    let hooks = Hooks::new().on_theft(move |theft| {
        heard.lock().unwrap().push(theft.handle.to_string());
        async {}
    });
    let remote = RemoteCore::at(core.url()).build().await.unwrap();
    let builder = configured(Sessions::over(remote)).hooks(hooks);
    builder.build().await.unwrap()
}

async fn replay(sessions: &Sessions) -> SessionError {
    let token = RefreshToken::new("a stolen token");
    let refreshed = sessions.refresh_session(&token, AntiCsrfInput::Disabled);
    refreshed.await.unwrap_err()
}

/// An older core leaves the revocation to its clients. The client that revokes the session reports
/// the theft.
#[tokio::test]
async fn the_client_that_revokes_the_session_reports_the_theft() {
    let core = core(None).await;
    let heard = Arc::default();
    let nodes = [over(&core, &heard).await, over(&core, &heard).await];
    let first = replay(&nodes[0]).await;
    assert!(
        matches!(first, SessionError::TokenTheftDetected(_)),
        "{first:?}"
    );
    for node in &nodes {
        let later = replay(node).await;
        assert!(matches!(later, SessionError::Unauthorised(_)), "{later:?}");
        assert!(later.clears_tokens());
    }
    assert_eq!(*heard.lock().unwrap(), ["h"]);
}

/// A core that has revoked the session does not return which request did so. The hook runs once per
/// process.
#[tokio::test]
async fn a_theft_that_the_core_reports_again_calls_the_hook_once() {
    let core = core(Some("STALE_LINEAGE")).await;
    let heard = Arc::default();
    let sessions = over(&core, &heard).await;
    for _ in 0..3 {
        let error = replay(&sessions).await;
        assert!(
            matches!(error, SessionError::TokenTheftDetected(_)),
            "{error:?}"
        );
    }
    assert_eq!(core.count("POST", REMOVE), 0);
    assert_eq!(*heard.lock().unwrap(), ["h"]);
}
