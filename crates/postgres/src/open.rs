//! Opens a store from its options. The constructors of both types are here, above everything that
//! they use.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::Host;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::batch::Batcher;
use crate::error::{OpenError, OpenErrorKind};
use crate::fault::Fault;
use crate::feed::Feed;
use crate::names::{Names, is_schema};
use crate::options::PostgresOptions;
use crate::run::Runner;
use crate::schema;
use crate::sql::Statements;
use crate::store::{Inner, PostgresStore};
use crate::tls;
use crate::url::{self, Roots};

/// Time limit for opening, after connecting. A migration may create an index of a large table.
const OPENING: Duration = Duration::from_secs(600);
/// Idle time after which a connection is probed. A lost peer is detected within half a minute.
const KEEPALIVE: Duration = Duration::from_secs(15);

impl PostgresStore {
    /// Opens the database at this URL with the default options, and creates or migrates the tables
    /// as needed.
    ///
    /// # Errors
    /// Returns an error if the database cannot be used. Its text names the database and the fix.
    pub async fn open(url: impl Into<String>) -> Result<Self, OpenError> {
        Self::options().url(url).open().await
    }

    /// Opens the database of the application's own pool, with the default options. The store has no
    /// revocation feed; see [`PostgresOptions::pool`].
    ///
    /// # Errors
    /// Returns the same errors as [`open`](Self::open).
    #[cfg(feature = "pool")]
    pub async fn from_pool(pool: Pool) -> Result<Self, OpenError> {
        Self::options().pool(pool).open().await
    }

    /// Returns the options for opening a database. Either [`PostgresOptions::url`] or
    /// `PostgresOptions::pool` is required.
    pub fn options() -> PostgresOptions {
        PostgresOptions::default()
    }
}

impl PostgresOptions {
    /// Opens the database, and creates or migrates the tables as needed.
    ///
    /// The verbs run in the tokio runtime in which this method is called. They may be called from
    /// anywhere. The runtime needs I/O and time, and must last as long as the store is used.
    ///
    /// # Errors
    /// Returns an error if the database cannot be used. Its text names the database and the fix.
    pub async fn open(self) -> Result<PostgresStore, OpenError> {
        open(self).await.inspect_err(|error| {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "the session database could not be opened"
            );
        })
    }
}

async fn open(options: PostgresOptions) -> Result<PostgresStore, OpenError> {
    options.check_names()?;
    options.check_ranges()?;
    let runtime =
        Handle::try_current().map_err(|_| OpenError::new(None, OpenErrorKind::NoRuntime))?;
    let server = options.url.as_deref().map(|url| Server::new(url, &options));
    let server = server.transpose()?;
    let pool = match (options.pool.clone(), &server) {
        (Some(pool), _) => pool,
        (None, Some(server)) => server.pool(&options)?,
        (None, None) => return Err(OpenError::new(None, OpenErrorKind::NoLocation)),
    };
    let database = server.as_ref().map(|server| server.address.clone());
    let prepared = timeout(OPENING, prepare(&pool, &options, database.as_deref()));
    let (names, isolates) = prepared
        .await
        .unwrap_or_else(|_| Err(OpenError::from_fault(database.as_deref(), Fault::TimedOut)))?;
    let feed = match server {
        Some(server) if options.publishes_revocations => Some(Arc::new(Feed {
            config: server.config,
            tls: server.tls,
            channel: names.channel(),
            check_interval: options.feed_check_interval,
            runtime: runtime.clone(),
            current: Mutex::new(None),
        })),
        _ => None,
    };
    let runner = Runner {
        pool,
        runtime,
        sql: Arc::new(Statements::new(&names, options.publishes_revocations)),
        time_limit: options.verb_timeout,
        isolates,
    };
    let runner = Arc::new(runner);
    Ok(PostgresStore::new(Inner {
        database,
        batcher: Arc::new(Batcher::new(Arc::clone(&runner))),
        runner,
        feed,
    }))
}

/// Determines the schema and migrates its tables. Also returns `true` if the connections have an
/// isolation level other than READ COMMITTED.
async fn prepare(
    pool: &Pool,
    options: &PostgresOptions,
    database: Option<&str>,
) -> Result<(Names, bool), OpenError> {
    let in_fault = |fault| OpenError::from_fault(database, fault);
    let client = pool.get().await.map_err(|error| in_fault(error.into()))?;
    // A connection that was abandoned during a migration must not return to the pool.
    let mut client = deadpool_postgres::Object::take(client);
    let settings =
        "SELECT current_setting('server_encoding'), current_setting('transaction_isolation')";
    let settings = client.query_one(settings, &[]).await;
    let settings = settings.map_err(|error| in_fault(error.into()))?;
    let (encoding, isolation): (String, String) = (settings.get(0), settings.get(1));
    if encoding != "UTF8" {
        let found = format!("its encoding is {encoding}");
        return Err(OpenError::new(database, OpenErrorKind::Encoding).with_source(found));
    }
    let schema = match &options.schema {
        Some(schema) => schema.clone(),
        None => {
            let row = client.query_one("SELECT current_schema()::text", &[]);
            let row = row.await.map_err(|error| in_fault(error.into()))?;
            let found: Option<String> = row.get(0);
            found
                .filter(|schema| is_schema(schema))
                .ok_or_else(|| OpenError::new(database, OpenErrorKind::InvalidName))?
        }
    };
    let names = Names::new(&schema, &options.table_prefix);
    schema::migrate(&mut client, &names)
        .await
        .map_err(|problem| OpenError::from_schema(database, problem))?;
    Ok((names, isolation != "read committed"))
}

/// Address of the server and how to connect to it.
struct Server {
    config: Config,
    tls: MakeRustlsConnect,
    /// Without the password.
    address: String,
}

impl Server {
    fn new(url: &str, options: &PostgresOptions) -> Result<Self, OpenError> {
        let (mut config, roots) = url::parse(url).map_err(|kind| {
            let error = OpenError::new(None, kind);
            match url::unsupported(url) {
                Some(text) if kind == OpenErrorKind::InvalidUrl => error.with_source(text),
                _ => error,
            }
        })?;
        let address = address(&config);
        let limit = options.verb_timeout.as_millis().max(1);
        let own = config.get_options().unwrap_or_default();
        // Limits for a node that cannot enforce them itself: the server ends statements that no
        // caller waits for, and transactions of a stalled node. The statements are correct under
        // READ COMMITTED. That setting comes last, to override the default of the database or of
        // the URL.
        let settings = format!(
            "-c statement_timeout={limit} -c idle_in_transaction_session_timeout={limit} {own} -c default_transaction_isolation=read\\ committed"
        );
        config.options(settings);
        if config.get_application_name().is_none() {
            config.application_name("supersession");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(options.connect_timeout);
        }
        if config.get_keepalives_idle() > KEEPALIVE {
            config.keepalives_idle(KEEPALIVE);
            config.keepalives_interval(KEEPALIVE / 3);
            config.keepalives_retries(3);
        }
        let roots = match (&options.root_certificates, roots) {
            (Some(given), _) => Some(Cow::Borrowed(given.as_slice())),
            (None, Some(Roots::File(file))) => Some(Cow::Owned(url::read(&file, &address)?)),
            (None, Some(Roots::System) | None) => None,
        };
        let tls = tls::connector(config.get_ssl_mode(), roots.as_deref(), &address)?;
        Ok(Self {
            config,
            tls,
            address,
        })
    }

    fn pool(&self, options: &PostgresOptions) -> Result<Pool, OpenError> {
        let manager = ManagerConfig {
            // Verbs leave no state on a connection, so there is nothing to clean up.
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_config(self.config.clone(), self.tls.clone(), manager);
        let limit = Some(options.connect_timeout);
        Pool::builder(manager)
            .max_size(options.pool_size)
            .wait_timeout(limit)
            .create_timeout(limit)
            .recycle_timeout(limit)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| {
                OpenError::new(Some(&self.address), OpenErrorKind::Internal).with_source(error)
            })
    }
}

/// URL for error messages, without the password.
fn address(config: &Config) -> String {
    let user = config.get_user().unwrap_or_default();
    let at = if user.is_empty() { "" } else { "@" };
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate().map(|(number, host)| {
        let port = ports.get(number).or(ports.first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(host) => format!("{host}:{port}"),
            #[cfg(unix)]
            Host::Unix(path) => format!("{}:{port}", path.display()),
        }
    });
    let hosts: Vec<_> = hosts.collect();
    let database = config.get_dbname().unwrap_or(user);
    format!("postgres://{user}{at}{}/{database}", hosts.join(","))
}
