//! What an adapter's author writes.

use std::sync::Arc;

use supersession::store::MemoryStore;
use supersession::{Sessions, SessionsBuilder, SigningAlgorithm, Store};

use super::{WireRequest, WireResponse, World};

/// An application of the adapter's framework, driven in memory.
///
/// Nothing here need be `Send`: everything runs on one thread, in a tokio runtime with a
/// [`LocalSet`](tokio::task::LocalSet).
///
/// # Routes
/// All answer JSON, with the content type `application/json`. *Any* means any method. What the
/// handlers of the second column do and answer are functions of [`app`](super::app).
///
/// | route | guard, as a layer or middleware | handler takes | and answers |
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
/// Errors of sessions leave handlers the way that the adapter recommends, `?` where there is one.
pub trait Driver {
    /// An application, ready for requests. Where its type has no name, this may be what is needed
    /// to make it anew for each request.
    type App;

    /// Whether all that the driver needs is there. If not, nothing is played; whoever answers so says
    /// what is missing.
    fn is_ready(&self) -> bool {
        true
    }

    /// A fresh, empty store. One in memory, unless the script is to be played on another.
    fn store(&self) -> impl Future<Output = Arc<dyn Store>> {
        std::future::ready(Arc::new(MemoryStore::new()) as _)
    }

    /// That of the rotating key which each world begins with.
    fn algorithm(&self) -> SigningAlgorithm {
        SigningAlgorithm::Rs256
    }

    /// What the sessions of this world are asked for: an engine in this process, unless the script is
    /// to be played over another authority.
    fn sessions(&self, world: World) -> impl Future<Output = SessionsBuilder> {
        std::future::ready(world.engine())
    }

    /// The folder in `transcripts/` with the exchanges that are otherwise over the driver's authority;
    /// all others must be as everywhere. Only the order of claims in tokens is the authority's own
    /// then.
    fn differences(&self) -> Option<&'static str> {
        None
    }

    /// How the adapter's layer is called in the error that names it when it is missing.
    fn layer_name(&self) -> &'static str;

    /// An application with the routes above and the adapter's layer around them; without the layer
    /// if there are no sessions.
    fn app(&self, sessions: Option<Sessions>) -> impl Future<Output = Self::App>;

    /// Sends a request and reads the whole answer.
    fn send(&self, app: &Self::App, request: WireRequest) -> impl Future<Output = WireResponse>;
}
