//! The PostgreSQL store of [Supersession](supersession): sessions, user metadata and keys in a
//! database that several nodes share.
//!
//! Any number of nodes may share the tables. They are SuperTokens' own, so a database of its core
//! can be adopted as it is.
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
//! From a pool that the application has already, with a feed of revocations on a connection of its
//! own:
//! ```no_run
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
//! ```
//!
//! # Where it runs
//! The store is opened in a tokio runtime, and its verbs run there, each as a task. They may be
//! called anywhere: in another runtime, as actix's workers are, or in none. That runtime has to last
//! as long as the store is used; after it, the store is unavailable.
//!
//! A verb that its caller gives up goes on to its end. So it is done or not done, never half, and
//! its connection comes back to the pool with nothing left to say.
//!
//! # Costs
//! Each verb takes one connection of the pool, and at most one. Round trips and statements of a verb
//! that nobody else calls at the same time, once a connection has prepared them; counted by a test:
//!
//! | verb | round trips | statements |
//! | --- | --- | --- |
//! | `insert_session`, `session`, `session_standing`, `rotate` | 1 | 1 |
//! | `write_document`: overwrite, compare-and-swap | 1 | 1 |
//! | `write_document`: merge | 2 | 2 |
//! | `delete_sessions`, `delete_user_sessions`, any number, told to other nodes | 1 | 1 |
//! | `user_sessions`, `user_session_handles` | 1 | 1 |
//! | `record_uses`, any number of sessions; `set_device_label` | 1 | 1 |
//! | `delete_expired_sessions` | 1 | 1 |
//! | `user_metadata`, `delete_user_metadata`; `write_user_metadata`: overwrite | 1 | 1 |
//! | `write_user_metadata`: merge, compare-and-swap | 2 | 2 |
//! | `signing_keys`, `delete_dynamic_keys`; `refresh_token_key` once there is one | 1 | 1 |
//! | `add_dynamic_key`, `add_static_key` | 4 | 4 |
//! | `check_ready` | 1 | 1 |
//!
//! The first session of an app or tenant takes two more, to register it. A merge, and a
//! compare-and-swap, that loses a race against another node over the same document takes one more
//! for each race lost (metadata: two). Adding a key is a transaction that holds the app's row, so
//! that of any number of nodes one adds it; it happens once in days.
//!
//! # Writes that share a commit
//! Changes of documents that come while others are written (`write_document`,
//! `write_user_metadata`) wait for those, and then go out together: session data, payloads and
//! metadata each in one statement for up to 256 documents, before it one that reads those that are
//! merged into. So 64 overwrites at once cost one round trip and one flush of the disk, and 64
//! merges two and one; a test counts that too. Several changes of one document become one write to
//! its row, and each caller is told what it would be told one after the other. Two batches at most
//! are under way, each on a connection of the pool; none is kept while nobody writes. A change that comes alone waits for
//! nothing and costs what the table says.
//!
//! Whoever is answered is committed, in a batch as alone. A batch never waits for a row that
//! somebody holds; that document, and one that was changed meanwhile, is gone, is larger than
//! 64 KiB, or is new (metadata), is done alone afterwards. So is everything of a batch that
//! PostgreSQL refuses, so that the one that was refused fails alone. Everything else, such as what
//! makes, rotates or revokes a session, has a statement and a commit to itself.
//!
//! `check_ready` runs each kind of statement of the other verbs on no row, so PostgreSQL checks tables
//! and rights, and commits an empty message for logical decoding, so the commit waits for the disk
//! and for standbys as every other does. It changes no table.
//!
//! No other verb opens a transaction, so no lock is ever held while a node computes.
//!
//! Sessions that are over are removed in batches, the oldest first; rows that somebody holds are
//! skipped, so nobody waits. Of a million sessions, half of them over, on two cores that the load
//! shared (PostgreSQL 15 with its defaults, `fsync` on, four tasks reading single sessions without a
//! pause): 500 batches of 1000 took 10 s, 16 ms each at the median and 127 ms at the 99th
//! percentile. Reads took 0.22 ms at the median and 2.0 ms at the 99th percentile with nothing else
//! going on, and 0.14 ms and 3.8 ms beside the removal.
//!
//! # Durability
//! A write that was answered is committed, and survives what PostgreSQL's settings make commits
//! survive:
//!
//! | setting | an answered write survives |
//! | --- | --- |
//! | `fsync = on`, `synchronous_commit = on` (the defaults) | a crash of the server and a loss of power |
//! | the same with `synchronous_standby_names` | also the loss of the server's disk |
//! | `synchronous_commit = off` | the end of the application; after a crash of the server the last moments may be missing, a revocation among them |
//! | asynchronous replicas, on failover | as above: what the replica had not received is lost |
//!
//! The one exception are notes of use (`record_uses`), which are for people to look at and do not
//! wait for the disk.
//!
//! Reads go to the same server as writes. Do not point the store at a pool of replicas: a revoked
//! session would be found again.
//!
//! # Trouble
//! What PostgreSQL has rolled back (SQLSTATE class 40, such as a deadlock with another program) is
//! tried again, up to five times, after pauses of growing and random length. After a lost connection
//! the caller does not know whether a write took place, and neither does the store; it tries again
//! where twice leaves and answers the same as once:
//!
//! | verb | after a lost connection | because done twice it |
//! | --- | --- | --- |
//! | all that only read | tried again | changes nothing |
//! | `record_uses`, `set_device_label`, `check_ready` | tried again | leaves the same |
//! | `refresh_token_key` | tried again | finds the first key, as everybody does |
//! | compare-and-swap | `Unavailable` | would find its own write, and call it a conflict |
//! | overwrites and merges, of documents and metadata | `Unavailable` | would undo what somebody wrote after it was done |
//! | `insert_session` | `Unavailable` | would find its own handle taken |
//! | `rotate` | `Unavailable` | would find its own rotation, and call the session changed |
//! | all deletes | `Unavailable` | would say that nothing was there |
//! | `add_dynamic_key`, `add_static_key` | `Unavailable` | would find its own key, and say it was not added |
//!
//! If the connection is lost under a batch of changes, all callers in it are told so.
//!
//! A verb answers within [`verb_timeout`](PostgresOptions::verb_timeout), also if the server has
//! frozen or the network swallows everything. While the server is away, verbs answer `Unavailable`,
//! and the first one after its return works again; nothing has to be restarted.
//!
//! [`OpenError`] names the database, without its password, and what to do. Later trouble is a
//! [`StoreError`](supersession::store::StoreError): `Unavailable` if the server or a connection
//! cannot be had, `NotWritable` if it has become a replica, is full, or denies the right to write,
//! `Denied` if the user lacks a right to read, `Corrupt` if what was read makes no sense or a table is
//! gone. Of what PostgreSQL says only the message is kept: its
//! details quote rows.
//!
//! # Settings of the database
//! The encoding must be UTF8; a database of another one is refused, because it cannot hold every
//! user id and document. Statements run under READ COMMITTED, whatever
//! `default_transaction_isolation` says. Connections of a [`url`](PostgresOptions::url) get that
//! level when they are made. Those of an application's [`pool`](PostgresOptions::pool) that have
//! another default get it for the time of a verb, which takes two more round trips; behind a pooler
//! that lends connections by the transaction, set it for the user instead:
//! `ALTER ROLE app SET default_transaction_isolation = 'read committed'`.
//!
//! `default_transaction_read_only` is respected: writes fail with `NotWritable`, and
//! [`check_ready`](supersession::Store::check_ready) says so.
//!
//! # Encryption
//! | `sslmode` | encrypted | the server is verified |
//! | --- | --- | --- |
//! | `disable` | no | no |
//! | `prefer`, the default | if the server can | no, unless [`root_certificates`](PostgresOptions::root_certificates) are given |
//! | `require`, `verify-full` | always | always, its name included, by the system's authorities or those given |
//!
//! So `require` is what libpq calls `verify-full`: encryption without knowing with whom protects
//! from few. `verify-ca`, which takes a certificate for any name, is refused. A Unix socket is not
//! encrypted.
//!
//! `sslrootcert` in the URL is the path of a PEM file with the authorities, unless the program
//! gives [`root_certificates`](PostgresOptions::root_certificates). `sslrootcert=system` means the
//! system's; as with libpq, no weaker mode than `verify-full` may stand beside it.
//!
//! # The feed of endings
//! Deleted sessions are told by `NOTIFY` in the statement that deletes them, so what is told is
//! committed, and what is rolled back is not told. All feeds of a store share one connection that
//! listens, beside the pool. It is tested every ten seconds, and when it is lost all feeds end.
//!
//! # Poolers
//! No verb needs the state of a session, so they should work through pgbouncer 1.21 or later in
//! transaction mode, with
//! `max_prepared_statements` set and `ignore_startup_parameters = options`; the tests run without a
//! pooler. `LISTEN` does not work there: give a [`pool`](PostgresOptions::pool) over pgbouncer and a
//! [`url`](PostgresOptions::url) past it, or switch the feed off with
//! [`endings(false)`](PostgresOptions::endings).
//!
//! # Schema
//! Tables, columns, constraints and indexes have the names that SuperTokens gives them. Beside its
//! columns, `session_info` has four for devices, which are nullable, so that its core can go on
//! writing; and there is the small table `supersession_schema` with the version. Migrations run on
//! opening, in one transaction under an advisory lock; where there is nothing to do, no right to
//! change tables is needed. Tables of a newer version are refused, and so are tables of the same
//! names that are not SuperTokens'.
//!
//! Once the tables are there, a user with these rights is enough, for the schema `auth` and the user
//! `app`:
//! ```sql
//! GRANT USAGE ON SCHEMA auth TO app;
//! GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA auth TO app;
//! ```
//!
//! The tables hold the private keys that sign access tokens, and so does each backup.

mod batch;
mod error;
mod fault;
mod feed;
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

/// The pool, for applications that have one of their own.
pub use deadpool_postgres;

pub use error::{OpenError, OpenErrorKind};
pub use options::PostgresOptions;
pub use store::PostgresStore;
