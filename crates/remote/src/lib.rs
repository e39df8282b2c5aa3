//! Sessions over a remote core: our own server, or an existing SuperTokens core.
//!
//! [`RemoteCore`] replaces a store. Adapter, guards, handlers and the `Session` type stay the same.
//! Access tokens are verified in this process, with the key set of the core. Creation, refresh,
//! data and revocation are calls to the core, by the core driver interface (CDI) that SuperTokens'
//! backend SDKs use. Services in Rust, Node, Python and Go that use the same core share its
//! sessions.
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
//! # Settings of the core
//! The core determines the lifetimes of tokens and keys, the signing keys, and the deletion of
//! expired sessions. Setting them in `SessionsBuilder` is a configuration problem here, and each
//! problem names the corresponding setting of the core. Devices
//! ([`SessionsBuilder::track_devices`](supersession::SessionsBuilder::track_devices), labels) are
//! not part of the interface.
//!
//! # Failures and retries
//! Hosts are used in turn. A host that failed is tried last for a while. All hosts must share one
//! database. Every call ends within [`RemoteCoreBuilder::timeout`]. After a lost connection, a
//! timeout or a status of 500 and above, a call is sent to the next host if it changes nothing or
//! may be repeated. A call that creates, refreshes or writes is sent to another host only if it
//! cannot have been processed: if no connection was established, or the host responded with 429. If
//! no host responds, requests fail with 503 and never with 401, because a rejection needs a
//! response of the core.
//!
//! A host that responds with 429 is retried up to five times in one call, after pauses of 10, 260,
//! 510, 760 and 1,010 ms ([`RemoteCoreBuilder::retry_step`]), as in SuperTokens' own SDKs. If the
//! host requests a longer pause with `retry-after`, that pause is used, up to a second. Our own
//! server and SuperTokens' core never respond with 429; hosted cores and proxies do.
//!
//! Every error names its fix: an address without a core, a wrong scheme, an unknown host, a
//! rejected API key, no common version, a web page instead of a response.
//! [`RemoteCoreBuilder::build`] reports problems of the configuration itself. [`RemoteCore::check`]
//! calls all hosts to find the others, for applications that should fail at startup.
//!
//! While the core is unreachable, tokens are verified with the keys that are cached.
//!
//! # TLS
//! A host of `https://` must have a certificate of an authority that the system trusts. If
//! [`RemoteCoreBuilder::root_certificates`] is set, only those authorities are trusted. TLS 1.2 and
//! 1.3, by rustls.
//!
//! # Supported cores
//! CDI 3.0 to 5.6. The newest version that both sides support is negotiated at the first call, and
//! again after a core rejects it. Below 5.6, the first use of an access token after a refresh is
//! sent to the core, which confirms the refresh and responds with a token that needs no further
//! confirmation. This is one call for each refresh.
//!
//! # Writes
//! Overwriting is one call on every core. Our own core has an extension for merging and modifying
//! session data and payloads in one atomic step. **Other cores have no such call**: the document is
//! read, changed and overwritten, and such changes are serialized only within this process. A
//! concurrent change by another process may be lost, which is logged once as a warning.
//! [`RemoteCoreBuilder::require_atomic_writes`] rejects such cores instead. User metadata is merged
//! atomically on every core.
//!
//! Two operations need several calls. Revoking all sessions of a user except one lists the sessions
//! first, so a session that is created in the meantime is not revoked. Information about all
//! sessions of a user is requested one by one.
//!
//! # Runtime
//! Calls run on the tokio runtime in which [`RemoteCoreBuilder::build`] was called. That runtime
//! must keep running, as with `#[tokio::main]` and `#[actix_web::main]`.

mod authority;
mod backoff;
mod builder;
mod call;
mod call_error;
mod cdi;
mod client;
mod documents;
mod host_error;
mod hosts;
mod http_client;
mod keys;
mod negotiation;
mod remote_core;
mod requests;
mod responses;
mod sender;
mod sessions;
mod tls;

pub use builder::RemoteCoreBuilder;
pub use remote_core::RemoteCore;
