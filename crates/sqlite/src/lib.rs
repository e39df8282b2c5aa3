//! The embedded store of [Supersession](supersession): sessions, user metadata and keys in one
//! SQLite file.
//!
//! SQLite is compiled in, so there is nothing to install and nothing to run beside the program. The
//! store is intended for one process, but several processes on one machine may share the file. For
//! several machines, use the PostgreSQL or the Redis store.
//!
//! # Examples
//! ```
//! use supersession_sqlite::SqliteStore;
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("sessions.db");
//! // Creates the file if it is missing, and migrates it if it is older than this program.
//! let store = SqliteStore::open(&path).await?;
//!
//! // The same, with everything spelled out.
//! use std::time::Duration;
//! use supersession_sqlite::Synchronous;
//! let store = SqliteStore::options()
//!     .path(&path)
//!     .busy_timeout(Duration::from_secs(5))
//!     .readers(4)
//!     .synchronous(Synchronous::Full)
//!     .open()
//!     .await?;
//!
//! // For tests: gone when the store is dropped.
//! let store = SqliteStore::options().in_memory().open().await?;
//! # Ok(())
//! # }
//! # pollster::block_on(example())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it works
//! One thread writes. It takes all waiting writes, executes them in one transaction, and answers
//! each caller after the commit. Concurrent writers therefore share the disk flush of a commit. A
//! write that fails does so alone, and does not affect the others of its transaction. A reader
//! never waits for a writer, nor a writer for a reader. Another thread moves the write-ahead log
//! into the database file.
//!
//! Waiting changes of documents are folded, unless another kind of write is between them: changes
//! of one session, or of the metadata of one user, are applied in sequence, but the row is read and
//! written once. Each caller gets the document as its own change left it.
//!
//! A session, or the metadata of one user, is read in the caller's thread, on one of a few
//! connections for that purpose. If the row is in memory, such a read takes about 4 us, compared
//! with 16 us by way of another thread, so
//! [`check_database`](supersession::VerifyOptions::check_database) is cheap enough for every
//! request. The read does not block an async worker. If no connection is free, if it would wait for
//! a lock, or while reads take longer than a millisecond because the disk is slow, it moves to a
//! reader thread. Lists always use reader threads.
//!
//! Expired sessions are deleted in batches, each of which is one write among others. Measured with
//! a million sessions, half of them expired, on two cores that other work shared: 500 batches of
//! 1000 took 14 s, 12 ms each at the median and 220 ms at the 99th percentile. Reads took 70 us at
//! the median and 0.20 ms at the 99th percentile without other load, and 71 us and 0.33 ms during
//! the deletion.
//!
//! The store needs no async runtime: the futures wait on channels only, and work under tokio, under
//! actix, and under a plain `block_on`. When more than a thousand verbs wait, further callers wait
//! for room in the queue.
//!
//! # Costs
//! Statements of a verb on a file, once a connection has prepared them. A test counts them. A write
//! also has its share of one `BEGIN` and one `COMMIT`, with the disk flush, which all waiting
//! writes have in common. A read has neither.
//!
//! | verb | statements |
//! | --- | --- |
//! | `session`, `session_status`, `user_metadata` | 1, a read in the caller's thread |
//! | `user_sessions`, `user_session_handles`, `signing_keys` | 1, a read on a reader thread |
//! | `insert_session`, `set_device_label` | 1 |
//! | `rotate` | 2 |
//! | `write_document`, `write_user_metadata` of each kind | 2, or 1 if nothing changes |
//! | any number of these, folded | 2, or 1 if nothing changes |
//! | `delete_sessions`, `record_uses` | 1 for each session |
//! | `delete_user_sessions`, `delete_expired_sessions`, any number | 1 |
//! | `delete_user_metadata` | 1 |
//! | `check_ready` | 1, and a `PRAGMA` that writes the version of the schema again |
//! | `add_dynamic_key`, `add_static_key`, `delete_dynamic_keys`; `refresh_token_key` once there is one | 1 |
//!
//! The first session of an app or tenant takes more, to register it.
//!
//! # Durability
//! With [`Synchronous::Full`], the default, an acknowledged write survives the end of the process,
//! a crash of the operating system and a loss of power, if the disk really flushes its cache when
//! asked to. With [`Synchronous::Normal`] it survives the end of the process, however sudden. The
//! answer comes from the same transaction as the write. A write that was not acknowledged took
//! place as a whole or not at all.
//!
//! Dropping the last clone of a [`SqliteStore`] finishes the waiting writes, ends the threads and
//! closes the database.
//!
//! # The files
//! Next to `sessions.db` are `sessions.db-wal`, the write-ahead log, and `sessions.db-shm`, its
//! index. While the store is open, and after a crash, the log is part of the database: do not
//! delete it, and do not copy `sessions.db` without it. The last process that closes the database
//! removes it. The file of the log takes about 4 MiB, or 64 MiB under a constant load of writes. It
//! grows further only while a reader of another program keeps it from being reset.
//!
//! The file and every copy contain the private keys that sign access tokens. On Unix it is created
//! so that only its owner can read it. It must be on a local disk: the write-ahead log needs shared
//! memory, which network file systems do not offer.
//!
//! Back up with `sqlite3 sessions.db ".backup copy.db"` or `VACUUM INTO 'copy.db'`; both are safe
//! while the store is open. To restore, put the copy in place while no process has the database
//! open, and remove the `-wal` and `-shm` files next to it.
//!
//! # Names
//! [`SqliteStore::open`], [`SqliteOptions::path`] and `--store` of `supersession-server` follow one
//! rule:
//!
//! | given | opened |
//! | --- | --- |
//! | `sessions.db`, `/var/lib/app/sessions.db` | that file |
//! | `sqlite:sessions.db`, `sqlite://sessions.db`, `file:sessions.db` | `sessions.db` |
//! | `sqlite:/var/lib/s.db`, `sqlite:///var/lib/s.db`, `file:///var/lib/s.db` | `/var/lib/s.db` |
//! | `:memory:`, `sqlite::memory:`, `sqlite:any?mode=memory` | a database in memory |
//! | `sqlite:a%20b.db?mode=rwc` | `a b.db` |
//! | an empty name, other parameters, a host after `file://`, `postgres://..` | rejected |
//!
//! In a URL, `%` followed by two hexadecimal digits is a byte, and `?` begins the parameters. A
//! name without a scheme is taken literally. `./sqlite:x` is a file of that name.
//!
//! # Beside other crates that use SQLite
//! A program can link only one SQLite. Cargo rejects two versions of `libsqlite3-sys` with "failed
//! to select a version for `libsqlite3-sys`" and "only one package in the dependency graph may
//! specify this links value". This crate accepts `rusqlite` 0.32 to 0.43, so that Cargo finds a
//! version that is compatible with sqlx 0.8 and 0.9, SeaORM 1.1, Diesel 2.3 and others that pin
//! one. Each minor version is tested. If Cargo still reports the error:
//!
//! * With a lock file, run `cargo update -p rusqlite -p libsqlite3-sys`, or choose the version by
//!   `cargo update -p rusqlite --precise 0.39.0`. `cargo tree -i libsqlite3-sys` names the crates
//!   that link SQLite.
//! * Many crates link SQLite only behind a feature. sqlx 0.8 and 0.9 do so even for PostgreSQL with
//!   `macros` or `migrate`.
//! * If another crate pins a version outside the range, keep sessions in another store, or run
//!   `supersession-server` as a separate process.
//!
//! | `rusqlite` | chosen beside |
//! | --- | --- |
//! | 0.32 | sqlx 0.8, sea-orm 1.1, loco-rs 0.16, tower-sessions-sqlx-store 0.15, apalis-sql 0.7 |
//! | 0.39 | sqlx 0.9 |
//! | 0.40 | diesel 2.3 |
//! | 0.43 | nothing else, or rusqlite 0.43 |
//!
//! The feature `bundled`, on by default, compiles SQLite in. Without default features the program
//! links the SQLite of the system (3.35 or later), unless another crate of the program compiles one
//! in.
//!
//! Before version 3.51.3, SQLite has [a rare bug](https://sqlite.org/wal.html#walresetbug) that can
//! corrupt a database while one connection checkpoints and another one writes. `rusqlite` before
//! 0.39 compiles such a version in. With it, the writer checkpoints itself, so that the connections
//! of one store never do both at once; one commit in several hundred takes longer. In that case, do
//! not let a second process write to the file.
//!
//! # Schema
//! Tables and columns have SuperTokens' names. The version is in `PRAGMA user_version`. Migrations
//! run when the store opens, in one transaction, also when several processes open the file at once.
//! A file that a newer version has migrated is rejected, and so is the database of another program.
//!
//! # Errors
//! [`OpenError`] names the file and the fix. Later faults are a
//! [`StoreError`](supersession::store::StoreError): `Unavailable` if another process keeps the
//! database locked, `NotWritable` if the disk is full or the file cannot be written, `Corrupt` if a
//! stored value is invalid.
//!
//! On Unix the store detects that its database file, the log or its index is deleted or replaced
//! while it is open: before any write is acknowledged, and within a second of reads. From then on
//! every verb fails with `NotWritable` or `Unavailable`, and the log names the file. If only the
//! write-ahead log is gone, its contents are first moved into the database file. If the files are
//! moved back, the store uses them again. Otherwise restart the program, which opens the files that
//! exist then. Do not write a copy over the open file.
//!
//! After any read or write has found damage in the file (`SQLITE_CORRUPT`, `SQLITE_NOTADB`), writes
//! fail with `NotWritable` until the program is restarted with an undamaged file. While it writes,
//! the writer checks the first pages of each table for damage once a second. It does not check the
//! whole file.

mod change;
mod checkpoint;
#[cfg(not(other_rusqlite))]
#[cfg(test)]
mod costs;
mod error;
mod fault;
mod health;
mod job;
mod location;
mod open;
mod options;
mod readers;
mod schema;
mod sql;
mod store;
mod writer;

pub use error::{OpenError, OpenErrorKind};
pub use options::{SqliteOptions, Synchronous};
pub use store::SqliteStore;
