//! The store of [Supersession](supersession) for those who run Redis or Valkey: sessions, user
//! metadata and keys, shared by any number of nodes.
//!
//! Redis 6.2 or Valkey 7.2 is needed, as one server, with replicas or without, or as a cluster.
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
//! `rediss://` needs the feature `tls`, which brings rustls and trusts the certificates that the
//! operating system trusts.
//!
//! # Which settings keep which promise
//! Redis answers before the disk has what it was told, unless its settings say otherwise. A write
//! that was answered can then be lost, and a revocation is a write: **the session comes back**.
//!
//! | settings of the server | what an answered write survives |
//! | --- | --- |
//! | `appendonly yes`, `appendfsync always` | the end of the process, of the operating system, and of the power |
//! | `appendonly yes`, `appendfsync everysec` | the end of the process; up to a second is lost when the machine ends |
//! | snapshots only (`save`) | nothing is certain; whatever came after the last snapshot is lost |
//! | `appendonly no`, `save ""` | nothing; every session and every key is lost with the process |
//!
//! Use the first. Writes that wait together share a flush of the disk, so it costs a busy server
//! little. Opening a store warns through `tracing` if the settings are weaker, or not to be seen, as
//! with managed services that forbid `CONFIG GET`.
//!
//! *Replicas* get writes after they were answered. A failover to a replica that was behind loses
//! what it had not got: sessions that were created, and revocations too. `min-replicas-to-write` and
//! `min-replicas-max-lag` bound the loss. [`RedisOptions::confirm_revocations`] answers a revocation
//! after replicas have it, which helps if the failover is to one of those. Nothing in Redis rules
//! the loss out; whoever cannot accept that takes the PostgreSQL store.
//!
//! *Eviction* is refused: with a `maxmemory-policy` other than `noeviction` a full memory logs users
//! out at random, and all of them if a key goes. [`RedisOptions::allow_eviction`] takes that risk.
//! With `noeviction` a full memory makes writes fail with `NotWritable`, which is answered with 503.
//!
//! # How it works
//! All verbs share one connection, or one for each node of a cluster, and send their commands
//! without waiting for each other. A connection that is lost is replaced by whoever needs it next;
//! until then verbs fail with `Unavailable`, after the connect timeout and the response timeout at
//! the latest. No write is sent twice: whoever gets an error does not know whether it took place.
//!
//! The work is done in the tokio runtime in which the store was opened, which has to go on running.
//! The futures themselves need no runtime, so they work under actix and under a plain `block_on`,
//! and dropping one leaves its work to be finished, not half done.
//!
//! What has to be one step is one script. A merge is computed here, because the order and the
//! spelling of members survive no JSON library of the server: read, merge, and swap if nobody has
//! changed the document meanwhile. Merges of one process queue; those of others start over from what
//! they found. After 256 lost races the merge fails with `Unavailable`.
//!
//! | verb | commands | round trips |
//! | --- | --- | --- |
//! | `session`, `session_standing` | `HMGET` | 1 |
//! | `insert_session`, `rotate`, `record_uses`, `set_device_label` | a script | 1 |
//! | `write_document`: overwrite, compare-and-swap | a script | 1 |
//! | `write_document`: merge | `HMGET`, a script | 2, and 1 for each lost race |
//! | `delete_sessions` | a script, `ZREM` for each user if something was there | 1 or 2 |
//! | `user_sessions`, `user_session_handles`, `delete_user_sessions` | `ZRANGE`, a script if there is something | 1 or 2 |
//! | `user_metadata`, `delete_user_metadata` | `GET`, `DEL` | 1 |
//! | `write_user_metadata`: overwrite, compare-and-swap | `SET`, a script | 1 |
//! | `write_user_metadata`: merge | `GET`, a script | 2, and 1 for each lost race |
//! | keys | `HGETALL` or a script | 1 |
//! | `check_ready` | 2 scripts; in a cluster 257, 32 at once | 2; in a cluster 9 or more |
//! | `delete_expired_sessions` | 256 `ZRANGE`, 32 at once; a script and `ZREM` where something is over | 8 or more |
//!
//! A test counts them on the wire. A server that has forgotten the scripts, such as after a restart,
//! is told them again, which costs the first call of each two more. In a cluster, a script takes one
//! session, and those of several sessions are sent together; inserting takes a `ZADD` more. Confirmed revocations
//! take a `WAIT` more, in the same round trip.
//!
//! # What is kept
//! | key | type | what |
//! | --- | --- | --- |
//! | `supersession:session:{B}:APP:TENANT:HANDLE` | hash | a session; the fields have the names of SuperTokens' columns |
//! | `supersession:expiry:{B}` | sorted set | the sessions of bucket `B`, by `expires_at` |
//! | `supersession:user:{APP:USER}` | sorted set | the sessions of a user, by the time of creation |
//! | `supersession:metadata:{APP:USER}` | string | user metadata |
//! | `supersession:keys:{APP}` | hash | signing keys by id: kind, time of creation, pair |
//! | `supersession:refresh-token-key:{APP}` | string | the key of the refresh tokens |
//! | `supersession:tenants` | hash | apps and tenants, and what is configured for them |
//! | `supersession:ready:{B}` | string | written by a check of readiness; gone after a minute |
//! | `supersession:layout` | string | the version of this layout: 1 |
//! | `supersession:endings`, `supersession:endings:MARK` | channels | deleted sessions; heartbeats of a feed |
//!
//! `supersession` is the [prefix](RedisOptions::prefix). In all names, whatever is not a letter of
//! ASCII, a digit or one of `-_.~` is percent-encoded, so no id can be made to name something else.
//! `B` is a number from 0 to 255: the eight bytes of the FNV-1a hash of `APP:TENANT:HANDLE`, combined
//! by exclusive or. What stands in braces decides the slot in a cluster.
//!
//! An index holds a session as `APP:TENANT:HANDLE:USER:MARK`, and the session's field `entry` the
//! same text. The mark is another one for each session ever inserted.
//!
//! The keys that sign access tokens are private keys: let nobody else read this server, its
//! snapshots and its logs. A user of its own needs no more than this (in a cluster also
//! `+cluster|slots`, with confirmed revocations `+wait`; `+config|get` lets the store warn of weak
//! settings):
//! ```text
//! ACL SETUSER app on >password ~supersession:* &supersession:* -@all
//!   +hello +info +script|load +evalsha +exists +get +set +setnx +del
//!   +hset +hsetnx +hget +hmget +hgetall +hvals +hdel +pexpire
//!   +zadd +zrange +zrem +publish +subscribe
//! ```
//!
//! ## Why no state in between is wrong
//! A session and its expiry share a slot, and every change of them is one script. Its user's index
//! is in another slot of a cluster. There, inserting creates the session first, then the entry, and
//! answers after both; deleting deletes the session first, then the entry. **Only the session's own
//! key says whether it lives**; an index says where to look:
//! * A process that ends between the two steps of a delete leaves an entry whose session is gone. It
//!   is not listed, and whoever reads the index takes the entry out. That is safe at any time: an
//!   entry comes after its session, and since the mark is never used again, a session that is gone
//!   stays gone.
//! * A process that ends between the two steps of an insert leaves a session that no index lists and
//!   `delete_user_sessions` does not find. Its caller has no answer, so nobody has its tokens; it
//!   ends unused.
//! * An entry of an earlier session of the same handle has another mark, and neither lists nor
//!   deletes the later one.
//!
//! On a single server both steps of an insert are one script, and so is the deletion of all sessions
//! that an index lists, a thousand keys at a time. In a cluster `delete_user_sessions` is one step
//! for each session, and a list is no picture of one moment. A failover in a cluster may lose an
//! entry whose session it keeps.
//!
//! ## Expiry
//! `now` decides which session is live, as for every store. The server deletes a session by itself
//! only a [margin](RedisOptions::expiry_margin) after its end, counted from the caller's `now`, so a
//! clock of the server that is wrong does no harm, and one that jumps does none within the margin.
//! That is for the case that nobody cleans up. `delete_expired_sessions` reads the 256 sorted sets
//! from the earliest expiry up to `now`, and never looks at a live session; it deletes at most as
//! many as it is told, and the entries of those that the server has dropped count among them.
//! Metadata and keys are kept until they are deleted.
//!
//! Of a million sessions, half of them over, on one server with `appendfsync always` and two cores
//! that other work shared: 500 batches of 1000 took 53 s, 83 ms each at the median; reads took
//! 0.16 ms at the median and 4 ms at the 99th percentile with nothing else going on, and 0.25 ms and
//! 36 ms beside the removal, which takes twice as much in one batch as the background does.
//!
//! # The feed of endings
//! Each delete publishes the session in the same script. A feed listens on a connection of its own,
//! and ends when that is lost. Each heartbeat is published by every server that takes writes, and
//! has to come back; so a connection that is silently dead, a master that was replaced, or nodes of
//! a cluster that do not reach each other end it too, within the
//! [interval](RedisOptions::feed_heartbeat) and the response timeout.
//!
//! # Errors
//! [`OpenError`] names the server, without its password, and what to do. Later trouble is a
//! [`StoreError`](supersession::store::StoreError): `Unavailable` if the server does not answer, is
//! loading or busy; `NotWritable` if its memory is full, its disk fails or it is a replica;
//! `Denied` if the user
//! lacks a right, `Corrupt` if what was read makes no sense.
//!
//! While slots of a cluster move from one node to another, verbs on keys that have moved already
//! wait, and fail with `Unavailable` if that takes more than a second.

mod error;
mod fault;
mod feed;
mod keys;
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
