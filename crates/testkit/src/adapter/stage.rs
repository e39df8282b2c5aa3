//! The environment in which a script runs: an application and its dependencies.

use std::time::Duration;

use serde_json::{Value, json};
use supersession::store::StoreErrorKind;
use supersession::{Sessions, SessionsBuilder, Strictness};

use super::driver::Driver;
use super::keys;
use super::transcript::Transcript;
use super::wire::{Tokens, WireRequest, WireResponse};
use super::world::{START, Terms, World};
use crate::{FaultStore, ManualClock, PlannedFault, SeededEntropy};

/// An application that is called through a driver, and the transcript of its responses.
#[derive(Debug)]
pub struct Stage<D: Driver> {
    driver: D,
    set: Option<Set<D::App>>,
    transcript: Transcript,
    /// Number of worlds so far. Each has different randomness.
    worlds: u64,
}

/// An application and its dependencies.
#[derive(Debug)]
struct Set<A> {
    app: A,
    world: World,
    /// For operations without a request.
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

    /// Starts a new world, with an empty store and the clock at its start.
    pub(super) async fn open(
        &mut self,
        configuration: &str,
        configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    ) {
        self.open_on(configuration, Terms::default(), configure)
            .await;
    }

    /// Starts a new world with other engine settings.
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

    /// Changes the configuration in the same world, as after a restart.
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
            // Only some stores have a revocation feed.
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

    /// Starts the application without the adapter's layer.
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

    /// Sends a request and records the exchange.
    pub(super) async fn send(&mut self, name: &str, request: WireRequest) -> WireResponse {
        let set = self.set.as_ref().expect("the stage is open");
        let response = self.driver.send(&set.app, request.clone()).await;
        self.transcript.exchange(name, &request, &response);
        response
    }

    /// Sends a request without recording the exchange, and returns the status. For matrices, whose
    /// transcripts would be too long to review.
    pub(super) async fn status(&self, request: WireRequest) -> u16 {
        self.driver.send(&self.set().app, request).await.status
    }

    /// Signs a user in, and returns the tokens that the client keeps.
    pub(super) async fn sign_in(&mut self, name: &str, user: &str, mode: &str) -> Tokens {
        self.sign_in_with(name, mode, &json!({ "userId": user }))
            .await
    }

    pub(super) async fn sign_in_with(&mut self, name: &str, mode: &str, body: &Value) -> Tokens {
        self.send(name, WireRequest::create(mode, body))
            .await
            .tokens()
    }

    /// Advances the clock.
    pub(super) fn pass(&mut self, seconds: u64) {
        self.transcript.note(&format!("{seconds} seconds pass"));
        self.set().world.clock.advance(Duration::from_secs(seconds));
    }

    /// Makes the next call to the store fail.
    pub(super) fn fail_once(&mut self, kind: StoreErrorKind) {
        self.transcript
            .note(&format!("the store fails once: {kind}"));
        self.set().world.store.plan(PlannedFault::new(kind));
    }

    /// Revokes all sessions of a user without a request.
    pub(super) async fn revoke_all(&mut self, user: &str) {
        self.transcript
            .note(&format!("all sessions of {user} are revoked"));
        let revoked = self.sessions().revoke_all_for_user(user).await;
        revoked.expect("a store in memory");
    }

    /// Merges into the payload of a session without a request.
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
