//! Conversion of the options to the settings of store, service and server.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::postgres_url::Parts;
use super::{Options, secrets};
use crate::config_error::ConfigError;
use crate::core_config::{self, AppConfig, Limits, Values};
use crate::serve::ServeOptions;
use crate::service::ServiceOptions;
use crate::store::{StoreOptions, StoreUrl};

impl Options {
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
            let url = named.trim().parse().map_err(|error| {
                ConfigError::new(format!("--store is not the URL of a store: {error}"))
            })?;
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
                "--base-path (BASE_PATH) must not contain spaces, `?` or `#`, because no request path contains them"
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
                "refresh_token_lost_response_window",
                &self.refresh_token_lost_response_window,
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

    /// Rejects a configuration that accidentally admits every client.
    ///
    /// # Errors
    /// If the server would listen on all addresses without requiring a key.
    pub fn check_exposure(&self, address: IpAddr, guarded: bool) -> Result<(), ConfigError> {
        if address.to_canonical().is_unspecified() && !guarded && !self.allow_no_api_key {
            return Err(ConfigError::new(format!(
                "--host {} listens on all addresses, and without an API key every client that reaches them can use every session: set --api-keys (API_KEYS), or pass --allow-no-api-key if access is restricted by other means",
                self.host
            )));
        }
        Ok(())
    }
}
