//! The command line and the environment. Options of SuperTokens' core keep their names.

mod environment;
mod postgres_url;
mod secrets;

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};
use serde_json::Value;

use crate::config_error::ConfigError;
use crate::core_config::{self, AppConfig, Limits, Values};
use crate::serve::ServeOptions;
use crate::service::ServiceOptions;
use crate::store::{StoreOptions, StoreUrl};
use postgres_url::Parts;

/// Returns a parser for a number within bounds. Its errors name the option and the bounds.
fn between(least: u64, most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least..=most)
}

/// A day: the longest wait that can be configured.
const LONGEST_WAIT: u64 = 86_400;

/// A session core for SuperTokens backend SDKs.
///
/// Point the `connectionURI` of the Node, Python or Go SDK to this server. Without options it listens
/// on localhost:3567 and keeps everything in ./supersession.db.
#[derive(Clone, Parser)]
#[command(name = "supersession", version, max_term_width = 100)]
pub struct Options {
    /// The name or address to listen on
    #[arg(
        long,
        env = "SUPERTOKENS_HOST",
        default_value = "localhost",
        help_heading = "Listening"
    )]
    pub host: String,

    /// The port to listen on; 0 for any that is free
    #[arg(
        long,
        env = "SUPERTOKENS_PORT",
        default_value_t = 3567,
        help_heading = "Listening"
    )]
    pub port: u16,

    /// Prefix of all paths, such as /sessions
    #[arg(
        long,
        env = "BASE_PATH",
        default_value = "",
        hide_default_value = true,
        help_heading = "Listening"
    )]
    pub base_path: String,

    /// Listen on all addresses without an API key: every client that reaches them can use every session
    #[arg(
        long,
        env = "SUPERSESSION_ALLOW_NO_API_KEY",
        help_heading = "Listening"
    )]
    pub allow_no_api_key: bool,

    /// Ask the server at this address if it is ready, and exit with 0 if it is
    #[arg(long, help_heading = "Listening")]
    pub probe: bool,

    /// Maximum size of a request body, in bytes: 1 KiB to 1 GiB
    #[arg(long, env = "SUPERSESSION_MAX_BODY_BYTES", default_value_t = 1 << 20, value_parser = between(1 << 10, 1 << 30), help_heading = "Listening")]
    pub max_body_bytes: usize,

    /// Maximum time for requests to finish after SIGTERM or SIGINT, in seconds
    #[arg(
        long,
        env = "SUPERSESSION_DRAIN_SECONDS",
        default_value_t = 25,
        value_parser = clap::value_parser!(u64).range(..=LONGEST_WAIT),
        help_heading = "Listening"
    )]
    pub drain_seconds: u64,

    /// Number of threads that handle requests, and of threads that sign; one for each core if absent
    #[arg(long, env = "MAX_SERVER_POOL_SIZE", value_parser = between(1, 1_024), help_heading = "Listening")]
    pub max_server_pool_size: Option<usize>,

    /// The store: sqlite:PATH, postgres://..., redis://... or rediss://...
    #[arg(
        long,
        env = "SUPERSESSION_STORE",
        hide_env_values = true,
        help_heading = "Storage"
    )]
    pub store: Option<String>,

    /// A file with the value of --store
    #[arg(
        long,
        env = "SUPERSESSION_STORE_FILE",
        conflicts_with = "store",
        help_heading = "Storage"
    )]
    pub store_file: Option<PathBuf>,

    /// Maximum wait for a store that is down at start, in seconds; 0 to fail at once
    #[arg(
        long,
        env = "SUPERSESSION_STORE_WAIT_SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(..=LONGEST_WAIT),
        help_heading = "Storage"
    )]
    pub store_wait_seconds: u64,

    /// A PostgreSQL database, under the name that SuperTokens' core has for it; the other
    /// --postgresql options fill in what the URI leaves out
    #[arg(
        long,
        env = "POSTGRESQL_CONNECTION_URI",
        hide_env_values = true,
        conflicts_with_all = ["store", "store_file"],
        help_heading = "Storage"
    )]
    pub postgresql_connection_uri: Option<String>,

    /// A file with the value of --postgresql-connection-uri
    #[arg(
        long,
        env = "POSTGRESQL_CONNECTION_URI_FILE",
        conflicts_with_all = ["store", "store_file", "postgresql_connection_uri"],
        help_heading = "Storage"
    )]
    pub postgresql_connection_uri_file: Option<PathBuf>,

    /// The host of PostgreSQL [default: localhost]
    #[arg(
        long,
        env = "POSTGRESQL_HOST",
        conflicts_with_all = ["store", "store_file"],
        help_heading = "Storage"
    )]
    pub postgresql_host: Option<String>,

    /// The port of PostgreSQL [default: 5432]
    #[arg(
        long,
        env = "POSTGRESQL_PORT",
        conflicts_with_all = ["store", "store_file"],
        value_parser = clap::value_parser!(u16).range(1..),
        help_heading = "Storage"
    )]
    pub postgresql_port: Option<u16>,

    /// The user of PostgreSQL
    #[arg(
        long,
        env = "POSTGRESQL_USER",
        conflicts_with_all = ["store", "store_file"],
        help_heading = "Storage"
    )]
    pub postgresql_user: Option<String>,

    /// The password of that user
    #[arg(
        long,
        env = "POSTGRESQL_PASSWORD",
        hide_env_values = true,
        conflicts_with_all = ["store", "store_file"],
        help_heading = "Storage"
    )]
    pub postgresql_password: Option<String>,

    /// A file with the value of --postgresql-password
    #[arg(
        long,
        env = "POSTGRESQL_PASSWORD_FILE",
        conflicts_with_all = ["store", "store_file", "postgresql_password"],
        help_heading = "Storage"
    )]
    pub postgresql_password_file: Option<PathBuf>,

    /// The database in PostgreSQL [default: supertokens]
    #[arg(
        long,
        env = "POSTGRESQL_DATABASE_NAME",
        conflicts_with_all = ["store", "store_file"],
        help_heading = "Storage"
    )]
    pub postgresql_database_name: Option<String>,

    /// The schema of the tables in PostgreSQL
    #[arg(long, env = "POSTGRESQL_TABLE_SCHEMA", help_heading = "Storage")]
    pub postgresql_table_schema: Option<String>,

    /// Prefix of the names of the tables in PostgreSQL, before an underscore
    #[arg(
        long,
        env = "POSTGRESQL_TABLE_NAMES_PREFIX",
        default_value = "",
        hide_default_value = true,
        help_heading = "Storage"
    )]
    pub postgresql_table_names_prefix: String,

    /// Maximum number of connections to PostgreSQL
    #[arg(
        long,
        env = "POSTGRESQL_CONNECTION_POOL_SIZE",
        value_parser = between(1, 10_000),
        help_heading = "Storage"
    )]
    pub postgresql_connection_pool_size: Option<usize>,

    /// Prefix of all keys in Redis
    #[arg(long, env = "SUPERSESSION_REDIS_PREFIX", help_heading = "Storage")]
    pub redis_prefix: Option<String>,

    /// API keys, separated by commas, of at least 20 characters each; a request must carry one
    #[arg(
        long,
        env = "API_KEYS",
        hide_env_values = true,
        help_heading = "Security"
    )]
    pub api_keys: Option<String>,

    /// A file with the value of --api-keys; line breaks separate keys too
    #[arg(
        long,
        env = "API_KEYS_FILE",
        conflicts_with = "api_keys",
        help_heading = "Security"
    )]
    pub api_keys_file: Option<PathBuf>,

    /// Refuse to sign JWTs with the members of a session token, and to verify such JWTs as sessions
    #[arg(
        long,
        env = "SUPERSESSION_REFUSE_SESSION_JWTS",
        help_heading = "Security"
    )]
    pub refuse_session_jwts: bool,

    /// Client addresses to accept, as a regular expression that matches the whole address
    #[arg(long, env = "IP_ALLOW_REGEX", help_heading = "Security")]
    pub ip_allow_regex: Option<String>,

    /// Client addresses to reject, as a regular expression that matches the whole address
    #[arg(long, env = "IP_DENY_REGEX", help_heading = "Security")]
    pub ip_deny_regex: Option<String>,

    /// Validity of an access token, in seconds [default: 3600]
    #[arg(long, env = "ACCESS_TOKEN_VALIDITY", help_heading = "Sessions")]
    pub access_token_validity: Option<String>,

    /// Maximum share by which the validity of an access token is shortened at random [default: 0.05]
    #[arg(long, env = "ACCESS_TOKEN_VALIDITY_JITTER", help_heading = "Sessions")]
    pub access_token_validity_jitter: Option<String>,

    /// Lifetime of a session after its last refresh, in minutes [default: 144000]
    #[arg(long, env = "REFRESH_TOKEN_VALIDITY", help_heading = "Sessions")]
    pub refresh_token_validity: Option<String>,

    /// Grace period for reusing a rotated refresh token, in seconds [default: 30]
    #[arg(
        long,
        env = "REFRESH_TOKEN_ROTATION_GRACE_PERIOD",
        help_heading = "Sessions"
    )]
    pub refresh_token_rotation_grace_period: Option<String>,

    /// Report of late reuse of the previous refresh token: TOKEN_THEFT or UNAUTHORISED
    /// [default: TOKEN_THEFT]
    #[arg(long, env = "RECENT_TOKEN_REUSE_BEHAVIOUR", help_heading = "Sessions")]
    pub recent_token_reuse_behaviour: Option<String>,

    /// Interval of signing key rotation, in hours [default: 168]
    #[arg(
        long,
        env = "ACCESS_TOKEN_DYNAMIC_SIGNING_KEY_UPDATE_INTERVAL",
        help_heading = "Sessions"
    )]
    pub access_token_dynamic_signing_key_update_interval: Option<String>,

    /// For SDKs before CDI 2.21: check the database when a session is verified
    #[arg(long, env = "ACCESS_TOKEN_BLACKLISTING", help_heading = "Older SDKs")]
    pub access_token_blacklisting: Option<String>,

    /// For SDKs before CDI 2.21: sign with the rotating key [default: true]
    #[arg(
        long,
        env = "ACCESS_TOKEN_SIGNING_KEY_DYNAMIC",
        help_heading = "Older SDKs"
    )]
    pub access_token_signing_key_dynamic: Option<String>,

    /// The version of the interface for requests without a version, and the newest supported one
    #[arg(long, env = "SUPERTOKENS_MAX_CDI_VERSION", help_heading = "Older SDKs")]
    pub supertokens_max_cdi_version: Option<String>,

    /// The oldest supported version of the interface
    #[arg(long, env = "SUPERTOKENS_MIN_CDI_VERSION", help_heading = "Older SDKs")]
    pub supertokens_min_cdi_version: Option<String>,

    /// Accept lifetimes that only test suites need, such as signing keys of seconds
    #[arg(long, env = "SUPERSESSION_LIFT_LIMITS", help_heading = "Older SDKs")]
    pub lift_limits: bool,

    /// Log level: NONE, ERROR, WARN, INFO or DEBUG
    #[arg(
        long,
        env = "LOG_LEVEL",
        default_value = "INFO",
        ignore_case = true,
        help_heading = "Logging"
    )]
    pub log_level: LogLevel,

    /// Log format
    #[arg(
        long,
        env = "SUPERSESSION_LOG_FORMAT",
        default_value = "text",
        help_heading = "Logging"
    )]
    pub log_format: LogFormat,
}

/// The log level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// No events.
    None,
    /// Failures.
    Error,
    /// Failures and suspicious events.
    Warn,
    /// The above, and events of the process.
    Info,
    /// The above, and events of each request.
    Debug,
}

/// The log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of text per event.
    Text,
    /// One JSON object per line.
    Json,
}

/// Omits keys and URLs, because they are or may contain secrets.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// Parses the command line and the environment. An empty variable counts as unset. If parsing
    /// fails, prints a message to standard error and exits.
    #[must_use]
    pub fn read() -> Self {
        let command = environment::without_unset_variables(Self::command());
        let matches = command.get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// Rejects variables of SuperTokens' core that this server does not support.
    ///
    /// # Errors
    /// If there are any. The message names them.
    pub fn check_environment(&self) -> Result<(), ConfigError> {
        environment::check(std::env::vars_os())
    }

    /// Returns the store and its options.
    ///
    /// # Errors
    /// If no store is given, or a file with a secret cannot be read.
    pub fn store(&self) -> Result<(StoreUrl, StoreOptions), ConfigError> {
        let mut options = StoreOptions {
            postgres_schema: self.postgresql_table_schema.clone(),
            postgres_table_prefix: self.postgresql_table_names_prefix.clone(),
            postgres_pool_size: self.postgresql_connection_pool_size,
            redis_prefix: self.redis_prefix.clone(),
        };
        let named = secrets::value_or_file(
            self.store.as_ref(),
            self.store_file.as_deref(),
            "--store-file",
        )?;
        if let Some(named) = named {
            let url = named
                .trim()
                .parse()
                .map_err(|error| ConfigError::new(format!("--store names no store: {error}")))?;
            return Ok((url, options));
        }
        let uri = secrets::value_or_file(
            self.postgresql_connection_uri.as_ref(),
            self.postgresql_connection_uri_file.as_deref(),
            "--postgresql-connection-uri-file",
        )?;
        let password = secrets::value_or_file(
            self.postgresql_password.as_ref(),
            self.postgresql_password_file.as_deref(),
            "--postgresql-password-file",
        )?;
        let parts = Parts {
            uri: uri.as_deref().map(str::trim),
            host: self.postgresql_host.as_deref(),
            port: self.postgresql_port,
            user: self.postgresql_user.as_deref(),
            password: password.as_deref(),
            database: self.postgresql_database_name.as_deref(),
        };
        if parts.are_absent() {
            return Ok((StoreUrl::Sqlite(PathBuf::from("supersession.db")), options));
        }
        let location = parts.location()?;
        if location.schema.is_some() {
            options.postgres_schema = location.schema;
        }
        Ok((StoreUrl::Postgres(location.url), options))
    }

    /// Returns the maximum time to wait for a store that is down at startup.
    #[must_use]
    pub fn store_wait(&self) -> Duration {
        Duration::from_secs(self.store_wait_seconds)
    }

    /// Returns the options of the service.
    ///
    /// # Errors
    /// If a value is invalid. The message names the option and its valid values.
    pub fn service_options(&self) -> Result<ServiceOptions, ConfigError> {
        let base_path = self
            .base_path
            .trim()
            .trim_end_matches('/')
            .to_ascii_lowercase();
        if !base_path.is_empty() && !base_path.starts_with('/') {
            return Err(ConfigError::new(
                "--base-path (BASE_PATH) must begin with a slash".to_owned(),
            ));
        }
        if base_path.contains(|c: char| c.is_whitespace() || matches!(c, '?' | '#')) {
            return Err(ConfigError::new(
                "--base-path (BASE_PATH) must not contain spaces, `?` or `#`: no request has such a path"
                    .to_owned(),
            ));
        }
        let defaults = ServiceOptions::default();
        let limits = if self.lift_limits {
            Limits::Lifted
        } else {
            Limits::Enforced
        };
        let core_config = self.core_config()?;
        // Checked before anything is opened, so that a rejected start has no side effects.
        AppConfig::read(&core_config, limits)?;
        Ok(ServiceOptions {
            core_config,
            limits,
            base_path,
            max_body_bytes: self.max_body_bytes,
            signing_threads: self
                .max_server_pool_size
                .unwrap_or(defaults.signing_threads),
            refuse_session_jwts: self.refuse_session_jwts,
            ..defaults
        })
    }

    fn core_config(&self) -> Result<Values, ConfigError> {
        let mut values = Values::new();
        let api_keys = self.all_api_keys()?;
        for (name, given) in [
            ("api_keys", &api_keys),
            ("ip_allow_regex", &self.ip_allow_regex),
            ("ip_deny_regex", &self.ip_deny_regex),
            ("access_token_validity", &self.access_token_validity),
            (
                "access_token_validity_jitter",
                &self.access_token_validity_jitter,
            ),
            ("refresh_token_validity", &self.refresh_token_validity),
            (
                "refresh_token_rotation_grace_period",
                &self.refresh_token_rotation_grace_period,
            ),
            (
                "recent_token_reuse_behaviour",
                &self.recent_token_reuse_behaviour,
            ),
            (
                "access_token_dynamic_signing_key_update_interval",
                &self.access_token_dynamic_signing_key_update_interval,
            ),
            ("access_token_blacklisting", &self.access_token_blacklisting),
            (
                "access_token_signing_key_dynamic",
                &self.access_token_signing_key_dynamic,
            ),
            (
                "supertokens_max_cdi_version",
                &self.supertokens_max_cdi_version,
            ),
            (
                "supertokens_min_cdi_version",
                &self.supertokens_min_cdi_version,
            ),
        ] {
            if let Some(given) = given.as_ref().filter(|given| !given.is_empty()) {
                let value = Value::String(given.clone());
                values.insert(name.to_owned(), core_config::coerced(name, &value)?);
            }
        }
        Ok(values)
    }

    /// Returns the keys, separated by commas. A file may contain one key per line.
    fn all_api_keys(&self) -> Result<Option<String>, ConfigError> {
        let file = self.api_keys_file.as_deref();
        let given = secrets::value_or_file(self.api_keys.as_ref(), file, "--api-keys-file")?;
        if file.is_none() {
            return Ok(given);
        }
        Ok(given.map(|text| {
            let keys = text.split([',', '\n']).map(str::trim);
            let keys: Vec<_> = keys.filter(|key| !key.is_empty()).collect();
            keys.join(",")
        }))
    }

    /// Returns the time limits and intervals of the server.
    #[must_use]
    pub fn serve_options(&self) -> ServeOptions {
        ServeOptions {
            drain: Duration::from_secs(self.drain_seconds),
            ..ServeOptions::default()
        }
    }

    /// Calls the readiness check of the server that listens on the address of these options, for
    /// container health checks without an HTTP client. If that server listens on all addresses, the
    /// loopback address is called.
    ///
    /// # Errors
    /// If no server is reachable, or it is not ready.
    pub fn probe_readiness(&self) -> io::Result<()> {
        const PATIENCE: Duration = Duration::from_secs(2);
        let mut last = io::Error::other(format!("--host {} has no address", self.host));
        for mut address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => {
                    address.set_ip(Ipv4Addr::LOCALHOST.into());
                }
                IpAddr::V6(ip) if ip.is_unspecified() => {
                    address.set_ip(Ipv6Addr::LOCALHOST.into());
                }
                _ => {}
            }
            match self.probe_readiness_at(address, PATIENCE) {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn probe_readiness_at(&self, address: SocketAddr, patience: Duration) -> io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let base_path = self.base_path.trim_end_matches('/');
        write!(
            stream,
            "GET {base_path}/readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = Vec::new();
        stream.take(64 * 1024).read_to_end(&mut answer)?;
        if answer.starts_with(b"HTTP/1.1 200 ") {
            Ok(())
        } else {
            Err(io::Error::other(format!(
                "the server at {address} is not ready"
            )))
        }
    }

    /// Rejects a configuration that accidentally admits every client.
    ///
    /// # Errors
    /// If the server would listen on all addresses without requiring a key.
    pub fn check_exposure(&self, address: IpAddr, guarded: bool) -> Result<(), ConfigError> {
        if address.to_canonical().is_unspecified() && !guarded && !self.allow_no_api_key {
            return Err(ConfigError::new(format!(
                "--host {} listens on all addresses, and without an API key everybody who reaches them may use every session: set --api-keys (API_KEYS), or pass --allow-no-api-key if something else keeps others out",
                self.host
            )));
        }
        Ok(())
    }
}
