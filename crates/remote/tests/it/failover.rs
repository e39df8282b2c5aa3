//! Several hosts: their order, retries and time limits.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use supersession::store::{MemoryStore, StoreErrorKind};
use supersession::{
    AntiCsrfInput, FaultKind, RefreshToken, SessionError, SystemClock, SystemEntropy,
};
use supersession_remote::RemoteCore;
use supersession_server::{AnyStore, Values};
use supersession_testkit::{FaultStore, PlannedFault, Verb};

use crate::fake::{Fake, Mint, Reply, information, over, over_with};
use crate::real::Real;

const REFRESH: &str = "/recipe/session/refresh";

pub(crate) fn kind(error: &SessionError) -> FaultKind {
    match error {
        SessionError::Fault(fault) => fault.kind(),
        verdict => panic!("a verdict without an answer: {verdict:?}"),
    }
}

async fn refresh(sessions: &supersession::Sessions) -> Result<supersession::Session, SessionError> {
    let token = RefreshToken::new("some token");
    sessions
        .refresh_session(&token, AntiCsrfInput::Disabled)
        .await
}

/// The URL of a host that refuses connections.
async fn deserted() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn retryable_calls_go_to_the_next_host() {
    for trouble in [
        Reply::Cut,
        Reply::text(503, "store away"),
        Reply::Bytes(200, b"<html>".to_vec()),
    ] {
        let bad = Fake::start(move |_| trouble.clone()).await;
        let good = Fake::start(|_| information("h", &json!({}))).await;
        let sessions = over(&[&bad, &good]).await;
        assert!(sessions.information("h").await.unwrap().is_some());
        assert_eq!(bad.count("GET", "/recipe/session"), 1);
        // The host that failed is tried last now.
        for _ in 0..4 {
            assert!(sessions.information("h").await.unwrap().is_some());
        }
        assert_eq!(bad.count("GET", "/recipe/session"), 1);
        assert_eq!(good.count("GET", "/recipe/session"), 5);
    }
}

#[tokio::test]
async fn a_host_that_does_not_respond_uses_only_its_share_of_the_time() {
    let bad = Fake::start(|_| Reply::Hang).await;
    let good = Fake::start(|_| information("h", &json!({}))).await;
    let sessions = over_with(&[&bad, &good], |core| core.timeout(Duration::from_secs(1))).await;
    assert!(sessions.information("h").await.unwrap().is_some());
    let alone = over_with(&[&bad], |core| core.timeout(Duration::from_millis(100))).await;
    assert_eq!(
        kind(&alone.information("h").await.unwrap_err()),
        FaultKind::Unavailable
    );
}

#[tokio::test]
async fn healthy_hosts_are_used_in_turn() {
    let hosts = [
        Fake::start(|_| information("h", &json!({}))).await,
        Fake::start(|_| information("h", &json!({}))).await,
    ];
    let sessions = over(&[&hosts[0], &hosts[1]]).await;
    for _ in 0..6 {
        sessions.information("h").await.unwrap();
    }
    assert_eq!(
        hosts
            .each_ref()
            .map(|host| host.count("GET", "/recipe/session")),
        [3, 3]
    );
}

#[tokio::test]
async fn a_refresh_that_may_have_arrived_is_not_sent_again() {
    for trouble in [
        Reply::Cut,
        Reply::text(500, "?"),
        Reply::Bytes(200, b"{".to_vec()),
    ] {
        let bad = Fake::start(move |_| trouble.clone()).await;
        let good = Fake::start(|_| Reply::Json(json!({ "status": "UNAUTHORISED" }))).await;
        let sessions = over(&[&bad, &good]).await;
        let error = refresh(&sessions).await.unwrap_err();
        assert_eq!(kind(&error), FaultKind::Unavailable);
        assert_eq!(bad.count("POST", REFRESH), 1);
        assert_eq!(good.count("POST", REFRESH), 0);
    }
}

#[tokio::test]
async fn a_refresh_that_cannot_have_arrived_is_sent_to_the_next_host() {
    let mint = Mint::new(SystemClock).await;
    let tokens = mint.tokens().await;
    let good = Fake::start(move |_| tokens.clone()).await;
    let core = RemoteCore::at(deserted().await).host(good.url());
    let sessions =
        crate::fake::configured(supersession::Sessions::over(core.build().await.unwrap()))
            .build()
            .await
            .unwrap();
    assert_eq!(refresh(&sessions).await.unwrap().user_id(), "alice");
    assert_eq!(good.count("POST", REFRESH), 1);
}

/// Cases: S173.
#[tokio::test]
async fn without_any_core_every_operation_is_a_fault() {
    let core = RemoteCore::at(deserted().await).host(deserted().await);
    // Building calls no host.
    let sessions =
        crate::fake::configured(supersession::Sessions::over(core.build().await.unwrap()))
            .build()
            .await
            .unwrap();
    let mint = Mint::new(SystemClock).await;
    let token = mint.session().await.access_token();
    let options = supersession::VerifyOptions::new();
    let verified = sessions.verify_access_token(&token, None, &options).await;
    assert_eq!(kind(&verified.unwrap_err()), FaultKind::Unavailable);
    assert_eq!(
        kind(&refresh(&sessions).await.unwrap_err()),
        FaultKind::Unavailable
    );
    assert_eq!(
        kind(&sessions.create("alice").await.unwrap_err()),
        FaultKind::Unavailable
    );
    assert_eq!(
        kind(&sessions.revoke("h").await.unwrap_err()),
        FaultKind::Unavailable
    );
}

/// As many retries as in the SDKs of SuperTokens. `backoff.rs` tests the pauses.
#[tokio::test]
async fn a_core_that_responds_with_429_is_retried_up_to_five_times() {
    let mint = Mint::new(SystemClock).await;
    let tokens = mint.tokens().await;
    for (busy_answers, calls) in [(1, 2), (5, 6), (6, 6)] {
        let (counter, tokens) = (AtomicUsize::new(0), tokens.clone());
        let busy = Fake::start(move |_| {
            if counter.fetch_add(1, Ordering::Relaxed) < busy_answers {
                Reply::text(429, "slower")
            } else {
                tokens.clone()
            }
        })
        .await;
        let quickly = Duration::from_millis(1);
        let sessions = over_with(&[&busy], |core| core.retry_step(quickly)).await;
        let refreshed = refresh(&sessions).await;
        assert_eq!(busy.count("POST", REFRESH), calls);
        if busy_answers < calls {
            refreshed.unwrap();
        } else {
            let error = refreshed.unwrap_err();
            assert_eq!(kind(&error), FaultKind::Unavailable);
            assert!(error.to_string().contains("rate limit"), "{error}");
        }
    }
}

/// Also during the negotiation of the version. The other hosts are tried in the meantime.
#[tokio::test]
async fn each_host_that_responds_with_429_has_its_own_retries() {
    let counter = AtomicUsize::new(0);
    let busy = Fake::start_bare(move |seen| {
        if counter.fetch_add(1, Ordering::Relaxed) < 3 {
            Reply::text(429, "slower")
        } else {
            crate::fake::about_itself(seen, "5.6").unwrap_or_else(|| information("h", &json!({})))
        }
    })
    .await;
    let quickly = Duration::from_millis(1);
    let sessions = over_with(&[&busy], |core| core.retry_step(quickly)).await;
    assert!(sessions.information("h").await.unwrap().is_some());
    assert_eq!(busy.count("GET", "/apiversion"), 4);

    let busier = Fake::start(|_| Reply::text(429, "slower")).await;
    let good = Fake::start(|_| information("h", &json!({}))).await;
    let sessions = over_with(&[&busier, &good], |core| core.retry_step(quickly)).await;
    assert!(sessions.information("h").await.unwrap().is_some());
    assert_eq!(busier.count("GET", "/recipe/session"), 1);
}

#[tokio::test]
async fn rejections_of_the_core_name_the_fix() {
    for (status, text, fix) in [
        (401, "Invalid API key", "RemoteCore::api_key"),
        (404, "Not found", "URL"),
        (403, "Forbidden", "ip_allow_regex"),
        (400, "Invalid Json Input", "log"),
        (302, "", "redirects"),
    ] {
        let core = Fake::start(move |_| Reply::text(status, text)).await;
        let error = over(&[&core]).await.information("h").await.unwrap_err();
        assert_eq!(kind(&error), FaultKind::Misuse, "{status}");
        assert!(error.to_string().contains(fix), "{status}: {error}");
        assert!(error.to_string().contains(&core.url()), "{status}: {error}");
    }
    let text = "AppId or tenantId not found => Tenant with the following";
    let core = Fake::start_bare(move |_| Reply::text(400, text)).await;
    let error = over(&[&core]).await.information("h").await.unwrap_err();
    assert!(error.to_string().contains("RemoteCore::app_id"), "{error}");
}

#[tokio::test]
async fn the_newest_common_version_is_negotiated_once_and_again_after_a_rejection() {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    let replaced = Arc::new(AtomicBool::new(false));
    let now_replaced = Arc::clone(&replaced);
    let core = Fake::start_bare(move |seen| {
        let version = if replaced.load(Ordering::Relaxed) {
            "5.2"
        } else {
            "5.6"
        };
        crate::fake::about_itself(seen, version).unwrap_or_else(|| {
            if seen.headers["cdi-version"] == version {
                information("h", &json!({}))
            } else {
                Reply::text(400, "cdi-version 5.6 not supported")
            }
        })
    })
    .await;
    let sessions = over_with(&[&core], |core| core.api_key("an-api-key-of-20-chars")).await;
    for _ in 0..3 {
        assert!(sessions.information("h").await.unwrap().is_some());
    }
    assert_eq!(core.count("GET", "/apiversion"), 1);
    now_replaced.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        assert!(sessions.information("h").await.unwrap().is_some());
    }
    assert_eq!(core.count("GET", "/apiversion"), 2);
    for seen in core.seen("GET", "/recipe/session") {
        assert_eq!(seen.headers["api-key"], "an-api-key-of-20-chars");
    }

    let old = Fake::start_bare(|seen| crate::fake::about_itself(seen, "2.20").unwrap()).await;
    let error = over(&[&old]).await.information("h").await.unwrap_err();
    assert_eq!(kind(&error), FaultKind::Misuse);
    assert!(error.to_string().contains("upgrade the core"), "{error}");
    assert!(error.to_string().contains("only 2.21, 2.20"), "{error}");
}

/// SuperTokens' core has only `/hello`. Our core checks that it can write.
#[tokio::test]
async fn readiness_is_that_of_the_core() {
    let theirs = Fake::start(|seen| match seen.path.as_str() {
        "/hello" => Reply::text(200, "Hello"),
        _ => Reply::text(404, "Not found"),
    })
    .await;
    let sessions = over(&[&theirs]).await;
    sessions.check_ready().await.unwrap();
    assert_eq!(theirs.seen("GET", "/hello").len(), 1);

    let store = FaultStore::new(MemoryStore::new());
    let any = AnyStore::new(store.clone());
    let ours = Real::start_with(any, Values::new(), SystemClock, SystemEntropy).await;
    let sessions = ours.sessions().await;
    let fault = PlannedFault::new(StoreErrorKind::NotWritable).on(Verb::CheckReady);
    store.plan(fault);
    let error = sessions.check_ready().await.unwrap_err();
    assert_eq!(kind(&error), FaultKind::Unavailable);
}

/// Both with `check` and with the first request.
#[tokio::test]
async fn an_address_without_a_core_is_named_with_its_fix() {
    let page = Fake::start_bare(|_| Reply::Bytes(200, b"<!doctype html>".to_vec())).await;
    let other = Fake::start_bare(|_| Reply::Json(json!({ "hello": 1 }))).await;
    let (tls_port, _task) = no_http().await;
    for (url, fix) in [
        (deserted().await, "start the core"),
        (page.url(), "an HTML page"),
        (other.url(), "not one of a SuperTokens core"),
        (other.url().replace("http:", "https:"), "`http://`"),
        (tls_port, "`https://`"),
        (
            "http://no-such-host.invalid:3567".to_owned(),
            "name in the URL",
        ),
    ] {
        let core = RemoteCore::at(&url).build().await.unwrap();
        let fault = core.check().await.unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Unavailable);
        assert!(fault.to_string().contains(fix), "{url}: {fault}");
        let builder = crate::fake::configured(supersession::Sessions::over(core));
        let sessions = builder.build().await.unwrap();
        let error = refresh(&sessions).await.unwrap_err();
        assert!(error.to_string().contains(fix), "{url}: {error}");
    }
}

/// A host whose response is not HTTP, such as a TLS port.
async fn no_http() -> (String, tokio::task::JoinHandle<()>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1_024]).await;
            // A TLS alert.
            let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, 10]).await;
        }
    });
    (url, task)
}

/// SuperTokens' core lists its versions without a key, so the next call checks the key.
#[tokio::test]
async fn a_wrong_api_key_is_not_mistaken_for_a_core_without_atomic_merges() {
    let core = Fake::start_bare(|seen| {
        if seen.path == supersession::wire::DOCUMENT_PATH {
            Reply::text(401, "Invalid API key")
        } else {
            crate::fake::about_itself(seen, "5.6").unwrap()
        }
    })
    .await;
    let without = RemoteCore::at(core.url()).build().await.unwrap();
    let fault = without.check().await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Misuse);
    assert!(fault.to_string().contains("none is configured"), "{fault}");
    let builder = RemoteCore::at(core.url()).api_key("wrong");
    let error = builder
        .require_atomic_writes(true)
        .build()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("rejects the API key"), "{error}");
}
