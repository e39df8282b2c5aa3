//! The PostgreSQL store of [Supersession](supersession): sessions, user metadata and keys in a
//! database that several nodes share.
//!
//! Any number of nodes may share the tables. They are SuperTokens' own tables, so the store can
//! adopt a database of its core as it is.
//!
//! # Examples
//! ```no_run
//! use supersession_postgres::PostgresStore;
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // Creates the tables if they are missing, and migrates them if they are older.
//! let store = PostgresStore::open("postgres://app:password@db.internal/app?sslmode=require").await?;
//!
//! // The same, with more spelled out.
//! use std::time::Duration;
//! let store = PostgresStore::options()
//!     .url("postgres://app:password@db.internal/app?sslmode=require")
//!     .root_certificates(std::fs::read("/etc/ssl/db-authority.pem")?)
//!     .schema("auth")
//!     .table_prefix("st")
//!     .pool_size(16)
//!     .connect_timeout(Duration::from_secs(5))
//!     .verb_timeout(Duration::from_secs(10))
//!     .open()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! With a pool that the application already has (feature `pool`), and a revocation feed on a
//! connection of its own:
//! ```no_run
//! # #[cfg(feature = "pool")]
//! # mod with_pool {
//! use supersession_postgres::PostgresStore;
//! use supersession_postgres::deadpool_postgres::tokio_postgres::{Config, NoTls};
//! use supersession_postgres::deadpool_postgres::{Manager, Pool};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "postgres:///app?host=/var/run/postgresql";
//! let config: Config = url.parse()?;
//! let pool = Pool::builder(Manager::new(config, NoTls)).max_size(20).build()?;
//! let store = PostgresStore::options().pool(pool).url(url).open().await?;
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! # Where it runs
//! The store is opened in a tokio runtime, and each of its verbs runs there as a task. Verbs may be
//! called from anywhere: from another runtime, such as actix's workers, or without one. The runtime
//! must last as long as the store is used. When it ends, the store becomes unavailable.
//!
//! If the caller stops waiting for a verb, the verb still runs to completion. It is therefore done
//! or not done, never half done, and its connection returns to the pool without a pending answer.
//!
//! # Costs
//! Each verb uses at most one connection of the pool. The table lists the round trips and
//! statements of a verb that runs without concurrent verbs, once a connection has prepared its
//! statements. A test counts them:
//!
//! | verb | round trips | statements |
//! | --- | --- | --- |
//! | `insert_session`, `session`, `session_status`, `rotate` | 1 | 1 |
//! | `write_document`: overwrite, compare-and-swap | 1 | 1 |
//! | `write_document`: merge | 2 | 2 |
//! | `delete_sessions`, `delete_user_sessions`, any number, with notification of other nodes | 1 | 1 |
//! | `user_sessions`, `user_session_handles` | 1 | 1 |
//! | `record_uses`, any number of sessions; `set_device_label` | 1 | 1 |
//! | `delete_expired_sessions` | 1 | 1 |
//! | `user_metadata`, `delete_user_metadata`; `write_user_metadata`: overwrite | 1 | 1 |
//! | `write_user_metadata`: merge, compare-and-swap | 2 | 2 |
//! | `signing_keys`, `delete_dynamic_keys`; `refresh_token_key` once there is one | 1 | 1 |
//! | `add_dynamic_key`, `add_static_key` | 4 | 4 |
//! | `check_ready` | 1 | 1 |
//!
//! The first session of an app or tenant takes two more, to register it. A merge or a
//! compare-and-swap that loses a race against another node over the same document takes one more
//! for each race lost (metadata: two). Adding a key is a transaction that locks the app's row, so
//! only one of any number of nodes adds it. This happens once in days.
//!
//! # Writes that share a commit
//! Changes of documents (`write_document`, `write_user_metadata`) that arrive while others are
//! being written wait for those, and are then written together. Session data, payloads and metadata
//! each take one statement for up to 256 documents, preceded by one statement that reads the
//! documents to merge into. So 64 concurrent overwrites cost one round trip and one disk flush, and
//! 64 concurrent merges cost two round trips and one flush. A test counts that too. Several changes
//! of one document become one write to its row, and each caller gets the outcome of a sequential
//! execution. At most two batches run at the same time, each on a connection of the pool. An idle
//! batcher keeps no connection. A change that arrives alone does not wait, and has the cost in the
//! table.
//!
//! An acknowledged change is committed, in a batch as well as alone. A batch never waits for a row
//! that another transaction has locked. A change is written alone afterwards if its row is locked,
//! was changed in the meantime, or is gone; if its document is larger than 64 KiB; or if it is new
//! metadata. If PostgreSQL rejects a batch, all its changes are written alone, so that only the
//! rejected one fails. Every other write, such as creating, rotating or revoking a session, has its
//! own statement and commit.
//!
//! `check_ready` runs each kind of statement of the other verbs on no row, so PostgreSQL checks
//! tables and rights. It also commits an empty message for logical decoding, so the commit waits
//! for the disk and for standbys as every other commit does. It changes no table.
//!
//! No other verb opens a transaction, so no lock is held while a node computes.
//!
//! Expired sessions are deleted in batches, the oldest first. Rows that another transaction has
//! locked are skipped, so no transaction waits. Measured with a million sessions, half of them
//! expired, on two cores that the load shared (PostgreSQL 15 with its defaults, `fsync` on, four
//! tasks that read single sessions without a pause): 500 batches of 1000 took 10 s, 16 ms each at
//! the median and 127 ms at the 99th percentile. Reads took 0.22 ms at the median and 2.0 ms at the
//! 99th percentile without other load, and 0.14 ms and 3.8 ms during the deletion.
//!
//! # Durability
//! An acknowledged write is committed. PostgreSQL's settings decide what it survives:
//!
//! | setting | an acknowledged write survives |
//! | --- | --- |
//! | `fsync = on`, `synchronous_commit = on` (the defaults) | a crash of the server and a loss of power |
//! | the same with `synchronous_standby_names` | also the loss of the server's disk |
//! | `synchronous_commit = off` | the end of the application; a crash of the server may lose the last moments, including a revocation |
//! | asynchronous replicas, on failover | as above: writes that the replica had not received are lost |
//!
//! The one exception is `record_uses`. Its notes are informational, and do not wait for the disk.
//!
//! Reads go to the same server as writes. Do not point the store at a pool of replicas: it would
//! find revoked sessions again.
//!
//! # Error handling
//! A statement that PostgreSQL has rolled back (SQLSTATE class 40, such as a deadlock with another
//! program) is retried up to five times, after pauses of growing and random length. After a lost
//! connection, neither the caller nor the store knows if a write took place. The store retries the
//! verbs for which a second execution has the same effect and outcome as one:
//!
//! | verb | after a lost connection | because a second execution |
//! | --- | --- | --- |
//! | all that only read | retried | changes nothing |
//! | `record_uses`, `set_device_label`, `check_ready` | retried | has the same effect |
//! | `refresh_token_key` | retried | finds the first key, as every node does |
//! | compare-and-swap | `Unavailable` | would find its own write, and report a conflict |
//! | overwrites and merges, of documents and metadata | `Unavailable` | could undo a later write of another caller |
//! | `insert_session` | `Unavailable` | would find its own handle taken |
//! | `rotate` | `Unavailable` | would find its own rotation, and report a changed session |
//! | all deletes | `Unavailable` | would report that nothing existed |
//! | `add_dynamic_key`, `add_static_key` | `Unavailable` | would find its own key, and report that it was not added |
//!
//! If the connection is lost during a batch of changes, all its callers get `Unavailable`.
//!
//! A verb answers within [`verb_timeout`](PostgresOptions::verb_timeout), even if the server has
//! frozen or the network drops all packets. While the server is unreachable, verbs answer
//! `Unavailable`. The first verb after its return succeeds again, without a restart.
//!
//! [`OpenError`] names the database, without its password, and the fix. Later faults are a
//! [`StoreError`](supersession::store::StoreError): `Unavailable` if the server or a connection is
//! not available, `NotWritable` if the server has become a replica, is full, or denies the right to
//! write, `Denied` if the user lacks a right to read, `Corrupt` if a stored value is invalid or a
//! table is gone. Only the message of a PostgreSQL error is kept, because its details quote rows.
//!
//! # Settings of the database
//! The encoding must be UTF8. A database with another encoding is rejected, because it cannot store
//! every user id and document. Statements run under READ COMMITTED, regardless of
//! `default_transaction_isolation`. Connections of a [`url`](PostgresOptions::url) get that level
//! when they are opened. Connections of an application's `pool` with
//! another default get it for the duration of a verb, which takes two more round trips. Behind a
//! pooler in transaction mode, set it for the user instead:
//! `ALTER ROLE app SET default_transaction_isolation = 'read committed'`.
//!
//! `default_transaction_read_only` is respected: writes fail with `NotWritable`, and so does
//! [`check_ready`](supersession::Store::check_ready).
//!
//! # Encryption
//! | `sslmode` | encrypted | the server is verified |
//! | --- | --- | --- |
//! | `disable` | no | no |
//! | `prefer`, the default | if the server can | no, unless [`root_certificates`](PostgresOptions::root_certificates) are given |
//! | `require`, `verify-full` | always | always, including its name, by the system's authorities or the given ones |
//!
//! So `require` is what libpq calls `verify-full`: encryption without verification does not stop an
//! attacker who can redirect traffic. `verify-ca`, which accepts a certificate for any name, is
//! rejected. A Unix socket is not encrypted.
//!
//! `sslrootcert` in the URL is the path of a PEM file with the authorities.
//! [`root_certificates`](PostgresOptions::root_certificates) take precedence over it.
//! `sslrootcert=system` selects the system's authorities. As with libpq, it cannot be combined with
//! a mode weaker than `verify-full`.
//!
//! # Revocation feed
//! The statement that deletes sessions also notifies the other nodes by `NOTIFY`. A notification is
//! therefore sent only if the deletion is committed. All feeds of a store share one listening
//! connection, which is not part of the pool. The store tests it every ten seconds. If it is lost,
//! all feeds end.
//!
//! # Poolers
//! No verb depends on the state of a database session, so verbs should work through pgbouncer 1.21
//! or later in transaction mode, with `max_prepared_statements` set and
//! `ignore_startup_parameters = options`. The tests run without a pooler. `LISTEN` does not work
//! there: use a `pool` over pgbouncer and a [`url`](PostgresOptions::url)
//! that bypasses it, or turn the feed off with [`revocation_feed(false)`](PostgresOptions::revocation_feed).
//!
//! # Features
//! `pool` takes the connections from a pool of the application, and re-exports `deadpool_postgres`
//! in the version that the store uses.
//!
//! # Schema
//! Tables, columns, constraints and indexes have SuperTokens' names. The table `session_info` has
//! four more columns for devices. They are nullable, so that SuperTokens' core can keep writing.
//! The small table `supersession_schema` holds the version. Migrations run when the store opens, in
//! one transaction under an advisory lock. If nothing is to be migrated, the user needs no right to
//! change tables. Tables of a newer version are rejected, and so are tables of the same names that
//! are not SuperTokens'.
//!
//! Once the tables exist, these rights are enough, for the schema `auth` and the user `app`:
//! ```sql
//! GRANT USAGE ON SCHEMA auth TO app;
//! GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA auth TO app;
//! ```
//!
//! The tables and every backup contain the private keys that sign access tokens.

mod batch;
mod document;
mod error;
mod fault;
mod feed;
mod fold;
mod names;
mod open;
mod options;
mod quiet;
mod run;
mod schema;
mod sql;
mod store;
mod tls;
mod url;

/// The pool, for applications that use their own.
#[cfg(feature = "pool")]
pub use deadpool_postgres;

pub use error::{OpenError, OpenErrorKind};
pub use options::PostgresOptions;
pub use store::PostgresStore;
