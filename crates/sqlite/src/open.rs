//! Opens a store from its options: connections, and the threads that use them. The constructors of
//! both types are here, above everything that they use.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};
use tokio::sync::oneshot;

use crate::checkpoint::{self, Checkpointer};
use crate::error::{OpenError, OpenErrorKind};
use crate::health::Health;
use crate::job::{Queue, Threads, Workers};
use crate::location::Location;
use crate::options::{SqliteOptions, Synchronous};
use crate::readers::Readers;
use crate::schema::{self, SchemaProblem};
use crate::store::{Inner, SqliteStore};
use crate::writer::{Entry, QUEUE_CAPACITY, Writer};

/// Number of cached statements. The verbs have about twenty, and none is to be prepared twice.
const CACHED_STATEMENTS: usize = 64;
/// Page cache of the writer, in KiB.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Pause between two attempts at a lock for which SQLite itself does not wait.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

impl SqliteStore {
    /// Opens the database in this file with the default options, and creates or migrates it as
    /// needed.
    ///
    /// # Errors
    /// Returns an error if the database cannot be used. Its text names the file and the fix.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let options = Self::options().path(path);
        options.open().await
    }

    /// Returns the options for opening a database. Either [`SqliteOptions::path`] or
    /// [`SqliteOptions::in_memory`] is required.
    pub fn options() -> SqliteOptions {
        SqliteOptions::default()
    }
}

impl SqliteOptions {
    /// Opens the database, and creates or migrates it as needed. A separate thread does the work,
    /// so any async runtime can be used.
    ///
    /// # Errors
    /// Returns an error if the database cannot be used. Its text names the file and the fix.
    pub async fn open(self) -> Result<SqliteStore, OpenError> {
        let path = self.file().map(Path::to_path_buf);
        let (sender, receiver) = oneshot::channel();
        let opening = thread::Builder::new()
            .name("sqlite-open".to_owned())
            .spawn(move || {
                // If the caller no longer waits, the opened store is dropped here, which closes it.
                let _ = sender.send(self.open_blocking());
            });
        if let Err(error) = opening {
            return Err(OpenError::from_io(path.as_deref(), error));
        }
        receiver.await.unwrap_or_else(|_| {
            Err(OpenError::new(path.as_deref(), OpenErrorKind::Internal)
                .with_source("the thread that was to open it panicked"))
        })
    }

    /// Blocking variant of [`open`](Self::open).
    ///
    /// # Errors
    /// Returns the same errors as [`open`](Self::open).
    pub fn open_blocking(self) -> Result<SqliteStore, OpenError> {
        open(&self).inspect_err(|error| {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "the session database could not be opened"
            );
        })
    }
}

fn open(options: &SqliteOptions) -> Result<SqliteStore, OpenError> {
    options.check_ranges()?;
    match &options.location {
        None => Err(OpenError::new(None, OpenErrorKind::NoLocation)),
        Some(Location::Memory) => in_memory(options),
        Some(Location::Path(path)) => File { path, options }.open(),
        Some(Location::Refused { name, reason }) => {
            Err(OpenError::new(name.as_deref(), OpenErrorKind::BadName).with_source(*reason))
        }
    }
}

fn in_memory(options: &SqliteOptions) -> Result<SqliteStore, OpenError> {
    let sqlite = |error| OpenError::from_sqlite(None, error);
    let mut connection = Connection::open_in_memory().map_err(sqlite)?;
    configure(&connection, options).map_err(sqlite)?;
    schema::migrate(&mut connection).map_err(|problem| OpenError::from_schema(None, problem))?;
    let health = Arc::new(Health::default());
    let writer = Writer::in_memory(connection, Arc::clone(&health));
    let writer = start_writer(writer).map_err(|error| OpenError::from_io(None, error))?;
    Ok(SqliteStore::new(Inner {
        path: None,
        readers: None,
        writer,
        health,
    }))
}

fn start_writer(writer: Writer) -> io::Result<Workers<Entry>> {
    let mut thread = Threads::default();
    let (queue, waiting) = Queue::bounded(QUEUE_CAPACITY);
    thread.spawn("sqlite-writer", move || writer.run(waiting))?;
    Ok(Workers::new(queue, thread))
}

/// A database on disk that is being opened.
struct File<'a> {
    /// The path as the user gave it, for messages.
    path: &'a Path,
    options: &'a SqliteOptions,
}

impl File<'_> {
    fn open(&self) -> Result<SqliteStore, OpenError> {
        let path = self.create()?;
        let writer = self.connect_writer(&path)?;
        let own = self.connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let patience = [Duration::ZERO, self.options.busy_timeout];
        let [in_place, on_threads] = patience.map(|patience| {
            let readers = (0..self.options.readers).map(|_| self.connect_reader(&path, patience));
            readers.collect::<Result<Vec<_>, _>>()
        });
        let (in_place, on_threads) = (in_place?, on_threads?);
        let examiner = self.connect_reader(&path, Duration::ZERO)?;
        // All files exist at this point.
        let health = Arc::new(Health::of_file(&path, self.options.health_interval));

        let checkpointer = Checkpointer::start(&writer, own)
            .map_err(|error| self.error(OpenErrorKind::Internal).with_source(error))?;
        let writer = Writer::on_file(writer, checkpointer, examiner, Arc::clone(&health));
        let writer = start_writer(writer).map_err(|error| self.io(error))?;
        let readers = Readers::start(in_place, on_threads).map_err(|error| self.io(error))?;
        let path = Some(self.path.to_path_buf());
        Ok(SqliteStore::new(Inner {
            path,
            readers: Some(readers),
            writer,
            health,
        }))
    }

    /// Creates the file if it is missing, so that only its owner can read it: it contains the
    /// private keys.
    ///
    /// The returned path is absolute, so that SQLite treats it as a path in every case.
    fn create(&self) -> Result<PathBuf, OpenError> {
        let path = std::path::absolute(self.path).map_err(|error| self.io(error))?;
        let what = match path.metadata() {
            Ok(found) if found.is_dir() => Some("it is a directory"),
            Ok(found) if !found.is_file() => Some("it is a device, a pipe or a socket"),
            Err(_) if path.is_symlink() => Some("it is a link to a file that does not exist"),
            _ => None,
        };
        if let Some(what) = what {
            return Err(self.error(OpenErrorKind::NotADatabase).with_source(what));
        }
        let mut file = fs::OpenOptions::new();
        file.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
        match file.open(&path) {
            Ok(_) => Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(path),
            Err(error) => Err(self.io(error)),
        }
    }

    fn connect(&self, path: &Path, access: OpenFlags) -> Result<Connection, OpenError> {
        // Only one thread at a time uses a connection, so SQLite need not lock it.
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(path, flags).map_err(|error| self.sqlite(error))?;
        #[cfg(all(test, not(other_rusqlite)))]
        let connection = crate::costs::watched(connection, path);
        configure(&connection, self.options).map_err(|error| self.sqlite(error))?;
        Ok(connection)
    }

    fn connect_writer(&self, path: &Path) -> Result<Connection, OpenError> {
        let mut connection = self.connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // SQLite opens a file that cannot be written for reading.
        if connection
            .is_readonly(MAIN_DB)
            .map_err(|error| self.sqlite(error))?
        {
            return Err(self.error(OpenErrorKind::NotWritable));
        }
        // Checked before anything is changed: the file may belong to another program.
        schema::version(&connection).map_err(|problem| self.schema(problem))?;
        self.switch_to_log(&connection)?;
        schema::migrate(&mut connection).map_err(|problem| self.schema(problem))?;
        if let Some(table) =
            schema::missing_table(&connection).map_err(|error| self.sqlite(error))?
        {
            return Err(self.error(OpenErrorKind::TableMissing).with_source(table));
        }
        connection
            .pragma_update(None, "cache_size", -WRITER_CACHE_KIB)
            .map_err(|error| self.sqlite(error))?;
        Ok(connection)
    }

    fn connect_reader(&self, path: &Path, patience: Duration) -> Result<Connection, OpenError> {
        let connection = self.connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection
            .pragma_update(None, "query_only", true)
            .and_then(|()| connection.busy_timeout(patience))
            .map_err(|error| self.sqlite(error))?;
        Ok(connection)
    }

    /// Turns the write-ahead log on. SQLite does not always wait for the lock that this takes, so
    /// this function waits itself.
    fn switch_to_log(&self, connection: &Connection) -> Result<(), OpenError> {
        let attempts = self.options.busy_timeout.as_millis() / RETRY_PAUSE.as_millis();
        for attempt in 0..=attempts {
            let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| {
                row.get::<_, String>(0)
            });
            match mode {
                Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
                Ok(_) => break,
                Err(error) if is_busy(&error) && attempt < attempts => thread::sleep(RETRY_PAUSE),
                Err(error) => return Err(self.sqlite(error)),
            }
        }
        Err(self.error(OpenErrorKind::Unsupported))
    }

    fn error(&self, kind: OpenErrorKind) -> OpenError {
        OpenError::new(Some(self.path), kind)
    }

    fn schema(&self, problem: SchemaProblem) -> OpenError {
        OpenError::from_schema(Some(self.path), problem)
    }

    fn sqlite(&self, error: rusqlite::Error) -> OpenError {
        OpenError::from_sqlite(Some(self.path), error)
    }

    fn io(&self, error: io::Error) -> OpenError {
        OpenError::from_io(Some(self.path), error)
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// Applies the settings of all connections. Changes the connection only, not the file.
fn configure(connection: &Connection, options: &SqliteOptions) -> rusqlite::Result<()> {
    connection.busy_timeout(options.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    // `Checkpointer` decides when to checkpoint.
    checkpoint::set_cap(connection, 0)?;
    connection.pragma_update_and_check(
        None,
        "journal_size_limit",
        checkpoint::FILE_SIZE_KEPT,
        |_| Ok(()),
    )?;
    match options.synchronous {
        Synchronous::Full => {
            connection.pragma_update(None, "synchronous", "full")?;
            // On macOS a plain flush stops at the disk's cache. No effect elsewhere.
            connection.pragma_update(None, "fullfsync", true)?;
            connection.pragma_update(None, "checkpoint_fullfsync", true)
        }
        Synchronous::Normal => connection.pragma_update(None, "synchronous", "normal"),
    }
}
