//! The trait that the author of an adapter implements.

use std::sync::Arc;

use supersession::store::MemoryStore;
use supersession::{Sessions, SessionsBuilder, SigningAlgorithm, Store};

use super::wire::{WireRequest, WireResponse};
use super::world::World;

/// An application that uses the adapter's framework, called in memory.
///
/// Implementations need not be `Send`: everything runs on one thread, in a tokio runtime with a
/// [`LocalSet`](tokio::task::LocalSet).
///
/// # Routes
/// All responses are JSON, with the content type `application/json`. *Any* means any method. The
/// functions in the last column are in [`app`](super::app); they contain the logic of the handlers
/// and return the response bodies.
///
/// | route | guard, as a layer or middleware | handler extracts | response |
/// | --- | --- | --- | --- |
/// | POST `/create` | | request sessions, JSON body | `create` |
/// | POST `/create-with-headers` | | the same | `create`, with all of `OWN_HEADERS` |
/// | any `/verify` | the default | optional session | `tell` |
/// | any `/guarded` | the default | nothing | `OPEN` |
/// | any `/optional` | optional | optional session | `tell` |
/// | any `/checked` | with the database check | optional session | `tell` |
/// | any `/csrf-forced` | anti-CSRF check on | optional session | `tell` |
/// | any `/csrf-off` | anti-CSRF check off | optional session | `tell` |
/// | any `/admin` | requires `is_admin()` | optional session | `tell` |
/// | any `/fresh` | a session not older than `FRESH` | optional session | `tell` |
/// | any `/guarded-twice` | the default, and inside it one with the database check | optional session | `tell` |
/// | any `/session` | | session | `describe` |
/// | any `/option` | | optional session | `tell` |
/// | any `/require` | | session that meets `Admin` | `describe` |
/// | any `/caught` | | request sessions | `catch` |
/// | any `/unguarded` | | nothing | `OPEN` |
/// | POST `/merge` | | session, JSON body | `merge` |
/// | POST `/merge-twice` | | session, JSON body | `merge_twice` |
/// | POST `/merge-then-fail` | | session, JSON body | `merge`, then status 418 with `FAILED` |
/// | POST `/merge-then-unauthorised` | | session, JSON body | `merge`, then the error `unauthorised()` |
/// | POST `/guarded-merge` | the default | session, JSON body | `merge` |
/// | POST `/data` | | session, JSON body | `data` |
/// | POST `/revoke` | | session | `revoke` |
/// | POST `/own-unauthorised` | | nothing | the error `unauthorised()` |
/// | POST `/auth/session/refresh` | | request sessions | `own_refresh` |
/// | POST `/auth/signout` | | request sessions | `own_sign_out` |
/// | all others, also other methods on the last two | | method and path | status 404 with `fallback` |
///
/// Handlers return session errors as the adapter recommends, with `?` if possible.
pub trait Driver {
    /// An application, ready for requests. If its type cannot be named, this may be the data from
    /// which the application is built for each request.
    type App;

    /// Returns `true` if everything that the driver needs is available. Otherwise nothing runs, and
    /// the driver must report what is missing.
    fn is_ready(&self) -> bool {
        true
    }

    /// Returns a new, empty store. Defaults to a store in memory.
    fn store(&self) -> impl Future<Output = Arc<dyn Store>> {
        std::future::ready(Arc::new(MemoryStore::new()) as _)
    }

    /// Returns the algorithm of the rotating key with which each world starts.
    fn algorithm(&self) -> SigningAlgorithm {
        SigningAlgorithm::Rs256
    }

    /// Returns the builder of this world's sessions. Defaults to an engine in this process; a
    /// driver for another authority overrides this function.
    fn sessions(&self, world: World) -> impl Future<Output = SessionsBuilder> {
        std::future::ready(world.engine())
    }

    /// Returns the folder in `transcripts/` with the exchanges that differ with the driver's
    /// authority. All other exchanges must be the same as with every driver, except for the order
    /// of claims in tokens.
    fn differences(&self) -> Option<&'static str> {
        None
    }

    /// Returns the name of the adapter's layer in the error for a missing layer.
    fn layer_name(&self) -> &'static str;

    /// Builds an application with the routes above, inside the adapter's layer. Without sessions,
    /// the layer is omitted.
    fn app(&self, sessions: Option<Sessions>) -> impl Future<Output = Self::App>;

    /// Sends a request and reads the whole response.
    fn send(&self, app: &Self::App, request: WireRequest) -> impl Future<Output = WireResponse>;
}
