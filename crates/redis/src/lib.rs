//! The Redis and Valkey store of [Supersession](supersession): sessions, user metadata and keys,
//! shared by any number of nodes.
//!
//! It requires Redis 6.2 or Valkey 7.2, as one server, with or without replicas, or as a cluster.
//!
//! # Examples
//! ```no_run
//! use supersession_redis::RedisStore;
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store = RedisStore::open("redis://127.0.0.1:6379").await?;
//!
//! // The same, with everything spelled out.
//! use std::time::Duration;
//! let store = RedisStore::options()
//!     .url("redis://user:password@127.0.0.1:6379/0")
//!     .prefix("supersession")
//!     .connect_timeout(Duration::from_secs(2))
//!     .response_timeout(Duration::from_secs(2))
//!     .expiry_margin(Duration::from_secs(24 * 3_600))
//!     .feed_heartbeat(Duration::from_secs(5))
//!     .open()
//!     .await?;
//!
//! // A cluster; one node is enough, more are good for the case that it is down.
//! let store = RedisStore::options()
//!     .cluster(["redis://10.0.0.1:6379", "redis://10.0.0.2:6379"])
//!     .open()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//! `rediss://` needs the feature `tls`, which uses rustls and trusts the operating system's
//! certificates.
//!
//! # Durability
//! By default, Redis acknowledges a write before it is on disk. An acknowledged write can then be
//! lost. A revocation is a write: if it is lost, **the session comes back**.
//!
//! | settings of the server | an acknowledged write survives |
//! | --- | --- |
//! | `appendonly yes`, `appendfsync always` | the end of the process, a crash of the operating system and a loss of power |
//! | `appendonly yes`, `appendfsync everysec` | the end of the process; a crash of the machine loses up to a second |
//! | snapshots only (`save`) | nothing for certain; all writes after the last snapshot are lost |
//! | `appendonly no`, `save ""` | nothing; every session and every key is lost with the process |
//!
//! Use the first. Concurrent writes share a disk flush, so it costs a busy server little. Opening a
//! store logs a warning through `tracing` if the settings are weaker, or if they cannot be read, as
//! with managed services that forbid `CONFIG GET`.
//!
//! *Replicas* get writes after these were acknowledged. A failover to a replica that is behind
//! loses the writes that it had not received, including new sessions and revocations.
//! `min-replicas-to-write` and `min-replicas-max-lag` bound the loss. With
//! [`RedisOptions::confirm_revocations`], a revocation is acknowledged only after replicas have it.
//! This helps if the failover is to one of those. No setting of Redis excludes the loss. If it is
//! not acceptable, use the PostgreSQL store.
//!
//! *Eviction* is rejected: with a `maxmemory-policy` other than `noeviction`, a full memory logs
//! users out at random, and all of them if a key is evicted. [`RedisOptions::allow_eviction`]
//! accepts that risk. With `noeviction`, a full memory makes writes fail with `NotWritable`, which
//! is a 503 for the client.
//!
//! # How it works
//! All verbs share one connection, or one per node of a cluster, and send their commands without
//! waiting for each other. The next verb that needs a lost connection replaces it. Until then,
//! verbs fail with `Unavailable`, at the latest after the connect timeout and the response timeout.
//! No write is sent twice: a caller that gets an error does not know if the write took place.
//!
//! The work runs in the tokio runtime in which the store was opened. That runtime must keep
//! running. The futures themselves need no runtime, so they work under actix and under a plain
//! `block_on`. If a future is dropped, its work still runs to completion.
//!
//! Every atomic step is one script. A merge is computed in this crate, because no JSON library of
//! the server preserves the order and the spelling of members: it reads, merges, and swaps if the
//! document is unchanged. Merges of one process queue. Merges of different processes compete, and
//! the loser starts over from the new document. After 256 lost races the merge fails with
//! `Unavailable`.
//!
//! | verb | commands | round trips |
//! | --- | --- | --- |
//! | `session`, `session_status` | `HMGET` | 1 |
//! | `insert_session`, `rotate`, `record_uses`, `set_device_label` | a script | 1 |
//! | `write_document`: overwrite, compare-and-swap | a script | 1 |
//! | `write_document`: merge | `HMGET`, a script | 2, and 1 for each lost race |
//! | `delete_sessions` | a script, `ZREM` for each user if a session existed | 1 or 2 |
//! | `user_sessions`, `user_session_handles`, `delete_user_sessions` | `ZRANGE`, a script if the index has entries | 1 or 2 |
//! | `user_metadata`, `delete_user_metadata` | `GET`, `DEL` | 1 |
//! | `write_user_metadata`: overwrite, compare-and-swap | `SET`, a script | 1 |
//! | `write_user_metadata`: merge | `GET`, a script | 2, and 1 for each lost race |
//! | keys | `HGETALL` or a script | 1 |
//! | `check_ready` | 2 scripts; in a cluster 257, 32 at once | 2; in a cluster 9 or more |
//! | `delete_expired_sessions` | 256 `ZRANGE`, 32 at once; a script and `ZREM` for each bucket with expired sessions | 8 or more |
//!
//! A test counts them on the wire. If the server has lost the scripts, such as after a restart,
//! they are sent again, which costs the first call of each two more. In a cluster, a script takes
//! one session, and the scripts of several sessions are sent together; inserting takes a `ZADD`
//! more. Confirmed revocations take a `WAIT` more, in the same round trip.
//!
//! # Keys
//! | key | type | content |
//! | --- | --- | --- |
//! | `supersession:session:{B}:APP:TENANT:HANDLE` | hash | a session; the fields have the names of SuperTokens' columns |
//! | `supersession:expiry:{B}` | sorted set | the sessions of bucket `B`, by `expires_at` |
//! | `supersession:user:{APP:USER}` | sorted set | the sessions of a user, by the time of creation |
//! | `supersession:metadata:{APP:USER}` | string | user metadata |
//! | `supersession:keys:{APP}` | hash | signing keys by id: kind, time of creation, pair |
//! | `supersession:refresh-token-key:{APP}` | string | the refresh token key |
//! | `supersession:tenants` | hash | apps and tenants, and their configuration |
//! | `supersession:ready:{B}` | string | written by a readiness check; expires after a minute |
//! | `supersession:layout` | string | the version of this layout: 1 |
//! | `supersession:endings`, `supersession:endings:MARK` | channels | deleted sessions; heartbeats of a feed |
//!
//! `supersession` is the [prefix](RedisOptions::prefix). In all names, every character other than
//! ASCII letters, digits and `-_.~` is percent-encoded, so an id cannot be crafted to name another
//! key. `B` is a number from 0 to 255: the eight bytes of the FNV-1a hash of `APP:TENANT:HANDLE`,
//! combined by exclusive or. The text in braces decides the slot in a cluster.
//!
//! An index contains a session as `APP:TENANT:HANDLE:USER:MARK`. The session's field `entry` has
//! the same text. The mark is unique for each session ever inserted.
//!
//! The keys that sign access tokens are private keys: restrict access to this server, its snapshots
//! and its logs. A dedicated user needs only these rights (in a cluster also `+cluster|slots`, with
//! confirmed revocations `+wait`; `+config|get` lets the store warn of weak settings):
//! ```text
//! ACL SETUSER app on >password ~supersession:* &supersession:* -@all
//!   +hello +info +script|load +evalsha +exists +get +set +setnx +del
//!   +hset +hsetnx +hget +hmget +hgetall +hvals +hdel +pexpire
//!   +zadd +zrange +zrem +publish +subscribe
//! ```
//!
//! ## Consistency of intermediate states
//! A session and its expiry share a slot, and every change of them is one script. In a cluster, the
//! user's index is in another slot. There, inserting creates the session first, then the entry, and
//! answers after both; deleting deletes the session first, then the entry. **Only the session's own
//! key decides if the session is live**; an index is only used to find it:
//! * A process that ends between the two steps of a delete leaves an entry whose session is gone.
//!   The session is not listed, and the next reader of the index removes the entry. That is safe at
//!   any time: an entry is written after its session, and the mark is never used again, so a
//!   deleted session stays deleted.
//! * A process that ends between the two steps of an insert leaves a session that no index lists
//!   and `delete_user_sessions` does not find. Its caller got no answer, so no client has its
//!   tokens. It expires unused.
//! * An entry of an earlier session of the same handle has another mark, and neither lists nor
//!   deletes the later one.
//!
//! On a single server both steps of an insert are one script, and so is the deletion of all
//! sessions that an index lists, a thousand keys at a time. In a cluster, `delete_user_sessions` is
//! one step for each session, and a list is not a snapshot of one moment. A failover in a cluster
//! may lose an entry but keep its session.
//!
//! ## Expiry
//! `now` decides which sessions are live, as for every store. The server itself deletes a session
//! only a [margin](RedisOptions::expiry_margin) after its expiry, counted from the caller's `now`.
//! A wrong clock of the server is therefore harmless, and so is one that jumps by less than the
//! margin. This deletion is a fallback if no clean-up runs. `delete_expired_sessions` reads the 256
//! sorted sets from the earliest expiry up to `now`, and never reads a live session. It deletes at
//! most the given number of sessions; entries whose sessions the server has dropped count towards
//! that number. Metadata and keys are kept until they are deleted.
//!
//! Measured with a million sessions, half of them expired, on one server with `appendfsync always`
//! and two cores that other work shared: 500 batches of 1000 took 53 s, 83 ms each at the median.
//! Reads took 0.16 ms at the median and 4 ms at the 99th percentile without other load, and 0.25 ms
//! and 36 ms during the deletion, which uses batches twice as large as those of the background
//! task.
//!
//! # Revocation feed
//! Each delete publishes the session in the same script. A feed listens on a connection of its own,
//! and ends when that is lost. Every writable server publishes each heartbeat, and the feed must
//! receive all of them. The feed therefore also ends if its connection is silently dead, if a
//! master was replaced, or if nodes of a cluster cannot reach each other. It detects this within
//! the [interval](RedisOptions::feed_heartbeat) and the response timeout.
//!
//! # Errors
//! [`OpenError`] names the server, without its password, and the fix. Later faults are a
//! [`StoreError`](supersession::store::StoreError): `Unavailable` if the server does not answer, is
//! loading or busy; `NotWritable` if its memory is full, its disk fails or it is a replica;
//! `Denied` if the user lacks a right, `Corrupt` if a stored value is invalid.
//!
//! While slots of a cluster move from one node to another, verbs on keys that have already moved
//! wait. They fail with `Unavailable` if that takes more than a second.

mod context;
mod error;
mod fault;
mod feed;
mod keys;
mod layout;
mod link;
mod open;
mod options;
mod record;
mod reply;
mod scripts;
mod store;
mod verbs;

pub use error::{OpenError, OpenErrorKind};
pub use options::RedisOptions;
pub use store::RedisStore;
