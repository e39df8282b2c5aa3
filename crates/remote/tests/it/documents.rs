//! Documents: changed in one atomic step by our core, read and overwritten with others.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use supersession::http::{RequestView, ResponseHead};
use supersession::{BuildError, FaultKind, SessionError, Sessions};
use supersession_remote::RemoteCore;

use crate::failover::kind;
use crate::fake::{Fake, Reply, information, over};
use crate::real::Real;

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_update_is_lost_between_processes() {
    let folder = tempfile::tempdir().unwrap();
    let core = Real::start(&folder.path().join("core.db")).await;
    // Each has its own locks, like another process.
    let nodes = [
        core.sessions().await,
        core.sessions().await,
        core.sessions().await,
    ];
    let session = nodes[0].create("alice").await.unwrap();
    let handle = session.handle().clone();
    let work = nodes.clone().map(|node: Sessions| {
        let handle = handle.clone();
        tokio::spawn(async move {
            for at in 0..20 {
                let counted = node
                    .modify_session_data(&handle, |counter: &mut Counter| counter.count += 1)
                    .await;
                assert!(counted.unwrap().is_some());
                let counted = node
                    .user_metadata()
                    .modify("alice", |counter: &mut Counter| counter.count += 1)
                    .await;
                counted.unwrap();
                let patch = json!({ format!("k{at}"): at });
                node.merge_into_access_token_payload(&handle, patch)
                    .await
                    .unwrap();
            }
        })
    });
    for node in work {
        node.await.unwrap();
    }
    let data: Counter = nodes[1].session_data(&handle).await.unwrap().unwrap();
    assert_eq!(data.count, 60);
    let metadata: Counter = nodes[2].user_metadata().get("alice").await.unwrap();
    assert_eq!(metadata.count, 60);
    let stored = nodes[1].information(&handle).await.unwrap().unwrap();
    // The issuer and the merged members.
    assert_eq!(stored.access_token_payload.keys().len(), 21);
    core.stop().await;
}

#[tokio::test]
async fn writes_do_not_recreate_a_revoked_session() {
    let folder = tempfile::tempdir().unwrap();
    let core = Real::start(&folder.path().join("core.db")).await;
    let sessions = core.sessions().await;
    for handle in ["unknown", "unknown_tenant-that-is-not-there"] {
        assert!(
            sessions
                .merge_session_data(handle, json!({}))
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            !sessions
                .update_session_data(handle, &json!({}))
                .await
                .unwrap()
        );
        assert!(sessions.information(handle).await.unwrap().is_none());
        assert!(!sessions.revoke(handle).await.unwrap());
    }
    let (gone, live) = (
        sessions.create("alice").await.unwrap(),
        sessions.create("alice").await.unwrap(),
    );
    let all = [
        gone.handle().clone(),
        "x_no-such-tenant".into(),
        gone.handle().clone(),
    ];
    assert_eq!(
        sessions.revoke_multiple(&all).await.unwrap(),
        [gone.handle().clone()]
    );
    assert!(gone.merge_session_data(json!({"a": 1})).await.is_err());
    assert!(
        gone.merge_into_access_token_payload(json!({"a": 1}))
            .await
            .is_err()
    );
    assert!(sessions.information(gone.handle()).await.unwrap().is_none());
    assert_eq!(
        sessions.handles_for_user("alice").await.unwrap(),
        [live.handle().clone()]
    );
    core.stop().await;
}

#[tokio::test]
async fn metadata_is_overwritten_merged_and_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let core = Real::start(&folder.path().join("core.db")).await;
    let sessions = core.sessions().await;
    let metadata = sessions.user_metadata();
    let empty: Value = metadata.get("alice").await.unwrap();
    assert_eq!(empty, json!({}));
    metadata
        .update("alice", json!({"a": 1, "b": {"c": 1}}))
        .await
        .unwrap();
    let merged = metadata
        .update("alice", json!({"a": null, "b": {"d": null}}))
        .await
        .unwrap();
    assert_eq!(merged.as_str(), r#"{"b":{"d":null}}"#);
    metadata.clear("alice").await.unwrap();
    let empty: Value = metadata.get("alice").await.unwrap();
    assert_eq!(empty, json!({}));
    core.stop().await;
}

/// A core without the extension, with one session.
async fn plain(data: Arc<Mutex<Value>>) -> Fake {
    Fake::start(move |seen| {
        let mut data = data.lock().unwrap();
        if seen.is("GET", "/recipe/session") {
            information("h", &data)
        } else if seen.is("PUT", "/recipe/session/data") {
            *data = seen.body["userDataInDatabase"].clone();
            Reply::Json(json!({ "status": "OK" }))
        } else {
            Reply::text(404, "Not found")
        }
    })
    .await
}

#[tokio::test]
async fn documents_of_other_cores_are_read_and_overwritten_one_at_a_time() {
    let data = Arc::new(Mutex::new(json!({ "count": 0, "kept": true })));
    let core = plain(Arc::clone(&data)).await;
    let sessions = over(&[&core]).await;
    let add = || sessions.modify_session_data("h", |counter: &mut Counter| counter.count += 1);
    let (a, b, c) = tokio::join!(add(), add(), add());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    let merge = |patch| sessions.merge_session_data("h", patch);
    let (a, b) = tokio::join!(merge(json!({"x": 1})), merge(json!({"y": 2, "kept": null})));
    assert!(a.is_ok() && b.is_ok());
    assert_eq!(*data.lock().unwrap(), json!({ "count": 3, "x": 1, "y": 2 }));
}

#[tokio::test]
async fn other_cores_are_rejected_if_atomic_writes_are_required() {
    let core = plain(Arc::default()).await;
    let built = RemoteCore::at(core.url())
        .require_atomic_writes(true)
        .build()
        .await;
    let Err(BuildError::Config(problems)) = built else {
        panic!("{built:?}");
    };
    assert_eq!(problems[0].setting, "RemoteCore::require_atomic_writes");
    let labelled = over(&[&core])
        .await
        .set_device_label("h", Some("phone"))
        .await;
    assert_eq!(kind(&labelled.unwrap_err()), FaultKind::Misuse);
}

/// The merge contains the limit of the payload, so that the core checks it in the same step.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_too_large_for_delivery_is_not_stored_by_our_core() {
    let folder = tempfile::tempdir().unwrap();
    let core = Real::start(&folder.path().join("core.db")).await;
    let sessions = core.sessions().await;
    let session = sessions.create("alice").await.unwrap();
    let text = |bytes: usize| json!({ "groups": "x".repeat(bytes) });
    let handle = session.handle();
    sessions
        .merge_into_access_token_payload(handle, text(1_500))
        .await
        .unwrap();
    let merged = sessions
        .merge_into_access_token_payload(handle, text(3_000))
        .await;
    let error = merged.unwrap_err();
    assert!(matches!(error, SessionError::PayloadTooLarge(_)), "{error}");
    let stored = session.information().await.unwrap().access_token_payload;
    assert_eq!(stored.get("groups"), Some(text(1_500)["groups"].clone()));
    let error = sessions
        .create("bob")
        .payload(text(7_000))
        .await
        .unwrap_err();
    assert!(matches!(error, SessionError::PayloadTooLarge(_)), "{error}");
    assert!(sessions.handles_for_user("bob").await.unwrap().is_empty());
    core.stop().await;
}

struct RefreshByCookie(String);

impl RequestView for RefreshByCookie {
    fn method(&self) -> &'static str {
        "POST"
    }

    fn path(&self) -> &'static str {
        "/auth/session/refresh"
    }

    fn headers(&self, each: &mut dyn FnMut(&str, &[u8])) {
        each("cookie", format!("sRefreshToken={}", self.0).as_bytes());
        each("rid", b"session");
    }
}

struct Head(Vec<(String, String)>);

impl ResponseHead for Head {
    fn header_values(&self, _: &str, _: &mut dyn FnMut(&[u8])) {}

    fn remove_header(&mut self, _: &str) {}

    fn append_header(&mut self, name: &str, value: &str, _: bool) {
        self.0.push((name.to_owned(), value.to_owned()));
    }
}

/// The core has already rotated the refresh token. The new one is delivered with the error, so that
/// the client does not present the old one after the grace period, which would be theft.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_with_an_undeliverable_access_token_returns_the_refresh_token() {
    let folder = tempfile::tempdir().unwrap();
    let core = Real::start(&folder.path().join("core.db")).await;
    let sessions = core.sessions().await;
    let session = sessions.create("alice").await.unwrap();
    let refresh = session
        .all_session_tokens_dangerously()
        .refresh_token
        .unwrap();
    let payload = json!({
        "sessionHandle": session.handle(), "userDataInJWT": { "groups": "x".repeat(5_000) },
    });
    let stored = core.sdk("PUT", "/recipe/jwt/data", &payload).await;
    assert_eq!(stored["status"], "OK");

    let mut presented = refresh.expose().to_owned();
    for _ in 0..2 {
        let request = sessions.for_request("POST", "/auth/session/refresh");
        request.read(&RefreshByCookie(
            presented.replace('+', "%2B").replace('=', "%3D"),
        ));
        let error = request.refresh().await.unwrap_err();
        let reply = request.answer(&error);
        assert_eq!(reply.status, 500, "{error}");
        let mut head = Head(Vec::new());
        request.finish(&mut head);
        let cookies: Vec<_> = head
            .0
            .iter()
            .filter(|(name, _)| name == "set-cookie")
            .collect();
        assert_eq!(cookies.len(), 1, "{:?}", cookies.len());
        let line = cookies[0].1.strip_prefix("sRefreshToken=").unwrap();
        let value = line.split(';').next().unwrap();
        assert!(!value.is_empty());
        presented = value
            .replace("%2B", "+")
            .replace("%2F", "/")
            .replace("%3D", "=");
    }
    core.stop().await;
}
