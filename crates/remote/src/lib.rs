//! The same sessions over a core: our own server, or an existing SuperTokens core.
//!
//! [`RemoteCore`] takes the place of a store. Everything above it stays as it is: the adapter, the
//! guards, the handlers, the `Session` that they get. Access tokens are verified in the process, with
//! the key set of the core; creation, refresh, data and revocation are calls to it, by the core
//! driver interface (CDI) that SuperTokens' backend SDKs speak. Services in Rust, Node, Python and Go
//! that ask the same core have the same sessions.
//!
//! ```no_run
//! use supersession::Sessions;
//! use supersession_remote::RemoteCore;
//!
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let core = RemoteCore::at("http://core-1:3567")
//!     .host("http://core-2:3567")
//!     .api_key(std::env::var("CORE_API_KEY")?)
//!     .build()
//!     .await?;
//! let sessions = Sessions::over(core) // in place of `Sessions::builder(store)`
//!     .api_domain("https://api.example.com")
//!     .website_domain("https://example.com")
//!     .build()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What the core decides
//! How long tokens and keys live, what signs, when expired sessions are deleted: these settings of
//! `SessionsBuilder` are problems of the configuration here, and each problem names the setting of the
//! core. Devices ([`SessionsBuilder::track_devices`](supersession::SessionsBuilder::track_devices),
//! labels) have no place in the interface.
//!
//! # When a core does not answer
//! Hosts take turns; one that failed comes last for a while. All must share one database. Everything
//! ends within [`RemoteCoreBuilder::timeout`]. What changes nothing, or may be done twice, is sent to
//! the next host after a lost connection, a timeout or a status of 500 and above. What creates,
//! exchanges or writes is sent to another host only if it cannot have arrived: if no connection could
//! be made, or the core put us off with 429. A verdict needs an answer: where there is none, requests
//! fail with 503, and never with 401.
//!
//! A host that answers 429 is asked again up to five times in one call, after pauses of 10, 260, 510,
//! 760 and 1,010 ms ([`RemoteCoreBuilder::retry_step`]) as SuperTokens' own SDKs make them, or after
//! what its `retry-after` asks for, up to a second. Our own server and SuperTokens' core never answer
//! 429; hosted cores and proxies do.
//!
//! Every error names its fix: an address without a core, a wrong scheme, an unknown host, a refused API
//! key, versions that do not meet, a page in place of an answer. What can be seen in the configuration
//! is a problem at [`RemoteCoreBuilder::build`]; [`RemoteCore::check`] asks all hosts for the rest, for
//! applications that prefer to fail at their start.
//!
//! Tokens are verified while the core is away, with the keys that are known.
//!
//! # TLS
//! A host of `https://` must have a certificate of an authority that the system trusts; where
//! [`RemoteCoreBuilder::root_certificates`] names authorities, of one of those alone. TLS 1.2 and
//! 1.3, by rustls.
//!
//! # Which cores
//! CDI 3.0 to 5.6; the newest that both speak is found out at the first call, and again after a core
//! refuses it. Below 5.6 the first use of an access token after a refresh is shown to the core, which
//! answers with a token that needs no more of that; this is one call for each refresh, and how such
//! cores learn that the refresh has arrived.
//!
//! # Writes
//! Overwriting is one call everywhere. Merging and modifying session data and payloads are one atomic
//! step at our own core, which has an extension for them. **Other cores have no such call**: what is
//! merged or modified is then read, changed and overwritten, one after the other in this process,
//! which may lose a change that another process makes at the same moment, and says so once in the
//! log. [`RemoteCoreBuilder::require_atomic_writes`] refuses such cores instead. User metadata merges
//! atomically at every core.
//!
//! Two verbs are several calls here. Ending all sessions of a user but one lists them first, so one
//! that is created meanwhile stays; and the facts of all sessions of a user are asked for one by one.
//!
//! # Runtime
//! Calls run on the tokio runtime that [`RemoteCoreBuilder::build`] was called in, which must stay;
//! `#[tokio::main]` and `#[actix_web::main]` both do.

mod authority;
mod bodies;
mod builder;
mod calls;
mod cdi;
mod documents;
mod hosts;
mod http_client;
mod keys;
mod pauses;
mod shapes;
mod tls;
mod trouble;
mod verbs;

use std::fmt;
use std::sync::Arc;

pub use builder::RemoteCoreBuilder;

use calls::Core;
use supersession::Fault;

/// A core across the network. Give it to [`Sessions::over`](supersession::Sessions::over); see the
/// [crate's documentation](crate). Cheap to clone.
#[derive(Clone)]
pub struct RemoteCore {
    core: Arc<Core>,
}

impl RemoteCore {
    /// Starts a configuration with the first host, such as `http://core:3567`, with its base path if
    /// it has one.
    pub fn at(url: impl Into<String>) -> RemoteCoreBuilder {
        RemoteCoreBuilder::new(url.into())
    }

    /// Asks every host which versions it speaks, with the API key. An application can call it at its
    /// start, to learn of a wrong address, key or version before the first request does.
    ///
    /// # Errors
    /// The problem of the first host that has one, with its fix.
    pub async fn check(&self) -> Result<(), Fault> {
        self.core
            .run(|core| async move { core.check_hosts().await })
            .await
    }
}

impl fmt::Debug for RemoteCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteCore")
            .field("hosts", &self.core.hosts)
            .finish_non_exhaustive()
    }
}
