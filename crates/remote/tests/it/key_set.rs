//! The key set of the core: fetched when needed, and cached.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use supersession::{
    AccessToken, FaultKind, SessionError, Sessions, SystemClock, UnixMillis, VerifyOptions,
};
use supersession_remote::RemoteCore;
use supersession_testkit::ManualClock;

use crate::failover::kind;
use crate::fake::{Fake, Mint, Reply, configured};

const KEYS: &str = "/.well-known/jwks.json";

struct World {
    clock: ManualClock,
    mint: Mint,
    core: Fake,
    /// The response to a request for the key set.
    reply: Arc<Mutex<Reply>>,
    sessions: Sessions,
}

impl World {
    async fn new() -> Self {
        let clock = ManualClock::new(UnixMillis::new(1_767_225_600_000));
        let mint = Mint::new(clock.clone()).await;
        let reply = Arc::new(Mutex::new(mint.key_set().await));
        let replies = Arc::clone(&reply);
        let core = Fake::start(move |_| replies.lock().unwrap().clone()).await;
        let remote = RemoteCore::at(core.url()).build().await.unwrap();
        let sessions = configured(Sessions::over(remote))
            .clock(clock.clone())
            .build()
            .await
            .unwrap();
        Self {
            clock,
            mint,
            core,
            reply,
            sessions,
        }
    }

    fn says(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    async fn token(&self) -> AccessToken {
        self.mint.session().await.access_token()
    }

    async fn verify(&self, token: &AccessToken) -> Result<(), SessionError> {
        let options = VerifyOptions::new();
        let verified = self
            .sessions
            .verify_access_token(token, None, &options)
            .await;
        verified.map(|session| assert!(session.is_some()))
    }

    fn fetches(&self) -> usize {
        self.core.count("GET", KEYS)
    }
}

/// A token that differs from the given one only in its key id.
fn with_unknown_key(token: &AccessToken, kid: &str) -> AccessToken {
    let text = token.expose();
    let (_, rest) = text.split_once('.').unwrap();
    let header = format!(r#"{{"alg":"RS256","typ":"JWT","version":"5","kid":"{kid}"}}"#);
    AccessToken::new(format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header)))
}

#[tokio::test]
async fn keys_are_fetched_at_the_first_verification_and_cached() {
    let world = World::new().await;
    let (one, other) = (world.token().await, world.token().await);
    assert_eq!(world.fetches(), 0);
    world.verify(&one).await.unwrap();
    world.verify(&one).await.unwrap();
    world.verify(&other).await.unwrap();
    assert_eq!(world.fetches(), 1);
}

#[tokio::test]
async fn concurrent_requests_share_a_fetch() {
    let world = World::new().await;
    let token = world.token().await;
    let (a, b, c) = tokio::join!(
        world.verify(&token),
        world.verify(&token),
        world.verify(&token)
    );
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(world.fetches(), 1);
}

#[tokio::test]
async fn a_stale_key_set_is_used_while_it_is_fetched_again() {
    let world = World::new().await;
    let token = world.token().await;
    world.verify(&token).await.unwrap();
    world.clock.advance(Duration::from_secs(61));
    // A core that does not respond does not delay this.
    world.says(Reply::Hang);
    world.verify(&token).await.unwrap();
    world.core.until("GET", KEYS, 2).await;
    world.verify(&world.token().await).await.unwrap();
    assert_eq!(world.fetches(), 2);
}

#[tokio::test]
async fn keys_removed_at_the_core_no_longer_verify() {
    let world = World::new().await;
    let token = world.token().await;
    world.verify(&token).await.unwrap();
    let other = Mint::new(world.clock.clone()).await;
    // Other keys with the same ids, because both sets were created in the same millisecond.
    world.says(other.key_set().await);
    world.clock.advance(Duration::from_secs(61));
    let refused = async {
        // The cached set is used until the new one is loaded.
        while world.verify(&token).await.is_ok() {
            tokio::task::yield_now().await;
        }
        world.verify(&token).await.unwrap_err()
    };
    let error = tokio::time::timeout(Duration::from_secs(20), refused)
        .await
        .unwrap();
    assert!(
        matches!(error, SessionError::TryRefreshToken(_)),
        "{error:?}"
    );
    world
        .verify(&other.session().await.access_token())
        .await
        .unwrap();
}

#[tokio::test]
async fn lookups_of_unknown_keys_are_limited() {
    let world = World::new().await;
    let token = world.token().await;
    world.verify(&token).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    for at in 0..20 {
        let forged = with_unknown_key(&token, &format!("d-{at}"));
        let error = world.verify(&forged).await.unwrap_err();
        assert!(
            matches!(error, SessionError::TryRefreshToken(_)),
            "{error:?}"
        );
    }
    assert_eq!(world.fetches(), 2);
    world.clock.advance(Duration::from_millis(501));
    world
        .verify(&with_unknown_key(&token, "d-x"))
        .await
        .unwrap_err();
    assert_eq!(world.fetches(), 3);
}

#[tokio::test]
async fn a_failed_lookup_is_a_fault_and_not_a_rejection() {
    let world = World::new().await;
    let token = world.token().await;
    world.says(Reply::text(503, "away"));
    for _ in 0..3 {
        let error = world.verify(&token).await.unwrap_err();
        assert_eq!(kind(&error), FaultKind::Unavailable);
    }
    assert_eq!(world.fetches(), 1);
    world.says(world.mint.key_set().await);
    world.clock.advance(Duration::from_secs(1));
    world.verify(&token).await.unwrap();
    // Cached keys still verify. For an unknown key, nothing is decided.
    world.says(Reply::Bytes(200, b"{\"keys\":[]}".to_vec()));
    world.clock.advance(Duration::from_secs(61));
    world.verify(&token).await.unwrap();
    world.core.until("GET", KEYS, 3).await;
    world.verify(&world.token().await).await.unwrap();
    let error = world
        .verify(&with_unknown_key(&token, "d-1"))
        .await
        .unwrap_err();
    assert_eq!(kind(&error), FaultKind::Unavailable);
}

#[tokio::test]
async fn the_published_key_set_is_that_of_the_core() {
    let world = World::new().await;
    let set = world.sessions.jwks().await.unwrap();
    assert_eq!(set.keys.len(), 2);
    assert!(
        set.max_age >= Duration::from_secs(3_600),
        "{:?}",
        set.max_age
    );
    world.clock.advance(Duration::from_secs(30));
    let later = world.sessions.jwks().await.unwrap();
    assert_eq!(set.max_age - later.max_age, Duration::from_secs(30));
    assert_eq!(world.fetches(), 1);
}

/// Cases: S204.
#[tokio::test]
async fn a_host_without_a_key_set_is_skipped() {
    let mint = Mint::new(SystemClock).await;
    for trouble in [
        Reply::Cut,
        Reply::text(503, "store away"),
        Reply::Bytes(200, b"{}".to_vec()),
        Reply::Bytes(200, b"<html>".to_vec()),
    ] {
        let keys = mint.key_set().await;
        let bad = Fake::start(move |_| trouble.clone()).await;
        let good = Fake::start(move |_| keys.clone()).await;
        let sessions = crate::fake::over(&[&bad, &good]).await;
        let token = mint.session().await.access_token();
        let verified = sessions
            .verify_access_token(&token, None, &VerifyOptions::new())
            .await;
        assert!(verified.unwrap().is_some());
        assert_eq!((bad.count("GET", KEYS), good.count("GET", KEYS)), (1, 1));
    }
}

/// The core determines the maximum age of a set.
///
/// Cases: S203.
#[tokio::test]
async fn a_key_set_is_fetched_once_after_its_max_age() {
    let world = World::new().await;
    let Reply::Headers(status, body, _) = world.mint.key_set().await else {
        panic!("a key set has headers");
    };
    let headers = vec![("cache-control", "max-age=20".to_owned())];
    world.says(Reply::Headers(status, body, headers));
    let token = world.token().await;
    world.verify(&token).await.unwrap();
    world.clock.advance(Duration::from_secs(19));
    world.verify(&token).await.unwrap();
    assert_eq!(world.fetches(), 1);
    world.clock.advance(Duration::from_secs(2));
    for _ in 0..5 {
        world.verify(&token).await.unwrap();
    }
    world.core.until("GET", KEYS, 2).await;
    // Requests during the fetch wait for it.
    let set = world.sessions.jwks().await.unwrap();
    assert_eq!(set.max_age, Duration::from_secs(20));
    world.verify(&world.token().await).await.unwrap();
    assert_eq!(world.fetches(), 2);
}
