//! Where a script is played: an application, and the world around it.

use std::time::Duration;

use serde_json::{Value, json};
use supersession::store::StoreErrorKind;
use supersession::{RefreshRules, Sessions, SessionsBuilder, Store, Strictness, UnixMillis};

use super::transcript::Transcript;
use super::wire::Tokens;
use super::{Driver, WireRequest, WireResponse, keys};
use crate::{FaultStore, ManualClock, PlannedFault, SeededEntropy};

/// The time at which every application starts.
const START: UnixMillis = UnixMillis::new(1_767_225_600_000);

/// An application, driven by a driver, and the transcript of what it says.
#[derive(Debug)]
pub struct Stage<D: Driver> {
    driver: D,
    set: Option<Set<D::App>>,
    transcript: Transcript,
    /// How many worlds there have been: each has randomness of its own.
    worlds: u64,
}

/// What an application stands on: a store with signing keys that everybody knows, and time and
/// randomness that are the same in every run.
#[derive(Clone, Debug)]
pub struct World {
    /// The store.
    pub store: FaultStore<dyn Store>,
    /// The time.
    pub clock: ManualClock,
    /// The randomness.
    pub entropy: SeededEntropy,
    /// What the engine is to be configured with.
    pub terms: Terms,
}

/// What the script says of an engine; all else is the default, but for the jitter of validities,
/// which is none.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long access tokens are good.
    pub access_token_validity: Duration,
    /// How long refresh tokens are good.
    pub refresh_token_validity: Duration,
    /// Whether a refresh token that was exchanged a moment ago is reported as stolen.
    pub recent_reuse_is_theft: bool,
    /// The rules for refresh tokens.
    pub refresh_rules: RefreshRules,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            access_token_validity: Duration::from_secs(3_600),
            refresh_token_validity: Duration::from_secs(100 * 86_400),
            recent_reuse_is_theft: true,
            refresh_rules: RefreshRules::Rotation,
        }
    }
}

impl World {
    /// An engine in this process.
    pub fn engine(self) -> SessionsBuilder {
        Sessions::builder(self.store)
            .access_token_validity(self.terms.access_token_validity)
            .access_token_validity_jitter(0.0)
            .refresh_token_validity(self.terms.refresh_token_validity)
            .report_recent_token_reuse_as_theft(self.terms.recent_reuse_is_theft)
            .refresh_rules(self.terms.refresh_rules)
            .cleanup_interval(None)
            .signing_threads(1)
    }
}

/// An application and its surroundings.
#[derive(Debug)]
struct Set<A> {
    app: A,
    world: World,
    /// For what happens without a request.
    sessions: Option<Sessions>,
}

impl<D: Driver> Stage<D> {
    pub(super) fn new(driver: D) -> Self {
        let mut transcript = Transcript::default();
        transcript.replace(driver.layer_name().to_owned(), "<the layer>");
        Self {
            driver,
            set: None,
            transcript,
            worlds: 0,
        }
    }

    pub(super) fn into_transcript(self) -> String {
        self.transcript.into_text()
    }

    /// A new world: empty store, the time at its start.
    pub(super) async fn open(
        &mut self,
        configuration: &str,
        configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    ) {
        self.open_on(configuration, Terms::default(), configure)
            .await;
    }

    /// The same over an engine on other terms.
    pub(super) async fn open_on(
        &mut self,
        configuration: &str,
        terms: Terms,
        configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    ) {
        let store = FaultStore::over(self.driver.store().await);
        keys::put_into(&store, self.driver.algorithm(), START).await;
        self.worlds += 1;
        let world = World {
            store,
            clock: ManualClock::new(START),
            entropy: SeededEntropy::new(self.worlds),
            terms,
        };
        self.set_up(configuration, configure, world).await;
    }

    /// The same world under another configuration, as after a restart.
    pub(super) async fn restart(
        &mut self,
        configuration: &str,
        configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    ) {
        let set = self.set.take().expect("the stage is open");
        self.set_up(configuration, configure, set.world).await;
    }

    async fn set_up(
        &mut self,
        configuration: &str,
        configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
        world: World,
    ) {
        self.transcript.note(configuration);
        let builder = self.driver.sessions(world.clone()).await;
        let builder = builder
            // Whether there is a feed of endings differs from store to store.
            .strictness(Strictness::TokenOnly)
            .api_domain("https://api.example.com")
            .website_domain("https://example.com")
            .clock(world.clock.clone())
            .entropy(world.entropy.clone());
        let sessions = configure(builder)
            .build()
            .await
            .expect("the script's configuration is good");
        let app = self.driver.app(Some(sessions.clone())).await;
        self.set = Some(Set {
            app,
            world,
            sessions: Some(sessions),
        });
    }

    /// The application without the adapter's layer.
    pub(super) async fn open_without_layer(&mut self) {
        self.transcript.note("the application without the layer");
        self.set = Some(Set {
            app: self.driver.app(None).await,
            world: World {
                store: FaultStore::over(self.driver.store().await),
                clock: ManualClock::new(START),
                entropy: SeededEntropy::new(1),
                terms: Terms::default(),
            },
            sessions: None,
        });
    }

    /// Sends a request, and writes it and its answer down.
    pub(super) async fn send(&mut self, name: &str, request: WireRequest) -> WireResponse {
        let set = self.set.as_ref().expect("the stage is open");
        let response = self.driver.send(&set.app, request.clone()).await;
        self.transcript.exchange(name, &request, &response);
        response
    }

    /// Signs a user in, and returns what the client keeps.
    pub(super) async fn sign_in(&mut self, name: &str, user: &str, mode: &str) -> Tokens {
        self.sign_in_with(name, mode, &json!({ "userId": user }))
            .await
    }

    pub(super) async fn sign_in_with(&mut self, name: &str, mode: &str, body: &Value) -> Tokens {
        self.send(name, WireRequest::create(mode, body))
            .await
            .tokens()
    }

    /// Moves the clock.
    pub(super) fn pass(&mut self, seconds: u64) {
        self.transcript.note(&format!("{seconds} seconds pass"));
        self.set().world.clock.advance(Duration::from_secs(seconds));
    }

    /// The next call to the store fails.
    pub(super) fn fail_once(&mut self, kind: StoreErrorKind) {
        self.transcript
            .note(&format!("the store fails once: {kind}"));
        self.set().world.store.plan(PlannedFault::new(kind));
    }

    /// Sessions of a user end without a request.
    pub(super) async fn revoke_all(&mut self, user: &str) {
        self.transcript
            .note(&format!("all sessions of {user} are revoked"));
        let revoked = self.sessions().revoke_all_for_user(user).await;
        revoked.expect("a store in memory");
    }

    /// The payload of a session changes without a request.
    pub(super) async fn merge_payload(&mut self, handle: &str, patch: Value) {
        self.transcript
            .note(&format!("{patch} is merged into the stored payload"));
        let merged = self
            .sessions()
            .merge_into_access_token_payload(handle, patch)
            .await;
        assert!(
            merged.expect("a store in memory").is_some(),
            "the session is live"
        );
    }

    fn set(&self) -> &Set<D::App> {
        self.set.as_ref().expect("the stage is open")
    }

    fn sessions(&self) -> &Sessions {
        self.set()
            .sessions
            .as_ref()
            .expect("the application has the layer")
    }
}
